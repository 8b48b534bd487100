"""A server that speaks the OpenAI protocol on loopback, with a tiny model: it adds two numbers.

What it can do, and how it says it, is chosen: after what llama-server, vLLM, SGLang and Ollama send. It can also fail
in their ways. It keeps what it was asked.
"""

import json
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import quote

Fault = tuple[Literal["status", "page", "cut", "error", "end"], Any]
QUOTING = "Your reply begins as follows."
STRANGE = {  # what not every server knows
    "top_k", "min_p", "n", "seed", "random_seed", "stream_options", "grammar", "ebnf", "structured_outputs",
    "guided_grammar",
}  # fmt: skip


@dataclass
class StandIn:
    model: str = "org/adder"  # "": it has none yet
    others: tuple[str, ...] = ()  # models that it lists besides
    bare: bool = False  # it lists them in nothing else
    owner: str = "llamacpp"
    template: Literal["/apply-template", "/tokenize"] | None = "/apply-template"  # how it tells its template
    completions: bool = True
    logprobs: Literal["new", "old"] | None = "new"
    samples: bool = True
    grammar: str | None = "grammar"  # the field that it takes
    continues: Literal["flags", "prefill", "repeats"] | None = "prefill"  # in chats
    strips: bool = False  # its template leaves earlier reasoning out
    reasoning: Literal["inline", "reasoning_content", "reasoning"] = "inline"
    strict: bool = False  # a field that it does not know is an error
    known: frozenset[str] = frozenset({"seed", "stream_options"})  # to a strict one
    absences: deque[int] = field(default_factory=deque)  # statuses of whatever is asked next; 0: the connection breaks
    stream: bool = True
    event_type: str = "text/event-stream; charset=utf-8"
    context: int | None = 8192
    slots: int | None = 4
    key: str | None = None
    gated: bool = False  # nobody is let in but to /v1
    pause: float = 0.0  # seconds before each token
    end: str = "\n"  # of lines
    boasts: int = 0  # tokens that it counts and did not write
    faults: deque[Fault] = field(default_factory=deque)  # of the next requests for a reply
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    running: int = 0
    most: int = 0  # requests at once so far
    broken: int = 0  # replies that the client called off
    port: int = 0

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self.start()
        return self

    def start(self) -> None:
        standin = self

        class Handler(_Handler):
            of = standin

        self._http = _Http(("127.0.0.1", self.port), Handler)
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """As if it was killed: connections break."""
        self._http.shutdown()
        self._http.server_close()
        for connection in list(self._http.connections):
            connection.close()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def replies(self) -> list[dict[str, Any]]:
        """The requests for replies that came as streams: those for work, and not to find out what it can do."""
        return [body for _, body in self.asked if _is_work(body)]

    def count(self, more: int) -> None:
        with self._lock:
            self.running += more
            self.most = max(self.most, self.running)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *args: Any) -> None:
        self.connections: set[Any] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_: Any) -> None:
        pass  # a client that has gone


