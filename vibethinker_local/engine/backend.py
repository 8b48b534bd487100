"""The interface between the engine and whatever computes logits: `llama.backend.LlamaBackend`, or a script in tests."""

from collections.abc import Sequence as Tokens
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
State = Any  # what a place holds: whatever the backend can restore


@dataclass(frozen=True, slots=True)
class Slice:
    """Tokens of one place to decode, at consecutive positions from `start`."""

    place: int
    start: int
    tokens: Tokens[int]
    logits: bool  # whether to return the logits after the last token


class Grammar(Protocol):
    """The tokens that may come next in one Sequence. Stop tokens are allowed wherever the text may end."""

    def allows(self, token: int) -> bool: ...

    def mask(self, logits: Logits) -> Logits:
        """A copy with -inf for every token that is not allowed."""
        ...

    def accept(self, token: int) -> None:
        """Advance by a token, which must be allowed."""
        ...

    def close(self) -> None: ...


class Backend(Protocol):
    """A model with a KV cache of `each` cells for each of `places` token streams, which can be arranged anew."""

    vocabulary: int  # number of token ids
    context: int  # the most cells that a place can have
    cells: int  # the most that all can have together, at least a context
    places: int  # token streams; there are never more than at first
    each: int  # cells of a place
    batch: int  # tokens that one decode takes at most
    threads: int  # the most that may compute; 1 if their number makes no difference

    def decode(self, slices: Tokens[Slice], padding: int = 0) -> Logits:
        """Compute all slices in one batch and return a row of logits for each slice that wants one, in order.

        Shape (rows, vocabulary); valid until the next call. The batch is computed with `padding` further tokens, which
        leave nothing behind: they need as many other places, of which those that hold more than all of these are left
        out. Raises NoRoom or Interrupted with nothing changed, EngineError if the computation failed.
        """
        ...

    def arrange(self, kept: Tokens[int], places: int, each: int) -> list[bool]:
        """Have so many places with so many cells each. What the places `kept` hold goes to places 0, 1, and so on.

        Returns for each of those whether it is there; if not, the place is empty. All else is forgotten. Raises NoRoom
        with nothing changed if there is no memory for so many places, and EngineError if there is none even for one.
        """
        ...

    def use_threads(self, count: int) -> None:
        """Compute the next batches with this many threads."""
        ...

    def interrupt(self) -> None:
        """Called from another thread: a running decode need not be finished."""
        ...

    def copy(self, source: int, target: int) -> None:
        """Copy what `source` holds to `target`, an empty place."""
        ...

    def trim(self, place: int, length: int) -> None:
        """Forget the positions of `place` from `length` on."""
        ...

    def holds(self, place: int, length: int) -> bool:
        """Whether all that a token behind the first `length` positions of `place` looks at is still there.

        Attention within a sliding window lets llama.cpp drop positions that the next token cannot see. It does so
        whenever it copies or saves.
        """
        ...

    def save(self, place: int) -> State | None:
        """Everything that a place holds, to be restored bit for bit. None if there is not enough memory."""
        ...

    def restore(self, place: int, saved: State) -> bool:
        """Fill an empty place. Returns False if that failed; the place is then still empty."""
        ...

    def grammar(self, source: str) -> Grammar:
        """A grammar, at its start, from GBNF source. Raises ValueError if the source is not valid."""
        ...

    def piece(self, token: int) -> bytes:
        """The bytes that a token stands for; empty for a control token."""
        ...

    def close(self) -> None:
        """Free everything. Further calls do nothing."""
        ...
