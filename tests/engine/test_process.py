"""The engine in a process of its own: the same as in here, whatever happens to it."""

import functools
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from tests import faults
from tests.command import vibe
from tests.engine.helpers import params, run, text, tokens
from tests.fakes import ScriptedBackend, mixes
from vibethinker_local.engine import SequenceId, StepOutput, connection, process
from vibethinker_local.engine.connection import Connection
from vibethinker_local.engine.engine import Engine
from vibethinker_local.engine.process import EngineProcess, Heard
from vibethinker_local.errors import EngineDied, EngineError, ModelError
from vibethinker_local.llama.recipe import LlamaModel
from vibethinker_local.runtime import model
from vibethinker_local.runtime.model import AnyEngine
from vibethinker_local.system import logs
from vibethinker_local.system.paths import MINI

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))


@pytest.fixture
def start() -> Iterator[Callable[..., EngineProcess]]:
    started: list[EngineProcess] = []

    def start(recipe: Any) -> EngineProcess:
        started.append(EngineProcess(recipe))
        return started[-1]

    yield start
    for engine in started:
        engine.close()


def mini(kind: type[LlamaModel] = LlamaModel, path: Path = MINI, **other: int) -> LlamaModel:
    return kind(path, cells=4096, places=4, threads=1, **other)  # type: ignore[arg-type]


def drive(engine: AnyEngine) -> list[list[tuple[int | None, str, float | None, str | None]]]:
    """Sequences that are forced and aborted after so many sampled tokens of theirs, whatever else there is."""
    prompts = [b"a\n", b"a longer prompt\n", b"a longer prompt, even\n", b"b\n", b"c\n", b"a\n"]
    names = [engine.add(prompt, params(seed, max_tokens=40, reserve=20)) for seed, prompt in enumerate(prompts)]
    heard: dict[SequenceId, list[StepOutput]] = defaultdict(list)
    force_at, abort_at = {names[0]: 3, names[1]: 11, names[4]: 1}, {names[1]: 14, names[2]: 7, names[3]: 1}
    while engine.busy:
        for output in engine.step():
            heard[output.sequence].append(output)
        for name in names:
            count = sum(output.logprob is not None for output in heard[name])  # a step samples one at most
            if count >= force_at.get(name, 99):
                del force_at[name]
                engine.force(name, b"forced: ", then=9)
            elif count >= abort_at.get(name, 99):
                del abort_at[name]
                engine.abort(name)
    for name in names:
        engine.abort(name)
    assert not engine.busy
    return [[(o.token, o.text, o.logprob, o.end) for o in heard[name]] for name in names]


def test_the_same_as_in_this_process(start: Callable[..., EngineProcess]) -> None:
    expected = drive(Engine(ScriptedBackend(mixes)))
    engine = start(faults.Scripted())
    for _ in range(5):
        assert drive(engine) == expected
    assert engine.cells_used == 0


def test_what_was_not_heard_is_taken_back(start: Callable[..., EngineProcess]) -> None:
    """The process is far ahead, and at its end, when it hears of a force after the first token."""
    backend = ScriptedBackend(mixes)
    here, there = Engine(backend), start(faults.Scripted())
    outputs = []
    for engine in (here, there):
        name = engine.add(b"hi\n", params(3, max_tokens=9, reserve=12))
        heard = [output for output in _first(engine) if output.sequence == name]
        while engine is there and there._connection.events.qsize() < 8:
            time.sleep(0.01)  # it goes to its end by itself
        engine.force(name, b"so:", then=6)
        engine.force(name, b"!", then=6)  # before a step
        heard += run(engine)[name]
        outputs.append([(o.token, o.text, o.logprob, o.end) for o in heard])
    assert outputs[0] == outputs[1]
    assert sum(o[0] is not None for o in outputs[1]) == 1 + 4 + 6
    name = here.add(b"hi\n", params(3))
    drawn = tokens(run(here)[name])
    for taken_back, then in (((99, 3, 2), 16), ((), 14)):  # heard here, but not by whom it was for
        found = []
        for engine in (here, there):
            name = engine.add(b"hi\n", params(3, max_tokens=9, reserve=12, stop_ids=frozenset(drawn[4:5])))
            assert [o.token for o in run(engine)[name]] == drawn[:5]
            for known in taken_back:
                engine.rewind(name, known)
            with pytest.raises(ValueError, match="no room"):
                engine.force(name, b"so:", then=then + 1)
            engine.force(name, b"so:", then=then)
            found.append([(o.token, o.text, o.logprob, o.end) for o in run(engine)[name]])
        assert found[0] == found[1]
        assert len(found[1]) == 3 + then


