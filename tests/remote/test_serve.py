"""Our own server as the engine elsewhere: the same model there and here."""

from pathlib import Path

import pytest

from vibethinker_local.events import Options
from vibethinker_local.solving.solver import Solver

pytest.importorskip("uvicorn")
PROBLEM = "Tom has 12 apples. Ann has 5 more apples than Tom. How many has Ann?"


def test_our_own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.serve.helpers import serving

    monkeypatch.setenv("VIBE_HOME", str(tmp_path))
    monkeypatch.setenv("VIBE_ENGINE_KEY", "secret")
    with serving("secret") as served, Solver(f"http://127.0.0.1:{served.port}#mini", Options(7)) as there:
        able = there.chosen.servers[0].abilities  # type: ignore[union-attr]
        assert (able.continues, able.logprobs, able.samples, able.sampler) == ("flags", False, True, True)
        one = there.solve(PROBLEM, seed=7)
        plan = there.plan("quick", mode="clr", samples=6, verdicts="score", stopping=False)
        voted = there.solve(PROBLEM, seed=7, plan=plan)
    with Solver("mini", Options(7)) as here:
        assert here.spec == there.spec
        alone = here.solve(PROBLEM, seed=7)
    assert (one.answer, one.trajectories[0].reasoning) == (alone.answer, alone.trajectories[0].reasoning)
    assert voted.answer == "17"
    assert len(voted.trajectories) == 6
