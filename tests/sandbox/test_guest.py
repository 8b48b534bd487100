"""The part that runs inside the sandbox, run here natively on programs of the tests' own."""

import asyncio
import bisect
import importlib
import io
import sys
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from vibethinker_local.sandbox import guest


class Node:
    """A node as LeetCode has them."""

    def __init__(self, val: Any, **links: "Node | None") -> None:
        self.val = val
        vars(self).update(links)


def linked(*values: int) -> Node | None:
    node = None
    for value in reversed(values):
        node = Node(value, next=node)
    return node


def circular() -> Node:
    node = Node(7, next=None)
    vars(node)["next"] = node
    return node


class Plain:
    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)


class Double(float):
    """A float that calls itself by another name, as numpy's."""

    def __repr__(self) -> str:
        return f"np.float64({float(self)})"


@pytest.fixture(autouse=True)
def _streams() -> Iterator[None]:
    before = {name: vars(sys)[name] for name in ("stdout", "__stdout__")}
    yield
    vars(sys).update(before)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (-3, "-3"),
        (0.1 + 0.2, "0.30000000000000004"),
        (Double(0.5), "0.5"),
        (1 + 2j, "(1+2j)"),
        (float("inf"), "inf"),
        ("a'b", '"a\'b"'),
        ("\ud800", "'\\ud800'"),
        (b"\x00", "b'\\x00'"),
        ([1, [2.0, "x"]], "[1, [2.0, 'x']]"),
        ((1,), "(1,)"),
        ((), "()"),
        ({3, 1, 2}, "{1, 2, 3}"),
        (set(), "set()"),
        (frozenset("ba"), "{'a', 'b'}"),
        ({"b": 1, "a": [2]}, "{'a': [2], 'b': 1}"),
        (OrderedDict(b=1, a=2), "{'a': 2, 'b': 1}"),
        (Counter("aab"), "{'a': 2, 'b': 1}"),
        (defaultdict(list, {1: [2]}), "{1: [2]}"),
        (deque([1, 2]), "deque([1, 2])"),
        (range(3), "range(0, 3)"),
        (Fraction(1, 3), "Fraction(1, 3)"),
        (iter([1, 2]), "list_iterator([1, 2])"),
        (map(str, [1]), "map(['1'])"),
        (linked(1, 2, 3), "[1, 2, 3]"),
        (Node(1, left=None, right=Node(2, left=Node(3, left=None, right=None), right=None)), "[1, None, 2, 3]"),
        (Plain(x=1, y=[Plain(z=2)]), "Plain{'x': 1, 'y': [Plain{'z': 2}]}"),
        (10**5000, hex(10**5000)),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else "",
)
def test_a_value_is_described_as_source_text(value: Any, text: str) -> None:
    assert guest.describe(value) == text


def test_equal_values_have_equal_texts_however_they_were_made() -> None:
    assert guest.describe({1: "a", 2: "b"}) == guest.describe({2: "b", 1: "a"})
    assert guest.describe({"x", "y", "z"}) == guest.describe({"z", "y", "x"})
    assert guest.describe(lambda: 1) == guest.describe(lambda: 2)  # no address in it


def test_a_long_value_ends_in_its_hash() -> None:
    long, other = [0] * 10**5, [0] * (10**5 - 1) + [1]
    assert len(guest.describe(long)) < 400
    assert guest.describe(long) == guest.describe(list(long))
    assert guest.describe(long) != guest.describe(other)


def test_more_of_a_value_is_kept_where_there_may_be_more_output() -> None:
    assert guest.describe([0] * 8000, 10**6) == str([0] * 8000)


def test_a_value_without_end_is_cut() -> None:
    nested: list[Any] = []
    nested.append(nested)
    assert "…" in guest.describe(nested)
    assert len(guest.describe(circular())) < 400 + guest.LONGEST
    assert guest.describe(iter(int, 1)).startswith("callable_iterator([0, 0")


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("1 + 1", 2),
        ("f(2, 3)", 5),
        ("f(2, b=4)", 6),
        ("f(*[1, 2])", 3),
        ("x = 4\nf(x)", 5),
        ("Box().get(3)", 3),
        ("x = 4", None),
        ("assert f(1) == 2", None),
        ("sort([1, 3])", None),
        ("", None),
        ("later(4)", 5),
    ],
)
def test_a_call_has_the_value_of_its_last_expression(code: str, value: Any) -> None:
    assert evaluated(code) == value


