"""A file of the hub into the Hugging Face cache: resumed where an earlier attempt stopped, checked, then named.

The bytes go to `blobs/<etag>.incomplete`, which stays until it is whole, whatever a server sends instead of the rest.
Once its hash is right, it gets the names that the hub's own client gives, under the same lock, so that other programs
find the file too.
"""

import hashlib
import os
import re
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from vibethinker_local.errors import ModelError
from vibethinker_local.models import checksums, hub, network
from vibethinker_local.models.cache import Repository
from vibethinker_local.models.hub import RemoteFile
from vibethinker_local.system.files import FULL, bytes_of
from vibethinker_local.system.progress import Progress

PAUSES = (1, 2, 4, 8, 16)  # seconds before another attempt, each time one has brought nothing
MOST_WAIT = 5.0  # seconds between two pieces of a file, where its rate is limited: a server gives up on who waits long
# What a checkpoint consists of, the weights first: they are fetched last, so that whoever has them has the rest.
CHECKPOINT = ("*.safetensors", "*.json", "*.jinja", "merges.txt", "README.md")
# Names that lead into no other folder, on Windows neither; but for templates, in the one where transformers has them.
PLAIN = re.compile(r"[\w.-]+|additional_chat_templates/[\w.-]+\.jinja")


def fetch_checkpoint(
    repository: str, revision: str | None = None, parts: tuple[str, ...] = CHECKPOINT, *, rate: float | None = None
) -> Generator[Progress, None, Path]:
    """Fetch the files of a revision whose names match one of `parts`; returns their folder. Raises ModelError.

    Where no hub can be asked, what an earlier call has brought is taken, if the first of `parts` is there.
    """
    try:
        commit, names = hub.list_files(repository, revision)
    except hub.Unreachable:
        folder = Repository(repository).snapshot_of(revision or hub.MAIN)
        if any(folder.glob(parts[0])):
            return folder
        raise
    wanted = [name for name in names if PLAIN.fullmatch(name) and any(fnmatch(name, part) for part in parts)]
    if not any(fnmatch(name, parts[0]) for name in wanted):
        raise ModelError(f"{repository} holds no {parts[0].removeprefix('*.')}: only such checkpoints can be used.")
    for name in sorted(wanted, key=lambda name: (fnmatch(name, parts[0]), name)):
        remote = hub.look_up(repository, name, commit)
        path = yield from fetch(replace(remote, revision=revision or hub.MAIN), rate=rate)
    return path.parent


def fetch(
    remote: RemoteFile, sha256: str | None = None, *, rate: float | None = None
) -> Generator[Progress, None, Path]:
    """Bring a file into the cache and return its path, with at most `rate` bytes per second.

    `sha256` is what it must have; without it, what the hub says counts. Raises ModelError: wrong bytes are removed,
    and what there is of a file that is not whole is kept for the next time.
    """
    lock_path = Repository(remote.repository).lock(remote.etag)
    with _disk_errors(remote):
        for folder in (remote.blob.parent, remote.snapshot.parent, lock_path.parent):
            folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_path)
        while not lock.is_locked:
            try:
                lock.acquire(timeout=0.2)
            except Timeout:
                stage = f"waiting for another download of {remote.file}"
                yield Progress(stage, bytes_of(remote.partial), remote.size)
        try:
            path = _whole(remote)
            if path is None:
                _check_room(remote)
                for done in _limited(_transfer(remote), rate):
                    yield Progress(f"fetching {remote.file}", done, remote.size)
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
        if path.is_file() and bytes_of(path) == remote.size:
            return path
        path.unlink(missing_ok=True)
    return None


def _check_room(remote: RemoteFile) -> None:
    missing, free = remote.size - bytes_of(remote.partial), shutil.disk_usage(remote.blob.parent).free
    if free < missing:
        raise ModelError(
            f"{remote.file} needs {missing / 1e9:.2f} GB more, and only {free / 1e9:.2f} GB are free at "
            f"{remote.blob.parent}: make room, or set HF_HOME to another disk."
        )


