"""How long a model's solutions are: as they were on this machine, else as its entry says, else as its kind suggests.

Times are estimated and memory is planned from it. The lengths of the last solutions are remembered for each file.
"""

import json
import re
import statistics
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from vibethinker_local.errors import VibeError
from vibethinker_local.models.spec import ModelSpec
from vibethinker_local.system import paths
from vibethinker_local.system.files import bytes_of, write_atomic

LAST = 64  # solutions that are remembered of a file
LEAST = 4  # solutions that say more than an entry or a kind does
THINKING, INSTRUCT = (4000, 16000), (150, 600)  # tokens of files that nothing is known of, by their kind
_THINKS = re.compile(r"think|reason|qwq|qwen3|(?<![a-z])r1(?![0-9])", re.IGNORECASE)  # in the name of a file


class NamedModel(Protocol):
    """A model file, or a model elsewhere under the name that a file would have."""

    @property
    def name(self) -> str: ...
    @property
    def spec(self) -> ModelSpec: ...
    @property
    def path(self) -> Path: ...


def typical(chosen: NamedModel) -> tuple[int, int]:
    """The middle half of a model's solutions lies between these numbers of tokens."""
    known = _read(chosen.path)
    if len(known) >= LEAST:
        low, _, high = statistics.quantiles(known, n=4, method="inclusive")
        return max(1, round(low)), max(1, round(high))
    if "typical_tokens" in chosen.spec.model_fields_set:
        return chosen.spec.typical_tokens
    return THINKING if _THINKS.search(f"{chosen.name} {chosen.path.name}") else INSTRUCT


def add(path: Path, tokens: Sequence[int]) -> None:
    """Remember how long some solutions by a model file were. Nothing is said if that cannot be written."""
    if tokens:
        with suppress(VibeError):
            write_atomic(_record(path), json.dumps([*_read(path), *tokens][-LAST:]))


def _read(path: Path) -> list[int]:
    """What is remembered of a file; nothing if there is no sound record."""
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(_record(path).read_bytes())
        if isinstance(found, list) and all(type(each) is int and each > 0 for each in found):
            return found
    return []


def _record(path: Path) -> Path:
    """Where a file's record is, by its name and size: the same model elsewhere writes as much."""
    name = paths.record_name(f"{path.name}\0{bytes_of(path)}")
    return paths.data() / "lengths" / f"{name}.json"
