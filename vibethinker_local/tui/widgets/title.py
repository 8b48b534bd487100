"""The line at the top: what the conversation is called, and the two keys that lead to all others."""

from collections.abc import Mapping

from textual.content import Content
from textual.widgets import Static

from vibethinker_local.system.terminal import printable
from vibethinker_local.tui.actions import NAMED, key_of
from vibethinker_local.tui.text.markdown import readable

LEAST = 20  # cells for a title beside both keys


class Title(Static):
    def __init__(self, keys: Mapping[str, str]) -> None:
        """`keys` are the user's own."""
        super().__init__("", id="title", markup=False)
        self._title = ""
        self._keys = [f"{key_of(NAMED[action], keys)} {action}" for action in ("help", "palette")]

    def show(self, title: str) -> None:
        self._title = readable(printable(title))
        self.refresh()

    def render(self) -> Content:
        width, keys = self.size.width, " · ".join(self._keys)
        if width < len(keys) + LEAST:
            keys = self._keys[0]
        title = Content(self._title or "New conversation").truncate(max(10, width - len(keys) - 4), ellipsis=True)
        gap = max(2, width - title.cell_length - len(keys))
        return Content.assemble(title.stylize("$foreground"), " " * gap, keys)
