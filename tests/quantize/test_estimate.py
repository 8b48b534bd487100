from dataclasses import replace
from pathlib import Path

import pytest

from quantize import estimate
from quantize.config import imagined
from quantize.errors import RequestError
from quantize.job import Request, prepare
from quantize.plan import make_plan
from tests.quantize.helpers import run_build
from vibethinker_local.gguf.header import read
from vibethinker_local.models import memory


def test_the_published_models_size() -> None:
    """mradermacher/VibeThinker-3B-GGUF's Q4_K_M has 1,929,903,232 bytes, of which about 6 MB are its header."""
    plan = make_plan(estimate.VIBETHINKER_3B, imagined(estimate.VIBETHINKER_3B), "Q4_K_M")
    assert len(plan.tensors) == 434
    assert 0 < 1_929_903_232 - plan.data_size < 8_000_000


def test_the_kv_cache_of_the_published_model() -> None:
    plan = make_plan(estimate.VIBETHINKER_3B, imagined(estimate.VIBETHINKER_3B), "Q4_K_M")
    need = estimate.memory(plan, estimate.VIBETHINKER_3B, context=32768)
    assert need.kv_cache == 32768 * 36 * 1024
    assert need.total > need.weights + need.kv_cache


def test_what_the_loader_will_decide_by(small: Path, tmp_path: Path) -> None:
    job = prepare(Request(str(small), "Q4_K_M"))
    run_build(tmp_path / "small.gguf", Request(str(small), "Q4_K_M"))
    shape = read(tmp_path / "small.gguf")
    guessed = estimate.header(job.plan, job.config)
    assert guessed == replace(shape, cached=None, controls=())
    assert guessed.kv_numbers == shape.kv_numbers
    assert estimate.memory(job.plan, job.config, context=2048) == memory.need(shape, 2048, sequences=1)


def test_the_best_that_fits_is_first() -> None:
    config = estimate.VIBETHINKER_3B
    everything = estimate.options(config, budget=64 << 30, context=32768)
    assert [option.label for option in everything] == list(estimate.BY_QUALITY)
    assert all(option.fits for option in everything)
    tight = estimate.options(config, budget=4 << 30, context=32768)
    assert [option.fits for option in tight] == [option.memory.total <= 4 << 30 for option in tight]
    assert not tight[0].fits
    assert tight[-1].fits
    assert not any(option.fits for option in estimate.options(config, budget=1 << 30, context=32768))


def test_more_threads_take_less_time(small: Path) -> None:
    plan = prepare(Request(str(small), "Q4_K_M")).plan
    assert 0 < estimate.seconds(plan, threads=1000) < estimate.seconds(plan, threads=1)


@pytest.mark.parametrize(("text", "value"), [("8G", 8 << 30), ("1.5g", 3 << 29), ("512M", 512 << 20), ("1000", 1000)])
def test_sizes(text: str, value: int) -> None:
    assert estimate.parse_bytes(text) == value


@pytest.mark.parametrize("text", ["", "G", "8X", "-1", "0", "nan", "inf", "1e30G", "8 GB"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(RequestError, match="is not a size"):
        estimate.parse_bytes(text)


def test_tokens() -> None:
    assert estimate.parse_tokens("32k") == 32768
    assert estimate.parse_tokens("4096") == 4096
