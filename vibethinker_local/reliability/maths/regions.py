"""Sets of real numbers: unions of intervals, put in order and joined where their ends can be compared."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

from vibethinker_local.reliability.maths.expressions import (
    INFINITY,
    PI,
    Call,
    Expression,
    Number,
    Power,
    Product,
    Sum,
    Symbol,
    negated,
)
from vibethinker_local.reliability.maths.values import EMPTY, Answer, Items, Ordered, Piece, Region, Scalar, Value


def is_infinite(expression: Expression) -> bool:
    return expression in (INFINITY, negated(INFINITY))


def worth(expression: Expression) -> float | None:
    """A real constant as a float, to put in order; None if it is none, or not simple."""
    try:
        value = _worth(expression)
    except (OverflowError, ValueError, ZeroDivisionError, TypeError):
        return None
    return value if isinstance(value, float) and not math.isnan(value) else None


def _worth(expression: Expression) -> float:
    match expression:
        case Number(value):
            return float(value)
        case Symbol("∞"):
            return math.inf
        case Symbol("e"):
            return math.e
        case Symbol() if expression == PI:
            return math.pi
        case Sum(terms):
            return math.fsum(map(_worth, terms))
        case Product(factors):
            return math.prod(map(_worth, factors))
        case Power(base, exponent):
            return float(_worth(base) ** _worth(exponent))
        case Call("ln", (inside,)):
            return math.log(_worth(inside))
        case Call("sin" | "cos" | "tan" as name, (inside,)):
            return float(getattr(math, name)(_worth(inside)))
        case Call("abs", (inside,)):
            return abs(_worth(inside))
    raise ValueError


def order(left: Expression, right: Expression) -> int | None:
    """-1, 0 or 1 as the left one is less, equal or more; None if that cannot be told."""
    a, b = worth(left), worth(right)
    if a is None or b is None:
        return None
    if math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-300):
        return 0
    return -1 if a < b else 1


def normal(pieces: Sequence[Piece]) -> Value:
    """From left to right, with what touches joined; as they are, where their order cannot be told."""
    ends = [worth(end) for piece in pieces for end in (piece.low, piece.high)]
    if any(end is None for end in ends):
        return Region(tuple(pieces))
    ordered = sorted(pieces, key=lambda piece: (worth(piece.low), not piece.low_closed))
    joined: list[Piece] = []
    for piece in ordered:
        last = joined[-1] if joined else None
        touches = last and order(piece.low, last.high)
        if last and (touches == -1 or (touches == 0 and (piece.low_closed or last.high_closed))):
            match order(piece.high, last.high):
                case 1:
                    joined[-1] = replace(last, high=piece.high, high_closed=piece.high_closed)
                case 0:
                    joined[-1] = replace(last, high_closed=last.high_closed or piece.high_closed)
        else:
            joined.append(piece)
    return Region(tuple(joined))


def union(values: list[Value | None]) -> Value | None:
    pieces: list[Piece] = []
    points: list[Answer] = []
    for value in values:
        if isinstance(value, Items):
            points += value.members
        elif interval := as_region(value):
            pieces += interval.pieces
        elif value is not EMPTY:
            return None
    if not pieces:
        return Items(tuple(points)) if points else None
    for point in points:
        if not isinstance(point.value, Scalar):
            return None
        pieces.append(Piece(point.value.expression, point.value.expression, True, True))
    return normal(pieces)


def as_region(value: Value | None) -> Region | None:
    """A set of real numbers, also one that was taken for a pair."""
    match value:
        case Region():
            return value
        case Ordered("(", (Answer(Scalar(low, None), None), Answer(Scalar(high, None), None))):
            if order(low, high) in (-1, None):
                return Region((Piece(low, high, False, False),))
    return None


def without(whole: Region, points: Items) -> Value | None:
    """The whole without some points, which lie inside of it."""
    pieces = list(whole.pieces)
    for point in points.members:
        if not isinstance(point.value, Scalar):
            return None
        at = point.value.expression
        for index, piece in enumerate(pieces):
            if order(piece.low, at) in (-1, None) and order(at, piece.high) in (-1, None):
                left = replace(piece, high=at, high_closed=False)
                pieces[index : index + 1] = [left, replace(piece, low=at, low_closed=False)]
                break
        else:
            return None
    return normal(pieces)


def intersection(regions: list[Region]) -> Value | None:
    pieces = list(regions[0].pieces)
    for region in regions[1:]:
        found: list[Piece] = []
        for one, other in itertools.product(pieces, region.pieces):
            low, high = order(one.low, other.low), order(one.high, other.high)
            if low is None or high is None:
                return None
            left = one if low == 1 else other
            right = one if high == -1 else other
            piece = Piece(
                left.low,
                right.high,
                left.low_closed and (low != 0 or one.low_closed),
                right.high_closed and (high != 0 or one.high_closed),
            )
            length = order(piece.low, piece.high)
            if length == -1 or (length == 0 and piece.low_closed and piece.high_closed):
                found.append(piece)
        pieces = found
    return normal(pieces) if pieces else EMPTY
