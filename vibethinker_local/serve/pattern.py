"""A regular expression, as a schema has it in `pattern`, as a machine whose states can be the rules of a grammar.

By derivatives (Brzozowski, 1964): what an expression still wants after a character is an expression again, and there
are finitely many of them. What is to be true of one text at the same time, as a lookahead or a length is, costs no more
than an expression that says both.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from operator import or_
from typing import Any, TypeVar

LONGEST = 2000  # characters of an expression
MOST_WORK = 500_000  # parts of expressions looked at, for all expressions of a schema; about half a second
TOO_LARGE = "the schema is too large"
LAST = 0x10FFFF

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Chars:
    """Some characters."""

    ranges: tuple[tuple[int, int], ...]  # in order, with gaps between them

    def __contains__(self, point: int) -> bool:
        return any(low <= point <= high for low, high in self.ranges)

    def __invert__(self) -> "Chars":
        edges = [-1, *(edge for each in self.ranges for edge in each), LAST + 1]
        return Chars(tuple((a + 1, b - 1) for a, b in zip(edges[::2], edges[1::2], strict=True) if a + 1 < b))

    def __and__(self, other: "Chars") -> "Chars":
        pairs = ((max(a, c), min(b, d)) for a, b in self.ranges for c, d in other.ranges)
        return Chars(tuple((low, high) for low, high in pairs if low <= high))


def joined(ranges: Iterable[tuple[int, int]]) -> Chars:
    found = list[tuple[int, int]]()
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return Chars(tuple(found))


@dataclass(frozen=True, eq=False, slots=True)
class Expression:
    """What a text has to be. _Expressions makes each once, so that those that are the same are one object."""

    ends: bool  # it may be the empty text


@dataclass(frozen=True, eq=False, slots=True)
class One(Expression):
    """One of these characters."""

    chars: Chars


@dataclass(frozen=True, eq=False, slots=True)
class Chain(Expression):
    first: Expression
    rest: Expression


@dataclass(frozen=True, eq=False, slots=True)
class Either(Expression):
    parts: frozenset[Expression]


@dataclass(frozen=True, eq=False, slots=True)
class Both(Expression):
    """All of them, of the same text."""

    parts: frozenset[Expression]


@dataclass(frozen=True, eq=False, slots=True)
class Not(Expression):
    body: Expression


@dataclass(frozen=True, eq=False, slots=True)
class Repeat(Expression):
    body: Expression
    least: int
    most: int | None


@dataclass
class MachineState:
    """May end here, or go on, by one of these characters, to the state of that number."""

    ends: bool
    moves: dict[int, Chars]


EMPTY = Expression(ends=True)
NOTHING = One(False, Chars(()))
ANY = One(False, ~NOTHING.chars)
ALL = Repeat(True, ANY, 0, None)


class _Expressions:
    """Those that there are, and what is left of each after a character."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], Any] = {
            (One, False, NOTHING.chars): NOTHING,
            (One, False, ANY.chars): ANY,
            (Repeat, True, ANY, 0, None): ALL,
        }
        self._left: dict[tuple[Expression, int], Expression] = {}
        self._work = 0

    def spend(self, work: int) -> None:
        """Raises ValueError when that has become too much."""
        self._work += work
        if self._work > MOST_WORK:
            raise ValueError(TOO_LARGE)

    def _make(self, kind: Callable[..., T], *fields: Any) -> T:
        self.spend(1)
        key = (kind, *fields)
        if key not in self._made:
            self._made[key] = kind(*fields)
        found: T = self._made[key]
        return found

    def one(self, chars: Chars) -> Expression:
        return self._make(One, False, chars)

    def chain(self, first: Expression, rest: Expression) -> Expression:
        firsts = list[Expression]()
        while isinstance(first, Chain):
            firsts.append(first.first)
            first = first.rest
        for each in (first, *reversed(firsts)):
            if NOTHING in (each, rest):
                return NOTHING
            if rest is EMPTY:
                rest = each
            elif each is not EMPTY:
                rest = self._make(Chain, each.ends and rest.ends, each, rest)
        return rest

    def either(self, *options: Expression) -> Expression:
        flat = self._flat(Either, options) - {NOTHING}
        if ALL in flat or len(flat) < 2:
            return ALL if ALL in flat else flat.pop() if flat else NOTHING
        return self._make(Either, any(each.ends for each in flat), frozenset(flat))

    def both(self, *parts: Expression) -> Expression:
        flat = self._flat(Both, parts) - {ALL}
        if NOTHING in flat or len(flat) < 2:
            return NOTHING if NOTHING in flat else flat.pop() if flat else ALL
        return self._make(Both, all(each.ends for each in flat), frozenset(flat))

    def _flat(self, kind: type[Either | Both], parts: Iterable[Expression]) -> set[Expression]:
        flat = [one for each in parts for one in (each.parts if isinstance(each, kind) else (each,))]
        self.spend(len(flat))
        return set(flat)

    def negate(self, body: Expression) -> Expression:
        return NOTHING if body is ALL else ALL if body is NOTHING else self._make(Not, not body.ends, body)

    def repeat(self, body: Expression, least: int, most: int | None) -> Expression:
        if most == 0 or body is EMPTY:
            return EMPTY
        return body if least == most == 1 else self._make(Repeat, not least or body.ends, body, least, most)

    def after(self, wanted: Expression, point: int) -> Expression:
        """What it still wants after this character."""
        what = (wanted, point)
        if what not in self._left:
            self.spend(1)
            self._left[what] = self._after(wanted, point)
        return self._left[what]

    def _after(self, wanted: Expression, point: int) -> Expression:
        match wanted:
            case One(chars=chars):
                return EMPTY if point in chars else NOTHING
            case Chain(first=first, rest=rest):
                found = self.chain(self.after(first, point), rest)
                return self.either(found, self.after(rest, point)) if first.ends else found
            case Either(parts=parts):
                return self.either(*(self.after(each, point) for each in parts))
            case Both(parts=parts):
                return self.both(*(self.after(each, point) for each in parts))
            case Not(body=body):
                return self.negate(self.after(body, point))
            case Repeat(body=body, least=least, most=most):
                rest = self.repeat(body, max(0, least - 1), None if most is None else most - 1)
                return self.chain(self.after(body, point), rest)
        return NOTHING  # after the end


