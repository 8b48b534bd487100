"""What can go wrong with the quantizer, as branches of the app's tree: exit codes and manners of speaking are its own.

UsageError
└── RequestError      the command itself cannot be carried out as asked
ModelError            a GGUF file is broken, foreign or not what was expected
└── CheckpointError   the source is not a complete, sound Qwen2 checkpoint
EngineError
└── MachineError      the disk or the native library refused
"""

from vibethinker_local.errors import EngineError, ModelError, UsageError

__all__ = ["CheckpointError", "MachineError", "ModelError", "RequestError"]


class RequestError(UsageError):
    """The command cannot be carried out as asked: an option, an output or a file that was given for it."""


class CheckpointError(ModelError):
    """The source is not a complete, sound checkpoint that llama.cpp's qwen2 could compute."""


class MachineError(EngineError):
    """The disk or the native library refused."""
