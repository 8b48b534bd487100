"""Our bytes are llama.cpp's bytes."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader

from quantize import q8_0
from quantize.job import Request, prepare
from quantize.plan import FILE_TYPES
from tests.quantize.checkpoint import Shape, random_weights, widened, write_checkpoint
from tests.quantize.helpers import run_build
from tests.quantize.reference import Matrix, keys, llama_quantize, tensors, write_imatrix
from vibethinker_local.llama import kernels


def random_matrix(folder: Path) -> Matrix:
    """An entry for every matrix but the embedding, as llama-imatrix makes them."""
    rng = np.random.default_rng(5)
    planned = prepare(Request(str(folder), "BF16")).plan.tensors
    blocks = [t for t in planned if t.name.startswith("blk.") and len(t.source.shape) == 2]
    return {t.name: rng.exponential(1.0, t.source.width).astype(np.float32) for t in blocks}


def test_base_holds_the_checkpoints_own_values(base: Path) -> None:
    weights = random_weights(Shape())
    found = tensors(base)
    assert found["token_embd.weight"] == ("BF16", weights["model.embed_tokens.weight"].tobytes())
    assert found["blk.3.ffn_down.weight"] == ("BF16", weights["model.layers.3.mlp.down_proj.weight"].tobytes())
    assert found["blk.7.attn_k.bias"] == ("F32", widened(weights["model.layers.7.self_attn.k_proj.bias"]).tobytes())
    assert found["output_norm.weight"] == ("F32", widened(weights["model.norm.weight"]).tobytes())
    assert len(found) == len(weights)


def some_by_default(names: Iterable[str], *often: str) -> list[Any]:
    """All of them, and most of them slow."""
    return [pytest.param(name, marks=() if name in often else pytest.mark.slow) for name in names]


@pytest.mark.parametrize(
    "file_type", some_by_default(FILE_TYPES, "F16", "BF16", "Q8_0", "Q4_0", "Q3_K_M", "Q4_K_M", "Q6_K")
)
def test_every_type(file_type: str, small: Path, base: Path, tmp_path: Path) -> None:
    run_build(tmp_path / "ours.gguf", Request(str(small), file_type))
    llama_quantize(base, tmp_path / "theirs.gguf", FILE_TYPES[file_type])
    assert tensors(tmp_path / "ours.gguf") == tensors(tmp_path / "theirs.gguf")
    assert keys(tmp_path / "ours.gguf") == keys(tmp_path / "theirs.gguf")


def test_q8_0_of_any_weights() -> None:
    rng = np.random.default_rng(1)
    for exponent in rng.uniform(-45, 35, 200):
        weights = (rng.standard_normal((6, 64)) * 10**exponent).astype(np.float32)
        weights[0] = 0
        weights[1] = rng.integers(-254, 255, 64) * np.float32(10**exponent / 2)  # halves, to be rounded
        weights[1, ::32] = np.float32(127 * 10**exponent)
        weights[2], weights[3] = np.nextafter(weights[1], np.float32(0)), np.nextafter(weights[1], np.float32(np.inf))
        weights[2:4, ::32] = weights[1, ::32]
        ours, theirs = np.zeros((2, weights.size // 32 * 34), np.uint8)
        q8_0.quantize(weights, ours)
        kernels.quantize(weights, GGMLQuantizationType.Q8_0, None, theirs)
        assert (ours == theirs).all(), exponent


@pytest.mark.parametrize(
    "file_type",
    some_by_default((name for name in FILE_TYPES if name not in ("F16", "BF16", "Q8_0")), "Q4_0", "IQ4_XS"),
)
def test_every_type_with_importance(file_type: str, small: Path, base: Path, tmp_path: Path) -> None:
    matrix = random_matrix(small)
    write_imatrix(tmp_path / "imatrix.gguf", matrix, count=8)
    run_build(tmp_path / "ours.gguf", Request(str(small), file_type, imatrix=tmp_path / "imatrix.gguf"))
    llama_quantize(base, tmp_path / "theirs.gguf", FILE_TYPES[file_type], matrix=matrix)
    assert tensors(tmp_path / "ours.gguf") == tensors(tmp_path / "theirs.gguf")


def test_importance_changes_the_bytes(small: Path, tmp_path: Path) -> None:
    write_imatrix(tmp_path / "imatrix.gguf", random_matrix(small))
    run_build(tmp_path / "with.gguf", Request(str(small), "Q4_K_M", imatrix=tmp_path / "imatrix.gguf"))
    run_build(tmp_path / "without.gguf", Request(str(small), "Q4_K_M"))
    assert tensors(tmp_path / "with.gguf") != tensors(tmp_path / "without.gguf")
    fields = GGUFReader(tmp_path / "with.gguf").fields
    assert fields["quantize.imatrix.file"].contents() == "imatrix.gguf"
    assert fields["quantize.imatrix.dataset"].contents() == "text.txt"
    assert fields["quantize.imatrix.chunks_count"].contents() == 3
    assert fields["quantize.imatrix.entries_count"].contents() == 8 * 7


@pytest.mark.parametrize("tied", [True, False])
def test_embedding_override(tied: bool, tmp_path: Path) -> None:
    shape = Shape(num_hidden_layers=2, tie_word_embeddings=tied)
    folder = write_checkpoint(tmp_path / "checkpoint", shape)
    run_build(tmp_path / "base.gguf", Request(str(folder), "BF16"))
    run_build(tmp_path / "ours.gguf", Request(str(folder), "Q4_K_M", embedding_type="q8_0"))
    wanted = GGMLQuantizationType.Q8_0
    llama_quantize(tmp_path / "base.gguf", tmp_path / "theirs.gguf", FILE_TYPES["Q4_K_M"], embedding_type=wanted)
    ours = tensors(tmp_path / "ours.gguf")
    assert ours == tensors(tmp_path / "theirs.gguf")
    assert ours["token_embd.weight"][0] == "Q8_0"
    assert ("output.weight" in ours) != tied


@pytest.mark.parametrize("file_type", ["Q4_K_M", "IQ4_XS", "Q4_0"])
def test_odd_widths_fall_back_as_in_llama_cpp(file_type: str, tmp_path: Path) -> None:
    shape = Shape(num_hidden_layers=2, hidden_size=288, intermediate_size=320)
    folder = write_checkpoint(tmp_path / "checkpoint", shape)
    plan = prepare(Request(str(folder), file_type)).plan
    assert plan.fallbacks
    assert plan.label != file_type
    run_build(tmp_path / "base.gguf", Request(str(folder), "BF16"))
    run_build(tmp_path / "ours.gguf", Request(str(folder), file_type))
    llama_quantize(tmp_path / "base.gguf", tmp_path / "theirs.gguf", FILE_TYPES[file_type])
    assert tensors(tmp_path / "ours.gguf") == tensors(tmp_path / "theirs.gguf")


def test_tensor_overrides_change_only_what_they_name(small: Path) -> None:
    plain = prepare(Request(str(small), "Q4_K_M")).plan
    request = Request(str(small), "Q4_K_M", tensor_types=(r"blk\.[01]\.ffn_down=Q8_0", r"ffn_down=F16", "attn_v=q5_k"))
    changed = prepare(request).plan
    types = {tensor.name: tensor.type.name for tensor in changed.tensors}
    assert types["blk.0.ffn_down.weight"] == types["blk.1.ffn_down.weight"] == "Q8_0"
    assert types["blk.2.ffn_down.weight"] == "F16"
    assert types["blk.5.attn_v.weight"] == "Q5_K"
    assert types["blk.5.attn_v.bias"] == "F32"
    for tensor in plain.tensors:
        if "ffn_down" not in tensor.name and "attn_v" not in tensor.name:
            assert types[tensor.name] == tensor.type.name
