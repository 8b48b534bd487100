"""One process with an engine in it, from its start to its end, and the way to speak with it.

Does not interpret the messages. What native code prints goes to engine.log, which is searched for the cause if the
process dies.
"""

import logging
import os
import pickle
import queue
import signal
import subprocess
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from vibethinker_local.engine.messages import (
    NO_MORE_THREADS,
    Begin,
    Event,
    Failed,
    Loading,
    LoadRecipe,
    Message,
    NumberedQuestion,
    Question,
    Ready,
    Reply,
    StepMessage,
    Woken,
)
from vibethinker_local.engine.planner import Planner
from vibethinker_local.errors import EngineDied, EngineError, ModelError
from vibethinker_local.system import children, logs

GRACE = 1.0  # seconds that a process gets to end by itself before it is killed
NO_BLAS = {"OPENBLAS_NUM_THREADS": "1"}  # NumPy starts a thread for each core, though nothing multiplies matrices
LINE = 300  # characters of the log that an error message may quote
ELSEWHERE = "The model was loaded by another process, which this one is a copy of: load it here."
Events = queue.SimpleQueue[Loading | Ready | StepMessage | Failed | Woken | None]  # None: there will be no more
Replies = queue.SimpleQueue[Reply | None]


class Connection:
    def __init__(self) -> None:
        """Start a process, which takes a moment to get ready for `begin`. Raises EngineError."""
        log, self._log_begin = logs.engine_log()
        try:
            self.process = subprocess.Popen(
                children.command("vibethinker_local.engine.child"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log or subprocess.DEVNULL,
                env=NO_BLAS | children.environment() | {"GLIBC_TUNABLES": _tunables()},
                **children.OWN_GROUP,
            )
        except OSError as error:
            raise EngineError(f"The engine's process cannot be started: {error.strerror or error}.") from error
        finally:
            if log:
                log.close()
        assert self.process.stdout
        self.events, self._replies = Events(), Replies()
        self._asked = 0  # questions so far
        self._owner = os.getpid()
        self._writing = threading.Lock()
        self._reader = threading.Thread(
            target=_read, args=(self.process.stdout, self.events, self._replies), name="engine", daemon=True
        )
        try:
            self._reader.start()
        except RuntimeError as error:
            with self.process:  # which closes its streams
                self.process.kill()
            raise EngineError(NO_MORE_THREADS) from error
        self._begun = threading.Event()
        # Also runs on garbage collection.
        self.end = weakref.finalize(self, _end, self.process, self._reader, self._begun, self._owner)

    def begin(
        self, recipe: LoadRecipe, planner: Planner | None, loading: Callable[[float], None] | None = None
    ) -> None:
        """Load a model; `loading` hears which share is done. Raises what the recipe raises, or EngineDied."""
        self._begun.set()
        try:
            self.write(Begin(recipe, planner, logging.getLogger("vibethinker_local").getEffectiveLevel()))
            while isinstance(ready := self.events.get(), Loading):
                if loading:
                    loading(ready.share)
            if not isinstance(ready, Ready):
                raise self.failure(ready)
        except BaseException:
            self.end()
            raise
        self.ready = ready

    def check(self) -> None:
        """Raises EngineError in a fork of the process that started this one, which would hear nothing for ever."""
        if os.getpid() != self._owner:
            raise EngineError(ELSEWHERE)

    @property
    def alive(self) -> bool:
        return self.end.alive and self.process.poll() is None

    def write(self, message: Message) -> bool:
        """Send a message. Returns False if the process is gone. Raises EngineError as `check` does."""
        self.check()
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        assert self.process.stdin
        with self._writing:
            try:
                self.process.stdin.write(data)
                self.process.stdin.flush()
            except (OSError, ValueError):  # ValueError: closed already
                return False
            except BaseException:  # Ctrl-C: nothing that follows half a message could be read
                self.process.kill()
                self.end()
                raise
        return True

    def ask(self, question: Question) -> Reply | None:
        """The reply to a question, of one thread at a time; None if the process is gone. Raises as `write` does."""
        self._asked += 1
        reply = self._replies.get() if self.write(NumberedQuestion(self._asked, question)) else None
        while reply and reply.number < self._asked:  # to one that Ctrl-C left unheard
            reply = self._replies.get()
        return reply

    def failure(self, event: Event | None = None) -> EngineError | ModelError:
        """End the process; returns the reason that it gave, or else how it ended."""
        self._reader.join(GRACE)
        with suppress(queue.Empty):
            while not isinstance(event, Failed):
                event = self.events.get_nowait()
        self.events.put(event if isinstance(event, Failed) else None)  # another thread may wait for it, too
        self.end()
        if isinstance(event, Failed):
            return (ModelError if event.kind == "model" else EngineError)(event.reason)
        code = self.process.wait()  # another thread may be ending it, and then `end` returns at once
        return EngineDied(_obituary(code, logs.engine_log_since(self._log_begin)))


def _tunables() -> str:
    """The user's settings of the C library, and that large memory shall be in huge pages.

    Repacked weights and the KV cache lie in such memory: a start of the 3B as Q4_K_M takes 24,000 page faults then, not
    435,000. glibc reads it when a process starts ("Memory Allocation Tunables" in its manual); others ignore it.
    """
    chosen = os.environ.get("GLIBC_TUNABLES", "")
    return chosen if "glibc.malloc.hugetlb" in chosen else ":".join(filter(None, (chosen, "glibc.malloc.hugetlb=1")))


def _read(source: IO[bytes], events: Events, replies: Replies) -> None:
    """Read the process's messages and sort them, until there are no more."""
    with suppress(EOFError, OSError, ValueError, pickle.UnpicklingError):  # cut off anywhere
        while True:
            event: Event = pickle.load(source)
            if isinstance(event, Reply):
                replies.put(event)
            else:
                events.put(event)
    events.put(None)
    replies.put(None)


def _end(process: "subprocess.Popen[bytes]", reader: threading.Thread, begun: threading.Event, owner: int) -> None:
    """Close the process's input, on which it should end; if it does not, or has nothing to end yet, kill it.

    A fork of its owner leaves it alone.
    """
    if os.getpid() != owner:
        return
    assert process.stdin
    assert process.stdout
    if not begun.is_set():
        process.kill()
    with suppress(OSError):
        process.stdin.close()
    for insist in (process.terminate, process.kill):
        try:
            process.wait(GRACE)
            break
        except subprocess.TimeoutExpired:
            insist()
    process.wait()
    reader.join()
    process.stdout.close()


def _obituary(code: int, log: str) -> str:
    """One sentence on how the process ended, and one on what to do."""
    name = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else None
    how = _ENDS.get(name or code, f"was ended by {name}" if name else f"ended by itself (exit code {code})")
    if "Thread creation failed" in log:  # libgomp, which ends the process
        return NO_MORE_THREADS
    if how == _ILLEGAL:
        return f"The engine's process {how}: llama.cpp was built for another one. Build it here (docs/install.md)."
    telling = [line.strip() for line in log.splitlines() if any(word in line for word in _TELLING)]
    reason = f": {telling[-1][:LINE]}" if telling else ""
    return f"The engine's process {how}{reason}. Try again, if need be with a shorter --ctx or a smaller model."


_ILLEGAL = "met an instruction that this processor does not have"
_ENDS: dict[str | int, str] = {
    "SIGABRT": "gave up",
    "SIGBUS": "lost its model file or its memory",
    "SIGILL": _ILLEGAL,
    "SIGKILL": "was killed, as the system does when memory runs short",
    "SIGSEGV": "crashed",
    # Windows has exit codes instead.
    0xC0000005: "crashed",
    0xC000001D: _ILLEGAL,
    0xC0000409: "gave up",
}
_TELLING = ("GGML_ASSERT", "GGML_ABORT", "what():", "ERROR", "rror:")
