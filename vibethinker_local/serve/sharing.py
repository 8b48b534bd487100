"""One engine for many callers at once.

A thread owns the engine: it alone calls it, and hands what comes out to the callers' Shares. A Share has the engine's
interface, for the Sequences that its caller added. What a caller has not taken from its Share does not count, just as
with the engine itself: `force` takes it back.
"""

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from vibethinker_local.engine import SamplingParams, SequenceId, Spent, StepOutput, ThreadCount
from vibethinker_local.engine.model_info import ModelInfo
from vibethinker_local.engine.output import CLOSED, PATIENCE
from vibethinker_local.errors import EngineError, VibeError
from vibethinker_local.runtime.model import AnyEngine

log = logging.getLogger("vibethinker_local.serve.sharing")

T = TypeVar("T")


class OwnedEngine(AnyEngine, Protocol):
    def is_grammar(self, source: str) -> bool: ...
    def rewind(self, id: SequenceId, known: int) -> None: ...
    def wake(self) -> None: ...


class SharedEngine:
    def __init__(self, engine: OwnedEngine) -> None:
        """Takes the engine over; `close` closes it."""
        self.engine = engine
        self.deaths = 0  # of the engine's process, with Sequences in it
        self._asked: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._shares: dict[SequenceId, Share] = {}  # whose Sequences run
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="shared engine", daemon=True)
        self._thread.start()

    @property
    def running(self) -> int:
        """Sequences that have not ended, those that wait for room included."""
        return len(self._shares)

    def share(self, arrived: Callable[[], object] = lambda: None) -> "Share":
        """A caller's part of the engine; `arrived` is called on the engine's thread when there is something to take."""
        return Share(self, arrived)

    def ask(self, do: Callable[[], T]) -> "Future[T]":
        """Have something done by the thread that owns the engine, between two steps."""
        future: Future[T] = Future()
        self._asked.put((do, future))
        self.engine.wake()
        if self._closed:
            self._refuse()
        return future

    def is_grammar(self, source: str) -> bool:
        return self.ask(lambda: self.engine.is_grammar(source)).result()

    def add(self, share: "Share", do: Callable[[], SequenceId]) -> "Future[SequenceId]":
        """Start a Sequence, whose outputs go to the share from then on."""

        def added() -> SequenceId:
            name = do()
            self._shares[name] = share
            return name

        return self.ask(added)

    def force(self, share: "Share", id: SequenceId, tokens: list[int], then: int, known: int) -> "Future[None]":
        """Force tokens into a Sequence right after the first `known` that it put out."""

        def forced() -> None:
            self.engine.rewind(id, known)
            share.forget(id)
            self.engine.force(id, tokens, then=then)
            self._shares[id] = share

        return self.ask(forced)

    def close(self) -> None:
        """End the engine, in the middle of a step too. May be repeated."""
        if not self._closed:
            self._closed = True
            self._asked.put((lambda: None, Future()))
            self.engine.wake()
            self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            self._obey()
            try:
                outputs = self.engine.step()
            except Exception as error:  # whatever it is, those who wait must hear of it
                if not isinstance(error, VibeError):
                    log.exception("a step of the engine failed")
                self._lose(error)
            else:
                self._hand_out(outputs)
        self.engine.close()
        self._lose(EngineError(CLOSED))
        self._refuse()

    def _refuse(self) -> None:
        """What was asked too late gets an answer, too."""
        with suppress(queue.Empty):
            while True:
                self._asked.get_nowait()[1].set_exception(EngineError(CLOSED))

    def _obey(self) -> None:
        """Do what was asked. Waits for it if there is nothing else to do."""
        while not self._closed:
            try:
                do, future = self._asked.get(block=not self.engine.busy)
            except queue.Empty:
                return
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(do())
            except Exception as error:  # the caller's, who gets it
                future.set_exception(error)
                if self._shares and not self.engine.busy:
                    self._lose(error)  # the engine has died, and its Sequences with it

    def _hand_out(self, outputs: list[StepOutput]) -> None:
        parts: dict[Share, list[StepOutput]] = {}
        for output in outputs:
            if share := self._shares.get(output.sequence):
                parts.setdefault(share, []).append(output)
                if output.end:
                    del self._shares[output.sequence]
        for share, part in parts.items():
            share.put(part)

    def _lose(self, error: Exception) -> None:
        """Tell all whose Sequences were running."""
        error = (
            error if isinstance(error, VibeError) else EngineError("The engine failed: the log file has the details.")
        )
        self.deaths += bool(self._shares)
        losers = set(self._shares.values())
        self._shares.clear()
        for share in losers:
            share.fail(error)


