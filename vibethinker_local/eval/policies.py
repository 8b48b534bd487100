"""Policies: ways to choose an answer from the first trajectories of a problem, replayed on a bank.

A bank of K trajectories holds K // k groups of k; each is replayed and the results are averaged, so that a row for a
small k is not less exact than it could be. Weights and ties are those of `reliability.vote`.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from vibethinker_local.eval import confidence
from vibethinker_local.eval.confidence import Setting
from vibethinker_local.eval.table import Bools, Floats, Ints, Table
from vibethinker_local.reliability import stopping, vote
from vibethinker_local.reliability.plan import MOST_SAMPLES

PERMUTED = 16  # how often the weights are shuffled
ALIKE = 1e-9  # sums of weights that differ by less count as equal
RUN = ("examples", "behaviour", "codet")  # policies that need programs that were run
CONSTRAINED = "constraints"  # the reply that follows most of what the prompt states by rule
ASKED = ("behaviour", "codet")  # those that need inputs of the model's own
EXACT = "arithmetic"  # the vote, in which a solution with an equation that does not hold hardly counts
PAIRED = "pairwise"  # of two answers that are close, the one that the model prefers, shown in both orders
CLOSE = 0.5  # of the leader's votes
CHECKED = ("clr", "linear", "mechanical", "model", "permuted", "fitted")  # policies that need claims
STOPPED = "adaptive"  # the vote, ended when it is decided
EXACT_STOPPED = "adaptive-arithmetic"  # both: what calculates wrongly ends no vote, either
STOPPING = (STOPPED, EXACT_STOPPED)  # with no more samples than a pass has: what decides a vote takes long to compute


@dataclass(frozen=True)
class PolicyOutcome:
    """The results of a policy for each of n problems. Shapes (n,)."""

    name: str
    k: int
    right: Floats  # share of replays that were right
    tokens: Floats  # generated, verification included; mean over the replays
    read: Floats  # tokens of prompts for claims and verdicts
    first: Bools  # whether the first replay was right
    rescues: Floats  # share of the replays that were right where the majority of the same k was wrong
    harms: Floats  # the other way round


def replay(
    table: Table, name: str, k: int, calibration: vote.Calibration | None = None, setting: Setting | None = None
) -> PolicyOutcome:
    """A policy with k trajectories. `fitted` needs a calibration, one that weighs by confidence its setting.

    `single` has one trajectory, whatever k is.
    """
    begins = range(0, table.samples - k + 1, k)
    replays = [_replay(table, name, begin, k, calibration, setting) for begin in begins]
    averaged = ("right", "tokens", "read", "rescues", "harms")
    return replace(
        replays[0], **{field: np.mean([getattr(each, field) for each in replays], axis=0) for field in averaged}
    )


def most(name: str, samples: int) -> int:
    """The most trajectories that a policy is replayed with."""
    return min(samples, MOST_SAMPLES) if name in STOPPING else samples


def _replay(
    table: Table, name: str, begin: int, k: int, calibration: vote.Calibration | None, setting: Setting | None
) -> PolicyOutcome:
    """One replay, with the trajectories from `begin` on."""
    part = slice(begin, begin + k)
    cluster, tokens = table.cluster[:, part], table.tokens[:, part].sum(axis=1).astype(np.float64)
    answered = cluster >= 0
    majority = _wins(table, cluster, answered.astype(np.float64))
    read = np.zeros(len(cluster))
    if name == "oracle":
        right = _only(np.any(table.each_right[:, part], axis=1))
    elif name in STOPPING:
        likely = setting[0] if setting else stopping.LIKELY
        weights = _exact(table, part) if name == EXACT_STOPPED else np.ones(cluster.shape)
        voting = np.where(weights < 1, -1, cluster)
        pairs = zip(voting.tolist(), table.tokens[:, part].tolist(), strict=True)
        ended, written = zip(*(_until_decided(tuple(c), tuple(t), likely) for c, t in pairs), strict=True)
        tokens = np.array(written, np.float64)
        right = _only(_wins(table, cluster, np.where(answered & np.array(ended), weights, 0.0)))
    elif name == CONSTRAINED:
        assert table.instructions
        chosen = table.instructions.read_off[:, part].argmax(axis=1)  # of equals, the first
        right = _only(table.each_right[:, part][np.arange(len(chosen)), chosen])
    elif name == "reasc":
        assert setting is not None
        ends, counts = confidence.drawn(table, part, setting)
        seen = np.arange(k) < ends[:, None]
        tokens = np.where(seen, table.tokens[:, part], 0).sum(axis=1).astype(np.float64)
        right = _only(_wins(table, cluster, np.where(seen, counts, 0.0)))
    elif name in confidence.WEIGHING:
        assert setting is not None
        right = _only(_wins(table, cluster, confidence.weights(table, name, part, setting)))
    elif name in RUN:
        right = _only(_program_wins(table, name, part))
        assert table.programs
        tokens += table.programs.ask_tokens if name in ASKED else 0
    elif name == EXACT:
        right = _only(_wins(table, cluster, np.where(answered, _exact(table, part), 0.0)))
    elif name == PAIRED:
        weights, compared = _preferred(table, part)
        right = _only(_wins(table, cluster, weights))
        tokens += 2.0 * compared  # each comparison is one forward pass
        read = compared * 2 * _pair_tokens(table)
    elif name in CHECKED:
        weights = np.where(answered, _weights(table, name, calibration)[:, part], 0.0)
        if name == "permuted":
            rng = np.random.default_rng([begin, k])
            right = np.array([_wins(table, cluster, _dealt(weights, answered, rng)) for _ in range(PERMUTED)])
        else:
            right = _only(_wins(table, cluster, weights))
        cost = table.claim_tokens + (0 if name == "mechanical" else table.verdict_tokens)
        contested = (cluster.max(axis=1, initial=-1) > _lowest(cluster)).astype(np.float64)
        tokens += contested * cost[:, part].sum(axis=1)
        read = contested * table.read_tokens[:, part].sum(axis=1)
    else:
        right = _only(majority)
    return PolicyOutcome(
        name,
        k,
        right=right.mean(axis=0),
        tokens=tokens,
        read=read,
        first=np.asarray(right[0], np.bool_),
        rescues=(right & ~majority).mean(axis=0),
        harms=(~right & majority).mean(axis=0),
    )


def _exact(table: Table, part: slice) -> Floats:
    """(n, k): what trajectories count where arithmetic alone checks them."""
    assert table.slips is not None
    return np.where(table.slips[:, part], vote.arithmetic(0, 0), vote.arithmetic(1, 0))


def _program_wins(table: Table, name: str, part: slice) -> Bools:
    """(n,): whether the chosen program is right: the first of those that pass the most examples, or of their weightiest
    behaviour; CodeT's weight is the number of its programs times its assertions that hold."""
    programs = table.programs
    assert programs
    right = np.zeros(len(table.cluster), np.bool_)
    for row, cluster in enumerate(table.cluster[:, part].tolist()):
        passed, held = programs.passed[row, part], programs.held[row, part]
        there = [at for at, number in enumerate(cluster) if number >= 0]
        best = [at for at in there if passed[at] == max(passed[at] for at in there)]
        if not best:
            continue
        chosen = best[0]
        if name in ASKED:
            members = {number: [at for at in best if cluster[at] == number] for number in {cluster[at] for at in best}}
            weight = {n: len(m) * (1 + (held[m[0]] if name == "codet" else 0)) for n, m in members.items()}
            chosen = members[max(members, key=lambda n: (weight[n], -members[n][0]))][0]
        right[row] = programs.right[row, part][chosen]
    return right


