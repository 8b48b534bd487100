"""Lets transformers save a checkpoint of a tiny Qwen2, in the way of its major version. Needs no PyTorch.

Runs in an environment that has transformers, which this project's has not: two versions exclude each other, and 4 also
our huggingface-hub. So no import of ours here.

    uv run --no-project --with transformers==4.57.6 --with safetensors --with jinja2 python FILE OUT [--no-weights]
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MERGES = ["t h", "th e", "Ġ the", "1 2", "i n", "Ġ w", "o r"]
SPECIALS = ["<|im_start|>", "<|im_end|>"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
HIDDEN, LAYERS, HEADS = 64, 2, 2


def vocabulary() -> dict[str, int]:
    from tokenizers.pre_tokenizers import ByteLevel

    tokens = [*sorted(ByteLevel.alphabet()), *(merge.replace(" ", "") for merge in MERGES)]
    return {token: i for i, token in enumerate(tokens)}


def save_tokenizer(out: Path, *, slow: bool) -> Any:
    import transformers

    if transformers.__version__.startswith("4."):
        out.mkdir(parents=True, exist_ok=True)
        files = {"vocab_file": str(out / "vocab.json"), "merges_file": str(out / "merges.txt")}
        Path(files["vocab_file"]).write_text(json.dumps(vocabulary()), encoding="utf-8")
        Path(files["merges_file"]).write_text("\n".join(["#version: 0.2", *MERGES]) + "\n", encoding="utf-8")
        tokenizer = (transformers.Qwen2Tokenizer if slow else transformers.Qwen2TokenizerFast)(**files)
        tokenizer.add_special_tokens({"additional_special_tokens": SPECIALS})
    else:
        tokenizer = transformers.Qwen2Tokenizer(vocab=vocabulary(), merges=[tuple(m.split()) for m in MERGES])
        tokenizer.add_special_tokens({"extra_special_tokens": SPECIALS})
    tokenizer.add_tokens(["<think>", "</think>"])
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(out)
    return tokenizer


def save(out: Path, *, weights: bool, slow: bool) -> None:
    from transformers import GenerationConfig, Qwen2Config

    tokenizer = save_tokenizer(out, slow=slow)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    config = Qwen2Config(
        architectures=["Qwen2ForCausalLM"],
        vocab_size=len(tokenizer) + 3,
        hidden_size=HIDDEN,
        intermediate_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=2048,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=end,
    )
    config.save_pretrained(out)
    ends = [end, tokenizer.convert_tokens_to_ids("<|endoftext|>")]
    GenerationConfig(do_sample=True, temperature=0.6, top_p=0.95, top_k=20, eos_token_id=ends).save_pretrained(out)
    if weights:
        save_weights(out, config.vocab_size)


def shapes(vocab_size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield "model.embed_tokens.weight", (vocab_size, HIDDEN)
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        yield prefix + "input_layernorm.weight", (HIDDEN,)
        yield prefix + "post_attention_layernorm.weight", (HIDDEN,)
        for name in ("mlp.down", "mlp.gate", "mlp.up", "self_attn.k", "self_attn.o", "self_attn.q", "self_attn.v"):
            yield f"{prefix}{name}_proj.weight", (HIDDEN, HIDDEN)
        for name in "kqv":
            yield f"{prefix}self_attn.{name}_proj.bias", (HIDDEN,)
    yield "model.norm.weight", (HIDDEN,)
    yield "lm_head.weight", (vocab_size, HIDDEN)


def save_weights(out: Path, vocab_size: int) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    rng = np.random.default_rng(0)
    tensors = {name: (0.05 * rng.standard_normal(shape)).astype(np.float16) for name, shape in shapes(vocab_size)}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--no-weights", action="store_true")
    parser.add_argument("--slow-tokenizer", action="store_true")
    arguments = parser.parse_args()
    save(arguments.out, weights=not arguments.no_weights, slow=arguments.slow_tokenizer)
