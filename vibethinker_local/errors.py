"""Everything that can go wrong for a reason the user can act on. `cli` alone turns these into exit codes.

    VibeError                     exit
    ├── UsageError                 2    the problem or the options cannot be used
    ├── FileError                  2    a file cannot be written: its disk is full, or fails
    ├── SandboxError               2    programs cannot be run: the extra is missing, or it was not set up
    ├── ModelError                 4    the model is missing, broken, foreign, or too large
    └── EngineError                5    the engine failed while it ran
        ├── EngineDied                  its process ended: killed, out of memory, an assertion of llama.cpp
        ├── NoRoom                      no free cell for a token: the scheduler handles it; elsewhere it is a bug
        └── Interrupted                 a batch that was not finished: the engine handles it

A message is one sentence, or two: what is wrong, where, and what to do about it.
"""

LONGEST = 1000  # characters of a message, which may quote names and values of a damaged file


def extra(name: str) -> str:
    """How to install an optional part of this program."""
    return f"in a clone of this project, `uv pip install -e '.[{name}]'` (docs/install.md has other ways)"


class VibeError(Exception):
    """The root: `str(error)` is what the user reads, and `exit_code` what a command that ends with it returns."""

    exit_code = 5

    def __init__(self, message: str = "") -> None:
        half = LONGEST // 2
        super().__init__(message if len(message) <= LONGEST else f"{message[:half]} … {message[-half:]}")


class UsageError(VibeError):
    """The problem, an option or a file given by the user cannot be used."""

    exit_code = 2


class SandboxError(VibeError):
    """Programs cannot be run here: the extra `code` is not installed, was not set up, or does not start."""

    exit_code = 2


class FileError(VibeError):
    """A file cannot be written any further: its disk is full, or fails."""

    exit_code = 2


class ModelError(VibeError):
    """The model is not installed, not a GGUF, corrupt, of another architecture, or does not fit in memory."""

    exit_code = 4


class EngineError(VibeError):
    """The engine failed while it ran."""


class EngineDied(EngineError):
    """The engine's process has ended; the next request starts another."""


class NoRoom(EngineError):
    """The KV cache has no room for a batch (llama_decode returned 1)."""


class Interrupted(EngineError):
    """A batch was not finished because somebody asked for that (llama_decode returned 2)."""
