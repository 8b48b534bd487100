"""Where llama.cpp's code for AMX crashes, everything works without it, and only a child process has crashed."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests import faults
from tests.engine.helpers import params, run
from vibethinker_local.cli import doctor
from vibethinker_local.engine.process import EngineProcess
from vibethinker_local.llama import amx
from vibethinker_local.llama.amx import Finding
from vibethinker_local.system.paths import MINI, PACKAGE

crashes_like_linux = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal to end a process by")


@pytest.fixture
def trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Callable[[], int]]:
    """A trial that ends in a way of the test's choice; the result counts how often it ran."""

    def ending(how: str) -> Callable[[], int]:
        monkeypatch.setattr(amx, "TRIAL", "tests.llama.trial")
        monkeypatch.delenv(amx.VARIABLE, raising=False)
        monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("TRIALS", str(tmp_path / "trials"))
        monkeypatch.setenv("TRIAL_END", how)
        return lambda: (tmp_path / "trials").read_text(encoding="utf-8").count("one")

    return ending


def test_success_is_remembered_until_the_library_is_built_anew(trials: Callable[[str], Callable[[], int]]) -> None:
    count = trials("0")
    assert [amx.find([MINI]) for _ in range(2)] == [Finding(True, new=True), Finding(True)]
    assert count() == 1
    assert amx.find([]) == Finding(True, new=True)


@pytest.mark.parametrize(("told", "works"), [("0", False), ("1", True), ("off", False), (" On", True)])
def test_the_user_says_it(
    told: str, works: bool, trials: Callable[[str], Callable[[], int]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trials("0")
    monkeypatch.setenv(amx.VARIABLE, told)
    assert amx.find([MINI]) == Finding(works)
    assert not (tmp_path / "trials").exists()


@crashes_like_linux
def test_a_crash_is_remembered(trials: Callable[[str], Callable[[], int]]) -> None:
    count = trials("crash")
    assert [amx.find([MINI]) for _ in range(2)] == [Finding(False, new=True), Finding(False)]
    assert count() == 1


def test_a_trial_that_failed_for_another_reason_is_repeated(trials: Callable[[str], Callable[[], int]]) -> None:
    count = trials("1")
    assert [amx.find([MINI]) for _ in range(2)] == [Finding(False, new=True)] * 2
    assert count() == 2


def test_what_cannot_be_remembered_is_tried_each_time(
    trials: Callable[[str], Callable[[], int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = trials("0")
    (tmp_path / "file").touch()
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "file"))
    assert [amx.find([MINI]) for _ in range(2)] == [Finding(True, new=True)] * 2
    assert count() == 2


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"tried": {}}', "\xff"])
def test_a_damaged_record_is_replaced(content: str, trials: Callable[[str], Callable[[], int]], tmp_path: Path) -> None:
    trials("0")
    record = tmp_path / "home" / "data" / "amx.json"
    record.parent.mkdir(parents=True)
    record.write_text(content, encoding="latin-1")
    assert [amx.find([MINI]) for _ in range(2)] == [Finding(True, new=True), Finding(True)]


@crashes_like_linux
def test_the_first_request_succeeds_and_one_notice_tells(trials: Callable[[str], Callable[[], int]]) -> None:
    count = trials("crash")
    for notice in (amx.NOTICE, None):
        with closing(EngineProcess(faults.AmxCrashes(MINI, cells=256, places=1, threads=1))) as engine:
            assert engine.info.notice == notice
            engine.add([1, 2, 3], params(max_tokens=5))
            assert run(engine)
    assert count() == 1


@crashes_like_linux
def test_quantize_computes_without_it_too(trials: Callable[[str], Callable[[], int]]) -> None:
    trials("crash")
    code = f"""
import threading
from pathlib import Path
from tests import faults
from vibethinker_local.llama import amx, observed
faults.make_amx_crash()
before = amx.buffer_types()[1]
observed.check_loads(Path({str(MINI)!r}), threading.Event())
assert amx.buffer_types()[1] == [name for name in before if name != amx.BUFFER_TYPE]
"""
    environment = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    subprocess.run([sys.executable, "-P", "-c", code], env=environment, check=True)


def test_doctor_says_how_to_build_the_library() -> None:
    check = doctor._amx(works=False)
    assert check.state == "warning"
    assert "CFLAGS=-mno-amx-int8 CXXFLAGS=-mno-amx-int8 pip install" in (check.advice or "")
