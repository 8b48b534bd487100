"""Exact arithmetic on the numbers of a text: the mechanical check of claims, and what answers are worth.

It refutes only what it has read without doubt; anything else is unknown. Knows nothing of models.
"""

import math
import re
from decimal import Decimal
from fractions import Fraction

from vibethinker_local.reliability import equations, statements

MOST_DIGITS = 400  # of any number on the way: beyond it, nothing is known
MOST_CHARACTERS = 2000
MOST_NESTED = 50
MOST_EQUATIONS = 40  # of one solution
FAR = 10  # times a side: then thousands may be decimals
ROUNDED = Fraction(1, 10)  # of the larger side: sides with decimals that are closer may have been rounded on the way

_NUMBER = r"\d+(?:\.\d+)?|\.\d+"
_GROUPED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:(?:,|\{,\}|\\,)\d{3})+(?![\d,])")
_POINTED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:\.\d{3})+(?![\d.])")  # perhaps 1.200 for 1200
_COMMA = re.compile(r"(?<![\d.,])([1-9]\d{0,2})(?:,|\{,\})(?=\d{3}(?![\d.,]))")  # perhaps 1,200 for 1.2
_TOKEN = re.compile(rf"\s*(?:({_NUMBER})|(\*\*|[-+*/^(){{}}%]))")
_LATEX = {
    r"\times": "*", r"\cdot": "*", r"\div": "/", r"\left": "", r"\right": "", r"\%": "%", r"\!": "", r"\,": "",
    r"\;": "", r"\dfrac": r"\frac", r"\tfrac": r"\frac", r"\displaystyle": "",
    "×": "*", "·": "*", "⋅": "*", "÷": "/", "−": "-", "–": "-", "∕": "/",
}  # fmt: skip
_COMMAND = re.compile("|".join(re.escape(command) + r"(?![a-zA-Z])" for command in _LATEX if command[0] == "\\"))
_FRACTION = re.compile(r"\\frac\s*(\d)\s*(\d)")
_MIXED = re.compile(r"(\d)\s*\\frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}")
_PREFIX = re.compile(r"^[^:=\d]{0,60}:\s+")  # "Ann: Tom + 5 = …"
_DECIMAL = re.compile(r"\.\d")
_DECIMALS, _WHOLE = re.compile(r"\d*\.(\d+)"), re.compile(r"\d+()")
_FIRST = re.compile(rf"\s*({_NUMBER})")
_MERE_NUMBER = re.compile(rf"\s*(?:{_NUMBER})\s*(?:\\?%)?\s*")
_MERE_FRACTION = re.compile(r"\s*\d+\s*/\s*\d+\s*")
_TWO_READINGS = re.compile(  # 28 / 1/5: for many, 28 * 5; 2^3^2: (2^3)^2; -3^2: (-3)^2
    r"(?:/|÷|\\div)\s*\d+(?:\.\d+)?\s*(?:/|÷|\\div)|\^\s*\d+\s*\^|\*\*\s*\d+\s*\*\*"
    r"|(?:^|[-+*/({×·])\s*[-−]\s*\d+(?:\.\d+)?\s*(?:\^|\*\*)"
)
_PART = re.compile(rf"\s*({_NUMBER})\s*([-+])\s*(\d+)\s*/\s*(\d+)\s*")
_AVERAGE = re.compile(rf"\s*(?:{_NUMBER})(?:\s*\+\s*(?:{_NUMBER}))+\s*/\s*\d+\s*")
_RANGE = re.compile(r"\s*\d+\s*[-–]\s*\d+\s*")  # pages 10-15
_DOUBTFUL = re.compile(
    rf"≈|\\approx|~|\bmod\b|\\p?mod|remainder|round|about|base|[<>≤≥≠]|\b(?:{statements.UNTRUE})"
    rf"|{statements.UNTRUE_UNSPACED}|[约約약]|近似|四舍五入|ungefähr|\b(?:etwa|rund|environ)\b|arrondi|redond|aprox"
    r"|около|примерно|округл",
    re.IGNORECASE,
)
_NOT_MEANT = re.compile(  # also in front of a colon
    r"\b(?:round(?:ed|ing)|estimat\w+|approximat\w+|mistake(?:s|nly)?|incorrect\w*|(?:might|would) think|tempting)\b",
    re.IGNORECASE,
)
# Problems and solutions in which = and the signs may mean something else, also where nothing beside them says so.
_OTHERWISE = re.compile(
    r"\bmod(?:ulo|ular|ulus)?\b|\\[bp]?mod|≡|\\equiv|\bclock arithmetic|\\mathbb\s*\{?Z\}?_"
    r"|\b(?:in|to|into|from) base\b(?! (?:price|pay|salary|wage|fare|rate|cost|fee|camp|area))"
    r"|\bbase-(?:\d|\w+ (?:num|rep|exp|arith))|\b(?:binary|octal|hexadecimal)\b"
    r"|\b(?:units?|ones|last|final)\s(?:\w+\s)?digits?\b|\bremainders?\b[^.?]{0,60}\bdivi(?:ded by|sion)\b"
    r"|[余餘]数|同余|[个個末尾]位|[进進]制|進法|余り|あまり|나머지|진법"
    r"|\brest[eo]? (?:bei|bei der|de la|da) divi|\b(?:letzten? ?|end|einer)(?:ziffer|stelle)"
    r"|derniers? chiffre|chiffres? des unités|últim[oa]s? (?:dígito|cifra)"
    r"|остат(?:ок|к)|последн\w+ цифр|счислени|двоичн|\b(?:binär|binaire|binario)",
    re.IGNORECASE,
)
_OPERATION = re.compile(  # a * b = a + 2b, but no 60^\circ
    r"\bop[eé]ra(?:tion|ción|ção)\b|\bdefin(?:e|ier|ición|ição|iamo)|\bdéfini|Verknüpfung"
    r"|定义(?!域)|規定|规定|运算|演算|연산|операци|определ[ия]"
    r"|(?<![\^{])(?:\\(?:star|ast|oplus|ominus|otimes|odot|circ|diamond|bigstar|clubsuit)(?![a-z])|[∗⋆★◊⊕⊗]|(?<!\d)∘)",
    re.IGNORECASE,
)