def _first(engine: AnyEngine) -> list[StepOutput]:
    while not (outputs := engine.step()):
        pass
    return outputs


def test_an_abort_is_the_last_that_is_heard(start: Callable[..., EngineProcess]) -> None:
    engine = start(faults.Scripted())
    engine.wake()
    name = engine.add(b"hi\n", params(max_tokens=30))
    assert engine.step() == [], "woken"
    _first(engine)
    engine.abort(name)
    engine.abort(name)
    outputs = run(engine)[name]
    assert [(o.token, o.end) for o in outputs] == [(None, "aborted")]
    engine.abort(name)
    assert not engine.busy
    with pytest.raises(ValueError, match="gone"):
        engine.force(name, b"!", then=2)


def test_nothing_is_kept_of_a_score_that_is_aborted_while_it_arrives(start: Callable[..., EngineProcess]) -> None:
    def kept() -> int:
        return sum(isinstance(each, Heard) for each in gc.get_objects())

    engine = start(faults.Scripted())
    before = kept()
    names = [engine.score(b"hi\n", (1, 2)) for _ in range(3)]
    time.sleep(0.2)  # they are scored, and nobody has heard of it
    for name in names:
        engine.abort(name)
    engine.abort(engine.add(b"hi\n", params(max_tokens=9)))
    while engine.busy:
        engine.step()
    assert kept() == before


def test_what_can_never_work_is_refused_here(start: Callable[..., EngineProcess]) -> None:
    engine = start(faults.Scripted(context=64))
    for wrong in ([], [-1], [257], [1] * 60):
        with pytest.raises(ValueError, match="token"):
            engine.add(wrong, params())
    with pytest.raises(ValueError, match="token"):
        engine.score(b"hi\n", (257,))
    with pytest.raises(ValueError, match="grammar"):
        engine.add(b"hi\n", params(grammar="nonsense"))
    name = engine.add(b"hi\n", params(max_tokens=4, reserve=8))
    with pytest.raises(ValueError, match="no room"):
        engine.force(name, b"12345", then=8)
    run(engine)


def test_what_is_a_grammar_is_remembered_of_short_ones_only(start: Callable[..., EngineProcess]) -> None:
    engine = start(mini())
    for source in ('root ::= "yes"', f'root ::= "yes" #{"!" * 100_000}'):
        kept = sys.getrefcount(source)
        assert engine.is_grammar(source)
        assert (sys.getrefcount(source) > kept) == (len(source) < 100)
    assert not engine.is_grammar("root ::= root")


def test_grammar_and_score(start: Callable[..., EngineProcess]) -> None:
    here, there = Engine(ScriptedBackend(mixes)), start(faults.Scripted())
    found = []
    for engine in (here, there):
        named = engine.add(b"hi\n", params(grammar='root ::= "yes" | "no"'))
        scored = engine.score(b"hi\n", (1, 2, 3))
        outputs = run(engine)
        assert text(outputs[named]) in ("yes", "no")
        found.append((tokens(outputs[named]), outputs[scored]))
        assert outputs[scored][-1].scores is not None
    assert found[0][0] == found[1][0]
    assert [o.scores for o in found[0][1]] == [o.scores for o in found[1][1]]


def test_the_model_is_known_out_here(start: Callable[..., EngineProcess]) -> None:
    engine = start(mini())
    assert (engine.context, engine.vocabulary, engine.info.quant) == (1024, 768, "Q8_0")
    ids = engine.tokenize("Ann has 5 apples\n", special=False)
    assert b"".join(map(engine.piece, ids)) == b"Ann has 5 apples\n"
    with pytest.raises(ModelError, match="not a GGUF file"):
        start(mini(path=Path(__file__)))


def test_native_text_goes_to_the_log(start: Callable[..., EngineProcess], capfd: pytest.CaptureFixture[str]) -> None:
    engine = start(mini(faults.Asserts))
    engine.add([1, 2, 3], params())
    with pytest.raises(EngineDied):
        run(engine)
    assert capfd.readouterr() == ("", "")
    assert "GGML_ASSERT" in logs.engine_log_since(0)


