"""Two rotated log files, below VIBE_HOME or in the platform's log folder: the app's own, and llama.cpp's output."""

import logging
import os
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from typing import BinaryIO

from vibethinker_local.errors import UsageError
from vibethinker_local.system import paths

MAX_BYTES, BACKUPS = 1_000_000, 2


def start(*, debug: bool) -> None:
    """Send the app's log to its file, or nowhere if the file cannot be written: that is no reason to refuse work."""
    root = logging.getLogger("vibethinker_local")
    root.propagate = False
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    handler: logging.Handler
    try:
        paths.logs().mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            paths.logs() / "vibe.log", maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8", delay=True
        )
    except (OSError, UsageError):  # UsageError: there is no home
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.raiseExceptions = False  # a full disk must not print tracebacks
    for former in root.handlers:
        with suppress(OSError):  # a full disk
            former.close()
    root.handlers = [handler]


def engine_log() -> tuple[BinaryIO | None, int]:
    """The engine's log, opened for appending, and its current length. None if it cannot be written."""
    try:
        path = paths.logs() / "engine.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > MAX_BYTES:
            with suppress(OSError):  # Windows does not rename a file that another process has open
                path.replace(path.with_suffix(".log.1"))
        file = path.open("ab")
        return file, file.seek(0, os.SEEK_END)
    except (OSError, UsageError):
        return None, 0


def engine_log_since(begin: int, most: int = 4_000) -> str:
    """The last `most` bytes of what was written to the engine's log after offset `begin`."""
    try:
        with (paths.logs() / "engine.log").open("rb") as file:
            file.seek(max(begin, file.seek(0, os.SEEK_END) - most))
            return file.read().decode("utf-8", "replace")
    except (OSError, UsageError):
        return ""
