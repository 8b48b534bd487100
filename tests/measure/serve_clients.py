"""Real clients against `vibe serve`, field by field; exits with 1 if one of them does not get what it should.

    pip install openai llm litellm                 # into any environment: nothing of ours is imported
    python -m tests.measure.serve_clients http://127.0.0.1:8080/v1 --key KEY

The server has to serve `mini`; with a key, wrong ones are tried, too. A client that is not installed is left out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

PROBLEM = "Tom has 12 apples. Ann has 5 more apples than Tom. How many has Ann?"
ASKED: list[dict[str, Any]] = [{"role": "user", "content": PROBLEM}]
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}
FORM = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True}}
Check = Callable[[], bool]


def with_openai(address: str, key: str | None) -> dict[str, Check]:
    openai = import_module("openai")

    def client(given: str | None = key) -> Any:
        return openai.OpenAI(base_url=address, api_key=given or "none", max_retries=0)

    def create(**fields: Any) -> Any:
        return client().chat.completions.create(**{"model": "mini", "messages": ASKED, "seed": 1} | fields)

    def refused(kind: str, call: Callable[[], Any], word: str) -> bool:
        try:
            call()
        except getattr(openai, kind) as error:
            return word in str(error)
        return False

    def streamed() -> bool:
        chunks = list(create(stream=True, stream_options={"include_usage": True}))
        deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
        content = "".join(delta.content or "" for delta in deltas)
        reasoning = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
        return "17" in content and "12 + 5" in reasoning and bool(chunks[-1].usage.completion_tokens)

    def left() -> bool:
        stream = create(stream=True, temperature=5, top_p=1, max_tokens=1900, n=8)
        next(iter(stream))
        stream.close()
        return bool("17" in create().choices[0].message.content)

    def parsed() -> bool:
        pydantic = import_module("pydantic")
        form = pydantic.create_model("Answer", answer=(int, ...))
        found = client().chat.completions.parse(model="mini", messages=ASKED, response_format=form, seed=1)
        return isinstance(found.choices[0].message.parsed.answer, int)

    def typed() -> bool:
        pydantic = import_module("pydantic")
        code = Annotated[str, pydantic.Field(pattern="^[A-Z]{2}-[0-9]+x$", max_length=9)]
        form = pydantic.create_model("Typed", day=(date, ...), pair=(tuple[bool, code], ...))
        found = client().chat.completions.parse(model="mini", messages=ASKED, response_format=form, seed=1)
        return found.choices[0].message.parsed is not None

    def voted() -> bool:
        found = create(model="mini:reliable")
        return bool(found.choices[0].finish_reason == "stop" and found.model_extra["vibe"]["answer"] == "17")

    def logprobs() -> bool:
        found = create(logprobs=True)
        return bool(len(found.choices[0].logprobs.content) == found.usage.completion_tokens)

    def quiet() -> int:
        return int(create(reasoning_effort="none", max_tokens=20).usage.completion_tokens_details.reasoning_tokens)

    parts = [{"role": "user", "content": [{"type": "text", "text": PROBLEM}]}]
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]
    passed = {"user": "u", "store": False, "metadata": {"a": "b"}, "parallel_tool_calls": True}
    bad = "BadRequestError"
    checks: dict[str, Check] = {
        "models.list": lambda: [model.id for model in client().models.list()] == ["mini", "mini:reliable"],
        "content": lambda: "17" in create().choices[0].message.content and "think>" not in str(create()),
        "stream, include_usage, reasoning_content": streamed,
        "n": lambda: len({choice.index for choice in create(n=4).choices}) == 4,
        "seed": lambda: create().choices[0].message == create().choices[0].message,
        "stop": lambda: create(stop=["17}"]).choices[0].message.content.endswith("{"),
        "max_completion_tokens": lambda: create(max_completion_tokens=5).choices[0].finish_reason == "length",
        "logprobs": logprobs,
        "reasoning_effort: none": lambda: quiet() == 0,
        "response_format, by parse()": parsed,
        "response_format with a date, a tuple and a pattern": typed,
        "reliability, by model name": voted,
        "content in parts": lambda: bool(create(messages=parts).choices),
        "user, store, metadata passed over": lambda: bool(create(**passed).choices),
        "tools refused": lambda: refused(bad, lambda: create(tools=[TOOL]), "does not call tools"),
        "top_logprobs refused": lambda: refused(bad, lambda: create(logprobs=True, top_logprobs=2), "top_logprobs"),
        "image refused": lambda: refused(bad, lambda: create(messages=image), "image"),
        "unknown model": lambda: refused("NotFoundError", lambda: create(model="gpt-4o"), "mini:reliable"),
        "left in mid-stream": left,
    }
    if key:
        wrong = client("wrong")
        checks["wrong key"] = lambda: refused("AuthenticationError", lambda: wrong.models.list(), "API key")
    return checks


def with_litellm(address: str, key: str | None) -> dict[str, Check]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it asks the network for prices
    litellm: Any = import_module("litellm")
    litellm.suppress_debug_info = True

    def create(**fields: Any) -> Any:
        given = {"model": "openai/mini", "api_base": address, "api_key": key or "none", "messages": ASKED, "seed": 1}
        return litellm.completion(**given | fields)

    def refused(kind: str, **fields: Any) -> bool:
        try:
            create(**fields)
        except getattr(litellm, kind):
            return True
        return False

    def streamed() -> bool:
        chunks = list(create(stream=True))
        deltas = [chunk.choices[0].delta for chunk in chunks]
        reasoning = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
        return "17" in "".join(delta.content or "" for delta in deltas) and "12 + 5" in reasoning

    checks: dict[str, Check] = {
        "content, reasoning_content": lambda: "12 + 5" in create().choices[0].message.reasoning_content,
        "stream": streamed,
        "n": lambda: len(create(n=3).choices) == 3,
        "stop": lambda: create(stop=["17}"]).choices[0].message.content.endswith("{"),
        "response_format": lambda: "answer" in json.loads(create(response_format=FORM).choices[0].message.content),
        "tools refused": lambda: refused("BadRequestError", tools=[TOOL]),
        "unknown model": lambda: refused("NotFoundError", model="openai/gpt-4o"),
    }
    if key:
        checks["wrong key"] = lambda: refused("AuthenticationError", api_key="wrong")
    return checks


def with_llm(address: str, key: str | None) -> dict[str, Check]:
    folder = Path(tempfile.mkdtemp())
    entry: dict[str, object] = {"model_id": "vibe", "model_name": "mini", "api_base": address, "api_key_name": "vibe"}
    entry |= {"supports_schema": True}
    unknown = entry | {"model_id": "unknown", "model_name": "gpt-4o"}
    (folder / "extra-openai-models.yaml").write_text(json.dumps([entry, unknown]), encoding="utf-8")

    def llm(*arguments: str, given: str | None = key) -> "subprocess.CompletedProcess[str]":
        environment = os.environ | {"LLM_USER_PATH": str(folder)}
        command = [sys.executable, "-P", "-m", "llm", *arguments, "--key", given or "none"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def failed(word: str, *arguments: str, given: str | None = key) -> bool:
        done = llm(*arguments, given=given)
        return done.returncode != 0 and word in done.stderr

    checks: dict[str, Check] = {
        "streamed": lambda: "17" in llm("-m", "vibe", PROBLEM, "-o", "seed", "1").stdout,
        "not streamed": lambda: "17" in llm("-m", "vibe", PROBLEM, "-o", "seed", "1", "--no-stream").stdout,
        "system": lambda: llm("-m", "vibe", PROBLEM, "-s", "Be brief.").returncode == 0,
        "schema": lambda: "answer" in json.loads(llm("-m", "vibe", PROBLEM, "--schema", json.dumps(SCHEMA)).stdout),
        "unknown model": lambda: failed("no model", "-m", "unknown", PROBLEM),
    }
    if key:
        checks["wrong key"] = lambda: failed("API key", "-m", "vibe", PROBLEM, given="wrong")
    return checks


CLIENTS = {"llm": with_llm, "openai": with_openai, "litellm": with_litellm}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--key")
    given = parser.parse_args()
    failures = 0
    for name, checks_of in CLIENTS.items():
        if find_spec(name) is None:
            print(f"{name}: not installed")
            continue
        for what, check in checks_of(given.address, given.key).items():
            try:
                said = "yes" if check() else "NO"
            except Exception as error:
                said = f"NO: {type(error).__name__}: {str(error)[:200]}"
            failures += said != "yes"
            print(f"| {name} {version(name)} | {what} | {said} |", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
