"""config.json of a Qwen2 checkpoint: its hyperparameters, and which tensors it must therefore have.

Knows Qwen2's tensor names on both sides (transformers' and llama.cpp's). Does not know files, types or bytes.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vibethinker_local.gguf.header import MAX_LAYERS

from .errors import CheckpointError
from .source import Checkpoint, SourceTensor, read_json

ARCHITECTURE = "Qwen2ForCausalLM"
EMBEDDING = "model.embed_tokens.weight"
OUTPUT = "lm_head.weight"


@dataclass(frozen=True)
class Qwen2Config:
    """Hyperparameters, in llama.cpp's terms; sizes count weights."""

    layers: int
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    head_size: int
    head_size_given: bool  # config.json has `head_dim`, so key_length and value_length are written
    vocabulary: int
    context: int
    rope_theta: float
    rms_epsilon: float
    tied: bool


@dataclass(frozen=True)
class Weight:
    """One tensor the model needs: GGUF name, and the checkpoint's tensor that fills it."""

    name: str
    source: SourceTensor


def read_config(folder: Path) -> Qwen2Config:
    """What a key means when it is left out or null is what transformers takes for it then (configuration_qwen2.py).

    Raises CheckpointError for another architecture, or for anything that llama.cpp's qwen2 would not compute.
    """
    path = folder / "config.json"
    config = read_json(path)
    architectures = config.get("architectures")
    if architectures != [ARCHITECTURE]:
        raise CheckpointError(f"{path} describes {architectures or 'nothing'}; only {ARCHITECTURE} is supported")
    if config.get("quantization_config") or config.get("quantization"):  # mlx-lm's word
        raise CheckpointError(f"{folder} is already quantized; give the original bf16 checkpoint")
    rope = _rope(config, path)
    if (config.get("hidden_act") or "silu") not in ("silu", "swish") or _slides(config):
        raise CheckpointError(
            f"{path} asks for a sliding window or an activation other than silu, which cannot be kept"
        )

    def count(key: str, default: int | None = None) -> int:
        value = default if config.get(key) is None else config[key]
        if type(value) is not int or not 0 < value < 2**31:
            raise CheckpointError(f"{path} gives {key} as {value!r}; a positive whole number is expected")
        return value

    # What follows would end the process in llama.cpp, or be refused by it when the finished file is loaded.
    heads, hidden, layers = count("num_attention_heads"), count("hidden_size"), count("num_hidden_layers")
    kv_heads, head_size = count("num_key_value_heads", heads), count("head_dim", hidden // heads)
    if head_size * heads != hidden or head_size % 2 or heads % kv_heads:
        raise CheckpointError(
            f"{path}: {heads} heads of {head_size} with {kv_heads} KV heads do not fit a hidden_size of {hidden}"
        )
    if layers > MAX_LAYERS:
        raise CheckpointError(f"{path} gives num_hidden_layers as {layers}; llama.cpp allows {MAX_LAYERS}")
    return Qwen2Config(
        layers=layers,
        hidden=hidden,
        ffn=count("intermediate_size"),
        heads=heads,
        kv_heads=kv_heads,
        head_size=head_size,
        head_size_given=config.get("head_dim") is not None,
        vocabulary=count("vocab_size"),
        context=count("max_position_embeddings"),
        rope_theta=_positive({**config, **rope}, "rope_theta", 10000.0, path),
        rms_epsilon=_positive(config, "rms_norm_eps", 1e-6, path),
        tied=config.get("tie_word_embeddings", False) is True,
    )


def _rope(config: dict[str, Any], path: Path) -> dict[str, Any]:
    """The settings of positions. transformers 5 calls them rope_parameters and puts rope_theta among them."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if isinstance(rope, dict):
        rope = rope.get("full_attention", rope)  # 5 writes them by type of layer, where there are several
    kind = (rope.get("rope_type") or rope.get("type") or "default") if isinstance(rope, dict) else None
    unscaled = kind == "default" or (kind in ("linear", "dynamic") and rope.get("factor") == 1)
    if not unscaled or rope.get("partial_rotary_factor", 1) not in (None, 1):
        raise CheckpointError(f"{path} asks for rope_scaling, which is not supported; remove it if not needed")
    return {key: value for key, value in rope.items() if value is not None}


def _slides(config: dict[str, Any]) -> bool:
    """Whether some layer may see less than the whole context. A window can be given, and be used by no layer."""
    window, context = config.get("sliding_window", 0), config.get("max_position_embeddings")
    if not config.get("use_sliding_window") or window is None:
        return False
    if isinstance(window, int) and isinstance(context, int) and window >= context:
        return False
    kinds = config.get("layer_types")
    if isinstance(kinds, list):
        return "sliding_attention" in kinds
    layers, full = config.get("num_hidden_layers"), config.get("max_window_layers")  # the first so many see everything
    return not (isinstance(layers, int) and isinstance(full, int) and full >= layers)


def _positive(config: dict[str, Any], key: str, default: float, path: Path) -> float:
    value = default if config.get(key) is None else config[key]
    # A GGUF file holds it as float32: neither 0 there nor infinite.
    if not isinstance(value, int | float) or isinstance(value, bool) or not 1e-37 < value < 1e38:
        raise CheckpointError(f"{path} gives {key} as {value!r}; a positive number is expected")
    return float(value)


def _expected(config: Qwen2Config) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """(GGUF name, checkpoint name, shape) of every tensor, in llama.cpp's order of layers."""
    hidden, ffn = config.hidden, config.ffn
    q, kv = config.heads * config.head_size, config.kv_heads * config.head_size
    yield "token_embd.weight", EMBEDDING, (config.vocabulary, hidden)
    yield "output_norm.weight", "model.norm.weight", (hidden,)
    if not config.tied:
        yield "output.weight", OUTPUT, (config.vocabulary, hidden)
    for layer in range(config.layers):
        ours, theirs = f"blk.{layer}.", f"model.layers.{layer}."
        yield ours + "attn_norm.weight", theirs + "input_layernorm.weight", (hidden,)
        for name, rows in (("q", q), ("k", kv), ("v", kv)):
            yield f"{ours}attn_{name}.bias", f"{theirs}self_attn.{name}_proj.bias", (rows,)
            yield f"{ours}attn_{name}.weight", f"{theirs}self_attn.{name}_proj.weight", (rows, hidden)
        yield ours + "attn_output.weight", theirs + "self_attn.o_proj.weight", (hidden, q)
        yield ours + "ffn_norm.weight", theirs + "post_attention_layernorm.weight", (hidden,)
        yield ours + "ffn_gate.weight", theirs + "mlp.gate_proj.weight", (ffn, hidden)
        yield ours + "ffn_up.weight", theirs + "mlp.up_proj.weight", (ffn, hidden)
        yield ours + "ffn_down.weight", theirs + "mlp.down_proj.weight", (hidden, ffn)


def match_weights(config: Qwen2Config, checkpoint: Checkpoint) -> tuple[Weight, ...]:
    """Every tensor the model needs. Raises CheckpointError if one is missing, misshapen, or of no known use."""
    tensors = _by_published_name(checkpoint)
    if any(".lora_" in name for name in tensors):
        raise CheckpointError(f"{checkpoint.folder} holds an adapter beside the model's weights; merge it into them")
    weights = []
    for name, source_name, shape in _expected(config):
        source = tensors.get(source_name)
        if source is None:
            raise CheckpointError(f"{source_name} is missing from {checkpoint.folder}, though config.json asks for it")
        if source.shape != shape:
            raise CheckpointError(f"{source_name} in {source.file} has the shape {source.shape}, not {shape}")
        weights.append(Weight(name, source))
    used = {source_name for _, source_name, _ in _expected(config)} | {OUTPUT}
    unknown = [n for n in tensors if n not in used and not n.endswith("rotary_emb.inv_freq")]
    if unknown:
        raise CheckpointError(f"{checkpoint.folder} holds {unknown[0]}, which is not part of this Qwen2 model")
    return tuple(weights)


def redundant_output(config: Qwen2Config, checkpoint: Checkpoint) -> tuple[SourceTensor, SourceTensor] | None:
    """(lm_head, embedding) where the checkpoint holds an lm_head although config.json ties it to the embedding."""
    tensors = _by_published_name(checkpoint)
    output = tensors.get(OUTPUT)
    return (output, tensors[EMBEDDING]) if config.tied and output else None


def _by_published_name(checkpoint: Checkpoint) -> dict[str, SourceTensor]:
    """The tensors as Qwen2ForCausalLM names them.

    What was saved inside a wrapper has its prefix: `_orig_mod.` (torch.compile), `module.` (DDP), `base_model.` (peft).
    """
    names = [name for name in checkpoint.tensors if name.endswith(EMBEDDING)]
    wrapper = names[0].removesuffix(EMBEDDING) if len(names) == 1 else ""
    return {name.removeprefix(wrapper): tensor for name, tensor in checkpoint.tensors.items()}


def imagined(config: Qwen2Config) -> tuple[Weight, ...]:
    """The tensors of a bf16 checkpoint with this config that is not at hand: enough for a plan, not for a build."""
    return tuple(
        Weight(name, SourceTensor(source, "BF16", shape, Path("imagined"), 0, 2 * math.prod(shape)))
        for name, source, shape in _expected(config)
    )
