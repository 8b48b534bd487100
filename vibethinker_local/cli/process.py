"""What becomes of an error that a command ends with. Does without Typer."""

import logging

from vibethinker_local.errors import VibeError


def complain_of(error: Exception) -> int:
    """Say in a sentence what went wrong; the exit code."""
    from vibethinker_local.cli.render import complain

    if isinstance(error, VibeError):
        complain(error)
        return error.exit_code
    logging.getLogger("vibethinker_local").exception("a bug")
    complain(f"This is a bug, please report it: {type(error).__name__}: {error}. The log file has the details.")
    return 5
