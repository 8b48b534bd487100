"""The kinds of answers: a number, a set, an interval, a matrix, an equation, words …, each with its label."""

from dataclasses import dataclass, field

from vibethinker_local.reliability.maths.expressions import INFINITY, Expression, negated
from vibethinker_local.reliability.maths.units import Unit

MOST_PARTS = 64  # of one answer


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number or an expression, with what stands behind it. A percentage is worth its hundredth."""

    expression: Expression
    unit: Unit | None = None
    degrees: bool = False
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    key: str


@dataclass(frozen=True, slots=True)
class Choice:
    letter: str
    said: "Answer | None" = None  # of `B: 12`, which could be the value of B: what stands behind the colon


@dataclass(frozen=True, slots=True)
class Items:
    """A finite set, or a list of answers in any order; the two are the same, but a set is one member of a list."""

    members: "tuple[Answer, ...]"
    in_braces: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Ordered:
    """A tuple, a vector, a point."""

    open: str
    members: "tuple[Answer, ...]"


@dataclass(frozen=True, slots=True)
class Piece:
    """An interval of real numbers, or one of them."""

    low: Expression
    high: Expression
    low_closed: bool
    high_closed: bool


@dataclass(frozen=True, slots=True)
class Region:
    """A union of intervals, from left to right where that can be told."""

    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    rows: "tuple[tuple[Answer, ...], ...]"
    determinant: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """An equation or an inequality: `difference sign 0`."""

    sign: str  # =, <, <=, !=
    difference: Expression


@dataclass(frozen=True, slots=True)
class Based:
    """A numeral in a base."""

    digits: str
    base: str


@dataclass(frozen=True, slots=True)
class Modular:
    value: Expression
    modulus: Expression


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day, or a ratio that looks like one."""

    numbers: tuple[int, ...]
    half: str = ""


@dataclass(frozen=True, slots=True)
class Ratio:
    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Cases:
    """A function by cases: values, each with the condition `where` it is one."""

    members: "tuple[Answer, ...]"


Value = Scalar | Text | Choice | Items | Ordered | Region | Matrix | Relation | Based | Modular | Clock | Ratio | Cases


@dataclass(frozen=True, slots=True)
class Answer:
    """`x = 5` has the label `x`. The label is what the value is said to be of; many answers leave it out."""

    value: Value
    label: str | None = None
    subject: Expression | None = None  # the label as an expression, for equations in another form
    steps: tuple[Value, ...] = ()  # what it is said to be equal to on the way: `55 + 3 = 58`
    where: "Answer | None" = None  # a condition: x > 0; of a parameter, as k ∈ ℤ, one of NUMBERS with its name


EMPTY = Text("∅")
NUMBERS = {name: Text(name) for name in ("ℤ", "ℕ", "ℕ+", "ℝ")}  # of which a parameter is one
REALS = Region((Piece(negated(INFINITY), INFINITY, False, False),))
