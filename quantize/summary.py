"""What a GGUF file says about itself and what it holds, short enough to read."""

from dataclasses import dataclass
from math import isfinite, prod
from pathlib import Path

from gguf import GGMLQuantizationType

from vibethinker_local.gguf.reader import GgufFile, Value

from .errors import ModelError
from .gguf_file import read_gguf
from .plan import FILE_TYPES, TypeShare, label, type_shares

MAX_ITEMS = 8  # longer lists, such as the vocabulary, are shown by their length
MAX_TEXT = 80  # characters


@dataclass(frozen=True)
class Summary:
    path: Path
    label: str  # the declared type, or the types that are there where it would not be true
    size: int  # bytes
    weights: int
    shares: tuple[TypeShare, ...]  # largest first
    keys: dict[str, Value]

    @property
    def bits_per_weight(self) -> float:
        return 8 * sum(share.size for share in self.shares) / self.weights


def summarize(path: Path) -> Summary:
    """Raises ModelError unless `path` is a complete GGUF file with tensors."""
    file = read_gguf(path)
    if not file.tensors:
        raise ModelError(f"{path} holds no tensors")
    shares = type_shares([(GGMLQuantizationType(tensor.type), tensor.size) for tensor in file.tensors])
    keys = {key: shorten(value) for key, value in file.keys.items()}
    weights = sum(prod(tensor.shape) for tensor in file.tensors)
    return Summary(path, _label(file), file.size, weights, shares, keys)


def _label(file: GgufFile) -> str:
    number = file.keys.get("general.file_type")
    declared = next((name for name, file_type in FILE_TYPES.items() if file_type == number), None)
    matrices = [tensor for tensor in file.tensors if len(tensor.shape) == 2]
    return label(declared, [(GGMLQuantizationType(tensor.type), tensor.shape[-1]) for tensor in matrices])


def shorten(value: Value) -> Value:
    if isinstance(value, list) and len(value) > MAX_ITEMS:
        return f"[{len(value):,} items]"
    numbers = value if isinstance(value, list) else [value]
    if not all(isfinite(each) for each in numbers if isinstance(each, float)):
        return str(value)  # JSON has no number for it
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return value[: MAX_TEXT - 1] + "…"
    return value
