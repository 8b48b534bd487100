"""The reasoning, wrapped and bounded: the newest lines of what may be a very long text."""

import re

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip

MOST_ROWS = 2000
MOST_CHARACTERS = 100_000  # kept for another width


class Thoughts(ScrollView, can_focus=True):
    """A log that wraps. Text is added at its end; the screen follows unless the user has scrolled up."""

    ALLOW_SELECT = True
    MOST_HEIGHT = 14  # rows on the screen
    HELP = "The model's reasoning."

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._text = text[-MOST_CHARACTERS:]
        self._rows: list[str] = []
        self._height = 0  # rows on the screen
        self._width = 0  # cells, known from the first layout on
        self._open_rows = 0  # of the last line, which may go on
        self._open = ""

    @property
    def rows(self) -> list[str]:
        return self._rows

    def add(self, text: str) -> None:
        self._text = (self._text + text)[-2 * MOST_CHARACTERS :]
        if self._width:
            self._wrap(text)

    def clear(self) -> None:
        self._text = ""
        self._rewrap()

    def on_resize(self, event: events.Resize) -> None:
        width = max(10, self.scrollable_content_region.width)
        if width != self._width:
            self._width = width
            self._rewrap()

    def _rewrap(self) -> None:
        self._rows, self._open_rows, self._open = [], 0, ""
        self._text = self._text[-MOST_CHARACTERS:]
        self._wrap(self._text)

    def _wrap(self, text: str) -> None:
        follow = self.is_vertical_scroll_end
        del self._rows[len(self._rows) - self._open_rows :]
        *lines, last = (self._open + text).split("\n")
        for line in lines:
            self._rows += wrap(line, self._width)
        rows = wrap(last, self._width) if last else []
        if len(rows) > 50:  # a line without end: what is far back will not change any more
            self._rows += rows[:-1]
            rows = rows[-1:]
            last = rows[0]
        self._rows += rows
        self._open, self._open_rows = last, len(rows)
        del self._rows[: len(self._rows) - MOST_ROWS]
        self._resize_content()
        if follow:
            self.scroll_end(animate=False, immediate=True)
        self.refresh()

    def _resize_content(self) -> None:
        """Tell Textual how many rows there are. All is laid out again only while that changes the height."""
        size, height = Size(self._width, len(self._rows)), min(len(self._rows), self.MOST_HEIGHT) or 1
        if height != self._height:
            self.virtual_size, self._height = size, height
            self.styles.height = height
        else:
            self.set_reactive(ScrollView.virtual_size, size)
            self.vertical_scrollbar.window_virtual_size = size.height

    def render_line(self, y: int) -> Strip:
        scroll_x, scroll_y = self.scroll_offset
        at, style = y + scroll_y, self.rich_style
        text = self._rows[at] if at < len(self._rows) else ""
        segments = [Segment(text, style)]
        if self.text_selection and (span := self.text_selection.get_span(at)):
            start, end = span
            end = len(text) if end == -1 else end
            marked = self.screen.get_component_rich_style("screen--selection")
            pieces = ((text[:start], style), (text[start:end], style + marked), (text[end:], style))
            segments = [Segment(*piece) for piece in pieces]
        return Strip(segments).adjust_cell_length(self.size.width, style).apply_offsets(scroll_x, at)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        return selection.extract("\n".join(self._rows)), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()


def wrap(line: str, width: int) -> list[str]:
    """A line in rows of at most `width` cells, broken at spaces where there are any. Never empty."""
    line = line.expandtabs(4)
    if len(line) < width and line.isascii():
        return [line]
    rows, row, used = list[str](), "", 0
    for word in re.findall(r"\S+\s*|\s+", line):
        size = cell_len(word)
        if used + cell_len(word.rstrip()) > width and row:
            rows.append(row)
            row, used = "", 0
        if size > width:
            *full, word = chop_cells(word, width)
            rows += full
            size = cell_len(word)
        row, used = row + word, used + size
    return [*rows, row] if row or not rows else rows
