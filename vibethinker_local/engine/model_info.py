"""What a model file says about itself."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelInfo:
    quant: str
    template: str | None
    trained_context: int  # positions
    parameters: int
    bytes: int
    ends: frozenset[int]  # tokens that end a reply
    notice: str | None = None  # what the user should know about how it was loaded
