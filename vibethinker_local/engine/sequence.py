"""One stream of tokens in the engine: the only mutable word of the domain."""

from collections.abc import Iterable
from enum import Enum, auto
from typing import TYPE_CHECKING

from vibethinker_local.engine.detokenizer import TextStream
from vibethinker_local.engine.params import SCORING, SamplingParams
from vibethinker_local.engine.repetition import RepetitionDetector

if TYPE_CHECKING:  # the handle of another process needs no numpy
    from vibethinker_local.engine.backend import Grammar
    from vibethinker_local.engine.kv import Saved


class SequenceState(Enum):
    WAITING = auto()  # for a place, or with one for room to go on
    RUNNING = auto()
    ENDED = auto()  # a fork or `force` can go on from it; its KV stays while there is room
    LEFT = auto()  # aborted; the KV of its prompt is there for others until the room is needed
    GONE = auto()


def checked(tokens: Iterable[int], vocabulary: int, cells: int, params: SamplingParams | None = None) -> list[int]:
    """The tokens as a list. Raises ValueError if one is none, or if they never fit with all that `params` allow."""
    found = list(tokens)
    if found and not 0 <= min(found) <= max(found) < vocabulary:
        wrong = next(token for token in found if not 0 <= token < vocabulary)
        raise ValueError(f"there is no token {wrong}: the vocabulary has {vocabulary}")
    if params is not None:
        more = params.max_tokens + params.reserve
        if not found:
            raise ValueError("a Sequence needs at least one token")
        if len(found) + more > cells:
            raise ValueError(f"{len(found)} tokens and up to {more} more do not fit into {cells} cells")
    return found


def limit_after(params: SamplingParams, generated: int, forced: int, then: int) -> int:
    """How many tokens a Sequence may have generated, once some were forced and `then` followed. Raises ValueError."""
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
        self.generated = 0  # tokens after the prompt, forced ones included
        self.limit = params.max_tokens  # of generated
        self.drawn = 0  # tokens sampled: the n that the next draw depends on
        self.put_out = 0  # tokens told of: those generated, and stop tokens
        self.stopped = False  # by a stop token, which is not among its tokens
        self.forced = False  # once it was, its limit is near, and a loop is left to it
        self.text = TextStream(params.stop_strings)
        self.prompt = self.text_begin = len(tokens)  # the latter: the token that the text's stream began with
        self.repetition = RepetitionDetector()

    @property
    def pending(self) -> int:
        """Tokens that are not computed yet: one while decoding, more after a prompt or a forced text."""
        return len(self.tokens) - self.computed

    @property
    def room(self) -> int:
        """Tokens that it may still ask for."""
        return max(0, self.params.max_tokens + self.params.reserve - self.generated)

    def shares(self, other: "Sequence") -> int:
        """How many first tokens it has in common with another; its own last one is always computed anew."""
        mine, theirs = self.tokens, other.tokens
        most = min(len(mine) - 1, len(theirs))
        if mine[:most] == theirs[:most]:
            return most
        return next(i for i in range(most) if mine[i] != theirs[i])

    def drop(self) -> None:
        """It has no KV any more, saved or not: it starts over from its tokens."""
        self.saved, self.computed = None, 0
