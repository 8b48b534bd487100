"""The question that is being written: the prompt, and above it what goes with it and what can be done."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from vibethinker_local.errors import UsageError, VibeError
from vibethinker_local.solving.follow import short
from vibethinker_local.system.terminal import printable
from vibethinker_local.tui.actions import NAMED, key_of, slash_command, slashes
from vibethinker_local.tui.attachments import (
    completions,
    editable,
    is_folder,
    mentioned,
    missing,
    read,
    unmentioned,
    without_mention,
)
from vibethinker_local.tui.live import can_go_on
from vibethinker_local.tui.session import Queued, Session, Unsent
from vibethinker_local.tui.store import Attachment
from vibethinker_local.tui.widgets.chip import Chip
from vibethinker_local.tui.widgets.prompt import Prompt

MOST_WAITING = 2  # questions of which each is shown
MOST_FOUND = 12  # files that are listed while one is named


class Composer(Vertical):
    """Asks nothing itself: the screen takes the question when it is sent."""

    class Counted(Message):
        """Tokens of texts are known that were not."""

    def __init__(self, session: Session, keys: Mapping[str, str]) -> None:
        """`keys` are the user's own."""
        super().__init__()
        self.session, self._keys = session, keys
        self.editing: int | None = None  # the place of the turn that what is in the prompt will be a version of
        self._aside: tuple[str, list[Attachment]] = "", []  # what was in the prompt before a question was edited
        self._given: list[Attachment] = []  # files and pastes that go with the question without being named in it
        self._mentioned: dict[str, Attachment] = {}  # files that are named in the prompt, by their paths there
        self._unsent = False  # whether what was written last, by another run of the chat, has never been asked
        self._counts: dict[str, int] = {}  # tokens of texts
        self._counting = set[str]()  # texts that are being counted

    def compose(self) -> ComposeResult:
        yield Vertical(id="chips")
        yield Static("", id="hints", markup=False)
        yield Prompt()

    def on_mount(self) -> None:
        history = self.session.history()
        self._prompt.asked = [text for text, _ in history]
        self._unsent = bool(history) and not history[-1][1]

    @property
    def _prompt(self) -> Prompt:
        return self.query_one(Prompt)

    # What goes with the question

    @property
    def attachments(self) -> list[Attachment]:
        """What goes with the question that is in the prompt, as far as it is counted; what it names stands last."""
        found = {(one.name, one.text): one for one in (*self._given, *self._mentioned.values())}  # each once
        return [replace(one, tokens=self._counts.get(one.text, one.tokens)) for one in found.values()]

    def attach(self, attachment: Attachment) -> None:
        self._given.append(attachment)
        self.show()

    def detach(self) -> None:
        self._given = []
        self._forget_mentions(self._mentioned)
        self.show()

    def _forget_mentions(self, paths: Iterable[str]) -> None:
        """Leave the paths in the prompt as text that attaches nothing."""
        for path in paths:
            self._prompt.set_text(without_mention(self._prompt.text, path))

    def on_prompt_pasted(self, event: Prompt.Pasted) -> None:
        self.attach(Attachment("pasted text", event.text))

    def on_chip_removed(self, event: Chip.Removed) -> None:
        gone = event.attachment
        self._given = [one for one in self._given if not _same(one, gone)]
        self._forget_mentions([path for path, one in self._mentioned.items() if _same(one, gone)])
        self.write()
        self.show()

    def _too_long(self, attached: Sequence[Attachment]) -> str:
        """Why what is attached cannot be sent; "" if it can be."""
        tokens, context = sum(one.tokens for one in attached), self.session.solver.context if self.session.solver else 0
        if not context or tokens < context:
            return ""
        return f"{tokens:,} tokens are attached, and the context holds {context:,}: remove some (shift+tab, backspace)."

    def tokens(self, *texts: str) -> int:
        """How many tokens texts have; those that are not counted yet do not show, and `Counted` tells when they do."""
        solver = self.session.solver
        new = [text for text in texts if text not in self._counts and text not in self._counting]
        if solver and new:
            self._counting.update(new)

            def count() -> None:
                try:
                    counts = {text: solver.count(text) for text in new}
                except VibeError:
                    counts = {}
                self.app.call_from_thread(self._counted, counts)

            self.run_worker(count, thread=True, exit_on_error=False, group="count")
        return sum(self._counts.get(text, 0) for text in texts)

    def _counted(self, counts: Mapping[str, int]) -> None:
        self._counts.update(counts)
        self._counting.clear()
        if counts:
            self.show()
            self.post_message(self.Counted())

    def recount(self) -> None:
        """Count anew: there was no model yet, or another one, which has other tokens."""
        self._counts.clear()
        self.show()

    # The question

    def write(self, text: str = "") -> None:
        """Go on in the prompt, with a text that was typed or pasted elsewhere."""
        self._prompt.focus()
        self._prompt.paste(text)

    def put_back(self, text: str) -> None:
        """Show what was sent and could not be taken, before what has been typed since."""
        self._prompt.set_text(text + self._prompt.text)

    def take(self, text: str) -> Queued | None:
        """The question that has been sent, with what goes with it; None if it is empty.

        Raises UsageError if what goes with it cannot be sent; then all is in the prompt again.
        """
        self._mentioned, unreadable = _read_mentioned(text)
        attachments = self.attachments
        if not text.strip() and not attachments:
            return None
        if wrong := self._too_long(attachments) or unreadable:
            self.put_back(text)
            raise UsageError(wrong)
        if text.strip():
            self._prompt.remember(text)
            self._unsent = False
        place, self.editing = self.editing, None
        if place is not None and not self.has_changed(place):  # another one was asked in its place
            self._prompt.text = ""
        self._given = []
        if place is not None:
            self._bring_back()
        return Queued(text.strip(), attachments, place)

    def take_back(self) -> None:
        """Take what waits into the prompt, before what is there."""
        waiting, self.session.queue = self.session.queue, []
        self._prompt.set_text("\n\n".join(filter(None, [*(one.question for one in waiting), self._prompt.text])))
        given = (a for one in waiting for a in unmentioned(one.question, one.attachments))
        self._given = [*given, *self._given]
        self.show()

    def edit(self, place: int | None) -> None:
        """Begin to edit the question at a place, or leave it as it was."""
        prompt = self._prompt
        prompt.leave_history()
        if self.editing is None:
            self._aside = prompt.text, self._given
        self.editing = place
        if place is None:
            prompt.text, self._given = "", []
            self._bring_back()
        else:
            turn = self.session.turns[place]
            self._given = unmentioned(turn.question, turn.attachments)  # what it names is read anew
            prompt.set_text(turn.question)
        prompt.focus()
        self.show()

    def keep(self) -> None:
        """Edit nothing any more; a question that has been changed stays in the prompt."""
        if self.editing is not None and self.has_changed(self.editing):
            self.editing = None
            self._prompt.leave_history()
            self._bring_back()

    def _bring_back(self) -> None:
        """Give back what was in the prompt before a question was edited."""
        (text, given), self._aside = self._aside, ("", [])
        self._given = [*given, *self._given]
        if text:
            self._prompt.set_text("\n\n".join(filter(None, [text, self._prompt.text])))

    def has_changed(self, place: int) -> bool:
        """Whether the prompt has something else than the question at a place, or something else is attached to it."""
        if place >= len(self.session.turns):
            return True
        turn = self.session.turns[place]
        was = editable(turn.question), unmentioned(turn.question, turn.attachments)
        return (self._prompt.text, self._given) != was

    # What is shown

    def on_text_area_changed(self) -> None:
        self.show()

    def show(self) -> None:
        """Show what goes with the question, and what can be done."""
        self._mentioned, _ = _read_mentioned(self._prompt.text)  # what cannot be read is said when it is sent
        self._note_unsent()
        attached = self.attachments
        self._show_chips(attached)
        rows = [Content(row) for row in (*self._editing_row(), *self._waiting_rows())]
        if too_long := self._too_long(attached):
            rows.append(Content.styled(too_long, "$text-error"))
        rows += [Content(row) for row in self._rows_of_prompt()]
        hints = self.query_one("#hints", Static)
        hints.update(Content("\n").join(rows))
        hints.display = bool(rows)
        self.tokens(*(one.text for one in attached if not one.tokens))

    def _editing_row(self) -> Iterable[str]:
        if self.editing is not None:
            count = len(self.session.turns) + (self.session.live is not None)
            where = f"question {self.editing + 1} of {count}"
            before = f"{self._key('edit')}: the one before · " if self.editing else ""
            yield f"{where} · enter asks it as another version · {before}{self._key('stop')} keeps it"

    def _waiting_rows(self) -> Iterable[str]:
        waiting = [short(printable(one.question), 60) for one in self.session.queue]
        if len(waiting) > MOST_WAITING:  # the rows below are wanted, too
            yield f"next: {waiting[0]} · and {len(waiting) - 1} more, the last: {waiting[-1]}"
        else:
            yield from (f"next: {one}" for one in waiting)
        if waiting:
            yield f"{self._key('votes_up')} takes {'them' if waiting[1:] else 'it'} back"

    def _rows_of_prompt(self) -> Iterable[str]:
        """What can be done with what is in the prompt, or without anything there."""
        prompt = self._prompt
        last = self.session.turns[-1] if self.session.turns and not self.session.live else None
        if last and can_go_on(last) and self.editing is None and not prompt.text:
            yield f"{self._key('go_on')} goes on with the answer"
        if self._unsent and not prompt.text:
            yield "up brings back what was not sent"
        if (command := slash_command(prompt.text)) and not command[1]:
            yield "  ".join(f"/{name}" for name in slashes(command[0]))
        if (begun := prompt.mention) is not None and (found := completions(begun)) not in ([], [begun]):
            names = "  ".join(printable(one.removesuffix("/").rpartition("/")[2]) for one in found[:MOST_FOUND])
            yield f"tab: {names}{' …' if len(found) > MOST_FOUND else ''}"

    def _key(self, action: str) -> str:
        return key_of(NAMED[action], self._keys)

    def _show_chips(self, attached: Sequence[Attachment]) -> None:
        chips = self.query_one("#chips")
        there = [chip.attachment for chip in chips.query(Chip)]
        if [(one.name, one.text) for one in there] == [(one.name, one.text) for one in attached]:
            for chip, one in zip(chips.query(Chip), attached, strict=True):
                chip.show(one)
        else:
            chips.remove_children()
            chips.mount_all([Chip(one, removable=True) for one in attached])
        chips.display = bool(attached)

    def _note_unsent(self) -> None:
        """Tell the session what there is to be kept of what has not been sent."""
        text, given = self._aside
        unsent: list[Unsent] = [(text, tuple(given))]
        if self.editing is None or self.has_changed(self.editing):
            unsent.append((self._prompt.unsent, tuple(self._given)))
        self.session.unsent = unsent

    def on_resize(self) -> None:
        """Show messages above the prompt and the hints, however tall these are."""
        below = self.screen.size.height - self.region.y
        for messages in self.screen.query("ToastRack"):  # none in an app that shows no messages
            messages.styles.margin = (0, 1, below + 1, 0)


def without_files(asked: Queued) -> str:
    """That a question names files which are not there; "" if it does not."""
    known = {one.name for one in asked.attachments}  # from before, where it is edited
    unknown = [path for path in missing(asked.question) if Path(path).name not in known]
    named = " or ".join(f"{path} (that is a folder)" if is_folder(path) else path for path in unknown)
    return f"There is no file {named}: the question goes as it stands." if named else ""


def _read_mentioned(text: str) -> tuple[dict[str, Attachment], str]:
    """The files that a text names, by their paths there; and why the first cannot be read, "" if all can be."""
    found: dict[str, Attachment] = {}
    wrong = ""
    for path in mentioned(text) if "@" in text else ():
        try:
            found[path] = read(path)
        except VibeError as error:
            wrong = wrong or str(error)
    return found, wrong


def _same(one: Attachment, other: Attachment) -> bool:
    return (one.name, one.text) == (other.name, other.text)  # counted or not
