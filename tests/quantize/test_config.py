import json
import math
from pathlib import Path

import pytest

from quantize.config import match_weights, read_config
from quantize.errors import CheckpointError
from quantize.job import Request, prepare
from quantize.source import open_checkpoint
from tests.quantize.checkpoint import (
    Bits,
    Shape,
    edit_json,
    random_weights,
    to_bf16,
    write_checkpoint,
    write_json,
    write_raw,
    write_safetensors,
)


def test_hyperparameters(tiny: Path) -> None:
    config = read_config(tiny)
    assert (config.layers, config.hidden, config.heads, config.kv_heads, config.head_size) == (1, 64, 2, 2, 32)
    assert config.tied
    assert config.rope_theta == 10000.0
    edit_json(tiny / "config.json", tie_word_embeddings=None)
    assert not read_config(tiny).tied  # as Qwen2Config takes it


def test_rope_theta_as_newer_transformers_write_it(tiny: Path) -> None:
    edit_json(tiny / "config.json", rope_theta=None, rope_parameters={"rope_type": "default", "rope_theta": 5e5})
    assert read_config(tiny).rope_theta == 5e5
    edit_json(tiny / "config.json", rope_theta=1e4)  # the newer place counts, as it does to the converter
    assert read_config(tiny).rope_theta == 5e5


@pytest.mark.parametrize(
    "changes",
    [
        {"rope_scaling": {}},
        {"rope_scaling": {"type": "default"}},
        {"rope_scaling": {"rope_type": "linear", "factor": 1.0}},
        {"rope_scaling": {"rope_type": None, "factor": None}},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 10000}},
        {"rope_parameters": {"rope_type": "default"}},
        {"rope_parameters": {"rope_type": "default", "rope_theta": None, "partial_rotary_factor": 1.0}},
        {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 10000.0}}},
        {"rope_theta": None},
        {"rms_norm_eps": None},
        {"hidden_act": None},
        {"hidden_act": "swish"},
        {"num_key_value_heads": 2, "head_dim": None},
        {"use_sliding_window": False, "sliding_window": 1024, "max_window_layers": 0},
        {"use_sliding_window": True, "max_window_layers": 28},
        {"use_sliding_window": True, "sliding_window": 1024, "max_window_layers": 1},  # as many as there are
        {"use_sliding_window": True, "sliding_window": 2048, "max_window_layers": 0},  # as long as the context
        {"use_sliding_window": True, "sliding_window": 1024, "layer_types": ["full_attention"]},
        {"dtype": "bfloat16", "torch_dtype": None, "unsloth_fixed": True, "layer_types": ["full_attention"]},
        {"quantization_config": {}},
    ],
)
def test_other_spellings_of_the_same_config(changes: dict[str, object], tiny: Path) -> None:
    before = read_config(tiny)
    config = json.loads((tiny / "config.json").read_bytes())
    write_json(tiny / "config.json", config | changes)  # null stays null
    assert read_config(tiny) == before
    edit_json(tiny / "config.json", **{key: None for key, value in changes.items() if value is None})
    assert read_config(tiny) == before


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_config_as_editors_on_windows_save_it(encoding: str, tiny: Path) -> None:
    before = read_config(tiny)
    for name in ("config.json", "tokenizer_config.json", "generation_config.json"):
        (tiny / name).write_bytes((tiny / name).read_text(encoding="utf-8").encode(encoding))
    assert read_config(tiny) == before
    assert prepare(Request(str(tiny), "Q8_0")).warnings == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architectures": ["LlamaForCausalLM"]}, "LlamaForCausalLM.*only Qwen2ForCausalLM"),
        ({"architectures": None}, "only Qwen2ForCausalLM"),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rope_scaling"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e6}}, "rope_scaling"),
        ({"rope_scaling": "linear"}, "rope_scaling"),
        ({"quantization_config": {"quant_method": "awq"}}, "already quantized"),
        ({"quantization": {"group_size": 64, "bits": 4}}, "already quantized"),
        ({"use_sliding_window": True}, "sliding window"),
        ({"use_sliding_window": True, "max_window_layers": 0}, "sliding window"),
        ({"use_sliding_window": True, "sliding_window": 2047, "max_window_layers": 0}, "sliding window"),
        ({"use_sliding_window": True, "layer_types": ["sliding_attention"]}, "sliding window"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling"),
        ({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}, "rope_scaling"),
        ({"hidden_act": "gelu"}, "activation"),
        ({"num_hidden_layers": 0}, "num_hidden_layers as 0"),
        ({"num_hidden_layers": "1"}, "num_hidden_layers as '1'"),
        ({"num_hidden_layers": True}, "num_hidden_layers as True"),
        ({"hidden_size": None}, "hidden_size as None"),
        ({"num_attention_heads": 3}, "3 heads of 21 with 2 KV heads do not fit a hidden_size of 64"),
        ({"num_attention_heads": 64}, "64 heads of 1 with 2 KV heads do not fit a hidden_size of 64"),
        ({"num_key_value_heads": 3}, "do not fit"),
        ({"head_dim": 16}, "do not fit"),
        ({"num_hidden_layers": 513}, r"llama\.cpp allows 512"),
        ({"rope_theta": -1}, "rope_theta"),
        ({"rms_norm_eps": float("nan")}, "rms_norm_eps"),
        ({"rms_norm_eps": 1e-300}, "rms_norm_eps as 1e-300"),
        ({"rope_theta": 1e300}, r"rope_theta as 1e\+300"),
        ({"rope_theta": 10**400}, "rope_theta as 1000"),
    ],
)
def test_what_llama_cpp_would_not_compute_is_refused(changes: dict[str, object], message: str, tiny: Path) -> None:
    edit_json(tiny / "config.json", **changes)
    with pytest.raises(CheckpointError, match=message):
        read_config(tiny)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 200_000])
