"""An engine run to its end, and what came out of it."""

from collections import defaultdict

from tests.fakes import EOS
from vibethinker_local.engine import SamplingParams, SequenceId, StepOutput
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
    return outputs


def tokens(outputs: list[StepOutput]) -> list[int | None]:
    return [output.token for output in outputs]


def text(outputs: list[StepOutput]) -> str:
    return "".join(output.text for output in outputs)
