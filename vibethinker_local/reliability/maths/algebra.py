"""Exact algebra: an expression as a quotient of polynomials with rational coefficients.

Polynomials are in variables, π, e, i, roots of primes, and whatever cannot be taken apart, such as a sine.
Two expressions whose quotients agree are equal. If nothing in them is opaque, then two that do not agree are different;
otherwise nothing is known here.
"""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, lru_cache

from vibethinker_local.reliability.maths.expressions import (
    Bound,
    Call,
    Expression,
    Number,
    Power,
    Product,
    Sum,
    Symbol,
)

MOST_TERMS = 200  # of a polynomial
MOST_BITS = 40_000  # of a coefficient
MOST_POWER = 64  # to which a sum is multiplied out
MOST_FACTORIAL = 2000
MOST_DIVISOR = 20_000  # up to which factors of a number are looked for

Atom = tuple[str, object]  # a kind and what it is; the same atom has the same tuple
Monomial = tuple[tuple[Atom, Fraction], ...]  # atoms in order, each with its exponent
Polynomial = dict[Monomial, Fraction]  # no coefficient is 0

_ONE: Monomial = ()
_I: Atom = ("constant", "i")
_CONSTANTS = {"i", "e", r"\pi"}


class TooLarge(Exception):
    """Not worth computing, or not defined."""


@dataclass(frozen=True)
class Quotient:
    above: Polynomial
    below: Polynomial
    opaque: bool = field(default=False)  # whether it holds atoms that may hide a relation to others


def of(expression: Expression) -> Quotient:
    """Raises TooLarge."""
    found = _found(expression)
    if found is None:
        raise TooLarge
    return found


@lru_cache(maxsize=1024)  # an answer is compared with many
def _found(expression: Expression) -> Quotient | None:
    try:
        return _of(expression)
    except (TooLarge, ValueError):  # Python writes no number of more than 4300 digits, and atoms are in order by that
        return None


def _of(expression: Expression) -> Quotient:
    """Raises TooLarge."""
    match expression:
        case Number(value):
            return _constant(value)
        case Symbol(name):
            if name == "∞":
                raise TooLarge
            return _atom(("constant" if name in _CONSTANTS else "symbol", name))
        case Sum(terms):
            result = _of(terms[0])
            for term in terms[1:]:
                result = add(result, _of(term))
            return result
        case Product(factors):
            result = _of(factors[0])
            for factor in factors[1:]:
                result = multiply(result, _of(factor))
            return result
        case Power(base, exponent):
            return _power(_of(base), _of(exponent))
        case Call(name, arguments):
            return _call(name, [_of(argument) for argument in arguments])
        case Bound():
            raise TooLarge
    raise AssertionError(expression)


def equal(left: Quotient, right: Quotient) -> bool | None:
    """Whether two are equal; None if it cannot be told here. Raises TooLarge."""
    if not _minus(_times(left.above, right.below), _times(right.above, left.below)):
        return True
    return None if left.opaque or right.opaque else False


def proportional(left: Quotient, right: Quotient, *, positive: bool = False) -> bool | None:
    """Whether one is a (positive) rational multiple of the other, neither being 0. Raises TooLarge."""
    ours, theirs = _times(left.above, right.below), _times(right.above, left.below)
    if not ours or not theirs:
        return None if left.opaque or right.opaque else False
    leading = min(ours, key=repr)
    if leading in theirs:
        ratio = ours[leading] / theirs[leading]
        if not _minus(ours, {key: ratio * value for key, value in theirs.items()}):
            return ratio > 0 or not positive
    return None if left.opaque or right.opaque else False


def constant(quotient: Quotient) -> Fraction | None:
    """The rational number that it is, if it is one."""
    above, below = _as_number(quotient.above), _as_number(quotient.below)
    return above / below if above is not None and below else None


