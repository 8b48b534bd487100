"""Reads a TOML file into a pydantic model. An error becomes a sentence that names the file, the line and the key.

tomllib tells the line of a syntax error, but not where a value came from; so this module finds the lines of keys.
"""

import re
import stat
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from vibethinker_local.errors import VibeError
from vibethinker_local.system.wording import said

T = TypeVar("T", bound=BaseModel)
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
MAX_BYTES = 1_000_000
_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=")
_SENTENCES = {"dict_type": "should be a table", "model_type": "should be a table"}  # as TOML calls it


class StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def written(pattern: str, how: str) -> AfterValidator:
    """For a string that the whole pattern has to match; `how` says what to write instead."""
    form = re.compile(pattern)

    def check(value: str) -> str:
        if not form.fullmatch(value):
            raise ValueError(how)
        return value

    return AfterValidator(check)


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
        data = tomllib.loads(text)
        return kind.model_validate(data)
    except ValidationError as wrong:
        raise error(_sentence(path, text, data, kind, wrong)) from wrong
    except OSError as wrong:
        if isinstance(wrong, FileNotFoundError | NotADirectoryError) and without is not None:
            return without
        raise error(f"{path} cannot be read: {wrong.strerror or wrong}.") from wrong
    except tomllib.TOMLDecodeError as wrong:
        what = str(wrong).replace("at end of document", f"at the end, line {len(text.splitlines())}")
        raise error(f"{path} cannot be read: {what}.") from wrong
    except UnicodeDecodeError as wrong:
        line = wrong.object.count(b"\n", 0, wrong.start) + 1
        raise error(f"{path} cannot be read: line {line} is not UTF-8 text: save the file as UTF-8.") from wrong
    except (ValueError, RecursionError) as wrong:  # a number too long or tables too deep for Python
        raise error(f"{path} cannot be read: {wrong}.") from wrong


def _sentence(path: Path, text: str, data: object, kind: type[BaseModel], wrong: ValidationError) -> str:
    errors = wrong.errors(include_url=False, include_input=False)
    places = [_place(error, data) for error in errors]
    first, place, others = errors[0], places[0], len(set(places)) - 1
    where = ".".join(str(part) for part in place)
    line = line_of(text, place)
    what = _SENTENCES.get(first["type"]) or said(first)
    if first["type"] == "extra_forbidden":
        names = dict.fromkeys(name for table in _tables(kind, place[:-1]) for name in _names(table))
        what += f"; there are {', '.join(names)}"
    more = f" ({others} more like this)" if others else ""
    return f"{path}{f', line {line}' if line else ''}: {f'{where}: ' if where else ''}{what}{more}."


def _place(error: ErrorDetails, data: Any) -> tuple[str | int, ...]:
    """Where it is in the file: of pydantic's path, what leads through the data, without its names for types."""
    place: list[str | int] = []
    for part in error["loc"]:
        inside = data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
        if part in inside:
            data = data[part]
        elif error["type"] != "missing" or part != error["loc"][-1]:
            continue
        place.append(part)
    return tuple(place)


def _tables(kind: Any, place: Sequence[str | int]) -> Iterator[type[BaseModel]]:
    """The models that a table at this place below a type may be."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if not place:
            yield kind
        for name, field in kind.model_fields.items():
            if place and (field.alias or name) == place[0]:
                yield from _tables(field.annotation, place[1:])
    else:  # a dict or a list has a part of the place to itself
        inner = place if get_origin(kind) in (Union, UnionType, Annotated) else place[1:]
        for each in get_args(kind):
            yield from _tables(each, inner)


def _names(table: type[BaseModel]) -> Iterator[str]:
    return (field.alias or name for name, field in table.model_fields.items())


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
