"""Whether two answers are the same: the cheapest way that can tell, tells; what nobody can tell counts as different.

`same_answer` is for the votes of one problem, `matches_gold` for an answer beside the known one. The ladder of both:
the same text once spelling is set aside; the same kind of thing with the same parts; exact algebra; and what `Prover`
says, which computes in a process of its own.
"""

import enum
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

from vibethinker_local.reliability.maths import algebra, fixed, regions, units
from vibethinker_local.reliability.maths.canonical import PROSE_WORDS, understood, words
from vibethinker_local.reliability.maths.expressions import (
    DEGREE,
    Expression,
    Number,
    Power,
    Product,
    Symbol,
    minus,
    symbols,
)
from vibethinker_local.reliability.maths.units import Unit
from vibethinker_local.reliability.maths.values import (
    NUMBERS,
    REALS,
    Answer,
    Cases,
    Choice,
    Clock,
    Items,
    Matrix,
    Modular,
    Ordered,
    Piece,
    Ratio,
    Region,
    Relation,
    Scalar,
    Text,
    Value,
)

CONSTANT_OF_INTEGRATION = "C"
_PERCENT, _DEGREES = "%", "°"
DOZEN = Fraction(12)
PRINTED = 14  # significant digits, at least, of what a program prints of an irrational number; zeros at the end apart
_POINTED = [  # numbers as other languages write them, and those that are cut off, in ours
    (re.compile(pattern), ours)
    for pattern, ours in (
        # 0,5; 12,5 cm; x = 1,5; 1,500 may have thousands, and 5,0 may be two numbers
        (r"^((?:[a-z] ?= ?)?)(?!-?[1-9]\d{0,2},\d{3}(?!\d))(-?\d+),(?!0\D*$)(\d+)(\D*)$", r"\1\2.\3\4"),
        (r"^(-?\d{1,3})[. '’](\d{3})(?:[. '’](\d{3}))?,(\d+)$", r"\1\2\3.\4"),  # 1.234,50
        (r"^(-?\d{1,3})[.'’](\d{3})[.'’](\d{3})$|^(-?\d{1,3})['’](\d{3})$", r"\1\2\3\4\5"),  # 1.234.567, 1'234
        (r"^(-?\d+\.\d+) ?(?:\.\.\.|…|\\[lc]?dots)$", r"\1"),
    )
]
_QUOTED = re.compile(r"""(['"])((?:(?!\1)[^\\\n])*)\1""")
_ARTICLE = re.compile(r"^(\\text\{)?an? (?!and\b|or\b)(?=[a-z]{2})", re.IGNORECASE)  # perhaps: also in `a sin x`
_OF_ONE_NAME = re.compile(r"(\S+) _ \d+(?:,\1 _ \d+)+|(\S+) _ \{ 1 , 2 \}")  # labels: of x_1 = 2, x_2 = 3; x_{1,2}
_UNKNOWNS = {*"xyzt", r"\lambda"}  # of which there are several solutions; a_1 and a_2, S_1 and S_2 are two quantities
_CENTS = (("cent", Fraction(1)),)
_DOLLARS = re.compile(r"\\\$|^\$(?=[\d.,]+$)|\bdollars?\b", re.IGNORECASE)
_PLAIN_UNIT = re.compile(r"^(-?[\d.,/]+) ([msghLNJWV])$")  # 10 m: for a grader metres, for a vote perhaps a variable


class Level(enum.IntEnum):
    """How far two answers agree."""

    DIFFERENT = 0
    COMPATIBLE = 1  # one says more than the other, a label or a degree sign, and nothing that contradicts it
    SAME = 2


class Prover(Protocol):
    """What takes time: `checker.Checker`."""

    def decide(self, question: str, left: Expression, right: Expression) -> bool | None:
        """Whether two expressions are "equal", "proportional" or proportional by a "positive" factor; None: unknown."""


@dataclass(frozen=True)
class Match:
    level: Level
    method: str  # what decided it

    @property
    def same(self) -> bool:
        return self.level is not Level.DIFFERENT


class _Nobody:
    def decide(self, question: str, left: Expression, right: Expression) -> None:
        return None


