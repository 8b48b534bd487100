"""What the chat asks for answers. `local` has the one there is, a model on this machine; tests script another."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

from vibethinker_local.events import Control, Exchange, ModelIdentity, SolveEvent, Unfinished
from vibethinker_local.system.progress import Progress

Loading = Callable[[Progress], None]  # hears how far a model is loaded


@dataclass(frozen=True)
class ChatRequest:
    """A question, and how it is to be answered."""

    question: str
    seed: int
    earlier: Sequence[Exchange] = ()
    reliable: bool = False
    budget: str = "standard"
    think: int | None = None  # tokens after which reasoning is closed; 0: none at all; None: as the model does
    unfinished: Unfinished | None = None  # the answer, as far as it was written: it goes on


@dataclass(frozen=True)
class Larger:
    """A model that is not here yet."""

    name: str
    quant: str
    about: str
    bytes: int
    context: int | None  # that fits into memory beside it


@dataclass(frozen=True)
class ModelChoice:
    """A model that could answer: what to load, and what is known of it."""

    name: str  # as for --model
    detail: str

    def is_called(self, model: ModelIdentity) -> bool:
        """Whether a loaded model is this one."""
        return self.name in (f"{model.name}:{model.quant}", model.name) or PurePath(self.name).name == model.file


@dataclass(frozen=True)
class Start:
    """The facts of the welcome: which model answers, and what it is good for."""

    model: str
    about: str
    bundled: bool = False
    larger: Larger | None = None


class ChatSolver(Protocol):
    """Answers on whatever thread calls it, one request at a time."""

    start: Start

    @property
    def identity(self) -> ModelIdentity: ...
    @property
    def context(self) -> int:
        """Tokens."""
        ...

    @property
    def alone(self) -> bool:
        """Whether it reads each question without what was said before it."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know about how the model was loaded."""
        ...

    def count(self, text: str) -> int:
        """How many tokens a text is. For any thread; may wait for a step of the engine. Raises VibeError."""
        ...

    def doubt(self, question: str) -> str:
        """Why its answer to this question is not to be relied on; "" if there is no reason to say so."""
        ...

    def quote(self, budget: str) -> str | None:
        """A sentence about how long a vote may take; None if it is short, or nothing is known. At once, any thread."""
        ...

    def solve(self, request: ChatRequest, control: Control) -> Iterator[SolveEvent]:
        """Events, the last of them Finished. Raises VibeError if the request cannot be answered at all."""
        ...

    def close(self) -> None: ...


class Load(Protocol):
    """Loads a model by its name as of --model; by None, the one that the user began with. Raises VibeError."""

    def __call__(self, name: str | None, loading: Loading) -> ChatSolver: ...
