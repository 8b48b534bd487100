"""The sandbox as its users see it: a handle on child processes that hold the WebAssembly runtime.

A process serves one `run` at a time. Those that are idle wait for the next, so only the first `run` waits for a start
(about a second), or none where `warm` was called before. One that dies, or does not answer in time, costs its own run
only: the next takes another.
"""

import contextlib
import json
import queue
import subprocess
import threading
import weakref
from collections.abc import Sequence
from typing import IO, Any, Self, get_args

from vibethinker_local.errors import SandboxError
from vibethinker_local.sandbox.child import start
from vibethinker_local.sandbox.compiled import require, verified
from vibethinker_local.sandbox.program import PATIENCE, STANDARD, Limit, Limits, Outcome, Program, ProgramCall

READY = 120.0  # seconds to load the compiled module in, on a machine that is busy
GRACE = 10.0  # seconds beyond what a run may take, before its process is ended
CRASHED = Outcome(exception="Crash", message="the sandbox's process ended")


def open(workers: int = 1) -> "WasiSandbox":
    """A sandbox, if this machine has one. Raises SandboxError, which says what to install or to do."""
    require()
    return WasiSandbox(workers)


class Worker:
    """One child process. `ask` is for one thread at a time."""

    def __init__(self) -> None:
        """Start it and wait until it is ready. Raises SandboxError."""
        self._process = start(verified())
        assert self._process.stdout
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        reader = threading.Thread(target=_read, args=(self._process.stdout, self._lines), name="sandbox", daemon=True)
        reader.start()
        self.end = weakref.finalize(self, _end, self._process, reader)
        try:
            answer = self._next(READY)
        except BaseException:
            self.end()
            raise
        if answer is None or "ready" not in answer:
            self.end()
            reason = "it ended" if answer is None else str(answer.get("broken"))
            raise SandboxError(f"The sandbox does not start: {reason}. `vibe sandbox setup` prepares it anew.")

    @property
    def alive(self) -> bool:
        return self.end.alive and self._process.poll() is None

    def ask(self, request: dict[str, Any], seconds: float) -> list[dict[str, Any]] | None:
        """The outcomes, or None if the process died; TimeoutError if it does not answer. Both are its end."""
        assert self._process.stdin
        try:
            try:
                self._process.stdin.write(json.dumps(request).encode("ascii") + b"\n")
                self._process.stdin.flush()
            except OSError:
                answer = None
            else:
                answer = self._next(seconds)
        except BaseException:  # Ctrl-C too: nobody would take its answer
            self.end()
            raise
        if answer is None or "broken" in answer:
            self.end()
        if answer is None:
            return None
        if "broken" in answer:
            raise SandboxError(f"The sandbox has failed: {answer['broken']}.")
        outcomes: list[dict[str, Any]] = answer["outcomes"]
        return outcomes

    def _next(self, seconds: float) -> dict[str, Any] | None:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None
        answer: dict[str, Any] | None = None
        with contextlib.suppress(ValueError):  # it has ended, perhaps in mid-sentence
            answer = json.loads(line)
        return answer


class WasiSandbox:
    """CPython for WebAssembly under wasmtime, in at most `workers` child processes at a time."""

    def __init__(self, workers: int = 1) -> None:
        self._free = threading.Semaphore(workers)
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        self._busy: set[Worker] = set()
        self._closed = False

    def run(self, program: Program, calls: Sequence[ProgramCall], limits: Limits = STANDARD) -> list[Outcome]:
        """The outcome of each call, in order. May be used by several threads. Raises SandboxError."""
        if not calls:
            return []
        request = {
            "source": program.source,
            "prelude": program.prelude,
            "calls": [{"code": call.code, "stdin": call.stdin, "alone": call.alone} for call in calls],
            "seconds": limits.seconds,
            "total_seconds": limits.total_seconds,
            "memory_bytes": limits.memory_bytes,
            "output_bytes": limits.output_bytes,
        }
        with self._free:
            worker = self._take()
            try:
                answer = worker.ask(request, limits.total_seconds * PATIENCE + GRACE)
            except TimeoutError:
                return [Outcome(limit="time")] * len(calls)
            finally:
                self._give_back(worker)
        if answer is None:
            if self._closed:
                raise SandboxError("The sandbox was closed.")
            return [CRASHED] * len(calls)
        return [_outcome(each) for each in answer]

    def warm(self) -> None:
        """Start one process in the background, if none is there."""
        threading.Thread(target=self._warm, name="sandbox-start", daemon=True).start()

    def close(self) -> None:
        """End all processes, in mid-run too. May be repeated."""
        with self._lock:
            self._closed = True
            workers = [*self._idle, *self._busy]
            self._idle.clear()
        for worker in workers:
            worker.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _warm(self) -> None:
        with self._free, contextlib.suppress(SandboxError, TimeoutError):  # whoever runs something will hear of it
            self._give_back(self._take())

    def _take(self) -> Worker:
        with self._lock:
            if self._closed:
                raise SandboxError("The sandbox was closed.")
            while self._idle:
                worker = self._idle.pop()
                if worker.alive:  # it may have been killed while it waited
                    self._busy.add(worker)
                    return worker
                worker.end()
        try:
            worker = Worker()
        except TimeoutError:
            raise SandboxError(
                f"The sandbox was not ready after {READY:.0f} seconds. `vibe sandbox setup` prepares it anew."
            ) from None
        with self._lock:
            self._busy.add(worker)
            closed = self._closed
        if closed:  # meanwhile
            self._give_back(worker)
            raise SandboxError("The sandbox was closed.")
        return worker

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            self._busy.discard(worker)
            if worker.alive and not self._closed:
                self._idle.append(worker)
                return
        worker.end()


def _outcome(said: dict[str, Any]) -> Outcome:
    """What came from inside, if it has the form of an outcome: a program can say anything."""

    def text(name: str) -> str | None:
        value = said.get(name)
        return value if isinstance(value, str) else None

    limit = said.get("limit")
    if limit not in (None, *get_args(Limit)):
        return CRASHED
    return Outcome(text("value"), text("stdout") or "", text("exception"), text("message") or "", limit)


def _read(source: IO[bytes], lines: "queue.SimpleQueue[bytes]") -> None:
    with contextlib.suppress(OSError, ValueError):  # cut off anywhere
        for line in source:
            lines.put(line)
    lines.put(b"")


def _end(process: "subprocess.Popen[bytes]", reader: threading.Thread) -> None:
    """Nothing in it is worth a farewell."""
    assert process.stdin
    assert process.stdout
    process.kill()
    process.wait()
    reader.join()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            stream.close()
