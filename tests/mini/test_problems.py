"""mini's problems: right answers, checked by a solver of their own, and splits that do not touch."""

import itertools
import json
import random
import re
import subprocess
import sys

import pytest

from vibethinker_local.mini.problems import MAX_VALUE, Split, WordProblem, draw, generate, problems

NAME = r"([A-Z][a-z]+)"


def solve_relations(text: str) -> int:
    """Read the facts with patterns, work the quantities out by repeated substitution."""
    known: dict[str, int] = {}
    facts = [part.strip() for part in re.split(r"(?<=[.?])\s+", text)]
    question, facts = facts[-1], facts[:-1]
    for _ in facts:
        for fact in facts:
            subject = fact.split()[0]
            number = int(found[0]) if (found := re.findall(r"\d+", fact)) else 2
            objects = [known.get(name) for name in re.findall(NAME, fact)[1:]]
            if subject in known or None in objects:
                continue
            values = [value for value in objects if value is not None]
            if "together" in fact or "combined" in fact:
                known[subject] = sum(values)
            elif "more" in fact:
                known[subject] = values[0] + number
            elif "fewer" in fact or "less" in fact:
                known[subject] = values[0] - number
            elif "twice" in fact or "times" in fact:
                known[subject] = values[0] * number
            else:
                known[subject] = number
    asked = re.findall(NAME, question)[1:]
    if "together" in question:
        return known[asked[0]] + known[asked[1]]
    if "more" in question:
        return known[asked[0]] - known[asked[1]]
    return known[asked[0]]


@pytest.mark.parametrize("operations", range(1, 8))
def test_answers_are_right(operations: int) -> None:
    rng = random.Random(operations)
    for _ in range(200):
        problem = generate(rng, operations=operations)
        assert solve_relations(problem.text) == problem.answer


@pytest.mark.parametrize("shape", ["relations", "story", "sum"])
def test_every_step_is_right_and_ends_in_the_answer(shape: str) -> None:
    rng = random.Random(1)
    for _ in range(300):
        problem = generate(rng, operations=1 if shape == "sum" else rng.randint(1, 4), shape=shape)  # type: ignore[arg-type]
        equations = re.findall(r"(\d+) ([-+*]) (\d+) = (\d+)", problem.steps)
        for left, sign, right, result in equations:
            assert {"+": int(left) + int(right), "-": int(left) - int(right), "*": int(left) * int(right)}[sign] == int(
                result
            )
        assert int(equations[-1][3]) == problem.answer
        assert f"\\boxed{{{problem.answer}}}" in problem.conclusion
        assert 0 <= problem.answer <= MAX_VALUE
        assert len(equations) == problem.operations


def test_the_same_seed_gives_the_same_problems() -> None:
    assert list(problems(20, seed=4)) == list(problems(20, seed=4))
    assert list(problems(20, seed=4)) != list(problems(20, seed=5))


def test_splits_share_no_structure_and_numbers() -> None:
    def signatures(split: Split) -> set[str]:
        rng = random.Random(2)
        drawn: list[WordProblem] = [draw(rng, split=split) for _ in range(300)]
        return {problem.signature for problem in drawn}

    splits: tuple[Split, ...] = ("train", "judge", "calibration", "test")
    for first, second in itertools.combinations(map(signatures, splits), 2):
        assert not first & second


def test_the_command_prints_json_lines() -> None:
    command = [sys.executable, "-P", "-m", "vibethinker_local.mini.problems", "-n", "3", "--seed", "1"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [set(row) for row in rows] == [{"id", "problem", "answer"}] * 3
    assert len({row["id"] for row in rows}) == 3
    expected = list(problems(3, seed=1))
    assert [row["answer"] for row in rows] == [str(problem.answer) for problem in expected]
