"""`vibe models`: every known model file, its state on this machine, and whether it fits. Loads nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vibethinker_local.errors import ModelError
from vibethinker_local.gguf import header as gguf_header
from vibethinker_local.gguf.header import Header
from vibethinker_local.models import installed, memory, results
from vibethinker_local.models.installed import Installed
from vibethinker_local.models.spec import ModelFile, ModelSpec
from vibethinker_local.system.machine import Room

State = Literal["installed", "unchecked", "damaged", "partly here", "not installed"]


@dataclass(frozen=True)
class ListedModel:
    """One file. `context` is the longest that fits into memory: 0 if the model does not fit, None if unknown."""

    model: str
    about: str
    quant: str
    bytes: int | None
    state: State
    path: Path | None
    context: int | None
    tokens_per_second: float | None = None  # of one Sequence, as measured by `vibe bench`

    @property
    def fits(self) -> bool | None:
        return None if self.context is None else self.context > 0


def rows(known: dict[str, ModelSpec], room: Room, *, everything: bool = False) -> Iterator[ListedModel]:
    """Model by model: its installed files, then one row for each quant that could be fetched.

    With `everything`, also for those models that are listed only once they are here.
    """
    for name, spec in known.items():
        here = installed.installed(name, spec)
        for file in here:
            state: State = "installed" if file.state == "sound" else file.state
            measured = results.of(file.path)
            speed = measured.rate(1) if measured else None
            yield ListedModel(
                name, spec.about, file.quant, file.bytes, state, file.path, _context(spec, file, room), speed
            )
        seen = {file.quant.upper() for file in here}
        place = spec.gguf or (None if spec.files else spec.source)
        if place and everything and not here:
            yield _absent(name, spec, ModelFile.model_construct(quant="as it fits", repository=place), room)
        for listed in spec.files if everything or not spec.more else ():
            if listed.quant.upper() not in seen:
                seen.add(listed.quant.upper())
                yield _absent(name, spec, listed, room)


def _absent(name: str, spec: ModelSpec, file: ModelFile, room: Room) -> ListedModel:
    size = file.bytes or file.about_bytes
    context = memory.context(spec.shape.header(size), room, most=spec.context) if spec.shape and size else None
    begun = installed.partials(name, spec, file.quant if file.file else None)
    state: State = "partly here" if begun else "not installed"
    return ListedModel(name, spec.about, file.quant, size, state, None, context)


def _context(spec: ModelSpec, file: Installed, room: Room) -> int | None:
    try:
        header: Header = gguf_header.read(file.path)
    except ModelError:
        return None
    return memory.context(header, room, most=spec.context)
