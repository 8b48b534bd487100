"""Who may ask: keys, hosts and origins; and that nothing of what is asked gets into a log."""

import logging
from collections.abc import Mapping

import pytest

from tests.serve.helpers import Served, user
from vibethinker_local.cli.serve import check
from vibethinker_local.errors import UsageError
from vibethinker_local.serve.safety import Guard, is_loopback
from vibethinker_local.serve.wire import ApiError


def refused(guard: Guard, headers: Mapping[str, str], path: str = "/v1/models") -> str | None:
    try:
        guard.check(path, headers)
    except ApiError as error:
        return error.code
    return None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST", "localhost.", "::1", "[::1]"])
def test_names_of_this_machine(host: str) -> None:
    assert is_loopback(host)
    named = f"[{host}]" if host == "::1" else host
    assert refused(Guard(), {"host": f"{named}:8080"}) is None
    assert refused(Guard(), {"host": f"{named}:8080", "origin": f"http://{named}:3000"}) is None


@pytest.mark.parametrize(
    "host",
    ["", "0.0.0.0", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[", "a:b:c"],
)
def test_other_names_are_refused(host: str) -> None:
    assert not is_loopback(host)
    assert refused(Guard(), {"host": host}) == "host_not_allowed"
    if host:
        assert refused(Guard(), {"host": "localhost", "origin": f"http://{host}"}) == "origin_not_allowed"


def test_origins() -> None:
    guard = Guard(origins=("https://chat.example",))
    assert refused(guard, {"host": "localhost", "origin": "https://chat.example"}) is None
    for origin in ("https://chat.example.evil", "http://chat.example", "null", "", "https://"):
        assert refused(guard, {"host": "localhost", "origin": origin}) == "origin_not_allowed"


@pytest.mark.parametrize(
    "origin",
    ["https://chat.example", "http://chat.example:3000", "chrome-extension://abc", "app://obsidian.md", "file://"],
)
def test_an_origin_that_can_be_let_in(origin: str) -> None:
    check("127.0.0.1", None, [origin])
    assert refused(Guard(), {"host": "localhost", "origin": origin}) == "origin_not_allowed"
    assert refused(Guard(origins=(origin,)), {"host": "localhost", "origin": origin}) is None


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "chat.example",
        "https://chat.example/",
        "https://",
        "://x",
        "HTTPS://chat.example",
        "https://Chat.example",
        "https://a b",
        "https://*.example",
        "null",
    ],
)
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(UsageError, match="--allow-origin"):
        check("127.0.0.1", None, [origin])
    if origin == "null":
        check("127.0.0.1", "s3cret", [origin])


def test_a_key() -> None:
    guard = Guard("s3cret")
    assert refused(guard, {"host": "anything.example", "authorization": "Bearer s3cret"}) is None
    assert refused(guard, {"authorization": "bearer  s3cret"}) is None
    for wrong in ("", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cret1", "Basic s3cret", "s3cret", "Bearer \xff"):
        assert refused(guard, {"authorization": wrong}) == "invalid_api_key"
    assert refused(guard, {}, "/health") is None
    assert refused(guard, {}, "/metrics") == "invalid_api_key"


def test_over_the_wire(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = served.http.get
    assert ask("/v1/models", headers={"host": "evil.example"}).status_code == 403
    assert ask("/v1/models", headers={"origin": "https://evil.example"}).status_code == 403
    monkeypatch.setattr(served.running.app, "guard", Guard("s3cret", ("https://chat.example",)))
    response = ask("/v1/models")
    assert (response.status_code, response.json()["error"]["type"]) == (401, "authentication_error")
    assert ask("/v1/health").status_code == 200
    assert served.post().status_code == 401
    right = {"authorization": "Bearer s3cret", "host": "box.example", "origin": "https://chat.example"}
    response = ask("/v1/models", headers=right)
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (200, "https://chat.example")
    asking = {"origin": "https://chat.example", "access-control-request-headers": "authorization,x-stainless-os"}
    preflight = served.http.options("/v1/chat/completions", headers=asking)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-headers"] == "authorization,x-stainless-os"
    assert served.http.options("/v1/models", headers={"origin": "https://evil.example"}).status_code == 403


def test_nothing_of_a_prompt_is_logged(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("vibethinker_local")
    logger.addHandler(caplog.handler)
    before, propagates = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    try:
        served.ask("Zanzibar has 3 apples.", seed=1)
        served.ask("Zanzibar has 3 apples.", seed=1, n="Zanzibar")
        served.ask(messages=[{"role": "Zanzibar", "content": "Zanzibar"}])
        served.ask("Zanzibar", reliability={"samples": 2}, stop=["Zanzibar"])
        served.http.post("/v1/chat/completions", content=b'{"Zanzibar')
        served.http.post("/v1/Zanzibar", json={"messages": user("Zanzibar")})
    finally:
        logger.removeHandler(caplog.handler)
        logger.setLevel(before)
        logger.propagate = propagates
    assert any("/v1/chat/completions: 200" in record.getMessage() for record in caplog.records)
    assert "Zanzibar" not in caplog.text
