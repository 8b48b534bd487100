"""Threads that give way: on simulated machines whose cores others take, and in an engine."""

import random
from collections.abc import Iterator

import pytest

from tests.engine.helpers import params, run
from tests.fakes import ScriptedBackend, mixes
from vibethinker_local.engine.engine import Engine
from vibethinker_local.engine.output import ThreadCount
from vibethinker_local.engine.threads import LONGEST_PAUSE, Threads


def batch(cores: int, busy: int, threads: int) -> tuple[float, float]:
    """Seconds, and processor seconds, of a batch on a machine where others keep some of the cores busy."""
    together = threads <= cores - busy
    seconds = 0.05 / threads * (1 if together else 3)
    return seconds, seconds * threads * (0.9 if together else 0.5)


def watched(cores: int, busy: list[tuple[float, int]]) -> Iterator[list[int]]:
    """The numbers of threads that batches are computed with, for each of the periods (seconds, busy cores)."""
    threads, noise = Threads(cores), random.Random(3)
    for length, taken in busy:
        counts, clock = [], 0.0
        while clock < length:
            counts.append(threads.count)
            seconds, processor = batch(cores, taken, threads.count)
            seconds *= noise.uniform(1, 1.1)
            threads.note(noise.choice([4, 8]), seconds, processor)
            clock += seconds
        yield counts


@pytest.mark.parametrize(("cores", "busy", "long"), [(2, 1, 520), (8, 1, 30), (8, 3, 30)])
def test_gives_way_and_returns(cores: int, busy: int, long: float) -> None:
    idle, taken, again = watched(cores, [(10, 0), (long, busy), (cores * 2 + 4 * LONGEST_PAUSE, 0)])
    assert set(idle) == {cores}
    tried = sum(count != cores - busy for count in taken) / len(taken)
    assert taken[-1] == cores - busy
    assert tried < 0.3, "trials take up the time"
    assert again[-1] == cores


def test_gives_way_where_every_batch_holds_prompts() -> None:
    """Many short requests: no two batches are the same, and each takes time by its tokens."""
    threads, noise, counts = Threads(2), random.Random(3), []
    for _ in range(200):
        counts.append(threads.count)
        tokens = noise.randint(17, 200)
        seconds, processor = batch(2, 1, threads.count)
        part = noise.uniform(0.9, 1.1) * tokens / 4
        threads.note(tokens, part * seconds, part * processor, prompts=True)
    assert counts[:40].count(1) > 20
    assert counts.count(1) > 170


def test_stays_where_fewer_are_no_faster() -> None:
    """Processor time falls short for other reasons, too: pages of the file that have to be read."""
    threads, counts = Threads(4), []
    for _ in range(2_000):
        counts.append(threads.count)
        threads.note(1, 0.1 / threads.count, 0.02)
    assert sum(count == 4 for count in counts) > 0.9 * len(counts)


def test_one_thread_stays_one() -> None:
    threads = Threads(1)
    for _ in range(100):
        threads.note(1, 1.0, 0.1)
    assert threads.count == 1


@pytest.mark.parametrize("count", [1, 2])
def test_an_engine_computes_with_as_many_as_are_there(count: int) -> None:
    backend = ScriptedBackend(mixes)
    backend.threads = 2
    engine = Engine(backend)
    engine._threads.count = 1  # as if the machine were busy
    for seed in range(count):
        engine.add(bytes([60 + seed]), params(seed, stop_ids=frozenset()))
    run(engine)
    assert backend.used_threads == [1]
    assert engine.threads == ThreadCount(1, 2)


def test_says_how_many() -> None:
    assert str(ThreadCount(2, 2)) == "2 threads"
    assert str(ThreadCount(1, 1)) == "1 thread"
    assert str(ThreadCount(1, 2)) == "1 of 2 threads: the machine is busy"