@pytest.mark.parametrize(
    ("code", "made"),
    [
        ("sort([3, 1])", "None and makes its argument [1, 3]"),
        ("sort(values=[3, 1])", "None and makes its argument [1, 3]"),
        ("swap([1], [2])", "None and makes its arguments [2], [1]"),
    ],
)
def test_a_function_that_returns_nothing_shows_what_it_made_of_its_arguments(code: str, made: str) -> None:
    assert guest.describe(evaluated(code)) == made


def evaluated(code: str) -> Any:
    names: dict[str, Any] = {}
    exec(
        "def f(a, b=1): return a + b\n"
        "def sort(values): values.sort()\n"
        "def swap(a, b): a[:], b[:] = list(b), list(a)\n"
        "class Box:\n    def get(self, x): return x\n"
        "async def one(): return 1\n"
        "async def later(x): return x + await one()\n",
        names,
    )
    return guest.evaluate(code, names)


def run(
    source: str, *codes: str, alone: bool = False, prelude: str = "", modules: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """What the host hears of a program, without the beginnings."""
    heard: list[dict[str, Any]] = []
    work = {"source": source, "prelude": prelude, "calls": list(codes), "alone": alone, "modules": {}}
    work["output_bytes"] = 100

    def report(message: dict[str, Any]) -> Any:
        heard.append(message)
        return work if "ask" in message else None

    guest.serve(report, {} if modules is None else modules)
    return [message for message in heard if not {"ask", "begin", "loaded"} & message.keys()]


def test_each_call_is_reported_with_its_output() -> None:
    source = "def f(n):\n    print('n is', n)\n    return 1 // n"
    assert run(source, "f(1)", "f(0)", "g(0)") == [
        {"end": {"value": "1", "stdout": "n is 1\n"}},
        {
            "end": {
                "exception": "ZeroDivisionError",
                "message": "integer division or modulo by zero",
                "stdout": "n is 0\n",
            }
        },
        {"end": {"exception": "NameError", "message": "name 'g' is not defined", "stdout": ""}},
    ]


@pytest.mark.parametrize(
    ("source", "exception"),
    [
        ("def f(:", "SyntaxError"),
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("raise KeyError(1)", "KeyError"),
    ],
)
def test_a_program_that_does_not_start_fails_for_all_calls(source: str, exception: str) -> None:
    [message] = run(source, "f(1)", "f(2)")
    assert message["failed"]["exception"] == exception


def test_the_prelude_is_there_before_the_program() -> None:
    assert run("value = sqrt(half)", "value", prelude="from math import sqrt\nhalf = 0.25")[0]["end"]["value"] == "0.5"


def test_a_function_is_not_main_and_a_program_is() -> None:
    source = "if __name__ == '__main__':\n    print('main')"
    assert run(source, "1")[0]["end"]["stdout"] == ""
    assert run(source, "", alone=True)[0]["end"]["stdout"] == "main\n"


@pytest.mark.parametrize(("alone", "name"), [(True, "__main__"), (False, "solution")])
def test_a_program_is_found_where_modules_are(alone: bool, name: str) -> None:
    modules: dict[str, Any] = {}
    run("class Point: pass", "", alone=alone, modules=modules)
    assert modules[name].Point.__module__ == name


def test_a_module_whose_source_was_sent_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = guest.SentModules({"sent_here": "from .inside import x", "sent_here.inside": "x = 7"})
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, sent])
    assert importlib.import_module("sent_here").x == 7
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("sent_here.beside")
    for name in sent.sources:
        monkeypatch.delitem(sys.modules, name)


def test_sys_exit_ends_a_program_as_its_code_says() -> None:
    assert run("import sys\nprint(1)\nsys.exit()", "", alone=True) == [{"end": {"stdout": "1\n"}}]
    assert run("import sys\nsys.exit(2)", "", alone=True)[0]["end"]["exception"] == "SystemExit"


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    while True: print('x' * 9)",
        "def f():\n    try:\n        while True: print('x' * 9)\n    except Exception: pass",
        "import sys\ndef f():\n    while True: sys.stdout.buffer.write(b'x' * 9)",
    ],
)
def test_output_without_end_is_a_limit(source: str) -> None:
    [message] = run(source, "f()")
    assert message["end"]["limit"] == "output"
    assert len(message["end"]["stdout"]) == 100


