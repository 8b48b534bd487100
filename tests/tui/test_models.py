"""Which model answers in the chat: chosen in mid-conversation, named with each turn, honest about its limits."""

import random
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tui.fakes import MODEL, SECONDS, ScriptedSolver, chatting, reply, run
from vibethinker_local.errors import ModelError
from vibethinker_local.events import Finished
from vibethinker_local.mini import problems
from vibethinker_local.models import installed
from vibethinker_local.system.progress import Progress
from vibethinker_local.tui import bundled
from vibethinker_local.tui.local import choices, facts
from vibethinker_local.tui.screens.dialogs import Ask, Pick
from vibethinker_local.tui.session import Session
from vibethinker_local.tui.solver import Loading, Start
from vibethinker_local.tui.store import Attachment, Store

OTHER = replace(MODEL, name="half", quant="Q8_0")


def other() -> ScriptedSolver:
    *said, end = reply("hm", "It is 8.")
    assert isinstance(end, Finished)
    end = replace(end, solution=replace(end.solution, model=OTHER))
    return ScriptedSolver([[*said, end]], identity=OTHER, start=Start("half", "half: a model of your own"))


def test_the_model_is_changed_in_mid_conversation(tmp_path: Path) -> None:
    async def test() -> None:
        half = other()
        async with chatting(tmp_path, models={"vibethinker-3b:Q4_K_M": ScriptedSolver(), "half:Q8_0": half}) as chat:
            await chat.ask("go")
            chat.app.chat.composer.attach(Attachment("notes", "a b"))
            await chat.until(lambda: "▤ notes · 3 characters · 2 tokens" in chat.shown)
            half.count = lambda text: 99  # type: ignore[method-assign]
            await chat.pilot.press("f10")
            assert isinstance(chat.app.screen, Pick)
            assert "• vibethinker-3b:Q4_K_M  1.93 GB · fits, 32,768 tokens · 21 tok/s" in chat.shown
            await chat.pilot.press("down", "enter")
            await chat.until(lambda: chat.app.session.solver is half)
            assert chat.solver.closed
            await chat.until(lambda: "half Q8_0" in chat.shown.split("\n")[-1])
            await chat.until(lambda: "▤ notes · 3 characters · 99 tokens" in chat.shown)
            await chat.ask("and you?")
            assert half.requests[0].earlier[0].question == "go"
            assert "vibethinker-3b Q4_K_M · 6 tokens" in chat.shown
            assert "half Q8_0 · 4 tokens" in chat.shown
            await chat.pilot.press("ctrl+n")
            await chat.until(lambda: "half: a model of your own." in chat.shown)

    run(test)


def test_a_model_that_cannot_be_loaded_leaves_the_one_before(tmp_path: Path) -> None:
    async def test() -> None:
        solver = ScriptedSolver([reply("hm", "It is \\boxed{7}.")])

        def load(name: str | None, loading: Loading) -> ScriptedSolver:
            if name:
                raise ModelError(f"There is no model file {name}: check the path.")
            return solver

        async with chatting(tmp_path, load=load) as chat:
            await chat.until(lambda: chat.app.session.solver)
            await chat.pilot.press("f10", "down", "enter")
            assert isinstance(chat.app.screen, Ask)
            await chat.pilot.press(*"x.gguf", "enter")
            await chat.until(lambda: "There is no model file x.gguf" in chat.shown)
            await chat.until(lambda: chat.app.session.solver is solver)
            assert chat.app.session.chosen == []  # it is not offered as chosen before
            await chat.ask("go")
            assert "It is 7." in chat.shown

    run(test)


@pytest.mark.parametrize("fails", [True, False])
def test_a_model_that_is_chosen_while_another_is_loading_is_the_one_that_answers(fails: bool, tmp_path: Path) -> None:
    store, begun, go_on = Store(tmp_path / "chat.db"), threading.Event(), threading.Event()
    solvers = {name: ScriptedSolver() for name in (None, "b", "c")}

    def load(name: str | None, loading: Loading) -> ScriptedSolver:
        if name == "b":
            begun.set()
            assert go_on.wait(10)
            if fails:
                raise ModelError("There is no model b.")
        return solvers[name]

    session = Session(load, store, lambda: 0.0, lambda: 7)
    session.loaded()
    session.use("b")
    thread = threading.Thread(target=session.loaded)
    thread.start()
    assert begun.wait(10)
    session.use("c")
    go_on.set()
    thread.join()
    assert session.solver is solvers["c"]
    assert session.wanted == "c"
    assert solvers["b"].closed != fails
    session.close()


