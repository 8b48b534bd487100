"""The shape of a step: the cheapest batches for a table of times, learning such a table, and an engine that uses it."""

import itertools
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.helpers import params, run, tokens
from tests.fakes import ScriptedBackend, mixes
from vibethinker_local.engine import SequenceId
from vibethinker_local.engine.backend import Logits, Slice
from vibethinker_local.engine.engine import Engine
from vibethinker_local.engine.planner import GAIN, SAMPLES, Part, Planner
from vibethinker_local.errors import NoRoom

# Milliseconds of a batch by its tokens: a model of 3 billion parameters, Q4_K_M, on two cores with AVX-512.
MEASURED = {1: 60, 2: 114, 3: 159, 4: 194, 5: 267, 6: 306, 7: 398, 8: 499, 10: 527, 12: 664, 16: 500, 24: 782, 32: 935}
TABLE = {tokens: milliseconds / 1000 for tokens, milliseconds in MEASURED.items()}


def test_splits_and_pads_where_that_takes_less_time() -> None:
    planner = Planner(TABLE)
    assert planner.parts(8, 99) == (Part(4), Part(4))
    assert planner.parts(12, 99) == (Part(12, padding=4),)
    assert planner.parts(16, 99) == (Part(16),)
    assert planner.parts(32, 99) == (Part(32),)
    assert planner.parts(6, 99) == (Part(6),), "4 + 2 would save nothing"
    assert Planner({2: 1.0, 4: 2.04}).parts(4, 99) == (Part(4),), "2 + 2 would save less than a split is worth"
    assert Planner({2: 1.0, 4: 2.08}).parts(4, 99) == (Part(2), Part(2))
    assert planner.parts(12, 3) == (Part(4), Part(4), Part(4)), "no room for the padding"
    assert Planner({1: 9.0, 2: 20.0, 4: 1.0}).parts(2, 99) == (Part(1), Part(1)), "less padding than Sequences"
    assert planner.parts(0, 99) == ()


def test_one_sequence_is_decoded_as_it_is() -> None:
    for planner in (Planner({1: 9.0, 2: 1.0}), Planner(learns=True)):
        assert planner.parts(1, 99) == (Part(1),)


def test_without_a_table_a_step_is_one_batch() -> None:
    planner = Planner()
    for _ in range(SAMPLES):
        planner.learn(8, 1.0)
    assert planner.parts(8, 99) == (Part(8),)
    assert not planner.seconds


@settings(max_examples=60)
@given(
    st.dictionaries(st.integers(1, 12), st.floats(0.01, 10), min_size=1),
    st.integers(2, 12),
    st.sampled_from([0, 3, 99]),
)
def test_no_other_batches_of_known_sizes_take_less(table: dict[int, float], count: int, padding: int) -> None:
    planner = Planner(table)
    parts = planner.parts(count, padding)
    assert sum(part.sequences for part in parts) == count
    assert all(part.sequences > 0 and 0 <= part.padding <= padding for part in parts)
    if parts == (Part(count),):
        return
    assert all(part.tokens in table for part in parts)
    chosen = sum(table[part.tokens] for part in parts)
    others = (
        [
            sum(table[size] for size in sizes)
            for length in range(1, count + 1)
            for sizes in itertools.combinations_with_replacement(table, length)
            if sum(sizes) == count
        ]
        if count <= 8
        else []
    )
    assert chosen <= min(others, default=chosen) + 1e-9


def learned(planner: Planner, seconds: dict[int, float], count: int, disturb: float) -> list[tuple[Part, ...]]:
    """What a planner does with so many Sequences on a machine with these times, every fifth of them disturbed."""
    rng, plans = random.Random(1), []
    for _ in range(60):
        plans.append(planner.parts(count, 99))
        for part in plans[-1]:
            planner.learn(part.tokens, seconds[part.tokens] * (disturb if rng.random() < 0.2 else 1))
    return plans


def test_learns_from_steps_on_a_busy_machine() -> None:
    for count, sizes, expected in (
        (8, {2, 4, 8}, (Part(4), Part(4))),
        (12, {4, 8, 12, 16}, (Part(12, padding=4),)),
        (16, {4, 8, 16}, (Part(16),)),
    ):
        planner = Planner(learns=True)
        plans = learned(planner, TABLE, count, disturb=20)
        assert plans[4 * SAMPLES :] == [expected] * (60 - 4 * SAMPLES)
        known = dict(planner.seconds)
        assert known.keys() == sizes
        for _ in range(SAMPLES):
            planner.learn(4, 99.0)
        assert planner.seconds == known, "what was learnt stays as it is"


def test_what_is_learnt_later_may_change_a_plan() -> None:
    planner, seconds = Planner(learns=True), {1: 1.0, 2: 4.0, 3: 1.0, 4: 9.0}
    assert learned(planner, seconds, 4, disturb=1)[-1] == (Part(1),) * 4
    learned(planner, seconds, 3, disturb=1)
    assert {part.tokens for part in planner.parts(4, 99)} == {1, 3}


