"""Quotes and times left: against many drawn runs, and how they come to the truth as a run goes on."""

import itertools
import math
import random
import statistics
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vibethinker_local.engine import SequenceId, StepOutput
from vibethinker_local.events import Control, ModelIdentity, Options, Sampled, Started, Trajectory, Wrote
from vibethinker_local.models import installed, results
from vibethinker_local.reliability.plan import Plan, make
from vibethinker_local.runtime.model import Model, load
from vibethinker_local.solving import forecast
from vibethinker_local.solving.quote import Countdown, Eta, Lengths, Quote, Rates, Work, quote, span
from vibethinker_local.system import awake, machine
from vibethinker_local.system.progress import Progress
from vibethinker_local.system.units import Pace, duration, left

TYPICAL = Lengths.typical(10_000, 20_000)
RATES = Rates(100.0, lambda sequences: 15.0 * sequences**0.3)
GIB = 2**30


def drawn(rng: random.Random, lengths: Lengths = TYPICAL) -> int:
    return round(math.exp(rng.gauss(lengths.mean, lengths.deviation)))


def work(samples: int = 1, at_once: int = 1, most: int = 40_000) -> Work:
    return Work(200, TYPICAL, most, samples, at_once)


def test_the_quartiles_are_what_they_were_made_from() -> None:
    assert TYPICAL.total(1, 10**6, -1) == pytest.approx(10_000, rel=1e-3)
    assert TYPICAL.total(1, 10**6, 1) == pytest.approx(20_000, rel=1e-3)
    rng = random.Random(1)
    tokens = sorted(drawn(rng) for _ in range(4000))
    assert tokens[1000] == pytest.approx(10_000, rel=0.05)


@pytest.mark.parametrize("samples", [1, 4, 8, 16])
def test_most_runs_end_about_when_they_were_said_to(samples: int) -> None:
    """Within a factor of 1.5 of the range: at least 8 of 10 runs, whatever their number of solutions."""
    rng, within = random.Random(2), 0
    found = quote(work(samples, samples), RATES, GIB)
    for _ in range(500):
        tokens = sum(min(40_000, drawn(rng)) for _ in range(samples))
        seconds = 2 + tokens / RATES.decode(samples)
        within += found.low / 1.5 <= seconds <= found.high * 1.5
    assert within / 500 >= 0.8


def test_a_quote_as_it_is_read() -> None:
    assert str(Quote(8, 360, 840, 3_900_000_000)) == "8 solutions: about 6-14 min, 3.9 GB of memory"
    assert str(Quote(1, 40, 70, 1_200_000_000)) == "a solution: about 40-70 s, 1.2 GB of memory"
    assert span(40, 600) == "40 s to 10 min"
    assert span(3600, 9000) == "60 min to 2.5 h"
    assert span(60.1, 60.2) == "60 s"
    assert (duration(0.2), duration(89), duration(100), left(7200)) == ("1 s", "89 s", "2 min", "about 2.0 h left")


def test_a_vote_that_may_be_decided_early_lowers_only_the_low_end() -> None:
    full = quote(work(8, 8), RATES, GIB)
    early = quote(Work(200, TYPICAL, 40_000, 8, 8, stopping=True), RATES, GIB)
    assert early.low < full.low
    assert early.high == full.high
    checked = quote(Work(200, TYPICAL, 40_000, 8, 8, stopping=True, after=256), RATES, GIB)
    assert checked.high > early.high


def test_what_is_deep_takes_longer() -> None:
    flat, deep = RATES, Rates(RATES.prefill, RATES.decode, deeper=1e-5)
    assert deep.at(4, 0) == pytest.approx(flat.decode(4))
    assert 1 / deep.at(4, 10_000) == pytest.approx(1 / flat.decode(4) + 0.1)
    assert quote(work(), deep, GIB).high > quote(work(), flat, GIB).high


