"""Words and symbols that stand for units: `\\text{ cm}^2`, `hours`, `mph`, and what they are worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from vibethinker_local.reliability.maths.notation import Group, Node, Nodes, Token, is_sign, is_word, spelled

# Unit: its spellings. The first is its name; capitals matter in symbols, not in words.
# One with a prefix stands behind the one without.
_SAME_UNIT = """
m: metre meter metres meters mtr 米 公尺 м
g: gram grams gramme grammes gm gms 克
s: second seconds sec secs 秒 секунд sekunde sekunden
L: l litre liter litres liters ltr 升
ft: foot feet
in: inch inches
yd: yard yards yds
mi: mile miles
lb: pound pounds lbs gbp GBP
oz: ounce ounces
gal: gallon gallons gals
min: minute minutes mins 分钟 分鐘 мин минут minuten minutos
h: hour hours hr hrs 小时 小時 時間 시간 часа часов stunde stunden heure heures hora horas
day: days 天 дня дней tage jour jours día días
week: weeks wk wks
month: months
year: years yr yrs
Hz: hertz
N: newton newtons
J: joule joules
W: watt watts
Wh:
V: volt volts
A: ampere amperes amp amps
Pa: pascal pascals
K: kelvin kelvins
C: coulomb coulombs
mol: mole moles mols
Ω: ohm ohms
eV:
cal: calorie calories
T: tesla teslas
F: farad farads
Wb: weber webers
rad: radian radians
°C: celsius centigrade
°F: fahrenheit
unit: units
cent: cents
euro: euros eur EUR € евро
¥: yen yuan rmb RMB 元 円
rupee: rupees inr INR
t: tonne tonnes
ton: tons
acre: acres
ha: hectare hectares
mph:
kph: kmh kmph
cc:
bit: bits
byte: bytes
rev: revolution revolutions
cm: 厘米 公分 см
mm: 毫米 мм
km: 千米 公里 км
kg: 千克 公斤 кг
mL: 毫升 мл
"""
_PREFIXES = {
    "G": 9, "M": 6, "k": 3, "h": 2, "d": -1, "c": -2, "m": -3, "μ": -6, "u": -6, "n": -9, "p": -12, "giga": 9,
    "mega": 6, "kilo": 3, "hecto": 2, "deci": -1, "centi": -2, "milli": -3, "micro": -6, "nano": -9, "pico": -12,
}  # fmt: skip
_PREFIXED = "m g s L Hz N J W Wh V A Pa eV cal F T bit byte Ω rad C mol Wb".split()
# Units that are so many of another.
_WORTH = {
    "min": ("s", Fraction(60)), "h": ("s", Fraction(3600)), "day": ("s", Fraction(86400)),
    "week": ("s", Fraction(604800)), "ft": ("in", Fraction(12)), "yd": ("in", Fraction(36)),
    "mi": ("in", Fraction(63360)), "lb": ("oz", Fraction(16)), "t": ("g", Fraction(10**6)),
    "year": ("month", Fraction(12)),
}  # fmt: skip
_COMPOUND = {
    "mph": ({"in": 1, "s": -1}, Fraction(63360, 3600)), "kph": ({"m": 1, "s": -1}, Fraction(1000, 3600)),
    "cc": ({"m": 3}, Fraction(1, 10**6)), "ha": ({"m": 2}, Fraction(10**4)),
    "N": ({"g": 1, "m": 1, "s": -2}, Fraction(1000)), "Pa": ({"g": 1, "m": -1, "s": -2}, Fraction(1000)),
    "J": ({"g": 1, "m": 2, "s": -2}, Fraction(1000)), "W": ({"g": 1, "m": 2, "s": -3}, Fraction(1000)),
    "Wh": ({"g": 1, "m": 2, "s": -2}, Fraction(3600 * 1000)),
}  # fmt: skip
MOST_POWER = 20  # of a unit
PERCENT = set("percent percents pct percentage prozent процент процента процентов パーセント 퍼센트".split())
DEGREES = set("degree degrees deg degs градусов".split())
DOLLARS = {"dollar", "dollars", "usd", "bucks"}
_FILLERS = {"of", "the", "a", "an", "per", "sterling"}


@dataclass(frozen=True, slots=True)
class Unit:
    """A product of powers of names, and how many of these it is."""

    dimensions: tuple[tuple[str, Fraction], ...]
    factor: Fraction = Fraction(1)
    letters: tuple[tuple[str, Fraction], ...] = ()  # if its symbols are letters, which may have been variables


def _known() -> dict[str, tuple[str, Fraction]]:
    """By spelling: the unit's name, and how many of that it is."""
    found: dict[str, tuple[str, Fraction]] = {}
    for line in _SAME_UNIT.strip().splitlines():
        name, _, spellings = line.partition(":")
        words = spellings.split()
        for spelling in (name, *words):
            found[spelling] = found.get(name, (name, Fraction(1)))
        if name in _PREFIXED:
            for prefix, power in _PREFIXES.items():
                scale = Fraction(10) ** power
                for spelling in words if len(prefix) > 2 else [name, *(word for word in words if word == "l")]:
                    found.setdefault(prefix + spelling, (name, scale))
    return found


