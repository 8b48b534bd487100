"""What exact algebra cannot decide is decided in a process that can be killed: no answer may take long or much memory.

The process computes with mpmath. It gives up by itself after a time; if it is stuck in a single large operation it is
killed and started anew, which takes a moment.
"""

import _thread
import base64
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import FrameType
from typing import IO, Self, cast

from vibethinker_local.reliability.maths.expressions import Expression
from vibethinker_local.system import children

SECONDS = 1.0  # for one comparison
GRACE = 0.5  # seconds more until a process that should have given up is killed
START_SECONDS = 60.0  # a busy machine takes its time to start a process
GLANCE = 0.1  # seconds after which it is asked again whether the caller has any time left
MEMORY = 2 * 2**30  # bytes


class Checker:
    """`decide` compares; `close` gives the process back."""

    def __init__(self, left: Callable[[], float] = lambda: float("inf"), seconds: float = SECONDS) -> None:
        """`left()` tells how many seconds the caller has left in all."""
        self._left, self._seconds = left, seconds
        self._process: subprocess.Popen[str] | None = None
        self._replies: queue.Queue[str] = queue.Queue()
        self._ready = False
        self._known: dict[object, bool | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def warm(self) -> None:
        """Start the process, without waiting for it."""
        if self._process and self._process.poll() is None:
            return
        self.close()
        self._replies, self._ready = queue.Queue(), False
        try:
            self._process = subprocess.Popen(
                children.command(__name__),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=children.environment(),
                encoding="ascii",
            )
            stdout = cast(IO[str], self._process.stdout)
            threading.Thread(target=_pass_on, args=(stdout, self._replies), daemon=True).start()
        except (OSError, RuntimeError):  # RuntimeError: the system starts no more threads
            self.close()
            self._replies.put("")  # as of a process that has ended

    def wait_until_ready(self) -> bool:
        """Start the process and wait for it; whether it came."""
        self.warm()
        if not self._ready:
            self._ready = self._reply(START_SECONDS) == "ready"
        return self._ready

    def decide(self, question: str, left: Expression, right: Expression) -> bool | None:
        """What `numeric.decide` says; None if that cannot be told in time."""
        key = question, frozenset((left, right))
        if key not in self._known:
            self._known[key] = self._ask((question, left, right))
        return self._known[key]

    def close(self) -> None:
        """May be repeated."""
        if self._process:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    cast(IO[str], stream).close()
            self._process = None

    def _ask(self, question: object) -> bool | None:
        if not self.wait_until_ready():
            return None
        process = cast("subprocess.Popen[str]", self._process)
        try:
            stdin = cast(IO[str], process.stdin)
            line = base64.b64encode(pickle.dumps((self._seconds, question))).decode()
            stdin.write(line + "\n")
            stdin.flush()
        except OSError:
            self.close()
            return None
        return {"True": True, "False": False}.get(self._reply(self._seconds + GRACE))

    def _reply(self, seconds: float) -> str:
        reply = None
        until = time.monotonic() + seconds
        while reply is None and time.monotonic() < until and self._left() > 0:
            with suppress(queue.Empty):
                reply = self._replies.get(timeout=min(GLANCE, max(0.0, self._left())))
        if not reply:  # too late, or the process has died
            self.close()
            if self._left() > 0:
                self.warm()
        return reply or ""


def _pass_on(stream: IO[str], replies: "queue.Queue[str]") -> None:
    with suppress(ValueError, OSError):  # closed from the other side
        for line in stream:
            replies.put(line.strip())
    replies.put("")


# The process


class _Overdue(BaseException):
    """Raised in the midst of a comparison that takes too long; no library catches it."""


def serve() -> None:
    """A question a line in, a word out."""
    from vibethinker_local.reliability.maths import numeric

    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    limited = _time_limits()
    print("ready", flush=True)
    for line in sys.stdin:
        seconds, (question, left, right) = pickle.loads(base64.b64decode(line))
        answer: bool | None = None
        try:
            with limited(seconds):
                answer = numeric.decide(question, left, right)
        except (_Overdue, Exception):  # whatever a library makes of an answer, it is no answer of ours
            answer = None
        print(answer, flush=True)


def _time_limits() -> Callable[[float], AbstractContextManager[None]]:
    """What gives the main thread so many seconds for something, and then interrupts it by _Overdue.

    Ctrl-C in the terminal is not for this process.
    """
    overdue = False

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal overdue
        if overdue:
            overdue = False
            raise _Overdue

    def strike() -> None:
        nonlocal overdue
        overdue = True
        _thread.interrupt_main()

    @contextmanager
    def limited(seconds: float) -> Iterator[None]:
        nonlocal overdue
        timer = threading.Timer(seconds, strike)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            overdue = False

    signal.signal(signal.SIGINT, interrupted)
    return limited


if __name__ == "__main__":
    serve()
