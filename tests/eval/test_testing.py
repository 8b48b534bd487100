"""Published tests of code: each is called, and a program that does nothing fails it."""

import json
from pathlib import Path

import pytest

from tests.solving.coder import Coder, Native
from tests.solving.thinker import loaded
from vibethinker_local.code import task
from vibethinker_local.errors import UsageError
from vibethinker_local.eval import layouts
from vibethinker_local.eval.problems import Problem
from vibethinker_local.events import Options
from vibethinker_local.solving.code_vote import Programs

RIGHT, WRONG = "def add(a, b):\n    return a + b", "def add(a, b):\n    return 0"
UNITTEST = """import unittest

class TestCases(unittest.TestCase):
    def test_add(self):
        self.assertEqual(add(1, 2), 3)
"""
PYTEST = "def test_add():\n    assert add(1, 2) == 3\n"
CHECK = "def check(candidate):\n    assert candidate(1, 2) == 3\n"
CLASS = "class TestAdd:\n    def test_it(self):\n        assert add(1, 2) == 3\n"
GUARD = '\nif __name__ == "__main__":\n    '


def problem(tmp_path: Path, **row: object) -> Problem:
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps({"id": 1, "problem": "Write a function `add(a, b)`."} | row))
    return layouts.read(path).problems[0]


def passes(asked: Problem, program: str) -> bool:
    found = task.of(asked.asked, "code")
    assert found is not None
    assert asked.program is not None
    programs = Programs(asked.asked, found, loaded(Coder({program: 1})), Options(seed=1), Native())
    programs.add(0, f"```python\n{program}\n```")
    return programs.tests(0, asked.program.setup, asked.program.test)


@pytest.mark.parametrize(
    "test",
    [
        PYTEST,
        "'''Tests.'''\nCASES = [(1, 2)]\n\ndef test_add():\n    for a, b in CASES:\n        assert add(a, b) == 3\n",
        "def test_of(a, b, c):\n    assert add(a, b) == c\n\ndef test_add():\n    test_of(1, 2, 3)\n",
        "def test_add(candidate):\n    assert candidate(1, 2) == 3\n",
        PYTEST + GUARD + "test_add()",
        "def run_all():\n    assert add(1, 2) == 3\n" + GUARD + "run_all()",
        CHECK,
        CHECK + GUARD + "check(add)",
        CHECK + "\ncheck(add)",
        "import random\nrandom.seed(0)\n" + CHECK,
        UNITTEST,
        "import random\nrandom.seed(0)\n" + UNITTEST,
        UNITTEST + GUARD + "unittest.main()",
        UNITTEST + "\nunittest.main()",
        UNITTEST.replace("import unittest", "from unittest import TestCase").replace("unittest.", ""),
        CLASS,
        ["import math", "assert add(1, 2) == 3"],
    ],
)
def test_tests_are_called_whoever_was_meant_to_call_them(tmp_path: Path, test: object) -> None:
    found = problem(tmp_path, test=test)
    assert passes(found, RIGHT)
    assert not passes(found, WRONG)