_KNOWN = _known()


def begins(node: Node) -> bool:
    """Whether a unit may begin here, after a value."""
    if isinstance(node, Group):
        return node.open == "(" and bool(node.nodes) and all(is_word(inner) for inner in node.nodes)
    if node.kind == "word":
        if node.upright or len(node.text) > 3 or node.text in _KNOWN:
            return True
        return node.text.casefold() in PERCENT | DEGREES | DOLLARS
    return node.kind == "letter" and node.upright and node.text in _KNOWN


def begins_one_of(nodes: Nodes) -> bool:
    """Whether a unit of one letter begins here, over another one or before an amount of one: `J / mol`, `h 30 min`; or
    one of which only what it is over is named: `/hour`."""
    first, *rest = nodes
    if is_sign(first, "/") and rest:
        over = rest[0]
        return isinstance(over, Token) and over.kind == "word" and (over.upright or over.text in _KNOWN)
    if not (isinstance(first, Token) and first.kind == "letter" and first.text in _KNOWN and len(rest) > 1):
        return False
    between = rest[0]
    is_amount = isinstance(between, Token) and between.kind == "number" and between.spaced
    return (is_amount or is_sign(between, "/")) and begins(rest[1])


def unit(nodes: Nodes) -> Unit | None:
    """The unit that nodes spell, if they are nothing else."""
    dimensions: dict[str, Fraction] = {}
    factor, sign, nouns = Fraction(1), 1, list[str]()
    power_ahead: int | None = None
    at = 0
    letters: dict[str, Fraction] = {}
    while at < len(nodes):
        node = nodes[at]
        at += 1
        if isinstance(node, Group):
            if node.open == r"\frac":
                return None
            inner = unit(node.nodes)
            if inner is None:
                return None
            power, at = _power(nodes, at)
            for name, exponent in inner.dimensions:
                _raise(dimensions, name, sign * power * exponent)
            factor *= _scaled(inner.factor, sign * power)
            continue
        if is_sign(node, "*", ".", "-") and at < len(nodes):
            continue
        if is_sign(node, "/"):
            sign = -1
            continue
        if is_sign(node, ".") and at == len(nodes):
            continue
        if node.kind not in ("word", "letter"):
            return None
        word = node.text
        lower = word.casefold()
        if lower in ("square", "sq", "squared", "cubic", "cubed", "cu"):
            number = 2 if lower[0] == "s" else 3
            if lower not in ("squared", "cubed"):
                power_ahead = number
            elif dimensions:
                dimensions[list(dimensions)[-1]] *= number
            else:
                return None
            continue
        if lower == "per":
            sign = -1
            continue
        rated = at == 1 and spelled(nodes[1:2]) in ("per", "/")
        if lower in _FILLERS or (lower in DOLLARS and rated):  # dollars per hour: in $5 per hour the sign has gone
            continue
        power, at = _power(nodes, at)
        if power_ahead and power == 1:
            power = Fraction(power_ahead)
        power_ahead = None
        known, worth = _named(word)
        if node.kind == "letter":
            _raise(letters, word, sign * power)
        if known is None:
            if not word.isalpha() or (node.kind == "letter" and not node.upright):
                return None
            nouns.append(_singular(lower))
            if power != 1 or sign == -1:
                _raise(dimensions, nouns.pop(), sign * power)
            continue
        parts, number_of = _base(known)
        for part, times in parts.items():
            _raise(dimensions, part, sign * power * times)
        factor *= _scaled(worth * number_of, sign * power)
    if nouns:
        _raise(dimensions, " ".join(nouns), Fraction(1))
    if not dimensions:
        return None
    only_letters = all(isinstance(node, Group) or node.kind != "word" for node in nodes)
    symbols = tuple(letters.items()) if only_letters else ()
    return Unit(tuple(sorted((name, power) for name, power in dimensions.items() if power)), factor, symbols)


