"""What a power cut would leave: a file that gets its name before its bytes are on the disk may be empty then."""

import os
import stat
from pathlib import Path

import pytest


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """From now on: what gets its name, told of what was not synced before, and that a folder is synced, in order."""
    fsync, replace = os.fsync, os.replace
    synced: set[int] = set()
    done: list[str] = []

    def sync(descriptor: int) -> None:
        fsync(descriptor)
        status = os.fstat(descriptor)
        synced.add(status.st_ino)
        if stat.S_ISDIR(status.st_mode):
            done.append("folder")

    def rename(old: Path, new: Path) -> None:
        done.append(new.name if old.stat().st_ino in synced else f"{new.name}, not on the disk yet")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", rename)
    return done
