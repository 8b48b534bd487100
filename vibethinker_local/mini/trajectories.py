"""Samples many solutions as `vibe solve` does: for training on their claims, and for measuring.

    python -m vibethinker_local.mini.trajectories -n 6000 --seed 1 -o FILE      two solutions of each problem

Writes JSON lines {"seed", "index", "text"}: the problem is the index-th of `problems(…, seed, "judge")`.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from vibethinker_local.engine import SamplingParams, SequenceId
from vibethinker_local.errors import VibeError
from vibethinker_local.events import Options
from vibethinker_local.mini.problems import problems
from vibethinker_local.models import installed
from vibethinker_local.runtime.model import Model, load
from vibethinker_local.system import machine

AT_ONCE = 8


@dataclass(frozen=True)
class SamplingJob:
    """A prompt to continue, and the seed to sample with; `key` is the caller's."""

    key: int
    prompt: tuple[int, ...]
    seed: int


@dataclass(frozen=True)
class WrittenSolution:
    """What a model has written after a prompt."""

    job: SamplingJob
    text: str
    tokens: int


def sample(model: Model, jobs: Iterable[SamplingJob]) -> Iterator[WrittenSolution]:
    """Continue each prompt with the model's own temperature and top-p, eight at a time, in the order they end."""
    stops, spec = model.stop_ids(), model.spec
    waiting = iter(jobs)
    running: dict[SequenceId, tuple[SamplingJob, list[str]]] = {}
    while True:
        for job in islice(waiting, AT_ONCE - len(running)):
            params = SamplingParams(
                seed=job.seed,
                max_tokens=min(spec.max_tokens, model.context - len(job.prompt)),
                temperature=spec.temperature,
                top_p=spec.top_p,
                top_k=spec.top_k,
                stop_ids=stops,
            )
            running[model.engine.add(job.prompt, params)] = job, []
        if not model.engine.busy:
            return
        for output in model.engine.step():
            job, texts = running[output.sequence]
            texts.append(output.text)
            if output.end:
                del running[output.sequence]
                model.engine.abort(output.sequence)
                yield WrittenSolution(job, "".join(texts), len(texts))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m vibethinker_local.mini.trajectories", description=__doc__)
    parser.add_argument("-n", "--count", type=int, default=6000, help="problems (default 6000)")
    parser.add_argument("--seed", type=int, default=1, help="of the problems, and the first of the samples (default 1)")
    parser.add_argument("--each", type=int, default=2, help="solutions of each problem (default 2)")
    parser.add_argument("-m", "--model", default=installed.BUNDLED, help="a name in models.toml, or a .gguf file")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the file to write")
    arguments = parser.parse_args()
    if arguments.count < 1 or arguments.each < 1:
        parser.error("-n and --each take a number from 1")
    drawn = problems(arguments.count, arguments.seed, "judge")
    try:
        model = load(
            installed.choose(arguments.model), Options(arguments.seed), threads=machine.threads(), places=AT_ONCE
        )
        jobs = (
            SamplingJob(index, tuple(model.encode(problem.text)), arguments.seed + index * arguments.each + number)
            for index, problem in enumerate(drawn)
            for number in range(arguments.each)
        )
        with arguments.out.open("w", encoding="utf-8") as file:
            for written in sample(model, jobs):
                row = {"seed": arguments.seed, "index": written.job.key, "text": written.text}
                print(json.dumps(row), file=file, flush=True)
    except VibeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
