"""The log files, rotated, below VIBE_HOME or the platform's log folder: ours, and the engine's with its native text."""

import logging
import os
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from typing import BinaryIO

from vibethinker_local.system import paths

MAX_BYTES, BACKUPS = 1_000_000, 2


def start(*, debug: bool) -> None:
    """Send the app's log to its file. Where none can be written, do without: a log is no reason to refuse work."""
    root = logging.getLogger("vibethinker_local")
    root.propagate = False
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    handler: logging.Handler
    try:
        paths.logs().mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            paths.logs() / "vibe.log", maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8", delay=True
        )
    except (OSError, RuntimeError):  # RuntimeError: VIBE_HOME names a ~user that there is not
        handler = logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.raiseExceptions = False  # a full disk must not print tracebacks
    for former in root.handlers:
        with suppress(OSError):  # a full disk
            former.close()
    root.handlers = [handler]


def engine_log() -> tuple[BinaryIO | None, int]:
    """The engine's log, open at its end, and where that is. None where no log can be written."""
    try:
        path = paths.logs() / "engine.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > MAX_BYTES:
            with suppress(OSError):  # Windows renames no file that another process writes to
                path.replace(path.with_suffix(".log.1"))
        file = path.open("ab")
        return file, file.seek(0, os.SEEK_END)
    except (OSError, RuntimeError):
        return None, 0


def engine_log_since(begin: int, most: int = 4_000) -> str:
    """The end of what the engine's log says from `begin` on."""
    try:
        with (paths.logs() / "engine.log").open("rb") as file:
            file.seek(max(begin, file.seek(0, os.SEEK_END) - most))
            return file.read().decode("utf-8", "replace")
    except (OSError, RuntimeError):
        return ""
