"""The conversation on the screen: what is written in the prompt goes to the session, what the session does is shown."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import psutil
from textual.app import ComposeResult
from textual.containers import Center, Horizontal, Vertical
from textual.content import Content
from textual.events import Resize
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from vibethinker_local.errors import VibeError
from vibethinker_local.solving.follow import RunState, summary
from vibethinker_local.system.terminal import printable
from vibethinker_local.tui import start
from vibethinker_local.tui.attachments import label
from vibethinker_local.tui.markdown import readable
from vibethinker_local.tui.session import Session
from vibethinker_local.tui.store import Attachment, Turn
from vibethinker_local.tui.widgets.panel import VotesPanel
from vibethinker_local.tui.widgets.prompt import Prompt
from vibethinker_local.tui.widgets.status import Status, StatusLine
from vibethinker_local.tui.widgets.transcript import Transcript

if TYPE_CHECKING:
    from vibethinker_local.tui.app import ChatApp
    from vibethinker_local.tui.widgets.turn import TurnView

PAINT_SECONDS = 1 / 25  # between two paints of what is being written
SAVE_SECONDS = 0.5
REST, MOST_REST = 2.0, 0.4  # after a paint: times as long as it took, seconds at most
NARROW, SHORT = 108, 30  # cells


class Talk(Screen[None]):
    """One conversation at a time."""

    AUTO_FOCUS = "#prompt"

    class Arrived(Message):
        """The run has something to show."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.view: TurnView | None = None  # of the turn that is being written
        self.attachments: list[Attachment] = []
        self.editing: int | None = None  # the place of the turn that what is in the prompt will be a version of
        self.memory = 0
        self.unloaded = ""  # why there is no model
        self._unkept: str | None = None
        self._counted: RunState | None = None  # whose votes the panel has been opened for
        self._next_paint = 0.0
        self._painting = self._more = False  # a paint is due or under way; something has come since

    def compose(self) -> ComposeResult:
        yield Static("", id="title", markup=False)
        with Horizontal(id="middle"):
            with Vertical():
                yield Static("", id="welcome", markup=False)
                yield Transcript()
                with Center(id="more"):
                    yield Static("▾ more below", id="badge", markup=False)
            yield VotesPanel()
        yield Static("", id="attachments", markup=False)
        yield Prompt()
        yield StatusLine()

    def on_mount(self) -> None:
        self.query_one(Prompt).asked = self.session.history()
        self.show_title()
        self.show_welcome()
        self.show_status()
        self.set_interval(SAVE_SECONDS, self.session.save)
        self.set_interval(1.0, self.show_status)
        if self.chat_app.measures_memory:
            self.set_interval(3.0, self.measure)

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < NARROW, "-narrow")
        self.set_class(event.size.height < SHORT, "-short")
        self.show_title()
        self.call_after_refresh(self.show_votes)

    @property
    def chat_app(self) -> "ChatApp":
        from vibethinker_local.tui.app import ChatApp

        assert isinstance(self.app, ChatApp)
        return self.app

    # Asking

    def on_prompt_sent(self, event: Prompt.Sent) -> None:
        if not event.text.strip() and not self.attachments:
            return
        prompt = self.query_one(Prompt)
        if self.session.live:
            self.say("One question at a time: esc stops this answer.")
            prompt.set_text(event.text + prompt.text)
            return
        if event.text.strip():
            prompt.remember(event.text)
        place, self.editing = self.editing, None
        attachments, self.attachments = self.attachments, []
        self.show_attachments()
        self.call_next(self.ask, event.text.strip(), attachments, place)

    def on_prompt_pasted(self, event: Prompt.Pasted) -> None:
        self.attachments.append(Attachment("pasted text", event.text))
        self.show_attachments()

    async def ask(self, question: str, attachments: Sequence[Attachment] = (), place: int | None = None) -> None:
        """Begin to answer; with a place, as a further version of the turn there."""
        if place is not None:
            await self.query_one(Transcript).cut(place)
        arrived = lambda: self.post_message(self.Arrived())  # noqa: E731
        live = self.session.ask(question, arrived, attachments=attachments, place=place)
        solver = self.session.solver
        if solver and solver.alone and len(self.session.turns) == 1:
            self.say(f"{solver.identity.name} reads each question alone: it does not know what was said before.")
        if not self.session.reliable:
            self.remove_class("-votes")  # of another question
        self.query_one("#welcome").display = False
        self.query_one(Transcript).display = True
        self.view = await self.query_one(Transcript).add(live.turn)
        self.view.follow(live)
        self.show_title()
        self.show_status()
        self.post_message(self.Arrived())  # what came while there was nothing to show it

    async def on_talk_arrived(self) -> None:
        """Paint now, or when the last paint is long enough ago: what comes until then is painted with it."""
        if self._painting:
            self._more = True
            return
        self._painting = True
        wait = self._next_paint - time.monotonic()
        if wait > 0:
            self.set_timer(wait, self.paint)
        else:
            await self.paint()

    async def paint(self) -> None:
        began = time.monotonic()
        if self.session.live is None or self.view is None:
            self._painting = False
            return
        live, view = self.session.live, self.view
        self._more = False
        turn = self.session.take()
        view.follow(live)
        if turn:
            self.view = None
            view.finish(turn)
            self.after(turn)
        self.show_votes()
        self.show_status()
        self.query_one(Transcript).note_end()
        self.call_after_refresh(self._painted, began)

    def _painted(self, began: float) -> None:
        """Leave the keys most of the time, however long it takes to lay out what has been written."""
        now = time.monotonic()
        self._next_paint = max(began + PAINT_SECONDS, now + min(MOST_REST, REST * (now - began)))
        self._painting = False
        if self._more:
            self._more = False
            self.post_message(self.Arrived())

    def after(self, turn: Turn) -> None:
        """What there is to do when a turn has ended."""
        if self.session.solver is None and self.session.last and self.session.last.solution:  # its engine has died
            self.chat_app.load()

    # What is shown around the conversation

    def say(self, *texts: str | None, error: bool = False) -> None:
        """A message in the corner, of all that there is to say."""
        if text := " ".join(filter(None, texts)):
            self.notify(printable(text), severity="error" if error else "information", timeout=6, markup=False)

    def show_title(self) -> None:
        listed = self.session.listed
        title = readable(printable(listed.title)) if listed else "New conversation"
        keys = "f1 help · ctrl+p palette"
        room = max(10, self.app.size.width - len(keys) - 8)
        left = Content(title).truncate(room, ellipsis=True)
        gap = max(2, self.app.size.width - left.cell_length - len(keys) - 4)
        self.query_one("#title", Static).update(Content.assemble(left.stylize("$foreground"), " " * gap, keys))

    def show_welcome(self) -> None:
        welcome = self.query_one("#welcome", Static)
        facts = self.session.solver.start if self.session.solver else start.Start()
        rows = [Content.styled(text, style) for text, style in start.lines(facts)]
        if self.unloaded and not facts.model:
            rows += [Content(""), Content.styled(printable(self.unloaded), "$text-error")]
        rows += [
            Content(""),
            Content.styled("enter asks · ctrl+r lets several solutions vote · f1 has every key", "$text-muted"),
        ]
        welcome.update(Content("\n").join(rows))
        empty = not self.session.turns and not self.session.live
        welcome.display = empty
        self.query_one(Transcript).display = not empty

    def show_attachments(self) -> None:
        line = self.query_one("#attachments", Static)
        rows = ["enter asks this as another version · esc keeps it as it is"] if self.editing is not None else []
        rows += ["   ".join(f"+ {printable(label(one))}" for one in self.attachments)] if self.attachments else []
        line.update(Content("\n".join(rows)))
        line.display = bool(rows)

    def show_votes(self) -> None:
        tally = self.session.tally
        if tally and tally.votes:
            if tally is not self._counted:  # a new vote opens the panel; the user may close it
                self._counted = tally
                self.add_class("-votes")
                self.call_after_refresh(self.show_votes)
            self.query_one(VotesPanel).show(tally.votes)

    def measure(self) -> None:
        """Ask the system how much memory our processes take."""
        try:
            us = psutil.Process()
            self.memory = sum(one.memory_info().rss for one in (us, *us.children(recursive=True)))
        except psutil.Error:  # one has just ended
            return
        self.show_status()

    def show_status(self) -> None:
        session, live = self.session, self.session.live
        if session.unkept != self._unkept:  # said once
            self._unkept = session.unkept
            self.say(session.unkept, error=True)
        for notice in session.store.take_notices():
            self.say(notice, error=True)
        solver = session.solver
        used, context = 0, solver.context if solver else 0
        if live:
            used, context = live.prompt_tokens + live.tokens, live.context or context
        elif session.last:
            used = session.last.prompt_tokens + session.last.tokens
        self.query_one(StatusLine).show(
            Status(
                model=solver.identity.name if solver else "" if self.unloaded else "loading …",
                quant=(solver.identity.quant or "") if solver else "",
                used=used,
                context=context,
                rate=live.rate or None if live and live.phase in ("thinking", "answering") else None,
                memory=self.memory,
                reliability=self.badge(),
                on=session.reliable,
            )
        )
        self.set_class(session.reliable, "-reliable")

    def badge(self) -> str:
        """What there is to say about reliability, in a few words."""
        votes = self.session.tally.votes if self.session.tally else None
        if votes and votes.report:
            return summary(votes.report)
        if votes and self.session.live:
            return f"{'checking' if votes.stage == 'checking' else 'voting'} · {votes.done} of at most {votes.samples}"
        return f"reliability on · {self.session.budget}" if self.session.reliable else "reliability off"

    def on_transcript_at_end(self, event: Transcript.AtEnd) -> None:
        self.query_one("#more").display = not event.at_end

    async def load(self) -> None:
        """Show what is known once the model is there."""
        self.show_welcome()
        self.show_status()
        for notice in self.session.solver.notices if self.session.solver else ():
            self.say(notice)

    def failed_to_load(self, error: VibeError) -> None:
        self.unloaded = str(error)
        self.say(self.unloaded, error=True)
        self.show_welcome()
        self.show_status()
