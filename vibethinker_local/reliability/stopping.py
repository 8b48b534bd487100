"""When sampling more would change nothing, or hardly.

Two rules that are never mixed up: *settled* is arithmetic, *likely* is a probability under a stated prior.
"""

from collections.abc import Sequence
from functools import cache
from math import comb
from operator import mul
from typing import Literal

LIKELY = 0.95  # where nothing was measured of a model that says otherwise
AT_ONCE = 4  # solutions, at most: more would be wasted where a vote ends soon


def settled(votes: Sequence[int], coming: int) -> bool:
    """Whether `coming` further votes cannot take the lead from the first of `votes` (descending), not even by a tie."""
    rival = votes[1] if len(votes) > 1 else 0
    return bool(votes) and votes[0] > rival + coming


def stays(votes: Sequence[int], coming: int) -> float:
    """The probability that the first of `votes` (descending) is ahead of all others when `coming` more are in.

    Under a flat Dirichlet prior on how often the model gives each answer: those seen, and one that nobody has given
    yet. The votes to come are then drawn from Pólya's urn: n more for an answer with v can come in C(v + n, n) ways.
    Three votes to none make 0.96 if five are to come, 0.95 if thirteen are; two make 0.88 if six are.
    """
    return _stays(tuple(votes), coming) if votes else 0.0


def stop(votes: Sequence[int], coming: int, likely: float = LIKELY) -> Literal["settled", "likely"] | None:
    """Why no further trajectory is needed, if none is; `likely` is the probability that is enough."""
    if settled(votes, coming):
        return "settled"
    return "likely" if stays(votes, coming) >= likely else None


def suffices(votes: Sequence[int], running: int, ahead: int, likely: float = LIKELY) -> bool:
    """Whether those running are enough for now, with `ahead` not yet begun: no two answers differ, and the vote ends if
    all of them agree; once there is an answer, if all but the slowest do, which may be in a loop."""
    if not running or len(votes) > 1:
        return False
    slow = 1 if votes else 0
    return stop([sum(votes) + running - slow], ahead + slow, likely) is not None


def fewest(samples: int, likely: float = LIKELY) -> int:
    """How many votes end a vote of so many, where all agree."""
    return next(votes for votes in range(1, samples + 1) if stop([votes], samples - votes, likely))


@cache
def _stays(votes: tuple[int, ...], coming: int) -> float:
    leader, *others = votes
    rivals = [*others, 0]
    ahead = 0
    for gained in range(coming + 1):
        ahead += comb(leader + gained, gained) * _ways(rivals, leader + gained - 1, coming - gained)
    return ahead / comb(sum(votes) + len(votes) + coming, coming)


def _ways(votes: Sequence[int], most: int, coming: int) -> int:
    """In how many ways `coming` votes can be distributed so that none of these has more than `most`."""
    if most < votes[0]:
        return 0
    ways = [1, *[0] * coming]  # to distribute 0, 1, 2 … of them
    for vote in votes:
        each = [comb(vote + n, n) for n in range(min(most - vote, coming) + 1)]
        ways = [sum(map(mul, each, reversed(ways[: given + 1]))) for given in range(coming + 1)]
    return ways[coming]
