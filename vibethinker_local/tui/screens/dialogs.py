"""Small questions over the chat: one line of text, or one of a few things."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from vibethinker_local.system.terminal import printable


class Ask(ModalScreen[str | None]):
    """Asks for one line; None if the user thinks better of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel", tooltip="Close without doing anything.", id="dialog.cancel")
    ]

    def __init__(self, title: str, value: str = "", hint: str = "") -> None:
        super().__init__()
        self._title, self._value, self._hint = title, value, hint

    def compose(self) -> ComposeResult:
        with Vertical(classes="box small") as box:
            box.border_title = Content(self._title).markup
            yield Input(printable(self._value), select_on_focus=False)
            yield Static(Content(self._hint or "enter accepts · esc cancels"), classes="hint", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)


class Pick(ModalScreen[int | None]):
    """Asks for one of several things; its number, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Cancel", tooltip="Close without doing anything.", id="pick.cancel")
    ]

    def __init__(self, title: str, items: list[str]) -> None:
        super().__init__()
        self._title, self._items = title, items

    def compose(self) -> ComposeResult:
        with Vertical(classes="box small") as box:
            box.border_title = Content(self._title).markup
            yield OptionList(*(Content(printable(item)) for item in self._items), markup=False)
            yield Static(Content("enter chooses · esc cancels"), classes="hint", markup=False)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_index)
