"""What the engine's process and its handle say to each other: one message per call, plain data, pickled.

The handle begins with a recipe, and hears Ready or Failed. Commands change Sequences and have no reply of their own;
questions are answered at once, also while a batch is being computed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from vibethinker_local.engine.model_info import ModelInfo
from vibethinker_local.engine.output import SequenceId, StepOutput, ThreadCount
from vibethinker_local.engine.params import SamplingParams
from vibethinker_local.engine.planner import Planner

NO_MORE_THREADS = (
    "The system starts no more threads for the engine: allow more processes (ulimit -u, or a container's limit), or "
    "give fewer threads (VIBE_THREADS)."
)


class LoadRecipe(Protocol):
    """Makes the backend, inside the process; `llama.recipe.LlamaModel` is the real one."""

    def open(self, loading: "Callable[[float], None]") -> Any:
        """A Backend with `info` and `tokenize`, whose module must not be imported out here; tells how far it is."""
        ...


@dataclass(frozen=True)
class Begin:
    recipe: LoadRecipe
    planner: Planner | None
    log_level: int


@dataclass(frozen=True)
class Add:
    id: SequenceId
    tokens: list[int]
    params: SamplingParams
    parent: SequenceId | None
    labels: tuple[int, ...] | None = None  # to score, instead of sampling


@dataclass(frozen=True)
class Force:
    id: SequenceId
    known: int  # tokens that the caller has received; later ones are taken back first
    tokens: list[int]
    then: int


@dataclass(frozen=True)
class Abort:
    id: SequenceId
    known: int


@dataclass(frozen=True)
class Took:
    """The caller has taken this many further steps."""

    steps: int


@dataclass(frozen=True)
class Tokenize:
    text: str
    special: bool


@dataclass(frozen=True)
class TokenPiece:
    token: int


@dataclass(frozen=True)
class TimeSpent:
    pass


@dataclass(frozen=True)
class IsGrammar:
    source: str


@dataclass(frozen=True)
class CellsUsed:
    """How many cells are in use. Unlike the other questions it waits its turn behind earlier commands."""


@dataclass(frozen=True)
class NumberedQuestion:
    """A question, with a number for its reply: one that Ctrl-C left unheard must not be taken for the next."""

    number: int
    question: "Question"


@dataclass(frozen=True)
class Loading:
    """What share of the weights is in memory, while the handle waits for Ready."""

    share: float


@dataclass(frozen=True)
class Ready:
    info: ModelInfo
    context: int  # the most cells that one Sequence can have
    vocabulary: int
    threads: int


@dataclass(frozen=True)
class StepMessage:
    """The outputs of one step, and the Sequences whose Force or Abort was carried out before it."""

    outputs: list[StepOutput]
    done: list[SequenceId]
    at: float  # when the step ended, in seconds by the process's clock
    threads: ThreadCount


@dataclass(frozen=True)
class Woken:
    """Nothing from the process: whoever waits for it has something else to do."""


@dataclass(frozen=True)
class Reply:
    number: int
    value: Any


@dataclass(frozen=True)
class Failed:
    """The process is about to end, for this reason."""

    kind: Literal["model", "engine"]
    reason: str


Question = Tokenize | TokenPiece | TimeSpent | IsGrammar | CellsUsed
Command = Add | Force | Abort | Took
Message = Begin | Command | NumberedQuestion
Event = Loading | Ready | StepMessage | Reply | Failed | Woken
