"""How many threads compute: fewer while other programs keep some of the cores.

Threads that share a computation wait for each other after each part of it. If one of them is not running, because its
core is taken, all the others wait: two threads on two cores, one of which is busy elsewhere, decode at half the speed
of a single thread.

That partners are missing shows in a batch's processor time, which falls short of its duration times the threads. One
thread less is then tried for a moment, and kept if batches of the same kind take less time. As long as some are left
out, one thread more is tried now and again, and less and less often while that does not help.
"""

import statistics
from dataclasses import dataclass, field

WINDOW = 0.4  # seconds of batches that are judged together
PRESENT = 0.75  # share of the processor time that threads take when all of them are running
FASTER = 1.03  # what is tried has to be faster by this factor
PAUSE, LONGEST_PAUSE = 2.0, 15.0  # seconds of batches between two trials


Kind = tuple[bool, int]  # whether a batch holds prompts; its tokens, or for prompts their order of magnitude


@dataclass
class _Window:
    """Some batches in a row."""

    threads: int
    seconds: float = 0.0
    processor_seconds: float = 0.0
    by_kind: dict[Kind, list[float]] = field(default_factory=dict)  # seconds a token, of each batch

    @property
    def all_present(self) -> bool:
        return self.processor_seconds >= PRESENT * self.threads * self.seconds

    def faster_than(self, other: "_Window") -> float | None:
        """By which factor; None if the two have no batches of the same kind."""
        common = self.by_kind.keys() & other.by_kind.keys()
        factors = [statistics.median(other.by_kind[kind]) / statistics.median(self.by_kind[kind]) for kind in common]
        return statistics.geometric_mean(factors) if factors else None


@dataclass
class _Trials:
    """When one thread more, or one less, may be tried next."""

    wait: float = PAUSE  # seconds of batches
    pause: float = PAUSE

    def failed(self) -> None:
        self.wait, self.pause = self.pause, min(2 * self.pause, LONGEST_PAUSE)


class Threads:
    def __init__(self, most: int) -> None:
        self.most = most
        self.count = most  # that compute the next batch
        self._window = _Window(most)
        self._before: _Window | None = None  # with the number that is in use, while another one is tried
        self._fewer, self._more = _Trials(), _Trials()
        self._missing = 1  # how many are left out in the next trial of fewer

    def note(self, tokens: int, seconds: float, processor_seconds: float, *, prompts: bool = False) -> None:
        """Take note of a batch of so many tokens, some of them of `prompts`, that `count` threads computed."""
        window = self._window
        window.seconds += seconds
        window.processor_seconds += processor_seconds
        kind = prompts, tokens.bit_length() // 2 if prompts else tokens
        window.by_kind.setdefault(kind, []).append(seconds / tokens)
        self._fewer.wait -= seconds
        self._more.wait -= seconds
        if window.seconds < WINDOW:
            return
        if self._before:
            self._judge(self._before, window)
        elif not window.all_present and self.count > 1 and self._fewer.wait <= 0:
            self._before, self.count = window, max(1, self.count - self._missing)
        elif self.count < self.most and self._more.wait <= 0:
            self._before, self.count = window, self.count + 1
        self._window = _Window(self.count)

    def _judge(self, before: _Window, during: _Window) -> None:
        """Stay with the number of threads that was tried, or go back."""
        self._before, factor = None, during.faster_than(before)
        fewer, missing = during.threads < before.threads, self._missing
        self._missing = 1
        if factor and factor >= FASTER:
            self._fewer, self._more = _Trials(0.0 if fewer else PAUSE), _Trials(PAUSE if fewer else 0.0)
            return
        self.count = before.threads
        if factor and fewer and during.threads > 1:
            self._missing = 2 * missing  # several cores may be taken: leaving one thread out helps nobody then
        elif factor:
            (self._fewer if fewer else self._more).failed()
        elif not fewer:
            self._more.wait = self._more.pause