@pytest.mark.parametrize(
    ("said", "program", "passed"),
    [
        ("Return them in any order.", "return [b, a]", True),
        ("Return them in any order.", "return [a, float(b)]", True),
        ("Return them in any order.", "return [a, a]", False),
        ("Return them in any order.", "return (b, a)", False),
        ("Return them.", "return [b, a]", False),
    ],
)
def test_a_list_may_be_in_any_order_where_the_statement_says_so(
    tmp_path: Path, said: str, program: str, passed: bool
) -> None:
    test = "def check(candidate):\n    assert candidate(1, 2) == [1, 2]\n"
    for each in (test, test.replace("assert", "assert not").replace("==", "!=")):
        found = problem(tmp_path, problem=f"Write a function `add(a, b)`. {said}", test=each)
        assert passes(found, f"def add(a, b):\n    {program}") is passed


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ("CASES = [(1, 2, 3)]\n\ndef compare(a, b):\n    return a == b\n", "its tests are never called"),
        ("print('Testing')\n", "its tests are never called"),
        ("def test_add(first, second):\n    assert add(first, second) == 3\n", "its tests are never called"),
        ("async def test_add():\n    assert add(1, 2) == 3\n", "its tests are never called"),
        (CLASS + "    def setup_method(self):\n        self.n = 1\n", "its tests are never called"),
        ("import pytest\n\n" + PYTEST, "its tests need pytest"),
        ("def test_add():\n    from torch.nn import Linear\n    assert add(1, 2) == 3\n", "its tests need torch"),
    ],
)
def test_tests_that_cannot_be_called_are_none(tmp_path: Path, test: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        problem(tmp_path, test=test)


def test_what_stands_before_every_solution_must_be_there_too(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="its tests need torch"):
        problem(tmp_path, test=PYTEST, setup="import math\nimport torch.nn as nn")
    assert passes(problem(tmp_path, test=PYTEST, setup="import math, json"), RIGHT)


def test_a_check_of_nobody_knows_what_is_never_called(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="its tests are never called"):
        problem(tmp_path, problem="Write it.", test=CHECK)
    starter = "class Solution:\n    def add(self, a: int, b: int) -> int:\n        "
    found = problem(tmp_path, problem="Write it.", starter=starter, test=CHECK)
    assert passes(found, "class Solution:\n    def add(self, a, b):\n        return a + b")
    assert not passes(found, "class Solution:\n    def add(self, a, b):\n        return 0")


def test_the_call_of_tests_is_not_shown_as_an_example(tmp_path: Path) -> None:
    assert problem(tmp_path, test=UNITTEST).asked == "Write a function `add(a, b)`."


@pytest.mark.parametrize("way_out", ["exit()", "raise SystemExit", "import sys; sys.exit(0)"])
def test_a_program_that_leaves_has_not_passed(tmp_path: Path, way_out: str) -> None:
    assert not passes(problem(tmp_path, test=PYTEST), f"def add(a, b):\n    {way_out}")


FUNCTIONAL = {
    "problem": "Join them.",
    "starter_code": "class Solution:\n    def join(self, words: List[str], last: Optional[str]) -> str:\n        ",
    "public_test_cases": json.dumps(
        [
            {"input": '["a", "b"]\n"c"', "output": '"abc"', "testtype": "functional"},
            {"input": '["a"]\nnull', "output": '"a"', "testtype": "functional"},
        ]
    ),
}


@pytest.mark.parametrize(
    ("body", "right"),
    [
        ("return ''.join(words) + (last or '')", True),
        ("return ''.join(words)", False),
        ("return ''.join(words) + last", False),
        ("print('abc')", False),
    ],
)
def test_inputs_of_a_function_are_its_arguments(tmp_path: Path, body: str, right: bool) -> None:
    program = f"class Solution:\n    def join(self, words, last):\n        {body}"
    assert passes(problem(tmp_path, **FUNCTIONAL), program) == right


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"starter_code": ""}, "a function that it does not name"),
        (
            {"public_test_cases": [{"input": "a b", "output": "ab", "testtype": "functional"}]},
            "a function with what is no JSON",
        ),
        ({"public_test_cases": [{"input": 1, "output": 2}]}, "neither code nor texts"),
        ({"public_test_cases": {"fn_name": "join", "inputs": [["a"]], "outputs": [["a"]]}}, "in a list each"),
        ({"public_test_cases": {"inputs": ["a"], "outputs": []}}, "has no tests"),
    ],
)
def test_inputs_that_cannot_be_arguments_are_left_out(tmp_path: Path, other: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        problem(tmp_path, **FUNCTIONAL | other)


@pytest.mark.parametrize(
    "tests",
    [
        {"input_output": json.dumps({"inputs": ["3\n4\n"], "outputs": ["7\n"]})},
        {"input_output": {"inputs": [["3", "4"]], "outputs": [["7"]]}},
        {"public_tests": {"input": ["3\n4\n"], "output": ["7\n"]}},
        {"tests": [{"input": "3\r\n4\r\n", "output": "7\r\n"}]},
    ],
)
def test_inputs_and_outputs_in_a_list_each(tmp_path: Path, tests: dict[str, object]) -> None:
    found = problem(tmp_path, problem="Write a program that reads two lines and prints their sum.", **tests)
    assert passes(found, "print(int(input()) + int(input()))")
    assert not passes(found, "print(input() + input())")
