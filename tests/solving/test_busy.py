"""Where other programs keep cores busy, whoever follows a run hears how many threads are left."""

import pytest

from vibethinker_local import Options, Solver
from vibethinker_local.engine import ThreadCount
from vibethinker_local.engine.process import EngineProcess
from vibethinker_local.solving.follow import RunState


@pytest.mark.parametrize("reliable", [False, True])
def test_a_busy_machine_is_told_until_it_is_idle_again(reliable: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([ThreadCount(4, 4), ThreadCount(3, 4), ThreadCount(3, 4), ThreadCount(1, 4)])
    threads = property(lambda self: next(counts, ThreadCount(4, 4)), lambda self, value: None)
    monkeypatch.setattr(EngineProcess, "threads", threads, raising=False)
    run, told = RunState(), [""]
    with Solver("mini", Options(1)) as solver:
        plan = solver.plan(samples=2, stopping=False) if reliable else None
        for event in solver.stream("What is 17 + 25?", seed=1, plan=plan):
            run.apply(event)
            if run.busy != told[-1]:
                told.append(run.busy)
    assert run.solution
    assert run.solution.answer is not None
    assert told[-2:] == ["1 of 4 threads: the machine is busy", ""]
