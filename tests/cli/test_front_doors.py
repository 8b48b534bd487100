"""`vibe` without a command: a question in quotes, a question piped into it, a conversation to go on with."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import vibe
from vibethinker_local.__main__ import main
from vibethinker_local.cli import converse as conversation

QUESTION = b"Tom has 12 apples. Ann has 5 more apples than Tom. How many apples does Ann have?\n"


def test_a_question_that_is_piped_into_it_is_solved() -> None:
    done = vibe(stdin=QUESTION)
    assert done.code == 0
    assert "17" in done.out


@pytest.mark.skipif(sys.platform == "win32", reason="redirects as a POSIX shell does")
@pytest.mark.parametrize("command", ["", "solve -"])
def test_a_standard_input_that_cannot_be_read(command: str) -> None:
    line = f"{sys.executable} -P -m vibethinker_local {command} 0>/dev/null"
    done = subprocess.run(["bash", "-c", line], capture_output=True, timeout=60, check=False, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("vibe: Standard input cannot be read (Bad file descriptor): give another file")


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_a_server_whose_address_nobody_reads_serves_all_the_same() -> None:
    pytest.importorskip("uvicorn")
    command = [sys.executable, "-P", "-m", "vibethinker_local", "serve", "-m", "mini", "--port", "0", "--threads", "1"]
    read, write = os.pipe()
    os.close(read)
    with subprocess.Popen(command, stdout=write, stderr=subprocess.PIPE, text=True) as process:
        os.close(write)
        assert process.stderr
        assert "at once" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert (process.wait(30), process.stderr.read()) == (0, "")


def test_an_empty_variable_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("uvicorn")
    monkeypatch.setenv("VIBE_API_KEY", "")
    found = vibe("serve", "-m", "nothing", "--port", "0")
    assert (found.code, "printable" in found.err) == (4, False)


def test_without_anything_there_is_the_help() -> None:
    for stdin in (b"", b" \n"):
        assert (vibe(stdin=stdin).code, "Usage: vibe" in vibe(stdin=stdin).err) == (2, True)


def test_a_question_in_quotes_is_one_for_the_chat_and_a_misspelt_command_is_none(tmp_path: Path) -> None:
    for question in ("What is 17 + 25?", "2+2", "¿Cuánto es 2 + 2?"):
        assert "The chat needs a terminal" in vibe(question, terminal=True).err
    assert "No such command" in vibe("slove").err
    problem = tmp_path / "problem.txt"
    problem.touch()
    found = vibe(str(problem))
    assert found.code == 2
    assert f"{problem} is a file: `vibe solve {problem}` solves the problem in it." in found.err


def test_the_help_says_how_to_begin_and_what_each_command_does() -> None:
    told = vibe("--help").out
    assert "Without a command: the\n  chat" in told
    assert "…" not in told
    assert "..." not in told.partition("Commands:")[2]
    assert "Without a subcommand: say whether it is ready." in vibe("sandbox", "--help").out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("args", [["--help"], ["solve", "--help"], ["sandbox", "setup", "-h"], ["quantize", "-h"]])
def test_a_help_text_that_cannot_be_written(
    args: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["vibe", *args])
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            main()
    said = capsys.readouterr().err
    assert (ended.value.code, said) == (2, "vibe: Standard output cannot be written: No space left on device.\n")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["serve", "-m", "http://127.0.0.1:9#model"], "http://127.0.0.1:9#model is on another server"),
        (["serve", "--host", "a..b", "--api-key", "k"], "cannot listen on a..b, port 8080"),
        (["rm", "mini"], "is part of the program"),
        (["-c"], "--continue goes on with a conversation, which takes a terminal"),
        (["pull", "org/repo", "--from", "checkpoint"], "takes a model that has one in models.toml: vibethinker-3b"),
    ],
)
def test_a_use_that_cannot_be_gets_a_sentence(args: list[str], says: str) -> None:
    pytest.importorskip("uvicorn")
    found = vibe(*args)
    assert (found.code, found.out) == (2, "")
    assert says in found.err


@pytest.mark.parametrize("args", [["chat", "-c"], ["chat", "--open", "7"]])
def test_conversations_need_a_terminal(args: list[str]) -> None:
    assert "The chat needs a terminal" in vibe(*args, terminal=True).err
    assert vibe("chat", "-c", "--open", "7").code == 2


@pytest.mark.parametrize(
    ("args", "asked"),
    [
        (["chat", "-c"], {"last": True}),
        (["-c", "-m", "mini"], {"last": True, "model": "mini"}),
        (["-m", "mini", "-c"], {"last": True, "model": "mini"}),
        (["--debug", "--continue", "And times two?"], {"last": True, "question": "And times two?"}),
        (["-c", "and"], {"last": True, "question": "and"}),
        (["--model=mini", "2+2"], {"model": "mini", "question": "2+2"}),
        (["--open", "7"], {"opened": 7}),
        (["2+2", "-m", "mini"], {"model": "mini", "question": "2+2"}),
    ],
)
def test_what_the_chat_is_given_needs_not_its_name(
    args: list[str], asked: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = dict[str, object]()

    def converse(*positional: object, **named: object) -> None:
        found.update(zip(("question", "model", "ctx", "threads"), positional, strict=False), **named)

    monkeypatch.setattr(conversation, "converse", converse)
    assert vibe(*args, terminal=True).code == 0
    assert {name: value for name, value in found.items() if value} == asked


@pytest.mark.parametrize(("args", "says"), [(["--nonsense"], "--nonsense"), (["-c", "slove"], ""), (["-x"], "-x")])
def test_what_is_no_option_is_refused(args: list[str], says: str) -> None:
    done = vibe(*args)
    assert (done.code, says in done.err) == (2, True)


def test_the_first_screen_waits_for_nothing_that_it_does_not_need() -> None:
    needed = ("__main__", "cli.converse", "system.settings", "tui.app")
    code = f"import sys, {', '.join(f'vibethinker_local.{name}' for name in needed)}; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-P", "-c", code], check=True, capture_output=True, text=True).stdout
    assert "textual" in imported.split()
    assert not {"typer", "pydantic", "psutil", "numpy"} & set(imported.split())
