"""Where the user writes: several lines, a history, pastes of any size. Readline's keys do what they do there."""

import os
import re
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import TextArea
from textual.widgets.text_area import EditResult

from vibethinker_local.tui.actions import VALUES, slash_command, slashes
from vibethinker_local.tui.attachments import BEGUN, completions, editable

PASTE_CHARACTERS, PASTE_LINES = 4000, 80  # a longer paste becomes an attachment
NEWLINES = ("ctrl+j", "shift+enter", "alt+enter")


class Prompt(TextArea):
    """Enter sends, ctrl+j begins a line; up and down at the edges go through what was asked before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("alt+d", "delete_word_right", "Delete a word", tooltip="To its end.", id="prompt.word", show=False),
        Binding("ctrl+y", "yank", "Yank", tooltip="Bring back what was deleted.", id="prompt.yank", show=False),
        Binding("ctrl+underscore", "undo", "Undo", tooltip="The last change.", id="prompt.undo", show=False),
        Binding("ctrl+d", "delete_or_leave", "Delete", tooltip="Quit if empty.", id="prompt.delete", show=False),
    ]

    class Command(Message):
        """A command by its name behind the slash, which goes to no model, and what stands behind that."""

        def __init__(self, text: str, name: str, value: str) -> None:
            super().__init__()
            self.text, self.name, self.value = text, name, value

    class Empty(Message):
        """A key that means something else where there is no text."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    class Sent(Message):
        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Pasted(Message):
        """A paste that is too long to be edited here."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self) -> None:
        super().__init__(
            soft_wrap=True,
            show_line_numbers=False,
            tab_behavior="focus",
            highlight_cursor_line=False,
            placeholder="Ask a problem …",
            id="prompt",
        )
        self.asked: list[str] = []  # the oldest first
        self._at: int | None = None  # of `asked`, where what is shown was asked before
        self._edited: dict[int | None, str] = {}  # what became of each on the way; None: of what is being written
        self._killed = ""  # for ctrl+y

    def set_text(self, text: str) -> None:
        """Show a text that may come from elsewhere."""
        self.text = editable(text)
        self.move_cursor(self.document.end)

    @property
    def unsent(self) -> str:
        """What was written and not sent, also while what was asked before is shown in its place. Commands are not."""
        shown = "" if slash_command(self.text) else self.text
        if self._at is None:
            return shown
        changed = shown if shown != editable(self.asked[self._at]) else ""
        return "\n\n".join(filter(None, [self._edited.get(None, ""), changed]))

    def leave_history(self) -> None:
        """Show what was written and not sent, where something that was asked before is shown."""
        if self._at is not None:
            unsent, self._at = self.unsent, None
            self._edited.clear()
            self.set_text(unsent)

    def remember(self, text: str) -> None:
        """Note what has been sent; if it was taken from what was asked before, what was being written comes back."""
        if not self.asked or self.asked[-1] != text:
            self.asked.append(text)
        written = "" if self._at is None else self._edited.get(None, "")
        self._at = None
        self._edited.clear()
        if written:
            self.set_text("\n\n".join(filter(None, [written, self.text])))

    @property
    def mention(self) -> str | None:
        """The path that is being typed behind an @, as far as it is there; None if none is."""
        found = self._begun()
        return (found[1] if found[1] is not None else found[2]) if found else None

    def _begun(self) -> re.Match[str] | None:
        row, column = self.cursor_location
        return BEGUN.search(self.document[row][:column])

    def _complete(self) -> bool:
        """Go on with what is being typed, as far as it is clear; False if it is nothing that there is."""
        if (found := self._begun()) and self._complete_path(found):
            return True
        command = slash_command(self.text)
        return command is not None and self._complete_command(command[0])

    def _complete_path(self, mention: re.Match[str]) -> bool:
        """Go on with a path as far as it is clear; False if there is no such path."""
        quoted = mention[1] is not None
        begun = mention[1] if quoted else mention[2]
        if not (found := completions(begun)):
            return False
        path = os.path.commonprefix(found)  # noqa: RUF071 (characters, not folders)
        if len(path) > len(begun) or len(found) == 1:
            row, column = self.cursor_location
            whole = len(found) == 1 and not path.endswith("/")
            quote = '"' if quoted or re.search(r"\s", path) else ""
            text = f"@{quote}{path}" + (f"{quote} " if whole else "")
            self.replace(text, (row, mention.start()), (row, column))
        return True

    def _complete_command(self, begun: str) -> bool:
        """Go on with the name of a command as far as it is clear; False if there is none."""
        found = slashes(begun)
        if name := os.path.commonprefix(found):  # noqa: RUF071 (characters, not folders)
            self.set_text(f"/{name}" + " " * (found == [name] and name in VALUES))
        return bool(found)

    async def _on_key(self, event: events.Key) -> None:
        if not self.text and (event.key in ("left", "right") or (event.key == "down" and self._at is None)):
            event.stop()
            event.prevent_default()
            self.post_message(self.Empty(event.key))
        elif event.key == "tab" and self._complete():
            event.stop()
            event.prevent_default()
        elif event.key == "enter" and (command := slash_command(self.text)):
            event.stop()
            event.prevent_default()
            self.post_message(self.Command(self.text, *command))
            self.text = ""  # at once: the next key may be there before the message has arrived
        elif event.key == "enter":
            event.stop()
            event.prevent_default()
            self.post_message(self.Sent(self.text))
            self.text = ""
        elif event.key in NEWLINES:
            event.stop()
            event.prevent_default()
            self.insert("\n")
        elif event.key.startswith("alt+") and event.is_printable:
            event.prevent_default()  # a key of its own, or none: no letter of the text
        elif self._through_history(event.key):
            event.stop()
            event.prevent_default()  # else Textual goes on with TextArea's own handler

    def _through_history(self, key: str) -> bool:
        """At the first and the last row: a long line has several, through which up and down go."""
        at = self.cursor_location
        came_by_up = self._at is not None and at == self._first_line_end
        if key == "up" and (came_by_up or self.navigator.is_first_wrapped_line(at)):
            return self._older()
        return key == "down" and self.navigator.is_last_wrapped_line(at) and self._newer()

    @property
    def _first_line_end(self) -> tuple[int, int]:
        return 0, len(self.document[0])

    def _older(self) -> bool:
        if not self.asked or self._at == 0:
            return False
        self._show_asked((len(self.asked) if self._at is None else self._at) - 1)
        self.move_cursor(self._first_line_end)  # where up goes on
        return True

    def _newer(self) -> bool:
        if self._at is None:
            return False
        self._show_asked(self._at + 1 if self._at + 1 < len(self.asked) else None)
        return True

    def _show_asked(self, at: int | None) -> None:
        """Show what was asked before, or None: what was being written; a change to either stays until one is sent."""
        self._edited[self._at] = self.text
        self._at = at
        self.set_text(self._edited.get(at, "" if at is None else self.asked[at]))

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self.paste(event.text)

    def paste(self, text: str) -> None:
        """Put a text where the cursor is, or hand it on if it is too long; none leaves what is selected there."""
        if not text:
            return
        if len(text) > PASTE_CHARACTERS or text.count("\n") > PASTE_LINES:
            self.post_message(self.Pasted(text))
        else:
            self.move_cursor(self.replace(text, *self.selection, maintain_selection_offset=False).end_location)

    def get_cursor_line_start_location(self, smart_home: bool = False) -> tuple[int, int]:
        """Of the line, as readline has it, where it goes on in several rows."""
        row, _ = self.cursor_location
        return (
            (row, 0) if self.wrapped_document.get_offsets(row) else super().get_cursor_line_start_location(smart_home)
        )

    def get_cursor_line_end_location(self) -> tuple[int, int]:
        row, _ = self.cursor_location
        return row, len(self.document[row])

    def action_delete_or_leave(self) -> None:
        if self.text:
            self.action_delete_right()
        else:
            self.post_message(self.Empty("ctrl+d"))

    def action_yank(self) -> None:
        self.insert(self._killed)

    def _delete_via_keyboard(self, start: tuple[int, int], end: tuple[int, int]) -> EditResult | None:
        """Remember what a key deletes, unless it is one character."""
        if len(killed := self.get_text_range(*sorted((start, end)))) > 1:
            self._killed = killed
        return super()._delete_via_keyboard(start, end)
