"""The tests of published code problems, in the forms in which `solving.code_vote` runs them.

Tests of a function are Python, run behind a program: what raises nothing passes. So definitions that nothing calls pass
every program; published sets often are such definitions, because their authors have a runner that finds them.
"""

import ast
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from vibethinker_local.code.task import Task, parsed

_ACTING = (ast.Assert, ast.Raise, ast.For, ast.While, ast.With)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BLOCKS = (ast.If, ast.Try)
_FIXTURES = {"setup", "setup_method", "setup_class", "__init__"}
_LACKING = {"pytest", "hypothesis", "requests", "torch", "tensorflow", "nltk", "cv2", "flask", "django"}
_UNITTEST = """\
import unittest
_found = unittest.TestResult()
for _case in ({cases},):
    unittest.defaultTestLoader.loadTestsFromTestCase(_case).run(_found)
if not (_found.testsRun and _found.wasSuccessful()):
    raise AssertionError(_found)"""


_ANY_ORDER = """\
class _AnyOrder(list):
    def __eq__(self, other):
        if not isinstance(other, list):
            return False
        return list(self) == list(other) or sorted(map(repr, self)) == sorted(map(repr, other))

    def __ne__(self, other):
        return not self == other

def _any_order(function):
    def called(*args, **options):
        value = function(*args, **options)
        return _AnyOrder(value) if type(value) is list else value
    return called"""


class Unusable(ValueError):
    """Says why tests cannot be used."""


def check_setup(setup: str) -> None:
    """Raises Unusable if what stands before every solution cannot be run here."""
    if (tree := parsed(setup)) is not None:
        _check_imports(tree)


def called(test: str, entry: str, *, any_order: bool = False) -> str:
    """Tests in Python that are called, those of `check`, `test_…` and unittest. Raises Unusable where they cannot be.

    `entry` is the function that is tested, as a call names it; it may be empty. With `any_order` the list that it
    returns may be in any, which published tests forget.
    """
    tree = parsed(test)
    if tree is None:  # a Python newer than ours, perhaps: whoever runs it will say
        return test
    _check_imports(tree)
    body = [each for node in tree.body for each in _inside_main(node) if not _is_runner(each)]
    if body != tree.body:
        test = ast.unparse(ast.Module(body, []))
    calls = _calls(body, f"_any_order({entry})" if any_order and entry else entry)
    if not calls and not any(map(_acts, body)):
        raise Unusable("its tests are never called")
    return "\n\n".join([test, *[_ANY_ORDER] * any_order, *calls]) + "\n" if calls else test


def pairs(tests: Any) -> list[dict[str, Any]] | None:
    """Tests that are inputs and outputs, as LiveCodeBench has them; None where they are something else."""
    if isinstance(tests, str) and tests.lstrip().startswith(("[", "{")):
        with suppress(ValueError, RecursionError):
            tests = json.loads(tests)
    if isinstance(tests, dict):
        tests = _in_columns(tests)
    if not isinstance(tests, list) or not tests or not all(isinstance(each, dict) for each in tests):
        return None
    found = [{"output": each.get("expected_output"), **each} for each in tests]
    if not all(isinstance(each.get(name), str) for each in found for name in ("input", "output")):
        raise Unusable("its tests are neither code nor texts of 'input' and 'output'")
    return found


def _in_columns(tests: dict[str, Any]) -> list[dict[str, Any]] | None:
    """All inputs in one list and all outputs in another, as APPS, TACO and CodeContests have them. Raises Unusable."""
    if tests.get("fn_name"):  # APPS's values stand in a list of their own, or not
        raise Unusable("its tests call a function, and may give its values in a list each")
    inputs, outputs = (tests.get(f"{name}s", tests.get(name)) for name in ("input", "output"))
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        return None
    texts = (
        ["\n".join(map(str, each)) if isinstance(each, list) else each for each in all] for all in (inputs, outputs)
    )
    return [{"input": given, "output": expected} for given, expected in zip(*texts, strict=True)]


def are_of_a_function(tests: Sequence[dict[str, Any]]) -> bool:
    """Whether inputs are the arguments of a call, a line each, and not what a program reads."""
    return any(each.get("testtype") == "functional" for each in tests)


