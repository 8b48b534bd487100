"""One problem, one trajectory: SolveEvents, the last of them a Solution."""

import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import replace

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
    Unfinished,
    Usage,
)
from vibethinker_local.models import lengths
from vibethinker_local.runtime.model import Model
from vibethinker_local.runtime.reasoning import joined
from vibethinker_local.solving.code_vote import Programs, open_sandbox
from vibethinker_local.solving.sampling import Budget, Ended, Sampling, shown


def solve(
    problem: str,
    model: Model,
    options: Options,
    control: Control,
    earlier: Sequence[Exchange] = (),
    *,
    talk: bool = False,
    unfinished: Unfinished | None = None,
    resident: Ended | None = None,
) -> Generator[SolveEvent, None, Ended | None]:
    """Solve one problem. Raises UsageError if it does not fit; an engine that fails on the way ends in a Solution.

    Of the exchanges before it, the oldest are dropped if they would take the room for thinking; Started says how many.
    In `talk`, which a request for prose is in any case, only the first question is put as a problem, what the model
    says is answer enough, and a reply that its budget cuts off is returned, still resident: it can go on. An
    `unfinished` reply goes on where it was cut off, from the KV of the `resident` one if it is that.
    """
    kind, seed = options.kind, options.seed
    assert seed is not None, "the caller draws one"
    talk = talk or kind == "prose"
    recent = model.recent(problem, earlier, kind)
    prompt = model.encode(problem, recent, talk=talk, kind=kind, think=options.think)
    asked = None if talk and earlier else task.of(problem, kind)
    begun = _begun(unfinished, resident, prompt, model) if unfinished else []
    budget = Budget.of(options.max_tokens or model.spec.max_tokens, model, len(prompt) + len(begun))
    budget = replace(budget, tokens=budget.tokens + len(begun))
    dropped = len(earlier) - len(recent)
    typical, context = lengths.typical(model.chosen), model.context
    yield Started(model.identity, seed, len(prompt), budget.tokens, context, typical=typical, dropped=dropped)

    began = time.perf_counter()
    status: Status | None = None
    error: str | None = None
    asks = kind != "prose" and not (talk and earlier)
    sampling = Sampling(model, options, prompt, budget, talk=talk, asks=asks, task=asked)
    programs: Programs | None = None
    resumable: Ended | None = None  # the reply that may go on
    try:
        programs = Programs(problem, asked, model, options, *open_sandbox()) if asked else None
        sampling.start(0, seed, begun)
        try:
            while sampling.running and not control.stop:
                yield from sampling.take(model.engine.step(), answer_now=control.answer_now)
            if sampling.running:
                status = "stopped"
        except EngineError as failure:
            status, error = "failed", str(failure)
        seconds = time.perf_counter() - began  # before its program is run
        sampling.abandon()
        (ended,) = sampling.finished
        trajectory = ended.trajectory
        behaviour = None
        if programs:
            if trajectory.answer is not None and not control.stop:
                programs.add(0, trajectory.text)
            behaviour = programs.report([0])
        answered = trajectory.answer is not None or (talk and trajectory.text)
        yield Finished(
            Solution(
                problem=problem,
                status=status or ("answered" if answered else "no_answer"),
                model=model.identity,
                usage=Usage(len(prompt), trajectory.tokens - len(begun), seconds),
                answer=trajectory.answer,
                text=shown(trajectory),
                error=error,
                trajectories=(trajectory,),
                seeds=(seed,),
                behaviour=behaviour,
            )
        )
        resumable = ended if talk and trajectory.finish == "length" and not error else None
    finally:  # also where whoever listens has gone: it would be written to its last token, and the next one would wait
        if programs:
            programs.close()
        with suppress(EngineError):
            sampling.close(keep=resumable)
            if resident and resident.sequence is not None:
                model.engine.abort(resident.sequence)
    return resumable


def _begun(unfinished: Unfinished, resident: Ended | None, prompt: list[int], model: Model) -> list[int]:
    """The tokens of an unfinished reply: those that were drawn, if they are known still."""
    if resident and resident.tokens[: len(prompt)] == tuple(prompt):
        drawn = resident.trajectory
        if (drawn.reasoning, drawn.text) == (unfinished.reasoning, unfinished.text):
            return list(resident.tokens[len(prompt) :])
    text = joined(unfinished.reasoning, unfinished.text, opened=model.opens_reasoning(prompt), tags=model.tags)
    return model.backend.tokenize(text, special=False)


def without_trajectory(problem: str, model: str, status: Status, error: str | None = None) -> Solution:
    """The Solution of a run that never began."""
    return Solution(problem, status, ModelIdentity(model), Usage(0, 0, 0.0), error=error)
