"""The answers of one problem's solutions, and which of them vote together.

Equivalent answers do, in `AnswerBallot`, and programs that behave alike, in `code_vote.Programs`.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from vibethinker_local.engine import StepOutput
from vibethinker_local.events import Behaviour, Trajectory
from vibethinker_local.reliability import equivalence
from vibethinker_local.reliability.checker import Checker
from vibethinker_local.reliability.clusters import Cluster, Clusters
from vibethinker_local.solving.deadline import Deadline


class Ballot(Protocol):
    """May add Sequences to the engine, and is handed what the engine puts out."""

    @property
    def asking(self) -> int:
        """Sequences that the engine works on."""

    @property
    def tokens(self) -> int:
        """Generated, to tell answers apart."""

    def ask(self) -> None:
        """Ask the model for what it takes to tell answers apart."""

    def ask_apart(self) -> bool:
        """Ask for more of that where two answers tie; whether anything was asked."""

    def take(self, outputs: Iterable[StepOutput]) -> None:
        """What the engine put out."""

    def count(self, index: int, trajectory: Trajectory) -> None:
        """Take the answer of a trajectory into the vote."""

    def incomparable(self, coming: int) -> bool:
        """Whether there is nothing to vote on, with so many trajectories to come."""

    def clusters(self) -> Iterable[Cluster]: ...

    def weights(self) -> dict[int, float]:
        """What trajectories count whose answers do not count alike."""

    def report(self, order: Sequence[int]) -> Behaviour | None:
        """What programs did, with trajectories by their position in `order`."""

    def close(self) -> None:
        """Free what is held, in the engine and elsewhere. May be repeated."""


class AnswerBallot:
    """Answers that are compared as mathematics."""

    asking = tokens = 0

    def __init__(self, deadline: Deadline) -> None:
        self._checker = Checker(left=lambda: deadline.left)
        self._clusters = Clusters(lambda a, b: equivalence.compare(a, b, self._checker).level)
        self._counted = 0

    def ask(self) -> None:
        pass

    def ask_apart(self) -> bool:
        return False

    def take(self, outputs: Iterable[StepOutput]) -> None:
        pass

    def count(self, index: int, trajectory: Trajectory) -> None:
        self._counted += 1
        answer = trajectory.answer
        if answer is None or not equivalence.comparable(answer):
            return
        if not equivalence.plain(answer):
            self._checker.warm()  # while the others are sampled, so that decoding does not wait for it
        self._clusters.add(index, answer)

    def incomparable(self, coming: int) -> bool:
        """One odd answer does not say so while others may come."""
        return self._counted > (1 if coming else 0) and not list(self._clusters)

    def clusters(self) -> Iterable[Cluster]:
        return self._clusters

    def weights(self) -> dict[int, float]:
        return {}

    def report(self, order: Sequence[int]) -> Behaviour | None:
        return None

    def close(self) -> None:
        self._checker.close()
