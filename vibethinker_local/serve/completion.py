"""A chat completion: each choice is a Sequence of the shared engine, with its reasoning kept apart from its content.

Reasoning is closed by force when it reaches its budget, goes round in circles, or ends without a reply, so that there
is one. Under a schema the reasoning is free: a second Sequence takes over where it ends, from the KV cache that is
there, and its grammar begins with the content.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from vibethinker_local.engine import SamplingParams, SequenceId, StepOutput
from vibethinker_local.errors import ModelError
from vibethinker_local.events import Finish, Options
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.model import Model
from vibethinker_local.runtime.reasoning import Tags, split
from vibethinker_local.serve import schema
from vibethinker_local.serve.admission import Admission, Visit
from vibethinker_local.serve.reply import ReplyText
from vibethinker_local.serve.sharing import Share, SharedEngine
from vibethinker_local.serve.streams import Delta, TokenLogprob, TokenUsage
from vibethinker_local.serve.wire import ApiError, ChatCompletionRequest, ChatMessage, Effort

QUIET = 2.0  # seconds without a piece after which a stream says that it is alive
LEAST = 16  # tokens of a reply, for which the context must have room
ENDING = (128, 2048)  # tokens, at least and at most, that are kept for the content when the reasoning is closed
SMALL = 256  # tokens; a smaller reply is cut off where it is
SHARES: dict[Effort, float | None] = {  # of a reply's tokens that go to reasoning
    "none": 0,
    "minimal": 1 / 16,
    "low": 1 / 4,
    "medium": 1 / 2,
    "high": None,
    "xhigh": None,
    "max": None,
}
LEAST_TOP_P = 1e-6  # 0 asks for the likeliest token alone


@dataclass(frozen=True)
class Begun:
    """What a reply goes on from."""

    tokens: list[int]
    begun: str  # the part of the reply that is there already; the last of the tokens
    opened: bool  # the template has written the opening think tag
    tags: Tags  # around reasoning
    closing: list[int]  # what is forced to end the reasoning
    after: list[int]  # what comes between the end of the reasoning and content under a grammar


def prompt(model: Model, request: ChatCompletionRequest) -> Begun:
    """Render and tokenize a conversation. Blocks. Raises ApiError if the model's template cannot render it."""
    messages = list(request.messages)
    last = messages.pop() if messages[-1].role == "assistant" else None
    if not messages:
        raise ApiError(
            "messages: before the reply that is to be continued, what was asked is missing.", param="messages"
        )
    try:
        tokens = model.encode_chat(conversation(model, messages))
    except ModelError as error:
        raise ApiError(f"messages: {error}", param="messages") from error
    opened = model.opens_reasoning(tokens)
    begun = _begun(last, model.tags, opened=opened)
    if not begun and thinking_off(request):
        begun = model.no_reasoning
    plain = model.backend.tokenize
    return Begun(
        tokens + (plain(begun, special=last is None) if begun else []),
        begun,
        opened,
        model.tags,
        plain(prompts.close_reasoning(model.tags[1]), special=True),
        plain("\n\n", special=False),
    )


def conversation(model: Model, messages: list[ChatMessage]) -> list[dict[str, str]]:
    """The messages as the template takes them, earlier reasoning left out.

    A model that reads each question alone was trained on nothing but posed problems: it gets the last one, posed.
    """
    if model.spec.alone:
        problem = next((each.content for each in reversed(messages) if each.role == "user"), messages[-1].content)
        posed = "\\boxed{}" in problem
        return [{"role": "user", "content": problem}] if posed else prompts.solve(problem)
    return [
        {
            "role": "system" if each.role == "developer" else each.role,
            "content": split(each.content, tags=model.tags)[1] if each.role == "assistant" else each.content,
        }
        for each in messages
    ]


def _begun(last: ChatMessage | None, tags: Tags, *, opened: bool) -> str:
    """The text of a reply that is to be continued."""
    if last is None:
        return ""
    if last.reasoning_content is None:
        return last.content
    reasoning = ("" if opened else tags[0] + "\n") + last.reasoning_content
    return f"{reasoning}\n{tags[1]}\n\n{last.content}" if last.content else reasoning


