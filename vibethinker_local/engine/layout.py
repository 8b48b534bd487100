"""How the KV cache is divided: places, and cells of each, which are doubled as they fill."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """How many places there are, and cells of each."""

    places: int
    each: int


def doubled(first: int, length: int, most: int) -> int:
    """Cells for so many tokens, of a place that began with `first` and gets twice as many whenever it is full."""
    cells = first
    while cells < min(length, most):
        cells *= 2
    return min(cells, most)
