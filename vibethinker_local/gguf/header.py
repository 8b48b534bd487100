"""Checks a model file before llama.cpp sees it: the shape of the model, and whether its numbers are plausible.

llama.cpp aborts the process for some values that a damaged or hostile file may hold, and for others only says that
something failed. Here each of them gets a sentence.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from vibethinker_local.errors import ModelError
from vibethinker_local.gguf import reader
from vibethinker_local.gguf.reader import Broken, GgufFile

ARCHITECTURE = "qwen2"
MAX_LAYERS = 512  # LLAMA_MAX_LAYERS
SCALINGS = ("none", "linear", "yarn", "longrope")  # RoPE scaling types that llama.cpp knows
TOKENS = "tokenizer.ggml.tokens"


@dataclass(frozen=True)
class Header:
    """The shape of a model, and the size of its file."""

    layers: int
    width: int
    feed_forward: int
    heads: int
    kv_heads: int
    vocabulary: int
    trained_context: int  # positions
    weights: int  # bytes

    @property
    def kv_width(self) -> int:
        """How many numbers the keys of one token have in one layer; its values have as many."""
        return self.width // self.heads * self.kv_heads


def read(path: Path) -> Header:
    """Read the header. Raises ModelError if the file is unreadable, damaged, or not the GGUF of a whole qwen2 model."""
    return check(reader.read(path, raw=(TOKENS,)))


def check(file: GgufFile) -> Header:
    """The shape of a model from its keys. Raises ModelError unless they are those of a whole qwen2 model.

    The file must have been read with its tokens.
    """
    architecture = file.keys.get("general.architecture")
    if architecture != ARCHITECTURE:
        raise ModelError(
            f"{file.path} holds a {architecture} model: only {ARCHITECTURE} models (VibeThinker's) can be run."
        )
    if not file.tensors:
        raise ModelError(f"{file.path} holds a vocabulary and no weights: give a whole model.")
    if not file.keys.get("tokenizer.chat_template"):
        raise ModelError(f"{file.path} has no chat template: use a file that was converted with one.")
    try:
        return _shape(file)
    except Broken as error:
        raise reader.damaged(file.path, error) from None


def _shape(file: GgufFile) -> Header:
    """The shape, from values that llama.cpp does not check itself."""
    values = file.keys

    def number(key: str, default: object = None) -> int:
        value = values.get(f"{ARCHITECTURE}.{key}", default)
        if type(value) is not int or not 0 < value < 2**31:
            raise Broken(f"{ARCHITECTURE}.{key} is {value}")
        return value

    if number("block_count") > MAX_LAYERS:
        raise Broken(f"{ARCHITECTURE}.block_count is {number('block_count')}")
    heads, width = number("attention.head_count"), number("embedding_length")
    if width % heads or heads % number("attention.head_count_kv", heads):
        raise Broken(f"its {heads} attention heads do not divide its width, or its KV heads them")
    if width // heads % 2:
        raise Broken(f"its attention heads have the odd width {width // heads}")
    for key in ("attention.key_length", "attention.value_length", "rope.dimension_count"):
        if number(key, width // heads) != width // heads:
            raise Broken(f"{ARCHITECTURE}.{key} is not {width // heads}")
    if experts := values.get(f"{ARCHITECTURE}.expert_count"):
        raise Broken(f"{ARCHITECTURE}.expert_count is {experts}")
    if (scaling := values.get(f"{ARCHITECTURE}.rope.scaling.type", "none")) not in SCALINGS:
        raise Broken(f"{ARCHITECTURE}.rope.scaling.type is {scaling}")
    epsilon = values.get(f"{ARCHITECTURE}.attention.layer_norm_rms_epsilon")
    if not isinstance(epsilon, float) or not (0 <= epsilon < math.inf):
        raise Broken(f"{ARCHITECTURE}.attention.layer_norm_rms_epsilon is {epsilon}")
    if (tokenizer := values.get("tokenizer.ggml.model")) != "gpt2":
        raise Broken(f"tokenizer.ggml.model is {tokenizer}, not gpt2")
    tokens = values.get(TOKENS)
    if not isinstance(tokens, list) or not isinstance(next(iter(tokens), None), str | bytes):
        raise Broken(f"{TOKENS} is missing or no list of texts")
    if len(set(tokens)) < len(tokens):
        raise Broken(f"{TOKENS} holds a token twice")
    return Header(
        layers=number("block_count"),
        width=width,
        feed_forward=number("feed_forward_length"),
        heads=heads,
        kv_heads=number("attention.head_count_kv", heads),
        vocabulary=len(tokens),
        trained_context=number("context_length"),
        weights=file.size - file.data,
    )
