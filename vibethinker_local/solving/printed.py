"""The answer in what a program printed: numbers and formulas as Python, NumPy and sympy write them."""

import builtins
import re
from fractions import Fraction

from vibethinker_local.reliability import answers

MOST_LINES = 8  # a program that prints more has not printed an answer
FINE = Fraction(1, 10**12)  # relative: a float this close to a simple fraction is meant to be it
SIMPLE = 1000  # the largest denominator of such a fraction

_LEAD = re.compile(  # a label; x >= 3 has none
    r"[A-Za-z][^:=<>!\d()\[\]{}]*(?:[:=]|\b(?:is|are|equals)\b)\s*(?=\S)|[-+*/.\d\s()]+=\s*(?=\S)"
)
_MANY = r"(?:hundred|thousand|[mbtr]+illion)\b"  # part of a number
_NUMBER = re.compile(rf"-?\$?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?(?:/\d+)?(?:%| {_MANY})?")
_NAME = r"(?:pi|oo|sqrt|log|ln|exp|a?(?:sin|cos|tan)|alpha|beta|gamma|theta)\b"  # in a formula
_WORD = re.compile(rf"(?<![^\s(])(?!{_NAME}|[AP]M\b|(?<=\d )[ap]m\b)[A-Za-z]{{2,}}(?![^\s.,!?)]|\.\w)")
_UNIT = re.compile(rf"(?: (?!{_NAME}|{_MANY}|[AP]M\b|(?<=\d )[ap]m\b)[A-Za-z]{{2,}}\.?){{1,6}}$")
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_DATE = re.compile(rf"(?:{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?|\d{{1,2}} {_MONTH})(?:,? \d{{4}})?")
# Sentences whose number is not what they say: they calculate, or deny.
_CALCULATES = re.compile(rf"[*^=<>≤≥≠]|\w\(|\b{_NAME}|\d(?!st\b|nd\b|rd\b|th\b)[A-Za-z]|\bhalf\b")
_DENIES = re.compile(r"\b(?:no|not|none|never|cannot|undefined)\b", re.IGNORECASE)
_LONG_FLOAT = re.compile(r"-?\d{1,400}\.\d{1,400}")  # Python's own has no more digits, and more it cannot read
_WRAPPED = (  # numbers and lists in the names of their types
    (re.compile(r"\b(?:np\.(?:float|int)\d+|Decimal)\('?(-?\d[\d.e+-]*)'?\)"), r"\1"),
    (re.compile(r"\b(?:Fraction|Rational)\((-?\d+), (\d+)\)"), r"\1/\2"),
    (re.compile(r"^array\((\[[^\[\]]*\])\)$"), r"\1"),
    (re.compile(r"^(?:frozenset|dict_keys|dict_values|deque)\(([\[{][^\[\]{}]*[\]}])\)$"), r"\1"),
)
_ERRORS = "|".join(name for name in vars(builtins) if name.endswith(("Error", "Exception")))
_FAILED = re.compile(  # caught, and printed; but StandardError: 0.5
    rf"(?:{_ERRORS})\b|\w+(?:Error|Exception)\b(?!\W*[\d.]+$)|Traceback\b|Error\b\D*$"
)
_STRINGS = re.compile(r"'[^',]*'(?:, '[^',]*')*")
_NUMPY = re.compile(r"\[\s*-?[\d.]+(?:\s+-?[\d.]+)+\s*\]")  # [3 5]
_PART = r"((?:[^(),]|\([^()]{0,40}\)){1,40})"  # one of a call's arguments
_ENDS = rf"\({_PART}, {_PART}\)"
_SYMPY = (
    (re.compile(r"\bE\b"), "e"),
    (re.compile(r"\bI\b"), "i"),
    (re.compile(r"\blog\("), "ln("),
    (re.compile(rf"\bInterval{_ENDS}"), r"[\1, \2]"),
    (re.compile(rf"\bInterval\.open{_ENDS}"), r"(\1, \2)"),
    (re.compile(rf"\bInterval\.Lopen{_ENDS}"), r"(\1, \2]"),
    (re.compile(rf"\bInterval\.Ropen{_ENDS}"), r"[\1, \2)"),
    (re.compile(r"\[(?=-oo,)"), "("),
    (re.compile(r"(?<=, oo)\]"), ")"),
    (re.compile(r"\bFiniteSet\(([^()]*)\)"), r"{\1}"),
    (re.compile(r"\(([^\s()]{1,40} <=?) ([a-z])\) & \(\2 (<=? [^\s()]{1,40})\)"), r"\1 \2 \3"),  # (0 <= x) & (x < 1)
)
_UNION = re.compile(r"Union\((.*)\)")
_EITHER = re.compile(r"\([^()|&]+\)(?: \| \([^()|&]+\))+")  # (x < 1) | (3 < x)
_SOLUTION = re.compile(r"\{('?[A-Za-z]\w*'?: [^{}:,]+(?:, '?[A-Za-z]\w*'?: [^{}:,]+)*)\}")  # {x: 1, y: 2}
_MATRIX = re.compile(r"Matrix\(\[\[([^\[\]]*(?:\], \[[^\[\]]*)*)\]\]\)")


