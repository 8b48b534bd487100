"""What else a bank shows: what a better choice could gain, and how well votes and verdicts predict the truth."""

from dataclasses import dataclass

import numpy as np

from vibethinker_local.eval import statistics
from vibethinker_local.eval.policies import replay
from vibethinker_local.eval.statistics import Interval
from vibethinker_local.eval.table import Bools, Floats, Table

BINS = 10  # of the reliability diagram
HEADROOM = 8  # trajectories to choose from, when asking what a better choice could gain


@dataclass(frozen=True)
class Verifier:
    """How verdicts differ between right and wrong trajectories. Whether the claims themselves are true is unknown."""

    auroc: Interval  # mean p(VALID), of all right trajectories against all wrong ones
    auroc_within: Interval  # against wrong ones of the same problem
    right_refuted: Interval  # share of right trajectories with a refuted claim
    wrong_passed: Interval  # share of wrong trajectories without one
    refuted: Interval  # share of all claims
    refuted_by_arithmetic: Interval
    coverage: Interval  # where answers differ: share of trajectories with an answer whose claims all got a verdict


@dataclass(frozen=True)
class Bin:
    """The problems whose vote share lies in one range."""

    low: float
    high: float
    problems: int
    share: float  # mean vote share
    accuracy: float


@dataclass(frozen=True)
class VoteShare:
    """How often the majority is right, by its share of the votes; over all trajectories."""

    brier: Interval
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class Headroom:
    """The most that a better choice could gain."""

    k: int
    difference: Interval  # oracle - majority: problems with a wrong majority and a right candidate
    of_wrong: Interval  # the same as a share of the wrong majorities


@dataclass(frozen=True)
class Slips:
    """What equations that do not hold say of the solutions that have them."""

    share: Interval  # of the solutions with an answer: those with one
    right_with: Interval  # share of these that are right all the same
    right_without: Interval  # of the others


def slips(table: Table) -> Slips | None:
    """None where no solution has any, or nobody looked."""
    if table.slips is None or not table.slipped:
        return None
    has, answered, right = table.slips > 0, table.answered, table.each_right

    return Slips(_share(has, answered), _share(right, answered & has), _share(right, answered & ~has))


def _share(of: Bools, among: Bools) -> Interval:
    """The share of the trajectories in `among` for which `of` is true. Shapes (n, K)."""
    return statistics.ratio((of & among).sum(axis=1).astype(float), among.sum(axis=1).astype(float))


def headroom(table: Table) -> Headroom:
    k = min(HEADROOM, table.samples)
    oracle, majority = replay(table, "oracle", k), replay(table, "majority", k)
    gain = oracle.right - majority.right
    return Headroom(k, statistics.means(gain[None])[0], statistics.ratio(gain, 1 - majority.right))


def votes(table: Table) -> VoteShare:
    counts = np.zeros(table.right.shape)
    rows = np.arange(len(counts))
    for at in range(table.samples):
        voting = table.cluster[:, at] >= 0
        counts[rows[voting], table.cluster[voting, at]] += 1
    share = counts.max(axis=1) / table.samples
    right = replay(table, "majority", table.samples).right
    brier = statistics.means(((share - right) ** 2)[None])[0]
    number = np.minimum((share * BINS).astype(int), BINS - 1)
    bins = [
        Bin(i / BINS, (i + 1) / BINS, int(inside.sum()), float(share[inside].mean()), float(right[inside].mean()))
        for i in range(BINS)
        if (inside := number == i).any()
    ]
    return VoteShare(brier, tuple(bins))


def signals(table: Table) -> dict[str, Interval]:
    """The AUROC of each signal, right trajectories against wrong ones of the same problem; empty without signals."""
    return {name: _within(values, table) for name, values in table.signals.items()}


def _within(scores: Floats, table: Table) -> Interval:
    """The chance that a right trajectory scores higher than a wrong one of the same problem. NaN scores are ignored."""
    answered, right = table.answered & ~np.isnan(scores), table.each_right
    pairs = (right & answered)[:, :, None] & (answered & ~right)[:, None, :]
    with np.errstate(invalid="ignore"):
        higher = scores[:, :, None] - scores[:, None, :]
    won = np.where(pairs, (higher > 0) + 0.5 * (higher == 0), 0.0).sum(axis=(1, 2))
    return statistics.ratio(won, pairs.sum(axis=(1, 2)).astype(float))


def verifier(table: Table) -> Verifier:
    answered, right = table.answered, table.each_right
    wrong = answered & ~right
    p = np.where(answered, table.p, np.nan)
    touched = table.refuted["either"] > 0
    asked = (table.asked * answered).sum(axis=1).astype(float)

    return Verifier(
        auroc=statistics.auroc(p, right),
        auroc_within=_within(p, table),
        right_refuted=_share(touched, right & (table.asked > 0)),
        wrong_passed=_share(~touched, wrong & (table.asked > 0)),
        refuted=statistics.ratio((table.refuted["either"] * answered).sum(axis=1).astype(float), asked),
        refuted_by_arithmetic=statistics.ratio(
            (table.refuted["arithmetic"] * answered).sum(axis=1).astype(float), asked
        ),
        coverage=_share(table.covered, answered & table.contested[:, None]),
    )
