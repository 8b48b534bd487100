"""The sampler against a float64 reference: which tokens it takes, how often, how repeatably, and at what cost."""

import ctypes
import math
import time
from collections.abc import Callable
from itertools import chain, repeat
from unittest.mock import patch

import numpy as np
import pytest
from numpy.typing import NDArray

from vibethinker_local.engine import SamplingParams, sampler
from vibethinker_local.engine.backend import Logits
from vibethinker_local.engine.sampler import Draw, Sampler
from vibethinker_local.errors import EngineError

QWEN = 151_936  # the vocabulary of VibeThinker-3B
Make = Callable[[np.random.Generator, int], Logits]


def params(**other: object) -> SamplingParams:
    return SamplingParams(**({"seed": 7, "max_tokens": 1, "top_p": 0.95} | other))  # type: ignore[arg-type]


def flat(rng: np.random.Generator, size: int) -> Logits:
    """Almost all tokens likely: the nucleus holds most of the vocabulary."""
    return rng.normal(0, rng.uniform(0.1, 1.5), size).astype(np.float32)


def peaked(rng: np.random.Generator, size: int) -> Logits:
    """As a model's row: a few likely tokens far above a broad floor, with ties as quantized weights make them."""
    row = rng.normal(0, 1.5, size)
    few = rng.integers(0, size, rng.integers(1, 40))
    row[few] += rng.uniform(6, 6 + rng.uniform(1, 10), len(few))
    return (np.round(row * 64) / 64).astype(np.float32) if rng.random() < 0.3 else row.astype(np.float32)


def before_top_p(row: Logits, p: SamplingParams) -> NDArray[np.float64]:
    """The probability of every token after temperature, top-k and min-p, in float64."""
    scaled = row.astype(np.float64) / p.temperature
    weights = np.exp(scaled - scaled.max())
    if p.top_k:
        weights[row < np.sort(row)[-min(p.top_k, len(row))]] = 0
    if p.min_p:
        weights[weights < p.min_p] = 0
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def reference(row: Logits, p: SamplingParams) -> NDArray[np.float64]:
    """The probability of every token, by sorting, as the definition says it; ties stay together."""
    weights = before_top_p(row, p)
    order = np.argsort(-row, kind="stable")
    before = np.cumsum(weights[order]) - weights[order]
    first = np.searchsorted(-row[order], -row[order], side="left")  # a tie begins with the first of its kind
    weights[order] *= (before[first] < p.top_p) | (p.top_p >= 1)
    total: NDArray[np.float64] = weights / weights.sum()
    return total


def sample(row: Logits, p: SamplingParams, n: int, attempt: int = 0) -> Draw:
    return Sampler(len(row)).sample(row, p, n, attempt)


def takes(row: Logits, p: SamplingParams, token: int) -> bool:
    """Whether the sampler keeps `token` when the dice fall on it."""
    shares = before_top_p(row, p)
    if shares[token] < 3e-8:
        return False  # the dice cannot be made to fall there; nor is it in any nucleus
    middle = float(shares[:token].sum() + shares[token] / 2)
    with patch.object(sampler, "_uniforms", return_value=chain([middle], repeat(0.0))):
        return sample(row, p, 0).token == token


def disagreements(make: Make, rows: int, size: int, p: SamplingParams, seed: int) -> int:
    """Tokens about which sampler and reference differ, over some rows: those at the nucleus' edge, and some others.

    Membership falls with the logit in both, so agreement on both sides of the edge is agreement on all.
    """
    rng, wrong = np.random.default_rng(seed), 0
    for _ in range(rows):
        row = make(rng, size)
        expected = reference(row, p) > 0
        order = np.argsort(-row, kind="stable")
        edge = int(expected.sum())
        ranks = {*range(edge - 3, edge + 3), 0, size - 1, *rng.integers(0, size, 2).tolist()}
        for rank in ranks & set(range(size)):
            token = int(order[rank])
            wrong += takes(row, p, token) != expected[token]
    return wrong


@pytest.mark.parametrize("make", [flat, peaked])
@pytest.mark.parametrize(
    "other", [{}, {"temperature": 0.6, "top_p": 0.8}, {"temperature": 1.7}, {"top_k": 20}, {"min_p": 0.02}]
)
def test_takes_what_the_reference_takes(make: Make, other: dict[str, object]) -> None:
    assert disagreements(make, 60, 3_000, params(**other), seed=1) == 0


@pytest.mark.parametrize("make", [flat, peaked])
def test_takes_what_the_reference_takes_at_full_size(make: Make) -> None:
    assert disagreements(make, 8, QWEN, params(), seed=2) == 0


@pytest.mark.slow
@pytest.mark.parametrize("make", [flat, peaked])
def test_takes_what_the_reference_takes_in_a_thousand_full_rows(make: Make) -> None:
    assert disagreements(make, 1_000, QWEN, params(), seed=3) == 0


def test_every_token_of_a_small_row() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        row, p = peaked(rng, 100), params(top_p=float(rng.uniform(0.3, 0.99)))
        assert [takes(row, p, token) for token in range(100)] == (reference(row, p) > 0).tolist()


