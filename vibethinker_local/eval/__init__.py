"""`vibe eval`: samples problems with known answers into a bank once, and replays ways to choose an answer on it."""
