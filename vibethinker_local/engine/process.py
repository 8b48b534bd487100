"""The engine in a process of its own: a handle with the Engine's interface.

The process steps ahead of the caller by some steps at most. What the caller has not taken yet does not count: `force`
and `abort` take it back, so that a Sequence holds exactly what its caller has heard, as if the engine were in here.
A process that dies costs its Sequences; the next request starts another.
"""

import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from vibethinker_local.engine.connection import Connection
from vibethinker_local.engine.messages import (
    Abort,
    Add,
    CellsUsed,
    Command,
    Event,
    Force,
    IsGrammar,
    LoadRecipe,
    Question,
    StepMessage,
    TimeSpent,
    Tokenize,
    TokenPiece,
    Took,
    Woken,
)
from vibethinker_local.engine.model_info import ModelInfo
from vibethinker_local.engine.output import CLOSED, PATIENCE, SequenceId, Spent, StepOutput, ThreadCount
from vibethinker_local.engine.params import SCORING, SamplingParams
from vibethinker_local.engine.planner import Planner
from vibethinker_local.engine.sequence import checked, checked_prompt, limit_after
from vibethinker_local.errors import EngineError, ModelError

TAKE_TOGETHER = 4  # steps that are acknowledged at once
KNOWN, SHORT = 1024, 4096  # how many texts are cached with what is known of them, and how long each may be


@dataclass
class Heard:
    """What the handle knows about a Sequence in the process."""

    params: SamplingParams
    put_out: int = 0
    generated: int = 0
    ended: bool = False
    stopped: bool = False  # by a stop token, which does not count as generated
    aborted: bool = False  # its end has not been reported yet
    muted: int = 0  # commands sent but not yet carried out; until then the process's output is stale and dropped


