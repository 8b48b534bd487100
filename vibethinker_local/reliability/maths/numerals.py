"""Numbers as they are spelled: in words, `twenty-one`, `two thirds`, `2 and a half`, and in other bases, `101_2`."""

from collections.abc import Sequence
from fractions import Fraction

from vibethinker_local.reliability.maths.expressions import Number
from vibethinker_local.reliability.maths.notation import Nodes, Token, is_letter, is_sign, is_word, unbracketed
from vibethinker_local.reliability.maths.values import Based, Scalar

# Power of ten: its names. A "Billion" is another one in German.
_SCALES = {
    name: power
    for power, names in {
        2: "hundred 百",
        3: "thousand 千 тыс тысяч тысячи tausend",
        4: "万 萬 만",
        5: "lakh lakhs",
        6: "million millions 百万 百萬 백만 миллион миллиона миллионов millionen mio millones milhões milioni",
        7: "crore crores 千万 千萬 천만",
        8: "亿 億 억",
        9: "billion миллиард миллиарда миллиардов milliarde milliarden mrd milliard milliards miliardi",
        12: "trillion",
    }.items()
    for name in names.split()
}
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_PARTS = {"half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
          "eighth": 8, "ninth": 9, "tenth": 10}  # fmt: skip
_NUMBER_WORDS = {word: number for number, word in enumerate(_ONES)} | {
    word: 10 * number for number, word in enumerate(_TENS, 2)
}


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
    return _spoken(texts)


def scale(nodes: Nodes) -> tuple[Nodes, Fraction]:
    """Without a word such as `million` in front, and what it is worth."""
    if nodes and isinstance(nodes[0], Token) and nodes[0].kind == "word" and nodes[0].text.casefold() in _SCALES:
        return nodes[1:], Fraction(10 ** _SCALES[nodes[0].text.casefold()])
    return nodes, Fraction(1)


def based(nodes: Nodes) -> Based | Scalar | None:
    """A numeral in a base: 101_2, (101)_{two}, 101 base 2."""
    if len(nodes) != 3 or not (is_sign(nodes[1], "_") or is_word(nodes[1], "base")):
        return None
    written, base = unbracketed(nodes[:1]), unbracketed(nodes[2:])
    tokens = [node for node in written if isinstance(node, Token) and node.kind in ("number", "letter")]
    if not base or not tokens or len(tokens) != len(written):
        return None
    if is_letter(tokens[0]) and not is_word(nodes[1]):
        return None
    texts = [node.text for node in base if isinstance(node, Token)]
    number = _number_words(texts)
    name = str(number) if number is not None else "".join(texts)
    digits = "".join(token.text for token in tokens)
    if name == "10" and digits.isdecimal():
        return Scalar(Number(Fraction(digits)))
    return Based(digits.upper(), name) if name.isdigit() else None


def _spoken(words: Sequence[str]) -> Fraction | None:
    """The number that words spell, also `two thirds` and `one and a half`; the whole may be in digits: `2 and a half`.
    A fraction may have an article behind it: `half an`."""
    if words and words[-1].casefold() in ("a", "an"):
        return _fraction_words(words[:-1])
    number = _number_words(words)
    if number is not None:
        return Fraction(number)
    for at in range(len(words) - 2, 0, -1):
        if words[at].casefold() == "and":
            whole = int(words[0]) if at == 1 and words[0].isdecimal() else _number_words(words[:at])
            part = _fraction_words(words[at + 1 :]) if at + 3 == len(words) else None
            return whole + part if whole and part and part < 1 else None
    return _fraction_words(words)


def _number_words(words: Sequence[str]) -> int | None:
    """The number that words spell: `one hundred and five`, `twenty-one`, `a thousand`."""
    words = [word.casefold() for word in words]
    if words[:1] == ["a"] and words[1:] and words[1] in _SCALES:
        words[0] = "one"
    total, part, seen = 0, 0, False
    for at, word in enumerate(words):
        if word == "and" and _goes_on(words[:at], words[at + 1 :]):
            continue
        if word in _NUMBER_WORDS:
            value = _NUMBER_WORDS[word]
            if seen and not (part % 100 == 0 or (part % 10 == 0 and part % 100 >= 20 and value < 10)):
                return None
            part += value
        elif word == "hundred" and 0 < part < 100:
            part *= 100
        elif word in _SCALES and word != "hundred" and part:
            total += part * 10 ** _SCALES[word]
            part = 0
        else:
            return None
        seen = True
    return total + part if seen else None


def _goes_on(before: Sequence[str], after: Sequence[str]) -> bool:
    """Whether a number goes on behind an "and": one hundred and five; not twenty and five, nor one hundred and two
    hundred."""
    if not before or before[-1] not in _SCALES or not after or not _NUMBER_WORDS.get(after[0]):
        return False
    scale = next((word for word in after if word in _SCALES), None)
    return scale is None or (before[-1] == "hundred" != scale)


def _fraction_words(words: Sequence[str]) -> Fraction | None:
    """`two thirds`, `one half`, `a half`, `half`."""
    words = [word.casefold() for word in words]
    if words == ["half"]:
        return Fraction(1, 2)
    if len(words) != 2 or (below := _PARTS.get(words[1].removesuffix("s")) or _PARTS.get(words[1])) is None:
        return None
    above = 1 if words[0] == "a" else _number_words(words[:1])
    if above and above >= 20 and not words[1].endswith("s"):
        return None  # the twenty-fifth
    return Fraction(above, below) if above else None
