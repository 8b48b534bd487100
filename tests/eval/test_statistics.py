"""The statistics against SciPy's, and on banks whose truth is known."""

import math

import numpy as np
import pytest

from tests.eval import banks
from vibethinker_local.eval import statistics
from vibethinker_local.eval.policies import replay
from vibethinker_local.eval.report import contrast
from vibethinker_local.eval.table import Bools

BANKS = 200


def test_mcnemar_is_scipys_binomial_test() -> None:
    from scipy import stats  # only now: it takes seconds to import

    rng = np.random.default_rng(0)
    for n in (1, 5, 30, 400, 3000):
        left, right = rng.random((2, n)) < 0.6
        one, other = int((left & ~right).sum()), int((~left & right).sum())
        expected = stats.binomtest(one, one + other).pvalue if one + other else 1.0
        assert statistics.mcnemar(left, right) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_by_hand() -> None:
    left = np.array([True] * 5 + [False] * 5)
    right = np.array([True] * 5 + [True] * 4 + [False])
    assert statistics.mcnemar(left, right) == pytest.approx(2 / 16)
    assert statistics.mcnemar(left, left) == 1.0


def test_intervals_are_scipys_percentile_bootstrap() -> None:
    from scipy import stats  # only now: it takes seconds to import

    rng = np.random.default_rng(1)
    for n in (40, 400):
        one, other = rng.normal(0.7, 1, n), rng.normal(0.6, 1, n)
        found = statistics.means((one - other)[None])[0]
        theirs = stats.bootstrap(
            (one, other),
            lambda a, b, axis: a.mean(axis) - b.mean(axis),
            paired=True,
            n_resamples=9999,
            method="percentile",
            rng=np.random.default_rng(2),
        ).confidence_interval
        error = float((one - other).std()) / math.sqrt(n)
        assert found.value == pytest.approx(float((one - other).mean()))
        assert found.low == pytest.approx(theirs.low, abs=0.15 * error)
        assert found.high == pytest.approx(theirs.high, abs=0.15 * error)


def test_auroc_is_scipys_rank_statistic() -> None:
    from scipy import stats  # only now: it takes seconds to import

    rng = np.random.default_rng(3)
    positive = rng.random((60, 8)) < 0.5
    scores = np.round(rng.normal(positive, 1.5), 1)  # with ties
    scores[rng.random(scores.shape) < 0.1] = np.nan
    known = ~np.isnan(scores)
    ups, downs = scores[known & positive], scores[known & ~positive]
    expected = stats.mannwhitneyu(ups, downs).statistic / (len(ups) * len(downs))
    found = statistics.auroc(scores, positive)
    assert found.value == pytest.approx(expected)
    assert found.low < found.value < found.high


def test_what_cannot_be_told_is_not_a_number() -> None:
    nothing = statistics.auroc(np.full((4, 2), np.nan), np.ones((4, 2), np.bool_))
    assert math.isnan(nothing.value)
    assert math.isnan(statistics.auroc(np.ones((4, 2)), np.ones((4, 2), np.bool_)).value), "no negative one"
    assert math.isnan(statistics.ratio(np.zeros(4), np.zeros(4)).value)


@pytest.mark.slow
def test_equal_policies_differ_by_nothing_in_95_percent_of_the_banks() -> None:
    """Verdicts that know nothing: the weights are as good as the same weights dealt out at random."""
    covered = 0
    for seed in range(BANKS):
        table = banks.drawn(150, 8, np.random.default_rng(seed))
        found = contrast("", replay(table, "clr", 8), replay(table, "permuted", 8))
        covered += found.low <= 0 <= found.high
    assert 0.91 <= covered / BANKS <= 0.985  # 95%, give or take 2.6 standard errors


def test_equal_accuracies_in_95_percent_of_the_banks() -> None:
    covered = rejected = 0
    for seed in range(BANKS):
        one, other = _pair(300, np.random.default_rng(seed), gained=0.06, lost=0.06)
        found = statistics.means((one.astype(float) - other)[None])[0]
        covered += found.low <= 0 <= found.high
        rejected += statistics.mcnemar(one, other) < 0.05
    assert 0.91 <= covered / BANKS <= 0.985
    assert rejected / BANKS <= 0.08, "an exact test is wrong at most that often"


def test_a_gain_of_five_points_is_found_as_often_as_it_should_be() -> None:
    from scipy import stats  # only now: it takes seconds to import

    gained, lost, n = 0.08, 0.03, 300
    error = math.sqrt((gained + lost - (gained - lost) ** 2) / n)
    expected = stats.norm.sf(1.96 - (gained - lost) / error)  # about 74%
    found = 0
    for seed in range(BANKS):
        one, other = _pair(n, np.random.default_rng(seed), gained=gained, lost=lost)
        found += statistics.means((one.astype(float) - other)[None])[0].low > 0
    assert found / BANKS == pytest.approx(expected, abs=3 * math.sqrt(expected * (1 - expected) / BANKS))


def _pair(n: int, rng: np.random.Generator, *, gained: float, lost: float) -> tuple[Bools, Bools]:
    """Whether each of n problems is solved by two policies that differ this often, one way and the other."""
    kind = rng.choice(3, size=n, p=[gained, lost, 1 - gained - lost])
    both = rng.random(n) < 0.6
    return (kind == 0) | ((kind == 2) & both), (kind == 1) | ((kind == 2) & both)
