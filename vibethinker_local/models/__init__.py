"""Which model, from where, and whether it fits: the list, the cache, downloads, checksums, memory, speeds."""
