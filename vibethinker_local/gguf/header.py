"""Checks a model file before llama.cpp sees it: what kind of model it says it is, its shape, whether that is plausible.

llama.cpp aborts the process for some values that a damaged or hostile file may hold, and for others only says that
something failed. Here each of them gets a sentence. Which architectures there are is llama.cpp's knowledge; what the
engine needs of a model beyond that is tried when it is loaded (llama/backend).
"""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

from vibethinker_local.errors import ModelError
from vibethinker_local.gguf import reader
from vibethinker_local.gguf.reader import Broken, GgufFile

MAX_LAYERS = 512  # LLAMA_MAX_LAYERS
MAX_EXPERTS = 1024  # LLAMA_MAX_EXPERTS
WHOLE = ("hunyuan-dense", "hunyuan_vl")  # a single expert of these is the whole layer for llama.cpp
SCALINGS = ("none", "linear", "yarn", "longrope")  # RoPE scaling types that llama.cpp knows
TOKENS, TYPES = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"
CONTROL = 3  # among the types
RECURRENT = (".ssm_", ".time_mix_", ".shortconv.")  # in names of tensors: as of Mamba, RWKV, LFM2
SHARD = re.compile(r"(?P<stem>.+)-(?P<part>\d{5})-of-(?P<parts>\d{5})\.gguf")  # llama.cpp's SPLIT names

# What stands in a GGUF file that is no model, by its general.type; llama.cpp writes the same words.
OTHER_FILES = {
    "adapter": "an adapter (LoRA) without the model that it changes: merge it into its model and convert that",
    "mmproj": "a projector (mmproj), the part of a model that sees or hears: give the model's own file",
    "imatrix": "an importance matrix, with which `vibe quantize` makes better files: give a model",
    "vocab": "a vocabulary and no weights: give a whole model",
}


class _Kept:
    """The lists that are kept of a header: the tokens, and what may differ from layer to layer."""

    def __contains__(self, key: object) -> bool:
        return key in (TOKENS, TYPES) or str(key).endswith(
            ("attention.head_count", ".head_count_kv", "feed_forward_length", ".expert_used_count")
        )


LISTS = _Kept()


@dataclass(frozen=True)
class Header:
    """The shape of a model, and the size of its files."""

    layers: int
    width: int
    feed_forward: int
    heads: int
    kv_heads: int
    vocabulary: int
    trained_context: int  # positions
    weights: int  # bytes
    cached: int | None = None  # numbers of a token in the KV cache, all layers; None: as the shape implies
    architecture: str = "qwen2"
    controls: tuple[int, ...] = ()  # tokens that are no text; none of a file that gives no types

    @property
    def kv_width(self) -> int:
        """How many numbers the keys of one token have in one layer; its values have as many."""
        return self.width // self.heads * self.kv_heads

    @property
    def kv_numbers(self) -> int:
        """How many numbers the KV cache holds for one token, keys and values of all layers."""
        return 2 * self.layers * self.kv_width if self.cached is None else self.cached


def read(path: Path) -> Header:
    """Read the header, and of a split file those of its other parts.

    Raises ModelError if a file is unreadable, damaged or missing, or if it is no causal language model with a chat
    template.
    """
    file = reader.read(path, raw=LISTS)
    shards = _shards(path, file)
    header = check(file)
    more = [reader.read(other, raw=()) for other in shards if other != path]
    return replace(header, weights=header.weights + sum(part.size - part.data for part in more)) if more else header


def _shards(path: Path, file: GgufFile) -> list[Path]:
    """The parts of a split file, in order; none of a whole one. Raises ModelError unless it is the first and all are
    there."""
    count = file.keys.get("split.count")
    if type(count) is not int or count < 2:
        return []
    named = SHARD.fullmatch(path.name)
    if named is None or int(named["parts"]) != count:
        raise ModelError(
            f"{path} is one of {count} parts of a model: they are found by their names, which must end in "
            f"-00001-of-{count:05}.gguf and so on."
        )
    shards = parts(path)
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise ModelError(f"{path} is one of {count} parts of a model, and {', '.join(missing[:4])} is not beside it.")
    if path != shards[0]:
        raise ModelError(
            f"{path} is part {int(named['part'])} of {count} of a model: give the first, {shards[0].name}."
        )
    return shards


