"""Decoding with the backend alone: no engine, no process of its own, no sampling."""

import random
import time

from vibethinker_local.bench.bench import BenchRequest
from vibethinker_local.bench.measurement import DECODE, Measurement
from vibethinker_local.engine.backend import Backend, Slice


class BareLoop:
    def __init__(self, backend: Backend, request: BenchRequest) -> None:
        """Compute a prompt of random tokens, as long as `request` says, and share it among the Sequences."""
        self._backend, self._request, self._random = backend, request, random.Random(0)
        for begin in range(0, request.prompt, backend.batch):
            tokens = self._draw(min(backend.batch, request.prompt - begin))
            backend.decode([Slice(0, begin, tokens, logits=False)])
        for place in range(1, request.most_sequences):
            backend.copy(0, place)

    def decode(self, count: int) -> Measurement:
        """The rate of `request.tokens` steps of `count` Sequences, after one warm-up step."""
        prompt, tokens = self._request.prompt, self._request.tokens
        ends: list[float] = []
        for position in range(prompt, prompt + tokens + 1):
            self._backend.decode([Slice(place, position, self._draw(1), logits=True) for place in range(count)])
            ends.append(time.perf_counter())
        for place in range(count):
            self._backend.trim(place, prompt)
        rate = count * tokens / (ends[-1] - ends[0])
        return Measurement(DECODE, "the bare loop", rate, sequences=count, depth=self._request.depth)

    def _draw(self, count: int) -> list[int]:
        return [self._random.randrange(self._backend.vocabulary) for _ in range(count)]
