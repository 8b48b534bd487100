"""The KV cache's places and cells: which Sequence holds what, and how much is free.

A place is one of llama.cpp's sequence ids. Positions shared through a fork lie in the same cells (unified KV), so
they are counted once, by segments with a number of holders; where the places have cells of their own, a fork is a
copy. Every change goes to the backend here and nowhere else.
"""

from collections.abc import Collection
from dataclasses import dataclass

from vibethinker_local.engine.backend import Backend, State


@dataclass(eq=False)
class Segment:
    """Consecutive positions that are held by the same places."""

    length: int
    holders: int = 1


@dataclass(frozen=True, eq=False)
class Saved:
    """The contents of a place, saved outside the KV cache."""

    length: int
    state: State


class KV:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._segments: dict[int, list[Segment]] = {}
        self._free = set(range(backend.places))
        self.cells, self.unified = backend.cells, backend.unified
        self.used = 0  # cells

    @property
    def free(self) -> int:
        """Cells."""
        return self.cells - self.used

    @property
    def free_places(self) -> int:
        return len(self._free)

    def padding(self, count: int) -> int:
        """The most tokens that a batch with a token of each of `count` places can be padded with."""
        return (self.free if self.unified else self._backend.places) - count

    def used_but_for(self, places: Collection[int]) -> int:
        """The number of cells held by places other than these."""
        held = {segment for place, segments in self._segments.items() if place not in places for segment in segments}
        return sum(segment.length for segment in held)

    def open(self) -> int:
        """Take the first free place, empty."""
        place = min(self._free)
        self._free.remove(place)
        self._segments[place] = []
        return place

    def fork(self, source: int, length: int) -> int:
        """Take a free place with the first `length` positions of `source`."""
        place = self.open()
        if not length:
            return place
        self._backend.copy(source, place, length)
        if not self.unified:
            self.extend(place, length)
            return place
        self._cut(source, length)
        for segment in self._segments[source]:
            if length == 0:
                break
            segment.holders += 1
            self._segments[place].append(segment)
            length -= segment.length
        return place

    def extend(self, place: int, count: int) -> None:
        """Record that `count` further positions of `place` were computed."""
        segments = self._segments[place]
        if segments and segments[-1].holders == 1:
            segments[-1].length += count
        else:
            segments.append(Segment(count))
        self.used += count

    def trim(self, place: int, length: int) -> None:
        """Forget the positions of `place` from `length` on."""
        self._backend.trim(place, length)
        self._cut(place, length)
        count = 0
        segments = self._segments[place]
        while count < len(segments) and length > 0:
            length -= segments[count].length
            count += 1
        self._drop(segments[count:])
        del segments[count:]

    def holds(self, place: int, length: int) -> bool:
        """Whether a text could go on behind the first `length` positions of `place`."""
        return length == 0 or self._backend.holds(place, length)

    def close(self, place: int) -> None:
        """Free a place, and the cells that only it holds."""
        self._drop(self._segments.pop(place))
        self._backend.trim(place, 0)
        self._free.add(place)

    def save(self, place: int) -> Saved | None:
        """Save what a place holds; None if there is not enough memory."""
        state = self._backend.save(place)
        return None if state is None else Saved(sum(segment.length for segment in self._segments[place]), state)

    def restore(self, saved: Saved) -> int | None:
        """Take the first free place with what was saved; None, and nothing taken, if the backend cannot."""
        place = self.open()
        if self._backend.restore(place, saved.state):
            self.extend(place, saved.length)
            return place
        self.close(place)
        return None

    def exchange(self, place: int, other: int) -> tuple[bool, bool] | None:
        """Swap the contents of two places, one of which may be free. For places with cells of their own.

        Returns, for each, whether it now holds the other's contents (otherwise it is empty); None if there is no memory
        for the copies, and nothing has changed.
        """
        places = (place, other)
        held = [sum(segment.length for segment in self._segments.get(each, [])) for each in places]
        saved = [self._backend.save(each) if length else None for each, length in zip(places, held, strict=True)]
        if any(length and state is None for length, state in zip(held, saved, strict=True)):
            return None
        free = [each in self._free for each in places]
        for each in places:
            if each not in self._free:
                self.close(each)
        exchanged = []
        for target, state, length, was_free in zip(reversed(places), saved, held, free, strict=True):
            if not was_free:
                self._free.remove(target)
                self._segments[target] = []
            whole = state is None or self._backend.restore(target, state)
            if whole and length:
                self.extend(target, length)
            exchanged.append(whole)
        return exchanged[1], exchanged[0]

    def _drop(self, segments: list[Segment]) -> None:
        for segment in segments:
            segment.holders -= 1
            if segment.holders == 0:
                self.used -= segment.length

    def _cut(self, place: int, at: int) -> None:
        """Split the segment that spans position `at`, for all its holders."""
        begin = 0
        for segment in self._segments[place]:
            if begin < at < begin + segment.length:
                rest = Segment(begin + segment.length - at, segment.holders)
                segment.length = at - begin
                for held in self._segments.values():
                    if segment in held:
                        held.insert(held.index(segment) + 1, rest)
                return
            begin += segment.length
