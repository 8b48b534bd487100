"""One request in the engine: its tokens, sampling parameters and KV state. Changed only by Engine and Scheduler."""

from collections.abc import Iterable
from enum import Enum, auto
from typing import TYPE_CHECKING

from vibethinker_local.engine.detokenizer import TextStream
from vibethinker_local.engine.params import SCORING, SamplingParams
from vibethinker_local.engine.repetition import RepetitionDetector

if TYPE_CHECKING:  # the handle in the front end must not import numpy
    from vibethinker_local.engine.backend import Grammar
    from vibethinker_local.engine.kv import Saved


class SequenceState(Enum):
    WAITING = auto()  # for a place; or it has one, and waits for free cells
    RUNNING = auto()
    ENDED = auto()  # a fork or `force` can continue it; its KV is kept while there is room
    CACHED = auto()  # aborted; the KV of its prompt can be reused by others until the room is needed


def checked(tokens: Iterable[int], vocabulary: int) -> list[int]:
    """The tokens as a list. Raises ValueError for a token id outside the vocabulary."""
    ids = list(tokens)
    if ids and not 0 <= min(ids) <= max(ids) < vocabulary:
        wrong = next(token for token in ids if not 0 <= token < vocabulary)
        raise ValueError(f"there is no token {wrong}: the vocabulary has {vocabulary}")
    return ids


def checked_prompt(tokens: Iterable[int], vocabulary: int, cells: int, params: SamplingParams) -> list[int]:
    """The same for a new Sequence. Raises ValueError, too, for no tokens, or if prompt + max_tokens + reserve exceed
    the cells that it can have.
    """
    prompt, more = checked(tokens, vocabulary), params.max_tokens + params.reserve
    if not prompt:
        raise ValueError("a Sequence needs at least one token")
    if len(prompt) + more > cells:
        raise ValueError(f"{len(prompt)} tokens and up to {more} more do not fit into {cells} cells")
    return prompt


def limit_after(params: SamplingParams, generated: int, forced: int, then: int) -> int:
    """The limit of generated tokens if some are forced and `then` more follow. Raises ValueError beyond the reserve."""
    if params.grammar is not None or params is SCORING:
        raise ValueError("a Sequence with a grammar, or a score, cannot be forced")
    limit = generated + forced + then
    if then < 1 or limit > params.max_tokens + params.reserve:
        raise ValueError(f"there is no room for {forced} forced tokens and {then} more after {generated} tokens")
    return limit


class Sequence:
    def __init__(self, id: int, tokens: list[int], params: SamplingParams, parent: "Sequence | None" = None) -> None:
        self.id = id
        self.params = params
        self.tokens = tokens  # prompt and everything after it
        self.parent = parent
        self.labels: tuple[int, ...] | None = None  # tokens to score after the prompt, instead of sampling
        self.grammar: Grammar | None = None
        self.state = SequenceState.WAITING
        self.place: int | None = None
        self.saved: Saved | None = None  # its KV, while it has no place
        self.computed = 0  # how many of the tokens are in the KV cache, or saved
        self.limit = params.max_tokens  # for `generated`
        self.drawn = 0  # tokens sampled so far: the n on which the next draw depends
        self.put_out = 0  # tokens reported to the caller: the generated ones, and stop tokens
        self.stopped = False  # by a stop token, which is not among its tokens
        self.forced = False  # after forcing, the limit is near, so loops are no longer looked for
        self.text = TextStream(params.stop_strings)
        self.prompt_length = len(tokens)
        self.text_begin = len(tokens)  # index of the first token that was fed to `text`
        self.repetition = RepetitionDetector()

    @property
    def pending(self) -> int:
        """Tokens that are not computed yet: one while decoding, more after a prompt or a forced text."""
        return len(self.tokens) - self.computed

    @property
    def generated(self) -> int:
        """Tokens after the prompt, forced ones included."""
        return len(self.tokens) - self.prompt_length

    @property
    def room(self) -> int:
        """How many more tokens it may ask for."""
        return max(0, self.params.max_tokens + self.params.reserve - self.generated)

    @property
    def expected(self) -> int:
        """Tokens that it will still ask for, as a rule: most end before their limit."""
        half, typical = self.room // 2, self.params.typical
        return half if typical is None else min(half, max(typical - len(self.tokens), typical // 4))

    @property
    def saved_length(self) -> int:
        """Positions of its KV that are saved."""
        return self.saved.length if self.saved else 0

    def shares(self, other: "Sequence") -> int:
        """The length of the prefix shared with another Sequence. Its own last token is always computed anew."""
        mine, theirs = self.tokens, other.tokens
        most = min(len(mine) - 1, len(theirs))
        if mine[:most] == theirs[:most]:
            return most
        return next(i for i in range(most) if mine[i] != theirs[i])

    def drop(self) -> None:
        """Its KV is lost, also the saved one: it starts over from its tokens."""
        self.saved, self.computed = None, 0
