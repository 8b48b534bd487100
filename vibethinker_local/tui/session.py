"""What goes on in the chat, without its screen: the conversation, the run under way, the model behind it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from vibethinker_local.errors import UsageError, VibeError
from vibethinker_local.events import Control, Exchange, SolveEvent
from vibethinker_local.solving.follow import Votes
from vibethinker_local.tui.attachments import with_attachments
from vibethinker_local.tui.live import Live
from vibethinker_local.tui.run import Run
from vibethinker_local.tui.solver import ChatRequest, ChatSolver
from vibethinker_local.tui.store import Attachment, Listed, Store, Turn

BUDGETS = ("quick", "standard", "deep")
STOP_SECONDS = 0.6  # to wait for a run when the app quits; what is written is kept in any case


class Session:
    """For the screen's thread; only the solver works on others."""

    def __init__(
        self, load: Callable[[], ChatSolver], store: Store, clock: Callable[[], float], seeds: Callable[[], int]
    ) -> None:
        self.store, self.clock = store, clock
        self.conversation: int | None = None
        self.turns: list[Turn] = []
        self.live: Live | None = None
        self.last: Live | None = None  # the turn before, while its conversation is open
        self.solver: ChatSolver | None = None
        self.unkept: str | None = None  # why what was written last is not on the disk
        self._late: list[Turn] = []  # finished turns that are not on the disk yet
        self.reliable, self.budget = False, "standard"
        self._load, self._seeds = load, seeds
        self._loading = threading.Lock()
        self._run: Run | None = None
        self._closed = False

    @property
    def listed(self) -> Listed | None:
        """This conversation as lists have it; None before its first question."""
        return self.store.listed(self.conversation) if self.conversation is not None else None

    @property
    def votes(self) -> Votes | None:
        """Of the turn that is being written, or of the one before; None if there is no vote."""
        now = self.live or self.last
        return now.run.votes if now else None

    # The model

    def loaded(self) -> ChatSolver:
        """The solver, loaded if it is not. Blocks; for any thread. Raises VibeError."""
        with self._loading:
            if self.solver is None:
                self.solver = self._load()
                if self._closed:
                    self.solver.close()
            return self.solver

    # A run

    def ask(
        self,
        question: str,
        arrived: Callable[[], object],
        *,
        attachments: Sequence[Attachment] = (),
        place: int | None = None,
    ) -> Live:
        """Begin to answer; `arrived` is called on another thread when `take` has something.

        With a `place` among the turns, this is a further version of the turn there, which is kept, with what follows.
        """
        assert self.live is None
        seed = self._seeds()
        self.turns = self.turns[:place]
        earlier = tuple(
            Exchange(with_attachments(turn.question, turn.attachments), turn.answer)
            for turn in self.turns
            if turn.answer
        )
        request = ChatRequest(with_attachments(question, attachments), seed, earlier, self.reliable, self.budget)

        def begin(control: Control) -> Iterator[SolveEvent]:
            solver = self.loaded()
            return solver.solve(replace(request, earlier=() if solver.alone else earlier), control)

        name = self.solver.identity.name if self.solver else ""
        self.live = Live(Turn(question, name, seed, attachments=tuple(attachments)), self.clock)
        self.save()
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
        events, ended, error = self._run.take()
        for event in events:
            self.live.run.apply(event)
        return ended, error

    def save(self) -> None:
        """Keep what was written since the last call, or could not be kept then; `unkept` says why it still cannot."""
        try:
            while self._late:
                self._late[0] = self._begun(self._late[0])
                self.store.finish(self._late[0])
                self._late.pop(0)
            if self.live:
                self.live.turn = self._begun(self.live.turn)
                self.live.save(self.store)
        except UsageError as error:
            self.unkept = str(error)
        else:
            self.unkept = None

    def _begun(self, turn: Turn) -> Turn:
        """The turn as it stands on the disk, behind the one before it. Raises UsageError."""
        if turn.id:
            return turn
        at = next((at for at, one in enumerate(self.turns) if one is turn), len(self.turns))
        parent = self.turns[at - 1].id if at else 0
        turn = replace(turn, parent=parent)
        self.conversation, id = self.store.begin(turn, self.conversation)
        begun = replace(turn, id=id, versions=self.store.versions(id))
        self.turns[at : at + 1] = [begun] * (at < len(self.turns))
        return begun

    def _end(self, failure: str = "") -> Turn:
        assert self.live
        live, self.live, self._run = self.live, None, None
        self.last = live
        turn = live.finished(failure)
        self._finish(turn)
        if turn.status == "failed" and self.solver and not failure:  # the engine has died: a new one is needed
            self.solver.close()
            self.solver = None
        return self.turns[-1]

    def _finish(self, turn: Turn) -> None:
        self.turns.append(turn)
        self._late.append(turn)
        self.save()

    def stop(self) -> None:
        if self._run:
            self._run.control.stop = True

    def answer_now(self) -> None:
        if self._run:
            self._run.control.answer_now = True

    # Conversations

    def new(self) -> None:
        self._leave()
        self.conversation, self.turns = None, []

    def open(self, conversation: int) -> None:
        self._leave()
        self.conversation, self.turns = conversation, self.store.turns(conversation)

    def _leave(self) -> None:
        assert self.live is None
        self.save()
        self._late.clear()  # what cannot be kept has been said
        self.last = None

    def show_version(self, turn: int) -> None:
        """Show the branch that a turn of this conversation is in. Raises UsageError."""
        assert self.conversation is not None
        self.store.show(self.conversation, turn)
        self.open(self.conversation)

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
            turn = turn if self.live.run.solution else replace(turn, status="stopped")
            self.live = self._run = None
            self._finish(turn)
        if self.solver:
            self.solver.close()
        self.store.close()
