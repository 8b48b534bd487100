"""Many callers of one engine: each hears what it would hear alone, however late it takes it."""

import threading
import time

import pytest

from tests.engine.helpers import params, text
from tests.fakes import ScriptedBackend, mixes
from vibethinker_local.engine import SamplingParams, StepOutput
from vibethinker_local.engine.engine import Engine
from vibethinker_local.engine.process import EngineProcess
from vibethinker_local.errors import EngineError
from vibethinker_local.llama.recipe import LlamaModel
from vibethinker_local.runtime.model import AnyEngine
from vibethinker_local.serve.sharing import Share, SharedEngine
from vibethinker_local.system.paths import MINI


def scripted() -> Engine[ScriptedBackend]:
    return Engine(ScriptedBackend(mixes, context=4096, places=8))


def draw(engine: AnyEngine, prompt: bytes, given: SamplingParams, *forces: int) -> str:
    """The text of a Sequence, with a text forced in after so many tokens. Late: more may have come by then."""
    later = list(forces)
    name = engine.add(prompt, given)
    heard = list[StepOutput]()
    while engine.busy:
        heard += [output for output in engine.step() if output.sequence == name]
        sampled = [at for at, output in enumerate(heard) if output.logprob is not None]
        if later and len(sampled) >= later[0]:
            force_at = later.pop(0)
            back = len(sampled) - force_at
            del heard[sampled[force_at - 1] + 1 :]
            if isinstance(engine, Share):
                engine.force(name, b"FORCED", then=12, back=back)
            else:
                assert not back
                engine.force(name, b"FORCED", then=12)
    engine.abort(name)
    return text(heard)


CASES: list[tuple[bytes, int, tuple[int, ...]]] = [
    (b"a\n", 1, ()),
    (b"a\n", 2, (7,)),
    (b"another\n", 3, (4, 13)),
    (b"b\n", 4, (1,)),
    (b"b\n", 5, (20,)),
    (b"c\n", 6, ()),
    (b"d\n", 7, (40,)),  # at its end
]


def asked(seed: int) -> SamplingParams:
    return params(seed, max_tokens=40, reserve=30, stop_ids=frozenset())


def test_each_hears_what_it_would_hear_alone() -> None:
    alone = [draw(scripted(), prompt, asked(seed), *forces) for prompt, seed, forces in CASES]
    shared, found = SharedEngine(scripted()), dict[int, str]()

    def follow(number: int) -> None:
        prompt, seed, forces = CASES[number]
        found[number] = draw(shared.share(), prompt, asked(seed), *forces)

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(len(CASES))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [found[number] for number in range(len(CASES))] == alone
    assert shared.running == 0
    shared.close()


def test_a_process_takes_back_what_was_handed_out_late(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path))
    process = EngineProcess(LlamaModel(MINI, cells=1024, places=2, threads=1))
    shared = SharedEngine(process)
    try:
        share, prompt = shared.share(), process.tokenize("Tom has 12 apples.", special=False)
        found = []
        for late in (0.0, 0.2):
            name = share.add(prompt, SamplingParams(seed=3, max_tokens=60, reserve=20))
            heard = list[StepOutput]()
            while sum(output.logprob is not None for output in heard) < 10:
                time.sleep(late)
                heard += share.step()
            back = sum(output.logprob is not None for output in heard) - 10
            share.force(name, process_tokens := [5, 6, 7], then=9, back=back)
            heard = heard[:10]
            while share.busy:
                heard += share.step()
            share.abort(name)
            found.append([output.token for output in heard])
            assert found[-1][10:13] == process_tokens
        assert found[0] == found[1]
    finally:
        shared.close()


def exhaust(share: Share) -> None:
    while True:
        share.step()


def test_what_came_before_the_engine_failed_is_heard_before_that() -> None:
    shared = SharedEngine(scripted())
    share = shared.share()
    name = share.add(b"a\n", params(1, max_tokens=1, stop_ids=frozenset()))
    while shared.running:
        time.sleep(0.001)
    share.fail(EngineError("It failed."))
    assert [output.sequence for output in share.take()] == [name]
    running = share.add(b"a\n", params(1, max_tokens=4000, stop_ids=frozenset()))
    assert share.busy
    share.forget(running)
    with pytest.raises(EngineError, match="It failed"):
        exhaust(share)
    assert not share.busy
    shared.close()


def test_the_ends_of_a_share_and_of_the_engine() -> None:
    shared = SharedEngine(scripted())
    share = shared.share()
    with pytest.raises(ValueError, match="no token 999"):
        share.add([999], asked(1))
    share.add(b"a\n", asked(1))
    share.close()
    while shared.running:
        time.sleep(0.01)
    shared.ask(lambda: None).result()  # the engine's thread has come to the abort
    assert shared.engine.cells_used == 0
    late = share.add(b"a\n", asked(1))  # of a request that is over: given back at once
    with pytest.raises(KeyError):
        share.force(late, b"x", then=1)
    other = shared.share()
    other.add(b"a\n", params(1, max_tokens=4000, stop_ids=frozenset()))
    shared.close()
    with pytest.raises(EngineError, match="closed"):
        exhaust(other)
    with pytest.raises(EngineError, match="closed"):
        other.add(b"a\n", asked(1))