class EngineProcess:
    def __init__(
        self,
        recipe: LoadRecipe,
        connection: Connection | None = None,
        *,
        planner: Planner | None = None,
        loading: Callable[[float], None] | None = None,
    ) -> None:
        """Load a model, in a process that was started for it or in a new one; `loading` hears which share is done.

        Raises what the recipe raises, or EngineDied.
        """
        self._recipe, self._planner = recipe, planner
        self._heard: dict[SequenceId, Heard] = {}
        self._next = 0
        self._asking = threading.Lock()  # one thread at a time asks, or starts another process
        self._stepper = 0  # the thread that adds and steps: others only ask
        self._pieces: dict[int, bytes] = {}
        # Cached, because an answer has to wait for the process's current step.
        self._known = lru_cache(KNOWN)(self._tokens)
        self._known_grammar = lru_cache(KNOWN)(self._is_grammar)
        self._closed = False
        self.stepped_at = 0.0  # when the step taken last had ended, in seconds by the process's clock
        self._taken = 0  # steps taken but not acknowledged yet
        self._connection = connection or Connection()
        self._connection.begin(recipe, planner, loading)
        self.threads = ThreadCount(self._connection.ready.threads, self._connection.ready.threads)

    @property
    def backend(self) -> "EngineProcess":
        """What can be asked about the model: `info`, `context`, `vocabulary`, `tokenize` and `piece`."""
        return self

    @property
    def info(self) -> ModelInfo:
        return self._connection.ready.info

    @property
    def context(self) -> int:
        return self._connection.ready.context

    @property
    def vocabulary(self) -> int:
        return self._connection.ready.vocabulary

    @property
    def cells_used(self) -> int:
        return int(self._ask(CellsUsed()))

    @property
    def spent(self) -> Spent:
        """How the time of the process's steps was spent."""
        spent: Spent = self._ask(TimeSpent())
        return spent

    @property
    def busy(self) -> bool:
        """Whether there is still something for `step` to report."""
        return any(not heard.ended for heard in list(self._heard.values()))

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The token ids of `text`. Control tokens are recognised only if `special`."""
        return list(self._known(text, special) if len(text) <= SHORT else self._tokens(text, special))

    def _tokens(self, text: str, special: bool) -> tuple[int, ...]:
        return tuple(self._ask(Tokenize(text, special)))

    def piece(self, token: int) -> bytes:
        """The bytes that a token stands for; empty for a control token."""
        if token not in self._pieces:
            self._pieces[token] = self._ask(TokenPiece(token))
        return self._pieces[token]

    def is_grammar(self, source: str) -> bool:
        """Like Engine.is_grammar."""
        return self._known_grammar(source) if len(source) <= SHORT else self._is_grammar(source)

    def _is_grammar(self, source: str) -> bool:
        return bool(self._ask(IsGrammar(source)))

    def add(self, tokens: Iterable[int], params: SamplingParams, *, parent: SequenceId | None = None) -> SequenceId:
        """Like Engine.add. If the process has died, raises EngineDied if it had Sequences, and else starts another."""
        prompt = self._checked_prompt(tokens, params)
        if params.grammar is not None and not self.is_grammar(params.grammar):
            raise ValueError("the grammar is not valid GBNF with a rule `root`")
        return self._add(prompt, params, parent)

    def score(self, tokens: Iterable[int], labels: tuple[int, ...], *, parent: SequenceId | None = None) -> SequenceId:
        """Like Engine.score. Raises EngineDied as `add` does."""
        checked(labels, self.vocabulary)
        return self._add(self._checked_prompt(tokens, SCORING), SCORING, parent, labels)

    def _checked_prompt(self, tokens: Iterable[int], params: SamplingParams) -> list[int]:
        return checked_prompt(tokens, self.vocabulary, self.context, params)

    def _add(
        self,
        tokens: list[int],
        params: SamplingParams,
        parent: SequenceId | None,
        labels: tuple[int, ...] | None = None,
    ) -> SequenceId:
        with self._asking:
            self._stepper = threading.get_ident()
            self._revive()
            name = SequenceId(self._next)
            self._next += 1
            self._heard[name] = Heard(params)
            self._send(Add(name, tokens, params, parent, labels))
            return name

    def force(self, id: SequenceId, tokens: Iterable[int], *, then: int) -> None:
        """Like Engine.force. The tokens come right after those that `step` has returned so far."""
        heard = self._heard.get(id)
        if heard is None or heard.aborted:
            raise ValueError(f"Sequence {id} is gone")
        forced = checked(tokens, self.vocabulary)
        limit_after(heard.params, heard.generated, len(forced), then)
        self._send(Force(id, heard.put_out, forced, then))
        heard.put_out += len(forced)
        heard.generated += len(forced)
        heard.muted += 1
        heard.ended = heard.stopped = False

    def rewind(self, id: SequenceId, known: int) -> None:
        """Like Engine.rewind: for a caller that hands outputs on, to somebody who has not had all of them yet."""
        heard = self._heard.get(id)
        if heard is None or heard.aborted or heard.put_out <= known:
            return
        heard.generated -= heard.put_out - known - heard.stopped
        heard.put_out = known
        heard.ended = heard.stopped = False

    def abort(self, id: SequenceId) -> None:
        """Like Engine.abort. Does nothing if the Sequence or its process is gone."""
        heard = self._heard.get(id)
        if heard is None or heard.aborted:
            return
        heard.aborted = True
        heard.muted += 1
        if heard.ended:
            del self._heard[id]
        self._connection.write(Abort(id, heard.put_out))  # if that fails, `step` will tell

    def step(self) -> list[StepOutput]:
        """The outputs of the next step; empty if it takes long.

        Raises EngineDied, the error inside the process, or EngineError after `close`: nothing would come any more.
        """
        if self._closed:
            raise EngineError(CLOSED)
        self._connection.check()
        self._stepper = threading.get_ident()
        if not self.busy:
            return []
        try:
            event = self._connection.events.get(timeout=PATIENCE)
        except queue.Empty:
            return []
        if isinstance(event, StepMessage):
            return self._take(event)
        if isinstance(event, Woken):
            return []
        raise self._failure(event)

    def wake(self) -> None:
        """Called from another thread: a `step` that waits for the process comes back empty, now or the next time."""
        self._connection.events.put(Woken())

    def close(self) -> None:
        """End the process, even in the middle of a decode. May be repeated."""
        self._closed = True
        self._heard.clear()
        self._connection.end()

    def _take(self, step: StepMessage) -> list[StepOutput]:
        self.stepped_at, self.threads = step.at, step.threads
        self._taken += 1
        if self._taken == TAKE_TOGETHER:
            self._taken = 0
            self._connection.write(Took(TAKE_TOGETHER))  # if that fails, what was received before still counts
        for id in step.done:
            if id in self._heard:
                self._heard[id].muted -= 1
        taken = []
        for output in step.outputs:
            heard = self._heard.get(output.sequence)
            if heard is None or (heard.muted and output.logprob is not None):
                continue  # it will be taken back
            taken.append(output)
            if output.logprob is not None:
                heard.put_out += 1
                heard.stopped = output.token in heard.params.stop_ids
                heard.generated += not heard.stopped
            if output.end:
                heard.ended = True
                if output.end == "aborted":
                    del self._heard[output.sequence]
        for id in step.done:  # one that had ended when the abort came ends no second time
            heard = self._heard.get(id)
            if heard and heard.aborted and not heard.muted:
                del self._heard[id]
        return taken

    def _revive(self) -> None:
        """Make sure that there is a living process."""
        if self._closed:
            raise EngineError(CLOSED)
        self._connection.check()
        if self._connection.alive:
            return
        if self._losing():
            raise self._failure()
        self._connection.end()
        self._heard.clear()
        connection = Connection()
        connection.begin(self._recipe, self._planner)
        self._connection, self._taken = connection, 0
        if self._closed:  # meanwhile, by another thread, which ended the one before
            connection.end()
            raise EngineError(CLOSED)

    def _losing(self) -> bool:
        """Whether the death of the process would lose anything that somebody is waiting for."""
        return any(not (heard.ended or heard.aborted) for heard in list(self._heard.values()))

    def _ask(self, question: Question) -> Any:
        with self._asking:
            again = not self._losing()  # ask another process, if this one was dead and nothing is lost
            while True:
                self._revive()
                reply = self._connection.ask(question)
                if reply:
                    return reply.value
                failure = self._failure()
                if not again:
                    raise failure
                again = False

    def _send(self, command: Command) -> None:
        if not self._connection.write(command):
            raise self._failure()

    def _failure(self, event: Event | None = None) -> EngineError | ModelError:
        """The error to raise now that the process has ended. Its Sequences are forgotten once the stepper is told."""
        failure = EngineError(CLOSED) if self._closed else self._connection.failure(event)
        if threading.get_ident() == self._stepper:
            self._heard.clear()
        return failure