def of_letters(powers: Mapping[str, Fraction]) -> Unit | None:
    """The unit that letters are if they are no variables: metres per second, if `m` has the power 1 and `s` -1."""
    dimensions: dict[str, Fraction] = {}
    factor = Fraction(1)
    for letter, power in powers.items():
        if letter not in _KNOWN or abs(power) > MOST_POWER:
            return None
        name, worth = _KNOWN[letter]
        parts, number_of = _base(name)
        for part, times in parts.items():
            _raise(dimensions, part, power * times)
        factor *= _scaled(worth * number_of, power)
    return Unit(tuple(sorted((name, power) for name, power in dimensions.items() if power)), factor)


def _named(word: str) -> tuple[str | None, Fraction]:
    for spelling in (word, word.casefold(), _singular(word.casefold())):
        if spelling in _KNOWN and (len(spelling) > 3 or spelling == word or spelling not in _SYMBOLS):
            return _KNOWN[spelling]
    return None, Fraction(1)


_SYMBOLS = {spelling for spelling in _KNOWN if len(spelling) <= 2}


def _base(name: str) -> tuple[dict[str, int], Fraction]:
    """A unit in base units, and how many of these it is."""
    if name in _COMPOUND:
        return _COMPOUND[name]
    if name in _WORTH:
        base, number = _WORTH[name]
        return {base: 1}, number
    if name == "L":
        return {"m": 3}, Fraction(1, 1000)
    return {name: 1}, Fraction(1)


def _scaled(factor: Fraction, power: Fraction) -> Fraction:
    return factor ** int(power) if power.denominator == 1 else factor


def _power(nodes: Nodes, at: int) -> tuple[Fraction, int]:
    """The power behind a unit, and where what follows begins."""
    if at + 1 < len(nodes) and is_sign(nodes[at], "^"):
        raised = nodes[at + 1]
        inner = raised.nodes if isinstance(raised, Group) else (raised,)
        sign = -1 if inner and is_sign(inner[0], "-") else 1
        last = inner[-1] if inner else None
        alone = isinstance(last, Token) and last.kind == "number" and len(inner) == (2 if sign < 0 else 1)
        if alone and isinstance(last, Token) and Fraction(last.text) <= MOST_POWER:
            return sign * Fraction(last.text), at + 2
    return Fraction(1), at


def _raise(dimensions: dict[str, Fraction], name: str, power: Fraction | int) -> None:
    dimensions[name] = dimensions.get(name, Fraction(0)) + power


def _singular(word: str) -> str:
    if word in ("men", "women", "children", "people"):
        return {"men": "man", "women": "woman", "children": "child", "people": "person"}[word]
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ses", "xes", "ches", "shes")) and len(word) > 4:
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
