"""What a vote costs the user: wall time of `vibe solve -r` to its decision beside one plain `vibe solve`, in turn.

    python -m tests.measure.waiting PROBLEMS -m FILE [-n 40] [--options '--max-tokens 450']

Whole commands, start and loading included, each with a seed that its problem gives. Every problem is printed as it is
done, so a run that is stopped has told what it found. Intervals are 95% bootstrap intervals over problems.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vibethinker_local.eval import layouts, statistics
from vibethinker_local.eval.problems import Problem
from vibethinker_local.reliability.checker import Checker

VIBE = [sys.executable, "-P", "-m", "vibethinker_local", "solve", "-", "--json"]


@dataclass(frozen=True)
class Waited:
    seconds: float
    right: bool
    solutions: int
    tokens: int  # generated, of all solutions, claims and verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", type=Path)
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("-n", "--count", type=int, default=40)
    parser.add_argument("--skip", type=int, default=0, help="problems at the beginning of the file")
    parser.add_argument("--options", default="", help="of both commands, in one text")
    given = parser.parse_args()
    chosen = layouts.read(given.problems).problems[given.skip : given.skip + given.count]
    plain: list[Waited] = []
    voted: list[Waited] = []
    with closing(Checker()) as checker:
        for number, problem in enumerate(chosen, given.skip):
            options = ["-m", given.model, "--seed", str(number), *shlex.split(given.options)]
            for voting in (False, True) if number % 2 else (True, False):
                waited = _wait(problem, [*options, "-r"] if voting else options, checker)
                (voted if voting else plain).append(waited)
            one, many = plain[-1], voted[-1]
            print(
                f"{problem.id}: {one.seconds:.1f} s, {one.tokens} tokens; {many.seconds:.1f} s, {many.tokens} tokens "
                f"of {many.solutions} solutions: {many.seconds / one.seconds:.2f} times",
                flush=True,
            )
    for name, found in (("plain", plain), ("a vote", voted)):
        seconds, right = (
            statistics.means(np.array([[float(getattr(one, what)) for one in found]]))[0]
            for what in ("seconds", "right")
        )
        print(f"{name}: {seconds.value:.1f} s ({seconds.low:.1f}-{seconds.high:.1f}), right {right.value:.3f}")
    times = statistics.ratio(np.array([one.seconds for one in voted]), np.array([one.seconds for one in plain]))
    print(f"a vote takes {times.value:.2f} ({times.low:.2f}-{times.high:.2f}) times as long, {len(plain)} problems")


def _wait(problem: Problem, options: list[str], checker: Checker) -> Waited:
    began = time.perf_counter()
    ran = subprocess.run([*VIBE, *options], input=problem.asked, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if not ran.stdout:
        sys.exit(ran.stderr)
    told = json.loads(ran.stdout)
    usage = told["usage"]
    return Waited(
        seconds,
        told["answer"] is not None and problem.right(told["answer"], checker),
        len(told.get("trajectories") or [0]),
        usage["solve_tokens"] + usage["verify_tokens"],
    )


if __name__ == "__main__":
    main()
