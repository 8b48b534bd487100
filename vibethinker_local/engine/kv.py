"""The KV cache's places and cells: which Sequence holds what, and how much is free.

A place is one of llama.cpp's sequence ids, with cells of its own, so a fork is a copy. All places have equally many
cells, few at first. As they need more, all get more, and where memory does not allow that, there are fewer places.
Every change goes to the backend here and nowhere else.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from vibethinker_local.engine.backend import Backend, State
from vibethinker_local.engine.layout import Layout, doubled
from vibethinker_local.errors import NoRoom


@dataclass(frozen=True, eq=False)
class Saved:
    """The contents of a place, saved outside the KV cache."""

    length: int
    state: State


class KV:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._lengths: dict[int, int] = {}  # positions computed, of the places that are taken
        self._first = Layout(backend.places, backend.each)
        self.cells = backend.cells

    @property
    def layout(self) -> Layout:
        return Layout(self._backend.places, self._backend.each)

    @property
    def used(self) -> int:
        """Cells."""
        return sum(self._lengths.values())

    @property
    def free_places(self) -> int:
        return self._backend.places - len(self._lengths)

    def used_but_for(self, places: Collection[int]) -> int:
        """The number of cells held by places other than these."""
        return sum(length for place, length in self._lengths.items() if place not in places)

    def layout_for(self, length: int) -> Layout:
        """The layout with the most places in which one can hold `length` positions: cells are doubled as they fill."""
        each = doubled(self._first.each, length, self._backend.context)
        return Layout(max(1, min(self._first.places, self.cells // each)), each)

    def plan_anew(self) -> None:
        """Count on all cells again, though there was no memory for some when they were wanted."""
        self.cells = self._backend.cells

    def arrange(self, kept: Sequence[int], layout: Layout) -> list[bool]:
        """Change the layout. The contents of the places `kept` go to places 0, 1, and so on; other places are free.

        Returns for each of those whether it still holds them; if not, it is empty. Raises NoRoom, with nothing changed,
        if other programs have taken the memory for it: it is then planned with fewer cells.
        """
        try:
            whole = self._backend.arrange(kept, layout.places, layout.each)
        except NoRoom:
            self.cells = (layout.places - 1) * layout.each
            raise
        lengths = [self._lengths[place] for place in kept]
        self._lengths = {place: length if whole[place] else 0 for place, length in enumerate(lengths)}
        return whole

    def open(self) -> int:
        """Take the first free place, empty."""
        place = self._first_free()
        self._lengths[place] = 0
        return place

    def fork(self, source: int) -> int:
        """Take a free place with a copy of what `source` holds."""
        place = self.open()
        if self._lengths[source]:
            self._backend.copy(source, place)
            self.extend(place, self._lengths[source])
        return place

    def extend(self, place: int, count: int) -> None:
        """Record that `count` further positions of `place` were computed."""
        self._lengths[place] += count

    def trim(self, place: int, length: int) -> None:
        """Forget the positions of `place` from `length` on."""
        self._backend.trim(place, length)
        self._lengths[place] = length

    def holds(self, place: int, length: int) -> bool:
        """Whether a text could go on behind the first `length` positions of `place`."""
        return self._backend.holds(place, length)

    def close(self, place: int) -> None:
        """Free a place and its cells."""
        del self._lengths[place]
        self._backend.trim(place, 0)

    def save(self, place: int) -> Saved | None:
        """Save what a place holds; None if there is not enough memory."""
        state = self._backend.save(place)
        return None if state is None else Saved(self._lengths[place], state)

    def restore(self, saved: Saved) -> int | None:
        """Take the first free place with what was saved; None, and nothing taken, if the backend cannot, or if it is
        more than a place holds: of a Sequence whose last tokens were taken back, it may be."""
        place = self._first_free()
        return place if saved.length <= self._backend.each and self._put(place, saved) else None

    def exchange(self, place: int, other: int) -> tuple[bool, bool] | None:
        """Swap the contents of two places, one of which may be free.

        Returns, for each, whether it now holds the other's contents (otherwise it is empty); None if there is no memory
        for the copies, and nothing has changed.
        """
        lengths = {each: self._lengths[each] for each in (place, other) if each in self._lengths}
        saved = {each: self.save(each) for each, length in lengths.items() if length}
        if None in saved.values():
            return None
        for each in lengths:
            self.close(each)

        def put(target: int, source: int) -> bool:
            contents = saved.get(source)
            if contents is not None and self._put(target, contents):
                return True
            if source in lengths:
                self._lengths[target] = 0
            return contents is None

        return put(place, other), put(other, place)

    def _first_free(self) -> int:
        return next(place for place in range(self._backend.places) if place not in self._lengths)

    def _put(self, place: int, saved: Saved) -> bool:
        """Take a free place with what was saved; False, and nothing taken, if the backend cannot."""
        if not self._backend.restore(place, saved.state):
            return False
        self._lengths[place] = saved.length
        return True
