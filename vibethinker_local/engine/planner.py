"""Which batches a step's Sequences are decoded in: the split, and the padding, that take the least time together.

The time of a batch does not grow evenly with its tokens: matrix kernels work in blocks, and what does not fill a block
falls back to slower ones. On one processor 8 tokens took as long as 16, and more than twice as long as 4. So a step may
be several batches, and a batch may be padded with tokens that nobody wants.

What a batch of each size costs was measured by `vibe bench`, or else is learnt from the engine's own steps: each size
that might help is tried a few times, in turn with the others, and what was learnt then stays as it is. One Sequence is
always decoded as it is, so its results depend on no time that was measured; with a table that was given, the batches of
many Sequences do not either.
"""

import statistics
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SAMPLES = 5  # batches that a size is tried in; the median counts, as others may be using the machine
GAIN = 0.03  # share of the time that a split or padding has to save


@dataclass(frozen=True, slots=True)
class Part:
    """One batch of a step: how many Sequences, and how many tokens besides theirs."""

    sequences: int
    padding: int = 0

    @property
    def tokens(self) -> int:
        return self.sequences + self.padding


class Planner:
    def __init__(self, seconds: Mapping[int, float] | None = None, *, learns: bool = False) -> None:
        """With the seconds of a batch by its number of tokens, as far as they are known.

        Without any, and unless it learns them, all Sequences are decoded in one batch.
        """
        self._seconds = dict(sorted((seconds or {}).items()))
        self._learns = learns
        self._samples: dict[int, list[float]] = {}
        self._plans: dict[tuple[int, bool], tuple[Part, ...]] = {}

    @property
    def seconds(self) -> Mapping[int, float]:
        """What is known: the seconds of a batch by its number of tokens, ascending."""
        return self._seconds

    def parts(self, count: int, padding: int) -> tuple[Part, ...]:
        """How to decode a token of each of `count` Sequences, with at most so much padding in a batch."""
        if count < 2:
            return (Part(count),) * count
        if self._learns and (trial := self._trial(count, padding)):
            return trial
        if not self._seconds:
            return (Part(count),)
        parts = self._plan(count, padded=True)
        return parts if all(part.padding <= padding for part in parts) else self._plan(count, padded=False)

    def learn(self, tokens: int, seconds: float) -> None:
        """Take note of the time of a batch without prompts."""
        if not self._learns or tokens in self._seconds:
            return
        samples = self._samples.setdefault(tokens, [])
        samples.append(seconds)
        if len(samples) == SAMPLES:
            self._seconds = dict(sorted({**self._seconds, tokens: statistics.median(samples)}.items()))
            self._plans.clear()

    def step_seconds(self, count: int) -> float:
        """The time of a step of so many Sequences. Needs at least one size whose time is known."""
        return sum(self._cost(part.tokens) for part in self._plan(count, padded=True))

    def best(self, most: int) -> int:
        """The fewest Sequences, up to `most`, that decode as many tokens per second together as any number of them."""
        rates = {count: count / self.step_seconds(count) for count in range(1, most + 1)}
        return next(count for count, rate in rates.items() if rate * (1 + GAIN) >= max(rates.values()))

    def _trial(self, count: int, padding: int) -> tuple[Part, ...]:
        """A plan with the size that was tried least, of those that may help; none if the times of all are known.

        Those are all in one batch, and the powers of 2 from a quarter to less than twice of them: splits, and padding.
        """
        powers = [1 << exponent for exponent in range(count.bit_length() + 1)]
        sizes = [count, *(size for size in powers if count <= 4 * size < 8 * count and size - count <= padding)]
        unknown = [size for size in sizes if size not in self._seconds]
        if not unknown:
            return ()
        size = min(unknown, key=lambda size: len(self._samples.get(size, ())))
        if size >= count:
            return (Part(count, size - count),)
        return (Part(size),) * (count // size) + (Part(count % size),) * (count % size > 0)

    def _plan(self, count: int, *, padded: bool) -> tuple[Part, ...]:
        """The cheapest batches of known sizes for `count` Sequences; all in one batch if that takes hardly longer."""
        if (count, padded) not in self._plans:
            cheapest, sizes = [0.0], [0]  # by number of Sequences: seconds, and the size of one of their batches
            for some in range(1, count + 1):
                ways = [
                    (cost + cheapest[max(0, some - size)], size)
                    for size, cost in self._seconds.items()
                    if size <= some or (padded and size < 2 * some)
                ]
                seconds, size = min(ways, default=(float("inf"), some))
                cheapest.append(seconds)
                sizes.append(size)
            if cheapest[count] > (1 - GAIN) * self._cost(count):
                self._plans[count, padded] = (Part(count),)
            else:
                self._plans[count, padded] = tuple(_parts(count, sizes))
        return self._plans[count, padded]

    def _cost(self, tokens: int) -> float:
        """Seconds of a batch: between two known sizes on the line, beyond the largest in proportion."""
        known = list(self._seconds)
        above = bisect_left(known, tokens)
        if above == len(known):
            return self._seconds[known[-1]] * tokens / known[-1]
        if above == 0 or known[above] == tokens:
            return self._seconds[known[above]]
        low, high = known[above - 1], known[above]
        share = (tokens - low) / (high - low)
        return self._seconds[low] + share * (self._seconds[high] - self._seconds[low])


def _parts(count: int, sizes: list[int]) -> Iterator[Part]:
    """The batches, where `sizes` has one of them for each number of Sequences."""
    while count > 0:
        yield Part(min(count, sizes[count]), max(0, sizes[count] - count))
        count -= sizes[count]
