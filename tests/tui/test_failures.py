"""What goes wrong under the chat: models, engines, disks. It is said, and the chat goes on."""

import gc
import os
import re
import sqlite3
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.tui.fakes import Pause, ScriptedSolver, chatting, finished, reply, run
from vibethinker_local.cli.converse import converse
from vibethinker_local.errors import ModelError, UsageError
from vibethinker_local.events import Wrote
from vibethinker_local.tui.app import make_app
from vibethinker_local.tui.session import Session
from vibethinker_local.tui.solver import Loading
from vibethinker_local.tui.store import Store, database
from vibethinker_local.tui.widgets.transcript import Transcript


def test_a_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    async def test() -> None:
        solvers = iter([ModelError("There is no model file x.gguf: check the path."), None])

        def load(name: str | None, loading: Loading) -> ScriptedSolver:
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
        tries, go_on = [], threading.Event()

        def load(name: str | None, loading: Loading) -> ScriptedSolver:
            tries.append(1)
            assert len(tries) == 1 or go_on.wait(10)
            raise ModelError("There is no model.")

        async with chatting(tmp_path, load=load) as chat:
            await chat.until(lambda: chat.app.chat.unloaded)
            await chat.ask("go", wait=False)
            await chat.until(lambda: chat.shown.splitlines()[-1].split()[0] == "loading")
            go_on.set()
            await chat.until(lambda: not chat.app.session.live)
            await chat.pilot.pause(0.1)
            assert "failed · There is no model." in chat.shown
            assert chat.shown.splitlines()[-1].split()[:2] == ["no", "model"]
            assert len(tries) == 2

    run(test)