class _Handler(BaseHTTPRequestHandler):
    of: StandIn
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        of = self.of
        if not self._allowed():
            return
        if self.path == "/v1/models":
            entry: dict[str, Any] = {"id": of.model, "object": "model", "owned_by": of.owner}
            if of.owner in ("vllm", "sglang"):
                entry["max_model_len"] = of.context
            listed = [entry | {"id": id} for id in (of.model, *of.others) if id]
            nothing = of.owner == "library" and not listed  # as Ollama has it
            self._answer(200, listed if of.bare else {"object": "list", "data": None if nothing else listed})
        elif self.path.startswith("/props") and of.owner == "llamacpp":
            of_model = self.path == f"/props?model={quote(of.model, safe='')}"  # else of the router
            told = (of.context, of.slots) if of_model else (0, None)
            self._answer(200, {"default_generation_settings": {"n_ctx": told[0]}, "total_slots": told[1]})
        else:
            self._missing()

    def do_POST(self) -> None:
        of = self.of
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        of.asked.append((self.path, body))
        if not self._allowed():
            return
        if self.path == "/apply-template" and of.template == self.path and body["model"] == of.model:
            self._answer(200, {"prompt": rendered(body["messages"])})
        elif self.path == "/tokenize" and of.template == self.path:
            self._answer(200, {"tokens": [ord(c) for c in rendered(body["messages"])]})
        elif self.path == "/detokenize" and of.template == "/tokenize":
            self._answer(200, {"prompt": "".join(map(chr, body["tokens"]))})
        elif self.path == "/v1/chat/completions" or (self.path == "/v1/completions" and of.completions):
            self._reply(body)
        else:
            self._missing()

    def _allowed(self) -> bool:
        if self.of.absences:
            if status := self.of.absences.popleft():
                self._answer(
                    status, {"error": {"message": "Loading model"}}, {"Retry-After": "0.01", "Location": "/login"}
                )
            else:
                self.close_connection = True
                self.connection.close()
            return False
        if self.of.key and self.headers["Authorization"] != f"Bearer {self.of.key}":
            self._answer(401, {"error": {"message": "Invalid API Key", "type": "authentication_error", "code": 401}})
            return False
        if self.of.gated and not self.path.startswith("/v1/"):
            self._answer(403, {"error": "forbidden path"})
            return False
        return True

    # Replies

    def _reply(self, body: dict[str, Any]) -> None:
        of = self.of
        strange = STRANGE & body.keys() - of.known
        if of.strict and strange:
            return self._answer(400, {"detail": [{"msg": f"Extra inputs are not permitted: {sorted(strange)[0]}"}]})
        if body.get("n", 1) > 1 and not body["temperature"]:
            return self._answer(400, {"message": "n must be 1 when using greedy sampling"})
        fault = of.faults.popleft() if of.faults and _is_work(body) else None
        if fault and fault[0] == "status":
            status, headers = fault[1]
            code = headers.get("code", status)  # in words, where it has such
            return self._answer(status, {"error": {"message": "Come back later", "code": code}}, headers)
        if fault and fault[0] == "page":
            return self._answer(200, fault[1])
        prompt, repeated = self._prompt(body)
        tokens = len(pieces(prompt)) + 2 * prompt.count("<|")
        if of.context and tokens + body["max_tokens"] > of.context:
            message = f"This model's maximum context length is {of.context} tokens. You requested more."
            return self._answer(400, {"object": "error", "message": message, "code": 400})
        grammar = body.get(of.grammar) if of.grammar else None
        grammar = grammar["grammar"] if isinstance(grammar, dict) else grammar
        choices = range(body.get("n", 1) if of.samples else 1)
        texts = [write(prompt, body.get("seed", 0) + at, grammar) for at in choices]
        ends = ["length" if len(pieces(text)) > body["max_tokens"] else "stop" for text in texts]
        written = [pieces(text)[: body["max_tokens"]] for text in texts]
        usage = {"prompt_tokens": tokens, "completion_tokens": len(written[0]) + (ends[0] == "stop") + of.boasts}
        of.count(1)
        self._is_counted = True
        try:
            if body.get("stream") and of.stream:
                self._stream(body, written, ends, usage, repeated, fault)
            else:
                told = [self._whole(body, at, each, ends[at]) for at, each in enumerate(written)]
                self._written()
                self._answer(200, {"choices": told, "usage": usage})
        finally:
            self._written()

    def _written(self) -> None:
        """A reply is no longer one that runs: before its client hears of its end, and may ask for the next."""
        if self._is_counted:
            self._is_counted = False
            self.of.count(-1)

    def _prompt(self, body: dict[str, Any]) -> tuple[str, str]:
        """The text that the model continues, and what is repeated of it."""
        if "prompt" in body:
            return body["prompt"], ""
        messages = body["messages"]
        last = messages[-1]
        if last["role"] == "assistant":
            flagged = body.get("continue_final_message") and body.get("add_generation_prompt") is False
            if self.of.continues in ("prefill", "repeats") or (self.of.continues == "flags" and flagged):
                repeated = last["content"] if self.of.continues == "repeats" else ""
                return rendered(messages[:-1]) + last["content"], repeated
        if self.of.strips and last["role"] == "assistant":
            messages = [*messages[:-1], last | {"content": last["content"].rpartition("</think>")[2]}]
        return rendered(messages), ""

    def _stream(
        self,
        body: dict[str, Any],
        written: list[list[str]],
        ends: list[str],
        usage: dict[str, int],
        repeated: str,
        fault: Fault | None,
    ) -> None:
        self.send_response(200)
        self.send_header("Content-Type", self.of.event_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self._event(": a comment")
            sent = 0
            for at in range(max(map(len, written))):
                for choice, tokens in enumerate(written):
                    if at >= len(tokens):
                        continue
                    time.sleep(self.of.pause)
                    first, repeated = (repeated, "") if at == 0 else ("", repeated)
                    self._data({"choices": [self._piece(body, choice, tokens, at, first)]})
                    sent += 1
                    if fault and fault[0] == "cut" and sent == fault[1]:
                        self.close_connection = True
                        self.connection.close()
                        return
                    if fault and fault[0] == "error" and sent == fault[1]:
                        self._data({"error": {"code": 500, "message": "slot is gone", "type": "server_error"}})
                        self._chunk(b"")
                        return
            for choice, end in enumerate(ends):
                end = fault[1] if fault and fault[0] == "end" else end
                self._data({"choices": [self._piece(body, choice, [], 0, "") | {"finish_reason": end}]})
            self._data({"choices": [], "usage": usage})
            self._written()
            self._event("data: [DONE]")
            self._chunk(b"")
        except (OSError, ValueError):
            self.of.broken += 1
            self.close_connection = True

    def _piece(self, body: dict[str, Any], choice: int, tokens: list[str], at: int, before: str) -> dict[str, Any]:
        told: dict[str, Any] = {"index": choice, "finish_reason": None}
        if "prompt" in body:
            told["text"] = tokens[at] if tokens else ""
        else:
            name, text = self._side(tokens, at)
            told["delta"] = {name: before + text} if text or before else {"role": "assistant", "content": None}
        if body.get("logprobs") and self.of.logprobs and tokens:
            told["logprobs"] = self._logprobs([tokens[at]])
        return told

    def _side(self, tokens: list[str], at: int) -> tuple[str, str]:
        """The field that a token of a chat's reply comes in."""
        if self.of.reasoning == "inline" or not tokens:
            return "content", tokens[at] if tokens else ""
        token = tokens[at]
        opened, closed = "<think>" in "".join(tokens), "</think>" in "".join(tokens[:at])
        inside = opened and not closed and "</think>" not in token
        text = token.replace("<think>", "").replace("</think>", "")
        return (self.of.reasoning if inside else "content"), text

    def _whole(self, body: dict[str, Any], choice: int, tokens: list[str], end: str) -> dict[str, Any]:
        told: dict[str, Any] = {"index": choice, "finish_reason": end}
        told |= {"text": "".join(tokens)} if "prompt" in body else {"message": {"content": "".join(tokens)}}
        if body.get("logprobs") and self.of.logprobs:
            told["logprobs"] = self._logprobs(tokens)
        return told

    def _logprobs(self, tokens: list[str]) -> dict[str, Any]:
        likely = [{token: -0.1, other(token): -2.5} for token in tokens]
        if self.of.logprobs == "old":
            return {"tokens": tokens, "token_logprobs": [-0.1] * len(tokens), "top_logprobs": likely}
        tops = [[{"token": text, "logprob": number} for text, number in each.items()] for each in likely]
        return {
            "content": [{"token": t, "logprob": -0.1, "top_logprobs": x} for t, x in zip(tokens, tops, strict=True)]
        }

    # Bytes

    def _data(self, told: dict[str, Any]) -> None:
        self._event(f"data: {json.dumps(told)}")

    def _event(self, text: str) -> None:
        self._chunk((text + 2 * self.of.end).encode())

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _missing(self) -> None:
        self._answer(404, {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}})

    def _answer(self, status: int, told: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _is_work(body: dict[str, Any]) -> bool:
    """Whether a request is for a reply, and not to find out what the server can do."""
    return bool(body.get("stream")) and "Say: 1" not in str(body.get("prompt") or body.get("messages"))


# The model


def rendered(messages: list[dict[str, str]]) -> str:
    return "".join(f"<|{each['role']}|>{each['content']}<|end|>\n" for each in messages) + "<|assistant|>"


def pieces(text: str) -> list[str]:
    return re.findall(r"\s?\S+|\s", text)


def other(token: str) -> str:
    swapped = {" VALID": " INVALID", " INVALID": " VALID"}
    return swapped.get(token, token + "?")


def write(prompt: str, seed: int, grammar: str | None) -> str:
    """What the model writes behind a prompt. Each fourth seed gets the sum wrong."""
    if grammar and (words := re.fullmatch(r'root ::= "([^"]*)"', grammar)):
        return words[1]
    turns = re.findall(r"<\|(user|assistant)\|>(.*?)(?=<\|end\|>|\Z)", prompt, re.DOTALL)
    question, begun = turns[-2][1], turns[-1][1]
    if QUOTING in question:
        question, _, quoted = question.partition(QUOTING)
        begun = quoted.partition("\n\n")[2]
    numbers = re.search(r"(\d+) \+ (\d+)", turns[0][1])
    right = str(sum(map(int, numbers.groups()))) if numbers else "1"
    answer = str(int(right) + 1) if seed % 4 == 3 else right
    if "steps of your solution" in question:
        said = re.findall(r"boxed\{(\d+)\}", turns[1][1])
        sums = f"{numbers[1]} and {numbers[2]} make {said[-1] if said else right}" if numbers else "One is one"
        lines = "\n".join(f"{at}. {sums}, in way {at}" for at in range(1, 6))
        return lines if grammar else "Gladly. My answer rests on what I know."
    if "VALID or INVALID" in question:
        claim = question.strip().splitlines()[-1]
        holds = f"make {right}," in claim or claim in ("1. 2 + 3 = 5.", "1. 10 is even.")
        verdict = "VALID" if holds else "INVALID"
        return f" {verdict}" if begun.endswith("1.") else f"<think>\nWell.\n</think>\n\n1. {verdict}"
    whole = f"<think>\n{_thought(question, numbers)}\n</think>\n\nThe answer is \\boxed{{{answer}}}."
    if whole.startswith(begun):
        return whole[len(begun) :]
    if begun.endswith("boxed{"):
        return f"{answer}}}."
    if begun.endswith("</think>\n\n"):
        return f"The answer is \\boxed{{{answer}}}."
    return ""


def _thought(question: str, numbers: re.Match[str] | None) -> str:
    if "forever" in question:
        return " ".join(f"step {n}," for n in range(4000))
    if "at length" in question:
        return " ".join(f"step {n}," for n in range(400))
    if "circles" in question:
        return "round and " * 3000
    return f"I add {numbers[1]} and {numbers[2]}." if numbers else "Hm."


def problems(count: int) -> Iterator[str]:
    """Lines of a file of problems."""
    return (json.dumps({"id": f"p{n}", "problem": f"What is {n} + 30?", "answer": str(n + 30)}) for n in range(count))
