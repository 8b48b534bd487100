"""Small random models of several architectures as GGUF files, for what depends on the architecture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter, TokenType

WIDTH, HEADS, KV_HEADS, HEAD, FEED_FORWARD, LAYERS = 64, 4, 2, 16, 96, 2
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def _letters() -> list[str]:
    """GPT-2's printable names of the 256 bytes."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in kept]
    return [chr(byte) if byte in kept else chr(256 + others.index(byte)) for byte in range(256)]


TOKENS = [*SPECIALS, *_letters()]


def llama_like(arch: str, *, qk_norm: bool = False, fused: bool = False, post_norms: bool = False) -> dict[str, Any]:
    """The names and shapes of the tensors of a decoder of Llama's family."""
    q, kv = HEADS * HEAD, KV_HEADS * HEAD
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (len(TOKENS), WIDTH), "output_norm": (WIDTH,)}
    if arch == "phi3":
        shapes["output"] = (len(TOKENS), WIDTH)
    for layer in range(LAYERS):
        block = {
            "attn_norm": (WIDTH,),
            "ffn_norm": (WIDTH,),
            "attn_output": (WIDTH, q),
            "ffn_down": (WIDTH, FEED_FORWARD),
        }
        if fused:
            block |= {"attn_qkv": (q + 2 * kv, WIDTH), "ffn_up": (2 * FEED_FORWARD, WIDTH)}
        else:
            block |= {"attn_q": (q, WIDTH), "attn_k": (kv, WIDTH), "attn_v": (kv, WIDTH)}
            block |= {"ffn_up": (FEED_FORWARD, WIDTH), "ffn_gate": (FEED_FORWARD, WIDTH)}
        if qk_norm:
            block |= {"attn_q_norm": (HEAD,), "attn_k_norm": (HEAD,)}
        if post_norms:
            block |= {"post_attention_norm": (WIDTH,), "post_ffw_norm": (WIDTH,)}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    return shapes


def mamba() -> dict[str, tuple[int, ...]]:
    inner, state, step, conv = 2 * WIDTH, 8, 4, 4
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (len(TOKENS), WIDTH), "output_norm": (WIDTH,)}
    for layer in range(LAYERS):
        shapes |= {
            f"blk.{layer}.attn_norm": (WIDTH,),
            f"blk.{layer}.ssm_in": (2 * inner, WIDTH),
            f"blk.{layer}.ssm_conv1d": (inner, conv),
            f"blk.{layer}.ssm_conv1d.bias": (inner,),
            f"blk.{layer}.ssm_x": (step + 2 * state, inner),
            f"blk.{layer}.ssm_dt": (inner, step),
            f"blk.{layer}.ssm_dt.bias": (inner,),
            f"blk.{layer}.ssm_a": (inner, state),
            f"blk.{layer}.ssm_d": (inner,),
            f"blk.{layer}.ssm_out": (WIDTH, inner),
        }
    return shapes


def bert() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (len(TOKENS), WIDTH), "position_embd": (1024, WIDTH)}
    shapes |= {"token_types": (2, WIDTH), "token_embd_norm": (WIDTH,), "token_embd_norm.bias": (WIDTH,)}
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            shapes |= {f"blk.{layer}.{name}": (WIDTH, WIDTH), f"blk.{layer}.{name}.bias": (WIDTH,)}
        shapes |= {f"blk.{layer}.ffn_up": (FEED_FORWARD, WIDTH), f"blk.{layer}.ffn_up.bias": (FEED_FORWARD,)}
        shapes |= {f"blk.{layer}.ffn_down": (WIDTH, FEED_FORWARD), f"blk.{layer}.ffn_down.bias": (WIDTH,)}
        for name in ("attn_output_norm", "layer_output_norm"):
            shapes |= {f"blk.{layer}.{name}": (WIDTH,), f"blk.{layer}.{name}.bias": (WIDTH,)}
    return shapes


# By architecture: its tensors, and the keys that it needs beyond the usual ones.
SHAPES: dict[str, tuple[dict[str, tuple[int, ...]], dict[str, Any]]] = {
    "llama": (llama_like("llama"), {}),
    "qwen2": (llama_like("qwen2"), {}),
    "qwen3": (llama_like("qwen3", qk_norm=True), {}),
    "phi3": (llama_like("phi3", fused=True), {"attention.sliding_window": 32}),
    "gemma": (llama_like("gemma"), {}),
    "gemma3": (llama_like("gemma3", qk_norm=True, post_norms=True), {"attention.sliding_window": 32}),
    "granite": (
        llama_like("granite"),
        {"attention.scale": 0.25, "logit_scale": 1.0, "residual_scale": 1.0, "embedding_scale": 1.0},
    ),
    "smollm3": (llama_like("smollm3"), {}),
    "hunyuan-dense": (llama_like("hunyuan-dense", qk_norm=True), {}),
    "mamba": (
        mamba(),
        {"ssm.conv_kernel": 4, "ssm.inner_size": 2 * WIDTH, "ssm.state_size": 8, "ssm.time_step_rank": 4},
    ),
    "bert": (
        bert(),
        {
            "attention.head_count_kv": HEADS,
            "attention.causal": False,
            "pooling_type": 1,
            "attention.layer_norm_epsilon": 1e-6,
        },
    ),
}
_SHAPE_KEYS: dict[str, Any] = {
    "block_count": LAYERS,
    "context_length": 1024,
    "embedding_length": WIDTH,
    "feed_forward_length": FEED_FORWARD,
    "attention.head_count": HEADS,
    "attention.head_count_kv": KV_HEADS,
    "attention.key_length": HEAD,
    "attention.value_length": HEAD,
    "attention.layer_norm_rms_epsilon": 1e-6,
    "rope.dimension_count": HEAD,
    "rope.freq_base": 10000.0,
}


def write(
    path: Path,
    architecture: str,
    *,
    template: str | None = CHATML,
    keys: Mapping[str, Any] | None = None,
    drop: tuple[str, ...] = (),
    extra: int = 0,
    seed: int = 0,
) -> Path:
    """Write a random model. `keys` replace or add to those of the file; `drop` leaves some out; `extra` are rows of
    the embedding, for more tokens."""
    shapes, own = SHAPES[architecture]
    writer, rng = GGUFWriter(path, architecture), np.random.default_rng(seed)
    facts: dict[str, Any] = {f"{architecture}.{key}": value for key, value in (_SHAPE_KEYS | own).items()}
    facts |= {
        "general.type": "model",
        "general.name": "random",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.token_type": [TokenType.CONTROL] * len(SPECIALS) + [TokenType.NORMAL] * 256,
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.token_type_count": 2,
    }
    if template is not None:
        facts["tokenizer.chat_template"] = template
    for key, value in (facts | dict(keys or {})).items():
        if key not in drop:
            _add(writer, key, value)
    for name, shape in shapes.items():
        shape = (shape[0] + extra, *shape[1:]) if name == "token_embd" else shape
        ones = name.endswith(("norm", "ssm_d"))
        values = np.ones(shape) if ones else rng.normal(0, 0.05 if name == "token_embd" else 0.3, shape)
        if name.endswith("ssm_a"):
            values = -np.abs(values)
        suffix = "" if name.endswith((".bias", "ssm_a", "ssm_d")) else ".weight"
        writer.add_tensor(name + suffix, values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add(writer: GGUFWriter, key: str, value: object) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, list):
        writer.add_array(key, value)
