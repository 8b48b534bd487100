"""Claims of mini's solutions: read off their text, and judged against the problem."""

import random
import re

import pytest

from vibethinker_local.mini.claims import claims, fault, well_formed
from vibethinker_local.mini.problems import WordProblem, draw

TEXT = "Tom has 12 apples.\nBob has 9 apples.\nAnn has 5 more apples than Tom.\nHow many apples does Ann have?"
REASONING = "Ann? Ann has 5 more apples than Tom.\nTom? Tom has 12 apples.\nAnn: Tom + 5 = 12 + 5 = 17."
PROBLEM = WordProblem(
    text=TEXT,
    answer=17,
    steps=REASONING,
    conclusion="Ann has \\boxed{17} apples.",
    operations=1,
    signature="",
    truths=("Tom = 12", "Bob = 9", "Ann = Tom + 5 = 12 + 5 = 17", "answer = Ann = 17"),
)


def drawn(count: int, seed: int) -> list[WordProblem]:
    rng = random.Random(seed)
    return [draw(rng, split="train") for _ in range(count)]


def test_what_matters_most_to_the_answer_comes_first() -> None:
    assert claims(REASONING, PROBLEM.conclusion)[:5] == [
        "answer = Ann = 17",
        "Ann = Tom + 5 = 12 + 5 = 17",
        "Tom = 12",
        "Ann - 5 = 17 - 5 = 12",
        "Ann - Tom = 17 - 12 = 5",
    ]


def test_a_wrong_solution_is_quoted_as_it_stands() -> None:
    wrong = REASONING.replace("12 + 5 = 17", "12 + 5 = 18")
    assert claims(wrong, "Ann has \\boxed{18} apples.")[:2] == ["answer = Ann = 18", "Ann = Tom + 5 = 12 + 5 = 18"]


def test_the_last_step_of_a_sum_is_the_answer() -> None:
    reasoning = f"{REASONING}\nAnn + Tom = 17 + 12 = 29."
    stated = claims(reasoning, "Together they have \\boxed{29} apples.")
    assert stated[:2] == ["answer = Ann + Tom = 17 + 12 = 29", "Ann = Tom + 5 = 12 + 5 = 17"]


@pytest.mark.parametrize(
    ("reasoning", "text"), [("", ""), ("Ann?", "Ann has \\boxed{17} apples."), (REASONING, "Ann.")]
)
def test_what_cannot_be_read_claims_nothing(reasoning: str, text: str) -> None:
    assert claims(reasoning, text) == []


def test_all_claims_of_worked_solutions_are_true_and_their_sums_come_out() -> None:
    for problem in drawn(500, seed=1):
        stated = claims(problem.steps, problem.conclusion)
        assert len(stated) >= 3
        for claim in stated:
            assert fault(claim, problem) is None
            assert well_formed(claim)


def test_nearly_every_worked_solution_has_five_claims() -> None:
    short = [p for p in drawn(500, seed=2) if len(claims(p.steps, p.conclusion)) < 5]
    assert len(short) < 25
    assert all(problem.operations == 1 for problem in short)


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("Ann = Tom + 5 = 12 + 5 = 17", None),
        (" Ann =  5 + Tom = 5 + 12 = 17. ", None),
        ("Ann = 17", None),
        ("Bob = 9", None),
        ("Ann - Tom = 17 - 12 = 5", None),
        ("Ann = Tom + 5 = 12 + 5 = 18", "arithmetic"),
        ("Ann = Tom + 5 = 12 + 6 = 17", "arithmetic"),
        ("Ann = Tom - 5 = 12 - 5 = 7", "plan"),  # operation
        ("Ann = Bob + 5 = 9 + 5 = 14", "plan"),  # operand
        ("Ann = Tom + 6 = 12 + 6 = 18", "plan"),  # number
        ("Ann = Tom + 5 = 12 + 6 = 18", "plan"),  # put in wrongly
        ("Tom = 9", "plan"),
        ("answer = Tom = 12", "plan"),
        ("Ann = Tom + 5 = 11 + 5 = 16", "carried"),
        ("answer = Ann = 18", "carried"),
        ("Ann has 17 apples", "form"),
        ("", "form"),
        ("5 / 0 = 3", "arithmetic"),
    ],
)
def test_what_is_wrong_with_a_claim(claim: str, expected: str | None) -> None:
    assert fault(claim, PROBLEM) == expected


def test_a_number_of_the_problem_exchanged_for_another_is_never_true() -> None:
    rng = random.Random(3)
    for problem in drawn(200, seed=4):
        claim = rng.choice(claims(problem.steps, problem.conclusion))
        numbers = list(re.finditer(r"\d+", claim))
        number = rng.choice(numbers)
        changed = claim[: number.start()] + str(int(number[0]) + 1) + claim[number.end() :]
        assert fault(changed, problem) is not None
