"""What goes on in the chat, without its screen: the conversation, the run under way, the model behind it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from vibethinker_local.errors import UsageError, VibeError
from vibethinker_local.events import BudgetName, Control, Exchange, SolveEvent, Unfinished
from vibethinker_local.solving.follow import Votes
from vibethinker_local.system.progress import Progress
from vibethinker_local.tui.attachments import unmentioned, with_attachments
from vibethinker_local.tui.live import Live, can_go_on
from vibethinker_local.tui.run import Run
from vibethinker_local.tui.solver import ChatRequest, ChatSolver, Load, ModelChoice
from vibethinker_local.tui.store import Attachment, Listed, Store, Turn
from vibethinker_local.tui.votes import read

BUDGETS: tuple[str, ...] = get_args(BudgetName)
THINKING: tuple[int | None, ...] = (None, 1024, 0)  # as of ChatRequest.think: as the model does, briefly, not at all
NOT_ASKED = "not asked yet, as the chat was closed"
Unsent = tuple[str, Sequence[Attachment]]  # a text, and what is attached to it without being named there
MOST_KEPT = 100_000  # characters of a question with what is attached, before it is asked: more cannot be edited
STOP_SECONDS = 0.6  # to wait for a run when the app quits; what is written is kept in any case


@dataclass(frozen=True)
class Queued:
    """A question that waits for the answer before it."""

    question: str
    attachments: Sequence[Attachment]
    place: int | None  # of the turn that it is a further version of


class Session:
    """For the screen's thread; only the solver works on others."""

    def __init__(
        self,
        load: Load,
        store: Store,
        clock: Callable[[], float],
        seeds: Callable[[], int],
        models: Callable[[], Sequence[ModelChoice]] = tuple,
    ) -> None:
        """`models` are those that there are to choose from."""
        self.store, self.clock = store, clock
        self.conversation: int | None = None
        self.turns: list[Turn] = []
        self.live: Live | None = None
        self.queue: list[Queued] = []  # what is asked when the answer is there
        self.last: Live | None = None  # the turn before, while its conversation is open
        self.solver: ChatSolver | None = None
        self.loading: Progress | None = None  # of a model that is being loaded
        self.unsent: list[Unsent] = []  # what is in the prompt, to be kept with what waits
        self.unkept: str | None = None  # why what was written last is not on the disk
        self._draft: int | None = None  # by which the store knows what has not been asked yet
        self._drafted: list[Unsent] = []  # what it was at the last save
        self._late: list[Turn] = []  # finished turns that are not on the disk yet
        self.reliable, self.budget = False, "standard"
        self.think: int | None = None
        self.models = models
        self.chosen: list[str] = []  # other files that were chosen by name
        self._load, self._seeds = load, seeds
        self.wanted: str | None = None  # the name of the model to load
        self._before: tuple[str | None] | None = None  # of the one before it, until this one is loaded
        self._left: ChatSolver | None = None  # to be closed
        self._loading = threading.Lock()  # held while a model is loaded
        self._choosing = threading.Lock()  # held for a moment, where the user's choice and its end might cross
        self._run: Run | None = None
        self._asked = False  # anything, in this chat
        self._closed = False

    @property
    def listed(self) -> Listed | None:
        """This conversation as lists have it; None before its first question."""
        return self.store.listed(self.conversation) if self.conversation is not None else None

    @property
    def written(self) -> list[Turn]:
        """The turns as they stand, the one that is being written, too, whether or not they could be kept."""
        return [*self.turns, self.live.written] if self.live else self.turns

    @property
    def votes(self) -> Votes | None:
        """Of the turn that is being written, or of the one before; None if there is no vote."""
        if self.live:
            return self.live.run.votes
        return read(self.turns[-1].vote) if self.turns else None

    # The model

    def loaded(self) -> ChatSolver:
        """The solver, loaded if it is not. Blocks; for any thread.

        Raises VibeError if the model cannot be loaded, and then the one before, if there was one, is wanted again.
        """
        with self._loading:
            while self.solver is None:
                if self._left:
                    self._left.close()
                    self._left = None
                wanted = self.wanted
                self.loading = None
                try:
                    solver = self._load(wanted, self._heard)
                except VibeError:
                    if self._settle(wanted, None):
                        raise
                    continue  # with the one that was chosen meanwhile
                if not self._settle(wanted, solver) or self._closed:
                    solver.close()
            return self.solver

    def _settle(self, tried: str | None, solver: ChatSolver | None) -> bool:
        """Keep the model that was loaded, or without one go back; False if another one has been chosen meanwhile."""
        with self._choosing:
            if tried != self.wanted and not self._closed:
                return False
            if solver is None and self._before:
                (self.wanted,) = self._before
            self.solver, self._before = solver, None
            return True

    def _heard(self, step: Progress) -> None:
        self.loading = step

    def use(self, model: str) -> None:
        """Take another model from now on, which `loaded` loads; the one that is there is given back."""
        assert self.live is None
        with self._choosing:
            self._before = self._before or (self.wanted,)
            self._left, self.solver, self.wanted = self.solver or self._left, None, model

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
        turn = self._next(Queued(question, attachments, place))
        return self._begin(Live(turn, self.clock), self._request(turn), arrived)

    def _next(self, asked: Queued) -> Turn:
        """The turn of a question, behind those that stay before it."""
        self.turns = self.turns[: asked.place]
        name = self.solver.identity.name if self.solver else ""
        return Turn(asked.question, name, self._seeds(), attachments=tuple(asked.attachments))

    def go_on(self, arrived: Callable[[], object]) -> Live:
        """Go on with the last answer, which was cut off. Raises UsageError if that cannot be, or cannot be kept."""
        turn = self.turns[-1]
        if not can_go_on(turn):
            raise UsageError("The last answer was not cut off: there is nothing to go on with.")
        model = self.solver.identity.name if self.solver else turn.model
        if turn.model not in ("", model):
            raise UsageError(f"{turn.model} wrote this answer, and {model} is loaded: /regenerate asks that anew.")
        self.store.reopen(turn)  # raises UsageError, too, where another chat is writing it
        self.turns = self.turns[:-1]
        live = Live(replace(turn, status="writing", note=""), self.clock, before=turn)
        request = replace(self._request(turn), seed=self._seeds(), reliable=False)
        return self._begin(live, replace(request, unfinished=Unfinished(turn.reasoning, turn.answer)), arrived)

    def earlier(self) -> tuple[Exchange, ...]:
        """What was said so far, as the model reads it before the next question."""
        said = ((with_attachments(one.question, one.attachments), one.answer) for one in self.turns if one.answer)
        return tuple(Exchange(question, answer) for question, answer in said)

    def _request(self, turn: Turn) -> ChatRequest:
        """A turn's question, after those that are there."""
        question = with_attachments(turn.question, turn.attachments)
        return ChatRequest(question, turn.seed, self.earlier(), self.reliable, self.budget, self.think)

    def _begin(self, live: Live, request: ChatRequest, arrived: Callable[[], object]) -> Live:
        assert self.live is None

        def begin(control: Control) -> Iterator[SolveEvent]:
            solver = self.loaded()
            if control.stop:
                return iter(())
            return solver.solve(replace(request, earlier=() if solver.alone else request.earlier), control)

        self.live, self._asked = live, True
        self.save()
        self._run = Run(begin, arrived)
        self._run.start()
        return live

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
            queued = ((one.question, unmentioned(one.question, one.attachments)) for one in self.queue)
            waiting = [one for one in (*queued, *self.unsent) if any(one)]
            if waiting != self._drafted:
                text = "\n\n".join(filter(None, (_kept(*one) for one in waiting)))
                self._draft = self.store.keep_draft(self._draft, text)
                self._drafted = waiting
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
        if self.solver and not turn.note:
            turn = replace(turn, note=self.solver.doubt(with_attachments(turn.question, turn.attachments)))
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
            if self.solver is None:  # the run sees to it when the model is there, which may take long
                self._run.abandon()

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
        self._late = [turn for turn in self._late if turn.id]  # whose ends may yet be kept; of the others, it was said
        self.last = None

    def show_version(self, turn: int) -> None:
        """Show the branch that a turn of this conversation is in. Raises UsageError."""
        assert self.conversation is not None
        self.store.show(self.conversation, turn)
        self.open(self.conversation)

    def history(self) -> list[tuple[str, bool]]:
        """What was written before, anywhere, the oldest first; with each, whether it was asked."""
        return self.store.history()

    def close(self) -> None:
        """Keep what was written and what waits, end the run and give the model back. May be repeated."""
        if self._closed:
            return
        self._closed = True
        if self._run and self.live:
            self._run.stop(STOP_SECONDS)
            self._apply()
            turn = self.live.finished()
            self.live = self._run = None
            self._finish(turn)
        for asked in self.queue:
            self._finish(replace(self._next(asked), status="stopped", note=NOT_ASKED))
        self.queue = []
        self.save()
        if self._asked and self.store.in_memory:
            self.unkept = f"What was written last was not saved: {self.store.path} could not be used."
        for solver in (self.solver, self._left):
            if solver:
                solver.close()
        self.store.close()


def _kept(text: str, attachments: Sequence[Attachment]) -> str:
    """What there is to keep of a question that has not been asked: one text, which the prompt can hold."""
    found = with_attachments(text, attachments)
    return found if len(found) <= MOST_KEPT else text.strip()
