"""What each layer over llama.cpp costs: `python -m tests.engine.layers MODEL [SEQUENCES] [ROUNDS] [THREADS]`.

The backend alone, the engine in this process and the engine in its own decode the same number of Sequences, in turns
of a few steps and in an order that changes, so that a machine that changes its speed does so for all of them. Prints
tokens a second, ratios to the backend, and where the engine's time goes. Takes the memory of three loaded models.
"""

import random
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from vibethinker_local import machine
from vibethinker_local.engine import SamplingParams
from vibethinker_local.engine.backend import Slice
from vibethinker_local.engine.engine import Engine
from vibethinker_local.engine.llama import LlamaBackend
from vibethinker_local.engine.llama_model import LlamaModel
from vibethinker_local.engine.process import EngineProcess

PROMPT, STEPS, ROOM = 128, 8, 100  # tokens; ROOM for those that begin while others decode already
AnyEngine = Engine[LlamaBackend] | EngineProcess


def params(seed: int, tokens: int) -> SamplingParams:
    return SamplingParams(seed=seed, max_tokens=tokens, temperature=1.0, top_p=0.95)


def backend_rate(backend: LlamaBackend, count: int, prompt: list[int], numbers: random.Random) -> float:
    """Tokens a second, of random tokens."""
    backend.decode([Slice(0, 0, prompt, logits=False)])
    for place in range(1, count):
        backend.copy(0, place, PROMPT)
    began = 0.0
    for position in range(PROMPT, PROMPT + STEPS + 1):
        tokens = [[numbers.randrange(backend.vocabulary)] for _ in range(count)]
        backend.decode([Slice(place, position, token, logits=True) for place, token in enumerate(tokens)])
        began = began or time.perf_counter()  # the first step warms up
    seconds = time.perf_counter() - began
    for place in range(count):
        backend.trim(place, 0)
    return count * STEPS / seconds


def engine_rate(engine: AnyEngine, count: int, prompt: list[int]) -> float:
    """Tokens a second, sampling included, of the steps in which all take part."""
    parent = engine.add(prompt, params(0, 1))
    while engine.busy:
        engine.step()
    names = [engine.add(prompt, params(seed, ROOM), parent=parent) for seed in range(count)]
    times: list[float] = []
    while len(times) <= STEPS:
        if sum(output.token is not None for output in engine.step()) == count:
            times.append(engine.stepped_at if isinstance(engine, EngineProcess) else time.perf_counter())
    for name in (*names, parent):
        engine.abort(name)
    while engine.busy:
        engine.step()
    return count * STEPS / (times[-1] - times[0])


def main() -> None:
    path = Path(sys.argv[1])
    count, rounds, threads = (*map(int, sys.argv[2:]), *(16, 5, machine.threads())[len(sys.argv) - 2 :])
    cells, places = PROMPT + count * ROOM, count + 1
    numbers = random.Random(0)
    with (
        closing(LlamaBackend(path, cells=cells, places=places, threads=threads)) as backend,
        closing(Engine(LlamaBackend(path, cells=cells, places=places, threads=threads))) as engine,
        closing(EngineProcess(LlamaModel(path, cells, places, threads))) as process,
    ):
        prompt = [numbers.randrange(backend.vocabulary) for _ in range(PROMPT)]
        ways: dict[str, Callable[[], float]] = {
            "backend": lambda: backend_rate(backend, count, prompt, numbers),
            "engine": lambda: engine_rate(engine, count, prompt),
            "process": lambda: engine_rate(process, count, prompt),
        }
        rows: list[dict[str, float]] = []
        for _ in range(rounds):
            rows.append({way: ways[way]() for way in numbers.sample(list(ways), len(ways))})
            print("   ".join(f"{way} {rows[-1][way]:.2f}" for way in ways), flush=True)
        for way in ("engine", "process"):
            ratios = sorted(row[way] / row["backend"] for row in rows)
            print(f"{way} by backend: {statistics.median(ratios):.3f} ({ratios[0]:.3f}-{ratios[-1]:.3f})")
        spent = engine.spent
        share = spent.sampling / (spent.decoding + spent.sampling)
        print(f"engine: llama.cpp {spent.decoding:.1f} s, sampling {spent.sampling:.2f} s, {share:.1%}")


if __name__ == "__main__":
    main()
