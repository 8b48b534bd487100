"""Lays out growing Markdown as rows of text: only the last block is parsed and drawn again.

What HTML, links and pictures would be stays the text that it is, but for <br> in tables; an address in it can be opened
by terminals that know how (OSC 8), and leads to what is read there. Knows of styles, but of no widgets.
"""

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.tree import SyntaxTreeNode as Node
from rich.cells import cell_len
from textual.content import Content
from textual.style import Style

from vibethinker_local.tui.text.markdown import FENCE_LANGUAGE
from vibethinker_local.tui.text.table import table

if TYPE_CHECKING:
    from textual.highlight import HighlightTheme

STYLES = {"em": "italic", "strong": "bold", "s": "strike", "code_inline": "$accent on $panel"}
HEADINGS = {"h1": "bold $primary", "h2": "bold $primary", "h3": "bold $secondary"}  # h1 has a line below it, too
HEADING, CODE, RULE = "bold", "$foreground on $surface", "$secondary"
LISTS = {"bullet_list": "", "ordered_list": "1"}  # and what stands before the mark of an item
UNSETTLED = 2  # items at the end of a list: what follows the last may be its own, and sets the two apart
BULLETS, BULLET = "•▪‣⭑◦", "$text-primary"
QUOTED = Content.styled("▌ ", "$text-primary 50%")
CODE_EDGE, MATHS_EDGE = 2, 4  # cells on either side
NARROWEST = 8  # cells that a text gets at least, however deeply it is nested
MOST_HIGHLIGHTED = 20_000  # characters of code
MOST_NESTED = 100  # levels of blocks; deeper ones are not parsed
MOST_GROWING = 4_000  # the same for an unfinished block, which is highlighted again on every update
PRODUCT = re.compile(  # a star with a factor on either side, or a power's two with a number on one
    r"(?<=[0-9A-Za-z)\]])\*(?=[0-9A-Za-z(\[])|(?<=\d)\*\*(?=[0-9A-Za-z(])|(?<=[A-Za-z)])\*\*(?=\d)"
)
ADDRESS = re.compile(r"https?://[^\s<>\"'`|\\^{}]+")
BEHIND = ".,;:!?*_"  # what stands behind an address, rather than at its end
BREAK = re.compile(r" ?<br ?/?> ?", re.IGNORECASE)
# A line of marks, which the next word gives a meaning; or a fence, unless another backtick follows in its line.
BEGUN = re.compile(r"\n(?:[ >*+=#_-]+|[ >]*\d{1,9}[.)]?|[ >]*`{3,}[^`\n]*)\Z")


@dataclass(frozen=True)
class DocumentRow:
    """One row of the screen."""

    text: Content
    joint: str = "\n"  # what stands between the row before and this one in a copy
    edge: int = 0  # characters at its beginning that a copy leaves out


BLANK = DocumentRow(Content())


@dataclass
class _Begun:
    """A list that grows, all but the last items of which stay."""

    block: Node
    row: int  # where it begins
    kept: int = 0  # items that are not parsed again
    drawn: int = 0  # of these, items whose rows are there
    shape: tuple[bool, int] = (False, 0)  # as which they are drawn


class Document:
    """Blocks with an empty row after each. The rows of all but the last one stay until the width changes, and of a list
    those of all but the last items, as long as its shape stays."""

    def __init__(self, width: int = 0) -> None:
        self.rows: list[DocumentRow] = []
        self.settled = 0  # rows that stay
        self.width = width  # cells; 0 while it is not known
        self._open = ""  # Markdown of the last block, of a list without the items that stay
        self._blocks: list[Node] = []
        self._list: _Begun | None = None  # the last block, if it is one
        self._final = False  # whether there was no more to come, when something was added last

    def add(self, markdown: str, *, final: bool = False) -> None:
        """Add text; `final` if there is no more for now."""
        self._open += markdown
        self._final = final
        del self.rows[self.settled :]
        begun = self._list if self._list and self._list.kept else None
        mark = ""
        if begun:  # an item before those that are parsed again, so that it stays a list whatever they look like
            indent = len(self._open) - len(self._open.lstrip(" "))
            mark = f"{' ' * indent}{LISTS[begun.block.type]}{begun.block.markup} x\n"
        if not (blocks := parse(mark + (self._open if final else BEGUN.sub("", self._open)))):
            return
        if begun:
            marked, *items = blocks[0].children
            begun.block.children = [*begun.block.children[: begun.kept], *items]
            begun.block.attrs["apart"] = begun.block.attrs["apart"] or not marked.children[0].hidden
            blocks[0] = begun.block
        self._list = begun
        *before, last = blocks
        for block in before:
            self._blocks.append(block)
            self._draw(block)
            self._list = None
        parsed = last  # again, with what comes
        if last.type in LISTS:
            begun = self._list = self._list or _Begun(last, len(self.rows))
            kept = len(last.children) - UNSETTLED
            if kept > begun.kept and any(map(_has_text, last.children[:kept])):  # else it is unknown how they stand
                begun.kept, last.attrs["apart"] = kept, _shape(last)[0]
            parsed = last.children[begun.kept]
        begin, _ = parsed.map or (0, 0)
        self._open = "\n".join((mark + self._open).split("\n")[begin:])
        self.settled = len(self.rows)
        self._draw(last, growing=not final)

    def fit(self, width: int) -> None:
        """Draw all of it at another width."""
        if width == self.width:
            return
        self.width = width
        self.rows = []
        for block in self._blocks:
            self._draw(block)
        self.settled = len(self.rows)
        if self._list:
            self._list.row, self._list.drawn = len(self.rows), 0
        self.add("", final=self._final)

    def _draw(self, block: Node, *, growing: bool = False) -> None:
        if not self.width:
            return
        if (begun := self._list) and begun.block is block:
            if begun.shape != (shape := _shape(block)):
                del self.rows[begun.row :]
                begun.shape, begun.drawn = shape, 0
            self.rows += _list(block, self.width, range(begun.drawn, begun.kept), shape)
            self.settled, begun.drawn = len(self.rows), begun.kept
            self.rows += _list(block, self.width, range(begun.kept, len(block.children)), shape, growing=growing)
        else:
            self.rows += draw(block, self.width, growing=growing)
        self.rows.append(BLANK)


