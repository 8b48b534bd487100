"""GGUF files as data: their headers, and whether these make sense."""
