"""What goes out: pieces of replies as they come, as server-sent events or gathered into one object."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from vibethinker_local.serve.wire import FinishReason

Chunk = dict[str, object]
DONE = b"data: [DONE]\n\n"
# Ends of a line to clients that split a stream as Python splits a text.
LINE_ENDS = str.maketrans({end: f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"})


@dataclass(frozen=True)
class TokenLogprob:
    piece: bytes
    logprob: float  # nats

    def entry(self) -> dict[str, object]:
        text = self.piece.decode("utf-8", "replace")
        return {"token": text, "logprob": self.logprob, "bytes": list(self.piece), "top_logprobs": []}


@dataclass(frozen=True)
class Delta:
    """A further piece of one choice."""

    index: int
    reasoning: str = ""
    content: str = ""
    logprobs: tuple[TokenLogprob, ...] = ()
    finish: FinishReason | None = None
    retracts: bool = False  # all content before this piece was reasoning after all


@dataclass
class TokenUsage:
    """Of all choices of a response."""

    prompt: int = 0
    completion: int = 0
    reasoning: int = 0  # of the completion

    def body(self) -> dict[str, object]:
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


class Answering(Protocol):
    """A request that is being answered."""

    usage: TokenUsage

    def deltas(self) -> AsyncIterator[list[Delta]]:
        """Pieces as they come, an empty list where nothing has come for a while. Raises VibeError."""
        ...

    def vibe(self) -> dict[str, object]:
        """What there is to say beyond the protocol, once all is there."""
        ...


@dataclass
class Head:
    """What all objects of one response have in common."""

    id: str
    created: int  # seconds since 1970
    model: str
    fingerprint: str

    def chunk(self, choices: list[Chunk], **more: object) -> Chunk:
        return self._object("chat.completion.chunk", choices) | more

    def whole(self, choices: list[Chunk], **more: object) -> Chunk:
        return self._object("chat.completion", choices) | more

    def _object(self, kind: str, choices: list[Chunk]) -> Chunk:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
        }


def event(data: Chunk) -> bytes:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).translate(LINE_ENDS)
    return b"data: " + text.encode("utf-8", "replace") + b"\n\n"


def comment(text: str) -> bytes:
    """A line that clients pass over: it shows that the connection is alive."""
    return f": {' '.join(text.split())}\n\n".encode("utf-8", "replace")


async def events(answering: Answering, head: Head, choices: int, *, usage: bool) -> AsyncIterator[bytes]:
    """The server-sent events of a response, its end included."""
    role: Chunk = {"role": "assistant", "content": ""}
    parts = [event(head.chunk([_choice(index, role)])) for index in range(choices)]
    ended = 0
    async for deltas in answering.deltas():
        for delta in deltas:
            parts += [event(head.chunk([choice])) for choice in _pieces(delta)]
            if delta.finish:
                ended += 1
                last = {"vibe": answering.vibe()} if ended == choices else {}
                parts.append(event(head.chunk([_choice(delta.index, {}, delta.finish)], **last)))
        if parts and deltas:
            yield b"".join(parts)
            parts = []
        elif not deltas:
            yield comment("still here")
    if usage:
        parts.append(event(head.chunk([], usage=answering.usage.body())))
    yield b"".join([*parts, DONE])


@dataclass
class _Gathered:
    reasoning: list[str] = field(default_factory=list)
    content: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish: FinishReason = "stop"

    def add(self, delta: Delta) -> None:
        if delta.retracts:
            self.reasoning += self.content
            self.content.clear()
        self.reasoning.append(delta.reasoning)
        self.content.append(delta.content)
        self.logprobs += delta.logprobs
        self.finish = delta.finish or self.finish

    def choice(self, index: int, *, logprobs: bool) -> Chunk:
        message: Chunk = {"role": "assistant", "content": "".join(self.content), "refusal": None}
        if reasoning := "".join(self.reasoning):
            message["reasoning_content"] = reasoning
        entries = {"content": [each.entry() for each in self.logprobs], "refusal": None} if logprobs else None
        return {"index": index, "message": message, "finish_reason": self.finish, "logprobs": entries}


async def gather(answering: Answering, head: Head, choices: int, *, logprobs: bool) -> Chunk:
    """The whole response as one object."""
    gathered = [_Gathered() for _ in range(choices)]
    async for deltas in answering.deltas():
        for delta in deltas:
            gathered[delta.index].add(delta)
    found = [each.choice(index, logprobs=logprobs) for index, each in enumerate(gathered)]
    return head.whole(found, usage=answering.usage.body(), vibe=answering.vibe())


def _pieces(delta: Delta) -> list[Chunk]:
    """A delta as the protocol has it: reasoning and content apart."""
    pieces = list[Chunk]()
    if delta.reasoning:
        pieces.append(_choice(delta.index, {"reasoning_content": delta.reasoning}))
    if delta.content:
        pieces.append(_choice(delta.index, {"content": delta.content}))
    if delta.logprobs:
        if not pieces:
            pieces.append(_choice(delta.index, {}))
        pieces[-1]["logprobs"] = {"content": [each.entry() for each in delta.logprobs], "refusal": None}
    return pieces


def _choice(index: int, delta: Chunk, finish: FinishReason | None = None) -> Chunk:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
