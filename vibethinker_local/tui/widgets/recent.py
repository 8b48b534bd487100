"""The last conversations, on the first screen: down in an empty prompt goes there, enter opens one."""

from collections.abc import Sequence

from textual.content import Content
from textual.message import Message
from textual.widgets.option_list import Option

from vibethinker_local.system.terminal import printable
from vibethinker_local.tui.dates import moment
from vibethinker_local.tui.store import Listed
from vibethinker_local.tui.text.markdown import readable
from vibethinker_local.tui.widgets.rows import Rows

MOST = 5
WIDEST = 100  # cells


class Recent(Rows):
    """Titles, the newest first."""

    class Resumed(Message):
        def __init__(self, conversation: int) -> None:
            super().__init__()
            self.conversation = conversation

    def __init__(self) -> None:
        super().__init__("recent")
        self._listed: Sequence[Listed] = ()

    def show(self, listed: Sequence[Listed]) -> None:
        """Show these conversations."""
        if listed == self._listed:
            return
        self._listed = listed
        self.clear_options()
        whens = [_when(one) for one in listed]
        widest = max(map(len, whens), default=0)
        self.add_options([Option(self._line(one, when.ljust(widest))) for one, when in zip(listed, whens, strict=True)])

    def on_resize(self) -> None:
        listed, self._listed = self._listed, ()
        self.show(listed)  # titles take the room there is

    def _line(self, listed: Listed, when: str) -> Content:
        room = min(WIDEST, self.app.size.width - 8) - len(when) - 2
        title = Content(readable(printable(listed.title))).truncate(max(10, room), ellipsis=True)
        return Content.assemble(title.pad_right(max(0, room - title.cell_length)), ("  " + when, "$text-muted"))

    def on_blur(self) -> None:
        self.highlighted = None

    def on_option_list_option_selected(self, event: Rows.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Resumed(self._listed[event.option_index].id))


def _when(listed: Listed) -> str:
    return f"{moment(listed.updated)} · {listed.turns} turn{'s' if listed.turns != 1 else ''}"
