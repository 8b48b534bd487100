"""The chat, driven by keys over a scripted solver: what each key does, what is kept, what is shown."""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual import events

from tests.tui.fakes import Chatting, Pause, Script, ScriptedSolver, chatting, finished, reply
from tests.tui.scenes import EVIL, vote
from vibethinker_local.errors import ModelError, UsageError
from vibethinker_local.tui.actions import ACTIONS
from vibethinker_local.tui.attachments import Attachment, read
from vibethinker_local.tui.screens.conversations import Conversations
from vibethinker_local.tui.screens.help import Help
from vibethinker_local.tui.store import Store, Turn
from vibethinker_local.tui.widgets.panel import VotesPanel
from vibethinker_local.tui.widgets.prompt import Prompt
from vibethinker_local.tui.widgets.thoughts import Thoughts
from vibethinker_local.tui.widgets.transcript import Transcript
from vibethinker_local.types import Announced, Closing, Started, Wrote

LONG = "\n\n".join(f"Line {n}." for n in range(60))


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def prompt(chat: Chatting) -> Prompt:
    return chat.app.chat.query_one(Prompt)


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
            assert "The 3 oldest turns no longer fit into the context" in chat.shown
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


def test_the_palette_knows_of_themes(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("ctrl+p", *"theme")
            await chat.until(lambda: "Dark or light theme" in chat.shown)

    run(test)


def test_ctrl_r_is_for_the_next_question_also_while_one_is_answered(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("one two", "7", pause=pause, at=1), vote()])) as chat:
            assert "○ reliability off" in chat.shown
            await chat.ask("go", wait=False)
            await chat.pilot.press("ctrl+r")
            assert "● reliability on · standard" in chat.shown
            pause.go.set()
            await chat.until(lambda: not chat.app.session.live)
            await chat.pilot.press("f4")
            await chat.ask("again")
            assert [(one.reliable, one.budget) for one in chat.solver.requests] == [(False, "standard"), (True, "deep")]
            await chat.pilot.press("ctrl+r")
            assert not chat.app.session.reliable

    run(test)