class Undecidable(Exception):
    """Not a number, or not one that may be computed."""


def value(text: str) -> Fraction:
    """The exact value of a text that is arithmetic and nothing else. Raises Undecidable."""
    if len(text) > MOST_CHARACTERS:
        raise Undecidable
    parser = _ArithmeticParser(_plain(text))
    result = parser.sum()
    if parser.peek() is not None:
        raise Undecidable
    return result


def check(claim: str) -> tuple[bool, str] | None:
    """Whether the equations in a claim hold, with the one that shows it; None if that cannot be told.

    "Ann = Tom + 5 = 12 + 5 = 18" is refuted by `12 + 5 = 18`, "It costs 4 dollars/foot × 18 feet = 60 dollars." by `4 *
    18 = 60`. Only neighbours that are both numbers are compared, and nothing in a claim that speaks of rounding or
    remainders.
    """
    text = _PREFIX.sub("", claim.strip()).rstrip(" .;")
    if len(text) > MOST_CHARACTERS or _DOUBTFUL.search(text) or _NOT_MEANT.search(claim):
        return None
    return _bare(text) or _in_words(statements.plain(claim))


def told(text: str, problem: str) -> list[tuple[str, bool, str]]:
    """The claims in a solution's visible text whose equations can be told: each with what `check` says of it."""
    if _OTHERWISE.search(problem) or _OTHERWISE.search(text) or _OPERATION.search(problem):
        return []
    found = ((claim, check(claim)) for claim in statements.extracted(text, problem, MOST_EQUATIONS))
    return [(claim, *checked) for claim, checked in found if checked]


