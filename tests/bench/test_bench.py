"""`vibe bench` with the bundled model, and with scripts in place of llama.cpp's tools."""

import json
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.command import vibe
from vibethinker_local.bench import bench, peers
from vibethinker_local.bench import report as bench_report
from vibethinker_local.bench.measurement import Measurement, with_earlier
from vibethinker_local.errors import UsageError
from vibethinker_local.events import Options
from vibethinker_local.models import installed, results
from vibethinker_local.runtime.model import at_once, load, step_planner
from vibethinker_local.system import machine, svg
from vibethinker_local.system.paths import MINI

SMALL = ("bench", "-m", "mini", "--sequences", "1,3", "--prompt", "40", "--tokens", "4", "--rounds", "2")
posix = pytest.mark.skipif(sys.platform == "win32", reason="the tools are scripts with a #! line")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def found(quant: str = "Q8_0", rates: dict[int, float] | None = None, **other: Any) -> results.Figures:
    """Figures of a model file that is as large as its quant's name is long."""
    rates = rates or {1: 10.0, 4: 30.0}
    return results.Figures(
        measured="2026-01-01T00:00:00+00:00",
        model=results.File(name="m", file=f"m.{quant}.gguf", bytes=len(quant), quant=quant, parameters=7),
        machine=results.here(other.pop("threads", 2)),
        prefill=(results.Prefill(tokens=512, tokens_per_second=40, low=39, high=41),),
        decode=tuple(
            results.Decode(
                sequences=count,
                depth=0,
                tokens_per_second=rate,
                low=0.9 * rate,
                high=1.1 * rate,
                sampling_ms_per_token=0.2,
            )
            for count, rate in rates.items()
        ),
        **other,
    )


def test_figures_as_json_and_kept_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "fastest_threads", lambda _: 1)
    result = vibe(*SMALL, "--depth", "80", "--json")
    assert result.code == 0
    receipt = result.receipt
    assert receipt["model"]["quant"] == "Q8_0"
    assert receipt["machine"]["processor"] == machine.processor()
    (prefill,) = receipt["prefill"]
    assert prefill["tokens"] == 40
    assert prefill["low"] <= prefill["tokens_per_second"] <= prefill["high"]
    assert [(row["sequences"], row["depth"]) for row in receipt["decode"]] == [(1, 0), (3, 0)]
    assert [(row["sequences"], row["depth"]) for row in receipt["deep"]] == [(1, 80), (3, 80)]
    for row in receipt["decode"] + receipt["deep"]:
        assert row["sampling_ms_per_token"] > 0
    assert [step["tokens"] for step in receipt["steps"]] == [1, 2, 3]
    assert all(0 < step["low"] <= step["seconds"] <= step["high"] < 10 for step in receipt["steps"])
    assert "decode of 3 Sequences" in result.err
    assert results.of(MINI) == results.Figures.model_validate(receipt)


def test_the_fastest_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {1: 50.0, 4: 90.0, 8: 70.0}
    tried = []

    class Scripted:
        def __init__(self, threads: int) -> None:
            self.threads = threads

        @classmethod
        def load(cls, chosen: object, request: bench.BenchRequest, threads: int) -> "Scripted":
            assert request.sequences == (1,)
            tried.append(threads)
            return cls(threads)

        def prefill(self) -> list[Measurement]:
            return [Measurement("prefill", "vibe", 1 / rates[self.threads])]

        def decode(self, count: int) -> Measurement:
            assert count == 1
            return Measurement("decode", "vibe", rates[self.threads])

        def close(self) -> None:
            pass

    monkeypatch.setattr(bench, "Bench", Scripted)
    monkeypatch.setattr(machine, "threads", lambda: 4)
    monkeypatch.setattr(machine, "logical_cpus", lambda: 8)
    assert bench.fastest_threads(installed.choose("mini")) == 4
    assert tried == [1, 4, 8]


def test_figures_are_written_out() -> None:
    peer = results.PeerRatio(
        what="prefill", peer="llama-bench", ratio=1, low=1, high=1, ours=20_080, theirs=0.01, unit="tokens/s", rounds=2
    )
    fast = found(rates={1: 10_041.7}, peers=(peer,))
    text = "\n".join(bench_report.lines(fast, [fast, found("Q4_K_M")]))
    assert "10,040 (9,038–11,050)" in text
    assert "prefill of 512 tokens: 40 (39–41)" in text
    assert "prefill: 20,080 by llama-bench's 0.01 tokens/s" in text
    assert "1: Q8_0 (10,040 tokens/s)" in text
    assert str(Measurement("prefill", "vibe", 10_041.7)) == "prefill: 10,040 tokens/s (vibe)"


