"""When an answer to a problem is right, and what a reader of the figures is told about the problems."""

import pytest

from vibethinker_local.eval.problems import GradingProgram, Problem, notices, of
from vibethinker_local.reliability.equivalence import NOBODY


@pytest.mark.parametrize(
    ("answer", "is_right"),
    [
        ("B", True), ("(B)", True), (r"\text{B}", True), ("B. 10^{-8} eV", True), ("Option B", True), ("b", True),
        ("A", False), ("Both", False), ("10^{-8}", False), ("BC", False),
    ],
)  # fmt: skip
def test_a_choice_is_right_by_its_letter(answer: str, is_right: bool) -> None:
    assert Problem("x", "p", "B", "choice").right(answer, NOBODY) is is_right


def test_an_answer_is_right_by_what_it_is_worth() -> None:
    problem = Problem("x", "p", r"\frac{1}{2}")
    assert problem.right("0.5", NOBODY)
    assert problem.right(r"0.5 \text{ cm}", NOBODY)
    assert not problem.right("5", NOBODY)


def test_code_is_not_judged_by_its_text() -> None:
    problem = Problem("x", "p", "", "code", GradingProgram("assert f() == 1"))
    assert not problem.right("def f():\n    return 1", NOBODY)


def test_options_that_were_not_shuffled_are_mentioned() -> None:
    same = [Problem(str(n), f"p {n}", "A", "choice") for n in range(6)]
    assert "A in all 6 problems" in notices(same)[0]
    assert notices([*same, Problem("7", "p", "B", "choice")]) == []
    assert notices(same[:3]) == []


def test_a_problem_is_read_as_it_was_written() -> None:
    told = {"id": "a", "problem": "p", "answer": "1", "kind": "maths"}
    assert of(told) == of(told | {"program": None}) == Problem("a", "p", "1")
    program = {"test": "t", "setup": "", "starter": "", "entry_point": "f"}
    assert of(told | {"kind": "code", "program": program}).program == GradingProgram("t", entry_point="f")
    for odd in (
        {"answer": 1},
        {"kind": "poem"},
        {"program": {"test": 1}},
        {"program": {"tests": "x"}},
        {"program": "x"},
    ):
        with pytest.raises((ValueError, KeyError, TypeError)):
            of(told | odd)