class Patterns:
    """The patterns of one schema, whose characters are of an alphabet."""

    def __init__(self, alphabet: Chars) -> None:
        self._alphabet, self._made = alphabet, _Expressions()

    def machine(self, text: str, least: int, most: int | None, most_states: int) -> list[MachineState]:
        """A machine for the texts of so many characters in which an expression is found, as ECMAScript has it.

        It begins with the first state, and each state leads to an end. Raises ValueError for what is not understood,
        if there are no such texts, or if it needs more states.
        """
        if len(text) > LONGEST:
            raise ValueError(TOO_LARGE)
        try:
            part = (reader := _PatternReader(text, self._made)).whole()
            later = self._made.chain(ANY, self._made.chain(ALL, part.before(ALL, False)))
            found = self._made.either(part.before(ALL, True), later)
            wanted = self._made.both(found, self._made.repeat(ANY, least, most))
            return _useful(self._states(wanted, self._told_apart(reader.chars), most_states))
        except RecursionError:
            raise ValueError("it is nested too deeply") from None

    def _told_apart(self, used: Iterable[Chars]) -> list[Chars]:
        """The alphabet in groups of characters that an expression with these treats alike."""
        groups = [self._alphabet]
        for chars in used:
            others = ~chars
            self._made.spend(sum(len(each.ranges) for each in groups) * 2 * len(others.ranges))
            parts = ([each & chars, each & others] for each in groups)
            groups = [part for pair in parts for part in pair if part.ranges]
        return groups

    def _states(self, wanted: Expression, groups: list[Chars], most: int) -> list[MachineState]:
        numbers, found = {wanted: 0}, list[MachineState]()
        for each in (todo := [wanted]):
            moves: dict[int, list[tuple[int, int]]] = {}
            for chars in groups:
                rest = self._made.after(each, chars.ranges[0][0])
                if rest is NOTHING:
                    continue
                if numbers.setdefault(rest, len(todo)) == len(todo):
                    todo.append(rest)
                    if len(todo) > most:
                        raise ValueError(TOO_LARGE)
                self._made.spend(len(chars.ranges))
                moves.setdefault(numbers[rest], []).extend(chars.ranges)
            found.append(MachineState(each.ends, {to: joined(ranges) for to, ranges in moves.items()}))
        return found


