"""Many servers as one: requests go to the one with the least to do, and those that fail to another, or later.

All network is on one thread with an event loop. What comes is handed over in a queue, in the order in which it came.
"""

import asyncio
import json
import logging
import queue
import random
import threading
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any

import httpx2

from vibethinker_local.errors import EngineError, UsageError, VibeError
from vibethinker_local.models import network
from vibethinker_local.remote import request, wire
from vibethinker_local.remote.reply import ReplyToken
from vibethinker_local.remote.request import Key, Quote, Wanted
from vibethinker_local.remote.served import EngineServer, Served
from vibethinker_local.remote.server import SPENT, headers, refusal, retry_after
from vibethinker_local.remote.wire import Chunk, Drawn, EventStream

log = logging.getLogger("vibethinker_local.remote")

ATTEMPTS = 12  # of a request that gets nowhere: for about two minutes
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds; doubled from one failure of a server to the next
BUSY = 3600.0  # seconds that servers may refuse a request because they are full
RETRY_AFTER = 600.0  # seconds, of those that a server may ask us to wait
SILENCE = 900.0  # seconds without a byte: a long prompt on a slow server, and the requests before it
SHORTER = 0.75  # of the tokens wanted, after a server said that they do not fit
LEAST_ROOM = 16  # tokens; with less there is no point in going on
GRACE = 2.0  # seconds for all requests to be called off
LASTING = {400, 402, 404, 405, 413, 415, 422, 501}  # the same request would be refused again


@dataclass(frozen=True, slots=True)
class Arrival:
    """News of one reply, or of none, if all is lost."""

    key: Key  # as it was given
    server: int = 0
    written: tuple[ReplyToken, ...] = ()
    likely: tuple[tuple[str, float], ...] = ()  # for its first token
    finish: str | None = None  # stop, length
    error: VibeError | None = None


class _LostError(Exception):
    """A request brought no whole reply, and may be tried again."""

    def __init__(self, reason: str, wait: float | None = None, *, busy: bool = False) -> None:
        super().__init__(reason)
        self.wait, self.busy = wait, busy


class _TooLongError(Exception):
    """The server has no room for so many tokens."""


@dataclass(eq=False)
class _Load:
    """What goes on at one server."""

    server: EngineServer
    index: int
    places: int
    requests: int = 0
    failures: int = 0  # in a row
    until: float = 0.0  # it gets nothing before, by the loop's clock

    def failed(self, began: float, now: float, wait: float | None) -> None:
        """Leave it alone for a while, longer from failure to failure; those that began before the last count as one."""
        if began >= self.until or not self.failures:
            self.failures += 1
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (self.failures - 1))
        self.until = max(self.until, now + (min(wait, RETRY_AFTER) if wait else longest * random.uniform(0.5, 1.0)))


