"""What goes wrong while a server runs: clients that leave, an engine that dies, too many requests, the end."""

import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.command import vibe
from tests.serve.helpers import PROBLEM, Served, events, serving, until, user
from vibethinker_local.errors import UsageError
from vibethinker_local.serve import completion, http, server

TEXT = {"type": "string", "minLength": 9000}
LONG: dict[str, Any] = {  # noise, which may not end by itself
    "temperature": 5,
    "top_p": 1,
    "max_tokens": 1900,
    "thinking_budget": 0,
    "response_format": {"type": "json_schema", "json_schema": {"schema": TEXT}},
}


def idle(served: Served) -> bool:
    app = served.running.app
    return app.admission.running == app.admission.waiting == app.shared.running == 0


def test_a_client_that_leaves_gives_its_places_back(served: Served) -> None:
    gone = served.running.app.metrics.disconnects
    body = {"messages": user(PROBLEM), "stream": True, "n": 4, **LONG}
    with served.http.stream("POST", "/v1/chat/completions", json=body) as response:
        told = events(response)  # while this is there, the client is
        next(told)
        assert served.running.app.admission.running == 4
    until(lambda: idle(served))
    assert served.running.app.metrics.disconnects > gone
    with pytest.raises(httpx2.ReadTimeout):
        served.http.post("/v1/chat/completions", json=body | {"stream": False}, timeout=0.2)
    until(lambda: idle(served))
    with pytest.raises(httpx2.ReadTimeout):
        served.http.post(
            "/v1/chat/completions", json={"messages": user(PROBLEM), "reliability": LONG_VOTE}, timeout=0.2
        )
    until(lambda: idle(served))


LONG_VOTE = {"samples": 64, "stopping": False, "mode": "clr"}


def test_the_engine_dies_under_sixteen_streams(served: Served) -> None:
    began = threading.Semaphore(0)

    def follow(seed: int) -> Any:
        body = {"messages": user(PROBLEM), "stream": True, "seed": seed, **LONG}
        with served.http.stream("POST", "/v1/chat/completions", json=body) as response:
            found = []
            for event in events(response):
                found.append(event)
                if len(found) == 1:
                    began.release()
            return found[-1]

    with ThreadPoolExecutor(16) as pool:
        streams = [pool.submit(follow, seed) for seed in range(16)]
        for _ in streams:
            assert began.acquire(timeout=30)
        served.engine.kill()
        ends = [stream.result() for stream in streams]
    assert all(end["error"]["code"] == "engine_failed" and "killed" in end["error"]["message"] for end in ends)
    assert "\\boxed{17}" in served.ask(seed=1)["choices"][0]["message"]["content"]
    assert served.running.app.shared.deaths == 1
    assert idle(served)


def test_where_too_many_wait_the_next_is_told_when_to_come_back(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.running.app.admission, "most", 0)
    response = served.post()
    assert (response.status_code, response.json()["error"]["type"]) == (429, "rate_limit_error")
    assert int(response.headers["retry-after"]) >= 1


def test_a_request_that_waits_for_the_engine_keeps_nobody_waiting(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt, engine_goes_on = completion.prompt, threading.Event()

    def and_then_the_engine_is_busy(*given: Any) -> Any:
        found = prompt(*given)
        served.running.app.shared.ask(engine_goes_on.wait)
        return found

    monkeypatch.setattr(completion, "prompt", and_then_the_engine_is_busy)
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(served.post, response_format={"type": "json_object"}, max_tokens=20)
        try:
            until(lambda: served.running.app.admission.waiting == 1)
            assert served.http.get("/health", timeout=5).status_code == 200
            time.sleep(0.05)
            assert served.http.get("/health", timeout=5).status_code == 200
            assert not reply.done()
        finally:
            engine_goes_on.set()
        assert reply.result().status_code == 200


def test_connections_that_say_nothing_are_closed(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SILENT", 0.2)
    monkeypatch.setattr(http, "READ_SECONDS", 0.2)
    for said, answer in (
        (b"", b""),
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: local", b""),
        (b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{", b"HTTP/1.1 408"),
    ):
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as client:
            client.sendall(said)
            assert client.recv(4096).startswith(answer)
    assert served.http.get("/health").status_code == 200


def test_a_connection_in_use_stays_open(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SILENT", 0.5)
    with closing(HTTPConnection("127.0.0.1", served.port, timeout=10)) as connection:
        connection.connect()
        connection.auto_open = 0  # it has to be the same one
        for _ in range(20):
            connection.request("GET", "/health")
            assert connection.getresponse().read()
            time.sleep(0.06)


def test_asked_to_stop_it_lets_requests_end_and_asked_twice_it_cuts_them_off() -> None:
    with (
        serving(places=4) as served,
        ThreadPoolExecutor(2) as pool,
        socket.create_connection(("127.0.0.1", served.port), timeout=10) as client,
    ):
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        long = pool.submit(served.stream, seed=3, **LONG)
        until(lambda: served.running.app.admission.running == 1)
        short = pool.submit(served.stream, seed=1)
        until(lambda: served.running.app.admission.running == 2)
        served.running.stop()
        assert short.result()[-1] == "[DONE]"
        served.running.stop()
        assert long.result()[-1]["error"]["code"] == "server_stopping"
        assert client.recv(4096).startswith(b"HTTP/1.1 503"), "though its body has not come"
    assert served.running.cut_off


def test_the_command_says_where_it_is_and_ends_with_0(tmp_path: Path) -> None:
    command = [sys.executable, "-P", "-m", "vibethinker_local", "serve", "-m", "mini", "--port", "0", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        address = process.stdout.readline().strip()
        assert httpx2.get(f"{address}/models").json()["data"][0]["id"] == "mini"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stdout.read() == ""
        assert "mini Q8_0: 16 at once, 2,048 tokens each" in process.stderr.read()


def test_bad_options() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments, why in (
            (["--host", "0.0.0.0"], "give a key"),
            (["--host", "::"], "give a key"),
            (["--host", "[2001:db8::1]"], "--host 2001:db8::1 lets other machines ask"),
            (["--host", "example.org"], "give a key"),
            (["--api-key", ""], "printable ASCII"),
            (["--api-key", "schlüssel"], "printable ASCII"),
            (["--allow-origin", "chat.example"], "is no origin"),
            (["--port", port], f"127.0.0.1, port {port} (Address already in use): give another --port"),
            (["--host", "192.0.2.1", "--api-key", "k"], "cannot listen on 192.0.2.1"),
        ):
            found = vibe("serve", "-m", "mini", *arguments)
            assert (found.code, found.out) == (2, ""), arguments
            assert why in found.err
    assert vibe("serve", "-m", "nothing", "--port", "0").code == 4


def test_a_host_that_there_is_not_is_said_in_the_resolvers_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(8, "nodename nor servname provided, or not known")  # 8 as a file's error is another

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UsageError, match=r"nowhere, port 80 \(nodename nor servname provided, or not known\)"):
        server.listen("nowhere", 80)
