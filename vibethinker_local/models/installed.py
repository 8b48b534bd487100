"""Which model files are on this machine, and the choice of one. Loads nothing.

A file counts as installed once all of it was read and its sha256 is the right one (checksums.py). `vibe pull` sees to
that; a file that came another way is read when it is first used. A path that the user gives is the user's own affair.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from vibethinker_local.errors import ModelError, UsageError
from vibethinker_local.gguf import header as gguf_header
from vibethinker_local.models import cache, checksums, memory, names
from vibethinker_local.models.cache import Repository
from vibethinker_local.models.defaults import defaults
from vibethinker_local.models.spec import BUNDLED, ModelFile, ModelSpec, find, registry, repository
from vibethinker_local.system import locks, machine, paths
from vibethinker_local.system.files import bytes_of

__all__ = ["BUNDLED", "Chosen", "Installed", "ModelSpec", "choose", "installed", "registry"]

UNFINISHED = ".gguf.partial"  # how the name of a file ends while `quantize` builds it, and holds it


@dataclass(frozen=True)
class Installed:
    """A model file on this machine. `listed` is its entry in models.toml; None if it was built here."""

    path: Path
    quant: str
    listed: ModelFile | None = None

    @property
    def parts(self) -> list[Path]:
        """The file itself; of a split one all its parts, in order, also those that are missing."""
        return gguf_header.parts(self.path)

    @property
    def bytes(self) -> int:
        """The size of all parts."""
        return sum(bytes_of(part) for part in self.parts)

    @property
    def state(self) -> Literal["sound", "unchecked", "damaged"]:
        """What is known about it without reading it."""
        if self.listed and self.listed.package:
            return "sound"  # came with the program
        found = self._hashes
        if self._damage(found):
            return "damaged"
        return "unchecked" if None in found else "sound"

    @property
    def damage(self) -> str | None:
        """Which part is not as it should be, as far as is known without reading it, and how; None if none is."""
        return self._damage(self._hashes)

    @property
    def _hashes(self) -> list[str | None]:
        """What is on record for each part."""
        return [checksums.known(part) for part in self.parts]

    def _damage(self, hashes: list[str | None]) -> str | None:
        for part, found in zip(self.parts, hashes, strict=True):
            if not part.is_file():
                return f"{part} is missing"
            size = self.listed.bytes if self.listed and part == self.path else None
            expected = self._expected(part)
            if size not in (None, bytes_of(part)) or (None not in (found, expected) and found != expected):
                return f"{part} is not the file that it should be (by its size or sha256)"
        return None

    def _expected(self, part: Path) -> str | None:
        """The sha256 that a part must have: from its entry, else from its name in the hub's cache; None if unknown."""
        if self.listed is None or (self.listed.sha256 and part == self.path):
            return self.listed.sha256 if self.listed else None
        blob = part.readlink().name if part.is_symlink() else ""
        return blob if len(blob) == 64 else None


@dataclass(frozen=True)
class Chosen:
    """A model that can be loaded: its name, its spec and its file."""

    name: str
    spec: ModelSpec
    path: Path

    @cached_property
    def header(self) -> gguf_header.Header:
        """The file's header, read once. Raises ModelError."""
        return gguf_header.read(self.path)


def built_path(name: str, quant: str) -> Path:
    """The path of a file that is built here from the model's checkpoint."""
    return paths.built_models() / name / f"{name}-{quant}.gguf"


def installed(name: str, spec: ModelSpec) -> list[Installed]:
    """The model's files on this machine, the largest first: it is the closest to the original."""
    found = [Installed(path, file.quant, file) for file in spec.files for path in _places(file)]
    found += _of_repository(spec.gguf) if spec.gguf else []
    found += [Installed(path, path.stem.removeprefix(f"{name}-")) for path in _built(name)]
    return sorted(found, key=lambda each: (-each.bytes, each.path))


def _built(name: str, ending: str = ".gguf") -> list[Path]:
    try:
        return sorted((paths.built_models() / name).glob(f"{name}-*{ending}"))
    except OSError:  # not for us to look at
        return []


def _of_repository(name: str) -> list[Installed]:
    """The models of a GGUF repository that are here: whole files, and the first parts of split ones."""
    found = dict[str, Installed]()
    for file, path in Repository(name).ggufs():
        shard = gguf_header.SHARD.fullmatch(path.name)
        if names.is_model(file) and (shard is None or int(shard["part"]) == 1):
            quant = names.quant_of(file) or (shard["stem"] if shard else path.stem)
            listed = ModelFile.model_construct(quant=quant, repository=name, file=file)
            found[file] = Installed(path, quant, listed)
    return list(found.values())