@settings(deadline=None)
@given(st.integers(1, 10**5), st.integers(1, 10**5), st.integers(1, 64), st.integers(1, 10**5), st.floats(0.01, 10**4))
@example(low=1, more=39_330, samples=1, most=6, rate=1.0)
def test_a_quote_is_a_range(low: int, more: int, samples: int, most: int, rate: float) -> None:
    lengths = Lengths.typical(low, low + more)
    found = quote(Work(10, lengths, most, samples, samples, stopping=True), Rates(50, lambda _: rate), GIB)
    assert 0 < found.low <= found.high <= 0.2 + samples * most / rate * 1.001
    for written in (0, most // 2, most - 1):
        assert 0 <= lengths.left(written, most) <= most - written + 1


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def started(samples: int = 1, most: int = 40_000) -> Started:
    return Started(ModelIdentity("m"), 1, 200, most, 65_536, samples, typical=(10_000, 20_000))


def sampled(index: int, tokens: int) -> Sampled:
    return Sampled(index, Trajectory(1, tokens, "stop", "4", "", "", None), ())


def test_the_time_left_comes_to_the_truth() -> None:
    """One solution of 15,000 tokens at 20 tok/s."""
    clock = Clock()
    eta = Eta(clock)
    assert eta.seconds() is None
    eta.see(started())
    ratios, ending = [], []
    for tokens in range(100, 15_001, 100):
        clock.now += 5.0
        eta.see(Wrote("x", tokens < 14_700, tokens))
        found, truth = eta.seconds(), (15_000 - tokens) / 20
        if 300 <= tokens < 12_000:
            assert found is not None
            ratios.append(found / truth)
        elif tokens >= 14_700:
            assert found is not None
            ending.append(found)
    assert 1 / 1.5 < statistics.median(ratios) < 1.5
    assert min(ratios) > 1 / 3
    assert max(ratios) < 3
    assert max(ending) <= 200 / 20 + 1, "once it answers, the end is near"


def test_the_time_left_of_a_pass_comes_to_the_truth() -> None:
    clock, rng = Clock(), random.Random(3)
    eta, lengths = Eta(clock), [min(40_000, drawn(rng)) for _ in range(8)]
    eta.see(started(8))
    shares = []
    written = dict.fromkeys(range(8), 0)
    total = sum(lengths)
    while written:
        clock.now += 1.0
        step = 200 // len(written)
        for index in list(written):
            written[index] += step
            eta.see(Wrote("x", True, written[index], index=index))
            if written[index] >= lengths[index]:
                eta.see(sampled(index, lengths[index]))
                del written[index]
        done = sum(lengths) - sum(lengths[index] - tokens for index, tokens in written.items())
        if written and (found := eta.seconds()):
            shares.append((done / total, found / ((total - done) / 200)))
    middle = [ratio for share, ratio in shares if 0.3 < share < 0.7]
    assert 1 / 1.7 < statistics.median(middle) < 1.7
    assert eta.seconds() == 0


def test_a_solution_far_beyond_the_typical_still_has_an_end() -> None:
    lengths = Lengths.typical(60, 80)
    assert 0 < lengths.left(900, 1000) <= 100
    assert lengths.left(1000, 1000) == 0
    assert lengths.learned([900] * 20).left(0, 1000) > 5 * lengths.left(0, 1000)


def announced(model: Model, plan: Plan | None, control: Control | None = None) -> list[str]:
    prompt = len(model.encode("What is 3 + 4?"))
    events = forecast.announce(
        model, Options(1), control or Control(), prompt, plan, forecast.known(model), measure=True
    )
    return [event.text for event in events]


class Learning:
    """An engine that computes a prompt, then tries some batches, and goes on with the best."""

    busy, stepped_at, context = True, 0.0, 4096

    def __init__(self) -> None:
        self.engine, self.taken = self, iter([5.0, 0.4, 0.2, 0.3, 0.4, 0.2, 0.3, 0.4, 0.2, 0.1, 0.1, 0.1, 0.1])
        self.added: list[int] = []

    def add(self, *_: object, **__: object) -> int:
        self.added.append(len(self.added))
        return self.added[-1]

    def step(self) -> list[StepOutput]:
        self.stepped_at += next(self.taken)
        return [StepOutput(SequenceId(name), 7, "x") for name in self.added]

    def abort(self, name: int) -> None:
        self.added.remove(name)


def test_what_an_engine_tries_first_says_little_of_its_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "SECONDS", 0.0)
    monkeypatch.setattr(forecast, "TOKENS", 12)
    learning = Learning()
    assert forecast._decode(learning, Control(), [1], SequenceId(0), 4) == pytest.approx(40)  # type: ignore[arg-type]
    assert learning.added == []


class Elsewhere(Learning):
    """An engine of another process, asked several times while it computes a step."""

    asked = 0

    def step(self) -> list[StepOutput]:
        self.asked += 1
        self.busy = self.asked < 600
        time.sleep(0.01)
        if self.asked % 3:
            return []
        self.stepped_at += 0.03
        return [StepOutput(SequenceId(name), 7, "x") for name in self.added]


def test_a_slow_step_does_not_begin_the_calibration_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "SECONDS", 0.2)
    elsewhere = Elsewhere()
    assert forecast._decode(elsewhere, Control(), [1], SequenceId(0), 1) == pytest.approx(1 / 0.03)  # type: ignore[arg-type]
    assert elsewhere.asked < 100, "a fifth of a second, and not until all tokens are there"


