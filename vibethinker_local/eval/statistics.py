"""Intervals and tests. Problems are the random sample, so problems are resampled; seeds are fixed."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from vibethinker_local.eval.table import Bools, Floats

RESAMPLES = 4000
FEW = 1000  # resamples, for figures that take long to compute
IN_MEMORY = 4_000_000  # numbers held at once while resampling


@dataclass(frozen=True)
class Interval:
    """A figure with its 95% interval; NaN if there is no data for it."""

    value: float
    low: float
    high: float


@cache
def resamples(n: int, count: int = RESAMPLES) -> Floats:
    """(count, n): how often each of n problems is drawn. Deterministic."""
    rng = np.random.default_rng(0)
    counts = np.empty((count, n), np.float64)
    for row in counts:
        row[:] = np.bincount(rng.integers(n, size=n), minlength=n)
    return counts


def estimate(value: float, resampled: Floats) -> Interval:
    """The percentile interval."""
    if not np.isfinite(resampled).any():
        return Interval(value, math.nan, math.nan)
    low, high = np.nanpercentile(resampled, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def means(values: Floats) -> list[Interval]:
    """The mean of each row of `values`, (m, n) by problems; the rows are resampled together."""
    n = values.shape[1]
    resampled = resamples(n) @ values.T / n
    return [estimate(float(row.mean()), each) for row, each in zip(values, resampled.T, strict=True)]


def ratio(over: Floats, under: Floats) -> Interval:
    """The sum of `over` divided by the sum of `under`, both (n,) by problem."""
    counts = resamples(len(over))
    with np.errstate(divide="ignore", invalid="ignore"):
        resampled = (counts @ over) / (counts @ under)
    total = float(under.sum())
    return estimate(float(over.sum()) / total if total else math.nan, resampled)


def mcnemar(left: Bools, right: Bools) -> float:
    """The exact two-sided p of McNemar's test. The null hypothesis: pairs differ equally often in both directions."""
    one, other = int(np.sum(left & ~right)), int(np.sum(~left & right))
    differing = one + other
    tail = sum(math.comb(differing, i) for i in range(min(one, other) + 1))
    return min(1.0, float(2 * tail / 2**differing))


def auroc(scores: Floats, positive: Bools) -> Interval:
    """The chance that a positive scores higher than a negative, ties counted half. All (n, K); NaN scores are ignored.

    Problems are resampled with all that belongs to them.
    """
    known = ~np.isnan(scores)
    rows = np.nonzero(known)[0]
    order = np.argsort(scores[known], kind="stable")
    sorted_scores, rows, positives = scores[known][order], rows[order], positive[known][order]
    if not len(order):
        return Interval(math.nan, math.nan, math.nan)
    begins = np.flatnonzero(np.diff(sorted_scores, prepend=-np.inf) > 0)  # of each run of equal scores

    def areas(counts: Floats) -> Floats:
        weights = counts[:, rows]
        ups = np.add.reduceat(np.where(positives, weights, 0), begins, axis=1)
        downs = np.add.reduceat(np.where(positives, 0, weights), begins, axis=1)
        below = np.cumsum(downs, axis=1, dtype=np.float64) - downs / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((ups * below).sum(axis=1) / (ups.sum(axis=1) * downs.sum(axis=1)))

    n = len(scores)
    at_once = max(1, IN_MEMORY // len(order))
    counts = resamples(n, FEW)
    resampled = [areas(counts[begin : begin + at_once]) for begin in range(0, FEW, at_once)]
    return estimate(float(areas(np.ones((1, n), np.float64))[0]), np.concatenate(resampled))
