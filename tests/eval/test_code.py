"""Code problems in a bank: asked, run, graded by their tests, and chosen among by what their programs do."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.eval.banks import HEADER
from tests.solving.coder import ALSO_GOOD, BROKEN, GOOD, SQUARES, WRONG, Coder, Native
from tests.solving.thinker import loaded
from vibethinker_local import sandbox
from vibethinker_local.errors import SandboxError, UsageError
from vibethinker_local.eval import layouts, policies, report, table
from vibethinker_local.eval.bank import Bank, Entry, Ran, Writer, read
from vibethinker_local.eval.problems import Problem
from vibethinker_local.eval.run import fill, jobs
from vibethinker_local.events import Options

ROWS = [
    {
        "id": "twice/0",
        "prompt": "def twice(n):\n    '''Twice n.\n\n    >>> twice(2)\n    4\n    '''\n",
        "entry_point": "twice",
        "test": "def check(candidate):\n    assert candidate(5) == 10\n    assert candidate(0) == 0\n",
    },
    {
        "id": "twice-1",
        "text": "Write a function to double.",
        "tests": ["assert twice(2) == 4", "assert twice(5) == 10"],
    },
    {
        "id": "twice-2",
        "problem": "Double n.\n\nExample 1:\n\nInput: n = 2\nOutput: 4\n",
        "starter": "class Solution:\n    def twice(self, n: int) -> int:\n        ",
        "entry_point": "Solution().twice",
        "test": "def check(candidate):\n    assert candidate(n = 5) == 10\n",
    },
]


@pytest.fixture
def problems(tmp_path: Path) -> list[Problem]:
    path = tmp_path / "code.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    return list(layouts.read(path).problems)


@pytest.fixture(autouse=True)
def _native(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = sys.stdout
    monkeypatch.setattr(sandbox, "open", Native)
    yield
    sys.stdout = before


def bank_of(programs: dict[str, float], problems: list[Problem], samples: int = 8) -> Bank:
    events = fill(loaded(Coder(programs)), jobs(problems, samples, None, 5), Options(seed=5, max_tokens=200), 0)
    entries = {(entry.id, entry.index): entry for entry in events if isinstance(entry, Entry)}
    return Bank(Path("bank"), HEADER, {problem.id: problem for problem in problems}, entries)


def test_what_is_asked_is_what_a_user_would_paste(problems: list[Problem]) -> None:
    human, mbpp, leetcode = problems
    assert human.asked == human.problem
    assert mbpp.asked == "Write a function to double.\n\nFor example:\n\nassert twice(2) == 4"
    assert leetcode.asked.endswith("```python\nclass Solution:\n    def twice(self, n: int) -> int:\n```")
    assert {problem.asked_as for problem in problems} == {"code"}


@pytest.mark.parametrize(
    ("program", "right", "passed"), [(GOOD, True, 1), (SQUARES, False, 1), (WRONG, False, 0), (BROKEN, False, 0)]
)
def test_programs_are_graded_by_the_tests(problems: list[Problem], program: str, right: bool, passed: int) -> None:
    found = bank_of({program: 1}, problems, samples=2)
    assert len(found.entries) == 6
    for entry in found.entries.values():
        assert entry.answer is not None
        assert entry.ran is not None
        assert (entry.ran.right, entry.ran.examples, entry.ran.passed) == (right, 1, passed)
        assert len(entry.ran.outcomes) == 3
        assert entry.ran.ask_tokens > 0


@pytest.mark.parametrize(("program", "right"), [("print(2 * int(input()))", True), ("print(int(input()) ** 2)", False)])
@pytest.mark.parametrize("as_text", [False, True])
def test_whole_programs_are_graded_by_their_output(tmp_path: Path, program: str, right: bool, as_text: bool) -> None:
    tests = [{"input": "2\n", "output": "4\n", "testtype": "stdin"}, {"input": "5\n", "output": "10"}]
    row = {
        "question_id": "io",
        "question_content": "Write a program that reads n and prints twice n.\n\nSample Input\n2\n\nSample Output\n4\n",
        "public_test_cases": json.dumps(tests) if as_text else tests,
    }
    path = tmp_path / "io.jsonl"
    path.write_text(json.dumps(row))
    [found] = bank_of({program: 1}, list(layouts.read(path).problems), samples=1).entries.values()
    assert found.ran is not None
    assert (found.ran.right, found.ran.examples, found.ran.passed) == (right, 1, 1)


def test_without_a_sandbox_nothing_is_banked(problems: list[Problem], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise SandboxError("Programs are not run: first pip install it.")

    monkeypatch.setattr(sandbox, "open", missing)
    with pytest.raises(SandboxError, match="pip install"):
        bank_of({GOOD: 1}, problems)


def test_a_bank_keeps_what_was_run(problems: list[Problem], tmp_path: Path) -> None:
    found = bank_of({GOOD: 0.5, SQUARES: 0.5}, problems, samples=2)
    path = tmp_path / "bank.jsonl"
    writer = Writer(path, HEADER, None)
    for problem in found.problems.values():
        writer.add(problem)
    for each in found.entries.values():
        writer.add(each)
    writer.close()
    again = read(path)
    assert (again.entries, again.damaged) == (found.entries, ())


def entry(problem: str, index: int, ran: Ran) -> Entry:
    return Entry(problem, index, index, 10, "stop", "program", "", "", None, ran=ran)


def replayed(name: str, *ran: Ran) -> float:
    problem = Problem("p", "", "", "code")
    entries = {("p", index): entry("p", index, each) for index, each in enumerate(ran)}
    built = table.build(Bank(Path("bank"), HEADER, {"p": problem}, entries))
    return float(policies.replay(built, name, built.samples).right[0])


RIGHT = Ran(True, 2, 2, ("1", "2", "3"), assertions=2, held=1)
RIVAL = Ran(False, 2, 2, ("1", "2", "4"), assertions=2, held=0)
FAILS = Ran(False, 2, 1, ("1", "5", "5"), assertions=2, held=2)


@pytest.mark.parametrize(
    ("name", "ran", "right"),
    [
        ("examples", (FAILS, RIGHT, RIVAL), 1),
        ("examples", (FAILS, RIVAL, RIGHT), 0),
        ("behaviour", (RIVAL, RIGHT, RIGHT, FAILS, FAILS, FAILS), 1),
        ("behaviour", (RIVAL, RIVAL, RIGHT), 0),
        ("codet", (RIVAL, RIVAL, RIGHT, RIGHT), 1),
        ("codet", (RIVAL, RIVAL, RIVAL, RIGHT), 0),
        ("oracle", (FAILS, RIVAL, RIGHT), 1),
        ("oracle", (FAILS, RIVAL), 0),
        ("majority", (RIVAL, RIVAL, RIGHT), 0),
    ],
)
def test_policies(name: str, ran: tuple[Ran, ...], right: float) -> None:
    assert replayed(name, *ran) == right


def test_programs_that_show_nothing_are_no_group() -> None:
    silent, right = Ran(False, 0, 0, ("", "")), Ran(True, 0, 0, ("1", "2"))
    assert replayed("behaviour", silent, silent, silent, right, right) == 1


def test_tokens_of_asking_are_counted_once() -> None:
    asked = Ran(True, 1, 1, ("1",), ask_tokens=7)
    problem = Problem("p", "", "", "code")
    entries = {("p", index): entry("p", index, asked) for index in range(4)}
    built = table.build(Bank(Path("bank"), HEADER, {"p": problem}, entries))
    assert policies.replay(built, "examples", 2).tokens.tolist() == [20]
    assert policies.replay(built, "behaviour", 2).tokens.tolist() == [27]


def test_a_report_on_programs(problems: list[Problem]) -> None:
    found = bank_of({GOOD: 0.3, ALSO_GOOD: 0.2, SQUARES: 0.3, BROKEN: 0.2}, problems)
    made = report.make(table.build(found))
    names = {row.name for row in made.policies}
    assert {"single", "examples", "behaviour", "codet", "oracle"} <= names
    assert "clr" not in names
    accuracy = {row.name: row.accuracy for row in made.policies if row.k in (1, 8)}
    assert accuracy["codet"] == accuracy["oracle"] == 1
    assert accuracy["single"] < 1
    assert any(contrast.name == "behaviour - examples" for contrast in made.contrasts)


def test_code_and_maths_have_no_report_in_common(problems: list[Problem]) -> None:
    maths = Problem("m", "1 + 1", "2")
    entries = {("m", 0): Entry("m", 0, 0, 1, "stop", "2", "", "", None), ("p", 0): entry("p", 0, RIGHT)}
    bank = Bank(Path("bank"), HEADER, {"m": maths, "p": Problem("p", "", "", "code")}, entries)
    with pytest.raises(UsageError, match="--only"):
        table.build(bank)
