"""The help, made from the table of actions and the keys in force."""

import textwrap
from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from vibethinker_local.tui.actions import GROUPS, PROMPT_KEYS, key_of

KEY_CELLS = 22
LEAST = 24  # cells for what a key does, beside it


class Help(ModalScreen[None]):
    """Every action with its key."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,q,enter", "dismiss", "Close", tooltip="Back to the chat.", id="help.close"),
        Binding("up,k", "scroll(-1)", "Up", tooltip="Scroll up.", id="help.up"),
        Binding("down,j", "scroll(1)", "Down", tooltip="Scroll down.", id="help.down"),
    ]

    def __init__(self, keys: Mapping[str, str]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box", id="page", can_focus=True) as box:
            box.border_title, box.border_subtitle = "Help", "esc closes"
            yield Page(self._keys)

    def action_scroll(self, lines: int) -> None:
        self.query_one("#page").scroll_relative(y=lines * 2, animate=False)


class Page(Static):
    """The text of the help, in two columns."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        super().__init__(markup=False)
        self._keys = keys

    def render(self) -> Content:
        rows, width = list[Content](), self.size.width
        for name, actions in GROUPS.items():
            rows.append(Content.styled(name, "bold $primary"))
            rows += [
                _row(key_of(action, self._keys) or "palette", f"{action.title}. {action.help}", width)
                for action in actions
            ]
            rows.append(Content(""))
        rows.append(Content.styled("Prompt", "bold $primary"))
        rows += [_row(key, text, width) for key, text in PROMPT_KEYS.items()]
        rows += [
            Content(""),
            Content(
                "Keys are changed in [keys] of config.toml; `vibe config` says where that is. What is selected with "
                "the mouse, ctrl+c copies. Conversations stay on this machine."
            ),
        ]
        return Content("\n").join(rows)


def _row(key: str, text: str, width: int) -> Content:
    """A key, and what it does beside it; below it, where there is no room beside."""
    beside = width >= KEY_CELLS + 2 + LEAST
    edge = KEY_CELLS + 2 if beside else 4
    lines = [" " * edge + line for line in textwrap.wrap(text, max(LEAST, width - edge))]
    lines = lines if beside else ["", *lines]
    first = Content.assemble((f"  {key:<{edge - 2}}", "$accent"), lines[0][edge:])
    return Content("\n").join([first, *map(Content, lines[1:])])
