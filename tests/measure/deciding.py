"""Tokens and wall time to a decision: the reliability pass with its stopping rules against all K solutions, in turn.

    python -m tests.measure.deciding [-n 300] [--seed 7] [--mode majority] [-k 8] [-m mini]

Both take the same held-out problems of mini's with the same seeds. Intervals are 95% bootstrap intervals over problems.
"""

import argparse
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from vibethinker_local.eval import statistics
from vibethinker_local.eval.table import Floats
from vibethinker_local.events import Control, Finished, Options
from vibethinker_local.mini.problems import problems
from vibethinker_local.models import installed
from vibethinker_local.reliability.plan import Plan, make
from vibethinker_local.runtime.model import Model, load
from vibethinker_local.solving import reliable
from vibethinker_local.system import machine

FACTS = ("right", "solutions", "tokens", "seconds")


@dataclass(frozen=True)
class Run:
    right: bool
    solutions: int
    tokens: int  # generated, claims and verdicts included
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--mode", choices=["majority", "clr"], default="majority")
    parser.add_argument("-k", type=int, default=8)
    parser.add_argument("-m", "--model", default="mini")
    given = parser.parse_args()
    plan = make(given.mode, "standard", samples=given.k, escalates=False)
    fixed = replace(plan, stopping=False)
    model = load(installed.choose(given.model), Options(0), threads=machine.threads(), places=plan.places)
    runs: dict[bool, list[Run]] = {True: [], False: []}
    with closing(model.engine):
        for number, problem in enumerate(problems(given.count, given.seed)):
            order = (plan, fixed) if number % 2 else (fixed, plan)
            for each in order:
                options = Options(given.seed * 1_000_003 + number * given.k)
                runs[each.stopping].append(_run(model, options, each, problem.text, str(problem.answer)))
    _compare(runs[True], runs[False])


def _run(model: Model, options: Options, plan: Plan, problem: str, answer: str) -> Run:
    began = time.perf_counter()
    *_, last = reliable.solve(problem, model, options, Control(), plan)
    assert isinstance(last, Finished)
    found = last.solution
    tokens = found.usage.solve_tokens + found.usage.verify_tokens
    return Run(found.answer == answer, len(found.trajectories), tokens, time.perf_counter() - began)


def _compare(stopping: Sequence[Run], fixed: Sequence[Run]) -> None:
    for name, runs in (("with stopping", stopping), ("all of them", fixed)):
        right, solutions, tokens, seconds = (_column(runs, what).mean() for what in FACTS)
        print(f"{name}: {right:.3f} right; {solutions:.2f} solutions, {tokens:.0f} tokens, {seconds:.3f} s each")
    gain = statistics.means(np.stack([_column(stopping, "right") - _column(fixed, "right")]))[0]
    print(f"difference in accuracy: {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]")
    for what in ("tokens", "seconds"):
        share = statistics.ratio(_column(stopping, what), _column(fixed, what))
        print(f"{what}, of those that all take: {share.value:.3f} [{share.low:.3f}, {share.high:.3f}]")


def _column(runs: Sequence[Run], what: str) -> Floats:
    return np.array([getattr(run, what) for run in runs], np.float64)


if __name__ == "__main__":
    main()
