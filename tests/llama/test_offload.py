"""Where a model runs, and in what its KV cache is kept."""

import ctypes
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from vibethinker_local.engine.backend import Slice
from vibethinker_local.errors import ModelError
from vibethinker_local.llama import library as llama
from vibethinker_local.llama.backend import LlamaBackend
from vibethinker_local.system.paths import MINI


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The layers that each load wants on the GPU, on a machine that seems to have one and can do nothing with it."""
    native, wanted = llama.library(), []
    real = native.llama_model_load_from_file

    def load(path: bytes, params: Any) -> Any:
        wanted.append(params.n_gpu_layers)
        if params.n_gpu_layers:
            assert not params.devices
            return None
        assert ctypes.c_void_p.from_address(params.devices).value is None  # an empty list: no GPU for anything
        return real(path, params)

    monkeypatch.setattr(native, "llama_supports_gpu_offload", lambda: True)
    monkeypatch.setattr(native, "llama_model_load_from_file", load)
    return wanted


def test_a_gpu_that_refuses_leaves_the_cpu_and_a_notice(loads: list[int]) -> None:
    with closing(LlamaBackend(MINI, cells=256, threads=1)) as backend:
        assert loads == [999, 0]
        assert backend.info.notice
        assert backend.info.notice.startswith("Running on the CPU, because the GPU refused: ")
        assert np.isfinite(backend.decode([Slice(0, 0, [1, 2, 3], logits=True)])).all()


def test_a_context_that_the_gpu_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    native, calls = llama.library(), []
    real = native.llama_init_from_model

    def init(model: Any, params: Any) -> Any:
        calls.append(params.n_ctx)
        return real(model, params) if len(calls) > 1 else None

    monkeypatch.setattr(native, "llama_supports_gpu_offload", lambda: True)
    monkeypatch.setattr(native, "llama_init_from_model", init)
    with closing(LlamaBackend(MINI, cells=256, threads=1)) as backend:
        assert len(calls) == 2
        assert backend.info.notice


def test_on_the_cpu_the_layout_is_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after a GPU without flash attention that had too little memory besides."""
    real = LlamaBackend._attend
    results: list[bool | ModelError] = [False, ModelError("too little")]

    def attend(backend: LlamaBackend) -> bool:
        result = results.pop(0) if results else real(backend)
        if isinstance(result, ModelError):
            raise result
        return result

    monkeypatch.setattr(llama.library(), "llama_supports_gpu_offload", lambda: True)
    monkeypatch.setattr(LlamaBackend, "_attend", attend)
    with closing(LlamaBackend(MINI, cells=8 * 256, places=8, threads=1, cache="q8_0")) as backend:
        assert (backend._cache, backend._flash) == ("q8_0", True)


def test_without_a_gpu_a_failure_is_not_tried_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    native = llama.library()
    monkeypatch.setattr(native, "llama_supports_gpu_offload", lambda: False)
    monkeypatch.setattr(native, "llama_init_from_model", lambda *_: calls.append(1))
    with pytest.raises(ModelError):
        LlamaBackend(MINI, cells=256, threads=1)
    assert len(calls) == 1


def test_a_cache_of_8_bits_changes_the_logits_a_little() -> None:
    rows = []
    for cache in ("f16", "q8_0"):
        with closing(LlamaBackend(MINI, cells=256, threads=1, cache=cache)) as backend:
            rows.append(backend.decode([Slice(0, 0, list(range(64)), logits=True)]).copy())
    assert 0 < np.abs(rows[0] - rows[1]).max() < 0.25 * rows[0].std()
