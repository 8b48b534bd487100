"""One HTTP request and its response, over ASGI: with limits on size and time, and never more than one response."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from vibethinker_local.serve.wire import ApiError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MOST_BYTES = 4 * 2**20  # of a body
DRAINED = 8  # times as much is read, and thrown away
READ_SECONDS, WRITE_SECONDS = 30.0, 60.0  # for a body to come; for a client to take what is in its way


class Gone(Exception):
    """The client went away, or takes nothing any more."""


class Http:
    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.method, self.path = str(scope["method"]), str(scope["path"])
        self.headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self.status = 0  # 0: no response has begun
        self.extra: dict[str, str] = {}  # headers of whatever response there will be
        self._receive, self._send_message = receive, send

    async def body(self) -> bytes:
        """Raises ApiError if it is too long, takes too long, or is compressed.

        One that is somewhat too long is read to its end: a client that still sends does not see the answer.
        """
        found, size, more, most = bytearray(), 0, True, MOST_BYTES
        try:
            async with asyncio.timeout(READ_SECONDS):
                while more and size <= DRAINED * most:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise Gone
                    piece = message.get("body", b"")
                    size += len(piece)
                    found += piece if size <= most else b""
                    more = message.get("more_body", False)
        except TimeoutError:
            self.extra["connection"] = "close"
            raise ApiError(f"The body did not come within {READ_SECONDS:g} s.", status=408) from None
        encoding = self.headers.get("content-encoding", "identity")
        if encoding.lower() != "identity":
            raise ApiError("Content-Encoding: send the body as it is, not compressed.", status=415)
        if size > most:
            self.extra["connection"] = "close"
            raise ApiError(
                f"The body has more than {most // 2**20} MiB: shorten it.", status=413, code="body_too_large"
            )
        return bytes(found)

    async def gone(self) -> None:
        """Returns when the client has gone away. Only after the body."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def json(self, data: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        await self.answer(body, "application/json", status, headers)

    async def answer(
        self, body: bytes, content_type: str, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        await self.begin(content_type, status, {"content-length": str(len(body))} | (headers or {}))
        await self.write(body, last=True)

    async def begin(self, content_type: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.status = status
        told = {"content-type": content_type} | (headers or {}) | self.extra
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def write(self, data: bytes, *, last: bool = False) -> None:
        """Raises Gone if the client takes nothing for a long time."""
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})

    async def _send(self, message: Message) -> None:
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await self._send_message(message)
        except (TimeoutError, OSError):
            raise Gone from None
