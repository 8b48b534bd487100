"""The door to llama.cpp: its library, loaded when it is first needed, and its log, which never reaches the terminal."""

import ctypes
import functools
import logging
import os
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from vibethinker_local.errors import EngineError

log = logging.getLogger("vibethinker_local.llama")

PACKAGE = "llama_cpp"
_ERROR = 4  # ggml.h: GGML_LOG_LEVEL_ERROR
_LEVELS = {2: logging.DEBUG, 3: logging.WARNING, _ERROR: logging.ERROR}  # ggml.h: enum ggml_log_level


@functools.cache
def library() -> Any:
    """llama_cpp's low-level module, with its log sent to ours. Raises EngineError if it cannot be loaded."""
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")  # or a failing assert starts a debugger
    try:
        native = import_module(f"{PACKAGE}.{PACKAGE}") if PACKAGE in sys.modules else _load_low_level()
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise EngineError(f"llama.cpp's library cannot be loaded ({error}): install llama-cpp-python again.") from error
    _callbacks.append(native.llama_log_callback(_write))
    _listen(native)
    native.llama_backend_init()
    return native


@functools.cache
def ggml(name: str) -> Any:
    """One of ggml's libraries by its own name: on Windows its functions are not found through llama's.

    Raises EngineError if it is not there.
    """
    native = library()
    try:
        return native.load_shared_library(name, native._base_path)
    except (OSError, RuntimeError) as error:
        raise EngineError(f"{name} cannot be loaded ({error}): install llama-cpp-python again.") from error


def _load_low_level() -> Any:
    """The low-level module without its package, whose high-level half would cost every start a quarter of a second.

    For as long as it loads, a package that has only a path stands in; afterwards, `import llama_cpp` anywhere in the
    process gives the real one.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EngineError("llama-cpp-python is not installed: install vibethinker-local again.")
    stand_in = types.ModuleType(PACKAGE)
    stand_in.__path__ = list(spec.submodule_search_locations)
    sys.modules[PACKAGE] = stand_in
    try:
        return import_module(f"{PACKAGE}.{PACKAGE}")
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]


@dataclass(frozen=True)
class Logged:
    """What llama.cpp logged in one go: often only a part of a line."""

    text: str
    error: bool


_callbacks: list[Any] = []  # the one that llama.cpp may call; it must live as long as the process
_listeners: list[list[Logged]] = []  # one at most
_listener_lock = threading.Lock()
_quiet = threading.Event()  # what is logged may be no fault


def _write(level: int, text: bytes, _: object) -> None:
    decoded = text.decode("utf-8", "replace")
    if line := decoded.strip():
        log.log(logging.DEBUG if _quiet.is_set() else _LEVELS.get(level, logging.DEBUG), "%s", line)
    for listener in _listeners:
        listener.append(Logged(decoded, error=level == _ERROR))


def _listen(native: Any) -> None:
    native.llama_log_set(_callbacks[-1], ctypes.c_void_p(0))


@contextmanager
def listening(*, quietly: bool = False) -> Iterator[list[Logged]]:
    """Collects what llama.cpp logs inside the block, for one block of the process at a time.

    `quietly`: log everything at debug level, because llama.cpp reports normal outcomes (no free slot, aborted) as
    errors. The caller reports real ones.
    """
    native, heard = library(), list[Logged]()
    with _listener_lock:
        _listen(native)  # again: there is one callback for a whole process, and others may set theirs
        _listeners.append(heard)
        if quietly:
            _quiet.set()
        try:
            yield heard
        finally:
            _listeners.clear()
            _quiet.clear()


def reason(logged: list[Logged]) -> str:
    """The first of llama.cpp's errors, which is the most exact one, without the name of the function that wrote it."""
    line = next((entry.text.strip() for entry in logged if entry.error), "llama.cpp gave no reason")
    return line.split(": ", 1)[-1].rstrip(".") if ": " in line else line.rstrip(".")


def system_info() -> str:
    """llama.cpp's own line about the CPU features and backends that it was built with."""
    info: bytes = library().llama_print_system_info()
    return info.decode("utf-8", "replace").strip()


def supports_gpu() -> bool:
    return bool(library().llama_supports_gpu_offload())
