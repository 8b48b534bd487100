"""What the engine needs from whatever computes logits. `llama.LlamaBackend` is the real one; tests script another."""

from collections.abc import Sequence as Tokens
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Logits = NDArray[np.float32]
State = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Slice:
    """Tokens of one place to decode, at consecutive positions from `start`."""

    place: int
    start: int
    tokens: Tokens[int]
    logits: bool  # whether the logits after the last token are wanted


class Grammar(Protocol):
    """Which tokens may come next, in one Sequence. A stop token may where the text can end."""

    def allows(self, token: int) -> bool: ...

    def mask(self, logits: Logits) -> Logits:
        """A copy with -inf for every token that is not allowed."""
        ...

    def accept(self, token: int) -> None:
        """Go on by a token that is allowed."""
        ...

    def close(self) -> None: ...


class Backend(Protocol):
    """A model with a KV cache of `cells` cells for `places` token streams."""

    vocabulary: int  # number of token ids
    cells: int
    places: int
    batch: int  # tokens that one decode takes at most
    unified: bool  # whether the places share the cells; else each has cells // places of its own
    threads: int  # that compute, at most; 1 if fewer would make no difference

    def decode(self, slices: Tokens[Slice], padding: int = 0) -> Logits:
        """Compute all slices in one batch and return a row of logits for each slice that wants one, in order.

        Shape (rows, vocabulary); valid until the next call. The batch is computed with `padding` further tokens, which
        need as many free cells, belong to no place and leave nothing behind; only a unified cache takes any. Raises
        NoRoom or Interrupted with nothing changed, EngineError if the computation failed.
        """
        ...

    def use_threads(self, count: int) -> None:
        """Compute the next batches with so many threads."""
        ...

    def interrupt(self) -> None:
        """From another thread: a decode under way need not be finished."""
        ...

    def copy(self, source: int, target: int, length: int) -> None:
        """Give `target`, an empty place, the first `length` positions of `source`; they share cells if unified."""
        ...

    def trim(self, place: int, length: int) -> None:
        """Forget the positions of `place` from `length` on."""
        ...

    def save(self, place: int) -> State | None:
        """All that a place holds, to be restored bit for bit. None if there is no memory for it."""
        ...

    def restore(self, place: int, state: State) -> bool:
        """Fill an empty place. False, and still empty, if that failed."""
        ...

    def grammar(self, source: str) -> Grammar:
        """A grammar in GBNF, at its root. Raises ValueError if it is none."""
        ...

    def piece(self, token: int) -> bytes:
        """The bytes that a token stands for; none for a control token."""
        ...

    def close(self) -> None:
        """Give everything back; further calls do nothing."""
        ...


def capacity(backend: Backend) -> int:
    """Cells that one Sequence can have."""
    return backend.cells if backend.unified else backend.cells // backend.places
