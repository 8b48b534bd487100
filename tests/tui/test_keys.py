"""Keys and slash commands of the chat: each does what its row in the table says, and none goes to the model."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events

from tests.tui.fakes import Pause, ScriptedSolver, chatting, finished, prompt, reply, run
from vibethinker_local.errors import UsageError
from vibethinker_local.events import ModelIdentity, Wrote
from vibethinker_local.tui.actions import SLASHES
from vibethinker_local.tui.app import notice
from vibethinker_local.tui.screens.conversations import Conversations
from vibethinker_local.tui.screens.help import Help
from vibethinker_local.tui.store import Attachment


def test_ctrl_c_stops_and_twice_quits(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("one two three", "7", pause=pause, at=2)])) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            await chat.pilot.press("ctrl+c")
            await chat.until(lambda: not chat.app.session.live)
            assert chat.app.session.turns[0].status == "stopped"
            assert "ctrl+c once more quits" in chat.shown
            assert not chat.solver.closed
            await chat.pilot.press("ctrl+c")
            await chat.until(lambda: chat.solver.closed)

    run(test)


def test_ctrl_c_copies_what_is_selected(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.pilot.press(*"two words", "shift+home", "ctrl+c", "ctrl+c")
            assert chat.app.clipboard == "two words"
            await chat.pilot.pause()
            assert "What is selected was sent" in chat.shown
            assert not chat.solver.closed

    run(test)


def test_ctrl_c_copies_what_is_selected_in_a_field(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("f2", *"words", "shift+home", "ctrl+c")
            assert chat.app.clipboard == "words"
            assert "once more quits" not in chat.shown

    run(test)


def test_deleting_and_yanking_as_in_readline(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.pilot.press(*"one two", "ctrl+a", "alt+d")
            assert prompt(chat).text == " two"
            await chat.pilot.press("ctrl+e", "ctrl+u")
            assert prompt(chat).text == ""
            await chat.pilot.press("ctrl+y", "ctrl+y")
            assert prompt(chat).text == " two two"
            await chat.pilot.press("ctrl+a", "ctrl+d", "ctrl+underscore")
            assert prompt(chat).text == " two two"
            await chat.pilot.press("ctrl+a", "ctrl+k", "alt+enter", *"x")
            assert prompt(chat).text == "\nx"
            await chat.pilot.press("ctrl+z")  # where there is a shell, it suspends
            assert prompt(chat).text == "\nx"
            await chat.pilot.press("backspace", "backspace", "ctrl+d")
            await chat.until(lambda: chat.solver.closed)

    run(test)


@pytest.fixture(autouse=True)
def session_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a terminal that runs nothing but the chat: there is nobody to wake it."""
    import os

    monkeypatch.setattr(os, "getsid", lambda _: os.getpgrp(), raising=False)


