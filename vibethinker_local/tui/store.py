"""Conversations on disk: SQLite with a write-ahead log and a full-text index. Knows nothing of screens or models.

A turn that is being written grows by pieces, one short transaction each; its end folds them into the turn. So a process
that is killed loses no more than it had not handed over yet, and another instance reads what is there at any moment.
Every write is one transaction of its own; nothing is held open between calls.
"""

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vibethinker_local.errors import UsageError

TurnStatus = Literal["writing", "answered", "no_answer", "stopped", "failed"]
VERSION = 1
BUSY_SECONDS = 2.0  # another instance's transaction takes milliseconds
LISTED = 200  # conversations that a list holds at most; the rest is found by searching
TITLE = 60  # characters

SCHEMA = """
CREATE TABLE conversation (
    id INTEGER PRIMARY KEY, title TEXT NOT NULL, created REAL NOT NULL, updated REAL NOT NULL
);
CREATE INDEX conversation_updated ON conversation (updated DESC);
CREATE TABLE turn (
    id INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversation ON DELETE CASCADE,
    created REAL NOT NULL, model TEXT NOT NULL, seed INTEGER NOT NULL,
    question TEXT NOT NULL, reasoning TEXT NOT NULL DEFAULT '', answer TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT 'writing', note TEXT NOT NULL DEFAULT '',
    tokens INTEGER NOT NULL DEFAULT 0, reasoning_tokens INTEGER NOT NULL DEFAULT 0,
    seconds REAL NOT NULL DEFAULT 0, reasoning_seconds REAL NOT NULL DEFAULT 0
);
CREATE INDEX turn_conversation ON turn (conversation, id);
CREATE TABLE piece (
    id INTEGER PRIMARY KEY, turn INTEGER NOT NULL REFERENCES turn ON DELETE CASCADE,
    reasoning INTEGER NOT NULL, text TEXT NOT NULL
);
CREATE INDEX piece_turn ON piece (turn, id);
CREATE VIRTUAL TABLE words USING fts5 (
    question, answer, content='turn', content_rowid='id', tokenize='unicode61 remove_diacritics 2', prefix='2 3 4 5 6'
);
CREATE TRIGGER turn_added AFTER INSERT ON turn BEGIN
    INSERT INTO words (rowid, question, answer) VALUES (new.id, new.question, new.answer);
END;
CREATE TRIGGER turn_removed AFTER DELETE ON turn BEGIN
    INSERT INTO words (words, rowid, question, answer) VALUES ('delete', old.id, old.question, old.answer);
END;
CREATE TRIGGER turn_changed AFTER UPDATE OF question, answer ON turn BEGIN
    INSERT INTO words (words, rowid, question, answer) VALUES ('delete', old.id, old.question, old.answer);
    INSERT INTO words (rowid, question, answer) VALUES (new.id, new.question, new.answer);
END;
"""


@dataclass(frozen=True)
class Listed:
    """A conversation in a list."""

    id: int
    title: str
    updated: float  # seconds since the epoch
    turns: int
    excerpt: str = ""  # what a search found in it


@dataclass(frozen=True)
class Turn:
    """A question and what became of it."""

    question: str
    model: str = ""
    seed: int = 0
    id: int = 0
    created: float = 0.0  # seconds since the epoch
    reasoning: str = ""
    answer: str = ""  # the visible text
    status: TurnStatus = "writing"  # "writing" although nobody does: it was interrupted
    note: str = ""  # what the user should know of how it ended
    tokens: int = 0
    reasoning_tokens: int = 0
    seconds: float = 0.0
    reasoning_seconds: float = 0.0


