"""A Solver as a program uses it: runs that are left early, two at once, and what it refuses."""

from collections.abc import Callable, Generator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.solving.coder import GOOD, PROBLEM, Coder, Native
from tests.solving.speaker import Speaker, script
from tests.solving.thinker import loaded
from vibethinker_local import sandbox
from vibethinker_local.engine.engine import Engine
from vibethinker_local.events import Control, Options, SolveEvent, Wrote
from vibethinker_local.models.installed import Chosen, ModelSpec
from vibethinker_local.runtime.model import Model
from vibethinker_local.solving import single

Events = Generator[SolveEvent, None, object]


def breaks(events: Events) -> None:
    for event in events:
        if isinstance(event, Wrote):
            break


def closes(events: Events) -> None:
    with closing(events):
        next(event for event in events if isinstance(event, Wrote))


def is_interrupted(events: Events) -> None:
    next(event for event in events if isinstance(event, Wrote))
    with suppress(KeyboardInterrupt):
        events.throw(KeyboardInterrupt())


@pytest.mark.parametrize("leaves", [breaks, closes, is_interrupted])
def test_a_solution_that_is_left_early_goes_on_nowhere(leaves: Callable[[Events], None]) -> None:
    spec = ModelSpec(about="scripted", stops=("<stop>",))
    speaker = Speaker(script(b"<think>" + b"hm, " * 500))
    model = Model(Chosen("scripted", spec, Path("scripted.gguf")), Engine(speaker))
    leaves(single.solve("p", model, Options(1), Control()))
    model.engine.step()  # the end of what was aborted
    assert (model.engine.busy, model.engine.cells_used) == (False, 0)


def test_a_program_that_is_left_early_leaves_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    native = Native()
    monkeypatch.setattr(sandbox, "open", lambda: native)
    closes(single.solve(PROBLEM, loaded(Coder({GOOD: 1})), Options(1, max_tokens=400), Control()))
    assert native.closed
