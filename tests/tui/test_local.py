"""The model behind the chat: the bundled one, taken for a large one where that makes a difference."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from vibethinker_local.errors import EngineError, ModelError, UsageError
from vibethinker_local.events import (
    Control,
    Finished,
    Notice,
    Options,
    Sampled,
    Solution,
    SolveEvent,
    Started,
    Wrote,
)
from vibethinker_local.models import checksums, installed, results
from vibethinker_local.runtime.model import Model
from vibethinker_local.solving import calibration, forecast
from vibethinker_local.system import awake, paths
from vibethinker_local.tui.local import LoadedModel
from vibethinker_local.tui.solver import ChatRequest, Larger

QUESTION = (paths.PACKAGE / "mini" / "example.txt").read_text(encoding="utf-8")
VOTE = ChatRequest(QUESTION, 7, reliable=True)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path))
    monkeypatch.setattr(awake, "on_battery", lambda: "on battery, 57% left")
    monkeypatch.setattr(forecast, "SECONDS", 0.1)
    return tmp_path


@pytest.fixture
def kept_awake(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """When the machine was kept awake, and no longer."""
    seen = list[str]()

    @contextmanager
    def kept() -> Iterator[None]:
        seen.append("awake")
        yield
        seen.append("as before")

    monkeypatch.setattr(awake, "keep_awake", kept)
    return seen


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing passes for quick."""
    monkeypatch.setattr(forecast, "is_quick", lambda model: False)


def mini() -> "closing[LoadedModel]":
    return closing(LoadedModel("mini", Options(0)))


def bench(rate: float) -> None:
    """As if `vibe bench` had measured mini at so many tokens a second."""
    path = installed.choose("mini").path
    figure = {"low": rate, "high": rate, "tokens_per_second": rate}
    file = results.File(name="mini", file=path.name, bytes=path.stat().st_size, quant="Q8_0", parameters=1_100_000)
    prefill = (results.Prefill(tokens=512, **figure),)
    decode = tuple(
        results.Decode(
            sequences=count, depth=0, sampling_ms_per_token=0, low=rate, high=rate, tokens_per_second=rate * count
        )
        for count in (1, 4)
    )
    results.keep(results.Figures(measured="now", model=file, machine=results.here(1), prefill=prefill, decode=decode))


