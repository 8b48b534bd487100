"""Whether two answers are the same: the cheapest way that can tell, tells; what nobody can tell counts as different.

The ladder: the same text once spelling is set aside, the same exact number, the same parts of a tuple or set, and at
the end what `symbolic` says (Math-Verify, in a process of its own).
"""

import re
from collections.abc import Callable

from vibethinker_local.reliability import arithmetic

Symbolic = Callable[[str, str], bool | None]

MOST_CHARACTERS = 1000  # of an answer that is compared by anything but its text
MOST_PARTS = 32
PROSE_WORDS = 8  # with so many words an answer is prose: no two of them will be alike

_TEXT = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox|operatorname)\s*\{([^{}]*)\}")
_DROPPED = re.compile(
    r"\\(?:left|right|displaystyle|bigl?|bigr?|Bigl?|Bigr?|quad|qquad|limits)(?![a-zA-Z])|(?<!\\)\\[!,;: ]|\$|\\\$"
    r"|\^\s*\{?\s*\\circ\s*\}?|°|(?<=\S)~"
)
_GROUP = re.compile(r"(?<=\d)\\[,!;: ](?=\d{3}(?!\d))")  # 1\,000
_LISTED = re.compile(r"(?<=\d),\s+(?=\d{3}(?!\d))")  # "100, 200" is no 100200
_SPELLINGS = {
    r"\dfrac": r"\frac", r"\tfrac": r"\frac", r"\cdotp": r"\cdot", r"\ne": r"\neq", r"\le": r"\leq", r"\ge": r"\geq",
    r"\varnothing": r"\emptyset", r"\lbrace": r"\{", r"\rbrace": r"\}", r"\lvert": "|", r"\rvert": "|",
}  # fmt: skip
_COMMAND = re.compile(r"\\[a-zA-Z]+")
_NAMED = re.compile(
    r"^(?:[a-zA-Z]|\\[a-z]+|[a-zA-Z]_\{?\w\}?|[fgh]\([a-z]\))\s*(?<![<>!])=\s*(?!=)"
)  # "x = 5", "f(x) = …"
_CHOICE = re.compile(r"^\(?\s*([A-Z])\s*[).:]?$")
_MATRIX = re.compile(r"^\\begin\{[pb]matrix\}(.*)\\end\{[pb]matrix\}$")
_WORD = re.compile(r"(?<!\\)\b[^\W\d_]{2,}\b")
_LONG_WORD = re.compile(r"(?<!\\)\b[^\W\d_]{4,}\b")
_EITHER_SIGN = re.compile(r"\\pm(?![a-zA-Z])")
_UNREAD = re.compile(r"\d_|'")  # a base, a derivative: Math-Verify reads on as if they were not there
_UNIT = re.compile(r"^(-?[\d.,/ ]*\d|\\frac\{\d+\}\{\d+\})\s*((?:[^\W\d_]{2,}|[mgslhVWNJKC]\b)[\s/*^{}\w-]*)$")


def normal(answer: str) -> str:
    """An answer without what is only spelling: two with the same normal text are the same."""
    text = _spelled(answer)
    parts = _split(text)
    names = {found[0] for part in parts if (found := _NAMED.match(part))}
    if len(names) != 1:
        return text  # "x = 1, y = 2" needs its names
    return _spelled(";".join(_NAMED.sub("", part) for part in parts))


def _spelled(answer: str) -> str:
    """An answer in one spelling."""
    text = _GROUP.sub("", " ".join(answer.split()))
    for _ in range(4):
        text = _TEXT.sub(r" \1 ", text)
    text = _DROPPED.sub(" ", text)
    text = _COMMAND.sub(lambda found: _SPELLINGS.get(found[0], found[0]), text)
    text = text.replace("−", "-").replace("–", "-").replace("±", r"\pm ")
    text = re.sub(r"\s+", " ", text).strip().rstrip(".,;")
    text = _LISTED.sub(";", text)
    if choice := _CHOICE.match(text):
        return choice[1]
    # Beside numbers a short word may be a unit: 5 MW are not 5 mW.
    text = text.casefold() if _is_words(text) else _LONG_WORD.sub(lambda found: found[0].casefold(), text)
    return re.sub(r"\s*([-+*/=^_(){}\[\],|<>:])\s*", r"\1", text)


def comparable(answer: str) -> bool:
    """Whether votes for such an answer can be counted: not for code, and not for prose."""
    return "\n" not in answer.strip() and len(_WORD.findall(normal(answer))) < PROSE_WORDS


