"""Code problems: programs are run, compared by behaviour, and chosen by it."""

import json
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.solving.coder import ALSO_GOOD, BROKEN, CRASHES, GOOD, PROBLEM, SQUARES, WRONG, Coder, Native
from tests.solving.thinker import Thinker, loaded, run
from vibethinker_local import sandbox
from vibethinker_local.code import task
from vibethinker_local.errors import SandboxError
from vibethinker_local.events import Behaviour, Control, Differing, Finished, Options, Sampled, Solution
from vibethinker_local.reliability.plan import make
from vibethinker_local.sandbox import Outcome
from vibethinker_local.solving import deadline, receipt, single
from vibethinker_local.solving.code_vote import INPUTS, Programs
from vibethinker_local.solving.follow import behaved

ALL = make("majority", "standard", samples=8, stopping=False)


@pytest.fixture(autouse=True)
def _streams() -> Iterator[None]:
    before = sys.stdout
    yield
    sys.stdout = before


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> Native:
    runner = Native()
    monkeypatch.setattr(sandbox, "open", lambda: runner)
    return runner


@pytest.fixture
def _missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise SandboxError("Programs are not run: first pip install it.")

    monkeypatch.setattr(sandbox, "open", missing)


def solve(coder: Coder, problem: str = PROBLEM, **options: object) -> Solution:
    model = loaded(coder)
    *_, last = single.solve(problem, model, Options(seed=2, max_tokens=400, **options), Control())  # type: ignore[arg-type]
    assert isinstance(last, Finished)
    return last.solution


def behaviour_of(solution: Solution) -> Behaviour:
    assert solution.behaviour is not None
    return solution.behaviour


@pytest.mark.parametrize(
    ("program", "passed", "why"),
    [
        (GOOD, 1, ""),
        (WRONG, 0, ": on 2 it gives 2, not 4"),
        (BROKEN, 0, ": on 2 it gives SyntaxError: '(' was never closed (line 1), not 4"),
        (CRASHES, 0, ": on 2 it gives TypeError: 'int' object is not subscriptable, not 4"),
        ("def twice(n): pass", 0, ": on 2 it gives nothing, not 4"),
        ("def twice(n): print(2 * n)", 0, ": on 2 it gives nothing, not 4"),
        ("def double(n): pass", 0, ": on 2 it gives NameError: it defines no twice, not 4"),
    ],
)
def test_one_solution_is_run_on_the_examples(native: Native, program: str, passed: int, why: str) -> None:
    found = solve(Coder({program: 1}))
    assert (found.status, found.answer) == ("answered", program)
    assert behaviour_of(found).passed == (passed,)
    assert behaved(behaviour_of(found), 0) == f"{passed} of 1 examples passed{why} · tested, not proved"
    assert native.closed


@pytest.mark.parametrize(
    ("program", "right"),
    [
        (GOOD, True),
        (WRONG, False),
        (f"{GOOD}\n\nassert twice(2) == 5", True),
        (f"{WRONG}\n\nassert twice(2) == 5", False),
    ],
)
def test_tests_count_and_examples_of_the_models_own_do_not(native: Native, program: str, right: bool) -> None:
    asked = task.read(PROBLEM)
    assert asked is not None
    programs = Programs(PROBLEM, asked, loaded(Coder({GOOD: 1})), Options(seed=2), native)
    programs.add(0, f"```python\n{program}\n```")
    for test in ("assert twice(3) == 6", "def check(f):\n    assert f(3) == 6\n\ncheck(twice)"):
        assert programs.tests(0, "", test) == right


@pytest.mark.parametrize("vote", [False, True])
def test_the_time_that_a_program_takes_is_not_the_models(
    vote: bool, native: Native, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0)
    clock.monotonic = clock.perf_counter = lambda: clock.now
    run_program = native.run

    def slow(*given: Any) -> list[Outcome]:
        clock.now += 100
        return run_program(*given)

    monkeypatch.setattr(native, "run", slow)
    monkeypatch.setattr(deadline if vote else single, "time", clock)
    plan = make("majority", "standard", samples=1)
    found = run(Coder({GOOD: 1}), plan, problem=PROBLEM)[0] if vote else solve(Coder({GOOD: 1}))
    assert found.behaviour
    assert found.behaviour.passed == (1,)
    assert found.usage.seconds == clock.now - 100 == 0


def test_behaviour_beats_the_text(native: Native) -> None:
    coder = Coder({GOOD: 0.25, ALSO_GOOD: 0.25, SQUARES: 0.3, BROKEN: 0.2})
    found, events = run(coder, ALL, problem=PROBLEM, max_tokens=200)
    assert found.report is not None
    assert found.answer in (GOOD, ALSO_GOOD)
    leading = found.report.clusters[0]
    assert {found.trajectories[at].answer for at in leading.members} == {GOOD, ALSO_GOOD}
    behaviour = behaviour_of(found)
    assert behaviour.inputs == ("3", "0")
    assert (behaviour.assertions, behaviour.held) == (2, 2)
    assert leading.weight == leading.votes * 3
    assert found.usage.verify_tokens > 0
    assert found.report.note is not None
    assert "on 3 #" in found.report.note
    assert "9" in found.report.note
    for at, trajectory in enumerate(found.trajectories):
        assert behaviour.passed[at] == (0 if trajectory.answer == BROKEN else 1)
    assert any(isinstance(event, Sampled) and event.clusters for event in events)
    assert native.closed


