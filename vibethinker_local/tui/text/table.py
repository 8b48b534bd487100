"""A Markdown table as lines of text, its columns no wider than they need to be."""

from textual.content import Content

LEAST = 8  # cells of a column that has more, while others can go below
BETWEEN = " │ "


def table(rows: list[list[Content]], sides: list[str], width: int) -> list[Content]:
    """The lines of a table, the first of its rows being the head.

    `sides` has "right" or "center" for columns that stand so. Columns without room go below, the first one repeated.
    """
    least = [min(LEAST, _widest(rows, at)) for at in range(len(sides))]
    parts, used = [[0]], least[0]
    for at in range(1, len(sides)):
        used += len(BETWEEN) + least[at]
        if used > width and len(parts[-1]) > 1:
            parts.append([0])
            used = least[0] + len(BETWEEN) + least[at]
        parts[-1].append(at)
    lines: list[Content] = []
    for part in parts:
        lines += [Content()] if lines else []
        lines += _part([[row[at] for at in part] for row in rows], [sides[at] for at in part], width)
    return lines


def _part(rows: list[list[Content]], sides: list[str], width: int) -> list[Content]:
    widths = [_widest(rows, at) for at in range(len(sides))]
    while sum(widths) + len(BETWEEN) * (len(widths) - 1) > width and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    lines = []
    for number, row in enumerate(rows):
        wrapped = [_wrapped(cell, size) for cell, size in zip(row, widths, strict=True)]
        for at in range(max(map(len, wrapped))):
            parts = [part[at] if at < len(part) else Content() for part in wrapped]
            padded = [_padded(*one) for one in zip(parts, sides, widths, strict=True)]
            line = Content.styled(BETWEEN, "$border").join(padded)
            lines.append(line.stylize_before("bold $primary") if number == 0 else line)
        if number == 0:
            lines.append(Content.styled("─┼─".join("─" * size for size in widths), "$border"))
    return lines


def _widest(rows: list[list[Content]], column: int) -> int:
    return max(1, *(line.cell_length for row in rows for line in _lines(row[column])))


def _lines(cell: Content) -> list[Content]:
    return cell.split("\n", allow_blank=True)


def _wrapped(cell: Content, width: int) -> list[Content]:
    return [part for line in _lines(cell) for part in ([line] if line.cell_length <= width else line.wrap(width))]


def _padded(text: Content, side: str, width: int) -> Content:
    space = max(0, width - text.cell_length)
    before = {"right": space, "center": space // 2}.get(side, 0)
    return text.pad(before, space - before)
