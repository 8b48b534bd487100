"""Where an engine is: URL#MODEL, or [engines.NAME] in config.toml. Asks nobody.

http://127.0.0.1:8080#qwen                        one server, and one of its models
http://gpu1:8000,http://gpu2:8000#vibethinker     two that share the work
NAME                                              [engines.NAME]
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from vibethinker_local.errors import UsageError
from vibethinker_local.system import settings
from vibethinker_local.system.settings import KEY_VARIABLE, EngineEntry

_URL = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """Servers of one model, and how they are to be used. The key is in no text that is made of it."""

    name: str | None  # in config.toml
    urls: tuple[str, ...]  # without /v1
    model: str | None = None  # as the servers call it; None: the one they have
    key: str | None = field(default=None, repr=False)
    concurrency: int | None = None  # requests that each server gets at once; None: as it says
    context: int | None = None  # tokens


def is_url(wanted: str | None) -> bool:
    return bool(wanted and _URL.match(wanted))


def find(wanted: str | None, environment: Mapping[str, str] = os.environ) -> Address | None:
    """The address that `wanted` is or names; None if it is something else, as a model on this machine.

    Raises UsageError for one that cannot be used.
    """
    if wanted is None:
        return None
    if is_url(wanted):
        urls, _, model = wanted.partition("#")
        key = environment.get(KEY_VARIABLE)
        return Address(None, tuple(_base(url) for url in urls.split(",")), model or None, key or None)
    entry = settings.load(environment).engines.get(wanted)
    return _configured(wanted, entry, environment) if entry else None


def refuse(wanted: str | None, what: str) -> None:
    """Raises UsageError for a model on servers, where `what` is done with one that is here."""
    if find(wanted):
        raise UsageError(
            f"{what} on this machine, and {wanted} is on another server: give a name of `vibe models` or a .gguf "
            "file, with -m."
        )


def _configured(name: str, entry: EngineEntry, environment: Mapping[str, str]) -> Address:
    urls = (entry.url,) if isinstance(entry.url, str) else entry.url
    key = environment.get(entry.key_variable) if entry.key_variable else None
    if entry.key_variable and not key:
        raise UsageError(
            f"[engines.{name}] takes its key from {entry.key_variable}, which is not set: set it, "
            "or take key_variable out."
        )
    return Address(name, tuple(map(_base, urls)), entry.model, key, entry.concurrency, entry.context)


def _base(url: str) -> str:
    """A server's address up to its /v1. Raises UsageError."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        usable = bool(_URL.match(url) and parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        parts, usable = urlsplit("http://?"), False
    if usable and parts.username is not None:  # not repeated: it may be a password
        raise UsageError(
            f"The address of {parts.hostname} holds a name or password, which others can see: "
            f"put a key into {KEY_VARIABLE}, or name its variable in [engines.NAME]."
        )
    if not usable or parts.query or parts.fragment:
        shown = re.sub(r"//[^/]*@", "//…@", url)
        raise UsageError(f"{shown!r} is no address of a server: give http://HOST:PORT, and #MODEL once behind all.")
    return re.sub(r"(/v1)?/*$", "", f"{parts.scheme.lower()}://{parts.netloc}{parts.path}")
