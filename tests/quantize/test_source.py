"""Damaged and hostile checkpoints: one clear sentence, naming the file, and nothing else."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantize.errors import CheckpointError, RequestError
from quantize.source import INDEX, SINGLE, locate, open_checkpoint, read_json, read_shard
from tests.quantize.checkpoint import to_bf16, write_json, write_raw, write_safetensors


def entry(begin: object, end: object, shape: object = (4,), dtype: object = "BF16") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_a_sound_shard(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, {"a": to_bf16([[1, 2], [3, 4]]), "b": to_bf16([5, 6])})
    a, b = read_shard(path)
    assert (a.name, a.shape, a.rows, a.width, a.size) == ("a", (2, 2), 2, 2, 8)
    assert (b.name, b.rows, b.offset) == ("b", 1, a.offset + 8)


OFFSETS, SHAPE, HOLE = "has the offsets", "has the shape", "overlaps its neighbour or leaves a hole"
HOSTILE: dict[str, tuple[object, str]] = {
    "negative offset": ({"a": entry(-8, 0)}, OFFSETS),
    "reversed offsets": ({"a": entry(8, 0)}, OFFSETS),
    "size does not fit the shape": ({"a": entry(0, 12)}, OFFSETS),
    "overlap": ({"a": entry(0, 8), "b": entry(4, 12)}, HOLE),
    "twice the same place": ({"a": entry(0, 8), "b": entry(0, 8), "c": entry(8, 16), "d": entry(16, 24)}, HOLE),
    "hole": ({"a": entry(0, 8), "b": entry(16, 24)}, HOLE),
    "does not begin at the data": ({"a": entry(8, 16), "b": entry(16, 24)}, HOLE),
    "beyond the end": ({"a": entry(0, 8), "b": entry(8, 16), "c": entry(16, 24), "d": entry(24, 32)}, "is truncated"),
    "data that nothing names": ({"a": entry(0, 8)}, "is truncated or damaged: 94 bytes instead of 78"),
    "overflowing shape": ({"a": entry(0, 8, [2**62, 4])}, SHAPE),
    "negative dimension": ({"a": entry(0, 8, [-4])}, SHAPE),
    "zero dimension": ({"a": entry(0, 0, [0])}, SHAPE),
    "boolean dimension": ({"a": entry(0, 2, [True])}, SHAPE),
    "no dimension": ({"a": entry(0, 2, [])}, SHAPE),
    "three dimensions": ({"a": entry(0, 16, [2, 2, 2])}, SHAPE),
    "text as offset": ({"a": entry("0", 8)}, "is not described"),
    "float offset": ({"a": entry(0.0, 8)}, "is not described"),
    "no offsets": ({"a": {"dtype": "BF16", "shape": [4]}}, "is not described"),
    "entry is a list": ({"a": [1, 2]}, "is not described"),
    "unknown type": ({"a": entry(0, 4, dtype="F8_E4M3")}, "is F8_E4M3"),
    "header is a list": ([1, 2], "is not a JSON object"),
    "header is a number": (7, "is not a JSON object"),
}


@pytest.mark.parametrize(("header", "message"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_headers(header: object, message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_raw(path, header, bytes(24))
    with pytest.raises(CheckpointError, match=rf"model\.safetensors.*{message}"):
        read_shard(path)


@pytest.mark.parametrize("length", [8 << 30, 2**63 - 1, 2**64 - 1])
def test_a_huge_header_length_is_not_believed(length: int, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + b"{}")
    with pytest.raises(CheckpointError, match="is truncated or no safetensors"):
        read_shard(path)


@pytest.mark.parametrize("content", [b"", b"1234567", (2).to_bytes(8, "little") + b"{]", b"\xff" * 64])
def test_no_safetensors_at_all(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        read_shard(path)


def test_deeply_nested_header(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    raw = b"[" * 200_000
    path.write_bytes(len(raw).to_bytes(8, "little") + raw)
    with pytest.raises(CheckpointError, match="not valid JSON"):
        read_shard(path)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_changed_header_is_refused_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("shard") / "model.safetensors"
    write_safetensors(path, {"a": to_bf16([[1, 2], [3, 4]]), "b": to_bf16([5, 6])})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        tensors = read_shard(path)
    except CheckpointError:
        return
    assert all(t.offset >= 0 and t.offset + t.size <= len(content) for t in tensors)


def test_a_truncated_shard(tiny: Path) -> None:
    path = tiny / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"is truncated or damaged: \d+ bytes instead of"):
        open_checkpoint(tiny)


def sharded(folder: Path, weight_map: object) -> Path:
    write_safetensors(folder / "one.safetensors", {"a": to_bf16([1, 2])})
    write_safetensors(folder / "two.safetensors", {"b": to_bf16([1, 2])})
    write_json(folder / INDEX, {"weight_map": weight_map})
    return folder


def test_a_sound_index(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(sharded(tmp_path, {"a": "one.safetensors", "b": "two.safetensors"}))
    assert {name: tensor.file.name for name, tensor in checkpoint.tensors.items()} == {
        "a": "one.safetensors",
        "b": "two.safetensors",
    }
    assert [path.name for path in checkpoint.files] == [INDEX, "one.safetensors", "two.safetensors"]


@pytest.mark.parametrize(
    ("weight_map", "message"),
    [
        (
            {"a": "one.safetensors", "b": "three.safetensors"},
            r"three\.safetensors, which .*index\.json names, is missing",
        ),
        ({"a": "three.safetensors"}, r"three\.safetensors, which .*index\.json names, is missing"),
        ({"a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors"}, "c is in two"),
        ({"a": "two.safetensors", "b": "one.safetensors"}, "but it is not"),
        ({"a": "../one.safetensors"}, "no file name"),
        ({"a": "/etc/passwd"}, "no file name"),
        ({"a": "..\\one.safetensors"}, "no file name"),
        ({"a": 7}, "no file name"),
        ({"a": "a" * 300 + ".safetensors"}, "no file name"),
        ({}, "no weight_map"),
        ([], "no weight_map"),
    ],
)
def test_a_wrong_index(weight_map: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(sharded(tmp_path, weight_map))


def test_a_tensor_in_two_shards(tmp_path: Path) -> None:
    sharded(tmp_path, {"a": "one.safetensors", "b": "two.safetensors"})
    write_safetensors(tmp_path / "two.safetensors", {"b": to_bf16([1, 2]), "a": to_bf16([3, 4])})
    with pytest.raises(CheckpointError, match="a is in both"):
        open_checkpoint(tmp_path)


def write_shards(folder: Path, *names: str) -> None:
    for i, name in enumerate(names):
        write_safetensors(folder / name, {f"tensor{i}": to_bf16([1, 2])})


SHARDS = [f"model-{i:05}-of-00003.safetensors" for i in (1, 2, 3)]


@pytest.mark.parametrize(
    "names", [SHARDS, ["model-1-of-2.safetensors", "model-2-of-2.safetensors"], ["model_a.safetensors"]]
)
def test_shards_without_an_index(names: list[str], tmp_path: Path) -> None:
    write_shards(tmp_path, *names)
    checkpoint = open_checkpoint(tmp_path)
    assert len(checkpoint.tensors) == len(names)
    assert [path.name for path in checkpoint.files] == sorted(names)


@pytest.mark.parametrize("missing", SHARDS)
def test_a_missing_shard_without_an_index(missing: str, tmp_path: Path) -> None:
    write_shards(tmp_path, *(name for name in SHARDS if name != missing))
    with pytest.raises(CheckpointError, match=f"the shard {missing} is missing"):
        open_checkpoint(tmp_path)


def test_shards_of_two_checkpoints(tmp_path: Path) -> None:
    for count in (1, 2):
        for i in range(1, count + 1):
            write_shards(tmp_path, f"model-{i:05}-of-{count:05}.safetensors")
    with pytest.raises(CheckpointError, match="is in both"):
        open_checkpoint(tmp_path)


def test_an_index_that_stayed_when_one_file_was_saved_over_the_shards(tmp_path: Path) -> None:
    """transformers deletes the shards then, and not their index."""
    write_shards(tmp_path, "model.safetensors")
    write_json(tmp_path / INDEX, {"weight_map": {"tensor0": SHARDS[0]}})
    assert list(open_checkpoint(tmp_path).tensors) == ["tensor0"]


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 6171877376\n"


def test_what_git_leaves_without_lfs(tmp_path: Path) -> None:
    for name, read in ((SINGLE, read_shard), ("tokenizer.json", read_json)):
        (tmp_path / name).write_bytes(POINTER)
        with pytest.raises(CheckpointError, match=rf"{name} only points to its content.*`git lfs pull`"):
            read(tmp_path / name)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_model.bin", "adapter_config.json"])
def test_an_adapter_alone(name: str, tmp_path: Path) -> None:
    write_shards(tmp_path, name)
    with pytest.raises(CheckpointError, match="an adapter and no model"):
        open_checkpoint(tmp_path)


def test_no_weights(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds neither"):
        open_checkpoint(tmp_path)


def test_a_source_that_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(json.dumps({}))
    for source in (str(tmp_path / "file"), "./WeiboAI/VibeThinker-3B", "VibeThinker-3B", "a/b/c", "ä/b", "a/b:Q8_0"):
        with pytest.raises(RequestError, match=r"is (no|not a) folder"):
            locate(source)
    with pytest.raises(RequestError, match="cannot be a folder"):
        locate("a" * 5000)
    with pytest.raises(RequestError, match="--revision is for what the hub has"):
        locate(str(tmp_path), "main")


def test_a_link_that_leads_nowhere_without_an_index(tmp_path: Path) -> None:
    """A snapshot of the hub's cache, copied without its blobs."""
    (tmp_path / "model.safetensors").symlink_to(tmp_path / "blobs" / "gone")
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing from"):
        open_checkpoint(tmp_path)
