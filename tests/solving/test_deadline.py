"""What time is left for."""

import time

import pytest

from vibethinker_local.events import Control
from vibethinker_local.solving.deadline import Deadline


@pytest.mark.parametrize(
    ("passed", "near", "at_hand", "over"),
    [(0, False, False, False), (84, False, False, False), (86, True, False, False), (96, True, True, False),
     (100, True, True, True), (101, True, True, True)],
)  # fmt: skip
def test_the_end_comes_nearer(
    monkeypatch: pytest.MonkeyPatch, passed: float, near: bool, at_hand: bool, over: bool
) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    deadline = Deadline(100, Control())
    now += passed
    assert (deadline.near, deadline.at_hand, deadline.over) == (near, at_hand, over)
    assert (deadline.hurries, deadline.interrupts) == (near, over)
    assert (deadline.passed, deadline.left) == (passed, 100 - passed)


def test_what_the_user_wants_meanwhile() -> None:
    control = Control()
    deadline = Deadline(float("inf"), control)
    assert not any((deadline.near, deadline.over, deadline.hurries, deadline.interrupts))
    control.answer_now = True
    assert deadline.hurries
    assert deadline.interrupts
    assert not deadline.over
    control.stop = True
    assert deadline.over
    assert deadline.left == 0
