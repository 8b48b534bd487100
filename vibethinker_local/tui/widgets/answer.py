"""The model's visible text: formulas readable, code highlighted, nothing that a terminal would obey."""

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget

from vibethinker_local.tui.text.document import Document
from vibethinker_local.tui.text.markdown import MarkdownReader

MOST_CHARACTERS = 120_000  # shown; the export has all of it
MOST_LINE = 20_000  # characters; beyond that, laying out one line takes seconds
CUT = "\n\n…\n\n*The rest is not shown here; it is in the export.*"


class AnswerView(Widget):
    """Grows while the model writes. One widget however long it is, so that the screen is laid out quickly."""

    ALLOW_SELECT = True

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._reader, self._document = MarkdownReader(), Document()
        self._text = ""  # that is shown
        self.show(text)

    def grow(self, text: str) -> None:
        """Show more of the text."""
        if len(self._text) > MOST_CHARACTERS:
            return
        text = text if self._text else text.lstrip()
        self._text += text
        if markdown := self._reader.feed(text):
            self._add(markdown, final=False)

    def show(self, text: str) -> None:
        """Show this text, and nothing else. If it has grown here, most of it stays as it is."""
        text = _bounded(text.strip())
        if self._text.rstrip() != text:
            self._reader, self._document, self._text = MarkdownReader(), Document(self._document.width), text
            self._add(self._reader.feed(text), final=False)
        self._add(self._reader.flush(), final=True)

    def _add(self, markdown: str, *, final: bool) -> None:
        document, rows = self._document, len(self._document.rows)
        changed = document.settled
        document.add(markdown, final=final)
        if len(document.rows) == rows:
            self.refresh(Region(0, changed, self.size.width, rows - changed))
        else:
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        self._document.fit(width)
        return len(self._document.rows)

    def render_line(self, y: int) -> Strip:
        base, rows, width = self.visual_style, self._document.rows, self.size.width
        if y >= len(rows):
            return Strip.blank(width, base.rich_style)
        text = rows[y].text
        if self.text_selection and (span := self.text_selection.get_span(y)):
            start, end = span
            marked = Style.from_styles(self.screen.get_component_styles("screen--selection"))
            text = text.stylize(marked, start, None if end < 0 else end)
        parts = text.render(base, end="")
        strip = Strip([Segment(part, (base + style).rich_style) for part, style in parts])
        return strip.adjust_cell_length(width, base.rich_style).apply_offsets(0, y)

    def get_selection(self, selection: Selection) -> tuple[str, str]:
        """What is selected, without the rows' ends that are there for want of width alone."""
        copied = ""
        for y, row in enumerate(self._document.rows):
            if span := selection.get_span(y):
                start, end = span
                text = row.text.plain[max(start, row.edge) : None if end < 0 else end].rstrip()
                copied += (row.joint if copied else "") + text
        return copied, "\n"


def _bounded(text: str) -> str:
    """As much of a text as can be laid out in a moment."""
    if len(text) > MOST_CHARACTERS:
        text = text[:MOST_CHARACTERS] + CUT
    if max(map(len, text.split("\n"))) > MOST_LINE:
        text = "\n".join(line if len(line) <= MOST_LINE else line[:MOST_LINE] + CUT for line in text.split("\n"))
    return text
