"""The engine over a scripted backend, which checks every position, place and cell it is given."""

import pytest

from tests.engine.helpers import params, run, text, tokens
from tests.fakes import EOS, ScriptedBackend, always, mixes, writes
from vibethinker_local.engine.engine import Engine
from vibethinker_local.engine.repetition import EXACT_TOKENS


def test_writes_until_a_stop_id() -> None:
    engine = Engine(ScriptedBackend(writes(b"hello")))
    name = engine.add(b"hi\n", params())
    outputs = run(engine)[name]
    assert text(outputs) == "hello"
    assert outputs[-1].end == "stop"
    assert outputs[-1].token == EOS


def test_ends_at_max_tokens() -> None:
    engine = Engine(ScriptedBackend(writes(b"hello")))
    name = engine.add(b"hi\n", params(max_tokens=3))
    outputs = run(engine)[name]
    assert (text(outputs), outputs[-1].end) == ("hel", "length")


def test_stop_string_never_comes_out() -> None:
    engine = Engine(ScriptedBackend(writes(b"one END two")))
    name = engine.add(b"hi\n", params(stop_strings=("END",)))
    outputs = run(engine)[name]
    assert (text(outputs), outputs[-1].end) == ("one ", "stop")


def test_a_character_never_comes_in_halves() -> None:
    engine = Engine(ScriptedBackend(writes("a√€😀".encode())))
    name = engine.add(b"hi\n", params())
    pieces = [output.text for output in run(engine)[name] if output.text]
    assert pieces == ["a", "√", "€", "😀"]


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_batched_equals_alone(batch: int) -> None:
    prompts = [b"a\n", b"a longer prompt\n", b"the longest prompt of the four\n", b"b\n", b"c\n"]
    alone = []
    for seed, prompt in enumerate(prompts):
        engine = Engine(ScriptedBackend(mixes))
        name = engine.add(prompt, params(seed))
        alone.append(tokens(run(engine)[name]))
    engine = Engine(ScriptedBackend(mixes, places=3, batch=batch))
    names = [engine.add(prompt, params(seed)) for seed, prompt in enumerate(prompts)]
    together = run(engine)
    assert [tokens(together[name]) for name in names] == alone


def test_forks_share_the_prompt_and_equal_a_fresh_prefill() -> None:
    prompt = bytes(range(65, 65 + 24))
    fresh = []
    for seed in (1, 2, 3):
        engine = Engine(ScriptedBackend(mixes))
        name = engine.add(prompt, params(seed))
        fresh.append(tokens(run(engine)[name]))
    backend = ScriptedBackend(mixes)
    engine = Engine(backend)
    first = engine.add(prompt, params(1))
    names = [first, *(engine.add(prompt, params(seed), parent=first) for seed in (2, 3))]
    outputs = run(engine)
    assert [tokens(outputs[name]) for name in names] == fresh
    # Once for all: the prompt; each: what it wrote; the two forks: the prompt's last token again.
    assert sum(backend.decoded) == len(prompt) + 2 + sum(len(t) - 1 for t in fresh)


def test_a_second_turn_continues_on_the_resident_kv() -> None:
    backend = ScriptedBackend(writes(b"one"))
    engine = Engine(backend)
    name = engine.add(b"hi\n", params())
    run(engine)
    before = sum(backend.decoded)
    engine.add(b"hi\none and then some\n", params(), parent=name)
    run(engine)
    assert sum(backend.decoded) - before <= len(b" and then some\n") + len(b"one") + 1


def test_force_into_a_running_sequence() -> None:
    engine = Engine(ScriptedBackend(writes(b"thinking...answer: 42")))
    name = engine.add(b"hi\n", params(max_tokens=10, reserve=20))
    heard = [output for _ in range(4) for output in engine.step()]
    engine.force(name, b"king...", then=10)
    heard += run(engine)[name]
    assert text(heard) == "thinking...answer: 42"[: 4 + 7 + 10]
    assert [o.token for o in heard if o.logprob is None] == list(b"king...")


def test_what_is_forced_may_hold_a_stop_string() -> None:
    engine = Engine(ScriptedBackend(writes(b"one. END the answer is END")))
    name = engine.add(b"hi\n", params(max_tokens=10, reserve=40, stop_strings=("END",)))
    heard = [output for _ in range(4) for output in engine.step()]
    engine.force(name, b" END", then=30)
    heard += run(engine)[name]
    assert (text(heard), heard[-1].end) == ("one. END the answer is ", "stop")


def test_force_wakes_an_ended_sequence_without_computing_again() -> None:
    backend = ScriptedBackend(writes(b"abcdefghijklmnop"))
    engine = Engine(backend)
    name = engine.add(b"hi\n", params(max_tokens=4, reserve=8))
    outputs = run(engine)[name]
    assert outputs[-1].end == "length"
    engine.force(name, b"ef", then=3)
    outputs += run(engine)[name]
    assert text(outputs) == "abcdefghi"
    assert sum(backend.decoded) == 3 + 3 + 1 + 2 + 2  # prompt, abc, d, ef, gh: nothing twice


def test_going_round_in_circles_is_an_end_but_not_once_it_was_forced() -> None:
    """Its limit is near then."""
    engine = Engine(ScriptedBackend(lambda tokens: always(65), context=800))
    name = engine.add(b"hi\n", params(max_tokens=400, reserve=300))
    outputs = run(engine)[name]
    assert (len(outputs), outputs[-1].end) == (EXACT_TOKENS + 1, "loop")
    engine.force(name, b"A", then=20)
    outputs = run(engine)[name]
    assert (len(outputs), outputs[-1].end) == (1 + 20, "length")


def test_force_beyond_the_reserve_is_refused() -> None:
    engine = Engine(ScriptedBackend(writes(b"abc")))
    name = engine.add(b"hi\n", params(max_tokens=4, reserve=8))
    with pytest.raises(ValueError, match="no room"):
        engine.force(name, b"12345", then=8)


def test_abort_ends_once_and_frees_everything() -> None:
    backend = ScriptedBackend(mixes)
    engine = Engine(backend)
    first, second = engine.add(b"one\n", params(1)), engine.add(b"two\n", params(2))
    engine.step()
    engine.abort(first)
    engine.abort(first)
    outputs = run(engine)
    assert [output.end for output in outputs[first] if output.end] == ["aborted"]
    engine.abort(second)
    assert engine.cells_used == 0
    assert backend.used == len(b"one\ntwo\n"), "the prompts, until the room is needed"


def test_more_sequences_than_places_and_cells() -> None:
    backend = ScriptedBackend(mixes, context=100, places=3)
    engine = Engine(backend)
    names = [engine.add(bytes([65 + i] * (5 + i)), params(i, max_tokens=15)) for i in range(20)]
    outputs = run(engine)
    assert all(outputs[name][-1].end in ("stop", "length") for name in names)


def test_what_can_never_fit_is_refused() -> None:
    engine = Engine(ScriptedBackend(mixes, context=30))
    with pytest.raises(ValueError, match="do not fit into 30 cells"):
        engine.add(b"0123456789", params(max_tokens=21))


@pytest.mark.parametrize("wrong", [[], [-1], [257]])
def test_tokens_that_are_none_are_refused(wrong: list[int]) -> None:
    with pytest.raises(ValueError, match="token"):
        Engine(ScriptedBackend(mixes)).add(wrong, params())
