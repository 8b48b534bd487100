"""The line at the top: what the conversation is called, and the two keys that lead to all others."""

from textual.content import Content
from textual.widgets import Static

from vibethinker_local.system.terminal import printable
from vibethinker_local.tui.text.markdown import readable

KEYS = "f1 help · ctrl+p palette"


class Title(Static):
    def __init__(self) -> None:
        super().__init__("", id="title", markup=False)
        self._title = ""

    def show(self, title: str) -> None:
        self._title = readable(printable(title))
        self.refresh()

    def render(self) -> Content:
        width = self.size.width
        title = Content(self._title or "New conversation").truncate(max(10, width - len(KEYS) - 4), ellipsis=True)
        gap = max(2, width - title.cell_length - len(KEYS))
        return Content.assemble(title.stylize("$foreground"), " " * gap, KEYS)
