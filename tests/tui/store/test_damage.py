"""Conversations in a file that is damaged, cannot be written, or is another's: the chat starts, and says so."""

import os
import random
import sqlite3
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from vibethinker_local.errors import UsageError
from vibethinker_local.tui.store import Attachment, Store, Turn, database
from vibethinker_local.tui.store.database import Database
from vibethinker_local.tui.store.schema import STEPS, VERSION

WORDS = "prime divisor sum of all integers n with 2 and 3 apples Ann Tom gives modulo remainder so we get".split()
CASES = range(300)
FEW = 24  # of them by default


@pytest.fixture(scope="module")
def conversations(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of some dozen pages: long and short turns, branches, an attachment, a turn that was being written."""
    path, choice = tmp_path_factory.mktemp("chat") / "chat.db", random.Random(1)

    def text(most: int) -> str:
        return " ".join(choice.choices(WORDS, k=choice.randint(1, most)))

    store = Store(path, clock=lambda: 1_700_000_000.0)
    for _ in range(10):
        conversation = None
        for _ in range(choice.randint(1, 6)):
            question, attachments = text(30), (Attachment("a.txt", text(300)),) * choice.randint(0, 1)
            asked = Turn(question, "mini", attachments=attachments, parent=choice.choice([None, None, 0]))
            conversation, turn = store.begin(asked, conversation)
            store.append(turn, [(True, text(20)), (False, text(20))])
            if choice.random() < 0.9:
                store.finish(Turn(question, "mini", 7, turn, 0, text(900), text(300), "answered", tokens=500))
    store.close()
    return path.read_bytes()


def corrupted(data: bytes, choice: random.Random) -> bytes:
    """The same with one thing wrong."""
    found, at = bytearray(data), choice.randrange(len(data))
    match choice.choice(["byte", "byte", "bytes", "page", "block", "cut", "head", "moved"]):
        case "byte":
            found[at] = choice.randrange(256)
        case "bytes":
            for _ in range(20):
                found[choice.randrange(len(data))] = choice.randrange(256)
        case "page":
            found[at // 4096 * 4096 : at // 4096 * 4096 + 4096] = bytes(4096)
        case "block":
            found[at : at + 512] = choice.randbytes(len(found[at : at + 512]))
        case "cut":
            del found[at:]
        case "head":
            found[choice.randrange(100)] = choice.randrange(256)
        case "moved":
            other = choice.randrange(len(data) // 4096) * 4096
            found[at // 4096 * 4096 : at // 4096 * 4096 + 4096] = data[other : other + 4096]
    return bytes(found)


def readable(path: Path) -> set[int]:
    """The turns that SQLite gives, one by one."""
    db, found = sqlite3.connect(path), set()
    db.text_factory = bytes
    for id in range(1, 80):
        with suppress(sqlite3.Error, MemoryError, UnicodeError):
            found |= {id for _ in db.execute("SELECT question, answer, reasoning FROM turn WHERE id = ?", [id])}
    db.close()
    return found


def test_a_damaged_file_locks_nobody_out(conversations: bytes, tmp_path: Path) -> None:
    damaged(conversations, tmp_path, CASES[:FEW])


@pytest.mark.slow
def test_300_damaged_files_lock_nobody_out(conversations: bytes, tmp_path: Path) -> None:
    damaged(conversations, tmp_path, CASES[FEW:])


def damaged(conversations: bytes, folder: Path, cases: range) -> None:
    for case in cases:
        choice = random.Random(case)
        path = folder / f"{case}.db"
        path.write_bytes(corrupted(conversations, choice))
        copy = folder / f"{case}.copy"
        copy.write_bytes(path.read_bytes())
        there, began = readable(copy), time.monotonic()
        store = Store(path)
        if not store.is_sound():
            store.renew()
        for listed in store.recent():
            store.turns(listed.id)
        store.history()
        store.count()
        store.search("prime div")
        conversation, turn = store.begin(Turn("What now?"), None)
        store.append(turn, [(False, "It is 7.")])
        store.finish(Turn("What now?", id=turn, answer="It is 7.", status="answered"))
        assert [turn.answer for turn in store.turns(conversation)] == ["It is 7."]
        for listed in store.recent():
            store.begin(Turn("And now?"), listed.id)
        kept = {turn.id for listed in store.recent() for turn in store.all_turns(listed.id)}
        assert not there - kept, f"{case}: {sorted(there - kept)} of {len(there)} are lost"
        assert time.monotonic() - began < 10
        store.close()
        if aside := list(folder.glob(f"{case}.damaged*.db")):
            assert aside[0].read_bytes()[:4] or not path.read_bytes()


def test_a_byte_that_is_not_utf_8_costs_a_character(conversations: bytes, tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    store = Store(path)
    conversation, _ = store.begin(Turn("What is the remainder?"), None)
    store.close()
    data = path.read_bytes()
    assert data.count(b"What is the remainder?") >= 2  # the title, too
    path.write_bytes(data.replace(b"What is the", b"What is t\xffe"))
    store = Store(path)
    assert [turn.question for turn in store.turns(conversation)] == ["What is t�e remainder?"]
    assert store.history() == [("What is t�e remainder?", True)]
    assert [found.title for found in store.search("remainder")] == ["What is t�e remainder?"]
    assert store.take_notices() == []


def test_a_file_that_is_none_of_ours_is_set_aside(tmp_path: Path) -> None:
    path, junk = tmp_path / "chat.db", b"not a database, but long enough to be taken for one" * 99
    for number in ("", "-2"):
        path.write_bytes(junk)
        (tmp_path / "chat.db.new").write_bytes(junk)  # as of one who was killed in the middle of this
        store = Store(path)
        aside = tmp_path / f"chat.damaged{number}.db"
        (notice,) = store.take_notices()
        assert notice == f"chat.db was damaged: 0 of its turns could be read. The damaged file is now {aside}."
        assert aside.read_bytes() == junk
        store.begin(Turn("Q"), None)
        store.close()
        assert Store(path).count() == 1


def test_a_file_whose_end_or_beginning_is_lost_is_mended(conversations: bytes, tmp_path: Path) -> None:
    for name, data in {"end": conversations[:-4096], "beginning": bytes(4096) + conversations[4096:]}.items():
        path = tmp_path / f"{name}.db"
        path.write_bytes(data)
        there = readable(path)
        assert not there
        store = Store(path)
        assert len(store.recent()) >= 9
        assert sum(len(store.all_turns(listed.id)) for listed in store.recent()) >= 30


def test_what_is_damaged_while_the_chat_runs_is_set_aside_too(conversations: bytes, tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    path.write_bytes(conversations)
    store = Store(path)
    before = [store.all_turns(listed.id) for listed in store.recent()]
    with path.open("r+b") as file:  # the pages of the index of words
        for page in range(1, len(conversations) // 4096):
            if b"prime" in conversations[page * 4096 : page * 4096 + 4096]:
                continue
            file.seek(page * 4096)
            file.write(b"\xff" * 100)
    store._db._db.execute("PRAGMA cache_size = 0")
    conversation, _ = store.begin(Turn("Q"), None)
    assert (tmp_path / "chat.damaged.db").exists()
    assert "was damaged" in store.take_notices()[0]
    assert store.take_notices() == []
    assert [turn.question for turn in store.turns(conversation)] == ["Q"]
    assert before


def test_a_file_of_a_newer_version_is_read_and_left_alone(conversations: bytes, tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    path.write_bytes(conversations)
    newer = sqlite3.connect(path)
    newer.execute("ALTER TABLE turn ADD COLUMN more TEXT")
    newer.execute(f"PRAGMA user_version = {VERSION + 1}")
    newer.close()
    data = path.read_bytes()
    store = Store(path)
    (notice,) = store.take_notices()
    assert notice.startswith(f"Nothing is saved: {path} cannot be used (it was written by a newer version of this")
    assert notice.endswith("can be read. Update this program, or set VIBE_HOME.")
    assert store.count() == 10
    store.begin(Turn("Q"), None)
    assert store.count() == 11
    store.close()
    assert path.read_bytes() == data


def test_a_file_that_another_holds_is_read_and_written_when_it_is_let_go(
    conversations: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "chat.db"
    path.write_bytes(conversations)
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store = Store(path)
    assert (store.count(), store.in_memory, store.take_notices()) == (10, False, [])
    for _ in range(2):
        with pytest.raises(UsageError, match="database is locked"):
            store.begin(Turn("Q"), None)
    assert store._db._db.execute("PRAGMA busy_timeout").fetchone() == (20,)
    other.execute("COMMIT")
    store.begin(Turn("Q"), None)
    assert store._db._db.execute("PRAGMA busy_timeout").fetchone() == (10,)
    assert Store(path).count() == 11
    other.execute("PRAGMA user_version = 1")  # has to be brought up to date, for which it must be free
    other.execute("BEGIN IMMEDIATE")
    (notice,) = Store(path).take_notices()
    assert notice.endswith("(database is locked). What is in it can be read. Close what uses it, then start again.")
    other.close()


def test_where_nothing_can_be_written_nothing_is_saved(conversations: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "chat.db")  # a folder that cannot be made
    (notice,) = store.take_notices()
    assert notice.startswith("Nothing is saved: ")
    assert notice.endswith(" Free some disk space, or set VIBE_HOME.")
    assert store.in_memory
    conversation, turn = store.begin(Turn("Q"), None)
    store.finish(Turn("Q", id=turn, answer="A", status="answered"))
    assert [turn.answer for turn in store.turns(conversation)] == ["A"]


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a folder that cannot be written")
def test_a_read_only_home_is_read(conversations: bytes, tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    path.write_bytes(conversations)
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        store = Store(path)
        assert store.count() == 10
        assert "What is in it can be read." in store.take_notices()[0]
        store.begin(Turn("Q"), None)
        assert store.count() == 11
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(sys.platform == "win32", reason="files have no such modes")
def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    path.touch(0o644)
    store = Store(path)
    store.begin(Turn("Q"), None)
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {0o600}
    assert len(list(tmp_path.iterdir())) == 3


def test_conversations_of_the_first_version_are_branches_of_one_each(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    old = sqlite3.connect(path)
    old.executescript(STEPS[0] + "PRAGMA user_version = 1;")
    for conversation in (1, 2):
        old.execute("INSERT INTO conversation VALUES (?, 'title', 1, 1)", [conversation])
    for id, conversation in enumerate([1, 2, 1, 1], 1):
        values = [id, conversation, f"question {id}"]
        old.execute(
            "INSERT INTO turn (id, conversation, created, model, seed, question) VALUES (?, ?, 1, 'm', 7, ?)", values
        )
    old.commit()
    old.close()
    store = Store(path)
    assert [(turn.id, turn.parent, turn.versions) for turn in store.turns(1)] == [
        (1, 0, (1,)),
        (3, 1, (3,)),
        (4, 3, (4,)),
    ]
    assert [turn.question for turn in store.turns(2)] == ["question 2"]
    assert [found.turns for found in store.search("question")] == [3, 1]


def test_a_text_that_cannot_be_written_is_no_damage_of_the_file(tmp_path: Path) -> None:
    database = Database(tmp_path / "chat.db")
    with pytest.raises(UsageError, match="The conversation cannot be kept in"):
        database.write(lambda db: db.execute("SELECT ?", ["\udce9"]))
    assert not database.notices
    assert not list(tmp_path.glob("*damaged*"))
    database.close()
