"""How often a model is right: one sampled solution of each of many problems, or many of one problem.

    python -m vibethinker_local.mini.measure -n 200 --seed 7             held-out problems, by number of operations
    python -m vibethinker_local.mini.measure --problem FILE --answer 17  one problem under 200 seeds
    python -m vibethinker_local.mini.measure --skills -n 1000 --seed 7   votes, claims and judging on held-out problems

Sampled as `vibe solve` does, with the model's own temperature and top-p.
"""

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibethinker_local.errors import VibeError
from vibethinker_local.events import Options
from vibethinker_local.mini.claims import fault
from vibethinker_local.mini.problems import WordProblem, problems
from vibethinker_local.mini.skills import (
    CLAIMS,
    JudgedClaim,
    Solved,
    StatedClaims,
    auroc,
    interval,
    judge,
    solve,
    state,
)
from vibethinker_local.mini.trajectories import AT_ONCE, SamplingJob, sample
from vibethinker_local.models import installed
from vibethinker_local.reliability import answers
from vibethinker_local.runtime.model import Model, load
from vibethinker_local.runtime.reasoning import split
from vibethinker_local.system import machine


@dataclass(frozen=True)
class SeededProblem:
    """One solution to sample."""

    problem: str
    answer: str
    operations: int
    seed: int


@dataclass(frozen=True)
class Trial:
    task: SeededProblem
    answer: str | None
    tokens: int

    @property
    def right(self) -> bool:
        return self.answer == self.task.answer


def attempt(model: Model, tasks: list[SeededProblem]) -> Iterator[Trial]:
    """Sample a solution of each task, in the order in which they end."""
    jobs = (SamplingJob(i, tuple(model.encode(task.problem)), task.seed) for i, task in enumerate(tasks))
    for written in sample(model, jobs):
        reasoning, text = split(written.text)
        yield Trial(tasks[written.job.key], answers.extract(text, reasoning), written.tokens)


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson's score interval)."""
    z, share = 1.96, right / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def row(name: str, attempts: list[Trial]) -> str:
    right, count = sum(a.right for a in attempts), len(attempts)
    low, high = wilson(right, count)
    tokens = sum(a.tokens for a in attempts) / count
    return f"{name:>10} {count:6} {right:6}   {right / count:.3f}  [{low:.3f}, {high:.3f}] {tokens:7.0f}"


def share(name: str, right: int, count: int) -> str:
    low, high = wilson(right, count) if count else (0.0, 1.0)
    return f"{name:<52} {right / max(1, count):6.3f}  [{low:.3f}, {high:.3f}]  {right}/{count}"


def votes(solved: list[Solved]) -> Iterator[str]:
    """How often several solutions of each problem are right, and what choosing among them could gain."""
    each, count = len(solved[0].texts), len(solved)
    single = np.array([np.mean(one.right) for one in solved])
    majority = np.array([one.majority_right for one in solved])
    oracle = np.array([any(one.right) for one in solved])
    yield f"{count} problems, {each} solutions each"
    figures = {
        "single": single,
        f"majority@{each}": majority,
        f"oracle@{each}": oracle,
        f"oracle@{each} - majority@{each}": oracle.astype(float) - majority,
    }
    for name, values in figures.items():
        mean = partial(_mean, values)
        yield estimate(name, mean(np.arange(count)), interval(range(count), mean))
    yield share("wrong majority, right candidate", int((oracle & ~majority).sum()), count)


def stating(stated: list[StatedClaims]) -> Iterator[str]:
    """Whether the claims can be parsed, and whether they are what the solution says."""
    yield share(f"replies of {CLAIMS} claims that can be read", sum(one.readable for one in stated), len(stated))
    known = [one for one in stated if one.expected]
    yield share("replies that say word for word what the solution says", sum(one.faithful for one in known), len(known))
    for name, right in (("right", True), ("wrong", False)):
        of_kind = [one for one in stated if one.readable and one.right is right]
        true = sum(fault(claim, one.problem) is None for one in of_kind for claim in one.claims)
        yield share(f"true claims, of those after a {name} solution", true, CLAIMS * len(of_kind))


