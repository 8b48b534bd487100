"""Policies replayed on banks that fit on a page, and against the vote of the reliability pass itself."""

from dataclasses import replace

import numpy as np
import pytest

from tests.eval import banks
from tests.solving.thinker import Thinker, run
from vibethinker_local.eval import report, show
from vibethinker_local.eval.policies import PERMUTED, most, replay
from vibethinker_local.eval.table import Table
from vibethinker_local.reliability import vote
from vibethinker_local.reliability.clusters import Cluster
from vibethinker_local.reliability.plan import Plan, make


def small() -> Table:
    """Four trajectories: of a wrong majority with refuted claims; of a right one; without a right answer."""
    answers = np.array([[1, 1, 0, -1], [0, 1, 0, 0], [-1, -1, 2, 2]])
    refuted = np.array([[2, 3, 0, 0], [1, 0, 0, 5], [0, 0, 5, 5]])
    return banks.table(answers, refuted, np.array([[10, 20, 30, 40]] * 3))


def right(name: str, k: int, table: Table | None = None) -> list[float]:
    return list(map(float, replay(table or small(), name, k, vote.Calibration(-6, 8)).right))


def test_each_policy_on_four_trajectories() -> None:
    assert right("majority", 4) == [0, 1, 0]
    assert right("adaptive", 4) == [0, 1, 0]
    assert right("clr", 4) == [1, 1, 0]
    assert right("linear", 4) == [0, 1, 0]  # 0.6 + 0.4 ties with 1: the answer that came first
    assert right("model", 4) == [1, 1, 0]
    assert right("mechanical", 4) == [0, 1, 0]  # arithmetic refutes nothing here
    assert right("fitted", 4) == [1, 1, 0]
    assert right("oracle", 4) == [1, 1, 0]


def test_fewer_trajectories_are_replayed_in_groups() -> None:
    assert right("single", 1) == [0.25, 0.75, 0]
    assert right("majority", 2) == [0.5, 1, 0]
    assert right("oracle", 2) == [0.5, 1, 0]
    assert replay(small(), "majority", 2).first.tolist() == [False, True, False]
    assert replay(small(), "majority", 3).right.tolist() == [0, 1, 0], "only whole groups"


def test_tokens_count_verification_only_where_it_could_matter() -> None:
    assert replay(small(), "majority", 4).tokens.tolist() == [100, 100, 100]
    assert replay(small(), "clr", 4).tokens.tolist() == [100 + 4 * 45, 100 + 4 * 45, 100]
    assert replay(small(), "mechanical", 4).tokens.tolist() == [100 + 4 * 40, 100 + 4 * 40, 100]
    assert replay(small(), "clr", 4).read.tolist() == [4 * 99, 4 * 99, 0]
    assert replay(small(), "oracle", 4).tokens.tolist() == [100, 100, 100]


def test_adaptive_stops_when_the_vote_is_settled() -> None:
    agreed = banks.table(np.zeros((1, 8), np.int64), np.zeros((1, 8), np.int64), np.full((1, 8), 10))
    assert replay(agreed, "adaptive", 8).tokens.tolist() == [30], "three that agree"
    assert replay(agreed, "adaptive", 4).tokens.tolist() == [30], "three of four are settled"
    assert replay(agreed, "adaptive", 8, setting=(0.85,)).tokens.tolist() == [20], "two"


def test_adaptive_counts_in_the_order_in_which_trajectories_end() -> None:
    lengths = np.array([[90, 10, 20, 30, 40, 50, 60, 70]])
    late = banks.table(np.array([[1, 0, 0, 0, 0, 0, 0, 0]]), np.zeros((1, 8), np.int64), lengths)
    found = replay(late, "adaptive", 8)
    assert found.right.tolist() == [1], "the long one has no vote yet"
    assert found.tokens.tolist() == [10 + 20 + 30 + 40], "begun at the first end, and cut off where that vote ends it"
    split = banks.table(np.array([[1, 0, 2, 1, 2, 0, 1, 0]]), np.zeros((1, 8), np.int64), lengths)
    assert replay(split, "adaptive", 8).tokens.tolist() == [lengths.sum()], "no lead is safe before the last vote"
    assert replay(split, "adaptive", 8).right == replay(split, "majority", 8).right


