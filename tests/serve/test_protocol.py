"""Chat completions by the OpenAI protocol, field by field, against a real server with the bundled model."""

import asyncio
import codecs
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.serve.helpers import PROBLEM, Served, text, until, user
from vibethinker_local.engine import StepOutput
from vibethinker_local.events import Exchange
from vibethinker_local.reliability.stopping import fewest
from vibethinker_local.serve import streams, voting, wire
from vibethinker_local.serve.sharing import Share


def test_the_model_is_listed(served: Served) -> None:
    listed = served.http.get("/v1/models").json()
    assert [each["id"] for each in listed["data"]] == ["mini", "mini:reliable"]
    assert served.http.get("/v1/models/mini").json()["max_model_len"] == 2048
    assert served.http.get("/v1/models/mini:Q8_0:reliable").json()["id"] == "mini:reliable"
    for path in ("/models", "/v1//models", "/v1/v1//models/"):
        assert served.http.get(path).json()["data"][0]["object"] == "model"
    assert served.http.get("/v1/models/other").status_code == 404
    assert served.http.get("/health").json()["status"] == "ok"
    assert served.http.get("/v1/health").json()["status"] == "ok"
    for path in ("/", "/v1", "/v1/", "/v2/models", "/v1/v2/models", "/v1models"):
        assert served.http.get(path).status_code == 404


def test_head_is_answered_without_a_body(served: Served) -> None:
    for path in ("/health", "/v1/models", "/v1/models/mini"):
        response = served.http.head(path)
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-length"] == served.http.get(path).headers["content-length"]
    assert served.http.head("/v1/models/other").status_code == 404
    assert served.http.head("/v1/chat/completions").status_code == 405


