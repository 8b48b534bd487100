"""`vibe bench`: what this machine makes of a model file, and llama.cpp's own tools beside it."""
