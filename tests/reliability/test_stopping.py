"""When to stop: arithmetic, and a probability checked against simulation."""

import numpy as np
import pytest

from vibethinker_local.reliability.stopping import leading, settled, stop


@pytest.mark.parametrize(
    ("votes", "coming", "expected"),
    [([], 8, False), ([5], 3, True), ([4], 4, False), ([4, 1], 2, True), ([4, 1], 3, False), ([3, 3], 0, False)],
)  # fmt: skip
def test_settled_is_what_nothing_can_change(votes: list[int], coming: int, expected: bool) -> None:
    assert settled(votes, coming) is expected
    if votes:  # all that may still come goes to the second
        rival = (votes[1] if len(votes) > 1 else 0) + coming
        assert settled(votes, coming) is (votes[0] > rival)


def test_four_unanimous_votes_are_31_of_32() -> None:
    assert leading([4]) == pytest.approx(31 / 32)
    assert leading([3]) == pytest.approx(15 / 16)
    assert leading([]) == 0.0


@pytest.mark.parametrize("votes", [[1], [5, 1], [2, 2], [16, 8], [3, 2, 1, 1], [9, 4, 4]])
def test_the_probability_is_that_of_the_dirichlet(votes: list[int]) -> None:
    drawn = np.random.default_rng(0).dirichlet([*(count + 1 for count in votes), 1], 200_000)
    assert leading(votes) == pytest.approx((drawn.argmax(axis=1) == 0).mean(), abs=0.005)


def test_many_votes_do_not_break_it() -> None:
    assert leading([64]) == pytest.approx(1.0)
    assert 0 < leading([32, 31]) < 1
    assert leading([180, 3]) == pytest.approx(1.0)
    assert leading([300, 290]) == pytest.approx(0.6596, abs=1e-4)  # by scipy's gamma distribution and quadrature


def test_the_two_rules_are_told_apart() -> None:
    assert stop([5, 2], 2) == "settled"
    assert stop([4], 4) == "likely"
    assert stop([3], 5) is None
    assert stop([], 0) is None
