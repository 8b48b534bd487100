"""The reliability mode of the chat, driven by keys over a scripted solver."""

import re
from pathlib import Path

from tests.tui.fakes import Pause, Script, ScriptedSolver, chatting, prompt, reply, run
from tests.tui.scenes import vote
from vibethinker_local.events import Notice, Wrote
from vibethinker_local.tui.widgets.panel import VotesPanel


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
            assert "4 of 6 agree · 1 of 4 claims refuted" in chat.shown
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
        script = [Notice("Measuring …"), measuring, Notice(COST), loaded, first, rest[0], *more, *rest[1:]]
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
