from pathlib import Path

import pytest

from quantize.config import match_weights, read_config
from quantize.errors import CheckpointError
from quantize.job import Request, prepare
from quantize.source import open_checkpoint
from tests.quantize.checkpoint import Bits, Shape, edit_json, random_weights, to_bf16, write_checkpoint


def test_hyperparameters(tiny: Path) -> None:
    config = read_config(tiny)
    assert (config.layers, config.hidden, config.heads, config.kv_heads, config.head_size) == (1, 64, 2, 2, 32)
    assert config.tied
    assert config.rope_theta == 10000.0


def test_rope_theta_as_newer_transformers_write_it(tiny: Path) -> None:
    edit_json(tiny / "config.json", rope_theta=None, rope_parameters={"rope_type": "default", "rope_theta": 5e5})
    assert read_config(tiny).rope_theta == 5e5
    edit_json(tiny / "config.json", rope_theta=1e4)  # the newer place counts, as it does to the converter
    assert read_config(tiny).rope_theta == 5e5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architectures": ["LlamaForCausalLM"]}, "LlamaForCausalLM.*only Qwen2ForCausalLM"),
        ({"architectures": None}, "only Qwen2ForCausalLM"),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rope_scaling"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e6}}, "rope_scaling"),
        ({"rope_scaling": "linear"}, "rope_scaling"),
        ({"quantization_config": {"quant_method": "awq"}}, "already quantized"),
        ({"use_sliding_window": True}, "sliding window"),
        ({"hidden_act": "gelu"}, "activation"),
        ({"num_hidden_layers": 0}, "num_hidden_layers as 0"),
        ({"num_hidden_layers": "1"}, "num_hidden_layers as '1'"),
        ({"num_hidden_layers": True}, "num_hidden_layers as True"),
        ({"hidden_size": None}, "hidden_size as None"),
        ({"num_attention_heads": 3}, "3 heads of 21 with 2 KV heads do not fit a hidden_size of 64"),
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
    ],
)
def test_tensors_that_do_not_fit_the_config(changes: dict[str, Bits | None], message: str, tmp_path: Path) -> None:
    folder = spoiled(tmp_path / "spoiled", **changes)
    with pytest.raises(CheckpointError, match=message):
        match_weights(read_config(folder), open_checkpoint(folder))


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
