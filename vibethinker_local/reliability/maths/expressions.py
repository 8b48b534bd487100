r"""Mathematical expressions: the nodes of `notation` parsed into a small tree.

LaTeX as people write it is ambiguous: `1/2x`, `x^10`, `\sin x/2`, `\log 100`. Each such place has two readings, and a
parser follows one of them throughout: `Reading.USUAL`, what most writers mean, or `Reading.LITERAL`, what TeX and the
rules of precedence say. Two answers are the same only if they are under both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from vibethinker_local.reliability.maths.notation import (
    Group,
    Kind,
    Node,
    Nodes,
    Token,
    is_sign,
    is_word,
    spelled,
    split,
)
from vibethinker_local.reliability.maths.spellings import FUNCTIONS

MOST_NODES = 400  # of a tree
MOST_DEPTH = 60


class Reading(Enum):
    USUAL = 0
    LITERAL = 1


class NoExpression(Exception):
    """Not an expression, or not one that can be read without doubt."""


@dataclass(frozen=True, slots=True)
class Number:
    value: Fraction


@dataclass(frozen=True, slots=True)
class Symbol:
    name: str  # `i`, `e` and `\pi` are the constants unless a sum or an integral binds them


@dataclass(frozen=True, slots=True)
class Sum:
    terms: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Product:
    factors: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Power:
    base: "Expression"
    exponent: "Expression"


@dataclass(frozen=True, slots=True)
class Call:
    """A function of a known name, or an unknown one such as `f`."""

    name: str
    arguments: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Bound:
    r"""`\sum`, `\prod`, `\int` or `\lim` over a variable; a limit has no upper end."""

    operation: str
    body: "Expression"
    variable: str
    low: "Expression"
    high: "Expression | None"


Expression = Number | Symbol | Sum | Product | Power | Call | Bound
ReadExpression = Callable[[Sequence[Node]], Expression | None]  # None: they are no expression

ZERO, ONE, MINUS_ONE, HALF = (Number(Fraction(value)) for value in ("0", "1", "-1", "1/2"))
PI, E = Symbol(r"\pi"), Symbol("e")
DEGREE = Product((PI, Number(Fraction(1, 180))))
INFINITY = Symbol("∞")

_NOT_NUMBERS = set("∞∅ℝℕℤℚℂ°")
_UNKNOWN_FUNCTIONS = set("fghFGHPQp")
_INVERSES = {name: "arc" + name for name in ("sin", "cos", "tan", "cot", "sec", "csc")}
_BRACKETS_OF_CALLS = {"|": "abs", "⌊": "floor", "⌈": "ceil", "‖": "norm"}


def parse(nodes: Sequence[Node], reading: Reading = Reading.USUAL) -> tuple[Expression, bool]:
    """The expression that nodes are, and whether the other reading would differ. Raises NoExpression."""
    parser = _Parser(tuple(nodes), reading)
    result = parser.whole()
    if size(result) > MOST_NODES:
        raise NoExpression
    return result, parser.ambiguous


def size(expression: Expression) -> int:
    """How many nodes a tree has."""
    return 1 + sum(map(size, children(expression)))


def children(expression: Expression) -> tuple[Expression, ...]:
    match expression:
        case Sum(parts) | Product(parts) | Call(_, parts):
            return parts
        case Power(base, exponent):
            return base, exponent
        case Bound(_, body, _, low, high):
            return (body, low) if high is None else (body, low, high)
    return ()


def symbols(expression: Expression) -> set[str]:
    r"""The free variables; not the constants `i`, `e`, `\pi`."""
    if isinstance(expression, Symbol):
        return {expression.name} - {"i", "e", r"\pi", "∞"}
    found = set[str]().union(*map(symbols, children(expression)))
    return found - {expression.variable} if isinstance(expression, Bound) else found


def negated(expression: Expression) -> Expression:
    if isinstance(expression, Number):
        return Number(-expression.value)
    return Product((MINUS_ONE, expression))


def minus(left: Expression, right: Expression) -> Expression:
    return Sum((left, negated(right)))


def quotient(numerator: Expression, denominator: Expression) -> Expression:
    return Product((numerator, Power(denominator, MINUS_ONE)))


class _Parser:
    """Recursive descent: sum, product, implicit product, power, atom."""

    def __init__(self, nodes: Nodes, reading: Reading, *, depth: int = 0, bound: tuple[str, ...] = ()) -> None:
        if depth > MOST_DEPTH:
            raise NoExpression
        self._nodes, self._at, self._reading = nodes, 0, reading
        self._depth, self._bound = depth, bound
        self._open_bars = 0
        self.ambiguous = False

    def whole(self) -> Expression:
        for infix in (r"\over", r"\choose"):
            if len(parts := split(self._nodes, infix)) == 2:
                top, bottom = map(self._inner, parts)
                return quotient(top, bottom) if infix == r"\over" else Call("binomial", (top, bottom))
        result = self._sum()
        if self._at < len(self._nodes):
            raise NoExpression
        return result

    # What comes next

    def _peek(self, ahead: int = 0) -> Node | None:
        return self._nodes[self._at + ahead] if self._at + ahead < len(self._nodes) else None

    def _take_sign(self, *signs: str) -> str | None:
        node = self._peek()
        if isinstance(node, Token) and node.kind == "sign" and node.text in signs:
            self._at += 1
            return node.text
        return None

    def _inner(self, nodes: Sequence[Node]) -> Expression:
        parser = _Parser(tuple(nodes), self._reading, depth=self._depth + 1, bound=self._bound)
        result = parser.whole()
        self.ambiguous |= parser.ambiguous
        return result

    def _two_readings(self) -> Reading:
        """The reading to follow, in a place where they differ."""
        self.ambiguous = True
        return self._reading

    # Sums and products

    def _sum(self) -> Expression:
        terms = [self._signed()]
        while sign := self._take_sign("+", "-"):
            term = self._signed()
            terms.append(negated(term) if sign == "-" else term)
        return terms[0] if len(terms) == 1 else Sum(tuple(terms))

    def _signed(self) -> Expression:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise NoExpression
        sign = self._take_sign("+", "-")
        result = self._signed() if sign else self._product()
        self._depth -= 1
        return negated(result) if sign == "-" else result

    def _product(self) -> Expression:
        """Factors with signs between them; what has no sign between it binds more tightly, except after a slash."""
        result = self._implicit()
        while sign := self._take_sign("*", "/"):
            bracketed = all(isinstance(node, Group) for node in (self._nodes[self._at - 2], self._peek()))
            negative = bool(self._take_sign("-"))
            if sign == "*":
                factor = self._implicit()
                result = Product((result, factor))
            else:
                factors = self._implicit_factors()
                if len(factors) > 1 and (bracketed or self._two_readings() is Reading.LITERAL):  # not (a)/(b)c
                    result = Product((quotient(result, factors[0]), *factors[1:]))
                else:
                    result = quotient(result, factors[0] if len(factors) == 1 else Product(tuple(factors)))
            if negative:
                result = negated(result)
        return result

    def _implicit(self) -> Expression:
        factors = self._implicit_factors()
        return factors[0] if len(factors) == 1 else Product(tuple(factors))

    def _implicit_factors(self) -> list[Expression]:
        factors = [self._power()]
        while self._starts_factor():
            before = self._nodes[self._at - 1]
            node = self._peek()
            number = node if isinstance(node, Token) and node.kind == "number" else None
            apart = isinstance(before, Group) or is_sign(before, "!") or (number is not None and number.spaced)
            if number and (isinstance(factors[-1], Number) or not apart):  # 2 3, x2; but \sqrt 2 3 is a product
                raise NoExpression
            factors.append(self._power())
        return factors

    def _starts_factor(self) -> bool:
        node = self._peek()
        if node is None:
            return False
        if isinstance(node, Group):
            return True
        if node.kind == "sign":
            return node.text == "|" and not self._open_bars
        if node.kind == "command":
            return node.text in FUNCTIONS or node.text in _COMMANDS
        return node.kind != "word" or is_product_of_letters(node)

    # Powers

    def _power(self) -> Expression:
        self._spread()
        base = self._atom()
        while True:
            if self._take_sign("!"):
                double = bool(self._take_sign("!"))
                base = Call("factorial2" if double else "factorial", (base,))
            elif self._take_sign("%"):
                base = Product((base, Number(Fraction(1, 100))))
            elif self._is_degree():
                base = Product((base, DEGREE))
            elif is_sign(self._peek(), "^"):
                self._at += 1
                base = self._raised(base)
            else:
                return base

    def _spread(self) -> None:
        """Make letters of a word whose last one has a power, an index or arguments of its own: `ab^2` is no (ab)^2."""
        word, following = self._peek(), self._peek(1)
        if not (isinstance(word, Token) and word.kind == "word" and is_product_of_letters(word)):
            return
        if is_sign(following, "^", "_", "!", "'") or (
            isinstance(following, Group) and following.open == "(" and word.text[-1] in _UNKNOWN_FUNCTIONS
        ):
            letters = [Token("letter", letter) for letter in word.text]
            self._nodes = (*self._nodes[: self._at], *letters, *self._nodes[self._at + 1 :])

    def _is_degree(self) -> bool:
        """Take `^\\circ`, `^{\\circ}` or `°`, if it comes next."""
        node, ahead = self._peek(), 1
        if is_sign(node, "^"):
            node, ahead = self._peek(1), 2
        if isinstance(node, Group) and node.open == "{" and len(node.nodes) == 1:
            node = node.nodes[0]
        if isinstance(node, Token) and node.kind == "letter" and node.text == "°":
            self._at += ahead
            return True
        return False

    def _raised(self, base: Expression) -> Expression:
        node = self._peek()
        if node is None:
            raise NoExpression
        if isinstance(node, Token) and node.kind == "number" and len(node.text) > 1 and node.text.isdigit():
            self._at += 1
            if self._two_readings() is Reading.LITERAL:  # TeX raises one digit only
                rest = Number(Fraction(node.text[1:]))
                return Product((Power(base, Number(Fraction(node.text[0]))), rest))
            return Power(base, Number(Fraction(node.text)))
        sign = self._take_sign("-", "+")
        exponent = self._atom()
        if is_sign(self._peek(), "^"):
            self._at += 1
            exponent = self._raised(exponent)
        return Power(base, negated(exponent) if sign == "-" else exponent)

    # Atoms

    def _atom(self) -> Expression:
        node = self._peek()
        if node is None:
            raise NoExpression
        self._at += 1
        if isinstance(node, Group):
            return self._bracket(node)
        match node.kind:
            case "number":
                return self._number(node)
            case "letter":
                return self._letter(node)
            case "word" if is_product_of_letters(node):
                return Product(tuple(map(self._symbol, node.text)))
            case "command":
                return self._command(node.text)
            case "sign" if node.text == "|":
                return self._bars()
            case "sign" if node.text == "_" and _is_letter(self._peek(1), "C"):  # _5C_2
                return self._atom()
        raise NoExpression

    def _number(self, node: Token) -> Expression:
        number = Number(Fraction(node.text))
        following = self._peek()
        if is_sign(following, "_"):
            raise NoExpression  # a base
        if number.value.denominator != 1 or "." in node.text:
            return number
        if chosen := self._chosen_from(number):
            return chosen
        # A mixed number: 2\frac{1}{3}, 2 1/3
        if isinstance(following, Token) and following.kind == "command" and following.text == r"\frac":
            before = self._at
            self._at += 1
            top, bottom = self._argument(), self._argument()
            proper = isinstance(top, Number) and isinstance(bottom, Number) and 0 < top.value < bottom.value
            if proper and top.value.denominator == bottom.value.denominator == 1:  # type: ignore[union-attr]
                return Number(number.value + top.value / bottom.value)  # type: ignore[union-attr]
            self._at = before
            return number
        slash, below = self._peek(1), self._peek(2)
        if (
            isinstance(following, Token)
            and following.kind == "number"
            and following.spaced
            and is_sign(slash, "/")
            and isinstance(below, Token)
            and below.kind == "number"
        ):
            part = Fraction(following.text), Fraction(below.text)
            if 0 < part[0] < part[1] and part[0].denominator == part[1].denominator == 1:
                self._at += 3
                return Number(number.value + part[0] / part[1])
        return number

    def _chosen_from(self, number: Number) -> Expression | None:
        """`5C2`, `5C_2`: 5 over 2."""
        ahead = 2 if is_sign(self._peek(1), "_") else 1
        letter, below = self._peek(), self._peek(ahead)
        if not isinstance(letter, Token) or letter.spaced or not _is_letter(letter, "C"):
            return None
        if not isinstance(below, Token) or below.kind != "number" or not below.text.isdigit():
            return None
        self._at += ahead + 1
        return Call("binomial", (number, Number(Fraction(below.text))))

    def _letter(self, node: Token) -> Expression:
        name = node.text
        if name in _NOT_NUMBERS:
            raise NoExpression
        primes = self._primes()
        if is_sign(self._peek(), "_"):
            self._at += 1
            name += self._subscript()
            if chosen := self._choose(node.text, name):
                return chosen
        primes += self._primes()
        following = self._peek()
        if isinstance(following, Group) and following.open == "(":
            arguments = split(following.nodes, ",")
            if node.text in _UNKNOWN_FUNCTIONS or primes or len(arguments) > 1 or _is_zero(following):  # v(0) is no 0
                self._at += 1
                values = tuple(map(self._inner, arguments))
                if name == "C" and len(values) == 2:
                    return Call("binomial", values)
                return Call(name + "'" * primes, values)
        return self._symbol(name + "'" * primes)

    def _symbol(self, name: str) -> Symbol:
        if name in self._bound:  # called by its place: a sum over i is one over k
            return Symbol(f"bound {max(at for at, other in enumerate(self._bound) if other == name)}")
        return Symbol(name)

    @property
    def _next_bound(self) -> str:
        return f"bound {len(self._bound)}"

    def _primes(self) -> int:
        """How many primes come next: x', x^{\\prime\\prime}."""
        count = 0
        while True:
            if self._take_sign("'"):
                count += 1
                continue
            raised = self._peek(1) if is_sign(self._peek(), "^") else None
            inner = raised.nodes if isinstance(raised, Group) and raised.open == "{" else (raised,)
            if inner and all(is_sign(node, "'") for node in inner):
                count += len(inner)
                self._at += 2
                continue
            return count

    def _subscript(self) -> str:
        node = self._peek()
        if node is None:
            raise NoExpression
        self._at += 1
        if isinstance(node, Token) and node.kind == "number" and len(node.text) > 1:
            self.ambiguous = True  # TeX lowers one digit only
            if self._reading is Reading.LITERAL:
                return f"_{node.text[0]} {node.text[1:]}"
        if isinstance(node, Group) and node.open == "{":
            return "_" + spelled(node.nodes)
        return "_" + spelled((node,))

    def _choose(self, letter: str, name: str) -> Expression | None:
        """`C_5^2` as 5 over 2."""
        raised = self._peek(1) if is_sign(self._peek(), "^") else None
        if letter != "C" or raised is None:
            return None
        try:
            top = Number(Fraction(name[2:]))
            bottom = self._inner(raised.nodes if isinstance(raised, Group) else (raised,))
        except (ValueError, NoExpression):
            return None
        if not isinstance(bottom, Number):
            return None
        self._at += 2
        return Call("binomial", (top, bottom) if top.value >= bottom.value else (bottom, top))

    def _bracket(self, group: Group) -> Expression:
        if group.open == "{" or (group.open, group.close) in (("(", ")"), ("[", "]")):
            return self._inner(group.nodes)
        if name := _BRACKETS_OF_CALLS.get(group.open):
            return Call(name, (self._inner(group.nodes),))
        raise NoExpression

    def _bars(self) -> Expression:
        self._open_bars += 1
        inner = self._sum()
        self._open_bars -= 1
        if not self._take_sign("|"):
            raise NoExpression
        return Call("abs", (inner,))

    def _command(self, name: str) -> Expression:
        match name:
            case r"\frac":
                return self._fraction()
            case r"\binom":
                return Call("binomial", (self._argument(), self._argument()))
            case "sqrt" if is_word(self._peek()):  # sqrt xy
                raise NoExpression
            case r"\sqrt" | "sqrt":
                return self._root()
            case r"\sum" | r"\prod":
                return self._big(name)
            case r"\int":
                return self._integral()
            case r"\lim":
                return self._limit()
            case _ if name in FUNCTIONS:
                return self._function(name)
        raise NoExpression

    def _argument(self) -> Expression:
        r"""A command's argument: a group, or a single digit or letter (`\frac12`, `\frac ab`)."""
        node = self._peek()
        if node is None or is_sign(node):
            raise NoExpression
        if isinstance(node, Token) and node.kind == "number" and len(node.text) > 1 and node.text.isdigit():
            node = self._part(node, "number", "number")
        if isinstance(node, Token) and node.kind == "word" and is_product_of_letters(node):
            node = self._part(node, "letter", "letter" if len(node.text) == 2 else "word")
        self._at += 1
        if isinstance(node, Token) and node.kind == "number":
            return Number(Fraction(node.text))
        if isinstance(node, Token) and node.kind == "word":
            raise NoExpression
        if isinstance(node, Token) and node.kind == "letter":
            if node.text in _NOT_NUMBERS:
                raise NoExpression
            return self._symbol(node.text)
        self._at -= 1
        return self._atom()

    def _part(self, node: Token, first: Kind, others: Kind) -> Token:
        """The first character of the next token, which becomes two."""
        begin, rest = Token(first, node.text[0]), Token(others, node.text[1:])
        self._nodes = (*self._nodes[: self._at], begin, rest, *self._nodes[self._at + 1 :])
        return begin

    def _fraction(self) -> Expression:
        top = self._peek()
        if isinstance(top, Group) and _is_differential(top):
            below = self._peek(1)
            if isinstance(below, Group) and _is_differential(below):
                self._at += 2
                return Symbol(f"{spelled(top.nodes)} by {spelled(below.nodes)}")
        numerator = self._argument()
        return quotient(numerator, self._argument())

    def _root(self) -> Expression:
        node = self._peek()
        power: Expression = HALF
        if isinstance(node, Group) and (node.open, node.close) == ("[", "]"):
            self._at += 1
            index = self._inner(node.nodes)
            if index == ZERO:
                raise NoExpression
            power = Number(1 / index.value) if isinstance(index, Number) else Power(index, MINUS_ONE)
            node = self._peek()
        plain = isinstance(node, Token) and node.kind == "number" and len(node.text) > 1
        if plain and not node.spaced and self._two_readings() is Reading.USUAL:  # type: ignore[union-attr]
            self._at += 1
            inside: Expression = Number(Fraction(node.text))  # type: ignore[union-attr]
        else:
            inside = self._argument()
        return Power(inside, power)

    def _function(self, name: str) -> Expression:
        base, power = self._base_of_logarithm(name), None
        if is_sign(self._peek(), "^"):
            self._at += 1
            power = self._exponent()
            base = base or self._base_of_logarithm(name)
        if power == MINUS_ONE and name in _INVERSES:
            name, power = _INVERSES[name], None
        arguments = self._arguments_of(name)
        result: Expression
        if name == "log":
            if base is None:
                base = Number(Fraction(10)) if self._two_readings() is Reading.USUAL else E
            result = quotient(Call("ln", arguments), Call("ln", (base,)))
        elif name == "lg":
            result = quotient(Call("ln", arguments), Call("ln", (Number(Fraction(10)),)))
        elif name == "exp":
            if len(arguments) != 1:
                raise NoExpression
            result = Power(E, arguments[0])
        elif name == "cis":
            result = Power(E, Product((Symbol("i"), *arguments)))
        elif name == "cbrt":
            result = Power(arguments[0], Number(Fraction(1, 3)))
        else:
            result = Call(name, arguments)
        return result if power is None else Power(result, power)

    def _exponent(self) -> Expression:
        node = self._peek()
        if isinstance(node, Token) and node.kind == "number" and len(node.text) > 1:
            raise NoExpression
        sign = self._take_sign("-")
        exponent = self._atom()
        return negated(exponent) if sign else exponent

    def _base_of_logarithm(self, name: str) -> Expression | None:
        if not is_sign(self._peek(), "_"):
            return None
        self._at += 1
        if name != "log":
            raise NoExpression
        node = self._peek()
        if isinstance(node, Token) and node.kind == "number":
            self._at += 1
            if len(node.text) > 1:
                self.ambiguous = True
                if self._reading is Reading.LITERAL:
                    raise NoExpression
            return Number(Fraction(node.text))
        return self._argument()

    def _arguments_of(self, name: str) -> tuple[Expression, ...]:
        """A bracket; or else the factors up to the next sign or function."""
        node = self._peek()
        brackets = (node.open, node.close) if isinstance(node, Group) else ("", "")
        several = name in ("max", "min", "gcd", "lcm") and brackets == (r"\{", r"\}")
        if isinstance(node, Group) and (several or brackets in (("(", ")"), ("[", "]"))):
            self._at += 1
            if is_sign(self._peek(), "^"):  # \sin(x)^2
                self.ambiguous = True
            return tuple(self._inner(part) for part in split(node.nodes, ","))
        if isinstance(node, Group) and node.open == "{":
            self._at += 1
            return (self._inner(node.nodes),)
        if is_sign(node, "|") or (isinstance(node, Group) and node.open == "|"):
            return (self._power(),)
        sign = self._take_sign("-")
        factors = [self._power()]
        while self._starts_factor() and not self._starts_function():
            following = self._peek()
            if isinstance(following, Group) and following.open in ("(", "["):
                if self._two_readings() is Reading.LITERAL:
                    break
            elif isinstance(following, Token) and following.kind == "number":
                break
            factors.append(self._power())
        argument = factors[0] if len(factors) == 1 else Product(tuple(factors))
        if is_sign(self._peek(), "/") and self._two_readings() is Reading.LITERAL:  # \sin x/2
            self._at += 1
            argument = quotient(argument, self._implicit())
        return (negated(argument) if sign else argument,)

    def _starts_function(self) -> bool:
        node = self._peek()
        return isinstance(node, Token) and node.kind == "command" and node.text in FUNCTIONS - {"sqrt"}

    # Sums, integrals and limits

    def _limits(self) -> tuple[Nodes | None, Nodes | None]:
        low: Nodes | None = None
        high: Nodes | None = None
        for _ in range(2):
            if not (sign := self._take_sign("_", "^")):
                break
            node = self._peek()
            if node is None:
                raise NoExpression
            self._at += 1
            nodes = node.nodes if isinstance(node, Group) and node.open == "{" else (node,)
            low, high = (nodes, high) if sign == "_" else (low, nodes)
        return low, high

    def _end(self, nodes: Nodes | None) -> Expression:
        if nodes is None:
            raise NoExpression
        sign = is_sign(nodes[0], "-") if nodes else False
        rest = nodes[1:] if nodes and is_sign(nodes[0], "-", "+") else nodes
        if len(rest) == 1 and isinstance(rest[0], Token) and rest[0].text == "∞":
            return negated(INFINITY) if sign else INFINITY
        return self._inner(nodes)

    def _binding(self, variable: str) -> "_Parser":
        rest = _Parser(self._nodes[self._at :], self._reading, depth=self._depth + 1, bound=(*self._bound, variable))
        rest._open_bars = self._open_bars
        return rest

    def _bound_body(self, variable: str) -> Expression:
        rest = self._binding(variable)
        body = rest._product()
        self._at += rest._at
        self.ambiguous |= rest.ambiguous
        return body

    def _big(self, name: str) -> Expression:
        low, high = self._limits()
        parts = split(low or (), "=")
        if len(parts) != 2 or len(parts[0]) != 1 or not isinstance(parts[0][0], Token) or parts[0][0].kind != "letter":
            raise NoExpression
        variable = parts[0][0].text
        begin, end = self._end(parts[1]), self._end(high)
        return Bound("sum" if name == r"\sum" else "product", self._bound_body(variable), self._next_bound, begin, end)

    def _limit(self) -> Expression:
        low, _ = self._limits()
        parts = split(low or (), "→")
        if len(parts) != 2 or len(parts[0]) != 1 or not isinstance(parts[0][0], Token) or parts[0][0].kind != "letter":
            raise NoExpression
        variable = parts[0][0].text
        towards = self._end(parts[1])
        return Bound("limit", self._bound_body(variable), self._next_bound, towards, None)

    def _integral(self) -> Expression:
        low, high = self._limits()
        begin, end = self._end(low), self._end(high)
        for at in range(self._at, len(self._nodes) - 1):
            node, variable = self._nodes[at], self._nodes[at + 1]
            if _is_letter(node, "d") and isinstance(variable, Token) and variable.kind == "letter":
                name, after = variable.text, at + 2
            elif isinstance(node, Token) and node.kind == "word" and len(node.text) == 2 and node.text[0] == "d":
                name, after = node.text[1], at + 1
            else:
                continue
            body_nodes = self._nodes[self._at : at]
            break
        else:
            last = self._nodes[-1]
            if not (isinstance(last, Token) and last.kind == "word" and len(last.text) == 2 and last.text[0] == "d"):
                raise NoExpression
            name, after, body_nodes = last.text[1], len(self._nodes), self._nodes[self._at : -1]
        body: Expression = ONE
        if body_nodes:
            parser = _Parser(body_nodes, self._reading, depth=self._depth + 1, bound=(*self._bound, name))
            body = parser.whole()
            self.ambiguous |= parser.ambiguous
        self._at = after
        return Bound("integral", body, self._next_bound, begin, end)


_COMMANDS = {r"\frac", r"\binom", r"\sqrt", r"\sum", r"\prod", r"\int", r"\lim"}


def _is_letter(node: Node | None, letter: str) -> bool:
    return isinstance(node, Token) and node.kind == "letter" and node.text == letter


def _is_zero(group: Group) -> bool:
    inner = group.nodes[0] if len(group.nodes) == 1 else None
    return isinstance(inner, Token) and inner.kind == "number" and Fraction(inner.text) == 0 and not group.spaced


def is_product_of_letters(node: Token) -> bool:
    """`xy`, `abc`: letters written together, and no word."""
    return not node.upright and len(node.text) <= 3 and node.text.isascii()


def _is_differential(group: Group) -> bool:
    first = group.nodes[0] if group.nodes else None
    if not isinstance(first, Token):
        return False
    if first.text == r"\partial" or (first.kind == "word" and first.text[0] == "d" and len(first.text) <= 3):
        return True
    return first.kind == "letter" and first.text == "d" and len(group.nodes) > 1
