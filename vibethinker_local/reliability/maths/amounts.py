"""How much an answer is: a number in digits or words, of a unit, a currency, in percent or degrees; a ratio."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from vibethinker_local.reliability.maths import numerals, units
from vibethinker_local.reliability.maths.expressions import (
    Expression,
    Number,
    Product,
    ReadExpression,
    Sum,
    quotient,
    symbols,
)
from vibethinker_local.reliability.maths.notation import Group, Nodes, Token, is_sign, is_word, split
from vibethinker_local.reliability.maths.spellings import FUNCTIONS
from vibethinker_local.reliability.maths.units import Unit
from vibethinker_local.reliability.maths.values import MOST_PARTS, Ratio, Scalar

# Pounds may be of weight: no problem asks for both.
_CURRENCIES = {"€": "euro", "£": "pound", "¥": "yuan", "₹": "rupee"}


def compound(parts: list[Nodes], nodes: Nodes, expression: ReadExpression) -> Scalar | None:
    """`1 hour and 30 minutes` is one quantity, and so is `two and a half hours`."""
    if not any(is_sign(node, "and") for node in nodes):
        return None
    if in_words := _in_words(nodes, expression):
        return in_words
    return _sum([quantity(part, expression) for part in parts])


def _in_words(nodes: Nodes, expression: ReadExpression) -> Scalar | None:
    """A number in words of which some stand behind an "and", with or without a unit."""
    last = max(at for at, node in enumerate(nodes) if is_sign(node, "and"))
    for end in range(len(nodes), last + 1, -1):
        if (number := numerals.spoken(nodes[:end])) is not None:
            if not nodes[end:]:
                return Scalar(Number(number))
            if number.denominator == 1 and numerals.scale(nodes[end:])[1] != 1:
                return None  # one hundred and two hundred
            return _with_unit(nodes, end, expression)
    return None


def quantity(nodes: Nodes, expression: ReadExpression) -> Scalar | None:
    """An expression, with a unit, a percent or a degree sign, or without."""
    if currency := _currency(nodes):
        name, amount = currency
        found = quantity(amount, expression)  # €5 million
        bare = found is not None and found == Scalar(found.expression)
        return replace(found, unit=units.unit((Token("word", name),))) if found and bare else None
    if is_sign(nodes[-1], "%"):
        value = expression(nodes[:-1])
        return None if value is None else _percentage(value)
    if is_sign(nodes[-1], "'") and len(nodes) == 2 and isinstance(nodes[0], Token) and nodes[0].kind == "number":
        value = expression(nodes[:1])
        return None if value is None else Scalar(value, units.unit((Token("word", "ft"),)))
    if (degrees := _degrees(nodes)) is not None:
        before, temperature = degrees
        value = expression(before)
        if value is not None:
            unit = Unit(((temperature, Fraction(1)),)) if temperature else None
            return Scalar(value, unit, degrees=not temperature)
    for at in range(max(1, len(nodes) - MOST_PARTS), len(nodes)):
        if (units.begins(nodes[at]) or units.begins_one_of(nodes[at:])) and (
            found := _with_unit(nodes, at, expression)
        ):
            return found
    value = expression(nodes)
    return None if value is None else Scalar(value)


def ratio(nodes: Nodes, expression: ReadExpression) -> Scalar | Ratio | None:
    """`3 : 4`, which is a number, `3 to 4`, `1 : 2 : 3`."""
    parts = split(nodes, ":")
    if len(parts) < 2 and any(is_word(node, "to") for node in nodes):  # 3 to 4
        parts = split([Token("sign", ":") if is_word(node, "to") else node for node in nodes], ":")
    if len(parts) < 2 or len(parts) > 6:
        return None
    expressions = [expression(part) for part in parts]
    if not all(expressions):
        return None
    found = tuple(each for each in expressions if each)
    if len(found) == 2 and not any(map(symbols, found)) and found[1] != Number(Fraction(0)):
        return Scalar(quotient(*found))
    return Ratio(found)


def _with_unit(nodes: Nodes, at: int, expression: ReadExpression) -> Scalar | None:
    if numerals.spoken(nodes[: at + 1]) is not None:
        return None  # the number goes on
    value = Number(number) if (number := numerals.spoken(nodes[:at])) is not None else expression(nodes[:at])
    if value is None:
        return None
    rest, times = numerals.scale(nodes[at:])
    if times != 1:
        value = Product((value, Number(times)))
        if not rest:
            return Scalar(value)
    percent = is_sign(nodes[at - 1], "%")
    if is_word(rest[0], *units.PERCENT):
        value, percent, rest = _percentage(value).expression, True, rest[1:]
        if not rest:
            return Scalar(value, percent=True)
    named = [node.text.casefold() for node in rest if isinstance(node, Token) and node.kind in ("word", "letter")]
    if len(named) == len(rest):
        if named[0] in units.DEGREES and len(named) <= 2:
            second = {"celsius": "°C", "fahrenheit": "°F", "c": "°C", "f": "°F"}.get(named[-1])
            return Scalar(value, Unit(((second, Fraction(1)),))) if second else Scalar(value, degrees=True)
        if set(named) <= units.DOLLARS:
            return Scalar(value)
    if unit := units.unit(rest):
        return Scalar(value, unit, percent=percent)  # 5% increase
    for end in range(1, len(rest)):  # 5 feet 3 inches
        following = rest[end]
        if isinstance(following, Token) and following.kind == "number":
            first = units.unit(rest[:end])
            second_part = quantity(rest[end:], expression)
            if first and second_part:
                return _sum([Scalar(value, first), second_part])
            return None
    return None


def _currency(nodes: Nodes) -> tuple[str, Nodes] | None:
    """The currency whose sign stands before or behind an amount, and the amount. The dollar's has gone with LaTeX's."""
    if len(nodes) < 2:
        return None
    places = [(nodes[0], nodes[1:]), (nodes[-1], nodes[:-1])]
    if is_sign(nodes[0], "-"):  # -€5
        places.append((nodes[1], (nodes[0], *nodes[2:])))
    for sign, amount in places:
        if isinstance(sign, Token) and sign.kind == "sign" and sign.text in _CURRENCIES:
            return _CURRENCIES[sign.text], amount
    return ("rupee", nodes[1:]) if is_word(nodes[0], "rs") else None


def _percentage(value: Expression) -> Scalar:
    return Scalar(Product((value, Number(Fraction(1, 100)))), percent=True)


def _degrees(nodes: Nodes) -> tuple[Nodes, str] | None:
    """What stands before a degree sign at the end, and the scale if it is one of temperature."""
    temperature, last = "", nodes[-1]
    if isinstance(last, Token) and last.text in ("C", "F") and last.kind == "letter":
        temperature, nodes = "°" + last.text, nodes[:-1]
        if not nodes:
            return None
        last = nodes[-1]
    if isinstance(last, Group) and last.open == "{" and len(last.nodes) == 1:
        last = last.nodes[0]
    if not (isinstance(last, Token) and last.text == "°"):
        return None
    before = nodes[:-1]
    if any(isinstance(node, Token) and node.text in FUNCTIONS for node in before):
        return None  # \sin 30^\circ
    return (before[:-1] if before and is_sign(before[-1], "^") else before), temperature


def _sum(values: Sequence[Scalar | None]) -> Scalar | None:
    """5 feet and 3 inches, in the last unit."""
    found = [value for value in values if value is not None and value.unit is not None]
    if len(found) != len(values) or len({value.unit.dimensions for value in found if value.unit}) != 1:
        return None
    factors = [value.unit.factor for value in found if value.unit]
    if len(set(factors)) != len(factors) or factors != sorted(factors, reverse=True):
        return None
    last = found[-1].unit
    assert last
    terms = (
        Product((value.expression, Number(factor / last.factor))) for value, factor in zip(found, factors, strict=True)
    )
    return Scalar(Sum(tuple(terms)), last)
