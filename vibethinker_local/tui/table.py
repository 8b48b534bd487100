"""A Markdown table as lines of text, its columns no wider than they need to be."""

from textual.content import Content

LEAST = 4  # cells of a column
BETWEEN = " │ "


def table(headers: list[Content], rows: list[list[Content]], width: int) -> list[Content]:
    """The lines of a table, at most `width` cells wide if its columns can be that narrow."""
    columns = max(map(len, (headers, *rows)), default=0)
    if not columns:
        return []
    cells = [[*row, *[Content()] * (columns - len(row))] for row in (headers, *rows)]
    widths = [max(max(row[at].cell_length for row in cells), 1) for at in range(columns)]
    while sum(widths) + len(BETWEEN) * (columns - 1) > width and max(widths) > LEAST:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for number, row in enumerate(cells):
        wrapped = [cell.wrap(size) or [Content()] for cell, size in zip(row, widths, strict=True)]
        for at in range(max(map(len, wrapped))):
            parts = [part[at] if at < len(part) else Content() for part in wrapped]
            padded = [part.pad_right(max(0, size - part.cell_length)) for part, size in zip(parts, widths, strict=True)]
            line = Content.styled(BETWEEN, "$border").join(padded)
            lines.append(line.stylize_before("bold $primary") if number == 0 else line)
        if number == 0:
            lines.append(Content.styled("─┼─".join("─" * size for size in widths), "$border"))
    return lines