NOBODY: Prover = _Nobody()  # knows nothing: exact algebra alone decides


def same_answer(left: str, right: str, prover: Prover = NOBODY) -> bool:
    """Whether two samples of one problem give the same answer. Symmetric; in doubt, not.

    Transitive but for what one of them leaves out: `x=5` and `y=5` are different, and both are the same as `5`.
    `clusters` never puts two that are different together.
    """
    return compare(left, right, prover).same


def matches_gold(answer: str, gold: str, prover: Prover = NOBODY) -> bool:
    """Whether an answer is the known one: the same, or the same but for a unit, a percent sign, a degree sign, a label
    or brackets that only one of them has."""
    return match(answer, gold, prover).same


def compare(left: str, right: str, prover: Prover) -> Match:
    """`same_answer`, with how far they agree and what decided it."""
    if left == right or left.split() == right.split():
        return Match(Level.SAME, "text")
    if all(quoted := [_QUOTED.fullmatch(text.strip()) for text in (left, right)]):  # strings of a program
        one, other = (found[2] if found else "" for found in quoted)
        return Match(Level.SAME if one == other else Level.DIFFERENT, "text")
    comparison = _Comparison(prover)
    level = _under_both_readings(comparison, understood(left), understood(right))
    return Match(level, comparison.method)


def match(answer: str, gold: str, prover: Prover) -> Match:
    """`matches_gold`, with what decided it."""
    strict = compare(answer, gold, prover)
    if strict.same:
        return strict
    if all(_QUOTED.fullmatch(text.strip()) for text in (answer, gold)):
        return strict
    lenient = _Lenient(prover)
    pointed, gold_pointed = (_pointed(text.strip()) for text in (answer, gold))
    if (pointed, gold_pointed) != (answer.strip(), gold.strip()) and compare(pointed, gold_pointed, prover).same:
        return Match(Level.COMPATIBLE, "lenient")
    for cents, dollars in ((answer, gold), (gold, answer)):
        if (agree := _in_money(cents, dollars)) is not None:
            return Match(Level.COMPATIBLE, "lenient") if agree else strict
    answer, gold = (_PLAIN_UNIT.sub(r"\1 \\text{ \2}", _without_article(text.strip())) for text in (answer, gold))
    for one in dict.fromkeys(understood(answer)):
        for other in dict.fromkeys(understood(gold)):
            if lenient.answers(one, other):
                return Match(Level.COMPATIBLE, "lenient")
    return strict


def _pointed(text: str) -> str:
    """A number with a point before its decimals and nothing between its thousands; any other text as it is."""
    for other, ours in _POINTED:
        text = other.sub(ours, text)
    return text


def _without_article(text: str) -> str:
    """`circle` for `a circle`; any other text as it is."""
    bare = _ARTICLE.sub(r"\1", text)
    return bare if isinstance(understood(bare)[0].value, Text) else text


def _in_money(cents: str, dollars: str) -> bool | None:
    """Whether so many cents are so many dollars; None if they are not cents and dollars."""
    value, other = (understood(text)[0].value for text in (cents, dollars))
    if not (isinstance(value, Scalar) and value.unit and value.unit.dimensions == _CENTS):
        return None
    if not (_DOLLARS.search(dollars) and isinstance(other, Scalar) and not other.unit):
        return None
    number, wanted = _rational(value.expression), _rational(other.expression)
    return number is not None and number / 100 == wanted


def comparable(answer: str) -> bool:
    """Whether votes for such an answer can be counted: not for code, and not for prose."""
    return "\n" not in answer.strip() and words(answer) < PROSE_WORDS


def choice(answer: str) -> str | None:
    """The letter of an answer to a multiple choice, A to J, whatever stands behind it."""
    value = understood(answer)[0].value
    return value.letter if isinstance(value, Choice) else fixed.option(answer)


def plain(answer: str) -> bool:
    """Whether an answer is a rational number and nothing else, which no process is needed to compare."""
    one, other = understood(answer)
    return (
        one is other and not one.where and isinstance(one.value, Scalar) and _rational(one.value.expression) is not None
    )


