"""Finished trajectories on disk, whatever happens to the file."""

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

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


def test_a_trajectory_is_on_the_disk_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = list[int]()
    monkeypatch.setattr(os, "fsync", synced.append)
    writing = journal.begin(tmp_path, "key", 7)
    assert writing
    for count, entry in enumerate(ENTRIES, 1):
        writing.add(entry)
        assert list(journal.read(writing.path)) == ENTRIES[:count]
        assert len(synced) == count
    writing.close(finished=False)


def test_a_file_stays_only_for_a_run_that_can_be_gone_on_with(tmp_path: Path) -> None:
    nothing, finished, cut_off = (journal.begin(tmp_path, "key", seed) for seed in range(3))
    assert nothing
    assert finished
    assert cut_off
    finished.add(ENTRIES[0])
    cut_off.add(ENTRIES[0])
    nothing.close(finished=False)
    finished.close(finished=True)
    cut_off.close(finished=False)
    cut_off.add(ENTRIES[1])  # too late
    assert list(tmp_path.iterdir()) == [cut_off.path]
    assert list(journal.read(cut_off.path)) == ENTRIES[:1]


def test_a_full_disk_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[str]()
    writing = journal.begin(tmp_path, "key", 7, said.append)
    assert writing
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(full))
    writing.add(ENTRIES[0])
    writing.add(ENTRIES[1])
    writing.close(finished=False)
    assert said == [journal.NOT_KEPT.format(folder=tmp_path, reason="No space left on device")]


def test_the_name_is_that_of_the_facts_in_any_order() -> None:
    assert journal.key(a=1, b=2) == journal.key(b=2, a=1) != journal.key(a=2, b=1)


def test_a_journal_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = kept(tmp_path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        del line["trajectory"]["signals"]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert len(list(journal.read(path))) == len(ENTRIES)


def test_what_follows_a_torn_line_is_not_lost_with_it(tmp_path: Path) -> None:
    path = kept(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])  # as a full disk or a killed process leaves it
    again = journal.begin(tmp_path, "key", 7)
    assert again
    again.add(ENTRIES[-1])
    again.close(finished=False)
    assert list(journal.read(path)) == ENTRIES


def test_the_youngest_run_that_has_something_is_gone_on_with(tmp_path: Path) -> None:
    os.utime(kept(tmp_path), (1000, 1000))
    (tmp_path / "key-8.jsonl").touch()  # younger, but killed before anything had ended
    assert journal.cut_off(tmp_path, "key") == (7, tuple(ENTRIES))
    younger = journal.begin(tmp_path, "key", 9)
    assert younger
    younger.add(ENTRIES[1])
    younger.close(finished=False)
    assert journal.cut_off(tmp_path, "key") == (9, (ENTRIES[1],))


def test_two_runs_with_one_seed_at_once(tmp_path: Path) -> None:
    said: list[str] = []
    first = journal.begin(tmp_path, "key", 7)
    assert first
    first.add(ENTRIES[0])
    assert journal.cut_off(tmp_path, "key") is None, "it is going on"
    assert journal.begin(tmp_path, "key", 7, said.append) is None
    assert "another run with the same seed" in said[0]
    first.close(finished=False)
    assert journal.cut_off(tmp_path, "key") == (7, (ENTRIES[0],))


def test_a_journal_that_cannot_be_removed_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = journal.begin(tmp_path, "key", 7)
    assert kept
    refused = OSError(errno.EROFS, "Read-only file system")  # as a disk that failed during the run
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(refused))
    kept.close(finished=True)


@pytest.mark.skipif(sys.platform == "win32", reason="makes a symbolic link")
def test_a_run_that_went_in_between_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "key-8.jsonl").symlink_to(tmp_path / "gone")
    assert journal.cut_off(tmp_path, "key") is None
    kept(tmp_path)
    assert journal.cut_off(tmp_path, "key") == (7, tuple(ENTRIES))


@pytest.mark.parametrize(
    "changed",
    [
        {"schema": 2},
        {"index": -1},
        {"index": 2**63},
        {"index": True},
        {"index": 5},  # once more
        {"tokens": [1.5]},
        {"trajectory": {"finish": "bored"}},
        {"trajectory": {"kind": "guessed"}},
        {"trajectory": {"mean_logprob": "-0.5"}},
        {"trajectory": {"text": None}},
    ],
    ids=str,
)
def test_a_line_that_no_run_has_written_is_left_out(tmp_path: Path, changed: dict[str, Any]) -> None:
    path = kept(tmp_path)
    line = json.loads(path.read_text().splitlines()[-1]) | {"index": 9}
    changed = changed | {"trajectory": line["trajectory"] | changed.get("trajectory", {})}
    with path.open("a") as file:
        file.write(json.dumps(line | changed) + "\n")
    assert list(journal.read(path)) == ENTRIES


@pytest.mark.parametrize("trajectory", ["null", "[]", "7", '"x"', "{}"])
def test_a_line_without_a_trajectory_is_left_out(tmp_path: Path, trajectory: str) -> None:
    path = kept(tmp_path)
    with path.open("a") as file:
        file.write(f'{{"schema":1,"trajectory":{trajectory},"index":9,"tokens":[]}}\n')
    assert list(journal.read(path)) == ENTRIES


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
