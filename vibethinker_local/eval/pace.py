"""How far a bank has got, and how long the rest may take. Prints nothing."""

import time
from collections.abc import Callable, Iterable

from vibethinker_local.eval.bank import Entry
from vibethinker_local.system.units import left

PRIOR = 4.0  # the model's typical length counts as much as this many observed trajectories
LEAST = 5.0  # seconds of running before an estimate is given


class BankPace:
    def __init__(
        self,
        wanted: int,
        typical: tuple[int, int],
        known: Iterable[Entry] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wanted` trajectories in all, some of them `known`; half of all solutions have a length within `typical`."""
        self._wanted, self._clock = wanted, clock
        self._done, self._sum = 0, 0
        self._first = (typical[0] + typical[1]) / 2
        for entry in known:
            self.count(entry)
        self._began, self._before = clock(), self._sum

    def count(self, entry: Entry) -> None:
        """Count a trajectory that has been banked."""
        self._done += 1
        self._sum += entry.tokens + entry.claim_tokens + entry.think_tokens

    def line(self, tokens: int) -> str:
        """For example: 120 of 480 trajectories · 412 tok/s · about 2 h left. `tokens`: generated in this run."""
        text = f"{self._done:,} of {self._wanted:,} trajectories"
        passed = self._clock() - self._began
        if passed < LEAST or not tokens:
            return text
        each = (PRIOR * self._first + self._sum) / (PRIOR + self._done)
        under_way = tokens - (self._sum - self._before)
        coming = max(0.0, (self._wanted - self._done) * each - under_way)
        return f"{text} · {tokens / passed:,.0f} tok/s · {left(coming * passed / tokens)}"