def test_a_reply_keeps_its_reasoning_apart(served: Served) -> None:
    found = served.ask(seed=1)
    message = found["choices"][0]["message"]
    assert "\\boxed{17}" in message["content"]
    assert "12 + 5 = 17" in message["reasoning_content"]
    assert "think>" not in message["content"] + message["reasoning_content"]
    assert (found["object"], found["model"], found["choices"][0]["finish_reason"]) == (
        "chat.completion",
        "mini",
        "stop",
    )
    usage = found["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert 0 < usage["completion_tokens_details"]["reasoning_tokens"] < usage["completion_tokens"]
    assert found["vibe"] == {"seeds": [1], "finish": ["stop"]}


def test_a_stream_says_the_same(served: Served) -> None:
    whole = served.ask(seed=1)["choices"][0]["message"]
    chunks = served.stream(seed=1, stream_options={"include_usage": True})
    assert chunks[-1] == "[DONE]"
    assert text(chunks) == whole["content"]
    assert text(chunks, field="reasoning_content") == whole["reasoning_content"]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    *_, last, usage, _ = chunks
    assert (last["choices"][0]["finish_reason"], last["vibe"]["seeds"]) == ("stop", [1])
    assert (usage["choices"], usage["usage"]["completion_tokens"]) == (
        [],
        served.ask(seed=1)["usage"]["completion_tokens"],
    )
    assert all("usage" not in chunk for chunk in served.stream(seed=1)[:-1])


def test_a_proxy_is_asked_to_hand_a_stream_on_at_once(served: Served) -> None:
    body = {"messages": user(PROBLEM), "stream": True}
    with served.http.stream("POST", "/v1/chat/completions", json=body) as response:
        assert (response.headers["x-accel-buffering"], response.headers["cache-control"]) == ("no", "no-store")
        response.read()


def test_several_choices_each_have_a_seed(served: Served) -> None:
    found = served.ask(n=3, seed=2**63 - 2)
    assert [each["index"] for each in found["choices"]] == [0, 1, 2]
    assert found["vibe"]["seeds"] == [2**63 - 2, 2**63 - 1, 0], "as a 63-bit number goes on"
    assert served.ask(seed=-1, max_tokens=1)["vibe"]["seeds"][0] < 2**31, "it is drawn"
    assert served.ask(seed=-2, max_tokens=1)["vibe"]["seeds"] == [2**63 - 2]
    one, three = (served.ask(n=n, temperature=0)["usage"] for n in (1, 3))
    assert three["prompt_tokens"] == one["prompt_tokens"], "it is read once"
    assert three["completion_tokens"] == 3 * one["completion_tokens"]
    reasoning = [usage["completion_tokens_details"]["reasoning_tokens"] for usage in (one, three)]
    assert reasoning[1] == 3 * reasoning[0]
    chunks = served.stream(n=3, seed=5)
    ends = [each["index"] for chunk in chunks[:-1] for each in chunk["choices"] if each["finish_reason"]]
    assert sorted(ends) == [0, 1, 2]
    assert all("\\boxed" in text(chunks, index) for index in range(3))


def test_stop_ends_the_content_before_the_text(served: Served) -> None:
    whole = served.ask(seed=1)["choices"][0]["message"]
    for stop in ("boxed{", ["never there", "17}"]):
        choice = served.ask(seed=1, stop=stop)["choices"][0]
        cut = whole["content"][: whole["content"].index(stop if isinstance(stop, str) else stop[-1])]
        assert (choice["message"]["content"], choice["finish_reason"]) == (cut, "stop")
        assert choice["message"]["reasoning_content"] == whole["reasoning_content"]  # it says 17, too
        assert text(served.stream(seed=1, stop=stop)) == cut


def test_a_limit_cuts_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        limit: dict[str, Any] = {name: 7}
        found = served.ask(seed=1, **limit)
        assert (found["choices"][0]["finish_reason"], found["usage"]["completion_tokens"]) == ("length", 7)
        assert not found["choices"][0]["message"]["content"]
    assert served.ask(seed=1, max_tokens=7, max_completion_tokens=9)["usage"]["completion_tokens"] == 9
    assert served.ask(seed=1, max_tokens=10**9)["choices"][0]["finish_reason"] == "stop"
    solver = served.running.app.solver
    monkeypatch.setattr(solver, "options", replace(solver.options, max_tokens=5))
    assert served.ask(seed=1)["usage"]["completion_tokens"] == 5, "as the settings have it"
    assert served.ask(seed=1, max_tokens=7)["usage"]["completion_tokens"] == 7


def test_the_sampling_is_as_asked(served: Served) -> None:
    greedy = [served.ask(seed=seed, temperature=0)["choices"][0]["message"] for seed in (1, 2)]
    assert greedy[0] == greedy[1] == served.ask(seed=3, top_p=0)["choices"][0]["message"]
    assert greedy[0] == served.ask(seed=4, top_k=1)["choices"][0]["message"]
    assert greedy[0] == served.ask(seed=4, temperature=2, min_p=1)["choices"][0]["message"]
    hot = {
        str(served.ask(seed=seed, temperature=5, top_p=1, max_tokens=30)["choices"][0]["message"]) for seed in (1, 2)
    }
    assert len(hot) == 2


def test_log_probabilities_are_of_each_sampled_token(served: Served) -> None:
    found = served.ask(seed=1, logprobs=True, top_logprobs=0)
    choice = found["choices"][0]
    entries = choice["logprobs"]["content"]
    assert len(entries) == found["usage"]["completion_tokens"]
    said = b"".join(bytes(entry["bytes"]) for entry in entries).decode()
    assert choice["message"]["content"] in said
    assert choice["message"]["reasoning_content"] in said
    assert all(entry["logprob"] <= 0 and entry["top_logprobs"] == [] for entry in entries)
    streamed = [
        entry
        for chunk in served.stream(seed=1, logprobs=True)[:-1]
        for each in chunk["choices"]
        for entry in (each["logprobs"] or {"content": []})["content"]
    ]
    assert streamed == entries


def test_what_was_thrown_away_has_no_log_probabilities(served: Served) -> None:
    """A model that begins without reasoning writes some tokens before a schema takes over."""
    asked = {"seed": 0, "temperature": 5, "top_p": 1, "logprobs": True, "n": 48} | form({"enum": ["yes", "no"]})
    found = served.ask(**asked)
    entries = [choice["logprobs"]["content"] for choice in found["choices"]]
    assert sum(map(len, entries)) == found["usage"]["completion_tokens"]
    assert found["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0
    for choice, of_choice in zip(found["choices"], entries, strict=True):
        assert b"".join(bytes(entry["bytes"]) for entry in of_choice).decode() == choice["message"]["content"]


@pytest.mark.parametrize(
    "how", [{"thinking_budget": 0}, {"reasoning_effort": "none"}, {"chat_template_kwargs": {"enable_thinking": False}}]
)
def test_reasoning_can_be_left_out(served: Served, how: dict[str, Any]) -> None:
    found = served.ask(seed=1, max_tokens=40, **how)
    assert "reasoning_content" not in found["choices"][0]["message"]
    assert found["choices"][0]["message"]["content"]
    assert found["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0


def test_reasoning_is_closed_at_its_budget(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    free = served.ask(seed=1)["choices"][0]["message"]["reasoning_content"]
    found = served.ask(seed=1, thinking_budget=9)
    assert found["vibe"]["finish"] == ["forced"]
    assert found["choices"][0]["message"]["reasoning_content"][:14] == free[:14]
    assert found["choices"][0]["message"]["content"]
    assert found["choices"][0]["finish_reason"] in ("stop", "length")
    assert found["usage"]["completion_tokens_details"]["reasoning_tokens"] <= 12
    again = served.ask(seed=1, thinking_budget=9)
    assert again["choices"] == found["choices"]
    stopped, take = served.ask(seed=1, stop="boxed{"), Share.take

    def take_late(share: Share) -> list[StepOutput]:
        time.sleep(0.005)
        return take(share)

    monkeypatch.setattr(Share, "take", take_late)
    late = served.ask(seed=1, thinking_budget=9)
    assert (late["choices"], late["usage"]) == (found["choices"], found["usage"]), "though more was there by then"
    assert served.ask(seed=1, stop="boxed{")["usage"] == stopped["usage"]
    tiny = served.ask(seed=1, thinking_budget=1, max_tokens=40)
    assert tiny["vibe"]["finish"][0] in ("forced", "length")
    assert "think" not in str(tiny["choices"]), "not in the middle of the opening tag"


def test_a_schema_is_followed_after_the_reasoning(served: Served) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    free = served.ask(seed=1)["choices"][0]["message"]["reasoning_content"]
    for how in ({}, {"stream": True}, {"thinking_budget": 9}, {"thinking_budget": 0}):
        if how.get("stream"):
            chunks = served.stream(seed=1, response_format=form)
            content, reasoning = text(chunks), text(chunks, field="reasoning_content")
        else:
            message = served.ask(seed=1, response_format=form, **how)["choices"][0]["message"]
            content, reasoning = message["content"], message.get("reasoning_content", "")
        assert type(json.loads(content)["answer"]) is int
        assert free.startswith(reasoning.rstrip())
    reasoned = served.ask(seed=1, response_format=form)["usage"]["completion_tokens_details"]["reasoning_tokens"]
    for limit in (reasoned + 1, reasoned + 3):  # no room behind it, or for less than what comes between
        cut = served.ask(seed=1, response_format=form, max_tokens=limit)
        assert (cut["usage"]["completion_tokens"], cut["choices"][0]["finish_reason"]) == (limit, "length")
    for kind in ("json_object", "json_schema"):
        given: dict[str, Any] = {"response_format": {"type": kind, "schema": schema}, "guided_json": schema}
        found = served.ask(seed=1, thinking_budget=0, **given)["choices"][0]
        assert list(json.loads(found["message"]["content"])) == ["answer"]
    anything: tuple[dict[str, Any], ...] = ({"type": "json_object"}, {"type": "json_object", "schema": {}})
    for form in anything:
        found = served.ask(seed=1, response_format=form, max_tokens=60)["choices"][0]
        assert found["message"]["content"].startswith("{")


def test_a_reply_of_the_assistant_is_continued(served: Served) -> None:
    whole = served.ask(seed=1, temperature=0)["choices"][0]["message"]
    begun = {"role": "assistant", "content": "", "reasoning_content": whole["reasoning_content"][:40]}
    found = served.ask(temperature=0, messages=[*user(PROBLEM), begun])["choices"][0]["message"]
    assert (begun["reasoning_content"] + found["reasoning_content"]).split() == whole["reasoning_content"].split()
    begun = {
        "role": "assistant",
        "content": "Ann has \\boxed{",
        "reasoning_content": whole["reasoning_content"].strip(),
    }
    found = served.ask(temperature=0, messages=[*user(PROBLEM), begun])["choices"][0]["message"]
    assert found["content"].startswith("17}")


def test_text_comes_in_parts_and_roles_are_read(served: Served) -> None:
    parts = [{"type": "text", "text": PROBLEM[:20]}, {"type": "text", "text": PROBLEM[20:]}]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": "Hello", "name": "Ann"},
        {"role": "assistant", "content": "<think>So.</think>Hello!", "refusal": None, "tool_calls": []},
        {"role": "user", "content": parts},
    ]
    assert served.ask(seed=1, messages=messages)["choices"][0]["message"]["content"]
    body = codecs.BOM_UTF8 + json.dumps({"messages": messages, "max_tokens": 1}).encode()  # as Windows writes files
    assert served.http.post("/v1/chat/completions", content=body).status_code == 200


def test_what_asks_for_nothing_is_passed_over(served: Served) -> None:
    passed: dict[str, Any] = {
        "user": "u", "store": False, "metadata": {"a": "b"}, "parallel_tool_calls": True, "tools": [],
        "tool_choice": "none", "frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "verbosity": "low",
        "grammar": "", "guided_json": None,
        "service_tier": "auto", "n": None, "stop": None, "stream": None, "response_format": {"type": "text"},
        "max_tokens": -1, "max_completion_tokens": -1,
        "modalities": ["text"], "of tomorrow": [1], "stream_options": {"include_usage": None},
    }  # fmt: skip
    choice = served.ask(seed=1, **passed)["choices"][0]
    assert (choice["finish_reason"], "boxed{17}" in choice["message"]["content"]) == ("stop", True)
    unused: dict[str, Any] = {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "none"}
    assert served.post(seed=1, max_tokens=1, **unused).status_code == 200
    assert served.post(seed=1, max_tokens=1, **unused | {"tool_choice": "auto"}).status_code == 400
    empty = {"type": "json_schema", "json_schema": {"name": None, "schema": None}}
    assert served.post(seed=1, response_format=empty, max_tokens=40).status_code == 200
    assert served.ask(seed=1, reliability={"samples": 3, "stopping": None})["vibe"]["status"] == "answered"


def form(schema: Any) -> dict[str, Any]:
    """The field that asks for a schema."""
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}


REFUSED = [
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools", "does not call tools"),
    ({"functions": [{"name": "f"}]}, "functions", "does not call tools"),
    ({"messages": [{"role": "tool", "content": "4", "tool_call_id": "1"}]}, "messages.0", "does not call tools"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content", "image"),
    ({"messages": [{"role": "user", "content": [{"type": "input_image"}]}]}, "messages.0.content", "image out"),
    ({"messages": [{"role": "assistant", "function_call": {"name": "f"}}]}, "messages.0", "does not call tools"),
    ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages.0.content", "text only"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content", "each part of a text is"),
    ({"messages": [{"role": "user", "content": 7}]}, "messages.0.content", "string"),
    ({"messages": [{"role": "king", "content": "7"}]}, "messages.0.role", "'user'"),
    ({"messages": [{"role": "assistant", "content": "7"}]}, "messages", "missing"),
    ({"messages": []}, "messages", "at least 1"),
    ({"messages": []}, "messages", "messages: should have at least 1 item."),
    ({"messages": 5}, "messages", "messages: should be a list."),
    ({"messages": user("7") * 2001}, "messages", "messages: should have at most 2,000 items."),
    ({"stream": "perhaps"}, "stream", "stream: should be true or false."),
    ({"max_tokens": "many"}, "max_tokens", "max_tokens: should be a whole number."),
    ({"max_tokens": 1.5}, "max_tokens", "max_tokens: should be a whole number."),
    ({"reliability": {"budgte": 1}}, "reliability.budgte", "there is no such key here; there are budget, mode,"),
    ({"n": 0}, "n", "greater"),
    ({"n": 65}, "n", "less"),
    ({"temperature": -1}, "temperature", "greater"),
    ({"top_p": "much"}, "top_p", "number"),
    ({"max_tokens": 0}, "max_tokens", "greater"),
    ({"max_tokens": -2}, "max_tokens", "greater"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "up to 4"),
    ({"stop": ""}, "stop", "1 to 500"),
    ({"top_logprobs": 3, "logprobs": True}, "top_logprobs", "only the sampled"),
    ({"presence_penalty": 0.5}, "presence_penalty", "not applied"),
    ({"logit_bias": {"5": 1}}, "logit_bias", "not applied"),
    ({"grammar": 'root ::= "a"'}, "grammar", "give response_format"),
    ({"guided_choice": ["a", "b"]}, "guided_choice", "give response_format"),
    ({"structured_outputs": {"json": {}}}, "structured_outputs", "give response_format"),
    ({"modalities": ["text", "audio"]}, "modalities", "only text"),
    ({"reasoning_effort": "wild"}, "reasoning_effort", "'low'"),
    ({"response_format": {"type": "json_schema"}}, "response_format", "missing"),
    ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"if": True}}}}, "response_format", "if"),
    (form(5), "response_format.json_schema.schema", "schema: a schema is an object"),
    ({"response_format": {"type": "json_object", "schema": 5}}, "response_format.schema", "a schema is an object"),
    ({"response_format": {"type": "json_object", "schema": {"if": True}}}, "response_format", "format.schema: the"),
    (form({"$ref": "#"}), "response_format", "back to itself"),
    (form({"anyOf": [{"$ref": "#"}, {"type": "null"}]}), "response_format", "back to itself"),
    (form({"properties": {"a": True}, "required": [{}]}), "response_format", "a list of names"),
    ({"modalities": 5}, "modalities", "no list"),
    ({"modalities": True}, "modalities", "no list"),
    ({"messages": user("word " * 3000)}, "messages", "tokens"),
    ({"reliability": True, "n": 2}, "n", "one answer"),
    ({"reliability": {"budget": "huge"}}, "reliability", "'quick'"),
    ({"reliability": {"mode": "published", "verdicts": "score"}}, "reliability", "reasoned"),
    ({"model": "mini:reliable", "stop": "x"}, "stop", "whole solutions"),
    ({"model": "mini:reliable", "thinking_budget": 0}, "thinking_budget", "does not go with"),
    ({"model": "mini:reliable", "thinking_budget": 5}, "thinking_budget", "does not go with"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "param", "why"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_cannot_be_done_is_refused_by_name(served: Served, fields: dict[str, Any], param: str, why: str) -> None:
    response = served.post(**fields)
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["param"].startswith(param)
    assert why in error["message"]
    assert error["message"].endswith(".")


def test_what_is_no_request(served: Served) -> None:
    for body in (
        b"",
        b"{",
        b"[1]",
        b'"\\ud800"',
        b"\xff",
        b"[" * 100_000,
        b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
    ):
        response = served.http.post("/v1/chat/completions", content=body)
        assert response.status_code == 400, body[:20]
        assert response.json()["error"]["message"]
    for encoding, status in (("gzip", 415), ("Identity", 400)):
        headers = {"content-encoding": encoding}
        response = served.http.post("/v1/chat/completions", content=b"\x1f\x8b", headers=headers)
        assert response.status_code == status
    response = served.post(model="gpt-5")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")
    assert served.http.get("/v1/embeddings").status_code == 404
    others = ("/v1/responses", "/completions", "/v1/messages", "/api/chat")
    for path, advises in (("/v1/embeddings", False), *((other, True) for other in others)):
        response = served.http.post(path, json={})
        said = response.json()["error"]["message"]
        assert (response.status_code, "set the client to chat completions" in said) == (404, advises)
    assert served.http.get("/v1/chat/completions").status_code == 405
    response = served.http.post("/v1/models/mini")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert served.http.post("/v1/chat/completions", content=b" " * (5 * 2**20)).status_code == 413


def test_the_reliability_pass_is_asked_for_by_name_or_object(served: Served) -> None:
    chunks = served.stream(model="mini:reliable", seed=1)
    assert chunks[-1] == "[DONE]"
    assert "\\boxed{17}" in text(chunks)
    assert "#2 17" in text(chunks, field="reasoning_content")
    receipt = chunks[-2]["vibe"]
    assert (receipt["answer"], receipt["status"], receipt["mode"], receipt["notes"]) == (
        "17",
        "answered",
        "majority",
        [],
    )
    assert receipt["agreement"]["leading"] >= fewest(8)  # which ends it
    messages = [{"role": "system", "content": "Be brief."}, *user(PROBLEM)]
    contested: dict[str, Any] = {"samples": 3, "mode": "clr", "stopping": False}
    found = served.ask(messages=messages, reliability=contested, seed=1, temperature=1.5)
    assert found["choices"][0]["message"]["content"]
    assert (found["vibe"]["mode"], len(found["vibe"]["trajectories"])) == ("clr", 3)
    assert found["vibe"]["notes"]
    used = found["vibe"]["usage"]
    assert found["usage"]["completion_tokens"] == used["solve_tokens"] + used["verify_tokens"]
    assert used["solve_tokens"] > 0


def test_a_vote_hears_no_earlier_reasoning_whatever_its_tags_are() -> None:
    said = [*user("2 + 2?"), {"role": "assistant", "content": "[THINK]hm[/THINK]4"}, *user("and 3 + 3?")]
    request = wire.read(json.dumps({"messages": said}).encode())
    assert voting.question(request, ("[THINK]", "[/THINK]")).earlier == (Exchange("2 + 2?", "4"),)


def test_a_vote_draws_and_thinks_as_asked(served: Served) -> None:
    def solutions(**how: Any) -> list[Any]:
        pass_ = {"samples": 3, "stopping": False, "mode": "majority"}
        found = served.ask(reliability=pass_, seed=1, stop=None, logprobs=False, stream=False, n=1, **how)["vibe"]
        return [(each["text"], each["reasoning"]) for each in found["trajectories"]]

    assert len(set(solutions(temperature=2))) == 3
    assert len(set(solutions(temperature=2, top_k=1))) == len(set(solutions(temperature=2, min_p=1))) == 1
    assert all(reasoning for _, reasoning in solutions())
    for off in ({"reasoning_effort": "none"}, {"chat_template_kwargs": {"enable_thinking": False}}):
        assert not all(reasoning for _, reasoning in solutions(**off))  # the model may close none that was opened


def test_a_vote_may_ask_for_more_tokens_than_the_context_holds_or_for_too_few(served: Served) -> None:
    """It has fewer places than the server, and no larger ones."""
    found = served.ask(model="mini:reliable", seed=1, max_tokens=4096)
    assert (found["vibe"]["answer"], found["vibe"]["status"]) == ("17", "answered")
    cut = served.ask(reliability={"samples": 1}, seed=1, max_tokens=32)
    assert (cut["vibe"]["status"], cut["choices"][0]["finish_reason"]) == ("no_answer", "length")


def test_the_metrics_count(served: Served) -> None:
    served.ask(seed=1)
    lines = served.http.get("/metrics").text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(values['vibe_requests_total{path="/v1/chat/completions",status="200"}']) >= 1
    assert float(values['vibe_tokens_total{kind="completion"}']) > 20
    assert (values["vibe_places"], values["vibe_places_taken"], values["vibe_sequences"]) == ("16", "0", "0")
    assert float(values["vibe_request_seconds_count"]) >= 1


def test_a_path_without_v1_is_counted_as_what_it_is(served: Served) -> None:
    counted = served.running.app.metrics._requests
    before = counted["/v1/models", 200]
    assert served.http.get("/models").status_code == 200
    until(lambda: counted["/v1/models", 200] == before + 1)  # once it has been sent


def test_a_sign_of_life_is_no_first_token(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def events(*_: object, **__: object) -> AsyncIterator[bytes]:
        yield streams.comment("still here")
        await asyncio.sleep(0.1)
        yield streams.DONE

    monkeypatch.setattr(streams, "events", events)
    first = served.running.app.metrics.first
    before = first._sum
    served.post(stream=True)
    assert first._sum - before >= 0.1