class Pool:
    def __init__(self, served: Served, quote: Quote) -> None:
        """Raises ModelError for settings of the network that cannot be used."""
        self.arrived: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self._served, self._quote = served, quote
        self._loads = [_Load(each, at, served.places_of(each)) for at, each in enumerate(served.servers)]
        self._waiting: deque[tuple[asyncio.Future[_Load], int, int | None]] = deque()
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._client = network.make_async_engine_client(httpx2.Timeout(SILENCE, connect=10.0, write=60.0))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="remote", daemon=True)
        self._thread.start()

    # From the caller's thread

    def start(self, ask: Wanted, keys: tuple[Key, ...], prefer: int | None = None) -> None:
        """Ask for replies, which arrive under these keys; by the server of that number, if it has room."""
        self._loop.call_soon_threadsafe(self._spawn, ask, keys, prefer)

    def cancel(self, key: Key) -> None:
        """Call a reply off, and its request once nobody waits for another of its replies. Some may still arrive."""
        self._loop.call_soon_threadsafe(self._call_off, key)

    def close(self) -> None:
        """Call everything off. May be repeated."""
        if self._loop.is_closed():
            return
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(GRACE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(GRACE)
        if not self._thread.is_alive():
            self._loop.close()

    # On the loop's thread

    def _spawn(self, ask: Wanted, keys: tuple[Key, ...], prefer: int | None) -> None:
        task = self._loop.create_task(self._run(ask, keys, prefer))
        self._tasks |= dict.fromkeys(keys, task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks = {key: other for key, other in self._tasks.items() if other is not task}

    def _call_off(self, key: Key) -> None:
        task = self._tasks.pop(key, None)
        if task and task not in self._tasks.values():
            task.cancel()

    async def _end(self) -> None:
        tasks = set(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def _run(self, ask: Wanted, keys: tuple[Key, ...], prefer: int | None) -> None:
        try:
            await self._replies(ask, keys, prefer)
        except VibeError as error:
            self.arrived.put(Arrival(keys[0], error=error))
        except Exception as error:  # a bug: the caller's thread is where it is seen
            log.exception("a bug")
            self.arrived.put(Arrival(keys[0], error=EngineError(f"A reply was lost: {type(error).__name__}: {error}.")))

    async def _replies(self, ask: Wanted, keys: tuple[Key, ...], prefer: int | None) -> None:
        """Have the replies written, over as many requests as it takes. Raises EngineError when that gets nowhere."""
        attempts, since = 0, self._loop.time()
        while True:
            load = await self._place(ask.samples, prefer)
            began = self._loop.time()
            progress = _Progress(ask, keys)
            try:
                await self._reply(load, ask, progress)
                return
            except _TooLongError as error:
                if (shorter := self._shorter(ask, progress, str(error))) is None:
                    return
                ask = shorter
                continue
            except (_LostError, *network.ERRORS) as error:
                lost = error if isinstance(error, _LostError) else _lost(error, load.server.url)
                now = self._loop.time()
                log.warning("%s: %s", load.server.url, lost)
                load.failed(began, now, lost.wait)
                attempts, since = (0, now) if progress.any else (attempts + (not lost.busy), since)
                if attempts >= ATTEMPTS or now - since > BUSY:
                    raise EngineError(
                        f"{load.server.url} gives no reply: {lost}; the last of several attempts in {now - since:.0f} "
                        "seconds. Check the server, and try again."
                    ) from error
            finally:
                load.requests -= ask.samples
                self._assign()
            left = progress.rest(self)
            if not left:
                return
            for rest, key in left[1:]:
                self._spawn(rest, (key,), prefer)
            ask, keys = left[0][0], (left[0][1],)

    async def _reply(self, load: _Load, ask: Wanted, progress: "_Progress") -> None:
        """One request, and all that comes of it."""
        path, body, quoted = request.ways(ask, load.server, self._quote)
        texts = [request.reply(ask, load.server, quoted=quoted) for _ in progress.keys]
        counted: int | None = None
        done = False
        async with aclosing(self._chunks(load, path, body)) as chunks:
            async for chunk in chunks:
                if chunk.error:
                    raise _LostError(f"it says: {chunk.error}")
                done |= chunk.done
                if chunk.completion_tokens is not None:
                    counted = min(chunk.completion_tokens, ask.most)  # whatever it says
                for piece in chunk.pieces:
                    if piece.choice >= len(texts) or piece.choice in progress.finishing:
                        continue
                    written = texts[piece.choice].take(piece)
                    self._hand_over(load, progress, piece.choice, written, () if quoted else piece.drawn)
                    if piece.finish in wire.BROKEN_OFF:
                        raise _LostError(f"it ended a reply with {piece.finish!r}")
                    if piece.finish:
                        progress.finishing[piece.choice] = "length" if piece.finish == "length" else "stop"
        for choice, text in enumerate(texts):
            finish = progress.finishing.get(choice, "stop" if done else None)
            if finish is None:
                continue
            written = text.end(finish, counted if len(texts) == 1 else None)
            progress.finished.add(choice)
            self._hand_over(load, progress, choice, written, (), finish)
        if len(progress.finished) < len(texts):
            raise _LostError("its reply was cut off")

    def _hand_over(
        self,
        load: _Load,
        progress: "_Progress",
        choice: int,
        written: list[ReplyToken],
        drawn: tuple[Drawn, ...],
        finish: str | None = None,
    ) -> None:
        likely = () if progress.any or not drawn else drawn[0].likely
        if written or likely:
            load.failures = 0
            progress.any = True
            progress.texts[choice] += "".join(each.text for each in written)
            progress.counts[choice] += len(written)
        if written or likely or finish:
            self.arrived.put(Arrival(progress.keys[choice], load.index, tuple(written), likely, finish))

    async def _chunks(self, load: _Load, path: str, body: dict[str, Any]) -> AsyncGenerator[Chunk]:
        """What a server sends in reply to a request. Raises _LostError, _TooLongError, or what cannot be mended."""
        url = load.server.url
        async with self._client.stream("POST", url + path, json=body, headers=headers(self._served.key)) as response:
            if response.status_code != 200:
                raise _refused(url, self._served.key, response, await response.aread())
            events = EventStream()
            if "event-stream" not in response.headers.get("Content-Type", "").lower():
                answer = await response.aread()
                chunks = [wire.read(answer.decode("utf-8", "replace"))]
                if not (chunks[0].pieces or chunks[0].error):  # perhaps a stream by another name
                    texts = (text for line in answer.splitlines(keepends=True) for text in events.feed(line))
                    chunks = [wire.read(text) for text in (*texts, *events.flush())]
                if not any(chunk.pieces or chunk.error for chunk in chunks):
                    raise _LostError(f"it sends no reply: {network.what_came(response)}")
                for chunk in chunks:
                    yield chunk
                return
            async for data in response.aiter_bytes():
                for text in events.feed(data):
                    yield (chunk := wire.read(text))
                    if chunk.done:
                        return
            for text in events.flush():
                yield wire.read(text)

    def _shorter(self, ask: Wanted, progress: "_Progress", reason: str) -> Wanted | None:
        """The same with fewer tokens; None if there is no room for any, where a reply that was begun ends."""
        if not progress.any and ask.most * SHORTER >= LEAST_ROOM and not ask.labels:
            return replace(ask, most=int(ask.most * SHORTER))
        if not ask.begun and len(ask.messages) == 1:
            raise UsageError(f"The problem is too long for the server: it says: {reason}. Shorten it.")
        for key in progress.keys:
            self.arrived.put(Arrival(key, finish="length"))
        return None

    # Which server

    async def _place(self, count: int, prefer: int | None) -> _Load:
        """Wait for a server with room for so many requests, and take it."""
        future: asyncio.Future[_Load] = self._loop.create_future()
        self._waiting.append((future, count, prefer))
        self._assign()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                future.result().requests -= count
            self._assign()
            raise

    def _assign(self) -> None:
        """Give servers to those that wait, the first first."""
        while self._waiting:
            future, count, prefer = self._waiting[0]
            if future.done():
                self._waiting.popleft()
                continue
            now = self._loop.time()
            up = [load for load in self._loads if load.until <= now]
            free = [load for load in up if load.requests + count <= load.places or not load.requests]
            if not free:
                if later := [load.until - now for load in self._loads if load.until > now]:
                    self._loop.call_later(min(later) + 0.001, self._assign)
                return
            least = min(free, key=lambda load: load.requests / load.places)
            near = next((load for load in free if load.index == prefer), least)  # it has the prompt in its cache
            chosen = near if near.requests <= least.requests + max(1, least.places // 4) else least
            self._waiting.popleft()
            chosen.requests += count
            future.set_result(chosen)


class _Progress:
    """How far the replies of one request have come."""

    def __init__(self, ask: Wanted, keys: tuple[Key, ...]) -> None:
        self.ask, self.keys = ask, keys
        self.any = False
        self.texts = [""] * len(keys)
        self.counts = [0] * len(keys)
        self.finishing: dict[int, str] = {}
        self.finished: set[int] = set()

    def rest(self, pool: Pool) -> list[tuple[Wanted, Key]]:
        """What is still to be asked for, each reply by itself, after the request broke off: it goes on where it was."""
        found = []
        for choice, key in enumerate(self.keys):
            if choice in self.finished:
                continue
            most = self.ask.most - self.counts[choice]
            begun = self.ask.begun + self.texts[choice]
            rest = replace(self.ask, begun=begun, most=most, seed=self.ask.seed + choice, samples=1)
            if most > 0:
                found.append((rest, key))
            else:
                self.finished.add(choice)
                pool.arrived.put(Arrival(key, finish="length"))
        return found


def _refused(url: str, key: str | None, response: httpx2.Response, answer: bytes) -> Exception:
    """What a status other than 200 means."""
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        told = None
    status = response.status_code
    reason = wire.said(told) or network.first_words(answer) or response.reason_phrase or "nothing"
    if status in (401, 403):
        return EngineError(refusal(url, key))
    if status in (400, 413, 422) and any(word in reason.lower() for word in ("context", "too long", "max_tokens")):
        return _TooLongError(reason)
    if status in LASTING or SPENT in answer:
        return EngineError(f"{url} refuses a request ({status}): {reason}.")
    return _LostError(f"{status}, {reason}", retry_after(response), busy=status in (429, 503))


def _lost(error: Exception, url: str) -> _LostError:
    return _LostError(network.failure(error, url.partition(":")[0], also="whether the server runs").reason)
