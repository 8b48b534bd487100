"""The prompt of the chat, driven by keys: typing, history, pastes, attachments."""

import os
import sys
from pathlib import Path

import pytest
from textual import events
from textual.widgets import Input

from tests.tui.fakes import Pause, ScriptedSolver, chatting, prompt, reply, run
from tests.tui.scenes import EVIL
from vibethinker_local.errors import UsageError
from vibethinker_local.tui.attachments import completions, label, mentioned, missing, read
from vibethinker_local.tui.screens.fulltext import FullText
from vibethinker_local.tui.store import Attachment
from vibethinker_local.tui.widgets.recent import Recent
from vibethinker_local.tui.widgets.thoughts import Thoughts


def test_the_end_of_a_line_begins_no_other() -> None:
    assert label(Attachment("a", "x\ny\n")) == "a · 2 lines"
    assert label(Attachment("a", "xy\n")) == "a · 3 characters"


def test_how_a_file_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b.txt").write_text("text")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name in (f"{tmp_path}/a b.txt", f"'{tmp_path}/a b.txt' ", f"{tmp_path}/a\\ b.txt", "~/a b.txt"):
        assert read(name) == Attachment("a b.txt", "text")
    (tmp_path / "lines").write_bytes(b"a\r\nb\rc\n")
    assert read("~/lines").text == "a\nb\nc\n"
    for name in ("-", os.devnull, "~/b"):
        with pytest.raises(UsageError, match=r"There is no file .*: check the path\.$"):
            read(name)
    with pytest.raises(UsageError, match=r"^(There is no file x+|x+ cannot be read \(.*\)): check the path\.$"):
        read("x" * 300)


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege, and no folder in use can be removed")
def test_links_in_a_circle_and_a_folder_that_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert completions(f"{tmp_path}/") == [f"{tmp_path}/loop"]
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(UsageError, match=r": check the path\.$"):
        read(".")


def test_a_file_is_attached(tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "code.py").write_text("print('```')\n" + EVIL, encoding="utf-8")
        count = len(EVIL.split()) + 1
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("f3", *"/nothing/here", "enter")
            assert "There is no file /nothing/here" in chat.shown
            await chat.pilot.press("f3", "escape", "f3")
            chat.app.screen.query_one("Input").insert_text_at_cursor(str(tmp_path / "code.py"))  # type: ignore[attr-defined]
            await chat.pilot.press("enter")
            await chat.until(lambda: f"▤ code.py · 2 lines · {count} tokens" in chat.shown)
            await chat.ask("What does it print?")
            question = chat.solver.requests[0].question
            assert question.startswith("code.py:\n````\nprint('```')\n")
            assert question.endswith("````\n\nWhat does it print?")
            assert not chat.app.chat.query("#chips Chip")
            assert chat.app.session.turns[0].attachments[0].tokens == count
            await chat.pilot.press("shift+tab")
            assert f"▤ code.py · 2 lines · {count} tokens · enter opens" in chat.shown
            await chat.pilot.press("enter")
            assert isinstance(chat.app.screen, FullText)
            assert "print('```')" in chat.shown
            await chat.pilot.press("escape", *"x")
            assert prompt(chat).text == "x"

    run(test)


