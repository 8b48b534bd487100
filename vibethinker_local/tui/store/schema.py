"""The tables, and how those of earlier versions become these."""

import sqlite3
from collections.abc import Iterator

STEPS = [  # from each version to the next
    """
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
""",
    # A conversation is a tree: an answer that is asked for again stands beside the one before. `head` is the last turn
    # of the branch that is shown; the first turns have the parent 0.
    """
ALTER TABLE conversation ADD COLUMN head INTEGER;
ALTER TABLE turn ADD COLUMN parent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE turn ADD COLUMN quant TEXT NOT NULL DEFAULT '';
ALTER TABLE turn ADD COLUMN finish TEXT NOT NULL DEFAULT '';
ALTER TABLE turn ADD COLUMN attachments TEXT NOT NULL DEFAULT '';
ALTER TABLE turn ADD COLUMN vote TEXT NOT NULL DEFAULT '';
UPDATE turn SET parent = coalesce(
    (SELECT max(t.id) FROM turn t WHERE t.conversation = turn.conversation AND t.id < turn.id), 0
);
""",
    # What a chat has in its prompt, or waiting, and has not asked yet.
    """
CREATE TABLE draft (id INTEGER PRIMARY KEY AUTOINCREMENT, created REAL NOT NULL, text TEXT NOT NULL);
""",
]
VERSION = len(STEPS)
# What reading a damaged file may end in: also sizes that make no sense, and messages that quote what is no text; and
# numbers that are too large for any column.
Unreadable = (sqlite3.Error, MemoryError, UnicodeError, OverflowError)


class Newer(sqlite3.DatabaseError):
    """A file of a later version of this program."""


def migrate(db: sqlite3.Connection, to: int = VERSION) -> None:
    """Bring a database to a version, inside a transaction. Raises what is Unreadable, Newer too."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version == to:
        return
    if tables(db) and is_whole(db):
        pass  # it is of this version; the number alone is damaged
    elif version > to:
        raise Newer("it was written by a newer version of this program")
    else:
        for step in STEPS[max(0, version) : to]:
            for statement in _statements(step):
                db.execute(statement)
    db.execute(f"PRAGMA user_version = {to}")


def tables(db: sqlite3.Connection) -> dict[str, str]:
    """What there is, by name, with the statements that made it."""
    return dict(db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall())


def is_whole(db: sqlite3.Connection) -> bool:
    """Whether all tables are those of this version. Raises sqlite3.Error."""
    ours = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(ours)
        return tables(ours) == tables(db)
    finally:
        ours.close()


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, which executescript would run outside the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
