"""README, docs/ and `--help` say what the programs really take: every command in them parses, and none is left out."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import typer.main

from quantize.cli import app as quantize_app
from tests.imports import ROOT
from tests.measure import architecture
from vibethinker_local.cli.app import app

VIBE, QUANTIZE = typer.main.get_command(app), typer.main.get_command(quantize_app)
FILES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "tests" / "README.md"])
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in FILES}
DOCS = [text for name, text in PAGES.items() if name.startswith("docs/")]
EXAMPLE = re.compile(r"(\w+=\S+ +)*(uv run )?vibe( |$)")
MODULE = re.compile(r"python3? -m ((?:tests|vibethinker_local|quantize)\.[\w.]+)([^`]*)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
each_page = pytest.mark.parametrize("page", PAGES)


def commands(path: tuple[str, ...] = ("vibe",), command: Any = VIBE) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All commands below one, each with the words that call it. `vibe quantize` hands its words to another program."""
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands((*path, name), QUANTIZE if (*path, name) == ("vibe", "quantize") else each)


COMMANDS = dict(commands())
each_command = pytest.mark.parametrize("path", COMMANDS, ids=" ".join)


def split(line: str) -> tuple[tuple[str, ...], list[str]]:
    """The first `vibe` in a line of a shell: the words that call the command, and its arguments."""
    shell = shlex.shlex(line, posix=True, punctuation_chars=True)
    shell.whitespace_split = True
    words = list(takewhile(lambda word: not set(word) <= set("<>|&;"), list(shell)))
    words = words[words.index("vibe") :]  # before it stand variables, or `uv run`
    count = max(count for count in range(1, len(words) + 1) if tuple(words[:count]) in COMMANDS)
    return tuple(words[:count]), words[count:]


def parse(line: str) -> None:
    """Parse a command as the programs do, without running it. Raises the parser's error if it is refused."""
    path, arguments = split(line)
    context = None
    for count in range(1, len(path)):
        parent = COMMANDS[path[:count]]
        context = parent.make_context(path[count - 1], [], parent=context, resilient_parsing=True)
    COMMANDS[path].make_context(path[-1], arguments, parent=context)


def options(path: tuple[str, ...]) -> set[str]:
    """What a command takes, without --help."""
    return {name for each in COMMANDS[path].params for name in (*each.opts, *each.secondary_opts) if name[0] == "-"}


@each_command
def test_examples_in_help_stand_on_lines_of_their_own_and_parse(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    context = command.context_class(command, info_name=path[-1], terminal_width=80, max_content_width=80)
    lines = command.get_help(context).splitlines()
    assert max(map(len, lines)) <= 80
    examples = [line.strip() for line in (command.help or "").splitlines() if EXAMPLE.match(line.strip())]
    assert [line.strip() for line in lines if EXAMPLE.match(line.strip())] == examples
    assert examples or hasattr(command, "commands"), "every command shows one"
    for line in examples:
        parse(line)


@each_command
def test_every_command_is_described_on_a_page_with_all_its_options(path: tuple[str, ...]) -> None:
    pages = [text for text in DOCS if re.search(rf"\b{' '.join(path)}\b", text)]
    missing = [
        sorted(name for name in options(path) if not re.search(rf"(?<![\w-]){name}(?![\w-])", text)) for text in pages
    ]
    assert min(missing, key=len, default=["the command itself"]) == []


@each_page
def test_commands_in_blocks_parse(page: str) -> None:
    for language, block in FENCE.findall(PAGES[page]):
        for line in block.replace("\\\n", " ").splitlines() if language == "sh" else ():
            for part in line.split("&&"):
                if EXAMPLE.match(part.strip()):
                    parse(part)


@each_page
def test_commands_in_the_text_exist_with_their_options(page: str) -> None:
    for line in re.findall(r"`(vibe(?: [^`]*)?)`", FENCE.sub("", PAGES[page])):
        path, arguments = split(line)
        named = {word for word in arguments if re.match("--?[a-z]", word)}
        assert named <= options(path) | {"-h", "--help"}, line


@each_page
def test_modules_that_are_to_be_run_exist_with_their_options(page: str) -> None:
    for name, arguments in MODULE.findall(PAGES[page]):
        found = importlib.util.find_spec(name)
        assert found, name
        assert found.origin, name
        source = Path(found.origin).read_text(encoding="utf-8")
        for option in re.findall(r"(?<!\S)--?[a-z][\w-]*", arguments.split("\n")[0].split("#")[0].split("&&")[0]):
            assert f'"{option}"' in source, f"{name} {option}"


@each_page
def test_links_lead_somewhere(page: str) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", PAGES[page]):
        if target.startswith(("https:", "http:")):
            continue
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{target}#{anchor}"


def test_the_readme_is_read_in_some_minutes() -> None:
    assert PAGES["README.md"].count("\n") <= 150


def test_the_map_of_the_documentation_is_complete() -> None:
    linked = set(re.findall(r"\]\(([^)#]*)", PAGES["README.md"] + PAGES["docs/results/README.md"]))
    pages = {name if name.count("/") < 2 else name.split("/")[-1] for name in PAGES if name.startswith("docs/")}
    assert pages - {"README.md"} <= linked


def test_the_page_on_the_architecture_lists_every_layer() -> None:
    for name in architecture.folders():
        assert re.search(rf"^.*`{name}(/|\.py)`", PAGES["docs/architecture.md"], re.MULTILINE), name


def test_the_picture_of_the_architecture_is_of_this_tree() -> None:
    """If not: python -m tests.measure.architecture > docs/pictures/architecture.svg"""
    drawn = (ROOT / "docs" / "pictures" / "architecture.svg").read_text(encoding="utf-8")
    assert drawn == architecture.draw(architecture.folders()) + "\n"
