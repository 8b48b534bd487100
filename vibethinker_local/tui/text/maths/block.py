"""Nodes as a block of lines: fractions, sums, matrices and cases as they are written on paper."""

from dataclasses import dataclass
from itertools import chain

from rich.cells import cell_len

from vibethinker_local.tui.text.maths import symbols
from vibethinker_local.tui.text.maths.latex import (
    Boxed,
    Fenced,
    Fraction,
    Grid,
    Kind,
    LatexSymbol,
    Node,
    Root,
    Row,
    Scripts,
)
from vibethinker_local.tui.text.maths.line import kind_of, linear, lowered, raised, spaced

_FENCE_PARTS = {
    "(": "⎛⎜⎝",
    ")": "⎞⎟⎠",
    "[": "⎡⎢⎣",
    "]": "⎤⎥⎦",
    "|": "│││",
    "‖": "║║║",
    "⌊": "⎢⎢⎣",
    "⌋": "⎥⎥⎦",
    "⌈": "⎡⎢⎢",
    "⌉": "⎤⎥⎥",
}
_BRACES = {"{": "⎧⎪⎨⎩", "}": "⎫⎪⎬⎭"}


@dataclass(frozen=True)
class Box:
    """Lines of equal width in cells; `base` is the one that continues the text."""

    lines: tuple[str, ...]
    base: int = 0

    @property
    def width(self) -> int:
        return max(map(cell_len, self.lines))  # a line with a character that joins its neighbours may be narrower

    @property
    def flat(self) -> bool:
        return len(self.lines) == 1


def text_lines(node: Node) -> list[str]:
    """A node as lines, without room around it."""
    found = [line.rstrip() for line in _box(node).lines]
    indent = min((len(line) - len(line.lstrip()) for line in found if line), default=0)
    return [line[indent:] for line in found]


def _box(node: Node | None) -> Box:
    """As a block of lines."""
    match node:
        case Row():
            return _row([(_box(item), kind_of(item)) for item in node.items])
        case Fraction(above, below, bar):
            top, bottom = _box(above), _box(below)
            width = max(top.width, bottom.width) + (2 if bar else 0)
            rule = ("─" * width,) if bar else ()
            lines = _centred(top, width) + rule + _centred(bottom, width)
            return Box(lines, len(top.lines) if bar else len(top.lines) - 1)
        case Scripts(base, below, above) if _stacks(base):
            return _stacked(_box(base), _small(below), _small(above))
        case Scripts(base, below, above) if not (body := _box(base)).flat:
            return _scripted(body, linear(below, tight=True), linear(above, tight=True))
        case Root(body, degree) if not (inner := _box(body)).flat:
            return _root(inner, raised(linear(degree, tight=True)))
        case Boxed(body):
            return _boxed(_box(body))
        case Fenced(left, body, right):
            return _fenced(left, _box(body), right)
        case Grid(rows, aligned):
            return _grid(rows, aligned=aligned)
        case _:
            return Box((linear(node),))


def _small(node: Node | None) -> Box | None:
    return Box((linear(node, tight=True),)) if node is not None else None


def _stacked(middle: Box, under: Box | None, over: Box | None) -> Box:
    """With the indices of a sum above and below."""
    width = max(part.width for part in (middle, under, over) if part)
    top = _centred(over, width) if over else ()
    bottom = _centred(under, width) if under else ()
    return Box(top + _centred(middle, width) + bottom, len(top) + middle.base)


def _scripted(body: Box, index: str, power: str) -> Box:
    """With an index at the lowest line, and a power at the highest."""
    power, index = raised(power) or power, lowered(index) or index
    width, last = max(cell_len(power), cell_len(index)), len(body.lines) - 1
    ends = [_padded(power if at == 0 else index if at == last else "", width) for at in range(last + 1)]
    return Box(tuple(line + end for line, end in zip(body.lines, ends, strict=True)), body.base)


def _root(inner: Box, degree: str) -> Box:
    lead, last = max(1, cell_len(degree)), len(inner.lines) - 1
    top = _padded(degree, lead) + " ┌" + "─" * inner.width
    sides = [" " * lead + ("╲│" if at == last else " │") + line for at, line in enumerate(inner.lines)]
    return Box((top, *sides), inner.base + 1)


