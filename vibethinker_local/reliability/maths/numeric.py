"""Whether two expressions agree, by their values to hundreds of digits at random points.

Where they differ anywhere they are different. Where they agree at several points to 300 digits, more than their own
numbers have, they are taken for equal. It may take long and much memory: it runs in the checker's process.
"""

import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Literal

import mpmath
from mpmath import mp

from vibethinker_local.reliability.maths import algebra
from vibethinker_local.reliability.maths.expressions import (
    INFINITY,
    Bound,
    Call,
    Expression,
    Number,
    Power,
    Product,
    Sum,
    Symbol,
    children,
    symbols,
)

Question = Literal["equal", "proportional", "positive", "apart"]

FIRST_DIGITS = 15  # of what takes long: a sum without end, an integral
GLANCE_DIGITS = 40
SURE_DIGITS = 300  # besides those that the expressions' own numbers have
MOST_DIGITS = 6000
MOST_LOST = 50  # digits that what takes long may lose
POINTS = 3  # at which two have to agree
TRIES = 10  # of points: some lie where nothing is defined
# Further points, beyond where absolute values, maxima and roots of squares turn: a scale, and which variables are
# negative: all, or those whose place has an odd number of bits in common with the mask.
_ALL = -1
_TURNS = ((1, _ALL), (1 / 64, 0), (50, 1), (10**6, 2), (10**6, 3))
_WHOLE = (64, 3600, 3599, 3601, 36, 16)  # where floors and ceilings turn: of parts, roots and logarithms
_COUNTING = set("kmnN")  # letters that stand for whole numbers beside floors and ceilings
_RESIDUES = 13  # whole numbers, all of them at which such letters are tried
MOST_EXPONENT = 10**6  # of ten
MOST_ARGUMENT = 30_000  # bits of what a function is taken of: a sine needs as many of pi
MOST_TERMS = 5000  # of a sum


class Unknown(Exception):
    """Not defined here, or too large."""


