"""The conversation on the screen: what is written in the prompt goes to the session, what the session does is shown.

Every action of the table in `actions` is a method here, `action_…`; what is written behind its name goes to `take_…`.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from textual.app import ComposeResult
from textual.containers import Center, Horizontal, Vertical
from textual.events import Click, Key, Paste, Resize
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from vibethinker_local.errors import UsageError, VibeError
from vibethinker_local.system import paths
from vibethinker_local.system.terminal import printable
from vibethinker_local.tui.actions import EVERYWHERE, NAMED, SLASHES, bindings, key_of, slashes
from vibethinker_local.tui.attachments import as_markdown, label, read
from vibethinker_local.tui.export import Format, export_stored
from vibethinker_local.tui.live import Live
from vibethinker_local.tui.pages import FullPage
from vibethinker_local.tui.screens.conversations import Conversations
from vibethinker_local.tui.screens.dialogs import Ask, Pick
from vibethinker_local.tui.screens.help import Help
from vibethinker_local.tui.session import BUDGETS, THINKING, Queued, Session
from vibethinker_local.tui.solver import ModelChoice
from vibethinker_local.tui.store import Attachment, Listed, Turn, name_of
from vibethinker_local.tui.summary import reliability, summary, thinking
from vibethinker_local.tui.widgets.chip import Chip
from vibethinker_local.tui.widgets.composer import Composer, without_files
from vibethinker_local.tui.widgets.panel import VotesPanel
from vibethinker_local.tui.widgets.prompt import Prompt
from vibethinker_local.tui.widgets.recent import MOST, Recent
from vibethinker_local.tui.widgets.status import StatusLine
from vibethinker_local.tui.widgets.title import Title
from vibethinker_local.tui.widgets.transcript import Transcript
from vibethinker_local.tui.widgets.welcome import Welcome

if TYPE_CHECKING:  # the Markdown reader and all: not for the first paint
    from vibethinker_local.tui.widgets.turn import TurnView

PAINT_SECONDS = 1 / 25  # between two paints of what is being written
SAVE_SECONDS = 0.5
MEMORY_SECONDS = 3.0
REST, MOST_REST = 2.0, 0.4  # after a paint: times as long as it took, seconds at most
NARROW, WIDE, SHORT = 108, 170, 30  # cells
TOAST_SECONDS, READING = 6.0, 15  # at least; characters that are read in a second
LONG_SECONDS = 30.0  # of a run whose end is worth a notice
SENT = "sent to the terminal's clipboard"  # which does not say whether it has taken it
NOT_BEGUN = "This conversation has not begun yet."
SETTLE_SECONDS = 1.0  # at most, that a key waits for those before it


class Chat(Screen[None]):
    """One conversation at a time."""

    AUTO_FOCUS = "#prompt"
    BINDINGS = bindings(everywhere=False)

    class Arrived(Message):
        """The run has something to show."""

    class Done(Message):
        """A long run has ended, and the user may be elsewhere."""

        def __init__(self, turn: Turn) -> None:
            super().__init__()
            self.turn = turn

    class ModelWanted(Message):
        """The engine has died: the next answer needs another."""

    def __init__(self, session: Session, keys: Mapping[str, str], folder: Path, *, measures_memory: bool) -> None:
        """`keys` are the user's own, for the help; exports go into `folder`."""
        super().__init__()
        self.session, self._keys, self.folder = session, keys, folder
        self._measures_memory = measures_memory
        self.unloaded = ""  # why there is no model
        self._view: TurnView | None = None  # of the turn that is being written
        self._voting: Live | None = None  # whose votes the panel has been opened for
        self._memory = 0  # bytes
        self._unkept: str | None = None
        self._said = "", 0.0  # the last message, and until when it stands there
        self._lost: list[Turn] = []  # turns that are not on the disk, which was said when they were to be left
        self._next_paint = 0.0
        self._painting = self._more = False  # a paint is due or under way; something has come since

    def compose(self) -> ComposeResult:
        yield Title(self._keys)
        with Horizontal(id="middle"):
            with Vertical(id="said"):
                yield Welcome(self._keys)
                yield Recent()
                yield Transcript(self._keys)
                with Center(id="more"):
                    yield Static("▾ more below", id="badge", markup=False)
            yield VotesPanel()
        yield Composer(self.session, self._keys)
        yield StatusLine()

    async def on_mount(self) -> None:
        if self.session.turns:
            await self.query_one(Transcript).show(self.session.turns)
        self.show_around()
        self.set_interval(SAVE_SECONDS, self.session.save)
        self.set_interval(1.0, self.show_status)
        if self._measures_memory:
            self.set_interval(MEMORY_SECONDS, self.measure_memory)

    @property
    def composer(self) -> Composer:
        return self.query_one(Composer)

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < NARROW, "-narrow")
        self.set_class(event.size.width >= WIDE, "-wide")
        self.set_class(event.size.height < SHORT, "-short")
        self.call_after_refresh(self.show_votes)

    def show_model(self, failure: str = "") -> None:
        """Show what is known once the model is there, or cannot be."""
        self.composer.recount()
        self.unloaded = failure
        self.say(failure, error=True)
        self.show_welcome()
        self.show_status()
        for notice in self.session.solver.notices if self.session.solver else ():
            self.say(notice)

    def set_focus(self, widget: Widget | None, scroll_visible: bool = True, from_app_focus: bool = False) -> None:
        """What loses the focus without another taking it, as it is hidden perhaps, leaves it to the prompt."""
        if widget is None and self.app.app_focus:
            widget = next(iter(self.query(Prompt)), None)
        super().set_focus(widget, scroll_visible, from_app_focus)

    async def settle(self) -> None:
        """Wait until what was typed into the prompt has had its effect.

        Keys of actions are dealt with by the app, which would overtake an Enter that came with them.
        """
        if not self.is_mounted:
            return
        settled, prompt = asyncio.Event(), self.query_one(Prompt)
        # Behind its keys, then behind what they sent, which comes by way of the composer.
        prompt.call_later(prompt.call_later, self.composer.call_later, self.call_later, settled.set)
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                await settled.wait()

    # Asking

    def on_prompt_sent(self, event: Prompt.Sent) -> None:
        try:
            asked = self.composer.take(event.text)
        except UsageError as error:
            self.say(str(error), error=True)
            return
        if asked is None:
            return
        self.say(without_files(asked))
        self.query_one(Transcript).mark(None)
        if self.session.live or self.session.queue:
            self.session.queue.append(asked)
        else:
            self.call_next(self.ask, asked.question, asked.attachments, asked.place)
        self.composer.show()

    def _ask_next(self, turn: Turn) -> None:
        """Ask what is waiting; after a run that was stopped or failed, give it back instead."""
        if not self.session.queue:
            return
        if turn.status in ("answered", "no_answer"):
            asked = self.session.queue.pop(0)
            self.call_next(self.ask, asked.question, asked.attachments, asked.place)
        else:
            self.composer.take_back()

    async def on_prompt_command(self, event: Prompt.Command) -> None:
        found = slashes(event.name)
        action = SLASHES[found[0]] if len(found) == 1 else None
        if action and not event.value:
            await self.run_action(f"app.{action.id}" if action.id in EVERYWHERE else action.id)
        elif not (action and action.takes_value and getattr(self, f"take_{action.id}")(event.value)):
            self.composer.put_back(event.text)  # to be put right
            if action is None:
                self.say(f"There is no /{event.name}. There are: {', '.join(f'/{name}' for name in SLASHES)}.")
            elif not action.takes_value:
                self.say(f"/{action.slash} takes no argument.")

    async def on_prompt_empty(self, event: Prompt.Empty) -> None:
        match event.key:
            case "left":
                await self.action_older_version()
            case "right":
                await self.action_newer_version()
            case "down" if self.query_one(Recent).display:
                self.query_one(Recent).enter()
            case "ctrl+d":
                await self.run_action("app.quit")

    async def on_recent_resumed(self, event: Recent.Resumed) -> None:
        if self._may_leave():
            await self._open(event.conversation)

    async def ask(self, question: str, attachments: Sequence[Attachment] = (), place: int | None = None) -> None:
        """Begin to answer, or wait for the answer before; with a place, as a further version of the turn there."""
        if self.session.live:
            self.session.queue.append(Queued(question, attachments, place))
            self.composer.show()
            return
        live = self.session.ask(question, self._arrived, attachments=attachments, place=place)
        if place is not None:
            await self.query_one(Transcript).cut(place)
        solver = self.session.solver
        if solver and solver.alone and len(self.session.turns) == 1:
            self.say(f"{solver.identity.name} reads each question alone: it does not know what was said before.")
        await self._follow(live)

    def _arrived(self) -> None:
        self.post_message(self.Arrived())

    async def _follow(self, live: Live) -> None:
        """Show a turn that is being written."""
        transcript = self.query_one(Transcript)
        self.remove_class("-votes")  # of another question
        self.query_one(Welcome).display = self.query_one(Recent).display = False
        transcript.display = True
        self._view = await transcript.add(live.turn)
        self._view.follow(live.run)
        self.composer.show()
        self.show_title()
        self.show_status()
        self.post_message(self.Arrived())  # what came while there was nothing to show it

    async def on_chat_arrived(self) -> None:
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
        if self.session.live is None or self._view is None:
            self._painting = False
            return
        live, view = self.session.live, self._view
        self._more = False
        turn = self.session.take()
        view.follow(live.run)
        if turn:
            self._view = None
            view.finish(turn)
            if turn.seconds >= LONG_SECONDS:
                self.post_message(self.Done(turn))
            if self.session.solver is None and live.run.solution:  # its engine has died
                self.post_message(self.ModelWanted())
            self._ask_next(turn)
            self.composer.show()
        self.show_votes(live)
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

    # What is shown around the conversation

    def say(self, *texts: str | None, error: bool = False) -> None:
        """A message in the corner, of all that there is to say, unless it stands there as the last one."""
        text, now, (last, until) = " ".join(filter(None, texts)), time.monotonic(), self._said
        if text and (text != last or now >= until):
            severity: Literal["error", "information"] = "error" if error else "information"
            seconds = max(TOAST_SECONDS, len(text) / READING)
            self._said = text, now + seconds
            self.notify(printable(text), severity=severity, timeout=seconds, markup=False)

    def _key(self, action: str) -> str:
        """The key of an action as it is to be read."""
        return key_of(NAMED[action], self._keys)

    def show_around(self) -> None:
        self.composer.show()
        self.show_title()
        self.show_welcome()
        self.show_status()

    def show_title(self) -> None:
        listed = self.session.listed
        self.query_one(Title).show(listed.title if listed else "")

    def show_welcome(self) -> None:
        empty = not self.session.turns and not self.session.live
        welcome, recent = self.query_one(Welcome), self.query_one(Recent)
        if empty:
            recent.show(self.session.store.recent(MOST))
        solver = self.session.solver
        welcome.show(solver.start if solver else None, self.unloaded, recent=recent.option_count > 0)
        recent.display = empty and recent.option_count > 0
        welcome.display, self.query_one(Transcript).display = empty, not empty

    def on_composer_counted(self) -> None:
        self.show_status()

    def _used(self) -> int:
        """Tokens of the context that are taken; of a conversation that was opened, what was said, about."""
        if now := self.session.live or self.session.last:
            return now.run.started.prompt_tokens + now.run.tokens if now.run.started else 0
        if self.session.solver and self.session.solver.alone:
            return 0
        return self.composer.tokens(*(text for one in self.session.earlier() for text in (one.question, one.answer)))

    def on_chip_read(self, event: Chip.Read) -> None:
        page = FullPage(label(event.attachment), as_markdown(event.attachment))
        self.open_pages([page])

    def on_rows_left(self) -> None:
        self.composer.write()

    def on_key(self, event: Key) -> None:
        """What is typed where nothing takes it, into the reasoning or a list, is for the prompt."""
        if event.is_printable and event.character and not event.key.startswith("alt+"):
            event.stop()
            self.composer.write(event.character)

    def on_paste(self, event: Paste) -> None:
        self.composer.write(event.text)

    def open_pages(self, pages: Sequence[FullPage], at: int = 0) -> None:
        """Let them be read, over the conversation."""
        from vibethinker_local.tui.screens.fulltext import FullText  # the Markdown reader: not for the first paint

        self.app.push_screen(FullText(pages, at))

    def on_votes_panel_pages_wanted(self, event: VotesPanel.PagesWanted) -> None:
        self.open_pages(event.pages, event.at)

    def show_votes(self, live: Live | None = None) -> None:
        """Show the vote, if there is one; `live` is the turn that is being written, or was until now."""
        votes = self.session.votes
        if votes is None:
            return
        if live and live is not self._voting:  # a new vote opens the panel where there is room; the user may close it
            self._voting = live
            self.set_class(not self.has_class("-narrow"), "-votes")
            self.call_after_refresh(self.show_votes)
        self.query_one(VotesPanel).show(votes)

    def measure_memory(self) -> None:
        """Ask the system how much memory our processes take."""
        import psutil  # not before the first screen

        try:
            us = psutil.Process()
            self._memory = sum(one.memory_info().rss for one in (us, *us.children(recursive=True)))
        except psutil.Error:  # one has just ended
            return
        self.show_status()

    def show_status(self) -> None:
        session = self.session
        if session.unkept != self._unkept:  # said once
            self._unkept = session.unkept
            self.say(session.unkept, error=True)
        for notice in session.store.take_notices():
            self.say(notice, error=True)
        unloaded = bool(self.unloaded) and session.live is None  # a question loads it anew
        status = summary(session, unloaded=unloaded, used=self._used(), memory=self._memory)
        self.query_one(StatusLine).show(status)
        self.set_class(session.reliable, "-reliable")

    def on_transcript_at_end(self, event: Transcript.AtEnd) -> None:
        self.query_one("#more").display = not event.at_end

    def on_click(self, event: Click) -> None:
        if event.widget is self.query_one("#badge"):
            self.action_bottom()

    # Actions: answers

    def action_reliability(self) -> None:
        self.session.reliable = not self.session.reliable
        later = "From the next question on." if self.session.live else None
        self.say(later, self._cost() if self.session.reliable else None)
        self.show_status()

    def action_budget(self) -> None:
        at = BUDGETS.index(self.session.budget)
        self.session.budget = BUDGETS[(at + 1) % len(BUDGETS)]
        shown = self.session.budget in reliability(self.session)[0]
        self.say(None if shown else f"Budget of the reliability pass: {self.session.budget}.", self._cost())
        self.show_status()

    def action_think(self) -> None:
        session = self.session
        session.think = THINKING[(THINKING.index(session.think) + 1) % len(THINKING)]
        self.say(f"Thinking: {thinking(session.think)}, from the next answer on.")
        self.show_status()

    def _cost(self) -> str | None:
        """How long a vote would take, as far as that is known."""
        return self.session.solver.quote(self.session.budget) if self.session.solver else None

    def action_stop(self) -> None:
        in_place = self.has_class("-votes") and self.has_class("-narrow")  # of the conversation
        if not self.query_one(Prompt).has_focus:
            if in_place:
                self.remove_class("-votes")
            self.composer.write()
        elif self.session.live:
            self.session.stop()
        elif self.composer.editing is not None:
            self.edit(None)
        elif in_place:
            self.remove_class("-votes")
        else:
            self.clear_selection()

    def action_answer_now(self) -> None:
        self.session.answer_now()

    async def action_reasoning(self) -> None:
        views = [view for view in self.query_one(Transcript).views if view.thinking.display]
        if views:
            await views[-1].thinking.toggle()

    async def action_regenerate(self) -> None:
        if turn := self._last_turn():
            await self.ask(turn.question, turn.attachments, len(self.session.turns) - 1)

    async def action_go_on(self) -> None:
        if self._last_turn():
            try:
                live = self.session.go_on(self._arrived)
            except VibeError as error:
                self.say(str(error))
                return
            await self.query_one(Transcript).cut(len(self.session.turns))
            await self._follow(live)

    def action_edit(self) -> None:
        if not self._last_turn():
            return
        turns, place = self.session.turns, self.composer.editing
        if place is None:
            self.edit(len(turns) - 1)
        elif not self._has_changed(place):
            self.edit(max(0, place - 1))

    def _has_changed(self, place: int) -> bool:
        """Whether the question that is edited has been changed, which is said."""
        if changed := self.composer.has_changed(place):
            self.say(f"The question has been changed: enter asks it, {self._key('stop')} leaves it as it was.")
        return changed

    def _last_turn(self) -> Turn | None:
        """The last turn, unless one is being written."""
        if self.session.live:
            self.say(f"An answer is being written: {self._key('stop')} stops it.")
        elif not self.session.turns:
            self.say("There is no turn yet.")
        return self.session.turns[-1] if self.session.turns and not self.session.live else None

    def edit(self, place: int | None) -> None:
        """Begin to edit the question at a place, or leave it as it was."""
        self.composer.edit(place)
        self.query_one(Transcript).mark(place)

    async def action_older_version(self) -> None:
        await self._show_version(-1)

    async def action_newer_version(self) -> None:
        await self._show_version(1)

    async def _show_version(self, by: int) -> None:
        """Of the turn that is being edited, or else of the last one that has several."""
        turns, editing = self.session.turns, self.composer.editing
        mine = turns if editing is None else turns[editing : editing + 1]
        turn = next((one for one in reversed(mine) if len(one.versions) > 1), None)
        if turn is None or self.session.live or (editing is not None and self._has_changed(editing)):
            return
        at = turn.versions.index(turn.id) + by
        if 0 <= at < len(turn.versions):
            try:
                self.session.show_version(turn.versions[at])
            except VibeError as error:
                self.say(str(error), error=True)
            await self.show_conversation()
            if editing is not None and editing < len(self.session.turns):
                self.edit(editing)

    def action_model(self) -> None:
        if not self._may_leave():
            return
        try:
            found = self._choices()
        except VibeError as error:
            self.say(str(error), error=True)
            return
        now = self.session.solver.identity if self.session.solver else None
        current = next((one.name for one in found if now and one.is_called(now)), "")
        width = max((len(one.name) for one in found), default=0)
        rows = [f"{'•' if one.name == current else ' '} {one.name:<{width}}  {one.detail}" for one in found]

        def chosen(at: int | None) -> None:
            if at == len(found):
                hint = "NAME:QUANT, a .gguf file or a server's URL#MODEL · enter · esc"
                self.app.push_screen(Ask("Which model?", hint=hint), named)
            elif at is not None:
                named(found[at].name)

        def named(name: str | None) -> None:
            if name and name != current:
                self.take_model(name)

        self.app.push_screen(Pick("Which model?", [*rows, "  another …"]), chosen)

    def _choices(self) -> list[ModelChoice]:
        """The models that there are to choose from. Raises VibeError."""
        return [*self.session.models(), *(ModelChoice(name, "chosen before") for name in self.session.chosen)]

    def take_model(self, name: str) -> bool:
        """Take another model; False if that cannot be now."""
        if not self._may_leave():
            return False
        try:
            known = name in [one.name for one in self._choices()]
        except VibeError as error:
            self.say(str(error), error=True)
            return False
        self.session.use(name)
        if not known:
            self.session.chosen.append(name)
        self.unloaded = ""
        self.post_message(self.ModelWanted())
        self.show_around()
        return True

    # Actions: conversations

    async def action_new(self) -> None:
        if self._may_leave() and self._may_lose():
            await self._open(None)

    async def _open(self, conversation: int | None) -> None:
        """Leave this conversation for another, or a new one; a question that has been changed stays in the prompt."""
        self.composer.keep()
        if conversation is None:
            self.session.new()
        else:
            self.session.open(conversation)
        await self.show_conversation()

    def _may_leave(self) -> bool:
        """Whether the conversation can be left: not while it is being written."""
        if self.session.live:
            self.say(f"An answer is being written: {self._key('stop')} stops it first.")
        return self.session.live is None

    def _may_lose(self) -> bool:
        """Whether what could not be kept of the conversation may be lost: the second time it is left."""
        lost = [turn for turn in self.session.turns if not turn.id]
        if lost and lost != self._lost:
            self._lost = lost
            what = f"{len(lost)} turns" if lost[1:] else "The last turn"
            self.say(f"{what} could not be saved: {self._key('export')} exports the conversation. Once more leaves it.")
            return False
        return True

    async def show_conversation(self) -> None:
        await self.query_one(Transcript).show(self.session.turns)
        self.set_class(False, "-votes")
        if self.composer.editing is not None:
            self.edit(None)
        self.show_around()
        self.composer.write()

    def action_conversations(self) -> None:
        async def chosen(conversation: int | None) -> None:
            if conversation is None:
                if self.session.conversation is not None and self.session.listed is None and not self.session.live:
                    await self.action_new()  # it was deleted
                self.show_title()
            elif conversation != self.session.conversation and self._may_leave() and self._may_lose():
                await self._open(conversation)

        self.app.push_screen(Conversations(self.session.store, self.session.conversation, self.folder), chosen)

    def action_export(self) -> None:
        self._export("markdown")

    def action_export_json(self) -> None:
        self._export("json")

    def _export(self, form: Format) -> None:
        session, turns = self.session, self.session.written
        if not turns:
            self.say("There is nothing to export yet.")
            return
        listed = session.listed or Listed(0, name_of(turns[0]), time.time(), len(turns))  # where nothing can be kept
        try:
            self.say(f"Written: {export_stored(session.store, listed, form, self.folder, turns)}")
        except VibeError as error:
            self.say(str(error), error=True)

    def action_rename(self) -> None:
        if not (listed := self.session.listed):
            self.say(NOT_BEGUN)
            return

        def named(name: str | None) -> None:
            if name:
                self.take_rename(name)

        self.app.push_screen(Ask("Rename", listed.title), named)

    def take_rename(self, name: str) -> bool:
        """Give this conversation another title; False if that cannot be."""
        if not (listed := self.session.listed):
            self.say(NOT_BEGUN)
            return False
        try:
            self.session.store.rename(listed.id, name)
        except VibeError as error:
            self.say(str(error), error=True)
            return False
        self.show_title()
        return True

    # Actions: text

    def action_attach(self) -> None:
        def given(path: str | None) -> None:
            if path:
                self.take_attach(path)

        self.app.push_screen(Ask("Attach a text or code file", hint="its path · enter attaches · esc cancels"), given)

    def take_attach(self, path: str) -> bool:
        """Attach a file; False if it cannot be read."""
        try:
            self.composer.attach(read(path))
        except VibeError as error:
            self.say(str(error), error=True)
            return False
        return True

    def action_detach(self) -> None:
        self.composer.detach()

    def action_copy_answer(self) -> None:
        self._copy(self.session.turns[-1].answer if self.session.turns else "", "The answer")

    def action_copy_turn(self) -> None:
        turn = self.session.turns[-1] if self.session.turns else None
        self._copy(f"{turn.question}\n\n{turn.answer}" if turn else "", "The turn")

    def action_copy_code(self) -> None:
        from vibethinker_local.tui.text.document import code_blocks  # the Markdown reader: not for the first paint

        answer = self.session.turns[-1].answer if self.session.turns else ""
        blocks = code_blocks(answer)
        if answer and not blocks:
            self.say("There is no code block in the last answer.")
        elif len(blocks) < 2:
            self._copy("".join(blocks), "The code")
        else:
            self.app.push_screen(
                Pick("Copy which block?", [_first_line(block) for block in blocks]),
                lambda at: self._copy(blocks[at], "The code") if at is not None else None,
            )

    def _copy(self, text: str, what: str) -> None:
        if not text:
            self.say("There is nothing to copy yet.")
            return
        self.app.copy_to_clipboard(text)
        self.say(f"{what} was {SENT}.")

    async def action_example(self) -> None:
        if self._may_leave():
            await self.ask((paths.PACKAGE / "mini" / "example.txt").read_text(encoding="utf-8").strip())

    # Actions: look

    def action_votes(self) -> None:
        panel = self.query_one(VotesPanel)
        if self.session.votes and self.has_class("-votes") and not panel.has_focus:
            panel.enter()
        elif self.session.votes:
            self.toggle_class("-votes")
            self.call_after_refresh(self.show_votes)
            self.call_after_refresh(panel.enter if self.has_class("-votes") else self.composer.write)
        else:
            self.say(f"There is no vote to show: {self._key('reliability')}, then ask.")

    def action_votes_up(self) -> None:
        if self.session.queue:
            self.composer.take_back()
            return
        self.query_one(VotesPanel).scroll_page_up(animate=False)

    def action_votes_down(self) -> None:
        self.query_one(VotesPanel).scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        self.query_one(Transcript).scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        transcript = self.query_one(Transcript)
        if transcript.scroll_y + transcript.size.height < transcript.max_scroll_y:
            transcript.scroll_page_down(animate=False)
        else:  # from the end on, a page down would stop following
            self.action_bottom()

    def action_bottom(self) -> None:
        self.query_one(Transcript).scroll_end(animate=False)

    def action_help(self) -> None:
        self.app.push_screen(Help(self._keys))


def _first_line(block: str) -> str:
    lines = block.strip().splitlines() or [""]
    return f"{lines[0][:60]}  ({len(lines)} lines)"
