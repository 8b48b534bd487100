"""Proxies on loopback, small but real: HTTP with CONNECT, and SOCKS 5."""

import base64
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Proxy:
    """Where it listens, how it is to behave, and what it was asked for."""

    port: int
    scheme: str
    login: str | None = None  # NAME:PASSWORD that it asks for
    says: bytes | None = None  # what it answers to everything, instead of doing its work
    refuses: int | None = None  # SOCKS: the code of its reply; HTTP: the status
    asked: list[str] = field(default_factory=list)  # HOST:PORT or the address of each request

    def address(self, login: str = "", scheme: str = "") -> str:
        return f"{scheme or self.scheme}://{login and f'{login}@'}127.0.0.1:{self.port}"


@contextmanager
def http_proxy() -> Iterator[Proxy]:
    with _listening(_Http, "http") as proxy:
        yield proxy


@contextmanager
def socks_proxy() -> Iterator[Proxy]:
    with _listening(_Socks, "socks5h") as proxy:
        yield proxy


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    proxy: Proxy

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # either side may go away


@contextmanager
def _listening(handler: type[socketserver.BaseRequestHandler], scheme: str) -> Iterator[Proxy]:
    with _Server(("127.0.0.1", 0), handler) as server:
        server.proxy = proxy = Proxy(server.server_address[1], scheme)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    @property
    def proxy(self) -> Proxy:
        return self.server.proxy

    def join(self, host: str, port: int) -> None:
        """Carry bytes both ways until both sides have ended."""
        with socket.create_connection((host, port), timeout=10) as there:
            back = threading.Thread(target=_carry, args=(there, self.connection), daemon=True)
            back.start()
            _carry(self.connection, there)
            back.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class _Http(_Handler):
    def handle(self) -> None:
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return
            request += line
        method, target, _ = request.split(b"\r\n")[0].decode().split(" ", 2)
        self.proxy.asked.append(target)
        if self.proxy.says is not None:
            self.wfile.write(self.proxy.says)
            return
        login = base64.b64encode((self.proxy.login or "").encode())
        status = self.proxy.refuses
        if self.proxy.login and b"roxy-Authorization: Basic " + login not in request:
            status = 407
        if status:
            self.wfile.write(b"HTTP/1.1 %d No\r\nContent-Length: 6\r\nConnection: close\r\n\r\nPolicy" % status)
        elif method == "CONNECT":
            host, _, port = target.rpartition(":")
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self.join(host, int(port))
        else:
            self._forward(target, request)

    def _forward(self, target: str, request: bytes) -> None:
        """One request and its answer; the next request may go elsewhere."""
        parts = urlsplit(target)
        path = target[target.index(parts.netloc) + len(parts.netloc) :]
        request = request.replace(target.encode(), path.encode(), 1)
        with socket.create_connection((parts.hostname, parts.port or 80), timeout=10) as there:
            there.sendall(_closing(request))
            with there.makefile("rb") as answer:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += answer.readline()
                self.wfile.write(_closing(head))
                while data := answer.read1(65536):
                    self.wfile.write(data)


def _closing(head: bytes) -> bytes:
    """The head of a request or an answer, with word that the connection ends after it."""
    lines = [line for line in head[:-2].splitlines(keepends=True) if not line.lower().startswith(b"connection:")]
    return b"".join([*lines, b"Connection: close\r\n\r\n"])


class _Socks(_Handler):
    def handle(self) -> None:
        version, count = self.rfile.read(2)
        assert version == 5
        methods = self.rfile.read(count)
        if self.proxy.says is not None:
            self.wfile.write(self.proxy.says)
            return
        wanted = 2 if self.proxy.login else 0
        if wanted not in methods:
            self.wfile.write(b"\5\xff")
            return
        self.wfile.write(bytes([5, wanted]))
        if self.proxy.login:
            self.rfile.read(1)
            login = b":".join(self.rfile.read(self.rfile.read(1)[0]) for _ in range(2))
            right = login.decode() == self.proxy.login
            self.wfile.write(bytes([1, 0 if right else 1]))
            if not right:
                return
        _, _, _, kind = self.rfile.read(4)
        length = 4 if kind == 1 else self.rfile.read(1)[0]
        name = self.rfile.read(length)
        host = socket.inet_ntoa(name) if kind == 1 else name.decode()
        (port,) = struct.unpack("!H", self.rfile.read(2))
        self.proxy.asked.append(f"{host}:{port}")
        self.wfile.write(bytes([5, self.proxy.refuses or 0, 0, 1, 0, 0, 0, 0, 0, 0]))
        if not self.proxy.refuses:
            self.join(host, port)
