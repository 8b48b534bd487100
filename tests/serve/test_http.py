"""A request whose other end is slow, or gone."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from vibethinker_local.serve import http
from vibethinker_local.serve.http import Gone, Http, Message
from vibethinker_local.serve.wire import ApiError

SCOPE: Message = {"method": "POST", "path": "/", "headers": []}


def over(receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> Http:
    return Http(SCOPE, receive, send)


async def nothing(*_: object) -> Message:
    await asyncio.sleep(60)
    return {}


async def never(message: Message) -> None:
    await nothing()


def test_a_client_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "WRITE_SECONDS", 0.02)
    with pytest.raises(Gone):
        asyncio.run(over(nothing, never).json({}))


def test_a_body_that_does_not_come_or_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ_SECONDS", 0.02)
    with pytest.raises(ApiError, match=r"did not come within 0\.02 s") as late:
        asyncio.run(over(nothing, never).body())
    assert late.value.status == 408

    async def on_and_on() -> Message:
        return {"type": "http.request", "body": b"x" * 2**20, "more_body": True}

    monkeypatch.setattr(http, "READ_SECONDS", 20)
    with pytest.raises(ApiError, match="more than 4 MiB") as large:
        asyncio.run(over(on_and_on, never).body())
    assert large.value.status == 413


def test_a_client_that_leaves_before_its_body_has_come() -> None:
    async def leaves() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(Gone):
        asyncio.run(over(leaves, never).body())
