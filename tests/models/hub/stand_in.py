"""A Hugging Face hub on loopback: the routes, redirects and headers that the real one answers with, and its faults."""

import hashlib
import json
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 100_000  # bytes; from here on a file is stored apart, and named by its sha256


@dataclass(frozen=True)
class Reply:
    """An answer of the storage that is not what was asked for."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    sized: bool = True  # tells the length of the body; otherwise it comes in chunks
    cut: int | None = None  # bytes after which the connection breaks


@dataclass
class Hub:
    """Files by repository, how the server is to misbehave, and what it was asked."""

    files: dict[str, dict[str, bytes]]
    address: str = ""
    token: str | None = None  # without it, nothing is shown
    gated: bool = False
    fails: list[int] = field(default_factory=list)  # statuses for the next requests of bytes, 0: none
    replies: list[Reply] = field(default_factory=list)  # to the next requests of bytes
    mirrors: frozenset[str] = frozenset()  # headers that it leaves out, as mirrors do
    refuses: int | None = None  # the status of every answer
    headers: dict[str, str] = field(default_factory=dict)  # that go with a refusal
    page: bytes = b"{}"  # the same
    cuts: list[int] = field(default_factory=list)  # bytes after which the next answers break off
    stalls: list[int] = field(default_factory=list)  # bytes after which the next answers say no more
    ignores_ranges: bool = False
    xet: bool = False  # offers its files in chunks, too
    short: int = 0  # bytes that are missing at the end of what is stored
    extra: int = 0  # bytes that it sends beyond the end of what is stored
    damaged: bool = False  # other bytes than it tells
    info: object = None  # what it tells about a repository instead of the truth
    sends_to: str | None = None  # where it says that stored files are
    piece: int = 64 * 1024  # bytes written at once
    pause: float = 0.0  # seconds between them
    asked: list[tuple[str, str, str | None, bool]] = field(default_factory=list)  # method, path, range, with a token
    sent: int = 0  # bytes of stored files
    reached: threading.Event = field(default_factory=threading.Event)  # a stall
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def elsewhere(self) -> str:
        """The address under which files are stored: another host's, to a client."""
        return self.address.replace("127.0.0.1", "localhost")

    @property
    def ranges(self) -> list[str | None]:
        """What was asked for of stored files: None is the whole."""
        return [asked_range for method, path, asked_range, _ in self.asked if method == "GET" and "/stored/" in path]


