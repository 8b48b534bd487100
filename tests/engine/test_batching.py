"""Many Sequences in little memory: nothing is lost, nothing is computed twice, and nobody notices the others."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.engine.helpers import params, run, text, tokens
from tests.fakes import EOS, ScriptedBackend, always, mixes, writes
from vibethinker_local.engine import SamplingParams, SequenceId, scheduler
from vibethinker_local.engine.backend import Logits, Slice
from vibethinker_local.engine.engine import Engine
from vibethinker_local.engine.kv import KV, Saved
from vibethinker_local.engine.layout import Layout
from vibethinker_local.engine.scheduler import PREFILL_LEAST, TAIL
from vibethinker_local.errors import NoRoom

LIMIT = 50  # tokens that each may generate


def tasks(count: int) -> list[tuple[bytes, SamplingParams]]:
    """Prompts of random lengths whose replies end by themselves, somewhere, and their sampling."""
    rng = random.Random(7)
    prompts = [bytes([rng.randrange(256) for _ in range(rng.randint(1, 10))]) for _ in range(count)]
    return [(prompt, params(seed, max_tokens=LIMIT)) for seed, prompt in enumerate(prompts)]


def ends_somewhere(tokens: Sequence[int]) -> Logits:
    logits = mixes(tokens)
    logits[EOS] += 1
    return logits


def alone(tasks: list[tuple[bytes, SamplingParams]]) -> list[list[int | None]]:
    found = []
    for prompt, sampling in tasks:
        engine = Engine(ScriptedBackend(ends_somewhere))
        name = engine.add(prompt, sampling)
        found.append(tokens(run(engine)[name]))
    return found


def test_what_was_saved_of_a_longer_text_does_not_go_into_a_smaller_place() -> None:
    """As of a Sequence whose last tokens were taken back, so that a smaller place would do for it."""
    backend = ScriptedBackend(mixes, context=64, places=2, first=8)
    kv = KV(backend)
    assert kv.restore(Saved(9, list(range(9)))) is None
    assert kv.free_places == 2
    assert kv.restore(Saved(8, list(range(8)))) == 0


@pytest.mark.parametrize(
    ("saves", "restores"), [(True, True), pytest.param(True, False, marks=pytest.mark.slow), (False, False)]
)
def test_sixty_four_through_room_for_six(saves: bool, restores: bool) -> None:
    backend = ScriptedBackend(ends_somewhere, context=LIMIT + 10, cells=6 * (LIMIT + 10), places=64, first=5)
    backend.saves, backend.restores = saves, restores
    engine, work = Engine(backend), tasks(64)
    names = [engine.add(prompt, sampling) for prompt, sampling in work]
    outputs = run(engine)
    assert [tokens(outputs[name]) for name in names] == alone(work)
    assert all(sum(output.end is not None for output in outputs[name]) == 1 for name in names)
    assert 0 < engine.preempted < len(names) / 4
    once = sum(len(prompt) for prompt, _ in work) + sum(len(outputs[name]) - 1 for name in names)
    assert (sum(backend.decoded) <= once) == (saves and restores)
    for name in names:
        engine.abort(name)
    assert engine.cells_used == 0
    assert engine._kv.used == backend.used


def test_all_that_go_on_to_their_limit_are_put_away_and_come_back() -> None:
    """Worse than was hoped for at admission: none ends early, so the youngest have to make room."""
    again = {}  # tokens that were computed more than once
    for restores in (True, False):
        backend = ScriptedBackend(mixes, context=60, cells=200, places=16, first=10)
        backend.restores = restores
        engine = Engine(backend)
        sampling = [params(seed, max_tokens=LIMIT, stop_ids=frozenset()) for seed in range(8)]
        names = [engine.add(bytes([seed]), each) for seed, each in enumerate(sampling)]
        outputs = run(engine)
        assert all(len(outputs[name]) == LIMIT for name in names)
        assert 0 < engine.preempted < len(names), "some made room, and not again and again"
        again[restores] = sum(backend.decoded) - len(names) * LIMIT
    assert again[True] < again[False] / 2, "most of what was saved is not computed again"


def test_what_fits_runs_together() -> None:
    """Three times as many as could all go on to their limit: some will end before, and half as much can be put away."""
    backend = ScriptedBackend(mixes, context=50, cells=400, places=32, first=12)
    engine = Engine(backend)
    for seed in range(32):
        engine.add(bytes([seed]), params(seed, max_tokens=LIMIT - 1, stop_ids=frozenset()))
    engine.step()
    engine.step()
    assert backend.decoded[-1] == 24


@pytest.mark.parametrize(("typical", "together"), [(None, 5), (20, 15), (40, 7)])
def test_as_many_run_as_typically_fit(typical: int | None, together: int) -> None:
    """Room for two that go on to their limit of 100, and for one more put away. Those that outgrow what is typical push
    the youngest out.
    """
    backend = ScriptedBackend(mixes, context=102, cells=204, places=32, first=6)
    engine = Engine(backend)
    sampling = [params(n, max_tokens=100, stop_ids=frozenset(), typical=typical) for n in range(20)]
    names = [engine.add(bytes([n, n]), each) for n, each in enumerate(sampling)]
    engine.step()
    engine.step()
    assert backend.decoded[-1] == together
    outputs = run(engine)
    assert all(outputs[name][-1].end == "length" for name in names)


def test_places_get_more_cells_as_they_fill_and_then_become_fewer() -> None:
    backend = ScriptedBackend(mixes, context=64, cells=128, places=8, first=8)
    engine = Engine(backend)
    names = [engine.add(bytes([seed]), params(seed, max_tokens=63, stop_ids=frozenset())) for seed in range(8)]
    outputs = run(engine)
    assert [len(outputs[name]) for name in names] == [63] * 8
    assert backend.arranged[:3] == [(8, 16), (4, 32), (2, 64)]
    roomy = KV(ScriptedBackend(mixes, context=64, places=2, first=8))
    assert roomy.layout_for(9) == Layout(2, 16), "never more places than at first"
    assert sum(backend.decoded) < 2 * 8 * 63, "of what was put away, as much is kept as there is room for"


def test_memory_that_others_have_taken_since_leaves_fewer_places_for_a_while() -> None:
    class Beside(ScriptedBackend):
        memory = 96  # cells, of the 256 that there were at first

        def arrange(self, kept: Sequence[int], places: int, each: int) -> list[bool]:
            if places > 1 and places * each > max(self.memory, self.places * self.each):
                raise NoRoom("taken")
            return super().arrange(kept, places, each)

    backend = Beside(mixes, context=64, cells=256, places=4, first=16)
    engine, alone = Engine(backend), Engine(ScriptedBackend(mixes, context=64, cells=256, places=4, first=64))
    outputs = []
    for each in (engine, alone):
        sampling = [params(seed, max_tokens=60, stop_ids=frozenset()) for seed in range(4)]
        names = [each.add(bytes([65 + seed]), one) for seed, one in enumerate(sampling)]
        found = run(each)
        outputs.append([[output.token for output in found[name]] for name in names])
        for name in names:
            each.abort(name)
    assert outputs[0] == outputs[1], "what waits meanwhile goes on as it was"
    assert backend.arranged[:2] == [(3, 32), (1, 64)]
    backend.memory = 256
    for seed in range(4):
        engine.add(bytes([65 + seed] * 40), params(seed, max_tokens=2, stop_ids=frozenset()))
    run(engine)
    assert backend.arranged[-1] == (4, 64)


def test_there_are_more_places_again_once_those_that_run_are_short() -> None:
    backend = ScriptedBackend(mixes, context=64, cells=128, places=8, first=16)
    engine = Engine(backend)
    long = engine.add(b"a long one", params(1, max_tokens=50, stop_ids=frozenset()))
    run(engine)
    assert backend.arranged == [(4, 32), (2, 64)]
    engine.abort(long)
    names = [engine.add(bytes([65 + seed]), params(seed, max_tokens=4, stop_ids=frozenset())) for seed in range(8)]
    engine.step()
    assert backend.arranged[2:] == [(8, 16)]
    assert backend.decoded[-1] == 8
    outputs = run(engine)
    assert all(outputs[name] for name in names)


def test_a_long_prompt_waits_until_there_are_few_enough() -> None:
    """It does not put away those who run: they would have to be restored for it to end."""
    backend = ScriptedBackend(mixes, context=64, cells=128, places=8, first=16)
    engine = Engine(backend)
    short = [engine.add(bytes([65 + seed]), params(seed, max_tokens=9, stop_ids=frozenset())) for seed in range(4)]
    long = engine.add(bytes(range(50)), params(9, max_tokens=3, stop_ids=frozenset()))
    outputs = run(engine)
    assert engine.preempted == 0
    assert all(outputs[name] for name in (*short, long))
    assert backend.arranged == [(2, 64)]


def test_one_that_waits_for_memory_takes_no_idle_place() -> None:
    """That would not help it; and who ended may be forced to go on, or forked."""
    backend = ScriptedBackend(mixes, context=64, cells=64, places=4, first=16)
    engine = Engine(backend)
    ended = engine.add(b"over", params(1, max_tokens=2, stop_ids=frozenset()))
    run(engine)
    sampling = [params(seed, max_tokens=56, stop_ids=frozenset()) for seed in range(3)]  # 28 are expected of each
    names = [engine.add(bytes([65 + seed] * 5), each) for seed, each in enumerate(sampling)]
    engine.step()
    engine.step()
    assert backend.decoded[-1] == 2, "the third waits: there is memory for 64 tokens, and for 32 put away"
    assert backend.held[0], "what ended is still there"
    outputs = run(engine)
    assert all(outputs[name][-1].end == "length" for name in names)
    engine.abort(ended)


def test_a_prefix_is_found_without_a_parent() -> None:
    backend = ScriptedBackend(writes(b"one"))
    engine = Engine(backend)
    first = engine.add(b"a problem\n", params())
    run(engine)
    before = sum(backend.decoded)
    engine.add(b"a problem\none, and another turn", params())
    run(engine)
    assert sum(backend.decoded) - before == len(b", and another turn")
    assert engine.cells_used == len(b"a problem\none") + len(b"a problem\none, and another turn")
    engine.abort(first)


@pytest.mark.parametrize("places", [1, 2])
def test_the_next_turn_begins_with_what_the_last_one_left(places: int) -> None:
    """A conversation's next prompt repeats the last one, whose Sequence is over, and not what was reasoned after it."""
    backend = ScriptedBackend(
        writes(b"reasoning and reply"), context=100, cells=100, places=places, first=100 // places
    )
    engine = Engine(backend)
    first = engine.add(b"a problem\n", params())
    run(engine)
    engine.abort(first)
    assert engine.cells_used == 0
    assert backend.used == len(b"a problem\n")
    before = sum(backend.decoded)
    second = engine.add(b"a problem\nreply, more\n", params(max_tokens=1))
    run(engine)
    assert sum(backend.decoded) - before == len(b"reply, more\n")
    engine.abort(second)
    engine.add(b"x" * 79 + b"\n", params(max_tokens=20))  # needs all the room
    run(engine)
    assert backend.used <= 100


