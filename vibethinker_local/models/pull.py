"""`vibe pull`: chooses the file of a model that suits this machine, and fetches it."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from vibethinker_local.errors import ModelError, UsageError
from vibethinker_local.models import memory
from vibethinker_local.models.download import fetch, fetch_checkpoint
from vibethinker_local.models.hub import Missing, Unreachable, look_up
from vibethinker_local.models.installed import installed, matching, usable
from vibethinker_local.models.spec import BUNDLED, ModelFile, ModelSpec
from vibethinker_local.system.machine import Room
from vibethinker_local.system.progress import Progress


@dataclass(frozen=True)
class ChosenFile:
    """A quant of a model, the files that have it, and why it was chosen, in a sentence."""

    files: tuple[ModelFile, ...]
    why: str

    @property
    def quant(self) -> str:
        return self.files[0].quant


def choose(name: str, spec: ModelSpec, quant: str | None, room: Room, context: int | None) -> ChosenFile:
    """The quant that was asked for, or the best that suits the memory. Raises UsageError or ModelError.

    The best is the first in models.toml that leaves room for the context; where none does, the smallest with a shorter
    one. So more memory never means a worse quant.
    """
    there = [file for file in spec.files if file.repository]
    if name == BUNDLED:
        raise UsageError(f"{name} comes with the program: there is nothing to fetch.")
    if not there:
        raise UsageError(f"models.toml lists no file of {name}: `vibe pull {name} --from checkpoint` makes one.")
    if quant:
        if not _of(there, quant):
            raise UsageError(f"{name} has no {quant}: give one of {', '.join(dict.fromkeys(f.quant for f in there))}.")
        return ChosenFile(_of(there, quant), "asked for")
    quants = list(dict.fromkeys(file.quant for file in there))
    if spec.shape is None:
        return ChosenFile(_of(there, quants[0]), "the first in its entry, which does not tell the model's shape")
    wanted = min(context or spec.context, spec.shape.trained_context)
    sizes = {each: max(file.bytes or file.about_bytes or 0 for file in _of(there, each)) for each in quants}
    contexts = {each: memory.context(spec.shape.header(sizes[each]), room, most=wanted) for each in quants}
    if found := next((each for each in quants if contexts[each] >= wanted), None):
        return ChosenFile(
            _of(there, found), f"the best that leaves room for {wanted:,} tokens of context in the {room}"
        )
    smallest = min(quants, key=sizes.__getitem__)
    if not contexts[smallest]:
        raise ModelError(f"No quant of {name} fits into the {room}: name one to fetch it all the same.")
    why = f"the smallest; {contexts[smallest]:,} tokens of context fit beside it into the {room}"
    return ChosenFile(_of(there, smallest), why)


def _of(files: list[ModelFile], quant: str) -> tuple[ModelFile, ...]:
    return tuple(file for file in files if file.quant.upper() == quant.upper())


def files(
    name: str, spec: ModelSpec, choice: ChosenFile, say: Callable[[str], None], *, rate: float | None = None
) -> Generator[Progress, None, Path]:
    """Fetch a file of the choice from the first place that has it, unless it is here. Raises ModelError."""
    here = list(matching(installed(name, spec), choice.quant))
    if sound := next((each for each in here if each.state == "sound"), None):
        return sound.path
    for file, following in zip_longest(choice.files, choice.files[1:]):
        assert file.repository
        assert file.file
        try:
            remote = look_up(file.repository, file.file, file.revision, sha256=file.sha256, size=file.bytes)
        except Missing as error:
            if following is None:
                raise
            say(f"{error} Trying {following.repository}.")
            continue
        except Unreachable:
            if found := usable(here, name, say):
                return found.path
            raise
        if file.sha256 is None:
            say(f"models.toml has no sha256 of {file.file}: the hub's own is what counts, {remote.etag}.")
        return (yield from fetch(remote, file.sha256, rate=rate))
    raise ModelError(f"{name} has no file to fetch.")


def checkpoint(name: str, spec: ModelSpec, *, rate: float | None = None) -> Generator[Progress, None, Path]:
    """Fetch the safetensors and what belongs to them; returns their folder. Raises UsageError or ModelError."""
    if spec.source is None:
        raise UsageError(f"models.toml names no checkpoint of {name}: add `source` to its entry.")
    return (yield from fetch_checkpoint(spec.source, spec.source_revision, rate=rate))
