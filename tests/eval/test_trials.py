"""Policies that weigh by confidence, and all of them at equal cost, on banks whose truth is known."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.eval import banks
from tests.eval.banks import HEADER, entry
from vibethinker_local.errors import UsageError
from vibethinker_local.eval import bank as on_disk
from vibethinker_local.eval import confidence, report, table
from vibethinker_local.eval.policies import replay
from vibethinker_local.eval.problems import Problem
from vibethinker_local.eval.table import SIGNALS, Floats, Table
from vibethinker_local.eval.trials import Speeds, Trials, trials, tune
from vibethinker_local.events import Signals

# Four trajectories: answers b, a, a, none, and b is right.
ANSWERS = np.array([[0, 1, 1, -1]])


def with_signals(values: list[float], answers: Floats = ANSWERS, **other: list[float]) -> Table:
    made = banks.table(answers.astype(np.int64), 0 * answers.astype(np.int64), np.full(answers.shape, 10), claims=0)
    signals = {name: np.array([other.get(name, values)]) for name in SIGNALS}
    return replace(made, signals=signals)


@pytest.mark.parametrize(
    ("name", "setting", "values", "right"),
    [
        ("confidence", 1.0, [5, 2, 2, 99], True),  # 5 against 2 + 2
        ("confidence", 1.0, [3, 2, 2, 99], False),
        ("confidence", 0.25, [3, 2, 2, 99], True),  # the surest of three alone
        ("confidence", 0.5, [2, 3, 2, 99], False),  # two of three are kept, and the surer of them counts more
        ("cisc", 1.0, [9, 1, 1, 99], True),
        ("cisc", 9.0, [9, 1, 1, 99], False),  # the flatter, the nearer to the plain vote
        ("consilience", 1.0, [9, 1, 1, 99], True),
        ("delta", 1.0, [9, 1, 1, 99], True),
        ("delta", 0.1, [9, 1, 1, 99], False),  # little evidence turns no vote
        ("logistic", None, [9, 1, 1, 99], True),
    ],
)
def test_each_policy_on_four_trajectories(name: str, setting: float | None, values: list[float], right: bool) -> None:
    chosen = (setting,) if setting is not None else (0.0, 3.0, *[0.0] * (confidence.FEATURES - 2))
    assert not replay(with_signals(values), "majority", 4).right[0]
    assert replay(with_signals(values), name, 4, setting=chosen).right[0] == right


@pytest.mark.parametrize("name", confidence.GRIDS)
def test_signals_that_are_all_alike_leave_the_plain_vote(name: str) -> None:
    found = banks.sure(banks.drawn(60, 8, np.random.default_rng(2)), np.random.default_rng(3))
    flat = replace(found, signals={each: np.full(values.shape, 7.0) for each, values in found.signals.items()})
    plain = replay(flat, "majority", 8).right
    setting = (confidence.GRIDS[name][0],)
    assert replay(flat, name, 8, setting=setting).right.tolist() == plain.tolist()


@pytest.mark.parametrize(
    ("lowest", "threshold", "tokens", "right"),
    [
        ([9, 1, 1, 1], 5.0, 10, True),  # the first is sure enough
        ([4, 1, 1, 1], 5.0, 40, True),  # it is not, but counts more than the others together
        ([1, 9, 9, 9], 5.0, 40, False),
        ([1, 9, 9, 9], float("inf"), 40, False),
    ],
)
def test_one_trajectory_is_enough_if_it_is_sure(
    lowest: list[float], threshold: float, tokens: int, right: bool
) -> None:
    found = replay(with_signals(lowest), "reasc", 4, setting=(threshold,))
    assert (found.tokens.tolist(), found.right.tolist()) == ([tokens], [right])


def test_agreement_stops_sooner_where_it_is_sure() -> None:
    agreed = np.zeros((1, 8))
    doubt = replay(with_signals([1.0] * 8, agreed), "reasc", 8, setting=(float("inf"),))
    assert doubt.tokens.tolist() == [40], "four that agree: 31/32"
    first_sure = with_signals([3.0, 3.0, *[0.2] * 6], agreed)
    assert replay(first_sure, "reasc", 8, setting=(float("inf"),)).tokens.tolist() == [20]


def test_a_posterior_by_hand() -> None:
    assert confidence._ahead(4.0, 0.0) == pytest.approx(31 / 32)
    assert confidence._ahead(2.5, 2.5) == pytest.approx(0.5)


@cache
def made(knows: float) -> Trials:
    rng = np.random.default_rng(4)
    known = banks.sure(banks.drawn(200, 8, rng, refuted_wrong=0.5), rng, knows)
    found = trials(known, speeds=Speeds(100, 50))
    assert found
    return found


def test_signals_that_know_something_gain_at_equal_cost() -> None:
    found = made(knows=2.0)
    rows = {row.name: row for row in found.rows}
    assert (found.tuned, found.tried) == (100, 100)
    for name in ("confidence", "cisc", "delta", "logistic"):
        assert rows[name].at_equal_tokens.low > 0
        time = rows[name].at_equal_time
        assert time
        assert time.low == pytest.approx(rows[name].at_equal_tokens.low), "signals cost nothing"
        assert rows[name].k == 8
    clr, without = rows["clr"], rows["adaptive"]
    assert clr.k < 8, "claims cost tokens"
    assert clr.at_equal_time != clr.at_equal_tokens, "and what is read costs time"
    assert without.samples < 8


def test_signals_that_know_nothing_are_found_out() -> None:
    found = {row.name: row for row in made(knows=0.0).rows}
    for name in ("confidence", "cisc", "consilience", "delta", "logistic"):
        assert found[name].at_equal_tokens.low < 0.01


def test_how_well_signals_tell_right_from_wrong_within_a_problem() -> None:
    rng = np.random.default_rng(8)
    known = banks.sure(banks.drawn(200, 8, rng), rng, 1.0)
    for found in report.make(known).signals.values():
        assert found.low < 0.76 < found.high  # two normals a standard deviation apart
    assert report.make(banks.drawn(20, 4, rng)).signals == {}


def test_what_has_nothing_to_tune_is_tried_on_all_problems() -> None:
    found = made(knows=0.0)
    settings = {row.name for row in found.rows if row.setting}
    assert {row.name for row in found.untuned} == {row.name for row in found.rows} - settings
    assert "adaptive" not in settings
    assert "delta" in settings
    assert all(row.tuned is None for row in found.untuned)


def test_nothing_is_tuned_on_the_problems_that_it_is_tried_on() -> None:
    known = banks.sure(banks.drawn(100, 8, np.random.default_rng(5)), np.random.default_rng(6))
    first, rest = known.halves()
    assert set(first.ids) | set(rest.ids) == set(known.ids)
    assert max(first.ids) < min(rest.ids)
    other = replace(known, signals={name: values.copy() for name, values in known.signals.items()})
    for values in other.signals.values():
        values[[known.ids.index(name) for name in rest.ids]] = 0.0
    assert tune(other.halves()[0]) == tune(first)


def test_what_a_stopping_rule_saves() -> None:
    found = {each.name: each for each in made(knows=2.0).stopping}
    assert found["adaptive"].saved.low > 0
    assert found["reasc"].saved.value > 0
    assert found["adaptive"].problems == 200


def test_a_bank_without_signals_says_so() -> None:
    found = trials(banks.drawn(40, 4, np.random.default_rng(0)))
    assert found
    assert "no signals" in found.notes[0]
    assert {row.name for row in found.rows} == {"adaptive", "clr", "linear", "mechanical", "model", "permuted"}
    assert all(row.at_equal_time is None for row in found.rows)


def test_programs_are_compared_with_reasoned_solutions() -> None:
    rng = np.random.default_rng(7)
    answers = np.where(rng.random((200, 8)) < 0.5, 0, rng.integers(1, 4, (200, 8)))
    answers[:, 1::2] = np.where(rng.random((200, 4)) < 0.8, 0, 5)  # programs are right more often
    both = banks.table(answers, 0 * answers, np.full((200, 8), 10), claims=0)
    both = replace(both, computed=np.broadcast_to(np.arange(8) % 2 == 1, (200, 8)))
    found = trials(both)
    assert found
    rows = {row.name: row for row in found.rows}
    assert found.baseline == "majority of the reasoned"
    assert (rows["computed"].k, rows["mixed"].k) == (4, 4), "as many as the four reasoned ones cost"
    everywhere = {row.name: row for row in found.untuned}
    for name in ("computed", "mixed"):
        assert rows[name].at_equal_tokens.low > 0
        assert rows[name].samples == pytest.approx(4)
        whole, half = (row[name].at_equal_tokens for row in (everywhere, rows))
        assert whole.high - whole.low < half.high - half.low, "twice as many problems"

    policies = {(row.name, row.k): row.accuracy for row in report.make(both).policies}
    for name, first in (("reasoned", 0), ("computed", 1)):
        alone = banks.table(answers[:, first::2], 0 * answers[:, ::2], np.full((200, 4), 10), claims=0)
        assert policies[name, 4] == replay(alone, "majority", 4).right.mean()


def test_two_banks_are_replayed_in_turn(tmp_path: Path) -> None:
    problems = [Problem("a", "1 + 1?", "2"), Problem("b", "2 + 2?", "4")]
    signals = Signals((-0.5,), (3.0,), (9.0,), 1, 3.0, 3.0)
    reasoned = [entry(name, at, "2", signals=signals) for name in "ab" for at in range(3)]
    computed = [entry("a", at, "4", signals=signals, kind="computed", printed="4") for at in range(2)]
    one = on_disk.read(banks.write(tmp_path / "one.jsonl", problems, reasoned))
    other = on_disk.read(banks.write(tmp_path / "other.jsonl", problems[:1], computed))
    found = on_disk.joined(one, other)
    assert [each.kind for each in found.of("a")] == ["reasoned", "computed"] * 2
    built = table.build(found)
    assert built.computed is not None
    assert built.computed.tolist() == [[False, True, False, True]]
    for header, claims in ((replace(HEADER, claims=0), 0), (replace(HEADER, claims=0, programs=1.0), 3), (HEADER, 3)):
        beside = on_disk.read(banks.write(tmp_path / "e.jsonl", problems, computed, header))
        assert [on_disk.joined(*both).header.claims for both in ((one, beside), (beside, one))] == [claims, claims]
    with pytest.raises(UsageError, match="the same trajectories"):
        on_disk.joined(one, on_disk.read(banks.write(tmp_path / "f.jsonl", problems, reasoned[2:3])))
    foreign = on_disk.read(banks.write(tmp_path / "c.jsonl", problems, computed, replace(HEADER, sha256="cd" * 32)))
    with pytest.raises(UsageError, match="different model files"):
        on_disk.joined(one, foreign)
    with pytest.raises(UsageError, match="is one bank"):
        on_disk.joined(one, on_disk.read(tmp_path / "one.jsonl"))
    strangers = on_disk.read(banks.write(tmp_path / "d.jsonl", [Problem("z", "?", "1")], []))
    with pytest.raises(UsageError, match="no problem in common"):
        on_disk.joined(one, strangers)


def test_programs_without_claims_count_as_the_others_do_on_average() -> None:
    answers = np.array([[0, 1, 0, 1]])
    half = banks.table(answers, np.array([[5, 0, 5, 0]]), np.full((1, 4), 10))  # the reasoned are all refuted
    half = replace(half, computed=np.array([[False, True, False, True]]))
    assert report.make(half).policies
    assert replay(half, "clr", 4).right.tolist() == [True], "a tie, which goes to the first"
