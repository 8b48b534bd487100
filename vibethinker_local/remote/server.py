"""What a server is and can do: asked once, by requests of a few tokens, and put into one line.

Every ability has a substitute, so that no server is refused for the lack of one:

    own prompts        /v1/completions continues any text, so that prompts, forced endings and turns are exactly those
                       of a model on this machine; else it is sent messages, and puts its template around them
    continuation       of a reply that was begun; else a new request quotes what was written
    log-probabilities  of tokens, and the likeliest others; else a verdict is the word that the model says
    samples            several replies to one request; else as many requests
    grammar            that a reply follows; else what cannot be read as claims counts as none
"""

import math
import time
from contextlib import suppress
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import httpx2

from vibethinker_local.errors import ModelError
from vibethinker_local.models import network
from vibethinker_local.models.spec import ModelSpec, registry
from vibethinker_local.remote import wire
from vibethinker_local.remote.address import Address
from vibethinker_local.remote.served import SEED_NAMES, Abilities, Continuation, EngineServer, Frame, Served
from vibethinker_local.remote.wire import Chunk
from vibethinker_local.system.terminal import printable

MARKS = ("\ue000q\ue001", "\ue000r\ue001", "\ue000s\ue001")  # stand for messages, while the template is looked at
TOP = 20  # of the likeliest tokens, asked for where a verdict is read: the most that vLLM gives unless told otherwise
CONNECT, ANSWER = 5.0, 60.0  # seconds until there is a connection, and until a request of a few tokens is answered
WORD = "vibe"
# The beginning of a reply. Where a template leaves its reasoning out, it is shorter by far more than by ALIKE tokens.
BEGUN = "<think>\nI am to say a number, and that is easily done: I say it, and nothing else.\n</think>\n\nYes"
ALIKE = 8
# The same grammar, under the names that llama-server, newer and older vLLM, and SGLang know it by.
GRAMMARS = ("grammar", "structured_outputs", "guided_grammar", "ebnf")
VOTE = ":reliable"  # under a model's name and this, `vibe serve` answers by a vote of its own, which is no engine
SAMPLER = {"top_k": -1, "min_p": 0.0}  # off: llama-server's own defaults would cut the distribution
USAGE = {"stream": True, "stream_options": {"include_usage": True}}
WAITS = (0.5, 1.0, 2.0, 4.0)  # seconds at least until a question is asked again
FEW = 2  # of them, where it is as likely that there is nothing to be had
# Statuses of a server that loads or is full, and of a proxy that does not reach it; the last are Cloudflare's.
UNABLE = {429, 502, 503, 504, *range(520, 531)}
BROKEN = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
SPENT = b"insufficient_quota"  # with 429: there is nothing left to pay with, and waiting does not change that


def connect(address: Address, *, patience: float = ANSWER) -> Served:
    """Ask all servers of an address what they have. Raises ModelError if one has not what is wanted."""
    with network.make_engine_client(httpx2.Timeout(patience, connect=min(CONNECT, patience))) as client:
        servers = tuple(_Asking(client, url, address, patience).server() for url in address.urls)
    models = {server.model.rpartition("/")[2] for server in servers}
    if address.model is None and len(models) > 1:
        raise ModelError(f"These servers have different models ({', '.join(sorted(models))}): give one behind #.")
    contexts = [server.context for server in servers if server.context]
    known = address.context or (min(contexts) if contexts else None)
    name = address.name or _short(servers[0].model)
    return Served(name, _spec_of(servers[0].model), servers, address.concurrency, known, address.key)


