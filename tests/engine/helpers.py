"""An engine run to its end, and what came out of it."""

from collections import defaultdict
from typing import Any

from tests.fakes import EOS, ScriptedBackend
from vibethinker_local.engine import SamplingParams, SequenceId, StepOutput
from vibethinker_local.engine.engine import Engine
from vibethinker_local.engine.scheduler import SAVED_SHARE
from vibethinker_local.engine.sequence import SequenceState
from vibethinker_local.runtime.model import AnyEngine


def params(seed: int = 1, **other: object) -> SamplingParams:
    """20 tokens at most, up to the scripted backend's end token."""
    given = {"seed": seed, "max_tokens": 20, "stop_ids": frozenset({EOS})} | other
    return SamplingParams(**given)  # type: ignore[arg-type]


def run(engine: AnyEngine) -> dict[SequenceId, list[StepOutput]]:
    """Step until nothing runs any more."""
    outputs: dict[SequenceId, list[StepOutput]] = defaultdict(list)
    while engine.busy:
        for output in engine.step():
            outputs[output.sequence].append(output)
        if isinstance(engine, Engine):
            check_places(engine)
    return outputs


def check_places(engine: Engine[Any]) -> None:
    """Each Sequence holds its own tokens, in one place or saved, and nothing else is held."""
    scheduler, backend = engine._scheduler, engine.backend
    groups = {
        SequenceState.WAITING: scheduler.waiting,
        SequenceState.RUNNING: scheduler.running,
        SequenceState.ENDED: scheduler.ended.values(),
        SequenceState.CACHED: scheduler.cached_prompts.values(),
    }
    everyone = [each for group in groups.values() for each in group]
    assert all(each.state is state for state, group in groups.items() for each in group)
    placed = [each for each in everyone if each.place is not None]
    assert engine._kv._lengths == {each.place: each.computed for each in placed}
    assert len(engine._kv._lengths) == len(placed)
    assert not any(each.saved or each.parent for each in placed)
    assert all(each.computed <= each.saved_length for each in everyone if each.place is None)
    assert sum(each.saved_length for each in everyone) <= SAVED_SHARE * backend.cells
    if isinstance(backend, ScriptedBackend):
        held = {place: tokens for place, tokens in backend.held.items() if tokens}
        assert held == {each.place: each.tokens[: each.computed] for each in placed if each.computed}


def tokens(outputs: list[StepOutput]) -> list[int | None]:
    return [output.token for output in outputs]


def text(outputs: list[StepOutput]) -> str:
    return "".join(output.text for output in outputs)
