"""Filling a bank, on a scripted model whose answers, claims and verdicts are known."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.eval.banks import HEADER
from tests.solving.calculator import Calculator
from tests.solving.coder import Native
from tests.solving.thinker import Thinker, loaded
from vibethinker_local import sandbox
from vibethinker_local.errors import EngineError, SandboxError, UsageError
from vibethinker_local.eval.bank import Bank, Entry, Writer, read
from vibethinker_local.eval.pace import BankPace
from vibethinker_local.eval.problems import GradingProgram, Problem
from vibethinker_local.eval.run import Stepped, fill, jobs, seed_of
from vibethinker_local.events import Options
from vibethinker_local.reliability.yardstick import Yardstick
from vibethinker_local.runtime.model import Model

PROBLEMS = [Problem(f"p{n}", f"problem {n}", "4") for n in range(3)]
CLAIMS = {"9": ["a = bad", "1 + 1 = 3", "b = good"], "4": ["c = good", "d = good", "1 + 1 = 2"]}


def thinker(**other: object) -> Thinker:
    return Thinker({"9": 0.6, "4": 0.4}, CLAIMS, **other)  # type: ignore[arg-type]


def entries(
    model: Model, problems: list[Problem] = PROBLEMS, samples: int = 6, bank: Bank | None = None, **other: bool
) -> Iterator[Entry]:
    events = fill(model, jobs(problems, samples, bank, 5), Options(seed=5, max_tokens=300), 3, **other)
    return (event for event in events if isinstance(event, Entry))


def test_every_trajectory_of_every_problem_with_its_claims_and_verdicts() -> None:
    model = loaded(thinker())
    found = {(entry.id, entry.index): entry for entry in entries(model)}
    assert found.keys() == {(problem.id, index) for problem in PROBLEMS for index in range(6)}
    assert {entry.answer for entry in found.values()} == {"9", "4"}
    for entry in found.values():
        assert entry.seed == seed_of(5, entry.id, entry.index)
        said = CLAIMS[entry.answer or ""]
        assert [claim.text for claim in entry.claims] == said
        assert [(claim.p or 0) > 0.5 for claim in entry.claims] == ["good" in text for text in said]
        assert [claim.holds for claim in entry.claims] == [{"1 + 1 = 3": False, "1 + 1 = 2": True}.get(t) for t in said]
        assert [bool(claim.evidence) for claim in entry.claims] == [text == "1 + 1 = 3" for text in said]
        assert entry.claim_tokens == len("\n".join(f"{n}. {text}" for n, text in enumerate(said, 1))) + 1
        assert entry.read_tokens > sum(map(len, said))
        assert (entry.finish, entry.think_tokens) == ("stop", 0)
    assert model.engine.cells_used == 0, "the KV was not given back"
    model.engine.step()
    assert not model.engine.busy


def test_the_places_are_kept_busy_with_several_problems() -> None:
    backend = thinker(places=4)
    list(entries(loaded(backend), samples=2))
    alone = sum(1 for count in backend.decoded if count == 1)
    assert alone < len(backend.decoded) / 4, "single tokens were decoded while others could have run"


def test_order_does_not_matter() -> None:
    forth = set(entries(loaded(thinker())))
    back = set(entries(loaded(thinker(places=2)), PROBLEMS[::-1]))
    assert forth == back


def fill_file(path: Path, backend: Thinker, known: Bank | None) -> None:
    with closing(Writer(path, HEADER, known)) as writer:
        for entry in entries(loaded(backend), bank=known):
            writer.add(entry)


@pytest.mark.parametrize("after", [3, 60, 150, 250])
def test_a_killed_run_goes_on_to_the_same_bank(tmp_path: Path, after: int) -> None:
    whole = {(entry.id, entry.index): entry for entry in entries(loaded(thinker()))}
    path = tmp_path / "bank.jsonl"
    with pytest.raises(EngineError):
        fill_file(path, thinker(fails_after=after), None)
    half = read(path)
    assert len(half.entries) < len(whole)
    fill_file(path, thinker(), half)
    assert read(path).entries == whole
    assert jobs(PROBLEMS, 6, read(path), 5) == []
    assert len(jobs(PROBLEMS, 8, read(path), 5)) == 6, "a larger k goes on, too"


def test_reasoned_verdicts() -> None:
    found = list(entries(loaded(thinker(verdicts="1. INVALID\n3. VALID")), thinking=True))
    assert len(found) == 18
    for entry in found:
        assert [claim.thought for claim in entry.claims] == [False, None, True]
        assert all(claim.p is not None for claim in entry.claims)
        assert entry.think_tokens == len("<think>let me see</think>\n\n1. INVALID\n3. VALID") + 1


def test_without_claims() -> None:
    model = loaded(thinker())
    events = fill(model, jobs(PROBLEMS, 2, None, 5), Options(seed=5, max_tokens=300), 0)
    found = [event for event in events if isinstance(event, Entry)]
    assert len(found) == 6
    assert {(entry.claims, entry.claim_tokens, entry.read_tokens) for entry in found} == {((), 0, 0)}


def test_claims_are_asked_for_only_where_answers_differ() -> None:
    one = list(entries(loaded(Thinker({"9": 1}, CLAIMS))))
    assert len(one) == 18
    assert not any(entry.claims or entry.claim_tokens or entry.known for entry in one)
    [job] = jobs(
        PROBLEMS[:1], 7, Bank(Path("x"), HEADER, {}, {("p0", n): replace(one[0], index=n) for n in range(6)}), 5
    )
    assert job.known == ("9",) * 6
    [late] = [
        e for e in fill(loaded(Thinker({"4": 1}, CLAIMS)), [job], Options(5, max_tokens=300), 3) if isinstance(e, Entry)
    ]
    assert [claim.text for claim in late.claims] == CLAIMS["4"], "the bank has another answer"


def test_what_a_solution_says_and_what_it_states_are_kept_apart_and_headings_are_not_judged() -> None:
    said = {"9": ["**Total:**", "a = bad", "Find the total"], "4": ["b = good", "c = good", "d = good"]}

    def reply(answer: str) -> str:
        return (
            f"<think>so</think>\n\nFirst 3 + 1 = {answer}.\n\nSo there are {answer} good ones.\n\n\\boxed{{{answer}}}"
        )

    found = list(entries(loaded(Thinker({"9": 0.6, "4": 0.4}, said, reply=reply)), PROBLEMS[:1], stated=True))
    nine = next(entry for entry in found if entry.answer == "9")
    assert [(c.text, c.dropped, c.p is None) for c in nine.claims] == [
        ("a = bad", None, False),
        ("**Total:**", "heading", True),
        ("Find the total", "instruction", True),
    ]
    assert [(c.text, c.source) for c in nine.extracted] == [
        ("First 3 + 1 = 9.", "extracted"),
        ("So there are 9 good ones.", "extracted"),
    ]
    assert {each.true for each in nine.known} == {True, False, None}
    assert all(each.p is not None for each in nine.known)
    assert Yardstick(nine.known).tells


def test_the_two_answers_with_the_most_votes_are_compared_in_both_orders() -> None:
    found = list(entries(loaded(thinker()), PROBLEMS[:1]))
    answers = {entry.index: entry.answer for entry in found}
    [pair] = found[0].pairs
    assert all(entry.pairs == (pair,) for entry in found)
    assert {answers[pair.one], answers[pair.other]} == {"9", "4"}
    four_first, four_second = 1 / (1 + np.exp(-0.5)), 1 / (1 + np.exp(-1))
    p_four = (pair.p, pair.q) if answers[pair.one] == "4" else (1 - pair.q, 1 - pair.p)
    assert p_four == pytest.approx((four_first, four_second), abs=1e-4)


def test_ends_are_forced_as_everywhere() -> None:
    endless = Thinker({"x": 1}, {"7": ["good", "good 2", "good 3"]}, reply=lambda _: "<think>" + "hm, " * 500)
    found = list(entries(loaded(endless), samples=1))
    assert {entry.answer for entry in found} == {"7"}
    assert {entry.finish for entry in found} <= {"forced", "loop"}


def test_a_problem_that_does_not_fit_is_named_before_anything_runs() -> None:
    model = loaded(thinker())
    events = fill(model, jobs([*PROBLEMS, Problem("long", "x" * 40_000, "1")], 1, None, 5), Options(5), 3)
    with pytest.raises(UsageError, match="Problem long: The problem is too long"):
        next(events)
    assert not model.engine.busy


def test_closing_gives_everything_back() -> None:
    model = loaded(thinker())
    events = fill(model, jobs(PROBLEMS, 6, None, 5), Options(5, max_tokens=300), 3)
    for event in events:
        if isinstance(event, Entry):
            break
    events.close()
    model.engine.step()
    assert model.engine.cells_used == 0
    assert not model.engine.busy


def test_seeds_depend_on_run_problem_and_index_alone() -> None:
    seeds = {seed_of(run, problem, index) for run in range(5) for problem in ("a", "b") for index in range(50)}
    assert len(seeds) == 500
    assert all(0 <= seed < 2**53 for seed in seeds)


def test_pace_says_how_far_and_how_long() -> None:
    now = [0.0]
    pace = BankPace(100, (100, 300), clock=lambda: now[0])
    assert pace.line(0) == "0 of 100 trajectories"
    now[0] = 100.0
    for index in range(10):
        pace.count(Entry("p", index, 0, 200, "stop", "1", "", "", None))
    assert pace.line(2000) == "10 of 100 trajectories · 20 tok/s · about 15 min left"
    assert isinstance(next(fill(loaded(thinker()), jobs(PROBLEMS, 1, None, 5), Options(5, max_tokens=300), 3)), Stepped)


def test_some_trajectories_are_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sandbox, "open", Native)
    model = loaded(Calculator({"5": 1.0}, ["print(2 * 2)"]))
    wanted = jobs(PROBLEMS, 4, None, 5)
    events = fill(model, wanted, Options(seed=5, max_tokens=300), 1, programs=0.5)
    found = {(event.id, event.index): event for event in events if isinstance(event, Entry)}
    assert len(found) == 12
    for (_, index), entry in found.items():
        computed = index % 2 == 1
        assert (entry.kind, entry.printed, entry.answer) == (
            ("computed", "4", "4") if computed else ("reasoned", None, "5")
        )
        assert bool(entry.claims) != computed
        assert entry.signals
    path = tmp_path / "bank.jsonl"
    with closing(Writer(path, replace(HEADER, programs=0.5), None)) as writer:
        for one in PROBLEMS:
            writer.add(one)
        for entry in found.values():
            writer.add(entry)
    assert read(path).entries == found


def test_programs_need_a_sandbox_and_a_problem_that_is_not_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise SandboxError("install the extra code")

    monkeypatch.setattr(sandbox, "open", missing)
    wanted = jobs(PROBLEMS, 2, None, 5)
    with pytest.raises(SandboxError, match="install"):
        next(fill(loaded(thinker()), wanted, Options(seed=5), 0, programs=1.0))
    code = Problem("c", "def f(n):\n    pass", "", "code", GradingProgram("assert f(1)"))
    with pytest.raises(UsageError, match="--programs"):
        next(fill(loaded(thinker()), jobs([code], 2, None, 5), Options(seed=5), 0, programs=1.0))
