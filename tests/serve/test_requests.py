"""Whatever is sent, there is an answer in the protocol's form, and never a 500."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serve.helpers import Served, user

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PARTS = st.lists(
    st.fixed_dictionaries({"type": st.sampled_from(["text", "image_url", "file", ""]), "text": JUNK}), max_size=2
)
MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "system", "developer", "tool", "x"]),
        "content": st.text(max_size=20) | PARTS | JUNK,
    },
    optional={"reasoning_content": st.text(max_size=9) | JUNK, "tool_calls": JUNK, "name": JUNK},
)
WORDS = [
    "type",
    "object",
    "array",
    "string",
    "integer",
    "properties",
    "items",
    "required",
    "enum",
    "anyOf",
    "$ref",
    "#",
    "const",
]
SCHEMA = st.recursive(
    st.sampled_from(WORDS) | st.integers(-2, 9) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=8,
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(["mini", "mini:reliable", "mini:Q8_0", "gpt", ""]),
    "stream": st.booleans(),
    "stream_options": st.fixed_dictionaries({"include_usage": st.booleans()}),
    "n": st.integers(-1, 4),
    "seed": st.integers(-(2**65), 2**65),
    "temperature": st.floats(-1, 6),
    "top_p": st.floats(-0.5, 1.5),
    "top_k": st.integers(-2, 2000),
    "min_p": st.floats(0, 1),
    "max_completion_tokens": st.integers(-1, 12),
    "stop": st.text(max_size=3) | st.lists(st.text(max_size=3), max_size=5),
    "logprobs": st.booleans(),
    "top_logprobs": st.integers(0, 2),
    "reasoning_effort": st.sampled_from(["none", "low", "medium", "high", "?"]),
    "thinking_budget": st.integers(-2, 12),
    "response_format": st.fixed_dictionaries(
        {"type": st.sampled_from(["text", "json_object", "json_schema"])},
        optional={"json_schema": st.fixed_dictionaries({"name": st.just("x"), "schema": SCHEMA})},
    ),
    "tools": st.lists(st.dictionaries(st.text(max_size=4), JUNK, max_size=2), max_size=1),
    "chat_template_kwargs": st.fixed_dictionaries({"enable_thinking": st.booleans()}),
}
REQUEST = st.fixed_dictionaries(
    {"messages": st.just(user("2 + 2?")) | st.lists(MESSAGE, max_size=3) | JUNK, "max_tokens": st.integers(1, 12)},
    optional={
        name: strategy | JUNK if name in ("n", "stop", "tools") else strategy for name, strategy in FIELDS.items()
    },
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(REQUEST)
def test_no_request_is_too_strange(served: Served, request: dict[str, Any]) -> None:
    response = served.http.post("/v1/chat/completions", json=request)
    if response.status_code == 200:
        streamed = request.get("stream") is True
        assert ("data: [DONE]" in response.text) if streamed else response.json()["choices"]
        assert '"error":' not in response.text
    else:
        assert response.status_code in (400, 404), response.text
        assert response.json()["error"]["message"].endswith(".")


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_no_body_is_too_strange(served: Served, body: bytes) -> None:
    assert served.http.post("/v1/chat/completions", content=body).status_code == 400