def of_a_program(tests: Sequence[dict[str, Any]]) -> str:
    """What a program reads and what it prints, for each test."""
    return json.dumps([[each[name].replace("\r\n", "\n") for name in ("input", "output")] for each in tests])


def of_a_function(tests: Sequence[dict[str, Any]], task: Task | None) -> str:
    """The arguments of a call and its value, for each test. Raises Unusable."""
    if task is None or task.form == "program" or not task.entry:
        raise Unusable("its tests call a function that it does not name")
    try:
        return json.dumps([{"arguments": _arguments(each["input"]), "value": each["output"]} for each in tests])
    except (ValueError, RecursionError):
        raise Unusable("its tests call a function with what is no JSON") from None


def _arguments(lines: str) -> str:
    """The lines of an input as Python has them."""
    return ", ".join(repr(json.loads(line)) for line in lines.split("\n") if line.strip())


def _calls(body: Sequence[ast.stmt], entry: str) -> list[str]:
    """Calls of the tests that no statement calls, as source. Raises Unusable where one cannot be called."""
    done = {name for node in body if not isinstance(node, (*_FUNCTIONS, ast.ClassDef)) for name in _names(node)}
    everywhere = {name for node in body for name in _names(node)}
    calls: list[str] = []
    cases: list[str] = []
    for node in body:
        if isinstance(node, _FUNCTIONS) and node.name not in done and (node.name == "check" or _is_test(node)):
            arguments = _needed(node)
            takes_entry = len(arguments) == 1 and (node.name == "check" or arguments == ["candidate"])
            if isinstance(node, ast.AsyncFunctionDef) or (arguments and not (entry and takes_entry)):
                if node.name not in everywhere:
                    raise Unusable("its tests are never called")
                continue  # a helper of other tests
            calls.append(f"{node.name}({entry if arguments else ''})")
        elif isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith("TestCase") for base in node.bases):
            cases.append(node.name)
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test") and node.name not in done:
            methods = [each for each in node.body if isinstance(each, _FUNCTIONS)]
            tests = [each for each in methods if _is_test(each)]
            if any(isinstance(each, ast.AsyncFunctionDef) or len(_needed(each)) != 1 for each in tests) or (
                tests and _FIXTURES & {each.name for each in methods}
            ):
                raise Unusable("its tests are never called")
            calls += [f"{node.name}().{each.name}()" for each in tests]
    return calls + [_UNITTEST.format(cases=", ".join(cases))] * bool(cases)


def _acts(node: ast.stmt) -> bool:
    """Whether a statement does more than to prepare something, or to say something."""
    if isinstance(node, _BLOCKS):
        return any(_acts(each) for each in ast.walk(node) if isinstance(each, ast.stmt) and each is not node)
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call) and ast.unparse(node.value.func) != "print"
    return isinstance(node, _ACTING)


def _inside_main(node: ast.stmt) -> list[ast.stmt]:
    """What is inside `if __name__ == "__main__":`, which tests behind a program are not; any other statement itself."""
    is_main = isinstance(node, ast.If) and "__name__" in _names(node.test) and "__main__" in ast.unparse(node.test)
    return node.body if isinstance(node, ast.If) and is_main else [node]


def _is_runner(node: ast.stmt) -> bool:
    """Whether it is `unittest.main()`, which looks for tests in another module than this, and ends the program."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "unittest.main"
    )


def _is_test(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return node.name.startswith("test")


def _needed(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """The arguments that a call has to give."""
    given = node.args.posonlyargs + node.args.args
    optional = [each for each, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if not default]
    return [each.arg for each in given[: len(given) - len(node.args.defaults)] + optional]


def _names(node: ast.AST) -> set[str]:
    """The names that are read in it."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}


def _check_imports(tree: ast.AST) -> None:
    if lacking := _imported(tree) & _LACKING:
        raise Unusable(f"its tests need {min(lacking)}, which the sandbox does not have")


def _imported(tree: ast.AST) -> set[str]:
    """The packages that are imported in it."""
    modules: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            modules.append(node.module or "")
        elif isinstance(node, ast.Import):
            modules += [each.name for each in node.names]
    return {module.split(".")[0] for module in modules}
