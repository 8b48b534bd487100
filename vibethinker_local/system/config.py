"""Reads config.toml and the variables beside it, and checks what they give. What it is for: settings.py."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, ValidationError, field_validator

from vibethinker_local.errors import UsageError
from vibethinker_local.events import LEAST_CONTEXT, MOST_CONTEXT, BudgetName
from vibethinker_local.system import toml
from vibethinker_local.system.toml import StrictModel, Text, written
from vibethinker_local.system.wording import said

SCHEMA = 1

_KEY = r"[a-z0-9_]+(\+[a-z0-9_]+)*"
Key = Annotated[  # as Textual writes them
    str, StringConstraints(max_length=80), written(f"{_KEY}(,{_KEY})*", "write a key as ctrl+r or f1, several as f1,f2")
]
EngineName = Annotated[
    str,
    StringConstraints(max_length=64),
    written("[A-Za-z0-9][A-Za-z0-9._-]*", "write a name of letters, digits and . _ -, as [engines.lab]"),
]
Variable = Annotated[
    str, StringConstraints(max_length=100), written("[A-Za-z_][A-Za-z0-9_]*", "write a variable's name, as LAB_KEY")
]
Theme = Annotated[
    str, StringConstraints(max_length=60), written("[A-Za-z0-9_-]+", "write a theme's name, as vibe-light")
]
_URL = re.compile("https?://[^/?#@]+[^?#@]*")
MOST_SERVERS, LONGEST_URL = 256, 500
Context = Annotated[int, Field(ge=LEAST_CONTEXT, le=MOST_CONTEXT)]


class _Engine(StrictModel):
    url: str | tuple[str, ...]
    model: Text | None = None
    key_variable: Variable | None = None
    concurrency: Annotated[int, Field(ge=1, le=1024)] | None = None
    context: Context | None = None

    @field_validator("url", mode="plain")
    @classmethod
    def _addresses(cls, value: object) -> str | tuple[str, ...]:
        """One, or several in a list; what is wrong with it is not quoted, as it may hold a password."""
        each = [value] if isinstance(value, str) else value
        if not isinstance(each, list) or not each:
            raise ValueError("write http://HOST:PORT, or several of them in a list")
        if len(each) > MOST_SERVERS:
            raise ValueError(f"should be at most {MOST_SERVERS} addresses")
        for one in each:
            if not isinstance(one, str) or len(one) > LONGEST_URL or not _URL.fullmatch(one):
                raise ValueError("write http://HOST:PORT")
        return value if isinstance(value, str) else tuple(each)


class _Given(StrictModel):
    """The fields of Settings; None: not given, and what is not given is left out."""

    model: Text | None = None
    context: Context | None = None
    max_tokens: Annotated[int, Field(ge=32, le=2**20)] | None = None
    threads: Annotated[int, Field(ge=1, le=512)] | None = None
    budget: BudgetName | None = None
    theme: Theme | None = None
    notify: bool | None = None


class _File(_Given):
    model_config = ConfigDict(strict=True)  # true is no number, nor is "4"; in a variable all is text

    keys: dict[str, Key] | None = None
    engines: dict[EngineName, _Engine] | None = None
    schema_: Annotated[int, Field(alias="schema")] = SCHEMA

    @field_validator("schema_")
    @classmethod
    def _known_schema(cls, value: int) -> int:
        if value != SCHEMA:
            raise ValueError(f"this version of vibe reads schema {SCHEMA}, not {value}")
        return value


def of_file(path: Path) -> dict[str, Any]:
    """What the file gives, nothing if there is none. Raises UsageError naming the file, line and key."""
    return toml.load(path, _File, UsageError, without=_File()).model_dump(exclude_unset=True, exclude={"schema_"})


def of_variables(told: Mapping[str, str], variable: Callable[[str], str]) -> dict[str, Any]:
    """What the variables of these settings give. Raises UsageError naming the variable."""
    try:  # not strict: a number in a variable is text
        return _Given.model_validate(told).model_dump(exclude_unset=True)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        name = str(first["loc"][0])
        raise UsageError(f"{variable(name)}={told[name]!r}: {said(first)}.") from wrong
