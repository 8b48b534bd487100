"""The conversations: what is written into them, what is read, listed and found.

A turn that is being written grows by pieces, one short transaction each; its end folds them into the turn. So a process
that is killed loses no more than it had not handed over yet, and another instance reads what is there at any moment.

A conversation is a tree. An answer that is asked for again, or a question that is changed, makes a further version of
a turn, which follows the same one; of each turn's versions one is shown, and `head` is the last turn of that branch.
"""

import re
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import whitespace

from vibethinker_local.errors import UsageError
from vibethinker_local.system.terminal import whole
from vibethinker_local.tui.store.database import Database, is_sound
from vibethinker_local.tui.store.turns import COLUMNS, Turn, moment, name_of, number, row_of, text, title, turn_of

LISTED = 200  # conversations that a list holds at most; the rest is found by searching
DRAFTS = 20  # that are kept at most
SEARCHED = 1000  # characters of what is looked for, at most: SQLite refuses the search for a thousand words


@dataclass(frozen=True)
class Listed:
    """A conversation in a list."""

    id: int
    title: str
    updated: float  # seconds since the epoch
    turns: int
    excerpt: str = ""  # what a search found in it


class Store:
    """For one thread; open one Store per thread. A file that cannot be used is dealt with by `database`.

    What writes raises UsageError if the disk is full, or another instance does not let go of it.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Raises UsageError if there is no SQLite at all."""
        self._clock = clock
        self._db = Database(path)

    def take_notices(self) -> list[str]:
        """What the user should know of the file, each sentence once."""
        notices, self._db.notices = self._db.notices, []
        return notices

    def is_sound(self) -> bool:
        """Look for damage that reading does not stumble over; on any thread. False: `renew` is due."""
        return is_sound(self._db.path)

    def renew(self) -> None:
        """Set the file aside and go on with what can be read of it."""
        self._db.renew()

    @property
    def path(self) -> Path:
        return self._db.path

    @property
    def in_memory(self) -> bool:
        """Whether nothing outlives the chat, as the file cannot be used."""
        return self._db.in_memory

    def close(self) -> None:
        self._db.close()

    # Writing

    def begin(self, turn: Turn, conversation: int | None) -> tuple[int, int]:
        """Note a question behind its parent, in a new conversation if there is none; returns the ids of both."""
        now = self._clock()
        name = whole(name_of(turn))
        end = self._end(conversation) if conversation and turn.parent is None else 0

        def change(db: sqlite3.Connection) -> tuple[int, int]:
            known = db.execute("SELECT 1 FROM conversation WHERE id = ?", [conversation]).fetchone()
            if conversation is not None and known:  # and not deleted elsewhere meanwhile
                of, parent = conversation, end if turn.parent is None else turn.parent
            else:
                query = "INSERT INTO conversation (title, created, updated) VALUES (?, ?, ?)"
                of, parent = _id(db.execute(query, [name, now, now])), 0
            values = row_of(replace(turn, created=now, parent=parent)) | {"conversation": of, "id": None}
            names, marks = ", ".join(values), ", ".join("?" * len(values))
            added = _id(db.execute(f"INSERT INTO turn ({names}) VALUES ({marks})", list(values.values())))
            db.execute("DELETE FROM draft WHERE trim(text, ?) = ?", [whitespace, values["question"]])
            db.execute("UPDATE conversation SET updated = ?, head = ? WHERE id = ?", [now, added, of])
            return of, added

        return self._db.write(change)

    def append(self, turn: int, pieces: Sequence[tuple[bool, str]]) -> None:
        """Keep what was written since the last call: pairs of (whether reasoning, text)."""
        self._db.write(lambda db: _append(db, turn, pieces))

    def replace(self, turn: int, pieces: Sequence[tuple[bool, str]]) -> None:
        """Keep these pieces instead of all that were there: what was shown has turned out to be something else."""

        def change(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM piece WHERE turn = ?", [turn])
            _append(db, turn, pieces)

        self._db.write(change)

    def reopen(self, turn: Turn) -> None:
        """Let a turn be written again, from what there is of it on. Raises UsageError if there is more by now."""
        now = self._read([turn.id])
        if now and (now[0].reasoning, now[0].answer) != (whole(turn.reasoning), whole(turn.answer)):
            raise UsageError("Another chat is writing this answer, or has: open the conversation again to read it.")

        def change(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM piece WHERE turn = ?", [turn.id])
            pieces = [(turn.id, True, whole(turn.reasoning)), (turn.id, False, whole(turn.answer))]
            db.executemany("INSERT INTO piece (turn, reasoning, text) VALUES (?, ?, ?)", pieces)
            db.execute("UPDATE turn SET status = 'writing' WHERE id = ?", [turn.id])

        self._db.write(change)

    def finish(self, turn: Turn) -> None:
        """Keep a turn's end; what it says replaces the pieces."""
        values = row_of(turn)
        for name in ("id", "question", "created", "parent", "attachments"):
            del values[name]

        def change(db: sqlite3.Connection) -> None:
            names = ", ".join(f"{name} = ?" for name in values)
            db.execute(f"UPDATE turn SET {names} WHERE id = ?", [*values.values(), turn.id])
            db.execute("DELETE FROM piece WHERE turn = ?", [turn.id])
            db.execute(
                "UPDATE conversation SET updated = ? WHERE id = (SELECT conversation FROM turn WHERE id = ?)",
                [self._clock(), turn.id],
            )

        self._db.write(change)

    def keep_draft(self, draft: int | None, written: str) -> int | None:
        """Keep what a chat has not asked yet in place of what was kept under this id; returns its id, None for ""."""
        row = (draft, self._clock(), whole(written))

        def change(db: sqlite3.Connection) -> int | None:
            if not written:
                db.execute("DELETE FROM draft WHERE id = ?", [draft])
                return None
            kept = _id(db.execute("INSERT OR REPLACE INTO draft (id, created, text) VALUES (?, ?, ?)", row))
            db.execute("DELETE FROM draft WHERE id <= ?", [kept - DRAFTS])
            return kept

        return self._db.write(change)

    def show(self, conversation: int, turn: int) -> None:
        """Show the branch that a turn is in, as far as it goes: of what follows, the newest."""
        tree = self._tree(conversation)
        if turn in tree.parents:
            head = tree.end(turn)
            self._db.write(lambda db: db.execute("UPDATE conversation SET head = ? WHERE id = ?", [head, conversation]))

    def rename(self, conversation: int, name: str) -> None:
        name = whole(title(name))
        self._db.write(lambda db: db.execute("UPDATE conversation SET title = ? WHERE id = ?", [name, conversation]))

    def delete(self, conversation: int) -> None:
        self._db.write(lambda db: db.execute("DELETE FROM conversation WHERE id = ?", [conversation]))

    # Reading

    def turns(self, conversation: int) -> list[Turn]:
        """The turns of the branch that is shown, the oldest first; of one that was interrupted, what was kept of it."""
        tree = self._tree(conversation)
        turns = self._read(tree.branch(self._head(conversation)))
        return [replace(turn, versions=tree.versions(turn.id)) for turn in turns]

    def all_turns(self, conversation: int) -> list[Turn]:
        """The turns of all branches, in the order in which they were asked."""
        tree = self._tree(conversation)
        return [replace(turn, versions=tree.versions(turn.id)) for turn in self._read(list(tree.parents))]

    def versions(self, turn: int) -> tuple[int, ...]:
        """The turns that follow the same one as this does, in the order in which they were asked."""
        query = "SELECT b.id FROM turn a JOIN turn b ON b.conversation = a.conversation AND b.parent = a.parent"
        return tuple(number(id) for (id,) in self._db.read(f"{query} WHERE a.id = ? ORDER BY b.id", [turn]))

    def _end(self, conversation: int) -> int:
        """The last turn of the branch that is shown; 0 if there is none."""
        return (self._tree(conversation).branch(self._head(conversation)) or [0])[-1]

    def _head(self, conversation: int) -> int:
        rows = self._db.read("SELECT head FROM conversation WHERE id = ?", [conversation])
        return number(rows[0][0]) if rows else 0

    def _tree(self, conversation: int) -> "_Tree":
        rows = self._db.read("SELECT id, parent FROM turn WHERE conversation = ? ORDER BY id", [conversation])
        return _Tree({id: number(parent) for id, parent in rows if id > 0})

    def _read(self, ids: Sequence[int]) -> list[Turn]:
        turns = []
        for id in ids:  # each by itself, so that one that cannot be read costs no other
            for row in self._db.read(f"SELECT {', '.join(COLUMNS)} FROM turn WHERE id = ?", [id]):
                turn = turn_of(dict(zip(COLUMNS, row, strict=True)))
                turns.append(self._with_pieces(turn) if turn.status == "writing" else turn)
        return turns

    def _with_pieces(self, turn: Turn) -> Turn:
        pieces = self._db.read("SELECT reasoning, text FROM piece WHERE turn = ? ORDER BY id", [turn.id])
        reasoning = "".join(text(piece) for thought, piece in pieces if thought)
        answer = "".join(text(piece) for thought, piece in pieces if not thought)
        return replace(turn, reasoning=reasoning.strip(), answer=answer.strip())

    def listed(self, conversation: int) -> Listed | None:
        """One conversation as a list has it; None if it is gone."""
        rows = self._db.read(f"{_LISTED} WHERE c.id = ?", [conversation])
        return _listed(*rows[0]) if rows else None

    def recent(self, most: int = LISTED) -> list[Listed]:
        """The conversations last written to."""
        return [_listed(*row) for row in self._db.read(f"{_LISTED} ORDER BY c.updated DESC LIMIT ?", [most])]

    def history(self, most: int = 200) -> list[tuple[str, bool]]:
        """What was asked lately and what was written and never asked, the oldest first; with each, whether it was."""
        asked = self._db.read("SELECT question, created, 1 FROM turn ORDER BY id DESC LIMIT ?", [most])[::-1]
        drafts = self._db.read("SELECT text, created, 0 FROM draft ORDER BY id")
        rows = sorted([*asked, *drafts], key=lambda row: moment(row[1]))
        return [(text(written), bool(sent)) for written, _, sent in rows]

    def count(self) -> int:
        rows = self._db.read("SELECT count(*) FROM conversation")
        return number(rows[0][0]) if rows else 0

    def search(self, words: str) -> list[Listed]:
        """The conversations whose title, questions or answers have all these words, the last perhaps only begun."""
        wanted = whole(words[:SEARCHED]).replace('"', " ").replace("\0", " ").split()
        if not wanted:
            return self.recent()
        query = " ".join(f'"{word}"' for word in wanted) + "*" * (len(wanted[-1]) > 1)  # one letter begins too much
        parts = [re.sub(r"([\\%_])", r"\\\1", word) for word in wanted]
        values = {"query": query, "like": f"%{'%'.join(parts)}%"}
        among = _INDEXED
        if _UNSPACED.search(words):
            within = {f"part{at}": f"%{part}%" for at, part in enumerate(parts)}
            among, values = _WITHIN.format(" AND ".join(map(_HAS.format, within))), values | within
        found = self._db.read(_SEARCH.format(among), values)
        return [
            _listed(id, name, updated, turns, self._excerpt(turn, query, wanted[-1]) if turn else "")
            for id, name, updated, turns, turn in found
        ]

    def _excerpt(self, turn: int, query: str, word: str) -> str:
        snippet = "SELECT snippet(words, -1, '', '', '…', 12) FROM words WHERE rowid = ? AND words MATCH ?"
        rows = self._db.read(snippet, [turn, query]) or self._db.read(_AROUND, {"turn": turn, "word": word})
        return " ".join(text(rows[0][0]).split()) if rows else ""


class _Tree:
    """Which turn follows which. Where the one before is missing, the next older one is it: no branch gets lost."""

    def __init__(self, parents: Mapping[int, int]) -> None:
        """`parents` has the turn that each one follows, the oldest first; 0 for none."""
        self.parents: dict[int, int] = {}
        self._following: dict[int, list[int]] = defaultdict(list)
        older = 0
        for id, parent in parents.items():
            self.parents[id] = parent if parent == 0 or parent in self.parents else older
            self._following[self.parents[id]].append(id)
            older = id

    def versions(self, turn: int) -> tuple[int, ...]:
        return tuple(self._following[self.parents[turn]]) if turn in self.parents else ()

    def end(self, turn: int) -> int:
        """The last turn of the branch that goes on from one."""
        while self._following[turn]:
            turn = self._following[turn][-1]
        return turn

    def branch(self, head: int) -> list[int]:
        """The turns from the first to the head, or to the newest one if there is no such head."""
        at = head if head in self.parents else max(self.parents, default=0)
        found = []
        while at:
            found.append(at)
            at = self.parents[at]
        return found[::-1]


_LISTED = (
    "SELECT c.id, c.title, c.updated, (SELECT count(*) FROM turn t WHERE t.conversation = c.id) FROM conversation c"
)
# Scripts without spaces between words, of which the index knows no parts: Thai to Khmer, kana, Chinese characters.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")
_INDEXED = f"""
SELECT t.conversation AS id, max(t.id) AS turn
FROM (SELECT rowid FROM words WHERE words MATCH :query ORDER BY rowid DESC LIMIT {5 * LISTED}) w
JOIN turn t ON t.id = w.rowid GROUP BY t.conversation
"""
_WITHIN = "SELECT conversation AS id, max(id) AS turn FROM turn WHERE {} GROUP BY conversation"
_HAS = "(question || ' ' || answer) LIKE :{} ESCAPE '\\'"
_AROUND = (
    "SELECT substr(answer, max(1, instr(answer, :word) - 20), 60) FROM turn WHERE id = :turn AND instr(answer, :word)"
)
_SEARCH = f"""
WITH found AS ({{}})
SELECT c.id, c.title, c.updated, (SELECT count(*) FROM turn t WHERE t.conversation = c.id), found.turn
FROM conversation c LEFT JOIN found ON found.id = c.id
WHERE found.id IS NOT NULL OR c.title LIKE :like ESCAPE '\\'
ORDER BY c.updated DESC LIMIT {LISTED}
"""


def _listed(id: int, name: object, updated: object, turns: object, excerpt: str = "") -> Listed:
    return Listed(id, text(name), moment(updated), number(turns), excerpt)


def _append(db: sqlite3.Connection, turn: int, pieces: Sequence[tuple[bool, str]]) -> None:
    if db.execute("SELECT 1 FROM turn WHERE id = ?", [turn]).fetchone():  # else: deleted elsewhere meanwhile
        db.executemany(
            "INSERT INTO piece (turn, reasoning, text) VALUES (?, ?, ?)",
            [(turn, reasoning, whole(text)) for reasoning, text in pieces],
        )


def _id(inserted: sqlite3.Cursor) -> int:
    assert inserted.lastrowid is not None
    return inserted.lastrowid
