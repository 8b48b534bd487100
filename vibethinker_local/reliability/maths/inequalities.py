"""Inequalities: of one variable, where it lies; of others, the difference of the sides."""

from fractions import Fraction

from vibethinker_local.reliability.maths import algebra, names, regions
from vibethinker_local.reliability.maths.expressions import (
    INFINITY,
    Expression,
    Number,
    ReadExpression,
    Symbol,
    minus,
    negated,
    quotient,
    symbols,
)
from vibethinker_local.reliability.maths.notation import Nodes, spelled
from vibethinker_local.reliability.maths.values import Answer, Piece, Region, Relation, Text

_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "!=": "!="}


def read(parts: list[Nodes], signs: list[str], side: ReadExpression) -> Answer | None:
    """What the parts between the signs say; `side` reads one, which may be infinite."""
    if not parts[0]:
        bound = side(parts[1]) if len(parts) == 2 else None
        return Answer(_region(signs[0], bound)) if bound and signs[0] != "!=" else None
    sides = [side(part) for part in parts]
    if len(parts) == 2:
        left, right = sides
        if left is not None and right is not None and (solved := _solved(left, right, signs[0])):
            return solved
        for name, other, sign in ((parts[0], right, signs[0]), (parts[1], left, _MIRRORED[signs[0]])):
            if other is not None and not symbols(other) and (label := names.label_of(name)):
                return Answer(_region(sign, other), label)
        if left is not None and right is not None and (symbols(left) or symbols(right)):
            if signs[0] in (">", ">="):
                left, right = right, left
            return Answer(Relation(signs[0].replace(">", "<"), minus(left, right)))
    elif len(parts) == 3 and "!=" not in signs and signs[0][0] == signs[1][0]:
        low, middle, high = sides
        if low is not None and high is not None and _is_free(middle, symbols(low) | symbols(high)):
            if signs[0][0] == ">":
                parts, signs, low, high = parts[::-1], [_MIRRORED[sign] for sign in signs[::-1]], high, low
            bounds = Piece(low, high, signs[0] == "<=", signs[1] == "<=")
            if middle is not None and (solved := _solved_between(middle, bounds)):
                return solved
            return Answer(Region((bounds,)), names.label_of(parts[1]) or spelled(parts[1]))
    if all(sign[0] == signs[0][0] for sign in signs) and "!=" not in signs:
        if signs[0][0] == ">":
            parts, signs = parts[::-1], [_MIRRORED[sign] for sign in signs[::-1]]
        texts = [spelled(parts[0])] + [f"{sign} {spelled(part)}" for sign, part in zip(signs, parts[1:], strict=True)]
        return Answer(Text(" ".join(texts)))
    return None


def _is_free(middle: Expression | None, ends: set[str]) -> bool:
    """Whether the middle of `a < x < b` lies between ends that do not depend on it."""
    return not ends or (isinstance(middle, Symbol) and not symbols(middle) <= ends)


def _region(sign: str, bound: Expression) -> Region:
    """Where `x sign bound` holds."""
    low, high = negated(INFINITY), INFINITY
    match sign:
        case "<" | "<=":
            return Region((Piece(low, bound, False, sign == "<="),))
        case ">" | ">=":
            return Region((Piece(bound, high, sign == ">=", False),))
    return Region((Piece(low, bound, False, False), Piece(bound, high, False, False)))


def _solved(left: Expression, right: Expression, sign: str) -> Answer | None:
    """An inequality between linear functions of one variable, solved."""
    letters = symbols(left) | symbols(right)
    if len(letters) != 1 or any(map(regions.is_infinite, (left, right))):
        return None
    name = letters.pop()
    for side, other, direction in ((left, right, sign), (right, left, _MIRRORED[sign])):
        if side == Symbol(name) and not symbols(other):
            return Answer(_region(direction, other), name)
    if (line := _line(minus(left, right), name)) is None:
        return None
    slope, intercept = line
    return Answer(_region(sign if slope > 0 else _MIRRORED[sign], Number(-intercept / slope)), name)


def _solved_between(middle: Expression, bounds: Piece) -> Answer | None:
    letters = symbols(middle)
    if len(letters) != 1:
        return None
    name = letters.pop()
    if middle == Symbol(name):
        return Answer(Region((bounds,)), name)
    if (line := _line(middle, name)) is None:
        return None
    slope, intercept = line
    ends = [quotient(minus(end, Number(intercept)), Number(slope)) for end in (bounds.low, bounds.high)]
    piece = Piece(ends[0], ends[1], bounds.low_closed, bounds.high_closed)
    if slope < 0:
        piece = Piece(ends[1], ends[0], bounds.high_closed, bounds.low_closed)
    return Answer(Region((piece,)), name)


def _line(expression: Expression, name: str) -> tuple[Fraction, Fraction] | None:
    """Slope and intercept, where both are rational."""
    try:
        parts = algebra.linear(algebra.of(expression), name)
        if parts is None:
            return None
        slope, intercept = map(algebra.constant, parts)
    except algebra.TooLarge:
        return None
    return (slope, intercept) if slope and intercept is not None else None
