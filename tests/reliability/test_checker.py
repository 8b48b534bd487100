"""The process that compares: it gives up in time, comes back at once, and imports nothing from the working folder."""

import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from vibethinker_local.reliability.checker import Checker
from vibethinker_local.reliability.maths import notation
from vibethinker_local.reliability.maths.expressions import Expression, parse

pytestmark = pytest.mark.xdist_group("checker")


def expression(text: str) -> Expression:
    return parse(notation.read(text))[0]


ONE, TWO = expression(r"\sin^2 x + \cos^2 x"), expression("1")
ENDLESS = expression(r"\sum_{k=1}^{4999} \sum_{j=1}^{4999} \sin(jk)")


def test_it_decides(checker: Checker) -> None:
    assert checker.decide("equal", ONE, TWO) is True
    assert checker.decide("equal", ONE, expression("x")) is False
    assert checker.decide("proportional", expression(r"2\sin x - 2"), expression(r"1 - \sin x")) is True
    assert checker.decide("positive", expression(r"2\sin x - 2"), expression(r"1 - \sin x")) is False
    assert checker.decide("equal", expression("1/x"), expression(r"\lfloor i \rfloor")) is None


def test_what_takes_too_long_is_given_up_without_a_new_process() -> None:
    checker = Checker(seconds=0.2)
    assert checker.wait_until_ready()
    process = checker._process
    began = time.monotonic()
    assert checker.decide("equal", ENDLESS, TWO) is None
    assert time.monotonic() - began < 5
    assert checker._process is process
    assert checker.decide("equal", ONE, expression("1.0")) is True
    checker.close()


def test_a_process_that_died_is_replaced() -> None:
    checker = Checker(seconds=10)
    assert checker.wait_until_ready()
    assert checker._process
    checker._process.kill()
    checker._process.wait()
    assert checker.decide("equal", ONE, TWO) is not False
    assert checker.decide("equal", ONE, expression("1.0")) is True
    checker.close()
    checker.close()


def test_no_time_left_is_no_comparison() -> None:
    checker = Checker(left=lambda: 0.0)
    began = time.monotonic()
    assert checker.decide("equal", ONE, TWO) is None
    assert time.monotonic() - began < 5
    checker.close()


@pytest.mark.parametrize(
    ("owner", "name", "error"), [(subprocess, "Popen", OSError), (threading.Thread, "start", RuntimeError)]
)
def test_where_no_process_can_be_started_nothing_is_compared(
    owner: Any, name: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise error("Resource temporarily unavailable")

    monkeypatch.setattr(owner, name, refused)
    with Checker() as checker:
        checker.warm()
        assert checker.decide("equal", ONE, TWO) is None
        assert checker._process is None


def test_nothing_is_imported_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beside the user's problem that has the name of a module is not run."""
    for name in ("queue", "json", "pickle", "mpmath", "signal", "base64", "vibethinker_local"):
        (tmp_path / f"{name}.py").write_text(f"open('{name}-was-run', 'w').close()", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    checker = Checker(seconds=30)
    assert checker.decide("equal", ONE, TWO) is True
    checker.close()
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".py"] * 7
