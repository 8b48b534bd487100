"""What is on the disk at any moment, of a turn that is being written and of what has not been asked yet."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tui.fakes import MODEL, Pause, ScriptedSolver, finished, reply
from vibethinker_local.events import Finished, SolveEvent, Started, Unfinished, Wrote
from vibethinker_local.solving.follow import RunState
from vibethinker_local.tui.live import CONTEXT_FULL, Live, can_go_on
from vibethinker_local.tui.run import Run
from vibethinker_local.tui.session import MOST_KEPT, Queued, Session, Unsent
from vibethinker_local.tui.store import Attachment, Store, Turn

THOUGHT = Wrote("one two", True, 2)
SAID = [THOUGHT, Wrote("It is", False, 4), Wrote(" 7", False, 5)]


@pytest.mark.parametrize(
    ("before", "events"),
    [
        pytest.param(None, [*SAID, Wrote(".", False, 6)], id="grows"),
        pytest.param(None, [*SAID, Wrote(" no", True, 6, retracts=True), Wrote("It is 8", False, 9)], id="retracted"),
        pytest.param(Turn("Why?", reasoning="one two", answer="It is", status="stopped"), SAID, id="goes on"),
        pytest.param(Turn("Why?", reasoning="one", answer="It"), SAID, id="goes on although it was killed"),
    ],
)
def test_what_is_shown_is_what_a_killed_chat_would_leave(
    before: Turn | None, events: Sequence[SolveEvent], tmp_path: Path
) -> None:
    store = Store(tmp_path / "chat.db")
    _, turn = store.begin(Turn("Why?"), None)
    if before:
        before = replace(before, id=turn)
        store.append(turn, [(True, before.reasoning), (False, before.answer)])
        if before.status == "stopped":
            store.finish(before)
        store.reopen(before)
    live = Live(replace(before or Turn("Why?"), id=turn, status="writing"), lambda: 0.0, before)
    for event in (None, *events, finished([])):
        if event:
            live.run.apply(event)
        for _ in range(2):  # the second time there is nothing new
            live.save(store)
            [kept] = store.turns(1)
            assert (kept.reasoning, kept.answer) == (live.written.reasoning, live.written.answer)
    store.close()


NOTES = Attachment("notes", "N")
LONGEST = "x" * (MOST_KEPT - len("notes:\n```\nN\n```\n\n"))


@pytest.mark.parametrize(
    ("waiting", "unsent", "kept"),
    [
        ([Queued("why @a.py?", [Attachment("a.py", "A")], None)], [("half", [])], ["why @a.py?\n\nhalf"]),
        ([], [("", [NOTES]), ("", [])], ["notes:\n```\nN\n```"]),
        ([], [(LONGEST, [NOTES])], [f"notes:\n```\nN\n```\n\n{LONGEST}"]),
        ([], [(f" {LONGEST}y", [NOTES])], [f"{LONGEST}y"]),
        ([], [("", [])], []),
    ],
    ids=["waits", "attached", "as long as can be", "longer", "nothing"],
)
def test_what_has_not_been_asked_is_kept(
    waiting: list[Queued], unsent: list[Unsent], kept: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text("A")
    store = Store(tmp_path / "chat.db")
    session = Session(lambda name, loading: ScriptedSolver(), store, lambda: 0.0, lambda: 7)
    session.unsent = [("typed before", [])]
    session.save()
    session.queue, session.unsent = waiting, unsent
    session.save()
    assert store.history() == [(text, False) for text in kept]
    store.close()


def test_what_was_not_shown_yet_when_the_chat_is_closed_is_kept(tmp_path: Path) -> None:
    pause = Pause()
    solver = ScriptedSolver([reply("one two", "It is 7.", pause=pause, at=5)])
    session = Session(lambda name, loading: solver, Store(tmp_path / "chat.db"), lambda: 0.0, lambda: 7)
    session.ask("Why?", lambda: None)
    assert pause.reached.wait(10)
    session.close()
    [turn] = Store(tmp_path / "chat.db").turns(1)
    assert (turn.reasoning, turn.answer, turn.status) == ("one two", "It is 7.", "stopped")


def test_what_goes_on_is_drawn_anew_and_is_no_vote(tmp_path: Path) -> None:
    pause, seeds = Pause(), itertools.count(7)
    solver = ScriptedSolver([reply("", "It is 7.", pause=pause, at=1), reply("", "It is 7.")])
    session = Session(lambda name, loading: solver, Store(tmp_path / "chat.db"), lambda: 0.0, lambda: next(seeds))
    session.ask("Why?", lambda: None)
    assert pause.reached.wait(10)
    session.stop()
    while session.live:
        session.take()
    session.reliable = True
    session.go_on(lambda: None)
    while session.live:
        session.take()
    first, second = solver.requests
    assert second == replace(first, seed=8, unfinished=Unfinished("", "It"))
    session.close()


@pytest.mark.parametrize(
    "wrote",
    [
        [Wrote("It is", False, 2), Wrote(" 5", False, 3), Wrote(" no", True, 4, retracts=True), Wrote("7", False, 5)],
        [Wrote("so 5", False, 2), Wrote(" no", False, 3, retracts=True), Wrote(" 7", False, 4)],
        [THOUGHT, Wrote("a", True, 1, index=1), Wrote(" three", True, 3), Wrote("b", False, 2, index=1)],
    ],
    ids=["reasoning after all", "retracted", "several at once"],
)
def test_what_has_come_together_is_what_came_one_by_one(wrote: list[Wrote]) -> None:
    run, each, together = Run(lambda control: iter(wrote), lambda: None), RunState(lambda: 0.0), RunState(lambda: 0.0)
    run.start()
    assert run.stop(10)  # all of them have come
    for event in run.take()[0]:
        together.apply(event)
    for one in wrote:
        each.apply(one)
    assert (str(together.reasoning), str(together.answer)) == (str(each.reasoning), str(each.answer))
    assert together.tokens == each.tokens


@pytest.mark.parametrize(("most", "note"), [(939, CONTEXT_FULL), (938, "")])
def test_an_answer_that_was_cut_goes_on_unless_the_context_is_full(most: int, note: str) -> None:
    live = Live(Turn("Why?"), lambda: 0.0)
    end = finished(SAID)
    cut = replace(end.solution.trajectories[0], finish="length")
    events: list[SolveEvent] = [Started(MODEL, 7, 61, most, 1000), *SAID]
    for event in [*events, Finished(replace(end.solution, trajectories=(cut,)))]:
        live.run.apply(event)
    turn = live.finished()
    assert turn.note == note
    assert can_go_on(turn) == (not note)


def test_the_answer_of_a_vote_is_kept_with_its_own_reasoning() -> None:
    live = Live(Turn("Why?"), lambda: 0.0)
    end = finished(SAID)
    [first] = end.solution.trajectories
    second = replace(first, text="It is 8", reasoning="three")
    for event in SAID:
        live.run.apply(event)
    live.run.apply(Finished(replace(end.solution, text="It is 8", trajectories=(first, second))))
    turn = live.finished()
    assert (turn.reasoning, turn.answer) == ("three", "It is 8")
