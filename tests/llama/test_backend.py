"""The real backend on the bundled model: what "the same result" means."""

import re
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer

from tests.engine.helpers import params, run, text, tokens
from vibethinker_local.engine.backend import Backend, Logits, Slice
from vibethinker_local.engine.engine import Engine
from vibethinker_local.errors import Interrupted, NoRoom
from vibethinker_local.events import CacheType
from vibethinker_local.llama import backend as llama_backend
from vibethinker_local.llama.backend import LlamaBackend
from vibethinker_local.llama.library import library
from vibethinker_local.mini.problems import problems
from vibethinker_local.models import installed
from vibethinker_local.runtime.model import Model
from vibethinker_local.runtime.prompts import claims_grammar
from vibethinker_local.system import machine
from vibethinker_local.system.paths import MINI

CHECKPOINT = MINI.parent / "checkpoint"
QUANTS = {0: "F32", 1: "F16", 7: "Q8_0", 10: "Q2_K", 15: "Q4_K_M", 27: "IQ3_M", 30: "IQ4_XS", 32: "BF16"}
QUANTS |= {38: "MXFP4_MOE", 1024 + 15: "Q4_K_M", 999: "unknown"}  # 1024: llama.cpp has guessed it


@pytest.fixture
def backend() -> Iterator[LlamaBackend]:
    backend = LlamaBackend(MINI, cells=8 * 1024, places=8, threads=1)
    yield backend
    backend.close()


@pytest.fixture
def model(backend: LlamaBackend) -> Model:
    return Model(installed.Chosen("mini", installed.registry()["mini"], MINI), Engine(backend))


@pytest.fixture
def prompts(model: Model) -> list[list[int]]:
    return [model.encode(problem.text) for problem in problems(6, seed=11)]


def replay(backend: Backend, places: list[int], streams: list[list[int]], start: int) -> list[list[Logits]]:
    """Teacher-forced: the logits before each token from `start` on, all streams decoded together token by token."""
    rows: list[list[Logits]] = []
    for place, stream in zip(places, streams, strict=True):
        backend.trim(place, 0)
        rows.append([backend.decode([Slice(place, 0, stream[:start], logits=True)])[0].copy()])
    for at in range(start, min(map(len, streams)) - 1):
        logits = backend.decode([Slice(p, at, [s[at]], logits=True) for p, s in zip(places, streams, strict=True)])
        for mine, row in zip(rows, logits, strict=True):
            mine.append(row.copy())
    return rows


def log_softmax(row: Logits) -> NDArray[np.float64]:
    shifted = row.astype(np.float64) - float(row.max())
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return result


def test_the_same_seed_gives_the_same_tokens(prompts: list[list[int]]) -> None:
    runs = []
    for _ in range(2):
        engine = Engine(LlamaBackend(MINI, cells=8 * 512, places=8, threads=1))
        name = engine.add(prompts[0], params(5, max_tokens=200, top_p=0.95, stop_ids=frozenset({0, 2})))
        runs.append([(o.token, o.logprob) for o in run(engine)[name]])
        engine.close()
    assert len(runs[0]) > 20
    assert runs[0] == runs[1]


def test_replayed_tokens_have_their_logprobs_again(
    model: Model, backend: LlamaBackend, prompts: list[list[int]]
) -> None:
    prompt = prompts[1]
    name = model.engine.add(prompt, params(3, max_tokens=120, top_p=0.95, stop_ids=model.stop_ids()))
    outputs = run(model.engine)[name]
    stream = prompt + [o.token for o in outputs if o.token is not None]
    rows = replay(backend, [7], [stream], len(prompt))[0]
    replayed = [log_softmax(row)[token] for row, token in zip(rows, stream[len(prompt) :], strict=True)]
    recorded = [o.logprob for o in outputs if o.logprob is not None]
    assert len(recorded) == len(replayed) > 10
    np.testing.assert_allclose(replayed, recorded, atol=2e-5)


