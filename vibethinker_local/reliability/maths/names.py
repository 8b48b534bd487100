"""Names of values: what stands before `=` in `x = 5`, `f(x) = 2x`, `\\angle ABC = 60`."""

import re

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
    walk,
)
from vibethinker_local.reliability.maths.spellings import FUNCTIONS

_VALUES = {"∞", "∅", "ℝ", "e", "i", r"\pi"}  # letters that are no names
_FUNCTIONS = set("fghFGH")
_APPLIED = set("sin cos tan cot sec csc det dim deg arg sgn Re Im".split())
_SETS = {*"ABCDEFGHMNPQSTU", "complement"}
_NO_SUM_LABEL = set("xyzXYZ")  # x + y = 5 is a line, m + n = 5 says what is asked for


def is_bare_name(nodes: Nodes) -> bool:
    """`b`, `BC`: as the right side of an equation no value, but another name."""
    node = nodes[0]
    return len(nodes) == 1 and isinstance(node, Token) and node.kind in ("letter", "word") and node.text not in _VALUES


def label_of(nodes: Nodes) -> str | None:
    """The name of a value: x, x_1, f(x), P(A), AB, |z|, \\angle ABC, (x, y), Area, m + n; None for an expression."""
    if not nodes:
        return None
    if of_functions := _of_functions(nodes):
        return of_functions
    first, rest = nodes[0], nodes[1:]
    key = spelled(nodes)
    if isinstance(first, Group):
        if first.open in ("(", "[") and not rest:
            parts = split(first.nodes, ",")
            names = [spelled(part) for part in parts if len(part) in (1, 3) and is_letter(part[0])]
            if len(parts) > 1 and len(names) == len(parts):
                return ",".join(names)
            return key if len(first.nodes) == 1 and is_word(first.nodes[0]) else None  # [ABC], an area
        return key if first.open in ("|", "‖") and not rest else None
    if first.kind == "command":
        if first.text == r"\frac":
            named = all(map(_is_names, rest)) or all(map(_is_differential, rest))
            return key if len(nodes) == 3 and named else None
        known = first.text.startswith("\\") and first.text not in (
            r"\sqrt",
            r"\binom",
            r"\sum",
            r"\prod",
            r"\int",
            r"\lim",
        )
        return key if known and len(nodes) <= 4 else None
    if first.kind == "sign":
        return key if first.text == "|" and is_sign(nodes[-1], "|") and len(nodes) <= 6 else None
    if first.kind == "number":
        return None
    if all(is_word(node) or (is_letter(node) and len(nodes) > 1 and any(map(is_word, nodes))) for node in nodes):
        return key
    if first.kind == "word":
        return key if _is_suffix(rest) or _is_ratio_of_names(nodes) else None
    if all(is_letter(node) or is_sign(node, "+") for node in nodes) and len(nodes) > 1:
        letters = [node.text for node in nodes if is_letter(node) and isinstance(node, Token)]
        usable = len(set(letters)) == len(letters) and not _NO_SUM_LABEL & set(letters)
        return key if usable and is_letter(nodes[-1]) else None
    if not _is_suffix(rest) and not _is_ratio_of_names(nodes):
        return None
    return {"f ( x )": "y", "y ( x )": "y"}.get(key, key)


def applied(nodes: Nodes) -> str | None:
    """What else names a value beside a number: cos A, tan 2θ, sin^2 A, det A. Beside anything else it names none."""
    if not nodes or not isinstance(nodes[0], Token) or nodes[0].kind != "command" or nodes[0].text not in _APPLIED:
        return None
    power, to = (nodes[1:3], nodes[3:]) if len(nodes) > 3 and is_sign(nodes[1], "^") else ((), nodes[1:])
    if len(to) == 1 and isinstance(to[0], Group) and to[0].open == "(" and len(to[0].nodes) == 1:
        to = to[0].nodes
    found: list[Token] = []
    walk(to, found.append)
    if len(to) > 3 or any(is_sign(node, *"+-*/^") for node in to) or any(token.text in FUNCTIONS for token in found):
        return None
    named = any(token.kind in ("letter", "word") and token.text not in _VALUES for token in found)
    return spelled((nodes[0], *power, *to)) if named else None


def of_sets(nodes: Nodes) -> str | None:
    """What else names a set: A \\cap B, A \\cup (C_U B)."""
    found: list[Node] = []
    walk(nodes, found.append)
    known = all(is_sign(node, "∩", "∪", "∖", "_") or spelled((node,)).strip("\\") in _SETS for node in found)
    return spelled(nodes) if known and any(is_sign(node, "∩", "∪", "∖") for node in found) else None


def of_matrix(nodes: Nodes) -> str | None:
    """What else names a value beside a matrix: A^{-1}, B^2, A^T."""
    raised = len(nodes) == 3 and is_letter(nodes[0]) and is_sign(nodes[1], "^")
    return spelled(nodes) if raised and spelled(nodes[:1]).isupper() else None


def _of_functions(nodes: Nodes) -> str | None:
    """f^{-1}(x), (f+g)(x), (fg)(x); and (f∘g)(x), which is f(g(x))."""
    first, argument = nodes[0], nodes[-1]
    if not isinstance(argument, Group) or not _is_suffix((argument,)):
        return None
    if len(nodes) == 4 and spelled(nodes[:3]) in {f"{name} ^ {{ - 1 }}" for name in _FUNCTIONS}:
        return spelled(nodes)
    if len(nodes) != 2 or not isinstance(first, Group) or first.open != "(":
        return None
    if len(first.nodes) == 1:
        return spelled(nodes) if len(word := spelled(first.nodes)) == 2 and set(word) <= _FUNCTIONS else None
    outer, *sign, inner = spelled(first.nodes).split()
    if outer not in _FUNCTIONS or inner not in _FUNCTIONS or len(sign) != 1:
        return None
    if sign[0] in ("°", "∘"):
        return f"{outer} ( {inner} {spelled((argument,))} )"
    return spelled(nodes) if sign[0] in "+-*/" else None


def _is_suffix(nodes: Nodes) -> bool:
    """What may follow a letter in a name: a subscript, primes, arguments in brackets."""
    at = 0
    while at < len(nodes):
        node = nodes[at]
        if is_sign(node, "_"):
            at += 2
        elif is_sign(node, "'"):
            at += 1
        elif is_sign(node, "^") and at + 1 < len(nodes) and _is_prime(nodes[at + 1]):
            at += 2
        elif isinstance(node, Group) and node.open == "(" and at == len(nodes) - 1:
            return not any(is_sign(inner, *"+-*/") for inner in node.nodes)
        else:
            return False
    return at == len(nodes)


def _is_prime(node: Node) -> bool:
    inner = node.nodes if isinstance(node, Group) else (node,)
    return bool(inner) and all(is_sign(each, "'") for each in inner)


def _is_names(node: Node) -> bool:
    """Uppercase letters, as of a segment."""
    inner = node.nodes if isinstance(node, Group) else (node,)
    return bool(inner) and all(
        isinstance(each, Token) and (is_word(each) or is_letter(each)) and each.text.isupper() for each in inner
    )


def _is_differential(node: Node) -> bool:
    return re.fullmatch(r"(?:d|\\partial) [A-Za-z]|d[a-z]", spelled((node,)).strip("{ }")) is not None


def _is_ratio_of_names(nodes: Nodes) -> bool:
    parts = split(nodes, ":")
    return len(parts) > 1 and all(label_of(part) is not None for part in parts)