def _bare(text: str) -> tuple[bool, str] | None:
    """Of a text whose sides are arithmetic or something else as a whole."""
    if _is_money(text):
        return None
    before: tuple[str, Fraction] | None = None  # the side to the left, if it is a number
    holds = ""
    sides = [side.strip(" $") for side in text.split("=")]
    for at, side in enumerate(sides):
        try:
            worth = value(side)
        except Undecidable:
            before = None
            continue
        if before and not _runs_on(*before, side, between=at + 1 < len(sides)):
            equal = _equal(*before, side, worth)
            if equal is None:
                return None
            if not equal:
                return False, _refutation(*before, side)
            holds = holds or f"{before[0]} = {side}"
        before = side, worth
    return (True, holds) if holds else None


def _is_money(text: str) -> bool:
    """Whether dollar signs are money, whose cents count: they stand before numbers, and none ends a side."""
    return "$" in text and not re.search(r"\$\s*(?:=|$)", text)


def _runs_on(left: str, worth: Fraction, side: str, *, between: bool) -> bool:
    """Whether only the beginning of a side is what the left one is worth: 3 + 4 = 7 + 5 = 12, 3 + 2 = 5/8."""
    fraction = _MERE_FRACTION.fullmatch(side)
    if not (between or fraction) or (fraction and _divides(left)):  # 1/2 + 1/2 = 1/4
        return False
    first = _FIRST.match(_plain(side))
    return first is not None and worth == Fraction(first[1]) != value(side)


def _in_words(text: str) -> tuple[bool, str] | None:
    """Of a sentence with equations in it."""
    holds = ""
    for equation in equations.find(text):
        try:
            left, right = value(equation.left), value(equation.right)
        except Undecidable:
            continue
        equal = _equal(equation.left, left, equation.right, right)
        if equal:
            holds = holds or f"{equation.left} = {equation.right}"
        elif equal is False and equation.comparable:
            if _runs_on(equation.left, left, equation.right, between=equation.between) or any(
                _is_converted(left, right, factor, equation.right) for factor in equation.factors
            ):
                continue
            return False, _refutation(equation.left, left, equation.right)
    return (True, holds) if holds else None


def _refutation(left: str, worth: Fraction, right: str) -> str:
    return f"{left} = {right} does not hold: the left side is {shown(worth)}"


def _equal(left: str, before: Fraction, right: str, after: Fraction) -> bool | None:
    """Whether two sides are; None where it depends on how one is read, or where one may be the other rounded: decimals
    that are close, in a sum or product by no more than their last places, or a quotient to a whole number or to whole
    percents.

    Where a percent sign stands on one side alone, a factor of 100 is the sign: 0.25 * 100 = 25%.
    """
    factors = (Fraction(1), Fraction(100), Fraction(1, 100)) if ("%" in left) != ("%" in right) else (Fraction(1),)
    if any(before == after * factor for factor in factors):
        return True
    if _agree_without_points(left, right) or _agree_with_points(left, before, right, after):
        return None
    left, right = (_GROUPED.sub(lambda found: re.sub(r"\D", "", found[0]), side) for side in (left, right))
    if _shorthand(left) == after:
        return None
    if _TWO_READINGS.search(left) or _TWO_READINGS.search(right) or (before < 0 < after and _RANGE.fullmatch(left)):
        return None
    decimals = _DECIMAL.search(f"{left} {right}")
    for factor in factors:
        other = after * factor
        off = abs(before - other)
        if decimals and off <= ROUNDED * max(abs(before), abs(other)) and off <= _slack(left, right):
            return None
        if _divides(left) and _is_whole(other, factor, right, before):
            return None
        if _divides(right) and _MERE_NUMBER.fullmatch(left) and _is_whole(before, Fraction(1), left, other):
            return None
    return False


