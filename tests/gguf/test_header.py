"""Values at the borders of what a header may say; whole files are in tests/llama/test_architectures.py."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gguf import TokenType

from tests import checkpoints
from vibethinker_local.errors import ModelError
from vibethinker_local.gguf import header, reader
from vibethinker_local.gguf.reader import GgufFile

MODEL, TOKENS = "tokenizer.ggml.model", "tokenizer.ggml.tokens"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> GgufFile:
    path = checkpoints.write(tmp_path_factory.mktemp("gguf") / "m.gguf", "llama")
    return reader.read(path, raw=header.LISTS)


def check(file: GgufFile, keys: Mapping[str, Any]) -> header.Header:
    named = {key if key.startswith("tokenizer.") else f"llama.{key}": value for key, value in keys.items()}
    return header.check(replace(file, keys=file.keys | named))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"block_count": 513}, r"block_count is 513"),
    ({"feed_forward_length": [96, -1]}, r"feed_forward_length is \[96, -1\]"),
    ({"context_length": 0}, r"context_length is 0"),
    ({"attention.head_count": [0, 0]}, r"head_count is 0"),
    ({"attention.head_count": 3}, r"its 3 attention heads do not divide its width, or its KV heads them"),
    ({"attention.key_length": 15, "attention.value_length": 15}, r"heads have the width 15"),
    ({"rope.dimension_count": 15}, r"of which 15 are rotated"),
    ({"rope.dimension_count": 18}, r"of which 18 are rotated"),
    ({"attention.layer_norm_rms_epsilon": math.inf}, r"epsilon is inf"),
    ({"attention.layer_norm_rms_epsilon": 1}, r"epsilon is 1"),
    ({"rope.scaling.type": "dynamic"}, r"scaling\.type is dynamic"),
    ({"attention.causal": False}, "does not write token after token"),
    ({"pooling_type": 1}, "embedding model"),
    ({"expert_count": 2, "expert_used_count": 3}, "expert_count is 2, of which 3 are used"),
    ({MODEL: ""}, r"model is \)"),
    ({MODEL: "none"}, "model is none"),
    ({MODEL: "no_vocab"}, "model is no_vocab"),
    ({MODEL: "llama"}, "a token for each byte, and this has none"),
    ({TOKENS: list[bytes]()}, "missing or no list of texts"),
    ({TOKENS: [b"a", b"b", b"a"]}, "a token twice"),
]


@pytest.mark.parametrize(("keys", "says"), REFUSED, ids=str)
def test_values_that_llama_cpp_would_not_take(keys: dict[str, Any], says: str, file: GgufFile) -> None:
    with pytest.raises(ModelError, match=says):
        check(file, keys)


READ: list[tuple[dict[str, Any], dict[str, object]]] = [
    ({}, {"layers": 2, "width": 64, "feed_forward": 96, "heads": 4, "kv_heads": 2, "kv_numbers": 128}),
    ({"block_count": 512}, {"layers": 512}),
    ({"embedding_length": 66}, {"width": 66}),  # the heads' width is given
    ({"rope.dimension_count": 8}, {"heads": 4}),
    ({"attention.head_count": [4, 3]}, {"heads": 4}),  # of layers of different shapes
    ({"attention.head_count_kv": [2, 3]}, {"kv_heads": 3, "kv_numbers": 160}),
    ({"attention.head_count_kv": [2, 1, 4]}, {"kv_heads": 4, "kv_numbers": 96}),  # the third would predict ahead
    ({"expert_count": 4, "expert_used_count": 2, "expert_feed_forward_length": 60}, {"feed_forward": 120}),
    ({"attention.layer_norm_rms_epsilon": 0.0}, {}),
    ({"pooling_type": -1}, {}),
    ({MODEL: "llama", TOKENS: [b"a", b"<0x0A>"]}, {"vocabulary": 2}),
    ({TOKENS: [b"a", b"", b"b", b""]}, {"vocabulary": 4}),
    ({TOKENS: [b"a", b"b"], header.TYPES: [TokenType.NORMAL, TokenType.CONTROL]}, {"controls": (1,)}),
    ({TOKENS: [b"a", b"b"], header.TYPES: [TokenType.CONTROL]}, {"controls": ()}),
]


@pytest.mark.parametrize(("keys", "found"), READ, ids=str)
def test_values_that_read_like_faults(keys: dict[str, Any], found: dict[str, object], file: GgufFile) -> None:
    shape = check(file, keys)
    assert {name: getattr(shape, name) for name in found} == found


def test_what_counts_as_weights(file: GgufFile, tmp_path: Path) -> None:
    assert header.check(file).weights == file.size - file.data
    parts = {"split.count": 2, "split.tensors.count": 1}
    for number in (1, 2):
        checkpoints.write(tmp_path / f"m-0000{number}-of-00002.gguf", "llama", keys={**parts, "split.no": number - 1})
    first = tmp_path / "m-00001-of-00002.gguf"
    assert header.read(first).weights == 2 * (file.size - file.data)
    renamed = first.rename(tmp_path / "m-00001-of-00003.gguf")
    with pytest.raises(ModelError, match="is one of 2 parts of a model: they are found by their names"):
        header.read(renamed)
    single = checkpoints.write(tmp_path / "m.gguf", "llama", keys={"split.count": 1})
    assert header.read(single).layers == 2
