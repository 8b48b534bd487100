"""A list of rows beside the prompt, to which up at its top leads back."""

from textual import events
from textual.message import Message
from textual.widgets import OptionList


class Rows(OptionList):
    """As tall as what it holds, unless its style says otherwise."""

    class Left(Message):
        """The prompt is wanted again."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id, markup=False)

    def enter(self) -> None:
        """Take the focus."""
        if self.highlighted is None:
            self.action_first()
        self.focus()

    def on_key(self, event: events.Key) -> None:
        first = next((at for at in range(self.option_count) if not self.get_option_at_index(at).disabled), 0)
        if event.key == "up" and self.highlighted in (None, first):
            event.stop()
            event.prevent_default()
            self.post_message(self.Left())
