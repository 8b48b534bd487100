"""The use cases: a problem in, SolveEvents out, the last of them a Solution; from one trajectory or from a vote."""