def _shorthand(side: str) -> Fraction | None:
    """What a side is worth if it is a number and a part of it, 90 - 1/3, or an average, 4 + 6 / 2; else None."""
    if (part := _PART.fullmatch(side)) and statements.is_proper(part[3], part[4]):
        number, portion = Fraction(part[1]), Fraction(int(part[3]), int(part[4]))
        return number + number * portion if part[2] == "+" else number - number * portion
    terms = side.rpartition("/")[0].split("+")
    average = _AVERAGE.fullmatch(side) and side.rpartition("/")[2].strip() == str(len(terms))
    return sum(map(Fraction, terms), Fraction(0)) / len(terms) if average else None


def _agree_without_points(left: str, right: str) -> bool:
    """Whether two sides are equal if points stand between thousands, as they may."""
    if not _POINTED.search(f"{left} {right}"):
        return False
    try:
        one, other = (value(_POINTED.sub(lambda found: found[0].replace(".", ""), side)) for side in (left, right))
    except Undecidable:
        return False
    return one == other


def _agree_with_points(left: str, before: Fraction, right: str, after: Fraction) -> bool:
    """Whether two sides are equal if commas stand before decimals, as they may; if they are far apart else, perhaps
    rounded: 10 / 3 = 3,333."""
    one, other = (_COMMA.sub(r"\1.", side) for side in (left, right))
    if (one, other) == (left, right):
        return False
    try:
        pointed = value(one), value(other)
    except Undecidable:
        return False
    near, far = sorted(map(abs, (before, after)))
    rounded = FAR * near <= far and _equal(one, pointed[0], other, pointed[1]) is None
    return pointed[0] == pointed[1] or rounded


def _slack(left: str, right: str) -> Fraction | float:
    """By how much rounding may part two sides: without bounds where quotients or percents were rounded on the way, else
    as far as the last places of the decimals matter."""
    sides = (left, right)
    try:
        return math.inf if any(_divides(side) or "%" in side for side in sides) else sum(map(_last_places, sides))
    except Undecidable:
        return math.inf


def _last_places(side: str) -> Fraction:
    """How far a side moves if each of its decimals is another in the last place. Where it has none beside a side that
    has some, they were left out: so for its whole numbers, and for a single one in the last digit that is not 0."""
    if _MERE_NUMBER.fullmatch(side) and not _DECIMAL.search(side):
        digits = _plain(side).strip()
        return Fraction(10 ** (len(digits) - len(digits.rstrip("0"))))
    worth, moves = value(side), Fraction(0)
    for found in (_DECIMALS if _DECIMAL.search(side) else _WHOLE).finditer(side):
        next_to_it = Decimal(found[0]) + Decimal(1).scaleb(-len(found[1]))
        moves += abs(value(f"{side[: found.start()]}{next_to_it:f}{side[found.end() :]}") - worth)
    return moves


def _divides(side: str) -> bool:
    return any(sign in side for sign in ("/", "÷", "\\div", "frac"))


def _is_whole(number: Fraction, factor: Fraction, side: str, exact: Fraction) -> bool:
    """Whether a side's number, by a factor, is a whole one, or whole percents, less than one away from the exact."""
    one = factor / 100 if "%" in side else factor
    return (number / one).denominator == 1 and abs(number - exact) < one


def _is_converted(left: Fraction, right: Fraction, factor: Fraction, written: str) -> bool:
    """Whether the left side is so many times the right one, but for decimals that were not written."""
    last = Fraction(1, 10 ** len(written.partition(".")[2])) if _DECIMAL.search(written) else 0
    return left == right * factor or abs(left / factor - right) < last


def shown(number: Fraction) -> str:
    text = str(number)
    return text if len(text) <= 30 else f"a number of {len(str(number.numerator))} digits"


def _plain(text: str) -> str:
    """LaTeX's spelling of arithmetic in plain signs; digits in groups of three become one number."""
    text = _GROUPED.sub(lambda found: re.sub(r"\D", "", found[0]), text)
    text = _COMMAND.sub(lambda found: _LATEX[found[0]], text)
    for sign, plain in _LATEX.items():
        if sign[0] != "\\":
            text = text.replace(sign, plain)
    text = _FRACTION.sub(r"\\frac{\1}{\2}", text)
    text = _MIXED.sub(lambda found: _mixed(found[0], *found.groups()), text)
    return re.sub(r"\\frac\s*(?=\{)", "@", text)