def linear(quotient: Quotient, name: str) -> tuple[Quotient, Quotient] | None:
    """a and b of a·x + b, for a variable that is found nowhere else in it."""
    atom: Atom = ("symbol", name)
    if any(_mentions(key, name) for key in quotient.below):
        return None
    slope: Polynomial = {}
    rest: Polynomial = {}
    for key, value in quotient.above.items():
        exponents = dict(key)
        if exponents.get(atom) == 1:
            without = tuple(pair for pair in key if pair[0] != atom)
            if _mentions(without, name):
                return None
            slope[without] = value
        elif _mentions(key, name):
            return None
        else:
            rest[key] = value
    return Quotient(slope, quotient.below, quotient.opaque), Quotient(rest, quotient.below, quotient.opaque)


def without_constant(quotient: Quotient, name: str) -> Quotient | None:
    """An antiderivative without its constant of integration `name` and whatever else is constant in it."""
    parts = linear(quotient, name)
    if parts is None or (constant(parts[0]) or 0) <= 0 or _as_number(parts[1].below) is None:
        return None
    varying = {key: value for key, value in parts[1].above.items() if any(atom[0] != "constant" for atom, _ in key)}
    return Quotient(varying, parts[1].below, quotient.opaque) if varying else None  # 30 C: a temperature, a charge


def add(left: Quotient, right: Quotient) -> Quotient:
    opaque = left.opaque or right.opaque
    if left.below == right.below:
        return Quotient(_plus(left.above, right.above), left.below, opaque)
    above = _plus(_times(left.above, right.below), _times(right.above, left.below))
    return Quotient(above, _times(left.below, right.below), opaque)


def multiply(left: Quotient, right: Quotient) -> Quotient:
    return Quotient(_times(left.above, right.above), _times(left.below, right.below), left.opaque or right.opaque)


def _constant(value: Fraction) -> Quotient:
    return Quotient({_ONE: value} if value else {}, {_ONE: Fraction(1)})


def _atom(atom: Atom, exponent: Fraction = Fraction(1), *, opaque: bool = False) -> Quotient:
    return Quotient({((atom, exponent),): Fraction(1)}, {_ONE: Fraction(1)}, opaque)


def _as_number(polynomial: Polynomial) -> Fraction | None:
    if not polynomial:
        return Fraction(0)
    return polynomial.get(_ONE) if len(polynomial) == 1 else None


def _mentions(key: Monomial, name: str) -> bool:
    return name in str([atom for atom, _ in key]) and any(_has(atom, name) for atom, _ in key)


def _has(part: object, name: str) -> bool:
    return part == name or (isinstance(part, tuple) and any(_has(each, name) for each in part))


def _plus(left: Polynomial, right: Polynomial) -> Polynomial:
    result = dict(left)
    for key, value in right.items():
        total = result.get(key, Fraction(0)) + value
        if total:
            result[key] = _small(total)
        else:
            result.pop(key, None)
    if len(result) > MOST_TERMS:
        raise TooLarge
    return result


def _minus(left: Polynomial, right: Polynomial) -> Polynomial:
    return _plus(left, {key: -value for key, value in right.items()})


def _times(left: Polynomial, right: Polynomial) -> Polynomial:
    if len(left) * len(right) > 20 * MOST_TERMS:
        raise TooLarge
    result: Polynomial = {}
    for one, a in left.items():
        for other, b in right.items():
            key, factor = _joined(one, other)
            total = result.get(key, Fraction(0)) + a * b * factor
            if total:
                result[key] = _small(total)
            else:
                result.pop(key, None)
    if len(result) > MOST_TERMS:
        raise TooLarge
    return result


def _joined(left: Monomial, right: Monomial) -> tuple[Monomial, Fraction]:
    """The product of two monomials, and the rational factor that comes out of it."""
    if not left or not right:
        return left or right, Fraction(1)
    exponents = dict(left)
    for atom, exponent in right:
        exponents[atom] = exponents.get(atom, Fraction(0)) + exponent
    return _monomial(exponents)


