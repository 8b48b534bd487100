"""When sampling more would change nothing, or hardly.

Two rules that are never mixed up: *settled* is arithmetic, *likely* is a probability under a stated prior.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

LIKELY = 0.95
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(128)


def settled(votes: Sequence[int], coming: int) -> bool:
    """Whether `coming` further votes cannot take the lead from the first of `votes` (descending), not even by a tie."""
    rival = votes[1] if len(votes) > 1 else 0
    return bool(votes) and votes[0] > rival + coming


def leading(votes: Sequence[int]) -> float:
    """The probability that the first answer is the one the model gives most often, under a Dirichlet prior.

    Every answer seen has one pseudo-vote, and so has an answer nobody has given yet: 4 votes to none make 31/32.
    A Dirichlet's order is that of independent gamma variables with the same shapes.
    """
    if not votes:
        return 0.0
    shape = votes[0] + 1
    reach = 10 * shape**0.5 + 30  # what lies further from the mean does not count
    low, high = max(0.0, shape - reach), shape + reach
    x = low + (high - low) * (_NODES + 1) / 2
    ahead = np.prod([_below(x, rival) for rival in (*(count + 1 for count in votes[1:]), 1)], axis=0)
    return float(np.sum(_WEIGHTS * _density(x, shape) * ahead) * (high - low) / 2)


def stop(votes: Sequence[int], coming: int) -> Literal["settled", "likely"] | None:
    """Why no further trajectory is needed, if none is."""
    if settled(votes, coming):
        return "settled"
    return "likely" if leading(votes) >= LIKELY else None


def _density(x: NDArray[np.float64], shape: int) -> NDArray[np.float64]:
    """The density of a gamma variable with an integer shape."""
    return np.exp((shape - 1) * np.log(x) - x - math.lgamma(shape))


def _below(x: NDArray[np.float64], shape: int) -> NDArray[np.float64]:
    """Its distribution function."""
    above: NDArray[np.float64] = np.sum([_density(x, at) for at in range(1, shape + 1)], axis=0)
    return 1 - above