def test_no_more_inputs_are_written_than_were_asked_for(native: Native) -> None:
    many = "".join(f"{n}) == {2 * n}\nassert twice(" for n in range(3, 300))
    found, _ = run(Coder({GOOD: 1}, many), ALL, problem=PROBLEM, max_tokens=200)
    assert behaviour_of(found).inputs == tuple(str(n) for n in range(3, 3 + INPUTS))
    assert found.usage.verify_tokens < len(many) / 10


def test_of_a_class_no_calls_are_asked_for(native: Native) -> None:
    asked = task.read("Write a Python class Stack with push and pop.")
    assert asked is not None
    programs = Programs(PROBLEM, asked, loaded(Coder({GOOD: 1})), Options(seed=2), native)
    programs.ask()
    assert (programs.runs, programs.asking) == (True, 0)


def test_blocks_of_input_that_are_still_open_do_not_count(native: Native) -> None:
    asked = task.read("Write a program that reads two numbers from standard input and prints their sum.")
    assert asked is not None
    programs = Programs(PROBLEM, asked, loaded(Coder({GOOD: 1})), Options(seed=2), native)
    reply = "```\n1 2\n```\n\n```\n3 4\n"
    assert programs._said(reply, complete=False) == [("1 2", None)]
    assert programs._said(reply, complete=True) == [("1 2", None), ("3 4", None)]


def test_those_that_fail_the_examples_are_out(native: Native) -> None:
    found, _ = run(Coder({GOOD: 0.3, WRONG: 0.7}), ALL, problem=PROBLEM, max_tokens=200)
    assert found.report is not None
    assert [cluster.answer for cluster in found.report.clusters] == [GOOD]
    assert found.answer == GOOD
    assert found.report.dropped == len(found.trajectories) - found.report.clusters[0].votes > 0


@pytest.mark.parametrize("likely", [None, 0.85], ids=["usual", "sooner, which is for answers"])
def test_programs_that_behave_alike_decide_early(native: Native, likely: float | None) -> None:
    plan = make("clr", "standard", samples=8, likely=likely)
    found, _ = run(Coder({GOOD: 0.5, ALSO_GOOD: 0.5}), plan, problem=PROBLEM, max_tokens=200)
    assert found.report is not None
    assert found.report.decision == "likely"
    assert (len(found.trajectories), found.report.checked) == (4, 0)


def test_a_tie_is_broken_by_further_inputs(native: Native) -> None:
    coder = Coder({GOOD: 0.5, SQUARES: 0.5}, assertions="2)\n```")  # the example's own: nothing new
    run(coder, make("majority", "standard", samples=2, stopping=False), problem=PROBLEM, max_tokens=200, seed=1)
    tied = [asked for asked in coder.asked if "Two solutions differ" in asked]
    assert len(tied) <= 1
    assert len(coder.asked) == 1 + len(tied)


@pytest.mark.usefixtures("_missing")
def test_without_a_sandbox_nothing_is_run_or_voted_on() -> None:
    coder = Coder({GOOD: 1})
    found, _ = run(coder, ALL, problem=PROBLEM, max_tokens=200)
    assert found.report is not None
    assert (found.status, found.report.decision) == ("answered", "incomparable")
    assert found.report.note is not None
    assert "pip install" in found.report.note
    assert behaviour_of(found).passed[0] is None
    assert coder.asked == []
    alone = solve(Coder({GOOD: 1}))
    assert alone.answer == GOOD
    assert behaved(behaviour_of(alone), 0).startswith("Programs are not run")


def test_a_sandbox_that_fails_on_the_way_ends_no_run(native: Native, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise SandboxError("The sandbox has failed: no space left.")

    monkeypatch.setattr(native, "run", fails)
    found, _ = run(Coder({GOOD: 1}), ALL, problem=PROBLEM, max_tokens=200)
    assert (found.status, found.answer) == ("answered", GOOD)
    assert behaviour_of(found).note == "The sandbox has failed: no space left."


def test_the_user_may_say_what_a_problem_is(native: Native) -> None:
    assert solve(Coder({GOOD: 1}), "Twice a number", kind="code").behaviour is not None
    assert solve(Coder({GOOD: 1}), PROBLEM, kind="maths").behaviour is None


def test_a_maths_problem_is_none_of_this(native: Native) -> None:
    found, _ = run(Thinker({"17": 1}), make("majority", "standard", samples=4))
    assert (found.behaviour, native.runs) == (None, 0)


def test_the_receipt_says_what_happened(native: Native) -> None:
    found, _ = run(Coder({GOOD: 0.6, SQUARES: 0.4}), ALL, problem=PROBLEM, max_tokens=200)
    told = json.loads(json.dumps(receipt.receipt(found)))["behaviour"]
    assert told["examples"] == {"given": 1, "passed": [1] * 8}
    assert told["inputs"] == ["3", "0"]
    assert told["seconds"] > 0
    [differing] = told["differ"]
    assert differing["input"] == "3"
    assert {each["outcome"] for each in differing["outcomes"]} == {"6", "9"}
    assert sorted(at for each in differing["outcomes"] for at in each["trajectories"]) == list(range(8))


def test_the_line_about_programs() -> None:
    differ = (Differing("[3, 1]", (("3", (0, 2)), ("4", (1,)), ("no end within its time", (3, 4)))),)
    found = Behaviour(examples=3, passed=(3, 3, None), inputs=("1", "2"), assertions=2, held=1, differ=differ)
    assert behaved(found, 0) == (
        "3 of 3 examples passed · 2 further inputs tried · 1 of the model's 2 own expectations met · "
        "on [3, 1] #2 gives 4, #4 and #5 give no end within its time, the others 3 · tested, not proved"
    )
    assert behaved(found, 2) == ""
    assert behaved(Behaviour(0, (0,)), 0) == "it was run on nothing: there is no example"
