"""Checks a GGUF file before llama.cpp sees it, in a few milliseconds.

llama.cpp aborts the process for some values that a damaged or hostile file may hold, and for others only says that
something failed. Here each of them gets a sentence. The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import math
import mmap
import struct
from dataclasses import dataclass, replace
from pathlib import Path

from vibethinker_local.errors import ModelError

ARCHITECTURE = "qwen2"
VERSIONS = (2, 3)
MAX_LAYERS = 512  # llama.cpp's own limit
SCALINGS = ("none", "linear", "yarn", "longrope")  # RoPE scaling types that llama.cpp knows
MAX_HEADER = 64 << 20  # bytes; Qwen2's is 6 MB. No more is mapped, because address space may be limited (ulimit -v)
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
# (elements, bytes) of a block, by ggml_type. For a type that is not listed, only the start of the data is checked.
_BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84)}
_BLOCKS |= {11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 20: (32, 18), 23: (256, 136), 30: (1, 2)}
_TOKENS = "tokenizer.ggml.tokens"


class _CutOff(Exception):
    """The file ends before its header does."""


class _Broken(Exception):
    """The file contradicts itself or the format."""


@dataclass(frozen=True)
class Header:
    """The shape of a model, and the size of its file."""

    layers: int
    width: int
    feed_forward: int
    heads: int
    kv_heads: int
    vocabulary: int
    trained_context: int  # positions
    weights: int  # bytes

    @property
    def kv_width(self) -> int:
        """How many numbers the keys of one token have in one layer; its values have as many."""
        return self.width // self.heads * self.kv_heads


def read(path: Path) -> Header:
    """Read the header. Raises ModelError if the file is unreadable, damaged, or not the GGUF of a whole qwen2 model."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
            if magic != b"GGUF":
                what = "not a GGUF file" if magic else "empty"
                raise ModelError(f"{path} is {what}: give a .gguf model, or a name from models.toml.")
            size = path.stat().st_size
            with mmap.mmap(file.fileno(), min(size, MAX_HEADER), access=mmap.ACCESS_READ) as data:
                return _read(data, path, size)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelError(f"The model file {path} cannot be read: {reason}.") from error
    except _CutOff:
        raise ModelError(f"{path} is cut off inside its header: fetch or convert it again.") from None
    except _Broken as error:
        raise ModelError(f"{path} is damaged ({error}): fetch or convert it again.") from None


