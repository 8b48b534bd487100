"""Other programs that run the same model file, to be measured in turn with ours: llama.cpp's tools and Python bindings.

All get the same threads, batch and context, and what llama.cpp takes by default: flash attention, and a KV cache of its
own for each Sequence. Nothing here is needed to run a model.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from vibethinker_local.bench.bare import BareLoop
from vibethinker_local.bench.bench import Bench, BenchRequest, Peer, Peers, recipe
from vibethinker_local.bench.measurement import DECODE, PREFILL, US, Measurement
from vibethinker_local.engine.planner import Planner
from vibethinker_local.errors import UsageError
from vibethinker_local.llama.attention import BATCH, whole_blocks
from vibethinker_local.models import installed, results
from vibethinker_local.models.installed import Chosen
from vibethinker_local.system.units import counted

VIBE = [sys.executable, "-P", "-m", "vibethinker_local"]
SHORT = 16  # tokens of a prompt where decoding is what counts
WAIT = 120.0  # seconds for a server to load a model
ATTEMPTS = 5  # for llama-batched-bench, which may end before its last line is out, with small models
PATIENCE = 600.0  # seconds for a server to write a reply
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # for requests to this machine, without a proxy
PROBLEM = "What is 17 + 25?"


@dataclass(frozen=True)
class Setup:
    """What is compared: the file, what to measure with it, and the folder that the tools were built in."""

    chosen: Chosen
    request: BenchRequest
    threads: int
    folder: Path

    def tool(self, name: str) -> str:
        """The path of one of llama.cpp's programs. Raises UsageError."""
        return _tool(self.folder, name)

    def common(self, context: int, sequences: int) -> list[str]:
        """The options that all tools with a context share: so many tokens for each Sequence."""
        cells = sequences * whole_blocks(context)
        options = {"-m": self.chosen.path, "-c": cells, "-b": BATCH, "-ub": BATCH, "-t": self.threads, "-fa": "on"}
        return [str(part) for option in options.items() for part in option]


def _tool(built: Path, name: str) -> str:
    for folder in (built / "bin", built / "build" / "bin", built):
        if (path := folder / name).is_file() or (path := path.with_suffix(".exe")).is_file():
            return str(path.absolute())
    raise UsageError(f"There is no {name} in {built}: give the folder that llama.cpp was built in.")


def batched_bench(setup: Setup) -> Iterator[Measurement]:
    """Decoding without sampling, by llama-batched-bench; its Sequences share the prompt, as ours do."""
    request = setup.request
    command = [setup.tool("llama-batched-bench"), *setup.common(request.context, request.most_sequences)]
    command += ["-pps", "--output-format", "jsonl"]
    command += ["-npp", str(request.prompt), "-ntg", str(request.tokens), "-npl", ",".join(map(str, request.sequences))]
    for _ in range(ATTEMPTS):
        rows = list(_json_lines(command))
        if len(rows) == len(request.sequences):
            break
    for row in rows:
        yield Measurement(DECODE, "llama-batched-bench", row["speed_tg"], sequences=row["pl"], depth=request.depth)


def processor_time(setup: Setup) -> Iterator[Measurement]:
    """Processor time of a decoded token on one thread, by llama-batched-bench: others hardly change it.

    Its own is the difference between two runs, the second of which decodes more; what both do besides cancels out.
    """
    if sys.platform == "win32":
        raise UsageError(
            "Windows does not tell the processor time of a program that ended: leave cpu out of --compare."
        )
    measured = results.of(setup.chosen.path)
    planner = (measured.planner if measured else None) or Planner()
    few, more = 2, 2 + setup.request.tokens
    for count in setup.request.sequences:
        what = f"processor time of a token, {counted(count, 'Sequence')}, one thread"
        request = replace(setup.request, sequences=(count,), prompt=SHORT)
        with closing(Bench.load(setup.chosen, request, 1, planner)) as bench:
            bench.prefill()
            yield Measurement(what, US, bench.processor_ms(count), "ms")
        one = replace(setup, request=request, threads=1)
        command = [one.tool("llama-batched-bench"), *one.common(request.context, count), "-pps", "-npp", str(SHORT)]
        command += ["-npl", str(count), "-ntg"]
        seconds = _processor_seconds([*command, str(more)]) - _processor_seconds([*command, str(few)])
        milliseconds = 1000 * seconds / (count * (more - few))
        yield Measurement(what, "llama-batched-bench", max(milliseconds, 1e-3), "ms")