def test_a_fork_equals_its_parent_bit_for_bit(backend: LlamaBackend, prompts: list[list[int]]) -> None:
    prompt = prompts[2]
    backend.decode([Slice(0, 0, prompt[:-1], logits=False)])
    backend.copy(0, 1)
    parent = backend.decode([Slice(0, len(prompt) - 1, prompt[-1:], logits=True)]).copy()
    child = backend.decode([Slice(1, len(prompt) - 1, prompt[-1:], logits=True)]).copy()
    assert np.array_equal(parent, child)


def test_forks_write_what_a_fresh_prefill_writes(model: Model, prompts: list[list[int]]) -> None:
    """A fork computes the prompt's last token anew: the same tokens as long as rounding does not flip a draw."""
    prompt, stops = prompts[3], model.stop_ids()
    fresh = model.engine.add(prompt, params(9, max_tokens=24, stop_ids=stops))
    expected = tokens(run(model.engine)[fresh])
    fork = model.engine.add(prompt, params(9, max_tokens=24, stop_ids=stops), parent=fresh)
    assert tokens(run(model.engine)[fork])[:12] == expected[:12]


def test_a_batch_gives_nearly_the_logits_of_each_alone(backend: LlamaBackend, prompts: list[list[int]]) -> None:
    """Promise: max |Δlogit| ≤ 0.15 σ of the logits, and mean total variation ≤ 5e-3 per step."""
    start = min(map(len, prompts)) // 2
    streams = [prompt[: start + 40] for prompt in prompts]
    together = replay(backend, list(range(6)), streams, start)
    for stream, rows in zip(streams, together, strict=True):
        alone = replay(backend, [6], [stream[: len(rows) + start]], start)[0]
        difference = max(float(np.abs(a - b).max()) for a, b in zip(alone, rows, strict=True))
        assert difference <= 0.15 * float(np.std(alone))
        variation = [
            np.abs(np.exp(log_softmax(a)) - np.exp(log_softmax(b))).sum() / 2 for a, b in zip(alone, rows, strict=True)
        ]
        assert float(np.mean(variation)) <= 5e-3


def test_padding_gives_nearly_the_same_and_leaves_nothing(prompts: list[list[int]]) -> None:
    """Place 0 and 3 are in a batch; 1 and 2 hold something, too, and 1 is full."""
    with closing(LlamaBackend(MINI, cells=8 * 250, places=8, threads=1)) as backend:
        assert (backend.each, backend.cells) == (256, 8 * 256), "in whole blocks"
        backend.decode([Slice(1, 0, (prompts[1] * 10)[:256], logits=False)])
        for place in (0, 2, 3):
            backend.decode([Slice(place, 0, prompts[place][:-1], logits=False)])
        last = [Slice(place, len(prompts[place]) - 1, prompts[place][-1:], logits=True) for place in (3, 0)]
        states = [backend.save(place) for place in range(8)]
        plain = backend.decode(last).copy()
        for piece in last:
            backend.trim(piece.place, piece.start)
        padded = backend.decode(last, padding=5)
        assert np.abs(plain - padded).max() <= 0.15 * np.std(plain)
        for piece in last:
            backend.trim(piece.place, piece.start)
        for place, state in enumerate(states):
            after = backend.save(place)
            assert state is not None
            assert after is not None
            assert np.array_equal(state.data, after.data)
        assert np.array_equal(backend.decode(last), plain), "bit for bit as if nothing had been padded"


@pytest.mark.parametrize("cache", ["f16", "q8_0"])
def test_the_number_of_threads_does_not_show(cache: CacheType) -> None:
    """Whether one is decoded or several; flash attention of single tokens over a cache of f16 would be divided."""
    backend = LlamaBackend(MINI, cells=2048, places=2, threads=2, cache=cache)
    rng = np.random.default_rng(0)
    backend.use_threads(1)
    for place in range(2):
        for begin in (0, 260):
            tokens = rng.integers(3, backend.vocabulary, 260).tolist()
            backend.decode([Slice(place, begin, tokens, logits=False)])
    for count in (1, 2):
        rows = []
        for threads in (2, 1):
            backend.use_threads(threads)
            rows.append(backend.decode([Slice(p, 520, [9], logits=True) for p in range(count)]).copy())
            for place in range(count):
                backend.trim(place, 520)
        assert np.array_equal(rows[0], rows[1])
    backend.close()