def test_conversations_keep_their_prompts_and_the_last_also_as_places_become_fewer() -> None:
    backend = ScriptedBackend(mixes, context=256, cells=256, places=4, first=64)
    engine = Engine(backend)
    one, two, our = (text.ljust(TAIL + 2, b".") for text in (b"one", b"two", b"our"))

    def turn(prompt: bytes, most: int = 1) -> int:
        """Returns how many tokens were computed."""
        before = sum(backend.decoded)
        name = engine.add(prompt, params(1, max_tokens=most, stop_ids=frozenset()))
        run(engine)
        engine.abort(name)
        return sum(backend.decoded) - before

    assert [turn(one), turn(two), turn(our)] == [18, 18, 17], "two of them begin alike"
    assert [turn(one + b"<think>"), turn(one + b" 4")] == [7, 2], "each goes on from its own prompt"
    assert [turn(our + b"s"), turn(our + b"s")] == [1, 1]
    assert backend.used == len(one + b" 4" + two + our + b"s"), "nothing is held twice"
    turn(b"x", 70)
    assert backend.arranged == [(2, 128)]
    assert turn(our + b"s again") == 6


def test_a_fork_finds_what_was_put_away_for_it() -> None:
    """There is a single place, and its parent held it."""
    backend = ScriptedBackend(mixes, context=64, places=1)
    engine = Engine(backend)
    parent = engine.add(b"a problem", params(1, max_tokens=1))
    run(engine)
    fork = engine.add(b"a problem, and a claim", params(2, max_tokens=1), parent=parent)
    assert run(engine)[fork]
    assert sum(backend.decoded) == len(b"a problem, and a claim")