def unlisted(known: dict[str, ModelSpec]) -> list[str]:
    """The GGUF repositories in the cache that models.toml does not name."""
    named = {spec.gguf for spec in known.values()}
    named |= {file.repository for spec in known.values() for file in spec.files}
    others = [name for name in Repository.all() if name not in named and repository(name)]
    return [name for name in others if _of_repository(name) or partials(name, of_repository(name))]


def of_repository(name: str) -> ModelSpec:
    """The spec of a GGUF repository that models.toml does not name: how its files are sampled, each of them says."""
    return ModelSpec(about=f"from {name}", gguf=name)


def _places(file: ModelFile) -> list[Path]:
    """The path of a listed file, if it is here; the newest, if there are several."""
    if file.package:
        places = [paths.PACKAGE / file.package]
    else:
        assert file.repository
        assert file.file
        places = Repository(file.repository).files(file.file)
    there = sorted((place for place in places if place.is_file()), key=lambda place: place.stat().st_mtime)
    return there[-1:]


def partials(name: str, spec: ModelSpec, quant: str | None = None) -> list[Path]:
    """What interrupted downloads and builds of a model have left, of one quant or of all.

    Of a repository that is not listed file by file nobody knows which quant a part belongs to: it is one of all.
    """
    listed = [file for file in spec.files if quant is None or file.quant.upper() == quant.upper()]
    found = [Repository(file.repository).partial(file.sha256) for file in listed if file.repository and file.sha256]
    try:
        here = [path for path in found if path.exists()]
    except OSError:  # not for us to look at
        here = []
    here += Repository(spec.gguf).partials() if spec.gguf and quant is None else []
    built = {path: path.name.removeprefix(f"{name}-").removesuffix(UNFINISHED) for path in _built(name, UNFINISHED)}
    return here + [path for path, of in built.items() if quant is None or of.upper() == quant.upper()]


def choose(wanted: str | None, say: Callable[[str], None] = lambda text: None) -> Chosen:
    """The model to load: NAME or NAME:QUANT, a .gguf path, or with None the best installed one.

    `say` hears why something takes a while, or is passed over. Raises ModelError.
    """
    known = registry()
    if wanted is None:
        return _best(known, say)
    if named := find(wanted, known):
        return _named(*named, known, say)
    try:
        path = Path(wanted).expanduser()
        if wanted and path.is_dir():
            raise ModelError(f"{wanted} is a folder: give the .gguf file inside it.")
        if wanted and path.exists():
            if not path.is_file():  # a pipe would be waited for
                raise ModelError(f"{wanted} is not a GGUF file, but a pipe or a device: give a .gguf model.")
            spec, said = _spec_for(path, known)
            if said:
                say(said)
            return Chosen(path.stem, spec, path)
    except (OSError, RuntimeError, ValueError) as error:  # too long, no permission, no such ~user
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelError(f"{wanted} cannot be a model file ({reason}): check the path.") from error
    if path.suffix.lower() != ".gguf" and (from_hub := repository(wanted)):
        name, quant = from_hub
        found = _named(name, quant, {name: of_repository(name)}, say)
        spec, said = _spec_for(found.path, known)
        if said:
            say(said)
        return Chosen(name, spec, found.path)
    if path.suffix.lower() == ".gguf" or len(path.parts) > 1:
        raise ModelError(f"There is no model file {wanted}: check the path.")
    names = ", ".join(known)
    raise ModelError(f"There is no model called {wanted!r}: give one of {names}, or the path of a .gguf file.")


def _best(known: dict[str, ModelSpec], say: Callable[[str], None]) -> Chosen:
    for name, spec in known.items():
        for each in _that_fit_first(installed(name, spec)):
            try:
                check(each, name, say)
            except ModelError as error:
                say(str(error))
                continue
            return Chosen(name, spec, each.path)
    raise ModelError(f"No model is installed, not even {BUNDLED}: install vibethinker-local again.")


