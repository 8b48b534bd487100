import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFReader, GGUFWriter
from hypothesis import given, settings
from hypothesis import strategies as st

from quantize.errors import ModelError
from quantize.gguf_file import read_gguf
from tests import checkpoints
from tests.quantize.checkpoint import write_safetensors
from vibethinker_local.gguf.reader import BLOCKS, LFS_POINTER


def test_the_gguf_package_reads_the_same(base: Path) -> None:
    ours, theirs = read_gguf(base), GGUFReader(base)
    fields = {key: field.contents() for key, field in theirs.fields.items() if not key.startswith("GGUF.")}
    assert ours.keys == fields
    assert [(t.name, t.type, t.offset, t.size) for t in ours.tensors] == [
        (t.name, t.tensor_type, t.data_offset, t.n_bytes) for t in theirs.tensors
    ]
    assert ours.data == theirs.data_offset


def header_only(path: Path) -> bytes:
    writer = GGUFWriter(path, "qwen2")
    writer.add_array("list", ["a", "bc"])
    writer.add_array("numbers", [1, 2, 3])
    writer.add_float64("float", 0.5)
    writer.add_bool("flag", True)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    return path.read_bytes()


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_changed_file_is_refused_or_read(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("gguf") / "x.gguf"
    content = bytearray(header_only(path))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        file = read_gguf(path)
    except ModelError:
        return
    assert file.tensors == ()


def test_every_truncation_of_a_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    content = header_only(path)
    for size in range(len(content)):
        path.write_bytes(content[:size])
        with pytest.raises(ModelError):
            read_gguf(path)


@pytest.mark.parametrize(("size", "says"), [(100, "is cut off inside its header"), (65 << 20, "takes more than 64")])
def test_a_length_that_leads_out_of_the_header(size: int, says: str, tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 40))
    with path.open("r+b") as file:
        file.truncate(size)
    with pytest.raises(ModelError, match=says):
        read_gguf(path)


def text(content: bytes) -> bytes:
    return struct.pack("<Q", len(content)) + content


def entry(name: str, kind: int, value: bytes) -> bytes:
    return text(name.encode()) + struct.pack("<I", kind) + value