def parts(path: Path) -> list[Path]:
    """All parts of a split file, by the name of one, in order, whether they are there or not; else the file alone."""
    if (named := SHARD.fullmatch(path.name)) is None:
        return [path]
    stem, count = named["stem"], int(named["parts"])
    return [path.with_name(f"{stem}-{part:05}-of-{count:05}.gguf") for part in range(1, count + 1)]


def check(file: GgufFile) -> Header:
    """The shape of a model from its keys. Raises ModelError unless they are those of a causal language model.

    The file must have been read with LISTS.
    """
    try:
        _refuse_others(file)
        return _shape(file)
    except Broken as error:
        raise reader.damaged(file.path, error) from None


def _refuse_others(file: GgufFile) -> None:
    """Raises ModelError for what is no causal language model by what the file says about itself."""
    path, keys = file.path, file.keys
    architecture = keys.get("general.architecture")
    kind = "mmproj" if architecture == "clip" else "imatrix" if architecture == "imatrix" else keys.get("general.type")
    if isinstance(kind, str) and kind in OTHER_FILES:
        raise ModelError(f"{path} holds {OTHER_FILES[kind]}.")
    if not isinstance(architecture, str) or not architecture:
        raise Broken(f"general.architecture is {architecture}")
    if not file.tensors and not _later_tensors(file):
        raise ModelError(f"{path} holds {OTHER_FILES['vocab']}.")
    # Not by its keys: files of Granite 4.0 that are attention only have those of Mamba, too.
    recurrent = next((tensor.name for tensor in file.tensors if any(part in tensor.name for part in RECURRENT)), None)
    if recurrent:
        raise ModelError(
            f"{path} holds a {architecture} model, which keeps a running state instead of a KV cache ({recurrent}): "
            "solutions could not share a prompt or be cut back. Give a model with attention only."
        )
    if keys.get(f"{architecture}.attention.causal") is False:
        raise ModelError(
            f"{path} holds a {architecture} model that does not write token after token (an encoder, or by diffusion): "
            "give one that does."
        )
    if keys.get(f"{architecture}.pooling_type", 0) not in (0, -1):
        raise ModelError(f"{path} holds an embedding model ({architecture}), which writes no text.")
    if not keys.get("tokenizer.chat_template"):
        raise ModelError(
            f"{path} has no chat template, so it is a base model or was converted without one: use a file that has one."
        )


def _later_tensors(file: GgufFile) -> bool:
    """Whether the tensors are in the other parts of a split file."""
    return bool(file.keys.get("split.count")) and bool(file.keys.get("split.tensors.count"))