def test_pastes_short_and_long(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            chat.app.post_message(events.Paste("two\nlines"))
            await chat.pilot.pause()
            assert prompt(chat).text == "two\nlines"
            await chat.pilot.press("shift+home")
            chat.app.post_message(events.Paste("rows"))  # in place of what is selected
            chat.app.post_message(events.Paste("x" * 1_000_000))
            await chat.pilot.pause()
            assert prompt(chat).text == "two\nrows"
            await chat.until(lambda: "▤ pasted text · 1,000,000 characters · 1 tokens" in chat.shown)
            await chat.pilot.press("enter")
            await chat.until(lambda: len(chat.app.session.turns) == 1)
            assert len(chat.solver.requests[0].question) > 1_000_000
            chat.app.post_message(events.Paste("y\n" * 500))
            await chat.pilot.pause()
            chat.app.chat.action_detach()
            assert not chat.app.chat.composer.attachments

    run(test)


def test_of_a_long_question_beginning_and_end_are_shown(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver([reply("hm", "7")])) as chat:
            chat.app.post_message(events.Paste("".join(f"row {row}\n" for row in range(40))))
            await chat.pilot.press(*"why?", "enter")
            await chat.until(lambda: "… 274 characters in all …" in chat.shown)
            assert "row 7" in chat.shown
            assert "row 8 " not in chat.shown
            assert "row 39" in chat.shown
            assert "why?" in chat.shown
            await chat.pilot.click(".asked")
            await chat.until(lambda: "row 29" in chat.shown)  # scrolled to the end

    run(test)


def test_what_exceeds_the_context_is_not_sent(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver([reply("hm", "7")], context=300)) as chat:
            chat.app.post_message(events.Paste("y\n" * 500))
            await chat.until(lambda: "500 tokens are attached, and the context holds 300" in chat.shown)
            await chat.pilot.press(*"why?", "enter")
            assert prompt(chat).text == "why?"
            assert not chat.solver.requests
            await chat.pilot.press("shift+tab", "backspace", "enter")
            await chat.until(lambda: chat.app.session.turns)
            assert chat.solver.requests[0].question == "why?"

    run(test)


def test_files_are_named_in_the_prompt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            prompt(chat).insert("read @s")
            await chat.pilot.press("o")
            assert "tab: some file.txt  songs.py  source" in chat.shown
            await chat.pilot.press(*"u", "tab")
            assert prompt(chat).text == "read @source/"
            await chat.pilot.press("tab")
            assert prompt(chat).text == "read @source/main.py "
            await chat.until(lambda: "▤ main.py · 2 lines · 6 tokens" in chat.shown)
            prompt(chat).insert("and @so")
            await chat.pilot.press("m", "tab", "x")
            assert prompt(chat).text == 'read @source/main.py and @"some file.txt" x'
            await chat.pilot.press("enter")
            await chat.until(lambda: chat.app.session.turns)
            (turn,) = chat.app.session.turns
            assert [one.name for one in turn.attachments] == ["main.py", "some file.txt"]
            assert turn.question == 'read @source/main.py and @"some file.txt" x'
            assert "a = 1\nb = 2" in chat.solver.requests[0].question
            for begun, completed in {
                "@pkg/@": "@pkg/@types/",
                "@pkg/@types/": "@pkg/@types/node.ts ",
                '@"pkg/@types/n': '@"pkg/@types/node.ts" ',
                '@"son': '@"songs.py" ',
            }.items():
                prompt(chat).set_text(begun)
                await chat.pilot.press("tab")
                assert prompt(chat).text == completed
            prompt(chat).text = ""
            prompt(chat).insert("@picture.png")
            await chat.pilot.press("?", "enter")
            assert prompt(chat).text == "@picture.png?"
            assert len(chat.solver.requests) == 1
            await chat.pilot.press("f6")
            assert [one.name for one in chat.app.chat.composer.attachments] == ["main.py", "some file.txt"]
            assert len(chat.app.chat.query("#chips Chip")) == 2
            await chat.pilot.press("escape")
            assert prompt(chat).text == "@picture.png?"

    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "main.py").write_text("a = 1\nb = 2\n")
    (tmp_path / "some file.txt").write_text("text")
    (tmp_path / "songs.py").write_text("x")
    (tmp_path / "pkg" / "@types").mkdir(parents=True)
    (tmp_path / "pkg" / "@types" / "node.ts").write_text("x")
    (tmp_path / "picture.png").write_bytes(bytes(range(256)))
    monkeypatch.chdir(tmp_path)
    run(test)


