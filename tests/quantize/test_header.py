"""The key-values, by name: what convert_hf_to_gguf.py writes for the same checkpoint (compared once, by hand)."""

from pathlib import Path

from quantize.gguf_file import read_gguf
from quantize.job import Request
from tests.quantize.checkpoint import Shape, edit_json, write_checkpoint
from tests.quantize.helpers import run_build
from vibethinker_local.gguf.reader import Value

TINY = Shape(num_hidden_layers=1, hidden_size=64, intermediate_size=96, num_attention_heads=2)
CARD = """---
license: mit
base_model: Qwen/Qwen2.5-Coder-3B
tags: [math]
---
# A model
"""


def build_keys(folder: Path, name: str | None = None) -> dict[str, Value]:
    out = folder.parent / "out.gguf"
    run_build(out, Request(str(folder), "Q8_0", name=name))
    return read_gguf(out).keys


def test_names_and_order(tmp_path: Path) -> None:
    keys = build_keys(write_checkpoint(tmp_path / "tiny-model", TINY))
    assert [key for key in keys if not key.startswith("quantize.")] == [
        "general.architecture",
        "general.type",
        "general.sampling.top_p",
        "general.sampling.temp",
        "general.sampling.penalty_repeat",
        "general.name",
        "general.size_label",
        "qwen2.block_count",
        "qwen2.context_length",
        "qwen2.embedding_length",
        "qwen2.feed_forward_length",
        "qwen2.attention.head_count",
        "qwen2.attention.head_count_kv",
        "qwen2.rope.freq_base",
        "qwen2.attention.layer_norm_rms_epsilon",
        "general.file_type",
        "general.quantization_version",
        "tokenizer.ggml.model",
        "tokenizer.ggml.pre",
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.token_type",
        "tokenizer.ggml.merges",
        "tokenizer.ggml.eos_token_id",
        "tokenizer.ggml.padding_token_id",
        "tokenizer.ggml.bos_token_id",
        "tokenizer.ggml.add_bos_token",
        "tokenizer.ggml.add_eos_token",
        "tokenizer.chat_template",
    ]
    assert keys["general.name"] == "Tiny Model"
    assert keys["qwen2.feed_forward_length"] == 96
    assert keys["general.file_type"] == 7
    assert (keys["tokenizer.ggml.add_bos_token"], keys["tokenizer.ggml.add_eos_token"]) == (False, False)


def test_the_model_card_and_a_given_name(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "tiny", TINY)
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    keys = build_keys(folder, name="My name")
    assert keys["general.name"] == "My name"
    assert keys["general.license"] == "mit"
    assert keys["general.base_model.0.repo_url"] == "https://huggingface.co/Qwen/Qwen2.5-Coder-3B"
    assert keys["general.tags"] == ["math"]


def test_a_given_head_size(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "tiny", TINY)
    edit_json(folder / "config.json", head_dim=32)
    keys = build_keys(folder)
    assert (keys["qwen2.attention.key_length"], keys["qwen2.attention.value_length"]) == (32, 32)


def test_repository_and_revision_of_a_cached_download(tmp_path: Path) -> None:
    """The hub's cache holds links to blobs."""
    blobs = write_checkpoint(tmp_path / "models--WeiboAI--VibeThinker-3B" / "blobs", TINY)
    snapshot = blobs.parent / "snapshots" / "abc123"
    snapshot.mkdir(parents=True)
    for blob in blobs.iterdir():
        (snapshot / blob.name).symlink_to(blob)
    keys = build_keys(snapshot)
    assert keys["quantize.source.repository"] == "WeiboAI/VibeThinker-3B"
    assert keys["quantize.source.revision"] == "abc123"
    assert keys["general.name"] == "VibeThinker 3B"  # not the commit, which its folder is called by
    assert keys["quantize.version.llama_cpp_python"] == "0.3.36"
