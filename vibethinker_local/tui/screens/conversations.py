"""All conversations: find one, open it, rename, delete or export it."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from vibethinker_local.errors import UsageError
from vibethinker_local.system.terminal import printable
from vibethinker_local.tui.dates import moment
from vibethinker_local.tui.export import Format, export_stored
from vibethinker_local.tui.screens.dialogs import Ask
from vibethinker_local.tui.store import LISTED, Listed, Store
from vibethinker_local.tui.text.markdown import readable

NARROW = 60  # cells of a screen that has no room for more than titles and times
HINT = "enter opens · f2 renames · f8 deletes · f9 .md · f10 .json · esc"


class Conversations(ModalScreen[int | None]):
    """A list that a search narrows. Ends in the conversation to open, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Close", tooltip="Back to the chat.", id="conversations.close"),
        Binding("down", "move(1)", "Down", tooltip="The next one.", id="conversations.down", priority=True),
        Binding("up", "move(-1)", "Up", tooltip="The one before.", id="conversations.up", priority=True),
        Binding("f2", "rename", "Rename", tooltip="Give it another title.", id="conversations.rename", priority=True),
        Binding("f8", "delete", "Delete", tooltip="Twice, to be sure.", id="conversations.delete", priority=True),
        Binding("f9", "export('markdown')", "Markdown", tooltip="Export.", id="conversations.markdown", priority=True),
        Binding("f10", "export('json')", "JSON", tooltip="Export.", id="conversations.json", priority=True),
    ]

    def __init__(self, store: Store, current: int | None, folder: Path) -> None:
        """Exports go into the folder."""
        super().__init__()
        self._store, self._current, self._folder = store, current, folder
        self._found: list[Listed] = []
        self._doomed: int | None = None  # asked to be deleted once

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = "Conversations"
            yield Input(placeholder="Search …", id="search")
            yield OptionList(markup=False)
            yield Static(HINT, classes="hint", markup=False)

    def on_mount(self) -> None:
        self._search("")

    def on_resize(self) -> None:
        self._list(self.query_one(OptionList).highlighted or 0)  # titles take the room there is

    def on_input_changed(self, event: Input.Changed) -> None:
        self._search(event.value)

    def _search(self, text: str, keep: int = 0) -> None:
        self._found = self._store.search(text)
        self._doomed = None
        self._list(keep)
        count = self._store.count()
        shown = f"{len(self._found)} of {count:,}" if len(self._found) < count else f"{count:,}"
        more = " · search for the rest" if len(self._found) == LISTED < count and not text else ""
        self.query_one(".box").border_subtitle = Content(f"{shown}{more}").markup
        self._hint(HINT if count else "Nothing here yet: ask something first.")

    def _list(self, keep: int) -> None:
        """Show what was found."""
        options = self.query_one(OptionList)
        options.clear_options()
        whens = [moment(one.updated) if self.app.size.width < NARROW else _when(one) for one in self._found]
        widest = max(map(len, whens), default=0)
        lines = zip(self._found, whens, strict=True)
        options.add_options([Option(self._line(one, when.ljust(widest))) for one, when in lines])
        if self._found:
            options.highlighted = min(keep, len(self._found) - 1)

    def _line(self, found: Listed, when: str) -> Content:
        width = max(30, self.app.size.width * 9 // 10 - 10)
        room = min(width, 92) - len(when) - 3
        title = Content(readable(printable(found.title))).truncate(room, ellipsis=True)
        title = title.pad_right(max(0, room - title.cell_length))
        mark = "• " if found.id == self._current else "  "
        line = Content.assemble(mark, title, (f" {when}", "$text-muted"))
        if found.excerpt and found.excerpt.rstrip("…") not in found.title:
            line = Content.assemble(
                line, "\n    ", (Content(printable(found.excerpt)).truncate(width - 8).plain, "$text-muted")
            )
        return line

    def _hint(self, text: str) -> None:
        self.query_one(".hint", Static).update(Content(text))

    @property
    def _chosen(self) -> Listed | None:
        at = self.query_one(OptionList).highlighted
        return self._found[at] if at is not None and at < len(self._found) else None

    def on_input_submitted(self) -> None:
        if self._chosen:
            self.dismiss(self._chosen.id)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._found[event.option_index].id)

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        if self._found:
            options.highlighted = max(0, min(len(self._found) - 1, (options.highlighted or 0) + by))
            self._doomed = None
            self._hint(HINT)

    def _again(self) -> None:
        self._search(self.query_one(Input).value, self.query_one(OptionList).highlighted or 0)

    def action_rename(self) -> None:
        if not (chosen := self._chosen):
            return

        def renamed(name: str | None) -> None:
            if name:
                self._done(lambda: self._store.rename(chosen.id, name))

        self.app.push_screen(Ask("Rename", chosen.title), renamed)

    def action_delete(self) -> None:
        if not (chosen := self._chosen):
            return
        if self._doomed != chosen.id:
            self._doomed = chosen.id
            self._hint("f8 once more deletes it for good.")
            return
        self._done(lambda: self._store.delete(chosen.id))

    def _done(self, change: Callable[[], None]) -> None:
        """Make a change to the list, or say why it cannot be made."""
        try:
            change()
        except UsageError as error:
            self._hint(printable(str(error)))
        else:
            self._again()

    def action_export(self, form: Format) -> None:
        if chosen := self._chosen:
            try:
                path = export_stored(self._store, chosen, form, self._folder)
            except UsageError as error:
                self._hint(printable(str(error)))
            else:
                self._hint(f"Written: {path}")


def _when(found: Listed) -> str:
    return f"{moment(found.updated)} · {found.turns} turn{'s' if found.turns != 1 else ''} · {found.id}"