def _preferred(table: Table, part: slice) -> tuple[Floats, Bools]:
    """(n, k): votes, those of the answer that lost a comparison left out; (n,): whether two answers were compared."""
    assert table.pairs is not None
    cluster = table.cluster[:, part]
    weights = (cluster >= 0).astype(np.float64)
    compared = np.zeros(len(cluster), np.bool_)
    for row, (one, other, p) in enumerate(table.pairs.tolist()):
        votes = Counter(number for number in cluster[row].tolist() if number >= 0).most_common(3)
        if np.isnan(p) or len(votes) < 2 or votes[1][1] < CLOSE * votes[0][1]:
            continue
        sides = [int(table.cluster[row, int(at)]) for at in (one, other)]
        if {number for number, _ in votes[:2]} == set(sides):
            compared[row] = True
            weights[row, cluster[row] == sides[p >= 0.5]] = 0.0
    return weights, compared


def _pair_tokens(table: Table) -> Floats:
    """(n,): tokens of the two solutions that were compared; 0 where none were."""
    assert table.pairs is not None
    rows, there = np.arange(len(table.pairs)), ~np.isnan(table.pairs[:, 2])
    places = np.where(there[:, None], table.pairs[:, :2], 0).astype(np.int64)
    return np.where(there, table.tokens[rows, places[:, 0]] + table.tokens[rows, places[:, 1]], 0).astype(np.float64)


