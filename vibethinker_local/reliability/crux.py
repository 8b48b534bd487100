"""Where solutions part: the first step that those of one answer take and those of another do not.

Steps are the claims that solutions make themselves. Two are the same if they come to the same number from the same
numbers, or say the same in much the same words. Pure.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vibethinker_local.reliability import statements

MOST_STEPS = 40  # of a solution
ALIKE = 0.7  # of the words of two steps without a result, in their order
_RESULT = re.compile(r"=\s*[-−]?\s*[$€£]?\s*(\d[\d,]*(?:\.\d+)?)(?![\d.]*\s*[-+*/×÷^=(])")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_WITH_COMMA = re.compile(r"(?![1-9]\d{0,2},\d{3}$)\d+,\d+")  # 12,5


@dataclass(frozen=True)
class Step:
    """A step of a solution: its words, and of an equation the numbers that go in and the one that comes out."""

    text: str
    operands: tuple[float, ...]
    result: float | None

    def same(self, other: "Step") -> bool:
        if self.result is not None and other.result is not None:
            return self.result == other.result and self.operands == other.operands
        return statements.alike(self.text, other.text) >= ALIKE

    @property
    def numbers(self) -> frozenset[float]:
        return numbers_of(self.text)

    def among(self, steps: Sequence["Step"], numbers: frozenset[float]) -> bool:
        """Whether other solutions take this step too: one without an equation, as soon as its `numbers` are theirs."""
        said_again = self.numbers and not statements.relates(self.text)
        return bool(said_again and self.numbers <= numbers) or any(map(self.same, steps))

    def names(self, numbers: frozenset[float]) -> bool:
        """Whether it only gives a name to one of these numbers: trays = 12."""
        return self.result in numbers and not self.operands


@dataclass(frozen=True)
class Side:
    """A step, and the solutions that take it."""

    claim: str
    members: tuple[int, ...]


def find(
    texts: Mapping[int, str], leading: Sequence[int], rival: Sequence[int], problem: str
) -> tuple[Side, Side] | None:
    """The first step on which the solutions of two answers differ; None where their texts show none.

    `texts` has the visible text of every solution, also of other answers: all that take a side's step are its
    members.
    """
    steps = {index: steps_of(text, problem) for index, text in texts.items()}
    given, sides = numbers_of(problem), []
    for own, others in ((leading, rival), (rival, leading)):
        known = [step for index in others for step in steps[index]]
        numbers = given.union(*(step.numbers for step in known))
        firsts = [
            next((step for step in steps[index] if not (step.names(given) or step.among(known, numbers))), None)
            for index in own
        ]
        found = [step for step in firsts if step is not None]
        if not found:
            return None
        step = max(found, key=lambda each: sum(map(each.same, found)))
        sides.append(Side(step.text, tuple(index for index in steps if any(map(step.same, steps[index])))))
    return sides[0], sides[1]


def steps_of(text: str, problem: str) -> list[Step]:
    """The steps that a solution shows, in order."""
    return [step_of(claim) for claim in statements.extracted(text, problem, MOST_STEPS)]


def step_of(claim: str) -> Step:
    """The step that a claim is."""
    equations = list(_RESULT.finditer(claim))
    if not equations:
        return Step(claim, (), None)
    equation = equations[-1]  # what the step comes to
    before = claim[: equation.start()].rpartition(":")[2]
    return Step(claim, tuple(sorted(map(_value, _NUMBER.findall(before)))), _value(equation[1]))


def numbers_of(text: str) -> frozenset[float]:
    return frozenset(map(_value, _NUMBER.findall(text)))


def _value(number: str) -> float:
    return float(number.replace(",", "." if _WITH_COMMA.fullmatch(number) else ""))
