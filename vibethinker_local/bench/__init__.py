"""`vibe bench`: how fast this machine runs a model file, compared with llama.cpp's own tools."""
