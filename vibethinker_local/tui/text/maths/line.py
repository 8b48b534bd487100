"""Nodes as text in one line: powers and indices as small characters, fractions with a slash."""

import re
from itertools import takewhile

from rich.cells import cell_len

from vibethinker_local.tui.text.maths import symbols
from vibethinker_local.tui.text.maths.latex import (
    Accent,
    Boxed,
    Fenced,
    Fraction,
    Grid,
    Kind,
    LatexSymbol,
    Node,
    Phantom,
    Root,
    Row,
    Scripts,
)
from vibethinker_local.tui.text.maths.symbols import BOX


def linear(node: Node | None, *, tight: bool = False) -> str:
    """As text in one line; `tight` in an index: without spaces around operators."""
    match node:
        case None:
            return ""
        case LatexSymbol():
            return node.text
        case Row():
            return spaced(_parenthesised(node, tight=tight), tight=tight)
        case Scripts():
            return _linear_scripts(node, tight=tight)
        case Fraction(above, below, bar):
            if not bar:
                return f"{linear(above, tight=tight)} over {linear(below, tight=tight)}"
            return f"{_factor(above, tight=tight)}/{_factor(below, tight=tight, single=True)}"
        case Root(body, degree):
            sign = {"": "√", "3": "∛", "4": "∜"}.get(linear(degree))
            prefix = sign or f"{raised(linear(degree, tight=True)) or linear(degree) + ' '}√"
            text = linear(body, tight=tight)
            return prefix + (text if _single(text) else f"({text})")
        case Boxed(body):
            return BOX[0] + linear(body, tight=tight) + BOX[1]
        case Phantom(body):
            return " " * cell_len(linear(body, tight=tight))
        case Accent(body, mark):
            text = linear(body, tight=tight)
            return text + mark if len(text) == 1 else "".join(c + mark for c in text) if mark in _LONG else text + mark
        case Fenced(left, Fraction(above, below, False), right) if left == "(":
            return f"C({linear(above, tight=True)}, {linear(below, tight=True)})"
        case Fenced(left, body, right):
            return left + linear(body, tight=tight) + right
        case Grid(rows, aligned):
            between = " " if aligned else ", "
            return "; ".join(between.join(filter(None, (linear(cell) for cell in row))) for row in rows)


_LONG = frozenset("\u0305\u0332\u0338")  # over, under or through every character


def _linear_scripts(node: Scripts, *, tight: bool) -> str:
    base = linear(node.base, tight=tight)
    if not isinstance(node.base, (LatexSymbol, Fenced, Accent)) and not _single(base):
        base = f"({base})"
    below, above = linear(node.below, tight=True), linear(node.above, tight=True)
    if below:
        base += lowered(below) or f"_{below if len(below) == 1 else f'({below})'}"
    if above:
        base += raised(above) or f"^{above if len(above) == 1 else f'({above})'}"
    return base


def raised(text: str) -> str:
    return _through(symbols.RAISED, text)


def lowered(text: str) -> str:
    return _through(symbols.LOWERED, text)


def _through(table: dict[str, str], text: str) -> str:
    """The text in small characters; "" where one of them does not exist."""
    return "".join(table[c] for c in text) if text and all(c in table for c in text) else ""


def _single(text: str) -> bool:
    """Whether a text is one number, one name or one thing in parentheses, so that it needs none."""
    plain = text.replace(".", "").replace(",", "")
    return len(text) <= 1 or plain.isdecimal() or (text[0] in "([⌊⌈|" and _closes_at_end(text)) or _name(text)


def _name(text: str) -> bool:
    """Whether it is one letter with indices and powers: x₁²."""
    small = set(symbols.RAISED.values()) | set(symbols.LOWERED.values()) | {"′", "°", "!"}
    return all(c in small for c in text[1:])


def _closes_at_end(text: str) -> bool:
    opening, closing = text[0], {"(": ")", "[": "]", "⌊": "⌋", "⌈": "⌉", "|": "|"}[text[0]]
    if opening == closing:
        return text.count(opening) == 2 and text.endswith(closing)
    depth = 0
    for at, character in enumerate(text):
        depth += (character == opening) - (character == closing)
        if depth == 0:
            return at == len(text) - 1
    return False


def _factor(node: Node, *, tight: bool, single: bool = False) -> str:
    """A side of a fraction in one line, in parentheses if it would fall apart without."""
    text = linear(node, tight=tight)
    outside = re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", text))  # of the parentheses
    product = not single and not any(c in outside for c in " /+−=·×^(")
    return text if product or _single(text) else f"({text})"


def _parenthesised(row: Row, *, tight: bool) -> list[tuple[str, Kind]]:
    """The items of a row, a fraction in parentheses where what stands beside it would become part of it."""
    parts: list[tuple[str, Kind]] = []
    for at, item in enumerate(row.items, 1):
        text, kind = linear(item, tight=tight), kind_of(item)
        if isinstance(item, Fraction):
            falls_apart = at < len(row.items) and kind_of(row.items[at]) in ("ordinary", "open")
            digits = list(takewhile(_is_digits, reversed(parts))) if re.fullmatch(r"\d+/\d+", text) else []
            if digits:  # a mixed number: 2 1/3
                del parts[-len(digits) :]
                text = f"{''.join(digit for digit, _ in reversed(digits))} {text}"
            elif parts and _runs_into(parts[-1], text):
                falls_apart = True
            text = f"({text})" if falls_apart else text
        parts.append((text, kind))
    return parts


def _is_digits(part: tuple[str, Kind]) -> bool:
    return part[1] == "ordinary" and part[0].replace(",", "").isdecimal()


def _runs_into(before: tuple[str, Kind], fraction: str) -> bool:
    """Whether a fraction right behind this would read as another number: x²1/2, a/b/c."""
    text, kind = before
    begins = fraction[:1].isdecimal() or fraction.startswith(".")
    return text == "/" or (begins and text != "|" and kind in ("ordinary", "close"))


def kind_of(node: Node) -> Kind:
    match node:
        case LatexSymbol():
            return node.kind
        case Scripts():
            return kind_of(node.base)
        case Boxed() | Accent():
            return kind_of(node.body)
        case Phantom():
            return "space"
        case Row() if len(node.items) == 1:
            return kind_of(node.items[0])
        case _:
            return "ordinary"


def spaced(parts: list[tuple[str, Kind]], *, tight: bool) -> str:
    """Joined, with spaces around operators and relations, but not around a sign."""
    text = ""
    before: Kind = "open"
    for part, kind in parts:
        if not part:
            continue
        if kind == "space":
            text, before = text + part, "open" if before == "open" else "space"
            continue
        sign = kind == "binary" and before in ("open", "binary", "relation", "punctuation")
        wide = not tight and not sign and kind in ("binary", "relation")
        if wide:
            gap = " " if text and not text.endswith(" ") else ""
            text += f"{gap}{part} "
        else:
            text += _gap(before, kind, part, text, tight=tight) + part
        if kind == "punctuation" and not tight:
            text += " "
        before = "open" if sign else kind
    return text.rstrip() if text.strip() else text


def _gap(before: Kind, kind: Kind, part: str, text: str, *, tight: bool) -> str:
    if not text or text.endswith(" ") or before == "space":
        return ""
    words = before in ("function", "large") and kind not in ("close", "punctuation")
    opens = part[0] in "([{⌊⌈|⎛"
    if words and (not opens or text.endswith(")")) and not (before == "large" and tight):
        return " "
    return " " if kind in ("function", "large") and before in ("ordinary", "close") else ""
