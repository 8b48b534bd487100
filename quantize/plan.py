"""What will be written: for every tensor its type, place and size, known before the first byte.

The types are llama.cpp's own choice (kernels.choose_types); overrides are laid over it afterwards, because handing them
to llama.cpp would shift its layer counters and change other tensors. Does not read or write tensor data.
"""

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gguf import GGMLQuantizationType, LlamaFileType

from vibethinker_local.llama import kernels

from .config import Qwen2Config, Weight
from .errors import MachineError, RequestError
from .header import TensorInfo, pad, write_plan_header
from .source import SourceTensor

FILE_TYPES = {
    name: LlamaFileType[f"MOSTLY_{name}"]
    for name in (
        *("F16", "BF16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "Q4_0", "IQ4_XS", "Q3_K_M", "Q2_K"),
    )
}
BLOCKS = {"F16": 1, "BF16": 1, "Q8_0": 32}  # rows must be a multiple of this; 256 for all other file types
TENSOR_TYPES = {
    name: GGMLQuantizationType[name]
    for name in (
        *("F32", "F16", "BF16", "Q8_0", "Q6_K", "Q5_K", "Q5_1", "Q5_0", "Q4_K", "Q4_1", "Q4_0"),
        *("IQ4_XS", "IQ4_NL", "Q3_K", "Q2_K"),
    )
}
SOURCE_TYPES = {"BF16": GGMLQuantizationType.BF16, "F16": GGMLQuantizationType.F16, "F32": GGMLQuantizationType.F32}


@dataclass(frozen=True)
class Override:
    """Tensors whose GGUF name `pattern` finds get `type`. The first override that matches counts."""

    pattern: re.Pattern[str]
    type: GGMLQuantizationType


@dataclass(frozen=True)
class TensorPlan:
    """One tensor of the file to be. `offset` is from the start of the data, in bytes; `size` is without padding."""

    name: str
    source: SourceTensor
    wanted: GGMLQuantizationType  # by the file type's mixture, or an override
    type: GGMLQuantizationType  # another than `wanted` where the rows' width does not allow that
    offset: int
    size: int

    @property
    def weights(self) -> int:
        return self.source.rows * self.source.width

    @property
    def info(self) -> TensorInfo:
        return TensorInfo(self.name, self.source.shape, self.type, self.size)


@dataclass(frozen=True)
class TypeShare:
    """How much of a file has one type; `size` in bytes."""

    type: str
    tensors: int
    size: int


@dataclass(frozen=True)
class QuantizationPlan:
    """`tensors` are in the order of their offsets."""

    file_type: str  # a key of FILE_TYPES
    tensors: tuple[TensorPlan, ...]

    @property
    def data_size(self) -> int:
        """Bytes after the header, padding included."""
        return sum(pad(tensor.size) for tensor in self.tensors)

    @property
    def weights(self) -> int:
        return sum(tensor.weights for tensor in self.tensors)

    @property
    def bits_per_weight(self) -> float:
        return 8 * sum(tensor.size for tensor in self.tensors) / self.weights

    @property
    def shares(self) -> tuple[TypeShare, ...]:
        return type_shares([(tensor.type, tensor.size) for tensor in self.tensors])

    @property
    def label(self) -> str:
        matrices = [tensor for tensor in self.tensors if len(tensor.source.shape) == 2]
        return label(self.file_type, [(tensor.type, tensor.source.width) for tensor in matrices])

    @property
    def fallbacks(self) -> tuple[TensorPlan, ...]:
        return tuple(tensor for tensor in self.tensors if tensor.type != tensor.wanted)


def type_shares(tensors: Iterable[tuple[GGMLQuantizationType, int]]) -> tuple[TypeShare, ...]:
    """From (type, bytes) of each tensor; the largest share first."""
    sizes: dict[str, list[int]] = {}
    for type, size in tensors:
        sizes.setdefault(type.name, []).append(size)
    shares = [TypeShare(name, len(each), sum(each)) for name, each in sizes.items()]
    return tuple(sorted(shares, key=lambda share: (-share.size, share.type)))


def label(file_type: str | None, matrices: Sequence[tuple[GGMLQuantizationType, int]]) -> str:
    """The name a file deserves, from (type, width) of its matrices.

    That is `file_type`, unless some rows were too odd for its types: then the types that took their place.
    """
    block = BLOCKS.get(file_type or "", 256)
    if file_type and all(width % block == 0 for _, width in matrices):
        return file_type
    return "+".join(sorted({type.name for type, _ in matrices}))


def parse_file_type(name: str) -> str:
    if name.upper() not in FILE_TYPES:
        raise RequestError(f"there is no type {name}; choose one of {', '.join(FILE_TYPES)}")
    return name.upper()


def parse_tensor_type(name: str) -> GGMLQuantizationType:
    if name.upper() not in TENSOR_TYPES:
        raise RequestError(f"there is no tensor type {name}; choose one of {', '.join(TENSOR_TYPES)}")
    return TENSOR_TYPES[name.upper()]


def parse_override(text: str) -> Override:
    """`PATTERN=TYPE`, such as `blk\\.0\\..*=Q8_0`."""
    pattern, equals, name = text.rpartition("=")
    if not equals or not pattern:
        raise RequestError(f"{text!r} is not PATTERN=TYPE, such as ffn_down=Q6_K")
    try:
        return Override(re.compile(pattern), parse_tensor_type(name))
    except re.error as error:
        raise RequestError(f"{pattern!r} is not a regular expression: {error}") from error


def make_plan(
    config: Qwen2Config,
    weights: Sequence[Weight],
    file_type: str,
    *,
    overrides: Sequence[Override] = (),
    with_importance: bool = False,
) -> QuantizationPlan:
    """Raises RequestError for an override that changes no tensor, or a type that a tensor's width does not allow."""
    sources = {weight.name: weight.source for weight in weights}
    choices = _choices(config, weights, file_type, with_importance)
    if {choice.name for choice in choices} != sources.keys():
        raise MachineError("llama.cpp's plan cannot be understood; install the pinned version of llama-cpp-python")
    tensors: list[TensorPlan] = []
    used: set[Override] = set()
    offset = 0
    for choice in choices:
        source = sources[choice.name]
        wanted, type = choice.wanted, choice.type
        if override := _override(choice.name, source, overrides):
            wanted = type = override.type
            used.add(override)
        size = kernels.row_size(type, source.width) * source.rows
        tensors.append(TensorPlan(choice.name, source, wanted, type, offset, size))
        offset += pad(size)
    for override in overrides:
        if override not in used:
            raise RequestError(f"no tensor is changed by {override.pattern.pattern}={override.type.name}")
    return QuantizationPlan(file_type, tuple(tensors))


def _choices(
    config: Qwen2Config, weights: Sequence[Weight], file_type: str, with_importance: bool
) -> list[kernels.TypeChoice]:
    """llama.cpp's decision, from a file that has the checkpoint's tensor list and no data."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "plan.gguf"
            write_plan_header(path, config, [_as_is(weight) for weight in weights])
            return kernels.choose_types(path, FILE_TYPES[file_type], with_importance=with_importance)
    except OSError as error:
        where = f"{tempfile.gettempdir()} ({error.strerror})"
        raise MachineError(f"no sparse file can be made in {where}; set TMPDIR to a folder with room") from error


def _override(name: str, source: SourceTensor, overrides: Sequence[Override]) -> Override | None:
    """The override for a tensor, if any. Norms and biases stay as they are: llama.cpp wants them in F32."""
    if len(source.shape) == 1:
        return None
    override = next((override for override in overrides if override.pattern.search(name)), None)
    if override and not kernels.fits(override.type, source.width):
        raise RequestError(f"{name} cannot be {override.type.name}: its rows have {source.width} weights")
    return override


def _as_is(weight: Weight) -> TensorInfo:
    """The tensor in its own type, as the converter's output would hold it."""
    source = weight.source
    type = SOURCE_TYPES[source.dtype] if len(source.shape) == 2 else GGMLQuantizationType.F32
    return TensorInfo(weight.name, source.shape, type, kernels.row_size(type, source.width) * source.rows)