def _mixed(text: str, whole: str, above: str, below: str) -> str:
    """A mixed number as a sum; what may be a product stays as it is, a fraction behind a digit, which nobody reads."""
    return f"({whole}+{above}/{below})" if statements.is_proper(above, below) else text


class _ArithmeticParser:
    """Recursive descent over sum, product, power, atom; numbers are checked for their size as they arise."""

    def __init__(self, text: str) -> None:
        self._tokens = self._split(text)
        self._at = 0
        self._depth = 0

    @staticmethod
    def _split(text: str) -> list[str]:
        tokens, at = list[str](), 0
        text = text.strip()
        while at < len(text):
            if text[at] == "@":
                tokens.append("@")
                at += 1
            elif found := _TOKEN.match(text, at):
                tokens.append(found[1] or found[2])
                at = found.end()
            elif text[at].isspace():
                at += 1
            else:
                raise Undecidable
        return tokens

    def peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self, *wanted: str) -> str | None:
        token = self.peek()
        if token in wanted:
            self._at += 1
            return token
        return None

    def _need(self, wanted: str) -> None:
        if not self._take(wanted):
            raise Undecidable

    def sum(self) -> Fraction:
        result, percentage = self._term()
        while sign := self._take("+", "-"):
            right, of_what = self._term()
            if percentage != of_what and (right if percentage else result) != 1:
                raise Undecidable  # 200 + 5% may be 210
            result = _small(result + right if sign == "+" else result - right)
        return result

    def _term(self) -> tuple[Fraction, bool]:
        """A product, and whether it ends in a percent sign, be it in brackets."""
        result, end = self._product(), self._at
        while self._tokens[end - 1] in (")", "}"):
            end -= 1
        return result, self._tokens[end - 1] == "%"

    def _product(self) -> Fraction:
        result = self._signed()
        while sign := self._take("*", "/"):
            right = self._signed()
            if sign == "/" and right == 0:
                raise Undecidable
            result = _small(result * right if sign == "*" else result / right)
        return result

    def _signed(self) -> Fraction:
        """All recursion comes by here."""
        self._depth += 1
        if self._depth > MOST_NESTED:
            raise Undecidable
        if self._take("-"):
            result = -self._signed()
        elif self._take("+"):
            result = self._signed()
        else:
            result = self._power()
        self._depth -= 1
        return result

    def _power(self) -> Fraction:
        base = self._atom()
        if not self._take("^", "**"):
            return base
        if self._take("{"):
            exponent = self.sum()
            self._need("}")
        else:
            exponent = self._signed()
        digits = max(len(str(abs(base.numerator))), len(str(base.denominator)))
        if exponent.denominator != 1 or abs(exponent) * digits > MOST_DIGITS or (base == 0 and exponent < 0):
            raise Undecidable
        return _small(base ** int(exponent))

    def _atom(self) -> Fraction:
        result = self._bare_atom()
        return result / 100 if self._take("%") else result

    def _bare_atom(self) -> Fraction:
        if self._take("("):
            result = self.sum()
            self._need(")")
            return result
        if self._take("{"):
            result = self.sum()
            self._need("}")
            return result
        if self._take("@"):
            self._need("{")
            numerator = self.sum()
            self._need("}")
            self._need("{")
            denominator = self.sum()
            self._need("}")
            if denominator == 0:
                raise Undecidable
            return _small(numerator / denominator)
        token = self.peek()
        if token is None or not (token[0].isdigit() or token[0] == "."):
            raise Undecidable
        if len(token) > MOST_DIGITS:
            raise Undecidable
        self._at += 1
        return Fraction(token)


def _small(number: Fraction) -> Fraction:
    if max(number.numerator.bit_length(), number.denominator.bit_length()) > 4 * MOST_DIGITS:
        raise Undecidable
    return number