def _under_both_readings(comparison: "_Comparison", left: tuple[Answer, Answer], right: tuple[Answer, Answer]) -> Level:
    level = comparison.answers(left[0], right[0])
    if level and (left[0] is not left[1] or right[0] is not right[1]):
        level = min(level, comparison.answers(left[1], right[1]))
    return level


class _Comparison:
    def __init__(self, prover: Prover, *, checks_steps: bool = True) -> None:
        self._prover, self._checks_steps = prover, checks_steps
        self.method = "kind"

    # Answers

    def answers(self, left: Answer, right: Answer) -> Level:
        if left == right:
            self.method = "text"
            return Level.SAME
        if left.where != right.where:
            level = self.conditions(left, right)
            return level and min(level, self.answers(replace(left, where=None), replace(right, where=None)))
        level = self._labelled(left, right)
        if level and self._checks_steps and not all(map(self._holds, (left, right))):
            return Level.DIFFERENT
        return level

    def conditions(self, left: Answer, right: Answer) -> Level:
        """How far the conditions of two answers agree. That k is an integer may be left out, that x > 0 may not."""
        if left.where and right.where:
            return self.answers(left.where, right.where)
        return Level.COMPATIBLE if _is_about_parameter(left if left.where else right) else Level.DIFFERENT

    def _labelled(self, left: Answer, right: Answer) -> Level:
        if left.label == right.label:
            return self.values(left.value, right.value)
        for one, other in ((left, right), (right, left)):
            values = _of_one_name(one) if isinstance(other.value, Items) else None
            if values and (other.label or values.label in _UNKNOWNS):
                return min(self._labelled(values, other), Level.COMPATIBLE)
        if _leaves_out(left.label, right.label):
            level = min(self.values(_labels_within(left), _labels_within(right)), Level.COMPATIBLE)
            return level or self._as_equations(left, right)
        if ordered := _in_order(left, right):
            return self.values(ordered, right.value)
        return self._as_equations(left, right)

    def _holds(self, answer: Answer) -> bool:
        """Whether an answer's own equations hold: of `3 + 3 = 2` nobody can say what it means."""
        return all(self.values(step, answer.value) for step in answer.steps)

    def _as_equations(self, left: Answer, right: Answer) -> Level:
        """`y = 2x` and `2x - y = 0`."""
        if not isinstance(left.value, Relation) and not isinstance(right.value, Relation):
            return Level.DIFFERENT
        one, other = _as_relation(left), _as_relation(right)
        return self.values(one, other) if one and other else Level.DIFFERENT

    def values(self, left: Value, right: Value) -> Level:
        if left == right:
            self.method = "text"
            return Level.SAME
        match left, right:
            case Scalar(), Scalar():
                return self._scalars(left, right)
            case Items(), Items():
                return self._lists(left, right)
            case (Items(), Text()) | (Text(), Items()):
                return self._options(left, right)
            case Ordered(), Ordered() if left.open == right.open:
                return self._sequences(left.members, right.members)
            case Matrix(), Matrix() if left.determinant == right.determinant:
                return self._matrices(left, right)
            case (Region() | Ordered(), Region() | Ordered()):
                one, other = regions.as_region(left), regions.as_region(right)
                return self._regions(one, other) if one and other else Level.DIFFERENT
            case Relation(), Relation() if left.sign == right.sign:
                question = "proportional" if left.sign in ("=", "!=") else "positive"
                return self._level(self._ask(question, left.difference, right.difference))
            case Modular(), Modular():
                return self._modular(left, right)
            case Ratio(), Ratio() if len(left.parts) == len(right.parts):
                return self._ratios(left, right)
            case (Scalar(), Text()) | (Text(), Scalar()):
                return self._letters(left, right)
            case Choice(), Choice() if left.letter == right.letter:
                return self.answers(left.said, right.said) if left.said and right.said else Level.COMPATIBLE
            case Cases(), Cases():
                return self._sets(left.members, right.members)
            case Clock(), Clock():
                return self._level(_time_of_day(left) == _time_of_day(right))
            case (Scalar(Symbol("R")), Region()) | (Region(), Scalar(Symbol("R"))):
                return min(Level.COMPATIBLE, self._level(REALS in (left, right)))
        return Level.DIFFERENT

    def _scalars(self, left: Scalar, right: Scalar) -> Level:
        """What has a unit is different from what has none, unless it is a degree sign."""
        one, other = left.expression, right.expression
        if left.unit and right.unit:
            if left.unit.dimensions != right.unit.dimensions:
                return Level.DIFFERENT
            return self._level(self.equal(_times(one, left.unit.factor), _times(other, right.unit.factor)))
        if left.unit or right.unit:
            return min(
                Level.COMPATIBLE, self._level(self._is_letter_of(left, right) or self._is_letter_of(right, left))
            )
        level = self._level(self.equal(one, other))
        return level if left.degrees == right.degrees else min(level, Level.COMPATIBLE)

    def _is_letter_of(self, quantity: Scalar, other: Scalar) -> bool:
        """`5 m/s`, read as a product, beside `5 \\text{ m/s}` or `5 meters per second`."""
        if quantity.unit is None:
            return False
        if quantity.unit.letters:
            letters = (Power(Symbol(name), Number(power)) for name, power in quantity.unit.letters)
            return self.equal(Product((quantity.expression, *letters)), other.expression)
        factors, powers = _without_letters(other.expression)
        unit = units.of_letters(powers) if factors and powers else None
        if unit is None or unit.dimensions != quantity.unit.dimensions:
            return False
        return self.equal(_times(quantity.expression, quantity.unit.factor), _times(Product(factors), unit.factor))

    def _options(self, left: Value, right: Value) -> Level:
        """`A, C, D` beside `ACD`: several options of a multiple choice."""
        several, text = (left, right) if isinstance(left, Items) else (right, left)
        assert isinstance(several, Items)
        assert isinstance(text, Text)
        letters = [each.value.letter for each in several.members if isinstance(each.value, Choice)]
        alike = len(letters) == len(several.members) and "".join(sorted(letters)).casefold() == text.key
        return min(Level.COMPATIBLE, self._level(alike))

    def _letters(self, left: Value, right: Value) -> Level:
        """`\\text{abc}` beside `abc`, which may be a product."""
        scalar, text = (left, right) if isinstance(left, Scalar) else (right, left)
        assert isinstance(scalar, Scalar)
        assert isinstance(text, Text)
        if not isinstance(scalar.expression, Product) or scalar.unit:
            return Level.DIFFERENT
        factors = scalar.expression.factors
        names = [factor.name for factor in factors if isinstance(factor, Symbol)]
        return min(Level.COMPATIBLE, self._level(len(names) == len(factors) and "".join(names) == text.key))

    # Expressions

    def equal(self, left: Expression, right: Expression) -> bool:
        if left == right:
            return True
        return self._ask("equal", left, right)

    def _ask(self, question: str, left: Expression, right: Expression) -> bool:
        """Whether a question is answered with yes, by exact algebra or by the prover."""
        if any(map(regions.is_infinite, (left, right))):
            return left == right
        exact = _exact(question, left, right)
        if exact is None and question == "equal" and _differ_at_a_glance(left, right):
            exact = False
        if exact is not None:
            self.method = "algebra"
            return exact
        self.method = "numeric"
        return self._prover.decide(question, left, right) is True

    # Collections

    def _lists(self, left: Items, right: Items) -> Level:
        """Of a set, a member that is there twice counts once. Of a list, it may have been left out, but 4, 4, 9 are not
        4, 9, 9."""
        ours, theirs = (self._once(each.members) if each.in_braces else each.members for each in (left, right))
        if len(ours) == len(theirs):
            return self._sets(ours, theirs)
        return min(Level.COMPATIBLE, self._sets(self._once(ours), self._once(theirs)))

    def _sets(self, left: Sequence[Answer], right: Sequence[Answer]) -> Level:
        """The same members in any order."""
        if len(left) != len(right):
            return Level.DIFFERENT
        level, open_members = Level.SAME, list(right)
        for member in left:
            if member in open_members:
                open_members.remove(member)
                continue
            found = max(
                ((self.answers(member, other), -at) for at, other in enumerate(open_members)),
                default=(Level.DIFFERENT, 0),
            )
            level = min(level, found[0])
            if not level:
                return level
            del open_members[-found[1]]
        return level

    def _once(self, members: Sequence[Answer]) -> list[Answer]:
        kept: list[Answer] = []
        for member in dict.fromkeys(members):
            if all(self.answers(member, other) is not Level.SAME for other in kept):
                kept.append(member)
        return kept

    def _sequences(self, left: Sequence[Answer], right: Sequence[Answer]) -> Level:
        if len(left) != len(right):
            return Level.DIFFERENT
        level = Level.SAME
        for one, other in zip(left, right, strict=True):
            level = min(level, self.answers(one, other))
            if not level:
                break
        return level

    def _matrices(self, left: Matrix, right: Matrix) -> Level:
        if [len(row) for row in left.rows] != [len(row) for row in right.rows]:
            return Level.DIFFERENT
        return self._sequences(
            [cell for row in left.rows for cell in row], [cell for row in right.rows for cell in row]
        )

    def _regions(self, left: Region, right: Region) -> Level:
        if len(left.pieces) != len(right.pieces):
            return Level.DIFFERENT
        return self._level(all(self._pieces(a, b) for a, b in zip(left.pieces, right.pieces, strict=True)))

    def _pieces(self, left: Piece, right: Piece) -> bool:
        closed = (left.low_closed, left.high_closed) == (right.low_closed, right.high_closed)
        return closed and self.equal(left.low, right.low) and self.equal(left.high, right.high)

    def _ratios(self, left: Ratio, right: Ratio) -> Level:
        first, other = left.parts[0], right.parts[0]
        pairs = zip(left.parts[1:], right.parts[1:], strict=True)
        return self._level(all(self.equal(Product((a, other)), Product((b, first))) for a, b in pairs))

    def _modular(self, left: Modular, right: Modular) -> Level:
        if not self.equal(left.modulus, right.modulus):
            return Level.DIFFERENT
        numbers = [_rational(each) for each in (left.value, right.value, left.modulus)]
        if all(number is not None and number.denominator == 1 for number in numbers) and numbers[2]:
            one, other, modulus = (int(number or 0) for number in numbers)
            return self._level((one - other) % modulus == 0)
        return self._level(self.equal(left.value, right.value))

    @staticmethod
    def _level(agree: bool) -> Level:
        return Level.SAME if agree else Level.DIFFERENT