def test_a_nearly_tied_edge_is_decided_in_float64() -> None:
    """The mass above the second token is 0.95 but for 2e-9: float32 cannot tell on which side."""
    for nudge in (-2e-9, 2e-9):
        share = 0.95 + nudge
        row = np.log(np.array([share, (1 - share) * 0.6, (1 - share) * 0.4])).astype(np.float32)
        exact = np.exp(row.astype(np.float64))
        p = params(top_p=float(exact[0] / exact.sum()) + nudge)
        assert takes(row, p, 1) == (nudge > 0)


def chi_square(counts: NDArray[np.int64], expected: NDArray[np.float64]) -> tuple[float, float]:
    """The statistic and its critical value at 1 in 10,000 (Wilson and Hilferty), small cells put together."""
    assert counts[expected == 0].sum() == 0, "a token outside the nucleus was drawn"
    inside = np.flatnonzero(expected)
    order = inside[np.argsort(expected[inside])]
    seen, hoped = counts[order], expected[order] * counts.sum()
    upto = np.append(0, np.cumsum(hoped))
    edges = [0]
    for end in range(1, len(order)):
        if upto[end] - upto[edges[-1]] >= 8 and upto[-1] - upto[end] >= 8:
            edges.append(end)
    observed, wanted = np.add.reduceat(seen, edges), np.add.reduceat(hoped, edges)
    free = len(edges) - 1
    critical = free * (1 - 2 / (9 * free) + 3.719 * math.sqrt(2 / (9 * free))) ** 3
    return float(((observed - wanted) ** 2 / wanted).sum()), critical


def draws(row: Logits, p: SamplingParams, count: int) -> NDArray[np.int64]:
    tokens = [sample(row, p, n).token for n in range(count)]
    return np.bincount(tokens, minlength=len(row))


@pytest.mark.parametrize("make", [flat, peaked])
@pytest.mark.parametrize(
    "other",
    [
        {},
        pytest.param({"top_p": 1.0}, marks=pytest.mark.slow),
        pytest.param({"top_p": 0.5}, marks=pytest.mark.slow),
        {"temperature": 0.6, "top_p": 0.8},
        pytest.param({"temperature": 1.7}, marks=pytest.mark.slow),
        {"top_k": 20},
        {"min_p": 0.02, "top_p": 1.0},
    ],
)
def test_draws_are_distributed_as_the_nucleus(make: Make, other: dict[str, object]) -> None:
    rng, p = np.random.default_rng(5), params(**other)
    row = next(row for row in (make(rng, 700) for _ in range(100)) if (reference(row, p) > 0).sum() >= 5)
    statistic, critical = chi_square(draws(row, p, 3_000), reference(row, p))
    assert statistic < critical


def test_the_chi_square_would_notice() -> None:
    row = flat(np.random.default_rng(5), 700)
    statistic, critical = chi_square(draws(row, params(temperature=1.1), 6_000), reference(row, params(top_p=1.0)))
    assert statistic > critical


@pytest.mark.slow
@pytest.mark.parametrize("make", [flat, peaked])
def test_draws_are_distributed_as_the_nucleus_at_full_size(make: Make) -> None:
    row, p = make(np.random.default_rng(6), QWEN), params()
    statistic, critical = chi_square(draws(row, p, 40_000), reference(row, p))
    assert statistic < critical


def test_a_draw_depends_on_seed_and_number_only() -> None:
    row = flat(np.random.default_rng(8), 5_000)
    first = [sample(row, params(), n) for n in range(50)]
    np.random.seed(99)
    again = [sample(row.copy(), params(), n) for n in reversed(range(50))][::-1]
    assert first == again
    other = [sample(row, params(seed=8), n) for n in range(50)]
    assert sum(a.token == b.token for a, b in zip(first, other, strict=True)) < 10


@pytest.mark.parametrize("seed", [0, 7, -1, 2**32, 2**64 + 5])
def test_the_dice_are_numpys(seed: int) -> None:
    """So a seed gives in another release what it gave in this one."""
    for n, attempt in ((0, 0), (3, 0), (3, 1)):
        key, counter = np.array([seed % 2**64, 0], np.uint64), np.array([0, n, attempt, 0], np.uint64)
        theirs = np.random.Generator(np.random.Philox(key=key, counter=counter))
        ours = sampler._uniforms(seed, n, attempt)
        assert [next(ours) for _ in range(5)] == theirs.random(5).tolist()


def test_neighbouring_draws_and_seeds_are_independent() -> None:
    row = np.zeros(4, np.float32)
    expected = np.full(16, 1 / 16)
    by_number = [sample(row, params(top_p=1.0), n).token for n in range(4_001)]
    by_seed = [sample(row, params(top_p=1.0, seed=s), 0).token for s in range(4_001)]
    for tokens in (by_number, by_seed):
        pairs = np.bincount([4 * a + b for a, b in zip(tokens[::2], tokens[1::2], strict=False)], minlength=16)
        statistic, critical = chi_square(pairs, expected)
        assert statistic < critical


@pytest.mark.parametrize("temperature", [0.0, 1e-9, 1e-40])
def test_no_temperature_means_the_likeliest(temperature: float) -> None:
    row = flat(np.random.default_rng(9), 1_000)
    assert sample(row, params(temperature=temperature), 3).token == row.argmax()


