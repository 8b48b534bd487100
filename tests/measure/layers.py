"""What each layer over llama.cpp costs: `python -m tests.measure.layers MODEL [--sequences N] [--prompt TOKENS] …`.

The backend alone, the engine in this process and the engine in its own decode the same number of Sequences, in turns
of a few steps and in an order that changes, so that a machine that changes its speed does so for all of them. Prints
tokens a second, ratios to the backend, and where the engine's time goes. Takes the memory of three loaded models.
"""

import argparse
import random
import statistics
from contextlib import closing

from vibethinker_local.bench.bare import BareLoop
from vibethinker_local.bench.bench import Bench, BenchRequest, recipe
from vibethinker_local.engine.engine import Engine
from vibethinker_local.engine.process import EngineProcess
from vibethinker_local.models import installed
from vibethinker_local.system import machine


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.measure.layers", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--prompt", type=int, default=128, help="tokens to decode behind (default 128)")
    parser.add_argument("--tokens", type=int, default=8, help="steps of a turn (default 8)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=machine.threads())
    arguments = parser.parse_args()
    count, rounds = arguments.sequences, arguments.rounds
    request = BenchRequest((count,), arguments.prompt, arguments.tokens, deep=True)
    chosen = installed.choose(arguments.model)
    model = recipe(chosen.path, request, arguments.threads)
    with (
        closing(model.open()) as backend,
        closing(Engine(model.open())) as engine,
        closing(EngineProcess(model)) as process,
    ):
        ways: dict[str, BareLoop | Bench] = {
            "backend": BareLoop(backend, request),
            "engine": Bench(engine, chosen.spec, request),
            "process": Bench(process, chosen.spec, request),
        }
        for way in ways.values():
            if isinstance(way, Bench):
                way.prefill()
        before = engine.spent
        rows: list[dict[str, float]] = []
        for _ in range(rounds):
            rows.append({name: ways[name].decode(count).value for name in random.sample(list(ways), len(ways))})
            print("   ".join(f"{name} {rows[-1][name]:.2f}" for name in ways), flush=True)
        for name in ("engine", "process"):
            ratios = sorted(row[name] / row["backend"] for row in rows)
            print(f"{name} by backend: {statistics.median(ratios):.3f} ({ratios[0]:.3f}-{ratios[-1]:.3f})")
        decoding, sampling = engine.spent.decoding - before.decoding, engine.spent.sampling - before.sampling
        print(f"engine: llama.cpp {decoding:.1f} s, sampling {sampling:.2f} s, {sampling / (decoding + sampling):.1%}")


if __name__ == "__main__":
    main()
