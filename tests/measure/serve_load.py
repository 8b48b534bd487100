"""`vibe serve` under load, and beside llama-server.

    python -m tests.measure.serve_load load --seconds 120
    python -m tests.measure.serve_load peer --peer llama-server --model FILE.gguf --rounds 3

`load`: clients on loopback for so long, a tenth of them disconnecting in mid-stream, a tenth reading slowly. None may
be lost or hang, and memory has to stay flat: exit code 1 if not. `peer`: the same requests to both servers, in turn,
with the same model, threads and sampling; tokens per second of each round, and the ratio of the medians.
"""

import argparse
import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psutil

from vibethinker_local.system import machine
from vibethinker_local.system.paths import MINI

PROBLEM = "{name} has {a} apples. Ann has {b} more apples than {name}. How many has Ann?"
PATIENCE = 60.0  # seconds without a byte after which a request hangs
GROWTH = 1.10  # of memory, between the first quarter of a run and its end
SETTLING = 0.4  # of a run: until then, memory may grow


@dataclass
class Tally:
    counts: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    first: list[float] = field(default_factory=list)  # seconds to the first token


def body(seed: int, tokens: int, **more: object) -> bytes:
    chance = random.Random(seed)
    text = PROBLEM.format(
        name=chance.choice(["Tom", "Eva", "Max", "Ida"]), a=chance.randint(2, 60), b=chance.randint(2, 30)
    )
    asked = f"{text}\n\nPlease reason step by step, and put your final answer within \\boxed{{}}."
    fields = {
        "messages": [{"role": "user", "content": asked}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "seed": seed,
        "max_tokens": tokens,
        "temperature": 1.0,
        "top_p": 0.95,
        "top_k": 0,
        "min_p": 0,
    }
    return json.dumps(fields | more).encode()


async def ask(port: int, sent: bytes, tally: Tally, kind: str = "reads") -> None:
    """One request; what came of it goes into the tally. `kind`: reads, leaves, or dawdles."""
    began = time.monotonic()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        tally.counts["lost: no connection"] += 1
        return
    try:
        head = ("POST /v1/chat/completions HTTP/1.1", "Host: localhost", "Connection: close")
        writer.write("\r\n".join([*head, f"Content-Length: {len(sent)}", "", ""]).encode() + sent)
        received = bytearray()
        while True:
            async with asyncio.timeout(PATIENCE):
                piece = await reader.read(300 if kind == "dawdles" else 65536)
            if not piece:
                break
            if not received:
                tally.first.append(time.monotonic() - began)
            received += piece
            if kind == "leaves" and len(received) > 2000:
                tally.counts["left"] += 1
                return
            if kind == "dawdles":
                await asyncio.sleep(0.03)
        tally.counts[_outcome(received, kind)] += 1
        if at := received.rfind(b'"completion_tokens":'):
            tally.tokens += int(received[at + 20 : at + 30].split(b",")[0].strip(b"} "))
    except TimeoutError:
        tally.counts["hung"] += 1
    except (OSError, ValueError) as error:
        tally.counts[f"lost: {type(error).__name__}"] += 1
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _outcome(received: bytearray, kind: str) -> str:
    if b"data: [DONE]" in received:
        return f"done ({kind})"
    if received.startswith(b"HTTP/1.1 429"):
        return "told to wait (429)"
    return f"lost: {bytes(received[:12]).decode('ascii', 'replace')}"


@contextmanager
def ours(model: str, *more: str) -> Iterator[tuple[int, int]]:
    """`vibe serve`: its port and process id."""
    command = [sys.executable, "-P", "-m", "vibethinker_local", "serve", "-m", model, "--port", "0", *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout
    try:
        yield int(process.stdout.readline().rsplit(":", 1)[1].split("/")[0]), process.pid
    finally:
        process.terminate()
        code = process.wait(30)
        assert code in (0, 130), code


@contextmanager
def theirs(server: str, model: str, clients: int, context: int, threads: int) -> Iterator[tuple[int, int]]:
    """llama-server: its port and process id."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [os.path.expanduser(server), "-m", model, "--port", str(port), "-np", str(clients), "-t", str(threads)]  # noqa: PTH111
    command += ["-tb", str(threads), "-c", str(context * clients), "-fa", "on", "--no-webui"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
                break
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


def memory(pid: int) -> int:
    """Bytes of a process and its children."""
    process = psutil.Process(pid)
    return sum(each.memory_info().rss for each in [process, *process.children(recursive=True)])


async def load(port: int, pid: int, clients: int, seconds: float, tokens: int) -> tuple[Tally, list[int]]:
    tally, until, samples = Tally(), time.monotonic() + seconds, list[int]()

    async def client(number: int) -> None:
        kind = {0: "leaves", 1: "dawdles"}.get(number % 10, "reads")
        seed = number * 100_000
        while time.monotonic() < until:
            seed += 1
            await ask(port, body(seed, tokens), tally, kind)

    async def watch() -> None:
        while time.monotonic() < until:
            samples.append(memory(pid))
            await asyncio.sleep(seconds / 60)

    await asyncio.gather(watch(), *(client(number) for number in range(clients)))
    return tally, samples


def measure_load(clients: int, seconds: float, model: str, tokens: int) -> bool:
    with ours(model) as (port, pid):
        asyncio.run(round_of(port, 4, 4, tokens))
        began = time.monotonic()
        tally, samples = asyncio.run(load(port, pid, clients, seconds, tokens))
        took = time.monotonic() - began
        time.sleep(1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
            lines = [line for line in response.read().decode().splitlines() if line[0] != "#"]
        left = {name: value for name, value in (line.rsplit(" ", 1) for line in lines) if "bucket" not in name}
    settled = samples[int(len(samples) * SETTLING) :]
    growth = max(settled[-5:]) / statistics.median(settled[:5])
    bad = sum(count for what, count in tally.counts.items() if what.startswith(("lost", "hung")))
    idle = left["vibe_places_taken"] == left["vibe_sequences"] == left["vibe_requests_waiting"] == "0"
    for what, count in sorted(tally.counts.items()):
        print(f"{what:28} {count:8,}")
    first = statistics.median(tally.first)
    print(f"{tally.tokens / took:,.0f} tokens/s in {took:.1f} s; first token {first:.3f} s (median)")
    print(f"memory {settled[0] / 1e6:.0f} MB → {settled[-1] / 1e6:.0f} MB (x{growth:.3f}); idle at the end: {idle}")
    good = not bad and growth <= GROWTH and idle
    print("good" if good else "NOT GOOD")
    return good


async def round_of(port: int, clients: int, requests: int, tokens: int) -> float:
    """So many requests from each client; tokens per second."""
    tally, began = Tally(), time.monotonic()

    async def client(number: int) -> None:
        for seed in range(number * 1000, number * 1000 + requests):
            await ask(port, body(seed, tokens, thinking_budget=-1), tally)

    await asyncio.gather(*(client(number) for number in range(clients)))
    if bad := {what: count for what, count in tally.counts.items() if not what.startswith("done")}:
        raise SystemExit(f"requests failed: {bad}")
    return tally.tokens / (time.monotonic() - began)


def measure_peer(peer: str, model: str, clients: int, requests: int, rounds: int, tokens: int, threads: int) -> None:
    context = 2048
    found: dict[str, list[float]] = {"vibe serve": [], "llama-server": []}
    for number in range(rounds):
        for name in sorted(found, reverse=bool(number % 2)):
            serving = (
                ours(model, "--parallel", str(clients), "--ctx", str(context), "--threads", str(threads))
                if name == "vibe serve"
                else theirs(peer, model, clients, context, threads)
            )
            with serving as (port, _):
                asyncio.run(round_of(port, clients, 1, 8))
                found[name].append(asyncio.run(round_of(port, clients, requests, tokens)))
            print(f"round {number + 1}: {name:12} {found[name][-1]:8.1f} tokens/s", flush=True)
    ratio = statistics.median(found["vibe serve"]) / statistics.median(found["llama-server"])
    print(f"{clients} clients, {threads} threads, up to {tokens} tokens: vibe serve / llama-server = {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["load", "peer"])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--clients", type=int)
    parser.add_argument("--requests", type=int, default=4, help="of each client in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=machine.threads())
    parser.add_argument("--model", default=str(MINI))
    parser.add_argument("--peer", default="llama-server")
    given = parser.parse_args()
    if given.what == "load":
        sys.exit(0 if measure_load(given.clients or 64, given.seconds, given.model, given.tokens) else 1)
    measure_peer(
        given.peer, given.model, given.clients or 16, given.requests, given.rounds, given.tokens, given.threads
    )


if __name__ == "__main__":
    main()