def _processor_seconds(command: list[str]) -> float:
    """What a program and its threads took of the processors, from its start to its end."""
    before = os.times()
    _output(command)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def llama_bench(setup: Setup) -> Iterator[Measurement]:
    """Prefill, by llama-bench."""
    if setup.request.deep:
        return
    command = [setup.tool("llama-bench"), "-m", str(setup.chosen.path), "-p", str(setup.request.prompt), "-n", "0"]
    command += ["-b", str(BATCH), "-ub", str(BATCH), "-t", str(setup.threads), "-fa", "on", "-r", "1", "-o", "jsonl"]
    for row in _json_lines(command):
        yield Measurement(PREFILL, "llama-bench", row["avg_ts"])


def bare_loop(setup: Setup) -> Iterator[Measurement]:
    """Decoding by our backend alone."""
    request = setup.request
    with closing(recipe(setup.chosen.path, request, setup.threads).open()) as backend:
        loop = BareLoop(backend, request)
        for count in request.sequences:
            yield loop.decode(count)


def server(setup: Setup) -> Iterator[Measurement]:
    """Many short prompts at once, sampled as the model wants it: llama-server through HTTP."""
    request = replace(setup.request, prompt=SHORT)
    count, tokens = request.most_sequences, request.tokens
    what = f"{count} short prompts at once"
    with closing(Bench.load(setup.chosen, request, setup.threads)) as bench:
        prompts = [bench.prompt(SHORT) for _ in range(count)]
        yield Measurement(what, US, count * tokens / bench.run(prompts, tokens))
    with _server(setup, request.context, count) as (url, _), ThreadPoolExecutor(count) as pool:
        _complete(url, prompts[0], SHORT, setup)
        began = time.perf_counter()
        done = sum(pool.map(lambda prompt: _complete(url, prompt, tokens, setup), prompts))
        yield Measurement(what, "llama-server", done / (time.perf_counter() - began))


def in_turn(setup: Setup) -> Iterator[Measurement]:
    """Trajectories of one problem, prefill included: at once, against llama-cpp-python's Llama one after another."""
    request, spec = setup.request, setup.chosen.spec
    count, tokens = request.most_sequences, request.tokens
    what = f"{count} trajectories of one problem of {request.prompt:,} tokens"
    with closing(Bench.load(setup.chosen, request, setup.threads)) as bench:
        prompt = bench.prompt(request.prompt)
        rate = count * tokens / bench.run([prompt] * count, tokens, shared=True)
        yield Measurement(what, US, rate)
    job = {"path": str(setup.chosen.path), "cells": request.prompt + tokens + 8, "threads": setup.threads}
    job |= {"prompt": prompt, "tokens": tokens, "count": count, "batch": BATCH}
    job |= {"temperature": spec.temperature, "top_p": spec.top_p, "top_k": spec.top_k}
    seconds = json.loads(_output([sys.executable, "-P", "-c", LLAMA_IN_TURN], json.dumps(job)).splitlines()[-1])
    yield Measurement(what, "Llama in turn", count * tokens / seconds)


LLAMA_IN_TURN = """
import json, sys, time
from llama_cpp import Llama
from vibethinker_local.llama import amx, library
amx.settle(library.library())
job = json.load(sys.stdin)
threads = job["threads"]
llama = Llama(job["path"], n_ctx=job["cells"], n_batch=job["batch"], n_threads=threads, n_threads_batch=threads,
              flash_attn=True, verbose=False)
began = time.perf_counter()
for seed in range(job["count"]):
    llama.set_seed(seed)
    tokens = llama.generate(job["prompt"], temp=job["temperature"], top_p=job["top_p"], top_k=job["top_k"], min_p=0.0,
                            repeat_penalty=1.0)
    for _ in range(job["tokens"]):
        next(tokens)
print(json.dumps(time.perf_counter() - began))
"""


def peak_memory(setup: Setup) -> Iterator[Measurement]:
    """The most memory for one short problem at a context of 32,768 tokens, our two processes together. Linux only."""
    if sys.platform != "linux":
        raise UsageError("Only Linux tells the peak of a process's memory: leave memory out of --compare.")
    cells, tokens = 32768, 128
    command = [*VIBE, "solve", "-m", str(setup.chosen.path), "--ctx", str(cells), "--max-tokens", str(tokens)]
    peaks: dict[int, int] = {}
    with _started([*command, "--threads", str(setup.threads), "-t", PROBLEM]) as ours:
        while ours.poll() is None:
            for pid in [ours.pid, *(child.pid for child in psutil.Process(ours.pid).children(recursive=True))]:
                peaks[pid] = _peak(pid) or peaks.get(pid, 0)
            time.sleep(0.05)
    yield Measurement("peak memory at a context of 32,768", US, sum(peaks.values()) / 2**20, "MiB")
    with _server(setup, cells, 1) as (url, pid):
        _complete(url, PROBLEM, tokens, setup)
        yield Measurement("peak memory at a context of 32,768", "llama-server", _peak(pid) / 2**20, "MiB")


