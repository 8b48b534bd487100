"""The process around a command: its standard streams, and what becomes of an error. Does without Typer."""

import io
import logging
import os
import sys

from vibethinker_local.errors import VibeError


def prepare_streams() -> None:
    """Make the standard streams exist and be UTF-8."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed; or a file opened later would get its descriptor, and its output
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def complain_of(error: Exception) -> int:
    """Say in a sentence what went wrong; the exit code."""
    from vibethinker_local.cli.render import complain

    if isinstance(error, VibeError):
        complain(error)
        return error.exit_code
    logging.getLogger("vibethinker_local").exception("a bug")
    complain(f"This is a bug, please report it: {type(error).__name__}: {error}. The log file has the details.")
    return 5
