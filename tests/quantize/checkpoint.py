"""Small Qwen2 checkpoints, as transformers would save them: real tokenizer files, random bf16 weights."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)
SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
CORPUS = ["The quick brown fox doesn't jump over 123 lazy dogs.\n", "def f(x):\n    return x + 1\n", "Ça va? 你好 🙂 "]
Bits = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Shape:
    num_hidden_layers: int = 8
    hidden_size: int = 256
    intermediate_size: int = 256
    num_attention_heads: int = 4
    num_key_value_heads: int = 2
    vocab_size: int = 400
    tie_word_embeddings: bool = True


def train_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=320, show_progress=False, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    return tokenizer


def names_and_shapes(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, ffn = shape.hidden_size, shape.intermediate_size
    kv = hidden // shape.num_attention_heads * shape.num_key_value_heads
    yield "model.embed_tokens.weight", (shape.vocab_size, hidden)
    for layer in range(shape.num_hidden_layers):
        prefix = f"model.layers.{layer}."
        yield prefix + "input_layernorm.weight", (hidden,)
        yield prefix + "mlp.down_proj.weight", (hidden, ffn)
        yield prefix + "mlp.gate_proj.weight", (ffn, hidden)
        yield prefix + "mlp.up_proj.weight", (ffn, hidden)
        yield prefix + "post_attention_layernorm.weight", (hidden,)
        for name, rows in (("k", kv), ("q", hidden), ("v", kv)):
            yield prefix + f"self_attn.{name}_proj.bias", (rows,)
            yield prefix + f"self_attn.{name}_proj.weight", (rows, hidden)
        yield prefix + "self_attn.o_proj.weight", (hidden, hidden)
    yield "model.norm.weight", (hidden,)
    if not shape.tie_word_embeddings:
        yield "lm_head.weight", (shape.vocab_size, hidden)


def random_weights(shape: Shape, seed: int = 0) -> dict[str, Bits]:
    """bf16 bit patterns by name."""
    rng = np.random.default_rng(seed)
    return {name: to_bf16(rng.normal(0, 0.05, size)) for name, size in names_and_shapes(shape)}


def random_bits(shape: tuple[int, ...], seed: int = 0) -> Bits:
    return to_bf16(np.random.default_rng(seed).normal(0, 0.05, shape))


def to_bf16(values: npt.ArrayLike) -> Bits:
    """By cutting off the lower half, which is good enough for random numbers."""
    return (np.asarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)


def widened(bits: Bits) -> npt.NDArray[np.float32]:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def write_safetensors(path: Path, tensors: dict[str, Bits], dtype: str = "BF16") -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, bits in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(bits.shape), "data_offsets": [offset, offset + bits.nbytes]}
        offset += bits.nbytes
    write_raw(path, header, b"".join(bits.tobytes() for bits in tensors.values()))


def write_raw(path: Path, header: object, data: bytes) -> None:
    raw = json.dumps(header).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + data)


def write_checkpoint(folder: Path, shape: Shape, weights: dict[str, Bits] | None = None, shards: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    ids = {token: tokenizer.token_to_id(token) for token in SPECIALS}
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        **asdict(shape),
        "max_position_embeddings": 2048,
        "rope_theta": 10000.0,
        "rms_norm_eps": 1e-6,
        "hidden_act": "silu",
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|endoftext|>"],
    }
    write_json(folder / "config.json", config)
    write_json(
        folder / "tokenizer_config.json",
        {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "bos_token": None, "chat_template": TEMPLATE},
    )
    write_json(folder / "generation_config.json", {"temperature": 1.0, "top_p": 0.95, "repetition_penalty": 1.05})
    tensors = weights if weights is not None else random_weights(shape)
    if shards == 1:
        write_safetensors(folder / "model.safetensors", tensors)
        return folder
    weight_map: dict[str, str] = {}
    for shard in range(shards):
        name = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        part = dict(list(tensors.items())[shard::shards])
        write_safetensors(folder / name, part)
        weight_map |= dict.fromkeys(part, name)
    write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": weight_map})
    return folder


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def edit_json(path: Path, **changes: object) -> None:
    """Set keys; a value of None removes the key."""
    value = json.loads(path.read_bytes()) | changes
    write_json(path, {key: item for key, item in value.items() if item is not None})