def said(events: list[SolveEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def solution(events: list[SolveEvent]) -> Solution:
    assert isinstance(events[-1], Finished)
    return events[-1].solution


def test_of_a_quick_model_nothing_is_said(kept_awake: list[str]) -> None:
    bench(1.0)
    with mini() as local:
        assert local.quote("standard") is None
        for request in (ChatRequest(QUESTION, 7), VOTE):
            events = list(local.solve(request, Control()))
            assert (solution(events).answer, said(events)) == ("17", [])
    assert kept_awake == []
    assert not list(paths.runs().iterdir())


@pytest.mark.usefixtures("large")
def test_a_long_run_is_quoted_from_figures(kept_awake: list[str]) -> None:
    bench(1.0)
    with mini() as local:
        cost = local.quote("standard")
        assert cost
        assert cost.startswith("Expect 8 solutions: about ")
        (alone,) = said(list(local.solve(ChatRequest(QUESTION, 7), Control())))
        assert alone.startswith("Expect a solution: about 2-")
        assert alone.endswith(" MB of memory, on battery, 57% left.")
        (vote,) = said(list(local.solve(VOTE, Control())))
        assert vote.startswith("Expect 8 solutions: about ")
        assert local.quote("quick") != local.quote("standard")  # which follow the lengths of these two runs
    assert kept_awake == ["awake", "as before"] * 2


@pytest.mark.usefixtures("large")
def test_without_figures_only_a_vote_is_worth_measuring_for_once() -> None:
    with mini() as local:
        assert local.quote("standard") is None
        assert said(list(local.solve(ChatRequest(QUESTION, 7), Control()))) == ["Running on battery, 57% left."]
        assert said(list(local.solve(VOTE, Control(stop=True)))) == [forecast.MEASURING]
        assert local.quote("standard") is None
        assert said(list(local.solve(VOTE, Control()))) == [forecast.MEASURING, ""]  # it is quick, as it turns out
        assert said(list(local.solve(VOTE, Control()))) == []


def test_a_vote_that_was_cut_off_goes_on() -> None:
    control = Control()
    with mini() as local:
        before = []
        for event in local.solve(VOTE, control):
            before.append(event)
            control.stop |= isinstance(event, Sampled)
        assert solution(before).status == "stopped"
        done = [event for event in before if isinstance(event, Sampled)]
        events = list(local.solve(replace(VOTE, seed=99), Control()))
    started, *rest = events
    assert isinstance(started, Started)
    assert started.seed == 7
    begun = [event.index for event in rest if isinstance(event, Wrote)]
    assert not {event.index for event in done} & set(begun), "what was finished is not drawn again"
    assert rest[0] == replace(done[0], clusters=rest[0].clusters)  # type: ignore[union-attr]
    assert not list(paths.runs().iterdir())


def test_a_calibration_is_used_where_the_model_is_weighed_by_one(home: Path) -> None:
    entry = '[models.mini]\nabout = "fitted"\nmode = "fitted"\nalone = true\ncontext = 2048\nprompts = 1\n'
    entry += "max_tokens = 1024\n"
    entry += '[[models.mini.files]]\nquant = "Q8_0"\npackage = "mini/mini.gguf"\n'
    (home / "config").mkdir()
    (home / "config" / "models.toml").write_text(f"schema = 1\n{entry}", encoding="utf-8")
    with mini() as local:
        with pytest.raises(UsageError, match="There is no calibration"):
            list(local.solve(VOTE, Control()))
        digest = checksums.sha256(installed.choose("mini").path)
        calibration.keep(calibration.Kept(digest, 1, 8, 5, 0.0, 1.0, (), 10))
        assert solution(list(local.solve(VOTE, Control()))).mode == "fitted"


def test_where_there_is_no_room_for_a_vote_single_answers_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with mini() as local:
        load = local._solver._load

        def full(places: int):  # type: ignore[no-untyped-def]
            if places > 1:
                raise ModelError("The model does not fit into memory.")
            return load(places)

        monkeypatch.setattr(local._solver, "_load", full)
        with pytest.raises(ModelError):
            list(local.solve(VOTE, Control()))
        assert local.count("17 + 25")  # by the model that is there again
        assert solution(list(local.solve(ChatRequest(QUESTION, 7), Control()))).answer == "17"


def test_while_it_is_loaded_again_for_a_vote_it_is_loaded_once_and_nobody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with mini() as local:
        load, loaded = local._solver._load, list[int]()

        def watched(places: int) -> Model:
            loaded.append(places)
            assert (local.identity.name, local.context, local.notices) == ("mini", 2048, ())
            assert local.quote("standard") is None
            with pytest.raises(EngineError):
                local.count("17 + 25")
            return load(places)

        monkeypatch.setattr(local._solver, "_load", watched)
        assert solution(list(local.solve(VOTE, Control()))).answer == "17"
        assert local.count("17 + 25")
        assert len(loaded) == 1


@pytest.mark.usefixtures("large")
def test_what_there_is_less_of_for_a_vote_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    bench(1.0)
    with mini() as local:
        load = local._solver._load
        notice = "1,024 tokens of context for each of 4 Sequences: 2,048 do not fit."
        monkeypatch.setattr(local._solver, "_load", lambda places: replace(load(places), notices=(notice,)))
        (text,) = said(list(local.solve(VOTE, Control())))
        assert text.startswith(f"{notice} Expect 8 solutions: about ")


@pytest.mark.parametrize(
    ("larger", "end"),
    [
        (None, "do not rely on the answer"),
        (
            Larger("vibethinker-3b", "Q8_0", "", 3_000_000_000, 8192),
            "do not rely on the answer; `vibe pull vibethinker-3b:Q8_0` fetches a larger model",
        ),
    ],
)
def test_what_the_bundled_model_cannot_read_is_said(larger: Larger | None, end: str) -> None:
    with mini() as local:
        local.start = replace(local.start, larger=larger)
        assert local.doubt("Integrate x^2.").endswith(f"this is not one: {end}")
        assert local.doubt(QUESTION) == ""


def test_how_long_it_thinks() -> None:
    with mini() as local:
        for think in (None, 0):
            *_, last = local.solve(ChatRequest(QUESTION, 10, think=think), Control())
            assert isinstance(last, Finished)
            assert bool(last.solution.trajectories[0].reasoning) == (think is None)
