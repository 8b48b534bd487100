"""Any order of add, fork, score, force, abort and step: no place leaks, no position is left out or used again, and
everything ends once. Against a scripted backend, against llama.cpp, and through the engine's process.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests import faults
from tests.engine.helpers import check_places, params
from tests.fakes import ScriptedBackend, mixes
from vibethinker_local.engine import SequenceId
from vibethinker_local.engine.backend import Logits, Slice
from vibethinker_local.engine.engine import Engine
from vibethinker_local.engine.planner import Planner
from vibethinker_local.engine.process import EngineProcess
from vibethinker_local.llama.backend import LlamaBackend
from vibethinker_local.system.paths import MINI

NUMBER = st.integers(0, 99)
CONTEXT, PLACES = 70, 5
CELLS, FIRST = st.integers(CONTEXT, PLACES * CONTEXT), st.integers(1, CONTEXT // PLACES)  # cells: of all, of each
COSTS = st.dictionaries(st.integers(1, 8), st.floats(0.1, 9), max_size=8)  # any shape, rising or not


class Operations(RuleBasedStateMachine):
    engine: Any
    backend: Any

    def __init__(self) -> None:
        super().__init__()
        self.alive: dict[SequenceId, list[int]] = {}  # running or waiting, with their prompts
        self.ended: dict[SequenceId, list[int]] = {}
        self.counts: dict[SequenceId, int] = {}

    @initialize(costs=COSTS, learns=st.booleans(), cells=CELLS, first=FIRST)
    def begin(self, costs: dict[int, float], learns: bool, cells: int, first: int) -> None:
        self.backend = ScriptedBackend(mixes, context=CONTEXT, cells=cells, first=first, places=PLACES, batch=8)
        self.engine = Engine(self.backend, Planner(costs, learns=learns))

    def used(self) -> int:
        return int(self.backend.used)

    @rule(prompt=st.binary(min_size=1, max_size=20), seed=st.integers(0, 9), most=st.integers(1, 30))
    def add(self, prompt: bytes, seed: int, most: int) -> None:
        name = self.engine.add(prompt, params(seed, max_tokens=most, reserve=6))
        self.alive[name] = list(prompt)

    @rule(prompt=st.binary(min_size=1, max_size=20))
    def score(self, prompt: bytes) -> None:
        self.alive[self.engine.score(prompt, (1, 2))] = list(prompt)

    def chosen(self, number: int) -> SequenceId | None:
        """One of those that are there, if any. What hypothesis draws must not depend on how far a process is."""
        everyone = sorted(self.alive | self.ended)
        return everyone[number % len(everyone)] if everyone else None

    @rule(number=NUMBER, more=st.binary(max_size=5), seed=st.integers(0, 9), named=st.booleans())
    def fork(self, number: int, more: bytes, seed: int, named: bool) -> None:
        parent = self.chosen(number)
        if parent is None:
            return
        prompt = [*(self.alive | self.ended)[parent], *more]
        if len(prompt) > 60:
            return
        name = self.engine.add(prompt, params(seed, max_tokens=5, reserve=6), parent=parent if named else None)
        self.alive[name] = prompt

    @rule(number=NUMBER)
    def force(self, number: int) -> None:
        name = self.chosen(number)
        if name is None:
            return
        try:
            self.engine.force(name, b"!?", then=2)
        except ValueError:
            return  # forced before, or a score
        if name in self.ended:
            self.alive[name] = self.ended.pop(name)

    @rule(number=NUMBER)
    def abort(self, number: int) -> None:
        name = self.chosen(number)
        if name is not None:
            self.engine.abort(name)
            self.ended.pop(name, None)

    @rule(times=st.integers(1, 6))
    def step(self, times: int) -> None:
        for _ in range(times):
            for output in self.engine.step():
                assert output.sequence in self.alive, "output after the end"
                self.counts[output.sequence] = self.counts.get(output.sequence, 0) + (output.token is not None)
                assert self.counts[output.sequence] <= 30 + 6
                if output.end:
                    prompt = self.alive.pop(output.sequence)
                    if output.end != "aborted":
                        self.ended[output.sequence] = prompt

    @invariant()
    def all_is_in_its_place(self) -> None:
        assert self.engine.cells_used <= self.engine._kv.used == self.used() <= self.backend.cells
        check_places(self.engine)

    def teardown(self) -> None:
        for _ in range(4000):
            if not self.engine.busy:
                break
            self.step(1)
        assert not self.alive, "a Sequence did not end"
        for name in list(self.ended):
            self.engine.abort(name)
        self.all_is_in_its_place()
        assert self.engine.cells_used == 0


class Checked(LlamaBackend):
    """llama.cpp, asked before every batch what its places hold."""

    def decode(self, slices: Sequence[Slice], padding: int = 0) -> Logits:
        assert len({piece.place for piece in slices}) == len(slices)
        for piece in slices:
            assert piece.start == self.held(piece.place), "a position is left out or used again"
        return super().decode(slices, padding)

    def held(self, place: int) -> int:
        return int(self._native.llama_memory_seq_pos_max(self._memory, place)) + 1


class RealOperations(Operations):
    loaded: Checked | None = None

    @initialize(costs=COSTS, learns=st.booleans(), cells=CELLS, first=FIRST)
    def begin(self, costs: dict[int, float], learns: bool, cells: int, first: int) -> None:
        if not RealOperations.loaded:
            RealOperations.loaded = Checked(MINI, cells=PLACES * 256, places=PLACES, threads=1)
        self.backend = RealOperations.loaded
        self.backend.context, self.backend.cells = CONTEXT, cells  # llama.cpp has more, in whole blocks
        self.backend.arrange([], PLACES, first)
        self.engine = Engine(self.backend, Planner(costs, learns=learns))

    def used(self) -> int:
        """llama.cpp counts no cells, but it knows which places hold something."""
        used = int(self.engine._kv.used)
        held = [self.backend.held(place) for place in range(self.backend.places)]
        assert used == sum(held)
        return used


class ProcessOperations(Operations):
    """In the process the cells are its own to count, and Sequences are further than they are here."""

    handle: EngineProcess | None = None

    @initialize()
    def begin(self) -> None:
        if not ProcessOperations.handle:
            planner = Planner({1: 1.0, 2: 1.1, 4: 1.2}, learns=True)
            ProcessOperations.handle = EngineProcess(
                faults.Scripted(CONTEXT, PLACES, cells=120, first=7), planner=planner
            )
        self.engine = ProcessOperations.handle

    @invariant()
    def all_is_in_its_place(self) -> None:
        assert 0 <= self.engine.cells_used <= 120


SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck))
TestScripted = Operations.TestCase
TestScripted.settings = settings(SETTINGS, max_examples=30, stateful_step_count=40)
TestReal = RealOperations.TestCase
TestReal.settings = settings(SETTINGS, max_examples=8, stateful_step_count=40)
TestProcess = ProcessOperations.TestCase
TestProcess.settings = settings(SETTINGS, max_examples=15, stateful_step_count=40)


@pytest.fixture(autouse=True, scope="module")
def _close() -> Any:
    yield
    if ProcessOperations.handle:
        ProcessOperations.handle.close()
    if RealOperations.loaded:
        RealOperations.loaded.close()


@pytest.mark.slow
@pytest.mark.parametrize("machine", [Operations, RealOperations, ProcessOperations])
def test_two_hundred_operations_at_a_time(machine: type[Operations]) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=40, stateful_step_count=200))
