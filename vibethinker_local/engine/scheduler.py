"""Who runs, and what the next batch holds. Touches the KV cache, never the logits.

Running Sequences decode first; what is left of a batch goes to prompts, oldest first. A Sequence is admitted when there
is a place for it, and memory for what all are expected to have in the end: most end before their limit. When one needs
more cells than a place has, all places get more. If fewer places are left then than Sequences run, the youngest are put
away: their KV is saved outside the cache and restored later, bit for bit.
"""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from vibethinker_local.engine.backend import Slice
from vibethinker_local.engine.kv import KV
from vibethinker_local.engine.layout import Layout
from vibethinker_local.engine.planner import Planner
from vibethinker_local.engine.sequence import Sequence, SequenceState
from vibethinker_local.errors import NoRoom

PREFILL_SECONDS = 0.5  # spent on prompts in one step, while others wait for their next token
PREFILL_LEAST = 16  # prompt tokens in one step however long they take, and while the rate is unknown
MEASURABLE = 16  # tokens that a batch must have for its time to say something about the rate
COPIED_A_STEP = 2048  # tokens: as many may be copied for each step that a gap between running Sequences has lasted
TAIL = 16  # tokens at the end of a prompt with which its conversation may not go on, as where a template writes <think>
SAVED_SHARE = 0.5  # positions that may be saved outside the cache, in cells of it; what is beyond is computed again


@dataclass(frozen=True, slots=True)
class Batch:
    """One decode: Sequences with their tokens, and the number of padding tokens."""

    work: list[tuple[Sequence, Slice]]
    padding: int = 0

    @property
    def tokens(self) -> int:
        return sum(len(piece.tokens) for _, piece in self.work) + self.padding

    @property
    def has_prompt(self) -> bool:
        """Whether it holds more than one token of a Sequence."""
        return any(len(piece.tokens) > 1 for _, piece in self.work)