def test_a_run_that_measures_less_leaves_the_rest_of_an_earlier_one() -> None:
    def steps(*counts: int) -> tuple[results.BatchStep, ...]:
        return tuple(results.BatchStep(tokens=count, seconds=0.1, low=0.1, high=0.1) for count in counts)

    full, less = found(rates={1: 9.0, 4: 30.0, 16: 50.0}, steps=steps(1, 2, 4)), found(rates={1: 10.0}, steps=steps(1))
    kept = with_earlier(less, full)
    assert [(row.sequences, row.tokens_per_second) for row in kept.decode] == [(1, 10.0), (4, 30.0), (16, 50.0)]
    assert kept.steps == full.steps
    assert with_earlier(full, less) == full
    deep, deeper = (tuple(row.model_copy(update={"depth": depth}) for row in full.decode) for depth in (80, 160))
    assert with_earlier(less, found(deep=deep)).deep == deep
    assert with_earlier(found(deep=deep[:1]), found(deep=deep)).deep == deep
    assert with_earlier(found(deep=deeper[:1]), found(deep=deep)).deep == deeper[:1], "one depth at a time is drawn"
    assert with_earlier(less, None) == with_earlier(less, found(threads=1, steps=steps(1, 2))) == less


def test_what_does_not_fit_is_said_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "step_times", lambda *_: pytest.fail("it was measured"))
    monkeypatch.setattr(machine, "room", lambda: machine.Room(300 << 20, "this machine"))
    result = vibe(*SMALL, "--threads", "1", "--depth", "131072")
    assert (result.code, result.out) == (4, "")
    assert "3 Sequences of 131,145 tokens do not fit into memory" in result.err


def test_a_server_is_not_measured() -> None:
    result = vibe("bench", "-m", "http://127.0.0.1:9")
    assert (result.code, result.out) == (2, "")
    assert "`vibe bench` measures a model file on this machine, and http://127.0.0.1:9 is on another" in result.err


def test_a_table_and_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "speed.svg"
    result = vibe(*SMALL, "--threads", "1", "--plot", str(picture))
    assert result.code == 0
    assert "mini.gguf, Q8_0" in result.out
    assert "1 thread\n" in result.out
    assert ET.parse(picture).getroot().tag.endswith("svg")
    assert results.of(MINI) is None  # a number of threads that was tried is not one to keep


def test_a_picture_that_cannot_be_drawn_costs_no_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "fastest_threads", lambda _: 1)
    (tmp_path / "file").touch()
    result = vibe(*SMALL, "--json", "--plot", str(tmp_path / "file" / "speed.svg"))
    assert (result.code, "cannot be written" in result.err) == (2, True)
    assert result.receipt["decode"]
    assert results.of(MINI)


def test_a_missing_tool_is_said_before_anything_is_measured() -> None:
    result = vibe("bench", *SMALL[3:], "-m", "mini", "--threads", "1", "--peers", "nowhere", "--compare", "server")
    assert result.err == "vibe: There is no llama-server in nowhere: give the folder that llama.cpp was built in.\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sequences", "1,many"], "--sequences takes numbers as in 1,4,8,16, not '1,many'."),
        (["--sequences", ""], "--sequences takes numbers"),
        (["--sequences", "0"], "--sequences takes numbers from 1 to 255"),
        (["--sequences", "256"], "--sequences takes numbers from 1 to 255"),
        (["--sequences", "4,4"], "holds a number twice"),
        (["--plot", "speed.png"], "speed.png cannot be drawn: give a name that ends in .svg."),
        (["--compare", "server"], "--compare needs --peers"),
        (
            ["--peers", ".", "--compare", "gpt"],
            "--compare takes some of decode, bare, prefill, cpu, server, turns, memory, start, not 'gpt'.",
        ),
        (["--peers", "nowhere", *SMALL[3:]], "There is no llama-batched-bench in nowhere"),
        (["--plot", "/proc/nowhere/speed.svg", *SMALL[3:]], "cannot be written"),
    ],
)
def test_bad_options(options: list[str], said: str) -> None:
    result = vibe("bench", "-m", "mini", "--threads", "1", *options)
    assert result.code == 2
    assert said in result.err
    assert "Traceback" not in result.err


