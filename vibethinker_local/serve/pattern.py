"""A regular expression, as a schema has it in `pattern`, as a machine whose states can be the rules of a grammar.

By derivatives (Brzozowski, 1964): what an expression still wants after a character is an expression again, and there
are finitely many of them. What is to be true of one text at the same time, as a lookahead or a length is, costs no more
than an expression that says both.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

LONGEST = 2000  # characters of an expression
MOST_WORK = 500_000  # characters looked up, about; of some expressions each state is large: this is a second
TOO_LARGE = "the schema is too large"
LAST = 0x10FFFF


@dataclass(frozen=True)
class Chars:
    """One of these characters."""

    ranges: tuple[tuple[int, int], ...]  # in order, without gaps of none

    def __contains__(self, point: int) -> bool:
        return any(low <= point <= high for low, high in self.ranges)

    def __invert__(self) -> "Chars":
        edges = [-1, *(edge for each in self.ranges for edge in each), LAST + 1]
        return Chars(tuple((a + 1, b - 1) for a, b in zip(edges[::2], edges[1::2], strict=True) if a + 1 < b))


@dataclass(frozen=True)
class Chain:
    parts: tuple["Expression", ...]


@dataclass(frozen=True)
class Either:
    options: frozenset["Expression"]


@dataclass(frozen=True)
class Both:
    """All of them, of the same text."""

    parts: frozenset["Expression"]


@dataclass(frozen=True)
class Not:
    body: "Expression"


@dataclass(frozen=True)
class Repeat:
    body: "Expression"
    least: int
    most: int | None


Expression = Chars | Chain | Either | Both | Not | Repeat
NOTHING, EMPTY = Chars(()), Chain(())
ANY = ~NOTHING
ALL = Repeat(ANY, 0, None)


def common(first: Chars, second: Chars) -> Chars:
    pairs = ((max(a, c), min(b, d)) for a, b in first.ranges for c, d in second.ranges)
    return Chars(tuple((low, high) for low, high in pairs if low <= high))


def chain(*parts: Expression) -> Expression:
    flat = [one for part in parts for one in (part.parts if isinstance(part, Chain) else (part,))]
    return NOTHING if NOTHING in flat else flat[0] if len(flat) == 1 else Chain(tuple(flat))


def either(*options: Expression) -> Expression:
    flat = {one for each in options for one in (each.options if isinstance(each, Either) else (each,))} - {NOTHING}
    return ALL if ALL in flat else flat.pop() if len(flat) == 1 else Either(frozenset(flat)) if flat else NOTHING


def both(*parts: Expression) -> Expression:
    flat = {one for each in parts for one in (each.parts if isinstance(each, Both) else (each,))} - {ALL}
    return NOTHING if NOTHING in flat else flat.pop() if len(flat) == 1 else Both(frozenset(flat)) if flat else ALL


def negate(body: Expression) -> Expression:
    return NOTHING if body == ALL else ALL if body == NOTHING else Not(body)


def repeat(body: Expression, least: int, most: int | None) -> Expression:
    if most == 0 or body == EMPTY:
        return EMPTY
    return body if least == most == 1 else Repeat(body, least, most)


def _may_end(wanted: Expression) -> bool:
    """Whether the empty text is one of its texts."""
    match wanted:
        case Chars():
            return False
        case Chain(parts) | Both(parts):
            return all(map(_may_end, parts))
        case Either(options):
            return any(map(_may_end, options))
        case Not(body):
            return not _may_end(body)
        case Repeat(body, least, _):
            return not least or _may_end(body)


def _after(wanted: Expression, point: int) -> Expression:
    """What it still wants after this character."""
    match wanted:
        case Chars():
            return EMPTY if point in wanted else NOTHING
        case Chain(parts):
            if not parts:
                return NOTHING
            found = chain(_after(parts[0], point), *parts[1:])
            return either(found, _after(chain(*parts[1:]), point)) if _may_end(parts[0]) else found
        case Either(options):
            return either(*(_after(each, point) for each in options))
        case Both(parts):
            return both(*(_after(each, point) for each in parts))
        case Not(body):
            return negate(_after(body, point))
        case Repeat(body, least, most):
            return chain(_after(body, point), repeat(body, max(0, least - 1), None if most is None else most - 1))


def _edges(wanted: Expression) -> Iterator[int]:
    """Where, in the order of characters, it begins to treat them otherwise."""
    match wanted:
        case Chars(ranges):
            yield from (edge for low, high in ranges for edge in (low, high + 1))
        case Chain(parts) | Both(parts):
            for each in parts:
                yield from _edges(each)
        case Either(options):
            for each in options:
                yield from _edges(each)
        case Not(body) | Repeat(body, _, _):
            yield from _edges(body)


@dataclass
class MachineState:
    """May end here, or go on, by one of these characters, to the state of that number."""

    ends: bool
    moves: dict[int, Chars]


def states(wanted: Expression, alphabet: Chars, most: int) -> list[MachineState]:
    """A machine for its texts of these characters, which begins with the first state; each state leads to an end.

    Raises ValueError if it has no texts, or needs more than `most` states.
    """
    edges = sorted({0, LAST + 1, *_edges(wanted)})
    told_apart = (common(Chars(((low, end - 1),)), alphabet) for low, end in pairwise(edges))
    classes = [chars for chars in told_apart if chars.ranges]
    numbers, found, work = {wanted: 0}, list[MachineState](), 0
    for each in (todo := [wanted]):
        work += len(edges) * sum(1 for _ in _edges(each))
        if work > MOST_WORK:
            raise ValueError(TOO_LARGE)
        reached: dict[int, list[tuple[int, int]]] = {}
        for chars in classes:
            rest = _after(each, chars.ranges[0][0])
            if rest == NOTHING:
                continue
            if numbers.setdefault(rest, len(todo)) == len(todo):
                todo.append(rest)
                if len(todo) > most:
                    raise ValueError(TOO_LARGE)
            ranges = reached.setdefault(numbers[rest], [])
            for low, high in chars.ranges:
                begin = ranges.pop()[0] if ranges and ranges[-1][1] == low - 1 else low
                ranges.append((begin, high))
        found.append(MachineState(_may_end(each), {to: Chars(tuple(ranges)) for to, ranges in reached.items()}))
    sources: dict[int, list[int]] = {}
    for number, state in enumerate(found):
        for to in state.moves:
            sources.setdefault(to, []).append(number)
    useful = [number for number, state in enumerate(found) if state.ends]
    known = set(useful)
    for number in useful:
        useful += (more := set(sources.get(number, ())) - known)
        known |= more
    if 0 not in known:
        raise ValueError("no text satisfies it")
    order = {old: new for new, old in enumerate(sorted(known))}
    return [
        MachineState(found[at].ends, {order[to]: by for to, by in found[at].moves.items() if to in known})
        for at in order
    ]


# Reading

ESCAPES = {"n": 10, "r": 13, "t": 9, "f": 12, "v": 11, "0": 0}
SPACES = Chars(
    ((9, 13), (32, 32), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F),
     (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF))
)  # fmt: skip
DIGITS = Chars(((48, 57),))
LETTERS = Chars(((48, 57), (65, 90), (95, 95), (97, 122)))
CLASSES = {"d": DIGITS, "D": ~DIGITS, "w": LETTERS, "W": ~LETTERS, "s": SPACES, "S": ~SPACES}
NO_LINE_END = ~Chars(((10, 10), (13, 13), (0x2028, 0x2029)))  # what a point stands for


@dataclass(frozen=True)
class _Read:
    """A part of an expression, which becomes one with what follows it: an assertion is about that.

    `begins`: whether it stands at the beginning of the text.
    """

    before: Callable[[Expression, bool], Expression]
    asserts: bool = False  # somewhere in it
    wide: bool = True  # it may take characters


def read(text: str) -> Expression:
    """The texts in which an expression is found, as ECMAScript has it. Raises ValueError for what is not understood."""
    if len(text) > LONGEST:
        raise ValueError(TOO_LARGE)
    part = _PatternReader(text).whole()
    return either(part.before(ALL, True), chain(ANY, ALL, part.before(ALL, False)))


class _PatternReader:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def whole(self) -> _Read:
        part = self._alternatives()
        if self._at < len(self._text):
            raise ValueError("it has a ')' too many")
        return part

    def _takes(self, text: str) -> bool:
        found = self._text.startswith(text, self._at)
        self._at += len(text) if found else 0
        return found

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise ValueError("it ends in the middle")
        self._at += 1
        return self._text[self._at - 1]

    def _alternatives(self) -> _Read:
        options = [self._alternative()]
        while self._takes("|"):
            options.append(self._alternative())
        return _Read(
            lambda rest, begins: either(*(each.before(rest, begins) for each in options)),
            any(each.asserts for each in options),
            any(each.wide for each in options),
        )

    def _alternative(self) -> _Read:
        parts = list[_Read]()
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            parts.append(self._repeated(self._part()))

        def before(rest: Expression, begins: bool) -> Expression:
            first = [begins and not any(each.wide for each in parts[:at]) for at in range(len(parts))]
            return reduce(lambda rest, at: parts[at].before(rest, first[at]), reversed(range(len(parts))), rest)

        return _Read(before, any(each.asserts for each in parts), any(each.wide for each in parts))

    def _part(self) -> _Read:
        character = self._next()
        match character:
            case "^":
                return _Read(lambda rest, begins: rest if begins else NOTHING, asserts=True, wide=False)
            case "$":
                return _Read(lambda rest, _: both(rest, EMPTY), asserts=True, wide=False)
            case "(":
                return self._group()
            case "[":
                return _one(self._class())
            case ".":
                return _one(NO_LINE_END)
            case "\\":
                return _one(self._escape())
            case "*" | "+" | "?":
                raise ValueError(f"{character!r} has nothing to repeat")
        return _one(_character(ord(character)))

    def _group(self) -> _Read:
        look = next((sign for sign in ("?=", "?!") if self._takes(sign)), None)
        if look is None and self._takes("?") and not self._takes(":"):
            if not self._takes("<") or self._text[self._at : self._at + 1] in ("=", "!"):
                raise ValueError("of groups with (?, only (?:, (?=, (?! and (?<name> are supported")
            while self._next() != ">":
                pass
        body = self._alternatives()
        if not self._takes(")"):
            raise ValueError("it has a '(' too many")
        if look is None:
            return body

        def before(rest: Expression, begins: bool) -> Expression:
            ahead = body.before(ALL, begins)
            return both(rest, ahead if look == "?=" else negate(ahead))

        return _Read(before, asserts=True, wide=False)

    def _repeated(self, part: _Read) -> _Read:
        times = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        sign = self._text[self._at : self._at + 1]
        if sign in times:
            self._at += 1
            least, most = times[sign]
        elif counts := self._counts():
            least, most = counts
        else:
            return part
        self._takes("?")  # as little as possible: that is about what is found, not about whether
        if not part.asserts:
            body = repeat(part.before(EMPTY, False), least, most)
            return _Read(lambda rest, _: chain(body, rest))
        if (least, most) != (0, 1):
            raise ValueError("what is repeated has ^, $ or a lookahead in it, which is not supported")
        return _Read(lambda rest, begins: either(part.before(rest, begins), rest), asserts=True)

    def _counts(self) -> tuple[int, int | None] | None:
        """{2}, {2,} or {2,5}; None where a bracket is only a bracket."""
        inside, closed, _ = self._text[self._at + 1 :].partition("}")
        low, several, high = inside.partition(",")
        if self._text[self._at : self._at + 1] != "{" or not closed or not _is_number(low) or len(inside) > 9:
            return None
        if several and high and not _is_number(high):
            return None
        self._at += len(inside) + 2
        least, most = int(low), (int(high) if high else None) if several else int(low)
        if most is not None and most < least:
            raise ValueError("its numbers are out of order")
        return least, most

    def _escape(self, *, in_class: bool = False) -> Chars:
        character = self._next()
        if character in CLASSES:
            return CLASSES[character]
        if character in ESCAPES:
            return _character(ESCAPES[character])
        if character in "xu":
            return _character(self._hexadecimal(character))
        if character == "b" and in_class:
            return _character(8)
        if character.isascii() and character.isalnum():
            raise ValueError(f"\\{character} is not supported")
        return _character(ord(character))

    def _hexadecimal(self, kind: str) -> int:
        if kind == "u" and self._takes("{"):
            digits, closed, _ = self._text[self._at :].partition("}")
            self._at += len(digits) + len(closed)
        else:
            digits = self._text[self._at : self._at + (2 if kind == "x" else 4)]
            self._at += len(digits)
        try:
            point = int(digits, 16)
        except ValueError:
            point = LAST + 1
        if point > LAST:
            raise ValueError(f"\\{kind}{digits[:20]} is no character")
        return point

    def _class(self) -> Chars:
        inverted = self._takes("^")
        ranges = list[tuple[int, int]]()
        while not self._takes("]"):
            first = self._member()
            if self._text.startswith("-", self._at) and not self._text.startswith("-]", self._at):
                self._at += 1
                last = self._member()
                if not _single(first) or not _single(last) or last.ranges < first.ranges:
                    raise ValueError("a range of characters is out of order")
                first = Chars(((first.ranges[0][0], last.ranges[0][1]),))
            ranges += first.ranges
        joined = list[tuple[int, int]]()
        for low, high in sorted(ranges):
            if joined and low <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
            else:
                joined.append((low, high))
        found = Chars(tuple(joined))
        return ~found if inverted else found

    def _member(self) -> Chars:
        character = self._next()
        return self._escape(in_class=True) if character == "\\" else _character(ord(character))


def _one(chars: Chars) -> _Read:
    return _Read(lambda rest, _: chain(chars, rest))


def _character(point: int) -> Chars:
    return Chars(((point, point),))


def _single(chars: Chars) -> bool:
    return len(chars.ranges) == 1 and chars.ranges[0][0] == chars.ranges[0][1]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
