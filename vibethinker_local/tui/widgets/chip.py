"""A file or a long paste that goes with a question: its name and size in one row, which enter opens."""

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from vibethinker_local.system.terminal import printable
from vibethinker_local.tui.attachments import label
from vibethinker_local.tui.store import Attachment


class Chip(Static, can_focus=True):
    """Focused with tab or shift+tab."""

    class Read(Message):
        def __init__(self, attachment: Attachment) -> None:
            super().__init__()
            self.attachment = attachment

    class Removed(Message):
        def __init__(self, attachment: Attachment) -> None:
            super().__init__()
            self.attachment = attachment

    HELP = "An attachment."

    def __init__(self, attachment: Attachment, *, removable: bool = False) -> None:
        super().__init__(classes="chip", markup=False)
        self.attachment, self._removable = attachment, removable

    def show(self, attachment: Attachment) -> None:
        """Show the same one, with its tokens counted perhaps."""
        self.attachment = attachment
        self.refresh(layout=True)

    def render(self) -> Content:
        keys = " · enter opens" + (" · backspace removes" if self._removable else "") if self.has_focus else ""
        return Content.assemble((f"▤ {printable(label(self.attachment))}", "$accent"), (keys, "$text-muted"))

    def watch_has_focus(self, value: bool) -> None:
        super().watch_has_focus(value)
        self.refresh(layout=True)

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Read(self.attachment))

    def on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            self.post_message(self.Read(self.attachment))
        elif event.key in ("backspace", "delete") and self._removable:
            self.post_message(self.Removed(self.attachment))
        else:
            return
        event.stop()
        event.prevent_default()
