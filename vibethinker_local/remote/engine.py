"""Servers elsewhere with the interface of an engine: Sequences are added, forced, scored and aborted, and `step` tells.

What is sampled is sampled there; what a Sequence holds is decided here, as in the engine's process: it is exactly what
`step` has returned, and text that comes after `force` or `abort` is dropped. Loops are noticed here as well.
"""

import itertools
import queue
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from vibethinker_local.engine.model_info import ModelInfo
from vibethinker_local.engine.output import CLOSED, PATIENCE, End, SequenceId, Spent, StepOutput, ThreadCount
from vibethinker_local.engine.params import SCORING, SamplingParams
from vibethinker_local.engine.repetition import RepetitionDetector
from vibethinker_local.engine.sequence import limit_after
from vibethinker_local.errors import EngineError
from vibethinker_local.remote import request
from vibethinker_local.remote.pool import Arrival, Pool
from vibethinker_local.remote.request import Key, Quote, Wanted
from vibethinker_local.remote.served import Served
from vibethinker_local.remote.vocabulary import CONTROLS, END, TEMPLATE, PieceVocabulary

TOGETHER = 1024  # arrivals that one step takes
SHARING = {"vLLM", "SGLang"}  # they find the prompt that requests have in common by themselves


@dataclass(eq=False)
class RemoteSequence:
    id: SequenceId
    params: SamplingParams
    tokens: list[int]  # prompt and everything after it
    limit: int  # of tokens after the prompt
    labels: tuple[str, ...] = ()
    prefer: int | None = None  # the server that has most of it in its cache
    turn: int = 0  # requests so far: what arrives of earlier ones is dropped
    generated: int = 0
    forced: bool = False
    ended: bool = False
    spoken: str = ""  # in the place of a score
    repetition: RepetitionDetector = field(default_factory=RepetitionDetector)

    @property
    def key(self) -> Key:
        return self.id, self.turn


