"""A loaded model, and how one speaks with it: prompts, template, reasoning."""