class _Lenient:
    """What graders accept beyond `compare`, one thing at a time."""

    def __init__(self, prover: Prover) -> None:
        self._comparison = _Comparison(prover, checks_steps=False)

    def answers(self, left: Answer, right: Answer) -> bool:
        if left.where or right.where:
            if not self._comparison.conditions(left, right):
                return False
            left, right = replace(left, where=None), replace(right, where=None)
        if not _leaves_out(left.label, right.label):
            return bool(self._comparison.answers(left, right))
        if self._comparison.answers(left, right):
            return True
        for one, other in ((left, right), (right, left)):
            if self._values(one.value, other.value):
                return True
            names_all = one.label is not None and "," in one.label and other.label is None  # AB = 4, CD = 5 beside 4, 5
            names_all &= not (isinstance(other.value, Items) and any(each.label for each in other.value.members))
            if names_all and isinstance(one.value, Ordered) and self.answers(Answer(Items(one.value.members)), other):
                return True
        return False

    def _values(self, left: Value, right: Value) -> bool:
        same = self._comparison.values
        match left, right:
            case Scalar(), Scalar():
                return self._scalars(left, right)
            case Items((only,)), Scalar() | Ordered():  # {5}
                return self.answers(only, Answer(right))
            case Clock((hours, minutes)), Scalar() if not left.half and minutes:
                return bool(same(Scalar(Number(Fraction(hours, minutes))), right))
            case Matrix(), Ordered() if not left.determinant and 1 in (len(left.rows), len(left.rows[0])):
                return bool(same(Ordered(right.open, tuple(cell for row in left.rows for cell in row)), right))
            case Ordered(), Ordered() if {left.open, right.open} <= {"(", "<"} and left.open != right.open:
                return bool(same(replace(left, open=right.open), right))
            case Text(), Text():
                return left.key.removeprefix("the ") == right.key.removeprefix("the ")
            case Clock(), Clock() if not right.half:
                return left.numbers == right.numbers
            case Items(), Items():
                return self._lists(left, right)
            case Ordered(), Ordered():
                return self._lists(left, right)
        return False

    def _lists(self, left: Items | Ordered, right: Items | Ordered) -> bool:
        """One with, the other without the units, percent or degree signs of its members. Where they differ, the order
        tells which number has which: 10 boys and 5 girls are 10, 5."""
        ours, theirs = set(_marks(left)), set(_marks(right))
        if not ours or (theirs and (ours != theirs or len(ours) > 1 or _PERCENT in ours)):
            return False
        if len(ours) > 1 and isinstance(left, Items) and isinstance(right, Items):
            left, right = Ordered("(", left.members), Ordered("(", right.members)
        return any(
            self._comparison.values(_unmarked(left, as_worth), _unmarked(right, as_worth)) for as_worth in (False, True)
        )

    def _scalars(self, left: Scalar, right: Scalar) -> bool:
        """One with, the other without a unit, a percent sign, a degree sign."""
        equal = self._comparison.equal
        if left == Scalar(left.expression) and right == Scalar(right.expression):
            return _is_as_printed(left.expression, right.expression)
        if left.unit and not right.unit and (left.percent or not right.percent):
            temperature = any(name.startswith("°") for name, _ in left.unit.dimensions)
            if right.degrees and not temperature:  # 30 km is no angle
                return False
            dozens = any(name.startswith("dozen") for name, _ in left.unit.dimensions)  # asked for, or counted in
            if dozens and equal(_times(left.expression, DOZEN), right.expression):
                return True
            if equal(left.expression, right.expression):
                return True
        if left.percent and not (right.percent or right.degrees or right.unit):
            return equal(_times(left.expression, Fraction(100)), right.expression)
        if left.degrees and not right.degrees and not right.unit:
            return equal(Product((left.expression, DEGREE)), right.expression)
        return False