def test_what_another_has_written_so_far_is_shared_at_once() -> None:
    """Whoever begins with it does not wait for the other to go on."""
    backend = ScriptedBackend(mixes)
    engine = Engine(backend)
    engine.add(b"hi", params(1, stop_ids=frozenset()))
    (output,) = engine.step()
    assert output.token is not None
    engine.add([*b"hi", output.token, 33], params(2, stop_ids=frozenset()))
    engine.step()
    assert backend.decoded == [2, 1 + 2]


def test_who_had_begun_goes_on_before_new_ones_begin() -> None:
    """Whether it was put away as the others grew, or is forced to go on."""
    engine = Engine(ScriptedBackend(mixes, context=32, cells=32, places=2, first=16))
    names = [engine.add(bytes([65 + i]), params(i, max_tokens=20, stop_ids=frozenset())) for i in range(3)]
    assert ends(engine) == names
    assert engine.preempted == 1
    engine = Engine(ScriptedBackend(mixes, context=32, places=1))
    names = [engine.add(bytes([65 + i]), params(i, max_tokens=4, reserve=9, stop_ids=frozenset())) for i in range(3)]
    while not any(output.end for output in engine.step()):
        pass
    engine.step()
    engine.force(names[0], b"so", then=2)
    assert ends(engine) == [names[1], names[0], names[2]]


