"""What programs do, side by side: which pass the examples, which behave alike, and where they differ.

Programs that give the same on every input are one cluster. Chen et al., "CodeT: Code Generation with Generated Tests"
(arXiv 2207.10397) weigh a cluster by the number of its programs and by how many of the model's own assertions they
hold; a right program tends to agree with other right ones, and with right assertions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vibethinker_local.code import values
from vibethinker_local.code.task import Task
from vibethinker_local.sandbox import Outcome
from vibethinker_local.sandbox.guest import CHANGED

# Values that only say what they are: two functions look the same, whatever they do.
_OPAQUE = re.compile(
    r"<(?:function|class|coroutine|async_generator|bound method|built-in|property|code|memory|weakref)\b"
    r"|<[\w.<>]{1,200} object>"
)
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


@dataclass(frozen=True)
class BehaviourGroup:
    """Programs, by their numbers, that give the same on every input."""

    members: tuple[int, ...]  # ascending
    outcomes: tuple[Outcome, ...]  # of the first of them
    assertions: int = 0  # of the model's own that hold

    @property
    def weight(self) -> float:
        """The number of programs; with assertions, CodeT's product. One without any that holds is not nothing."""
        return len(self.members) * (1 + self.assertions)


@dataclass(frozen=True)
class Difference:
    """An input on which programs differ, and what each group makes of it, the leading one first."""

    input: str
    outcomes: tuple[tuple[Outcome, tuple[int, ...]], ...]  # with the programs that do so


def passes(task: Task, expected: str, outcome: Outcome) -> bool:
    """Whether an outcome is the one that an example gives."""
    if not outcome.finished:
        return False
    if task.form == "program":
        return _same_output(expected, outcome.stdout)
    returned = _returned(outcome).value
    if task.any_order and returned:
        return values.as_expected(values.in_one_order(expected), values.in_one_order(returned))
    nothing = ("None", "[]") if "Node" in "".join(task.annotations) else ("None",)  # a list or a tree without nodes
    found = [returned] if returned else [*nothing]
    if not task.entry and outcome.value:  # nobody says whether it is to return a value, or to change its argument
        found.append(outcome.value.removeprefix(f"{CHANGED} "))
    return any(values.as_expected(expected, value) for value in found)


def alike(task: Task, left: Outcome, right: Outcome) -> bool:
    """Whether two programs did the same on one input: value or output, exception, limit."""
    if (left.exception, left.limit) != (right.exception, right.limit):
        return False
    if not left.finished:
        return True
    if task.form == "program":
        return _same_output(left.stdout, right.stdout)
    given, other = _returned(left).value, _returned(right).value
    if given is None or other is None:
        return left.value == right.value and _same_output(left.stdout, right.stdout)
    if task.any_order:
        given, other = values.in_one_order(given), values.in_one_order(other)
    same = values.same(given, other)
    return same and (not task.in_place or _same_output(left.stdout, right.stdout))  # it may only print


def _same_output(left: str, right: str) -> bool:
    """Whether two outputs have the same words, and the same shape: a triangle may lean to either side."""
    return values.same_output(left, right) and values.same_shape(left, right)


def best(task: Task, outcomes: Mapping[int, Sequence[Outcome]]) -> list[int]:
    """The programs that pass the most examples, ascending: all of them where a statement's example is wrong."""
    counts = {index: passed(task, found) for index, found in outcomes.items()}
    most = max(counts.values(), default=0)
    return sorted(index for index, count in counts.items() if count == most)


def passed(task: Task, outcomes: Sequence[Outcome]) -> int:
    """How many of the statement's examples a program passes; its outcomes on them come first."""
    pairs = zip(task.examples, outcomes, strict=False)
    return sum(passes(task, example.expected, outcome) for example, outcome in pairs)


def held(task: Task, outcomes: Sequence[Outcome], assertions: Sequence[tuple[int, str]]) -> int:
    """How many assertions, by the input's position, hold for a program that may not have seen all inputs."""
    return sum(passes(task, expected, outcomes[at]) for at, expected in assertions if at < len(outcomes))


def groups(
    task: Task,
    outcomes: Mapping[int, Sequence[Outcome]],
    assertions: Sequence[tuple[int, str]] = (),
) -> list[BehaviourGroup]:
    """Programs that behave alike, the weightiest group first, the earlier of two that weigh the same.

    `outcomes` are those of each program on all inputs, `assertions` what the model expects on some of them, by the
    input's position. A program that ends on every input at an exception or a limit, or without a value or any output,
    has shown nothing: it stays by itself.
    """
    found: list[list[int]] = []
    for index in sorted(outcomes):
        mine = outcomes[index]
        shown = any(map(_shows, mine))
        home = next((group for group in found if shown and _same(task, outcomes[group[0]], mine)), None)
        if home is None:
            found.append([index])
        else:
            home.append(index)
    made = []
    for members in found:
        first = tuple(outcomes[members[0]])
        made.append(BehaviourGroup(tuple(members), first, held(task, first, assertions)))
    return sorted(made, key=lambda group: (-group.weight, group.members[0]))


def _shows(outcome: Outcome) -> bool:
    """Whether something can be seen of what a program did: a value or output."""
    if not outcome.finished or outcome.value is None or _OPAQUE.search(_STRING.sub("", outcome.value)):
        return outcome.finished and bool(outcome.stdout.strip())
    return True


def differences(task: Task, inputs: Sequence[str], ranked: Sequence[BehaviourGroup], most: int = 3) -> list[Difference]:
    """Where the leading group and others differ: the inputs on which the most programs do otherwise."""
    found = []
    for at, text in enumerate(inputs):
        said: list[tuple[Outcome, list[int]]] = []
        for group in ranked:
            outcome = group.outcomes[at]
            home = next((members for known, members in said if alike(task, known, outcome)), None)
            if home is None:
                said.append((outcome, list(group.members)))
            else:
                home += group.members
        if len(said) > 1:
            found.append(Difference(text, tuple((outcome, tuple(sorted(members))) for outcome, members in said)))
    return sorted(found, key=lambda each: -sum(len(members) for _, members in each.outcomes[1:]))[:most]


def _returned(outcome: Outcome) -> Outcome:
    """An outcome without what a function that returns nothing made of its arguments."""
    return replace(outcome, value=None) if (outcome.value or "").startswith(CHANGED) else outcome


def _same(task: Task, left: Sequence[Outcome], right: Sequence[Outcome]) -> bool:
    if any(_returned(each).value for each in (*left, *right)):  # of what returns values, the others are None
        left, right = [*map(_returned, left)], [*map(_returned, right)]
    return len(left) == len(right) and all(alike(task, a, b) for a, b in zip(left, right, strict=True))