DEATHS = {
    faults.Killed: r"was killed, as the system does when memory runs short\. Try again",
    faults.Asserts: r"gave up: .*GGML_ASSERT\(.*\) failed",
    faults.OutOfMemory: r"(gave up: .*bad_alloc|out of memory)",
    faults.CutOff: r"lost its model file or its memory",
    faults.TooManyThreads: r"no more threads for the engine: allow more processes \(ulimit -u",
}


@pytest.mark.parametrize("kind", DEATHS, ids=lambda kind: kind.__name__)
@pytest.mark.skipif(sys.platform != "linux", reason="as Linux kills and counts")
def test_a_death_is_told_in_a_sentence_and_the_next_request_works(
    kind: type[faults.Fault], start: Callable[..., EngineProcess], tmp_path: Path
) -> None:
    shutil.copy(MINI, tmp_path / "m.gguf")
    engine = start(mini(kind, tmp_path / "m.gguf", after=5))
    name = engine.add([5, 6, 7], params(max_tokens=50))
    heard: list[StepOutput] = []
    with pytest.raises(EngineError, match=DEATHS[kind]) as told:
        _until_it_fails(engine, heard)
    assert len(heard) == 5
    assert len(str(told.value)) < 400
    assert "\n" not in str(told.value)
    assert not engine.busy
    engine.abort(name)
    shutil.copy(MINI, tmp_path / "m.gguf")
    again = engine.add([5, 6, 7], params(max_tokens=5))
    assert again > name
    assert run(engine)[again][-1].end == "length"


@pytest.mark.parametrize(
    ("code", "how"),
    [
        (-4, "met an instruction that this processor does not have: llama.cpp was built for another one. Build it"),
        (0xC000001D, "met an instruction that this processor does not have: llama.cpp was built"),
        (-11, "crashed. Try again"),
        (0xC0000005, "crashed. Try again"),
        (0xC0000409, "gave up. Try again"),
        (-15, "was ended by SIGTERM. Try again"),
        (3, "ended by itself (exit code 3). Try again"),
    ],
)
def test_how_a_process_ended_on_any_system(code: int, how: str) -> None:
    assert connection._obituary(code, "").startswith(f"The engine's process {how}")


def _until_it_fails(engine: AnyEngine, heard: list[StepOutput]) -> None:
    while True:
        heard += engine.step()


