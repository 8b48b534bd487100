"""What goes on in the chat, without its screen: the conversation, the run under way, the model behind it."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from vibethinker_local.errors import UsageError, VibeError
from vibethinker_local.events import Exchange, SolveEvent
from vibethinker_local.solving.follow import RunState
from vibethinker_local.tui.live import Live
from vibethinker_local.tui.run import Run
from vibethinker_local.tui.solver import Request, Solver
from vibethinker_local.tui.store import Listed, Store, Turn

if TYPE_CHECKING:
    from vibethinker_local.events import Control

BUDGETS = ("quick", "standard", "deep")
STOP_SECONDS = 0.6  # to wait for a run when the app quits; what is written is kept in any case


class Session:
    """For the screen's thread; only the solver works on others."""

    def __init__(
        self, load: Callable[[], Solver], store: Store, clock: Callable[[], float], seeds: Callable[[], int]
    ) -> None:
        self.store, self.clock = store, clock
        self.conversation: int | None = None
        self.turns: list[Turn] = []
        self.live: Live | None = None
        self.last: Live | None = None  # the turn before, while its conversation is open
        self.tally: RunState | None = None
        self.solver: Solver | None = None
        self.unkept: str | None = None  # why what was written last is not on the disk
        self.reliable, self.budget = False, "standard"
        self._load, self._seeds = load, seeds
        self._loading = threading.Lock()
        self._run: Run | None = None
        self._closed = False

    @property
    def listed(self) -> Listed | None:
        """This conversation as lists have it; None before its first question."""
        return self.store.listed(self.conversation) if self.conversation is not None else None

    # The model

    def loaded(self) -> Solver:
        """The solver, loaded if it is not. Blocks; for any thread. Raises VibeError."""
        with self._loading:
            if self.solver is None:
                self.solver = self._load()
                if self._closed:
                    self.solver.close()
            return self.solver

    # A run

    def ask(self, question: str, arrived: Callable[[], object]) -> Live:
        """Begin to answer; `arrived` is called on another thread when `take` has something. Raises UsageError."""
        assert self.live is None
        seed = self._seeds()
        earlier = tuple(Exchange(turn.question, turn.answer) for turn in self.turns if turn.answer)
        request = Request(question, seed, earlier, self.reliable, self.budget)

        def begin(control: "Control") -> Iterator[SolveEvent]:
            solver = self.loaded()
            return solver.solve(replace(request, earlier=() if solver.alone else earlier), control)

        name = self.solver.identity.name if self.solver else ""
        self.conversation, turn = self.store.begin(Turn(question, name, seed), self.conversation)
        self.live = Live(Turn(question, name, seed, turn), self.clock)
        self.tally = RunState(self.clock)
        self._run = Run(begin, arrived)
        self._run.start()
        return self.live

    def take(self) -> Turn | None:
        """Apply what has arrived; the finished turn, if it is. The screen shows `live` first, then the turn."""
        ended, error = self._apply()
        if error and not isinstance(error, VibeError):
            raise error  # a bug
        return self._end(str(error or "")) if ended else None

    def _apply(self) -> tuple[bool, BaseException | None]:
        assert self._run
        assert self.live
        assert self.tally
        events, ended, error = self._run.take()
        for event in events:
            replaced = self.live.replaced
            self.live.apply(event)
            self.tally.apply(event)
            self.live.seconds_left = self.tally.seconds_left
            if self.live.replaced and not replaced:
                self._save_anew()
        return ended, error

    def save(self) -> None:
        """Keep what was written since the last call, or was not kept then."""
        live = self.live
        if live and live.unsaved:
            turn, pieces = live.turn.id, live.unsaved
            if self._kept(lambda: self.store.append(turn, pieces)):
                pieces.clear()

    def _save_anew(self) -> None:
        assert self.live
        self.live.unsaved.clear()
        turn, pieces = self.live.turn.id, [(True, "".join(self.live.reasoning)), (False, "".join(self.live.answer))]
        self._kept(lambda: self.store.replace(turn, pieces))

    def _kept(self, write: Callable[[], None]) -> bool:
        """Whether something is on the disk now. If not, the conversation goes on, and `unkept` says why."""
        try:
            write()
        except UsageError as error:
            self.unkept = str(error)
            return False
        self.unkept = None
        return True

    def _end(self, failure: str = "") -> Turn:
        assert self.live
        live, self.live, self._run = self.live, None, None
        self.last = live
        turn = live.finished(failure)
        if live.solution:
            seed = live.solution.seeds[0] if live.solution.seeds else turn.seed  # another one if a run was resumed
            turn = replace(turn, model=live.solution.model.name, seed=seed)
        self._kept(lambda: self.store.finish(turn))
        self.turns.append(turn)
        if turn.status == "failed" and self.solver and not failure:  # the engine has died: a new one is needed
            self.solver.close()
            self.solver = None
        return turn

    def stop(self) -> None:
        if self._run:
            self._run.control.stop = True

    def answer_now(self) -> None:
        if self._run:
            self._run.control.answer_now = True

    # Conversations

    def new(self) -> None:
        self.conversation, self.turns, self.tally, self.last = None, [], None, None

    def open(self, conversation: int) -> None:
        self.conversation, self.turns, self.tally = conversation, self.store.turns(conversation), None
        self.last = None

    def take_back(self) -> str | None:
        """Remove the last turn and return its question. Raises UsageError."""
        if self.live or not self.turns:
            return None
        self.store.remove_turn(self.turns[-1].id)
        return self.turns.pop().question

    def history(self) -> list[str]:
        """What was asked before, anywhere, the oldest first."""
        return self.store.questions()

    def close(self) -> None:
        """Keep what was written, end the run and give the model back. May be repeated."""
        if self._closed:
            return
        self._closed = True
        if self._run and self.live:
            self._run.stop(STOP_SECONDS)
            self._apply()
            turn = self.live.finished()
            turn = turn if self.live.solution else replace(turn, status="stopped")
            self._kept(lambda: self.store.finish(turn))
            self.live = self._run = None
        if self.solver:
            self.solver.close()
        self.store.close()