class _Asking:
    """The questions to one server."""

    def __init__(self, client: httpx2.Client, url: str, address: Address, patience: float) -> None:
        """`patience`: seconds in which a server that is not able to answer is asked again."""
        self._client, self._url, self._address = client, url, address
        self._headers = headers(address.key)
        self._until = time.monotonic() + patience
        self._answered = False  # anything yet

    def server(self) -> EngineServer:
        listed = self._models()
        entry = self._chosen(listed)
        model = str(entry["id"])
        # A llama-server with several models has to be told which is meant.
        props = self._told("GET", f"/props?model={quote(model, safe='', errors='replace')}")
        context, slots = _positive(entry.get("max_model_len")), None
        owner = {"vllm": "vLLM", "sglang": "SGLang", "llamacpp": "llama-server", "library": "Ollama"}
        kind = owner.get(str(entry.get("owned_by")), "server")
        if isinstance(settings := props.get("default_generation_settings"), dict):
            kind, context, slots = "llama-server", _positive(settings.get("n_ctx")), _positive(props.get("total_slots"))
        return EngineServer(self._url, model, kind, self._abilities(model), context, slots)

    def _models(self) -> list[dict[str, Any]]:
        response = self._send("GET", "/v1/models", None)
        told = _json(response)
        data = told.get("data", 0) if isinstance(told, dict) else told or 0  # some have the list alone
        if response.status_code != 200 or not (data is None or isinstance(data, list)):
            moved = printable(response.headers.get("Location", ""))  # from http:// to https://, say
            raise ModelError(
                f"{self._url}/v1/models is not the list of a server that speaks the OpenAI protocol "
                f"({network.what_came(response)}): check the address{f', which leads to {moved}' if moved else ''}."
            )
        named = [each for each in data or () if isinstance(each, dict)]  # Ollama has null where it has none
        listed = [each for each in named if isinstance(each.get("id"), str)]
        ids = {each["id"] for each in listed}
        return [each for each in listed if each["id"].removesuffix(VOTE) not in ids - {each["id"]}]

    def _chosen(self, listed: list[dict[str, Any]]) -> dict[str, Any]:
        """The model that is wanted: by its name, a name it ends in, or one that only it contains."""
        wanted = (self._address.model or "").casefold()
        tests = (
            lambda id: id in (wanted, f"{wanted}:latest"),  # Ollama's name for what has no tag
            lambda id: id.rpartition("/")[2] == wanted or id.rpartition("/")[2].removesuffix(".gguf") == wanted,
            lambda id: wanted in id,
        )
        found: list[dict[str, Any]] = []
        for test in tests:
            found = [each for each in listed if test(each["id"].casefold())]
            if len(found) == 1:
                return found[0]
        names = printable(", ".join(each["id"] for each in (found or listed)[:20])) or "none"
        if wanted and found:
            raise ModelError(f"{self._url} has several models with {printable(wanted)!r} in their names: {names}.")
        if wanted:
            raise ModelError(f"{self._url} has no model called {printable(wanted)!r}: it has {names}.")
        if not listed:
            raise ModelError(f"{self._url} has no model yet: load one there.")
        raise ModelError(f"{self._url} has several models: give one of them behind #, as {self._url}#NAME: {names}.")

    # What it can do

    def _abilities(self, model: str) -> Abilities:
        frame = self._frame(model)
        messages = [{"role": "user", "content": "Say: 1"}]
        plain = {"model": model, "max_tokens": 1, "temperature": 1.0}  # with 0, vLLM and Mistral refuse n
        if frame:
            prompt = frame.render(messages)
            if found := self._tried("/v1/completions", plain | {"prompt": prompt}, {"logprobs": 2}):
                able = replace(found[0], frame=frame, continues="own prompts")
                return replace(able, grammar=self._grammar("/v1/completions", plain | {"prompt": prompt}))
        body: dict[str, Any] = plain | {"messages": messages}
        found = self._tried("/v1/chat/completions", body, {"logprobs": True, "top_logprobs": 2})
        if found is None:
            response = self._send("POST", "/v1/chat/completions", body)
            raise ModelError(
                f"{self._url} answers no question ({network.what_came(response)}): check the server's log."
            )
        able, taken = found
        way, drawn = self._continues(body, taken)
        return replace(
            able,
            continues=way,
            logprobs=able.logprobs or drawn,
            grammar=self._grammar("/v1/chat/completions", body),
        )

    def _frame(self, model: str) -> Frame | None:
        """What the template writes around messages, if the server lets itself be asked: llama-server and vLLM do."""
        roles = zip(("user", "assistant", "user"), MARKS, strict=True)
        messages = [{"role": role, "content": mark} for role, mark in roles]
        told = self._told("POST", "/apply-template", {"model": model, "messages": messages})
        text = told.get("prompt")
        if not isinstance(text, str):
            told = self._told(
                "POST", "/tokenize", {"model": model, "messages": messages, "add_generation_prompt": True}
            )
            if not isinstance(told.get("tokens"), list):
                return None
            text = self._told("POST", "/detokenize", {"model": model, "tokens": told["tokens"]}).get("prompt")
        parts = [text] if isinstance(text, str) else []
        for mark in MARKS:
            parts[-1:] = parts[-1].split(mark) if parts else []
        return Frame(*parts) if len(parts) == 4 else None

    def _tried(
        self, path: str, body: dict[str, Any], logprobs: dict[str, Any]
    ) -> tuple[Abilities, dict[str, Any]] | None:
        """What a request may ask for: all of it, or else what is taken of it; and the fields that say so.

        None if no request is answered.
        """
        wants: dict[str, dict[str, Any]] = {
            "seed": {"seed": 1},
            "random_seed": {"random_seed": 1},  # Mistral's name for it
            "sampler": SAMPLER,
            "samples": {"n": 2},
            "logprobs": logprobs,
        }

        def asked(names: list[str]) -> Chunk | None:
            response = self._send("POST", path, body | {key: wants[name][key] for name in names for key in wants[name]})
            chunk = wire.chunk(_json(response)) if response.status_code == 200 else Chunk()
            return chunk if chunk.pieces else None

        names = [name for name in wants if name != "random_seed"]
        found = asked(names)
        if found is None:
            names, found = [], asked([])
            for name in wants if found else ():
                if not (name == "random_seed" and names) and (more := asked([*names, name])):
                    names, found = [*names, name], more
        if found is None:
            return None
        taken = {key: wants[name][key] for name in names for key in wants[name]}
        able = Abilities(
            logprobs=_has_likely(found),
            samples=len(found.pieces) == 2,
            sampler="sampler" in names,
            seed=next((name for name in SEED_NAMES if name in names), None),
            usage=self._send("POST", path, body | USAGE).status_code == 200,
        )
        return able, taken

    def _continues(self, body: dict[str, Any], taken: dict[str, Any]) -> tuple[Continuation | None, bool]:
        """Whether it goes on with a reply that was begun: then that costs as many tokens as in the question, no more.

        And whether that reply has log-probabilities: some servers give none of reasoning.
        """
        question = body["messages"][0]
        longer = body | {"messages": [question | {"content": f"{question['content']} {BEGUN}"}]}
        begun = body | {"messages": [question, {"role": "assistant", "content": BEGUN}]} | taken | {"max_tokens": 4}
        most = wire.chunk(_json(self._send("POST", "/v1/chat/completions", longer))).prompt_tokens
        ways: dict[Continuation, dict[str, Any]] = {"flags": continuing("flags"), "prefill": {}}
        for way, extra in ways.items():
            response = self._send("POST", "/v1/chat/completions", begun | extra)
            if response.status_code == 200:
                chunk = wire.chunk(_json(response))
                count = chunk.prompt_tokens
                goes_on = most and count and most - ALIKE <= count <= most
                return (way, _has_likely(chunk)) if goes_on else (None, False)
        return None, False

    def _grammar(self, path: str, body: dict[str, Any]) -> str | None:
        for name in GRAMMARS:
            asked = body | {"max_tokens": 16} | guided(name, f'root ::= "{WORD}"')
            response = self._send("POST", path, asked)
            if response.status_code == 200:
                pieces = wire.chunk(_json(response)).pieces
                if pieces and pieces[0].text.strip() == WORD:
                    return name
        return None

    # Requests

    def _told(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What it says outside of /v1, if anything: a gateway may let nobody ask there."""
        with suppress(ModelError):
            told = _json(self._send(method, path, body, FEW))
            return told if isinstance(told, dict) else {}
        return {}

    def _send(self, method: str, path: str, body: dict[str, Any] | None, again: int = len(WAITS)) -> httpx2.Response:
        """An answer, whatever it is but a refusal of the key. Raises ModelError.

        One that did not come, or says that there is none yet, is asked for `again` so often: it would look like a
        server that is able to do less.
        """
        for asked, wait in enumerate((*WAITS[:again], math.inf)):
            try:
                response = self._client.request(method, self._url + path, json=body, headers=self._headers)
            except network.ERRORS as error:
                # One that never answered has a wrong address, rather.
                if isinstance(error, BROKEN) and (self._answered or asked < FEW) and self._waited(wait):
                    continue
                failure = network.failure(error, self._url.partition(":")[0], also="whether the server runs")
                raise ModelError(f"{self._url} cannot be reached: {failure.reason}; {failure.advice}.") from error
            self._answered = True
            if response.status_code in (401, 403):
                raise ModelError(refusal(self._url, self._address.key))
            if response.status_code not in UNABLE:
                return response
            if SPENT in response.content or not self._waited(max(wait, retry_after(response) or 0)):
                break
        advice = "check the account" if SPENT in response.content else "try again later"
        raise ModelError(f"{self._url} is not able to answer at present ({network.what_came(response)}): {advice}.")

    def _waited(self, seconds: float) -> bool:
        """Whether there was time to wait so long."""
        there_is = time.monotonic() + seconds < self._until
        if there_is:
            time.sleep(seconds)
        return there_is


def _has_likely(chunk: Chunk) -> bool:
    return any(drawn.likely for piece in chunk.pieces for drawn in piece.drawn)


def headers(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def refusal(url: str, key: str | None) -> str:
    """The sentence about a server that answers 401 or 403."""
    if key:
        return f"{url} refuses the key: check the variable that it is taken from."
    return f"{url} wants a key: put it into VIBE_ENGINE_KEY, or name its variable in [engines.NAME]."


def retry_after(response: httpx2.Response) -> float | None:
    """The seconds that a Retry-After asks for: a number, or a date."""
    text = response.headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        with suppress(ValueError, TypeError, OverflowError):
            return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
        return None
    return seconds if 0 <= seconds < 1e9 else None


def continuing(way: Continuation | None) -> dict[str, Any]:
    """What tells a chat request to go on with the reply that its last message begins."""
    return {"continue_final_message": True, "add_generation_prompt": False} if way == "flags" else {}


def guided(name: str, grammar: str) -> dict[str, Any]:
    """What tells a request to keep to a grammar."""
    return {name: {"grammar": grammar} if name == "structured_outputs" else grammar}


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _positive(value: Any) -> int | None:
    return value if type(value) is int and 0 < value < 2**31 else None


def _short(model: str) -> str:
    """A model's name without folders and endings: it becomes part of a bank's file name."""
    name = model.replace("\\", "/").rstrip("/").rpartition("/")[2].removesuffix(".gguf")
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in name)[:64].lstrip(".") or "served"


def _spec_of(model: str) -> ModelSpec:
    """The entry of models.toml that a served model's name begins with; else one that says nothing of it."""
    short = _short(model).casefold()
    for name, spec in registry().items():
        rest = short.removeprefix(name.casefold())
        if rest != short and not rest[:1].isalnum():
            return spec
    return ModelSpec(about=f"{_short(model)}, which models.toml has no entry for")
