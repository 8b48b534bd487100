"""A request whose other end is slow, or gone."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from vibethinker_local.serve import http
from vibethinker_local.serve.http import Gone, Http, Message
from vibethinker_local.serve.wire import ApiError

CLOSES = {"connection": "close"}
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

    async def broken(message: Message) -> None:
        raise ConnectionResetError

    with pytest.raises(Gone):
        asyncio.run(over(nothing, broken).json({}))


def test_a_body_that_does_not_come_or_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "READ_SECONDS", 0.02)
    slow = over(nothing, never)
    with pytest.raises(ApiError, match=r"did not come within 0\.02 s") as late:
        asyncio.run(slow.body())
    assert (late.value.status, slow.extra) == (408, CLOSES)

    async def on_and_on() -> Message:
        return {"type": "http.request", "body": b"x" * 2**20, "more_body": True}

    monkeypatch.setattr(http, "READ_SECONDS", 20)
    endless = over(on_and_on, never)
    with pytest.raises(ApiError, match="more than 4 MiB") as large:
        asyncio.run(endless.body())
    assert (large.value.status, endless.extra) == (413, CLOSES)


@pytest.mark.parametrize(("sizes", "read"), [([5, 5], True), ([5, 6], False), ([10, 10, 10, 10], False)])
def test_a_body_is_read_to_its_end_and_kept_up_to_its_limit(
    sizes: list[int], read: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MOST_BYTES", 10)
    pieces = [{"type": "http.request", "body": b"x" * size, "more_body": True} for size in sizes]
    pieces[-1] |= {"more_body": False}

    async def receive() -> Message:
        return pieces.pop(0)

    found = over(receive, never)
    if read:
        assert asyncio.run(found.body()) == b"x" * sum(sizes)
    else:
        with pytest.raises(ApiError, match="shorten it"):
            asyncio.run(found.body())
    assert not pieces


def test_a_client_that_leaves_before_its_body_has_come() -> None:
    async def leaves() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(Gone):
        asyncio.run(over(leaves, never).body())