def test_a_request_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "room", lambda: machine.Room(64 << 20, "this container"))
    result = vibe(*SMALL, "--threads", "1")
    assert result.code == 4
    assert "smaller quant" in result.err


def tool(folder: Path, name: str, lines: str) -> None:
    """A program that prints the given Python expressions' lines."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport json, sys, pathlib\nargs = sys.argv\n{lines}\n", encoding="utf-8")
    path.chmod(0o755)


BATCHED = """
of = lambda name: args[args.index(name) + 1]
print("llama_context: some noise")
for pl in of("-npl").split(","):
    print(json.dumps({"pp": int(of("-npp")), "pl": int(pl), "speed_tg": 1000.0 * int(pl)}))
"""


@posix
def test_ratios_come_first(tmp_path: Path) -> None:
    tool(tmp_path / "bin", "llama-batched-bench", BATCHED)
    tool(tmp_path / "bin", "llama-bench", 'print(json.dumps({"avg_ts": 5000.0}))')
    everything = ("--peers", str(tmp_path), "--compare", "decode,prefill,bare")
    result = vibe(*SMALL, "--threads", "1", "--depth", "60", *everything)
    assert result.code == 0, result.err
    first, *rows = result.out.splitlines()
    assert first.startswith("Ratios, by medians of 2 rounds")
    assert "prefill: " in rows[0]
    assert rows[0].endswith(" by llama-bench's 5,000 tokens/s")
    assert any("decode of 3 Sequences: " in row and "llama-batched-bench's 3,000 tokens/s" in row for row in rows)
    assert any("decode of 3 Sequences, 60 deep: " in row and "the bare loop" in row for row in rows)
    receipt = vibe(*SMALL, "--threads", "1", "--peers", str(tmp_path), "--json").receipt
    for row in receipt["peers"]:
        assert row["ratio"] == pytest.approx(row["ours"] / row["theirs"], rel=0.01)
        assert row["low"] <= row["high"]
        assert row["rounds"] == 2


@posix
@pytest.mark.slow
def test_processor_time_of_a_token(tmp_path: Path) -> None:
    work = 'sum(range(1_500_000 * int(args[args.index("-ntg") + 1])))\n'
    tool(tmp_path, "llama-batched-bench", work)
    options = ("--threads", "1", "--peers", str(tmp_path), "--compare", "cpu", "--json")
    result = vibe(*SMALL[:-1], "1", *options)
    assert result.code == 0, result.err
    rows = {row["what"]: row for row in result.receipt["peers"]}
    assert set(rows) == {f"processor time of a token, {count}, one thread" for count in ("1 Sequence", "3 Sequences")}
    for row in rows.values():
        assert 0 < row["ours"] < 1000
        assert 0.1 < row["theirs"] < 1000


def test_busy_neighbours_last_as_long_as_the_measurement() -> None:
    me = psutil.Process()
    with bench.neighbours(2):
        started = [child for child in me.children() if "while True" in " ".join(child.cmdline())]
        assert len(started) == 2
    assert not any(child.is_running() for child in started)


@posix
def test_neighbours_end_with_us_and_leave_ctrl_c_to_us() -> None:
    code = "from vibethinker_local.bench import bench\nwith bench.neighbours(1): print(flush=True), input()"
    ours = subprocess.Popen([sys.executable, "-P", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert ours.stdout
    ours.stdout.readline()
    (child,) = psutil.Process(ours.pid).children()
    time.sleep(0.2)  # it is a program by then, that ignores Ctrl-C
    child.send_signal(signal.SIGINT)
    time.sleep(0.1)
    assert child.is_running()
    ours.kill()
    ours.communicate()
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running()


@posix
def test_a_tool_that_loses_its_last_line_is_asked_again(tmp_path: Path) -> None:
    once = f"""
seen = pathlib.Path({str(tmp_path / "seen")!r})
if not seen.exists():
    seen.touch()
    args[args.index("-npl") + 1] = "1"
