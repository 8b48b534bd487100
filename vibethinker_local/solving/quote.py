"""How long a run will take, before it and while it goes on. Pure: reads, measures and prints nothing.

The lengths of a model's solutions are taken to be log-normal, with the quartiles that models.toml gives; what has
ended in this very run corrects them.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vibethinker_local.events import Sampled, SolveEvent, Started, Wrote
from vibethinker_local.reliability.stopping import LIKELY, fewest
from vibethinker_local.system.units import duration, size

QUARTILE = 0.6745  # standard deviations
PRIOR = 2.0  # the model's typical length counts as much as this many observed solutions
ANSWER = 200.0  # tokens to expect once the reasoning is over
WINDOW = 15.0  # seconds over which the speed is averaged
SETTLED = 5.0  # seconds of writing before anything is said
TOLERATED = 0.2  # of the time left: what a new estimate may differ before it is followed
FOLLOWED = 15.0  # seconds in which most of a difference is made up for


@dataclass(frozen=True)
class Lengths:
    """The lengths of a model's solutions in tokens: mean and standard deviation of their logarithm."""

    mean: float
    deviation: float

    @classmethod
    def typical(cls, low: int, high: int) -> "Lengths":
        """From the quartiles."""
        return cls((math.log(low) + math.log(high)) / 2, max(0.05, math.log(high / low) / (2 * QUARTILE)))

    def learned(self, finished: Sequence[int]) -> "Lengths":
        """Updated by the lengths of solutions that have ended."""
        logs = [math.log(max(1, tokens)) for tokens in finished]
        return Lengths((PRIOR * self.mean + sum(logs)) / (PRIOR + len(logs)), self.deviation)

    def left(self, written: int, most: int) -> float:
        """The expected length of a solution that has this many tokens so far and may have `most`."""
        if written >= most:
            return 0.0
        longer = self._longer(written)
        if longer < 1e-6:  # far beyond anything typical
            return (most - written) / 2
        within = self._sum_beyond(written) - self._sum_beyond(most) + most * self._longer(most)
        return min(most - written, max(1.0, within / longer - written))  # wide spreads cancel badly in `within`

    def total(self, count: int, most: int, quartile: int) -> float:
        """The lower (-1) or upper (1) quartile of the total length of this many solutions, in tokens."""
        variance = math.log(1 + (math.exp(self.deviation**2) - 1) / count)  # Fenton and Wilkinson's approximation
        middle = count * math.exp(self.mean + (self.deviation**2 - variance) / 2)
        return min(count * most, middle * math.exp(quartile * QUARTILE * math.sqrt(variance)))

    def _longer(self, tokens: float) -> float:
        """The share of solutions that are longer."""
        return self._tail((math.log(max(tokens, 1e-9)) - self.mean) / self.deviation)

    def _sum_beyond(self, tokens: float) -> float:
        """The mean length, counting only solutions that are longer."""
        shifted = (math.log(max(tokens, 1e-9)) - self.mean - self.deviation**2) / self.deviation
        return math.exp(self.mean + self.deviation**2 / 2) * self._tail(shifted)

    @staticmethod
    def _tail(deviations: float) -> float:
        return math.erfc(deviations / math.sqrt(2)) / 2


@dataclass(frozen=True)
class Rates:
    """A model's speed on this machine, in tokens per second; `decode` takes the number of Sequences, and is the sum."""

    prefill: float
    decode: Callable[[int], float]
    deeper: float = 0.0  # additional seconds per token, for each token before it

    def at(self, sequences: int, depth: float) -> float:
        """Tokens per second of this many Sequences, each attending to this many tokens."""
        return 1 / (1 / self.decode(sequences) + depth * self.deeper)


@dataclass(frozen=True)
class Work:
    """The limits of a run."""

    prompt: int  # tokens
    lengths: Lengths
    most: int  # tokens of a solution
    samples: int = 1
    at_once: int = 1
    stopping: bool = False  # whether a clear vote ends it
    likely: float = LIKELY  # how clear
    after: int = 0  # tokens for checking each solution