def test_reports_the_models_own_log_probability() -> None:
    row = flat(np.random.default_rng(10), 1_000)
    exact = row - np.log(np.exp(row.astype(np.float64)).sum())
    for n in range(20):
        drawn = sample(row, params(temperature=2.0, top_k=5), n)
        assert drawn.logprob == pytest.approx(exact[drawn.token], abs=1e-5)


@pytest.mark.parametrize("size", [3, 20, 257, 1_000, 5_120, 151_936])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_says_how_sure_the_model_was(size: int, temperature: float) -> None:
    row = np.random.default_rng(size).normal(0, 3, size).astype(np.float32)
    row[size // 2 :] = row[: size - size // 2]  # ties, also among the highest
    exact = row - np.log(np.exp(row.astype(np.float64)).sum())
    drawn = sample(row, params(temperature=temperature), 0)
    assert drawn.confidence == pytest.approx(-np.sort(exact)[-20:].mean(), abs=1e-4)
    assert drawn.certainty == pytest.approx(-exact.mean() - np.log(size), abs=1e-4)


def test_a_sharper_distribution_is_surer() -> None:
    row = np.random.default_rng(1).normal(0, 1, 2_000).astype(np.float32)
    sharp, blunt = (sample(row * np.float32(scale), params(), 0) for scale in (8, 2))
    assert sharp.confidence > blunt.confidence
    assert sharp.certainty > blunt.certainty
    even = sample(np.zeros(2_000, np.float32), params(), 0)
    assert even.confidence == pytest.approx(np.log(2_000), abs=1e-5)
    assert even.certainty == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("size", [700, 20_000])
@pytest.mark.parametrize("top_k", [1, 20, 500])
def test_top_k_keeps_the_highest_wherever_they_lie(size: int, top_k: int) -> None:
    rng = np.random.default_rng(top_k)
    scattered = rng.normal(0, 1, size).astype(np.float32)
    for row in (scattered, np.sort(scattered), np.round(scattered)):
        lowest = np.sort(row)[-top_k]
        order, edge = np.argsort(-row, kind="stable"), int((row >= lowest).sum())
        for token in order[[0, edge - 1, edge, edge + 1, -1]].tolist():
            assert takes(row, params(top_k=top_k, top_p=1.0), token) == (row[token] >= lowest)


def test_impossible_tokens_are_never_drawn() -> None:
    row = np.full(1_000, -np.inf, np.float32)
    row[[3, 700, 999]] = 0.0
    assert set(np.flatnonzero(draws(row, params(), 300))) == {3, 700, 999}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_damaged_logits_are_an_error(bad: float) -> None:
    row = np.zeros(1_000, np.float32)
    row[500] = bad
    with pytest.raises(EngineError, match="not numbers"):
        sample(row, params(), 0)
    with pytest.raises(EngineError, match="not numbers"):
        sample(np.full(10, -np.inf, np.float32), params(), 0)


class LlamaTopP:
    """llama.cpp's own chain: top_p over all candidates, then a draw."""

    def __init__(self) -> None:
        from vibethinker_local.llama.library import library

        self.native = library()
        self.chain = self.native.llama_sampler_chain_init(self.native.llama_sampler_chain_default_params())
        self.native.llama_sampler_chain_add(self.chain, self.native.llama_sampler_init_top_p(0.95, 1))
        self.native.llama_sampler_chain_add(self.chain, self.native.llama_sampler_init_dist(7))

    def seconds(self, row: Logits) -> float:
        """One draw; filling the candidates in is not counted."""
        candidates = np.zeros(len(row), [("id", np.int32), ("logit", np.float32), ("p", np.float32)])
        candidates["id"], candidates["logit"] = np.arange(len(row)), row
        pointer = candidates.ctypes.data_as(ctypes.POINTER(self.native.llama_token_data))
        array = self.native.llama_token_data_array(pointer, len(row), -1, False)
        began = time.perf_counter()
        self.native.llama_sampler_apply(self.chain, ctypes.byref(array))
        return time.perf_counter() - began


@pytest.mark.slow
def test_cost_of_a_draw(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints milliseconds per draw over 151,936 logits: ours, and llama.cpp's top_p on the same rows in turn."""
    rng, one, peer = np.random.default_rng(11), Sampler(QWEN), LlamaTopP()
    for make in (flat, peaked):
        rows = [make(rng, QWEN) for _ in range(20)]
        ours, theirs = [], []
        for n in range(200):
            row = rows[n % 20]
            began = time.perf_counter()
            one.sample(row, params(), n)
            ours.append(time.perf_counter() - began)
            if n < 60:
                theirs.append(peer.seconds(row))
        mine, other = 1000 * float(np.median(ours)), 1000 * float(np.median(theirs))
        worst = 1000 * float(np.quantile(ours, 0.95))
        with capsys.disabled():
            print(f"\n{make.__name__}: {mine:.3f} ms (95%: {worst:.3f}), llama.cpp top_p {other:.3f} ms per draw")
        assert mine < other
