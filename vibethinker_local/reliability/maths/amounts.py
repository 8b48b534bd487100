"""How much an answer is: a number in digits or words, of a unit, a currency, in percent or degrees."""

from collections.abc import Sequence
from fractions import Fraction

from vibethinker_local.reliability.maths import names, quantities
from vibethinker_local.reliability.maths.expressions import Expression, Number, Product, ReadExpression, Sum
from vibethinker_local.reliability.maths.notation import Group, Nodes, Token, is_sign, is_word
from vibethinker_local.reliability.maths.quantities import Unit
from vibethinker_local.reliability.maths.spellings import FUNCTIONS
from vibethinker_local.reliability.maths.values import MOST_PARTS, Scalar

_CURRENCIES = {"€": "euro", "£": "£", "¥": "¥", "₹": "rupee"}


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
        if (number := spoken(nodes[:end])) is not None:
            if not nodes[end:]:
                return Scalar(Number(number))
            if number.denominator == 1 and quantities.scale(nodes[end:])[1] != 1:
                return None  # one hundred and two hundred
            return _with_unit(nodes, end, expression)
    return None


def quantity(nodes: Nodes, expression: ReadExpression) -> Scalar | None:
    """An expression, with a unit, a percent or a degree sign, or without."""
    if currency := _currency(nodes):
        name, amount = currency
        value = expression(amount)
        return None if value is None else Scalar(value, Unit(((name, Fraction(1)),)))
    if is_sign(nodes[-1], "%"):
        value = expression(nodes[:-1])
        return None if value is None else _percentage(value)
    if is_sign(nodes[-1], "'") and len(nodes) == 2 and names.is_number(nodes[:1]):
        value = expression(nodes[:1])
        return None if value is None else Scalar(value, quantities.unit((Token("word", "ft"),)))
    if (degrees := _degrees(nodes)) is not None:
        before, temperature = degrees
        value = expression(before)
        if value is not None:
            unit = Unit(((temperature, Fraction(1)),)) if temperature else None
            return Scalar(value, unit, degrees=not temperature)
    for at in range(max(1, len(nodes) - MOST_PARTS), len(nodes)):
        if (quantities.begins(nodes[at]) or quantities.begins_one_of(nodes[at:])) and (
            found := _with_unit(nodes, at, expression)
        ):
            return found
    value = expression(nodes)
    return None if value is None else Scalar(value)


def _with_unit(nodes: Nodes, at: int, expression: ReadExpression) -> Scalar | None:
    if spoken(nodes[: at + 1]) is not None:
        return None  # the number goes on
    value = Number(number) if (number := spoken(nodes[:at])) is not None else expression(nodes[:at])
    if value is None:
        return None
    rest, times = quantities.scale(nodes[at:])
    if times != 1:
        value = Product((value, Number(times)))
        if not rest:
            return Scalar(value)
    named = [node.text.casefold() for node in rest if isinstance(node, Token) and node.kind in ("word", "letter")]
    if len(named) == len(rest):
        if set(named) <= quantities.PERCENT:
            return _percentage(value)
        if named[0] in quantities.DEGREES and len(named) <= 2:
            second = {"celsius": "°C", "fahrenheit": "°F", "c": "°C", "f": "°F"}.get(named[-1])
            return Scalar(value, Unit(((second, Fraction(1)),))) if second else Scalar(value, degrees=True)
        if set(named) <= quantities.DOLLARS:
            return Scalar(value)
    if unit := quantities.unit(rest):
        return Scalar(value, unit)
    for end in range(1, len(rest)):  # 5 feet 3 inches
        following = rest[end]
        if isinstance(following, Token) and following.kind == "number":
            first = quantities.unit(rest[:end])
            second_part = quantity(rest[end:], expression)
            if first and second_part:
                return _sum([Scalar(value, first), second_part])
            return None
    return None


def spoken(nodes: Nodes) -> Fraction | None:
    """The number that words spell: `twenty-one`, `minus one and a half`, `2 and a half`."""
    if len(nodes) > 1 and (is_word(nodes[0], "negative", "minus") or is_sign(nodes[0], "-")):
        return None if (number := spoken(nodes[1:])) is None else -number
    texts: list[str] = []
    for at, node in enumerate(nodes):
        if is_sign(node, "-") and 0 < at < len(nodes) - 1:
            continue
        in_digits = at == 0 and len(nodes) > 1 and isinstance(node, Token) and node.kind == "number"
        if not isinstance(node, Token) or not (in_digits or is_word(node) or is_sign(node, "and") or node.text == "a"):
            return None
        texts.append(node.text)
    return quantities.spoken(texts)


def _currency(nodes: Nodes) -> tuple[str, Nodes] | None:
    """The currency whose sign stands before or behind an amount, and the amount. The dollar's has gone with LaTeX's."""
    if len(nodes) < 2:
        return None
    for sign, amount in ((nodes[0], nodes[1:]), (nodes[-1], nodes[:-1])):
        if isinstance(sign, Token) and sign.kind == "sign" and sign.text in _CURRENCIES:
            return _CURRENCIES[sign.text], amount
    return ("rupee", nodes[2:] if is_sign(nodes[1], ".") else nodes[1:]) if is_word(nodes[0], "rs") else None


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
