import struct
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from quantize.errors import ModelError, RequestError
from quantize.imatrix import Imatrix, read_imatrix
from quantize.job import Request, prepare
from tests.quantize.reference import write_imatrix

WIDE = np.linspace(1, 2, 256, dtype=np.float32)


def test_sums_become_means(tmp_path: Path) -> None:
    write_imatrix(tmp_path / "i.gguf", {"blk.0.attn_q.weight": WIDE}, count=7)
    imatrix = read_imatrix(tmp_path / "i.gguf")
    mean = imatrix.importance["blk.0.attn_q.weight"]
    assert mean.dtype == np.float32
    assert np.array_equal(mean, WIDE * np.float32(7) / np.float32(7))
    assert (imatrix.chunks, imatrix.datasets) == (3, ("text.txt",))


def test_a_tensor_that_was_never_seen_counts_evenly(tmp_path: Path) -> None:
    write_imatrix(tmp_path / "i.gguf", {"blk.0.attn_q.weight": WIDE}, count=0)
    assert np.array_equal(read_imatrix(tmp_path / "i.gguf").importance["blk.0.attn_q.weight"], np.ones(256))


@pytest.mark.parametrize("number", [np.nan, np.inf, -1])
def test_numbers_that_are_no_sums_of_squares(number: float, tmp_path: Path) -> None:
    write_imatrix(tmp_path / "i.gguf", {"blk.0.attn_q.weight": np.array([1, number], np.float32)})
    with pytest.raises(ModelError, match=r"no squares add up to, for blk\.0\.attn_q"):
        read_imatrix(tmp_path / "i.gguf")


def test_what_is_kept_of_several_texts_in_a_file_of_unknown_length() -> None:
    """As llama-quantize keeps it."""
    kept = Imatrix(Path("below/i.gguf"), "0" * 64, ("a.txt", "b.txt"), 0, {"blk.0.attn_q.weight": WIDE}).provenance
    assert [(each.key.removeprefix("quantize.imatrix."), each.value) for each in kept] == [
        ("file", "i.gguf"),
        ("dataset", "a.txt"),
        ("entries_count", 1),
        ("sha256", "0" * 64),
    ]


@pytest.mark.parametrize(
    ("counts", "says"), [([], "lacks the counts"), ([7.0, 9.0], "for a mixture of experts"), ([7.4], None)]
)
def test_counts(counts: list[float], says: str | None, tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "i.gguf", "imatrix")
    writer.add_array("imatrix.datasets", ["x"])
    writer.add_uint32("imatrix.chunk_count", 1)
    writer.add_tensor("blk.0.attn_q.weight.in_sum2", WIDE)
    if counts:
        writer.add_tensor("blk.0.attn_q.weight.counts", np.array(counts, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ModelError, match=says) if says else nullcontext():
        assert np.array_equal(read_imatrix(tmp_path / "i.gguf").importance["blk.0.attn_q.weight"], WIDE / np.float32(7))


def test_the_old_form_of_llama_imatrix(tmp_path: Path) -> None:
    name = b"blk.0.attn_q.weight"
    entry = struct.pack("<i", len(name)) + name + struct.pack("<ii", 2, WIDE.size) + WIDE.tobytes()
    (tmp_path / "imatrix.dat").write_bytes(struct.pack("<i", 1) + entry + struct.pack("<ii", 2, 8) + b"text.txt")
    with pytest.raises(ModelError, match=r"in the old form.*`llama-imatrix --in-file imatrix\.dat -o NEW\.gguf`"):
        read_imatrix(tmp_path / "imatrix.dat")


def test_a_model_is_no_importance_matrix(base: Path) -> None:
    with pytest.raises(ModelError, match="not an importance matrix"):
        read_imatrix(base)


@pytest.mark.parametrize(
    ("name", "width", "message"),
    [("blk.0.attn_q.weight", 128, "128 columns for .* which has 256"), ("blk.99.attn_q.weight", 256, "no entry")],
)
def test_the_matrix_of_another_model(name: str, width: int, message: str, small: Path, tmp_path: Path) -> None:
    write_imatrix(tmp_path / "i.gguf", {name: WIDE[:width].copy()})
    with pytest.raises(RequestError, match=message):
        prepare(Request(str(small), "Q4_K_M", imatrix=tmp_path / "i.gguf"))
