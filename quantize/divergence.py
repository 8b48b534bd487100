"""How far a model's predictions are from another's: token by token, and in a few figures with intervals.

Computes what `llama-perplexity --kl-divergence` does (tools/perplexity/perplexity.cpp), with the other model's
log-probabilities rounded to 16 bits as it rounds them. But for the one of the token that came, which is kept as it is:
rounding lifts the very small ones, and would make the other model's perplexity better than it is. Knows neither models
nor files.
"""

import math
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt

from vibethinker_local.llama.kernels import Floats

Doubles = npt.NDArray[np.float64]
Row = npt.NDArray[np.uint16]
RANGE = 16.0  # natural log: what is less likely than the likeliest token by more than that is rounded up to it
LEAST = -16.0  # log-probabilities below do not count in a divergence
SCALE = 4  # numbers at a row's start that hold two float32: the step between two numbers, and what 0 stands for
Z = 1.959964  # of a 95% interval


def row_size(vocabulary: int) -> int:
    """Numbers in the row of a token: SCALE, the vocabulary, and one more where that is odd."""
    return SCALE + vocabulary + vocabulary % 2


def encode(logits: Floats) -> Row:
    """The log-probabilities of (vocabulary,) logits, as one row."""
    largest = logits.max()
    smallest = max(logits.min(), largest - np.float32(RANGE))
    step = np.float32((largest - smallest) / np.float32(65535))
    row = np.zeros(row_size(logits.size), np.uint16)
    row[:SCALE].view(np.float32)[:] = step, smallest - _norm(logits)
    if step > 0:
        row[SCALE : SCALE + logits.size] = np.rint(np.maximum(logits - smallest, 0) / step)
    return row


def surprise(logits: Floats, token: int) -> float:
    """The negative log-probability of a token."""
    return float(_norm(logits) - logits[token])


def _norm(logits: Floats) -> np.float32:
    """What to subtract from logits to make them log-probabilities."""
    largest = logits.max()
    return np.float32(largest + math.log(np.exp(logits - largest).sum(dtype=np.float64)))


@dataclass(frozen=True)
class Scores:
    """One number per token, as (tokens,) arrays: of the token that came, and of the divergence of what was expected."""

    nll: Doubles  # negative log-probability of the token
    base_nll: Doubles  # the other model's
    divergence: Doubles  # Kullback-Leibler, natural log
    same_top: Doubles  # 1 where both models expect the same token most, else 0


def compare(base: Row, logits: Floats) -> tuple[float, bool]:
    """(divergence, same top) of one prediction: `base` is a row, `logits` are (vocabulary,)."""
    step, least = base[:SCALE].view(np.float32)
    numbers = base[SCALE : SCALE + logits.size]
    expected = numbers * step + least
    counted = np.flatnonzero(expected > LEAST)
    known = expected[counted]
    divergence = (np.exp(known) * (known - logits[counted] + _norm(logits))).sum(dtype=np.float64)
    return float(divergence), bool(numbers.argmax() == logits.argmax())


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95% interval. The tokens are taken as independent, as llama-perplexity takes them."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Quality:
    tokens: int
    perplexity: Estimate
    base_perplexity: Estimate
    perplexity_ratio: Estimate
    mean_divergence: Estimate
    divergence_99: Estimate  # 99% of the tokens diverge less
    divergence_999: Estimate
    rms_difference: Estimate  # of the probability of the token that came
    same_top: Estimate  # share of the tokens


def quality(scores: Scores) -> Quality:
    """`scores` of two tokens at least."""
    difference = np.exp(-scores.nll) - np.exp(-scores.base_nll)
    return Quality(
        tokens=scores.nll.size,
        perplexity=_exponential(_mean(scores.nll)),
        base_perplexity=_exponential(_mean(scores.base_nll)),
        perplexity_ratio=_exponential(_mean(scores.nll - scores.base_nll)),
        mean_divergence=_mean(scores.divergence),
        divergence_99=_percentile(scores.divergence, 0.99),
        divergence_999=_percentile(scores.divergence, 0.999),
        rms_difference=_root(_mean(difference**2)),
        same_top=_share(scores.same_top),
    )


def _mean(values: Doubles) -> Estimate:
    mean = float(values.mean())
    error = Z * float(values.std(ddof=1)) / math.sqrt(values.size)
    return Estimate(mean, mean - error, mean + error)


def _exponential(log: Estimate) -> Estimate:
    return Estimate(*(math.exp(min(value, 700.0)) for value in astuple(log)))


def _root(square: Estimate) -> Estimate:
    return Estimate(*(math.sqrt(max(0.0, value)) for value in astuple(square)))


def _percentile(values: Doubles, share: float) -> Estimate:
    """Between two tokens as llama-perplexity does; the interval is that of the rank, which is binomial."""
    ordered, last = np.sort(values), values.size - 1
    spread = Z * math.sqrt(values.size * share * (1 - share))
    ranks = (share * last, math.floor(share * last - spread), math.ceil(share * last + spread))
    value, low, high = np.interp(np.clip(ranks, 0, last), np.arange(values.size), ordered)
    return Estimate(float(value), float(low), float(high))


def _share(hits: Doubles) -> Estimate:
    """With Wilson's interval, which is sound for shares close to 1 too."""
    share, n = float(hits.mean()), hits.size
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    spread = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return Estimate(share, max(0.0, middle - spread), min(1.0, middle + spread))