def start(setup: Setup) -> Iterator[Measurement]:
    """From the start of the process to the first token of the bundled model, and to the version."""
    solve = [*VIBE, "solve", "-m", installed.BUNDLED, "--show-thinking", "-t", PROBLEM]
    yield Measurement("first token of mini", US, _until_output(solve), "ms")
    yield Measurement("vibe --version", US, _until_output([*VIBE, "--version"]), "ms")
    yield Measurement("vibe --version", "python -c pass", _until_output([sys.executable, "-P", "-c", "pass"]), "ms")


@contextmanager
def _server(setup: Setup, context: int, slots: int) -> Iterator[tuple[str, int]]:
    """A llama-server that has loaded the model: its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [setup.tool("llama-server"), *setup.common(context, slots), "-np", str(slots), "--port", str(port)]
    with _started(command) as process:
        began = time.monotonic()
        while True:
            with suppress(OSError), LOCAL.open(f"{address}/health", timeout=5):
                break
            if process.poll() is not None or time.monotonic() - began > WAIT:
                raise UsageError(f"llama-server does not run {setup.chosen.path}: try it by hand.")
            time.sleep(0.05)
        yield address, process.pid


def _complete(url: str, prompt: str | list[int], tokens: int, setup: Setup) -> int:
    """Have llama-server write so many tokens; returns how many it wrote."""
    spec = setup.chosen.spec
    body: dict[str, Any] = {"prompt": prompt, "n_predict": tokens, "ignore_eos": True, "cache_prompt": False}
    body |= {"temperature": spec.temperature, "top_p": spec.top_p, "top_k": spec.top_k, "min_p": 0.0}
    body["samplers"] = ["temperature", "top_k", "top_p"]
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/completion", json.dumps(body).encode(), headers)
    try:
        with LOCAL.open(request, timeout=PATIENCE) as response:
            return int(json.load(response)["tokens_predicted"])
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"llama-server failed: {error}.") from error


@contextmanager
def _started(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that says nothing, and ends with the block."""
    nothing = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing) as process:
        try:
            yield process
        finally:
            process.terminate()


def _until_output(command: list[str]) -> float:
    """Milliseconds from the start of a process to the first byte that it prints, or to its end if it prints none."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout
        process.stdout.read(1)
        seconds = time.perf_counter() - began
        process.stdout.read()
    return 1000 * seconds


def _json_lines(command: list[str]) -> Iterator[Any]:
    """The JSON objects among the lines that a tool prints on stdout."""
    for line in _output(command).splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def _output(command: list[str], sent: str = "") -> str:
    done = subprocess.run(
        command, input=sent, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UsageError(f"{Path(command[0]).name} failed (exit {done.returncode}): {last[:200]}")
    return done.stdout


def _peak(pid: int) -> int:
    """Bytes of memory that a process held at most so far; 0 if it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0


Comparison = Callable[[Setup], Iterator[Measurement]]
PREFILL_TURNS: dict[str, Comparison] = {"prefill": llama_bench}
DECODE_TURNS: dict[str, Comparison] = {"decode": batched_bench, "bare": bare_loop}
ALONE: dict[str, Comparison] = {
    "cpu": processor_time,
    "server": server,
    "turns": in_turn,
    "memory": peak_memory,
    "start": start,
}
ALL = {**DECODE_TURNS, **PREFILL_TURNS, **ALONE}
USUAL = "decode,prefill"
SEQUENCES = "1,2,4,6,8,12,16"  # between powers of two, too: kernels come in blocks
TOOLS = {
    "decode": "llama-batched-bench",
    "cpu": "llama-batched-bench",
    "prefill": "llama-bench",
    "server": "llama-server",
    "memory": "llama-server",
}


def wanted(folder: Path | None, names: str | None) -> Peers:
    """The comparisons that the user asks for. Raises UsageError."""
    if folder is None:
        if names:
            raise UsageError("--compare needs --peers, the folder that llama.cpp was built in.")
        return Peers()

    def peer(comparison: Comparison) -> Peer:
        return lambda chosen, request, threads: comparison(Setup(chosen, request, threads, folder))

    asked = (names or USUAL).split(",")
    if unknown := next((name for name in asked if name not in ALL), None):
        raise UsageError(f"--compare takes some of {', '.join(ALL)}, not {unknown!r}.")
    for name in asked:
        if name in TOOLS:
            _tool(folder, TOOLS[name])  # before anything is measured
    kinds = (PREFILL_TURNS, DECODE_TURNS, ALONE)
    return Peers(*(tuple(peer(kind[name]) for name in asked if name in kind) for kind in kinds))