class Scheduler:
    """Every Sequence is in the collection that its state names; one that was aborted and holds nothing is in none.

    One that runs, or whose prompt is cached, has a place. The KV of another is in a place, or saved, or has to be
    computed again.
    """

    def __init__(self, kv: KV, batch: int, planner: Planner) -> None:
        self._kv, self._batch, self._planner = kv, batch, planner
        self._prefill = PREFILL_LEAST
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []
        self.ended: dict[int, Sequence] = {}  # by id, the longest ended first
        self.cached_prompts: dict[int, Sequence] = {}  # aborted ones whose prompt's KV can be reused, oldest first
        self.preempted = 0  # how often a running Sequence lost its place
        self._gapped = 0  # steps since the places of those who run followed one another

    @property
    def cells_used(self) -> int:
        """Cells that hold tokens of Sequences that were not aborted."""
        return self._kv.used_but_for({other.place for other in self.cached_prompts.values() if other.place is not None})

    def admit(self) -> None:
        """Let waiting Sequences run while there is room."""
        if not self.running:
            self._kv.plan_anew()
        while self.waiting:
            if self._give_place(self.waiting[0]):
                sequence = self.waiting.popleft()
                sequence.state = SequenceState.RUNNING
                self.running.append(sequence)
            elif not self._widen():
                return

    def _give_place(self, sequence: Sequence) -> bool:
        """If need be, that of one that does not run. Returns False if the Sequence has to wait."""
        while True:
            source, shared = self._prefix(sequence)
            if source and source.state is SequenceState.RUNNING and source.computed < shared:
                return False  # what it shares is still being computed
            layout = self._layout_for(sequence)
            if not self._fits(sequence, layout):
                return False
            takes_over = source is not None and source.state is SequenceState.CACHED
            if sequence.place is None and not self._kv.free_places and not takes_over:
                if not self._make_room(source):
                    return False
            elif layout.each > self._kv.layout.each:
                self._arrange(layout)  # if there is no memory for it, the next is another one
            else:
                self._open(sequence, source, shared)
                return True

    def _layout_for(self, *more: Sequence) -> Layout:
        """The layout in which these can run with all who do: the present one, if that will do."""
        longest = max((len(sequence.tokens) for sequence in (*self.running, *more)), default=0)
        return self._kv.layout if longest <= self._kv.layout.each else self._kv.layout_for(longest)

    def _arrange(self, layout: Layout) -> bool:
        """Change the layout, which has a place for all who run. Of those who do not, some may lose theirs.

        Returns False if there is no memory for it any more; layouts are then made of fewer cells.
        """
        idle = self._idle(waiting=True)
        short = [other for other in reversed(idle) if other.computed <= layout.each]
        kept = [*self.running, *short][: layout.places]
        for other in idle:
            if other not in kept:
                self._put_away(other)
        try:
            whole = self._kv.arrange([sequence.place for sequence in kept if sequence.place is not None], layout)
        except NoRoom:
            return False
        for place, sequence in enumerate(kept):
            sequence.place = place
            if not whole[place]:
                sequence.drop()
        return True

    def _widen(self) -> bool:
        """Have more places again, if they are what is short, and would be there still if all grew to twice as much."""
        if self._kv.free_places:
            return False
        longest = max(len(sequence.tokens) for sequence in (*self.running, self.waiting[0]))
        layout = self._kv.layout_for(2 * longest)
        return layout.places > self._kv.layout.places and self._arrange(layout)

    def _lengthen(self) -> None:
        """Have more cells for those who run, and fewer places if need be: then the youngest wait."""
        while True:
            layout = self._layout_for()
            if len(self.running) > layout.places:
                self._preempt()
            elif layout == self._kv.layout or self._arrange(layout):
                return

    def _prefix(self, sequence: Sequence) -> tuple[Sequence | None, int]:
        """The Sequence with the longest shared prefix in KV, now or soon, and the length of that prefix."""
        best, most = None, 0
        if sequence.place is not None or sequence.saved:
            return best, most
        parent = sequence.parent
        holders = [parent] if parent and (parent.place is not None or parent.saved) else self._holders()
        for other in holders:
            shared = sequence.shares(other)
            if other.state is not SequenceState.RUNNING or other.pending == 1:
                shared = min(shared, other.computed)
            if shared > most and self._usable(other, sequence, shared):
                best, most = other, shared
        return best, most

    def _usable(self, source: Sequence, sequence: Sequence, shared: int) -> bool:
        """Whether a fork at `shared` would find all that it looks at.

        A saved source is restored whole, then trimmed, so it counts as usable if there will be room for that.
        """
        if source.place is None:
            return source.computed <= self._layout_for(sequence).each
        return shared > source.computed or self._kv.holds(source.place, shared)

    def _holders(self) -> Iterator[Sequence]:
        """All Sequences that have KV, in a place or saved."""
        for group in (self.running, self.ended.values(), self.cached_prompts.values(), self.waiting):
            for other in group:
                if other.place is not None or other.saved:
                    yield other

    def _fits(self, sequence: Sequence, layout: Layout) -> bool:
        """Whether there are places for it and all who run, and memory for what they will have, placed or put away."""
        if not self.running:
            return True
        saved = sum(other.saved_length for other in self.waiting if other is not sequence)
        expected = sum(len(other.tokens) + other.expected for other in (*self.running, sequence))
        return len(self.running) < layout.places and saved + expected <= (1 + SAVED_SHARE) * self._kv.cells

    def _open(self, sequence: Sequence, source: Sequence | None, shared: int) -> None:
        """Take a place, with its own KV if that was saved, else with what it shares with its source."""
        if sequence.place is not None:
            return
        holder, wanted = (sequence, sequence.computed) if sequence.saved else (source, shared)
        held = 0
        if holder and holder.saved:
            sequence.place, held = self._kv.restore(holder.saved), holder.saved.length
        elif holder and holder.place is not None:
            held = holder.computed
            if holder.state is SequenceState.CACHED and (held - wanted <= TAIL or not self._kv.free_places):
                del self.cached_prompts[holder.id]  # its place goes over to who continues it, or if there is no other
                sequence.place, holder.place = holder.place, None
            else:
                sequence.place = self._kv.fork(holder.place)
        if sequence.place is None:
            sequence.place, wanted = self._kv.open(), 0
        sequence.computed = self._cut(sequence.place, wanted) if wanted < held else wanted
        sequence.saved = sequence.parent = None

    def _make_room(self, source: Sequence | None) -> bool:
        """Free the place that is needed least. Returns False if only running Sequences and their sources have any."""
        idle = self._idle(waiting=not self.running)
        others = [other for other in idle if other is not source] or ([] if self.running else idle)
        if not others:
            return False
        self._put_away(others[0])
        return True

    def _idle(self, *, waiting: bool) -> list[Sequence]:
        """Sequences that hold a place but do not run: aborted, ended (oldest first), perhaps a waiting one."""
        others = [*self.cached_prompts.values(), *self.ended.values(), *(reversed(self.waiting) if waiting else ())]
        return [other for other in others if other.place is not None]

    def _put_away(self, sequence: Sequence) -> None:
        """Take the place of a Sequence away, and save what it held if there is room."""
        assert sequence.place is not None
        if sequence.state is SequenceState.CACHED:
            self._forget(sequence)
            return
        saved = sum(other.saved_length for other in self._holders())
        left = int(self._kv.cells * SAVED_SHARE) - saved - sequence.computed
        for other in self.ended.values():
            if left < 0 and other.saved:
                left += other.saved_length
                other.drop()
        if left >= 0 and sequence.computed:
            sequence.saved = self._kv.save(sequence.place)
        if not sequence.saved:
            sequence.drop()
        self._kv.close(sequence.place)
        sequence.place = None

    def plan(self) -> list[Batch]:
        """The batches of the next step: a token of every Sequence that decodes, as the planner groups them.

        With prompts or forced texts besides, oldest first, it is one batch: large enough that its shape matters little.
        """
        self._lengthen()
        self._close_up()
        decoding = [sequence for sequence in self.running if sequence.pending == 1]
        reading = [sequence for sequence in self.running if sequence.pending > 1]
        work = [(sequence, _slice(sequence, 1)) for sequence in decoding]
        left = self._batch - len(decoding)
        if decoding:
            left = min(left, self._prefill)
        for sequence in reading:
            if count := min(left, sequence.pending):
                work.append((sequence, _slice(sequence, count)))
                left -= count
        work.sort(key=lambda each: each[1].place)
        return [Batch(work)] if len(work) > len(decoding) else list(self._grouped(work))

    def _close_up(self) -> None:
        """Let those who run have places that follow one another: llama.cpp computes others in batches apart.

        What moves is copied, so a gap is closed once it has lasted as long as that is worth: one who ended may soon be
        forced to go on.
        """
        running = {sequence.place: sequence for sequence in self.running if sequence.place is not None}
        if not running or max(running) - min(running) < len(running):
            self._gapped = 0
            return
        self._gapped += 1
        wanted = _closest_row(running)
        moved = [running[place] for place in running.keys() - wanted]
        if sum(sequence.computed for sequence in moved) > self._gapped * COPIED_A_STEP:
            return
        for sequence, target in zip(moved, sorted(wanted - running.keys()), strict=True):
            if not self._move(sequence, target):
                return

    def _move(self, sequence: Sequence, target: int) -> bool:
        """Have a running Sequence change places with whoever holds `target`. False if there is no memory for that."""
        assert sequence.place is not None
        other = next((other for other in self._idle(waiting=True) if other.place == target), None)
        done = self._kv.exchange(sequence.place, target)
        if done is None:
            return False
        if other:
            other.place = sequence.place
        sequence.place = target
        if not done[1]:
            sequence.drop()
        if other and not done[0]:
            other.drop()
        return True

    def _grouped(self, work: list[tuple[Sequence, Slice]]) -> Iterator[Batch]:
        """The decoding Sequences, in the batches that together take the least time."""
        padding = min(self._batch, self._kv.layout.places) - len(work)
        begin = 0
        for part in self._planner.parts(len(work), padding):
            yield Batch(work[begin : begin + part.sequences], part.padding)
            begin += part.sequences

    def yield_room(self) -> None:
        """Free cells for those who run, of one that has ended, else of the youngest. Raises NoRoom for the last one."""
        if idle := self._idle(waiting=True):
            self._put_away(idle[0])
        elif len(self.running) > 1:
            self._preempt()
        else:
            raise NoRoom(f"No room in the KV cache: {self._kv.used} of {self._kv.cells} cells are used.")

    def _preempt(self) -> None:
        """Let the youngest wait, ahead of any new one."""
        youngest = max(self.running, key=lambda sequence: sequence.id)
        self.running.remove(youngest)
        self._put_away(youngest)
        youngest.state = SequenceState.WAITING
        self.waiting.appendleft(youngest)
        self.preempted += 1

    def advance(self, batch: Batch, seconds: float) -> None:
        """Record that a batch was computed, and how long it took."""
        for sequence, piece in batch.work:
            self._kv.extend(piece.place, len(piece.tokens))
            sequence.computed += len(piece.tokens)
        if not batch.has_prompt:
            self._planner.learn(batch.tokens, seconds)
        elif batch.tokens >= MEASURABLE:
            self._prefill = max(PREFILL_LEAST, int(PREFILL_SECONDS * batch.tokens / seconds))

    def end(self, sequence: Sequence) -> None:
        """End a running Sequence; its KV is kept until the room is needed."""
        self.running.remove(sequence)
        sequence.state = SequenceState.ENDED
        self.ended[sequence.id] = sequence

    def resume(self, sequence: Sequence) -> None:
        """Let an ended Sequence run on, ahead of any new one."""
        del self.ended[sequence.id]
        sequence.state = SequenceState.WAITING
        self.waiting.appendleft(sequence)

    def rewind(self, sequence: Sequence) -> None:
        """Tokens may have been taken back: forget their KV, and that of the last one, whose logits are wanted."""
        length = min(sequence.computed, len(sequence.tokens) - 1)
        if length < sequence.computed and sequence.place is not None:
            length = self._cut(sequence.place, length)
        sequence.computed = length

    def _cut(self, place: int, length: int) -> int:
        """Forget the positions from `length` on, or all if those before are not whole; returns what is left."""
        length = length if self._kv.holds(place, length) else 0
        self._kv.trim(place, length)
        return length

    def release(self, sequence: Sequence) -> None:
        """Give up a Sequence; the KV of its prompt may serve others, until the room is needed."""
        match sequence.state:
            case SequenceState.WAITING:
                self.waiting.remove(sequence)
            case SequenceState.RUNNING:
                self.running.remove(sequence)
            case SequenceState.ENDED:
                del self.ended[sequence.id]
        sequence.saved = None
        if sequence.place is None:
            return
        sequence.state = SequenceState.CACHED
        self.cached_prompts[sequence.id] = sequence
        del sequence.tokens[min(sequence.computed, sequence.prompt_length) :]
        self._kv.trim(sequence.place, len(sequence.tokens))
        sequence.computed = len(sequence.tokens)
        if not sequence.tokens:
            self._forget(sequence)

    def _forget(self, sequence: Sequence) -> None:
        """Drop everything about a Sequence."""
        assert sequence.place is not None
        del self.cached_prompts[sequence.id]
        self._kv.close(sequence.place)
        sequence.place = None


def _closest_row(places: Collection[int]) -> set[int]:
    """As many numbers that follow one another as there are places: those that most of the places have."""
    count = len(places)
    rows = [set(range(begin, begin + count)) for begin in range(min(places), max(places) - count + 2)]
    return max(rows, key=lambda row: len(row.intersection(places)))


def _slice(sequence: Sequence, count: int) -> Slice:
    assert sequence.place is not None
    begin, end = sequence.computed, sequence.computed + count
    return Slice(sequence.place, begin, sequence.tokens[begin:end], logits=end == len(sequence.tokens))
