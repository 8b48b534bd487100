"""What is asked of a server for a Sequence, in the words that this server understands."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from vibethinker_local.engine.output import SequenceId
from vibethinker_local.engine.params import SamplingParams
from vibethinker_local.remote.reply import ForeignReply
from vibethinker_local.remote.served import EngineServer
from vibethinker_local.remote.server import SAMPLER, TOP, USAGE, continuing, guided
from vibethinker_local.remote.vocabulary import Messages

SEEDS = 2**31  # llama-server keeps 32 bits of a seed, others a sign besides
WORD_TOKENS, THOUGHT_TOKENS = 8, 1024  # for a verdict as a word, at once or after reasoning
LEAST = -25.0  # nats; of a label that is not among the likeliest tokens
Key = tuple[SequenceId, int]  # of a reply: a Sequence, and how many requests it had before
Quote = Callable[[str, str], str]  # a question and the beginning of its reply, as one question


@dataclass(frozen=True)
class Wanted:
    """A reply that is wanted, or several that differ in their seeds alone: those of `seed`, `seed` + 1 …"""

    messages: Messages
    begun: str  # what there is of the reply
    params: SamplingParams
    seed: int
    most: int  # tokens
    stops: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()  # their likelihoods are wanted, instead of a reply
    samples: int = 1


def ways(ask: Wanted, server: EngineServer, quote: Quote) -> tuple[str, dict[str, Any], bool]:
    """The path and the body of a request, and whether the beginning of the reply is quoted in it."""
    able, params = server.abilities, ask.params
    body: dict[str, Any] = {
        "model": server.model,
        "stream": True,
        "max_tokens": ask.most,
        "temperature": params.temperature,
        "top_p": params.top_p,
    }
    if able.seed:
        body[able.seed] = ask.seed % SEEDS
    if able.usage:
        body |= USAGE
    if able.sampler:
        body |= SAMPLER | {"top_k": params.top_k or SAMPLER["top_k"], "min_p": params.min_p}
    if ask.samples > 1:
        body["n"] = ask.samples
    if ask.stops:
        body["stop"] = list(ask.stops[:4])  # the protocol's limit
    quoted = bool(ask.begun) and able.continues is None
    grammar = params.grammar
    if ask.labels:
        scored = able.logprobs and not quoted
        body |= {"temperature": 0.0, "max_tokens": 1 if scored else THOUGHT_TOKENS if quoted else WORD_TOKENS}
        words = " | ".join(f'"{label}"' for label in ask.labels)
        grammar = None if scored or quoted else f"root ::= {words}"
    if grammar and able.grammar:
        body |= guided(able.grammar, grammar)
    top = TOP if ask.labels else 1
    if able.frame:
        if able.logprobs:
            body["logprobs"] = top
        if server.kind == "vLLM":
            body["add_special_tokens"] = False  # the template has them
        return "/v1/completions", body | {"prompt": able.frame.render(ask.messages) + ask.begun}, False
    if able.logprobs:
        body |= {"logprobs": True, "top_logprobs": top}
    messages = ask.messages
    if quoted:
        last = messages[-1]
        messages = [*messages[:-1], last | {"content": quote(last["content"], ask.begun)}]
    elif ask.begun:
        messages = [*messages, {"role": "assistant", "content": ask.begun}]
        body |= continuing(able.continues)
    return "/v1/chat/completions", body | {"messages": messages}, quoted


def reply(ask: Wanted, server: EngineServer, *, quoted: bool) -> ForeignReply:
    """What takes the reply to such a request."""
    return ForeignReply(ask.begun, quoted=quoted, repeats=server.abilities.frame is None)


def likelihoods(labels: Iterable[str], likely: Iterable[tuple[str, float]]) -> tuple[float, ...]:
    """How likely each label is to come next, in nats, read off the likeliest tokens: those that it begins with.

    A token that several labels begin with counts for none, and a label that is not there is as likely as the last one.
    """
    words = [label.strip() for label in labels]
    listed = [(text.strip(), number) for text, number in likely if text.strip()]
    floor = min((number for _, number in listed), default=LEAST)
    found = []
    for word in words:
        others = [other for other in words if other != word]
        mine = [n for text, n in listed if _begins(word, text) and not any(_begins(other, text) for other in others)]
        found.append(math.log(sum(map(math.exp, mine))) if mine else floor)
    return tuple(found)


def spoken(labels: Iterable[str], text: str) -> tuple[float, ...]:
    """The same of a text that names one of the labels, its last word on the matter; all alike if it names none."""
    words = [label.strip() for label in labels]
    longest = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    named = re.findall(rf"\b({longest})\b", text)
    return tuple(0.0 if named and word == named[-1] else LEAST if named else 0.0 for word in words)


def _begins(word: str, text: str) -> bool:
    return word.startswith(text) or text.startswith(word)