def test_a_vote_is_provisional_until_it_is_decided(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        script = [*vote(until=8), pause, *vote()[8:]]
        async with chatting(tmp_path, ScriptedSolver([script]), size=(130, 40)) as chat:
            await chat.pilot.press("ctrl+r")
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            assert "provisional: the vote is not decided" in chat.shown
            assert "There are 16 of them." in chat.shown
            assert "voting · 3 of at most 8" in chat.shown
            assert "drawing · 3 of at most 8" in chat.shown
            pause.go.set()
            await chat.until(lambda: not chat.app.session.live)
            assert "provisional" not in chat.shown
            assert "4 of 6 agree · 1 of 4 claims refuted · not calibrated" in chat.shown
            assert "plain majority: 16" in chat.shown
            assert "machine-checked" in chat.shown
            assert chat.app.chat.query_one(VotesPanel).display
            await chat.pilot.press("ctrl+t")
            assert not chat.app.chat.query_one(VotesPanel).display

    run(test)


def test_the_votes_go_with_their_question(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver([vote(), reply("hm", "7")])) as chat:
            await chat.pilot.press("ctrl+r")
            await chat.ask("one")
            assert "plain majority: 16" in chat.shown
            await chat.pilot.press("ctrl+r")
            await chat.ask("two")
            assert "plain majority" not in chat.shown
            await chat.pilot.press("ctrl+t")
            assert "There is no vote to show" in chat.shown

    run(test)


COST = "Expect 8 solutions: about 6-14 min, 3.9 GB of memory."


def test_what_a_vote_will_cost_is_said_where_it_is_known(tmp_path: Path) -> None:
    async def test() -> None:
        solver = ScriptedSolver([vote()], costs={"standard": COST})
        async with chatting(tmp_path, solver) as chat:
            messages: list[str] = []
            chat.app.chat.notify = lambda text, **_: messages.append(text)  # type: ignore[method-assign]
            await chat.pilot.press("ctrl+r", "f4", "ctrl+r", "f4", "f4")
            assert messages == [
                COST,
                "Budget of the reliability pass: quick.",
                f"Budget of the reliability pass: standard. {COST}",
            ]

    run(test)


def test_how_long_a_run_may_take_and_how_long_it_still_will(tmp_path: Path) -> None:
    async def test() -> None:
        measuring, loaded, thinking, later = Pause(), Pause(), Pause(), Pause()
        first, *rest = reply("one two", "7")
        more: Script = [thinking, Wrote("on and on ", True, 500), later, Wrote("so ", True, 503)]
        script = [Announced("Measuring …"), measuring, Announced(COST), loaded, first, rest[0], *more, *rest[1:]]
        async with chatting(tmp_path, ScriptedSolver([script]), size=(80, 24)) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(measuring)
            assert "Measuring …" in chat.shown
            assert "loading" not in chat.shown
            measuring.go.set()
            await chat.reach(loaded)
            assert "Measuring" not in chat.shown
            loaded.go.set()
            await chat.reach(thinking)
            assert COST in chat.shown
            assert " left" not in chat.shown
            chat.clock.now += 10
            thinking.go.set()
            await chat.reach(later)
            # Some 3,300 tokens are to come, of at most 4,096, at 50 a second.
            assert re.search(r"500 tokens · 10 s · about [67]\d s left · esc stops · ctrl\+g", chat.shown)
            assert COST in chat.shown
            later.go.set()
            await chat.until(lambda: not chat.app.session.live)
            assert COST not in chat.shown

    run(test)


def test_the_votes_are_scrolled_with_keys(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver([vote()]), size=(80, 24)) as chat:
            await chat.pilot.press("ctrl+up")  # nothing to scroll yet
            await chat.ask("go")
            assert "machine-checked" not in chat.shown
            for key in ("ctrl+down", "alt+down"):
                await chat.pilot.press(key)
            assert "machine-checked" in chat.shown
            assert prompt(chat).has_focus
            await chat.pilot.press("alt+up", "ctrl+up")
            assert "what decided" in chat.shown

    run(test)


def test_an_earlier_answer_of_a_losing_cluster_gives_way(tmp_path: Path) -> None:
    async def test() -> None:
        events = vote()
        first = events[7]  # index 2 has ended: 16, 15, 16
        script = [events[0], events[6], first, Pause()]  # "15" ends first, then "16" leads
        async with chatting(tmp_path, ScriptedSolver([script])) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(script[-1])  # type: ignore[arg-type]
            assert "There are 16 of them." in chat.shown

    run(test)


def test_new_conversation_and_back(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.ask("first question")
            await chat.pilot.press("ctrl+n")
            assert "New conversation" in chat.shown
            assert "first question" not in chat.shown
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
            assert "about pears" not in chat.shown
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
            assert "enter replaces the last question" in chat.shown
            await chat.pilot.press("escape")
            assert prompt(chat).text == ""
            assert "enter replaces" not in chat.shown
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
            await chat.pilot.press("f2")
            ends = {cell_len(line.split(" Nov ")[0]) for line in chat.shown.splitlines() if " Nov " in line}
            assert len(ends) == 1

    run(test)


def test_the_end_of_a_line_begins_no_other() -> None:
    assert Attachment("a", "x\ny\n").label == "a (2 lines)"
    assert Attachment("a", "xy\n").label == "a (3 characters)"


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
            assert "+ code.py (2 lines)" in chat.shown
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
            assert "+ pasted text (1,000,000 characters)" in chat.shown
            await chat.pilot.press("enter")
            await chat.until(lambda: len(chat.app.session.turns) == 1)
            assert len(chat.solver.requests[0].question) > 1_000_000
            assert "characters in all" in chat.shown
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


def test_scrolling_up_is_not_fought_and_a_badge_leads_back(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("hm", LONG, pause=pause, at=70)])) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            transcript = chat.app.chat.query_one(Transcript)
            assert transcript.scroll_y == transcript.max_scroll_y > 0
            await chat.pilot.press("pageup")
            await chat.pilot.pause()
            at = transcript.scroll_y
            assert at < transcript.max_scroll_y
            assert "more below" in chat.shown
            pause.go.set()
            await chat.until(lambda: not chat.app.session.live)
            assert transcript.scroll_y == at
            await chat.pilot.press("ctrl+end")
            await chat.pilot.pause(0.1)
            assert "Line 59." in chat.shown
            assert "more below" not in chat.shown

    run(test)


