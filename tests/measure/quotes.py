"""Compares the time that is quoted for a run with the time that it takes, on random runs of one model.

    python -m tests.measure.quotes MODEL [--runs 10] [--most 96] [--seed 0]

Every other run is a vote of 2 to 6 solutions without stopping. Each has a limit of tokens of its own, because a
checkpoint of random weights never ends by itself. A quote is right if the time lies within a factor of 1.5 of it. What
`vibe bench` found is used, else the five seconds of trying.
"""

import argparse
import random
import time
from contextlib import closing
from dataclasses import replace

from vibethinker_local.events import Control, Options
from vibethinker_local.mini.problems import problems
from vibethinker_local.models import installed
from vibethinker_local.reliability.plan import Plan, make
from vibethinker_local.runtime.model import Model, load
from vibethinker_local.solving import forecast, reliable
from vibethinker_local.solving.quote import span
from vibethinker_local.solving.single import solve
from vibethinker_local.system import machine

FACTOR = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--most", type=int, default=96, help="tokens of the longest solution; 0: the model's own limit")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng, right = random.Random(given.seed), 0
    model = load(installed.choose(given.model), Options(0), threads=machine.threads(), places=4)
    with closing(model.engine):
        for number, problem in enumerate(problems(given.runs, given.seed)):
            most = rng.randint(given.most // 3, given.most) if given.most else None
            options = Options(rng.randrange(2**31), max_tokens=most)
            plan = replace(make("majority", "standard", samples=rng.randint(2, 6)), stopping=False)
            right += _quoted_right(model, options, plan if number % 2 else None, problem.text)
    print(f"within a factor of {FACTOR}: {right} of {given.runs}")


def _quoted_right(model: Model, options: Options, plan: Plan | None, problem: str) -> bool:
    rates = forecast.known(model) or forecast.calibrate(model, Control())
    quoted = forecast.forecast(model, options, len(model.encode(problem)), plan, rates)
    began = time.perf_counter()
    events = (
        reliable.solve(problem, model, options, Control(), plan) if plan else solve(problem, model, options, Control())
    )
    for _ in events:
        pass
    taken = time.perf_counter() - began
    right = quoted.low / FACTOR <= taken <= quoted.high * FACTOR
    what = f"{quoted.samples} × at most {options.max_tokens or model.spec.max_tokens} tokens"
    ruling = "right" if right else "wrong"
    print(f"{what}: quoted {span(quoted.low, quoted.high)}, taken {taken:.1f} s: {ruling}", flush=True)
    return right


if __name__ == "__main__":
    main()
