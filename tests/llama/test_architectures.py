"""Models of other architectures: what can be forked and cut runs, and the rest is refused in a sentence."""

from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import TokenType

from tests import checkpoints
from tests.engine.helpers import params, run, tokens
from vibethinker_local.engine.backend import Slice
from vibethinker_local.engine.engine import Engine
from vibethinker_local.errors import ModelError
from vibethinker_local.gguf import header
from vibethinker_local.llama.backend import LlamaBackend
from vibethinker_local.llama.recipe import LlamaModel

RUN = ("llama", "qwen2", "qwen3", "phi3", "gemma", "gemma3", "granite", "smollm3")
PROMPT = [1, *range(40, 90), 2]


def opened(path: Path, **other: int) -> LlamaBackend:
    return LlamaModel(path, other.get("cells", 1024), 4, 1).open()


@pytest.mark.parametrize("architecture", RUN)
def test_forks_and_forced_texts_equal_fresh_runs(architecture: str, tmp_path: Path) -> None:
    backend = opened(checkpoints.write(tmp_path / "m.gguf", architecture))
    engine = Engine(backend)
    fresh = engine.add(PROMPT, params(5, max_tokens=60, reserve=60))
    expected = tokens(run(engine)[fresh])
    fork = engine.add(PROMPT, params(5, max_tokens=60), parent=fresh)
    assert tokens(run(engine)[fork])[:12] == expected[:12]
    engine.force(fresh, [70, 71, 72], then=8)
    forced = tokens(run(engine)[fresh])
    assert forced[:3] == [70, 71, 72]
    whole = [*PROMPT, *expected, *forced]
    place, rows = 3, []
    for begin in (0, len(whole) - 9):  # computed at once, and as it grew
        backend.trim(place, begin)
        rows.append(backend.decode([Slice(place, begin, whole[begin:-1], logits=True)])[0].copy())
    assert np.abs(rows[0] - rows[1]).max() <= 0.15 * rows[0].std()
    engine.close()


@pytest.mark.parametrize("architecture", RUN)
def test_the_memory_of_a_context_is_known_beforehand(architecture: str, tmp_path: Path) -> None:
    shape = header.read(checkpoints.write(tmp_path / "m.gguf", architecture))
    assert shape.architecture == architecture
    assert shape.kv_numbers == checkpoints.LAYERS * 2 * checkpoints.KV_HEADS * checkpoints.HEAD


@pytest.mark.parametrize("architecture", RUN)
def test_what_was_saved_fits_where_there_are_other_places(architecture: str, tmp_path: Path) -> None:
    """With a sliding window there are two caches, and only what is within the window is saved of one."""
    with closing(opened(checkpoints.write(tmp_path / "m.gguf", architecture))) as backend:
        rows = []
        backend.decode([Slice(2, 0, PROMPT, logits=False)])
        saved = backend.save(2)
        rows.append(backend.decode([Slice(2, len(PROMPT), [44], logits=True)])[0].copy())
        backend.trim(2, 0)
        for places, each in ((1, 1024), (4, 256), (9, 512)):
            assert backend.restore(0, saved)
            assert backend.arrange([0], places, each) == [True]
            rows.append(backend.decode([Slice(0, len(PROMPT), [44], logits=True)])[0].copy())
            backend.trim(0, 0)
        assert all(np.array_equal(row, rows[0]) for row in rows)


