"""Small real implementations that stand in for slow or foreign ones. They check what they are told to do."""

import re
import zlib
from collections.abc import Callable, Sequence

import numpy as np

from vibethinker_local.engine.backend import Logits, Slice, State
from vibethinker_local.engine.model_info import ModelInfo
from vibethinker_local.errors import Interrupted

EOS = 256  # after the 256 bytes


class ScriptedBackend:
    """A backend whose next token follows from the tokens before it, by a script.

    Its tokens are bytes, and EOS. It keeps what each place holds, so a position that is skipped, written twice or
    read from another place fails at once.
    """

    vocabulary = 257
    threads = 1
    saves = restores = True  # False: there is no memory to save to, or what was saved cannot be restored

    def __init__(
        self,
        script: Callable[[Sequence[int]], Logits],
        *,
        context: int = 512,
        places: int = 4,
        batch: int = 32,
        cells: int | None = None,
        first: int | None = None,
    ) -> None:
        """By default there are cells for the whole context of each place, from the beginning."""
        self.script, self.context, self.places, self.batch = script, context, places, batch
        self.cells, self.each, self._most = cells or context * places, first or context, places
        assert self.context <= self.cells
        assert self.each * self.places <= self.cells
        self.held: dict[int, list[int]] = {}  # place → tokens by position
        self.arranged: list[tuple[int, int]] = []  # places, and cells of each
        self.decoded: list[int] = []  # tokens in each batch, without its padding
        self.padded: list[int] = []  # tokens of padding in each batch
        self.used_threads: list[int] = []  # each change
        self.closed = False
        self.info = ModelInfo("F32", None, context, 1, 1, frozenset({EOS}))
        self._interrupted = False

    @property
    def used(self) -> int:
        return sum(map(len, self.held.values()))

    def decode(self, slices: Sequence[Slice], padding: int = 0) -> Logits:
        count = sum(len(piece.tokens) for piece in slices)
        assert 0 < count <= count + padding <= self.batch
        assert padding <= self.places - len(slices)
        places = [piece.place for piece in slices]
        assert places == sorted(set(places)), "llama.cpp gets them in order"
        if self._interrupted:
            self._interrupted = False
            raise Interrupted("as asked for")
        self.decoded.append(count)
        self.padded.append(padding)
        rows = []
        for piece in slices:
            assert 0 <= piece.place < self.places
            held = self.held.setdefault(piece.place, [])
            assert piece.start == len(held), f"place {piece.place} is at {len(held)}, not {piece.start}"
            held.extend(piece.tokens)
            assert len(held) <= self.each, f"place {piece.place} is full"
            if piece.logits:
                rows.append(self.script(list(held)))
        return np.array(rows, np.float32).reshape(len(rows), self.vocabulary)

    def copy(self, source: int, target: int) -> None:
        assert not self.held.get(target), f"place {target} is not empty"
        self.held[target] = list(self.held[source])

    def arrange(self, kept: Sequence[int], places: int, each: int) -> list[bool]:
        assert len(kept) <= places <= self._most
        assert each <= self.context
        assert places * each <= self.cells
        held = [self.held.get(old, []) for old in kept]
        assert all(len(tokens) <= each for tokens in held)
        self.held = {place: tokens if self.restores else [] for place, tokens in enumerate(held)}
        self.places, self.each = places, each
        self.arranged.append((places, each))
        return [self.restores or not tokens for tokens in held]

    def trim(self, place: int, length: int) -> None:
        self.held[place] = self.held.get(place, [])[:length]

    def holds(self, place: int, length: int) -> bool:
        return length <= len(self.held.get(place, []))

    def use_threads(self, count: int) -> None:
        self.used_threads.append(count)

    def interrupt(self) -> None:
        self._interrupted = True

    def save(self, place: int) -> State | None:
        if not self.saves:
            return None
        return list(self.held[place])

    def restore(self, place: int, saved: State) -> bool:
        assert not self.held.get(place), f"place {place} is not empty"
        if not self.restores:
            return False
        assert len(saved) <= self.each
        self.held[place] = list(saved)
        return True

    def grammar(self, source: str) -> "Choice":
        return Choice(source)

    def piece(self, token: int) -> bytes:
        return bytes([token]) if token < EOS else b""

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        return list(text.encode())

    def close(self) -> None:
        self.closed = True


class Choice:
    """A grammar that is a choice between words, as GBNF writes it: root ::= "yes" | "no"."""

    def __init__(self, source: str) -> None:
        if not re.fullmatch(r'root ::= "[^"]+"( \| "[^"]+")*', source):
            raise ValueError(f"not a grammar: {source}")
        self._left = [word.encode() for word in re.findall(r'"([^"]+)"', source)]

    def allows(self, token: int) -> bool:
        return b"" in self._left if token == EOS else any(word[:1] == bytes([token]) for word in self._left)

    def mask(self, logits: Logits) -> Logits:
        allowed = [self.allows(token) for token in range(len(logits))]
        return np.where(allowed, logits, np.float32(-np.inf))

    def accept(self, token: int) -> None:
        assert self.allows(token), "not allowed"
        self._left = [word[1:] for word in self._left if word[:1] == bytes([token])]

    def close(self) -> None:
        self._left = []


def always(token: int) -> Logits:
    """Logits that leave no choice."""
    logits = np.full(ScriptedBackend.vocabulary, -np.inf, np.float32)
    logits[token] = 0
    return logits


def writes(reply: bytes) -> Callable[[Sequence[int]], Logits]:
    """A script that answers a prompt ending in a newline byte with `reply`, then EOS. Forced text counts as written."""

    def script(tokens: Sequence[int]) -> Logits:
        written = len(tokens) - 1 - list(tokens).index(ord("\n"))
        return always(reply[written] if written < len(reply) else EOS)

    return script


def mixes(tokens: Sequence[int]) -> Logits:
    """A script with some choice everywhere: logits drawn from a hash of all tokens so far."""
    seed = zlib.crc32(np.asarray(tokens, np.int64).tobytes())
    return np.random.default_rng(seed).normal(0, 2, ScriptedBackend.vocabulary).astype(np.float32)
