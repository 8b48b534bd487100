"""Symbolic comparison by Math-Verify, in a process that can be killed: no expression may take long or much memory.

Math-Verify's own time limits use signals, which only work in a main thread on POSIX; they are off, and a comparison
that takes too long costs the process, which the next one starts anew.
"""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import IO, cast

SECONDS = 2.0  # for one comparison
START_SECONDS = 60.0  # SymPy takes its time to load
GLANCE = 0.1  # seconds after which it is asked again whether the caller has any time left
MEMORY = 2 * 2**30  # bytes


class Checker:
    """`equal` compares; `close` gives the process back."""

    def __init__(self, left: Callable[[], float] = lambda: float("inf"), seconds: float = SECONDS) -> None:
        """`left()` tells how many seconds the caller has left in all."""
        self._left, self._seconds = left, seconds
        self._process: subprocess.Popen[str] | None = None
        self._replies: queue.Queue[str] = queue.Queue()
        self._known: dict[tuple[str, str], bool | None] = {}

    def warm(self) -> None:
        """Start the process, without waiting for it."""
        if self._process and self._process.poll() is None:
            return
        self._replies = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        stdout = cast(IO[str], self._process.stdout)
        threading.Thread(target=_pass_on, args=(stdout, self._replies), daemon=True).start()
        self._ready = False

    def equal(self, left: str, right: str) -> bool | None:
        """Whether two LaTeX expressions are the same, asked both ways round; None if that cannot be told in time."""
        key = min(left, right), max(left, right)
        if key not in self._known:
            self._known[key] = self._ask(*key)
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

    def _ask(self, left: str, right: str) -> bool | None:
        self.warm()
        if not self._ready:
            if self._reply(START_SECONDS) != "ready":
                return None
            self._ready = True
        process = cast("subprocess.Popen[str]", self._process)
        try:
            stdin = cast(IO[str], process.stdin)
            stdin.write(json.dumps([left, right]) + "\n")
            stdin.flush()
        except OSError:
            self.close()
            return None
        return {"same": True, "different": False}.get(self._reply(self._seconds))

    def _reply(self, seconds: float) -> str:
        reply = None
        until = time.monotonic() + seconds
        while reply is None and time.monotonic() < until and self._left() > 0:
            with suppress(queue.Empty):
                reply = self._replies.get(timeout=min(GLANCE, max(0.0, self._left())))
        if not reply:  # too late, or the process has died
            self.close()
        return reply or ""


def _pass_on(stream: IO[str], replies: "queue.Queue[str]") -> None:
    with suppress(ValueError, OSError):  # closed from the other side
        for line in stream:
            replies.put(line.strip())
    replies.put("")


def _serve() -> None:
    """The process: a pair of expressions a line in, a word out."""
    from math_verify import LatexExtractionConfig, parse, verify

    # Without its list of units, which it would drop: 2π cm are not 2π m, and `ab` is on it as well.
    found = LatexExtractionConfig()
    reading = replace(found, normalization_config=replace(found.normalization_config, units=False))
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    print("ready", flush=True)
    for line in sys.stdin:
        left, right = (
            parse(
                f"${text}$",
                extraction_config=[reading],
                fallback_mode="no_fallback",
                parsing_timeout=None,
            )
            for text in json.loads(line)
        )
        if not left or not right:
            print("unknown", flush=True)
            continue
        both = all(verify(a, b, timeout_seconds=None) for a, b in ((left, right), (right, left)))
        print("same" if both else "different", flush=True)


if __name__ == "__main__":
    _serve()
