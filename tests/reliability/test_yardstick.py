"""What one-pass verdicts are measured by."""

import pytest

from vibethinker_local.reliability import yardstick
from vibethinker_local.reliability.yardstick import KnownStatement, Yardstick

PROBLEM = "A tank holds 1,200 litres. A pump moves more water than a hose. How long does it take?"


def test_sentences_of_the_problem_and_the_same_altered() -> None:
    found = yardstick.of(PROBLEM)
    assert [(each.text, each.true) for each in found.known] == [
        ("A pump moves more water than a hose.", True),
        ("A tank holds 1,200 litres.", True),
        ("A pump moves fewer water than a hose.", False),
        ("A tank holds 1800 litres.", False),
        ("N/A", None),
    ]
    assert not found.tells, "nothing was judged yet"


@pytest.mark.parametrize("problem", ["", "Find x.", "The two circles touch each other and are similar."])
def test_where_the_problem_says_nothing_general_statements_do(problem: str) -> None:
    assert {each.true for each in yardstick.of(problem).known} == {True, False, None}


def judged(true: list[float], false: list[float], nothing: float) -> Yardstick:
    known = [KnownStatement("t", True, p) for p in true] + [KnownStatement("f", False, p) for p in false]
    return Yardstick((*known, KnownStatement("N/A", None, nothing)))


def test_a_true_statement_is_never_below_the_threshold_however_low_it_is() -> None:
    found = judged([0.39, 0.17], [0.12, 0.2], 0.05)
    assert found.tells
    assert found.threshold == found.stands_from == 0.17
    assert judged([0.0, 0.9], [0.1], 0.1).threshold == 0.0


@pytest.mark.parametrize(
    "found",
    [
        judged([0.4, 0.5], [0.5, 0.6], 0.1),  # altered sentences are believed more
        judged([0.4, 0.5], [0.1, 0.2], 0.7),  # nothing is believed more
        judged([0.4], [0.4], 0.4),
        Yardstick(()),
    ],
)
def test_verdicts_that_tell_nothing(found: Yardstick) -> None:
    assert not found.tells
    assert found.stands_from is None


@pytest.mark.parametrize(
    ("statement", "other"),
    [
        ("Tom has 1 apple.", "Tom has 2 apple."),
        ("Of 20 boxes 0 are full.", "Of 20 boxes 1 are full."),
        ("Tom is older than Ann.", "Tom is younger than Ann."),
        ("Tom likes Ann.", None),
    ],
)
def test_altered(statement: str, other: str | None) -> None:
    assert yardstick.altered(statement) == other


def test_verdicts_come_in_one_by_one() -> None:
    found = yardstick.of(PROBLEM)
    for each in found.known:
        found = found.with_verdict(each.text, 0.9 if each.true else 0.2)
    assert found.tells
    assert found.threshold == 0.9