@pytest.mark.parametrize("kind", DEATHS, ids=lambda kind: kind.__name__)
@pytest.mark.skipif(sys.platform != "linux", reason="as Linux kills and counts")
def test_vibe_solve_keeps_what_there_was(
    kind: type[faults.Fault], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(MINI, tmp_path / "m.gguf")
    monkeypatch.setattr(model, "LlamaModel", functools.partial(kind, after=9))
    failed = vibe("solve", "-t", "What is 3 + 4?", "--seed", "1", "-m", str(tmp_path / "m.gguf"), "--json")
    assert (failed.code, failed.receipt["status"]) == (5, "failed")
    assert re.search(DEATHS[kind], failed.err)
    assert "Traceback" not in failed.err
    assert failed.receipt["trajectories"][0]["reasoning"]


@pytest.mark.parametrize("tokens", ["64", "1000"])
def test_the_same_seed_repeats_in_another_process(tokens: str) -> None:
    """Bit for bit, forced endings at a fixed budget included: where the process is ahead does not matter."""
    found = []
    for _ in range(2):
        receipt = vibe(
            "solve", "-t", "What is 30 + 4 - 7 + 22?", "--seed", "5", "--max-tokens", tokens, "--json"
        ).receipt
        found.append((receipt["text"], receipt["trajectories"]))
    assert found[0] == found[1]


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is mapped cannot be removed there")
def test_a_model_file_deleted_under_it(start: Callable[..., EngineProcess], tmp_path: Path) -> None:
    """What runs has it mapped and goes on; the next process says so."""
    shutil.copy(MINI, tmp_path / "m.gguf")
    engine = start(mini(path=tmp_path / "m.gguf"))
    engine.add([5, 6, 7], params(max_tokens=20))
    (tmp_path / "m.gguf").unlink()
    run(engine)
    engine._connection.process.kill()
    engine._connection.process.wait()
    with pytest.raises(ModelError, match=r"m\.gguf cannot be read: No such file"):
        engine.add([5, 6, 7], params())
    shutil.copy(MINI, tmp_path / "m.gguf")
    name = engine.add([5, 6, 7], params(max_tokens=5))
    assert tokens(run(engine)[name])


def test_a_death_between_requests_is_nothing(
    start: Callable[..., EngineProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Connection] = []

    def slowly() -> Connection:
        time.sleep(0.05)
        made.append(Connection())
        return made[-1]

    engine = start(faults.Scripted())
    engine.abort(engine.add(b"hi\n", params(3)))  # nobody waits for it
    engine._connection.process.kill()
    assert engine.tokenize("a", special=False) == [97]
    ended = engine.add(b"hi\n", params(max_tokens=1, reserve=9))
    run(engine)
    engine._connection.process.kill()
    engine._connection.process.wait()
    monkeypatch.setattr(process, "Connection", slowly)
    other = threading.Thread(target=engine.tokenize, args=("b",), kwargs={"special": False})
    other.start()
    name = engine.add(b"hi\n", params(4))
    other.join()
    assert made == [engine._connection]
    with pytest.raises(ValueError, match="gone"):
        engine.force(ended, b"!", then=1)
    assert tokens(run(engine)[name])
    made[0].process.kill()
    _, end, arguments, _ = made[0].end.detach()  # type: ignore[misc]  # as if another thread were at it
    assert isinstance(made[0].failure(), EngineDied)
    end(*arguments)


@pytest.mark.skipif(sys.platform == "win32", reason="stops the process by a signal")
def test_a_question_that_ctrl_c_cuts_short_leaves_the_next_its_own_answer(start: Callable[..., EngineProcess]) -> None:
    def ask(text: str) -> None:
        ctrl_c = threading.Timer(0.03, os.kill, (os.getpid(), signal.SIGINT))
        ctrl_c.start()
        try:
            engine.tokenize(text, special=False)
        finally:
            ctrl_c.join()  # it may not come later, when nobody expects it

    engine = start(faults.Scripted())
    for length in (1, 1_000_000):  # it waits for its answer, or is half sent
        process = engine._connection.process  # the one that was cut short in a write has a successor
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(KeyboardInterrupt):
            ask("a" * length)
        process.send_signal(signal.SIGCONT)
        assert engine.piece(length % 97) == bytes([length % 97])
        assert engine.tokenize("c" * length, special=False) == [99] * length


def test_a_process_that_starts_while_the_engine_is_closed_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dead:
        """A connection whose process is gone, and that takes long enough to begin for somebody to close the engine."""

        alive, ready = False, SimpleNamespace(threads=1)

        def __init__(self) -> None:
            made.append(self)
            self.ended = False

        def begin(self, *_: object) -> None:
            if self is not made[0]:
                engine.close()

        def check(self) -> None:
            pass

        def end(self) -> None:
            self.ended = True

    made: list[Dead] = []
    monkeypatch.setattr(process, "Connection", Dead)
    engine = EngineProcess(faults.Scripted())
    with pytest.raises(EngineError, match="closed"):
        engine.tokenize("a", special=False)
    assert [each.ended for each in made] == [True, True]


def test_close_is_prompt_and_may_be_repeated(start: Callable[..., EngineProcess]) -> None:
    engine = start(mini(faults.Fault))
    engine.add([5, 6, 7], params(max_tokens=500))
    _first(engine)
    process, began = engine._connection.process, time.monotonic()
    engine.close()
    engine.close()
    assert time.monotonic() - began < 3  # milliseconds on a quiet machine
    assert process.poll() is not None
    assert not engine.busy
    with pytest.raises(EngineError, match="closed"):
        engine.add([5, 6, 7], params())


def test_no_thread_to_hear_it_with(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = set(psutil.Process().children())
    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(EngineError, match="no more threads for the engine"):
        EngineProcess(faults.Scripted())
    assert not [child for child in psutil.Process().children() if child not in before]


def test_a_step_that_comes_after_close_waits_for_nothing(start: Callable[..., EngineProcess]) -> None:
    engine = start(mini())
    engine.add([5, 6, 7], params(max_tokens=500))
    _first(engine)

    def follow() -> None:
        while True:
            engine.step()

    threading.Timer(0.05, engine.close).start()
    with pytest.raises(EngineError, match=r"^The engine was closed\.$"):
        follow()


FORK = """
import gc, os
from tests.faults import Scripted
from vibethinker_local.engine import SamplingParams
from vibethinker_local.engine.process import EngineProcess
from vibethinker_local.errors import EngineError
engine = EngineProcess(Scripted())
engine.add([5, 6, 7], SamplingParams(seed=1, max_tokens=9))
if os.fork() == 0:
    for use in (lambda: engine.add([5], SamplingParams(seed=1, max_tokens=9)), engine.step, lambda: engine.cells_used):
        try:
            use()
        except EngineError as error:
            print(error, flush=True)
    engine.close()
    del engine
    gc.collect()
    os._exit(0)
os.wait()
while engine.busy:
    engine.step()
print("the parent's goes on")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_can_neither_use_nor_end_it() -> None:
    command = [sys.executable, "-P", "-c", FORK]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
    *refused, last = ended.stdout.splitlines()
    assert len(refused) == 3, ended.stderr
    assert all("load it here" in line for line in refused)
    assert last == "the parent's goes on"


def test_a_handle_that_is_forgotten_ends_its_process() -> None:
    engine = EngineProcess(faults.Scripted())
    process = engine._connection.process
    del engine
    gc.collect()
    assert process.poll() is not None


@pytest.mark.parametrize(
    ("own", "all_of_them"),
    [
        ("", "glibc.malloc.hugetlb=1"),
        ("glibc.malloc.arena_max=4", "glibc.malloc.arena_max=4:glibc.malloc.hugetlb=1"),
        ("glibc.malloc.hugetlb=0", "glibc.malloc.hugetlb=0"),
    ],
)
def test_it_asks_for_huge_pages_unless_the_user_has_chosen(
    own: str, all_of_them: str, start: Callable[..., EngineProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []  # not asked of the process: glibc cuts its copy into pieces
    popen = subprocess.Popen

    def spy(*args: Any, **other: Any) -> "subprocess.Popen[bytes]":
        given.append(other["env"]["GLIBC_TUNABLES"])
        return popen(*args, **other)

    monkeypatch.setattr(subprocess, "Popen", spy)
    monkeypatch.setenv("GLIBC_TUNABLES", own)
    start(faults.Scripted())
    assert given == [all_of_them]


FRONT_END = """
from tests.faults import Fault
from vibethinker_local.engine import SamplingParams
from vibethinker_local.engine.process import EngineProcess
from vibethinker_local.system.paths import MINI
engine = EngineProcess(Fault(MINI, cells=4096, places=4, threads=1))
engine.add([5, 6, 7], SamplingParams(seed=1, max_tokens=900))
print(engine._connection.process.pid, flush=True)
while True:
    engine.step()
"""


def test_it_ends_with_a_front_end_that_is_killed(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-c", FRONT_END]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as front_end:
        assert front_end.stdout
        child = psutil.Process(int(front_end.stdout.readline()))
        time.sleep(0.1)  # in mid-decode
        front_end.kill()
    child.wait(timeout=30)


def test_many_deaths_leave_nothing_behind(start: Callable[..., EngineProcess], tmp_path: Path) -> None:
    deaths(start(faults.Scripted()), 3, tmp_path)


@pytest.mark.slow
def test_fifty_deaths_leave_nothing_behind(start: Callable[..., EngineProcess], tmp_path: Path) -> None:
    deaths(start(mini()), 50, tmp_path)


def deaths(engine: EngineProcess, count: int, folder: Path) -> None:
    def asks() -> None:
        with pytest.raises(EngineDied):
            engine.tokenize("b", special=False)

    me = psutil.Process()
    others = len(me.children()) - 1  # of earlier tests
    before = None
    for _ in range(count):
        engine.add([5, 6, 7], params(max_tokens=200))
        _first(engine)
        engine._connection.process.kill()
        engine._connection.process.wait()
        other = threading.Thread(target=asks)
        other.start()
        other.join()
        with pytest.raises(EngineDied):  # though another thread has heard it first
            run(engine)
        files = []
        for _ in range(5):  # other tests' threads have one open now and then, and a server keeps its connections
            files.append(me.num_fds() - len(me.net_connections("all")))
            time.sleep(0.01)
        now = (len(me.children()), min(files), threading.active_count(), sorted((folder / "home/logs").iterdir()))
        assert before in (None, now)
        before = now
    assert before is not None
    assert before[0] <= others