def _only(right: Bools) -> Bools:
    """One replay in the form of several."""
    return right[None, :]


def _lowest(cluster: Ints) -> Ints:
    """(n,): the lowest cluster number among the answers; if there is no answer, one above all."""
    return np.asarray(np.where(cluster >= 0, cluster, np.iinfo(np.int64).max).min(axis=1))


def _weights(table: Table, name: str, calibration: vote.Calibration | None) -> Floats:
    """(n, K): the weight of each trajectory."""
    by = {"mechanical": "arithmetic", "model": "model"}.get(name, "either")
    standing = table.standing(by)
    weight: Callable[[float, int], float] = vote.clr
    if name == "linear":
        weight = _linear
    elif name == "fitted":
        assert calibration is not None
        weight = calibration
    values, places = np.unique(standing, return_inverse=True)
    found = np.array([weight(float(share), table.claims) for share in values])[places].reshape(standing.shape)
    if table.computed is None:
        return found
    reasoned = table.answered & ~table.computed  # programs have no claims, and count as the others do on average
    mean = (found * reasoned).sum(axis=1, keepdims=True) / np.maximum(1, reasoned.sum(axis=1, keepdims=True))
    return np.where(table.computed, np.where(mean > 0, mean, 1.0), found)


def _linear(share: float, claims: int) -> float:
    return max(vote.FLOOR, share)


def _wins(table: Table, cluster: Ints, weights: Floats) -> Bools:
    """(n,): whether the answer with the largest weight is right; ties go to the one that appeared first."""
    n, k = cluster.shape
    rows = np.arange(n)
    sums = np.zeros(table.right.shape)
    first = np.full(table.right.shape, k)
    for at in range(k):
        voting = (cluster[:, at] >= 0) & (weights[:, at] > 0)
        who = rows[voting], cluster[voting, at]
        sums[who] += weights[voting, at]
        first[who] = np.minimum(first[who], at)
    leading = (sums >= sums.max(axis=1, keepdims=True) - ALIKE) & (first < k)
    chosen = np.where(leading, first, k).argmin(axis=1)
    return np.asarray(table.right[rows, chosen] & leading.any(axis=1))


def _dealt(weights: Floats, answered: Bools, rng: np.random.Generator) -> Floats:
    """The same weights, shuffled within each problem among the trajectories that have an answer."""
    order = np.argsort(np.where(answered, rng.random(weights.shape), 2.0), axis=1)
    places = np.argsort(~answered, axis=1, kind="stable")
    dealt = np.zeros_like(weights)
    np.put_along_axis(dealt, places, np.take_along_axis(weights, order, axis=1), axis=1)
    return dealt


@cache
def _until_decided(cluster: tuple[int, ...], tokens: tuple[int, ...], likely: float) -> tuple[tuple[bool, ...], int]:
    """Which trajectories end before the vote does, and how many tokens all have by then, those cut off included.

    They run as in the reliability pass, a few at once, each as fast as the others, so that short ones vote first.
    """
    ahead, left, votes = list(range(len(cluster))), dict[int, int](), Counter[int]()
    ended, written = [False] * len(cluster), 0
    while True:
        ranking = sorted(votes.values(), reverse=True)
        if stopping.stop(ranking, len(ahead) + len(left), likely):
            break
        while ahead and len(left) < stopping.AT_ONCE and not stopping.suffices(ranking, len(left), len(ahead), likely):
            at = ahead.pop(0)
            left[at] = tokens[at]
        if not left:
            break
        step = min(left.values())
        written += step * len(left)
        for at in [at for at, more in left.items() if more == step]:
            ended[at] = True
            if cluster[at] >= 0:
                votes[cluster[at]] += 1
        left = {at: more - step for at, more in left.items() if more > step}
    return tuple(ended), written
