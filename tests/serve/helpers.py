"""A real server on a free port, on a thread of this process, and a client for it."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import psutil

from vibethinker_local.events import Options
from vibethinker_local.serve import server
from vibethinker_local.serve.safety import Guard
from vibethinker_local.solving.solver import Solver

PROBLEM = "Tom has 12 apples. Ann has 5 more apples than Tom. How many has Ann?"


@dataclass(frozen=True)
class Served:
    """A running server."""

    running: server.Server
    port: int
    http: httpx2.Client
    engine: psutil.Process

    def ask(self, problem: str = PROBLEM, **fields: object) -> Any:
        """The response to a question, as JSON."""
        return self.post(problem, **fields).json()

    def post(self, problem: str = PROBLEM, **fields: object) -> httpx2.Response:
        return self.http.post("/v1/chat/completions", json={"messages": user(problem)} | fields)

    def stream(self, problem: str = PROBLEM, **fields: object) -> list[Any]:
        """The events of a streamed response, the last of them [DONE] or an error."""
        body = {"messages": user(problem), "stream": True} | fields
        with self.http.stream("POST", "/v1/chat/completions", json=body) as response:
            return list(events(response))


def user(problem: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": problem}]


def events(response: httpx2.Response) -> Iterator[Any]:
    for line in response.iter_lines():
        if line.startswith("data: "):
            data = line.removeprefix("data: ")
            yield data if data == "[DONE]" else json.loads(data)


def text(chunks: list[Any], index: int = 0, field: str = "content") -> str:
    """What the chunks of a stream say."""
    choices = (choice for chunk in chunks if chunk != "[DONE]" for choice in chunk["choices"])
    return "".join(choice["delta"].get(field, "") for choice in choices if choice["index"] == index)


def engines() -> set[psutil.Process]:
    """Engines that this process has started, for other tests, too."""
    return {each for each in psutil.Process().children() if "vibethinker_local.engine.child" in each.cmdline()}


@contextmanager
def serving(
    key: str | None = None, origins: tuple[str, ...] = (), *, places: int = 16, model: str = "mini", seconds: float = 60
) -> Iterator[Served]:
    """A server with the bundled model; it is stopped at the end, and has to have come to its end."""
    ready, told, others = threading.Event(), list[server.Server](), engines()
    listening = server.listen("127.0.0.1", 0)
    port = listening.getsockname()[1]

    def begin(running: server.Server) -> None:
        told.append(running)
        ready.set()

    def run() -> None:
        with Solver(model, Options(0, threads=1)) as solver:
            solver.load(places)
            asyncio.run(server.serve(solver, listening, Guard(key, origins), begin))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(30)
        headers = {"authorization": f"Bearer {key}"} if key else {}
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=seconds) as client:
            [engine] = engines() - others
            yield Served(told[0], port, client, engine)
    finally:
        if told:
            told[0].stop()
            told[0].stop()
        thread.join(30)
        assert not thread.is_alive()


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
