"""GGUF repositories of the hub that are not listed file by file: what they have, what fits, and fetching it."""

from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

from vibethinker_local.errors import ModelError, UsageError
from vibethinker_local.models import hub, memory
from vibethinker_local.models.download import fetch
from vibethinker_local.models.installed import installed, matching, of_repository, usable
from vibethinker_local.models.names import Quant, quants
from vibethinker_local.models.spec import Shape
from vibethinker_local.system.machine import Room
from vibethinker_local.system.progress import Progress
from vibethinker_local.system.units import size as human

ROOM_BESIDE = 1.25  # times the weights, and so much more: what a context and the rest take where the shape is not known
MORE = 1 << 30  # bytes


def choose(
    repository: str, found: list[Quant], wanted: str | None, room: Room, context: int, shape: Shape | None = None
) -> tuple[Quant, str]:
    """The quant that was asked for, or the best that fits into memory, and why. Raises UsageError or ModelError."""
    if not found:
        raise ModelError(f"{repository} holds no GGUF model: look for a repository whose name ends in -GGUF.")
    if wanted:
        chosen = next((quant for quant in found if quant.name.upper() == wanted.upper()), None)
        if chosen is None:
            raise UsageError(f"{repository} has no {wanted}: give one of {', '.join(quant.name for quant in found)}.")
        return chosen, "asked for"
    if len(found) == 1:
        return found[0], "the only one"

    def fits(quant: Quant) -> bool:
        if quant.bytes is None:
            return False
        if shape:
            most = min(context, shape.trained_context)
            return memory.context(shape.header(quant.bytes), room, most=most) >= most
        return quant.bytes * ROOM_BESIDE + MORE <= memory.SHARE * room.memory

    if chosen := next((quant for quant in found if fits(quant)), None):
        return chosen, f"the best that leaves room for a context in the {room}"
    known = [quant for quant in found if quant.bytes is not None]
    if not known:
        middle = next((quant for quant in found if quant.name == "Q4_K_M"), found[-1])
        return middle, "the hub does not say how large the files are, so whether it fits shows when it is loaded"
    smallest = min(known, key=lambda quant: quant.bytes or 0)
    if (smallest.bytes or 0) > memory.SHARE * room.memory:
        raise ModelError(
            f"No quant of {repository} fits into the {room}; the smallest, {smallest.name}, has "
            f"{human(smallest.bytes or 0)}: name one to fetch it all the same."
        )
    return smallest, f"the smallest; a long context may not fit beside it into the {room}"


def pull(
    name: str,
    repository: str,
    wanted: str | None,
    room: Room,
    context: int,
    say: Callable[[str], None],
    shape: Shape | None = None,
    *,
    rate: float | None = None,
) -> Generator[Progress, None, Path]:
    """Fetch the quant that was asked for, or the best that fits; returns the path of the file, or of its first part.

    Where the hub cannot be asked, what is here will do. Raises UsageError or ModelError.
    """
    try:
        commit, files = hub.list_files(repository)
    except hub.Unreachable:
        here = matching(installed(name, of_repository(repository)), wanted)
        found = usable(here, name, say)
        if found is None:
            raise
        say(f"{name}:{found.quant}: it is here, and the hub cannot be asked.")
        return found.path
    chosen, why = choose(repository, quants(files.items()), wanted, room, context, shape)
    say(f"{name}:{chosen.name}: {why}.")
    paths = []
    for file in chosen.files:
        remote = hub.look_up(repository, file, commit)
        paths.append((yield from fetch(replace(remote, revision=hub.MAIN), rate=rate)))
    return paths[0]
