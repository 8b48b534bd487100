"""The reliability pass that is interrupted, fails, or is killed: what was finished counts, and is gone on with."""

import errno
import gc
import os
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.solving.thinker import CLR, THREE, TURNED, Thinker, loaded, run
from vibethinker_local.errors import EngineDied
from vibethinker_local.events import (
    Claimed,
    Contested,
    Control,
    Exchange,
    Finished,
    Judged,
    Options,
    Sampled,
    Solution,
    SolveEvent,
    Wrote,
)
from vibethinker_local.reliability.plan import make
from vibethinker_local.runtime.model import Model
from vibethinker_local.solving import journal, reliable

pytestmark = pytest.mark.usefixtures("nothing_symbolic")


@pytest.mark.parametrize("kind", [Wrote, Sampled, Contested, Claimed, Judged])
@pytest.mark.parametrize("what", ["answer_now", "stop"])
def test_interrupted_in_every_state(kind: type[SolveEvent], what: str) -> None:
    control = Control()

    def press(event: SolveEvent) -> None:
        if isinstance(event, kind):
            setattr(control, what, True)

    found, events = run(Thinker({"9": 0.6, "4": 0.4}, TURNED), THREE, control=control, watch=press)
    first = next(at for at, event in enumerate(events) if isinstance(event, kind))
    assert len(events) - first < 200, "it came to an end soon"
    assert found.status == ("stopped" if what == "stop" else "answered")
    if kind is not Wrote:
        assert found.answer in ("9", "4"), "what was there is given"
    elif what == "answer_now":
        assert found.answer is not None


def test_an_engine_that_fails_in_any_state_keeps_what_was_finished() -> None:
    answered = 0
    for after in range(0, 160, 7):
        backend = Thinker({"9": 0.6, "4": 0.4}, TURNED, fails_after=after)
        found, events = run(backend, THREE)
        finished = [event for event in events if isinstance(event, Sampled)]
        whole = [t for t in found.trajectories if t.finish != "aborted"]
        assert len(whole) == len(finished)
        assert found.status in ("failed", "answered")
        assert (found.status == "failed") == (found.error == "the engine has died")
        assert found.report
        assert found.report.decision in (("failed", "all") if found.error else ("all",))
        if finished:
            assert found.answer in ("9", "4")
            answered += found.status == "failed"
        elif found.error:
            assert found.report.decision == "failed"
    assert answered > 4, "it failed late, too"


def test_a_run_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    control = Control()
    sampled: list[Sampled] = []

    def stop_after_three(event: SolveEvent) -> None:
        if isinstance(event, Sampled):
            sampled.append(event)
            control.stop = len(sampled) >= 3

    plan = make("majority", "standard", samples=8, stopping=False)
    kept = journal.begin(tmp_path, "key", 1)
    first, _ = run(Thinker({"9": 0.6, "4": 0.4}), plan, control=control, watch=stop_after_three, journal=kept)
    assert first.status == "stopped"
    assert first.report
    assert first.report.decision == "stopped"
    found = journal.cut_off(tmp_path, "key")
    assert found
    seed, entries = found
    assert seed == 1
    assert len(entries) >= 3
    whole, _ = run(Thinker({"9": 0.6, "4": 0.4}), plan)
    resumed, events = run(Thinker({"9": 0.6, "4": 0.4}), plan, resumed=entries)
    assert sum(isinstance(event, Wrote) and event.tokens == 1 for event in events) <= 8 - len(entries)
    assert [t.answer for t in resumed.trajectories] == [t.answer for t in whole.trajectories]
    assert [t.text for t in resumed.trajectories] == [t.text for t in whole.trajectories]


def test_the_rate_of_a_run_that_goes_on_is_of_its_own_tokens() -> None:
    plan = make("majority", "standard", samples=8, stopping=False)
    whole, _ = run(Thinker({"9": 1}), plan)
    entries = [journal.JournalEntry(index, each, ()) for index, each in enumerate(whole.trajectories[:7])]
    usage = run(Thinker({"9": 1}), plan, resumed=entries)[0].usage
    assert usage.solve_tokens == whole.usage.solve_tokens
    own = whole.trajectories[7].tokens
    assert usage.tokens_per_second == pytest.approx(own / usage.seconds)


def test_solutions_that_a_smaller_budget_cut_are_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path))
    told = list[str]()

    def begin(tokens: int, max_tokens: int | None = None, *, stop: bool = False) -> None:
        control, plan = Control(), replace(make("majority", "quick"), tokens=tokens)
        options, model = Options(2, max_tokens=max_tokens), loaded(Thinker({"9": 1}))
        for event in reliable.solve_journalled("p", model, options, control, plan, resume=not stop, say=told.append):
            control.stop |= stop and isinstance(event, Sampled)

    begin(200, stop=True)
    begin(400)
    assert "starting anew" in told.pop()
    begin(400, 200)  # as many as before, whatever says so
    assert "going on with seed 2" in told.pop()


def test_a_run_goes_on_only_after_what_was_said_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path))
    told, found = [Exchange("q", "a")], list[str]()

    def begin(earlier: Sequence[Exchange], *, resume: bool, stop: bool = False) -> None:
        control, model = Control(), loaded(Thinker({"9": 1}))
        model = replace(model, chosen=replace(model.chosen, spec=model.spec.model_copy(update={"alone": True})))
        options, plan = Options(2, max_tokens=400), make("majority", "quick")
        events = reliable.solve_journalled(
            "p", model, options, control, plan, resume=resume, say=found.append, earlier=earlier
        )
        for event in events:
            control.stop |= stop and isinstance(event, Sampled)

    begin(told, resume=False, stop=True)
    begin([], resume=True)
    begin(told, resume=True)
    assert "starting anew" in found[0]
    assert "going on with seed 2" in found[1]


