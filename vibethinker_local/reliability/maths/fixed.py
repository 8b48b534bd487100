"""Answers that are read as a whole: a letter of a multiple choice, a time of day, a date, "no solution"."""

import re
from fractions import Fraction

from vibethinker_local.reliability.maths import notation, spellings
from vibethinker_local.reliability.maths.expressions import Number
from vibethinker_local.reliability.maths.notation import (
    Group,
    Nodes,
    Token,
    is_letter,
    is_sign,
    is_word,
    spelled,
    split,
)
from vibethinker_local.reliability.maths.values import Choice, Clock, Scalar, Text, Value

_PHRASES = {
    "∅": ("no solution", "no solutions", "empty set", "the empty set", "null set", "empty", "there is no solution",
          "there are no solutions", "has no solution", "no such solution exists", "无解", "無解", "空集", "解なし",
          "keine lösung", "keine lösungen", "leere menge", "aucune solution", "pas de solution", "ensemble vide",
          "no hay solución", "sem solução", "nessuna soluzione", "нет решений", "решений нет", "해 없음"),
    "does not exist": ("dne", "does not exist", "doesnt exist", "do not exist", "nonexistent", "not exist", "不存在",
                       "existiert nicht", "no existe", "не существует"),
    "infinitely many": ("infinitely many", "infinitely many solutions", "infinite solutions", "infinite",
                        "infinite number of solutions", "无数个", "无穷多个", "无穷多", "unendlich viele"),
    "no real solution": ("no real solutions", "no real root", "no real roots", "there is no real solution",
                         "there are no real solutions", "无实数解", "无实数根", "无实根", "keine reelle lösung"),
    "yes": ("是", "是的", "да", "ja", "oui", "sí", "sì", "sim", "はい", "예"),
    "no": ("否", "不是", "нет", "nein", "non", "não", "いいえ", "아니오"),
    "true": ("正确", "正しい", "верно", "wahr", "richtig", "vrai", "verdadero", "verdadeiro", "vero", "참"),
    "false": ("错误", "неверно", "falsch", "faux", "falso", "거짓"),
}  # fmt: skip
_PHRASE_OF = {phrase: key for key, phrases in _PHRASES.items() for phrase in phrases}
_TRUTHS = {"yes", "no", "true", "false"}
_TRUTH_SIGNS = {"T", "F", "对", "错", "真", "假", r"\sqrt", "*", "✓", "✔", "✗", "✘", "○"}
LETTERS = "ABCDEFGHIJ"  # of options
_LOWER = "abcdfgh"  # e and i are numbers
_NAMES_OPTION = set("option choice 选 选择 选项 故选 应选".split())
_BEFORE_OPTION = {
    *"the correct final answer is".split(),
    *f"{spellings.ANSWERS}|{spellings.ANSWERS_UNSPACED}".split("|"),
    *_NAMES_OPTION,
}
_MONTH = (
    "(?P<month>january|february|march|april|may|june|july|august|september|october|november|december|"
    "jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
)
_DAY, _YEAR = "(?P<day>[0-9]{1,2})(?: (?:st|nd|rd|th))?", "(?: (?P<year>[0-9]{4}))?"
_MONTH_FIRST = re.compile(f"{_MONTH} (?:the )?{_DAY}{_YEAR}")
_DAY_FIRST = re.compile(f"(?:the )?{_DAY} (?:of )?{_MONTH}{_YEAR}")
_DATE_IN_DIGITS = re.compile(r"(\d{4})-(\d\d)-(\d\d)|(?:(\d{4})年)?(\d{1,2})月(\d{1,2})日")
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_HALVES = {"am": "am", "inthemorning": "am", "pm": "pm", "intheafternoon": "pm", "intheevening": "pm"}
_TIME = re.compile(rf"(\d{{1,2}})(?::(\d\d)(?::(\d\d))?)?(o'clock)?({'|'.join(_HALVES)}|a\.?m\.?|p\.?m\.?)?")
_NOON = {f"{hour}{word}": half for word, half in (("noon", "pm"), ("midnight", "am")) for hour in ("", "12", "12:00")}