@contextmanager
def serving(files: dict[str, dict[str, bytes]], tls: ssl.SSLContext | None = None) -> Iterator[Hub]:
    """A hub with these repositories, as long as the block runs."""
    hub = Hub(files)

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = _Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    if tls:
        server.tls = tls
        hub.address = hub.address.replace("http:", "https:")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    tls: ssl.SSLContext | None = None

    def get_request(self) -> Any:
        connection, address = super().get_request()
        if self.tls:  # hands are shaken in the connection's own thread
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, killed perhaps or for lack of trust, is nothing to report."""
        if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        try:
            self._answer()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _answer(self) -> None:
        hub, path = self.hub, self.path.split("?")[0]
        authorized = hub.token is not None and self.headers.get("Authorization") == f"Bearer {hub.token}"
        hub.asked.append((self.command, path, self.headers.get("Range"), "Authorization" in self.headers))
        parts = [unquote(part) for part in path.strip("/").split("/")]
        if parts[0] == "stored":
            return self._stored(parts[1])
        if hub.refuses:
            return self._say(hub.refuses, hub.headers, hub.page)
        if hub.token and not authorized:
            return self._error(401, "GatedRepo" if hub.gated else "RepoNotFound")
        if parts[:2] == ["api", "models"]:
            return self._info("/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main", tree="tree" in parts[4:5])
        if parts[:2] == ["api", "resolve-cache"]:
            return self._small(parts[2], "/".join(parts[3:]))
        if parts[2:3] != ["resolve"]:
            return self._error(404, "NotFound")
        return self._resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]))

    def _info(self, repository: str, revision: str, *, tree: bool) -> None:
        if repository not in self.hub.files:
            return self._error(404, "RepoNotFound")
        if revision not in ("main", COMMIT):
            return self._error(404, "RevisionNotFound")
        files = self.hub.files[repository]
        sizes = "blobs=true" in self.path and "sizes" not in self.hub.mirrors
        siblings = [{"rfilename": name} | ({"size": len(content)} if sizes else {}) for name, content in files.items()]
        told: object = {"id": repository, "sha": COMMIT, "siblings": siblings}
        if tree:
            told = [
                {"type": "file", "path": name, "size": len(content), "oid": "0" * 40} for name, content in files.items()
            ]
        return self._say(200, {"Content-Type": "application/json"}, json.dumps(self.hub.info or told).encode())

    def _resolve(self, repository: str, revision: str, file: str) -> None:
        if repository not in self.hub.files:
            return self._error(404, "RepoNotFound")
        if revision not in ("main", COMMIT):
            return self._error(404, "RevisionNotFound")
        content = self.hub.files[repository].get(file)
        if content is None:
            return self._error(404, "EntryNotFound")
        if len(content) < LARGE:
            name = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            return self._say(307, {"Location": f"/api/resolve-cache/{name}/{repository.replace('/', '--')}:{file}"})
        name = hashlib.sha256(content).hexdigest()
        headers = {
            "Location": self.hub.sends_to or f"{self.hub.elsewhere}/stored/{name}",
            "X-Repo-Commit": COMMIT,
            "X-Linked-Etag": f'"{name}"',
            "X-Linked-Size": str(len(content)),
            "ETag": f'"{name[:32]}"',
        }
        if self.hub.xet:
            headers["X-Xet-Hash"] = name
            headers["Link"] = f'<{self.hub.address}/api/models/{repository}/xet-read-token/{COMMIT}>; rel="xet-auth"'
        return self._say(302, headers)

    def _small(self, name: str, where: str) -> None:
        repository, _, file = where.replace("--", "/").partition(":")
        content = self.hub.files[repository][file]
        self._say(200, {"X-Repo-Commit": COMMIT, "ETag": f'"{name}"'}, content)

    def _stored(self, name: str) -> None:
        hub = self.hub
        if hub.fails and (status := hub.fails.pop(0)):
            return self._say(status, hub.headers)
        if hub.replies:
            return self._reply(hub.replies.pop(0))
        content = next(
            each for files in hub.files.values() for each in files.values() if hashlib.sha256(each).hexdigest() == name
        )
        if hub.damaged:
            content = content[:-1] + bytes([content[-1] ^ 1])
        content = content[: len(content) - hub.short] + bytes(hub.extra)
        begin, last, asked = 0, len(content) - 1, self.headers.get("Range")
        if asked and not hub.ignores_ranges:
            first, _, until = asked.removeprefix("bytes=").partition("-")
            begin, last = int(first), min(last, int(until or last))
            if begin >= len(content):
                return self._say(416, {"Content-Range": f"bytes */{len(content)}"})
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{last}/{len(content)}")
        else:
            self.send_response(200)
        content = content[: last + 1]
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        cut = hub.cuts.pop(0) if hub.cuts else None
        stall = hub.stalls.pop(0) if hub.stalls else None
        end = min([len(content), *(begin + each for each in (cut, stall) if each is not None)])
        for at in range(begin, end, hub.piece):
            piece = content[at : min(at + hub.piece, end)]
            self.wfile.write(piece)
            hub.sent += len(piece)
            hub.closing.wait(hub.pause)
        if stall is not None:
            hub.reached.set()
            hub.closing.wait()
        if end < len(content):
            self.close_connection = True
        return None

    def _reply(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        body = reply.body[: reply.cut]
        if reply.sized:
            self.send_header("Content-Length", str(len(reply.body)))
        else:
            self.send_header("Transfer-Encoding", "chunked")
            body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:999], body[999:]) if piece)
            body += b"" if reply.cut else b"0\r\n\r\n"
        self.end_headers()
        self.close_connection = reply.cut is not None
        self.wfile.write(body)

    def _error(self, status: int, code: str) -> None:
        self._say(status, {"X-Error-Code": code, "X-Error-Message": code}, b"{}")

    def _say(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name not in self.hub.mirrors:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
