"""What a mathematical answer means: from its text to a value of a kind, exact algebra, and values to many digits."""