def same(left: str, right: str, symbolic: Symbolic) -> bool:
    """Whether two answers are the same. In doubt, not."""
    return _same(normal(left), normal(right), symbolic, 0)


def _same(left: str, right: str, symbolic: Symbolic, depth: int) -> bool:
    """The same of two normal texts, or of parts of them."""
    if depth:
        left, right = _spelled(left), _spelled(right)
    if left == right:
        return True
    if max(len(left), len(right)) > MOST_CHARACTERS or depth > 4 or not left or not right:
        return False
    numbers = _number(left), _number(right)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0] == numbers[1]
    left_unit, right_unit = _unit(left), _unit(right)
    if left_unit or right_unit:
        if not (left_unit and right_unit) or left_unit[1] != right_unit[1]:
            return False
        return _same(left_unit[0], right_unit[0], symbolic, depth + 1)
    collections = _parts(left), _parts(right)
    if any(collections):
        return all(collections) and _same_parts(*collections, symbolic, depth)  # type: ignore[arg-type]
    names = _NAMED.match(left), _NAMED.match(right)
    if names[0] and names[1]:
        rests = left[names[0].end() :], right[names[1].end() :]
        return names[0][0] == names[1][0] and _same(*rests, symbolic, depth + 1)
    if any(names) and depth:
        return False  # a part with a name and one without
    if any(_UNREAD.search(text) for text in (left, right)):
        return False
    if any(_CHOICE.match(text) or _is_words(text) for text in (left, right)):
        return False
    if ("." in left) != ("." in right):
        return False  # a decimal and something that is none: rounded, at best
    return symbolic(left, right) is True


def _number(text: str) -> object | None:
    try:
        return arithmetic.value(text)
    except arithmetic.Unknown:
        return None


def _unit(text: str) -> tuple[str, str] | None:
    """A number and the unit after it."""
    found = _UNIT.match(text)
    if found and "\\" not in found[2] and _number(found[1]) is not None:
        return found[1], re.sub(r"\s+", "", found[2])
    return None


def _is_words(text: str) -> bool:
    return bool(_WORD.search(text)) and not re.search(r"[\d\\=+^]", text)


def _parts(text: str) -> tuple[str, list[str]] | None:
    """The bracket and the parts of a tuple, an interval, a set or a matrix; a list without brackets is a set."""
    if matrix := _MATRIX.match(text):
        rows = [row.split("&") for row in matrix[1].split(r"\\")]
        shape = "matrix " + ",".join(str(len(row)) for row in rows)
        return shape, [cell for row in rows for cell in row]
    closing = next((close for close in (r"\}", ")", "]", "}") if text.endswith(close)), None)
    opening = next((open for open in (r"\{", "(", "[", "{") if text.startswith(open)), None)
    if opening and closing and _spans(text, len(opening), len(closing)):
        inner = _split(text[len(opening) : -len(closing)])
        if len(inner) > 1 or opening in (r"\{", "{", "["):
            is_set = opening in (r"\{", "{")
            return ("set", _both_signs(inner)) if is_set else (opening + closing, inner)
    parts = _both_signs(_split(text))
    return ("set", parts) if len(parts) > 1 else None


def _spans(text: str, begin: int, end: int) -> bool:
    """Whether the bracket that opens a text is closed by the one that ends it."""
    depth = 0
    for i, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and i >= begin and i < len(text) - end:
            return False
    return depth == 0


def _split(text: str) -> list[str]:
    """Split at the commas (or semicolons) outside all brackets."""
    parts, depth, begin = list[str](), 0, 0
    for i, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character in ",;" and depth == 0:
            parts.append(text[begin:i])
            begin = i + 1
    return [*parts, text[begin:]]


def _both_signs(parts: list[str]) -> list[str]:
    """The parts of a set, with two for one that says ±."""
    found = list[str]()
    for part in parts:
        one = len(_EITHER_SIGN.findall(part)) == 1
        found += [_EITHER_SIGN.sub(sign, part) for sign in "+-"] if one else [part]
    return found


def _same_parts(left: tuple[str, list[str]], right: tuple[str, list[str]], symbolic: Symbolic, depth: int) -> bool:
    if left[0] != right[0] or len(left[1]) != len(right[1]) or len(left[1]) > MOST_PARTS:
        return False
    if left[0] != "set":
        return all(_same(a, b, symbolic, depth + 1) for a, b in zip(left[1], right[1], strict=True))
    open_parts = list(right[1])
    for part in left[1]:
        match = next((i for i, other in enumerate(open_parts) if _same(part, other, symbolic, depth + 1)), None)
        if match is None:
            return False
        del open_parts[match]
    return True
