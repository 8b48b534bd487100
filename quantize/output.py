"""OUT.partial: a file that becomes OUT by a rename when it is complete, and disappears when anything goes wrong.

Knows operating systems: locks, fsync, full disks. Does not know what is written.
"""

import os
import shutil
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from vibethinker_local.system import locks
from vibethinker_local.system.files import FULL, behind_link

from .errors import MachineError, RequestError


class Partial:
    """Write at any place, from any thread; `commit` last. Made by `partial`."""

    def __init__(self, out: Path, path: Path, file: BinaryIO) -> None:
        self.out = out
        self.path = path
        self._file = file
        self._lock = threading.Lock()

    def write(self, offset: int, content: bytes | memoryview) -> None:
        """`offset` in bytes from the start of the file."""
        rest = memoryview(content)
        with self._lock:
            self._file.seek(offset)
            while rest:
                rest = rest[self._file.write(rest) :]

    def replace(self, old: bytes, new: bytes, within: int) -> None:
        """Put `new` in the place of the last `old` in the first `within` bytes, which is as long."""
        with self._lock:
            self._file.seek(0)
            place = self._file.read(within).rindex(old)
        self.write(place, new)

    def resize(self, size: int) -> None:
        self._file.truncate(size)

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def commit(self) -> None:
        """Give the file its name, replacing what had it."""
        if sys.platform == "win32":  # it does not rename open files, and does not open folders
            self._file.close()
            self.path.replace(self.out)
        else:
            self.path.replace(self.out)  # while the lock is held: another build would empty what is not yet renamed
            self._file.close()
            with suppress(OSError):  # some network file systems cannot, and the file is there
                folder = os.open(self.out.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)


def check_target(out: Path, sources: Collection[Path]) -> None:
    """Raises RequestError if `out` cannot be a file, or is one of those that are read."""
    try:
        if out.is_dir():
            raise RequestError(f"{out} is a folder; give a file's name")
        real = behind_link(out)
        if not real.parent.is_dir():
            raise RequestError(f"there is no folder {real.parent} to write {real.name} into")
        if not os.access(real.parent, os.W_OK):  # hours before it is written, with some commands
            raise RequestError(f"nothing can be written into the folder {real.parent}; choose another output")
        for target in (out, real.with_name(real.name + ".partial")):
            if target.exists() and not target.is_file():  # a rename would put a file in the place of /dev/null
                raise RequestError(f"{target} is no ordinary file; choose another output")
            if target.exists() and any(source.exists() and target.samefile(source) for source in sources):
                raise RequestError(f"{target} is what is read from; choose another output")
    except OSError as error:
        raise RequestError(f"{out} cannot be a file ({error.strerror}); choose another output") from error


@contextmanager
def partial(out: Path, needed: int) -> Iterator[Partial]:
    """OUT.partial, empty, for as long as the block runs; `needed` is its final size in bytes.

    Raises MachineError if the disk refuses, RequestError if another process is writing the same file.
    """
    out = behind_link(out)
    path = out.with_name(out.name + ".partial")
    try:
        with path.open("ab", buffering=0):
            pass  # exists now, and an earlier run's remains are kept until the lock is ours
        with path.open("r+b", buffering=0) as file:
            # A build that ended between our opening and our lock has renamed what we hold: that is OUT now.
            if not locks.take(file) or not _is_named(file, path):
                raise RequestError(f"another build is writing {out} at this moment; wait for it or choose another name")
            try:
                file.truncate(0)  # an earlier run's remains, which count as free space
                free = shutil.disk_usage(out.parent).free
                if free < needed:
                    raise MachineError(
                        f"{out} needs {needed / 1e9:.2f} GB, but only {free / 1e9:.2f} GB are free there"
                    )
                yield Partial(out, path, file)
            except BaseException:  # Ctrl-C and a closed generator too
                file.close()
                path.unlink(missing_ok=True)
                raise
    except OSError as error:
        advice = "free some space or choose another folder" if error.errno in FULL else "is the folder writable?"
        raise MachineError(f"{path} cannot be written ({error.strerror}); {advice}") from error


def write_whole(out: Path, content: bytes) -> None:
    """A small file in one go. Raises MachineError if the disk refuses; an earlier `out` is kept then."""
    with partial(out, len(content)) as file:
        file.write(0, content)
        file.sync()
        file.commit()


def _is_named(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
