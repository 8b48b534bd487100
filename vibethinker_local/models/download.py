"""A file of the hub into the Hugging Face cache: resumed where an earlier attempt stopped, checked, then named.

The bytes go to `blobs/<etag>.incomplete`, which stays until it is whole. Once its hash is right, it gets the names that
the hub's own client gives, under the same lock, so that other programs find the file too.
"""

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from vibethinker_local.errors import ModelError
from vibethinker_local.models import checksums, hub
from vibethinker_local.models.hub import RemoteFile
from vibethinker_local.models.installed import hub_folder

PAUSES = (1, 2, 4, 8, 16)  # seconds before another attempt, each time one has brought nothing
FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))  # Windows has no quota code


@dataclass(frozen=True)
class Progress:
    """How far one file has come, in bytes."""

    stage: Literal["waiting for another download", "fetching", "checking"]
    file: str
    done: int
    total: int


def fetch(remote: RemoteFile, sha256: str | None = None) -> Generator[Progress, None, Path]:
    """Bring a file into the cache and return its path.

    `sha256` is what it must have; without it, what the hub says counts. Raises ModelError: wrong bytes are removed,
    and what there is of a file that is not whole is kept for the next time.
    """
    with _disk_errors(remote):
        for folder in (remote.blob.parent, remote.snapshot.parent, _lock(remote).parent):
            folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(_lock(remote))
        while not lock.is_locked:
            try:
                lock.acquire(timeout=0.2)
            except Timeout:
                yield Progress("waiting for another download", remote.file, _size(remote.partial), remote.size)
        try:
            path = _whole(remote)
            if path is None:
                _check_room(remote)
                for done in _transfer(remote):
                    yield Progress("fetching", remote.file, done, remote.size)
            yield from _check(remote, path or remote.partial, sha256 or remote.etag)
            if path is None:
                remote.partial.replace(remote.blob)
            if path != remote.snapshot:
                _link(remote)
        finally:
            lock.release()
    if len(sha256 or remote.etag) == 64:
        checksums.remember(remote.snapshot, sha256 or remote.etag)
    return remote.snapshot


def _whole(remote: RemoteFile) -> Path | None:
    """The file, if an earlier pull or the hub's own client has brought it; one of a wrong size is removed."""
    places = [remote.blob] if remote.snapshot.is_symlink() else [remote.blob, remote.snapshot]
    for path in places:
        if _size(path) == remote.size:
            return path
        path.unlink(missing_ok=True)
    return None


def _check_room(remote: RemoteFile) -> None:
    missing, free = remote.size - _size(remote.partial), shutil.disk_usage(remote.blob.parent).free
    if free < missing:
        raise ModelError(
            f"{remote.file} needs {missing / 1e9:.2f} GB more, and only {free / 1e9:.2f} GB are free at "
            f"{remote.blob.parent}: make room, or set HF_HOME to another disk."
        )


def _transfer(remote: RemoteFile) -> Iterator[int]:
    """Append to the partial file until it is as large as it must be; yields its size."""
    with remote.partial.open("ab", buffering=0) as file:
        most, idle = file.tell(), 0
        while (begin := os.fstat(file.fileno()).st_size) < remote.size:
            reason = "the hub sends no more of it"
            try:
                for piece in hub.pieces(remote, begin):
                    file.write(piece)
                    yield file.tell()
                    if file.tell() > remote.size:  # perhaps without an end; its hash will be wrong
                        break
            except hub.StartsOver:
                file.truncate(0)
                reason = "the hub starts over each time"
            except hub.Interrupted as error:
                reason = str(error)
            if file.tell() > most:
                most, idle = file.tell(), 0
            elif idle < len(PAUSES):
                time.sleep(PAUSES[idle])
                idle += 1
            else:
                raise ModelError(f"{remote.file} cannot be downloaded: {reason}. {_kept(remote)}")
        os.fsync(file.fileno())


def _check(remote: RemoteFile, path: Path, expected: str) -> Iterator[Progress]:
    """Read what was downloaded. Wrong bytes are removed."""
    if path != remote.partial and checksums.known(path) == expected:
        return
    # A small file's etag is the name that git gives its content.
    hashed = hashlib.sha256() if len(expected) == 64 else hashlib.sha1(b"blob %d\0" % remote.size)
    for done in checksums.read_into(path, hashed):
        yield Progress("checking", remote.file, done, remote.size)
    if hashed.hexdigest() != expected:
        path.unlink()
        raise ModelError(
            f"{remote.file} arrived damaged: its hash is {hashed.hexdigest()}, not {expected}. It was removed; "
            "the same command fetches it again."
        )


def _link(remote: RemoteFile) -> None:
    """The snapshot's name for the blob, and the revision's commit."""
    new = remote.snapshot.with_name(f"{remote.snapshot.name}.{os.getpid()}")
    try:
        new.symlink_to(os.path.relpath(remote.blob, remote.snapshot.parent))
        new.replace(remote.snapshot)
    except OSError:  # Windows allows links to some users only; there the hub's client moves the file as well
        remote.blob.replace(remote.snapshot)
    if remote.revision != remote.commit:
        reference = hub_folder(remote.repository) / "refs" / remote.revision
        reference.parent.mkdir(parents=True, exist_ok=True)
        new = reference.with_name(f"{reference.name}.{os.getpid()}")
        new.write_text(remote.commit, encoding="ascii")
        new.replace(reference)


def _lock(remote: RemoteFile) -> Path:
    """The lock that the hub's own client takes for the same file."""
    folder = hub_folder(remote.repository)
    return folder.parent / ".locks" / folder.name / f"{remote.etag}.lock"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _kept(remote: RemoteFile) -> str:
    return f"{_size(remote.partial):,} of {remote.size:,} bytes are kept: the same command goes on from there."


@contextmanager
def _disk_errors(remote: RemoteFile) -> Iterator[None]:
    """Inside the block, a disk that refuses becomes a sentence."""
    try:
        yield
    except OSError as error:
        where = error.filename or remote.blob.parent
        if error.errno in FULL:
            raise ModelError(f"The disk is full at {where}: make room. {_kept(remote)}") from error
        raise ModelError(f"{where} cannot be written ({error.strerror}): is the folder yours?") from error