@cache
def _parser() -> MarkdownIt:
    """Without HTML, which would not be shown at all."""
    off = ["image", "link", "autolink", "reference"]
    parser = MarkdownIt("gfm-like", {"html": False, "linkify": False, "maxNesting": MOST_NESTED}).disable(off)
    parser.inline.ruler.before("emphasis", "product", _product)
    return parser


def _product(state: StateInline, silent: bool) -> bool:
    """Stars between factors are text: of 2*3 and 4*5, emphasis would leave 23 and 45."""
    found = PRODUCT.match(state.src, state.pos)
    if found and not silent:
        state.pending += found[0]
    state.pos = found.end() if found else state.pos
    return bool(found)


def parse(markdown: str) -> list[Node]:
    """The blocks of a text."""
    return Node(_parser().parse(markdown)).children


def code_blocks(text: str) -> list[str]:
    """What stands between the fences of a model's text, in its lists and quotations, too, or up to its end."""
    return [token.content for token in _parser().parse(text) if token.type == "fence"]


def draw(block: Node, width: int, *, growing: bool = False) -> list[DocumentRow]:
    """A block at a width, in cells; `growing`: it is drawn often."""
    width = max(NARROWEST, width)
    match block.type:
        case "paragraph":
            return _wrapped(_inline(block.children[0]), width)
        case "heading":
            return _heading(_inline(block.children[0]), block.tag, width)
        case "fence" if block.info.strip() == FENCE_LANGUAGE:
            return _maths(block.content, width)
        case "fence" | "code_block":
            most = MOST_GROWING if growing else MOST_HIGHLIGHTED
            return _code(block.content, block.info if len(block.content) <= most else "", width)
        case "bullet_list" | "ordered_list":
            return _list(block, width, range(len(block.children)), _shape(block), growing=growing)
        case "blockquote":
            return _behind(QUOTED, QUOTED, _below(block.children, width - 2, growing=growing), copied=False)
        case "table":
            rows = [row.children for part in block.children for row in part.children]
            sides = [str(cell.attrs.get("style", "")).removeprefix("text-align:") for cell in rows[0]]
            cells = [[_cell(cell.children[0]) for cell in row] for row in rows]
            return [DocumentRow(line) for line in table(cells, sides, width)]
        case "hr":
            return [DocumentRow(Content.styled("─" * width, RULE))]
        case _:
            return _wrapped(Content(block.content), width)


def _below(blocks: list[Node], width: int, *, growing: bool, apart: bool = True) -> list[DocumentRow]:
    """Blocks, one below the other."""
    rows: list[DocumentRow] = []
    for block in blocks:
        rows += [BLANK] if rows and apart else []
        rows += draw(block, width, growing=growing and block is blocks[-1])
    return rows


def _behind(first: Content, rest: Content, rows: list[DocumentRow], *, copied: bool) -> list[DocumentRow]:
    """Rows with one prefix before the first, which may be part of a copy, and another before the rest."""
    found = []
    for at, row in enumerate(rows or [BLANK]):
        before = rest if at else first
        edge = 0 if copied and not at else len(before) + row.edge
        found.append(replace(row, text=before + row.text, edge=edge))
    return found


def _shape(block: Node) -> tuple[bool, int]:
    """How a list looks as a whole: whether its items stand apart, as they do if the model wrote one so; and how many
    characters the numbers take."""
    apart = any(child.type == "paragraph" and not child.hidden for item in block.children for child in item.children)
    numbered = block.type == "ordered_list"
    size = len(f" {_start(block) + len(block.children) - 1}. ") if numbered else 0
    return apart or bool(block.attrs.get("apart")), size


def _has_text(item: Node) -> bool:
    return any(child.type == "paragraph" for child in item.children)


def _start(block: Node) -> int:
    return int(block.attrs.get("start", 1))