def test_a_sliding_window_is_forked_and_cut_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of positions behind the window of 32, llama.cpp gives the cells to others: what needs them has to start over."""
    path, found = checkpoints.write(tmp_path / "m.gguf", "gemma3"), []
    for blind in (False, True):
        if blind:
            monkeypatch.setattr(LlamaBackend, "holds", lambda *_: True)
        engine = Engine(opened(path))
        small = engine.add([1, 5, 6, 7, 8, 9], params(7, max_tokens=4))
        run(engine)
        long = engine.add(PROMPT, params(1, max_tokens=150))
        fresh = run(engine)[long]
        engine.abort(small)
        engine.add([1, *range(30, 60)], params(2, max_tokens=20))
        run(engine)
        fork = engine.add(PROMPT, params(1, max_tokens=150), parent=long)
        forked = run(engine)[fork]
        found.append(abs((fresh[0].logprob or 0) - (forked[0].logprob or 0)) + 10 * (fresh[0].token != forked[0].token))
        engine.close()
    assert found[0] < 1e-3
    assert found[1] > 1e-2, "this is where it would go wrong"


def test_ends_are_those_that_the_file_has_and_no_text_that_reads_like_one(tmp_path: Path) -> None:
    types = [TokenType.CONTROL] * 4 + [TokenType.NORMAL] * 257
    names = [*checkpoints.SPECIALS, "<|eot_id|>", *checkpoints.TOKENS[3:], "</s>"]
    keys = {"tokenizer.ggml.tokens": names, "tokenizer.ggml.token_type": types}
    backend = opened(checkpoints.write(tmp_path / "m.gguf", "llama", keys=keys, extra=2))
    assert backend.info.ends == {0, 2, 3}, "not </s>, which is the text of a page here"
    assert backend.info.controls["<|im_start|>"] == 1
    backend.close()


REFUSED: dict[str, tuple[str, dict[str, Any], tuple[str, ...], str]] = {
    "mamba": ("mamba", {}, (), "running state"),
    "bert": ("bert", {}, (), "encoder"),
    "an embedding model": ("qwen3", {"qwen3.pooling_type": 3}, (), "embedding model"),
    "a projector": ("llama", {"general.type": "mmproj"}, (), "mmproj"),
    "an adapter": ("llama", {"general.type": "adapter"}, (), "LoRA"),
    "an importance matrix": ("llama", {"general.type": "imatrix"}, (), "importance matrix"),
    "a base model": ("llama", {}, ("tokenizer.chat_template",), "no chat template"),
    "a part": ("llama", {"split.count": 3, "split.no": 0}, (), "parts"),
    "more experts than used": ("llama", {"llama.expert_count": 4, "llama.expert_used_count": 9}, (), "expert"),
    "too many experts": ("llama", {"llama.expert_count": 1025, "llama.expert_used_count": 9}, (), "expert"),
    "no experts used": ("llama", {"llama.expert_count": 4}, (), "expert"),
    "a single expert, and none used": ("llama", {"llama.expert_count": 1}, (), "expert"),
    "keys apart": ("llama", {"llama.attention.key_length": 24}, ("llama.attention.value_length",), "key_length"),
}
# What published files have that reads like a fault.
READ: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "granite 4.0": ("granite", {"granite.ssm.conv_kernel": 4, "granite.attention.head_count_kv": [2, 2]}, ()),
    "minicpm3": (
        "llama",
        {"llama.attention.kv_lora_rank": 8, "llama.attention.key_length": 24},
        ("llama.attention.value_length",),
    ),
    "nemotron 51b": ("llama", {"llama.feed_forward_length": [96, 0]}, ()),
    "hunyuan": ("hunyuan-dense", {"hunyuan-dense.expert_count": 1}, ()),
    "kimi k3": ("llama", {"llama.expert_count": 896, "llama.expert_used_count": [0, 16]}, ()),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_run_is_refused_with_the_reason(case: str, tmp_path: Path) -> None:
    architecture, keys, drop, reason = REFUSED[case]
    path = checkpoints.write(tmp_path / "m.gguf", architecture, keys=keys, drop=drop)
    with pytest.raises(ModelError, match=reason) as caught:
        header.read(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).count(". ") <= 1


@pytest.mark.parametrize("case", READ)
def test_what_reads_like_a_fault_is_read(case: str, tmp_path: Path) -> None:
    architecture, keys, drop = READ[case]
    shape = header.read(checkpoints.write(tmp_path / "m.gguf", architecture, keys=keys, drop=drop))
    assert shape.feed_forward == checkpoints.FEED_FORWARD


def test_all_parts_of_a_split_file_must_be_there(tmp_path: Path) -> None:
    keys = {"split.count": 2, "split.no": 0, "split.tensors.count": 40}
    first = checkpoints.write(tmp_path / "m-00001-of-00002.gguf", "llama", keys=keys)
    with pytest.raises(ModelError, match=r"m-00002-of-00002\.gguf is not beside it"):
        header.read(first)
    second = checkpoints.write(tmp_path / "m-00002-of-00002.gguf", "llama", keys=keys | {"split.no": 1})
    assert header.read(first).weights > 1.9 * (second.stat().st_size - 100_000)
    with pytest.raises(ModelError, match=r"part 2 of 2 .* give the first, m-00001"):
        header.read(second)


@pytest.mark.parametrize("architecture", ["mamba", "bert"])
def test_what_hides_its_kind_is_found_out_when_it_is_loaded(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoints.write(tmp_path / "m.gguf", architecture)
    shape = header.Header(2, 64, 96, 4, 4, len(checkpoints.TOKENS), 1024, 100_000)
    monkeypatch.setattr(header, "read", lambda path: shape)
    with pytest.raises(ModelError, match=r"recurrent|no KV cache"):
        LlamaModel(path, 1024, 4, 1).open()