def ends(engine: Engine[ScriptedBackend]) -> list[SequenceId]:
    """In the order in which they end."""
    return [output.sequence for outputs in iter(engine.step, []) for output in outputs if output.end]


def test_who_is_forced_goes_on_in_its_place_though_no_other_is_free() -> None:
    backend = ScriptedBackend(mixes, context=64, places=2)
    engine = Engine(backend)
    short, _ = (engine.add(bytes([65 + most]), params(1, max_tokens=most, reserve=9)) for most in (1, 20))
    engine.step()
    engine.force(short, b"so", then=1)
    engine.step()
    assert backend.decoded == [2, 1 + 3]


@pytest.mark.parametrize("named", [True, False])
def test_forks_that_start_together_wait_for_one_prompt(named: bool) -> None:
    backend = ScriptedBackend(mixes, places=8, batch=10)
    engine = Engine(backend)
    prompt = bytes(range(60, 100))
    first = engine.add(prompt, params(0, max_tokens=1))
    for seed in range(1, 8):
        engine.add(prompt, params(seed, max_tokens=1), parent=first if named else None)
    run(engine)
    assert sum(backend.decoded) == len(prompt) + 7  # the last token of each


def test_branches_after_a_shared_prefix() -> None:
    backend = ScriptedBackend(mixes, places=8)
    engine = Engine(backend)
    prefix = bytes(range(60, 90))
    for branch in (b"one claim", b"another", b"one more claim"):
        engine.score(prefix + branch, (1, 2))
    run(engine)
    assert sum(backend.decoded) == len(prefix) + len(b"one claim") + len(b"another") + len(b"more claim")
    assert len(backend.decoded) == 3  # the first; the second; the third, which shares more with the first


