"""Conversations on disk: what was kept is there again, whoever dies, whoever else writes."""

import itertools
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vibethinker_local.errors import UsageError
from vibethinker_local.tui import export
from vibethinker_local.tui.store import Attachment, Store, Turn, title

HOSTILE = [
    '"',
    "a OR",
    "NEAR(",
    "a AND (b",
    "*",
    "-",
    "col:x",
    "^a",
    "%_\\",
    "\0",
    "🙂",
    "'; DROP TABLE turn; --",
    "{x}",
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    ticks = itertools.count(1_700_000_000)
    return Store(tmp_path / "chat.db", clock=lambda: float(next(ticks)))


def asked(store: Store, question: str, answer: str = "", conversation: int | None = None) -> tuple[int, int]:
    conversation, turn = store.begin(Turn(question, "mini", 7), conversation)
    if answer:
        store.finish(Turn(question, "mini", 7, turn, answer=answer, status="answered", tokens=3))
    return conversation, turn


def test_a_turn_is_there_while_it_is_written(store: Store, tmp_path: Path) -> None:
    conversation, turn = asked(store, "What is 2 + 2?")
    store.append(turn, [(True, "two and "), (True, "two"), (False, "It is ")])
    store.append(turn, [(False, "4.")])
    (seen,) = Store(tmp_path / "chat.db").turns(conversation)
    assert (seen.reasoning, seen.answer, seen.status) == ("two and two", "It is 4.", "writing")
    store.finish(Turn("What is 2 + 2?", "mini", 8, turn, 0, "two and two", "It is 4.", "answered", "", 9, 5, 1.5, 1.0))
    (seen,) = store.turns(conversation)
    assert (seen.reasoning, seen.answer, seen.status, seen.tokens) == ("two and two", "It is 4.", "answered", 9)
    assert seen.seed == 8
    assert store._db.read("SELECT count(*) FROM piece") == [(0,)]
    store.append(turn + 99, [(False, "of a turn that was deleted")])
    other, later = asked(store, "Something else?")
    assert [one.id for one in store.recent()] == [other, conversation]
    store.begin(Turn("And 2 + 3?"), conversation)  # the last one written to, also before there is an answer
    assert [one.id for one in store.recent()] == [conversation, other]
    store.finish(Turn("Something else?", id=later))
    assert [one.id for one in store.recent()] == [other, conversation]


def test_list_search_rename_delete(store: Store) -> None:
    apples, _ = asked(store, "Tom has twelve apples.\nHow many?", "There are twelve apples, plainly.")
    asked(store, "And without Ann's?", "Seven", apples)
    primes, _ = asked(store, "Prove that there are infinitely many primes", "Suppose there were finitely many: Café.")
    assert [(found.title, found.turns) for found in store.recent()] == [
        ("Prove that there are infinitely many primes", 1),
        ("Tom has twelve apples.", 2),
    ]
    assert [found.id for found in store.search("twelve")] == [apples]
    assert [found.id for found in store.search("sup finite")] == []  # only the last word may be begun
    assert [found.id for found in store.search("suppose finit")] == [primes]
    assert [found.id for found in store.search("cafe")] == [primes]
    assert "Café" in store.search("cafe")[0].excerpt
    assert [found.id for found in store.search("  ")] == [primes, apples]
    assert [found.id for found in store.search("many")] == [primes, apples]
    store.rename(primes, " \n Euclid\x1b[2J  and\nmore")
    assert [(found.id, found.title) for found in store.search("eucl")] == [(primes, "Euclid\x1b[2J and")]
    store.delete(apples)
    assert store.turns(apples) == []
    assert store.search("twelve") == []
    assert store.listed(apples) is None
    assert store.listed(10**20) is None
    assert store.count() == 1


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("大于零", ["求解二次方程"]),
        ("方程 零", ["求解二次方程"]),
        ("程", ["求解二次方程"]),
        ("は文 C", ["C++"]),
        ("大 文", []),
        ("%零", []),
        ("ernati", []),
    ],
)
def test_words_are_found_in_scripts_that_put_no_spaces_between_them(store: Store, words: str, found: list[str]) -> None:
    asked(store, "求解二次方程", "判别式大于零。")
    asked(store, "C++", "international. これは文章です")
    assert [one.title for one in store.search(words)] == found
    assert all(words.split()[-1] in one.title + one.excerpt for one in store.search(words))


def test_a_long_text_is_searched_for_by_its_beginning(store: Store) -> None:
    asked(store, "求解二次方程", "判别式大于零。")
    assert [one.title for one in store.search("方程 零 " * 1000)] == ["求解二次方程"]
    assert store.search("判" * 100_000) == []
    assert store.take_notices() == []


def test_an_answer_is_found_anew_after_it_was_replaced(store: Store) -> None:
    conversation, turn = asked(store, "Q", "first")
    store.finish(Turn("Q", "mini", 7, turn, answer="second", status="answered"))
    assert store.search("first") == []
    assert [found.id for found in store.search("second")] == [conversation]


