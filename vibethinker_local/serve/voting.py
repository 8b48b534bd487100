"""The reliability pass over the wire: its progress as reasoning, its answer as content, its receipt in `vibe`.

A run has a thread of its own, and as many places as were free when its turn came.
"""

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass, replace

from vibethinker_local.errors import EngineError
from vibethinker_local.events import Control, Exchange, Options, Solution, SolveEvent
from vibethinker_local.reliability.plan import Plan
from vibethinker_local.runtime.model import Model
from vibethinker_local.runtime.reasoning import Tags, split
from vibethinker_local.serve.admission import Admission, Visit
from vibethinker_local.serve.completion import QUIET, thinking_off
from vibethinker_local.serve.sharing import SharedEngine
from vibethinker_local.serve.streams import Delta, TokenUsage
from vibethinker_local.serve.wire import ApiError, ChatCompletionRequest
from vibethinker_local.solving import reliable
from vibethinker_local.solving.follow import RunState
from vibethinker_local.solving.receipt import receipt

ALONE = {  # fields that mean one reply, and what they would have to mean for a vote
    "n": "a vote has one answer",
    "stop": "a vote needs whole solutions",
    "logprobs": "the solutions' own are in the receipt, as mean_logprob",
    "response_format": "a vote is over answers in the model's own form",
    "thinking_budget": "give max_tokens, which each solution has",
}


@dataclass(frozen=True)
class Asked:
    """A conversation as the pass takes it: a problem, and the exchanges before it."""

    problem: str
    earlier: tuple[Exchange, ...]
    ignored: bool  # messages of a system, which have no place in the pass's prompts


def question(request: ChatCompletionRequest, tags: Tags) -> Asked:
    """`tags` are those around the model's reasoning. Raises ApiError for what cannot be asked of a vote."""
    for field, why in ALONE.items():
        given = getattr(request, field)
        asks = given is not None and given is not False and given != ()  # a budget of 0 does
        if asks and not (field == "n" and given == 1) and not (field == "response_format" and given.type == "text"):
            raise ApiError(f"{field}: it does not go with the reliability pass: {why}.", param=field)
    if request.messages[-1].role != "user" or not request.messages[-1].content.strip():
        raise ApiError("messages: the last one has to be the user's: it is the problem.", param="messages")
    earlier, asked = list[Exchange](), list[str]()
    for message in request.messages[:-1]:
        if message.role == "user":
            asked.append(message.content)
        elif message.role == "assistant" and asked:
            earlier.append(Exchange("\n\n".join(asked), split(message.content, tags=tags)[1]))
            asked = []
    problem = "\n\n".join([*asked, request.messages[-1].content])
    ignored = any(message.role in ("system", "developer") for message in request.messages)
    return Asked(problem, tuple(earlier), ignored)


def _sampling(model: Model, request: ChatCompletionRequest) -> Model:
    """The model with the request's top_k and min_p for its own: a run takes them from its entry in models.toml."""
    spec = model.spec
    own = {
        "top_k": spec.top_k if request.top_k is None else max(request.top_k, 0),
        "min_p": spec.min_p if request.min_p is None else request.min_p,
    }
    return replace(model, chosen=replace(model.chosen, spec=spec.model_copy(update=own)))


class VotedCompletion:
    """Answers a request by the reliability pass; for one event loop."""

    def __init__(
        self,
        model: Model,
        shared: SharedEngine,
        admission: Admission,
        visit: Visit,
        request: ChatCompletionRequest,
        question: Asked,
        plan: Plan,
        options: Options,
    ) -> None:
        self._model, self._shared, self._admission, self._visit = _sampling(model, request), shared, admission, visit
        self._question, self._plan = question, plan
        seed = secrets.randbelow(2**31) if request.seed is None else request.seed % 2**62
        self._options = replace(
            options,
            seed=seed,
            temperature=options.temperature if request.temperature is None else request.temperature,
            top_p=options.top_p if request.top_p is None else max(request.top_p, 0.01),
            max_tokens=request.limit or options.max_tokens,
            think=0 if thinking_off(request) else options.think,
        )
        self._control = Control()
        self._feed: asyncio.Queue[str | Exception | None] = asyncio.Queue()  # lines; None: it is over
        self._run = RunState()
        self.usage = TokenUsage()

    def vibe(self) -> dict[str, object]:
        """The receipt."""
        notes = ["messages of the system are no part of the pass's prompts"] if self._question.ignored else []
        return receipt(self._solution) | {"notes": notes}

    @property
    def _solution(self) -> Solution:
        assert self._run.solution
        return self._run.solution

    async def deltas(self) -> AsyncIterator[list[Delta]]:
        """Cancelled, or left early, it stops the run."""
        async with aclosing(self._admission.taking(self._visit, QUIET)) as taking:
            async for _ in taking:
                yield []
        places = 1 + self._admission.take_free(self._visit, self._plan.places - 1)
        loop = asyncio.get_running_loop()

        def tell(line: str | Exception | None) -> None:
            with suppress(RuntimeError):  # the loop is closed, and nobody listens any more
                loop.call_soon_threadsafe(self._feed.put_nowait, line)

        def leave() -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._admission.give, self._visit, places)

        thread = threading.Thread(target=self._follow, args=(places, tell, leave), name="vote", daemon=True)
        thread.start()
        try:
            while True:
                try:
                    async with asyncio.timeout(QUIET):
                        line = await self._feed.get()
                except TimeoutError:
                    yield []
                    continue
                if isinstance(line, Exception):
                    raise line
                if line is None:
                    break
                yield [Delta(0, reasoning=line + "\n")]
        finally:
            self._control.stop = True
        yield [self._answer()]

    def _answer(self) -> Delta:
        solution = self._solution
        if solution.status == "failed":
            raise EngineError(solution.error or "The engine failed.")
        used = solution.usage
        self.usage = TokenUsage(used.prompt_tokens, used.solve_tokens + used.verify_tokens)
        return Delta(0, content=solution.text, finish="stop" if solution.status == "answered" else "length")

    def _follow(self, places: int, tell: Callable[[str | Exception | None], None], leave: Callable[[], None]) -> None:
        """On the run's own thread."""
        share = self._shared.share()
        try:
            model = replace(self._model, engine=share, places=places)
            told = 0
            with closing(self._events(model)) as events:
                for event in events:
                    self._run.apply(event)
                    for milestone in self._run.milestones[told:]:
                        tell(milestone.text)
                    told = len(self._run.milestones)
            tell(None)
        except Exception as error:  # the request hears of it
            tell(error)
        finally:
            share.close()
            leave()

    def _events(self, model: Model) -> Generator[SolveEvent, None, None]:
        asked = self._question
        earlier = () if model.spec.alone else asked.earlier
        yield from reliable.solve(asked.problem, model, self._options, self._control, self._plan, earlier=earlier)
