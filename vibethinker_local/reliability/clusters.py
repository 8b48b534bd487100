"""Equivalent answers gathered; which belong together does not depend on the order in which they came.

Most answers agree or they do not. Some say less than others: `5` agrees with `x = 5` and with `y = 5`, which differ.
Answers tied together by such a one make one cluster if all of them agree with each other; if not, then only those that
say the same are together.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from vibethinker_local.reliability.equivalence import Level


@dataclass(frozen=True)
class Cluster:
    """The trajectories, by their position in the run, that gave one answer."""

    answer: str  # as the first of them has it
    members: tuple[int, ...]  # in the order in which they were added


@dataclass(eq=False)
class _Class:
    """Answers that say the same."""

    answer: str
    members: list[tuple[int, int]] = field(default_factory=list)  # when each was added, and which it is
    compatible: "list[_Class]" = field(default_factory=list)


class Clusters:
    """Each new answer is compared with one of each class of answers, and each pair only once."""

    def __init__(self, level: Callable[[str, str], Level]) -> None:
        self._level = level
        self._classes: list[_Class] = []
        self._home: dict[str, _Class] = {}  # of answers seen before
        self._added = 0

    def add(self, index: int, answer: str) -> None:
        home = self._home.get(answer)
        if home is None:
            home = self._home[answer] = self._placed(answer)
        home.members.append((self._added, index))
        self._added += 1

    def __iter__(self) -> Iterator[Cluster]:
        done = set[_Class]()
        for first in self._classes:
            if first in done:
                continue
            tied = self._tied(first)
            agree = all(one is other or one in other.compatible for one in tied for other in tied)
            together = tied if agree else [first]
            done.update(together)
            members = sorted(member for each in together for member in each.members)
            yield Cluster(first.answer, tuple(index for _, index in members))

    def _placed(self, answer: str) -> _Class:
        new = _Class(answer)
        for known in self._classes:
            level = self._level(known.answer, answer)
            if level is Level.SAME:
                for other in new.compatible:
                    other.compatible.remove(new)
                return known
            if level is Level.COMPATIBLE:
                new.compatible.append(known)
                known.compatible.append(new)
        self._classes.append(new)
        return new

    def _tied(self, first: _Class) -> list[_Class]:
        """The classes that are compatible with one, or with one that is, and so on."""
        found = [first]
        for each in found:
            found += [other for other in each.compatible if other not in found]
        return found
