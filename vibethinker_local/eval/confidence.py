"""Policies that weigh votes by how sure the model was while it wrote, which costs nothing but to look.

Confidence is compared within a problem: between problems it tells how hard they are, and not which answer is right.
Each policy has one setting, chosen from a short list on one half of the problems and tried on the other.
"""

from collections.abc import Callable
from functools import cache

import numpy as np

from vibethinker_local.eval.fit import logistic
from vibethinker_local.eval.table import Bools, Floats, Ints, Table

Setting = tuple[float, ...]  # of one policy
SHARES = (1.0, 0.75, 0.5, 0.25)  # of the trajectories: those that `confidence` counts
TEMPERATURES = (4.0, 2.0, 1.0, 0.5)  # of a softmax over values in standard deviations
LAMBDAS = (0.1, 0.25, 0.5, 1.0)  # of `delta`
QUANTILES = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5)  # of lowest-window confidence: above, `reasc` accepts one trajectory
SURE = 0.95  # the posterior probability at which `reasc` stops
GRIDS: dict[str, tuple[float, ...]] = {
    "confidence": SHARES,
    "cisc": TEMPERATURES,
    "consilience": TEMPERATURES,
    "delta": LAMBDAS,
}
WEIGHING = (*GRIDS, "logistic")
FEATURES = 6
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(64)


def weights(table: Table, name: str, part: slice, setting: Setting) -> Floats:
    """(n, k): what each of some trajectories counts; 0 without an answer."""
    answered = table.cluster[:, part] >= 0
    found = _POLICIES[name](table, part, setting)
    return np.where(answered, found, 0.0)


def _confidence(table: Table, part: slice, setting: Setting) -> Floats:
    """DeepConf, offline (arXiv 2508.15260): the surest trajectories alone, each counted by its tail's confidence."""
    answered, tail = table.cluster[:, part] >= 0, table.signals["tail"][:, part]
    place = np.argsort(np.argsort(np.where(answered, -tail, np.inf), axis=1, kind="stable"), axis=1)
    kept = place < np.ceil(setting[0] * answered.sum(axis=1, keepdims=True))
    return np.where(kept, tail, 0.0)


def _cisc(table: Table, part: slice, setting: Setting) -> Floats:
    """CISC (arXiv 2502.06233): a softmax of the mean log-probability within the problem."""
    return np.asarray(np.exp(_standard(table, "logprob", part) / setting[0]))


def _consilience(table: Table, part: slice, setting: Setting) -> Floats:
    """Consilience (arXiv 2608.09898): surer at its end than at its start."""
    return np.asarray(np.exp(_standard(table, "gain", part) / setting[0]))


def _delta(table: Table, part: slice, setting: Setting) -> Floats:
    """ARBITER-Δ (arXiv 2605.26172): log votes + λ · the mean evidence for an answer, as weights that multiply to it."""
    evidence, cluster = _standard(table, "tail", part), table.cluster[:, part]
    alike = (cluster[:, :, None] == cluster[:, None, :]) & (cluster >= 0)[:, None, :]
    mean = (alike * evidence[:, None, :]).sum(axis=2) / np.maximum(1, alike.sum(axis=2))
    return np.asarray(np.exp(setting[0] * mean))


def _logistic(table: Table, part: slice, setting: Setting) -> Floats:
    """The probability that a trajectory is right, by a logistic regression on its signals."""
    return np.asarray(1 / (1 + np.exp(-features(table, part) @ np.array(setting))))


_POLICIES: dict[str, Callable[[Table, slice, Setting], Floats]] = {
    "confidence": _confidence,
    "cisc": _cisc,
    "consilience": _consilience,
    "delta": _delta,
    "logistic": _logistic,
}


def features(table: Table, part: slice) -> Floats:
    """(n, k, FEATURES): a constant, and signals in standard deviations within the problem."""
    named = [_standard(table, name, part) for name in ("logprob", "tail", "lowest", "certainty", "gain")]
    return np.stack([np.ones(named[0].shape), *named], axis=2)


def fitted(table: Table) -> Setting | None:
    """The weights of `logistic`; None where the trajectories with an answer are all right, or all wrong."""
    answered, whole = table.answered, slice(0, table.samples)
    right = table.each_right[answered].astype(np.float64)
    if not right.size or right.min() == right.max():
        return None
    return tuple(map(float, logistic(features(table, whole)[answered], right)))


def thresholds(table: Table) -> list[float]:
    """The settings of `reasc`: quantiles of lowest-window confidence, the one that no trajectory reaches first."""
    lowest = table.signals["lowest"][table.answered]
    return [np.inf, *(float(np.quantile(lowest, quantile)) for quantile in QUANTILES if lowest.size)]


def drawn(table: Table, part: slice, setting: Setting) -> tuple[Ints, Floats]:
    """ReASC (arXiv 2601.02970): how many trajectories are drawn, (n,), and what each counts, (n, k).

    The first alone, if its lowest window is sure enough; else until the leader is ahead with probability SURE, under a
    Beta posterior whose counts are weighted by confidence.
    """
    lowest, cluster = table.signals["lowest"][:, part], table.cluster[:, part]
    mean = float(np.mean(table.signals["lowest"][table.answered])) if table.answered.any() else 1.0
    counts = np.where(cluster >= 0, lowest / max(mean, 1e-9), 0.0)
    ends = [_ends(c, w, low, setting[0]) for c, w, low in zip(cluster, counts, lowest[:, 0], strict=True)]
    return np.array(ends, np.int64), counts


def _ends(cluster: Ints, counts: Floats, first: float, threshold: float) -> int:
    if cluster[0] >= 0 and first >= threshold:
        return 1
    sums = dict[int, float]()
    for at, (answer, count) in enumerate(zip(cluster.tolist(), counts.tolist(), strict=True), 1):
        if answer >= 0:
            sums[answer] = sums.get(answer, 0.0) + count
        best, second = [*sorted(sums.values(), reverse=True), 0.0, 0.0][:2]
        if at > 1 and best and _ahead(round(best, 2), round(second, 2)) >= SURE:
            return at
    return len(cluster)


@cache
def _ahead(best: float, second: float) -> float:
    """The probability that a share is above one half, under Beta(best + 1, second + 1)."""

    def mass(low: float, high: float) -> float:
        x = low + (high - low) * (_NODES + 1) / 2
        return float(np.sum(_NODE_WEIGHTS * x**best * (1 - x) ** second) * (high - low) / 2)

    above = mass(0.5, 1.0)
    return above / (above + mass(0.0, 0.5))


def _standard(table: Table, name: str, part: slice) -> Floats:
    """(n, k): a signal in standard deviations from the problem's mean, over trajectories with an answer; 0 without."""
    answered: Bools = table.cluster[:, part] >= 0
    values = np.where(answered, table.signals[name][:, part], 0.0)
    count = np.maximum(1, answered.sum(axis=1, keepdims=True))
    apart = np.where(answered, values - values.sum(axis=1, keepdims=True) / count, 0.0)
    deviation = np.sqrt((apart**2).sum(axis=1, keepdims=True) / count)
    return apart / np.where(deviation > 1e-9, deviation, 1.0)
