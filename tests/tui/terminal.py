"""A program inside a pseudo-terminal, driven by keys, for tests and measurements. POSIX only."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]


class Terminal:
    """Runs `python ARGS` in a terminal of its own; ends it when the block ends."""

    def __init__(self, *args: str, size: tuple[int, int] = (120, 40), env: dict[str, str] | None = None) -> None:
        self.began = time.perf_counter()
        self._ours, self._theirs = pty.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.settings = termios.tcgetattr(self._theirs)
        self.process = subprocess.Popen(
            [sys.executable, *args],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            cwd=ROOT,
            env=os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | (env or {}),
            start_new_session=True,
        )
        self.output = b""
        self._mark = 0  # what was waited for ends here

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self._ours >= 0:
            os.close(self._ours)
        os.close(self._theirs)

    def read(self, seconds: float) -> bytes:
        """What comes within so many seconds, at once when something does."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return b""
        found = os.read(self._ours, 1 << 20)
        self.output += found
        return found

    def write(self, text: str | bytes) -> None:
        os.write(self._ours, text.encode() if isinstance(text, str) else text)

    def hang_up(self) -> None:
        """Close the terminal's window, as it were."""
        os.close(self._ours)
        self._ours = -1

    def until(self, text: str, seconds: float = 30.0) -> float:
        """Wait for text that is painted after what was waited for last; seconds until it came."""
        began = time.perf_counter()
        while (found := self.output.find(text.encode(), self._mark)) < 0:
            self.read(0.05)
            if time.perf_counter() - began > seconds:
                raise TimeoutError(f"{text!r} was not painted: {self.output[-2000:]!r}")
        self._mark = found + len(text.encode())
        return time.perf_counter() - began

    def rest(self, seconds: float) -> None:
        """Let it run, and read."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)

    def ended(self, seconds: float = 30.0) -> float:
        """Wait for its end, reading; seconds until it came."""
        began = time.perf_counter()
        while self.process.poll() is None:
            self.read(0.02)
            if time.perf_counter() - began > seconds:
                raise TimeoutError("it does not end")
        while self.read(0.1):
            pass
        return time.perf_counter() - began

    @property
    def restored(self) -> bool:
        """Whether the terminal is as it was: its settings, the screen, the cursor, the mouse."""
        off = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l")
        return termios.tcgetattr(self._theirs) == self.settings and all(
            self.output.rfind(mark) > self.output.rfind(mark[:-1] + (b"l" if mark[-1:] == b"h" else b"h"))
            for mark in off
        )