def test_adaptive_draws_what_the_reliability_pass_draws() -> None:
    """On all solutions of the same seeds: the same answer for as many tokens."""
    plans = [make("majority", "standard", likely=likely) for likely in (0.95, 0.85)]
    theirs, ours, drawn = [0.0, 0.0], [0, 0], 0
    for seed in range(1, 13):
        table, each = whole(rambling(), plans[0], seed)
        tokens, answers = table.tokens, list(dict.fromkeys(each))
        drawn += tokens.sum()
        for at, plan in enumerate(plans):
            found = run(rambling(), plan, seed=seed)[0]
            chosen = replace(table, right=np.array([[answer == found.answer for answer in answers]]))
            replayed = replay(chosen, "adaptive", 8, setting=(plan.likely,))
            assert replayed.right.tolist() == [1]
            assert replayed.tokens == pytest.approx(found.usage.solve_tokens, abs=tokens.max()), "ties may part there"
            theirs[at], ours[at] = theirs[at] + replayed.tokens[0], ours[at] + found.usage.solve_tokens
    assert theirs == pytest.approx(ours, rel=0.03)
    assert max(theirs) < 0.9 * drawn


def test_arithmetic_stops_where_the_reliability_pass_stops() -> None:
    """The same with solutions that calculate wrongly: they end no vote, and hardly count."""

    def reply(answer: str) -> str:
        half = int(answer) // 2
        return f"<think>so</think>\n\nSo it is {half} + {half} = {answer} pens.\n\n\\boxed{{{answer}}}"

    plan = make("arithmetic", "standard", likely=0.85)
    for seed in range(1, 3):
        given = {"17": 5, "4": 2, "30": 2}
        table, each = whole(Thinker(given, reply=reply), plan, seed)
        slips = np.array([[answer == "17" for answer in each]])
        found = run(Thinker(given, reply=reply), plan, seed=seed)[0]
        right = np.array([[answer == found.answer for answer in dict.fromkeys(each)]])
        chosen = replace(table, slips=slips, right=right)
        replayed = replay(chosen, "adaptive-arithmetic", 8, setting=(plan.likely,))
        assert replayed.right.tolist() == [1]
        assert replayed.tokens == pytest.approx(found.usage.solve_tokens, abs=table.tokens.max()), "ties may part there"
        assert found.answer != "17" or set(each) == {"17"}


def whole(thinker: Thinker, plan: Plan, seed: int) -> tuple[Table, list[str | None]]:
    """What a run draws that stops at nothing, as a table, and its answers."""
    drawn = run(thinker, replace(plan, stopping=False), seed=seed)[0].trajectories
    each = [trajectory.answer for trajectory in drawn]
    number = {answer: at for at, answer in enumerate(dict.fromkeys(each))}
    answers = np.array([[number[answer] for answer in each]])
    return banks.table(answers, np.zeros_like(answers), np.array([[t.tokens for t in drawn]])), each


def rambling() -> Thinker:
    """Answers of different lengths, and long: a vote that begins the next one when one ends does so a step later."""
    answers = {"17": 5, "4": 1, "30": 2, "9": 1}
    return Thinker(answers, reply=lambda answer: f"<think>{'so ' * (int(answer) + 19)}</think>\n\n\\boxed{{{answer}}}")


def test_rescues_and_harms_are_against_the_majority_of_the_same_k() -> None:
    clr = replay(small(), "clr", 4)
    assert (clr.rescues.tolist(), clr.harms.tolist()) == ([1, 0, 0], [0, 0, 0])
    turned = banks.table(np.array([[0, 0, 1]]), np.array([[5, 5, 0]]), np.full((1, 3), 10))
    assert replay(turned, "clr", 3).harms.tolist() == [1]
    assert replay(turned, "majority", 3).harms.tolist() == [0]


