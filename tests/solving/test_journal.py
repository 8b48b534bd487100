"""Finished trajectories on disk, whatever happens to the file."""

import json
from pathlib import Path

import pytest

from tests.corruption import corrupted, whole_lines
from vibethinker_local.events import Signals, Trajectory
from vibethinker_local.solving import journal
from vibethinker_local.solving.journal import JournalEntry

SIGNALS = Signals((-0.5, -0.25), (3.0, 4.0), (9.0, 8.0), 1, 3.0, 4.0)
ENTRIES = [
    JournalEntry(
        n,
        Trajectory(n, 3, "stop", f"{n}", f"so \\boxed{{{n}}}", "hm", -0.5, signals=SIGNALS if n % 2 else None),
        (1, 2, 3 + n),
    )
    for n in range(6)
]


def kept(folder: Path) -> Path:
    writing = journal.begin(folder, "key", 7)
    assert writing
    for entry in ENTRIES:
        writing.add(entry)
    writing.close(finished=False)
    return writing.path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert list(journal.read(kept(tmp_path))) == ENTRIES
    assert journal.cut_off(tmp_path, "key") == (7, tuple(ENTRIES))
    assert journal.cut_off(tmp_path, "other") is None


def test_a_journal_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = kept(tmp_path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        del line["trajectory"]["signals"]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert len(list(journal.read(path))) == len(ENTRIES)


@pytest.mark.parametrize("seed", [*range(6), pytest.param(range(6, 300), marks=pytest.mark.slow)])
def test_a_corrupted_journal_loses_nothing_that_is_readable(tmp_path: Path, seed: int | range) -> None:
    path = kept(tmp_path)
    whole = path.read_bytes()
    for each in seed if isinstance(seed, range) else [seed]:
        path.write_bytes(damaged := corrupted(whole, each))
        found = list(journal.read(path))
        indices = [entry.index for entry in found]
        assert len(indices) == len(set(indices))
        for line in whole_lines(whole, damaged):
            assert json.loads(line)["index"] in indices
        for entry in found:
            assert isinstance(entry.trajectory.text + entry.trajectory.reasoning, str)
            assert all(type(token) is int and token >= 0 for token in entry.tokens)
