"""How fast this machine runs a model: the results of `vibe bench`, stored per model file and machine.

Other commands use them to estimate times and to choose the number of threads. Where there are none, what a run found in
a few seconds is kept for the runs of the next hours. Nothing is measured here.
"""

import platform
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, field_validator

from vibethinker_local.engine.planner import Planner
from vibethinker_local.errors import VibeError
from vibethinker_local.system import machine, paths
from vibethinker_local.system.files import bytes_of, write_atomic
from vibethinker_local.system.terminal import whole

FRESH = 12 * 3600.0  # seconds for which speeds that were tried are taken for those of today


class _Figure(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class File(_Figure):
    """The model file that was measured; the quants of one model have equal `parameters`."""

    name: str
    file: str
    bytes: int
    quant: str
    parameters: int

    @field_validator("name", "file")
    @classmethod
    def _writable(cls, value: str) -> str:
        return whole(value)  # JSON has no place for bytes that are no text


class Machine(_Figure):
    processor: str
    cpus: int
    threads: int  # used for measuring: the fastest number, unless the user gave one
    system: str
    llama_cpp_python: str


class Prefill(_Figure):
    """The median, and the lowest and highest repetition; the same below."""

    tokens: int
    tokens_per_second: float
    low: float
    high: float


class Decode(_Figure):
    """Tokens per second summed over the Sequences, sampling included."""

    sequences: PositiveInt
    depth: int  # cells that each Sequence attends to when it begins
    tokens_per_second: PositiveFloat
    low: float
    high: float
    sampling_ms_per_token: float


class BatchStep(_Figure):
    """The seconds of a step that decodes so many tokens, one of each Sequence, in one batch; sampling included."""

    tokens: PositiveInt
    seconds: PositiveFloat
    low: float
    high: float


class PeerRatio(_Figure):
    """Ours divided by theirs, measured in turn; `low` and `high` are the extreme single rounds."""

    what: str
    peer: str
    ratio: float
    low: float
    high: float
    ours: float
    theirs: float
    unit: str
    rounds: int


class Figures(_Figure):
    version: Literal[1] = 1
    measured: str  # time, UTC
    model: File
    machine: Machine
    prefill: tuple[Prefill, ...] = Field(min_length=1)
    decode: tuple[Decode, ...] = Field(min_length=1)
    deep: tuple[Decode, ...] = ()
    steps: tuple[BatchStep, ...] = ()
    peers: tuple[PeerRatio, ...] = ()

    @property
    def planner(self) -> Planner | None:
        """What plans the batches of a step by the times that were measured; None if none were."""
        return Planner({step.tokens: step.seconds for step in self.steps}) if self.steps else None

    @property
    def most_sequences(self) -> int:
        return max(row.sequences for row in self.decode)

    def best_sequences(self, most: int) -> int:
        """As many, up to `most`, as decode the most tokens per second together."""
        if planner := self.planner:
            return planner.best(most)
        rows = [row for row in self.decode if row.sequences <= most]
        return max(rows, key=lambda row: row.tokens_per_second).sequences if rows else most

    def rate(self, sequences: int) -> float:
        """Tokens per second to expect of this many Sequences together, interpolated between measurements."""
        return _between({row.sequences: row.tokens_per_second for row in self.decode}, sequences)


class Tried(_Figure):
    """Speeds in tokens per second that a run found in a few seconds, before it began."""

    at: float  # seconds since the epoch
    machine: Machine
    prefill: float
    decode: dict[int, float] = Field(min_length=1)  # by the number of Sequences at once, summed over them

    def rate(self, sequences: int) -> float:
        """Tokens per second to expect of this many Sequences together."""
        return _between(self.decode, sequences)


def _between(measured: dict[int, float], sequences: int) -> float:
    """What was measured for numbers of Sequences, interpolated for another one; outside of them, the nearest."""
    for below, above in pairwise(sorted(measured)):
        if below <= sequences < above:
            share = (sequences - below) / (above - below)
            return measured[below] + share * (measured[above] - measured[below])
    return measured[min(measured) if sequences < min(measured) else max(measured)]


def here(threads: int) -> Machine:
    """This machine."""
    system = f"{platform.system()} {platform.machine()}"
    return Machine(
        processor=machine.processor(),
        cpus=machine.logical_cpus(),
        threads=threads,
        system=system,
        llama_cpp_python=version("llama-cpp-python"),
    )


def keep(found: Figures) -> Path:
    """Store results in place of earlier ones for the same file and machine.

    Raises UsageError, or FileError for a full or failing disk.
    """
    path = _folder() / f"{_key(found.model.file, found.model.bytes)}.json"
    write_atomic(path, found.model_dump_json(indent=1), advice="set VIBE_HOME to a folder of yours, to keep figures")
    return path


def keep_tried(path: Path, found: Tried) -> None:
    """Store them for the next runs of a model file. Nothing is said if that cannot be done."""
    with suppress(VibeError):
        write_atomic(_tried(path), found.model_dump_json())


def tried(path: Path, threads: int, sequences: int) -> Tried | None:
    """What a run of the last hours found with these threads, if it tried at least so many Sequences at once."""
    with suppress(OSError, ValidationError):
        found = Tried.model_validate_json(_tried(path).read_bytes())
        fresh = 0 <= time.time() - found.at < FRESH
        if fresh and found.machine == here(threads) and max(found.decode) >= sequences and 1 in found.decode:
            return found
    return None


def of(path: Path) -> Figures | None:
    """The results for a model file on this machine, or None if it was not measured."""
    return _read(_folder() / f"{_key(path.name, bytes_of(path))}.json")


def named(file: str) -> Figures | None:
    """The results for a model file of this name on this machine, the newest if there are several."""
    found = [each for path in _folder().glob("*.json") if (each := _read(path)) and each.model.file == file]
    here = [e for e in found if (e.machine.processor, e.machine.cpus) == (machine.processor(), machine.logical_cpus())]
    return max(here, key=lambda each: each.measured, default=None)


def of_other_quants(found: Figures) -> list[Figures]:
    """The results for all files of the same model on this machine, `found` included, smallest file first."""
    kept = {other.model.file: other for file in sorted(_folder().glob("*.json")) if (other := _read(file))}
    kept[found.model.file] = found
    same = [
        other
        for other in kept.values()
        if other.model.parameters == found.model.parameters
        and (other.machine.processor, other.machine.cpus) == (found.machine.processor, found.machine.cpus)
    ]
    return sorted(same, key=lambda other: (other.model.bytes, other.model.file))


def fastest(files: Iterable[Figures]) -> dict[int, Figures]:
    """The fastest file for each number of Sequences that at least two files were measured with."""
    by_count: dict[int, list[tuple[float, Figures]]] = {}
    for found in files:
        for row in found.decode:
            by_count.setdefault(row.sequences, []).append((row.tokens_per_second, found))
    return {count: max(rows, key=lambda row: row[0])[1] for count, rows in sorted(by_count.items()) if len(rows) > 1}


def _folder() -> Path:
    return paths.data() / "bench"


def _tried(path: Path) -> Path:
    return paths.data() / "tried" / f"{_key(path.name, bytes_of(path))}.json"


def _key(file: str, size: int) -> str:
    """Identifies a model file on this machine; several machines may share a home folder."""
    parts = (whole(file), str(size), machine.processor(), str(machine.logical_cpus()))
    return paths.record_name("\0".join(parts))


def _read(path: Path) -> Figures | None:
    """Returns None if the file is missing, corrupt, or written by another version."""
    try:
        return Figures.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
