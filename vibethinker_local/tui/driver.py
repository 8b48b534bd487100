"""What a terminal sends, whatever it sends: bytes that are not UTF-8, escape sequences cut short, pastes in any form.

Textual's own driver ends its input thread at the first byte that is not UTF-8, and the app with it; reads a paste whose
end marker was lost for ever; and takes lines that are pasted without bracketed paste for as many questions. POSIX only:
on Windows, the console hands over characters and key events.
"""

import logging
import os
import re
import selectors
import signal
import time
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key, Paste
from textual.message import Message

from vibethinker_local.errors import VibeError

log = logging.getLogger("vibethinker_local.tui.driver")

PASTE, PASTE_END = "\x1b[200~", "\x1b[201~"
PASTE_SECONDS = 2.0  # of silence, after which a paste is over although its end marker is missing
BURST_SECONDS = 0.02  # between two characters of a burst; nobody types that fast
LINES_SECONDS = 0.05  # between two pieces of a burst that has several lines already
CUT_SECONDS = 0.1  # that the rest of a character or of a marker may be late
POLL_SECONDS = 0.1


class Input:
    """Turns bytes into Textual's messages. Feed it what was read, and call `tick` when `wait` seconds are over.

    Enter is sent on at once, except within a burst, which is how a paste looks where bracketed paste is not supported:
    there it waits for what follows. Enter at the end of one line is Enter; between lines, all of them are one Paste.
    """

    def __init__(self, *, debug: bool = False) -> None:
        self._debug = debug
        self._parser = XTermParser(debug)
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._pasted: list[str] | None = None  # a bracketed paste, as far as it has come
        self._tail = ""  # of what was read: the beginning of a paste marker, perhaps
        self._burst = ""  # held back: ends in Enter, or has several lines
        self._last = 0.0  # when something came

    @property
    def wait(self) -> float:
        """Seconds after which `tick` has something to do if nothing is read before."""
        return self._patience if self._burst or self._tail else POLL_SECONDS

    @property
    def _patience(self) -> float:
        return LINES_SECONDS if self._burst.strip("\r\n") else BURST_SECONDS

    def feed(self, data: bytes, now: float) -> Iterator[Message]:
        """The messages that these bytes complete; `now` in seconds."""
        quick = now - self._last < BURST_SECONDS
        self._last = now
        text = self._tail + self._decoder.decode(data)
        self._tail = ""
        while text:
            if self._pasted is not None:
                body, marker, text = _split(text, PASTE_END)
                self._pasted.append(body)
                if marker:
                    yield from self._end_paste()
            else:
                typed, marker, text = _split(text, PASTE)
                yield from self._typed(typed, quick=quick)
                if marker:
                    yield from self._end_burst()
                    self._pasted = []
            if not marker:
                self._tail = text
                return

    def tick(self, now: float) -> Iterator[Message]:
        """What time alone completes: a burst, a paste without an end, half a character."""
        silence = now - self._last
        if self._burst and silence >= self._patience:
            yield from self._end_burst()
        if silence >= CUT_SECONDS:
            tail, self._tail = self._tail + self._decoder.decode(b"", final=True), ""
            if self._pasted is not None:
                self._pasted.append(tail)
            elif tail:
                yield from self._parse(tail)
        if self._pasted is not None and silence >= PASTE_SECONDS:
            yield from self._end_paste()
        yield from self._parser.tick()

    def _typed(self, text: str, *, quick: bool) -> Iterator[Message]:
        """Text outside of a bracketed paste. Only characters, tabs and line ends belong to a burst."""
        plain, rest = _plain(text)
        if not self._burst and not quick:
            enters = len(plain) - len(plain.lstrip("\r\n"))
            yield from self._parse(plain[:enters])
            plain = plain[enters:]
        first, enter, more = plain.partition("\r")
        if self._burst or more.strip("\r\n"):
            self._burst += plain
        else:
            yield from self._parse(first)
            self._burst = enter + more
        if rest:
            yield from self._end_burst()
            yield from self._parse(rest)

    def _end_burst(self) -> Iterator[Message]:
        burst, self._burst = self._burst, ""
        if burst.strip("\r\n"):
            yield Paste(burst)
        else:
            yield from self._parse(burst)

    def _end_paste(self) -> Iterator[Message]:
        text, self._pasted = "".join(self._pasted or ()).replace("\0", ""), None
        if text:
            yield Paste(text)

    def _parse(self, text: str) -> Iterator[Message]:
        """Keys, mouse and reports of the terminal. A sequence that the parser breaks at is lost, and nothing else."""
        for at, part in enumerate(text.replace("\r\n", "\r").split("\x1b\r")):  # some send both for enter
            if at:
                yield Key("alt+enter", None)  # Textual has no name for it
            try:
                if part:
                    yield from self._parser.feed(part)
            except Exception:  # whatever it stumbles over came from outside
                log.warning("the terminal sent something unreadable: %r", part, exc_info=True)
                self._parser = self._renewed()

    def _renewed(self) -> XTermParser:
        parser = XTermParser(self._debug)
        for name in ("mouse_pixels", "terminal_size", "terminal_pixel_size"):
            setattr(parser, name, getattr(self._parser, name))
        return parser


def _split(text: str, marker: str) -> tuple[str, str, str]:
    """What stands before a marker, the marker, and what follows; without one, what may be its beginning follows."""
    before, found, after = text.partition(marker)
    if found:
        return before, found, after
    begun = next((n for n in range(min(len(marker) - 1, len(text)), 0, -1) if marker.startswith(text[-n:])), 0)
    return text[: len(text) - begun], "", text[len(text) - begun :]


def _plain(text: str) -> tuple[str, str]:
    """The characters, tabs and line ends that a text begins with, and the rest, from its first control character on."""
    control = re.search(r"[^\t\n\r\x20-\x7e\x80-\U0010ffff]", text)
    at = control.start() if control else len(text)
    return text[:at], text[at:]


class Lossy:
    """A stream that drops what a terminal that is gone cannot take.

    Textual's output thread would die of the error, and the app then wait for ever for room in its queue.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class TerminalDriver(LinuxDriver):
    """Textual's driver with our Input, and an output that outlives the terminal. Whatever ends its input thread ends
    the app, too, and what stops it stops all of the shell's job."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._file = cast(Any, Lossy(self._file))

    def _sigtstp_application(self, *_: object) -> None:
        """Stop, and with us what started us, as `uv run` does: the shell waits for that, and would go on waiting."""
        if self._auto_restart:
            self.suspend_application_mode()
            self._must_signal_resume = True
        os.killpg(os.getpgrp(), signal.SIGSTOP)

    def run_input_thread(self) -> None:
        source = Input(debug=self._debug)
        with selectors.SelectSelector() as selector:  # kqueue cannot wait for a terminal
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(source.wait):
                    if not (data := os.read(self.fileno, 4096)):
                        raise VibeError("The terminal was closed.")
                    for message in source.feed(data, time.monotonic()):
                        self.process_message(message)
                for message in source.tick(time.monotonic()):
                    self.process_message(message)

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except OSError as error:
            failure: Exception = VibeError(f"The terminal cannot be read any more ({error.strerror}).")
            failure.__cause__ = error
        except Exception as error:
            failure = error
        else:
            return
        self._app.call_later(self._app._handle_exception, failure)
