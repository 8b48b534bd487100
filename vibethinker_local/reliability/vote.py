"""The weighted vote: what a trajectory counts after its claims were checked, and which answer wins.

CLR (VibeThinker-3B report, arXiv 2606.16140, section 3.1): r = (mean over M claims of v) ** M, v = 1 for a claim that
stands; the answer with the largest sum of r wins, ties go to the earliest trajectory.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from vibethinker_local.events import AnswerCluster, Claim, PassMode
from vibethinker_local.reliability.clusters import Cluster

FLOOR = 0.02  # of a weight: all claims refuted everywhere leaves the plain vote
Weight = Callable[[float, int], float]  # of the share of claims that stand, and their number


@dataclass(frozen=True)
class Calibration:
    """A logistic weight, fitted on other problems for one model file, prompts and K."""

    intercept: float
    slope: float

    def __call__(self, share: float, claims: int) -> float:
        return 1 / (1 + math.exp(-(self.intercept + self.slope * share)))


def published(share: float, claims: int) -> float:
    return float(share**claims)


def clr(share: float, claims: int) -> float:
    return max(FLOOR, published(share, claims))


def arithmetic(share: float, claims: int) -> float:
    """One equation that does not hold is enough."""
    return 1.0 if share >= 1 else FLOOR


def weight_of(mode: PassMode, calibration: Calibration | None) -> Weight:
    """Raises ValueError if `fitted` has no calibration."""
    match mode:
        case "majority":
            return lambda share, claims: 1.0
        case "arithmetic":
            return arithmetic
        case "clr":
            return clr
        case "published":
            return published
        case "fitted":
            if calibration is None:
                raise ValueError("the mode fitted needs a calibration")
            return calibration


def standing(claims: Sequence[Claim], wanted: int) -> float:
    """The share of `wanted` claims that stand. One that is missing was not refuted, nor was one without a verdict."""
    refuted = sum(claim.verdict is not None and claim.verdict.ruling == "refuted" for claim in claims[:wanted])
    return 1 - refuted / wanted


def weights(standings: Mapping[int, float], answered: Iterable[int], claims: int, weight: Weight) -> dict[int, float]:
    """The weight of each answered trajectory; one that was not checked counts as the average of those that were."""
    checked = {index: weight(share, claims) for index, share in standings.items()}
    average = sum(checked.values()) / len(checked) if checked else 1.0
    return {index: checked.get(index, average) for index in answered}


def ranked(clusters: Iterable[Cluster], weights: Mapping[int, float], order: Sequence[int]) -> list[AnswerCluster]:
    """Clusters by weight, the largest first; ties go to the one with the trajectory that is earliest in `order`."""
    place = {index: at for at, index in enumerate(order)}
    weighted = [
        AnswerCluster(c.answer, tuple(sorted(c.members)), math.fsum(weights[m] for m in c.members)) for c in clusters
    ]
    return sorted(weighted, key=lambda c: (-c.weight, min(place[m] for m in c.members)))