def test_ended_kv_is_kept_until_room_is_needed_and_found_again() -> None:
    backend = ScriptedBackend(writes(b"a long reply to a problem"), context=64, cells=64, places=2, first=32)
    engine = Engine(backend)
    first = engine.add(b"p\n", params(max_tokens=30, reserve=10))
    run(engine)
    other = engine.add(b"another problem\n", params(max_tokens=30))  # pushes the first one out
    run(engine)
    before = sum(backend.decoded)
    engine.force(first, b" and so on", then=1)
    run(engine)
    assert sum(backend.decoded) - before == len(b" and so on"), "its KV was saved and restored"
    engine.abort(first)
    engine.abort(other)
    assert engine.cells_used == 0
    assert engine._kv.used == backend.used


def test_long_prompts_do_not_hold_up_those_who_decode() -> None:
    backend = ScriptedBackend(mixes, context=2000, places=4, batch=512)
    engine = Engine(backend)
    first = engine.add(b"a", params(1, max_tokens=60, stop_ids=frozenset()))
    engine.step()
    long = engine.add(bytes([65] * 1000), params(2, max_tokens=1))
    heard: set[SequenceId] = set()
    while long not in heard:
        heard = {output.sequence for output in engine.step()}
        assert first in heard, "a step without a token for the one that decodes"
    assert backend.decoded[1] == PREFILL_LEAST + 1, "before the rate is known"


def test_the_rate_decides_how_much_prompt_a_step_takes() -> None:
    backend = ScriptedBackend(mixes, context=2000, places=4, batch=512)
    engine = Engine(backend)
    scheduler = engine._scheduler
    engine.add(bytes([65] * 400), params(1, max_tokens=1))
    scheduler.admit()
    (batch,) = scheduler.plan()
    scheduler.advance(batch, seconds=10.0)  # 40 tokens a second
    assert scheduler._prefill == 20


def test_more_than_there_are_places_for() -> None:
    backend = ScriptedBackend(ends_somewhere, context=LIMIT + 10, places=2)
    engine, work = Engine(backend), tasks(12)
    with pytest.raises(ValueError, match=f"fit into {LIMIT + 10} cells"):
        engine.add(bytes(20), params(max_tokens=LIMIT))
    names = [engine.add(prompt, sampling) for prompt, sampling in work]
    outputs = run(engine)
    assert [tokens(outputs[name]) for name in names] == alone(work)
    prompt = bytes(range(9))
    first = engine.add(prompt, params(1))
    run(engine)
    before = sum(backend.decoded)
    engine.add(prompt, params(1, max_tokens=1), parent=first)
    run(engine)
    assert sum(backend.decoded) - before == 1
    assert engine.cells_used == backend.used


@pytest.mark.parametrize(("saves", "restores"), [(True, True), (True, False), (False, False)])
def test_a_gap_between_those_who_run_is_closed(saves: bool, restores: bool) -> None:
    """llama.cpp computes places with cells of their own together only if their numbers follow one another."""
    backend = Places(mixes, context=60, places=8)
    backend.saves, backend.restores = saves, restores
    engine = Engine(backend)
    prompts = [bytes([65 + i] * 4) for i in range(8)]
    names = [engine.add(each, params(i, max_tokens=40, reserve=6)) for i, each in enumerate(prompts)]
    for _ in range(3):
        engine.step()
    engine.abort(names[0])
    engine.abort(names[3])
    outputs = run(engine)
    for i, name in enumerate(names):
        if i not in (0, 3):
            expected = Engine(ScriptedBackend(mixes))
            other = expected.add(prompts[i], params(i, max_tokens=40, reserve=6))
            assert tokens(run(expected)[other])[3:] == tokens(outputs[name])
    gapped = [max(places) - min(places) >= len(places) for places in backend.together]
    assert any(gapped) == (not saves), "copies of so little are made at once"


def test_a_gap_is_closed_once_it_has_lasted_as_long_as_the_copy_is_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "COPIED_A_STEP", 4)
    backend = Places(mixes, context=80, places=4)
    engine = Engine(backend)
    names = [engine.add(bytes([65 + i] * 20), params(i, max_tokens=50, stop_ids=frozenset())) for i in range(4)]
    for _ in range(3):
        engine.step()
    engine.abort(names[1])
    before = len(backend.together)
    for _ in range(10):
        engine.step()
    assert [len(places) for places in backend.together[before:]] == [3] * 10
    assert [max(places) for places in backend.together[before:]] == [3] * 6 + [2] * 4, "24 or 26 tokens, 4 a step"
    engine.add(bytes([66] * 20 + [1]), params(9, max_tokens=1))
    engine.step()
    assert backend.decoded[-1] == 4, "the prompt that was put aside is found again"


