"""What stands behind an answer: where it holds, and what its letters stand for."""

import re
from collections.abc import Sequence
from dataclasses import replace

from vibethinker_local.reliability.maths.expressions import is_product_of_letters
from vibethinker_local.reliability.maths.notation import (
    Group,
    Node,
    Nodes,
    Token,
    is_letter,
    is_sign,
    is_word,
    spelled,
    split,
    stripped,
    walk,
)

COMPARISONS = ("<", ">", "<=", ">=", "!=")
RELATIONS = ("=", "≈", "≡", *COMPARISONS, "∈", "∉")
CASES = ("if", "for", "when", "where", "otherwise", "else", "unless")  # before the conditions of a function by cases
_SET_OF_NUMBERS = re.compile(r"(?:vec|\\mathbf)?([ZℤNℕRℝ])([*_^+]*(?:>0)?)")  # without blanks and braces
_PROBABILITIES = ("P", r"\mathbb P", r"\Pr")
_ANY_NUMBER = re.compile(
    r"(?:(?:arbitrary|real|constants?|numbers?) )*([A-Za-z])|[A-Za-z] is an? (?:arbitrary |real )*constant"
)
_BEFORE_PARAMETER = ("where", "for", "with", "any", "all", "every", "each", "some")


def parameter(nodes: Nodes) -> tuple[Nodes, str, str] | None:
    """What stands before `k ∈ ℤ`, where that is the last thing and speaks of a letter in it; the letter and the set."""
    at = max(
        (at for at, node in enumerate(nodes) if is_sign(node, ",", ";") or is_word(node, *_BEFORE_PARAMETER[:3])),
        default=0,
    )
    last = nodes[-1]
    if isinstance(last, Group) and last.open == "(":
        before, about = nodes[:-1], last.nodes
    else:
        before, about = nodes[:at], nodes[at + 1 :]
    before, introduced = stripped(before), any(is_word(node, *_BEFORE_PARAMETER) for node in (nodes[at], *about[:1]))
    while about and is_word(about[0], *_BEFORE_PARAMETER):
        about = about[1:]
    if not before or not about:
        return None
    letter, numbers = about[0], "ℤ"
    if introduced and (any_number := _ANY_NUMBER.fullmatch(spelled(about))):
        letter, numbers = about[-1 if any_number[1] else 0], "ℝ"
    elif len(about) < 2:
        return None
    elif is_sign(about[1], "∈"):
        found = _SET_OF_NUMBERS.fullmatch(re.sub(r"[\s{}]", "", spelled(about[2:])))
        if not found:
            return None
        numbers = {"Z": "ℤ", "N": "ℕ", "R": "ℝ"}.get(found[1], found[1])
        if found[2]:
            if numbers == "ℝ" or (numbers == "ℤ" and "*" in found[2]):
                return None
            numbers = "ℕ+"
    elif spelled(about[1:]) not in ("is an integer", "is any integer"):
        if spelled(about[:-1]) not in ("integer", "integers"):
            return None
        letter = about[-1]
    if not isinstance(letter, Token) or not is_letter(letter) or not mentions(before, letter.text):
        return None
    return before, letter.text, numbers


def condition(nodes: Nodes) -> tuple[Nodes, Nodes] | None:
    """What stands before a condition, and the condition: `x^2 (x > 0)` or `x^2, x > 0`, but not `1 - P(X > 0)`."""
    last = nodes[-1]
    if isinstance(last, Group) and (last.open, last.close) == ("(", ")"):
        before, about = nodes[:-1], last.nodes
        conditional = any(is_sign(node, *COMPARISONS, "=", "∈") for node in about)
    else:
        before, *parts = split(nodes, ",")
        about = parts[0] if len(parts) == 1 else ()
        conditional = (
            len(about) > 2
            and isinstance(about[0], Token)
            and is_letter(about[0])
            and is_sign(about[1], *COMPARISONS)
            and mentions(before, about[0].text)
            and not any(is_sign(node, *COMPARISONS, "∈") for node in before)  # x > 0, x < 5
        )
    if not conditional or len(before) < 2 or is_sign(before[-1], *"+-*/^_=:<>"):
        return None
    if isinstance(last, Group) and spelled(before[-1:]) in _PROBABILITIES:
        return None
    return None if any(is_sign(node, ",", ";", "and", "or") for node in before) else (before, about)


def mentions(nodes: Sequence[Node], letter: str) -> bool:
    found: list[Token] = []
    walk(nodes, found.append)
    return any(_has(token, letter) for token in found)


def _has(token: Token, letter: str) -> bool:
    """Whether a letter is a token, or stands in one with others: the c of cx."""
    together = token.kind == "word" and is_product_of_letters(token) and letter in token.text
    return together or (token.kind == "letter" and token.text == letter)


def renamed(nodes: Nodes, letter: str, name: str) -> Nodes:
    return tuple(
        replace(node, nodes=renamed(node.nodes, letter, name))
        if isinstance(node, Group)
        else replace(node, text=node.text.replace(letter, name))
        if _has(node, letter)
        else node
        for node in nodes
    )
