"""Bytes, tokens and seconds as people write them: how fast bytes come, when the last one is here. Prints nothing."""

import re
import time
from collections.abc import Callable
from decimal import Decimal

from vibethinker_local.errors import UsageError
from vibethinker_local.system.progress import Progress

WINDOW = 10.0  # seconds that the speed is taken over


class Pace:
    """Turns steps into lines; the speed is that of the last seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage = ""
        self._marks: list[tuple[float, int]] = []  # when, and how many bytes there were

    def line(self, step: Progress) -> str:
        """For example: fetching model.gguf · 43% of 1.93 GB · 12.1 MB/s · about 2 min left."""
        now = self._clock()
        if self._stage != step.stage:
            self._stage, self._marks = step.stage, []
        if not self._marks or now - self._marks[-1][0] > WINDOW / 20:
            self._marks = [mark for mark in self._marks if now - mark[0] <= WINDOW] + [(now, step.done)]
        if not step.total:
            return step.stage
        in_bytes = step.unit == "bytes"
        amount = size(step.total) if in_bytes else f"{step.total:,} {step.unit}"
        text = f"{step.stage} · {step.done / step.total:.0%} of {amount}"
        since, before = self._marks[0]
        if now - since < 1 or step.done <= before or not in_bytes:
            return text
        speed = (step.done - before) / (now - since)
        return f"{text} · {size(speed)}/s · {left((step.total - step.done) / speed)}"


def size(count: float) -> str:
    """Bytes as download pages give them: 1.93 GB."""
    if count < 999_500:
        return f"{count / 1e3:.0f} kB"
    for unit, name in ((1e6, "MB"), (1e9, "GB"), (1e12, "TB")):
        amount = f"{count / unit:.3g}"
        if float(amount) < 1000:  # as it is written: 999.6 MB are 1 GB
            return f"{amount} {name}"
    return f"{count / 1e12:,.0f} TB"


def figure(value: float) -> str:
    """A measured number by its first four digits, without an exponent: 10,040 for 10,041.7."""
    return f"{Decimal(f'{value:.4g}'):,f}"


def rate(text: str) -> float:
    """Bytes per second as curl takes them: 500k, 2M, 1.5G, or a plain number. Raises UsageError."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([kKmMgG]?)", text.strip())
    value = float(found[1]) * 1024 ** " kmg".index(found[2].lower() or " ") if found else 0.0
    if value <= 0:
        raise UsageError(f"{text!r} is no rate: give bytes per second, as 500k or 2M.")
    return value


def counted(count: int, what: str) -> str:
    """For example: 1 problem, 1,024 problems."""
    return f"{count:,} {what}{'s' if count != 1 else ''}"


def tokens(count: int) -> str:
    """For example: 1,024 tokens."""
    return counted(count, "token")


def left(seconds: float) -> str:
    """For example: about 2 min left."""
    return f"about {duration(seconds)} left"


def duration(seconds: float) -> str:
    """One number and its unit, as people say it: 40 s, 6 min, 1.5 h."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