def _marks(value: Value) -> Iterator[Unit | str]:
    """What stands behind the numbers of a list: units, percent signs, degree signs."""
    match value:
        case Items(members) | Ordered(_, members):
            for member in members:
                yield from _marks(member.value)
        case Scalar(_, unit, degrees, percent) if unit or degrees or percent:
            yield unit or (_PERCENT if percent else _DEGREES)


def _unmarked(value: Value, as_worth: bool) -> Value:
    """Without its marks: 5% and 45° as 5 and 45, or as what they are worth, 0.05 and π/4."""
    match value:
        case Items(members) | Ordered(_, members):
            bare = (replace(member, value=_unmarked(member.value, as_worth)) for member in members)
            return replace(value, members=tuple(bare))
        case Scalar(expression, degrees=True) if as_worth:
            return Scalar(Product((expression, DEGREE)))
        case Scalar(expression, percent=True) if not as_worth:
            return Scalar(_times(expression, Fraction(100)))
        case Scalar(expression):
            return Scalar(expression)
    return value


def _time_of_day(clock: Clock) -> Clock:
    """A time in hours from 0 to 23, where it says which half of the day is meant: 3:30 p.m. and 15:30."""
    hour, *rest = clock.numbers
    if clock.half and 0 < hour <= 12:
        return Clock((hour % 12 + (12 if clock.half == "pm" else 0), *rest), "known")
    return Clock(clock.numbers, "known") if not clock.half and (hour == 0 or 12 < hour < 24) else clock


