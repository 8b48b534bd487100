"""The user's settings: config.toml, then environment variables, each stronger than the one before; flags beat both.

Every key outside of tables has a variable: VIBE_ and its name in capitals. Knows nothing of what the values are for.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

from pydantic import ConfigDict, Field, StringConstraints, ValidationError, field_validator

from vibethinker_local.errors import UsageError
from vibethinker_local.events import BudgetName
from vibethinker_local.system import paths, toml
from vibethinker_local.system.toml import StrictModel, Text

SCHEMA = 1
PREFIX = "VIBE_"
KEY_VARIABLE = "VIBE_ENGINE_KEY"  # the key for a server whose address is given instead of a name
NO_SETTINGS = {"VIBE_AMX", "VIBE_API_KEY", "VIBE_HOME", KEY_VARIABLE}  # variables of ours that mean something else
TABLES = ("keys", "engines")  # settings that have no variable

_KEY = r"[a-z0-9_]+(\+[a-z0-9_]+)*"
Key = Annotated[str, StringConstraints(pattern=f"^{_KEY}(,{_KEY})*$", max_length=80)]  # as Textual writes them

EngineName = Annotated[str, StringConstraints(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
Url = Annotated[str, StringConstraints(pattern="^https?://[^/?#@]+[^?#@]*$", max_length=500)]


class EngineEntry(StrictModel):
    """[engines.NAME]: a model on servers that speak the OpenAI protocol."""

    url: Url | Annotated[tuple[Url, ...], Field(min_length=1, max_length=256)]  # several share the work
    model: Text | None = None  # as the server calls it; None: the one it has
    key_variable: Annotated[str, StringConstraints(pattern="^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=1024)] | None = None  # requests that each server gets at once
    context: Annotated[int, Field(ge=64, le=2**20)] | None = None  # tokens; None: as the server says


class Settings(StrictModel):
    """What is in force; None leaves it to the model's entry in models.toml, or to this machine."""

    model: Text | None = None  # a name in models.toml, NAME:QUANT, or a .gguf file
    context: Annotated[int, Field(ge=64, le=2**20)] | None = None  # tokens
    max_tokens: Annotated[int, Field(ge=32, le=2**20)] | None = None  # per solution
    threads: Annotated[int, Field(ge=1, le=512)] | None = None
    budget: BudgetName = "standard"  # of the reliability pass
    theme: Annotated[str, StringConstraints(pattern="^[A-Za-z0-9_-]+$", max_length=60)] | None = None  # of the chat
    notify: bool = True  # of the chat: ring, and have the terminal say so, when a run of half a minute has ended
    keys: dict[str, Key] = Field(default_factory=dict)  # of the chat: what is done, and by which key
    engines: dict[EngineName, EngineEntry] = Field(default_factory=dict)  # elsewhere


class _File(Settings):
    model_config = ConfigDict(strict=True)  # true is no number, nor is "4"; in a variable all is text

    schema_: Annotated[int, Field(alias="schema")] = SCHEMA

    @field_validator("schema_")
    @classmethod
    def _known_schema(cls, value: int) -> int:
        if value != SCHEMA:
            raise ValueError(f"this version of vibe reads schema {SCHEMA}, not {value}")
        return value


@dataclass(frozen=True)
class Setting:
    """One line of `vibe config`: a value, and where it came from."""

    name: str
    value: object
    source: str  # "default", the file's path, or the variable's name


def config_toml() -> Path:
    return paths.config() / "config.toml"


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """What is in force. Raises UsageError naming the file, line and key, or the variable."""
    return _both(environment)[1]


def explain(keys: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> list[Setting]:
    """Every setting with where it came from, and of [keys] each one; `keys` are the chat's own. Raises UsageError."""
    file, settings = _both(environment)
    check_keys(settings.keys, keys)
    found = []
    for name in Settings.model_fields:
        if name in TABLES:
            continue
        source = str(config_toml()) if name in file.model_fields_set else "default"
        if environment.get(variable(name)):
            source = variable(name)
        found.append(Setting(name, getattr(settings, name), source))
    for name, key in (dict(keys) | settings.keys).items():
        found.append(Setting(f"keys.{name}", key, str(config_toml()) if name in settings.keys else "default"))
    for name, entry in settings.engines.items():
        told = entry.model_dump(exclude_none=True)
        found += [Setting(f"engines.{name}.{key}", value, str(config_toml())) for key, value in told.items()]
    return found


def check_keys(own: Mapping[str, str], known: Mapping[str, str]) -> None:
    """Raises UsageError if [keys] names something that the chat does not know, or gives a key to two things."""
    keys = dict(known) | dict(own)
    for name, key in own.items():
        others = (other for other in keys if other != name and keys[other] == key)
        if name not in known:
            _refuse(name, f"there is no such key; there are {', '.join(known)}")
        if other := next(others, None):
            _refuse(name, f"{key} is the key of {other} too: give that another one")


def _refuse(name: str, why: str) -> NoReturn:
    line = toml.line_of(config_toml().read_text(encoding="utf-8-sig"), ("keys", name))
    raise UsageError(f"{config_toml()}, line {line}: keys.{name}: {why}.")


def unknown_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Variables that look like ours and are not: a word misspelt, perhaps."""
    ours = {variable(name) for name in Settings.model_fields if name not in TABLES} | NO_SETTINGS
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in ours)


def variable(name: str) -> str:
    return PREFIX + name.upper()


def _both(environment: Mapping[str, str]) -> tuple[Settings, Settings]:
    """The settings of the file alone, and with the environment."""
    file = toml.load(config_toml(), _File, UsageError, without=_File())
    given = {name: environment.get(variable(name)) for name in Settings.model_fields if name not in TABLES}
    given = {name: value for name, value in given.items() if value}
    try:  # not strict: a number in a variable is text
        settings = Settings.model_validate(file.model_dump(exclude={"schema_"}) | given)
    except ValidationError as wrong:
        first = wrong.errors(include_url=False)[0]
        name = str(first["loc"][0])
        raise UsageError(f"{variable(name)}={given.get(name)!r}: {first['msg']}.") from wrong
    return file, settings
