"""`--help`, README and docs/ say what the programs really take: every command in them parses, and none is left out."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from quantize.cli import app as quantize_app
from vibethinker_local.cli.app import app

VIBE, QUANTIZE = typer.main.get_command(app), typer.main.get_command(quantize_app)
EXAMPLE = re.compile(r"(\w+=\S+ +)*vibe( |$)")


def commands(path: tuple[str, ...] = ("vibe",), command: Any = VIBE) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All commands below one, each with the words that call it. `vibe quantize` hands its words to another program."""
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands((*path, name), QUANTIZE if (*path, name) == ("vibe", "quantize") else each)


def parse(line: str) -> None:
    """Parse the `vibe` in a line of a shell without running it. Raises the parser's error if it is refused."""
    shell = shlex.shlex(line, posix=True, punctuation_chars=True)
    shell.whitespace_split = True
    words = list(shell)
    for end, word in enumerate(words):
        if set(word) <= set("<>|&;"):
            del words[end:]
            break
    words = words[words.index("vibe") + 1 :]  # before it stand variables, or `uv run`
    command: Any = VIBE
    context, name = None, "vibe"
    while words and words[0] in getattr(command, "commands", {}):
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
        name = words.pop(0)
        command = QUANTIZE if command is VIBE and name == "quantize" else command.commands[name]
    command.make_context(name, words, parent=context)


def shown(command: Any) -> list[str]:
    """The help of a command as a terminal of 80 columns shows it."""
    context = command.context_class(command, info_name="x", terminal_width=80, max_content_width=80)
    return str(command.get_help(context)).splitlines()


@pytest.mark.parametrize(("path", "command"), [pytest.param(*each, id=" ".join(each[0])) for each in commands()])
def test_examples_in_help_stand_on_lines_of_their_own_and_parse(path: tuple[str, ...], command: Any) -> None:
    lines = shown(command)
    assert max(map(len, lines)) <= 80
    written = [line.strip() for line in (command.help or "").splitlines() if EXAMPLE.match(line.strip())]
    assert [line.strip() for line in lines if EXAMPLE.match(line.strip())] == written
    assert written or command.params == [] or hasattr(command, "commands"), "an example, where there are options"
    for line in written:
        parse(line)