def _monomial(exponents: dict[Atom, Fraction]) -> tuple[Monomial, Fraction]:
    factor = Fraction(1)
    kept: dict[Atom, Fraction] = {}
    for atom, exponent in exponents.items():
        if atom == _I and exponent.denominator == 1:
            turns = int(exponent) % 4
            factor *= -1 if turns >= 2 else 1
            exponent = Fraction(turns % 2)
        elif atom[0] == "prime":
            base = atom[1]
            assert isinstance(base, int)
            whole = exponent.numerator // exponent.denominator
            if whole and abs(whole) * base.bit_length() <= MOST_BITS:
                factor *= Fraction(base) ** whole
                exponent -= whole
        if exponent:
            kept[atom] = exponent
    return tuple(sorted(kept.items(), key=repr)), factor


def _small(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MOST_BITS:
        raise TooLarge
    return value


# Powers


def _power(base: Quotient, exponent: Quotient) -> Quotient:
    power = constant(exponent)
    if power is None:
        return _symbolic_power(base, exponent)
    if not base.above:
        if power <= 0:
            raise TooLarge
        return base
    if power < 0:
        base, power = Quotient(base.below, base.above, base.opaque), -power
    if power.denominator == 1:
        above, below = _raised(base.above, int(power)), _raised(base.below, int(power))
    else:
        above, below = _root(base, power)
    opaque = base.opaque or (power.denominator != 1 and (_is_opaque_root(base.above) or _is_opaque_root(base.below)))
    return Quotient(above, below, opaque)


def _raised(polynomial: Polynomial, power: int) -> Polynomial:
    if len(polynomial) == 1:
        ((key, value),) = polynomial.items()
        raised, factor = _monomial({atom: exponent * power for atom, exponent in key})
        if max(value.numerator.bit_length(), value.denominator.bit_length()) * power > MOST_BITS:
            if value < 0 and power % 2:
                factor = -factor
            roots, inner = _root_of_number(abs(value), Fraction(power))
            key, outer = _joined(raised, roots)
            return {key: factor * inner * outer}
        return {raised: _small(factor * value**power)}
    if power > MOST_POWER:
        raise TooLarge
    result: Polynomial = {_ONE: Fraction(1)}
    for bit in bin(power)[2:]:
        result = _times(result, result)
        if bit == "1":
            result = _times(result, polynomial)
    return result


def _root(base: Quotient, power: Fraction) -> tuple[Polynomial, Polynomial]:
    """Numerator and denominator of a power that is no whole number."""
    above, below = base.above, base.below
    number = _as_number(below)
    if (number is None and len(above) > 1) or (number is None and len(below) > 1):
        return _root_of(above, power), _root_of(below, power)
    if number is not None:  # √(a/4) as √a / 2
        above = {key: value / number for key, value in above.items()}
        return _root_of(above, power), {_ONE: Fraction(1)}
    return _root_of(above, power), _root_of(below, power)


def _root_of(polynomial: Polynomial, power: Fraction) -> Polynomial:
    if len(polynomial) == 1:
        ((key, value),) = polynomial.items()
        sign = _root_of_sign(value < 0, power)
        roots, factor = _root_of_number(abs(value), power)
        inside, outside = _root_of_monomial(key, power)
        result = _times({roots: factor}, {inside: Fraction(1)})
        return _times(_times(result, outside), sign)
    content, primitive = _primitive(polynomial)
    roots, factor = _root_of_number(content, power)
    whole = power.numerator // power.denominator
    atom: Atom = ("root of", tuple(sorted(primitive.items(), key=repr)))
    result = _times({roots: factor}, {((atom, power - whole),): Fraction(1)})
    return _times(result, _raised(primitive, whole)) if whole else result


def _root_of_monomial(key: Monomial, power: Fraction) -> tuple[Monomial, Polynomial]:
    """The root of what is positive or a single variable goes to each atom; √(x²) stays as it is."""
    if len(key) == 1 and key[0][1] in (1, Fraction(1, 2), Fraction(1, 3)) and key[0][0] != _I:
        return _monomial({key[0][0]: key[0][1] * power})[0], {_ONE: Fraction(1)}
    positive = {atom: exponent * power for atom, exponent in key if atom[0] == "prime" or atom in _POSITIVE}
    rest = tuple(pair for pair in key if pair[0] not in positive)
    inside, factor = _monomial(positive)
    if not rest:
        return inside, {_ONE: factor}
    if len(rest) == 1 and rest[0][1] == 1 and rest[0][0] != _I:
        return inside, {((rest[0][0], power),): factor}
    whole = power.numerator // power.denominator
    atom: Atom = ("root of", ((rest, Fraction(1)),))
    outside = _times(
        {((atom, power - whole),): factor}, _raised({rest: Fraction(1)}, whole) if whole else {_ONE: Fraction(1)}
    )
    return inside, outside


_POSITIVE: set[Atom] = {("constant", "e"), ("constant", r"\pi")}


def _root_of_sign(negative: bool, power: Fraction) -> Polynomial:
    if not negative:
        return {_ONE: Fraction(1)}
    if power.denominator % 2:  # the real root, as at school
        return {_ONE: Fraction(-1 if power.numerator % 2 else 1)}
    if power.denominator == 2:
        key, factor = _monomial({_I: Fraction(power.numerator)})
        return {key: factor}
    raise TooLarge


def _root_of_number(number: Fraction, power: Fraction) -> tuple[Monomial, Fraction]:
    """A power of a positive number: roots of primes, and a rational factor."""
    exponents: dict[Atom, Fraction] = {}
    for prime, count in _factors(number.numerator):
        exponents["prime", prime] = count * power
    for prime, count in _factors(number.denominator):
        exponents["prime", prime] = exponents.get(("prime", prime), Fraction(0)) - count * power
    return _monomial(exponents)


def _primitive(polynomial: Polynomial) -> tuple[Fraction, Polynomial]:
    """A positive rational factor of all coefficients, and what it leaves."""
    content = Fraction(
        math.gcd(*(value.numerator for value in polynomial.values())),
        math.lcm(*(value.denominator for value in polynomial.values())),
    )
    return content, {key: value / content for key, value in polynomial.items()}


def _is_opaque_root(polynomial: Polynomial) -> bool:
    """Whether its root may equal something of another form: √(3+2√2) is 1+√2."""
    if len(polynomial) > 1:
        return True
    return any(
        (atom[0] not in ("symbol", "prime") and atom not in _POSITIVE) or (atom[0] == "symbol" and exponent != 1)
        for key in polynomial
        for atom, exponent in key
    ) or any(sum(atom[0] == "symbol" for atom, _ in key) > 1 for key in polynomial)


@cache
def _factors(number: int) -> tuple[tuple[int, int], ...]:
    """Primes and their exponents. Raises TooLarge for a number whose factors would have to be searched for long."""
    found: list[tuple[int, int]] = []
    divisor = 2
    while divisor * divisor <= number:
        count = 0
        while number % divisor == 0:
            number //= divisor
            count += 1
        if count:
            found.append((divisor, count))
        divisor += 1 if divisor == 2 else 2
        if divisor > 2000 and divisor * divisor <= number:
            if (count or divisor == 2001) and (root := math.isqrt(number)) ** 2 == number:
                return (*found, *((base, 2 * count) for base, count in _factors(root)))
            if divisor > MOST_DIVISOR:
                raise TooLarge
    if number > 1:
        found.append((number, 1))
    return tuple(found)


def _symbolic_power(base: Quotient, exponent: Quotient) -> Quotient:
    """A power with a variable or irrational exponent: a^(2x+1) as a·(a^x)²."""
    number = _as_number(exponent.below)
    if number is None:
        key = "power", _frozen(base), _frozen(exponent)
        return _atom(("opaque", key), opaque=True)
    opaque = base.opaque or exponent.opaque
    result = _constant(Fraction(1))
    for monomial, coefficient in exponent.above.items():
        times = coefficient / number
        if not monomial:
            part = _power(base, _constant(times))
        else:
            part, unclear = _exponential(base, monomial, times)
            opaque |= unclear
        result = multiply(result, part)
    return Quotient(result.above, result.below, opaque or result.opaque)


def _exponential(base: Quotient, monomial: Monomial, times: Fraction) -> tuple[Quotient, bool]:
    """base^(times · monomial): of a number, by its primes."""
    number = constant(base)
    unclear = any(atom[0] == "constant" for atom, _ in monomial)  # e^{iπ} is -1
    if number is not None and number > 0:
        result = _constant(Fraction(1))
        for sign, part in ((1, number.numerator), (-1, number.denominator)):
            for prime, count in _factors(part):
                atom: Atom = ("exponential", (prime, monomial))
                result = multiply(result, _atom(atom, sign * count * times))
        return result, unclear
    if base.above == {((("constant", "e"), Fraction(1)),): Fraction(1)} and _as_number(base.below) == 1:
        return _atom(("exponential", ("e", monomial)), times), unclear
    return _atom(("exponential", (_frozen(base), monomial)), times, opaque=True), True


# Functions


def _call(name: str, arguments: list[Quotient]) -> Quotient:
    numbers = [constant(argument) for argument in arguments]
    if all(number is not None for number in numbers):
        exact = _exact(name, [number for number in numbers if number is not None])
        if exact is not None:
            return _constant(exact)
    return _atom(("opaque", (name, *map(_frozen, arguments))), opaque=True)


def _exact(name: str, numbers: list[Fraction]) -> Fraction | None:
    """The exact value of a function of numbers, if it has a rational one that is quickly found."""
    first, whole = numbers[0], all(number.denominator == 1 for number in numbers)
    match name, len(numbers):
        case "factorial", 1 if whole and 0 <= first <= MOST_FACTORIAL:
            return Fraction(math.factorial(int(first)))
        case "factorial2", 1 if whole and 0 <= first <= MOST_FACTORIAL:
            return Fraction(math.prod(range(int(first), 0, -2)))
        case "binomial", 2 if whole and 0 <= numbers[1] <= MOST_FACTORIAL and 0 <= first <= 10 * MOST_FACTORIAL:
            return Fraction(math.comb(int(first), int(numbers[1])))
        case "abs", 1:
            return abs(first)
        case "floor", 1:
            return Fraction(math.floor(first))
        case "ceil", 1:
            return Fraction(math.ceil(first))
        case "sgn", 1:
            return Fraction((first > 0) - (first < 0))
        case (("max" | "min"), _):
            return (max if name == "max" else min)(numbers)
        case (("gcd" | "lcm"), _) if whole:
            return Fraction((math.gcd if name == "gcd" else math.lcm)(*map(int, numbers)))
        case "ln", 1 if first == 1:
            return Fraction(0)
        case (("sin" | "tan" | "arcsin" | "arctan" | "sinh"), 1) if first == 0:
            return Fraction(0)
        case (("cos" | "cosh"), 1) if first == 0:
            return Fraction(1)
    if name in ("factorial", "factorial2") and whole and first < 0:
        raise TooLarge
    return None


def _frozen(quotient: Quotient) -> object:
    """A quotient as a part of an atom. The same may have several: what holds one is opaque."""
    below = _as_number(quotient.below)
    if below is None:
        leading = quotient.below[min(quotient.below, key=repr)]
        return tuple(
            tuple(sorted(((key, value / leading) for key, value in side.items()), key=repr))
            for side in (quotient.above, quotient.below)
        )
    return tuple(sorted(((key, value / below) for key, value in quotient.above.items()), key=repr))
