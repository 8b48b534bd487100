"""How sure the model was while it wrote a trajectory: a value for each sampled token, folded into a few means."""

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

from vibethinker_local.engine import StepOutput
from vibethinker_local.events import Signals

PARTS = 20  # of a trajectory, equally long, whose means are kept
WINDOW_SHARE = 8  # a window holds this part of a trajectory,
LEAST_WINDOW, MOST_WINDOW = 16, 2048  # but so many tokens at least and at most; DeepConf has 2048 for long reasoning
MOST = 100.0  # nats; JSON has no infinity, which a token has whose rivals are impossible
DIGITS = 4


class SignalTrace:
    """The signals of a trajectory while it is being written."""

    def __init__(self) -> None:
        self._logprobs: list[float] = []
        self._confidences: list[float] = []
        self._certainties: list[float] = []

    def add(self, output: StepOutput) -> None:
        """Take what the engine put out; a forced token counts for nothing."""
        if output.logprob is None:
            return
        self._logprobs.append(output.logprob)
        if output.confidence is not None and output.certainty is not None:
            self._confidences.append(min(output.confidence, MOST))
            self._certainties.append(min(output.certainty, MOST))

    @property
    def mean_logprob(self) -> float | None:
        return sum(self._logprobs) / len(self._logprobs) if self._logprobs else None

    def folded(self) -> Signals | None:
        """None if nothing was sampled, or by an engine that does not tell."""
        count = len(self._logprobs)
        if not count or len(self._confidences) < count:
            return None
        window = min(count, MOST_WINDOW, max(LEAST_WINDOW, count // WINDOW_SHARE))
        windows = _windows(self._confidences, window)
        return Signals(
            logprob=_parts(self._logprobs),
            confidence=_parts(self._confidences),
            certainty=_parts(self._certainties),
            window=window,
            lowest=round(min(windows), DIGITS),
            tail=round(windows[-1], DIGITS),
        )


def _parts(values: Sequence[float]) -> tuple[float, ...]:
    """The means of equal parts; of a short trajectory, as many as it has tokens."""
    count = len(values)
    parts = min(PARTS, count)
    ends = [count * part // parts for part in range(parts + 1)]
    return tuple(round(sum(values[begin:end]) / (end - begin), DIGITS) for begin, end in pairwise(ends))


def _windows(values: Sequence[float], width: int) -> list[float]:
    """The mean of each window, in order."""
    sums = list(accumulate(values, initial=0.0))
    return [(end - begin) / width for begin, end in zip(sums, sums[width:], strict=False)]


def read(data: Any) -> Signals | None:
    """Signals from JSON, as they were written; None where there are none. Raises ValueError, KeyError or TypeError."""
    if data is None:
        return None
    names = ("logprob", "confidence", "certainty")
    signals = Signals(**data | {name: tuple(data[name]) for name in names})
    numbers = [*signals.logprob, *signals.confidence, *signals.certainty, signals.lowest, signals.tail]
    if type(signals.window) is not int or not all(type(n) in (int, float) and math.isfinite(n) for n in numbers):
        raise ValueError("no signals")
    if not 0 < len(signals.logprob) == len(signals.confidence) == len(signals.certainty):
        raise ValueError("no signals")
    return signals
