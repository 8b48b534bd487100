"""Claims and verdicts: the protocol alone, and that `solve -r` and `vibe eval run` follow the same one."""

from contextlib import closing
from typing import cast

import pytest

from tests.solving.thinker import TURNED, Thinker, loaded
from vibethinker_local.engine import StepOutput
from vibethinker_local.eval import run as running
from vibethinker_local.eval.bank import Entry
from vibethinker_local.eval.problems import Problem
from vibethinker_local.events import Claimed, Control, Finished, Judged, Options, Solution
from vibethinker_local.mini import problems as drawing
from vibethinker_local.models import installed
from vibethinker_local.reliability.plan import Plan
from vibethinker_local.reliability.yardstick import Yardstick
from vibethinker_local.runtime.model import Model, load
from vibethinker_local.solving import reliable
from vibethinker_local.solving.claims import ENOUGH, Checks, Claims
from vibethinker_local.solving.sampling import Budget, Ended, Sampling

pytestmark = pytest.mark.usefixtures("nothing_symbolic")
TOLERANCE = 0.02  # of a probability
PLAN = Plan("clr", samples=4, claims=3, tokens=1000, think_tokens=0, stopping=False)


@pytest.fixture(scope="module")
def mini() -> Model:
    """One Sequence at a time: what is computed together changes the last bits, and so, now and then, a token."""
    return load(installed.choose("mini"), Options(0, context=1024), threads=1, places=1)


def in_a_pass(model: Model, problem: str, seed: int) -> Solution:
    *_, last = reliable.solve(problem, model, Options(seed), Control(), PLAN)
    return cast(Finished, last).solution


def in_a_bank(model: Model, problem: str, seed: int) -> list[Entry]:
    jobs = [running.SampleJob(Problem("p", problem, "0"), index, seed + index) for index in range(PLAN.samples)]
    events = running.fill(model, jobs, Options(seed), PLAN.claims)
    return sorted((event for event in events if isinstance(event, Entry)), key=lambda entry: entry.index)


def test_a_pass_and_a_bank_hold_the_same_claims_and_verdicts(mini: Model) -> None:
    contested = 0
    for problem in drawing.problems(4, 5, "test"):
        solution = in_a_pass(mini, problem.text, 40)
        entries = in_a_bank(mini, problem.text, 40)
        assert [t.text for t in solution.trajectories] == [entry.text for entry in entries]
        if not any(t.claims for t in solution.trajectories):
            continue  # all agree, and nothing was asked
        contested += 1
        measured = Yardstick(entries[0].known)
        threshold = measured.stands_from
        for trajectory, entry in zip(solution.trajectories, entries, strict=True):
            if trajectory.answer is None:
                continue
            banked_claims = entry.extracted if len(entry.extracted) >= ENOUGH else entry.claims
            banked_claims = tuple(claim for claim in banked_claims if not claim.dropped)
            assert [claim.text for claim in trajectory.claims] == [claim.text for claim in banked_claims]
            for claim, kept in zip(trajectory.claims, banked_claims, strict=True):
                banked = kept.verdict(threshold)
                assert claim.verdict
                assert banked
                assert claim.verdict.method == banked.method
                if banked.p is None:
                    assert claim.verdict == banked
                else:  # kernels differ with the shape of a batch
                    assert claim.verdict.p == pytest.approx(banked.p, abs=TOLERANCE)
                    unsure = threshold is None or abs(banked.p - threshold) < TOLERANCE
                    assert unsure or claim.verdict.ruling == banked.ruling
    assert contested >= 2


def outputs(model: Model) -> list[StepOutput]:
    return model.engine.step()


def ended(model: Model, count: int) -> list[Ended]:
    options, prompt = Options(7, max_tokens=200), model.encode("p")
    sampling = Sampling(model, options, prompt, Budget.of(200, model, len(prompt), 300))
    for index in range(count):
        sampling.start(index, 7 + index)
    while sampling.running:
        list(sampling.take(outputs(model)))
    return sampling.finished


def test_a_claim_is_asked_about_once_however_it_is_spelled() -> None:
    model = loaded(Thinker({"9": 1}, {"9": ["a = Good", "a  = good.", "b = good"]}))
    with closing(Claims("p", model, Options(7), 3, Checks())) as claims:
        for each in ended(model, 3):
            claims.state(each)
        events = []
        while claims.running:
            events += list(claims.take(outputs(model)))
        assert [len(claims.judged(index)) for index in (0, 1, 2)] == [2, 2, 2], "one of them says the same twice"
        assert all(claims.done(index) for index in (0, 1, 2))
        scores = claims.tokens - sum(claims.of(index).claim_tokens for index in (0, 1, 2))
        assert scores == 2 + len(claims.yardstick.known), "two different claims, and what they are measured by"
        assert sum(isinstance(event, Claimed) for event in events) == 3
        assert sum(isinstance(event, Judged) for event in events) == 6


def test_closing_in_the_middle_gives_everything_back() -> None:
    model = loaded(Thinker({"9": 0.6, "4": 0.4}, TURNED))
    finished = ended(model, 4)
    claims = Claims("p", model, Options(7), 3, Checks())
    for each in finished:
        claims.state(each)
    for _ in range(5):
        list(claims.take(outputs(model)))
    claims.close()
    for each in finished:
        assert each.sequence is not None
        model.engine.abort(each.sequence)
    model.engine.step()
    assert model.engine.cells_used == 0
    assert not model.engine.busy
