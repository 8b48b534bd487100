"""The measures of mini's skills, against values worked out by hand."""

import numpy as np
import pytest

from vibethinker_local.mini.claims import Fault
from vibethinker_local.mini.measure import judging, stating, votes
from vibethinker_local.mini.problems import WordProblem
from vibethinker_local.mini.skills import JudgedClaim, Solved, StatedClaims, auroc, interval

PROBLEM = WordProblem(
    text="Tom has 12 apples.\nAnn has 5 more apples than Tom.\nHow many apples does Ann have?",
    answer=17,
    steps="Ann? Ann has 5 more apples than Tom.\nTom? Tom has 12 apples.\nAnn: Tom + 5 = 12 + 5 = 17.",
    conclusion="Ann has \\boxed{17} apples.",
    operations=1,
    signature="",
    truths=("Tom = 12", "Ann = Tom + 5 = 12 + 5 = 17", "answer = Ann = 17"),
)
CLAIMS = (
    "answer = Ann = 17",
    "Ann = Tom + 5 = 12 + 5 = 17",
    "Tom = 12",
    "Ann - 5 = 17 - 5 = 12",
    "Ann - Tom = 17 - 12 = 5",
)


def solved(*answers: str) -> Solved:
    return Solved(
        PROBLEM, tuple(f"<think>\n</think>\n\nAnn has \\boxed{{{answer}}}." if answer else "" for answer in answers)
    )


@pytest.mark.parametrize(
    ("valid", "true", "expected"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 1.0),
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], 0.0),
        ([0.5, 0.5, 0.5], [1, 0, 0], 0.5),
        ([0.9, 0.4, 0.6, 0.1], [1, 1, 0, 0], 0.75),
        ([0.5, 0.5, 0.1], [1, 0, 0], 0.75),
    ],
)
def test_auroc(valid: list[float], true: list[int], expected: float) -> None:
    assert auroc(np.array(valid), np.array(true, bool)) == pytest.approx(expected)


def test_auroc_of_one_kind_is_no_number() -> None:
    assert np.isnan(auroc(np.array([0.5, 0.7]), np.array([True, True])))


def test_the_interval_draws_whole_problems() -> None:
    values = np.repeat([0.0, 1.0], 50)
    low, high = interval(np.repeat([0, 1], 50).tolist(), lambda i: float(values[i].mean()))
    assert (low, high) == (0.0, 1.0)
    low, high = interval(range(100), lambda i: float(values[i].mean()))
    assert 0.38 < low < 0.45
    assert 0.55 < high < 0.62


@pytest.mark.parametrize(
    ("answers", "right"),
    [
        (("17", "17", "3"), True),
        (("3", "3", "17"), False),
        (("17", "3"), True),  # the earliest of those that tie
        (("3", "17"), False),
        (("", "17"), True),  # no answer is no vote
        (("", ""), False),
    ],
)
def test_the_majority(answers: tuple[str, ...], right: bool) -> None:
    assert solved(*answers).majority_right is right


def test_votes_are_told_with_what_choosing_could_gain() -> None:
    lines = list(
        votes([solved("3", "3", "17"), solved("17", "17", "17"), solved("3", "3", "3"), solved("", "17", "17")])
    )
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "single",
        "majority@3",
        "oracle@3",
        "oracle@3 - majority@3",
        "wrong majority, right candidate",
    ]
    assert [float(line[52:].split()[0]) for line in lines[1:]] == [0.5, 0.5, 0.75, 0.25, 0.25]


def test_claims_are_readable_and_faithful_or_not() -> None:
    solution = f"<think>\n{PROBLEM.steps}\n</think>\n\n{PROBLEM.conclusion}"
    good = "\n".join(f"{i}. {claim}" for i, claim in enumerate(CLAIMS, 1))
    replies = [good, good.replace("12", "13"), good.replace("Tom = 12", "Tom has twelve"), good.rpartition("\n")[0], ""]
    stated = [StatedClaims(PROBLEM, solution, reply) for reply in replies]
    assert [one.readable for one in stated] == [True, True, False, False, False]
    assert [one.faithful for one in stated] == [True, False, False, False, False]
    assert [line.split()[-1] for line in stating(stated)] == ["2/5", "1/5", "6/10", "0/0"]


def test_judging_is_told_by_what_is_wrong() -> None:
    def judged(problem: int, wrong: Fault | None, valid: float, thought: bool | None) -> JudgedClaim:
        return JudgedClaim(problem, wrong, valid, True, thought)

    lines = list(
        judging(
            [
                judged(0, None, 0.9, True),
                judged(0, "plan", 0.6, False),
                judged(1, None, 0.4, None),
                judged(1, "arithmetic", 0.1, True),
            ]
        )
    )
    assert lines[0] == "4 different claims about 2 problems, 2 false: plan 1, arithmetic 1"
    figures = {line[:52].strip(): float(line[52:].split()[0]) for line in lines[1:]}
    assert figures == {
        "AUROC, at once": 0.75,
        "true claims against plan": 0.5,
        "true claims against arithmetic": 1.0,
        "true claims called VALID (p >= 0.5), at once": 0.5,
        "false claims called INVALID, at once": 0.5,
        "verdicts that can be read, thinking": 0.75,
        "true claims called VALID, thinking": 1.0,
        "false claims called INVALID, thinking": 0.5,
    }