def _boxed(inner: Box) -> Box:
    rule = "─" * (inner.width + 2)
    return Box((f"┌{rule}┐", *(f"│ {line} │" for line in inner.lines), f"└{rule}┘"), inner.base + 1)


def _stacks(base: Node) -> bool:
    """Whether indices stand above and below, as with sums and limits."""
    if not isinstance(base, LatexSymbol):
        return False
    large = base.kind == "large" and base.text not in symbols.INTEGRALS
    return large or base.text in symbols.UNDER or base.kind == "relation"


def _row(parts: list[tuple[Box, Kind]]) -> Box:
    """Side by side on one baseline, spaced as a line is."""
    if all(box.flat for box, _ in parts):
        return Box((spaced([(box.lines[0], kind) for box, kind in parts], tight=False),))
    above = max(box.base for box, _ in parts)
    below = max(len(box.lines) - box.base for box, _ in parts)
    # The spaces are found on the baseline, where every block stands as a run of one private character.
    marks = [("\ue020" * box.width if not box.flat else box.lines[0], kind) for box, kind in parts]
    base = spaced(marks, tight=False)
    lines = []
    for at in range(-above, below):
        line, rest = "", base
        for box, _ in parts:
            if box.flat or not box.width:  # an empty matrix leaves no mark
                continue
            start = rest.index("\ue020")
            row = at + box.base
            piece = box.lines[row] if 0 <= row < len(box.lines) else " " * box.width
            line += (rest[:start] if at == 0 else " " * cell_len(rest[:start])) + piece
            rest = rest[start + box.width :]
        lines.append(line + (rest if at == 0 else " " * cell_len(rest)))
    return Box(tuple(lines), above)


def _fenced(left: str, body: Box, right: str) -> Box:
    if body.flat:
        return Box((left + body.lines[0] + right,))
    height = len(body.lines)
    lefts, rights = _tall(left, height, body.base), _tall(right, height, body.base)
    base = body.base
    return Box(
        tuple(
            f"{a}{' ' if a and a in '⎧⎪⎨⎩' else ''}{line}{b}"
            for a, line, b in zip(lefts, body.lines, rights, strict=True)
        ),
        base,
    )


def _tall(fence: str, height: int, base: int) -> list[str]:
    """A delimiter as high as what it holds."""
    if parts := _FENCE_PARTS.get(fence):
        return [parts[0], *[parts[1]] * (height - 2), parts[2]]
    if braces := _BRACES.get(fence):
        if height == 2:
            return [braces[0], braces[3]]
        middle = min(max(base, 1), height - 2)
        return [braces[0], *(braces[2] if at == middle else braces[1] for at in range(1, height - 1)), braces[3]]
    return [fence if at == base else " " * cell_len(fence) for at in range(height)]


def _grid(rows: tuple[tuple[Node, ...], ...], *, aligned: bool) -> Box:
    boxes = [[_box(cell) for cell in row] for row in rows]
    columns = max(len(row) for row in boxes)
    widths = [max((row[at].width for row in boxes if at < len(row)), default=0) for at in range(columns)]
    lines: list[str] = []
    for number, row in enumerate(boxes):
        above, below = max(box.base for box in row), max(len(box.lines) - box.base for box in row)
        if number and above + below > 1:
            lines.append("")
        for at in range(-above, below):
            cells = []
            for column, width in enumerate(widths):
                box = row[column] if column < len(row) else Box(("",))
                text = box.lines[at + box.base] if 0 <= at + box.base < len(box.lines) else ""
                right = aligned and column % 2 == 0 and columns > 1
                cells.append(_padded(text, width, right=right))
            between = [(" " if at % 2 else "    ") if aligned else "  " for at in range(1, columns)]
            lines.append("".join(chain.from_iterable(zip(cells, [*between, ""], strict=True))))
    width = max(map(cell_len, lines))
    return Box(tuple(_padded(line, width) for line in lines), (len(lines) - 1) // 2)


def _centred(box: Box, width: int) -> tuple[str, ...]:
    left = (width - box.width) // 2
    return tuple(_padded(" " * left + line, width) for line in box.lines)


def _padded(text: str, width: int, *, right: bool = False) -> str:
    space = " " * (width - cell_len(text))
    return space + text if right else text + space