def read(nodes: Nodes) -> Value | None:
    """What an answer is as a whole; None if it has to be read part by part."""
    return _phrase(nodes) or _choice(nodes) or _clock(nodes) or _date(nodes) or _circled(nodes)


def _phrase(nodes: Nodes) -> Value | None:
    if not all(is_word(node) or is_letter(node) for node in nodes):
        return None
    key = _PHRASE_OF.get(spelled(nodes))
    return Text(key) if key else None


def _choice(nodes: Nodes) -> Value | None:
    """A letter of a multiple choice: `A`, `(A)`, `A.`, `(A) 5`, `Option A`; not `A + 1`, `I cannot tell`."""
    named = len(nodes) > 1 and is_word(nodes[0], *_NAMES_OPTION)
    if named or (len(nodes) > 1 and is_word(nodes[0], "answer")):
        nodes = nodes[2:] if is_sign(nodes[1], ":") and len(nodes) > 2 else nodes[1:]
    first, rest = nodes[0], nodes[1:]
    if isinstance(first, Group) and first.open == "(" and len(first.nodes) == 1:
        letter = first.nodes[0]
        if isinstance(letter, Token) and is_letter(letter) and (letter.text in LETTERS or not rest):
            formula = bool(rest) and is_sign(rest[0], *"+-*/^_=!") and not _is_own_sign(rest)
            return _chosen(letter.text) if not formula and not _names_another(rest, letter.text) else None
        return None
    if not isinstance(first, Token) or not is_letter(first):
        return None
    letter_text = first.text.removeprefix("vec ")
    if not rest:
        return _chosen(letter_text)
    if is_sign(rest[0], ".", ")") or (is_sign(rest[0], ":") and (first.upright or named)):
        another = any(_is_option(part, spelled(rest[:1])) for part in split(rest, ",", ";", "and", "or")[1:])
        return _chosen(letter_text) if letter_text in LETTERS and not another else None
    return None


def is_truth(nodes: Nodes) -> bool:
    """Whether it says that a statement is true, or that it is not: in a list of such, the order tells of which."""
    key = spelled(nodes)
    return key in _TRUTH_SIGNS or _PHRASE_OF.get(key, key) in _TRUTHS


def option(text: str) -> str | None:
    """The letter, A to J, with which an answer to a multiple choice begins: also `B: 12`, `B 12`, `[B]`, `(B) = 5`,
    `a) 5`, which would be something else where formulas are expected."""
    if len(text) > notation.MOST_CHARACTERS:
        return None
    try:
        nodes = notation.stripped(notation.read(text))
    except (notation.Unreadable, ValueError, RecursionError):
        return None
    while nodes and (is_word(nodes[0], *_BEFORE_OPTION) or is_sign(nodes[0], ":")):
        nodes = nodes[1:]
    first, rest = (nodes[0], nodes[1:]) if nodes else (None, ())
    in_brackets = isinstance(first, Group) and first.open in ("(", "[") and len(first.nodes) == 1
    letter = first.nodes[0] if in_brackets and isinstance(first, Group) else first
    if not isinstance(letter, Token) or not is_letter(letter) or letter.text.upper() not in LETTERS:
        return None
    named = in_brackets or not rest or is_sign(rest[0], ".", ")", ":", "]", "、")
    if not named and letter.text in LETTERS:  # "A cat" has an article, "A + 1" is a sum
        spaced = rest[0].spaced and (not isinstance(rest[0], Token) or rest[0].kind == "number" or _is_dash(rest))
        named = spaced or is_sign(rest[0], "=", ",")
    return letter.text.upper() if named and not _names_another(rest, letter.text) else None


def _is_option(nodes: Nodes, sign: str) -> bool:
    """Whether an option begins in the same way as the one before: `B. 6` behind `A. 5`."""
    return len(nodes) > 1 and is_letter(nodes[0]) and spelled(nodes[:1]) in LETTERS and is_sign(nodes[1], sign)


