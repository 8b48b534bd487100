"""The outputs of an engine."""

from dataclasses import dataclass
from typing import Literal, NewType

SequenceId = NewType("SequenceId", int)
End = Literal["stop", "length", "loop", "aborted", "scored"]

CLOSED = "The engine was closed."  # the error for any call after `close`
PATIENCE = 0.1  # seconds after which a step comes back empty: the caller may have something else to do


@dataclass(frozen=True, slots=True)
class Spent:
    """How the time of all steps so far was spent, in seconds."""

    decoding: float = 0.0  # inside the backend
    sampling: float = 0.0  # from logits to outputs
    processor: float = 0.0  # of all threads together, waiting for each other included
    sampled: int = 0  # tokens


@dataclass(frozen=True, slots=True)
class ThreadCount:
    """How many threads compute now, and how many would on an otherwise idle machine."""

    now: int
    most: int

    def __str__(self) -> str:
        if self.now == self.most:
            return f"{self.most} thread{'s' if self.most > 1 else ''}"
        return f"{self.now} of {self.most} threads: the machine is busy"


@dataclass(frozen=True, slots=True)
class StepOutput:
    """One token of one Sequence, or its end without a token (`token` is None)."""

    sequence: SequenceId
    token: int | None
    text: str  # may be empty, while a character or a stop string is incomplete
    logprob: float | None = None  # nats; None for a forced token, or where the engine does not say
    confidence: float | None = None  # nats; see `sampler.Draw.confidence`
    certainty: float | None = None  # nats; see `sampler.Draw.certainty`
    end: End | None = None
    scores: tuple[float, ...] | None = None  # nats, of the labels; only at the end of a score
    forced: bool = False  # the token was pushed in
