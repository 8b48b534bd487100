"""The Hugging Face hub, and how a model file comes from there onto this disk."""
