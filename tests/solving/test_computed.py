"""Solutions of maths problems that are programs: run, and counted by what they print."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.solving.calculator import Calculator
from tests.solving.coder import Native
from tests.solving.thinker import Thinker, run
from vibethinker_local import sandbox
from vibethinker_local.errors import SandboxError, UsageError
from vibethinker_local.reliability.plan import Plan, make
from vibethinker_local.sandbox import Outcome
from vibethinker_local.solving import journal
from vibethinker_local.solving.computed import Computing, kind
from vibethinker_local.solving.follow import summary
from vibethinker_local.solving.printed import MOST_LINES, printed
from vibethinker_local.solving.receipt import receipt


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> Native:
    runner = Native()
    monkeypatch.setattr(sandbox, "open", lambda: runner)
    return runner


def plan(samples: int, programs: int, **other: object) -> Plan:
    return make("majority", "standard", samples=samples, programs=programs, stopping=False, **other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("72", "72"),
        ("72.0", "72"),
        ("17.999999999999996", "18"),
        ("0.3333333333333333", "1/3"),
        ("0.30000000000000004", "3/10"),
        ("3.141592653589793", "3.141592653589793"),
        ("0.25", "0.25"),
        ("Total: 72", "72"),
        ("The answer is 72.", "72"),
        ("The total number of clips is 72", "72"),
        ("Natalia sold 72 clips altogether in April and May.", "72"),
        ("Total cost: $72.50", "$72.50"),
        ("1,234 eggs", "1,234"),
        ("x = 5", "5"),
        ("6 * 7 = 42", "42"),
        ("x=3, y=4", "x=3, y=4"),
        ("[2, 3]", "2, 3"),
        ("(1, 2)", "(1, 2)"),
        ("The area is 12*pi", "12*pi"),
        ("sqrt(2)/2 + 1", "sqrt(2)/2 + 1"),
        ("E**2 + log(2) + I", "e**2 + ln(2) + i"),
        ("E", "E"),
        ("\\boxed{5}", "5"),
        ("step 1\nstep 2\n\n7\n", "7"),
        ("Tuesday", "Tuesday"),
        ("", None),
        ("None", None),
        ("[]", None),
        # Not an equation, but what stands behind the label.
        ("x >= 3", "x >= 3"),
        ("x != 3", "x != 3"),
        ("a >= b", "a >= b"),
        ("Answer: x >= 3", "x >= 3"),
        ("-2 <= x <= 3", "-2 <= x <= 3"),
        ("n = 3", "3"),
        # A formula keeps all but its unit.
        ("25*pi square units", "25*pi"),
        ("Area = 25*pi square units", "25*pi"),
        ("sqrt(2) units", "sqrt(2)"),
        ("pi/4 radians", "pi/4"),
        ("3*pi cm", "3*pi"),
        ("100/pi cm", "100/pi"),
        ("(2, 3) units", "(2, 3)"),
        ("3x apples", "3x"),
        ("1 + pi", "1 + pi"),
        ("(2, oo)", "(2, oo)"),
        ("3:4 ratio", "3:4"),
        ("1.5 million dollars", "1.5 million"),
        ("It covers 25*pi square units of it", None),
        ("f(2) = undefined", None),
        ("There are no solutions below 100", None),
        ("There is no solution", "no solution"),
        ("12 and a half", None),
        # Dates and times.
        ("June 5", "June 5"),
        ("Date: June 5, 2024", "June 5, 2024"),
        ("5:30 PM", "5:30 PM"),
        ("5 PM", "5 PM"),
        ("5 pm", "5 pm"),
        ("Days in May: 31", "31"),
        # What Python and its libraries print.
        ("{x: 5}", "x = 5"),
        ("[{x: 1, y: 2}]", "x = 1, y = 2"),
        ("{'x': 5}", "x = 5"),
        ("{3, 5}", "{3, 5}"),
        ("{1: 2}", "{1: 2}"),
        ("FiniteSet(3, 5)", "{3, 5}"),
        ("Interval(0, 1)", "[0, 1]"),
        ("Interval.open(0, sqrt(2))", "(0, sqrt(2))"),
        ("Interval.Lopen(0, 1)", "(0, 1]"),
        ("Interval(-oo, 2)", "(-oo, 2]"),
        ("Union({3}, Interval.Ropen(0, 1))", "\\{3\\} \\cup [0, 1)"),
        ("(0 <= x) & (x < 1)", "0 <= x < 1"),
        ("((-oo < x) & (x < -2)) | ((2 < x) & (x < oo))", "-oo < x < -2 or 2 < x < oo"),
        ("(x < 1) & (y < 2)", "(x < 1) & (y < 2)"),
        ("Matrix([[1, 2], [3, 4]])", "\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}"),
        ("Fraction(3, 4)", "3/4"),
        ("[Fraction(1, 2), Fraction(3, 4)]", "1/2, 3/4"),
        ("Decimal('0.75')", "0.75"),
        ("np.float64(0.30000000000000004)", "3/10"),
        ("[3 5]", "3, 5"),
        ("array([3, 5])", "3, 5"),
        ("[[3 5]\n [1 2]]", None),
        ("Answer:\nB)", "B)"),
        ("frozenset({1, 2})", "{1, 2}"),
        ("dict_values([1, 2])", "1, 2"),
        ("['A', 'C']", "A, C"),
        ("['A, C', 'B']", "'A, C', 'B'"),
        # What went wrong is no answer.
        ("Error: math domain error", None),
        ("Traceback (most recent call last):", None),
        ("ValueError: 5 is not in list", None),
        ("KeyError: 5", None),
        ("NonInvertibleMatrixError: Matrix det == 0; not invertible.", None),
        ("StandardError: 0.5", "0.5"),
        ("Error: 5", "5"),
        ("Errors: 5", "5"),
        ("He has 3 apples and 4 pears", None),
        ("It cannot be said from what is given how many of them there are in the garden", None),
        ("7\n" * (MOST_LINES + 1), None),
    ],
)
def test_the_answer_is_what_the_last_line_says(text: str, answer: str | None) -> None:
    assert printed(text) == answer


def test_a_decimal_longer_than_python_reads_stays_as_it_is() -> None:
    for long in ("1." + "1" * 5000, "-" + "1" * 5000 + ".5"):
        assert printed(long) == long


@pytest.mark.parametrize(
    "text",
    ["(" * 50_000, "[1" + " 1" * 50_000, "[" + "1" * 20_000 + "x]", "Interval(" + "(a)" * 30_000, "(x <= " * 20_000,
     "5" + " ab" * 40_000 + "!", "5" + " " * 50_000 + "!", "(x < 1) | " * 20_000, "{x: " + "1, x: " * 20_000],
    ids=lambda text: repr(text[:12]),
)  # fmt: skip
def test_nothing_printed_takes_long(text: str) -> None:
    began = time.process_time()
    printed(text)
    assert time.process_time() - began < 4  # a tenth of a second; minutes if it were quadratic


@pytest.mark.parametrize(("samples", "programs"), [(8, 4), (8, 8), (8, 0), (9, 3), (5, 2), (64, 7)])
def test_programs_are_spread_evenly(samples: int, programs: int) -> None:
    found = [kind(index, programs / samples) for index in range(samples)]
    assert found.count("computed") == programs
    longer = [kind(index, programs / samples) for index in range(2 * samples)]
    assert longer[:samples] == found
    assert longer.count("computed") == 2 * programs


def test_what_programs_print_is_a_vote(native: Native) -> None:
    found, _ = run(Calculator({"9": 0.5, "5": 0.5}, ["print(3 * 3)"]), plan(8, 4), seed=5)
    assert [t.kind for t in found.trajectories] == ["reasoned", "computed"] * 4
    for trajectory in found.trajectories[1::2]:
        assert (trajectory.answer, trajectory.printed) == ("9", "9")
        assert "print(3 * 3)" in trajectory.text
    assert found.report
    assert found.answer == "9"
    assert found.report.clusters[0].votes == 4 + sum(t.answer == "9" for t in found.trajectories[::2])
    assert found.report.computed == 4
    assert f"{found.report.clusters[0].votes} of 8 agree, 4 of them computed" in summary(found.report)
    assert native.closed


def test_the_text_that_is_shown_was_reasoned_if_any_with_the_answer_was(native: Native) -> None:
    found, _ = run(Calculator({"9": 1.0}, ["print(9)"]), plan(4, 3))
    assert [t.kind for t in found.trajectories].count("computed") == 3
    assert "boxed{9}" in found.text


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("print(1 / 0)", "ZeroDivisionError: division by zero"),
        ("x = 5", ""),
        ("print(3 * 3", "SyntaxError"),
        ("for n in range(20): print(n)", None),
        ("raise SystemExit(9)", None),
    ],
)
def test_a_program_that_prints_no_answer_has_none(native: Native, program: str, told: str | None) -> None:
    found, _ = run(Calculator({"9": 1.0}, [program]), plan(4, 2))
    computed = [t for t in found.trajectories if t.kind == "computed"]
    assert [t.answer for t in computed] == [None, None]
    assert told is None or all((t.printed or "").startswith(told) for t in computed)
    assert found.report
    assert (found.answer, found.report.answered, found.report.computed) == ("9", 2, 0)


@pytest.mark.parametrize(
    "text",
    [
        "```python\nprint(9 * 2)\n```\n\nOutput:\n\n```\n18\n```",
        "```python\nprint(9 * 2)\n```\n\nIt prints:\n\n```plaintext\n18\n```",
        "```python\ndef solve():\n    return 18\n```\n\n```python\nprint(solve())\n```",
    ],
)
def test_the_program_is_run_and_not_what_it_is_said_to_print(native: Native, text: str) -> None:
    assert Computing([], native, 1.0).run(text) == ("18", "18")


def test_programs_alone_are_shown_with_what_they_print(native: Native) -> None:
    found, _ = run(Calculator({"5": 1.0}, ["print(3 * 3)"]), plan(3, 3))
    assert found.answer == "9"
    assert found.text.endswith("The program prints: 9")


def test_a_sandbox_that_fails_has_no_vote_and_the_vote_goes_on(native: Native, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> list[Outcome]:
        raise SandboxError("The sandbox has failed: no space left.")

    monkeypatch.setattr(native, "run", fails)
    found, _ = run(Calculator({"9": 1.0}, ["print(5)"]), plan(4, 2))
    assert found.answer == "9"
    assert found.report
    assert "no space left" in (found.report.note or "")


def test_without_a_sandbox_nothing_begins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing() -> None:
        raise SandboxError("Programs cannot be run: install the extra code.")

    monkeypatch.setattr(sandbox, "open", missing)
    writing = journal.begin(tmp_path, "key", 1)
    with pytest.raises(SandboxError, match="install"):
        run(Calculator({"9": 1.0}, ["print(5)"]), plan(4, 2), journal=writing)
    assert not list(tmp_path.iterdir()), "an empty journal was left"


def test_programs_state_no_claims(native: Native) -> None:
    contested = make("clr", "quick", samples=4, programs=2, stopping=False)
    found, _ = run(Calculator({"4": 1.0}, ["print(9)"]), contested)
    for trajectory in found.trajectories:
        assert bool(trajectory.claims) == (trajectory.kind == "reasoned")
    assert found.report
    assert sum(cluster.votes for cluster in found.report.clusters) == 4


def test_journal_and_receipt_say_which_are_computed(native: Native, tmp_path: Path) -> None:
    writing = journal.begin(tmp_path, "key", 1)
    assert writing
    backend, half = Calculator({"5": 1.0}, ["print(9)"]), plan(4, 2)
    found, _ = run(backend, half)
    for index, trajectory in enumerate(found.trajectories):
        writing.add(journal.JournalEntry(index, trajectory, (1, 2)))
    writing.close(finished=False)
    kept = list(journal.read(writing.path))
    assert tuple(entry.trajectory for entry in kept) == found.trajectories
    again, _ = run(Calculator({"5": 1.0}, ["print(9)"]), half, resumed=kept[:3])
    assert [t.kind for t in again.trajectories] == ["reasoned", "computed", "reasoned", "computed"]
    told = json.loads(json.dumps(receipt(found)))["trajectories"]
    assert [(t["kind"], t["printed"]) for t in told] == [("reasoned", None), ("computed", "9")] * 2


def test_a_code_problem_has_no_further_programs(native: Native) -> None:
    found, _ = run(Thinker({"9": 1.0}), plan(4, 2), problem="Write a Python function that returns the square of n.")
    assert all(trajectory.kind == "reasoned" for trajectory in found.trajectories)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: make("majority", "quick", programs=5),
        lambda: make("published", "quick", programs=1),
        lambda: make("majority", "quick", samples=2, programs=3),
    ],
)
def test_more_programs_than_solutions_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(UsageError, match="--programs"):
        wrong()