def test_a_deleted_conversation_begins_anew(store: Store) -> None:
    conversation, _ = asked(store, "Q", "A")
    store.delete(conversation)
    asked(store, "Again", "A", conversation)
    assert [found.title for found in store.recent()] == ["Again"]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_searched_for_is_text(store: Store, text: str) -> None:
    asked(store, f"This is {text}", text)
    store.search(text)
    store.search(text * 2)
    assert store.count() == 1
    assert not store.take_notices()


def test_titles() -> None:
    assert title("\n\n  What   is\tthis?\nMore") == "What is this?"
    assert title(" \n") == "Untitled"
    assert len(title("word " * 50)) <= 60
    assert title("word " * 50).endswith("word…")
    assert len(title("x" * 1_000_000)) == 60


WRITER = """
import sys, time
from pathlib import Path
from vibethinker_local.tui.store import Store, Turn
store = Store(Path(sys.argv[1]))
conversation, turn = store.begin(Turn("Q"), None)
print(conversation, flush=True)
for n in range(int(sys.argv[2])):
    store.append(turn, [(True, f"{n} ")])
    print(n, flush=True)
"""


def test_a_killed_writer_has_kept_all_it_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    writer = subprocess.Popen(
        [sys.executable, "-P", "-c", WRITER, str(path), "100000"], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert writer.stdout
    conversation = int(writer.stdout.readline())
    for _ in range(200):
        last = int(writer.stdout.readline())
    os.kill(writer.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    writer.wait()
    writer.stdout.close()
    (turn,) = Store(path).turns(conversation)
    kept = [int(number) for number in turn.reasoning.split()]
    assert kept == list(range(len(kept)))
    assert len(kept) > last


def test_two_writers_at_once(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    command = [sys.executable, "-P", "-c", WRITER, str(path), "300"]
    writers = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    store = Store(path)
    for conversation in store.recent():
        assert len(store.turns(conversation.id)[0].reasoning.split()) == 300
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_versions_and_branches(store: Store) -> None:
    conversation, first = asked(store, "Q1", "A1")
    _, second = asked(store, "Q2", "A2", conversation)

    def again(question: str, parent: int) -> int:
        return store.begin(Turn(question, parent=parent), conversation)[1]

    def shown() -> list[tuple[str, tuple[int, ...]]]:
        return [(turn.question, turn.versions) for turn in store.turns(conversation)]

    regenerated = again("Q2", first)
    assert shown() == [("Q1", (first,)), ("Q2", (second, regenerated))]
    edited = again("Q1, edited", 0)
    assert shown() == [("Q1, edited", (first, edited))]
    asked(store, "Q3", "A3", conversation)
    assert [question for question, _ in shown()] == ["Q1, edited", "Q3"]
    assert store.versions(edited) == (first, edited)
    store.show(conversation, first)  # of what follows it, the newest
    assert [question for question, _ in shown()] == ["Q1", "Q2"]
    assert store.turns(conversation)[-1].id == regenerated
    store.show(conversation, second)
    assert [turn.answer for turn in store.turns(conversation)] == ["A1", "A2"]
    store.show(conversation, 99)  # there is none
    assert [turn.answer for turn in store.turns(conversation)] == ["A1", "A2"]
    latest = again("Q2", first)  # beside the one that was shown
    assert store.turns(conversation)[-1].id == latest
    assert len(store.all_turns(conversation)) == 6
    chain, _ = asked(store, "one")
    _, middle = asked(store, "two", "", chain)
    asked(store, "three", "", chain)
    store._db.write(lambda db: db.execute("DELETE FROM turn WHERE id = ?", [middle]))  # as damage does
    assert [turn.question for turn in store.turns(chain)] == ["one", "three"]


def test_what_is_attached_is_kept_and_names_a_question_without_words(store: Store) -> None:
    attached = (Attachment("app.py", "import app"), Attachment("pasted text", "1\n2"))
    conversation, _ = store.begin(Turn("", attachments=attached), None)
    (turn,) = store.turns(conversation)
    assert turn.attachments == attached
    assert store.recent()[0].title == "app.py"
    assert store.search("import") == []


def test_pieces_are_replaced_all_or_not_at_all(store: Store) -> None:
    conversation, turn = store.begin(Turn("Why?"), None)
    store.append(turn, [(False, "Because")])
    with pytest.raises(AttributeError):
        store.replace(turn, [(True, "hm"), (False, None)])  # type: ignore[list-item]
    assert [(one.reasoning, one.answer) for one in store.turns(conversation)] == [("", "Because")]
    store.replace(turn, [(True, "hm")])
    assert [(one.reasoning, one.answer) for one in store.turns(conversation)] == [("hm", "")]


def test_what_was_never_asked_is_kept_until_it_is(store: Store) -> None:
    asked(store, "one")
    draft = store.keep_draft(None, "tw")
    assert store.keep_draft(draft, "two \n") == draft
    other = store.keep_draft(None, "of another chat")
    assert store.history() == [("one", True), ("two \n", False), ("of another chat", False)]
    asked(store, "two")
    assert store.history() == [("one", True), ("of another chat", False), ("two", True)]
    assert store.keep_draft(other, "") is None
    assert store.keep_draft(None, "") is None
    assert store.history() == [("one", True), ("two", True)]
    assert store.history(1) == [("two", True)]
    for number in range(100):
        store.keep_draft(None, f"draft {number}")
    assert [text for text, was_asked in store.history() if not was_asked] == [f"draft {n}" for n in range(80, 100)]


def test_half_a_character_is_kept_as_the_sign_for_one(store: Store, tmp_path: Path) -> None:
    name = "caf\udce9.txt"  # as Python reads a name that is not UTF-8
    asked = Turn(f"Read {name}.", name, attachments=(Attachment(name, "\udce9"),))
    conversation, id = store.begin(asked, None)
    store.append(id, [(True, "\ud83d"), (False, "\udce9")])
    store.replace(id, [(True, "\ud83d\ude42"), (False, "\udce9")])
    (writing,) = store.turns(conversation)
    assert (writing.reasoning, writing.answer) == ("🙂", "�")
    store.reopen(Turn(asked.question, id=id, reasoning="🙂", answer="\udce9"))
    store.finish(Turn(asked.question, id=id, answer="\ud83d\ude42 \ud83d", status="answered"))
    (turn,) = store.turns(conversation)
    assert (turn.question, turn.answer) == ("Read caf�.txt.", "🙂 �")
    assert turn.attachments == (Attachment("caf�.txt", "�"),)
    store.rename(conversation, name)
    (found,) = store.search(name)
    assert found.title == "caf�.txt"
    assert export.export_stored(store, found, "markdown", tmp_path).read_text(encoding="utf-8")
    assert not store.take_notices()


def test_export(store: Store, tmp_path: Path) -> None:
    conversation, turn = asked(store, "Why?\nReally: ```x```")
    store.finish(Turn("Why?\nReally: ```x```", "mini", 7, turn, 0, "a ```` b", "Because **so**.", "answered"))
    listed = store.listed(conversation)
    assert listed
    first = export.export(listed, store.turns(conversation), "markdown", tmp_path / "out")
    second = export.export(listed, store.turns(conversation), "markdown", tmp_path / "out")
    assert [first.name, second.name] == ["why.md", "why-2.md"]
    text = first.read_text(encoding="utf-8")
    assert "> Why?\n> Really: ```x```" in text
    assert "\n`````text\na ```` b\n`````\n" in text
    assert "Because **so**." in text
    _, again = store.begin(Turn("Why not?", parent=0, attachments=(Attachment("a<b.txt", "x\ny"),)), conversation)
    data = json.loads(export.export_stored(store, listed, "json", tmp_path / "out").read_text("utf-8"))
    assert [turn["question"] for turn in data["turns"]] == ["Why not?"]
    assert [turn["answer"] for turn in data["other_versions"]] == ["Because **so**."]
    assert data["turns"][0]["versions"] == [turn, again]
    text = export.markdown(listed, store.turns(conversation))
    assert "> Why not?\n\n<details><summary>a&lt;b.txt · 2 lines</summary>\n\n```text\nx\ny\n```\n" in text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["why-2.md", "why.json", "why.md"]
    with pytest.raises(UsageError, match="cannot be written"):
        export.export(listed, [], "json", first)


def test_what_follows_an_answer_that_was_cut_in_its_code_is_no_code(store: Store) -> None:
    conversation, turn = store.begin(Turn("Write it.", "mini", 7), None)
    store.finish(Turn("Write it.", "mini", 7, turn, answer="So:\n\n```python\ndef f(x):", status="stopped", tokens=1))
    listed = store.listed(conversation)
    assert listed
    text = export.markdown(listed, store.turns(conversation))
    assert "```python\ndef f(x):\n```\n\n<sub>mini · seed 7 · 1 token · 0.0 s</sub>" in text


def test_a_long_title_is_cut_to_a_name_without_a_dash_at_its_end(store: Store, tmp_path: Path) -> None:
    conversation, _ = asked(store, f"{'a' * 39} and more")
    listed = store.listed(conversation)
    assert listed
    assert export.export(listed, [], "json", tmp_path).name == f"{'a' * 39}.json"


@pytest.mark.slow
def test_ten_thousand_conversations(tmp_path: Path) -> None:
    store, choice = Store(tmp_path / "chat.db"), random.Random(1)
    vocabulary = ["".join(choice.choices("etaoinshrdlu", k=choice.randint(2, 9))) for _ in range(20_000)]
    rank = [1 / (n + 1) for n in range(len(vocabulary))]
    for _ in range(10_000):
        question, answer = (" ".join(choice.choices(vocabulary, rank, k=k)) for k in (30, 70))
        asked(store, question, answer)
    for query in (None, vocabulary[0], vocabulary[7], vocabulary[-1], " ".join(vocabulary[:2]), vocabulary[0][:2], "e"):
        began = time.perf_counter()
        found = store.recent() if query is None else store.search(query)
        seconds = time.perf_counter() - began
        print(f"{query or 'list'}: {len(found)} in {seconds * 1e3:.1f} ms")
        assert seconds < 2  # a tenth of a second on a quiet machine
