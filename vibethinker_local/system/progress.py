"""How far long work has come: the events that a generator yields on its way to its result, and how they are shown."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """How far a stage of the work is, counted in `unit`; `total` is 0 where nobody can tell."""

    stage: str
    done: int
    total: int
    unit: str = "bytes"


def run(work: Generator[Progress, None, T], show: Callable[[Progress], None]) -> T:
    """Do the work to its end, showing each event; returns what the work returns, raises what it raises."""
    while True:
        try:
            event = next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        show(event)


def labelled(label: str, work: Generator[Progress, None, T]) -> Generator[Progress, None, T]:
    """The same work, with a label before the names of its stages."""
    while True:
        try:
            event = next(work)
        except StopIteration as end:
            result: T = end.value
            return result
        yield replace(event, stage=f"{label}: {event.stage}")
