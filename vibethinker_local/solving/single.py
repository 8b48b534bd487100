"""One problem, one trajectory: SolveEvents, the last of them a Solution."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing

from vibethinker_local.code import task
from vibethinker_local.errors import EngineError
from vibethinker_local.events import (
    Control,
    Exchange,
    Finished,
    ModelIdentity,
    Options,
    Solution,
    SolveEvent,
    Started,
    Status,
    Usage,
)
from vibethinker_local.models import lengths
from vibethinker_local.runtime.model import Model
from vibethinker_local.solving.programs import Programs, open_sandbox
from vibethinker_local.solving.sampling import Budget, Sampling, shown


def solve(
    problem: str,
    model: Model,
    options: Options,
    control: Control,
    earlier: Sequence[Exchange] = (),
    *,
    talk: bool = False,
) -> Iterator[SolveEvent]:
    """Solve one problem. Raises UsageError if it does not fit; an engine that fails on the way ends in a Solution.

    Of the exchanges before it, the oldest are dropped if they would take the room for thinking; Started says how many.
    In `talk`, only the first question is put as a problem, and a reply that ends by itself is answer enough.
    """
    kind = options.kind
    recent = model.recent(problem, earlier, kind)
    prompt = model.encode(problem, recent, talk=talk, kind=kind)
    asked = None if talk and earlier else task.of(problem, kind)
    budget = Budget.of(options.max_tokens or model.spec.max_tokens, model, len(prompt))
    dropped = len(earlier) - len(recent)
    typical, context = lengths.typical(model.chosen), model.context
    yield Started(model.identity, options.seed, len(prompt), budget.tokens, context, typical=typical, dropped=dropped)

    began = time.perf_counter()
    status: Status | None = None
    error: str | None = None
    sampling = Sampling(model, options, prompt, budget, talk=talk, task=asked)
    sampling.start(0, options.seed)
    programs = Programs(problem, asked, model, options, *open_sandbox()) if asked else None
    try:
        while sampling.running and not control.stop:
            yield from sampling.take(model.engine.step(), answer_now=control.answer_now)
        if sampling.running:
            status = "stopped"
    except EngineError as failure:
        status, error = "failed", str(failure)
    sampling.close()
    trajectory = sampling.finished[0].trajectory
    behaviour = None
    if programs:
        with closing(programs):
            if trajectory.answer is not None and not control.stop:
                programs.add(0, trajectory.text)
            behaviour = programs.report([0])
    answered = trajectory.answer is not None or (talk and trajectory.text)
    yield Finished(
        Solution(
            problem=problem,
            status=status or ("answered" if answered else "no_answer"),
            model=model.identity,
            usage=Usage(len(prompt), trajectory.tokens, time.perf_counter() - began),
            answer=trajectory.answer,
            text=shown(trajectory),
            error=error,
            trajectories=(trajectory,),
            seeds=(options.seed,),
            behaviour=behaviour,
        )
    )


def without_trajectory(problem: str, model: str, status: Status, error: str | None = None) -> Solution:
    """The Solution of a run that never began."""
    return Solution(problem, status, ModelIdentity(model), Usage(0, 0, 0.0), error=error)