def _named(name: str, quant: str | None, known: dict[str, ModelSpec], say: Callable[[str], None]) -> Chosen:
    spec = known[name]
    found = _that_fit_first(list(matching(installed(name, spec), quant)))
    for each in found:
        try:
            check(each, name, say)
        except ModelError:
            if each is found[-1]:
                raise
            continue
        return Chosen(name, spec, each.path)
    asked = f"{name}:{quant}" if quant else name
    if name == BUNDLED:
        raise ModelError(f"{asked} is not part of the program: give `-m {BUNDLED}`.")
    raise ModelError(f"{asked} is not installed: `vibe pull {asked}` fetches it, `-m {BUNDLED}` is there.")


def _that_fit_first(files: list[Installed]) -> list[Installed]:
    """Sorts the files: those that fit into memory before those that do not."""
    if len(files) < 2:
        return files
    room = machine.room()

    def too_large(file: Installed) -> bool:
        try:
            return not memory.context(gguf_header.read(file.path), room, most=memory.LEAST_CONTEXT)
        except ModelError:
            return True

    return sorted(files, key=too_large)


def matching(files: list[Installed], quant: str | None) -> Iterator[Installed]:
    """The files of one quant, or all."""
    return (each for each in files if quant is None or each.quant.upper() == quant.upper())


def check(file: Installed, name: str, say: Callable[[str], None]) -> None:
    """Check that a file is what it should be; hashes it if that has not been done. Raises ModelError."""
    if file.state == "unchecked":
        say(f"Reading {file.path.name} ({file.bytes / 1e9:.2f} GB) once, to check it.")
        for part in file.parts:
            checksums.sha256(part)
    if file.state == "damaged":
        raise ModelError(
            f"{file.damage}: `vibe rm {name}:{file.quant}` removes it, "
            f"`vibe pull {name}:{file.quant}` fetches it again."
        )


def check_removable(file: Installed) -> None:
    """Raises UsageError for a file that is part of the program."""
    if file.listed and file.listed.package:
        raise UsageError(f"{file.path.name} is part of the program: it cannot be removed alone.")


def earlier(file: Installed) -> list[Path]:
    """What the hub's cache has of a file from before it was changed on the hub, each version once.

    A version that a branch or a tag stands for is none of them: another program may use it.
    """
    if file.listed is None or not file.listed.repository:
        return []
    repository, own = Repository(file.listed.repository), {part.resolve() for part in file.parts}
    found = {other.resolve(): other for part in file.parts for other in repository.others(part)}
    return [other for payload, other in found.items() if payload not in own]


def remove(file: Installed) -> None:
    """Delete a file, with its names and earlier versions in the hub's cache, and their records.

    Raises UsageError or ModelError.
    """
    check_removable(file)
    for path in (*earlier(file), *file.parts):
        checksums.forget(path)
    try:
        for part in filter(os.path.lexists, reversed(file.parts)):  # what is left is found by the first
            if file.listed and file.listed.repository:
                Repository(file.listed.repository).remove(part)
            else:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise ModelError(f"{error.filename} cannot be removed: {error.strerror}.") from error


def usable(files: Iterable[Installed], name: str, say: Callable[[str], None]) -> Installed | None:
    """The first that is what it should be; where none is known to be, they are read."""
    for file in sorted(files, key=lambda each: each.state != "sound"):
        with suppress(ModelError):
            check(file, name, say)
            return file
    return None


def remove_partial(path: Path) -> None:
    """Delete what an interrupted download or build has left. Raises ModelError, also for one that is still going on."""
    from filelock import FileLock, Timeout  # only now: few need it

    lock, built = cache.lock_of(path), path.name.endswith(UNFINISHED)
    how = "built" if built else "fetched"
    busy = ModelError(f"{path} is being {how} by another program: wait for that, or end it.")
    try:
        with FileLock(lock, timeout=0) if lock.exists() and not built else nullcontext():
            if built:
                with path.open("r+b") as file:
                    if not locks.take(file):
                        raise busy
            path.unlink(missing_ok=True)
    except Timeout:
        raise busy from None
    except OSError as error:
        raise ModelError(f"{path} cannot be removed: {error.strerror}.") from error


def _spec_for(path: Path, known: dict[str, ModelSpec]) -> tuple[ModelSpec, str]:
    """The entry of a file that models.toml lists by name; for any other file what defaults.py finds, and where."""
    for name, spec in known.items():
        if any(path.name == file.name for file in spec.files) or path.parent == paths.built_models() / name:
            return spec, ""
    return defaults(path)
