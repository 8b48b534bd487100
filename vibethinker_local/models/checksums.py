"""Remembers the sha256 of model files, so that a file is hashed once and not at every start.

Each file has one small record in the data folder, valid while the file's size and modification time are unchanged.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vibethinker_local.errors import ModelError, VibeError
from vibethinker_local.system import paths
from vibethinker_local.system.files import write_atomic

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

PIECE = 1 << 22  # bytes


def known(path: Path) -> str | None:
    """The recorded sha256 of a file that has not changed since it was hashed, or None."""
    try:
        record = json.loads(_record(path).read_bytes())
        same = record["size"], record["mtime_ns"]
        sha256 = record["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return sha256 if isinstance(sha256, str) and same == _identity(path) else None


def read_into(path: Path, hashed: "Hash") -> Iterator[int]:
    """Feed a whole file to a hash; yields the number of bytes read so far. Raises ModelError."""
    done = 0
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                hashed.update(piece)
                done += len(piece)
                yield done
    except OSError as error:
        raise ModelError(f"The model file {path} cannot be read: {error.strerror}.") from error


def sha256(path: Path) -> str:
    """The sha256 of a file: from its record, or else by reading it, which is then recorded. Raises ModelError."""
    if found := known(path):
        return found
    before, hashed = _identity(path), hashlib.sha256()
    for _ in read_into(path, hashed):
        pass
    if before == _identity(path):  # nobody wrote to it in the meantime
        remember(path, hashed.hexdigest())
    return hashed.hexdigest()


def remember(path: Path, sha256: str) -> None:
    """Record the sha256 of a file. If the record cannot be written, the file will be hashed again next time."""
    size, mtime_ns = _identity(path) or (0, 0)
    record = {"path": str(path), "size": size, "mtime_ns": mtime_ns, "sha256": sha256}
    with suppress(VibeError):
        write_atomic(_record(path), json.dumps(record))


def forget(path: Path) -> None:
    """Drop a file's record."""
    with suppress(OSError):
        _record(path).unlink()


def _identity(path: Path) -> tuple[int, int] | None:
    """(size, mtime_ns). If the content changed, at least one of the two did."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _record(path: Path) -> Path:
    return paths.data() / "verified" / f"{paths.record_name(os.path.realpath(path))}.json"
