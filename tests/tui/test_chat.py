"""The chat, driven by keys over a scripted solver: questions, answers and what can be done while one is written."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.tui.fakes import Pause, ScriptedSolver, chatting, finished, prompt, reply, run
from tests.tui.scenes import EVIL
from vibethinker_local.events import Busy, Closing, Started, Wrote
from vibethinker_local.tui.store import Store
from vibethinker_local.tui.widgets.thoughts import Thoughts


def test_a_question_is_answered_and_kept(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.ask("What is 3 + 4?")
            assert "▌ What is 3 + 4?" in chat.shown
            assert "thought for 3 tokens" in chat.shown
            assert "It is 7." in chat.shown
            assert prompt(chat).text == ""
            assert prompt(chat).has_focus
        (listed,) = Store(tmp_path / "chat.db").recent()
        (turn,) = Store(tmp_path / "chat.db").turns(listed.id)
        assert (turn.answer, turn.reasoning, turn.status) == ("It is \\boxed{7}.", "Let me think.", "answered")
        assert (turn.model, turn.seed, turn.tokens) == ("vibethinker-3b", 7, 6)

    run(test)


def test_what_was_said_is_told_but_never_the_reasoning(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.ask("one")
            await chat.ask("two")
        (earlier,) = chat.solver.requests[1].earlier
        assert (earlier.question, earlier.answer) == ("one", "It is \\boxed{7}.")
        assert chat.solver.requests[0].earlier == ()

    run(test)


def test_a_model_that_reads_alone_is_told_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver([reply("hm", "7")], alone=True)) as chat:
            await chat.ask("one")
            await chat.ask("two")
            assert "reads each question alone" in chat.shown
        assert chat.solver.requests[1].earlier == ()

    run(test)


def test_turns_that_no_longer_fit_are_said_to_be_dropped(tmp_path: Path) -> None:
    async def test() -> None:
        first, *rest = reply("hm", "7")
        assert isinstance(first, Started)
        solver = ScriptedSolver([[replace(first, dropped=3, prompt_tokens=20_000), *rest]])
        async with chatting(tmp_path, solver) as chat:
            await chat.ask("and now?")
            assert "The 3 oldest turns are left out" in chat.shown
            assert "▰▰▰▰▰▱▱▱ 61%" in chat.shown

    run(test)


def test_escape_stops(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("one two three", "7", pause=pause, at=2)])) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            assert "thinking · 2 tokens" in chat.shown
            await chat.pilot.press("escape")
            await chat.until(lambda: not chat.app.session.live)
            assert "stopped" in chat.shown
            assert chat.app.session.turns[0].reasoning == "one two"

    run(test)


def test_a_busy_machine_is_told_while_it_is_busy(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        told = Busy("1 of 2 threads: the machine is busy")
        first, *rest = reply("one two", "7", pause=pause, at=2)
        async with chatting(tmp_path, ScriptedSolver([[first, told, *rest]])) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            await chat.until(lambda: "1 of 2 threads" in chat.shown)
            pause.go.set()
            await chat.until(lambda: "1 of 2 threads" not in chat.shown)

    run(test)


def test_ctrl_g_answers_now(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("one two three", "7", pause=pause, at=2)])) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            await chat.pilot.press("ctrl+g")
            await chat.until(lambda: not chat.app.session.live)
            assert chat.app.session.turns[0].status == "answered"

    run(test)


def test_ctrl_o_opens_and_folds_the_reasoning_while_it_grows(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("one two three four", "7", pause=pause, at=2)])) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            await chat.pilot.press("ctrl+o")
            assert chat.app.chat.query_one(Thoughts).rows == ["one two "]
            pause.go.set()
            await chat.until(lambda: not chat.app.session.live)
            assert chat.app.chat.query_one(Thoughts).rows == ["one two three four"]
            assert "▾ thought for 4 tokens" in chat.shown
            await chat.pilot.press("ctrl+o")
            assert not chat.app.chat.query(Thoughts)

    run(test)


def test_the_reasoning_has_no_empty_row_at_its_end(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver([reply("one\n\ntwo\n", "7")])) as chat:
            await chat.ask("go")
            await chat.pilot.press("ctrl+o")
            await chat.pilot.pause()
            assert chat.app.chat.query_one(Thoughts).rows == ["one", "", "two"]

    run(test)


def test_what_is_taken_back_is_reasoning_after_all(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        said = [Wrote("so 5", False, 2), Wrote(" no", True, 4, retracts=True), Wrote("It is 7.", False, 7)]
        solver = ScriptedSolver([[reply("", "")[0], said[0], pause, *said[1:], finished(said[1:])]])
        async with chatting(tmp_path, solver) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            assert "so 5" in chat.shown
            pause.go.set()
            await chat.until(lambda: not chat.app.session.live)
            assert "so 5" not in chat.shown
            assert chat.app.session.turns[0].answer == "It is 7."

    run(test)


def test_why_an_end_was_forced_is_said(tmp_path: Path) -> None:
    async def test() -> None:
        first, *rest = reply("hm", "7")
        solver = ScriptedSolver([[first, rest[0], Closing("length", asking=False), *rest[1:]]])
        async with chatting(tmp_path, solver) as chat:
            await chat.ask("go")
            assert "token budget reached" in chat.shown

    run(test)


def test_a_question_with_a_byte_that_is_not_utf_8_is_asked_and_kept(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, question="What is 17 + 25 \udce9?") as chat:  # as the command line hands it over
            await chat.until(lambda: chat.app.session.turns)
            assert chat.solver.requests[0].question == "What is 17 + 25 �?"
            assert chat.app.session.history() == [("What is 17 + 25 �?", True)]
            assert chat.app.session.unkept is None
            assert "damaged" not in chat.shown

    run(test)


def test_a_question_of_the_command_line_is_like_one_that_is_typed(tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "notes.txt").write_text("the number is 42")
        question = f"What is in @{tmp_path}/notes.txt ?"
        async with chatting(tmp_path, question=question) as chat:
            await chat.until(lambda: chat.app.session.turns)
            assert chat.solver.requests[0].question.startswith("notes.txt:\n```\nthe number is 42\n```\n")
            assert prompt(chat).asked == [question]

    run(test)


def test_the_example(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.app.chat.action_example()
            await chat.until(lambda: chat.app.session.turns)
            assert "How many apples" in chat.solver.requests[0].question

    run(test)


def test_a_conversation_is_not_left_while_it_is_written(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("one two", "7", pause=pause, at=1)])) as chat:
            await chat.ask("first", wait=False)
            await chat.pilot.press("ctrl+n", "f5", "f6")
            assert len(chat.solver.requests) == 1
            assert chat.app.session.live

    run(test)


MILLION, TABLE = "x" * 1_000_000, "| a |\n| - |\n" * 50
SLOW = [pytest.param(text, marks=pytest.mark.slow) for text in ("[/]" * 50, "\n" * 3000, TABLE, "- " * 500, "`" * 999)]


@pytest.mark.parametrize("text", [EVIL, MILLION, *SLOW], ids=lambda text: repr(text[:8]))
def test_hostile_text_is_text(tmp_path: Path, text: str) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver([reply(text, text)])) as chat:
            await chat.ask(text[:5000].strip() or "?")
            await chat.pilot.press("ctrl+o")
            await chat.pilot.pause()
            assert not set(chat.shown) & set("\x1b\x07\x9b\u202e\r")
            await chat.pilot.press("f2", *"x", "escape", "f7")
            assert len(chat.app.session.turns) == 1

    run(test)
