"""What a vote is called: how far the solutions agree, in a line that is never more than what happened."""

from dataclasses import replace

import pytest

from vibethinker_local.events import AgreementLevel, AnswerCluster, Crux, CruxSide, Decision, ReliabilityReport, Verdict
from vibethinker_local.solving.follow import parted, summary


def report(
    votes: list[int], drawn: int, decision: Decision = "all", checked: int = 0, refuted: int = 0
) -> ReliabilityReport:
    clusters, first = [], 0
    for number, count in enumerate(votes):
        clusters.append(AnswerCluster(str(number), tuple(range(first, first + count)), float(count)))
        first += count
    majority = clusters[0].answer if clusters else None
    return ReliabilityReport(tuple(clusters), majority, decision, checked, refuted, None, drawn, sum(votes))


@pytest.mark.parametrize(
    ("votes", "drawn", "decision", "level", "line"),
    [
        ([6, 2], 8, "all", "decided", "6 of 8 agree"),
        ([3], 3, "settled", "decided", "3 of 3 agree"),
        ([4], 4, "likely", "decided", "4 of 4 agree"),
        ([5], 8, "all", "decided", "5 of 8 agree, 3 without an answer"),
        ([3, 2, 1], 8, "all", "leading", "3 of 8 agree, 2 without an answer"),
        ([2, 1], 4, "time", "leading", "2 of 4 agree, 1 without an answer"),
        ([1], 8, "all", "none", "1 of 8 gave an answer"),
        ([1, 1, 1, 1], 4, "all", "none", "no agreement: 4 solutions, 4 answers"),
        ([2, 2], 4, "all", "none", "no agreement: 4 solutions, 2 answers"),
        ([2, 3], 5, "all", "none", "no agreement: 5 solutions, 2 answers"),  # claims chose the smaller one
        ([1], 1, "all", "none", "1 solution"),
        ([], 8, "all", "none", "no answer in 8 solutions"),
        ([], 0, "stopped", "none", "no answer"),
    ],
)
def test_how_far_they_agree(votes: list[int], drawn: int, decision: Decision, level: AgreementLevel, line: str) -> None:
    found = report(votes, drawn, decision)
    assert (found.agreement.drawn, found.agreement.answered) == (drawn, sum(votes))
    assert (found.agreement.level, summary(found)) == (level, line)


@pytest.mark.parametrize(
    ("votes", "drawn", "dropped", "line"),
    [
        ([3, 1], 8, 4, "3 of 8 agree, 4 passed fewer examples"),
        ([3], 8, 4, "3 of 8 agree, 1 without an answer, 4 passed fewer examples"),
        ([1], 8, 7, "1 of 8 passed the most examples, 7 passed fewer examples"),
        ([1, 1], 4, 2, "no agreement: 4 solutions, 2 answers, 2 passed fewer examples"),
    ],
)
def test_programs_that_dropped_out_are_named(votes: list[int], drawn: int, dropped: int, line: str) -> None:
    found = replace(report(votes, drawn), dropped=dropped, answered=sum(votes) + dropped)
    assert summary(found) == line


def test_votes_by_programs_are_named() -> None:
    assert summary(replace(report([5, 3], 8), computed=2)) == "5 of 8 agree, 2 of them computed"


def test_where_answers_part_in_a_line() -> None:
    one = CruxSide("She sold twice as many in May", (1,), Verdict("refuted", "model", 0.1))
    others = CruxSide("She sold half as many in May", (0, 2, 3, 4, 5))
    long = "Now we can add up all the practice hours of the week: 3 + 2 + 2 = 7"
    assert "#1 “… 3 + 2 + 2 = 7” · " in parted(Crux((CruxSide(long, (0,)), others)))
    assert parted(Crux((others, one))) == (
        "they part at: #1, #3, #4 and 2 more “She sold half as many in May” · "
        "#2 “She sold twice as many in May” (refuted)"
    )


def test_claims_that_were_all_refuted_told_nothing() -> None:
    assert (
        summary(report([3, 1], 4, checked=12, refuted=12)) == "3 of 4 agree · the claims told nothing: all 12 refuted"
    )
    assert summary(report([3, 1], 4, checked=12, refuted=1)) == "3 of 4 agree · 1 of 12 claims refuted"
    assert summary(report([3, 1], 4, checked=12)) == "3 of 4 agree · the claims told nothing: none of 12 refuted"


def test_what_arithmetic_refutes_told_something_whatever_the_model_said() -> None:
    told = replace(report([3, 1], 4, checked=12, refuted=2), measured=False)
    alone = "2 of 12 claims refuted, by arithmetic alone: the model's own verdicts told nothing"
    assert summary(replace(told, by_arithmetic=2)) == f"3 of 4 agree · {alone}"
    assert summary(replace(told, by_arithmetic=1)) == "3 of 4 agree · 2 of 12 claims refuted"  # one by reasoning
    assert "none of 12" not in summary(replace(told, refuted=0))
    assert "told nothing: the model doubts" in summary(replace(told, refuted=0))
    assert "told nothing: all 12 refuted" in summary(replace(told, refuted=12, by_arithmetic=12))
