"""The program as a process: pipes, closed streams, locales, signals."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

if sys.platform == "win32":
    pytest.skip("signals, pseudo-terminals and bash are POSIX's", allow_module_level=True)

import pty

from tests.command import vibe
from vibethinker_local.cli.solve import interrupts
from vibethinker_local.events import Control
from vibethinker_local.solving import solver
from vibethinker_local.system.progress import Progress

ROOT = Path(__file__).parents[2]
PROBLEM = "Tom has 12 apples. Ann has 5 more apples than Tom. How many apples does Ann have?"
VIBE = [sys.executable, "-P", "-m", "vibethinker_local"]
# The same program with a model that takes its time, so that there is something to interrupt.
SLOW = """
from tests.faults import Fault
from vibethinker_local.runtime import model
model.LlamaModel = Fault
from vibethinker_local.__main__ import main
main()
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "VIBE_HOME": str(tmp_path / "home"), "HF_HOME": "hub"}


def run(environment: dict[str, str], *args: str, **other: object) -> "subprocess.CompletedProcess[bytes]":
    named = {"capture_output": True, "timeout": 60, "env": environment, "check": False} | other
    return subprocess.run([*VIBE, "solve", "--seed", "1", *args], **named)  # type: ignore[call-overload, no-any-return]


def through_a_shell(environment: dict[str, str], line: str) -> "subprocess.CompletedProcess[bytes]":
    program = environment | {"VIBE": f"{sys.executable} -P -m vibethinker_local solve --seed 1", "P": PROBLEM}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], env=program, capture_output=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "line",
    [
        '$VIBE -t "$P" --json | head -c 1 >/dev/null',
        '$VIBE -t "$P" --json | true',
        '{ $VIBE -t "$P" --show-thinking --json >/dev/null; } 2>&1 | true',
        '$VIBE -t "$P" --json 2>&-  >/dev/null',
        '$VIBE -t "$P" --json >&- 2>/dev/null',
        '$VIBE -t "$P" --json <&- >&- 2>&-',
        '$VIBE -t "$P" --json 2>/dev/full >/dev/null',
    ],
)
def test_streams_may_be_closed_or_full(line: str, environment: dict[str, str]) -> None:
    if "/dev/full" in line and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    done = through_a_shell(environment, line)
    assert done.returncode in (0, 3)  # as the model answers, or not
    assert b"Traceback" not in done.stderr
    assert b"Error" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "what", ["solve --json", "--version", "--help", "bench --sequences 1 --prompt 16 --tokens 4 --rounds 1 --threads 1"]
)
def test_output_that_cannot_be_written_is_an_error(what: str, environment: dict[str, str]) -> None:
    done = through_a_shell(environment, f'{sys.executable} -P -m vibethinker_local {what} <<<"$P" >/dev/full')
    assert done.returncode == 2
    assert b"Standard output cannot be written: No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


