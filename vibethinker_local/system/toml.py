"""Reads a TOML file into a pydantic model. An error becomes a sentence that names the file, the line and the key.

tomllib tells the line of a syntax error, but not where a value came from; so this module finds the lines of keys.
"""

import re
import stat
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from vibethinker_local.errors import VibeError

T = TypeVar("T", bound=BaseModel)
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
MAX_BYTES = 1_000_000
_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")
_SENTENCES = {"extra_forbidden": "there is no such key here", "missing": "is missing"}


class StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def load(path: Path, kind: type[T], error: type[VibeError], *, without: T | None = None) -> T:
    """Read and validate a file. Raises `error` if it is bad, or missing without a `without` to return."""
    try:
        kind_of_file = stat.S_IFMT(path.stat().st_mode)
        if kind_of_file not in (stat.S_IFREG, stat.S_IFDIR):  # to open a pipe may take for ever
            raise error(f"{path} cannot be read: it is a pipe or a device.")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise error(f"{path} cannot be read: it is larger than {MAX_BYTES:,} bytes.")
        text = raw.decode("utf-8-sig")  # editors on Windows put a byte order mark first
        return kind.model_validate(tomllib.loads(text))
    except ValidationError as wrong:
        raise error(_sentence(path, text, wrong)) from wrong
    except OSError as wrong:
        if isinstance(wrong, FileNotFoundError | NotADirectoryError) and without is not None:
            return without
        raise error(f"{path} cannot be read: {wrong.strerror or wrong}.") from wrong
    except tomllib.TOMLDecodeError as wrong:
        what = str(wrong).replace("at end of document", f"at the end, line {len(text.splitlines())}")
        raise error(f"{path} cannot be read: {what}.") from wrong
    except (ValueError, RecursionError) as wrong:  # not UTF-8, or a number too long or tables too deep for Python
        raise error(f"{path} cannot be read: {wrong}.") from wrong


def _sentence(path: Path, text: str, wrong: ValidationError) -> str:
    first = wrong.errors(include_url=False, include_input=False)[0]
    place = [part for part in first["loc"] if part != "[key]"]
    where = ".".join(str(part) for part in place)
    line = line_of(text, place)
    what = _SENTENCES.get(first["type"], first["msg"].removeprefix("Value error, "))
    more = f" ({wrong.error_count() - 1} more like this)" if wrong.error_count() > 1 else ""
    return f"{path}{f', line {line}' if line else ''}: {f'{where}: ' if where else ''}{what}{more}."


def line_of(text: str, place: Sequence[str | int]) -> int | None:
    """The line of a key, counted from 1; if it has no line of its own, that of the nearest key or table around it."""
    lines = _lines(text)
    for length in range(len(place), 0, -1):
        if line := lines.get(tuple(place[:length])):
            return line
    return None


def _lines(text: str) -> dict[tuple[str | int, ...], int]:
    found: dict[tuple[str | int, ...], int] = {}
    tables: Counter[tuple[str | int, ...]] = Counter()  # how many tables each array of tables has so far
    table: tuple[str | int, ...] = ()
    quotes = ""  # the quotes of the multi-line string we are in
    for number, line in enumerate(text.split("\n"), 1):
        if quotes:
            quotes = "" if quotes in line else quotes
            continue
        if header := _HEADER.match(line):
            table = _resolved(_parts(header[2]), tables)
            if header[1] == "[[":
                tables[table] += 1
                table = (*table, tables[table] - 1)
            key = table
        elif match := _KEY.match(line):
            key = (*table, *_parts(match[1]))
            quotes = next((mark for mark in ('"""', "'''") if line.count(mark) % 2), "")
        else:
            continue
        for length in range(1, len(key) + 1):
            found.setdefault(key[:length], number)
    return found


def _resolved(parts: list[str], tables: Counter[tuple[str | int, ...]]) -> tuple[str | int, ...]:
    """A header's path, with an index after each part that names an array of tables: that of its latest table."""
    place: tuple[str | int, ...] = ()
    for index, part in enumerate(parts):
        place = (*place, part)
        if index < len(parts) - 1 and tables[place]:
            place = (*place, tables[place] - 1)
    return place


def _parts(dotted: str) -> list[str]:
    return [part[1:-1] if part[0] in "\"'" else part for part in re.findall(_PART, dotted)]
