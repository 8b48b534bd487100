"""Answers and how they compare, exact arithmetic, the vote and when it is decided. Pure: loads and prints nothing."""
