"""Variants of the bundled model's file: with other metadata, fewer tensors, or bytes that are missing."""

import functools
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter

from vibethinker_local.system import paths

Change = Callable[[str, "np.ndarray[Any, Any]"], "np.ndarray[Any, Any]"]


@functools.cache
def _mini() -> GGUFReader:
    return GGUFReader(paths.MINI)


@functools.cache
def _fields() -> dict[str, tuple[Any, list[GGUFValueType]]]:
    """Each value with its types."""
    return {key: (field.contents(), field.types) for key, field in _mini().fields.items()}


def variant(
    path: Path,
    change: Mapping[str, object] | None = None,
    *,
    drop: Collection[str] = (),
    architecture: str = "qwen2",
    tensors: bool = True,
    data: Change = lambda name, values: values,
) -> Path:
    """Write mini.gguf anew with some values changed or added (as 32-bit numbers)."""
    changed, writer = dict(change or {}), GGUFWriter(path, architecture)
    for key, (value, types) in _fields().items():
        if key.startswith("GGUF.") or key == "general.architecture" or key in drop:
            continue
        inner = types[-1] if types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(key, changed.pop(key, value), types[0], inner)
    for key, value in changed.items():
        writer.add_key_value(key, value, GGUFValueType.FLOAT32 if isinstance(value, float) else GGUFValueType.UINT32)
    for tensor in _mini().tensors if tensors else []:
        writer.add_tensor(tensor.name, data(tensor.name, tensor.data), raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def template(path: Path, source: str) -> Path:
    return variant(path, {"tokenizer.chat_template": source})


def cut(path: Path, share: float) -> Path:
    """The beginning of mini.gguf."""
    whole = paths.MINI.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path


def patched(path: Path, at: int, value: bytes) -> Path:
    """mini.gguf with some bytes of its header replaced."""
    whole = bytearray(paths.MINI.read_bytes())
    whole[at : at + len(value)] = value
    path.write_bytes(whole)
    return path


def shaped(path: Path, *, width: int, feed_forward: int, heads: int, kv_heads: int) -> Path:
    """A model of another width with mini's vocabulary and number of layers, every weight 0."""
    rows = {
        **dict.fromkeys(("attn_q", "attn_output", "ffn_down"), width),
        **dict.fromkeys(("attn_k", "attn_v"), width // heads * kv_heads),
        **dict.fromkeys(("ffn_gate", "ffn_up"), feed_forward),
    }
    shape = {"embedding_length": width, "feed_forward_length": feed_forward}
    shape |= {"attention.head_count": heads, "attention.head_count_kv": kv_heads}

    def zeros(name: str, values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        kind = name.split(".")[-2]
        if values.ndim == 1:
            return np.zeros(rows.get(kind, width), values.dtype)
        columns = feed_forward if kind == "ffn_down" else width
        return np.zeros((rows.get(kind, len(values)), columns // 32 * 34), values.dtype)  # Q8_0

    return variant(path, {f"qwen2.{key}": value for key, value in shape.items()}, data=zeros)
