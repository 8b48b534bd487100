"""When to stop: arithmetic, and a probability checked against simulation."""

import time

import numpy as np
import pytest

from vibethinker_local.reliability.stopping import fewest, settled, stays, stop, suffices


@pytest.mark.parametrize(
    ("votes", "coming", "expected"),
    [([], 8, False), ([5], 3, True), ([4], 4, False), ([4, 1], 2, True), ([4, 1], 3, False), ([3, 3], 0, False)],
)  # fmt: skip
def test_settled_is_what_nothing_can_change(votes: list[int], coming: int, expected: bool) -> None:
    assert settled(votes, coming) is expected
    if votes:  # all that may still come goes to the second
        rival = (votes[1] if len(votes) > 1 else 0) + coming
        assert settled(votes, coming) is (votes[0] > rival)


def test_by_hand() -> None:
    """Of five that follow three to none, four or five would have to go to an answer that nobody has given yet."""
    all_five = 120 / (5 * 6 * 7 * 8 * 9)
    four = 5 * 24 * 4 / (5 * 6 * 7 * 8 * 9)
    assert stays([3], 5) == pytest.approx(1 - all_five - four)
    assert stays([], 8) == 0.0


@pytest.mark.parametrize(
    ("votes", "coming"),
    [([1], 7), ([5, 1], 2), ([2, 2], 4), ([16, 8], 8), ([3, 2, 1, 1], 9), ([9, 4, 4], 15), ([2, 1], 61)],
)
def test_the_probability_is_that_of_the_dirichlet(votes: list[int], coming: int) -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet([*(count + 1 for count in votes), 1], 100_000)
    ends = rng.multinomial(coming, shares) + np.array([*votes, 0])
    ahead = ends[:, 0] > ends[:, 1:].max(axis=1)
    assert stays(votes, coming) == pytest.approx(ahead.mean(), abs=0.006)


@pytest.mark.parametrize("votes", [[6, 1], [4, 4], [3, 2, 2], [1, 1, 1, 1]])
def test_with_nothing_to_come_it_is_certain(votes: list[int]) -> None:
    assert stays(votes, 0) == (votes[0] > votes[1])
    assert all(stays([9, 1], coming) == 1.0 for coming in range(8)), "settled"


def test_as_many_as_can_be_asked_for_take_a_moment() -> None:
    """64 solutions: whatever the votes, it is computed while others are sampled."""
    began = time.process_time()
    assert 0 < stays([1] * 32, 32) < stays([2, *[1] * 14], 48) < 1
    assert 0 < stays([32, 31], 1) < 1
    assert time.process_time() - began < 10


def test_the_two_rules_are_told_apart() -> None:
    assert stop([5, 2], 2) == "settled"
    assert stop([3], 5) == "likely"
    assert stop([4, 1], 3) == "likely"
    assert stop([2], 6) is None
    assert stop([3], 13) is None, "of sixteen, three are too few"
    assert stop([4], 12) == "likely"
    assert stop([], 0) is None


def test_a_model_of_which_more_is_known_may_stop_sooner() -> None:
    assert stop([2], 6, 0.85) == "likely"
    assert stop([2, 1], 5, 0.85) is None
    assert stop([2], 6, stays([2], 6)) == "likely"
    assert (fewest(8), fewest(8, 0.85), fewest(4), fewest(4, 0.85), fewest(16)) == (3, 2, 3, 2, 4)


def test_no_more_are_begun_than_may_end_the_vote() -> None:
    assert not suffices([], 2, 6)
    assert suffices([], 3, 5)
    assert suffices([], 2, 6, 0.85)
    assert suffices([2], 2, 4)
    assert not suffices([2], 1, 5), "the slowest is not waited for"
    assert not suffices([1], 2, 1), "it may give another answer"
    assert suffices([1], 2, 5, 0.85)
    assert not suffices([1], 1, 6, 0.85)
    assert not suffices([], 0, 8)
    assert not suffices([2], 0, 6)
    assert not suffices([1, 1], 2, 4)
    assert not suffices([3, 1], 3, 1), "answers differ"