def test_from_the_end_on_a_page_down_follows(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("hm", LONG, pause=pause, at=40)])) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            await chat.pilot.press("pageup")
            await chat.pilot.pause()
            assert "more below" in chat.shown
            for _ in range(3):
                await chat.pilot.press("pagedown")
                await chat.pilot.pause()
            pause.go.set()
            await chat.until(lambda: not chat.app.session.live)
            assert "Line 59." in chat.shown

    run(test)


def test_nothing_goes_blank_at_the_end(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        script = list(reply("hm", LONG))
        script.insert(-1, pause)
        async with chatting(tmp_path, ScriptedSolver([script])) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            seen: list[str] = []
            chat.app.screen.set_interval(0.002, lambda: None if chat.app._batch_count else seen.append(chat.shown))
            pause.go.set()
            await chat.until(lambda: not chat.app.session.live)
            await chat.pilot.pause(0.1)
            assert seen
            assert all("Line 59." in shown for shown in seen)

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


def test_help_lists_every_action_with_its_own_key(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, keys={"reliability": "ctrl+y", "help": "f11"}, size=(120, 70)) as chat:
            await chat.pilot.press("f11")
            assert isinstance(chat.app.screen, Help)
            for action in ACTIONS:
                assert f"{action.title}. " in chat.shown
            assert "ctrl+y" in chat.shown
            await chat.pilot.press("escape", "ctrl+y")
            assert chat.app.session.reliable
            await chat.pilot.press("ctrl+r")
            assert chat.app.session.reliable

    run(test)


def test_the_palette_has_every_action(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            titles = {command.title for command in chat.app.get_system_commands(chat.app.screen)}
            assert titles == {action.title for action in ACTIONS if action.id != "palette"}
            for action in ACTIONS:
                where = chat.app if action.id in ("quit", "dark", "palette") else chat.app.chat
                name = "command_palette" if action.id == "palette" else action.id
                assert callable(getattr(where, f"action_{name}"))
            await chat.pilot.press("ctrl+p", *"new conv")
            await chat.pilot.pause(0.3)
            assert "New conversation" in chat.shown
            await chat.pilot.press("escape")

    run(test)


def test_every_binding_has_an_id_and_a_tooltip() -> None:
    from vibethinker_local.tui.app import ChatApp
    from vibethinker_local.tui.screens.chat import Chat
    from vibethinker_local.tui.screens.dialogs import Ask, Pick

    for owner in (ChatApp, Chat, Conversations, Help, Ask, Pick):
        for binding in owner.BINDINGS:
            assert binding.system or (binding.id and binding.tooltip), binding  # type: ignore[union-attr]


def test_themes(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("f12")
            assert not chat.app.current_theme.dark
            await chat.pilot.press("f12")
            assert chat.app.current_theme.dark
        async with chatting(tmp_path, theme="no such theme") as chat:
            assert chat.app.theme == "vibe-dark"

    run(test)


def test_the_example(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.app.chat.action_example()
            await chat.until(lambda: chat.app.session.turns)
            assert "How many apples" in chat.solver.requests[0].question

    run(test)


def test_one_question_at_a_time(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("one two", "7", pause=pause, at=1)])) as chat:
            await chat.ask("first", wait=False)
            await chat.pilot.press(*"second", "enter")
            assert prompt(chat).text == "second"
            await chat.pilot.press("ctrl+n", "f5", "f6")
            assert len(chat.solver.requests) == 1
            assert chat.app.session.live

    run(test)


def test_a_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    async def test() -> None:
        solvers = iter([ModelError("There is no model file x.gguf: check the path."), None])

        def load() -> ScriptedSolver:
            error = next(solvers)
            if error:
                raise error
            return ScriptedSolver([reply("hm", "It is 7.")])

        async with chatting(tmp_path, load=load) as chat:
            await chat.until(lambda: "There is no model file x.gguf" in chat.shown)
            assert chat.shown.splitlines()[-1].split() == ["no", "model", "○", "reliability", "off"]
            assert "\n  There is no model file x.gguf: check the path.\n" in re.sub(
                " +▌.*| +$", "", chat.shown, flags=re.M
            )
            await chat.ask("go")
            assert "It is 7." in chat.shown

    run(test)


def test_a_model_that_is_missing_is_not_looked_for_again_by_itself(tmp_path: Path) -> None:
    async def test() -> None:
        tries = []

        def load() -> ScriptedSolver:
            tries.append(1)
            raise ModelError("There is no model.")

        async with chatting(tmp_path, load=load) as chat:
            await chat.until(lambda: chat.app.chat.unloaded)
            await chat.ask("go")
            await chat.pilot.pause(0.1)
            assert "failed · There is no model." in chat.shown
            assert len(tries) == 2

    run(test)


def test_a_question_that_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        solver = ScriptedSolver([[UsageError("The problem is too long.")], reply("hm", "It is 7.")])
        async with chatting(tmp_path, solver) as chat:
            await chat.ask("go")
            assert "failed · The problem is too long." in chat.shown
            assert not solver.closed
            await chat.ask("go")
            assert "It is 7." in chat.shown

    run(test)


def test_an_engine_that_dies_is_replaced(tmp_path: Path) -> None:
    async def test() -> None:
        said = [Wrote("half an ans", False, 3)]
        dying = ScriptedSolver([[reply("", "")[0], *said, finished(said, "failed", "The engine has ended.")]])
        solvers = [dying, ScriptedSolver([reply("hm", "It is 7.")])]
        given = iter(solvers)
        async with chatting(tmp_path, load=lambda: next(given)) as chat:
            await chat.ask("go")
            assert "half an ans" in chat.shown
            assert "The engine has ended." in chat.shown
            await chat.until(lambda: chat.app.session.solver is solvers[1])
            assert dying.closed
            await chat.ask("go")
            assert "It is 7." in chat.shown

    run(test)


def test_a_bug_in_the_solver_ends_the_app(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver([[ZeroDivisionError("a bug")]])) as chat:
            await chat.ask("go", wait=False)
            await chat.pilot.pause(0.5)

    with pytest.raises(ZeroDivisionError, match="a bug"):
        run(test)


def test_a_disk_that_is_full_is_said_once_and_the_conversation_goes_on(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("one two three", "7", pause=pause, at=2)])) as chat:
            store = chat.app.session.store
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            store._db.execute("PRAGMA query_only = ON")  # as good as full
            pause.go.set()
            await chat.until(lambda: "cannot be kept" in chat.shown)
            await chat.until(lambda: not chat.app.session.live)
            chat.app.clear_notifications()
            prompt(chat).insert("and again")
            await chat.pilot.press("enter")
            await chat.until(lambda: "cannot be kept" in chat.shown)
            assert prompt(chat).text == "and again"
            await chat.pilot.press("f5", "f2", "f8", "f8")
            assert "cannot be kept" in chat.shown
            await chat.pilot.press("f2", "!", "enter", "escape")
            assert [turn.question for turn in chat.app.session.turns] == ["go"]
            store._db.execute("PRAGMA query_only = OFF")
            await chat.pilot.press("enter")
            await chat.until(lambda: len(chat.app.session.turns) == 2 and not chat.app.session.live)

    run(test)


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a short path, so that the sentence is on one row

    async def test() -> None:
        async with chatting(tmp_path) as chat:
            (tmp_path / "file").write_text("")
            chat.app.folder = Path("file")
            await chat.ask("Why?")
            await chat.pilot.press("f9")
            await chat.until(lambda: "cannot be written" in chat.shown)
            chat.app.clear_notifications()
            await chat.until(lambda: "cannot be written" not in chat.shown)
            await chat.pilot.press("f2", "f9")
            await chat.until(lambda: "cannot be written" in chat.shown)

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