def thinking_off(request: ChatCompletionRequest) -> bool:
    if request.thinking_budget is not None:
        return request.thinking_budget == 0
    if request.chat_template_kwargs and request.chat_template_kwargs.enable_thinking is False:
        return True
    return request.reasoning_effort == "none"


def thinking_tokens(request: ChatCompletionRequest, limit: int, closing: int) -> int | None:
    """How many tokens a reply of `limit` may spend on reasoning before it is closed; None for no limit but its own."""
    budget: int | None = None
    if request.thinking_budget is not None:
        budget = None if request.thinking_budget < 0 else request.thinking_budget
    elif request.reasoning_effort is not None:
        share = SHARES[request.reasoning_effort]
        budget = None if share is None else int(share * limit)
    if budget is None and limit >= SMALL and request.thinking_budget is None:
        budget = limit - max(ENDING[0], min(ENDING[1], limit // 16))
    return budget if budget is not None and budget + closing + LEAST <= limit else None


class Completion:
    """Answers a request; for one event loop."""

    def __init__(
        self,
        model: Model,
        shared: SharedEngine,
        admission: Admission,
        visit: Visit,
        request: ChatCompletionRequest,
        prompt: Begun,
        limit: int | None,
    ) -> None:
        """`limit`: tokens of a reply where the request gives none. Blocks. Raises ApiError for what cannot be done."""
        self._shared, self._admission, self._visit = shared, admission, visit
        self._request, self._prompt = request, prompt
        self._choices = request.n or 1
        self._grammar = _grammar(request)
        if self._grammar is not None and not shared.is_grammar(self._grammar):
            raise ApiError(
                "response_format: its schema is no grammar for llama.cpp, as where a $ref leads back to itself with no "
                "object or list between.",
                param="response_format",
            )
        room = model.context - len(prompt.tokens)
        if room < LEAST:
            raise ApiError(
                f"messages: they take {len(prompt.tokens):,} tokens, and the context holds {model.context:,}: "
                "shorten them, or start the server with a larger --ctx.",
                param="messages",
                code="context_length_exceeded",
            )
        self._limit = min(request.limit or limit or model.spec.max_tokens, room)
        seed = secrets.randbelow(2**31) if request.seed is None else request.seed % 2**63
        self._seeds = [(seed + index) % 2**63 for index in range(self._choices)]
        options = Options(
            seed,
            temperature=request.temperature,
            top_p=None if request.top_p is None else max(request.top_p, LEAST_TOP_P),
        )
        own = model.params(options, seed, self._limit)
        self._params = replace(
            own,
            top_k=own.top_k if request.top_k is None else max(request.top_k, 0),
            min_p=own.min_p if request.min_p is None else request.min_p,
            typical=min(self._limit + len(prompt.tokens), own.typical or self._limit),
        )
        self.usage = TokenUsage(prompt=len(prompt.tokens))
        self._pieces: asyncio.Queue[Delta | Exception] = asyncio.Queue()
        self._endings: dict[int, Finish] = {}

    def vibe(self) -> dict[str, object]:
        return {"seeds": self._seeds, "finish": [self._endings[index] for index in range(self._choices)]}

    async def deltas(self) -> AsyncIterator[list[Delta]]:
        """Cancelled, or left early, it gives back all that it holds."""
        drawing = [asyncio.create_task(self._draw(index)) for index in range(self._choices)]
        running = len(drawing)
        try:
            while running:
                deltas = await self._arrived()
                running -= sum(delta.finish is not None for delta in deltas)
                yield deltas
        finally:
            for task in drawing:
                task.cancel()
            await asyncio.gather(*drawing, return_exceptions=True)

    async def _arrived(self) -> list[Delta]:
        """All that has come; nothing, if that takes long."""
        try:
            async with asyncio.timeout(QUIET):
                found = [await self._pieces.get()]
        except TimeoutError:
            return []
        while not self._pieces.empty():
            found.append(self._pieces.get_nowait())
        for each in found:
            if isinstance(each, Exception):
                raise each
        return [each for each in found if isinstance(each, Delta)]

    async def _draw(self, index: int) -> None:
        """One choice, from its turn to its end."""
        await self._admission.take(self._visit)
        arrived, loop = asyncio.Event(), asyncio.get_running_loop()
        share = self._shared.share(lambda: loop.call_soon_threadsafe(arrived.set))
        try:
            choice = _Choice(share, self._reply(index), replace(self._params, seed=self._seeds[index]))
            await self._follow(choice, arrived)
        except Exception as error:  # the request hears of it
            self._pieces.put_nowait(error)
        finally:
            share.close()
            self._admission.give(self._visit)

    def _reply(self, index: int) -> ReplyText:
        prompt, request = self._prompt, self._request
        thinking = thinking_tokens(request, self._limit, len(prompt.closing))
        return ReplyText(
            index,
            prompt.begun,
            opened=prompt.opened,
            thinking=thinking,
            stops=request.stop,
            stop_ids=self._params.stop_ids,
            constrained=self._grammar is not None,
            tags=prompt.tags,
        )

    async def _follow(self, choice: "_Choice", arrived: asyncio.Event) -> None:
        reply, share = choice.reply, choice.share
        if reply.free and reply.visible:  # it was begun, or is to have no reasoning
            reply.constrain([])
            choice.params = replace(choice.params, grammar=self._grammar)
        choice.sequence = await asyncio.to_thread(share.add, self._prompt.tokens, choice.params)
        while reply.finish is None:
            await arrived.wait()
            arrived.clear()
            while reply.finish is None and (outputs := share.take()):
                await self._take(choice, outputs)

    async def _take(self, choice: "_Choice", outputs: list[StepOutput]) -> None:
        reply = choice.reply
        for at, output in enumerate(outputs):
            if output.sequence != choice.sequence:
                continue
            choice.forget_former()
            reply.add(output)
            if reply.due:
                later = (each for each in outputs[at + 1 :] if each.sequence == choice.sequence)
                await self._do(choice, back=sum(each.logprob is not None for each in later))
                break
            if reply.finish:
                break
        delta = reply.delta()
        if self._request.logprobs and (drawn := reply.drawn()):
            pieces = await asyncio.to_thread(choice.share.pieces, [token for token, _ in drawn])
            told = (TokenLogprob(piece, logprob) for piece, (_, logprob) in zip(pieces, drawn, strict=True))
            delta = replace(delta, logprobs=tuple(told))
        if delta.finish:
            self._endings[reply.index] = reply.ending
            self.usage.completion += len(reply.tokens)
            self.usage.reasoning += reply.reasoning_tokens
        self._pieces.put_nowait(delta)

    async def _do(self, choice: "_Choice", back: int) -> None:
        """End the reasoning, or let the grammar begin; `back` tokens were taken already that come after it."""
        reply, prompt, share = choice.reply, self._prompt, choice.share
        forced = prompt.closing if reply.due == "close" else prompt.after
        if self._grammar is None:
            reply.close()
        else:
            reply.constrain(forced)
        room = self._limit - len(reply.tokens) - (len(forced) if self._grammar is None else 0)
        if room < 1:
            reply.cut_off(self._limit)
        elif self._grammar is None:
            assert choice.sequence is not None
            await asyncio.to_thread(share.force, choice.sequence, forced, then=room, back=back)
        else:
            params = replace(choice.params, seed=choice.params.seed + 2**40, max_tokens=room, grammar=self._grammar)
            former, tokens = choice.sequence, prompt.tokens + reply.tokens
            choice.sequence = await asyncio.to_thread(share.add, tokens, params, parent=former)
            choice.former = former


@dataclass
class _Choice:
    share: Share
    reply: ReplyText
    params: SamplingParams
    sequence: SequenceId | None = None  # None: it has not begun
    former: SequenceId | None = None  # whose KV cache the present one goes on from

    def forget_former(self) -> None:
        if self.former is not None:
            self.share.abort(self.former)
            self.former = None


def _grammar(request: ChatCompletionRequest) -> str | None:
    """The grammar of the content. Raises ApiError for a schema that cannot be one."""
    wanted = request.response_format
    if wanted is None or wanted.type == "text":
        return None
    named = wanted.json_schema if wanted.type == "json_schema" else None
    where, given = ("json_schema.schema", named.schema_) if named else ("schema", wanted.schema_)
    if named is None and given in (True, {}):
        given = schema.OBJECT
    try:
        return schema.grammar(given)
    except (ValueError, RecursionError) as error:
        raise ApiError(f"response_format.{where}: {error}.", param="response_format") from error
