"""Everything that can go wrong, as one small tree. Each message is one sentence: what, where, and what to do.

QuantizeError
├── RequestError      the command itself cannot be carried out as asked          exit 2
├── CheckpointError   the source is not a complete, sound Qwen2 checkpoint       exit 4
├── ModelFileError    a GGUF file is broken, foreign or not what was expected    exit 4
└── MachineError      the disk or the native library refused                     exit 5
"""

LONGEST = 1000  # characters of a message, which may quote names and values of a damaged file


class QuantizeError(Exception):
    """Base of the tree; `exit_code` is what a command that ends with it returns."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        shown = message if len(message) <= LONGEST else f"{message[: LONGEST // 2]} … {message[-LONGEST // 2 :]}"
        super().__init__(shown)


class RequestError(QuantizeError):
    exit_code = 2


class CheckpointError(QuantizeError):
    exit_code = 4


class ModelFileError(QuantizeError):
    exit_code = 4


class MachineError(QuantizeError):
    exit_code = 5