def test_slash_commands_are_listed_and_go_to_no_model(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("/")
            assert "/help" in chat.shown
            assert "/quit" in chat.shown
            await chat.pilot.press(*"ex")
            assert "/export" in chat.shown
            assert "/help" not in chat.shown
            await chat.pilot.press("enter")
            assert "There is no /ex." in chat.shown
            assert prompt(chat).text == "/ex"
            for name, happened in {
                "reliability": lambda: chat.app.session.reliable,
                "budget": lambda: chat.app.session.budget == "deep",
                "theme": lambda: not chat.app.current_theme.dark,
                "help": lambda: isinstance(chat.app.screen, Help),
                "open": lambda: isinstance(chat.app.screen, Conversations),
            }.items():
                prompt(chat).text = f"/{name}"
                await chat.pilot.press("enter")
                await chat.until(happened)
                assert prompt(chat).text == ""
                if chat.app.screen is not chat.app.chat:
                    await chat.pilot.press("escape")
            assert not chat.solver.requests
            await chat.ask("/usr/bin is what?")
            assert chat.solver.requests[0].question == "/usr/bin is what?"
            prompt(chat).text = "/copy"
            await chat.pilot.press("enter")
            assert chat.app.clipboard == "It is \\boxed{7}."
            prompt(chat).text = "/quit"
            await chat.pilot.press("enter")
            await chat.until(lambda: chat.solver.closed)

    run(test)


def test_a_slash_command_takes_a_value_any_case_and_a_name_that_is_clear(tmp_path: Path) -> None:
    async def test() -> None:
        other = ScriptedSolver(identity=ModelIdentity("other", "other.gguf", "Q8_0"))
        async with chatting(tmp_path, models={"other:Q8_0": other}) as chat:

            async def enter(text: str) -> None:
                prompt(chat).text = text
                await chat.pilot.press("enter")
                await chat.pilot.pause()

            await enter("/rename A title")
            assert "has not begun yet" in chat.shown
            assert prompt(chat).text == "/rename A title"
            await enter(f"/attach {tmp_path / 'no notes.txt'}")
            assert "There is no file" in chat.shown
            assert prompt(chat).text.startswith("/attach ")
            await enter(f"/attach {tmp_path / 'some notes.txt'} ")
            assert [one.name for one in chat.app.chat.composer.attachments] == ["some notes.txt"]
            await enter("/help me")
            assert "/help takes no argument." in chat.shown
            assert prompt(chat).text == "/help me"
            for text in ("/Help", "/he"):
                await enter(text)
                assert isinstance(chat.app.screen, Help)
                await chat.pilot.press("escape")
            assert not chat.solver.requests
            await chat.ask("why?")
            await enter("/rename A title")
            assert "A title" in chat.shown
            await enter("/model other:Q8_0")
            await chat.until(lambda: chat.app.session.solver is other)
            assert prompt(chat).text == ""
            assert len(chat.solver.requests) == 1

    (tmp_path / "some notes.txt").write_text("text")
    run(test)


def test_tab_completes_a_slash_command(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            for typed, completed in (("/he", "/help"), ("/E", "/e"), ("/exp", "/export"), ("/at", "/attach ")):
                prompt(chat).text = ""
                await chat.pilot.press(*typed, "tab")
                assert prompt(chat).text == completed
                assert prompt(chat).has_focus

    run(test)


def test_how_long_it_thinks_goes_with_the_next_question(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            for think, shown in ((1024, "thinks ≤ 1,024"), (0, "no thinking"), (None, "")):
                await chat.pilot.press("alt+t")
                assert shown in chat.shown
                status = chat.shown.splitlines()[-1]
                assert ("thinks ≤" in status or "no thinking" in status) == bool(shown)
                await chat.ask("and now?")
                assert chat.solver.requests[-1].think == think

    run(test)


def test_every_slash_command_is_an_action(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            for action in SLASHES.values():
                assert any(hasattr(one, f"action_{action.id}") for one in (chat.app, chat.app.chat))

    run(test)


def test_questions_wait_for_the_answer_before(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        scripts = [reply("one two", "first", pause=pause, at=1), reply("hm", "second"), reply("hm", "third")]
        async with chatting(tmp_path, ScriptedSolver(scripts)) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            for question in ("and then", "at last"):
                prompt(chat).insert(question)
                await chat.pilot.press("enter")
            assert prompt(chat).text == ""
            assert "next: and then" in chat.shown
            pause.go.set()
            await chat.until(lambda: len(chat.app.session.turns) == 3 and not chat.app.session.live)
            assert [turn.question for turn in chat.app.session.turns] == ["go", "and then", "at last"]
            assert "next:" not in chat.shown

    run(test)


@pytest.mark.parametrize("key", ["f5", "ctrl+n", "f6"])
def test_a_key_in_one_packet_with_enter_comes_after_the_question(tmp_path: Path, key: str) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("", "7"), reply("", "a b", pause=pause, at=1)])) as chat:
            await chat.ask("one")
            prompt(chat).insert("two")
            for one in ("enter", key):
                chat.app.post_message(events.Key(one, None))
            await chat.reach(pause)
            assert [turn.question for turn in chat.app.session.turns] == ["one"]
            assert chat.app.session.live
            assert chat.app.session.live.turn.question == "two"
            pause.go.set()
            await chat.until(lambda: not chat.app.session.live)
            (listed,) = chat.app.session.store.recent()
            assert [turn.question for turn in chat.app.session.store.turns(listed.id)] == ["one", "two"]
            assert prompt(chat).text == ""

    run(test)


def test_many_that_wait_leave_room_for_the_hints(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        script = [reply("one two", "first", pause=pause, at=1)]
        async with chatting(tmp_path, ScriptedSolver(script), size=(80, 24)) as chat:
            await chat.ask("go", wait=False)
            for question in ("first", "second", "third", "fourth"):
                prompt(chat).insert(question)
                await chat.pilot.press("enter")
            await chat.pilot.press("/")
            assert "next: first · and 3 more, the last: fourth" in chat.shown
            assert "takes them back" in chat.shown
            assert "/help" in chat.shown
            pause.go.set()

    run(test)


def test_what_is_said_names_the_keys_that_the_user_has(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        keys = {"stop": "f11", "answer_now": "alt+a", "palette": "alt+p", "help": "alt+h", "reliability": "alt+r"}
        keys |= {"votes_up": "alt+u", "edit": "alt+e"}
        solver = ScriptedSolver([*2 * [reply("one two", "7")], reply("one two", "7", pause=pause, at=1)])
        async with chatting(tmp_path, solver, keys=keys) as chat:
            assert "alt+r lets several solutions vote · alt+h has every key" in chat.shown
            assert "alt+h help · alt+p palette" in chat.shown
            await chat.ask("go")
            await chat.pilot.press("alt+e")
            assert "as another version · f11 keeps it" in chat.shown
            await chat.pilot.press("f11")
            await chat.ask("go on")
            await chat.pilot.press("alt+e")
            assert "alt+e: the one before · f11 keeps it" in chat.shown
            await chat.pilot.press("f11", "ctrl+t")
            assert "alt+r, then ask" in chat.shown
            await chat.pilot.press("alt+e", "f5")
            await chat.reach(pause)
            assert "question 2 of 2" in chat.shown
            assert "f11 stops · alt+a answers now" in chat.shown
            prompt(chat).insert("next")
            await chat.pilot.pause()
            assert chat.app.session.unsent[-1] == (prompt(chat).text, ())  # kept while its turn is written anew
            await chat.pilot.press("enter", "f5")
            assert "alt+u takes it back" in chat.shown
            assert "f11 stops it" in chat.shown
            pause.go.set()

    run(test)


def test_what_is_asked_while_an_answer_is_written_waits(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("", "a b", pause=pause, at=1), reply("", "7")])) as chat:
            await chat.ask("one", wait=False)
            await chat.app.chat.ask("two")
            await chat.pilot.pause()
            assert "next: two" in chat.shown
            pause.go.set()
            await chat.until(lambda: len(chat.app.session.turns) == 2)

    run(test)


def test_what_waits_is_taken_back(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("one two", "first", pause=pause, at=1)])) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            prompt(chat).insert("and then")
            await chat.pilot.press("enter", "alt+up")
            assert prompt(chat).text == "and then"
            assert "next:" not in chat.shown
            await chat.pilot.press("enter", *"draft", "escape")
            await chat.until(lambda: not chat.app.session.live)
            await chat.until(lambda: prompt(chat).text == "and then\n\ndraft")
            assert len(chat.solver.requests) == 1

    run(test)


