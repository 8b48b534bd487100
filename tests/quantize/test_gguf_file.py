from pathlib import Path

import pytest
from gguf import GGUFReader, GGUFWriter
from hypothesis import given, settings
from hypothesis import strategies as st

from quantize.errors import ModelError
from quantize.gguf_file import read_gguf
from tests.quantize.checkpoint import write_safetensors


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
    (tmp_path / "v2.gguf").write_bytes(b"GGUF" + (2).to_bytes(4, "little") + bytes(16))
    with pytest.raises(ModelError, match="version 2"):
        read_gguf(tmp_path / "v2.gguf")
