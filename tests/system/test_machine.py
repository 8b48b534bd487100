"""Limits of containers and kinds of cores, from small copies of what Linux shows."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from vibethinker_local.errors import EngineError
from vibethinker_local.system import machine
from vibethinker_local.system.machine import Room

GIB = 2**30
linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux's own files")


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for /; files that are not in it do not exist."""

    def read(path: Path) -> str | None:
        copy = tmp_path / str(path).lstrip("/")
        return copy.read_text(encoding="utf-8").strip() if copy.is_file() else None

    monkeypatch.setattr(machine, "_read", read)
    return tmp_path


def write(root: Path, files: Mapping[str, object]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")


def test_room_of_a_machine_without_limits(system: Path) -> None:
    room = machine.room()
    assert room.limit == "this machine"
    assert 0 < room.memory <= psutil.virtual_memory().total


@linux
@pytest.mark.parametrize(
    "files",
    [
        {
            "proc/self/cgroup": "0::/user/app",
            "sys/fs/cgroup/user/memory.max": 100 << 20,
            "sys/fs/cgroup/user/memory.current": 70 << 20,
            "sys/fs/cgroup/user/memory.stat": f"anon 5\ninactive_file {20 << 20}\nactive_file {10 << 20}",
            "sys/fs/cgroup/user/app/memory.max": "max",
            "sys/fs/cgroup/user/app/memory.current": 1 << 20,
        },
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/a\n4:memory:/a\n0::/",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": 9223372036854771712,
            "sys/fs/cgroup/memory/memory.usage_in_bytes": 1 << 20,
            "sys/fs/cgroup/memory/a/memory.limit_in_bytes": 100 << 20,
            "sys/fs/cgroup/memory/a/memory.usage_in_bytes": 70 << 20,
            "sys/fs/cgroup/memory/a/memory.stat": f"total_inactive_file {30 << 20}\ninactive_file 1",
        },
    ],
    ids=["version 2", "version 1"],
)
def test_room_of_a_container_counts_cached_files_as_free(system: Path, files: Mapping[str, object]) -> None:
    write(system, files)
    assert machine.room().memory == 60 << 20
    assert machine.room().limit == "this container"


@linux
def test_threads_of_a_container(system: Path) -> None:
    write(system, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "150000 100000"})
    assert machine.threads() == machine.logical_cpus() == 1  # by which measured figures are known, too


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """No /proc; and macOS without sysctl, which cron's PATH does not have."""

    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(psutil, "virtual_memory", missing)
    with pytest.raises(EngineError, match=r"cannot be read .*: is /proc mounted"):
        machine.room()
    monkeypatch.setattr(subprocess, "run", missing)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert machine.threads() >= 1
    assert machine.processor()
    assert not machine.is_translated()


@linux
def test_threads_are_the_performance_cores(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two performance cores of two threads each, and four efficiency cores."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    siblings = ["0-1", "0-1", "2-3", "2-3", "4", "5", "6", "7"]
    cpus = "sys/devices/system/cpu"
    write(system, {f"{cpus}/cpu{n}/topology/thread_siblings_list": group for n, group in enumerate(siblings)})
    assert machine.threads() == 6  # Linux does not tell them apart here
    write(system, {f"{cpus}/cpu{n}/cpu_capacity": 1024 if n < 4 else 400 for n in range(8)})
    assert machine.threads() == 2
    write(system, {"sys/devices/cpu_core/cpus": "0-1,2-3,6"})
    assert machine.threads() == 3
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {2, 3})
    assert machine.threads() == 1


def test_sizes() -> None:
    assert [machine.memory_size(count) for count in (5 << 20, 2 * GIB)] == ["5 MiB", "2.0 GiB"]


@pytest.mark.parametrize(
    ("room", "told", "short"),
    [
        (Room(3 << 30, "this machine"), "3.0 GiB of memory that is free", "3.0 GiB free"),
        (
            Room(3 << 30, "this container"),
            "3.0 GiB of memory that is free in this container",
            "3.0 GiB free in this container",
        ),
        (
            Room(3 << 30, "this machine", 2 << 30),
            "3.0 GiB of memory that is free, 2.0 GiB of address space for a process",
            "3.0 GiB free, 2.0 GiB of address space for a process",
        ),
    ],
)
def test_free_memory_in_words(room: Room, told: str, short: str) -> None:
    assert (str(room), room.short()) == (told, short)