def _is_own_sign(nodes: Nodes) -> bool:
    """Whether a sign belongs to what follows it, not between that and what comes before: `(B) -3`."""
    return is_sign(nodes[0], "+", "-") and len(nodes) > 1 and nodes[0].spaced and not nodes[1].spaced


def _is_dash(nodes: Nodes) -> bool:
    return is_sign(nodes[0], "-") and len(nodes) > 1


def _names_another(nodes: Nodes, letter: str) -> bool:
    """Whether another letter of a choice follows: `(A) and (B)` is not `(A)`. Behind `(A)`, `I and II` are statements,
    which it names."""
    for part in split(nodes, ",", ";", "and", "or")[1:]:
        first = part[0] if part else None
        if isinstance(first, Group):
            first = first.nodes[0] if first.open == "(" and len(first.nodes) == 1 else None
        elif len(part) > 1 and not is_sign(part[1], ".", ")", ":"):
            continue
        if isinstance(first, Token) and is_letter(first) and first.text in LETTERS:
            return True
        if letter == "I" and is_word(first, "ii", "iii", "iv"):  # I, II: statements, not options
            return True
    return False


def _chosen(letter: str) -> Value | None:
    if len(letter) == 1 and letter in LETTERS + _LOWER:
        return Choice(letter.upper())
    return None


def _clock(nodes: Nodes) -> Value | None:
    """5:30, 5:30 p.m., 9 a.m., 9 in the morning, 9 o'clock, noon."""
    texts = [node.text for node in nodes if isinstance(node, Token)]
    if len(texts) != len(nodes):
        return None
    text = "".join(texts).casefold().replace(" ", "")
    if text in _NOON:
        return Clock((12, 0), _NOON[text])
    found = _TIME.fullmatch(text)
    if not found or not any(found.groups()[1:]):
        return None
    numbers = tuple(int(part) for part in found.groups()[:3] if part)
    if numbers[0] > 24 or any(number > 59 for number in numbers[1:]):
        return None
    half = _HALVES[found[5].replace(".", "")] if found[5] else ""
    return Clock((*numbers, 0) if len(numbers) == 1 else numbers, half)


def _circled(nodes: Nodes) -> Value | None:
    """The number of a statement: ①."""
    alone = len(nodes) == 1 and is_word(nodes[0], *spellings.CIRCLED)
    return Scalar(Number(Fraction(spellings.CIRCLED.index(spelled(nodes)) + 1))) if alone else None


def _date(nodes: Nodes) -> Value | None:
    """June 15, 15th of June, June 15th, 2024, 2024-06-15; by the month's first three letters."""
    if len(nodes) > 8:
        return None
    plain = spelled(nodes).replace(" ", "")
    if digits := _DATE_IN_DIGITS.fullmatch(plain):
        year, month, day = digits.groups()[:3] if digits[1] else digits.groups()[3:]
        known = 1 <= int(month) <= 12 and 1 <= int(day) <= 31
        return _day(_MONTHS[int(month) - 1], day, year) if known else Text(plain)
    if re.fullmatch(r"\d{1,2}/\d{1,2}/\d{4}", plain):
        return Text(plain)
    if not any(is_word(node) for node in nodes):
        return None
    text = " ".join(node.text.casefold() for node in nodes if isinstance(node, Token) and not is_sign(node, ",", "."))
    if len(text.split()) < len([node for node in nodes if not is_sign(node, ",", ".")]):
        return None  # brackets
    found = _MONTH_FIRST.fullmatch(text) or _DAY_FIRST.fullmatch(text)
    if found is None or int(found["day"]) > 31:
        return None
    return _day(found["month"][:3], found["day"], found["year"])


def _day(month: str, day: str, year: str | None) -> Text:
    return Text(" ".join(filter(None, (month, day.lstrip("0"), year))))