def test_a_model_that_is_left_is_given_back(tmp_path: Path) -> None:
    solvers = {name: ScriptedSolver() for name in (None, "b", "c")}

    def load(name: str | None, loading: Loading) -> ScriptedSolver:
        if name not in solvers:
            raise ModelError(f"There is no model {name}.")
        return solvers[name]

    session = Session(load, Store(tmp_path / "chat.db"), lambda: 0.0, lambda: 7)
    session.loaded()
    session.use("b")
    session.use("c")  # before b is there
    assert session.loaded() is solvers["c"]
    assert [one.closed for one in solvers.values()] == [True, False, False]
    session.use("b")
    session.use("d")
    with pytest.raises(ModelError, match=r"There is no model d\."):
        session.loaded()
    assert session.wanted == "c"  # the last one that was there
    solvers["c"].closed = False
    session.loaded()
    session.use("b")
    session.close()
    assert solvers["c"].closed


def test_how_far_a_model_is_loaded_is_said_and_it_need_not_be_waited_for(tmp_path: Path) -> None:
    go_on, solver = threading.Event(), ScriptedSolver([])

    def load(name: str | None, loading: Loading) -> ScriptedSolver:
        loading(Progress("loading x.gguf", 45, 100))
        go_on.wait(2 * SECONDS)  # longer than the chat may take to stop
        return solver

    async def test() -> None:
        async with chatting(tmp_path, load=load) as chat:
            await chat.until(lambda: "loading, 45%" in chat.shown)
            await chat.ask("go", wait=False)
            await chat.pilot.press("escape")
            await chat.until(lambda: "\n   stopped" in chat.shown)
            assert [turn.status for turn in chat.app.session.turns] == ["stopped"]

    run(test)
    go_on.set()
    for thread in threading.enumerate():
        if thread.name in ("load", "run"):
            thread.join()  # what it raises fails this test
    assert solver.closed
    assert not solver.requests


def test_an_answer_that_is_not_to_be_relied_on_says_so_itself(tmp_path: Path) -> None:
    async def test() -> None:
        solver = ScriptedSolver([reply("hm", "888")], doubts="mini reads sums alone: do not rely on it")
        async with chatting(tmp_path, solver) as chat:
            await chat.ask("Solve x^2 = 4")
            assert "do not rely on it" in chat.shown
            await chat.pilot.press("ctrl+n", "f2", "enter")
            await chat.until(lambda: "do not rely on it" in chat.shown)

    run(test)


READABLE = [
    "Tom has 12 apples.\nAnn has 5 more apples than Tom.\nHow many apples does Ann have?",
    "What is 17 + 25?",
    "Zubo sells 3 times as many stamps as Ann. Ann sells 4 stamps. How many stamps does Zubo sell?",
]
UNREADABLE = [
    "Solve x^2 - 5x + 6 = 0.",
    "Tell me a story",
    "What is the capital of France?",
    "How many primes are below 100?",
    "Natalia sold clips to 48 of her friends in April, and half as many in May. How many did she sell?",
    "Was ist 3 mal 4?",
    "∫ x dx",
    "def f(x): return x + 1",
    "",
    "Hello!",
]


def test_what_mini_can_read() -> None:
    for text in READABLE:
        assert bundled.is_readable(text), text
    for text in UNREADABLE:
        assert not bundled.is_readable(text), text
    rng = random.Random(5)
    for _ in range(300):
        assert bundled.is_readable(problems.draw(rng, split="train").text)


def test_a_model_is_called_what_it_is(tmp_path: Path) -> None:
    mini = installed.choose("mini")
    assert facts(mini).about.startswith("mini: bundled")
    own = facts(replace(mini, name="half"))
    assert own.about == "mini (mini.gguf): a model of your own, of which nothing more is known"
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF")
    assert facts(replace(mini, name="broken", path=broken)).about.startswith("broken.gguf: a model of your own")


def test_the_models_that_are_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("VIBE_HOME", str(tmp_path))
    (mini,) = choices()
    assert mini.name == "mini:Q8_0"
    assert mini.detail == "1.18 MB · fits, 2,048 tokens · not measured"
