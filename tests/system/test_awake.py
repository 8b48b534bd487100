"""The machine is kept awake by the system's own program, which ends whenever this one does."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from vibethinker_local.system import awake

ROOT = Path(__file__).parents[2]


@pytest.fixture
def inhibitor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the place of systemd-inhibit, which tells what it was started with and waits as that does."""
    if sys.platform != "linux":
        pytest.skip("the stand-in is for Linux")
    program = tmp_path / "bin/systemd-inhibit"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/started\ncat\necho > {tmp_path}/ended\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def appears(path: Path) -> bool:
    until = time.monotonic() + 20
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.02)
    return path.exists()


def test_it_runs_as_long_as_the_block(inhibitor: Path) -> None:
    with awake.keep_awake():
        assert appears(inhibitor / "started")
        time.sleep(0.1)
        assert "--what=idle:sleep --who=vibe" in (inhibitor / "started").read_text()
        assert [child.name() for child in psutil.Process().children()]
    assert not [child for child in psutil.Process().children() if child.name() == "systemd-inhibit"]


def test_it_ends_when_the_program_is_killed(inhibitor: Path) -> None:
    source = "import time\nfrom vibethinker_local.system import awake\nwith awake.keep_awake(): time.sleep(60)"
    with subprocess.Popen([sys.executable, "-P", "-c", source], env=os.environ | {"PYTHONPATH": str(ROOT)}) as running:
        assert appears(inhibitor / "started")
        running.kill()
    assert appears(inhibitor / "ended")


def test_where_there_is_no_such_program_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with awake.keep_awake():
        pass


def test_the_program_may_refuse(inhibitor: Path) -> None:
    (inhibitor / "bin/systemd-inhibit").write_text("#!/bin/sh\nexit 1\n")
    with awake.keep_awake():
        time.sleep(0.2)


def test_an_error_inside_the_block_goes_through(inhibitor: Path) -> None:
    with pytest.raises(ZeroDivisionError), awake.keep_awake():
        1 / 0  # noqa: B018
    assert not [child for child in psutil.Process().children() if child.name() == "systemd-inhibit"]


def test_the_systems_own_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    for platform, first in (("darwin", "caffeinate"), ("linux", "systemd-inhibit")):
        monkeypatch.setattr(sys, "platform", platform)
        command = awake.command()
        assert command
        assert command[0] == first
    monkeypatch.setattr(sys, "platform", "sunos5")
    assert awake.command() is None


def test_the_battery(monkeypatch: pytest.MonkeyPatch) -> None:
    for battery, says in (
        (None, None),
        (SimpleNamespace(percent=57.3, power_plugged=False), "on battery, 57% left"),
        (SimpleNamespace(percent=57.3, power_plugged=True), None),
        (SimpleNamespace(percent=57.3, power_plugged=None), None),
    ):
        monkeypatch.setattr(psutil, "sensors_battery", lambda battery=battery: battery, raising=False)
        assert awake.on_battery() == says
    monkeypatch.delattr(psutil, "sensors_battery")
    assert awake.on_battery() is None