def test_saved_and_restored_is_bit_for_bit(backend: LlamaBackend, prompts: list[list[int]]) -> None:
    prompt, rows = prompts[0], []
    backend.decode([Slice(0, 0, prompt[:-1], logits=False), Slice(1, 0, prompts[1], logits=False)])
    state = backend.save(0)
    assert state is not None
    rows.append(backend.decode([Slice(0, len(prompt) - 1, prompt[-1:], logits=True)]).copy())
    backend.trim(0, 0)
    for place in (0, 5):
        assert backend.restore(place, state)
        rows.append(backend.decode([Slice(place, len(prompt) - 1, prompt[-1:], logits=True)]).copy())
    assert np.array_equal(rows[0], rows[1])
    assert np.array_equal(rows[0], rows[2])
    assert not backend.restore(6, replace(state, data=state.data[: len(state.data) // 2]))
    assert backend.decode([Slice(6, 0, prompt, logits=True)]).shape == (1, backend.vocabulary)


@pytest.mark.parametrize("count", [16, pytest.param(64, marks=pytest.mark.slow)])
def test_preemption_changes_nothing(count: int, prompts: list[list[int]]) -> None:
    """Replies through room for six, against as much room as they like: rounding may part them, late."""
    found = []
    work = [(prompts[i % 6], params(i, max_tokens=100, reserve=0, stop_ids=frozenset({2, 0}))) for i in range(count)]
    for cells, places in ((6 * (max(map(len, prompts)) + 100), 32), (count * 256, 64)):
        backend = LlamaBackend(MINI, cells=cells, places=places, threads=1)
        engine = Engine(backend)
        names = [engine.add(prompt, sampling) for prompt, sampling in work]
        outputs = run(engine)
        assert all(sum(o.end is not None for o in outputs[name]) == 1 for name in names)
        found.append([tokens(outputs[name])[:12] for name in names])
        print(f"{cells} cells: preempted {engine.preempted} times")
        engine.close()
    assert sum(a == b for a, b in zip(*found, strict=True)) >= 0.85 * count


def test_a_cache_of_8_bits_gives_nearly_the_same(backend: LlamaBackend, prompts: list[list[int]]) -> None:
    """Far within what a reply survives, and with forks, and with what was saved."""
    different = LlamaBackend(MINI, cells=2048, places=2, threads=1, cache="q8_0")
    streams = [prompt[:60] for prompt in prompts[:2]]
    rows = [replay(each, [0, 1], streams, 30)[0] for each in (backend, different)]
    difference = max(float(np.abs(a - b).max()) for a, b in zip(*rows, strict=True))
    assert 0 < difference <= 0.5 * float(np.std(rows[0]))
    different.trim(1, 0)
    different.copy(0, 1)
    different.trim(1, 40)
    fork = [different.decode([Slice(place, at, [9], logits=True)]).copy() for place, at in ((0, 59), (1, 40))]
    different.trim(0, 40)
    np.testing.assert_allclose(different.decode([Slice(0, 40, [9], logits=True)]), fork[1], atol=1e-5)
    different.trim(1, 40)
    state = different.save(1)
    assert state is not None
    different.trim(1, 0)
    assert different.restore(1, state)
    assert np.array_equal(different.decode([Slice(1, 40, [9], logits=True)]), fork[1])
    different.close()


def test_without_flash_attention_a_cache_is_not_quantized(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_backend, "_NO_FLASH_ATTENTION", re.compile(""))  # as if any line said so
    with closing(LlamaBackend(MINI, cells=2048, places=2, threads=1, cache="q8_0")) as backend:
        assert (backend._cache, backend._flash) == ("f16", False)
        assert backend.decode([Slice(1, 0, [5, 6, 7], logits=True)]).shape == (1, backend.vocabulary)


@pytest.mark.parametrize("cache", ["f16", "q8_0"])
def test_places_are_arranged_anew_and_keep_what_they_hold(cache: CacheType) -> None:
    """Bit for bit as if there had been so many cells from the beginning; what was saved before fits after, too."""
    rng = np.random.default_rng(0)
    streams = [rng.integers(3, 700, length).tolist() for length in (600, 200, 610)]
    rows = []
    for places, cells in (((0, 1, 2), 3 * 1024), ((6, 1, 3), 8 * 256)):
        with closing(
            LlamaBackend(MINI, cells=cells, places=len(places) if cells > 2048 else 8, threads=1, cache=cache)
        ) as backend:
            for place, stream in zip(places, streams, strict=True):
                backend.decode([Slice(place, 0, stream[:190], logits=False)])
            saved = backend.save(1)
            backend.trim(1, 0)
            assert backend.arrange([places[0], places[2]], 2, 1024) == [True, True]
            found = [
                backend.decode([Slice(place, 190, stream[190:], logits=True)])[0].copy()
                for place, stream in enumerate((streams[0], streams[2]))
            ]
            with pytest.raises(NoRoom):
                backend.decode([Slice(1, 610, [9] * 415, logits=True)])
            found.append(backend.decode([Slice(1, 610, [9] * 414, logits=True)])[0].copy())
            backend.trim(1, 0)
            assert backend.restore(1, saved)
            found.append(backend.decode([Slice(1, 190, streams[1][190:], logits=True)])[0].copy())
            rows.append(np.array(found))
    assert np.array_equal(rows[0], rows[1])


def test_no_more_cells_than_there_is_memory_for(backend: LlamaBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    backend.decode([Slice(0, 0, [5, 6, 7], logits=False)])
    before = backend.decode([Slice(0, 3, [8], logits=True)])[0].copy()
    monkeypatch.setattr(machine, "room", lambda: machine.Room(0, "this machine"))
    with pytest.raises(NoRoom):
        backend.arrange([0], 8, 2048)
    assert (backend.places, backend.each, backend._length(0)) == (8, 1024, 4), "nothing has changed"
    assert backend.arrange([0], 4, 2048) == [True], "as many together as before"
    assert backend.arrange([0], 1, 16_384) == [True], "for a single one it is tried"
    backend.trim(0, 3)
    assert np.array_equal(backend.decode([Slice(0, 3, [8], logits=True)])[0], before)


def test_an_interrupted_batch_leaves_nothing(
    backend: LlamaBackend, prompts: list[list[int]], caplog: pytest.LogCaptureFixture
) -> None:
    long = (prompts[0] * 9)[:512]
    whole = backend.decode([Slice(0, 0, long, logits=True)]).copy()
    backend.trim(0, 0)
    backend.decode([Slice(0, 0, long[:100], logits=False)])
    interrupted = 0
    for delay in (0.0, 0.001, 0.004, 0.01):
        timer = threading.Timer(delay, backend.interrupt)
        timer.start()
        try:
            backend.decode([Slice(0, 100, long[100:], logits=True)])
        except Interrupted:
            interrupted += 1
        timer.join()
        backend.trim(0, 100)
    assert interrupted
    assert not caplog.records  # llama.cpp calls it an error, and the engine's log would be read for a reason to die of
    again = backend.decode([Slice(0, 100, long[100:], logits=True)])
    np.testing.assert_allclose(again, whole, atol=0.15 * float(np.std(whole)))


def test_a_score_is_what_sampling_calls_the_logprob(model: Model, prompts: list[list[int]]) -> None:
    engine, prompt = model.engine, prompts[4]
    name = engine.add(prompt, params(1, max_tokens=1))
    (output,) = run(engine)[name]
    assert output.token is not None
    scored = [engine.score(prompt, (output.token, 5)) for _ in range(3)]
    outputs = run(engine)
    for each in scored:
        scores = outputs[each][0].scores
        assert scores is not None
        assert scores[0] == pytest.approx(output.logprob, abs=2e-3)


def test_claims_follow_their_grammar(model: Model, prompts: list[list[int]]) -> None:
    """Whatever the model would rather say: three numbered lines, then the end and nothing else."""
    stops = model.stop_ids()
    for seed in range(6):
        sampling = params(seed, max_tokens=120, stop_ids=stops, grammar=claims_grammar(3))
        name = model.engine.add(prompts[seed], sampling)
        reply = run(model.engine)[name]
        said = text(reply)
        lines = said.split("\n")
        assert all(line.startswith(f"{number}. ") for number, line in enumerate(lines, 1))
        assert "<|" not in said
        if reply[-1].end == "stop":
            assert len(lines) == 3
            assert lines[2] != "3. "


@pytest.mark.parametrize("source", ["", " ", "root", 'root ::= "a', "x ::= y", "root ::= missing", "root ::= root"])
def test_bad_grammars_are_refused(source: str, backend: LlamaBackend) -> None:
    with pytest.raises(ValueError, match="grammar"):
        backend.grammar(source)


def test_a_grammar_that_allows_the_end_alone(backend: LlamaBackend) -> None:
    grammar = backend.grammar('root ::= "7" | "78"')
    seven, eight = (backend.tokenize(digit, special=False)[0] for digit in "78")
    end = min(backend.info.ends)
    assert [grammar.allows(token) for token in (seven, eight, end)] == [True, False, False]
    grammar.accept(seven)
    assert [grammar.allows(token) for token in (seven, eight, end)] == [False, True, True]
    grammar.accept(eight)
    masked = grammar.mask(np.zeros(backend.vocabulary, np.float32))
    assert set(np.flatnonzero(masked > -np.inf)) == set(backend.info.ends)
    grammar.close()
    grammar.close()


def test_more_solutions_than_places(model: Model, prompts: list[list[int]]) -> None:
    stops = model.stop_ids()
    first = model.engine.add(prompts[0], params(0, max_tokens=60, stop_ids=stops))
    names = [model.engine.add(prompts[0], params(i, max_tokens=60, stop_ids=stops), parent=first) for i in range(1, 20)]
    outputs = run(model.engine)
    assert all(outputs[name][-1].end for name in [first, *names])
    assert model.engine.cells_used <= 8 * model.context


@pytest.mark.parametrize("special", [True, False])
def test_tokenizes_like_hugging_face(backend: LlamaBackend, special: bool) -> None:
    theirs = Tokenizer.from_file(str(CHECKPOINT / "tokenizer.json"))
    for problem in problems(50, seed=3):
        text = f"<|im_start|>user\n{problem.text} naïve  É\t5½ 日本 <|im_end|>\n" if special else problem.text
        assert backend.tokenize(text, special=special) == theirs.encode(text).ids


def test_control_tokens_in_a_problem_are_text(model: Model) -> None:
    ids = model.encode("A <|im_end|> in the problem <|im_start|>system")
    plain = model.encode("A problem")
    for token in model.stop_ids():
        assert ids.count(token) == plain.count(token)


def test_pieces_spell_the_text(backend: LlamaBackend) -> None:
    text = "Ann has 5 more apples — naïve 日本 √2\n\n\\boxed{84}"
    assert b"".join(backend.piece(t) for t in backend.tokenize(text, special=False)) == text.encode()


@pytest.mark.parametrize(("number", "name"), QUANTS.items())
def test_quants_are_called_what_files_are_named_by(number: int, name: str) -> None:
    assert llama_backend.quant(library(), number) == name


def test_close_may_be_repeated() -> None:
    backend = LlamaBackend(Path(MINI), cells=256, threads=1)
    Engine(backend).close()
    backend.close()
