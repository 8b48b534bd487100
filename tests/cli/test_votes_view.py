"""The live view of the reliability pass: what a person reads while it runs."""

import io

from rich.console import Console

from vibethinker_local.cli import votes_view
from vibethinker_local.events import (
    AnswerCluster,
    Claim,
    Claimed,
    Contested,
    Judged,
    ModelIdentity,
    Sampled,
    SolveEvent,
    Started,
    Trajectory,
    Verdict,
    Wrote,
)
from vibethinker_local.solving.follow import RunState, Votes

STARTED = Started(ModelIdentity("mini"), 1, 50, 1024, 2048, samples=8)
NINE, FOUR = AnswerCluster("9", (0, 1), 2.0), AnswerCluster("4\x1b[31m", (2,), 1.0)
EVENTS: list[SolveEvent] = [
    STARTED,
    Wrote("a", True, 1, index=0),
    Sampled(0, Trajectory(1, 90, "stop", "9", "", "", None), (NINE, FOUR)),
    Wrote("b", True, 40, index=3),
]
CHECKED: list[SolveEvent] = [
    Contested((NINE, FOUR), 2),
    Claimed(0, (Claim("1 + 1 = 3"), Claim("fine"))),
    Judged(0, 0, Verdict("refuted", "arithmetic", evidence="1 + 1 = 3 does not hold")),
]


def after(events: list[SolveEvent]) -> Votes:
    tally = RunState(lambda: 10.0)
    for event in events:
        tally.apply(event)
    assert tally.votes
    return tally.votes


def shown(votes: Votes, width: int = 80) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(votes_view.view(votes, "Ctrl-C: answer now", ""))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_sampling() -> None:
    lines = shown(after(EVENTS))
    assert lines[0].startswith("1 of up to 8 solutions")
    assert lines[1].split() == ["9", "▪▪", "2"]
    assert "another answer would need 2 of the 7 votes to come" in lines
    assert any(line.startswith("#4") and "40 tokens" in line for line in lines)
    assert lines[-1] == "Ctrl-C: answer now"


def test_checking() -> None:
    lines = shown(after(EVENTS + CHECKED))
    assert lines[0] == "the vote is contested: 2 claims stated, 1 checked"
    assert "refuted by arithmetic: #1 1 + 1 = 3" in lines


def test_it_fits_a_small_terminal_and_shows_no_control_characters() -> None:
    for events in (EVENTS[:1], EVENTS, EVENTS + CHECKED):
        lines = shown(after(events), width=40)
        assert all(len(line) <= 40 for line in lines)
        assert len(lines) <= 22
        assert "\x1b" not in "".join(lines)