LOCALES = [
    {"LANG": "C"},
    {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]
WAYS = ["-t", "-", "file"]


@pytest.mark.parametrize(
    ("way", "locale"),
    [
        pytest.param(way, locale, marks=() if WAYS.index(way) == LOCALES.index(locale) else pytest.mark.slow)
        for way in WAYS
        for locale in LOCALES
    ],
)
def test_text_is_utf8_whatever_the_locale(
    way: str, locale: dict[str, str], environment: dict[str, str], tmp_path: Path
) -> None:
    problem = "Zoë hat 3 Äpfel → ½ 数学?"
    (tmp_path / "Äpfel.txt").write_text(problem, encoding="utf-8")
    args = {"-t": ["-t", problem], "-": ["-"], "file": [str(tmp_path / "Äpfel.txt")]}[way]
    done = run(environment | locale, "--json", *args, input=problem.encode() if way == "-" else b"")
    assert json.loads(done.stdout.decode("utf-8"))["problem"] == problem
    assert " · " in done.stderr.decode("utf-8")
    missing = run(environment | locale, "kein Äpfel.txt")
    assert "no file kein Äpfel.txt" in missing.stderr.decode("utf-8")


def test_progress_goes_to_stderr_and_is_plain(environment: dict[str, str]) -> None:
    done = run(environment | {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"}, "-t", PROBLEM)
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"seed 1" in done.stderr
    assert b"seed" not in done.stdout
    assert run(environment, "-t", PROBLEM, "-q").stderr == b""


def test_thinking_goes_to_stderr_if_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))
    asked = ("solve", "--seed", "1", "-t", PROBLEM)
    reasoning = vibe(*asked, "--json").receipt["trajectories"][0]["reasoning"].splitlines()[0]
    shown = vibe(*asked, "--show-thinking")
    assert reasoning in shown.err
    assert reasoning not in shown.out
    assert reasoning not in vibe(*asked).err
    assert vibe(*asked, "--show-thinking", "-q").err == ""


@pytest.fixture
def slow(environment: dict[str, str], tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The program, some tokens into its reasoning."""
    (tmp_path / "slow.py").write_text(SLOW)
    args = [
        sys.executable,
        str(tmp_path / "slow.py"),
        "solve",
        "--json",
        "--show-thinking",
        "--seed",
        "2",
        "-t",
        PROBLEM,
    ]
    with subprocess.Popen(args, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr
        while b" more" not in process.stderr.readline():
            assert process.poll() is None
        assert process.stderr.read(5)  # of the reasoning
        yield process
        process.kill()


def test_ctrl_c_once_asks_for_the_answer(slow: "subprocess.Popen[bytes]") -> None:
    slow.send_signal(signal.SIGINT)
    out, err = slow.communicate(timeout=60)
    told = json.loads(out)
    assert slow.returncode == {"answered": 0, "no_answer": 3}[told["status"]]
    assert told["trajectories"][0]["finish"] == "forced"
    assert b"answer now: closing the reasoning" in err
    assert b"Traceback" not in err


def test_ctrl_c_twice_stops(slow: "subprocess.Popen[bytes]") -> None:
    slow.send_signal(signal.SIGINT)
    time.sleep(0.2)
    slow.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = slow.communicate(timeout=60)
    assert time.monotonic() - began < 10
    told = json.loads(out)
    assert (slow.returncode, told["status"], told["trajectories"][0]["finish"]) == (130, "stopped", "aborted")
    assert b"Stopped." in err
    assert b"Traceback" not in err


def test_ctrl_c_twice_stops_loading_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object, loading: Callable[[Progress], None], **__: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        loading(Progress("loading m.gguf", 1, 3))
        os.kill(os.getpid(), signal.SIGINT)
        loading(Progress("loading m.gguf", 2, 3))
        raise AssertionError("it goes on")

    monkeypatch.setattr(solver, "load_model", load)
    stopped = vibe("solve", "--json", "-t", PROBLEM)
    assert (stopped.code, stopped.receipt["status"]) == (130, "stopped")


def test_a_script_that_has_ctrl_c_ignored_goes_on() -> None:
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts(control := Control()):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, previous)
    assert control == Control(stop=True)


def test_ctrl_c_too_late_costs_no_answer(environment: dict[str, str]) -> None:
    """The answer is there, and being printed."""
    late = """
import os, signal
from vibethinker_local.cli import render
show = render.print_receipt
def interrupted(solution):
    os.kill(os.getpid(), signal.SIGINT)
    show(solution)
render.print_receipt = interrupted
from vibethinker_local.__main__ import main
main()
"""
    args = [sys.executable, "-P", "-c", late, "solve", "--json", "-q", "--seed", "1", "-t", PROBLEM]
    done = subprocess.run(args, env=environment, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["answer"] == "17"


def wait_until_idle(pid: int) -> None:
    """Until a process has done something and then nothing for a while: it waits for its input."""
    process, before = psutil.Process(pid), 0.0
    for _ in range(100):
        time.sleep(0.4)
        times = process.cpu_times()
        if before > 0.05 and times.user + times.system == before and process.status() == psutil.STATUS_SLEEPING:
            return
        before = times.user + times.system
    raise AssertionError("it never came to wait")


def test_sigterm_stops_and_reports(slow: "subprocess.Popen[bytes]") -> None:
    slow.terminate()
    told = json.loads(slow.communicate(timeout=60)[0])
    assert (slow.returncode, told["status"]) == (130, "stopped")
    assert told["trajectories"][0]["reasoning"]


def test_ctrl_c_while_the_problem_is_being_typed(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [*VIBE, "solve", "-"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        wait_until_idle(process.pid)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err


def on_a_terminal(environment: dict[str, str], *args: str) -> str:
    """What the program writes to a terminal of 80 columns, escape sequences included."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*VIBE, "solve", "--seed", "1", "-t", PROBLEM, *args],
        env={"TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"} | environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # EIO: the other end is closed
                break
            if not piece:
                break
            written += piece
        assert process.wait(timeout=60) in (0, 3)
    os.close(ours)
    return written.decode()


def test_a_terminal_gets_a_live_line_that_goes_away(environment: dict[str, str]) -> None:
    written = on_a_terminal(environment)
    assert "\x1b[2m" in written  # dim
    assert "Ctrl-C: answer now" in written
    assert "\x1b[?25h" in written, "the cursor comes back"
    visible = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written)
    assert max(map(len, visible.replace("\r", "\n").split("\n"))) <= 80


def test_no_color_and_dumb_terminals(environment: dict[str, str]) -> None:
    styles = re.compile(r"\x1b\[[0-9;]*m")
    assert not styles.search(on_a_terminal(environment | {"NO_COLOR": "1"}))
    assert "\x1b" not in on_a_terminal(environment | {"TERM": "dumb"})
    assert "\x1b" not in on_a_terminal(environment, "-q")