def test_what_waits_when_the_chat_is_closed_can_be_asked_later(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("one two", "first", pause=pause, at=1)])) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            for text in ("and then", "at last"):
                prompt(chat).insert(text)
                await chat.pilot.press("enter")
            await chat.pilot.press("ctrl+q")
        async with chatting(tmp_path, ScriptedSolver([reply("", "7")])) as chat:
            chat.app.session.open(1)
            await chat.app.chat.show_conversation()
            await chat.pilot.pause()
            assert [turn.question for turn in chat.app.session.turns] == ["go", "and then", "at last"]
            assert "not asked yet" in chat.shown
            await chat.pilot.press("f5")
            await chat.until(lambda: chat.app.session.turns[-1].answer == "7")
            assert chat.solver.requests[0].question == "at last"

    run(test)


def test_left_and_right_show_versions(tmp_path: Path) -> None:
    async def test() -> None:
        scripts = [reply("hm", "first"), reply("hm", "second"), reply("hm", "third")]
        async with chatting(tmp_path, ScriptedSolver(scripts)) as chat:
            await chat.ask("Q")
            await chat.pilot.press("f5")
            await chat.until(lambda: len(chat.solver.requests) == 2 and not chat.app.session.live)
            assert "‹ 2 of 2 ›" in chat.shown
            await chat.pilot.press("left")
            assert "‹ 1 of 2 ›" in chat.shown
            assert "first" in chat.shown
            await chat.pilot.press("left", "right", "right")
            assert "second" in chat.shown
            await chat.pilot.press("left")
            await chat.ask("go on")
            assert chat.solver.requests[2].earlier[0].answer == "first"
            await chat.pilot.press("right")
            assert [turn.answer for turn in chat.app.session.turns] == ["second"]
            await chat.pilot.press("left")
            assert [turn.answer for turn in chat.app.session.turns] == ["first", "third"]
            await chat.pilot.press(*"ab", "left", *"x")
            assert prompt(chat).text == "axb"

    run(test)