class Store:
    """The conversations. For one thread; open one Store per thread.

    Raises UsageError if the file cannot be used, or cannot be written: a full disk, another instance's lock.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")  # a killed process loses nothing; a power cut, a moment
            self._migrate()
        except (OSError, sqlite3.Error) as error:
            raise UsageError(
                f"The conversations in {path} cannot be used ({error}): move the file away, or set VIBE_HOME."
            ) from error

    def _migrate(self) -> None:
        with self._transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise sqlite3.DatabaseError("it was written by a newer version of this program")
            if version < 1:
                for statement in _statements(SCHEMA):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One that has the write lock from its beginning, so that it can wait for it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk has ended it already
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._transaction() as db:
                yield db
        except sqlite3.Error as error:
            raise UsageError(f"The conversation cannot be kept in {self._path}: {error}.") from error

    def close(self) -> None:
        self._db.close()

    # Writing

    def begin(self, turn: Turn, conversation: int | None) -> tuple[int, int]:
        """Note a question, in a new conversation if there is none; returns the ids of conversation and turn."""
        now = self._clock()
        with self._writing() as db:
            known = db.execute("SELECT 1 FROM conversation WHERE id = ?", [conversation]).fetchone()
            if conversation is None or not known:  # or deleted elsewhere meanwhile
                conversation = _id(
                    db.execute(
                        "INSERT INTO conversation (title, created, updated) VALUES (?, ?, ?)",
                        [title(turn.question), now, now],
                    )
                )
            db.execute("UPDATE conversation SET updated = ? WHERE id = ?", [now, conversation])
            added = db.execute(
                "INSERT INTO turn (conversation, created, model, seed, question) VALUES (?, ?, ?, ?, ?)",
                [conversation, now, turn.model, turn.seed, turn.question],
            )
            return conversation, _id(added)

    def append(self, turn: int, pieces: list[tuple[bool, str]]) -> None:
        """Keep what was written since the last call: pairs of (whether reasoning, text)."""
        with self._writing() as db:
            if db.execute("SELECT 1 FROM turn WHERE id = ?", [turn]).fetchone():  # else: deleted elsewhere meanwhile
                db.executemany(
                    "INSERT INTO piece (turn, reasoning, text) VALUES (?, ?, ?)",
                    [(turn, reasoning, text) for reasoning, text in pieces],
                )

    def replace(self, turn: int, pieces: list[tuple[bool, str]]) -> None:
        """Keep these pieces instead of all that were there: what was shown has turned out to be something else."""
        with self._writing() as db:
            db.execute("DELETE FROM piece WHERE turn = ?", [turn])
        self.append(turn, pieces)

    def finish(self, turn: Turn) -> None:
        """Keep a turn's end; what it says replaces the pieces."""
        with self._writing() as db:
            db.execute(
                "UPDATE turn SET model = ?, reasoning = ?, answer = ?, status = ?, note = ?, tokens = ?, "
                "reasoning_tokens = ?, seconds = ?, reasoning_seconds = ? WHERE id = ?",
                [
                    *(
                        turn.model,
                        turn.reasoning,
                        turn.answer,
                        turn.status,
                        turn.note,
                        turn.tokens,
                        turn.reasoning_tokens,
                    ),
                    *(turn.seconds, turn.reasoning_seconds, turn.id),
                ],
            )
            db.execute("DELETE FROM piece WHERE turn = ?", [turn.id])
            db.execute(
                "UPDATE conversation SET updated = ? WHERE id = (SELECT conversation FROM turn WHERE id = ?)",
                [self._clock(), turn.id],
            )

    def remove_turn(self, turn: int) -> None:
        with self._writing() as db:
            db.execute("DELETE FROM turn WHERE id = ?", [turn])

    def rename(self, conversation: int, name: str) -> None:
        with self._writing() as db:
            db.execute("UPDATE conversation SET title = ? WHERE id = ?", [title(name), conversation])

    def delete(self, conversation: int) -> None:
        with self._writing() as db:
            db.execute("DELETE FROM conversation WHERE id = ?", [conversation])

    # Reading

    def turns(self, conversation: int) -> list[Turn]:
        """All turns, the oldest first; one that was interrupted with what was kept of it."""
        rows = self._db.execute(
            "SELECT question, model, seed, id, created, reasoning, answer, status, note, tokens, reasoning_tokens, "
            "seconds, reasoning_seconds FROM turn WHERE conversation = ? ORDER BY id",
            [conversation],
        ).fetchall()
        turns = [Turn(*row) for row in rows]
        return [self._with_pieces(turn) if turn.status == "writing" else turn for turn in turns]

    def _with_pieces(self, turn: Turn) -> Turn:
        pieces = self._db.execute("SELECT reasoning, text FROM piece WHERE turn = ? ORDER BY id", [turn.id]).fetchall()
        reasoning = "".join(text for thought, text in pieces if thought)
        answer = "".join(text for thought, text in pieces if not thought)
        return Turn(turn.question, turn.model, turn.seed, turn.id, turn.created, reasoning.strip(), answer.strip())

    def listed(self, conversation: int) -> Listed | None:
        """One conversation as a list has it; None if it is gone."""
        row = self._db.execute(f"{_LISTED} WHERE c.id = ?", [conversation]).fetchone()
        return Listed(*row) if row else None

    def recent(self) -> list[Listed]:
        """The conversations last written to."""
        return [Listed(*row) for row in self._db.execute(f"{_LISTED} ORDER BY c.updated DESC LIMIT {LISTED}")]

    def questions(self, most: int = 200) -> list[str]:
        """What was asked lately, the oldest first."""
        rows = self._db.execute("SELECT question FROM turn ORDER BY id DESC LIMIT ?", [most]).fetchall()
        return [question for (question,) in reversed(rows)]

    def count(self) -> int:
        (count,) = self._db.execute("SELECT count(*) FROM conversation").fetchone()
        return int(count)

    def search(self, text: str) -> list[Listed]:
        """The conversations whose title, questions or answers have all these words, the last perhaps only begun."""
        words = text.replace('"', " ").replace("\0", " ").split()
        if not words:
            return self.recent()
        query = " ".join(f'"{word}"' for word in words) + "*" * (len(words[-1]) > 1)  # one letter begins too much
        like = "%" + "%".join(re.sub(r"([\\%_])", r"\\\1", word) for word in words) + "%"
        found = self._db.execute(_SEARCH, {"query": query, "like": like}).fetchall()
        return [
            Listed(id, name, updated, turns, self._excerpt(turn, query) if turn else "")
            for id, name, updated, turns, turn in found
        ]

    def _excerpt(self, turn: int, query: str) -> str:
        row = self._db.execute(
            "SELECT snippet(words, -1, '', '', '…', 12) FROM words WHERE rowid = ? AND words MATCH ?", [turn, query]
        ).fetchone()
        return " ".join(row[0].split()) if row else ""


