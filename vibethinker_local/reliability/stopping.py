"""When sampling more would change nothing, or hardly.

Two rules that are never mixed up: *settled* is arithmetic, *likely* is a probability under a stated prior.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # imported where a vote is in doubt: it takes a moment, and one solution has none
    import numpy as np
    from numpy.typing import NDArray

LIKELY = 0.95
NODES = 128  # at which an integral is evaluated


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
    import numpy as np

    shape = votes[0] + 1
    reach = 10 * shape**0.5 + 30  # what lies further from the mean does not count
    low, high = max(0.0, shape - reach), shape + reach
    nodes, weights = _quadrature()
    x = low + (high - low) * (nodes + 1) / 2
    ahead = np.prod([_below(x, rival) for rival in (*(count + 1 for count in votes[1:]), 1)], axis=0)
    return float(np.sum(weights * _density(x, shape) * ahead) * (high - low) / 2)


def stop(votes: Sequence[int], coming: int) -> Literal["settled", "likely"] | None:
    """Why no further trajectory is needed, if none is."""
    if settled(votes, coming):
        return "settled"
    return "likely" if leading(votes) >= LIKELY else None


@cache
def _quadrature() -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Gauss and Legendre's nodes between -1 and 1, with their weights. Shapes (NODES,)."""
    import numpy as np

    return np.polynomial.legendre.leggauss(NODES)


def _density(x: "NDArray[np.float64]", shape: int) -> "NDArray[np.float64]":
    """The density of a gamma variable with an integer shape."""
    import numpy as np

    return np.exp((shape - 1) * np.log(x) - x - math.lgamma(shape))


def _below(x: "NDArray[np.float64]", shape: int) -> "NDArray[np.float64]":
    """Its distribution function."""
    import numpy as np

    above: NDArray[np.float64] = np.sum([_density(x, at) for at in range(1, shape + 1)], axis=0)
    return 1 - above
