"""GGUF files as data: reading their headers, and checking that the values are plausible."""
