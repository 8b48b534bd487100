"""A run as its events tell it: how fast it goes, and what is said on the way."""

import pytest

from vibethinker_local.events import (
    AnswerCluster,
    Contested,
    ModelIdentity,
    Sampled,
    SolveEvent,
    Started,
    Trajectory,
    Wrote,
)
from vibethinker_local.solving.follow import RunState

MODEL = ModelIdentity("mini")


class Followed:
    """A run at times that a test chooses."""

    def __init__(self, samples: int = 1) -> None:
        self.now = 0.0
        self.run = RunState(lambda: self.now)
        self.at(0.0, Started(MODEL, 7, 60, 4096, 8192, samples=samples))

    def at(self, seconds: float, *events: SolveEvent) -> None:
        self.now = seconds
        for event in events:
            self.run.apply(event)

    def write(self, seconds: float, *tokens: int, index: int = 0) -> None:
        """Words up to so many tokens, all of them seen at one time, as far as there is one."""
        for number, count in enumerate(tokens):
            self.at(seconds + number * 1e-5, Wrote("word ", True, count, index=index))


@pytest.mark.parametrize(
    ("seen", "now", "rate"),
    [
        ([(0, 1), (0.5, 101), (1, 201)], 1, 200),
        ([(0.1 * n, 10 * n) for n in range(90)], 8.9, 100),  # the last seconds alone
        ([(0, *range(1, 500))], 0, 0),  # what waited for the screen
        ([(0, *range(1, 500))], 2, 0),
        ([(0, 1), (0.2, 900)], 0.2, 0),
        ([(0, 8000, *range(8001, 8100)), (0.5, 8199)], 0.5, 200),  # gone on with
        ([(0, *range(1, 101)), (1, *range(101, 201)), (2, *range(201, 301))], 2, 100),  # bursts
        ([(0, 1), (1, 201)], 3.9, 200),
        ([(0, 1), (1, 201)], 4.1, 0),  # it has stalled
        ([(0, 1), (5, 201)], 5, 0),
        ([], 1, 0),
    ],
)
def test_the_rate_is_told_where_it_can_be(seen: list[tuple[float, ...]], now: float, rate: float) -> None:
    followed = Followed()
    for seconds, *tokens in seen:
        followed.write(seconds, *map(int, tokens))
    followed.now = now
    assert followed.run.rate == pytest.approx(rate, rel=0.02)


def ended(index: int, text: str) -> Sampled:
    trajectory = Trajectory(index, 900, "stop", "9", text, "", None)
    return Sampled(index, trajectory, (AnswerCluster("9", (index,), 1.0),))


@pytest.mark.parametrize("index", [0, 1])
def test_a_solution_that_has_ended_has_no_rate(index: int) -> None:
    followed = Followed(samples=2)
    followed.write(0, 1)
    followed.write(1, 201)
    followed.write(1, 5000, index=1)
    assert followed.run.rate == pytest.approx(200)
    followed.at(1.1, ended(index, "It is 9."))  # either is shown from now on
    assert (followed.run.shown, followed.run.rate) == (index, 0)


def test_the_rate_of_each_solution_is_told_where_it_can_be() -> None:
    followed = Followed(samples=2)
    followed.write(0, *range(1, 500), index=1)
    assert followed.run.votes
    assert followed.run.votes.trajectories[0].rate == 0
    followed.write(2, 600, index=1)
    assert followed.run.votes.trajectories[0].rate == pytest.approx(300)


def test_what_is_done_about_a_contested_vote_is_said() -> None:
    followed = Followed(samples=2)
    followed.at(1, Contested((), 3))
    assert followed.run.milestones[-1].text == "the vote is contested: checking claims"
