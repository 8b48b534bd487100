"""A model on servers elsewhere, and what those servers can do, as data."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from vibethinker_local.models.spec import ModelSpec
from vibethinker_local.remote.vocabulary import Messages

Continuation = Literal["own prompts", "flags", "prefill"]
SeedName = Literal["seed", "random_seed"]
SEED_NAMES: tuple[SeedName, ...] = get_args(SeedName)
CONCURRENCY = 16  # requests at once, to a server that does not say how many it has room for
CONTEXT = 32768  # tokens, where neither the server nor the user says how many there are


@dataclass(frozen=True)
class Frame:
    """What the model's chat template writes around messages that alternate."""

    begin: str  # before the first question
    reply: str  # between a question and its reply, where more follows
    question: str  # between a reply and the next question
    end: str  # behind the last question, up to where the model's reply begins

    def render(self, messages: Messages) -> str:
        """The text of a conversation of questions and replies, the last of them a question."""
        parts = [self.begin]
        for at, message in enumerate(messages):
            last = at == len(messages) - 1
            parts += [message["content"], self.end if last else self.question if at % 2 else self.reply]
        return "".join(parts)


@dataclass(frozen=True)
class Abilities:
    frame: Frame | None = None  # for own prompts; None: it is sent messages
    continues: Continuation | None = None
    logprobs: bool = False
    samples: bool = False
    grammar: str | None = None  # the field of a request that takes one
    sampler: bool = True  # it takes top_k and min_p
    seed: SeedName | None = "seed"  # the field of a request that takes one
    usage: bool = True  # it can be asked to count tokens at the end of a stream

    def lacking(self) -> list[str]:
        """What is done instead of what it cannot do, in a few words each."""
        found = []
        if not self.continues:
            found.append("it cannot continue a reply: a new request quotes what was written")
        if not self.logprobs:
            found.append("it gives no log-probabilities: a verdict is the word that the model says")
        if not self.grammar:
            found.append("it takes no grammar: claims that cannot be read count as none")
        if not self.sampler:
            found.append("it takes no top_k: its own applies")
        if not self.seed:
            found.append("it takes no seed: it draws its own")
        return found

    def __str__(self) -> str:
        known = {
            "own prompts": self.frame is not None,
            "continues replies": self.continues is not None,
            "log-probabilities": self.logprobs,
            "n samples": self.samples,
            "grammar": self.grammar is not None,
        }
        has, lacks = ([name for name, there in known.items() if there is want] for want in (True, False))
        return ", ".join(has) + (f"; without {', '.join(lacks)}" if lacks else "")


@dataclass(frozen=True)
class EngineServer:
    url: str  # up to its /v1, without a name or password
    model: str  # as it calls it
    kind: str  # llama-server, vLLM, SGLang, Ollama … or "server"
    abilities: Abilities
    context: int | None = None  # tokens of each request
    slots: int | None = None  # requests that it computes at once


@dataclass(frozen=True)
class Served:
    """A model on servers elsewhere, in the place of a model file on this machine."""

    name: str
    spec: ModelSpec
    servers: tuple[EngineServer, ...]
    concurrency: int | None = None
    context: int | None = None  # tokens of each request; None: unknown
    key: str | None = field(default=None, repr=False)

    @property
    def places(self) -> int:
        """Requests that all servers get at once."""
        return sum(self.places_of(server) for server in self.servers)

    def places_of(self, server: EngineServer) -> int:
        return self.concurrency or server.slots or CONCURRENCY

    @property
    def path(self) -> Path:
        """As its file would be called, which is not here: lengths of solutions are remembered by that."""
        return Path(self.servers[0].model.rpartition("/")[2] or self.name)

    @property
    def where(self) -> str:
        return ", ".join(server.url for server in self.servers)

    @property
    def fingerprint(self) -> str:
        """What the model is known by, in the place of a file's sha256: what a server has can only be taken on trust."""
        return f"served as {self.servers[0].model}"

    def notices(self, *, context_given: bool = False) -> Iterator[str]:
        """What the user should know."""
        for lacking in dict.fromkeys(what for server in self.servers for what in server.abilities.lacking()):
            url = next(server.url for server in self.servers if lacking in server.abilities.lacking())
            yield f"{url}: {lacking}"
        if self.context is None and not context_given:
            url = self.servers[0].url
            yield f"{url} does not say how long its context is: {CONTEXT:,} tokens are assumed; --ctx says it."
        plain = [
            server.url for server in self.servers if server.url.startswith("http://") and not _is_local(server.url)
        ]
        if self.key and plain:
            yield f"The key goes to {plain[0]} unencrypted: https:// would hide it."


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