def test_a_turn_says_who_wrote_it_and_whether_it_was_cut(tmp_path: Path) -> None:
    async def test() -> None:
        end = finished([Wrote("It goes on", False, 300)])
        cut = replace(end.solution.trajectories[0], finish="length")
        script = [reply("", "")[0], Wrote("It goes on", False, 300)]
        ended = replace(end, solution=replace(end.solution, trajectories=(cut,)))
        async with chatting(tmp_path, ScriptedSolver([[*script, ended]])) as chat:
            await chat.ask("Explain.")
            assert "cut at 300 tokens · vibethinker-3b Q4_K_M · 300 tokens" in chat.shown
            await chat.pilot.press("ctrl+n", "f2", "enter")
            await chat.pilot.pause()
            assert "cut at 300 tokens · vibethinker-3b Q4_K_M" in chat.shown

    run(test)


def test_an_answer_that_was_cut_goes_on(tmp_path: Path) -> None:
    async def test() -> None:
        first, *_ = reply("", "")
        begun, rest = Wrote("It goes on", False, 3), Wrote(" and on.", False, 6)
        end = finished([begun])
        cut = replace(end.solution.trajectories[0], finish="length")
        ended = replace(end, solution=replace(end.solution, trajectories=(cut,)))
        reading, pause = Pause(), Pause()
        scripts = [
            [first, begun, ended],
            [first, reading, begun, pause, rest, finished([begun, rest])],
            reply("", "new"),
        ]
        async with chatting(tmp_path, ScriptedSolver(scripts)) as chat:
            await chat.pilot.press("alt+c")
            assert "There is no turn yet" in chat.shown
            await chat.ask("Explain.")
            assert "cut at 3 tokens" in chat.shown
            assert "alt+c goes on with the answer" in chat.shown
            store = chat.app.session.store
            (turn,) = chat.app.session.turns
            store.reopen(turn)
            assert store.turns(1)[0].answer == "It goes on"  # also if it is killed now
            await chat.pilot.press("alt+c")
            await chat.reach(reading)
            assert [turn.answer for turn in chat.app.session.written] == ["It goes on"]  # before it has come to more
            reading.go.set()
            await chat.reach(pause)
            assert "goes on with the answer" not in chat.shown
            request = chat.solver.requests[1]
            assert request.unfinished
            assert (request.question, request.unfinished.text, request.earlier) == ("Explain.", "It goes on", ())
            await chat.until(lambda: store.turns(1)[0].answer == "It goes on")
            pause.go.set()
            await chat.until(lambda: not chat.app.session.live)
            (turn,) = chat.app.session.turns
            assert (turn.answer, turn.status, turn.finish, turn.tokens) == ("It goes on and on.", "answered", "stop", 9)
            assert "It goes on and on." in chat.shown
            assert "cut at" not in chat.shown
            assert store.turns(1) == [replace(turn, created=store.turns(1)[0].created)]
            await chat.pilot.press("alt+c")
            assert "was not cut off" in chat.shown

    run(test)


