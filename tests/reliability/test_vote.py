"""The formulas, against values worked out by hand."""

import math

import pytest

from vibethinker_local.events import Claim, Ruling, Verdict
from vibethinker_local.reliability import vote
from vibethinker_local.reliability.clusters import Cluster


def claims(*rulings: Ruling | None) -> list[Claim]:
    return [Claim("c", Verdict(ruling, "model") if ruling else None) for ruling in rulings]


def test_the_weight_is_the_share_of_standing_claims_to_the_power_of_their_number() -> None:
    share = vote.standing(claims("supported", "refuted", "supported", "supported", "refuted"), 5)
    assert share == pytest.approx(0.6)
    assert vote.published(share, 5) == pytest.approx(0.6**5) == pytest.approx(0.07776)
    assert vote.clr(share, 5) == pytest.approx(0.07776)
    assert vote.clr(0.2, 5) == vote.FLOOR  # 0.00032
    assert vote.published(0.0, 5) == 0.0


def test_an_unreadable_verdict_and_a_missing_claim_count_as_valid() -> None:
    assert vote.standing(claims("undecided", "supported", "refuted"), 5) == pytest.approx(0.8)
    assert vote.standing([], 5) == 1.0
    assert vote.standing(claims(None), 1) == 1.0


def test_more_claims_than_wanted_do_not_count() -> None:
    assert vote.standing(claims("supported", "supported", "refuted"), 2) == 1.0


def test_the_largest_sum_wins_against_the_most_votes() -> None:
    """Three votes of (2/5)^5 = 0.01024 against one of (4/5)^5 = 0.32768."""
    clusters = [Cluster("9", (0, 1, 3)), Cluster("17", (2,))]
    weights = vote.weights({0: 0.4, 1: 0.4, 2: 0.8, 3: 0.4}, range(4), 5, vote.published)
    ranked = vote.ranked(clusters, weights, range(4))
    assert [cluster.answer for cluster in ranked] == ["17", "9"]
    assert [cluster.weight for cluster in ranked] == pytest.approx([0.32768, 3 * 0.01024])
    assert [cluster.votes for cluster in ranked] == [1, 3]


def test_the_floor_turns_all_refuted_into_the_plain_vote() -> None:
    clusters = [Cluster("1", (0,)), Cluster("2", (1, 2))]
    nothing = dict.fromkeys(range(3), 0.0)
    assert vote.ranked(clusters, vote.weights(nothing, range(3), 5, vote.clr), range(3))[0].answer == "2"
    published = vote.ranked(clusters, vote.weights(nothing, range(3), 5, vote.published), range(3))
    assert (published[0].answer, published[0].weight) == ("1", 0.0)  # all-zero: the earliest sampled


def test_ties_go_to_the_earliest_sampled() -> None:
    clusters = [Cluster("late", (2, 3)), Cluster("early", (0, 1))]  # as they ended
    assert vote.ranked(clusters, dict.fromkeys(range(4), 1.0), range(4))[0].answer == "early"
    ranked = vote.ranked([Cluster("1", (3, 0)), Cluster("2", (2, 1))], dict.fromkeys(range(4), 1.0), [3, 1, 2, 0])
    assert [(cluster.answer, cluster.members) for cluster in ranked] == [("1", (0, 3)), ("2", (1, 2))]


def test_what_was_not_checked_counts_as_the_average_of_what_was() -> None:
    assert vote.weights({0: 1.0, 1: 0.5}, range(3), 1, vote.published) == {0: 1.0, 1: 0.5, 2: 0.75}
    assert vote.weights({}, range(2), 5, vote.clr) == {0: 1.0, 1: 1.0}


def test_fitted_is_logistic() -> None:
    weight = vote.weight_of("fitted", vote.Calibration(intercept=-1.0, slope=3.0))
    assert weight(0.5, 5) == pytest.approx(1 / (1 + math.exp(-0.5)))
    with pytest.raises(ValueError, match="calibration"):
        vote.weight_of("fitted", None)


def test_one_equation_that_does_not_hold_is_enough() -> None:
    weight = vote.weight_of("arithmetic", None)
    assert (weight(1.0, 5), weight(0.8, 5)) == (1.0, vote.FLOOR)


def test_majority_weighs_all_the_same() -> None:
    assert vote.weight_of("majority", None)(0.0, 5) == 1.0
