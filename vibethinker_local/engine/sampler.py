"""One token from one row of logits: temperature, then top-p over the whole vocabulary (vLLM's order).

Top-p without a sort: draw from the softmax and take the token if the mass strictly above it is below p. Otherwise
nothing at or below that token can be in the nucleus, so draw again among those above it. The result is distributed
exactly as the renormalised nucleus, and a row of 151,936 logits costs a few passes that run at memory speed.
Tokens of equal logit at the edge of the nucleus are in it together; so they are at the edge of top-k.

The highest logits are found without a sort, too: one pass takes the highest of each column of a table that holds them
all, and the k highest lie in the k columns whose own are highest. They serve top-k, and say how sure the model was.

The n-th token of a Sequence depends on its seed, n and the logits, and on nothing else. No BLAS: its threads would
wait actively on the cores that llama.cpp computes with, and their number would be part of the result.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vibethinker_local.engine.backend import Logits
from vibethinker_local.engine.params import SamplingParams
from vibethinker_local.errors import EngineError

BLOCK = 256  # a draw looks for its block first, then inside it
ROWS = 128  # of the table in which the highest logits are looked for
CANDIDATES = 20  # whose mean log-probability is a token's confidence; DeepConf (arXiv 2508.15260) has it so
GREEDY = 1e-5  # a temperature below is 0: dividing by it would overflow
NEAR_TIE = 1e-4  # float32 shares of 151,936 weights are good to about 1e-6; closer calls are made in float64


@dataclass(frozen=True)
class Draw:
    """A token, and what the model's own distribution, before temperature and truncation, says of it. All in nats."""

    token: int
    logprob: float
    confidence: float  # -mean log-probability of the CANDIDATES likeliest tokens: high where one stands out (DeepConf)
    certainty: float  # KL(uniform || p) over the vocabulary (self-certainty, arXiv 2502.18581)


class Sampler:
    """Draws from rows of logits, in arrays of its own: fresh ones would cost more than what is computed in them."""

    def __init__(self, vocabulary: int) -> None:
        self._weights = np.empty(vocabulary, np.float32)
        self._above = np.empty(vocabulary, np.float32)  # the weights of tokens that are above one that was drawn
        self._is_above = np.empty(vocabulary, np.bool_)

    def sample(self, logits: Logits, params: SamplingParams, n: int, attempt: int = 0) -> Draw:
        """Draw the `n`-th token of a Sequence from `logits`, shape (vocabulary,). Raises EngineError for a NaN.

        Each further `attempt` at the same token has chances of its own.
        """
        token = int(logits.argmax())
        highest = logits[token]
        if not math.isfinite(highest):  # argmax finds a NaN if there is one
            raise EngineError("The model produced logits that are not numbers: its file is likely damaged.")
        weights = self._weigh(logits, highest, 1.0)
        log_sum = float(highest) + math.log(_running(weights)[-1])  # of exp(logits): logit - this = log-probability
        likeliest = _highest(logits, max(CANDIDATES, params.top_k))
        if params.temperature > GREEDY:
            uniforms = _uniforms(params.seed, n, attempt)
            if 0 < params.top_k < len(logits):  # what follows costs by the token: a few instead of the vocabulary
                candidates = np.flatnonzero(logits >= likeliest[params.top_k - 1])
                few = logits[candidates]
                weights = self._weigh(few, highest, params.temperature)
                token = int(candidates[self._draw(few, highest, weights, params, uniforms)])
            else:
                if params.temperature != 1:
                    weights = self._weigh(logits, highest, params.temperature)
                token = self._draw(logits, highest, weights, params, uniforms)
        return Draw(
            token,
            float(logits[token]) - log_sum,
            log_sum - float(likeliest[:CANDIDATES].mean()),
            log_sum - float(_running(logits)[-1]) / len(logits) - math.log(len(logits)),
        )

    def _weigh(self, logits: Logits, highest: np.float32, temperature: float) -> NDArray[np.float32]:
        """The softmax's numerators: 1 for the best token."""
        weights = self._weights[: len(logits)]
        np.subtract(logits, highest, out=weights)
        if temperature != 1:
            weights *= np.float32(1 / temperature)
        np.exp(weights, out=weights)
        return weights

    def _draw(
        self,
        logits: Logits,
        highest: np.float32,
        weights: NDArray[np.float32],
        params: SamplingParams,
        uniforms: Iterator[float],
    ) -> int:
        """The index of a token drawn by its weight, by min-p and top-p."""
        if params.min_p > 0:
            weights = weights * (weights >= np.float32(params.min_p))
        left = weights  # those above what was drawn
        running = _running(weights)
        total = float(running[-1])
        while True:
            drawn = _pick(left, running, next(uniforms))
            if params.top_p >= 1 or logits[drawn] == highest:
                return drawn
            above = np.greater(logits, logits[drawn], out=self._is_above[: len(logits)])  # exact: weights are rounded
            left = np.multiply(weights, above.view(np.int8), out=self._above[: len(logits)])
            running = _running(left)
            share = float(running[-1]) / total
            if abs(share - params.top_p) < NEAR_TIE:
                share = _share_above(logits, weights, drawn, params.temperature)
            if share < params.top_p:
                return drawn


