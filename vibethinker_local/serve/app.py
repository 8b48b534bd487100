"""The server as an ASGI application: its paths, and what each of them does."""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from vibethinker_local import __version__
from vibethinker_local.errors import UsageError, VibeError
from vibethinker_local.reliability.plan import Plan
from vibethinker_local.runtime.model import Model
from vibethinker_local.serve import completion, metrics, safety, streams, voting, wire
from vibethinker_local.serve.admission import Admission, Full
from vibethinker_local.serve.completion import Completion
from vibethinker_local.serve.http import Gone, Http, Message, Receive, Send
from vibethinker_local.serve.metrics import Metrics
from vibethinker_local.serve.safety import Guard
from vibethinker_local.serve.sharing import OwnedEngine, SharedEngine
from vibethinker_local.serve.streams import Answering, Head
from vibethinker_local.serve.voting import VotedCompletion
from vibethinker_local.serve.wire import ApiError, ChatCompletionRequest, Reliability
from vibethinker_local.solving.solver import Solver

log = logging.getLogger("vibethinker_local.serve")

RELIABLE = ":reliable"  # after a model's name: by the reliability pass
METHODS = {
    "/health": "GET",
    "/metrics": "GET",
    "/v1/models": "GET",
    "/v1/chat/completions": "POST",
}
OTHERS = ("/responses", "/completions", "/messages", "/api/")  # of OpenAI, Anthropic and Ollama: other ways to ask
T = TypeVar("T")