def tensor(name: str, *shape: int, kind: int = 0, offset: int = 0) -> bytes:
    return text(name.encode()) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def raw(entries: Sequence[bytes] = (), tensors: Sequence[bytes] = (), version: int = 3) -> bytes:
    """A file of 256 bytes of zeros behind its header."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(entries))
    return head + b"".join((*entries, *tensors)) + bytes(256)


U32, TEXT, LIST = 4, 8, 9
BROKEN: dict[str, tuple[bytes, str]] = {
    "too old": (raw(version=1), "of version 1"),
    "too new": (raw(version=4), "of version 4"),
    "a key twice": (raw([entry("a", U32, bytes(4))] * 2), r"damaged \(a is there twice\)"),
    "a value of no type": (raw([entry("a", 13, bytes(4))]), "a value of type 13"),
    "lists in a list": (raw([entry("a", LIST, struct.pack("<IQ", LIST, 0))]), "an array of type 9"),
    "no alignment": (raw([entry("general.alignment", U32, bytes(4))]), r"general\.alignment is 0"),
    "an alignment in words": (raw([entry("general.alignment", TEXT, text(b"32"))]), r"general\.alignment is 32"),
    "a tensor twice": (raw(tensors=[tensor("a", 8), tensor("a", 8, offset=32)]), "two tensors of one name"),
    "half a block": (raw(tensors=[tensor("a", 48, 2, kind=8)]), "a tensor of type 8 with rows of 48"),
    "no weights": (raw(tensors=[tensor("a", 0, 2)]), "a tensor of type 0 with rows of 0"),
    "no rows": (raw(tensors=[tensor("a", 8, 0)]), "a tensor of type 0 with rows of 8"),
    "no dimension": (raw(tensors=[tensor("a")]), "a tensor of 0 dimensions"),
    "five dimensions": (raw(tensors=[tensor("a", 1, 1, 1, 1, 1)]), "a tensor of 5 dimensions"),
    "a type that went out of use": (raw(tensors=[tensor("a", 8, kind=4)]), "a is of the unknown type 4"),
    "a hole": (raw(tensors=[tensor("a", 8), tensor("b", 8, offset=64)]), "b is at the wrong place"),
    "an overlap": (raw(tensors=[tensor("a", 16), tensor("b", 8, offset=32)]), "b is at the wrong place"),
}


@pytest.mark.parametrize(("content", "says"), BROKEN.values(), ids=BROKEN)
def test_headers_that_contradict_themselves(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(content)
    with pytest.raises(ModelError, match=says):
        read_gguf(tmp_path / "x.gguf")


def test_texts_that_are_no_utf_8(tmp_path: Path) -> None:
    """What is shown may lose something; tokens that differ stay different."""
    tokens = struct.pack("<IQ", TEXT, 2) + text(b"\xff") + text(b"\xfe")
    content = raw([entry("name", TEXT, text(b"na\xefve")), entry("tokens", LIST, tokens)], [tensor("a", 8)])
    (tmp_path / "x.gguf").write_bytes(content)
    keys = read_gguf(tmp_path / "x.gguf").keys
    assert keys == {"name": "na\ufffdve", "tokens": ["\udcff", "\udcfe"]}


def test_truncated_data(base: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(base.read_bytes()[:-1])
    with pytest.raises(ModelError, match="is cut off"):
        read_gguf(path)


def test_other_files(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read_gguf(tmp_path / "missing.gguf")
    with pytest.raises(ModelError, match="cannot be read"):
        read_gguf(tmp_path)
    write_safetensors(tmp_path / "x.safetensors", {})
    with pytest.raises(ModelError, match="not a GGUF file"):
        read_gguf(tmp_path / "x.safetensors")
    (tmp_path / "pointer.gguf").write_bytes(LFS_POINTER + b"v1\noid sha256:00\nsize 5\n")
    with pytest.raises(ModelError, match=r"only points to its content.*`git lfs pull`"):
        read_gguf(tmp_path / "pointer.gguf")
    (tmp_path / "v2.gguf").write_bytes(b"GGUF" + (2).to_bytes(4, "little") + bytes(16))
    with pytest.raises(ModelError, match="version 2"):
        read_gguf(tmp_path / "v2.gguf")
    big = b"GGUF" + struct.pack(">IQQ", 3, 0, 0)
    (tmp_path / "big.gguf").write_bytes(big)
    with pytest.raises(ModelError, match="big-endian"):
        read_gguf(tmp_path / "big.gguf")


def test_every_type_of_the_gguf_package_has_its_size() -> None:
    assert {GGMLQuantizationType(type): block for type, block in BLOCKS.items()} == GGML_QUANT_SIZES


@pytest.mark.parametrize("alignment", [8, 32, 64, 256])
def test_tensors_lie_as_far_apart_as_the_file_says(alignment: int, tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "x.gguf", "qwen2")
    writer.add_custom_alignment(alignment)
    writer.add_tensor("a", np.zeros((1, 3), np.float32))
    writer.add_tensor("b", np.zeros((2, 72), np.uint8), raw_dtype=GGMLQuantizationType.NVFP4)
    writer.add_tensor("c", np.zeros((1, 3), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    first, second, third = read_gguf(tmp_path / "x.gguf").tensors
    assert first.offset % alignment == second.offset % alignment == third.offset % alignment == 0
    assert third.offset - first.offset < 180 + 2 * alignment
    whole = (tmp_path / "x.gguf").read_bytes()
    (tmp_path / "x.gguf").write_bytes(whole[: third.offset + third.size])  # as mlx-lm ends a file: nothing fills it up
    assert read_gguf(tmp_path / "x.gguf").tensors == (first, second, third)
    (tmp_path / "x.gguf").write_bytes(whole[: third.offset + third.size - 1])
    with pytest.raises(ModelError, match="is cut off"):
        read_gguf(tmp_path / "x.gguf")


def test_a_part_is_no_model(tmp_path: Path) -> None:
    path = checkpoints.write(tmp_path / "x-00001-of-00002.gguf", "qwen2", keys={"split.count": 2, "split.no": 0})
    with pytest.raises(ModelError, match="one of 2 parts of a model: merge them first"):
        read_gguf(path)
