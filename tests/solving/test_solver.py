"""A Solver as a program uses it: runs that are left early, two at once, and what it refuses."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.solving.coder import GOOD, Coder, Native
from tests.solving.coder import PROBLEM as CODE
from tests.solving.speaker import Speaker, script
from tests.solving.thinker import loaded
from vibethinker_local import Solver, sandbox
from vibethinker_local.engine.engine import Engine
from vibethinker_local.errors import EngineDied, ModelError, UsageError
from vibethinker_local.events import Control, Finished, Options, SolveEvent, Wrote
from vibethinker_local.models.installed import Chosen, ModelSpec
from vibethinker_local.reliability.plan import Plan
from vibethinker_local.reliability.stopping import LIKELY
from vibethinker_local.runtime.model import Model
from vibethinker_local.solving import forecast, single
from vibethinker_local.system import awake

Events = Generator[SolveEvent, None, object]
PROBLEM = "What is 17 + 25?"


@pytest.fixture(scope="module")
def solver() -> Iterator[Solver]:
    with Solver("mini") as solver:
        yield solver


def breaks(events: Events) -> None:
    for event in events:
        if isinstance(event, Wrote):
            break


def closes(events: Events) -> None:
    with closing(events):
        next(event for event in events if isinstance(event, Wrote))


def is_interrupted(events: Events) -> None:
    next(event for event in events if isinstance(event, Wrote))
    with suppress(KeyboardInterrupt):
        events.throw(KeyboardInterrupt())


@pytest.mark.parametrize("leaves", [breaks, closes, is_interrupted])
def test_a_solution_that_is_left_early_goes_on_nowhere(leaves: Callable[[Events], None]) -> None:
    spec = ModelSpec(about="scripted", stops=("<stop>",))
    speaker = Speaker(script(b"<think>" + b"hm, " * 500))
    model = Model(Chosen("scripted", spec, Path("scripted.gguf")), Engine(speaker))
    leaves(single.solve("p", model, Options(1), Control()))
    model.engine.step()  # the end of what was aborted
    assert (model.engine.busy, model.engine.cells_used) == (False, 0)


def test_a_program_that_is_left_early_leaves_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    native = Native()
    monkeypatch.setattr(sandbox, "open", lambda: native)
    closes(single.solve(CODE, loaded(Coder({GOOD: 1})), Options(1, max_tokens=400), Control()))
    assert native.closed


def test_a_second_run_meanwhile_is_refused_and_the_first_goes_on(solver: Solver) -> None:
    first = solver.stream(PROBLEM, seed=1)
    next(first)
    refused: list[UsageError] = []

    def second() -> None:
        with pytest.raises(UsageError, match="one run at a time") as caught:
            solver.solve(PROBLEM, seed=1)
        refused.append(caught.value)

    second()
    thread = threading.Thread(target=second)
    thread.start()
    thread.join()
    assert len(refused) == 2
    *_, last = first
    assert isinstance(last, Finished)
    assert last.solution.answer == "42"


def test_with_its_last_event_a_run_is_over(solver: Solver) -> None:
    first = solver.stream(PROBLEM, seed=1)
    assert any(isinstance(event, Finished) for event in first)
    assert solver.solve(PROBLEM, seed=1).status == "answered"


def test_a_vote_of_programs_is_quoted_by_the_rule_that_ends_it(solver: Solver, monkeypatch: pytest.MonkeyPatch) -> None:
    def announce(_model: Model, _options: Options, _control: Control, _prompt: int, plan: Plan, *_: object) -> None:
        seen.append(plan.likely)
        raise UsageError("no further")

    seen: list[float] = []
    monkeypatch.setattr(forecast, "is_quick", lambda _: False)
    monkeypatch.setattr(forecast, "announce", announce)
    monkeypatch.setattr(awake, "keep_awake", nullcontext)
    plan = replace(solver.plan("quick", samples=1), likely=0.8)
    for problem in (PROBLEM, CODE):
        with pytest.raises(UsageError, match="no further"):
            list(solver.stream(problem, plan=plan, announce="always"))
    assert seen == [0.8, LIKELY]


def test_after_an_error_it_solves_the_next_problem(solver: Solver) -> None:
    with pytest.raises(UsageError, match="too long"):
        solver.solve("17 + " * 2000, seed=1)
    assert solver.solve(PROBLEM, seed=1).answer == "42"


def test_a_run_whose_model_is_closed_ends() -> None:
    with Solver("mini") as solver:
        run = solver.stream(PROBLEM, seed=1)
        next(event for event in run if isinstance(event, Wrote))
        solver.close()
        *_, last = run
        assert isinstance(last, Finished)
        assert (last.solution.status, last.solution.error) == ("failed", "The engine was closed.")
        assert solver.solve(PROBLEM, seed=1).answer == "42"  # loaded again


@pytest.mark.parametrize("error", [ModelError, EngineDied, KeyboardInterrupt])
def test_a_model_that_cannot_be_loaded_again_leaves_no_closed_one(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes: list[Any] = [None, error("no"), None]
    loaded_with: list[int] = []

    def load(*_: object, places: int, **other: object) -> Any:
        loaded_with.append(places)
        if outcome := outcomes.pop(0):
            raise outcome
        return SimpleNamespace(engine=SimpleNamespace(close=lambda: None))

    monkeypatch.setattr("vibethinker_local.solving.solver.load_model", load)
    solver = Solver("mini")
    solver.load()
    with pytest.raises(error):
        solver.load(4)
    solver.load()
    assert loaded_with == [1, 4, 1]


def test_the_seed_of_the_options_is_that_of_each_run() -> None:
    with Solver("mini", Options(42)) as solver:
        assert [solver.solve(PROBLEM).seeds for _ in range(2)] == [(42,), (42,)]
        assert solver.solve(PROBLEM, seed=7).seeds == (7,)
        plan = solver.plan("quick", mode="majority", samples=2, stopping=False)
        assert solver.solve(PROBLEM, plan=plan).seeds == (42, 43)


def test_without_a_seed_each_run_has_another(solver: Solver) -> None:
    assert solver.solve(PROBLEM).seeds != solver.solve(PROBLEM).seeds


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("seed", [-1, 2**63, "1", 1.0, True]),
        ("temperature", [-1, float("nan"), 5.1, "1"]),
        ("top_p", [0, 0.0, 2.0, -1]),
        ("max_tokens", [0, -5, 10, 100.0]),
        ("context", [0, -5, 10, 2**21]),
        ("threads", [0, -1, 10**6]),
        ("cache", ["q4", None]),
        ("kind", ["music"]),
        ("think", [-5, 10**7]),
    ],
)
def test_options_that_cannot_be_used_are_named(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(UsageError, match=f"^{name} is ") as caught:
            Solver("mini", Options(**{name: value}))
        assert f"not {value!r}" in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"problem": ""}, "The problem is empty"),
        ({"problem": " \n"}, "The problem is empty"),
        ({"problem": None}, "A problem is a text, not NoneType"),
        ({"seed": "1"}, "^seed is"),
        ({"seed": -1}, "^seed is"),
        ({"think": -1}, "^think is"),
    ],
)
def test_what_is_no_problem_or_no_number_is_named(solver: Solver, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        next(solver.stream(**{"problem": PROBLEM} | asked))
    assert solver.solve(PROBLEM, seed=1).answer == "42", "and the engine is there yet"