@pytest.mark.parametrize(
    ("source", "exception"),
    [
        ("class E(Exception):\n    def __str__(self): raise self\ndef f(): raise E", "E"),
        ("class V:\n    def __repr__(self): raise ValueError('no')\ndef f(): return V()", "ValueError"),
        ("def f(): return f()", "RecursionError"),
        ("def f(): raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import sys\ndef f(): sys.stdout.close(); print('still there')", None),
        ("import sys\ndef f(): sys.stdout = None", None),
    ],
)
def test_whatever_a_program_does_it_has_an_outcome(source: str, exception: str | None) -> None:
    [message] = run(source, "f()")
    assert message["end"].get("exception") == exception


@pytest.mark.parametrize("header", ["@cache", "@lru_cache", "@lru_cache(None)", "@lru_cache(maxsize=64)"])
def test_a_cached_function_may_recurse_deeply(header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import functools

    monkeypatch.setattr(functools, "_lru_cache_wrapper", guest.cache)
    source = f"from functools import cache, lru_cache\n{header}\ndef f(n): return n and f(n - 1) + 1"
    ended = run(source, "f(400)", "f(400)", "f.cache_info().currsize", "f.cache_clear()")
    assert [message["end"]["value"] for message in ended] == ["400", "400", "401", None]


@pytest.mark.parametrize(
    ("source", "printed"),
    [
        ("import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')\nprint('é')", "é\n"),
        ("import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.detach(), 'utf-8')\nprint(5)\nsys.exit()", "5\n"),
        ("import io, sys\nsys.stdout = io.StringIO()\nprint(5)\nsys.stdout = sys.__stdout__\nprint(6)", "6\n"),
        ("import io, sys\nsys.stdout = io.StringIO()\nprint(5)", ""),
    ],
)
def test_what_takes_the_place_of_stdout_has_its_say(source: str, printed: str) -> None:
    assert run(source, "", alone=True)[0]["end"]["stdout"] == printed


@pytest.mark.parametrize("right", [False, True])
def test_a_search_in_python_finds_what_that_in_c_does(right: bool) -> None:
    ours, theirs = guest.searched(right=right), bisect.bisect_right if right else bisect.bisect_left
    for row in ([], [1, 3, 3, 3, 5], range(0), range(2, 9, 3), range(9, 2, -3)):
        for x in range(-10, 11):
            key = (lambda value: -value) if row == range(9, 2, -3) else None
            assert ours(row, x, key=key) == theirs(row, x, key=key)
            assert ours(row, x, 1, 1, key=key) == theirs(row, x, 1, 1, key=key) == 1
    assert ours(range(2**70), 2**69) == 2**69 + right
    with pytest.raises(ValueError, match="non-negative"):
        ours([1], 1, -1)


def test_all_of_standard_input_is_read_where_its_size_is_asked_for() -> None:
    given = io.BytesIO(b"1 2\n" * 50_000)
    assert guest.read(0, 0, lambda _, size: given.read(size)) == given.getvalue()
    given.seek(0)
    assert guest.read(0, 3, lambda _, size: given.read(size)) == b"1 2"
    assert guest.read(3, 0, lambda *asked: bytes(asked)) == b"\x03\x00"


def test_an_event_loop_needs_no_files() -> None:
    loop = guest.new_event_loop()

    async def wait(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    async def both() -> tuple[float, float]:
        return await asyncio.gather(wait(0.002), wait(0.001))

    assert [*loop.run_until_complete(both())] == [0.002, 0.001]
    loop.close()


def test_what_stdout_holds_back_counts_as_output() -> None:
    source = "import io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer)\nprint('x' * 101)"
    assert run(source, "", alone=True)[0]["end"]["limit"] == "output"


def test_a_thread_for_a_larger_stack_runs_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    monkeypatch.setattr(threading.Thread, "join", threading.Thread.join)
    source = (
        "import sys, threading\nthreading.stack_size(0)\n"
        "def main():\n    print(threading.current_thread() is threading.main_thread())\n    sys.exit()\n"
        "thread = threading.Thread(target=main)\nthread.start()\nthread.join()\nprint('end')"
    )
    assert run(source, "", alone=True)[0]["end"]["stdout"] == "True\nend\n"