def _transfer(remote: RemoteFile) -> Iterator[int]:
    """Append to the partial file until it is as large as it must be; yields its size."""
    with remote.partial.open("a+b", buffering=0) as file:
        idle = 0
        while (begin := os.fstat(file.fileno()).st_size) < remote.size:
            reason = "the hub sends no more of it"
            try:
                for place, piece in hub.pieces(remote, begin):
                    yield _append(file, place, piece, remote)
            except hub.ConnectionBroke as error:
                reason = str(error)
            except ModelError as error:
                if isinstance(error, hub.NotTheFile):
                    file.truncate(begin)  # what came of it
                raise type(error)(f"{error}{_kept(remote)}") from error
            if os.fstat(file.fileno()).st_size > begin:
                idle = 0
            elif idle < len(PAUSES):
                time.sleep(PAUSES[idle])
                idle += 1
            else:
                raise ModelError(f"{remote.file} cannot be downloaded: {reason}.{_kept(remote)}")
        os.fsync(file.fileno())


def _limited(transfer: Iterator[int], rate: float | None) -> Iterator[int]:
    """The same, no faster than so many bytes per second: what is not taken waits at the server."""
    began, first = time.monotonic(), None
    for size in transfer:
        yield size
        first = size if first is None else first
        while rate and (ahead := (size - first) / rate - (time.monotonic() - began)) > 0:
            time.sleep(min(ahead, MOST_WAIT))


def _append(file: BinaryIO, place: int, piece: bytes, remote: RemoteFile) -> int:
    """Write what of a piece is not there yet; returns the file's size. Raises ModelError if the rest differs."""
    size = os.fstat(file.fileno()).st_size
    if place < size:
        file.seek(place)
        there = file.read(min(len(piece), size - place))
        if piece[: len(there)] != there:
            words = network.first_words(piece)
            raise ModelError(
                f"The hub sends other bytes than those that are here of {remote.file}{words and f', “{words}”'}: "
                f"try again later, or remove {remote.partial} to start over."
            )
        piece = piece[len(there) :]
    written = 0
    while written < len(piece):
        written += file.write(piece[written:])
    return size + written


def _check(remote: RemoteFile, path: Path, expected: str) -> Iterator[Progress]:
    """Read what was downloaded. Wrong bytes are removed."""
    if checksums.known(path) == expected:
        return
    # A small file's etag is the name that git gives its content.
    hashed = hashlib.sha256() if len(expected) == 64 else hashlib.sha1(b"blob %d\0" % remote.size)
    for done in checksums.read_into(path, hashed):
        yield Progress(f"checking {remote.file}", done, remote.size)
    if hashed.hexdigest() != expected:
        path.unlink()
        raise ModelError(
            f"{remote.file} arrived damaged: its hash is {hashed.hexdigest()}, not {expected}. It was removed; "
            "the same command fetches it again."
        )


def _link(remote: RemoteFile) -> None:
    """The snapshot's name for the blob, and the revision's commit."""
    remote.snapshot.unlink(missing_ok=True)  # as the hub's client does: a link of another name would hold the bytes
    try:
        remote.snapshot.symlink_to(os.path.relpath(remote.blob, remote.snapshot.parent))
    except OSError:  # Windows allows links to some users only; there the hub's client moves the file as well
        remote.blob.replace(remote.snapshot)
    if remote.revision != remote.commit:
        reference = Repository(remote.repository).reference(remote.revision)
        reference.parent.mkdir(parents=True, exist_ok=True)
        new = reference.with_name(f"{reference.name}.{os.getpid()}")
        try:
            new.write_text(remote.commit, encoding="ascii")
            new.replace(reference)
        finally:
            new.unlink(missing_ok=True)


def _kept(remote: RemoteFile) -> str:
    """What to add to a sentence on a transfer that ended too early."""
    size = bytes_of(remote.partial)
    return f" {size:,} of {remote.size:,} bytes are kept: the same command goes on from there." if size else ""


@contextmanager
def _disk_errors(remote: RemoteFile) -> Iterator[None]:
    """Inside the block, a disk that refuses becomes a sentence."""
    try:
        yield
    except OSError as error:
        where = error.filename or remote.blob.parent
        if error.errno in FULL:
            raise ModelError(f"The disk is full at {where}: make room.{_kept(remote)}") from error
        raise ModelError(f"{where} cannot be written ({error.strerror or error}): is the folder yours?") from error
