"""The engine: add Sequences, step until they end.

engine = Engine(backend)
first = engine.add(tokens, params)
second = engine.add(tokens, other_params, parent=first)     # begins with the prompt's KV
while engine.busy:
    for output in engine.step(): ...
"""

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Generic, TypeVar

from vibethinker_local.engine.backend import Backend, Logits
from vibethinker_local.engine.detokenizer import TextStream
from vibethinker_local.engine.kv import KV
from vibethinker_local.engine.output import End, SequenceId, Spent, StepOutput, ThreadCount
from vibethinker_local.engine.params import SCORING, SamplingParams
from vibethinker_local.engine.planner import Planner
from vibethinker_local.engine.sampler import Draw, Sampler, log_probabilities
from vibethinker_local.engine.scheduler import Batch, Scheduler
from vibethinker_local.engine.sequence import Sequence, SequenceState, checked, checked_prompt, limit_after
from vibethinker_local.engine.threads import Threads
from vibethinker_local.errors import Interrupted, NoRoom

B = TypeVar("B", bound=Backend)


class Engine(Generic[B]):
    def __init__(self, backend: B, planner: Planner | None = None) -> None:
        """Without a planner, a step is one batch."""
        self.backend = backend
        self._kv = KV(backend)
        self._sampler = Sampler(backend.vocabulary)
        self._scheduler = Scheduler(self._kv, backend.batch, planner or Planner())
        self._threads = Threads(backend.threads)
        self._computing = backend.threads  # threads that the last batch was computed with
        self._sequences: dict[SequenceId, Sequence] = {}
        self._outputs: list[StepOutput] = []  # of calls between steps
        self._stepping: frozenset[int] = frozenset()  # ids of the Sequences in the current step
        self._decoding: frozenset[int] = frozenset()  # ids of those in its current batch
        self._cut_short = False  # the current step need not be finished
        self._next = 0
        self.spent = Spent()
        self.stepped_at = 0.0  # seconds, by this process's clock: the end of the last step that decoded

    @property
    def cells_used(self) -> int:
        """Cells of the KV cache that hold tokens of Sequences that were not aborted."""
        return self._scheduler.cells_used

    @property
    def preempted(self) -> int:
        """How often a running Sequence had to make room for others."""
        return self._scheduler.preempted

    @property
    def threads(self) -> ThreadCount:
        """How many threads compute, and how many would compute on an idle machine."""
        return ThreadCount(self._computing, self._threads.most)

    def is_grammar(self, source: str) -> bool:
        """Whether it is GBNF that `add` takes. On any thread."""
        try:
            self.backend.grammar(source).close()
        except ValueError:
            return False
        return True

    def add(
        self,
        tokens: Iterable[int],
        params: SamplingParams,
        *,
        parent: SequenceId | None = None,
        id: SequenceId | None = None,
    ) -> SequenceId:
        """Start a Sequence from all its tokens.

        What they have in common with `parent`'s is taken from its KV; without a parent, from whoever has the most.
        Raises ValueError if there is no token, an id is out of range, it could never fit into the KV cache, or its
        grammar is none.
        """
        prompt = checked_prompt(tokens, self.backend.vocabulary, self.backend.context, params)
        name = SequenceId(self._next) if id is None else id
        sequence = Sequence(name, prompt, params, self._sequences.get(parent) if parent is not None else None)
        if params.grammar is not None:
            sequence.grammar = self.backend.grammar(params.grammar)
        self._next = name + 1
        self._sequences[name] = sequence
        self._scheduler.waiting.append(sequence)
        return name

    def score(
        self,
        tokens: Iterable[int],
        labels: tuple[int, ...],
        *,
        parent: SequenceId | None = None,
        id: SequenceId | None = None,
    ) -> SequenceId:
        """Ask how likely each label is to come after the tokens: one forward pass, nothing sampled.

        Ends with "scored" and `scores`, in nats, of the model's own distribution. Else as `add`.
        """
        checked(labels, self.backend.vocabulary)
        name = self.add(tokens, SCORING, parent=parent, id=id)
        self._sequences[name].labels = labels
        return name

    def force(self, id: SequenceId, tokens: Iterable[int], *, then: int) -> None:
        """Push tokens into a Sequence, running or ended, and let it sample up to `then` more.

        Raises ValueError if it is gone, has a grammar, or if this would exceed its max_tokens and reserve.
        """
        sequence = self._sequences.get(id)
        if sequence is None:
            raise ValueError(f"Sequence {id} is gone")
        forced = checked(tokens, self.backend.vocabulary)
        limit = limit_after(sequence.params, sequence.generated, len(forced), then)
        if sequence.state is SequenceState.ENDED:
            self._scheduler.resume(sequence)
        self._emit(sequence, None, text=sequence.text.flush())
        stream = TextStream()  # no stop string is looked for in what the caller wants there
        for token in forced:
            sequence.tokens.append(token)
            sequence.put_out += 1
            self._emit(sequence, token, text=stream.feed(self.backend.piece(token)), forced=True)
        self._emit(sequence, None, text=stream.flush())
        sequence.text_begin = len(sequence.tokens)
        sequence.limit, sequence.forced, sequence.stopped = limit, True, False
        self._scheduler.rewind(sequence)

    def rewind(self, id: SequenceId, known: int) -> None:
        """Take back what a Sequence put out after its first `known` tokens, an end with the last of them included.

        For a caller that has not seen those yet and is about to `force` or `abort`. None of them may have been forced.
        """
        sequence = self._sequences.get(id)
        if sequence is None or sequence.put_out <= known:
            return
        back = sequence.put_out - known
        if sequence.state is SequenceState.ENDED:
            self._scheduler.resume(sequence)
        kept = len(sequence.tokens) - back + sequence.stopped
        del sequence.tokens[kept:]
        sequence.stopped = False
        sequence.drawn -= back
        sequence.put_out = known
        sequence.text = TextStream(sequence.params.stop_strings)
        for token in sequence.tokens[sequence.text_begin :]:
            sequence.text.feed(self.backend.piece(token))
        self._scheduler.rewind(sequence)

    def abort(self, id: SequenceId) -> None:
        """End a Sequence now and give its KV back; it ends with "aborted" unless it had ended. May be repeated.

        The KV of its prompt stays while nobody needs the room: the next turn of a conversation begins with it.
        """
        sequence = self._sequences.pop(id, None)
        if sequence is None:
            return
        if sequence.state is not SequenceState.ENDED:
            self._emit(sequence, None, text=sequence.text.flush(), end="aborted")
        self._scheduler.release(sequence)
        if sequence.grammar:
            sequence.grammar.close()

    def interrupt(self, id: SequenceId) -> None:
        """Called from another thread that wants to abort a Sequence: a step with it need not be finished."""
        if id in self._stepping:
            self._cut_short = True
        if id in self._decoding:
            self.backend.interrupt()

    @property
    def busy(self) -> bool:
        """Whether a step would do or report anything."""
        return bool(self._outputs or self._scheduler.running or self._scheduler.waiting)

    def step(self) -> list[StepOutput]:
        """Decode a token of each running Sequence, and some prompt; sample what is due. A prompt may yield none yet."""
        self._scheduler.admit()
        batches = self._scheduler.plan()
        self._stepping = frozenset(sequence.id for batch in batches for sequence, _ in batch.work)
        for batch in batches:
            if self._cut_short or not self._decode(batch):
                break
        self._stepping, self._cut_short = frozenset(), False
        outputs, self._outputs = self._outputs, []
        return outputs

    def _decode(self, batch: Batch) -> bool:
        """Compute a batch and sample from it. False, with nothing changed but the room, if that was not to be had."""
        self._use_threads(self._threads.count)
        began, processor = time.perf_counter(), time.process_time()
        self._decoding = frozenset(sequence.id for sequence, _ in batch.work)
        try:
            logits = self.backend.decode([piece for _, piece in batch.work], batch.padding)
        except Interrupted:
            return False
        except NoRoom:
            self._scheduler.yield_room()
            return False
        finally:
            self._decoding = frozenset()
        decoded = time.perf_counter()
        self._scheduler.advance(batch, decoded - began)
        spent_here = time.process_time() - processor
        self._threads.note(batch.tokens, decoded - began, spent_here, prompts=batch.has_prompt)
        due = [sequence for sequence, piece in batch.work if piece.logits]
        for sequence, row in zip(due, logits, strict=True):
            if sequence.labels is None:
                self._commit(sequence, self._draw(sequence, row))
            else:
                self._scored(sequence, log_probabilities(row, sequence.labels))
        spent, self.stepped_at = self.spent, time.perf_counter()
        self.spent = Spent(
            spent.decoding + decoded - began,
            spent.sampling + self.stepped_at - decoded,
            spent.processor + time.process_time() - processor,
            spent.sampled + len(due),
        )
        return True

    def _use_threads(self, count: int) -> None:
        if count != self._computing:
            self._computing = count
            self.backend.use_threads(count)

    def wake(self) -> None:
        """For the interface of EngineProcess, whose steps may wait: these do not."""

    def close(self) -> None:
        """Free everything. May be repeated."""
        for sequence in self._sequences.values():
            if sequence.grammar:
                sequence.grammar.close()
        self.backend.close()

    def _draw(self, sequence: Sequence, row: Logits) -> Draw:
        """The next token. If the grammar does not allow it, draw again from a masked row: masking is expensive."""
        drawn = self._sampler.sample(row, sequence.params, sequence.drawn)
        grammar = sequence.grammar
        if grammar is None:
            return drawn
        if not grammar.allows(drawn.token):
            again = self._sampler.sample(grammar.mask(row), sequence.params, sequence.drawn, attempt=1)
            logprob = drawn.logprob + float(row[again.token]) - float(row[drawn.token])
            drawn = replace(drawn, token=again.token, logprob=logprob)
        if drawn.token not in sequence.params.stop_ids:
            grammar.accept(drawn.token)
        return drawn

    def _commit(self, sequence: Sequence, drawn: Draw) -> None:
        """Append a sampled token to its Sequence, and end the Sequence if it is due."""
        token, stream = drawn.token, sequence.text
        sequence.drawn += 1
        sequence.put_out += 1
        end: End | None = None
        text = ""
        if token in sequence.params.stop_ids:
            end, sequence.stopped = "stop", True
        else:
            sequence.tokens.append(token)
            text = stream.feed(self.backend.piece(token))
            if stream.stopped:
                end = "stop"
            elif sequence.generated >= sequence.limit:
                end = "length"
            elif sequence.repetition.feed(token) and not sequence.forced:
                end = "loop"
        if end:
            text += stream.flush()
            self._scheduler.end(sequence)
        said = StepOutput(SequenceId(sequence.id), token, text, drawn.logprob, drawn.confidence, drawn.certainty, end)
        self._outputs.append(said)

    def _scored(self, sequence: Sequence, scores: tuple[float, ...]) -> None:
        self._scheduler.end(sequence)
        self._outputs.append(StepOutput(SequenceId(sequence.id), None, "", end="scored", scores=scores))

    def _emit(
        self, sequence: Sequence, token: int | None, *, text: str, end: End | None = None, forced: bool = False
    ) -> None:
        if token is not None or text or end:
            self._outputs.append(StepOutput(SequenceId(sequence.id), token, text, end=end, forced=forced))
