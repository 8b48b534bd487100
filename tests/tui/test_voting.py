"""The reliability mode of the chat, driven by keys over a scripted solver."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tui.fakes import Pause, Script, ScriptedSolver, chatting, prompt, reply, run
from tests.tui.scenes import vote
from vibethinker_local.errors import UsageError
from vibethinker_local.events import (
    AgreementLevel,
    AnswerCluster,
    Crux,
    CruxSide,
    Finished,
    Notice,
    ReliabilityReport,
    Wrote,
)
from vibethinker_local.solving.follow import ClusterRow, Votes, parted
from vibethinker_local.tui import votes
from vibethinker_local.tui.screens.fulltext import FullText
from vibethinker_local.tui.widgets.panel import VotesPanel, panel_rows


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
            assert "by arithmetic" in chat.shown
            assert chat.app.chat.query_one(VotesPanel).display
            await chat.pilot.press("ctrl+t", "ctrl+t")
            assert not chat.app.chat.query_one(VotesPanel).display

    run(test)


def test_the_votes_go_with_their_question(tmp_path: Path) -> None:
    async def test() -> None:
        scripts = [vote(), reply("hm", "7"), vote(), [UsageError("The problem is too long.")]]
        async with chatting(tmp_path, ScriptedSolver(scripts), size=(130, 40)) as chat:
            await chat.pilot.press("ctrl+r")
            await chat.ask("one")
            assert "plain majority: 16" in chat.shown
            await chat.pilot.press("ctrl+r")
            await chat.ask("two")
            assert "plain majority" not in chat.shown
            await chat.pilot.press("ctrl+t")
            assert "There is no vote to show" in chat.shown
            await chat.pilot.press("ctrl+r")
            await chat.ask("three")
            assert "plain majority: 16" in chat.shown
            await chat.pilot.press("ctrl+t", "f5")  # from within the panel
            await chat.until(lambda: len(chat.solver.requests) == 4 and not chat.app.session.live)
            assert "plain majority" not in chat.shown
            assert prompt(chat).has_focus

    run(test)


def test_a_vote_is_kept_with_its_turn(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver([vote()]), size=(130, 40)) as chat:
            await chat.pilot.press("ctrl+r")
            await chat.ask("one")
            await chat.pilot.press("ctrl+n")
            assert "plain majority" not in chat.shown
            await chat.pilot.press("down", "enter")
            await chat.until(lambda: chat.app.session.turns)
            assert "4 of 6 agree · 1 of 4 claims refuted · vibethinker-3b Q4_K_M" in chat.shown
            await chat.pilot.press("ctrl+t")
            await chat.until(lambda: "plain majority: 16" in chat.shown)
            assert "4 ━━━━━━━━━━  3.61  16" in chat.shown
            await chat.pilot.press("f9")
            (path,) = tmp_path.glob("*.md")
            assert "| 16 | 4 | 3.61 |" in path.read_text(encoding="utf-8")
            chat.app.chat.action_export_json()
            (path,) = tmp_path.glob("*.json")
            (turn,) = json.loads(path.read_text(encoding="utf-8"))["turns"]
            assert turn["vote"]["clusters"][0]["votes"] == 4
            assert votes.read("{}") is None
            assert votes.read('{"samples": "many"}') is None

    run(test)


def test_solutions_and_claims_are_read_in_full(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver([vote()]), size=(130, 40)) as chat:
            await chat.ask("go")
            await chat.pilot.press("ctrl+t", "enter")
            assert isinstance(chat.app.screen, FullText)
            assert "solution 1 · 2,000 tokens" in chat.shown
            assert "✗ 9 · 13 = 117 is at most 100 (refuted, by arithmetic: 9 · 13 = 117 > 100)" in chat.shown
            await chat.pilot.press("right")
            assert "solution 2 · 2,413 tokens" in chat.shown
            await chat.pilot.press("b")
            assert "solution 2 · 2,413 tokens" in chat.shown
            assert "solution 3 · 2,826 tokens" in chat.shown
            await chat.pilot.press("left", "b", "escape")
            assert not isinstance(chat.app.screen, FullText)
            await chat.pilot.press("end", "enter")
            assert "a claim of solution 3" in chat.shown
            await chat.pilot.press("down", "pagedown", "escape", *"x")
            assert prompt(chat).text == "x"
            await chat.pilot.press("ctrl+t", "up", "up", "up", "escape")
            assert prompt(chat).has_focus

    run(test)


def report(votes: tuple[int, ...], drawn: int, checked: int = 0, refuted: int = 0) -> ReliabilityReport:
    members = iter(range(99))
    clusters = tuple(AnswerCluster(str(n), tuple(next(members) for _ in range(v)), v) for n, v in enumerate(votes))
    return ReliabilityReport(clusters, "0", "all", checked, refuted, None, drawn, sum(votes))


@pytest.mark.parametrize(
    ("found", "tone"),
    [
        (report((6, 2), 8), "decided"),
        (report((3, 2, 1), 8), "leading"),
        (report((1, 1, 1, 1), 4, 12, 12), "none"),
        (report((1,), 8), "none"),
        (report((), 8), "none"),
        (report((6, 2), 8, 12, 12), "leading"),  # refuted without exception
        (report((6, 2), 8, 12, 3), "decided"),
    ],
)
def test_the_colour_of_a_vote_means_how_far_it_agrees(found: ReliabilityReport, tone: AgreementLevel) -> None:
    text, colour = votes.told(found)
    assert colour == votes.TONES[tone]
    assert ("do not rely on it" in text) == (tone == "none")


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


def test_the_budget_is_said_where_the_line_at_the_bottom_shows_something_else(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver([vote()], costs={"deep": COST})) as chat:
            messages: list[str] = []
            chat.app.chat.notify = lambda text, **_: messages.append(text)  # type: ignore[method-assign]
            await chat.pilot.press("ctrl+r", "f4")
            assert "reliability on · deep" in chat.shown
            await chat.ask("go")
            assert "● 4 of 6 agree" in chat.shown
            await chat.pilot.press("f4", "f4", "f4")
            budgets = ["quick.", "standard.", f"deep. {COST}"]
            assert messages == [COST, *(f"Budget of the reliability pass: {budget}" for budget in budgets)]

    run(test)


def ending(found: ReliabilityReport) -> Script:
    """A vote that ends in a report."""
    *before, last = vote()
    assert isinstance(last, Finished)
    return [*before, Finished(replace(last.solution, report=found))]


@pytest.mark.parametrize(
    ("found", "width", "line"),
    [
        ((1, 1, 1, 1), 80, "vibethinker-3b    ● do not rely on it · no agreement: 8 solutions, 4 answers"),
        ((1, 1, 1, 1), 120, "● do not rely on it · no agreement: 8 solutions, 4 answers, 4 without an answer"),
        ((6, 2), 80, "● 6 of 8 agree"),
    ],
)
def test_where_there_is_little_room_what_matters_most_is_shown(
    found: tuple[int, ...], width: int, line: str, tmp_path: Path
) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver([ending(report(found, 8))]), size=(width, 24)) as chat:
            await chat.pilot.press("ctrl+r")
            await chat.ask("go")
            last = chat.shown.splitlines()[-1]
            assert last.strip().endswith(line)
            assert "vibethinker-3b" in last

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
            await chat.until(lambda: "Measuring" not in chat.shown)
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


def test_escape_brings_the_conversation_back_where_the_votes_took_its_place(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver([vote()]), size=(80, 24)) as chat:
            await chat.ask("go")
            await chat.pilot.press("ctrl+t", "escape")
            assert "▌ go" in chat.shown
            assert prompt(chat).has_focus
            await chat.pilot.press("ctrl+t", *"x", "escape")  # what is typed leads to the prompt, and leaves them there
            assert "▌ go" in chat.shown
            await chat.pilot.resize_terminal(120, 40)
            await chat.pilot.press("ctrl+t", "escape", "escape")
            assert "what decided" in chat.shown  # there is room for both

    run(test)


def test_the_votes_are_scrolled_with_keys(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver([vote()]), size=(80, 24)) as chat:
            await chat.pilot.press("ctrl+up")  # nothing to scroll yet
            await chat.ask("go")
            assert not chat.app.chat.query_one(VotesPanel).display  # there is no room for both
            assert "4 of 6 agree" in chat.shown
            await chat.pilot.press("ctrl+t")
            assert "what decided" in chat.shown
            assert "▌ go" not in chat.shown
            for key in ("ctrl+down", "alt+down"):
                await chat.pilot.press(key)
            assert "by arithmetic" in chat.shown
            await chat.pilot.press("alt+up", "ctrl+up")
            assert "what decided" in chat.shown
            await chat.pilot.press("ctrl+t")
            assert "▌ go" in chat.shown
            assert prompt(chat).has_focus

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


def test_where_two_answers_part_is_in_the_panel_and_in_an_export() -> None:
    crux = Crux((CruxSide("r = 5", (0,)), CruxSide("r = 7", (1,))))
    state = replace(votes.read(votes.written(Votes(2, crux=crux))) or Votes(0), report=report((1, 1), 2))
    rows = panel_rows(state, 60)
    assert sum(row.page is not None and "part" in row.page.title for row in rows) == 1
    assert parted(crux) in votes.markdown(state)


def test_an_answer_with_bars_keeps_its_row_in_an_export() -> None:
    rows = votes.markdown(Votes(1, clusters=(ClusterRow("|x|", 1, 1.0),), report=report((1,), 1)))
    assert r"| \|x\| | 1 | 1.00 |" in rows
