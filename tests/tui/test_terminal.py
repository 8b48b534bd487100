"""The chat in a real terminal: it starts, quits in mid-decode, dies, and is there again."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are POSIX's", allow_module_level=True)

from tests.tui.terminal import Terminal
from vibethinker_local.cli.converse import converse
from vibethinker_local.errors import UsageError
from vibethinker_local.tui.store import Store, Turn


def program(folder: Path, *more: str) -> Terminal:
    return Terminal("-m", "tests.tui.program", str(folder), *(more or ("100000", "200")))


def last_turn(folder: Path) -> Turn:
    store = Store(folder / "chat.db")
    return store.turns(store.recent()[0].id)[-1]


# Keys that end the chat or lay it to sleep, and the palette, where enter may be any action: each has a test of its own.
ENDING = {0x03, 0x04, 0x10, 0x11, 0x1A}
CUT = [
    b"\x1b[200~half a paste",
    b"\x1b[<0;10;2",
    b"\x1b[M\xff\xfe\xfd",
    b"\xf0\x9f\x98",
    b"\x1b[99999999999;5u",
    b"\x1b[",
]


def test_any_bytes_and_quitting_in_mid_decode(tmp_path: Path) -> None:
    choice = random.Random(16)
    every = [bytes([byte]) for byte in range(256) if byte not in ENDING]
    pairs = [first + second for first, second in zip(choice.sample(every, 40), choice.sample(every, 40), strict=True)]
    with program(tmp_path) as terminal:
        terminal.until("sk a problem")
        terminal.write("go\r")
        terminal.until("thinking")
        for at, data in enumerate([*every, *pairs, *CUT]):
            terminal.write(data)
            if at % 8 == 0:
                terminal.rest(0.01)
        terminal.rest(2.5)  # after which a paste without an end is over
        for key in ("\x1b", "\x1b", "\x05", "\x15"):  # out of whatever has been opened, and all of the line
            terminal.write(key)
            terminal.rest(0.3)
        terminal.write("\x0eagain\r")
        terminal.until("thinking")
        terminal.rest(0.5)
        terminal.write("\x11")
        seconds = terminal.ended()
        assert terminal.process.returncode == 0
        assert terminal.restored
        assert seconds < 5  # about 0.3 on a quiet machine
    turn = last_turn(tmp_path)
    assert turn.question.endswith("again")
    assert turn.status == "stopped"
    assert turn.reasoning.startswith("We need the number of divisors")


def test_a_terminal_that_is_gone_ends_the_chat(tmp_path: Path) -> None:
    with program(tmp_path) as terminal:
        terminal.until("sk a problem")
        terminal.write("go\r")
        terminal.until("thinking")
        terminal.hang_up()
        assert terminal.process.wait(30) == 1
    assert last_turn(tmp_path).status == "stopped"


def test_a_killed_chat_has_kept_all_but_the_last_second(tmp_path: Path) -> None:
    with program(tmp_path) as terminal:
        terminal.until("sk a problem")
        terminal.write("go\r")
        terminal.until("thinking")
        began = time.perf_counter()
        terminal.write("and then\r")
        terminal.until("next:")
        terminal.write("half a qu")
        terminal.rest(2.5)
        os.kill(terminal.process.pid, signal.SIGKILL)
        seconds = time.perf_counter() - began
    turn = last_turn(tmp_path)
    assert (turn.question, turn.status) == ("go", "writing")
    kept = len(turn.reasoning.split(" ")) / 200
    assert kept > seconds - 2  # half a second, and what a busy machine adds
    with program(tmp_path) as terminal:
        terminal.until("sk a problem")
        terminal.write("\x1bOQ")  # f2
        terminal.until("Conversations")
        terminal.write("\r")
        terminal.until("interrupted")
    store = Store(tmp_path / "chat.db")
    assert store.history() == [("go", True), ("and then\n\nhalf a qu", False)]
    store.close()


@pytest.mark.parametrize(
    "how", ["bug", pytest.param("SIGTERM", marks=pytest.mark.slow), pytest.param("SIGHUP", marks=pytest.mark.slow)]
)
def test_the_terminal_is_restored_after_a_crash(tmp_path: Path, how: str) -> None:
    with program(tmp_path, "100000", "400", "crash" if how == "bug" else "") as terminal:
        terminal.until("sk a problem")
        terminal.write("go\r")
        if how != "bug":
            terminal.until("thinking")
            terminal.process.send_signal(getattr(signal, how))
        terminal.ended()
        assert terminal.restored
        assert terminal.process.returncode == (1 if how == "bug" else 0)
        assert (b"crashed: a bug" in terminal.output) == (how == "bug")


def test_the_command_in_a_terminal(tmp_path: Path) -> None:
    """With the model that is bundled, and its engine killed between two answers."""
    import psutil

    with Terminal("-m", "vibethinker_local", env={"VIBE_HOME": str(tmp_path), "HF_HOME": str(tmp_path)}) as terminal:
        terminal.until("sk a problem")
        terminal.until("mini: bundled", 60)
        terminal.write("Tom has 12 apples.\nAnn has 5 more apples than Tom.\nHow many apples does Ann have?\r")
        terminal.until("thought for", 60)
        for child in psutil.Process(terminal.process.pid).children(recursive=True):
            if "resource_tracker" not in " ".join(child.cmdline()):
                child.kill()
        terminal.write("\x1b[15~")  # f5
        terminal.rest(1.0)
        terminal.write("\x11")
        terminal.ended()
        assert terminal.restored
        assert terminal.process.returncode == 0
    store = Store(tmp_path / "data" / "conversations.db")
    assert store.turns(store.recent()[0].id)[0].question.startswith("Tom has 12 apples.\nAnn")
    with Terminal("-m", "vibethinker_local", "chat", "--open", "9", env={"VIBE_HOME": str(tmp_path)}) as terminal:
        terminal.ended()
        assert terminal.process.returncode == 2
        assert b"There is no conversation 9" in terminal.output
    with Terminal("-m", "vibethinker_local", "-c", env={"VIBE_HOME": str(tmp_path)}) as terminal:
        terminal.until("Ann has 5 more")
        terminal.write("\x04")  # ctrl+d
        terminal.ended()
        assert terminal.process.returncode == 0


def test_without_a_terminal_there_is_no_chat() -> None:
    from tests.command import vibe

    assert vibe("chat").code == 2
    assert "needs a terminal" in vibe("chat").err
    unseen = "import subprocess, sys; sys.exit(subprocess.call([*sys.orig_argv[:1], *sys.argv[1:]], stderr=-3))"
    with Terminal("-c", unseen, "-m", "vibethinker_local") as terminal:  # the screen would be painted on stderr
        terminal.ended()
        assert terminal.process.returncode == 2
    bare = vibe()
    assert (bare.code, bare.out) == (2, "")
    assert "Usage: vibe" in bare.err


def test_a_terminal_without_a_screen_is_not_painted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}.isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    with pytest.raises(UsageError, match="TERM is dumb"):
        converse()
