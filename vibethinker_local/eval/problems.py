"""Problems with known answers, and whether an answer is the right one. `layouts` reads them from files."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from vibethinker_local.eval.instructions import Instruction
from vibethinker_local.events import ProblemKind
from vibethinker_local.reliability import equivalence
from vibethinker_local.runtime import prompts

Kind = Literal["maths", "choice", "code", "instructions"]
MANY = 5  # choices: with so many the right letters should differ


@dataclass(frozen=True)
class GradingProgram:
    """How a solution in Python is tested: `setup`, the solution and `test`, run one after the other, raise nothing."""

    test: str
    setup: str = ""
    starter: str = ""  # the beginning of the solution, as its author is shown it
    entry_point: str = ""  # what `test` calls


@dataclass(frozen=True)
class Problem:
    id: str
    problem: str
    answer: str  # empty for code, which `program` tests, and for instructions
    kind: Kind = "maths"
    program: GradingProgram | None = None
    instructions: tuple[Instruction, ...] = ()  # that the reply is to follow

    @property
    def asked(self) -> str:
        """What the model is given: of code with the starter, or with the first of its tests where there is none."""
        if self.kind == "choice":
            return prompts.CHOICE.format(problem=self.problem)
        if self.program is None:
            return self.problem
        starter, first = self.program.starter, re.search(r"^assert .*", self.program.test, re.MULTILINE)
        if starter and starter.strip() not in self.problem:
            return f"{self.problem}\n\n```python\n{starter.rstrip()}\n```"
        if not self.program.entry_point and first:
            return f"{self.problem}\n\nFor example:\n\n{first[0]}"
        return self.problem

    @property
    def asked_as(self) -> ProblemKind:
        return "code" if self.kind == "code" else "maths"

    @property
    def digest(self) -> str:
        """Identifies a problem by its text, whatever its id."""
        return hashlib.sha256(" ".join(self.problem.split()).encode()).hexdigest()[:16]

    def right(self, answer: str, prover: equivalence.Prover) -> bool:
        """Whether an answer is the right one; of several options, by its letter.

        Code is run, and instructions are checked, not compared.
        """
        match self.kind:
            case "code" | "instructions":
                return False
            case "choice" if chosen := equivalence.choice(answer):
                return chosen == self.answer
        return equivalence.matches_gold(answer, self.answer, prover)


def notices(found: Sequence[Problem]) -> list[str]:
    """What a reader of the figures should know about the problems."""
    said: list[str] = []
    letters = {problem.answer for problem in found if problem.kind == "choice"}
    count = sum(problem.kind == "choice" for problem in found)
    if count >= MANY and len(letters) == 1:
        said.append(
            f"The right option is {letters.pop()} in all {count} problems: a model that likes this letter looks better "
            "than it is. Shuffle the options."
        )
    return said


def of(told: dict[str, Any]) -> Problem:
    """A problem as this program wrote it. Raises ValueError, KeyError or TypeError."""
    program = None if told.get("program") is None else GradingProgram(**told["program"])
    instructions = tuple(Instruction(each["type"], each["values"]) for each in told.get("instructions", ()))
    problem = Problem(told["id"], told["problem"], told["answer"], told["kind"], program, instructions)
    texts = [problem.id, problem.problem, problem.answer, *(vars(program).values() if program else ())]
    if not all(isinstance(text, str) for text in texts) or problem.kind not in get_args(Kind):
        raise ValueError("no problem")
    return problem