def test_of_two_files_with_one_name_both_are_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("f3", *"a/main.py", "enter")
            await chat.ask("compare with @b/main.py")
            assert "AAA" in chat.solver.requests[0].question
            assert "BBB" in chat.solver.requests[0].question
            await chat.pilot.press("f6")
            assert [one.text for one in chat.app.chat.composer.attachments] == ["AAA", "BBB"]

    two_files(tmp_path, monkeypatch)
    run(test)


def test_an_edited_question_goes_with_the_file_that_it_names_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            chat.app.post_message(events.Paste("y\n" * 500))
            await chat.ask("explain @a/main.py")
            await chat.pilot.press("f6")
            prompt(chat).text = "explain @b/main.py"
            await chat.pilot.press("enter")
            await chat.until(lambda: len(chat.solver.requests) == 2 and not chat.app.session.live)
            assert "BBB" in chat.solver.requests[1].question
            assert "AAA" not in chat.solver.requests[1].question
            assert "y\ny\n" in chat.solver.requests[1].question  # what it does not name stays
            (tmp_path / "b" / "main.py").unlink()
            await chat.pilot.press("f6", *"!", "enter")
            await chat.until(lambda: len(chat.solver.requests) == 3)
            assert "BBB" in chat.solver.requests[2].question  # there is nothing newer

    two_files(tmp_path, monkeypatch)
    run(test)


def test_a_question_that_is_taken_back_goes_with_the_file_that_it_names_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("one two", "7", pause=pause, at=1)])) as chat:
            await chat.ask("go", wait=False)
            prompt(chat).insert("explain @a/main.py")
            await chat.pilot.press("enter")
            chat.app.chat.composer.attach(Attachment("pasted text", "of the next"))
            await chat.pilot.press("alt+up")
            prompt(chat).text = "explain @b/main.py"
            await chat.pilot.pause()
            assert [one.text for one in chat.app.chat.composer.attachments] == ["of the next", "BBB"]
            pause.go.set()

    two_files(tmp_path, monkeypatch)
    run(test)


def test_backspace_makes_a_mention_mere_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            prompt(chat).insert('compare @a/main.py, @"b/main.py" and @a/main.pyx')
            await chat.pilot.press("shift+tab", "backspace")
            assert prompt(chat).text == 'compare @a/main.py, "b/main.py" and @a/main.pyx'
            assert [one.text for one in chat.app.chat.composer.attachments] == ["AAA"]
            assert prompt(chat).has_focus
            chat.app.chat.action_detach()
            await chat.ask("?")
            assert chat.solver.requests[0].question == 'compare a/main.py, "b/main.py" and @a/main.pyx?'

    two_files(tmp_path, monkeypatch)
    run(test)