class Places(ScriptedBackend):
    """Notes which places are computed together."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.together: list[set[int]] = []

    def decode(self, slices: Sequence[Slice], padding: int = 0) -> Logits:
        self.together.append({piece.place for piece in slices})
        return super().decode(slices, padding)


def test_an_interrupted_batch_is_computed_again() -> None:
    backend = ScriptedBackend(mixes)
    engine = Engine(backend)
    name = engine.add(b"hi\n", params(1))
    backend.interrupt()
    assert engine.step() == []
    expected = Engine(ScriptedBackend(mixes))
    expected.add(b"hi\n", params(1))
    assert tokens(run(engine)[name]) == tokens(run(expected)[name])


def test_rewinding_takes_back_text_draws_and_an_end() -> None:
    engine = Engine(ScriptedBackend(writes("aß€ and more".encode())))
    name = engine.add(b"hi\n", params(max_tokens=40, reserve=20))
    heard = run(engine)[name]
    assert heard[-1].end == "stop"
    engine.rewind(name, 4)  # in the middle of the €
    engine.force(name, b"X", then=1)
    again = run(engine)[name]
    assert [o.text for o in heard[:4]] == ["a", "", "ß", ""]
    assert text(again).startswith("\ufffdX")
    engine.rewind(name, 6)
    engine.rewind(name, 99)
    engine.abort(name)
    assert engine.cells_used == 0


def test_score_is_the_softmax_of_the_last_logits() -> None:
    prompt = list(b"how likely\n")
    engine = Engine(ScriptedBackend(mixes))
    name = engine.score(prompt, (7, 200, 7))
    (output,) = run(engine)[name]
    row = mixes(prompt).astype(np.float64)
    expected = row - np.log(np.exp(row).sum())
    assert output.scores is not None
    np.testing.assert_allclose(output.scores, expected[[7, 200, 7]], atol=1e-5)
    assert (output.end, output.token, output.text) == ("scored", None, "")
    for wrong in ((-1,), (257,)):
        with pytest.raises(ValueError, match="token"):
            engine.score(prompt, wrong)
    with pytest.raises(ValueError, match="score"):
        engine.force(name, [], then=1)


def test_a_grammar_is_kept_to_and_ends_where_it_may() -> None:
    found = set()
    for seed in range(30):
        engine = Engine(ScriptedBackend(mixes))
        name = engine.add(bytes([seed]), params(seed, grammar='root ::= "yes" | "no" | "yesterday"'))
        outputs = run(engine)[name]
        assert outputs[-1].end == "stop"
        assert all(o.logprob is not None and o.logprob < 0 for o in outputs)
        found.add(text(outputs))
    assert found == {"yes", "no", "yesterday"}


def test_what_a_grammar_allows_is_drawn_as_without_one() -> None:
    engine = Engine(ScriptedBackend(lambda tokens: always(ord("n")) if tokens[-1] == 10 else always(ord("o"))))
    name = engine.add(b"hi\n", params(max_tokens=2, grammar='root ::= "no"'))
    assert text(run(engine)[name]) == "no"


def test_a_grammar_that_is_none_or_would_be_forced_is_refused() -> None:
    engine = Engine(ScriptedBackend(mixes))
    with pytest.raises(ValueError, match="grammar"):
        engine.add(b"hi\n", params(grammar="root"))
    with pytest.raises(ValueError, match="reserve"):
        params(grammar='root ::= "a"', reserve=1)
    name = engine.add(b"hi\n", params(grammar='root ::= "a"'))
    with pytest.raises(ValueError, match="grammar"):
        engine.force(name, b"a", then=1)
    run(engine)
