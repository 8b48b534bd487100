"""Runs the application: the socket, the signals, connections that say nothing, and an orderly end."""

import asyncio
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from vibethinker_local.engine.process import EngineProcess
from vibethinker_local.errors import UsageError
from vibethinker_local.serve.app import App
from vibethinker_local.serve.safety import Guard
from vibethinker_local.solving.solver import Solver

GRACE = 10.0  # seconds that requests may run on after the server was asked to stop
LAST = 5.0  # seconds after that in which they end
SILENT = 15.0  # seconds that a connection may take for the head of a request, or stay open between two
CONNECTIONS = 1024  # open at once; those beyond get 503


class Server(uvicorn.Server):
    """Closes connections that never say what they want; ends when `stop` was called, or a signal came."""

    should_exit: bool  # uvicorn's own

    def __init__(self, app: App, ready: Callable[["Server"], object]) -> None:
        """`ready` is called when requests are answered."""
        application: Any = app
        super().__init__(
            uvicorn.Config(
                application,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=CONNECTIONS,
                timeout_keep_alive=int(SILENT),
                timeout_graceful_shutdown=int(GRACE + LAST),
            )
        )
        self.app, self.cut_off = app, False  # whether requests had to be
        self._ready, self._loop = ready, asyncio.get_running_loop()
        self._silent: dict[Any, tuple[Any, float]] = {}  # connections: their last request, and since when nothing came

    def stop(self) -> None:
        """End: at first when what runs has come to its end, or after a while; asked again, at once. From any thread."""
        if self.should_exit:
            self._loop.call_soon_threadsafe(self._cut_off)
        else:
            self.should_exit = True
            self._loop.call_soon_threadsafe(lambda: self._loop.call_later(GRACE, self._cut_off))

    def _cut_off(self) -> None:
        self.cut_off |= bool(self.app.admission.running or self.app.admission.waiting)
        self.app.stopping.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready(self)

    async def on_tick(self, counter: int) -> bool:
        now, silent = time.monotonic(), dict[Any, tuple[Any, float]]()
        for connection in list(self.server_state.connections):
            cycle = getattr(connection, "cycle", None)
            if cycle is not None and not cycle.response_complete:
                continue
            before, since = self._silent.get(connection, (cycle, now))
            since = since if before is cycle else now  # a whole request may fall between two looks at it
            silent[connection] = cycle, since
            if now - since > SILENT:
                connection.transport.close()
        self._silent = silent
        return bool(await super().on_tick(counter))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals mean `stop`. They reach the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [signal.SIGINT, signal.SIGTERM]
        if sys.platform == "win32":
            numbers.append(signal.SIGBREAK)
        previous = {number: signal.signal(number, lambda *_: self.stop()) for number in numbers}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises UsageError if the address cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=512)
    except (OSError, UnicodeError) as error:
        said = getattr(error, "strerror", None) or str(error)
        reason = said.partition(" (while attempting")[0]  # behind that, Python has the address once more
        raise UsageError(
            f"The server cannot listen on {host}, port {port} ({reason}): give another --port or --host."
        ) from error


async def serve(solver: Solver, listening: socket.socket, guard: Guard, ready: Callable[[Server], object]) -> bool:
    """Serve the solver's model, which must be loaded, until Ctrl-C, SIGTERM or `Server.stop`.

    Returns whether all requests came to their end. The model is closed then.
    """
    engine = solver.load().engine
    assert isinstance(engine, EngineProcess)
    app = App(solver, engine, guard)
    _log_to_ours()
    try:
        server = Server(app, ready)
        await server.serve([listening])
    finally:
        await asyncio.to_thread(app.close)
    return not server.cut_off


def _log_to_ours() -> None:
    """What uvicorn has to say goes where our own log goes, and never to the terminal."""
    theirs = logging.getLogger("uvicorn")
    theirs.propagate = False
    theirs.handlers = logging.getLogger("vibethinker_local").handlers or [logging.NullHandler()]
    theirs.setLevel(logging.WARNING)