def test_a_run_that_was_stopped_at_once_leaves_nothing_to_go_on_with(tmp_path: Path) -> None:
    run(Thinker({"9": 1}), CLR, control=Control(stop=True), journal=journal.begin(tmp_path, "key", 1))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [EngineDied, KeyboardInterrupt])
def test_an_error_before_the_first_step_leaves_no_journal(
    tmp_path: Path, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> list[int]:
        raise error

    kept = journal.begin(tmp_path, "key", 1)
    assert kept
    monkeypatch.setattr(Model, "encode_chat", fails)
    with pytest.raises(error):
        run(Thinker({"9": 1}), CLR, journal=kept)
    assert kept._file.closed
    assert not list(tmp_path.iterdir())


def test_seeds_begin_anew_after_the_last() -> None:
    options, plan = Options(seed=2**63 - 1, max_tokens=400), make("majority", "quick", samples=2)
    *_, last = reliable.solve("p", loaded(Thinker({"9": 1})), options, Control(), plan)
    assert isinstance(last, Finished)
    assert last.solution.seeds == (2**63 - 1, 0)


def test_a_run_that_nobody_follows_any_more_can_be_gone_on_with(tmp_path: Path) -> None:
    plan = make("majority", "standard", samples=8, stopping=False)
    options, kept = Options(seed=2, max_tokens=400), journal.begin(tmp_path, "key", 2)
    events = reliable.solve("p", loaded(Thinker({"9": 1})), options, Control(), plan, journal=kept)
    assert isinstance(events, Generator)
    for _ in range(3):
        next(event for event in events if isinstance(event, Sampled))
    events.close()
    found = journal.cut_off(tmp_path, "key")
    assert found
    assert len(found[1]) >= 3


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_run_that_breaks_off_can_be_gone_on_with(tmp_path: Path, error: type[BaseException]) -> None:
    sampled: list[Sampled] = []

    def breaks(event: SolveEvent) -> None:
        if isinstance(event, Sampled):
            sampled.append(event)
            if len(sampled) == 3:
                raise error

    plan, kept = make("majority", "standard", samples=8, stopping=False), journal.begin(tmp_path, "key", 2)
    with pytest.raises(error):
        run(Thinker({"9": 1}), plan, watch=breaks, journal=kept)
    gc.collect()  # the events that were not asked for any more
    found = journal.cut_off(tmp_path, "key")
    assert found
    assert len(found[1]) >= 3


def test_fewer_solutions_than_were_kept_are_the_first_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path))

    def begin(samples: int, *, resume: bool, stop: bool = False) -> Solution:
        control, model, plan = Control(), loaded(Thinker({"9": 1})), make("majority", "quick", samples=samples)
        plan, options = replace(plan, stopping=False), Options(2, max_tokens=400)
        for event in reliable.solve_journalled("p", model, options, control, plan, resume=resume):
            control.stop |= stop and isinstance(event, Sampled) and len(event.clusters[0].members) >= samples
        assert isinstance(event, Finished)
        return event.solution

    assert len(begin(8, resume=False, stop=True).trajectories) == 8
    found = begin(2, resume=True)
    assert found.report
    assert (found.report.drawn, found.seeds) == (2, (2, 3))


def test_a_disk_that_is_full_is_said_once_and_costs_no_vote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    kept = journal.begin(tmp_path, "key", 1, said.append)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
        solution, _ = run(Thinker({"9": 1}), make("majority", "standard", samples=4), journal=kept)
    assert solution.answer == "9"
    (sentence,) = said
    assert "(No space left on device)" in sentence
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: (_ for _ in ()).throw(OSError(errno.EROFS, "Read-only")))
    assert journal.begin(tmp_path / "new", "key", 1, said.append) is None
    assert "(Read-only)" in said[1]


def test_resumed_trajectories_state_claims_too() -> None:
    whole, _ = run(Thinker({"9": 0.6, "4": 0.4}, TURNED), THREE)
    entries = tuple(
        journal.JournalEntry(
            index,
            t,
            (*loaded(Thinker({})).encode("p"), *f"<think>so</think>\n\n{t.text}".encode()),
        )
        for index, t in enumerate(whole.trajectories)
    )
    resumed, events = run(Thinker({"9": 0.6, "4": 0.4}, TURNED), THREE, resumed=entries)
    assert not any(isinstance(event, Wrote) for event in events)
    assert resumed.answer == whole.answer
    assert [t.reliability for t in resumed.trajectories] == [t.reliability for t in whole.trajectories]


def test_a_journal_goes_when_the_run_has_ended_and_survives_damage(tmp_path: Path) -> None:
    kept = journal.begin(tmp_path, "key", 1)
    run(Thinker({"17": 1}), CLR, journal=kept)
    assert not list(tmp_path.iterdir())
    damaged = tmp_path / "key-5.jsonl"
    damaged.write_bytes(b'{"schema": 1, "index": 0, "traj\n\xff\xfe\n[]\n{"schema": 2}\n')
    assert journal.cut_off(tmp_path, "key") == (5, ())
