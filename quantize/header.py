"""What stands before the tensors in a GGUF file: the key-values of a Qwen2 model, and the tensor list.

Knows the keys and their order (llama.cpp's conversion/base.py and conversion/qwen.py). Knows nothing of tensor data.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import (
    GGML_QUANT_VERSION,
    GGMLQuantizationType,
    GGUFType,
    GGUFWriter,
    LlamaFileType,
    Metadata,
)

from .config import Qwen2Config
from .errors import CheckpointError
from .vocab import Vocabulary

ALIGNMENT = 32  # bytes; GGUF's default, which llama.cpp uses everywhere
OUR_KEYS = "quantize."
SOURCE_SHA256 = "quantize.source.sha256"
UNKNOWN_SHA256 = "0" * 64  # holds the place until the source has been read to its end


@dataclass(frozen=True)
class TensorInfo:
    """One line of the tensor list. `shape` is (rows, width) or (width,); `size` is in bytes, without padding."""

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    size: int


@dataclass(frozen=True)
class Provenance:
    """One of our own keys; comparisons with other tools' files leave them out."""

    key: str  # begins with OUR_KEYS
    value: str | int


@dataclass(frozen=True)
class Keys:
    """What the key-values are made of."""

    metadata: Metadata  # name, licence, base model, sampling …
    config: Qwen2Config
    vocabulary: Vocabulary
    file_type: LlamaFileType
    provenance: tuple[Provenance, ...]


def pad(size: int) -> int:
    """`size` rounded up to ALIGNMENT, both in bytes."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def shape_keys(writer: GGUFWriter, config: Qwen2Config) -> None:
    """The hyperparameters (TextModel.set_gguf_parameters)."""
    writer.add_block_count(config.layers)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.hidden)
    writer.add_feed_forward_length(config.ffn)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_layer_norm_rms_eps(config.rms_epsilon)
    if config.head_size_given:
        writer.add_key_length(config.head_size)
        writer.add_value_length(config.head_size)


def vocabulary_keys(writer: GGUFWriter, vocabulary: Vocabulary) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([token.text for token in vocabulary.tokens])
    writer.add_token_types([token.type for token in vocabulary.tokens])
    writer.add_token_merges(vocabulary.merges)
    names = {"unk": "unknown", "sep": "seperator", "pad": "padding"}  # the gguf spec's spelling
    for special in vocabulary.specials:
        writer.add_uint32(f"tokenizer.ggml.{names.get(special.role, special.role)}_token_id", special.id)
    # Qwen2's post-processor adds neither. gguf 0.19.0 does not infer these from tokenizer.json.
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    templates = vocabulary.chat_templates
    others = [name for name in templates if name != "default"]
    for name in others:  # add_chat_template takes all of them, and has their names in another order each time
        writer.add_string(f"tokenizer.chat_template.{name}", templates[name])
    if others:
        writer.add_array("tokenizer.chat_templates", others)
    writer.add_chat_template(templates["default"])


def write_header(path: Path, keys: Keys, tensors: Sequence[TensorInfo]) -> int:
    """Write everything up to the first tensor. Returns where the data begin: bytes from the start of the file.

    Raises CheckpointError for a tokenizer or a name that a GGUF file cannot hold.
    """
    writer = GGUFWriter(None, "qwen2")
    writer.add_type(GGUFType.MODEL)
    keys.metadata.set_gguf_meta_model(writer)
    shape_keys(writer, keys.config)
    writer.add_file_type(keys.file_type)
    writer.add_quantization_version(GGML_QUANT_VERSION)
    vocabulary_keys(writer, keys.vocabulary)
    for entry in keys.provenance:
        if isinstance(entry.value, int):
            writer.add_uint32(entry.key, entry.value)
        else:
            writer.add_string(entry.key, entry.value)
    try:
        return save(writer, path, tensors)
    except (TypeError, AttributeError, ValueError, OverflowError, struct.error) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"the tokenizer or the name of {keys.metadata.name!a} has what a GGUF file cannot hold: {reason}"
        ) from error


def write_plan_header(path: Path, config: Qwen2Config, tensors: Sequence[TensorInfo]) -> None:
    """A file with hyperparameters and tensor list but no vocabulary and no data: all that llama.cpp's dry run reads."""
    writer = GGUFWriter(None, "qwen2")
    shape_keys(writer, config)
    writer.add_vocab_size(config.vocabulary)
    size = save(writer, path, tensors) + sum(pad(tensor.size) for tensor in tensors)
    with path.open("r+b") as file:
        file.truncate(size)  # sparse: the dry run checks that the data would fit, and reads none


def save(writer: GGUFWriter, path: Path, tensors: Sequence[TensorInfo]) -> int:
    """Write the key-values collected in `writer` and the tensor list, padded. Returns the size in bytes."""
    for tensor in tensors:
        writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), tensor.size, raw_dtype=tensor.type)
    try:
        writer.write_header_to_file(path)
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
    finally:
        writer.close()
    end = path.stat().st_size
    with path.open("ab") as file:
        file.write(bytes(pad(end) - end))
    return pad(end)