def _leaves_out(left: str | None, right: str | None) -> bool:
    """Whether one label has all that the other has: none beside `x`, `y` beside `x = y`."""
    if left is None or right is None:
        return True
    ours, theirs = set(left.split("=")), set(right.split("="))
    return ours <= theirs or theirs <= ours


def _is_about_parameter(answer: Answer) -> bool:
    """Whether the condition says which numbers a letter stands for. In `0 < x < 5 (x ∈ ℤ)` it takes most of x away."""
    where = answer.where
    if where is None or where.value not in NUMBERS.values():
        return False
    return not isinstance(answer.value, Region) or where.label != answer.label or where.value == NUMBERS["ℝ"]


def _labels_within(answer: Answer) -> Value:
    """The value, with the label at each member of a list: x = 1 or x = 2 beside x = 1 or y = 2."""
    if answer.label is None or not isinstance(answer.value, Items):
        return answer.value
    members = (replace(member, label=member.label or answer.label) for member in answer.value.members)
    return replace(answer.value, members=tuple(members))


def _in_order(left: Answer, right: Answer) -> Ordered | None:
    """The left one's parts in the order of the right one's names: x = 1, y = 2 and y = 2, x = 1."""
    ours, theirs = (left.label or "").split(","), (right.label or "").split(",")
    if sorted(ours) != sorted(theirs) or not isinstance(left.value, Ordered) or len(ours) != len(left.value.members):
        return None
    return replace(left.value, members=tuple(left.value.members[ours.index(name)] for name in theirs))