@pytest.mark.parametrize(("policy", "mode"), [("majority", "majority"), ("clr", "clr"), ("fitted", "fitted")])
def test_a_replay_is_what_the_reliability_pass_would_have_answered(policy: str, mode: str) -> None:
    table = banks.drawn(200, 8, np.random.default_rng(5), refuted_wrong=0.4)
    calibration = vote.Calibration(-2, 4)
    weight = vote.weight_of(mode, calibration)  # type: ignore[arg-type]
    found = replay(table, policy, 8, calibration).right
    for row in range(len(table.ids)):
        numbers = table.cluster[row].tolist()
        clusters = [Cluster(str(n), tuple(i for i, m in enumerate(numbers) if m == n)) for n in dict.fromkeys(numbers)]
        standings = dict(enumerate(table.standing("either")[row].tolist()))
        ranked = vote.ranked(clusters, vote.weights(standings, range(8), table.claims, weight), range(8))
        assert table.right[row, int(ranked[0].answer)] == found[row]


def test_permuted_keeps_the_weights_but_not_their_owners() -> None:
    wrong_first = banks.table(np.array([[1, 0]]), np.array([[4, 0]]), np.full((1, 2), 10))
    found = replay(wrong_first, "permuted", 2)
    assert 0 < found.right[0] < 1
    assert found.right[0] * PERMUTED == pytest.approx(round(found.right[0] * PERMUTED))
    assert replay(wrong_first, "permuted", 2).right[0] == found.right[0], "the same every time"


def test_verdicts_that_know_more_than_chance_are_found_out() -> None:
    table = banks.drawn(300, 16, np.random.default_rng(0), refuted_right=0.1, refuted_wrong=0.5)
    made = report.make(table)
    assert made.verdict
    assert made.verdict.holds
    assert made.verdict.reasons == ()
    assert made.verifier
    assert made.verifier.auroc_within.low > 0.7
    rows = {(row.name, row.k): row for row in made.policies}
    assert {name for name, _ in rows} == {
        "single", "majority", "adaptive", "clr", "linear", "mechanical", "model", "permuted", "oracle",
    }  # fmt: skip
    assert [k for name, k in rows if name == "clr"] == [1, 2, 4, 8, 16]
    assert rows["clr", 16].accuracy > rows["majority", 16].accuracy
    assert rows["clr", 16].tokens_per_problem > rows["majority", 16].tokens_per_problem


def test_verdicts_that_know_nothing_are_found_out() -> None:
    made = report.make(banks.drawn(300, 16, np.random.default_rng(0)))
    assert made.verdict
    assert not made.verdict.holds
    assert "at equal tokens" in made.verdict.reasons[0]
    assert any("dealt out at random" in reason for reason in made.verdict.reasons)
    assert made.verifier
    assert made.verifier.auroc.low < 0.5 < made.verifier.auroc.high


def test_only_arithmetic_gains() -> None:
    table = banks.drawn(300, 8, np.random.default_rng(0), refuted_right=0.0, refuted_wrong=0.5)
    by = {"arithmetic": table.refuted["either"], "model": 0 * table.refuted["either"]}
    made = report.make(banks.with_refuted(table, by | {"either": by["arithmetic"]}))
    assert made.verdict
    assert made.verdict.reasons == ("only the mechanical check gains, not the model's own verdicts",)


def test_where_no_vote_is_contested_there_is_no_verdict() -> None:
    answers = np.zeros((20, 4), np.int64)
    made = report.make(banks.table(answers, answers, np.full((20, 4), 45)))
    assert made.verifier
    assert made.verdict is None
    assert "Verdict: none." in show.tables(made, banks.HEADER, [])


def test_equal_tokens_are_equal_tokens() -> None:
    """Claims that cost as much as the solution: 8 trajectories with claims pay for 16 without."""
    n = 400
    rng = np.random.default_rng(0)
    answers = np.where(rng.random((n, 16)) < 0.5, 0, 1)
    answers[:, [0, 8]], answers[:, [1, 9]] = 0, 1  # always contested
    zeros = np.zeros((n, 16), np.int64)
    table = banks.table(answers, zeros, np.full((n, 16), 45))
    found = next(c for c in report.make(table).contrasts if c.name == "clr - majority at equal tokens")
    assert found.note == "8 samples with claims cost as much as 16.0 without"
    clr, majority = replay(table, "clr", 8), replay(table, "majority", 16)
    assert clr.tokens.mean() == majority.tokens.mean()
    assert found.difference == pytest.approx(float(clr.right.mean() - majority.right.mean()))