def test_what_was_stopped_goes_on(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        scripts = [reply("one two three", "7", pause=pause, at=2), reply("one two three", "It is 7.")]
        async with chatting(tmp_path, ScriptedSolver(scripts)) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            await chat.pilot.press("escape")
            await chat.until(lambda: not chat.app.session.live)
            prompt(chat).text = "/continue"
            await chat.pilot.press("enter")
            await chat.until(lambda: len(chat.solver.requests) == 2 and not chat.app.session.live)
            unfinished = chat.solver.requests[1].unfinished
            assert unfinished
            assert (unfinished.reasoning, unfinished.text) == ("one two", "")
            (turn,) = chat.app.session.turns
            assert (turn.reasoning, turn.answer, turn.status) == ("one two three", "It is 7.", "answered")

    run(test)


def test_what_cannot_go_on_stays_as_it_is(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        scripts = [reply("one two three", "7", pause=pause, at=2), [UsageError("The problem is too long.")]]
        async with chatting(tmp_path, ScriptedSolver(scripts)) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            await chat.pilot.press("escape")
            await chat.until(lambda: not chat.app.session.live)
            await chat.pilot.press("alt+c")
            await chat.until(lambda: len(chat.solver.requests) == 2 and not chat.app.session.live)
            (turn,) = chat.app.session.turns
            assert (turn.reasoning, turn.status, turn.note) == ("one two", "stopped", "The problem is too long.")
            (kept,) = chat.app.session.store.turns(1)
            assert kept == replace(turn, created=kept.created)

    run(test)


def test_an_edit_in_the_middle_begins_a_branch(tmp_path: Path) -> None:
    async def test() -> None:
        scripts = [reply("hm", name) for name in ("first", "second", "third", "other")]
        async with chatting(tmp_path, ScriptedSolver(scripts)) as chat:
            for question in ("one", "two", "three"):
                await chat.ask(question)
            composer = chat.app.chat.composer
            composer.attach(Attachment("pasted text", "aside"))
            await chat.pilot.press(*"draft", "f6", "f6")
            assert prompt(chat).text == "two"
            assert not composer.attachments
            assert "question 2 of 3" in chat.shown
            await chat.pilot.press(*"!", "f6")
            assert prompt(chat).text == "two!"  # what was typed is not lost
            await chat.pilot.press("enter")
            await chat.until(lambda: len(chat.solver.requests) == 4 and not chat.app.session.live)
            assert [turn.question for turn in chat.app.session.turns] == ["one", "two!"]
            assert prompt(chat).text == "draft"
            assert [one.text for one in composer.attachments] == ["aside"]
            await chat.pilot.press("alt+left")
            assert [turn.answer for turn in chat.app.session.turns] == ["first", "second", "third"]
            await chat.pilot.press("f6", "f6", "f6", "f6")
            assert "question 1 of 3" in chat.shown
            await chat.pilot.press("up", "escape")
            assert prompt(chat).text == prompt(chat).unsent == "draft"
            await chat.pilot.press("alt+right")
            assert [turn.question for turn in chat.app.session.turns] == ["one", "two!"]
            await chat.pilot.press("f6")
            composer.attach(Attachment("pasted text", "more"))
            await chat.pilot.press("f6")
            assert prompt(chat).text == "two!"  # what was attached is not lost
            await chat.pilot.press(*"?", "alt+left")
            assert prompt(chat).text == "two!?"  # here, too
            await chat.pilot.press("up", "ctrl+n")
            assert prompt(chat).text == "draft\n\ntwo!?"
            assert [one.text for one in composer.attachments] == ["aside", "more"]
            assert composer.editing is None

    run(test)


def test_the_end_of_a_long_run_rings(tmp_path: Path) -> None:
    async def test(rings: bool, seconds: float) -> bool:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("one two", "7", pause=pause, at=1)])) as chat:
            rung: list[str] = []
            chat.app.rings = rings
            chat.app.bell = lambda: rung.append("")  # type: ignore[method-assign]
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            chat.clock.now += seconds
            pause.go.set()
            await chat.until(lambda: not chat.app.session.live)
            await chat.pilot.pause()
            return bool(rung)

    assert asyncio.run(test(True, 60))
    assert not asyncio.run(test(True, 6))
    assert not asyncio.run(test(False, 60))
    assert notice("a;\x07b", "xterm-256color") == "\x1b]9;a,b\x07"
    assert notice("done", "foot") == "\x1b]777;notify;vibe;done\x07"
