"""What a terminal may send, as Textual's messages: bytes that are not UTF-8, bursts, pastes without an end."""

import os
import random
import signal
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread
from textual.events import Key, MouseDown, Paste
from textual.message import Message

if sys.platform == "win32":
    pytest.skip("the driver is POSIX's", allow_module_level=True)

from vibethinker_local.tui.driver import Input, Lossy, TerminalDriver

BAD = "replacement_character"


class Clock:
    """Seconds, as our Input is told them and as Textual's parser asks for them."""

    def __init__(self) -> None:
        self.now = 100.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("textual._parser.get_time", lambda: clock.now)
    return clock


def sent(clock: Clock, *reads: bytes | float) -> list[Message | str]:
    """What comes of reads, a number being seconds of silence between two: keys by name, pastes as `paste: text`."""
    terminal, found = Input(), list[Message]()
    for read in (*reads, 3.0):
        if isinstance(read, bytes):
            found += terminal.feed(read, clock.now)
            continue
        end = clock.now + read
        while clock.now < end:
            clock.now = min(end, clock.now + terminal.wait)
            found += terminal.tick(clock.now)
    return [_name(message) for message in found]


def _name(message: Message) -> Message | str:
    match message:
        case Key():
            return message.key
        case Paste():
            return f"paste: {message.text}"
        case _:
            return message


@pytest.mark.parametrize(
    ("reads", "keys"),
    [
        ([b"a\xffb"], ["a", BAD, "b"]),
        (["ü".encode()[:1], 0.02, "ü".encode()[1:]], ["ü"]),
        (["ü".encode()[:1], 0.5, b"x"], [BAD, "x"]),
        (["你好".encode("gbk"), b"!"], [BAD] * 3 + ["exclamation_mark"]),
        ([b"\x1b\r"], ["alt+enter"]),
        ([b"\x1b"], ["escape"]),
        ([b"\x1b[", 0.01, b"A"], ["up"]),
        ([b"\x1b[20", 0.01, b"~"], ["f9"]),
        ([b"\x1b[9999999999;5u", b"x"], ["x"]),
    ],
)
def test_bytes_become_keys(clock: Clock, reads: list[bytes | float], keys: list[str]) -> None:
    assert sent(clock, *reads) == keys


def test_mouse_reports_of_old_terminals_are_no_keys(clock: Clock) -> None:
    (report,) = sent(clock, b"\x1b[<0;10;20M")
    assert isinstance(report, MouseDown)
    assert sent(clock, b"\x1b[M \xff\xfe", b"x")[-1] == "x"


@pytest.mark.parametrize(
    ("reads", "messages"),
    [
        ([b"go\r"], ["g", "o", "enter"]),
        ([b"g", 0.1, b"o", 0.1, b"\r", 0.1, b"x"], ["g", "o", "enter", "x"]),
        ([b"\r", 0.2, b"\r"], ["enter", "enter"]),
        ([b"a\nb\r"], ["a", "ctrl+j", "b", "enter"]),
        ([b"go\r\x12"], ["g", "o", "enter", "ctrl+r"]),
        ([b"go\r\n", 0.1, b"\r\n"], ["g", "o", "enter", "enter"]),
        ([b"a\n\n", b"\n"], ["a", "ctrl+j", "ctrl+j", "ctrl+j"]),
    ],
)
def test_enter_at_the_end_of_a_line_is_enter(clock: Clock, reads: list[bytes | float], messages: list[str]) -> None:
    assert sent(clock, *reads) == messages


@pytest.mark.parametrize(
    ("reads", "messages"),
    [
        ([b"one\rtwo\rthree"], ["paste: one\rtwo\rthree"]),
        ([b"one\r\ntwo\r\n"], ["paste: one\r\ntwo\r\n"]),
        ([b"\tone\r\rtwo"], ["paste: \tone\r\rtwo"]),
        ([b"one\r", 0.005, b"two\r", 0.005, b"three\r"], ["o", "n", "e", "paste: \rtwo\rthree\r"]),
        ([b"x", b"\r", b"y"], ["x", "paste: \ry"]),
        ([b"one\rtwo\r", 0.03, b"three\r", 0.1, b"\r"], ["paste: one\rtwo\rthree\r", "enter"]),
        ([b"\x1b[200~one\rtwo\r\x1b[201~\r"], ["paste: one\rtwo\r", "enter"]),
        ([b"\x1b[200~\x1b[31mred\x1b[0m", b"\x1b", b"[201", b"~x"], ["paste: \x1b[31mred\x1b[0m", "x"]),
        ([b"\x1b", b"[200~one", 1.0, b" two\x1b[201~"], ["paste: one two"]),
        ([b"\x1b[200~without an end", 2.5, b"x"], ["paste: without an end", "x"]),
        ([b"\x1b[200~\0\x1b[201~"], []),
    ],
)
def test_what_is_pasted_stays_together(clock: Clock, reads: list[bytes | float], messages: list[str]) -> None:
    assert sent(clock, *reads) == messages


@pytest.mark.parametrize("seed", range(20))
def test_after_any_bytes_keys_are_understood(clock: Clock, seed: int) -> None:
    choice = random.Random(seed)
    pieces = [bytes(choice.choices(range(256), k=choice.randint(1, 9))) for _ in range(40)]
    pieces += [choice.choice(SEQUENCES)[: choice.randint(1, 12)] for _ in range(40)]
    choice.shuffle(pieces)
    reads: list[bytes | float] = []
    for piece in pieces:
        reads += [piece, choice.choice([0.0, 0.005, 0.3])]
    assert sent(clock, *reads, 3.0, b"x")[-1] == "x"


SEQUENCES = [  # whole or not
    b"\x1b[200~paste",
    b"\x1b[201~",
    b"\x1b[<0;10;20M",
    b"\x1b[M\xff\xff\xff",
    b"\x1b[48;24;80;0;0t",
    b"\x1b[?2026;2$y",
    b"\x1b]11;rgb:1515/1818/1c1c\x07",
    b"\x1bP1$r0m\x1b\\",
    b"\x1b[1114112;1u",
    b"\x1b[99999999999999999999;5:1u",
    b"\x1b[1;;:::u",
    b"\xf0\x9f\x98",
    b"\x1bOQ",
]


def test_a_terminal_that_is_gone_does_not_end_the_output_thread() -> None:
    """Else its queue fills, and whoever writes next waits for ever: tmux was killed under the chat, say."""
    with Path(os.devnull).open() as cannot_be_written:
        writer = WriterThread(cast(Any, Lossy(cannot_be_written)))
        writer.start()
        for _ in range(10 * MAX_QUEUED_WRITES):
            writer.write("words\n")
        writer.stop()
    assert not writer.is_alive()


def test_a_chat_that_is_suspended_stops_what_started_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `uv run` does, which has the same group; else its shell would go on waiting."""
    stopped: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "killpg", lambda group, how: stopped.append((group, how)))
    driver = object.__new__(TerminalDriver)
    monkeypatch.setattr(driver, "_auto_restart", False, raising=False)
    driver._sigtstp_application()
    assert stopped == [(os.getpgrp(), signal.SIGSTOP)]