def test_how_many_at_once() -> None:
    planner = Planner(TABLE)
    assert [planner.best(most) for most in (1, 4, 8, 16)] == [1, 4, 4, 16]
    assert planner.step_seconds(8) == 2 * TABLE[4]
    assert planner.step_seconds(12) == TABLE[16]
    between = Planner({2: 1.0, 6: 3.0})
    assert [between.step_seconds(count) for count in (1, 3, 5, 12)] == [1.0, 1.5, 2.5, 6.0]
    assert Planner({1: 1.0, 2: 2.0, 4: 4.0}).best(8) == 1, "where more at once gain nothing, one"
    assert Planner({1: 1.0, 2: 2 / (1 + GAIN / 2)}).best(2) == 1, "or hardly anything"
    assert Planner({1: 1.0, 4: 1.0 + GAIN}).best(64) == 4


def test_an_engine_with_a_planner_says_the_same() -> None:
    found = []
    for planner in (None, Planner({2: 1.0, 4: 3.0, 8: 4.0}), Planner({1: 1.0, 8: 1.1}), Planner(learns=True)):
        backend = ScriptedBackend(mixes, places=6)
        engine = Engine(backend, planner)
        names = [engine.add(bytes([60 + seed]), params(seed)) for seed in range(6)]
        outputs = run(engine)
        found.append([tokens(outputs[name]) for name in names])
        assert engine._kv.used == backend.used
    assert all(each == found[0] for each in found)


def test_batches_and_padding_of_a_step() -> None:
    backend = ScriptedBackend(mixes, places=6)
    engine = Engine(backend, Planner({2: 1.0, 4: 1.5, 6: 9.0}))
    for seed in range(6):
        engine.add(bytes([60 + seed]), params(seed, stop_ids=frozenset()))
    assert len(engine.step()) == 6
    assert (backend.decoded, backend.padded) == ([2, 4], [0, 0])
    backend = ScriptedBackend(mixes, places=8)
    engine = Engine(backend, Planner({8: 1.0, 6: 2.0}))
    for seed in range(6):
        engine.add(bytes([60 + seed]), params(seed, stop_ids=frozenset()))
    assert len(engine.step()) == 6
    assert (backend.decoded, backend.padded) == ([6], [2])
    assert engine._kv.used == backend.used == 6


@pytest.mark.parametrize(("places", "expected"), [(3, 0), (4, 1), (9, 1)])
def test_batches_are_padded_with_idle_places(places: int, expected: int) -> None:
    backend = ScriptedBackend(mixes, places=places)
    engine = Engine(backend, Planner({1: 9.0, 2: 9.0, 3: 9.0, 4: 1.0}))
    for seed in range(3):
        engine.add(bytes([60 + seed]), params(seed, max_tokens=8, stop_ids=frozenset()))
    run(engine)
    assert set(backend.padded[:8]) == {expected}


class Narrow(ScriptedBackend):
    """Something happens before the second batch."""

    def decode(self, slices: Sequence[Slice], padding: int = 0) -> Logits:
        if len(self.decoded) == 1:
            self.decoded.append(0)
            raise NoRoom("as it happens")
        return super().decode(slices, padding)


def test_a_batch_that_fails_is_computed_in_the_next_step() -> None:
    expected = []
    for kind in (ScriptedBackend, Narrow):
        engine = Engine(kind(mixes, places=4), Planner({2: 1.0, 4: 9.0}))
        names = [engine.add(bytes([60 + seed]), params(seed)) for seed in range(4)]
        outputs = run(engine)
        expected.append([tokens(outputs[name]) for name in names])
    assert expected[0] == expected[1]


class Watched(ScriptedBackend):
    """Somebody wants one Sequence to end, while the first batch is decoded."""

    engine: Engine[ScriptedBackend]
    unwanted = SequenceId(0)

    def decode(self, slices: Sequence[Slice], padding: int = 0) -> Logits:
        self.engine.interrupt(self.unwanted)
        return super().decode(slices, padding)


def test_a_step_is_cut_short_for_one_of_a_later_batch() -> None:
    backend = Watched(mixes, places=4)
    engine = backend.engine = Engine(backend, Planner({2: 1.0, 4: 9.0}))
    names = [engine.add(bytes([60 + seed]), params(seed)) for seed in range(4)]
    backend.unwanted = names[0]
    assert (engine.step(), backend.decoded) == ([], []), "the batch that it is in need not be finished"
    backend.unwanted = names[3]
    assert [output.sequence for output in engine.step()] == names[:2], "the first batch counts, the second waits"
    engine.abort(names[3])
    backend.unwanted = SequenceId(-1)
    outputs = run(engine)
    assert all(outputs[name][-1].end for name in names)