def _shape(file: GgufFile) -> Header:
    """The shape, from values that llama.cpp does not check itself."""
    values = file.keys
    architecture = str(values["general.architecture"])
    apart = next((tensor for tensor in file.tensors if tensor.offset % reader.ALIGNMENT), None)
    if apart:
        raise Broken(f"{apart.name} lies at byte {apart.offset:,}, which is no multiple of {reader.ALIGNMENT}")

    def numbers(key: str, default: object = None, *, least: int = 1) -> list[int]:
        """A value for each layer, or one for all."""
        value = values.get(f"{architecture}.{key}", default)
        found = value if isinstance(value, list) and value else [value]
        if not all(type(each) is int and least <= each < 2**31 for each in found):
            raise Broken(f"{architecture}.{key} is {value}")
        return [each for each in found if isinstance(each, int)]

    def number(key: str, default: object = None, *, least: int = 1) -> int:
        return max(numbers(key, default, least=least))

    layers, width = number("block_count"), number("embedding_length")
    if layers > MAX_LAYERS:
        raise Broken(f"{architecture}.block_count is {layers}")
    every_head = numbers("attention.head_count", least=0)
    every_kv = numbers("attention.head_count_kv", every_head if len(every_head) > 1 else every_head[0], least=0)
    heads, kv_heads = max(every_head), max(every_kv)
    if not heads or not kv_heads:
        raise Broken(f"{architecture}.attention.head_count is 0")
    own = f"{architecture}.attention.key_length" in values
    if (width % heads and not own) or (len(every_head) == len(every_kv) == 1 and heads % kv_heads):
        raise Broken(f"its {heads} attention heads do not divide its width, or its KV heads them")
    key, value = (number(f"attention.{each}_length", width // heads) for each in ("key", "value"))
    given = [f"{architecture}.attention.{each}_length" in values for each in ("key", "value")]
    latent = f"{architecture}.attention.kv_lora_rank" in values  # keys and values are made of fewer numbers
    if given[0] != given[1] and key != value and not latent:  # llama.cpp ends the process for most architectures
        raise Broken(f"{architecture}.attention.key_length is not {value}")
    rotated = number("rope.dimension_count", key)
    if key % 2 or rotated % 2 or (rotated > key and not latent):
        raise Broken(f"its attention heads have the width {key}, of which {rotated} are rotated")
    experts, used = number("expert_count", 0, least=0), number("expert_used_count", 0, least=0)
    whole = architecture in WHOLE and experts == 1
    if used > experts or experts > MAX_EXPERTS or (bool(used) != bool(experts) and not whole):
        raise Broken(f"{architecture}.expert_count is {experts}, of which {used} are used")
    if (scaling := values.get(f"{architecture}.rope.scaling.type", "none")) not in SCALINGS:
        raise Broken(f"{architecture}.rope.scaling.type is {scaling}")
    for name in ("layer_norm_rms_epsilon", "layer_norm_epsilon"):
        epsilon = values.get(f"{architecture}.attention.{name}", 0.0)
        if not isinstance(epsilon, float) or not (0 <= epsilon < math.inf):
            raise Broken(f"{architecture}.attention.{name} is {epsilon}")
    if not isinstance(tokenizer := values.get("tokenizer.ggml.model"), str) or tokenizer in ("", "none", "no_vocab"):
        raise Broken(f"tokenizer.ggml.model is {tokenizer}")
    tokens = values.get(TOKENS)
    if not isinstance(tokens, list) or not isinstance(next(iter(tokens), None), str | bytes):
        raise Broken(f"{TOKENS} is missing or no list of texts")
    if tokenizer == "llama" and b"<0x0A>" not in tokens and "<0x0A>" not in tokens:
        raise Broken(f"tokenizer.ggml.model is {tokenizer}, which has a token for each byte, and this has none")
    kinds = values.get(TYPES)
    types = kinds if isinstance(kinds, list) else []
    named = [token for token in tokens if token]  # llama.cpp names those without a name itself
    if len(set(named)) < len(named):
        raise Broken(f"{TOKENS} holds a token twice")
    of_layers = every_kv if len(every_kv) > 1 else every_kv * layers
    return Header(
        layers=layers,
        width=width,
        feed_forward=max(
            number("feed_forward_length", 1, least=0),  # 0 where a layer has none
            number("expert_feed_forward_length", 0, least=0) * used,  # of those that one token goes through
        ),
        heads=heads,
        kv_heads=kv_heads,
        vocabulary=len(tokens),
        trained_context=number("context_length"),
        weights=file.size - file.data,
        cached=sum(of_layers[:layers]) * (key + value),
        architecture=architecture,
        controls=tuple(token for token, kind in enumerate(types) if kind == CONTROL)
        if len(types) == len(tokens)
        else (),
    )
