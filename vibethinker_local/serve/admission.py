"""Whose turn it is: as many Sequences at once as the engine has places, and a queue that has an end.

A place that falls free goes to the request that holds the fewest, the earliest among equals: one that wants sixteen
replies does not keep others waiting for all of them.
"""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

WAITING = 256  # requests that may wait, beyond those that run
FORGETS = 0.8  # how much of the mean duration of a request is of those before the last


class Full(Exception):
    """Too many wait already."""

    def __init__(self, retry_after: int) -> None:
        """`retry_after`: seconds after which another attempt is worth while."""
        super().__init__(f"The server is busy: try again in {retry_after} s.")
        self.retry_after = retry_after


@dataclass(eq=False)
class Visit:
    """One request: what it holds, and what it waits for."""

    number: int
    held: int = 0
    waiting: list["asyncio.Future[None]"] = field(default_factory=list)


class Admission:
    """For one event loop."""

    def __init__(self, places: int, waiting: int = WAITING) -> None:
        self.places, self.most = places, places + waiting  # most: requests at once
        self._free = places
        self._visits: list[Visit] = []
        self._count = 0
        self._mean = 1.0  # seconds

    @property
    def running(self) -> int:
        """Places that are taken."""
        return self.places - self._free

    @property
    def waiting(self) -> int:
        """Requests that hold no place yet."""
        return sum(not visit.held for visit in self._visits)

    @contextmanager
    def visit(self) -> Iterator[Visit]:
        """A request from its beginning to its end. Raises Full."""
        if len(self._visits) >= self.most:
            raise Full(max(1, math.ceil(self._mean * self.waiting / self.places)))
        self._count += 1
        visit, began = Visit(self._count), time.monotonic()
        self._visits.append(visit)
        try:
            yield visit
        finally:
            self._visits.remove(visit)
            self._mean = FORGETS * self._mean + (1 - FORGETS) * (time.monotonic() - began)

    async def take(self, visit: Visit) -> None:
        """Wait for a place; `give` gives it back."""
        turn = asyncio.get_running_loop().create_future()
        visit.waiting.append(turn)
        self._grant()
        try:
            await turn
        except asyncio.CancelledError:
            if turn in visit.waiting:
                visit.waiting.remove(turn)
            elif not turn.cancelled():  # it was granted; a cancelled one may have been passed over, and holds nothing
                self.give(visit)
            raise

    async def taking(self, visit: Visit, every: float) -> AsyncGenerator[None]:
        """`take`, which yields every so many seconds until there is a place. Left before, it holds none."""
        task = asyncio.create_task(self.take(visit))
        try:
            while not (await asyncio.wait([task], timeout=every))[0]:
                yield
        except BaseException:
            if not task.cancel():  # it was granted meanwhile
                self.give(visit)
            raise

    def take_free(self, visit: Visit, most: int) -> int:
        """Take up to `most` places that nobody waits for, at once. Returns how many."""
        taken = 0 if any(other.waiting for other in self._visits) else min(most, self._free)
        visit.held += taken
        self._free -= taken
        return taken

    def give(self, visit: Visit, count: int = 1) -> None:
        visit.held -= count
        self._free += count
        self._grant()

    def _grant(self) -> None:
        while self._free and (visits := [visit for visit in self._visits if visit.waiting]):
            visit = min(visits, key=lambda visit: (visit.held, visit.number))
            turn = visit.waiting.pop(0)
            if not turn.done():  # cancelled, else
                visit.held += 1
                self._free -= 1
                turn.set_result(None)
