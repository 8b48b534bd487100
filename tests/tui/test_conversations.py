"""Conversations in the chat, driven by keys: the list, going on, editing, copying, exports, what is kept."""

import json
from datetime import datetime
from pathlib import Path

from rich.cells import cell_len
from textual.widgets import OptionList

from tests.tui.fakes import Pause, ScriptedSolver, chatting, prompt, reply, run
from vibethinker_local.tui.dates import moment
from vibethinker_local.tui.screens.conversations import Conversations
from vibethinker_local.tui.store import Store, Turn
from vibethinker_local.tui.widgets.transcript import Transcript


def test_the_year_is_said_of_what_was_in_another() -> None:
    then = datetime(2023, 11, 14, 22, 13).timestamp()
    assert moment(then, datetime(2023, 12, 31, 23, 59).timestamp()) == "14 Nov 22:13"
    assert moment(then, datetime(2024, 1, 1).timestamp()) == "14 Nov  2023"


def test_new_conversation_and_back(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.ask("first question")
            await chat.pilot.press("ctrl+n")
            assert "New conversation" in chat.shown
            assert not chat.app.chat.query_one(Transcript).views
            await chat.ask("second question")
            await chat.pilot.press("f2", "down", "enter")
            await chat.pilot.pause()
            assert "▌ first question" in chat.shown
            assert "It is 7." in chat.shown
            await chat.ask("a further one")
            assert len(chat.app.session.turns) == 2
            assert chat.app.session.store.count() == 2

    run(test)


def test_conversations_are_searched_renamed_exported_and_deleted(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            for question in ("about apples", "about pears"):
                await chat.ask(question)
                await chat.pilot.press("ctrl+n")
            await chat.pilot.press("f2", *"appl")
            assert isinstance(chat.app.screen, Conversations)
            assert "about apples" in chat.shown
            assert chat.app.screen.query_one(OptionList).option_count == 1
            await chat.pilot.press("f9", "f10", "f2", *[*"!!"], "enter")
            assert "about apples!!" in chat.shown
            await chat.pilot.press("f8")
            assert "once more deletes it" in chat.shown
            await chat.pilot.press("f8")
            await chat.pilot.press("escape")
            assert [found.title for found in chat.app.session.store.recent()] == ["about pears"]
        assert "> about apples" in (tmp_path / "about-apples.md").read_text()
        assert json.loads((tmp_path / "about-apples.json").read_text())["turns"][0]["question"] == "about apples"

    run(test)


def test_the_open_conversation_may_be_deleted(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.ask("to be deleted")
            await chat.pilot.press("f2", "f8", "f8", "escape")
            await chat.pilot.pause()
            assert "New conversation" in chat.shown
            await chat.ask("another")
            assert [found.title for found in chat.app.session.store.recent()] == ["another"]

    run(test)


def test_f9_exports(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("f9")
            await chat.ask("Why?")
            await chat.pilot.press("f9")
            assert "Why?" in (tmp_path / "why.md").read_text()
            chat.app.chat.action_export_json()
            [turn] = json.loads((tmp_path / "why.json").read_text())["turns"]
            assert turn["created"].startswith("2023-11-1")  # as the store's clock had it

    run(test)


def test_regenerate_and_edit(tmp_path: Path) -> None:
    async def test() -> None:
        solver = ScriptedSolver([reply("hm", "first answer"), reply("hm", "second answer")])
        async with chatting(tmp_path, solver) as chat:
            await chat.pilot.press("f5", "f6")
            await chat.ask("a question")
            await chat.pilot.press("f5")
            await chat.until(lambda: not chat.app.session.live and len(chat.app.session.turns) == 1)
            assert "second answer" in chat.shown
            assert "first answer" not in chat.shown
            assert chat.solver.requests[1].earlier == ()
            await chat.pilot.press("f6")
            assert prompt(chat).text == "a question"
            assert "second answer" in chat.shown
            assert "enter asks it as another version" in chat.shown
            await chat.pilot.press("escape")
            assert prompt(chat).text == ""
            assert "another version" not in chat.shown
            await chat.pilot.press("f6", *"!", "enter")
            await chat.until(lambda: len(chat.solver.requests) == 3 and not chat.app.session.live)
            assert "second answer" in chat.shown  # of the third request: the script's last
            assert chat.solver.requests[2].earlier == ()
            assert len(chat.app.session.turns) == 1
            await chat.pilot.press("f6", "ctrl+n")
            assert prompt(chat).text == ""
            (conversation,) = chat.app.session.store.recent()
            assert [turn.question for turn in chat.app.session.store.turns(conversation.id)] == ["a question!"]

    run(test)


def test_copying(tmp_path: Path) -> None:
    async def test() -> None:
        answer = "So:\n\n```py\nx = 1\n```\n\nand\n\n```\ny\nz\n```\n\n$x^2$"
        async with chatting(
            tmp_path, ScriptedSolver([reply("hm", answer), reply("hm", "```py\nonly\n```"), reply("hm", "7")])
        ) as chat:
            await chat.pilot.press("f7", "f8")
            assert chat.app.clipboard == ""
            await chat.ask("q")
            await chat.pilot.press("f7")
            assert chat.app.clipboard == answer
            await chat.pilot.press("f8", "down", "enter")
            assert chat.app.clipboard == "y\nz\n"
            chat.app.chat.action_copy_turn()
            assert chat.app.clipboard == f"q\n\n{answer}"
            await chat.ask("q")
            await chat.pilot.press("f8")
            assert chat.app.clipboard == "only\n"
            await chat.ask("q")
            await chat.pilot.press("f8")
            assert "There is no code block in the last answer." in chat.shown

    run(test)


def test_the_list_stands_in_line_whatever_the_titles(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            for title in ("plain", "中文 and 😀"):
                await chat.ask(title)
                await chat.pilot.press("ctrl+n")
            chat.app.session.store.begin(Turn("another", "", 7), 1)  # 2 turns
            for key in ("ctrl+n", "f2"):
                await chat.pilot.press(key)
                ends = {cell_len(line.split(" Nov ")[0]) for line in chat.shown.splitlines() if " Nov " in line}
                assert len(ends) == 1
            await chat.pilot.resize_terminal(40, 12)  # as on a telephone
            assert "New conversation" in chat.shown
            assert "  plain " in chat.shown
            await chat.pilot.press("escape", "f1")
            assert "    Reliability on or off. " in chat.shown

    run(test)


def test_quitting_in_the_middle_keeps_what_was_written(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("one two three", "7", pause=pause, at=2)])) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            await chat.pilot.press("ctrl+q")
        assert chat.solver.closed
        store = Store(tmp_path / "chat.db")
        (turn,) = store.turns(store.recent()[0].id)
        assert (turn.status, turn.reasoning) == ("stopped", "one two")

    run(test)


def test_a_turn_that_was_interrupted_is_shown_as_such(tmp_path: Path) -> None:
    async def test() -> None:
        store = Store(tmp_path / "chat.db")
        _, turn = store.begin(Turn("What now?"), None)
        store.append(turn, [(True, "I was thinking"), (False, "It is")])
        store.close()
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("f2", "enter")
            await chat.pilot.pause()
            assert "interrupted: this is what had been written" in chat.shown
            assert "It is" in chat.shown

    run(test)


def test_an_answer_that_another_chat_is_writing_does_not_go_on_here(tmp_path: Path) -> None:
    async def test() -> None:
        other = Store(tmp_path / "chat.db")
        _, turn = other.begin(Turn("What now?"), None)
        other.append(turn, [(False, "It is")])
        async with chatting(tmp_path, ScriptedSolver([reply("", "It is 7.")])) as chat:
            await chat.pilot.press("f2", "enter")
            other.append(turn, [(False, " being")])
            await chat.pilot.press("alt+c")
            await chat.pilot.pause()
            assert "Another chat is writing this answer" in chat.shown
            assert not chat.solver.requests
            assert other.turns(1)[0].answer == "It is being"
            await chat.pilot.press("ctrl+n", "f2", "enter", "alt+c")  # nobody has written since
            await chat.until(lambda: chat.solver.requests and not chat.app.session.live)
        other.close()

    run(test)


def test_a_long_conversation_is_opened_from_its_end(tmp_path: Path) -> None:
    async def test() -> None:
        store = Store(tmp_path / "chat.db")
        conversation = None
        for n in range(50):
            conversation, turn = store.begin(Turn(f"question {n}"), conversation)
            store.finish(Turn(f"question {n}", id=turn, answer=f"answer {n}", status="answered"))
        store.close()
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("f2", "enter")
            await chat.pilot.pause(0.1)
            transcript = chat.app.chat.query_one(Transcript)
            assert "answer 49" in chat.shown
            assert len(transcript.views) == 8
            for _ in range(6):
                await chat.pilot.press("pageup")
            await chat.pilot.pause(0.2)
            assert len(transcript.views) > 8
            assert [view.turn.question for view in transcript.views[-2:]] == ["question 48", "question 49"]
            await chat.ask("one more")
            assert len(chat.solver.requests[0].earlier) == 50

    run(test)


def test_the_last_conversations_are_on_the_first_screen(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            for question in ("one", "two", "three", "four", "five", "six"):
                await chat.ask(question)
                await chat.pilot.press("ctrl+n")
            assert "three" in chat.shown
            assert "six" in chat.shown
            assert "one  " not in chat.shown
            for width in (1, 100):  # as a window that is drawn smaller and larger
                await chat.pilot.resize_terminal(width, 30)
            await chat.pilot.press("down", "down", *"x")
            assert prompt(chat).has_focus
            assert prompt(chat).text == "x"
            await chat.pilot.press("backspace", "down", "up", "down", "escape", "down", "down", "enter")
            await chat.until(lambda: [turn.question for turn in chat.app.session.turns] == ["five"])
            assert prompt(chat).has_focus

    run(test)


def test_a_conversation_that_is_opened_fills_the_meter(tmp_path: Path) -> None:
    async def test() -> None:
        solver = ScriptedSolver([reply("hm", "so it is " * 30)], context=500)
        async with chatting(tmp_path, solver) as chat:
            await chat.ask("why " * 20)
            await chat.pilot.press("ctrl+n")
            await chat.until(lambda: " 0%" in chat.shown)
            await chat.pilot.press("f2", "enter")
            await chat.until(lambda: " 22%" in chat.shown)  # 20 words, and 90
        with_only = tmp_path / "alone"
        with_only.mkdir()
        (tmp_path / "chat.db").rename(with_only / "chat.db")
        async with chatting(with_only, ScriptedSolver(alone=True, context=500)) as chat:
            await chat.pilot.press("f2", "enter")
            await chat.until(lambda: "so it is" in chat.shown)
            assert " 0%" in chat.shown  # it reads one question at a time

    run(test)