_LISTED = (
    "SELECT c.id, c.title, c.updated, (SELECT count(*) FROM turn t WHERE t.conversation = c.id) FROM conversation c"
)
_SEARCH = f"""
WITH found AS (
    SELECT t.conversation AS id, max(t.id) AS turn
    FROM (SELECT rowid FROM words WHERE words MATCH :query ORDER BY rowid DESC LIMIT {5 * LISTED}) w
    JOIN turn t ON t.id = w.rowid GROUP BY t.conversation
)
SELECT c.id, c.title, c.updated, (SELECT count(*) FROM turn t WHERE t.conversation = c.id), found.turn
FROM conversation c LEFT JOIN found ON found.id = c.id
WHERE found.id IS NOT NULL OR c.title LIKE :like ESCAPE '\\'
ORDER BY c.updated DESC LIMIT {LISTED}
"""


def title(text: str) -> str:
    """A conversation's name: the first line that says something, cut at a word."""
    line = next((" ".join(line.split()) for line in text.splitlines() if line.strip()), "Untitled")
    if len(line) <= TITLE:
        return line
    cut = line[: TITLE - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut[TITLE // 2 :] else cut).rstrip() + "…"


def _id(inserted: sqlite3.Cursor) -> int:
    assert inserted.lastrowid is not None
    return inserted.lastrowid


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, which executescript would run outside the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
