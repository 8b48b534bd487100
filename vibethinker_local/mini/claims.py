r"""Claims of mini's solutions, and whether they are true: chains of equations such as `Ann = Tom + 5 = 12 + 5 = 17`.

`claims` reads them off a solution's text, right or wrong, without looking at the problem: first the answer and where it
comes from, then the steps from the last to the first, then the numbers it started from, then its steps the other way
round. `judge` compares one with what a problem's own `truths` imply.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from vibethinker_local.mini.problems import WordProblem
from vibethinker_local.reliability import answers

PROMPTS = 1  # version of the texts that mini learns to answer with claims
# What is wrong with a claim: a wrong sum; else a wrong operand or operation, which no check of sums sees; else a right
# step on a number that an earlier step got wrong. "form": not an equation of the kinds above.
Fault = Literal["arithmetic", "plan", "carried", "form"]

_TERM = r"(?:[A-Za-z]+|\d+)"
_GIVEN = re.compile(r"([A-Z][a-z]+)\? \1 [a-z]+ (\d+) [a-z]+\.")
_START = re.compile(r"[A-Z][a-z]+ has (\d+) [a-z]+\.")
_STEP = re.compile(rf"(?:(?P<subject>[^:?]+): )?(?P<chain>{_TERM} [-+*] {_TERM}(?: = \d+ [-+*] \d+)? = \d+)\.")
_SUM = re.compile(r"(\d+) ([-+*/]) (\d+)")
_BINARY = re.compile(rf"({_TERM}) ([-+*/]) ({_TERM})")
_CLAIM = re.compile(rf"{_TERM}(?: [-+*/] {_TERM})?(?: = {_TERM}(?: [-+*/] {_TERM})?)* = \d+")
_INVERSE = {"+": "-", "-": "+", "*": "/"}


def claims(reasoning: str, text: str) -> list[str]:
    """Everything that a solution claims, most important for its answer first; empty if it cannot be parsed.

    `Ann - 5 = 17 - 5 = 12` after `Ann = Tom + 5 = 12 + 5 = 17` says little that is new, but it can be checked, and a
    solution of one step has no better claims to offer.
    """
    answer = answers.extract(text)
    steps, given, inverse = list[str](), list[str](), list[str]()
    link = text.split()[0] if text.split() else ""
    for line in reasoning.strip().split("\n"):
        if found := _GIVEN.fullmatch(line):
            given.append(f"{found[1]} = {found[2]}")
        elif found := _START.fullmatch(line):
            given.append(f"start = {found[1]}")
        elif found := _STEP.fullmatch(line):
            subject, chain = found["subject"] or "", found["chain"]
            named = chain.count("=") == 2
            if named and not subject:  # the last step of a question for a sum or a difference
                link = chain.rpartition(" = ")[0]
                continue
            steps.append(f"{subject} = {chain}" if named else chain)
            inverse += _other_way_round(steps[-1])[::-1]
    if answer is None or not steps or not answer.isdecimal():
        return []
    link = f"answer = {answer}" if link == "The" else f"answer = {link} = {answer}"
    ordered = [link, *steps[::-1], *given[::-1], *inverse[::-1]]
    return list(dict.fromkeys(ordered + [_swapped(claim) for claim in ordered[1:]]))


def well_formed(claim: str) -> bool:
    """Whether a claim is a chain of equations of the kinds above, true or not."""
    return _CLAIM.fullmatch(claim) is not None


def fault(claim: str, problem: WordProblem) -> Fault | None:
    """What is wrong with a claim about a problem; None if it is true and its plan and its numbers are right."""
    claim = " ".join(claim.split()).removesuffix(".")
    implied = set(_implied(problem.truths))
    if claim in implied:
        return None
    if not well_formed(claim):
        return "form"
    if not arithmetic_holds(claim):
        return "arithmetic"
    return "carried" if _plan(claim) in map(_plan, implied) else "plan"


def arithmetic_holds(claim: str) -> bool:
    """Whether those parts of a chain that consist of numbers are equal."""
    values = set[float]()
    for part in claim.split(" = "):
        if found := _SUM.fullmatch(part):
            a, b = int(found[1]), int(found[3])
            if found[2] == "/" and b == 0:
                return False
            values.add({"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else 0}[found[2]])
        elif part.isdecimal():
            values.add(int(part))
    return len(values) <= 1


def _other_way_round(step: str) -> list[str]:
    """`Ann = Tom + 5 = 12 + 5 = 17` → `Ann - 5 = 17 - 5 = 12`, `Ann - Tom = 17 - 12 = 5`."""
    *rest, value = step.split(" = ")
    result = ([rest[0]] if len(rest) == 3 else []) + [value]
    terms = [found.groups() for part in rest if (found := _BINARY.fullmatch(part))]
    if not terms or terms[0][1] not in _INVERSE or (terms[0][1] == "*" and any("0" in term for term in terms)):
        return []
    sign = _INVERSE[terms[0][1]]
    first = [f"{whole} {sign} {b}" for whole, (_, _, b) in zip(result, terms, strict=True)] + [terms[-1][0]]
    if sign == "+":
        second = [f"{a} - {whole}" for whole, (a, _, _) in zip(result, terms, strict=True)] + [terms[-1][2]]
    else:
        second = [f"{whole} {sign} {a}" for whole, (a, _, _) in zip(result, terms, strict=True)] + [terms[-1][2]]
    return [" = ".join(first), " = ".join(second)]


def _swapped(claim: str) -> str:
    """The same equation with the terms of its sums and products in the other order."""
    return re.sub(rf"({_TERM}) ([+*]) ({_TERM})", r"\3 \2 \1", claim)


def _implied(truths: Iterable[str]) -> Iterator[str]:
    """The claims implied by a problem's true equations: themselves, with terms swapped, and solved for other terms."""
    for truth in truths:
        for form in {truth, _swapped(truth)}:
            yield form
            for other in _other_way_round(form) if not truth.startswith("answer") else ():
                yield from (other, _swapped(other))
        if len(parts := truth.split(" = ")) == 4 and parts[0] != "answer":
            yield f"{parts[0]} = {parts[-1]}"


def _plan(claim: str) -> str:
    """What a claim computes from what, without the numbers that come from earlier steps."""
    parts = claim.split(" = ")
    named = [part for part in parts if re.search("[A-Za-z]", part)]
    if named and _BINARY.search(claim):
        # Numbers of the problem stand in the named part; the numbers put in for the names are left out.
        literal = _BINARY.fullmatch(named[-1])
        figures = _SUM.fullmatch(parts[-2])
        if literal and figures:
            kept = [f for t, f in zip(literal.groups(), figures.groups(), strict=True) if not t.isalpha()]
            return f"{' = '.join(named)} | {' '.join(kept)}"
    if named:
        return " = ".join(named) if named[0] == "answer" else claim
    found = _SUM.match(claim)
    return f"{found[2]} {found[3]}" if found else claim
