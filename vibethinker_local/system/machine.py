"""Cores, memory and processor of this machine, and how much of them this process may use. Knows nothing of models."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vibethinker_local.errors import EngineError

CGROUPS = Path("/sys/fs/cgroup")
CPUS = Path("/sys/devices/system/cpu")
_BIG = 0.7  # cores below this share of the largest core's capacity are efficiency cores


@dataclass(frozen=True)
class Room:
    """Bytes that this process and its children may still allocate, and what sets the limit."""

    memory: int
    limit: str  # "this machine" or "this container"
    address_space: int | None = None  # bytes that one process may map; None: unlimited (ulimit -v)

    def __str__(self) -> str:
        return f"{memory_size(self.memory)} of memory that is free{self._where()}"

    def short(self) -> str:
        """For a line that is about memory anyway: 21.2 GiB free."""
        return f"{memory_size(self.memory)} free{self._where()}"

    def _where(self) -> str:
        inside = f" in {self.limit}" if self.limit == "this container" else ""
        limited = f", {memory_size(self.address_space)} of address space for a process" if self.address_space else ""
        return inside + limited


def memory_size(count: int) -> str:
    """Bytes as people read them: 1.8 GiB."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def threads() -> int:
    """How many threads to compute with: as many as there are performance cores that this process may use."""
    import psutil

    cores = _performance_cores() or psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return max(1, min(cores, logical_cpus()))


def logical_cpus() -> int:
    """Logical CPUs that this process may keep busy, hyperthreads included: what it is bound to, and its container."""
    count = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return min(count, _quota() or count)


def room() -> Room:
    """Memory that can be allocated without swapping, within the limits of the container and of the shell.

    Raises EngineError where the system does not tell.
    """
    import psutil  # the chat's first screen does without

    try:
        available = int(psutil.virtual_memory().available)
    except OSError as error:
        raise EngineError(f"How much memory is free cannot be read ({error}): is /proc mounted?") from error
    contained = min(_free_in_cgroups(), default=available)
    limit = "this container" if contained < available else "this machine"
    return Room(max(0, min(available, contained)), limit, _address_space())


def processor() -> str:
    """The processor's name, as far as the system knows it."""
    if sys.platform == "darwin":
        return _sysctl("machdep.cpu.brand_string") or platform.machine()
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def processor_features() -> frozenset[str]:
    """The processor's instruction sets, by the system's names for them; empty where it does not tell."""
    if sys.platform == "darwin":
        told = f"{_sysctl('machdep.cpu.features') or ''} {_sysctl('machdep.cpu.leaf7_features') or ''}"
        return frozenset(told.lower().replace("avx1.0", "avx").split())
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        if line.startswith(("flags", "Features")):
            return frozenset(line.split(":", 1)[1].split())
    return frozenset()


def is_translated() -> bool:
    """Whether this is an x86 Python on Apple silicon, which works, but much slower and without Metal."""
    return sys.platform == "darwin" and _sysctl("sysctl.proc_translated") == "1"


def _performance_cores() -> int | None:
    """The number of physical performance cores; None if the system does not tell."""
    if sys.platform == "darwin":
        count = _sysctl("hw.perflevel0.physicalcpu")
        return int(count) if count else None
    if sys.platform != "linux":
        return None
    allowed = os.sched_getaffinity(0)
    fast = allowed & _intel_performance_cpus() or _largest_cpus(allowed)
    siblings = {_read(CPUS / f"cpu{cpu}/topology/thread_siblings_list") for cpu in fast}
    return None if None in siblings else len(siblings) or None


def _intel_performance_cpus() -> set[int]:
    """Logical CPUs on performance cores of a hybrid Intel processor; empty on any other processor."""
    cpus: set[int] = set()
    for part in (_read(Path("/sys/devices/cpu_core/cpus")) or "").strip().split(","):
        first, _, last = part.partition("-")
        if first.isdigit():
            cpus |= set(range(int(first), int(last or first) + 1))
    return cpus


def _largest_cpus(allowed: set[int]) -> set[int]:
    """The allowed CPUs without those much weaker than the strongest (Arm processors with several kinds of core)."""
    capacity = {cpu: int(_read(CPUS / f"cpu{cpu}/cpu_capacity") or 0) for cpu in allowed}
    return {cpu for cpu in allowed if capacity[cpu] >= _BIG * max(capacity.values())}


def _quota() -> int | None:
    """How many CPUs the container may use; None: unlimited."""
    quotas = []
    for group in _cgroups("cpu"):
        quota, _, period = (_read(group / "cpu.max") or "").partition(" ")
        quota = quota or _read(group / "cpu.cfs_quota_us") or ""
        period = period or _read(group / "cpu.cfs_period_us") or ""
        if quota.strip().isdigit() and period.strip().isdigit():  # "max" and "-1" are no limit
            quotas.append(max(1, int(quota) // max(1, int(period))))
    return min(quotas, default=None)


def _free_in_cgroups() -> Iterator[int]:
    """Bytes that each control group with a limit may still allocate. Cached files count as free."""
    for group in _cgroups("memory"):
        limit = _read(group / "memory.max") or _read(group / "memory.limit_in_bytes")
        used = _read(group / "memory.current") or _read(group / "memory.usage_in_bytes")
        if limit and used and limit.strip().isdigit():
            stat = dict(line.split()[:2] for line in (_read(group / "memory.stat") or "").splitlines())
            names = ("inactive_file", "active_file")
            cached = sum(int(stat.get("total_" + name) or stat.get(name) or 0) for name in names)
            yield int(limit) - max(0, int(used) - cached)


def _cgroups(controller: str) -> Iterator[Path]:
    """The folders of this process's control groups, innermost first; for cgroups version 2 and version 1."""
    for line in (_read(Path("/proc/self/cgroup")) or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", controller) or controller in controllers.split(","):
            root = CGROUPS / controllers
            inner = root / path.lstrip("/")
            yield from (folder for folder in (inner, *inner.parents) if folder.is_relative_to(root))


def _address_space() -> int | None:
    """Bytes of address space that one process may map; child processes inherit the limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _sysctl(name: str) -> str | None:
    try:  # by its whole path, which cron's PATH does not have
        found = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return found.stdout.strip() or None
