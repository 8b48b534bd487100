"""Quality figures of whole files, against plain numpy."""

import shutil
import struct
import tempfile
import threading
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from quantize.errors import MachineError, ModelError, RequestError
from quantize.evaluate import evaluate, measure_base
from quantize.job import Request
from quantize.text import Cut, cut, read_text
from tests.quantize.checkpoint import Shape, random_weights, write_checkpoint
from tests.quantize.forward import Array, forward, log_softmax
from tests.quantize.helpers import run, run_build
from vibethinker_local.llama.observed import load

INTO = Cut(300, limit=2)  # more than one call's worth of tokens before and after the middle


@cache
def expected(exact: Path, prose: Path, seed: int) -> tuple[Array, list[int]]:
    """(log-probabilities at the places that count, the tokens that came there), by numpy."""
    with load(exact, threading.Event()) as model:
        chunks = cut(read_text(prose).tokens(model), INTO, model.bos)
    passes = [forward(random_weights(Shape(), seed), Shape(), chunk).logits for chunk in chunks]
    return (
        np.concatenate([log_softmax(logits[150:299]) for logits in passes]),
        [token for chunk in chunks for token in chunk[151:]],
    )


def test_the_figures_are_numpys(exact: Path, other: Path, prose: Path) -> None:
    (p, tokens), (q, _) = expected(exact, prose, seed=0), expected(exact, prose, seed=1)
    found = run(evaluate(exact, other, read_text(prose), INTO, threads=1))
    assert (found.chunks, found.chunk_size, found.text) == (2, 300, prose.name)
    places = np.arange(len(tokens))
    divergence = (np.exp(p) * (p - q)).sum(axis=1)
    figures = found.quality
    assert figures.tokens == len(tokens) == 298
    assert figures.mean_divergence.value == pytest.approx(divergence.mean(), rel=1e-3)
    assert figures.divergence_99.value == pytest.approx(np.percentile(divergence, 99), rel=1e-3)
    assert figures.divergence_999.value == pytest.approx(np.percentile(divergence, 99.9), rel=1e-3)
    assert figures.perplexity.value == pytest.approx(np.exp(-q[places, tokens].mean()), rel=1e-3)
    assert figures.base_perplexity.value == pytest.approx(np.exp(-p[places, tokens].mean()), rel=1e-3)
    difference = np.exp(q[places, tokens]) - np.exp(p[places, tokens])
    assert figures.rms_difference.value == pytest.approx(np.sqrt((difference**2).mean()), rel=1e-2)
    assert figures.same_top.value == pytest.approx((p.argmax(axis=1) == q.argmax(axis=1)).mean(), abs=0.01)


def test_a_model_does_not_diverge_from_itself(exact: Path, prose: Path) -> None:
    figures = run(evaluate(exact, exact, read_text(prose), INTO, threads=1)).quality
    assert abs(figures.mean_divergence.value) < 1e-6
    assert figures.divergence_999.value < 1e-5
    assert figures.same_top.value == 1
    assert figures.perplexity_ratio.value == 1


@pytest.mark.slow
def test_fewer_bits_diverge_more(small: Path, base: Path, prose: Path, tmp_path: Path) -> None:
    found = []
    for file_type in ("Q8_0", "Q6_K", "Q4_K_M", "Q2_K"):
        run_build(tmp_path / f"{file_type}.gguf", Request(str(small), file_type))
        found.append(run(evaluate(base, tmp_path / f"{file_type}.gguf", read_text(prose), INTO, threads=1)).quality)
    means = [figures.mean_divergence for figures in found]
    assert all(a.high < b.low for a, b in pairwise(means)), means


def test_the_bases_file_is_llama_perplexitys(exact: Path, prose: Path, tmp_path: Path) -> None:
    """_logits_, sizes, tokens and rows (tools/perplexity/perplexity.cpp, kl_divergence), read by hand."""
    base = run(measure_base(exact, read_text(prose), INTO, 1, tmp_path / "logits"))
    content = (tmp_path / "logits").read_bytes()
    assert content[:20] == b"_logits_" + struct.pack("<Iii", 300, Shape().vocab_size, 2)
    tokens = np.frombuffer(content, np.int32, 600, 20)
    assert tokens.reshape(2, 300).tolist() == base.chunks
    rows = np.frombuffer(content, np.uint16, offset=20 + 4 * 600).reshape(2 * 149, 4 + Shape().vocab_size)
    scales = rows[:, :4].copy().view(np.float32)
    p, _ = expected(exact, prose, seed=0)
    assert np.allclose(rows[:, 4:] * scales[:, :1] + scales[:, 1:], p, atol=2e-3)


def test_models_of_two_families(exact: Path, prose: Path, tmp_path: Path) -> None:
    shape = Shape(num_hidden_layers=1, vocab_size=416)
    run_build(tmp_path / "m.gguf", Request(str(write_checkpoint(tmp_path / "c", shape)), "Q8_0"))
    with pytest.raises(ModelError, match="other tokens than"):
        run(evaluate(exact, tmp_path / "m.gguf", read_text(prose), INTO, threads=1))


def test_a_short_text(exact: Path, tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("Too short.")
    with pytest.raises(RequestError, match="at least two chunks of 300 are needed"):
        run(evaluate(exact, exact, read_text(tmp_path / "short.txt"), INTO, threads=1))


def test_a_full_disk(exact: Path, prose: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(prose)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(MachineError, match=r"takes 0\.0 GB, and .* has 0\.0 GB; free some space there, or set TMPDIR"):
        run(evaluate(exact, exact, read_text(prose), INTO, threads=1))


def test_no_folder_for_temporary_files(exact: Path, prose: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**named: object) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", refuse)
    with pytest.raises(MachineError, match=r"no folder for temporary files \(No usable"):
        run(evaluate(exact, exact, read_text(prose), INTO, threads=1))
