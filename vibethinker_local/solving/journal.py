"""Finished trajectories on disk as they end, so that a run that was cut off can go on.

One file per run, a JSON line per trajectory; it goes when the run has come to its end.
"""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from vibethinker_local.events import Finish, Trajectory, TrajectoryKind
from vibethinker_local.solving import signals
from vibethinker_local.system import locks
from vibethinker_local.system.files import bytes_of

SCHEMA = 1
NOT_KEPT = "finished solutions cannot be kept in {folder} ({reason}): --resume will not find them"


@dataclass(frozen=True)
class JournalEntry:
    """A trajectory as it ended, before its claims were stated."""

    index: int
    trajectory: Trajectory
    tokens: tuple[int, ...]  # prompt and everything after it


class Journal:
    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        """Raises OSError where nothing can be written, or while another run writes there."""
        self.path, self._say = path, say
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        try:
            if not locks.take(self._file):
                raise BlockingIOError(errno.EWOULDBLOCK, "another run with the same seed keeps its own there")
        except OSError:
            self._file.close()
            raise
        if _torn(path):
            self._file.write("\n")  # or the next entry would be lost with what it is glued to

    def add(self, entry: JournalEntry) -> None:
        """Write down a trajectory; it is on the disk when this returns, unless `say` has heard why none is any more."""
        if self._file.closed:
            return
        line = {"schema": SCHEMA} | asdict(entry)
        try:
            self._file.write(json.dumps(line, ensure_ascii=True) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._end()
            self._say(NOT_KEPT.format(folder=self.path.parent, reason=error.strerror))

    def _end(self) -> None:
        with contextlib.suppress(OSError):  # what could not be written is in its buffer yet
            self._file.close()

    def close(self, *, finished: bool) -> None:
        """Keep the file only for a run that has not finished, and has something to go on with. May be repeated."""
        self._end()
        if finished or not bytes_of(self.path):
            with contextlib.suppress(OSError):  # a disk that refuses takes no answer away
                self.path.unlink()


def key(**facts: object) -> str:
    """A name for the facts that have to be the same for one run to go on with another's trajectories."""
    return hashlib.sha256(json.dumps(facts, ensure_ascii=True, sort_keys=True).encode()).hexdigest()[:16]


def begin(folder: Path, key: str, seed: int, say: Callable[[str], None] = lambda text: None) -> Journal | None:
    """The journal of a new run; None, and `say` hears why, where none can be written."""
    try:
        return Journal(folder / f"{key}-{seed}.jsonl", say)
    except OSError as error:
        say(NOT_KEPT.format(folder=folder, reason=error.strerror))
        return None


def cut_off(folder: Path, key: str) -> tuple[int, tuple[JournalEntry, ...]] | None:
    """The seed and the trajectories of the youngest run with a key that did not come to its end; of those that have
    some, if there is one."""
    files = [path for path in folder.glob(f"{key}-*.jsonl") if path.stem.rpartition("-")[2].isdigit()]
    youngest: tuple[int, tuple[JournalEntry, ...]] | None = None
    for path in sorted(files, key=_written_at, reverse=True):
        with contextlib.suppress(OSError), path.open("r+b") as file:  # it cannot be read, or went in between
            if not locks.take(file):
                continue  # it is going on
            run = int(path.stem.rpartition("-")[2]), tuple(read(path))
            if run[1]:
                return run
            youngest = youngest or run
    return youngest


def _torn(path: Path) -> bool:
    """Whether a file's last line has no end: a full disk, or a process that was killed."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    return False


def _written_at(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def read(path: Path) -> Iterator[JournalEntry]:
    """The entries of a file; a line that was cut off or is not ours is left out."""
    known = set[int]()
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        entry = _entry(line)
        if entry and entry.index not in known:
            known.add(entry.index)
            yield entry


def _entry(line: str) -> JournalEntry | None:
    """The entry that a line holds; None if it is damaged."""
    try:
        data = json.loads(line)
        if data["schema"] != SCHEMA:
            return None
        fields = data["trajectory"]
        fields |= {"claims": (), "signals": signals.read(fields.get("signals"))}
        entry = JournalEntry(data["index"], Trajectory(**fields), tuple(data["tokens"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    trajectory = entry.trajectory
    counts = (entry.index, trajectory.seed, trajectory.tokens, *entry.tokens)
    texts = (trajectory.answer or "", trajectory.text, trajectory.reasoning, trajectory.printed or "")
    whole = all(type(count) is int and 0 <= count < 2**63 for count in counts) and all(type(t) is str for t in texts)
    numbers = (trajectory.mean_logprob, trajectory.reliability)
    known = trajectory.finish in get_args(Finish) and trajectory.kind in get_args(TrajectoryKind)
    known = known and all(n is None or type(n) in (int, float) for n in numbers)
    return entry if whole and known else None
