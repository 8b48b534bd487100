"""What can still be read of a damaged database, put into a new one.

A file is read in several ways, and the way that finds most turns counts: as it is, with its log; without its log; and
with a new first page, where the tables begin, since those of our files are all the same.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vibethinker_local.tui.store.schema import VERSION, Unreadable, migrate
from vibethinker_local.tui.store.turns import COLUMNS, moment, number, row_of, text, title, turn_of

SECONDS = 5.0  # at most, for looking for rows one by one
MOST_PROBED = 100_000  # rows
MOST_MENDED = 1 << 30  # bytes of a file that is read into memory
PAGE = 4096  # bytes
Row = dict[str, object]


@dataclass(frozen=True)
class Salvage:
    """The rows of a damaged database, by tables, and how many turns are known to have been there and are not."""

    conversations: list[Row] = field(default_factory=list)
    turns: list[Row] = field(default_factory=list)
    pieces: list[Row] = field(default_factory=list)
    drafts: list[Row] = field(default_factory=list)
    lost: int = 0

    def write(self, db: sqlite3.Connection) -> None:
        """Put it into an empty database of this version, with the same ids. Raises sqlite3.Error."""
        known = set[int]()
        for row in self.conversations:
            id, name = number(row["id"]), text(row.get("title")) or "Untitled"
            created, updated, head = moment(row.get("created")), moment(row.get("updated")), number(row.get("head"))
            _insert(db, "conversation", id=id, title=name, created=created, updated=updated, head=head or None)
            known.add(id)
        last: dict[int, int] = {}  # turn of a conversation
        for row in self.turns:
            turn, conversation = turn_of(row), number(row.get("conversation"))
            if conversation not in known:  # its own row is lost
                name, made = title(turn.question), turn.created
                _insert(db, "conversation", id=conversation, title=name, created=made, updated=made)
                known.add(conversation)
            parent = turn.parent if "parent" in row else last.get(conversation, 0)  # before there were branches
            last[conversation] = turn.id
            _insert(db, "turn", **row_of(turn) | {"conversation": conversation, "parent": parent})
        turns = {number(row["id"]) for row in self.turns}
        for row in self.pieces:
            if (of := number(row.get("turn"))) in turns:
                reasoning, part = number(row.get("reasoning")), text(row.get("text"))
                _insert(db, "piece", id=row["id"], turn=of, reasoning=reasoning, text=part)
        for row in self.drafts:
            if isinstance(written := row.get("text"), str):  # else of another table, where an earlier version has it
                _insert(db, "draft", id=row["id"], created=moment(row.get("created")), text=written)


def salvage(path: Path) -> Salvage:
    """What can be read of a file. Never fails."""
    best, until = Salvage(), time.monotonic() + SECONDS
    for source in _sources(path):
        with closing(source):
            source.text_factory = text
            found = _read(source, until)
        if len(found.turns) > len(best.turns):
            best = found
            if not found.lost:
                break
    return best


def _sources(path: Path) -> Iterator[sqlite3.Connection]:
    for way in ("mode=ro", "immutable=1"):
        with suppress(sqlite3.Error):
            yield sqlite3.connect(f"{path.absolute().as_uri()}?{way}", uri=True)
    with suppress(*Unreadable, OSError, AttributeError):  # some builds cannot take an image
        image = sqlite3.connect(":memory:")
        image.deserialize(_mended(path))
        yield image


def _mended(path: Path) -> bytes:
    """A file's image with the first page that a new file would have. Raises OSError, or what is Unreadable."""
    if path.stat().st_size > MOST_MENDED:
        raise MemoryError
    data = path.read_bytes()
    version = int.from_bytes(data[60:64], "big")
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as new:
        migrate(new, version if 0 < version < VERSION else VERSION)
        empty = new.serialize()
    data += empty[len(data) :]  # a table that begins behind the end would make all others unreadable, too
    data += bytes(-len(data) % PAGE)
    return empty[:28] + (len(data) // PAGE).to_bytes(4, "big") + empty[32:PAGE] + data[PAGE:]


def _read(db: sqlite3.Connection, until: float) -> Salvage:
    turns = _rows(db, "turn", ("conversation", *COLUMNS), until)
    there = {number(row["id"]) for row in turns}
    return Salvage(
        _rows(db, "conversation", ("title", "created", "updated", "head"), until),
        turns,
        _rows(db, "piece", ("turn", "reasoning", "text"), until),
        _rows(db, "draft", ("created", "text"), until),
        len(_indexed(db) - there),
    )


def _insert(db: sqlite3.Connection, table: str, **values: object) -> None:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))


def _rows(db: sqlite3.Connection, table: str, wanted: Sequence[str], until: float) -> list[Row]:
    """All rows that can be read, in the order of their ids: from either end, then one by one between."""
    there = {row[1] for row in _walk(db, f"PRAGMA table_info({table})")[0]}
    columns = ["id", *(name for name in wanted if name != "id" and name in there)]
    query = f"SELECT {', '.join(columns)} FROM {table} NOT INDEXED"
    forward, whole = _walk(db, f"{query} ORDER BY id")
    rows: list[Row] = [dict(zip(columns, row, strict=True)) for row in forward]
    if not whole:
        low = forward[-1][0] if forward else 0
        rest, _ = _walk(db, f"{query} WHERE id > {low} ORDER BY id DESC")
        end = rest[-1][0] if rest else max(_indexed(db), default=low) + 1
        for id in range(low + 1, min(end, low + MOST_PROBED)):
            if time.monotonic() > until:
                break
            rows += _row(db, table, columns, id)
        rows += [dict(zip(columns, row, strict=True)) for row in rest[::-1]]
    found = {number(row["id"]): row for row in reversed(rows)}  # of two with one id, the first
    return [found[id] for id in sorted(found) if id > 0]


def _row(db: sqlite3.Connection, table: str, columns: Sequence[str], id: int) -> list[Row]:
    """One row, without the columns that cannot be read; none if that is all of them."""
    row: Row = {}
    for name in columns:  # what is long lies on pages of its own
        if found := _walk(db, f"SELECT {name} FROM {table} NOT INDEXED WHERE id = {id}")[0]:
            row[name] = found[0][0]
    return [{"id": id} | row] if len(row) > 1 else []


def _indexed(db: sqlite3.Connection) -> set[int]:
    """The turns that the index knows of."""
    return {id for (id,) in _walk(db, "SELECT id FROM turn INDEXED BY turn_conversation")[0] if isinstance(id, int)}


def _walk(db: sqlite3.Connection, query: str) -> tuple[list[Any], bool]:
    """The rows of a query up to the first that cannot be read, and whether there is no such row."""
    rows = []
    try:
        for row in db.execute(query):
            rows.append(row)  # noqa: PERF402 - those before an error count
    except Unreadable:
        return rows, False
    return rows, True
