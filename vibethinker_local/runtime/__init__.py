"""A loaded model and how to talk to it: prompts, chat template, reasoning."""
