"""Pairs of answers in files."""

from pathlib import Path

PAIRS = Path(__file__).with_name("pairs")


def pairs(name: str) -> dict[str, list[tuple[str, str]]]:
    """The pairs of a file by the heading above them: `left | right` on a line of its own."""
    found: dict[str, list[tuple[str, str]]] = {}
    heading = ""
    for line in (PAIRS / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            heading = line[2:]
        elif line.strip():
            left, _, right = line.partition(" | ")
            found.setdefault(heading, []).append((left, right))
    return found
