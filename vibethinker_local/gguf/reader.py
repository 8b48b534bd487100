"""Reads what stands before the tensors' data in a GGUF file, with every length checked against the file's size.

Knows the format (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), not what the keys mean. The gguf package's
own reader keeps one array per element of a list, which is hundreds of megabytes for Qwen2's vocabulary.
"""

import math
import mmap
import struct
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from vibethinker_local.errors import ModelError

Scalar = int | float | bool | str
Value = Scalar | list[Scalar] | list[str] | list[bytes]  # bytes: texts of a raw list

VERSIONS = (2, 3)
ALIGNMENT = 32  # bytes, where the file names no other
MAX_HEADER = 64 << 20  # bytes; Qwen2's is 6 MB. No more is mapped, because address space may be limited (ulimit -v)
MAX_DIMENSIONS = 4  # GGML_MAX_DIMS
LFS_POINTER = b"version https://git-lfs.github.com/spec/"  # begins what `git clone` leaves of a large file without LFS
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
# (elements, bytes) of a block, by ggml_type. The size of a tensor of a type that is not listed is not known.
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40)}
BLOCKS |= {10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292)}
BLOCKS |= {16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82)}
BLOCKS |= {23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2)}
BLOCKS |= {34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18)}


class _CutOff(Exception):
    """The file ends before its header does."""


class Broken(Exception):
    """The file contradicts itself or the format; the text says how."""


@dataclass(frozen=True)
class Tensor:
    """`shape` is (rows, width) or (width,); `offset`, from the start of the file, and `size` are in bytes."""

    name: str
    shape: tuple[int, ...]
    type: int  # ggml_type
    offset: int
    size: int  # 0 for a type that is not in BLOCKS


@dataclass(frozen=True)
class GgufFile:
    """What a file says before its data."""

    path: Path
    version: int
    keys: dict[str, Value]
    tensors: tuple[Tensor, ...]  # in the order of the header
    alignment: int  # bytes
    data: int  # where the tensors' bytes begin
    size: int  # of the whole file


def read(path: Path, raw: Container[str] | None = None) -> GgufFile:
    """Read a header. With `raw`, which is faster, only lists of these names are kept, and their texts stay bytes.

    Raises ModelError if the file cannot be read, is no GGUF file, is damaged, or ends before its tensors do.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
            if magic != b"GGUF":
                if magic + file.read(len(LFS_POINTER) - 4) == LFS_POINTER:
                    raise ModelError(f"{path} only points to its content, by Git LFS: fetch that with `git lfs pull`.")
                what = "not a GGUF file" if magic else "empty"
                raise ModelError(f"{path} is {what}: give a .gguf model.")
            size = path.stat().st_size
            with mmap.mmap(file.fileno(), min(size, MAX_HEADER), access=mmap.ACCESS_READ) as data:
                return _read(_HeaderReader(data, raw), path, size)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelError(f"The model file {path} cannot be read: {reason}.") from error
    except _CutOff:
        if size > MAX_HEADER:
            raise damaged(path, f"its header takes more than {MAX_HEADER >> 20} MiB") from None
        raise ModelError(f"{path} is cut off inside its header: fetch or convert it again.") from None
    except Broken as error:
        raise damaged(path, error) from None


def damaged(path: Path, how: Broken | str) -> ModelError:
    """The error for a file that contradicts itself."""
    return ModelError(f"{path} is damaged ({how}): fetch or convert it again.")


def _read(reader: "_HeaderReader", path: Path, size: int) -> GgufFile:
    version = reader.number("I")
    if int.from_bytes(version.to_bytes(4, "little"), "big") in VERSIONS:
        raise ModelError(f"{path} is written for big-endian machines: convert it again, without --bigendian.")
    if version not in VERSIONS:
        raise ModelError(f"{path} is a GGUF file of version {version}: convert it again, to version 3.")
    tensor_count, key_count = reader.number("Q"), reader.number("Q")
    keys: dict[str, Value] = {}
    for _ in range(key_count):
        key = reader.text()
        if key in keys:
            raise Broken(f"{key} is there twice")
        keys[key] = reader.value(key)
    alignment = keys.get("general.alignment", ALIGNMENT)
    if type(alignment) is not int or alignment <= 0:
        raise Broken(f"general.alignment is {alignment}")
    infos = [reader.tensor() for _ in range(tensor_count)]
    data = -(-reader.at // alignment) * alignment
    tensors = tuple(Tensor(t.name, t.shape, t.type, data + t.offset, t.size) for t in infos)
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise Broken("two tensors of one name")
    end = max((tensor.offset + tensor.size for tensor in tensors), default=reader.at)
    if end > size:
        raise ModelError(f"{path} is cut off: {size:,} of at least {end:,} bytes are there. Fetch it again.")
    return GgufFile(path, version, keys, tensors, alignment, data, size)


class _HeaderReader:
    def __init__(self, data: mmap.mmap, raw: Container[str] | None) -> None:
        self.data, self.raw, self.at = data, raw, 4

    def number(self, code: str) -> int:
        found = self._scalar(code)
        assert isinstance(found, int)
        return found

    def text(self) -> str:
        size = self.number("Q")
        begin = self.at
        self._skip(size)
        return self.data[begin : self.at].decode("utf-8", "replace")

    def value(self, key: str) -> Value:
        kind, keep = self.number("I"), self.raw is None or key in self.raw
        if kind in _SCALARS:
            return self._scalar(_SCALARS[kind])
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            raise Broken(f"a value of type {kind}")
        inner, count = self.number("I"), self.number("Q")
        if inner == _STRING:
            return self._texts(count, keep=keep)
        if inner not in _SCALARS:
            raise Broken(f"an array of type {inner}")
        begin = self.at
        self._skip(count * struct.calcsize("<" + _SCALARS[inner]))
        return list(struct.unpack_from(f"<{count}{_SCALARS[inner]}", self.data, begin)) if keep else []

    def tensor(self) -> Tensor:
        """With the offset from the start of the data."""
        name, dimensions = self.text(), self.number("I")
        if not 0 < dimensions <= MAX_DIMENSIONS:
            raise Broken(f"a tensor of {dimensions} dimensions")
        shape = tuple(self.number("Q") for _ in range(dimensions))[::-1]
        kind, offset = self.number("I"), self.number("Q")
        block, size = BLOCKS.get(kind, (1, 0))
        weights = math.prod(shape)
        if weights == 0 or shape[-1] % block:
            raise Broken(f"a tensor of type {kind} with rows of {shape[-1]}")
        return Tensor(name, shape, kind, offset, weights // block * size)

    def _scalar(self, code: str) -> int | float:
        try:
            (found,) = struct.unpack_from("<" + code, self.data, self.at)
        except struct.error:
            raise _CutOff from None
        self.at += struct.calcsize("<" + code)
        value: int | float = found
        return value

    def _skip(self, size: int) -> None:
        if self.at + size > len(self.data):
            raise _CutOff
        self.at += size

    def _texts(self, count: int, *, keep: bool) -> list[str] | list[bytes]:
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
        if self.raw is not None:
            return kept
        return [text.decode("utf-8", "surrogateescape") for text in kept]  # what differs stays different