@dataclass(frozen=True)
class Quote:
    """Half of all such runs take between `low` and `high` seconds; `memory` in bytes."""

    samples: int
    low: float
    high: float
    memory: int

    def __str__(self) -> str:
        what = f"{self.samples} solutions" if self.samples > 1 else "a solution"
        return f"{what}: about {span(self.low, self.high)}, {size(self.memory)} of memory"


def quote(work: Work, rates: Rates, memory: int) -> Quote:
    """From speeds and typical lengths to a range of seconds."""
    least = fewest(work.samples, work.likely) if work.stopping else work.samples

    def seconds(count: int, quartile: int, after: int) -> float:
        tokens = work.lengths.total(count, work.most, quartile)
        depth = work.prompt + tokens / count / 2  # on average
        return work.prompt / rates.prefill + (tokens + count * after) / rates.at(min(work.at_once, count), depth)

    return Quote(work.samples, seconds(least, -1, 0), seconds(work.samples, 1, work.after), memory)


def span(low: float, high: float) -> str:
    """Two durations in one unit: 6-14 min."""
    first, last = duration(low), duration(high)
    if first == last:
        return first
    unit = last.split()[1]
    return f"{first.removesuffix(unit).strip()}-{last}" if first.endswith(f" {unit}") else f"{first} to {last}"


class Countdown:
    """The time left as it is shown: it runs with the clock, and follows a new estimate only where that is far from it,
    and little by little, so that nobody reads 20 s, then 5 min, then 48 s."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end: float | None = None  # by the clock
        self._seen = 0.0  # when the last estimate came

    @property
    def left(self) -> float | None:
        """Seconds; None while there is no estimate."""
        return None if self._end is None else max(1.0, self._end - self._clock())

    def see(self, estimate: float | None) -> None:
        """Take in a new estimate, in seconds."""
        now = self._clock()
        if estimate is not None and self._end is None:
            self._end = now + estimate
        elif estimate is not None and self._end is not None:
            off, left = now + estimate - self._end, max(1.0, self._end - now)
            if abs(off) > TOLERATED * left:
                self._end += off * (1 - math.exp((self._seen - now) / FOLLOWED))
        self._seen = now


class Eta:
    """Follows a run's events and says how long it may still take."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lengths = Lengths.typical(1, 1)
        self._most, self._samples = 0, 1
        self._running: dict[int, int] = {}  # trajectory → tokens
        self._answering: set[int] = set()  # those whose reasoning is over
        self._finished: list[int] = []
        self._marks: list[tuple[float, int]] = []  # when, and how many tokens there were in all

    def see(self, event: SolveEvent) -> None:
        """Update by one event."""
        match event:
            case Started():
                self._most, self._samples = event.max_tokens, event.samples
                self._lengths = Lengths.typical(*event.typical)
            case Wrote():
                self._running[event.index] = event.tokens
                (self._answering.discard if event.reasoning else self._answering.add)(event.index)
                self._mark()
            case Sampled():
                self._running.pop(event.index, None)
                self._finished.append(event.trajectory.tokens)

    def seconds(self) -> float | None:
        """Seconds until the last solution, unless a vote ends the run earlier; None while there is no estimate."""
        since, before = self._marks[0] if self._marks else (0.0, 0)
        passed, written = self._clock() - since, self._written - before
        if passed < SETTLED or written < 3:
            return None
        lengths = self._lengths.learned(self._finished)
        coming = self._samples - len(self._finished) - len(self._running)
        left = sum(
            min(lengths.left(tokens, self._most), ANSWER if index in self._answering else math.inf)
            for index, tokens in self._running.items()
        )
        return (left + max(0, coming) * lengths.left(0, self._most)) * passed / written

    @property
    def _written(self) -> int:
        return sum(self._running.values()) + sum(self._finished)

    def _mark(self) -> None:
        now = self._clock()
        if not self._marks or now - self._marks[-1][0] > WINDOW / 20:
            self._marks = [mark for mark in self._marks if now - mark[0] <= WINDOW] + [(now, self._written)]