"""
    tool(tmp_path / "bin", "llama-batched-bench", once + BATCHED)
    tool(tmp_path / "bin", "llama-bench", "")
    result = vibe(*SMALL[:-1], "1", "--threads", "1", "--peers", str(tmp_path))
    assert "llama-batched-bench's 3,000" in result.out


@posix
def test_a_tool_that_fails_is_quoted(tmp_path: Path) -> None:
    tool(tmp_path, "llama-batched-bench", 'sys.exit("error: no such model")')
    tool(tmp_path, "llama-bench", "")
    result = vibe(*SMALL, "--threads", "1", "--peers", str(tmp_path))
    assert result.code == 2
    assert "llama-batched-bench failed (exit 1): error: no such model" in result.err


@pytest.mark.slow
def test_other_peers_in_turn(tmp_path: Path) -> None:
    """llama-cpp-python's Llama, and the starts of processes: what needs no tools."""
    options = ("--threads", "1", "--peers", str(tmp_path), "--compare", "turns,start", "--json")
    result = vibe(*SMALL[:-1], "1", *options)
    assert result.code == 0, result.err
    rows = {row["what"]: row for row in result.receipt["peers"]}
    assert rows["3 trajectories of one problem of 40 tokens"]["peer"] == "Llama in turn"
    assert rows["vibe --version"]["unit"] == "ms"
    assert "first token of mini: " in result.err


def test_loading_takes_the_threads_that_were_fastest() -> None:
    mini = found(threads=2).model_copy(
        update={
            "model": results.File(name="mini", file=MINI.name, bytes=MINI.stat().st_size, quant="Q8_0", parameters=7)
        }
    )
    chosen = installed.choose("mini")

    def threads(options: Options) -> int:
        model = load(chosen, options, threads=7)
        with closing(model.engine) as engine:
            return int(engine._recipe.threads)  # type: ignore[attr-defined]

    assert threads(Options(0)) == 1
    results.keep(mini)
    assert threads(Options(0)) == 2
    assert threads(Options(0, threads=3)) == 3


def test_loading_takes_the_times_of_steps_that_were_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    step = results.BatchStep(tokens=4, seconds=0.5, low=0.4, high=0.6)
    mini = results.File(name="mini", file=MINI.name, bytes=MINI.stat().st_size, quant="Q8_0", parameters=7)
    mini_file = installed.choose("mini")
    assert not step_planner(mini_file, 2).seconds
    results.keep(found(threads=2, steps=(step,)).model_copy(update={"model": mini}))
    assert step_planner(mini_file, 2).seconds == {4: 0.5}
    assert not step_planner(mini_file, 1).seconds, "measured with another number of threads"
    monkeypatch.setattr(results, "version", lambda _: "0.0.0")
    assert not step_planner(mini_file, 2).seconds, "another llama.cpp has other kernels"


def test_rates_in_between() -> None:
    rate = found(rates={4: 30.0, 1: 10.0, 8: 60.0}).rate
    assert [rate(count) for count in (1, 2, 4, 6, 8, 50)] == [10, pytest.approx(50 / 3), 30, 45, 60, 60]
    assert found(rates={1: 15.0, 4: 20.0, 8: 17.0}).best_sequences(16) == 4, "more at once is not always faster"
    timed = found(
        steps=tuple(results.BatchStep(tokens=n, seconds=s, low=s, high=s) for n, s in ((1, 1.0), (4, 2.0), (8, 9.0)))
    )
    assert [timed.best_sequences(most) for most in (1, 3, 4, 16)] == [1, 3, 4, 4], "4 + 4 are no faster than 4"


@pytest.mark.parametrize(
    ("rates", "most", "expected"),
    [
        ({1: 10.0}, 16, 16),
        ({1: 10.0, 4: 30.0, 8: 20.0}, 16, 16),
        ({1: 10.0, 8: 20.0}, 8, 8),
        ({4: 9.0, 16: 8.0}, 64, 4),
    ],
)
def test_how_many_run_at_once_is_taken_from_figures_that_tell(
    rates: dict[int, float], most: int, expected: int
) -> None:
    mini = results.File(name="mini", file=MINI.name, bytes=MINI.stat().st_size, quant="Q8_0", parameters=7)
    results.keep(found(rates=rates).model_copy(update={"model": mini}))
    assert at_once(installed.choose("mini"), most) == expected