class App:
    """One loaded model, and the paths by which it is asked. For one event loop."""

    def __init__(self, solver: Solver, engine: OwnedEngine, guard: Guard) -> None:
        """`engine` is that of the solver's model; `close` gives it back."""
        self.solver, self.guard = solver, guard
        self.shared = SharedEngine(engine)
        self.model: Model = solver.load()
        self.admission = Admission(self.model.places)
        self.stopping = asyncio.Event()  # what runs is to end now
        self.began = int(time.time())
        self.metrics = Metrics(
            {
                "places": ("Sequences that are computed at once.", lambda: self.admission.places),
                "places_taken": ("Places that are taken.", lambda: self.admission.running),
                "requests_waiting": ("Chat completions that wait for a place.", lambda: self.admission.waiting),
                "sequences": ("Sequences in the engine.", lambda: self.shared.running),
                "engine_deaths_total": ("How often the engine's process died at work.", lambda: self.shared.deaths),
            }
        )

    def close(self) -> None:
        """Give the engine back, whatever it is doing."""
        self.shared.close()

    @property
    def name(self) -> str:
        return self.model.name

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        http, began = Http(scope, receive, send), time.monotonic()
        try:
            await self._answer(http)
        except Gone:
            self.metrics.disconnects += 1
        except Exception as error:  # the outermost: whatever it is, the client gets an answer
            await self._refuse(http, error)
        finally:
            path = _path(http)
            known = path if path in METHODS else "other"
            self.metrics.request(known, http.status or 499)
            log.info("%s %s: %s in %.3f s", http.method, known, http.status or "gone", time.monotonic() - began)

    async def _refuse(self, http: Http, error: Exception) -> None:
        refusal = as_api_error(error)
        try:
            if not http.status:
                await http.json(refusal.body(), refusal.status, refusal.headers())
            else:
                await http.write(streams.event(refusal.body()), last=True)
        except Gone:
            pass

    async def _answer(self, http: Http) -> None:
        origin = http.headers.get("origin")
        if origin is not None and self.guard.allows(origin):
            http.extra |= safety.cors(origin, http.headers.get("access-control-request-headers", ""))
            if http.method == "OPTIONS":
                await http.answer(b"", "text/plain", 204)
                return
        path = _path(http)
        self.guard.check(path, http.headers)
        one_model = path.startswith("/v1/models/")
        if path not in METHODS and not one_model:
            known = ", ".join(METHODS)
            other = path.removeprefix("/v1").startswith(OTHERS)
            advice = ": set the client to chat completions" if other else ""
            said = f"There is nothing at this path: there are {known}{advice}."
            raise ApiError(said, status=404, code="unknown_path")
        method = METHODS["/v1/models" if one_model else path]
        allowed = [method, "HEAD"] if method == "GET" else [method]  # to HEAD, uvicorn sends no body
        if http.method not in allowed:
            http.extra["allow"] = ", ".join(allowed)
            raise ApiError(f"{path[: wire.NAMED]} takes {method} only.", status=405, code="method_not_allowed")
        match path:
            case "/health":
                await http.json({"status": "ok", "model": self.name})
            case "/metrics":
                await http.answer(self.metrics.text().encode(), metrics.CONTENT_TYPE)
            case "/v1/models":
                listed = [self._listed(name) for name in (self.name, self.name + RELIABLE)]
                await http.json({"object": "list", "data": listed})
            case _ if one_model:
                await http.json(self._listed(self._known(path.removeprefix("/v1/models/"))))
            case _:
                await self._complete(http)

    def _listed(self, name: str) -> dict[str, object]:
        return {
            "id": name,
            "object": "model",
            "created": self.began,
            "owned_by": "vibethinker-local",
            "max_model_len": self.model.context,
        }

    def _known(self, name: str) -> str:
        """A model's name, without its quant. Raises ApiError if it is not the one that is loaded."""
        base = name.removesuffix(RELIABLE)
        if base in (self.name, f"{self.name}:{self.model.backend.info.quant}"):
            return self.name + name[len(base) :]
        raise ApiError(
            f"There is no model {name[: wire.NAMED]!r} here: there are {self.name} and {self.name}{RELIABLE}.",
            status=404,
            param="model",
            code="model_not_found",
        )

    # Chat completions

    async def _complete(self, http: Http) -> None:
        request = wire.read(await self._attended(http.body()))
        name = self._known(request.model or self.name)
        by_vote = name.endswith(RELIABLE) or request.reliability is not None
        question = voting.question(request, self.model.tags) if by_vote else None
        if request.top_logprobs:
            raise ApiError("top_logprobs: only the sampled token's own is kept: leave it out.", param="top_logprobs")
        began = time.monotonic()
        with self.admission.visit() as visit:
            model = self._borrowed()
            answering: Answering
            if question:
                plan, options = self._plan(request), self.solver.options
                answering = VotedCompletion(model, self.shared, self.admission, visit, request, question, plan, options)
            else:
                prompt = await asyncio.to_thread(completion.prompt, model, request)
                most = self.solver.options.max_tokens
                answering = await asyncio.to_thread(
                    Completion, model, self.shared, self.admission, visit, request, prompt, most
                )
            head = Head(f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), name, self._fingerprint)
            try:
                await self._attended(self._respond(http, request, answering, head, began), http.gone())
            finally:
                self.metrics.seconds.add(time.monotonic() - began)
                self.metrics.used(answering.usage.prompt, answering.usage.completion)

    async def _respond(
        self, http: Http, request: ChatCompletionRequest, answering: Answering, head: Head, began: float
    ) -> None:
        choices = request.n or 1
        if not request.stream:
            await http.json(await streams.gather(answering, head, choices, logprobs=bool(request.logprobs)))
            return
        said = False
        usage = request.stream_options is not None and bool(request.stream_options.include_usage)
        async for data in streams.events(answering, head, choices, usage=usage):
            if not http.status:
                # nginx would else collect the events, and send them in bursts
                headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
                await http.begin("text/event-stream; charset=utf-8", headers=headers)
            if not (said or data.startswith(b":")):
                said = True
                self.metrics.first.add(time.monotonic() - began)
            await http.write(data)
        await http.write(b"", last=True)

    async def _attended(self, work: Coroutine[Any, Any, T], *leaving: Coroutine[Any, Any, None]) -> T:
        """Do something until the client goes away, or the server stops. Raises Gone, or ApiError."""
        working, stopping = asyncio.create_task(work), asyncio.create_task(self.stopping.wait())
        tasks = (working, stopping, *map(asyncio.create_task, leaving))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            if stopping.done():
                working.cancel()
                await asyncio.wait([working])
                raise ApiError("The server is being stopped.", status=503, code="server_stopping")
            raise Gone
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _borrowed(self) -> Model:
        """The model, with a part of the shared engine for the questions of one request."""
        return replace(self.model, engine=self.shared.share())

    def _plan(self, request: ChatCompletionRequest) -> Plan:
        wanted = request.reliability or Reliability()
        try:
            return self.solver.plan(
                wanted.budget or "standard",
                mode=wanted.mode,
                samples=wanted.samples,
                verdicts=wanted.verdicts,
                stopping=wanted.stopping is not False,
                seconds=wanted.seconds or float("inf"),
            )
        except UsageError as error:
            raise ApiError(f"reliability: {error}", param="reliability") from error

    @property
    def _fingerprint(self) -> str:
        return f"vibe-{__version__}-{self.model.path.stem}-{self.model.backend.info.quant}"


def _path(http: Http) -> str:
    """The path that is meant: a client may have been given the address without /v1, or with one too many."""
    path = re.sub("^(/v1)+(?=/)", "", re.sub("/+", "/", http.path)).rstrip("/")
    return "/v1" + path if path.startswith(("/models", "/chat/")) else path


def as_api_error(error: Exception) -> ApiError:
    """What the client is told of an error."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, Full):
        return ApiError(str(error), status=429, code="rate_limit_exceeded", retry_after=error.retry_after)
    if isinstance(error, UsageError):
        return ApiError(str(error))
    if isinstance(error, VibeError):
        return ApiError(str(error), status=500, code="engine_failed")
    log.error("a bug: %s", type(error).__name__, exc_info=error)
    return ApiError(
        f"This is a bug, please report it: {type(error).__name__}. The server's log file has the details.",
        status=500,
        code="internal_error",
    )