def test_vote_shares_are_compared_with_what_was_right() -> None:
    answers = np.array([[0, 0, 0, 0], [1, 1, 1, 0], [0, 0, 1, 2]])
    votes = report.make(banks.table(answers, 0 * answers, 0 * answers + 1)).votes
    assert votes.brier.value == pytest.approx((0 + 0.75**2 + 0.5**2) / 3)
    assert [(b.problems, b.share, b.accuracy) for b in votes.bins] == [(1, 0.5, 1), (1, 0.75, 0), (1, 1, 1)]


def test_a_bank_has_more_samples_than_a_pass_can_draw() -> None:
    """What decides a vote of hundreds takes minutes to compute, and no pass has so many."""
    answers = np.zeros((1, 65), np.int64)
    drawn = banks.table(answers, answers, answers + 1, claims=0)
    assert [each.name for each in report.compare((drawn, drawn))] == ["single@1", "majority@65", "oracle@65"]
    assert [most(name, 65) for name in ("adaptive", "majority")] == [64, 65]


def test_headroom() -> None:
    answers = np.array([[0, 0, 0, 0], [1, 1, 1, 0], [2, 2, 1, 2], [1, 1, 0, 0]])
    found = report.make(banks.table(answers, 0 * answers, 0 * answers + 1)).headroom
    assert (found.k, found.difference.value) == (4, 0.5)
    assert found.of_wrong.value == pytest.approx(2 / 3)


def test_a_bank_without_claims_has_votes_alone() -> None:
    answers = np.array([[0, 1, 0]])
    made = report.make(banks.table(answers, 0 * answers, 0 * answers + 1, claims=0))
    assert {row.name for row in made.policies} == {"single", "majority", "adaptive", "oracle"}
    assert (made.verifier, made.verdict) == (None, None)


def test_of_two_close_answers_the_one_that_is_preferred_wins() -> None:
    answers = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 2, 0, 0]])
    plain = banks.table(answers, 0 * answers, np.full(answers.shape, 10), claims=0)
    pairs = np.array([[0, 2, 0.2], [0, 2, 0.8], [np.nan] * 3, [0, 3, 0.1], [0, 1, 0.1]])
    found = replay(replace(plain, pairs=pairs), "pairwise", 4)
    assert found.right.tolist() == [1, 0, 0, 0, 1], "turned, kept, not compared, not close, others compared"
    assert found.tokens.tolist() == [42, 42, 40, 40, 40]
    assert found.read.tolist() == [40, 40, 0, 0, 0], "two solutions, twice"
    assert (found.rescues.tolist(), found.harms.sum()) == ([1, 0, 0, 0, 0], 0)
    assert "pairwise" in {row.name for row in report.make(replace(plain, pairs=pairs)).policies}


def test_a_solution_whose_equation_does_not_hold_hardly_counts() -> None:
    answers = np.array([[1, 1, 0], [1, 1, 0], [1, 1, -1]])
    plain = banks.table(answers, 0 * answers, np.full(answers.shape, 10), claims=0)
    slips = np.array([[1, 2, 0], [1, 0, 0], [1, 1, 0]])
    found = replay(replace(plain, slips=slips), "arithmetic", 3)
    assert found.right.tolist() == [1, 0, 0], "both are wrong, one is left, and there is no other answer"
    assert found.tokens.tolist() == [30, 30, 30], "it costs nothing"
    made = report.make(replace(plain, slips=slips))
    assert "arithmetic" in {row.name for row in made.policies}
    assert made.slips
    assert (made.slips.share.value, made.slips.right_with.value, made.slips.right_without.value) == (5 / 8, 0, 2 / 3)
    assert "Solutions with an equation that does not hold: 62.5%" in show.tables(made, banks.HEADER, [])
    assert "arithmetic" not in {row.name for row in report.make(plain).policies}