class Share:
    """One caller's Sequences in a shared engine; for one thread at a time. Calls wait for the engine's current step."""

    def __init__(self, shared: SharedEngine, arrived: Callable[[], object]) -> None:
        self._shared, self._engine, self._arrived = shared, shared.engine, arrived
        self._change = threading.Condition()
        self._inbox: deque[StepOutput] = deque()
        self._error: Exception | None = None
        self._put_out: dict[SequenceId, int] = {}  # tokens that the caller knows of, by Sequence
        self._running: set[SequenceId] = set()  # those whose end the caller has not heard
        self._closed = False

    @property
    def backend(self) -> "Share":
        return self

    @property
    def info(self) -> ModelInfo:
        return self._engine.backend.info

    @property
    def context(self) -> int:
        return self._engine.backend.context

    @property
    def vocabulary(self) -> int:
        return self._engine.backend.vocabulary

    @property
    def stepped_at(self) -> float:
        return self._engine.stepped_at

    @property
    def threads(self) -> ThreadCount:
        return self._engine.threads

    @property
    def cells_used(self) -> int:
        """Of all callers."""
        return self._shared.ask(lambda: self._engine.cells_used).result()

    @property
    def spent(self) -> Spent:
        """For all callers."""
        return self._shared.ask(lambda: self._engine.spent).result()

    @property
    def busy(self) -> bool:
        return bool(self._running)

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        return self._shared.ask(lambda: self._engine.backend.tokenize(text, special=special)).result()

    def piece(self, token: int) -> bytes:
        return self._shared.ask(lambda: self._engine.backend.piece(token)).result()

    def pieces(self, tokens: Iterable[int]) -> list[bytes]:
        """The bytes of several tokens, asked for at once."""
        return self._shared.ask(lambda: [self._engine.backend.piece(token) for token in tokens]).result()

    def add(self, tokens: Iterable[int], params: SamplingParams, *, parent: SequenceId | None = None) -> SequenceId:
        """Like Engine.add; the Sequence is given back by `abort` or `close`."""
        return self._added(self._shared.add(self, lambda: self._engine.add(tokens, params, parent=parent)))

    def score(self, tokens: Iterable[int], labels: tuple[int, ...], *, parent: SequenceId | None = None) -> SequenceId:
        return self._added(self._shared.add(self, lambda: self._engine.score(tokens, labels, parent=parent)))

    def _added(self, future: "Future[SequenceId]") -> SequenceId:
        name = future.result()
        self._put_out[name] = 0
        self._running.add(name)
        if self._closed:  # meanwhile, on another thread
            self.abort(name)
        return name

    def force(self, id: SequenceId, tokens: Iterable[int], *, then: int, back: int = 0) -> None:
        """Like Engine.force, after the tokens that were taken from here; without the last `back` of them, sampled ones
        that the caller takes back."""
        forced = list(tokens)
        known = self._put_out[id] - back
        self._shared.force(self, id, forced, then, known).result()
        self._put_out[id] = known + len(forced)
        self._running.add(id)

    def abort(self, id: SequenceId) -> None:
        """Like Engine.abort. Does not wait for it."""
        if self._put_out.pop(id, None) is not None:
            self.forget(id)
            self._running.discard(id)
            self._shared.ask(lambda: self._engine.abort(id))

    def step(self) -> list[StepOutput]:
        """What has come; empty if that takes long. Raises EngineDied, or another of the engine's errors."""
        with self._change:
            if self._running and not self._inbox and self._error is None:
                self._change.wait(PATIENCE)
        return self.take()

    def take(self) -> list[StepOutput]:
        """What has come, at once. Raises EngineDied, or another of the engine's errors, after the last of it."""
        with self._change:
            taken = list(self._inbox)
            self._inbox.clear()
            error = None if taken else self._error
            if error:
                self._error = None
        if error:
            self._running.clear()
            raise error
        for output in taken:
            if output.sequence in self._put_out:
                self._put_out[output.sequence] += output.logprob is not None
                if output.end:
                    self._running.discard(output.sequence)
        return taken

    def close(self) -> None:
        """Give back all that was not aborted yet, and whatever is added later."""
        self._closed = True
        for id in list(self._put_out):
            self.abort(id)

    # For the engine's thread

    def put(self, outputs: list[StepOutput]) -> None:
        with self._change:
            self._inbox += outputs
            self._change.notify()
        self._arrived()

    def fail(self, error: Exception) -> None:
        with self._change:
            self._error = error
            self._change.notify()
        self._arrived()

    def forget(self, id: SequenceId) -> None:
        """Drop what has come of a Sequence and was not taken."""
        with self._change:
            kept = [output for output in self._inbox if output.sequence != id]
            self._inbox.clear()
            self._inbox += kept