def decide(question: Question, left: Expression, right: Expression) -> bool | None:
    """Whether two are equal; whether one is a constant (positive) multiple of the other; or a constant apart."""
    names = sorted(symbols(left) | symbols(right))
    steps = any(map(_steps, (left, right)))
    counts = any(map(_counts, (left, right)))
    wants_integers = counts or (steps and set(names) <= _COUNTING)
    own_digits = sum(map(_digits, (left, right)))
    if own_digits > MOST_DIGITS:
        return None
    complex_too = any(_holds(each, Symbol("i")) for each in (left, right))
    inexact = any(map(_approximates, (left, right)))
    seen: list[Any] = []
    points = 1 if not names and question == "equal" else POINTS + (question != "equal")
    usual = [_point(names, attempt, integers=wants_integers) for attempt in range(TRIES)]
    further = [] if inexact or counts or not names else list(_further(names, steps=steps, integers=wants_integers))
    for at, values in enumerate([*usual[:POINTS], *further, *usual[POINTS:]], 1):
        is_further = POINTS < at <= POINTS + len(further)
        sure, lost = () if is_further else (SURE_DIGITS + own_digits,), 0
        for wanted in (FIRST_DIGITS, GLANCE_DIGITS) if inexact else (GLANCE_DIGITS, *sure):
            digits = wanted + lost
            if digits > MOST_DIGITS + SURE_DIGITS:
                break
            with mp.workdps(digits):
                tolerance = mp.mpf(10) ** (-(wanted // 2) - lost if inexact else -digits + GLANCE_DIGITS // 2)
                sides = [_Evaluation(values) for _ in range(2)]
                try:
                    a, b = (side.of(each) for side, each in zip(sides, (left, right), strict=True))
                except (Unknown, ZeroDivisionError, ValueError, OverflowError, mpmath.libmp.NoConvergence):
                    break
                outside = [side.left_reals for side in sides]
                if any(outside) and is_further:
                    break  # letters are mostly positive: \sqrt{ab} may be \sqrt{a}\sqrt{b}
                if not complex_too:
                    if all(outside):
                        break
                    if any(outside):
                        return False
                scale = max(1, *(side.scale for side in sides)) if inexact else max(side.scale for side in sides)
                lost = int(mp.mag(max(scale, 1))) // 3  # digits, where what is large cancels
                if inexact and lost > MOST_LOST:
                    return None
                if question == "equal":
                    if abs(a - b) > tolerance * scale:
                        return False
                    continue
                what = a - b if question == "apart" else _ratio(a, b)
                if what is None:
                    break
                if question == "positive" and not (mp.im(what) == 0 and mp.re(what) > 0):
                    return False
                if seen and abs(what - seen[0]) > mp.mpf(10) ** (-GLANCE_DIGITS // 2) * max(abs(what), 1):
                    return False
        else:
            if not is_further:  # there a difference tells, and no more
                seen.append(what if question != "equal" else None)
        if len(seen) >= points and (not further or at >= POINTS + len(further)):
            return True
    return None


def _ratio(a: Any, b: Any) -> Any:
    return a / b if a and b else None


def _point(names: list[str], attempt: int, *, integers: bool) -> dict[str, Any]:
    """A value for each variable: positive at first, then of both signs."""
    draw = random.Random(attempt)
    values: dict[str, Any] = {}
    for name in names:
        if integers:
            values[name] = mp.mpf(draw.randrange(3, 9) + 3 * attempt)
        else:
            size = mp.mpf(draw.randrange(2**40, 2**42)) / 2**40
            values[name] = -size if attempt % 3 and draw.random() < 0.5 + 0.5 * (len(names) == 1) else size
    return values


def _further(names: list[str], *, steps: bool, integers: bool) -> Iterator[dict[str, Any]]:
    """Points with other signs and sizes, and whole numbers where something steps from one to the next."""
    for scale, mask in () if integers else _TURNS:
        values = _point(names, 0, integers=False)
        yield {
            name: scale * (-values[name] if mask == _ALL or (place & mask).bit_count() % 2 else values[name])
            for place, name in enumerate(names, 1)
        }
    for first in range(len(_WHOLE) if steps else 0):
        yield {name: mp.mpf(_WHOLE[(first + place) % len(_WHOLE)]) for place, name in enumerate(names)}
    for first in range(_RESIDUES if steps and integers else 0):
        yield {name: mp.mpf(3 + first * place % _RESIDUES) for place, name in enumerate(names, 1)}


class _Evaluation:
    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self.scale = mp.mpf(0)  # of the largest number on the way
        self.left_reals = False  # by a root or a logarithm of something negative

    def of(self, expression: Expression) -> Any:
        value = self._value(expression)
        size = abs(value)
        if not mp.isfinite(size):
            raise Unknown
        self.scale = max(self.scale, size)
        return value

    def _value(self, expression: Expression) -> Any:
        match expression:
            case Number(value):
                return mp.mpf(value.numerator) / value.denominator
            case Symbol(r"\pi"):
                return +mp.pi
            case Symbol("e"):
                return +mp.e
            case Symbol("i"):
                return mp.mpc(0, 1)
            case Symbol(name):
                if name not in self._values:
                    raise Unknown
                return self._values[name]
            case Sum(terms):
                return sum(map(self.of, terms[1:]), self.of(terms[0]))
            case Product(factors):
                result = self.of(factors[0])
                for factor in factors[1:]:
                    result = result * self.of(factor)
                return result
            case Power(base, exponent):
                return self._power(base, exponent)
            case Call(name, arguments):
                return self._call(name, [self.of(argument) for argument in arguments])
            case Bound():
                return self._bound(expression)
        raise AssertionError(expression)

    def _power(self, base: Expression, exponent: Expression) -> Any:
        bottom, rational = self.of(base), _rational(exponent)
        top = self.of(exponent) if rational is None else mp.mpf(rational.numerator) / rational.denominator
        if mp.mag(top) > MOST_ARGUMENT or (bottom and abs(mp.re(top)) * abs(mp.log10(abs(bottom))) > MOST_EXPONENT):
            raise Unknown
        if not bottom and mp.re(top) <= 0:
            raise Unknown
        if mp.im(bottom) == 0 and mp.re(bottom) < 0 and mp.im(top) == 0 and top != mp.floor(top):
            if rational is not None and rational.denominator % 2:  # the real root, as at school
                return (-1) ** (rational.numerator % 2) * mp.power(-mp.re(bottom), top)
            self.left_reals = True
        if rational is not None and rational.denominator == 1 and abs(rational) < 10**6:
            return bottom ** int(rational)
        return mp.power(bottom, top)

    def _call(self, name: str, arguments: list[Any]) -> Any:
        if any(mp.mag(argument) > MOST_ARGUMENT for argument in arguments):
            raise Unknown
        known = _FUNCTIONS.get(name)
        if known is None or len(arguments) != 1:
            return self._several(name, arguments)
        value = known(arguments[0])
        if mp.im(value) and not mp.im(arguments[0]):
            self.left_reals = True
        return value

    def _several(self, name: str, arguments: list[Any]) -> Any:
        match name, arguments:
            case "binomial", [n, k] if abs(n) < MOST_TERMS and abs(k) < MOST_TERMS:
                return mp.binomial(n, k)
            case "max" | "min", [_, *_] if not any(map(mp.im, arguments)):
                return (max if name == "max" else min)(arguments)
            case "gcd" | "lcm" | "binomial", _:
                raise Unknown
        # A function that nobody knows: some smooth function, the same for the same name
        draw = random.Random(f"{name} {len(arguments)}")
        weights = [mp.mpf(draw.randrange(2**40, 2**41)) / 2**40 for _ in range(len(arguments) + 1)]
        return mp.cos(weights[0] + sum(w * a for w, a in zip(weights[1:], arguments, strict=True)))

    def _bound(self, bound: Bound) -> Any:
        low = self._end(bound.low)
        high = None if bound.high is None else self._end(bound.high)

        def body(at: Any) -> Any:
            inner = _Evaluation(self._values | {bound.variable: at})
            value = inner.of(bound.body)
            self.left_reals |= inner.left_reals
            return value

        if bound.operation in ("sum", "product") and high is not None and mp.isfinite(low) and mp.isfinite(high):
            if low != mp.floor(low) or high != mp.floor(high) or high - low > MOST_TERMS:
                raise Unknown
            terms = [body(mp.mpf(n)) for n in range(int(low), int(high) + 1)]
            return mp.fsum(terms) if bound.operation == "sum" else mp.fprod(terms)
        if bound.operation == "limit":
            return mp.limit(body, low)
        if bound.operation == "sum":
            value = mp.nsum(body, [low, high])
            with mp.extradps(10):
                error = abs(mp.nsum(body, [low, high]) - value)
        elif bound.operation == "integral":
            value, error = mp.quad(body, [low, high], error=True)
        else:
            raise Unknown
        if error > mp.mpf(10) ** (-mp.dps * 0.6) * max(1, abs(value)):
            raise Unknown
        return value

    def _end(self, expression: Expression) -> Any:
        if expression == INFINITY:
            return mp.inf
        if isinstance(expression, Product) and INFINITY in expression.factors:
            return -mp.inf
        return self.of(expression)


def _rational(expression: Expression) -> Fraction | None:
    if isinstance(expression, Number):
        return expression.value
    if symbols(expression):
        return None
    try:
        return algebra.constant(algebra.of(expression))
    except algebra.TooLarge:
        return None


def _factorial(value: Any) -> Any:
    if abs(value) > MOST_TERMS:
        raise Unknown
    return mp.factorial(value)


def _double_factorial(value: Any) -> Any:
    if abs(value) > MOST_TERMS:
        raise Unknown
    return mp.fac2(value)


def _real(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def of(value: Any) -> Any:
        if mp.im(value):
            raise Unknown
        return function(mp.re(value))

    return of


def _floor(number: Any) -> Any:
    """The largest whole number up to one; what is whole but for its last digits is whole."""
    whole = mp.nint(number)
    return whole if abs(number - whole) <= mp.mpf(10) ** (-mp.dps // 2) else mp.floor(number)


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sin": mp.sin, "cos": mp.cos, "tan": mp.tan, "cot": mp.cot, "sec": mp.sec, "csc": mp.csc, "arcsin": mp.asin,
    "arccos": mp.acos, "arctan": mp.atan, "arccot": mp.acot, "arcsec": mp.asec, "arccsc": mp.acsc, "sinh": mp.sinh,
    "cosh": mp.cosh, "tanh": mp.tanh, "coth": mp.coth, "sech": mp.sech, "csch": mp.csch, "arsinh": mp.asinh,
    "arcosh": mp.acosh, "artanh": mp.atanh, "ln": mp.log, "abs": abs, "floor": _real(_floor),
    "ceil": _real(lambda number: -_floor(-number)),
    "sgn": _real(mp.sign), "factorial": _factorial, "factorial2": _double_factorial, "erf": mp.erf, "Re": mp.re,
    "Im": mp.im,
}  # fmt: skip


def _holds(expression: Expression, part: Expression) -> bool:
    return expression == part or any(_holds(child, part) for child in children(expression))


def _counts(expression: Expression) -> bool:
    """Whether something in it has to be a whole number: the end of a sum."""
    match expression:
        case Bound("sum" | "product", _, _, low, high) if high is not None and symbols(low) | symbols(high):
            return True
    return any(map(_counts, children(expression)))


def _steps(expression: Expression) -> bool:
    """Whether it jumps at whole numbers, or at what has to do with them."""
    if isinstance(expression, Call) and expression.name in ("floor", "ceil"):
        return True
    return any(map(_steps, children(expression)))


def _approximates(expression: Expression) -> bool:
    """Whether it holds what can be computed to some digits only: an integral, a limit, an infinite sum."""
    if isinstance(expression, Bound):
        endless = any(end is not None and _holds(end, INFINITY) for end in (expression.low, expression.high))
        if expression.operation in ("integral", "limit") or endless:
            return True
    return any(map(_approximates, children(expression)))


def _digits(expression: Expression) -> int:
    """How many digits its numbers have; of a power, how many those may have that it makes."""
    match expression:
        case Number(value):
            return (value.numerator.bit_length() + value.denominator.bit_length()) // 3
        case Power(base, exponent):
            power = _rational(exponent)
            times = min(MOST_DIGITS, abs(int(power))) if power is not None else 1
            return _digits(base) * max(1, times) + (_digits(exponent) if power is None else 0)
        case Call("factorial" | "factorial2", (Number(value),)):
            return 3 * min(MOST_DIGITS, abs(int(value)))
    return sum(map(_digits, children(expression)))
