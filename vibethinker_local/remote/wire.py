"""The OpenAI protocol as data: server-sent events, and what is in the pieces of a reply. Does no input or output.

Written after what llama-server, vLLM, SGLang and Ollama send, which differ: comments between events, an `error` in the
middle of a stream, a last piece with `usage` and no choices, log-probabilities in an old and a new form, reasoning in
`reasoning_content`, `reasoning`, or as Mistral has it in parts of the content. Whatever comes is untrusted: what has
another form counts as not there.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

LONGEST = 8 << 20  # bytes of one event; more is no event
SAID = 300  # characters of what a server says about an error
CUT_OFF = ("length", "model_length", "max_tokens")  # how servers call the end of a reply that ran out of tokens
BROKEN_OFF = ("abort", "error", "insufficient_system_resource")  # and of one that they gave up
OPEN = ("", "null")  # and where there is none yet


@dataclass(frozen=True, slots=True)
class Drawn:
    """One token of a reply, with what the server says of it."""

    text: str
    logprob: float | None  # nats
    likely: tuple[tuple[str, float], ...] = ()  # the likeliest tokens in its place


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of one reply."""

    choice: int
    text: str = ""
    reasoning: str = ""  # where the server keeps it apart
    drawn: tuple[Drawn, ...] = ()  # its tokens; none where the server gives no log-probabilities
    finish: str | None = None


@dataclass(frozen=True)
class Chunk:
    """What one event, or a whole answer, says."""

    pieces: tuple[Fragment, ...] = ()
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error: str | None = None
    done: bool = False  # nothing follows


@dataclass
class EventStream:
    """Takes a stream of bytes apart into events, as they are complete: their data, or of an `error` line that."""

    _held: bytes = b""
    _data: list[str] = field(default_factory=list)
    _began: bool = False

    def feed(self, more: bytes) -> Iterator[str]:
        self._held += more
        if not self._began and self._held:
            self._held, self._began = self._held.removeprefix(b"\xef\xbb\xbf"), True
        while True:
            at = min((at for at in (self._held.find(b"\n"), self._held.find(b"\r")) if at >= 0), default=-1)
            if at < 0 or (self._held[at:] == b"\r"):  # perhaps half of the end of a line
                if len(self._held) > LONGEST:
                    raise ValueError("a line without an end")
                return
            line, self._held = self._held[:at], self._held[at + (2 if self._held[at : at + 2] == b"\r\n" else 1) :]
            yield from self._line(line.decode("utf-8", "replace"))

    def flush(self) -> Iterator[str]:
        """What stands at the end of a stream that was closed without an empty line."""
        line, self._held = self._held.rstrip(b"\r"), b""
        yield from self._line(line.decode("utf-8", "replace"))
        yield from self._line("")

    def _line(self, line: str) -> Iterator[str]:
        if not line:
            if self._data:
                yield "\n".join(self._data)
                self._data = []
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "error":  # as older llama-servers have it
            self._data.append(value if value.startswith('{"error"') else f'{{"error": {value}}}')


def chunk(told: Any) -> Chunk:
    """What a JSON value of a server says: an event, or an answer that did not come as a stream."""
    if not isinstance(told, dict):
        return Chunk()
    if (wrong := told.get("error")) or told.get("object") == "error":
        return Chunk(error=said(told) or str(wrong)[:SAID])
    usage = told.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return Chunk(
        tuple(_piece(choice) for choice in _list(told.get("choices")) if isinstance(choice, dict)),
        _count(counts.get("prompt_tokens")),
        _count(counts.get("completion_tokens")),
    )


def read(text: str) -> Chunk:
    """The same of a text; what is no JSON says nothing."""
    if text.strip() == "[DONE]":
        return Chunk(done=True)
    try:
        return chunk(json.loads(text))
    except (ValueError, RecursionError):
        return Chunk()


def said(told: Any) -> str:
    """The sentence in an error of a server, in one of the forms that are common; empty if there is none."""
    if isinstance(told, dict):
        for name in ("error", "message", "detail", "msg"):
            if name in told and (found := said(told[name])):
                return found
    if isinstance(told, list) and told:
        return said(told[0])
    return " ".join(told.split())[:SAID].rstrip(". ") if isinstance(told, str) else ""


def _piece(choice: dict[str, Any]) -> Fragment:
    message = choice.get("delta") or choice.get("message")
    within = message if isinstance(message, dict) else {}
    content = within.get("content") or choice.get("text")
    reasoning = within.get("reasoning_content") or within.get("reasoning")
    parts = [part for part in _list(content) if _is(part)]
    finish = _text(choice.get("finish_reason")).lower()
    return Fragment(
        _count(choice.get("index")) or 0,
        _text(content) or "".join(_text(part.get("text")) for part in parts),
        _text(reasoning) or "".join(_text(each.get("text")) for part in parts for each in _thinking(part)),
        tuple(_drawn(choice.get("logprobs"))),
        None if finish in OPEN else "length" if finish in CUT_OFF else finish,
    )


def _thinking(part: dict[str, Any]) -> list[dict[str, Any]]:
    """What a part of a content has of the reasoning, in parts as well."""
    return [each for each in _list(part.get("thinking")) if _is(each)]


def _drawn(told: Any) -> Iterator[Drawn]:
    """Tokens with log-probabilities, as chats have them, or completions of old."""
    if not isinstance(told, dict):
        return
    for each in _list(told.get("content")):
        if isinstance(each, dict):
            likely = [(one.get("token"), one.get("logprob")) for one in _list(each.get("top_logprobs")) if _is(one)]
            yield Drawn(_text(each.get("token")), _number(each.get("logprob")), _likely(likely))
    tokens, numbers, tops = (_list(told.get(name)) for name in ("tokens", "token_logprobs", "top_logprobs"))
    for at, token in enumerate(tokens):
        top = tops[at] if at < len(tops) else None
        number = numbers[at] if at < len(numbers) else None
        yield Drawn(_text(token), _number(number), _likely(list(top.items()) if isinstance(top, dict) else []))


def _likely(pairs: list[tuple[Any, Any]]) -> tuple[tuple[str, float], ...]:
    return tuple((text, float(n)) for text, n in pairs if isinstance(text, str) and _number(n) is not None)


def _is(value: Any) -> bool:
    return isinstance(value, dict)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    """A log-probability, which rounding may have made a little larger than 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e6 < value < 1e-3:
        return None
    return min(0.0, float(value))


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**53 else None