def _uniforms(seed: int, n: int, attempt: int) -> Iterator[float]:
    """Numbers from 0 to 1, as NumPy's Generator makes them; making one would take longer than drawing from it."""
    key, counter = np.array([seed % 2**64, 0], np.uint64), np.array([0, n, attempt, 0], np.uint64)
    bits = np.random.Philox(key=key, counter=counter)  # from lists it would take twice as long
    while True:
        yield (bits.random_raw() >> 11) * 2.0**-53


def log_probabilities(logits: Logits, tokens: tuple[int, ...]) -> tuple[float, ...]:
    """The log-probability of each token, in nats, of the untempered full softmax. Raises EngineError for a NaN."""
    highest = float(logits.max())
    if not math.isfinite(highest):
        raise EngineError("The model produced logits that are not numbers: its file is likely damaged.")
    log_total = math.log(float(_running(np.exp(logits - np.float32(highest)))[-1]))
    return tuple(float(logits[token]) - highest - log_total for token in tokens)


def _highest(logits: Logits, count: int) -> Logits:
    """The `count` highest logits, the highest first; all of them if there are fewer."""
    columns = logits[: len(logits) // ROWS * ROWS].reshape(ROWS, -1)
    if count < columns.shape[1]:
        peaks = columns.max(axis=0)
        chosen = np.flatnonzero(peaks >= np.partition(peaks, -count)[-count])
        logits = np.append(columns.take(chosen, axis=1), logits[columns.size :])
    highest = np.partition(logits, -count)[-count:] if count < len(logits) else logits
    return np.sort(highest)[::-1]


def _share_above(logits: Logits, kept: NDArray[np.float32], token: int, temperature: float) -> float:
    """The share of mass strictly above a token, in float64 from the logits."""
    scaled = logits[kept > 0].astype(np.float64) / temperature
    exact = np.exp(scaled - scaled.max())
    return float(exact[scaled > float(logits[token]) / temperature].sum() / exact.sum())


def _running(weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """The running sum of the weights after each block; the last is the total. Rounding errors stay within blocks."""
    whole = len(weights) // BLOCK * BLOCK
    sums = np.empty(whole // BLOCK + 1, np.float64)
    sums[:-1] = np.einsum("ij->i", weights[:whole].reshape(-1, BLOCK))
    sums[-1] = weights[whole:].sum()
    return sums.cumsum(out=sums)


def _pick(weights: NDArray[np.float32], running: NDArray[np.float64], uniform: float) -> int:
    """The index at which the running sum of `weights` passes `uniform` of their total."""
    target = uniform * running[-1]
    block = min(int(np.searchsorted(running, target, side="right")), len(running) - 1)
    while running[block] == (running[block - 1] if block else 0):  # rounding can point past the last weight
        block -= 1
    inside = np.cumsum(weights[block * BLOCK : (block + 1) * BLOCK], dtype=np.float64)
    before = running[block - 1] if block else 0.0
    index = min(int(np.searchsorted(inside, target - before, side="right")), len(inside) - 1)
    while weights[block * BLOCK + index] == 0:
        index -= 1
    return block * BLOCK + index