def started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chat as the command begins it."""
    monkeypatch.setenv("VIBE_HOME", str(folder))
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(gc, "disable", lambda: None)  # of the other tests, too
    converse()


def test_a_theme_that_there_is_not_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_THEME", "vibe-drak")
    with pytest.raises(
        UsageError, match="VIBE_THEME='vibe-drak': there is no such theme; there are vibe-dark, vibe-light,"
    ):
        started(tmp_path, monkeypatch)


def test_what_could_not_be_kept_is_said_once_more_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = SimpleNamespace(unkept="The conversation cannot be kept in chat.db: database or disk is full.", close=int)
    monkeypatch.setattr(
        "vibethinker_local.tui.app.make_app", lambda *_, **__: SimpleNamespace(session=session, run=int, crash=None)
    )
    with pytest.raises(UsageError, match="cannot be kept in"):
        started(tmp_path, monkeypatch)


def test_a_question_that_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        solver = ScriptedSolver([[UsageError("The problem is too long.")], reply("hm", "It is 7.")])
        async with chatting(tmp_path, solver) as chat:
            await chat.ask("go")
            assert "failed · The problem is too long." in chat.shown
            assert not solver.closed
            await chat.ask("go")
            assert "It is 7." in chat.shown
            assert solver.requests[1].earlier == ()  # nothing was answered before

    run(test)


def test_an_engine_that_dies_is_replaced(tmp_path: Path) -> None:
    async def test() -> None:
        said = [Wrote("half an ans", False, 3)]
        dying = ScriptedSolver([[reply("", "")[0], *said, finished(said, "failed", "The engine has ended.")]])
        solvers = [dying, ScriptedSolver([reply("hm", "It is 7.")])]
        given = iter(solvers)
        async with chatting(tmp_path, load=lambda name, loading: next(given)) as chat:
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
            disk = chat.app.session.store._db._db
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            disk.execute("PRAGMA max_page_count = 1")  # as many as there are, that is
            chat.app.session.live.run.reasoning.add("x" * 100_000)  # type: ignore[union-attr]
            await chat.until(lambda: "cannot be kept" in chat.shown)
            assert "vibethinker-3b Q4_K_M  not saved" in chat.shown
            pause.go.set()
            await chat.until(lambda: not chat.app.session.live)
            await chat.ask("x" * 50_000)  # is answered, too
            assert [turn.id for turn in chat.app.session.turns] == [1, 0]
            await chat.app.chat.query_one(Transcript).show(chat.app.session.turns)
            await chat.pilot.pause()
            assert "vibethinker-3b Q4_K_M · " in chat.shown  # below the answer
            await chat.pilot.press("f9")
            assert "\n> xxx" in (tmp_path / "go.md").read_text()  # what could not be kept is exported all the same
            await chat.pilot.press("ctrl+n")
            assert "The last turn could not be saved: f9 exports" in chat.shown
            assert len(chat.app.session.turns) == 2
            chat.app.clear_notifications()
            await chat.pilot.press("f5")
            await chat.until(lambda: len(chat.solver.requests) == 3 and not chat.app.session.live)
            assert "cannot be kept" not in chat.shown  # it was said
            disk.execute("PRAGMA max_page_count = 1000000")
            await chat.until(lambda: not chat.app.session.unkept)
            chat.app.chat.show_status()
            await chat.pilot.pause()
            assert "not saved" not in chat.shown
            (conversation,) = Store(tmp_path / "chat.db").recent()
            turns = Store(tmp_path / "chat.db").turns(conversation.id)
            assert [turn.answer for turn in turns] == ["7", "7"]

    run(test)


@pytest.mark.parametrize(
    ("locked_before", "free_before", "kept"),
    [
        pytest.param(False, False, True, id="its beginning was kept"),
        pytest.param(True, False, False, id="nothing was"),
        pytest.param(True, True, True, id="it can be kept in time"),
    ],
)
def test_an_end_that_cannot_be_kept_yet_is_kept_although_another_conversation_has_begun(
    locked_before: bool, free_before: bool, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    store, other = Store(tmp_path / "chat.db"), sqlite3.connect(tmp_path / "chat.db", isolation_level=None)
    solver = ScriptedSolver([reply("", "It is 7.")])
    session = Session(lambda name, loading: solver, store, time.monotonic, lambda: 7)
    if locked_before:
        other.execute("BEGIN IMMEDIATE")
    session.ask("Why?", lambda: None)
    if not locked_before:
        other.execute("BEGIN IMMEDIATE")
    while session.live:
        session.take()
    assert session.unkept
    if free_before:
        other.execute("COMMIT")
    session.new()
    if not free_before:
        other.execute("COMMIT")
    session.save()
    assert not session.unkept
    assert [turn.answer for turn in store.turns(1)] == ["It is 7."] * kept
    assert session.conversation is None
    other.close()
    session.close()


@pytest.mark.parametrize("asked", [True, False])
def test_a_chat_that_could_not_be_kept_at_all_says_so_at_its_end(asked: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store, solver = Store(tmp_path / "file" / "chat.db"), ScriptedSolver([reply("", "It is 7.")])
    session = Session(lambda name, loading: solver, store, time.monotonic, lambda: 7)
    if asked:
        session.ask("Why?", lambda: None)
    session.close()
    said = f"What was written last was not saved: {tmp_path / 'file' / 'chat.db'} could not be used."
    assert session.unkept == (said if asked else None)


def test_a_damaged_file_is_said_and_the_conversations_are_there(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.ask("first question")
        data = (tmp_path / "chat.db").read_bytes()
        (tmp_path / "chat.db").write_bytes(data[:-4096])
        async with chatting(tmp_path) as chat:
            await chat.until(lambda: "chat.db was damaged" in chat.shown)
            await chat.pilot.press("f2", "enter")
            await chat.until(lambda: "first question" in chat.shown)
            await chat.ask("go on")
            assert len(chat.app.session.turns) == 2

    run(test)


@pytest.mark.skipif(os.name == "nt", reason="a folder that is in use cannot be removed there")
def test_in_a_folder_that_was_removed_exports_go_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    app = make_app(lambda name, loading: ScriptedSolver(), Store(tmp_path / "chat.db"))
    assert app.folder == Path.home()
    app.session.close()


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a short path, so that the sentence is on one row

    async def test() -> None:
        async with chatting(tmp_path) as chat:
            (tmp_path / "file").write_text("")
            chat.app.chat.folder = Path("file")
            await chat.ask("Why?")
            await chat.pilot.press("f9")
            await chat.until(lambda: "cannot be written" in chat.shown)
            chat.app.clear_notifications()
            await chat.until(lambda: "cannot be written" not in chat.shown)
            await chat.pilot.press("f2", "f9")
            await chat.until(lambda: "cannot be written" in chat.shown)

    run(test)