def judging(judged: list[JudgedClaim]) -> Iterator[str]:
    """How well claims are judged, by the kind of error they have."""
    if not judged:
        yield "no claim to judge"
        return
    groups = [one.problem for one in judged]
    true = np.array([one.wrong is None for one in judged])
    valid = np.array([one.valid for one in judged])
    kinds = Counter(one.wrong for one in judged if one.wrong)
    faults = ", ".join(f"{name} {count}" for name, count in kinds.most_common())
    yield f"{len(judged)} different claims about {len(set(groups))} problems, {int((~true).sum())} false: {faults}"
    yield estimate("AUROC, at once", auroc(valid, true), interval(groups, lambda i: auroc(valid[i], true[i])))
    for kind in kinds:
        of_kind = np.array([one.wrong in (None, kind) for one in judged])

        def score(i: NDArray[np.int64], of_kind: NDArray[np.bool_] = of_kind) -> float:
            chosen = i[of_kind[i]]
            return auroc(valid[chosen], true[chosen])

        yield estimate(f"  true claims against {kind}", score(np.arange(len(judged))), interval(groups, score))
    yield share("true claims called VALID (p >= 0.5), at once", int((valid >= 0.5)[true].sum()), int(true.sum()))
    yield share("false claims called INVALID, at once", int((valid < 0.5)[~true].sum()), int((~true).sum()))
    read = [one for one in judged if one.thought is not None]
    yield share("verdicts that can be read, thinking", len(read), sum(one.asked for one in judged))
    right = [one for one in read if one.wrong is None]
    wrong = [one for one in read if one.wrong is not None]
    yield share("true claims called VALID, thinking", sum(one.thought is True for one in right), len(right))
    yield share("false claims called INVALID, thinking", sum(one.thought is False for one in wrong), len(wrong))


def _mean(values: NDArray[Any], chosen: NDArray[np.int64]) -> float:
    return float(values[chosen].mean())


def estimate(name: str, value: float, bounds: tuple[float, float]) -> str:
    return f"{name:<52} {value:6.3f}  [{bounds[0]:.3f}, {bounds[1]:.3f}]"


def solutions(model: Model, tasks: list[SeededProblem], *, by_operations: bool) -> Iterator[str]:
    """One solution of each task."""
    began = time.perf_counter()
    done = list(attempt(model, tasks))
    seconds = time.perf_counter() - began
    yield "operations  count  right   share  95% interval    tokens"
    for operations in sorted({a.task.operations for a in done}) if by_operations else ():
        yield row(str(operations), [a for a in done if a.task.operations == operations])
    yield row("all", done)
    yield (
        f"{sum(a.answer is None for a in done)} without an answer; {seconds:.1f} s; "
        f"{sum(a.tokens for a in done) / seconds:.0f} tokens/s; temperature {model.spec.temperature}, "
        f"top-p {model.spec.top_p}"
    )


def skills(model: Model, drawn: list[WordProblem], each: int, seed: int) -> Iterator[str]:
    solved = solve(model, drawn, each, seed)
    yield from votes(solved)
    stated = state(model, solved, 2, seed)
    yield from stating(stated)
    yield from judging(judge(model, stated, seed))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m vibethinker_local.mini.measure", description=__doc__)
    parser.add_argument("-n", "--count", type=int, default=200, help="problems, or seeds of one problem (default 200)")
    parser.add_argument("--seed", type=int, default=7, help="of the problems, and the first of the samples (default 7)")
    parser.add_argument("--problem", type=Path, help="one problem, in a text file; needs --answer")
    parser.add_argument("--answer", help="its right answer")
    parser.add_argument("--skills", action="store_true", help="votes, claims and judging (some minutes)")
    parser.add_argument("--each", type=int, default=8, help="solutions of each problem, with --skills (default 8)")
    parser.add_argument("-m", "--model", default=installed.BUNDLED, help="a name in models.toml, or a .gguf file")
    arguments = parser.parse_args()
    if arguments.count < 1 or arguments.each < 1 or (arguments.problem is None) != (arguments.answer is None):
        parser.error("-n and --each take a number from 1; --problem and --answer go together")
    drawn = list(problems(arguments.count, arguments.seed))
    tasks = [SeededProblem(p.text, str(p.answer), p.operations, arguments.seed + i) for i, p in enumerate(drawn)]
    if arguments.problem:
        text = arguments.problem.read_text(encoding="utf-8")
        tasks = [SeededProblem(text, arguments.answer, 0, arguments.seed + i) for i in range(arguments.count)]
    try:
        model = load(
            installed.choose(arguments.model), Options(arguments.seed), threads=machine.threads(), places=AT_ONCE
        )
        lines = (
            skills(model, drawn, arguments.each, arguments.seed)
            if arguments.skills
            else solutions(model, tasks, by_operations=arguments.problem is None)
        )
        for line in lines:
            print(line, flush=True)
        model.engine.close()
    except VibeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
