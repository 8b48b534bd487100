"""What any program needs of its machine: memory, paths, settings, files, units. Knows nothing of models."""