class RemoteEngine:
    def __init__(self, served: Served, quote: Quote, context: int) -> None:
        """`quote` makes one question of a question and the beginning of its reply; `context` is in tokens."""
        frame = served.servers[0].abilities.frame
        self._served, self._context = served, context
        self._vocabulary = PieceVocabulary(frame.end if frame else "")
        self._sequences: dict[SequenceId, RemoteSequence] = {}
        self._starting: list[RemoteSequence] = []
        self._outputs: list[StepOutput] = []  # of calls between steps
        self._failure: Exception | None = None
        self._next = itertools.count()
        self._closed = False
        self.stepped_at = 0.0  # seconds, by this process's clock
        self._pool = Pool(served, quote)

    # What can be asked of the model without computing anything

    @property
    def backend(self) -> "RemoteEngine":
        return self

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("", TEMPLATE, self._context, 0, 0, frozenset({END}), CONTROLS)

    @property
    def context(self) -> int:
        return self._context

    @property
    def vocabulary(self) -> int:
        """So far: it grows."""
        return len(self._vocabulary)

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The pieces of a text, about as many as there will be tokens."""
        return self._vocabulary.tokenize(text, special=special)

    def piece(self, token: int) -> bytes:
        return self._vocabulary.piece(token)

    # What it costs: nothing here

    @property
    def spent(self) -> Spent:
        return Spent()

    @property
    def threads(self) -> ThreadCount:
        return ThreadCount(1, 1)

    # Sequences

    @property
    def cells_used(self) -> int:
        """Tokens of Sequences that were not aborted."""
        return sum(len(sequence.tokens) for sequence in self._sequences.values())

    @property
    def busy(self) -> bool:
        """Whether there is still something for `step` to report."""
        return bool(self._outputs) or any(not sequence.ended for sequence in self._sequences.values())

    def add(self, tokens: Iterable[int], params: SamplingParams, *, parent: SequenceId | None = None) -> SequenceId:
        """Like Engine.add; the tokens are a conversation, perhaps with the beginning of the model's reply."""
        return self._add(list(tokens), params, parent)

    def score(self, tokens: Iterable[int], labels: tuple[int, ...], *, parent: SequenceId | None = None) -> SequenceId:
        """Like Engine.score; where a server gives no log-probabilities, the label that it says is certain."""
        return self._add(list(tokens), SCORING, parent, tuple(self._vocabulary.text([label]) for label in labels))

    def _add(
        self, tokens: list[int], params: SamplingParams, parent: SequenceId | None, labels: tuple[str, ...] = ()
    ) -> SequenceId:
        if self._closed:
            raise EngineError(CLOSED)
        self._vocabulary.conversation(tokens)  # raises ValueError now, where it is seen whose tokens they are
        name = SequenceId(next(self._next))
        sequence = RemoteSequence(name, params, tokens, params.max_tokens, labels)
        if parent is not None and (known := self._sequences.get(parent)):
            sequence.prefer = known.prefer
        self._sequences[name] = sequence
        self._starting.append(sequence)
        return name

    def force(self, id: SequenceId, tokens: Iterable[int], *, then: int) -> None:
        """Like Engine.force. The tokens come right after those that `step` has returned so far."""
        sequence = self._sequences.get(id)
        if sequence is None:
            raise ValueError(f"Sequence {id} is gone")
        forced = list(tokens)
        sequence.limit = limit_after(sequence.params, sequence.generated, len(forced), then)
        self._call_off(sequence)
        for token in forced:
            text = self._vocabulary.text([token])
            self._outputs.append(StepOutput(id, token, text, forced=True))
        sequence.tokens += forced
        sequence.generated += len(forced)
        sequence.forced, sequence.ended = True, False
        self._starting.append(sequence)

    def abort(self, id: SequenceId) -> None:
        """Like Engine.abort. May be repeated."""
        sequence = self._sequences.pop(id, None)
        if sequence is None:
            return
        if not sequence.ended:
            self._outputs.append(StepOutput(id, None, "", end="aborted"))
        self._call_off(sequence)

    def _call_off(self, sequence: RemoteSequence) -> None:
        """Nobody waits any more for what was asked for it."""
        if sequence in self._starting:
            self._starting.remove(sequence)
        elif not sequence.ended:
            self._pool.cancel(sequence.key)
        sequence.turn += 1

    def close(self) -> None:
        """Call everything off. May be repeated."""
        self._closed = True
        self._sequences.clear()
        self._starting.clear()
        self._pool.close()

    # Steps

    def step(self) -> list[StepOutput]:
        """What has arrived; empty if that takes long.

        Raises EngineError when servers give no reply any more, and after `close`: nothing would come.
        """
        if self._closed:
            raise EngineError(CLOSED)
        self._start()
        if not self.busy:
            return []
        patience = 0.0 if self._outputs or self._failure else PATIENCE
        try:
            for _ in range(TOGETHER):
                self._take(self._pool.arrived.get(patience > 0, patience or None))
                patience = 0.0
        except queue.Empty:
            pass
        outputs, self._outputs = self._outputs, []
        self.stepped_at = time.perf_counter()
        if self._failure and not outputs:
            failure, self._failure = self._failure, None
            for sequence in self._sequences.values():
                self._call_off(sequence)
            self._sequences.clear()
            raise failure
        return outputs

    def _take(self, arrival: Arrival) -> None:
        id, turn = arrival.key
        sequence = self._sequences.get(id)
        if sequence is None or sequence.turn != turn or sequence.ended:
            return
        if arrival.error:
            self._failure = self._failure or arrival.error
            return
        sequence.prefer = arrival.server
        if sequence.labels:
            self._score(sequence, arrival)
            return
        for written in arrival.written:
            token = self._vocabulary.id(written.text)
            sequence.tokens.append(token)
            sequence.generated += 1
            end: End | None = None
            if sequence.generated >= sequence.limit and arrival.finish != "stop":
                end = "length"
            elif written.known and sequence.repetition.feed(token) and not sequence.forced:
                end = "loop"
            self._outputs.append(StepOutput(id, token, written.text, written.logprob, end=end))
            if end:
                self._call_off(sequence)
                sequence.ended = True
                return
        if arrival.finish:
            end = "length" if arrival.finish == "length" else "stop"
            self._outputs.append(StepOutput(id, None, "", end=end))
            sequence.ended = True

    def _score(self, sequence: RemoteSequence, arrival: Arrival) -> None:
        """A score is there with its first token, or with the end of what is said instead."""
        sequence.spoken += "".join(written.text for written in arrival.written)
        if len(arrival.likely) > 1:
            scores = request.likelihoods(sequence.labels, arrival.likely)
        elif arrival.finish:
            scores = request.spoken(sequence.labels, sequence.spoken)
        else:
            return
        self._outputs.append(StepOutput(sequence.id, None, "", end="scored", scores=scores))
        self._call_off(sequence)
        sequence.ended = True

    # Requests

    def _start(self) -> None:
        """Ask for what was added since the last step; by one request what differs in its seed alone, if that helps."""
        starting, self._starting = self._starting, []
        for together in self._together([(sequence, self._ask(sequence)) for sequence in starting]):
            sequence, ask = together[0]
            keys = tuple(each.key for each, _ in together)
            self._pool.start(replace(ask, samples=len(together)), keys, sequence.prefer)

    def _ask(self, sequence: RemoteSequence) -> Wanted:
        messages, begun = self._vocabulary.conversation(sequence.tokens)
        params = sequence.params
        room = self._context - len(sequence.tokens)
        stops = (self._vocabulary.text([token]) for token in sorted(params.stop_ids - {END}))
        return Wanted(
            messages,
            begun,
            params,
            params.seed,
            max(1, min(sequence.limit - sequence.generated, room)),
            (*params.stop_strings, *stops),
            sequence.labels,
        )

    def _together(self, asked: list[tuple[RemoteSequence, Wanted]]) -> Iterator[list[tuple[RemoteSequence, Wanted]]]:
        """Groups of what can be asked for at once: alike, with seeds that follow each other."""
        servers = self._served.servers
        helps = all(server.abilities.samples and server.kind not in SHARING for server in servers)
        share = -(-len(asked) // len(servers))
        most = min(share, *map(self._served.places_of, servers)) if helps else 1
        group: list[tuple[RemoteSequence, Wanted]] = []
        for sequence, ask in asked:
            if group:
                last = group[-1][1]
                follows = replace(last, params=ask.params, seed=last.seed + 1) == ask
                alike = replace(last.params, seed=ask.params.seed) == ask.params
                several = bool(ask.params.temperature) and not ask.labels  # greedily, some refuse to write several
                if not (follows and alike and several and len(group) < most):
                    yield group
                    group = []
            group.append((sequence, ask))
        if group:
            yield group
