"""The user's settings: config.toml, then environment variables, each stronger than the one before; flags beat both.

Every key outside of tables has a variable: VIBE_ and its name in capitals. Knows nothing of what the values are for.
What may be given is checked in config.py, which takes long to import: only if there is a file or a variable.
"""

import os
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

from vibethinker_local.errors import UsageError
from vibethinker_local.events import BudgetName
from vibethinker_local.system import paths

PREFIX = "VIBE_"
KEY_VARIABLE = "VIBE_ENGINE_KEY"  # the key for a server whose address is given instead of a name
NO_SETTINGS = {"VIBE_AMX", "VIBE_API_KEY", "VIBE_HOME", KEY_VARIABLE}  # variables of ours that mean something else
TABLES = ("keys", "engines")  # settings that have no variable
# Keys that [keys] cannot give away: without them nothing is sent, written or left in the chat.
TYPING = frozenset("enter tab shift+tab ctrl+c ctrl+j backspace space left right up down".split())
NAMED = frozenset("slash backslash at minus plus underscore".split())  # by Textual; the rest has Unicode's names


@dataclass(frozen=True)
class EngineEntry:
    """[engines.NAME]: a model on servers that speak the OpenAI protocol."""

    url: str | tuple[str, ...]  # several share the work
    model: str | None = None  # as the server calls it; None: the one it has
    key_variable: str | None = None
    concurrency: int | None = None  # requests that each server gets at once
    context: int | None = None  # tokens; None: as the server says


@dataclass(frozen=True)
class Settings:
    """What is in force; None leaves it to the model's entry in models.toml, or to this machine."""

    model: str | None = None  # a name in models.toml, NAME:QUANT, or a .gguf file
    context: int | None = None  # tokens
    max_tokens: int | None = None  # per solution
    threads: int | None = None
    budget: BudgetName = "standard"  # of the reliability pass
    theme: str | None = None  # of the chat
    notify: bool = True  # of the chat: ring, and have the terminal say so, when a run of half a minute has ended
    keys: Mapping[str, str] = field(default_factory=dict)  # of the chat: what is done, and by which key
    engines: Mapping[str, EngineEntry] = field(default_factory=dict)  # elsewhere


NAMES = tuple(each.name for each in fields(Settings) if each.name not in TABLES)


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
    for name in NAMES:
        source = str(config_toml()) if name in file else "default"
        if environment.get(variable(name)):
            source = variable(name)
        found.append(Setting(name, getattr(settings, name), source))
    for name, key in (dict(keys) | dict(settings.keys)).items():
        found.append(Setting(f"keys.{name}", key, str(config_toml()) if name in settings.keys else "default"))
    for name, entry in settings.engines.items():
        told = ((key, value) for key, value in asdict(entry).items() if value is not None)
        found += [Setting(f"engines.{name}.{key}", value, str(config_toml())) for key, value in told]
    return found


def check_keys(own: Mapping[str, str], known: Mapping[str, str]) -> None:
    """Raises UsageError if [keys] names what the chat does not know, or gives a key that means something else."""
    keys = {name: key.split(",") for name, key in (dict(known) | dict(own)).items()}
    for name in own:
        if name not in known:
            _refuse(("keys", name), f"there is no such key; there are {', '.join(known)}")
        for key in keys[name]:
            if key == "ctrl+c":
                _refuse(("keys", name), f"{key} is reserved (copy, stop, quit): give this another key")
            if key in TYPING or _is_character(key):
                _refuse(("keys", name), f"{key} is needed to write with: give this another key")
            if other := next((other for other in keys if other != name and key in keys[other]), None):
                _refuse(("keys", name), f"{key} is the key of {other} too: give that another one")


def _is_character(key: str) -> bool:
    """Whether a key writes a character: by itself, or by its name, such as full_stop."""
    try:
        return len(key) == 1 or key in NAMED or unicodedata.lookup(key.replace("_", " ")).isprintable()
    except KeyError:
        return False


def check_theme(own: str | None, known: Collection[str], environment: Mapping[str, str] = os.environ) -> None:
    """Raises UsageError if the theme is none that the chat knows."""
    if own is None or own in known:
        return
    why = f"there is no such theme; there are {', '.join(known)}"
    if environment.get(variable("theme")):
        raise UsageError(f"{variable('theme')}={own!r}: {why}.")
    _refuse(("theme",), why)


def _refuse(where: tuple[str, ...], why: str) -> NoReturn:
    """Raise UsageError about a place in the file."""
    from vibethinker_local.system import toml

    line = toml.line_of(config_toml().read_text(encoding="utf-8-sig"), where)
    raise UsageError(f"{config_toml()}, line {line}: {'.'.join(where)}: {why}.")


def unknown_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Variables that look like ours and are not: a word misspelt, perhaps."""
    ours = {variable(name) for name in NAMES} | NO_SETTINGS
    return sorted(name for name in environment if name.startswith(PREFIX) and name not in ours)


def variable(name: str) -> str:
    return PREFIX + name.upper()


def _both(environment: Mapping[str, str]) -> tuple[dict[str, Any], Settings]:
    """What the file gives, and what is in force."""
    path = config_toml()
    told = {name: value for name in NAMES if (value := environment.get(variable(name)))}
    if not told and _missing(path):
        return {}, Settings()
    from vibethinker_local.system import config

    file = config.of_file(path)
    engines = {name: EngineEntry(**entry) for name, entry in file.get("engines", {}).items()}
    return file, Settings(**file | config.of_variables(told, variable) | {"engines": engines})


def _missing(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # it is there, but cannot be read: reading says why
        pass
    return False