def _useful(states: list[MachineState]) -> list[MachineState]:
    """Those that lead to an end. Raises ValueError if the first does not."""
    sources: dict[int, list[int]] = {}
    for number, state in enumerate(states):
        for to in state.moves:
            sources.setdefault(to, []).append(number)
    useful = [number for number, state in enumerate(states) if state.ends]
    known = set(useful)
    for number in useful:
        useful += (more := set(sources.get(number, ())) - known)
        known |= more
    if 0 not in known:
        raise ValueError("no text satisfies it")
    order = {old: new for new, old in enumerate(sorted(known))}
    return [
        MachineState(states[at].ends, {order[to]: by for to, by in states[at].moves.items() if to in known})
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

    `begins`: whether it stands at the beginning of the text; None if something is before it that may be empty.
    """

    before: Callable[[Expression, bool | None], Expression]
    asserts: bool = False  # somewhere in it
    wide: bool = True  # it may take characters


class _PatternReader:
    def __init__(self, text: str, made: _Expressions) -> None:
        self._text, self._at, self._made = text, 0, made
        self.chars = dict[Chars, None]()  # that it has read, in order

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
            lambda rest, begins: self._made.either(*(each.before(rest, begins) for each in options)),
            any(each.asserts for each in options),
            any(each.wide for each in options),
        )

    def _alternative(self) -> _Read:
        parts = list[_Read]()
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            parts.append(self._repeated(self._part()))
        wide = [*accumulate((each.wide for each in parts), or_, initial=False)]

        def before(rest: Expression, begins: bool | None) -> Expression:
            for part, behind in reversed([*zip(parts, wide, strict=False)]):
                rest = part.before(rest, None if begins and behind else begins)
            return rest

        return _Read(before, any(each.asserts for each in parts), wide[-1])

    def _part(self) -> _Read:
        character = self._next()
        match character:
            case "^":
                return _Read(_from_beginning, asserts=True, wide=False)
            case "$":
                return _Read(lambda rest, _: self._made.both(rest, EMPTY), asserts=True, wide=False)
            case "(":
                return self._group()
            case "[":
                return self._one(self._class())
            case ".":
                return self._one(NO_LINE_END)
            case "\\":
                return self._one(self._escape())
            case "*" | "+" | "?":
                raise ValueError(f"{character!r} has nothing to repeat")
        return self._one(_character(ord(character)))

    def _one(self, chars: Chars) -> _Read:
        self.chars[chars] = None
        one = self._made.one(chars)
        return _Read(lambda rest, _: self._made.chain(one, rest))

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

        def before(rest: Expression, begins: bool | None) -> Expression:
            ahead = body.before(ALL, begins)
            return self._made.both(rest, ahead if look == "?=" else self._made.negate(ahead))

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
            body = self._made.repeat(part.before(EMPTY, False), least, most)
            return _Read(lambda rest, _: self._made.chain(body, rest))
        if (least, most) != (0, 1):
            raise ValueError("what is repeated has ^, $ or a lookahead in it, which is not supported")
        return _Read(lambda rest, begins: self._made.either(part.before(rest, begins), rest), asserts=True)

    def _counts(self) -> tuple[int, int | None] | None:
        """{2}, {2,} or {2,5}; None where a bracket is only a bracket."""
        inside, closed, _ = self._text[self._at + 1 :].partition("}")
        low, several, high = inside.partition(",")
        if self._text[self._at : self._at + 1] != "{" or not closed or not _is_number(low):
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
        found = joined(ranges)
        return ~found if inverted else found

    def _member(self) -> Chars:
        character = self._next()
        return self._escape(in_class=True) if character == "\\" else _character(ord(character))


def _from_beginning(rest: Expression, begins: bool | None) -> Expression:
    if begins is None:
        raise ValueError("^ behind something else is not supported")
    return rest if begins else NOTHING


def _character(point: int) -> Chars:
    return Chars(((point, point),))


def _single(chars: Chars) -> bool:
    return len(chars.ranges) == 1 and chars.ranges[0][0] == chars.ranges[0][1]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
