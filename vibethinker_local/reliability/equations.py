"""Equations as they stand in sentences, with units, money and words around them: "so it costs 4 dollars/foot × 18 feet
= 72 dollars". Finds them and takes the units off; what they are worth is `arithmetic`'s business.

In doubt there is none: behind "5 more than 3 + 4 = 12" is another equation than the signs say.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

MOST_TOKENS = 80  # of one side
# Units of one kind, which numbers are converted between without a word.
_KINDS = (
    frozenset("second sec minute min hour hr hrs day week month year decade century".split()),
    frozenset(
        "mm cm millimeter millimetre centimeter centimetre meter metre km kilometer kilometre inch inche foot feet ft "
        "yard mile".split()
    ),
    frozenset("mg gram kg kilogram pound lb lbs ounce oz ton tonne".split()),
    frozenset("ml milliliter millilitre liter litre gallon quart pint cup".split()),
    frozenset("cent penny pennie dime nickel dollar euro".split()),
)


def _either_way(*factors: int) -> tuple[Fraction, ...]:
    return tuple(ratio for factor in factors for ratio in (Fraction(factor), Fraction(1, factor)))


# How many times a number without a unit may be what it is in such a unit: 45 + 45 = 1.5 hours, 5 * 3 = $15,000.
_CONVERTED = (
    (_KINDS[0], _either_way(7, 12, 24, 30, 52, 60, 365, 1440, 3600, 10_080)),
    (_KINDS[1], _either_way(3, 12, 36, 100, 144, 1000, 1760, 5280, 10_000)),
    (_KINDS[2], _either_way(16, 1000, 2000)),
    (_KINDS[3], _either_way(4, 8, 16, 1000)),
    (frozenset("cent penny pennie".split()), (Fraction(1, 100),)),
    (frozenset("dollar euro € £".split()), (Fraction(100), Fraction(1, 1000), Fraction(1, 1_000_000))),
)
_UNIT = {"feet": "foot", "ft": "foot", "inche": "inch", "hr": "hour", "hrs": "hour", "min": "minute", "sec": "second"}
_SPAN = re.compile(r"(\d{1,2}) - (\d{1,2})")
_HOURS = frozenset(("hour", "hr"))
_CLOCK = frozenset("am pm a.m p.m o'clock o’clock noon midnight uhr".split())
MOST_WORDS = 4  # of a unit: "dollars per square foot"

_TOKEN = re.compile(
    r"(?P<dots>\.{2,})|(?P<pause>(?<=\S):(?=\s))|(?P<time>\d{1,2}:\d\d(?!\d))"
    r"|(?P<name>(?<![A-Za-z\d])[A-Za-z]\d\w*)|(?P<number>\d+(?:[.,]\d+)*|\.\d+)"
    r"|(?P<word>[ap]\.m\b\.?|[A-Za-z][A-Za-z'’]*(?:\.(?!\d))?(?=\s|$|[^A-Za-z])|°)"
    r"|(?P<part>\*of\b)|(?P<sign>\*\*|[-+*/^()%×·⋅÷−–=])"
    r"|(?P<money>[$€£¥])|(?P<other>\\[A-Za-z]+|\S)"
)
_APOSTROPHES = re.compile(r"(?<=\d)['’](?=\d{3}(?!\d))")  # 1'000
_PART_OF = re.compile(r"(\d\s*%|\d\s*/\s*\d+)\s+of\s+(?=[$€£¥]?\s*\d)")  # 20% of 50, 1/4 of 60
_NEXT = re.compile(r"[;,]\s+(?:and|so|then|thus|therefore|hence|which|giving|making|but)\b,?")
_SPELLED = {"×": "*", "·": "*", "⋅": "*", "÷": "/", "−": "-", "–": "-", "**": "^", "*of": "*"}
# Before an equation: words that take part in it, so that the signs do not say it all.
_TAKES_PART = frozenset(
    "than of times by from minus plus over double twice thrice half third quarter triple with and add adding subtract "
    "subtracting divided multiplied multiply divide less more fewer every each per if "
    "als wie von mal und mit durch aus pro que de du des et par fois moins sur sobre por entre menos veces di più meno "
    "volte mais vezes van dan keer en".split()
)
# Behind a number: words that go on with the sentence, and are no unit.
_GOES_ON = frozenset(
    "a an the and or so then thus therefore hence which that who this these those because since as is are was were has "
    "have had in on at for from to of by with if when while after before he she it they we you i his her its their our "
    "left remaining total altogether each every per more less fewer minus plus".split()
)
# Names of numbers and functions: algebra, which is not done here. So is any single letter.
_ALGEBRA = frozenset("pi theta sqrt log ln exp sin cos tan sec csc cot mod gcd lcm max min choose factorial".split())
_POWERS = frozenset(("squared", "cubed"))  # of a number; of a unit behind one
_OPENS = frozenset(":,.;\"'“”‘’⇒→—")  # what may stand before an equation, besides words
_CLOSES = _OPENS | frozenset("?…")  # what may stand behind it; a subscript, a root, an exclamation mark go on with it
# Units that are numbers, too.
_COUNTS = frozenset(
    "dozen hundred thousand million billion trillion pair couple percent half halve third quarter fourth score "
    "gross dutzend paar tausend tsd millionen mio milliarde milliarden mrd douzaine mille millier docena mil "
    "millone".split()
)


@dataclass(frozen=True)
class Equation:
    """Two sides as arithmetic, and whether their units are such that unequal sides refute it.

    `factors`: how many times the right side the left one may be, because one of them has been converted. `between`: a
    further equal sign follows the right side.
    """

    left: str
    right: str
    comparable: bool
    factors: tuple[Fraction, ...]
    between: bool


@dataclass(frozen=True)
class _Side:
    text: str
    units: tuple[frozenset[str], ...]  # of each number that has any
    adds: bool
    computes: bool  # more than a number
    part: bool = False  # of something: 5/8 of the pizza, 20% of $50


def find(text: str) -> Iterator[Equation]:
    """The equations of a plain text, in their order: neighbours in a chain of equal signs that are both arithmetic, one
    of them more than a number."""
    text = _APOSTROPHES.sub("", text)
    text = _PART_OF.sub(r"\1 *of ", text)
    for clause in _clauses(text):
        yield from _of_clause(clause)


def _clauses(text: str) -> Iterator[str]:
    """A sentence, taken apart where another equation begins behind a comma: "4 + 5 = 9, so 9 * 2 = 18"."""
    begin = 0
    for found in _NEXT.finditer(text):
        if "=" in text[begin : found.start()]:
            yield text[begin : found.start()]
            begin = found.end()
    yield text[begin:]


def _of_clause(text: str) -> Iterator[Equation]:
    sides: list[list[tuple[str, str]]] = [[]]
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or "other"
        if found[0] == "=":
            sides.append([])
        else:
            said = found[0].lower().rstrip(".") if kind == "word" else _SPELLED.get(found[0], found[0])
            sides[-1].append((kind, said))
    last = len(sides) - 1
    for at, (before, after) in enumerate(pairwise(sides)):
        left = _ending(before) if at == 0 else _whole(before)
        right = _beginning(after) if at + 1 == last else _whole(after)
        if left and right and (left.computes or right.computes):
            comparable = _comparable(left, right)
            yield Equation(left.text, right.text, comparable, _factors(left, right), between=at + 1 < last)


def _ending(tokens: Sequence[tuple[str, str]]) -> _Side | None:
    """The longest arithmetic at the end of a side, if nothing before it takes part."""
    tokens = tokens[-MOST_TOKENS:]
    for begin in range(len(tokens)):
        if found := _read(tokens[begin:]):
            label = begin and not found.computes  # "in the first 4 days = 200 × 4"
            return found if not label and _begins(tokens[:begin], tokens[begin][1]) else None
    return None


def _begins(before: Sequence[tuple[str, str]], first: str) -> bool:
    """Whether what comes before takes no part in the arithmetic that begins with `first`."""
    if not before:
        return True
    kind, said = before[-1]
    if kind == "pause":  # multiply by 52: 2100 × 52 = 109200
        return True
    if kind == "other":
        lists = said in ":," and len(before) > 1 and before[-2][0] == "number"  # 3:4, or a list of numbers
        return said in _OPENS and not lists
    return kind == "word" and first not in "+-" and not (said in _TAKES_PART or _is_algebra(said))


def _is_algebra(word: str) -> bool:
    return word in _ALGEBRA or (len(word) == 1 and word != "a")


def _beginning(tokens: Sequence[tuple[str, str]]) -> _Side | None:
    """The longest arithmetic at the beginning of a side."""
    tokens = tokens[:MOST_TOKENS]
    for end in range(len(tokens), 0, -1):
        if found := _read(tokens[:end]):
            if end < len(tokens):
                kind, said = tokens[end]
                goes_on = kind == "dots" or (kind == "other" and said not in _CLOSES)
                goes_on |= kind == "word" and (_is_algebra(said) or said in _POWERS)
                if goes_on or kind in ("sign", "number", "money", "time", "part"):
                    return None
                if said == "of" and ("/" in found.text or found.text.endswith("%")):
                    return replace(found, part=True)
            return found
    return None


def _whole(tokens: Sequence[tuple[str, str]]) -> _Side | None:
    return _read(tokens) if len(tokens) <= MOST_TOKENS else None


def _read(tokens: Sequence[tuple[str, str]]) -> _Side | None:
    """Tokens that are numbers, signs and units, and nothing else; None if they are not."""
    parts, units, at, wanted = list[str](), list[frozenset[str]](), 0, True  # wanted: a number
    adds = computes = False
    while at < len(tokens):
        kind, said = tokens[at]
        if wanted and kind == "money" and at + 1 < len(tokens) and tokens[at + 1][0] == "number":
            units.append(frozenset({"dollar" if said == "$" else said}))
            at += 1
        elif wanted and kind == "number":
            parts.append(said)
            wanted, at = False, at + 1
            unit, at = _unit(tokens, at)
            units += [unit] if unit else []
        elif wanted and kind == "sign" and said in "(+-":
            parts.append(said)
            at += 1
        elif not wanted and said in (")", "%"):
            parts.append(said)
            at += 1
            unit, at = _unit(tokens, at)
            units += [unit] if unit else []
        elif not wanted and (kind in ("sign", "part") or (said == "x" and _follows(tokens, at))) and said not in "(%":
            parts.append("*" if said == "x" else said)
            adds |= said in "+-"
            computes = wanted = True
            at += 1
        else:
            return None
    part = any(kind == "part" for kind, _ in tokens)
    return None if wanted else _Side(" ".join(parts), tuple(units), adds, computes, part)


def _unit(tokens: Sequence[tuple[str, str]], at: int) -> tuple[frozenset[str], int]:
    """The words of the unit that begins here, singular, and where it ends."""
    words = list[str]()
    while at < len(tokens) and len(words) < MOST_WORDS:
        kind, said = tokens[at]
        if kind == "word" and not _is_algebra(said) and (words or said not in _GOES_ON | _POWERS):
            words.append(said)
            at = _behind_power(tokens, at + 1)
        elif said == "/" and at + 1 < len(tokens) and tokens[at + 1][0] == "word":
            at += 1
        else:
            break
    found = {word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words}
    return frozenset(_UNIT.get(word, word) for word in found - _GOES_ON), at


def _behind_power(tokens: Sequence[tuple[str, str]], at: int) -> int:
    """Where the power of a unit ends: cm^2, cm^{2}, cm²."""
    said = [said for _, said in tokens[at : at + 4]]
    if said[:1] in (["²"], ["³"]):
        return at + 1
    if said[:1] == ["^"] and len(said) > 1 and said[1] in ("2", "3"):
        return at + 2
    return at + 4 if said in (["^", "{", "2", "}"], ["^", "{", "3", "}"]) else at


def _follows(tokens: Sequence[tuple[str, str]], at: int) -> bool:
    """Whether a number comes behind an x: then it multiplies."""
    return at + 1 < len(tokens) and (tokens[at + 1][0] in ("number", "money") or tokens[at + 1][1] == "(")


def _comparable(left: _Side, right: _Side) -> bool:
    """Whether units leave the numbers as they are: no hours and minutes in one sum, no cents that become dollars, no
    time of day; and no label before a calculation (8 batches = 5 × 8 cups), no part behind one (3 + 2 = 5/8 of it)."""
    units = (*left.units, *right.units)
    if any(unit & (_COUNTS | _CLOCK) for unit in units):
        return False
    if _is_span(left, right):
        return False
    if right.part or (left.units and not left.computes and not right.units):
        return False
    alone = frozenset().union(*(unit for unit in units if len(unit) == 1))
    if any(len(alone & kind) > 1 or _mixes(left, kind) or _mixes(right, kind) for kind in _KINDS):
        return False
    if (left.adds or right.adds) and any(not one & other for one in units for other in units):
        return False
    ours, theirs = (frozenset().union(*side.units) for side in (left, right))
    return not ours or not theirs or bool(ours & theirs)


def _mixes(side: _Side, kind: frozenset[str]) -> bool:
    """Whether a side has two units of one kind and none that connects them: miles/hour × minutes, but not kg/hour ×
    hours/day."""
    found = [unit & kind for unit in side.units]
    return len(frozenset().union(*found)) > max(map(len, found), default=0)


def _is_span(left: _Side, right: _Side) -> bool:
    """Whether a difference says from when to when: 9 - 5 = 8 hours."""
    found = _SPAN.fullmatch(left.text)
    hours = not left.units and any(unit & _HOURS for unit in right.units)
    return found is not None and hours and right.text == str((int(found[2]) - int(found[1])) % 12)


def _factors(left: _Side, right: _Side) -> tuple[Fraction, ...]:
    """How many times the right side the left one may be, where only the result has a unit, and is converted to it."""
    if left.units or not right.units:
        return ()
    units = frozenset().union(*right.units)
    return tuple(factor for kind, factors in _CONVERTED if kind & units for factor in factors)