def _read(data: mmap.mmap, path: Path, size: int) -> Header:
    reader = _Reader(data)
    version = reader.number("I")
    if version not in VERSIONS:
        raise ModelError(f"{path} is a GGUF file of version {version}: convert it again, to version 3.")
    tensors, keys = reader.number("Q"), reader.number("Q")
    values: dict[str, object] = {}
    for _ in range(keys):
        key = reader.string().decode("utf-8", "replace")
        values[key] = reader.value(reader.number("I"), keep=key == _TOKENS)
    architecture = values.get("general.architecture")
    if architecture != ARCHITECTURE:
        raise ModelError(f"{path} holds a {architecture} model: only {ARCHITECTURE} models (VibeThinker's) can be run.")
    if tensors == 0:
        raise ModelError(f"{path} holds a vocabulary and no weights: give a whole model.")
    if not values.get("tokenizer.chat_template"):
        raise ModelError(f"{path} has no chat template: use a file that was converted with one.")
    shape = _shape(values)
    alignment = values.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment <= 0:
        raise _Broken(f"general.alignment is {alignment}")
    end = reader.tensors_end(tensors)
    begin = -(-reader.at // alignment) * alignment
    if begin + end > size:
        raise ModelError(f"{path} is cut off: {size:,} of at least {begin + end:,} bytes are there. Fetch it again.")
    return replace(shape, weights=size - begin)


def _shape(values: dict[str, object]) -> Header:
    """The shape without the size of the weights, from values that llama.cpp does not check itself."""

    def number(key: str, default: object = None) -> int:
        value = values.get(f"{ARCHITECTURE}.{key}", default)
        if not isinstance(value, int) or not 0 < value < 2**31:
            raise _Broken(f"{ARCHITECTURE}.{key} is {value}")
        return value

    if number("block_count") > MAX_LAYERS:
        raise _Broken(f"{ARCHITECTURE}.block_count is {number('block_count')}")
    heads, width = number("attention.head_count"), number("embedding_length")
    if width % heads or heads % number("attention.head_count_kv", heads):
        raise _Broken(f"its {heads} attention heads do not divide its width, or its KV heads them")
    for key in ("attention.key_length", "attention.value_length", "rope.dimension_count"):
        if number(key, width // heads) != width // heads:
            raise _Broken(f"{ARCHITECTURE}.{key} is not {width // heads}")
    if experts := values.get(f"{ARCHITECTURE}.expert_count"):
        raise _Broken(f"{ARCHITECTURE}.expert_count is {experts}")
    if (scaling := values.get(f"{ARCHITECTURE}.rope.scaling.type", "none")) not in SCALINGS:
        raise _Broken(f"{ARCHITECTURE}.rope.scaling.type is {scaling}")
    epsilon = values.get(f"{ARCHITECTURE}.attention.layer_norm_rms_epsilon")
    if not isinstance(epsilon, float) or not (0 <= epsilon < math.inf):
        raise _Broken(f"{ARCHITECTURE}.attention.layer_norm_rms_epsilon is {epsilon}")
    if (tokenizer := values.get("tokenizer.ggml.model")) != "gpt2":
        raise _Broken(f"tokenizer.ggml.model is {tokenizer}, not gpt2")
    tokens = values.get(_TOKENS)
    if not isinstance(tokens, list) or len(set(tokens)) < len(tokens):
        raise _Broken(f"{_TOKENS} is missing or holds a token twice")
    return Header(
        layers=number("block_count"),
        width=width,
        feed_forward=number("feed_forward_length"),
        heads=heads,
        kv_heads=number("attention.head_count_kv", heads),
        vocabulary=len(tokens),
        trained_context=number("context_length"),
        weights=0,
    )


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at = data, 4

    def number(self, code: str) -> int:
        found = self._scalar(code)
        assert isinstance(found, int)
        return found

    def _scalar(self, code: str) -> object:
        try:
            (found,) = struct.unpack_from("<" + code, self.data, self.at)
        except struct.error:
            raise _CutOff from None
        self.at += struct.calcsize("<" + code)
        value: object = found
        return value

    def _skip(self, size: int) -> None:
        if self.at + size > len(self.data):
            raise _CutOff
        self.at += size

    def string(self) -> bytes:
        size = self.number("Q")
        begin = self.at
        self._skip(size)
        return self.data[begin : self.at]

    def strings(self, count: int, *, keep: bool) -> list[bytes]:
        """Read `count` strings. Its own tight loop, because vocabulary and merges together are 300,000 of them."""
        data, at, unpack, kept = self.data, self.at, struct.Struct("<Q").unpack_from, list[bytes]()
        try:
            for _ in range(count):
                begin = at + 8
                at = begin + unpack(data, at)[0]
                if keep:
                    kept.append(data[begin:at])
        except (struct.error, OverflowError):
            raise _CutOff from None
        self.at = at
        self._skip(0)
        return kept

    def value(self, kind: int, *, keep: bool) -> object:
        """A metadata value. Arrays are skipped and give None, except arrays of strings that are to be kept."""
        if kind in _SCALARS:
            return self._scalar(_SCALARS[kind])
        if kind == _STRING:
            return self.string().decode("utf-8", "replace")
        if kind != _ARRAY:
            raise _Broken(f"a value of type {kind}")
        inner, count = self.number("I"), self.number("Q")
        if inner == _STRING:
            return self.strings(count, keep=keep)
        if inner not in _SCALARS:
            raise _Broken(f"an array of type {inner}")
        self._skip(count * struct.calcsize("<" + _SCALARS[inner]))
        return None

    def tensors_end(self, count: int) -> int:
        """The end of the last tensor, in bytes from the start of the data section."""
        end = 0
        for _ in range(count):
            self.string()
            dimensions = self.number("I")
            if dimensions > 4:
                raise _Broken(f"a tensor of {dimensions} dimensions")
            elements = math.prod(self.number("Q") for _ in range(dimensions))
            block, size = _BLOCKS.get(self.number("I"), (1, 0))
            end = max(end, self.number("Q") + elements // block * size)
        return end
