"""Budgets, and times as people write them."""

from typing import Any

import pytest

from vibethinker_local.errors import UsageError
from vibethinker_local.reliability.plan import BUDGETS, make, seconds
from vibethinker_local.reliability.stopping import LIKELY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90),
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("0.5", 0.5),
        ("10m30", 630),
        ("1h30s", 3630),
        ("2h", 7200),
    ],
)
def test_times(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0", "-5", "soon", "5d", "m", "1h30", "1h0.5"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="90s"):
        seconds(text)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"samples": 0}, "samples is a whole number from 1 to 64, not 0"),
        ({"samples": -1}, "samples"),
        ({"samples": 65}, "samples"),
        ({"samples": 2.0}, "samples"),
        ({"programs": -1}, "programs is a whole number from 0 up"),
        ({"programs": True}, "programs"),
        ({"programs": 99}, "more than there are solutions"),
        ({"seconds": 0}, "seconds is a number above 0"),
        ({"seconds": float("nan")}, "seconds"),
        ({"seconds": "90s"}, "seconds"),
        ({"mode": "x"}, "There is no mode 'x': give one of majority, "),
        ({"verdicts": "guess"}, "kind of verdicts 'guess': give one of score, think"),
        ({"budget": "huge"}, "There is no budget 'huge'"),
    ],
)
def test_what_no_plan_can_have_is_named(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make(**{"mode": "clr", "budget": "quick"} | wrong)


def test_budgets() -> None:
    assert [plan.samples for plan in BUDGETS.values()] == [4, 8, 16]
    assert make("published", "quick").samples == 32
    assert make("published", "quick").verdict_tokens == make("published", "quick").tokens
    assert make("clr", "standard", verdicts="think").verdict_tokens == 8192
    assert make("clr", "deep", escalates=False).think_tokens == 0
    assert make("clr", "deep", escalates=False, verdicts="think").verdicts == "think"
    with pytest.raises(UsageError, match="verdicts"):
        make("published", "standard", verdicts="score")


def test_a_vote_larger_than_was_measured_stops_as_usual() -> None:
    assert make("majority", "standard", likely=0.85).likely == 0.85
    assert make("majority", "quick", likely=0.85).likely == 0.85
    assert make("majority", "deep", likely=0.85).likely == make("majority", "standard").likely == LIKELY
    assert make("majority", "deep", samples=8, likely=0.85).likely == 0.85
