"""The file behind the conversations, which may be damaged, locked, read-only or on a full disk.

A damaged file is set aside and what can be read of it goes into a new one. Where nothing can be written at all, there
is a database in memory, with a copy of what can be read. Either way the chat starts, and `notices` say what happened.
"""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from vibethinker_local.errors import UsageError
from vibethinker_local.tui.store.salvage import salvage
from vibethinker_local.tui.store.schema import VERSION, Newer, Unreadable, is_whole, migrate
from vibethinker_local.tui.store.turns import text

BUSY_SECONDS = 2.0  # another instance's transaction takes milliseconds
BUSY_STILL_SECONDS = 0.02  # of one that has not ended in that time: the chat would stand still at every save
CHECK_SECONDS = 10.0  # at most, for a look through a whole file
SIDES = ("", "-wal", "-shm")  # the files of one database
T = TypeVar("T")


class Database:
    """One connection, for one thread. Every write is a transaction of its own; nothing is held open between calls."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notices: list[str] = []  # sentences for the user, which whoever shows them takes
        self.in_memory = False  # nothing outlives the chat
        self._patience = BUSY_SECONDS
        try:
            self._db = _open(path)
        except (*Unreadable, OSError) as error:
            self._db = self._renewed() if _is_damage(error) else self._without_file(error)

    def close(self) -> None:
        self._db.close()

    def renew(self) -> None:
        """Set the file aside and go on with what can be read of it."""
        self._db.close()
        self.in_memory, self._patience = False, BUSY_SECONDS
        self._db = self._renewed()

    def read(self, query: str, values: Any = ()) -> list[Any]:
        """The rows of a query; none, and a notice, if they cannot be read."""
        try:
            return self._whole(lambda db: db.execute(query, values).fetchall())
        except Unreadable as error:
            self._say(f"The conversations in {self.path} cannot be read: {error}.")
            return []

    def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Make a change in a transaction. Raises UsageError."""

        def changed(db: sqlite3.Connection) -> T:
            with Transaction(db):
                return change(db)

        try:
            result = self._whole(changed)
        except Unreadable as error:
            if _code(error) == sqlite3.SQLITE_BUSY:
                self._wait_for_others(BUSY_STILL_SECONDS)
            raise UsageError(f"The conversation cannot be kept in {self.path}: {error}.") from error
        self._wait_for_others(BUSY_SECONDS)
        return result

    def _wait_for_others(self, seconds: float) -> None:
        """How long the next transaction may wait for that of another instance."""
        if seconds != self._patience:
            self._patience = seconds
            self._db.execute(f"PRAGMA busy_timeout = {1000 * seconds:.0f}")

    def _whole(self, do: Callable[[sqlite3.Connection], T]) -> T:
        """Do something, and once more if the file turns out to be damaged. Raises what is Unreadable."""
        try:
            return do(self._db)
        except Unreadable as error:
            if not _is_damage(error, self._db) and not self._is_called_read_only(error):
                raise
        self.renew()
        return do(self._db)

    def _is_called_read_only(self, error: BaseException) -> bool:
        """Whether the file says so of itself, although it may be written."""
        code = getattr(error, "sqlite_errorcode", 0)
        return code == sqlite3.SQLITE_READONLY and os.access(self.path, os.W_OK)

    def _renewed(self) -> sqlite3.Connection:
        """A new file with what can be read of the damaged one, which is set aside."""
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            for side in SIDES:
                Path(f"{new}{side}").unlink(missing_ok=True)
            saved = salvage(self.path)
            with closing(_open(new, log=False)) as db, Transaction(db):
                saved.write(db)
            aside = _free(self.path)
            for side in SIDES:
                with suppress(FileNotFoundError):
                    Path(f"{self.path}{side}").rename(f"{aside}{side}")
            new.replace(self.path)
            renewed = _open(self.path)
        except (*Unreadable, OSError) as error:
            return self._without_file(error)
        lost = f" and {saved.lost:,} could not" if saved.lost else ""
        what = f"{self.path.name} was damaged: {len(saved.turns):,} of its turns could be read{lost}"
        self._say(f"{what}. The damaged file is now {aside}.")
        return renewed

    def _without_file(self, reason: BaseException) -> sqlite3.Connection:
        try:
            db = _prepared(sqlite3.connect(":memory:", isolation_level=None))
            saved = salvage(self.path)
            with Transaction(db):
                saved.write(db)
        except sqlite3.Error as error:  # it lacks something
            raise UsageError(f"This Python's SQLite cannot be used ({error}): install another.") from error
        self.in_memory = True
        why = f"{reason.filename}: {reason.strerror}" if isinstance(reason, OSError) else str(reason)
        there = "What is in it can be read. " if saved.turns else ""
        self._say(f"Nothing is saved: {self.path} cannot be used ({why}). {there}{_advice(reason)}")
        return db

    def _say(self, notice: str) -> None:
        if notice not in self.notices:
            self.notices.append(notice)


def is_sound(path: Path) -> bool:
    """Look through a whole file, which takes a second per 50 MB or so; for any thread. False: `renew` is due.

    Queries stumble over most damage, but not over an entry of an index that leads nowhere.
    """
    until = time.monotonic() + CHECK_SECONDS
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as db:
            db.set_progress_handler(lambda: time.monotonic() > until, 100_000)
            return bool(db.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",))
    except Unreadable as error:
        return not _is_damage(error)


class Transaction:
    """One that has the write lock from its beginning, so that it can wait for it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._db.execute("COMMIT")
        else:
            with suppress(sqlite3.Error):  # a full disk has ended it already
                self._db.execute("ROLLBACK")


def _open(path: Path, *, log: bool = True) -> sqlite3.Connection:
    """A database in a file that only its owner may read, up to date. Raises OSError, or what is Unreadable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its other files the same mode
    for side in SIDES:
        with suppress(OSError):
            Path(f"{path}{side}").chmod(0o600)
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        if log:
            db.execute("PRAGMA journal_mode = WAL")
        return _prepared(db)
    except BaseException:
        db.close()
        raise


def _prepared(db: sqlite3.Connection) -> sqlite3.Connection:
    db.text_factory = text  # a byte that is not UTF-8 costs one character
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA synchronous = NORMAL")  # a killed process loses nothing; a power cut, a moment
    if db.execute("PRAGMA user_version").fetchone() != (VERSION,):  # else without a lock, which another may hold
        with Transaction(db):
            migrate(db)
    return db


def _is_damage(error: BaseException, db: sqlite3.Connection | None = None) -> bool:
    """Whether an error comes of what the file holds, not of where it lies, or of who else uses it."""
    if isinstance(error, (MemoryError, UnicodeDecodeError)):  # UnicodeEncodeError is about what is to be written
        return True
    code = _code(error)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return True
    if code not in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH):
        return False
    try:
        return db is None or not is_whole(db)  # the name of a table, perhaps
    except Unreadable:
        return True


def _advice(error: BaseException) -> str:
    """What can be done about a file that cannot be used."""
    if isinstance(error, Newer):
        return "Update this program, or set VIBE_HOME."
    if _code(error) == sqlite3.SQLITE_BUSY:
        return "Close what uses it, then start again."
    return "Free some disk space, or set VIBE_HOME."


def _code(error: BaseException) -> int:
    """SQLite's code of an error, without its details; 0 for others."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _free(path: Path) -> Path:
    """A name for a file that is set aside."""
    number = 1
    while True:
        aside = path.with_name(f"{path.stem}.damaged{f'-{number}' if number > 1 else ''}{path.suffix}")
        if not aside.exists():
            return aside
        number += 1
