"""The turns of a conversation, the newest at the bottom. Follows what is written until the user scrolls up."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from vibethinker_local.tui.store import Turn

if TYPE_CHECKING:
    from vibethinker_local.tui.widgets.turn import TurnView

AT_ONCE = 8  # turns that are laid out when a conversation is opened; the rest when the user gets there


class Transcript(VerticalScroll):
    """Scrolls with the keyboard while the prompt has the focus: page up and down, ctrl+end."""

    class AtEnd(Message):
        """Whether the end is in sight has changed."""

        def __init__(self, at_end: bool) -> None:
            super().__init__()
            self.at_end = at_end

    def __init__(self, keys: Mapping[str, str]) -> None:
        """`keys` are the user's own."""
        super().__init__(can_focus=False)
        self._keys = keys
        self._earlier: list[Turn] = []
        self._at_end = True

    def compose(self) -> ComposeResult:
        with Vertical(id="turns"):  # as high as the screen at least: a short conversation stands at the top
            yield Static("", id="earlier", markup=False)

    def on_mount(self) -> None:
        self.query_one("#earlier").display = False
        self.anchor()

    @property
    def views(self) -> "list[TurnView]":
        return cast("list[TurnView]", list(self.query("TurnView")))

    async def show(self, turns: list[Turn]) -> None:
        """Show a conversation from its end."""
        with self.app.batch_update():
            await self.query("TurnView").remove()
            self._earlier = turns[:-AT_ONCE]
            await self.query_one("#turns").mount_all([self._view_of(turn) for turn in turns[-AT_ONCE:]])
            self._note_earlier()
        self.anchor()

    async def add(self, turn: Turn) -> "TurnView":
        for old in self.views[: 1 - AT_ONCE]:
            self._earlier.append(old.turn)
            await old.remove()
        self._note_earlier()
        view = self._view_of(turn)
        await self.query_one("#turns").mount(view)
        self.anchor()
        return view

    async def cut(self, place: int) -> None:
        """Take away the turns from a place on."""
        for view in self.views[max(0, place - len(self._earlier)) :]:
            await view.remove()
        del self._earlier[place:]
        self._note_earlier()

    async def show_earlier(self) -> None:
        """Lay out some more of the turns above, without moving what is in sight."""
        if not self._earlier:
            return
        turns, self._earlier = self._earlier[-AT_ONCE:], self._earlier[:-AT_ONCE]
        before = self.virtual_size.height
        await self.query_one("#turns").mount_all([self._view_of(turn) for turn in turns], after="#earlier")
        self._note_earlier()
        self.call_after_refresh(
            lambda: self.scroll_to(y=self.scroll_y + self.virtual_size.height - before, animate=False)
        )

    def _view_of(self, turn: Turn) -> "TurnView":
        from vibethinker_local.tui.widgets.turn import TurnView  # the Markdown reader and all: not for the first paint

        return TurnView(turn, self._keys)

    def mark(self, place: int | None) -> None:
        """Mark the turn at a place, whose question is being edited, and bring it into sight; None: no turn."""
        for at, view in enumerate(self.views, len(self._earlier)):
            view.set_class(at == place, "-editing")
            if at == place:
                view.scroll_visible(animate=False, top=True)

    def _note_earlier(self) -> None:
        note = self.query_one("#earlier", Static)
        count = len(self._earlier)
        note.update(Content(f"▴ {count:,} earlier turn{'s' if count > 1 else ''}"))
        note.display = bool(count)

    def on_resize(self) -> None:
        self.call_after_refresh(self.note_end)

    async def on_click(self) -> None:
        if self.scroll_y <= 1:
            await self.show_earlier()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.note_end()
        if new_value <= 0 < old_value and self._earlier:
            self.run_worker(self.show_earlier(), exclusive=True, group="earlier")

    def note_end(self) -> None:
        """Tell the screen whether the end is in sight."""
        at_end = self.scroll_y >= self.max_scroll_y - 1
        if at_end != self._at_end:
            self._at_end = at_end
            self.post_message(self.AtEnd(at_end))
