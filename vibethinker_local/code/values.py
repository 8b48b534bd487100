"""Values as text: whether two of them are equal, as Python's `==` has it, floats within rounding.

The texts come from statements and from programs. None of them is ever evaluated: literals are parsed.
"""

import ast
import itertools
import json
import math
import re
from contextlib import suppress
from fractions import Fraction
from typing import Any

LONGEST = 1_000_000  # characters that are parsed
LONG = 10_000  # of which more are tried as JSON first, which takes a tenth of the time
RELATIVE, ROUNDED, ABSOLUTE = 1e-6, 1e-5, 1e-9  # tolerance between floats; a statement's are rounded
_NAMES = {"true": True, "false": False, "null": None, "inf": math.inf, "nan": math.nan, "Infinity": math.inf}
_DECIMAL = re.compile(r"-?\d+(?:\.\d+)?")


class NoLiteral(ValueError):
    """A text that is no literal of Python or JSON."""


def parse(text: str) -> Any:
    """The value of a literal. Raises NoLiteral."""
    if len(text) > LONGEST:
        raise NoLiteral("too long")
    if len(text) > LONG:
        with suppress(ValueError, RecursionError):
            return json.loads(text)
    try:
        return _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, TypeError, ArithmeticError, MemoryError, RecursionError):
        raise NoLiteral(text[:100]) from None


def unparsed(node: ast.AST) -> str:
    """A tree as Python source. Raises NoLiteral for one that is nested too deeply to be written."""
    try:
        return ast.unparse(node)
    except (RecursionError, ValueError):  # or it holds a number of too many digits
        raise NoLiteral("nested too deeply") from None


def same(left: str, right: str) -> bool:
    """Whether two values are equal; a list is no tuple."""
    return left == right or _compare(left, right, strict=True)


def as_expected(expected: str, found: str) -> bool:
    """Whether a value is the one that a statement gives. Statements write lists for tuples, and leave quotes out."""
    return (
        expected == found or _compare(expected, found, strict=False) or (repr(expected) == found and _is_bare(expected))
    )


def _is_bare(text: str) -> bool:
    """Whether a text is a string whose quotes were left out: 3 is the number, not the string; 1,000 may be one."""
    try:
        return isinstance(parse(text), tuple) and text[0] != "("
    except NoLiteral:
        return True


def in_one_order(text: str) -> str:
    """A list with its items in an order that depends on nothing but them; any other value as it is."""
    try:
        value = parse(text)
    except NoLiteral:
        return text
    return repr(type(value)(sorted(value, key=repr))) if isinstance(value, (list, tuple)) else text


def same_output(left: str, right: str) -> bool:
    """Whether two outputs are the same but for blanks, empty lines, and the last digits of floats."""
    lines = [[parts for line in text.splitlines() if (parts := line.split())] for text in (left, right)]
    if lines[0] == lines[1]:
        return True
    if [len(line) for line in lines[0]] != [len(line) for line in lines[1]]:
        return False
    words = zip(*(itertools.chain.from_iterable(text) for text in lines), strict=True)
    return all(a == b or (_is_decimal(a, b) and _compare(a, b, strict=True)) for a, b in words)


def same_shape(left: str, right: str) -> bool:
    """Whether the lines of two outputs are indented alike, behind the first one, whose blanks statements lose."""
    return _indents(left) == _indents(right)


def _indents(text: str) -> list[int]:
    lines = [line.expandtabs() for line in text.splitlines() if line.strip()][1:]
    widths = [len(line) - len(line.lstrip()) for line in lines]
    return [width - min(widths) for width in widths]


def _is_decimal(left: str, right: str) -> bool:
    return "." in left or "." in right


def _compare(left: str, right: str, *, strict: bool) -> bool:
    try:
        return _equal(parse(left), parse(right), strict)
    except (NoLiteral, RecursionError):
        return False


def _equal(left: Any, right: Any, strict: bool) -> bool:
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        if strict and type(left) is not type(right):
            return False
        return len(left) == len(right) and all(_equal(a, b, strict) for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key], strict) for key in left)
    if isinstance(left, float) or isinstance(right, float):
        if not all(isinstance(each, (int, float, Fraction)) for each in (left, right)):
            return False
        try:
            if math.isnan(left) or math.isnan(right):
                return math.isnan(left) and math.isnan(right)
            return math.isclose(left, right, rel_tol=RELATIVE if strict else ROUNDED, abs_tol=ABSOLUTE)
        except OverflowError:  # an integer that no float can hold
            return False
    return bool(left == right)


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value) if value is not ...:  # [0, 1, ..., 9] is no list of four
            return value
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return +_value(operand)
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Set(elts=items):
            return frozenset(_value(item) for item in items)
        case ast.Dict(keys=keys, values=items):
            if None in keys:
                raise NoLiteral("unpacked")
            return {_value(key): _value(item) for key, item in zip(keys, items, strict=True) if key is not None}
        case ast.Call(func=ast.Name(id="set" | "frozenset"), args=[], keywords=[]):
            return frozenset()
        case ast.Call(func=ast.Name(id="Fraction" | "Decimal"), args=[ast.Constant(value=str(text))], keywords=[]) if (
            _DECIMAL.fullmatch(text)  # 1E+999999999 would have as many digits
        ):
            return Fraction(text)
        case ast.Call(func=ast.Name(id="Fraction"), args=[above, ast.Constant(value=int(below))], keywords=[]):
            return Fraction(_value(above), below)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as sign, right=ast.Constant(value=complex() as imaginary)):
            real = _value(left)
            return real + imaginary if isinstance(sign, ast.Add) else real - imaginary
    raise NoLiteral(type(node).__name__)
