"""`vibe` without a command: a question in quotes, a question piped into it, a conversation to go on with."""

from pathlib import Path

import pytest

from tests.command import vibe

QUESTION = b"Tom has 12 apples. Ann has 5 more apples than Tom. How many apples does Ann have?\n"


def test_a_question_that_is_piped_into_it_is_solved() -> None:
    done = vibe(stdin=QUESTION)
    assert done.code == 0
    assert "17" in done.out


def test_without_anything_there_is_the_help() -> None:
    for stdin in (b"", b" \n"):
        assert (vibe(stdin=stdin).code, "Usage: vibe" in vibe(stdin=stdin).err) == (2, True)


def test_a_question_in_quotes_is_one_for_the_chat_and_a_misspelt_command_is_none(tmp_path: Path) -> None:
    for question in ("What is 17 + 25?", "2+2", "¿Cuánto es 2 + 2?"):
        assert "The chat needs a terminal" in vibe(question, terminal=True).err
    assert "No such command" in vibe("slove").err
    (tmp_path / "problem.txt").touch()
    assert "No such command" in vibe(str(tmp_path / "problem.txt")).err


@pytest.mark.parametrize("args", [["chat", "-c"], ["chat", "--open", "7"]])
def test_conversations_need_a_terminal(args: list[str]) -> None:
    assert "The chat needs a terminal" in vibe(*args, terminal=True).err
    assert vibe("chat", "-c", "--open", "7").code == 2
