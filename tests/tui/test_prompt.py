"""The prompt of the chat, driven by keys: typing, history, pastes, attachments."""

import os
from pathlib import Path

import pytest
from textual import events

from tests.tui.fakes import chatting, prompt, run
from tests.tui.scenes import EVIL
from vibethinker_local.errors import UsageError
from vibethinker_local.tui.attachments import label, read
from vibethinker_local.tui.store import Attachment


def test_the_end_of_a_line_begins_no_other() -> None:
    assert label(Attachment("a", "x\ny\n")) == "a · 2 lines"
    assert label(Attachment("a", "xy\n")) == "a · 3 characters"


def test_how_a_file_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b.txt").write_text("text")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name in (f"{tmp_path}/a b.txt", f"'{tmp_path}/a b.txt' ", f"{tmp_path}/a\\ b.txt", "~/a b.txt"):
        assert read(name) == Attachment("a b.txt", "text")
    for name in ("-", os.devnull, "~/b"):
        with pytest.raises(UsageError, match=r"There is no file .*: check the path\.$"):
            read(name)


def test_a_file_is_attached(tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "code.py").write_text("print('```')\n" + EVIL, encoding="utf-8")
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("f3", *"/nothing/here", "enter")
            assert "There is no file /nothing/here" in chat.shown
            await chat.pilot.press("f3", "escape", "f3")
            chat.app.screen.query_one("Input").insert_text_at_cursor(str(tmp_path / "code.py"))  # type: ignore[attr-defined]
            await chat.pilot.press("enter")
            assert "+ code.py · 2 lines" in chat.shown
            await chat.ask("What does it print?")
            question = chat.solver.requests[0].question
            assert question.startswith("code.py:\n````\nprint('```')\n")
            assert question.endswith("````\n\nWhat does it print?")
            assert "+ code.py" not in chat.shown

    run(test)


def test_pastes_short_and_long(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            chat.app.post_message(events.Paste("two\nlines"))
            await chat.pilot.pause()
            assert prompt(chat).text == "two\nlines"
            chat.app.post_message(events.Paste("x" * 1_000_000))
            await chat.pilot.pause()
            assert prompt(chat).text == "two\nlines"
            assert "+ pasted text · 1,000,000 characters" in chat.shown
            await chat.pilot.press("enter")
            await chat.until(lambda: len(chat.app.session.turns) == 1)
            assert len(chat.solver.requests[0].question) > 1_000_000
            chat.app.post_message(events.Paste("y\n" * 500))
            await chat.pilot.pause()
            chat.app.chat.action_detach()
            assert not chat.app.chat.attachments

    run(test)


def test_history_and_newlines_in_the_prompt(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("enter")
            await chat.pilot.press(*" ", "enter")
            assert not chat.solver.requests
            prompt(chat).text = ""
            await chat.ask("first")
            await chat.ask("second")
            await chat.pilot.press(*"draft", "up")
            assert prompt(chat).text == "second"
            await chat.pilot.press("up", "up")
            assert prompt(chat).text == "first"
            await chat.pilot.press("down", "down")
            assert prompt(chat).text == "draft"
            await chat.pilot.press("ctrl+j", *"more", "up", "up")
            assert prompt(chat).text == "second"
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("up")
            assert prompt(chat).text == "second"

    run(test)


def test_what_is_typed_right_after_enter_stays(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            for key, character in (("g", "g"), ("enter", "\r"), ("x", "x")):  # without a pause, as a fast typist does
                chat.app.post_message(events.Key(key, character))
            await chat.until(lambda: chat.app.session.turns)
            assert prompt(chat).text == "x"
            assert chat.solver.requests[0].question == "g"

    run(test)


def test_readline_keys_are_left_alone(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.pilot.press(*"one two", "ctrl+a", "ctrl+k")
            assert prompt(chat).text == ""
            await chat.pilot.press(*"one two", "ctrl+w")
            assert prompt(chat).text == "one "
            await chat.pilot.press("ctrl+a", *"x", "ctrl+e", *"y", "ctrl+u")
            assert prompt(chat).text == ""

    run(test)
