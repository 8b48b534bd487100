"""A solver that says what it is told, when it is told; an app around it in which no time passes by itself."""

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from textual.pilot import Pilot

from vibethinker_local.events import (
    Control,
    Finished,
    ModelIdentity,
    Solution,
    SolveEvent,
    Started,
    Status,
    Trajectory,
    Usage,
    Wrote,
)
from vibethinker_local.tui.app import ChatApp, make_app
from vibethinker_local.tui.solver import ChatRequest, Load, ModelChoice, Start
from vibethinker_local.tui.store import Store
from vibethinker_local.tui.widgets.prompt import Prompt

MODEL = ModelIdentity("vibethinker-3b", "VibeThinker-3B.Q4_K_M.gguf", "Q4_K_M")
SECONDS = 60.0  # that a test waits at most for something to be shown


class FrozenClock:
    """Moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Pause:
    """In a script: the solver waits here until the test lets it go on, or the run is stopped."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()

    def wait(self, control: Control) -> None:
        self.reached.set()
        while not self.go.wait(0.01) and not control.stop and not control.answer_now:
            pass


Script = Sequence[SolveEvent | Pause | Exception]


@dataclass
class ScriptedSolver:
    """Answers each request with the next script. Stopped, it ends as the real one does."""

    scripts: list[Script] = field(default_factory=list)
    identity: ModelIdentity = MODEL
    context: int = 32768
    alone: bool = False
    start: Start = field(default_factory=lambda: Start("vibethinker-3b", "VibeThinker-3B: competition maths and code"))
    notices: tuple[str, ...] = ()
    costs: dict[str, str] = field(default_factory=dict)  # budget → what is said about it
    requests: list[ChatRequest] = field(default_factory=list)
    closed: bool = False

    doubts: str = ""

    def count(self, text: str) -> int:
        return len(text.split())

    def doubt(self, question: str) -> str:
        return self.doubts

    def quote(self, budget: str) -> str | None:
        return self.costs.get(budget)

    def solve(self, request: ChatRequest, control: Control) -> Iterator[SolveEvent]:
        self.requests.append(request)
        script = self.scripts[min(len(self.requests), len(self.scripts)) - 1]
        said: list[Wrote] = []
        for event in script:
            if isinstance(event, Exception):
                raise event
            if isinstance(event, Pause):
                event.wait(control)
            elif not (control.stop or control.answer_now):
                said += [event] if isinstance(event, Wrote) else []
                yield event
            if control.stop or control.answer_now:
                status: Status = "stopped" if control.stop else "answered"
                yield finished(said, status)
                return

    def close(self) -> None:
        self.closed = True


def finished(said: Sequence[Wrote], status: Status = "answered", error: str | None = None) -> Finished:
    """The end of a run that wrote this."""
    reasoning = "".join(wrote.text for wrote in said if wrote.reasoning)
    text = "".join(wrote.text for wrote in said if not wrote.reasoning)
    tokens = said[-1].tokens if said else 0
    trajectory = Trajectory(7, tokens, "stop", None, text, reasoning, None)
    usage = Usage(60, tokens, 4.0)
    return Finished(Solution("p", status, MODEL, usage, "7", text, error, "single", (trajectory,), (7,)))


def reply(reasoning: str, answer: str, *, pause: Pause | None = None, at: int = 0, context: int = 32768) -> Script:
    """A run that thinks and answers, a word a token; with a pause after `at` tokens."""
    words = [(word, True) for word in _words(reasoning)] + [(word, False) for word in _words(answer)]
    said = [Wrote(word, thought, tokens) for tokens, (word, thought) in enumerate(words, 1)]
    script: list[SolveEvent | Pause | Exception] = [Started(MODEL, 7, 61, 4096, context), *said]
    if pause:
        script.insert(at + 1, pause)
    return [*script, finished(said)]


def _words(text: str) -> list[str]:
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:] if text else []


@dataclass
class Chatting:
    """An app under test."""

    app: ChatApp
    pilot: Pilot[None]
    solver: ScriptedSolver
    clock: FrozenClock

    async def until(self, happened: Callable[[], object]) -> None:
        """Wait for something to be true."""
        async with asyncio.timeout(SECONDS):
            while not happened():
                await asyncio.sleep(0.01)
        await self.pilot.pause()

    async def ask(self, text: str, *, wait: bool = True) -> None:
        """Type a question and send it; wait for the end of the answer."""
        turns = len(self.app.session.turns)
        self.app.chat.query_one("Prompt").insert(text)  # type: ignore[attr-defined]
        await self.pilot.press("enter")
        if wait:
            await self.until(lambda: len(self.app.session.turns) > turns and not self.app.session.live)
        else:
            await self.until(lambda: self.app.session.live)

    async def reach(self, pause: Pause) -> None:
        """Wait until the solver has come to a pause, and what it said is shown."""
        await self.until(pause.reached.is_set)
        session, screen = self.app.session, self.app.chat
        await self.until(lambda: not (session._run and session._run._told) and not screen._painting)

    @property
    def shown(self) -> str:
        """All text on the screen."""
        lines = self.app.screen._compositor.render_strips()  # what Textual's own tests look at
        return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)


@asynccontextmanager
async def chatting(
    folder: Path,
    solver: ScriptedSolver | None = None,
    *,
    size: tuple[int, int] = (100, 30),
    load: Load | None = None,
    keys: dict[str, str] | None = None,
    theme: str = "vibe-dark",
    models: dict[str, ScriptedSolver] | None = None,
    question: str | None = None,
) -> AsyncIterator[Chatting]:
    """The app over a scripted solver, its conversations in a folder."""
    solver = solver or ScriptedSolver([reply("Let me think.", "It is \\boxed{7}.")])
    clock, numbers = FrozenClock(), itertools.count(1)
    store = Store(folder / "chat.db", clock=lambda: 1_700_000_000 + next(numbers))
    app = make_app(
        load or (lambda name, loading: (models or {}).get(name or "", solver)),
        store,
        models=lambda: [ModelChoice(name, "1.93 GB · fits, 32,768 tokens · 21 tok/s") for name in models or ()],
        keys=keys,
        theme=theme,
        folder=folder,
        clock=clock,
        seeds=lambda: 7,
        question=question,
    )
    app.measures_memory = False
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            chat = Chatting(app, pilot, solver, clock)
            if load is None:
                await chat.until(lambda: app.session.solver)
                await pilot.pause()
            yield chat
    finally:
        app.session.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def prompt(chat: Chatting) -> Prompt:
    return chat.app.chat.query_one(Prompt)