def test_a_calibration_measures_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path))
    monkeypatch.setattr(forecast, "SECONDS", 0.2)
    monkeypatch.setattr(forecast, "LONG", float("inf"))  # however busy the machine is
    model = load(installed.choose("mini"), Options(1), threads=1, places=4)
    try:
        before = model.engine.cells_used
        rates = forecast.calibrate(model, Control())
        assert rates.prefill > 100
        assert rates.decode(1) > 10
        assert rates.decode(4) > 10
        assert rates.decode(9) == rates.decode(4)
        while model.engine.busy:
            model.engine.step()
        assert model.engine.cells_used == before
        plan = make("majority", "quick")
        assert announced(model, plan) == [], "what was tried is remembered"
        again = forecast.known(model)
        assert again
        assert (again.prefill, again.decode(1), again.decode(3)) == (rates.prefill, rates.decode(1), rates.decode(3))
        monkeypatch.setenv("VIBE_HOME", str(tmp_path / "new"))
        assert announced(model, plan) == [forecast.MEASURING, ""], "a run of seconds is not announced"
        monkeypatch.setenv("VIBE_HOME", str(tmp_path / "stopped"))
        began = time.perf_counter()
        monkeypatch.setattr(forecast, "SECONDS", 60.0)
        assert announced(model, plan, Control(stop=True)) == [forecast.MEASURING]
        assert announced(model, plan, Control(answer_now=True)) == [forecast.MEASURING, ""]
        assert time.perf_counter() - began < 30, "it was told to stop"
        assert forecast.known(model) is None, "what was cut short is not remembered"
    finally:
        model.engine.close()


def test_figures_are_taken_where_there_are_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model so slow that a solution takes minutes: it is said, with the memory and the battery."""
    monkeypatch.setenv("VIBE_HOME", str(tmp_path))
    monkeypatch.setattr(awake, "on_battery", lambda: "on battery, 57% left")
    chosen = installed.choose("mini")
    slow = {"low": 1, "high": 1, "tokens_per_second": 1.0}
    file = results.File(
        name="mini", file="mini.gguf", bytes=chosen.path.stat().st_size, quant="Q8_0", parameters=1_100_000
    )
    results.keep(
        results.Figures(
            measured="now",
            model=file,
            machine=results.here(1),
            prefill=(results.Prefill(tokens=512, **slow),),
            decode=(results.Decode(sequences=1, depth=0, sampling_ms_per_token=0, **slow),),
        )
    )
    model = load(chosen, Options(1), threads=machine.threads())
    try:
        (said,) = announced(model, None)
    finally:
        model.engine.close()
    assert said.startswith("Expect a solution: about 2-")
    assert said.endswith(" MB of memory, on battery, 57% left.")


def test_a_pace_as_it_is_read() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.line(Progress("fetching m.gguf", 0, 2 * 10**9)) == "fetching m.gguf · 0% of 2 GB"
    clock.now += 5
    line = pace.line(Progress("fetching m.gguf", 10**8, 2 * 10**9))
    assert line == "fetching m.gguf · 5% of 2 GB · 20 MB/s · about 2 min left"
    assert pace.line(Progress("checking m.gguf", 10**8, 2 * 10**9)) == "checking m.gguf · 5% of 2 GB"
    assert pace.line(Progress("writing m.gguf", 0, 0)) == "writing m.gguf"
    assert pace.line(Progress("measuring", 512, 2048, "tokens")) == "measuring · 25% of 2,048 tokens"


def test_the_time_left_that_is_shown_does_not_jump() -> None:
    clock = Clock()
    countdown, shown = Countdown(clock), list[float]()
    for estimate in [None, *[20.0] * 5, *[300.0] * 60, *[48.0] * 30, 180.0, 62.0]:
        clock.now += 1
        countdown.see(estimate)
        shown += [countdown.left] if countdown.left else []
    assert shown[0] == 20
    steps = [after / before for before, after in itertools.pairwise(shown)]
    assert max(steps[6:]) < 1.6
    assert min(steps) > 0.8
    assert shown[64] > 200  # what it came to believe


def test_a_time_left_that_is_right_runs_with_the_clock() -> None:
    clock = Clock()
    countdown = Countdown(clock)
    for second in range(100):
        countdown.see(120.0 - second + (second % 7 - 3))
        assert countdown.left == pytest.approx(120 - second, abs=4)
        clock.now += 1