def _list(
    block: Node, width: int, items: range, shape: tuple[bool, int], *, growing: bool = False
) -> list[DocumentRow]:
    """Some items of a list."""
    apart, size = shape
    rows: list[DocumentRow] = []
    for at in items:
        bullet = f"{_start(block) + at}. ".rjust(size) if size else f"{BULLETS[block.level // 2 % len(BULLETS)]} "
        rows += [BLANK] if at and apart else []
        last = growing and at == len(block.children) - 1
        inside = _below(block.children[at].children, width - len(bullet), growing=last, apart=apart)
        rows += _behind(Content.styled(bullet, BULLET), Content(" " * len(bullet)), inside, copied=True)
    return rows


def _inline(node: Node, *, breaks: bool = False) -> Content:
    """The text of a paragraph, a heading or a cell; with `breaks`, <br> ends a line."""
    match node.type:
        case "softbreak" | "hardbreak":  # models do not wrap by hand: "Step 1: …" ends its line before "Step 2: …"
            return Content("\n")
        case "text":
            text = re.sub(r"\s+", " ", node.content)
            return Content("\n").join(map(_with_addresses, BREAK.split(text) if breaks else [text]))
        case "code_inline":
            return Content.styled(node.content, STYLES["code_inline"])
        case _:
            parts = [_inline(child, breaks=breaks) for child in node.children]
            return Content("").join(parts).stylize(STYLES.get(node.type, ""))


def _cell(node: Node) -> Content:
    """The text of a cell, which <br> alone can give several lines; a cell that holds nothing else is about it."""
    return _inline(node, breaks=bool(BREAK.sub("", node.content)))


def _with_addresses(text: str) -> Content:
    """A text in which web addresses can be opened. One with other than ASCII characters cannot (the OSC 8 proposal)."""
    found = Content(text)
    for match in ADDRESS.finditer(text):
        address = match[0].rstrip(BEHIND)
        for opening, closing in ("()", "[]"):
            if address.endswith(closing) and address.count(closing) > address.count(opening):
                address = address[: -len(closing)].rstrip(BEHIND)
        if address.isascii():
            found = found.stylize(Style(link=address), match.start(), match.start() + len(address))
    return found


def _heading(text: Content, tag: str, width: int) -> list[DocumentRow]:
    style = HEADINGS.get(tag, HEADING)
    rows = _wrapped(text.stylize_before(style), width)
    if tag == "h1":
        size = max(row.text.cell_length for row in rows)
        rows.append(DocumentRow(Content.styled("━" * size, style), edge=size))
    return rows


def _wrapped(text: Content, width: int) -> list[DocumentRow]:
    rows = []
    for line in text.split("\n", allow_blank=True):
        rows += [DocumentRow(part, " " if at else "\n") for at, part in enumerate(line.wrap(width))]
    return rows


def _code(code: str, language: str, width: int) -> list[DocumentRow]:
    """Code, its long lines going on in the next row."""
    room, rows = width - 2 * CODE_EDGE, []
    for line in _highlighted(code.rstrip(), language).split("\n", allow_blank=True):
        line = line.expand_tabs(4)
        for at, part in enumerate(line.fold(room) if line.cell_length > room else [line]):
            text = part.pad(CODE_EDGE, width - CODE_EDGE - part.cell_length).stylize_before(CODE)
            rows.append(DocumentRow(text, "" if at else "\n", CODE_EDGE))
    return rows


def _highlighted(code: str, language: str) -> Content:
    name = language.split(maxsplit=1)[0] if language.strip() else "text"
    if name == "text":
        return Content(code)  # without a name it would be guessed, another one with every line
    from textual.highlight import highlight  # slow to import

    return highlight(code, language=name, theme=_calm())


@cache
def _calm() -> "type[HighlightTheme]":
    """Textual's colours of code without underlines."""
    from textual.highlight import HighlightTheme

    styles = {token: style.replace("underline", "") for token, style in HighlightTheme.STYLES.items()}
    return type("Calm", (HighlightTheme,), {"STYLES": styles})


def _maths(formula: str, width: int) -> list[DocumentRow]:
    """A formula of several rows; where it is too wide, its right part below its left one."""
    lines = [_cells(line) for line in formula.rstrip("\n").split("\n")]
    size, room = max(1, *map(len, lines)), max(NARROWEST, width - 2 * MATHS_EDGE)
    blank = [all(line[at : at + 1] in ([], [" "]) for line in lines) for at in range(size)]
    rows: list[DocumentRow] = []
    left = 0
    while left < size:
        right = left + room
        if right < size:
            right = next((at for at in range(right, left, -1) if blank[at]), right)
        rows += [BLANK] if rows else []
        rows += [DocumentRow(Content(" " * MATHS_EDGE + "".join(line[left:right])), edge=MATHS_EDGE) for line in lines]
        left = next((at for at in range(right, size) if not blank[at]), size)
    return rows


def _cells(line: str) -> list[str]:
    """What stands in each cell of a line: a character with its accents, or nothing behind a wide one."""
    cells: list[str] = []
    for character in line:
        if cells and not cell_len(character):
            cells[-1] += character
        else:
            cells += [character, *[""] * (cell_len(character) - 1)]
    return cells