def two_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one name, in two folders."""
    for name in "ab":
        (folder / name).mkdir()
        (folder / name / "main.py").write_text(3 * name.upper())
    monkeypatch.chdir(folder)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are Unicode there")
def test_names_that_no_text_can_hold_are_not_offered(tmp_path: Path) -> None:
    for name in (b"caf\xe9.txt", b"cab.txt", b"caf\x1be", b"caf\nf"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("x")
    assert completions(f"{tmp_path}/ca") == [f"{tmp_path}/cab.txt"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see @a.py.", ["a.py"]),
        ("@a.py, @a.py and (@b.txt)", ["a.py", "b.txt"]),
        ("me@a.py", []),
        ("@property def x", []),
        ("@@a.py", []),
        ('@"a b.py"', ["a b.py"]),
        ("@\0 @~nobody/x @" + "x" * 5000, []),
        ("@.", []),
    ],
)
def test_which_files_a_question_names(
    text: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.py", "b.txt", "a b.py"):
        (tmp_path / name).write_text("x")
    assert mentioned(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@nofile.txt hello", ["nofile.txt"]),
        ("see @no/such, (@no.py), @no.py and @a.py.", ["no/such", "no.py"]),
        ('@"no file.txt" @"not a file"', ["no file.txt"]),
        ("@~/no.txt @/no/where @../no @src/caf\u00e9", ["~/no.txt", "/no/where", "../no", "src/caf\u00e9"]),
        ("@2026/notes.txt", ["2026/notes.txt"]),
        ("ask @user.name", ["user.name"]),  # it may be a file
        ("me@a.org, <@b.org> and https://x.org/@user/post.html", []),
        ("@dataclass\n@property\ndef x", []),
        ('@app.get("/x")\n@app.get("/x/{y}")\n@app.route(\'/x.html\')', []),
        ("4 apples @3.5, @$2.50/kg, @5m/s, @1/2, @v1.2", []),
        ("@a.py @. @/ @.. @@no.py @" + "x" * 5000, []),
        ("@folder, @~ and @folders", ["folder"]),
    ],
)
def test_which_files_a_question_names_in_vain(
    text: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").write_text("x")
    (tmp_path / "folder").mkdir()
    assert missing(text) == found


def test_a_question_that_names_no_file_is_sent_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            messages: list[str] = []
            chat.app.chat.notify = lambda text, **_: messages.append(text)  # type: ignore[method-assign]
            await chat.ask("@nofile.txt hello")
            assert chat.solver.requests[0].question == "@nofile.txt hello"
            assert messages == ["There is no file nofile.txt: the question goes as it stands."]
            await chat.ask('@app.get("/x") and @a/main.py')
            (tmp_path / "a" / "main.py").unlink()
            await chat.pilot.press("f6", *"!", "enter")
            await chat.until(lambda: len(chat.solver.requests) == 3)
            assert "AAA" in chat.solver.requests[2].question  # it still goes with it
            assert len(messages) == 1
            for text in ("again", "again", "other", "again"):  # what stands there is not said twice
                chat.app.chat.say(text)
            assert messages[1:] == ["again", "other", "again"]
            above = chat.app.chat.query_one("#textual-toastrack").styles
            assert above.margin.bottom == 5
            prompt(chat).insert("\n\n\n@fold")  # four rows, and one that lists files
            (tmp_path / "folder").mkdir()
            await chat.pilot.press("e")
            await chat.until(lambda: above.margin.bottom == 9)

    two_files(tmp_path, monkeypatch)
    run(test)


def test_history_and_newlines_in_the_prompt(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("enter")
            await chat.pilot.press(*" ", "enter")
            assert not chat.solver.requests
            prompt(chat).text = ""
            await chat.ask("first")
            await chat.ask("second")
            long = "word " * 40  # which goes on in the next rows
            prompt(chat).set_text(long)
            await chat.pilot.press("up", "up")
            assert prompt(chat).text == long
            await chat.pilot.press("up", "down")
            prompt(chat).remember(long)
            prompt(chat).text = ""
            await chat.pilot.press("up", "up")
            assert prompt(chat).text == "second"
            prompt(chat).asked.remove(long)
            prompt(chat).remember("second")
            prompt(chat).text = ""
            await chat.pilot.press(*"draft", "up")
            assert prompt(chat).text == "second"
            await chat.pilot.press("up", "up")
            assert prompt(chat).text == "first"
            await chat.pilot.press("down", "down")
            assert prompt(chat).text == "draft"
            await chat.pilot.press("ctrl+j", *"more", "up", "up")
            assert prompt(chat).text == "second"
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("up", "up")  # before it: the draft
            assert prompt(chat).text == "second"

    run(test)


def test_what_was_changed_on_the_way_through_the_history_stays(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.ask("first\nof two")
            await chat.ask("second")
            await chat.pilot.press(*"draft", "up", *"!", "up", *"?", "up", "down", "down")
            assert prompt(chat).text == "second!"
            await chat.pilot.press("ctrl+k", "ctrl+u", *"new", "down")
            assert prompt(chat).text == "draft"
            await chat.pilot.press("up")
            assert prompt(chat).text == "new"
            await chat.pilot.press("up")
            assert prompt(chat).text == "first?\nof two"
            await chat.pilot.press("enter")
            await chat.until(lambda: len(chat.app.session.turns) == 3)
            assert prompt(chat).text == "draft"  # which has not been sent
            await chat.pilot.press("up", "up")
            assert prompt(chat).text == "second"
            await chat.pilot.press("f6", "up", "up", "up", "enter")  # in place of the last one
            await chat.until(lambda: len(chat.solver.requests) == 4 and not chat.app.session.live)
            assert chat.app.session.turns[2].question == "second"
            assert prompt(chat).text == "draft"
            await chat.pilot.press("up", "down", "enter")
            await chat.until(lambda: chat.solver.requests[4:] and not chat.app.session.live)
            assert prompt(chat).text == ""

    run(test)


def test_what_was_not_sent_is_one_key_away_at_the_next_start(tmp_path: Path) -> None:
    hint = "up brings back what was not sent"

    async def test() -> None:
        async with chatting(tmp_path) as chat:
            assert hint not in chat.shown
            await chat.ask("one")
            await chat.pilot.press(*"half", "ctrl+q")
        async with chatting(tmp_path) as chat:
            assert hint in chat.shown
            await chat.pilot.press("up")
            assert prompt(chat).text == "half"
            assert hint not in chat.shown
            await chat.pilot.press("up")
            assert prompt(chat).text == "one"
            await chat.pilot.press("ctrl+q")  # with a question of before in the prompt
        async with chatting(tmp_path) as chat:
            assert hint in chat.shown
            await chat.pilot.press("up", "enter")
            await chat.until(lambda: [turn.question for turn in chat.app.session.turns] == ["half"])
            assert hint not in chat.shown
            chat.app.session.store.delete(2)  # it does not come back as a draft
        async with chatting(tmp_path) as chat:
            assert hint not in chat.shown
            assert prompt(chat).asked == ["one"]
            await chat.ask("two")
            prompt(chat).paste("long " * 20_000)  # more than the prompt can hold
            await chat.pilot.press(*"new", "f6", "ctrl+q")  # the question that is edited is as it was
        async with chatting(tmp_path) as chat:
            assert prompt(chat).asked == ["one", "two", "new"]
            prompt(chat).insert("/quit")
            await chat.pilot.press("enter")
        async with chatting(tmp_path) as chat:
            assert prompt(chat).asked == ["one", "two", "new"]

    run(test)


def test_what_is_set_aside_for_an_older_question_is_kept_with_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.ask("one")
            await chat.pilot.press(*"new", "up")
            assert prompt(chat).unsent == "new"
            await chat.pilot.press("s")
            assert prompt(chat).unsent == "new\n\nones"
            chat.app.chat.take_attach(str(tmp_path / "with it.txt"))
            await chat.pilot.press("f6")
            prompt(chat).paste("long\n" * 100)
            await chat.pilot.press("!", "ctrl+q")
        pasted = "pasted text:\n```\n" + "long\n" * 100 + "```"
        async with chatting(tmp_path) as chat:
            assert prompt(chat).asked == ["one", f"with it.txt:\n```\nit\n```\n\nnew\n\nones\n\n{pasted}\n\none!"]

    (tmp_path / "with it.txt").write_text("it")

    run(test)


def test_what_is_typed_right_after_enter_stays(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            for key, character in (("g", "g"), ("enter", "\r"), ("x", "x")):  # without a pause, as a fast typist does
                chat.app.post_message(events.Key(key, character))
            await chat.until(lambda: chat.app.session.turns)
            assert prompt(chat).text == "x"
            assert chat.solver.requests[0].question == "g"
            await chat.pilot.press("ctrl+u")
            keys = {"/": "slash", "\r": "enter"}
            for character in "/think\rno":  # the same behind a command
                chat.app.post_message(events.Key(keys.get(character, character), character))
            await chat.until(lambda: chat.app.session.think)
            assert prompt(chat).text == "no"
            prompt(chat).set_text("/no")
            for character in "w\rno":  # and behind one that there is not, which comes back before it
                chat.app.post_message(events.Key(keys.get(character, character), character))
            await chat.until(lambda: prompt(chat).text == "/nowno")

    run(test)


def test_readline_keys_are_left_alone(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.pilot.press(*"one two", "ctrl+a", "ctrl+k")
            assert prompt(chat).text == ""
            await chat.pilot.press(*"one two", "ctrl+w")
            assert prompt(chat).text == "one "
            await chat.pilot.press("ctrl+a", *"x", "ctrl+e", *"y", "ctrl+u")
            assert prompt(chat).text == ""
            prompt(chat).set_text("word " * 40)  # one line, although it goes on in the next rows
            await chat.pilot.press("ctrl+a", "x", "ctrl+e", "y", "ctrl+u")
            assert prompt(chat).text == ""

    run(test)


def test_what_is_typed_or_pasted_elsewhere_is_for_the_prompt(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.ask("why?")
            await chat.pilot.press("ctrl+o")
            for typed, expected in ((" a", " a"), ("b", " ab")):
                await chat.pilot.pause()
                chat.app.chat.query_one(Thoughts).focus()
                await chat.pilot.press(*typed)
                assert prompt(chat).text == expected
            for widget, key in ((Thoughts, None), (Recent, "ctrl+n")):
                if key:
                    await chat.pilot.press(key)
                chat.app.chat.query_one(widget).focus()
                await chat.pilot.pause()
                chat.app.post_message(events.Paste("pasted "))
                await chat.pilot.press("alt+v")
                await chat.pilot.pause()
                assert prompt(chat).has_focus
            assert prompt(chat).text == " abpasted pasted "
            chat.app.chat.query_one(Recent).focus()
            await chat.pilot.pause()
            chat.app.post_message(events.Paste("y\n" * 500))
            await chat.until(lambda: chat.app.chat.composer.attachments)
            await chat.pilot.press("shift+home", "shift+tab", "escape")
            assert prompt(chat).text == " abpasted pasted "  # although it is selected

    run(test)


def test_what_is_pasted_holds_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    async def test() -> None:
        hostile, harmless = "a\x1b]0;TITLE\x07\tb\r\nc", "a]0;TITLE\tb\nc"
        async with chatting(tmp_path, question=hostile) as chat:
            await chat.until(lambda: chat.app.session.turns)
            chat.app.post_message(events.Paste(hostile))
            await chat.pilot.pause()
            assert prompt(chat).text == harmless
            prompt(chat).text = ""
            await chat.pilot.press("f6")
            assert prompt(chat).text == harmless
            await chat.pilot.press("f6", "escape")
            assert "has been changed" not in chat.shown
            await chat.pilot.press("f3")
            chat.app.post_message(events.Paste(hostile))
            await chat.pilot.pause()
            assert chat.app.screen.query_one(Input).value == "a]0;TITLE\tb"
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("up")
            assert prompt(chat).text == harmless
            assert not prompt(chat).unsent  # as it was asked

    run(test)


def test_alt_with_a_letter_is_no_letter(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver()) as chat:
            await chat.pilot.press("a")
            chat.app.post_message(events.Key("alt+v", "v"))  # as a terminal sends it
            await chat.pilot.press("b")
            assert prompt(chat).text == "ab"

    run(test)


def test_wide_spaces_and_what_joins_letters_can_be_typed(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, ScriptedSolver()) as chat:
            typed = "\u65e5\u3000\xa0\u06cc\u200c\u062e\U0001f468\u200d\U0001f469 "
            for character in f"{typed}\u202e":  # which would turn the text around
                chat.app.post_message(events.Key("space" if character == " " else character, character))
            await chat.until(lambda: prompt(chat).text == typed)

    run(test)