def _of_one_name(answer: Answer) -> Answer | None:
    """x_1 = 2, x_2 = 3 as x = 2, 3; and so x_{1,2} = ±2."""
    found = _OF_ONE_NAME.fullmatch(answer.label or "")
    if found is None or not isinstance(answer.value, Ordered | Items):
        return None
    return Answer(Items(answer.value.members), found[1] or found[2])


def _as_relation(answer: Answer) -> Relation | None:
    if isinstance(answer.value, Relation):
        return answer.value
    if answer.subject is None or not isinstance(answer.value, Scalar) or answer.value.unit:
        return None
    return Relation("=", minus(answer.subject, answer.value.expression))


def _times(expression: Expression, factor: Fraction) -> Expression:
    return expression if factor == 1 else Product((expression, Number(factor)))


def _without_letters(expression: Expression) -> tuple[tuple[Expression, ...], dict[str, Fraction]]:
    """The factors of a product that are no powers of variables, and the powers."""
    match expression:
        case Symbol(name) if symbols(expression):
            return (), {name: Fraction(1)}
        case Power(base, Number(power)):
            factors, powers = _without_letters(base)
            if powers and not factors:
                return (), {name: power * exponent for name, exponent in powers.items()}
        case Product(parts):
            factors, powers = tuple[Expression, ...](), dict[str, Fraction]()
            for part in parts:
                more, raised = _without_letters(part)
                factors += more
                powers |= {name: powers.get(name, 0) + power for name, power in raised.items()}
            return factors, powers
    return (expression,), {}


def _rational(expression: Expression) -> Fraction | None:
    try:
        return algebra.constant(algebra.of(expression))
    except algebra.TooLarge:
        return None


def _exact(question: str, left: Expression, right: Expression) -> bool | None:
    try:
        one, other = algebra.of(left), algebra.of(right)
        if question != "equal":
            return algebra.proportional(one, other, positive=question == "positive")
        families = [
            algebra.without_constant(each, CONSTANT_OF_INTEGRATION) if CONSTANT_OF_INTEGRATION in symbols(of) else None
            for each, of in ((one, left), (other, right))
        ]
        if families[0] and families[1] and algebra.equal(*families):  # type: ignore[arg-type]
            return True
        return algebra.equal(one, other)
    except algebra.TooLarge:
        return None


def _is_as_printed(number: Expression, exact: Expression) -> bool:
    """Whether a number with as many digits as programs print is what an exact constant is worth: 1.4142135623730951."""
    if not isinstance(number, Number) or number.value.denominator == 1 or isinstance(exact, Number) or symbols(exact):
        return False
    printed, worth = regions.worth(number), regions.worth(exact)
    if printed is None or worth is None or not math.isclose(printed, worth, rel_tol=2e-14):
        return False
    return len(f"{printed:.15g}".replace(".", "").lstrip("-0")) >= PRINTED


def _differ_at_a_glance(left: Expression, right: Expression) -> bool:
    """Whether two constants differ already in the first digits."""
    a, b = regions.worth(left), regions.worth(right)
    return a is not None and b is not None and not math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
