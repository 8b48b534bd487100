"""How sure the model was, token by token, folded into what a trajectory keeps."""

import json
import math
from dataclasses import asdict

import pytest

from vibethinker_local.engine import SequenceId, StepOutput
from vibethinker_local.events import Signals
from vibethinker_local.solving import signals
from vibethinker_local.solving.signals import SignalTrace


def folded(confidences: list[float]) -> Signals:
    trace = SignalTrace()
    for value in confidences:
        trace.add(StepOutput(SequenceId(0), 1, "a", -1.0, value, value / 2))
    found = trace.folded()
    assert found
    return found


def test_a_mean_for_each_of_twenty_equal_parts_in_order() -> None:
    found = folded([float(n) for n in range(100)])
    assert found.confidence == tuple(2.0 + 5 * part for part in range(20))
    assert found.certainty == tuple(value / 2 for value in found.confidence)
    assert found.logprob == (-1.0,) * 20


@pytest.mark.parametrize("count", [1, 2, 19, 20, 21, 39, 150])
def test_parts_hold_every_token_once(count: int) -> None:
    found = folded([float(n) for n in range(count)])
    assert len(found.confidence) == min(20, count)
    assert list(found.confidence) == sorted(found.confidence)
    assert found.window <= count


def test_the_lowest_window_is_found_wherever_it_lies() -> None:
    values = [9.0] * 300
    values[211 : 211 + 37] = [1.0] * 37
    found = folded(values)
    assert (found.window, found.lowest, found.tail) == (37, 1.0, 9.0)
    assert folded([*values[::-1], *[2.0] * 50]).tail == 2.0


def test_windows_of_long_reasoning_are_those_of_the_paper() -> None:
    assert folded([1.0] * 20_000).window == 2048


def test_forced_tokens_count_for_nothing() -> None:
    trace = SignalTrace()
    assert trace.folded() is None
    trace.add(StepOutput(SequenceId(0), 7, "forced"))
    assert (trace.folded(), trace.mean_logprob) == (None, None)


def test_an_engine_that_does_not_tell_leaves_no_signals() -> None:
    trace = SignalTrace()
    trace.add(StepOutput(SequenceId(0), 7, "a", -0.5))
    assert (trace.folded(), trace.mean_logprob) == (None, -0.5)


def test_signals_are_read_as_they_were_written() -> None:
    found = folded([0.1, math.inf, 3.0])  # infinite: its rivals are impossible
    assert signals.read(json.loads(json.dumps(asdict(found), allow_nan=False))) == found
    assert signals.read(None) is None


@pytest.mark.parametrize(
    "damage",
    [{"logprob": []}, {"tail": "high"}, {"tail": math.nan}, {"window": 1.5}, {"confidence": [True]}, {"more": 1}],
)
def test_damaged_signals_are_none_of_ours(damage: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        signals.read(asdict(folded([1.0, 2.0])) | damage)