def test_config_that_is_no_json_object(content: bytes, tiny: Path) -> None:
    (tiny / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_config(tiny)


@pytest.mark.parametrize("wrapper", ["_orig_mod.", "module.", "base_model.model."])
def test_weights_that_were_saved_inside_a_wrapper(wrapper: str, tmp_path: Path) -> None:
    shape = Shape(num_hidden_layers=1, hidden_size=64, intermediate_size=64, tie_word_embeddings=False)
    weights = {wrapper + name: bits for name, bits in random_weights(shape).items()}
    folder = write_checkpoint(tmp_path / "wrapped", shape, weights)
    matched = match_weights(read_config(folder), open_checkpoint(folder))
    assert {weight.name: weight.source.name for weight in matched}["output.weight"] == f"{wrapper}lm_head.weight"


def spoiled(folder: Path, **changes: Bits | None) -> Path:
    shape = Shape(num_hidden_layers=1, hidden_size=64, intermediate_size=64, num_attention_heads=2)
    weights = random_weights(shape) | changes
    return write_checkpoint(folder, shape, {name: bits for name, bits in weights.items() if bits is not None})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.norm.weight": None}, r"model\.norm\.weight is missing"),
        ({"model.layers.0.self_attn.q_proj.bias": None}, r"q_proj\.bias is missing"),
        ({"model.norm.weight": to_bf16([1.0])}, r"shape \(1,\), not \(64,\)"),
        ({"model.layers.1.mlp.up_proj.weight": to_bf16([[1.0]])}, "not part of"),
        ({"another.model.embed_tokens.weight": to_bf16([[1.0]])}, r"another\.model\.embed_tokens\.weight, which"),
        ({"model.layers.0.mlp.up_proj.lora_A.default.weight": to_bf16([[1.0]])}, "adapter beside"),
    ],
)
def test_tensors_that_do_not_fit_the_config(changes: dict[str, Bits | None], message: str, tmp_path: Path) -> None:
    folder = spoiled(tmp_path / "spoiled", **changes)
    with pytest.raises(CheckpointError, match=message):
        match_weights(read_config(folder), open_checkpoint(folder))


def test_frequencies_that_older_versions_of_transformers_saved(tmp_path: Path) -> None:
    folder = spoiled(tmp_path / "older", **{"model.layers.0.self_attn.rotary_emb.inv_freq": to_bf16([1.0])})
    assert len(match_weights(read_config(folder), open_checkpoint(folder))) == 14


@pytest.mark.parametrize(
    ("changes", "dtype", "shape", "message"),
    [
        ({"architectures": ["Qwen2VLForConditionalGeneration"]}, "BF16", [2, 3, 2, 2], "describes .*Qwen2VL"),
        ({"quantization_config": {"quant_method": "fp8"}}, "F8_E4M3", [24], "already quantized"),
        ({}, "F8_E4M3", [24], "is F8_E4M3"),
    ],
)
def test_another_kind_of_model_is_refused_by_its_name(
    changes: dict[str, object], dtype: str, shape: list[int], message: str, tiny: Path
) -> None:
    size = math.prod(shape) * (2 if dtype == "BF16" else 1)
    write_raw(
        tiny / "model.safetensors", {"a": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}, bytes(size)
    )
    edit_json(tiny / "config.json", **changes)
    with pytest.raises(CheckpointError, match=message):
        prepare(Request(str(tiny), "Q8_0"))


def test_one_file_beside_the_shards_that_an_index_names(tmp_path: Path) -> None:
    """transformers takes that file, llama.cpp's converter the shards."""
    shape = Shape(num_hidden_layers=1, hidden_size=64, intermediate_size=64, num_attention_heads=2)
    folder = write_checkpoint(tmp_path / "both", shape, shards=2)
    assert prepare(Request(str(folder), "Q8_0")).warnings == ()
    write_safetensors(folder / "model.safetensors", random_weights(shape, seed=1))
    job = prepare(Request(str(folder), "Q8_0"))
    assert ["model.safetensors is left out" in warning for warning in job.warnings] == [True]
    assert folder / "model.safetensors" not in job.checkpoint.files


def test_a_redundant_output_is_dropped_and_a_different_one_reported(tmp_path: Path) -> None:
    embedding = random_weights(Shape(num_hidden_layers=1, hidden_size=64, intermediate_size=64))[
        "model.embed_tokens.weight"
    ]
    other = embedding.copy()
    other[-1, -1] ^= 1
    same = prepare(Request(str(spoiled(tmp_path / "same", **{"lm_head.weight": embedding})), "Q8_0"))
    different = prepare(Request(str(spoiled(tmp_path / "different", **{"lm_head.weight": other})), "Q8_0"))
    assert not any(tensor.name == "output.weight" for tensor in [*same.plan.tensors, *different.plan.tensors])
    assert same.warnings == ()
    assert len(different.warnings) == 1
    assert "lm_head.weight differs" in different.warnings[0]
