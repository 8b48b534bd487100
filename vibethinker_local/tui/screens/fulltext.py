"""A text in full over the chat: an attachment, a solution of a vote, a claim; or two of them side by side."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from vibethinker_local.system.terminal import printable
from vibethinker_local.tui.pages import FullPage
from vibethinker_local.tui.widgets.answer import AnswerView


class FullText(ModalScreen[None]):
    """Shows one of its pages, or one and another beside it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss(None)", "Close", tooltip="Back to the chat.", id="reader.close"),
        Binding("left", "turn(-1)", "Before", tooltip="The page before.", id="reader.before", priority=True),
        Binding("right", "turn(1)", "After", tooltip="The page after.", id="reader.after", priority=True),
        Binding("b", "beside", "Beside", tooltip="Another page beside this one.", id="reader.beside"),
        Binding("up,k", "scroll(-2)", "Up", tooltip="Scroll up.", id="reader.up", priority=True),
        Binding("down,j", "scroll(2)", "Down", tooltip="Scroll down.", id="reader.down", priority=True),
        Binding("pageup", "scroll(-12)", "Page up", tooltip="Scroll up.", id="reader.page_up", priority=True),
        Binding("pagedown", "scroll(12)", "Page down", tooltip="Scroll down.", id="reader.page_down", priority=True),
    ]

    def __init__(self, pages: Sequence[FullPage], at: int = 0) -> None:
        super().__init__()
        self._pages, self._at = pages, at
        self._beside: int | None = None  # the page on the right

    def compose(self) -> ComposeResult:
        with Vertical(classes="box", id="reader"):
            with Horizontal():
                for side in ("left", "right"):
                    with VerticalScroll(id=f"reader-{side}", classes="page"):
                        yield Static("", classes="heading", markup=False)
                        yield AnswerView()
            yield Static(Content(self._hint), classes="hint", markup=False)

    @property
    def _hint(self) -> str:
        more = "←/→ other pages · b two side by side · " if len(self._pages) > 1 else ""
        return f"{more}up and down scroll · esc closes"

    def on_mount(self) -> None:
        self._show()

    def _show(self) -> None:
        for side, at in (("left", self._at), ("right", self._beside)):
            pane = self.query_one(f"#reader-{side}")
            pane.display = at is not None
            if at is not None:
                page = self._pages[at]
                pane.query_one(".heading", Static).update(Content.styled(printable(page.title), "bold $primary"))
                pane.query_one(AnswerView).show(page.text)
                pane.scroll_home(animate=False)

    def action_turn(self, by: int) -> None:
        count = len(self._pages)
        if self._beside is None:
            self._at = (self._at + by) % count
        else:
            self._beside = (self._beside + by) % count
            if self._beside == self._at:
                self._beside = (self._beside + by) % count
        self._show()

    def action_beside(self) -> None:
        if len(self._pages) > 1:
            self._beside = (self._at + 1) % len(self._pages) if self._beside is None else None
            self._show()

    def action_scroll(self, rows: int) -> None:
        for pane in self.query(".page"):
            pane.scroll_relative(y=rows, animate=False)