def test_what_was_tried_serves_the_same_runs_for_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    now, threads = time.time(), 2
    tried = results.Tried(at=now, machine=results.here(threads), prefill=50.0, decode={1: 10.0, 5: 30.0})
    assert [tried.rate(count) for count in (1, 3, 5, 9)] == [10, 20, 30, 30]
    assert tried.model_copy(update={"decode": {1: 10.0}}).rate(4) == 10
    assert results.tried(MINI, threads, 1) is None
    results.keep_tried(MINI, tried)
    assert results.tried(MINI, threads, 5) == results.tried(MINI, threads, 1) == tried
    assert results.tried(MINI, threads, 6) is None, "nobody knows what so many reach"
    assert results.tried(MINI, 1, 5) is None, "found with another number of threads"
    assert results.of(MINI) is None, "no figures: nothing is planned by it"
    for later in (results.FRESH + 1, -60.0):
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda later=later: now + later)
            assert results.tried(MINI, threads, 1) is None
    results.keep_tried(MINI, tried.model_copy(update={"decode": {4: 10.0}}))
    assert results.tried(MINI, threads, 1) is None


def test_which_quant_suits_how_many() -> None:
    small, large = found("Q4_0", {1: 15, 8: 20, 2: 1}), found("Q8_0", {1: 8, 8: 24, 16: 40})
    for each in (large, small):
        results.keep(each)
    files = results.of_other_quants(small)
    assert [each.model.quant for each in files] == ["Q4_0", "Q8_0"]
    assert {count: best.model.quant for count, best in results.fastest(files).items()} == {1: "Q4_0", 8: "Q8_0"}
    *_, last = bench_report.lines(small, files)
    assert last == (
        "Fastest of the 2 files of this model, by the number of Sequences: 1: Q4_0 (15 tokens/s), 8: Q8_0 (24 tokens/s)"
    )
    assert results.of_other_quants(found("Q2_K").model_copy(update={"model": _other_model()})) == [
        found("Q2_K").model_copy(update={"model": _other_model()})
    ]


def _other_model() -> results.File:
    return results.File(name="n", file="n.gguf", bytes=1, quant="Q2_K", parameters=8)


def test_figures_of_another_machine_or_damaged_are_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home.parent / "m.Q8_0.gguf"
    path.write_bytes(b"1234")
    kept = results.keep(found())
    assert results.of(path) == found()
    with monkeypatch.context() as patch:
        patch.setattr(machine, "processor", lambda: "Another")
        assert results.of(path) is None
    whole = kept.read_text(encoding="utf-8")
    stands = found().decode[0].model_dump() | {"tokens_per_second": 0.0}
    no_step = results.BatchStep(tokens=1, seconds=1, low=1, high=1).model_dump() | {"tokens": 0}
    odd: tuple[dict[str, object], ...] = ({"decode": []}, {"decode": [stands]}, {"steps": [no_step]})
    for damaged in (whole[:-20], *(json.dumps(json.loads(whole) | each) for each in odd)):
        kept.write_text(damaged, encoding="utf-8")
        assert results.of(path) is None
    assert results.of(home / "gone.gguf") is None


def test_a_picture_has_a_line_for_each_file_and_depth() -> None:
    deep = tuple(row.model_copy(update={"depth": 4096}) for row in found().decode)
    root = ET.fromstring(bench_report.draw([found("Q4_0"), found("Q8_0", deep=deep)]))
    lines = root.findall("{*}polyline")
    assert len(lines) == 3
    assert sum("stroke-dasharray" in line.attrib for line in lines) == 1
    texts = [text.text for text in root.findall("{*}text")]
    assert {"Q4_0", "Q8_0", "Q8_0, 4,096 deep", "Sequences at once"} <= set(texts)
    for line in lines:
        points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        assert all(0 < x < svg.WIDTH and 0 < y < svg.HEIGHT for x, y in points)
        assert points[1][1] < points[0][1]  # faster is higher


def test_the_server_that_does_not_start(tmp_path: Path) -> None:
    tool(tmp_path, "llama-server", "sys.exit(1)")
    (server,) = peers.wanted(tmp_path, "server").alone
    chosen = installed.choose("mini")
    with pytest.raises(UsageError, match="llama-server does not run"):
        list(server(chosen, bench.BenchRequest((2,), 16, 4), 1))