def printed(stdout: str) -> str | None:
    """The answer in what a program printed: its last line, without a label or a unit; None if there is none, or if it
    is prose, or a sentence with several numbers.

    A float that is a simple fraction but for its last digits is that fraction.
    """
    from vibethinker_local.reliability import equivalence  # for programs alone: other solutions start sooner

    lines = [line.strip() for line in stdout.split("\n") if line.strip()]
    if not 0 < len(lines) <= MOST_LINES:
        return None
    if _FAILED.match(lines[-1]):
        return None
    said = answers.boxed(lines[-1]) or lines[-1].rstrip(" .")
    if said.count("=") < 2 and (lead := _LEAD.match(said)):
        said = said[lead.end() :]
    said = _without_unit(said)
    if _WORD.search(said) and not _DATE.fullmatch(said):
        numbers = _NUMBER.findall(said)
        if len(numbers) > 1 or not (numbers or equivalence.comparable(lines[-1])):
            return None
        if numbers and (_CALCULATES.search(said) or _DENIES.search(said)):
            return None
        said = numbers[0] if numbers else said
    if said.lower() in ("", "none", "nan", "[]", "set()", "emptyset"):
        return None
    if said[-1] in "]}" and sum(map(said.count, "([{")) != sum(map(said.count, ")]}")):
        return None  # the last of several lines that belong together
    for pattern, bare in _WRAPPED:
        said = pattern.sub(bare, said)
    if _NUMPY.fullmatch(said):
        said = ", ".join(said.strip("[] ").split())
    if said[0] == "[" and said[-1] == "]":  # a list of solutions, not an interval
        said = said[1:-1]
        said = said.replace("'", "") if _STRINGS.fullmatch(said) else said
    return _formula(_exact(said)) if equivalence.comparable(said) else None


def _without_unit(text: str) -> str:
    """A number or a formula without the words behind it; any other text as it is."""
    bare = _UNIT.sub("", text)
    formula = re.search(r"\d|\bpi\b", bare) and not _WORD.search(bare)
    return bare if formula and not _DENIES.search(text) and not _DATE.fullmatch(text) else text


def _exact(text: str) -> str:
    if not _LONG_FLOAT.fullmatch(text):
        return text
    value = Fraction(text)
    simple = value.limit_denominator(SIMPLE)
    meant = simple.denominator == 1 or simple != value  # 0.25 stays as it is
    return str(simple) if meant and abs(value - simple) <= FINE * max(Fraction(1), abs(value)) else text


def _formula(text: str) -> str:
    """What sympy prints, as it is written on paper."""
    if len(text) > 1:
        for pattern, name in _SYMPY:
            text = pattern.sub(name, text)
    if found := _UNION.fullmatch(text):
        return re.sub(r"(?<=[\])}]), (?=[\[({])", r" \\cup ", found[1]).replace("{", r"\{").replace("}", r"\}")
    if _EITHER.fullmatch(text):
        return re.sub(r"[()]", "", text).replace("|", "or")
    if found := _SOLUTION.fullmatch(text):
        return re.sub(r"'?(\w+)'?: ", r"\1 = ", found[1])
    if found := _MATRIX.fullmatch(text):
        rows = found[1].replace("], [", r" \\ ").replace(",", " &")
        return rf"\begin{{pmatrix}} {rows} \end{{pmatrix}}"
    return text
