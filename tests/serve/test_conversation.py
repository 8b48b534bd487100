"""What a request asks for, before an engine hears of it: the prompt, the room for reasoning, the problem of a vote."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import EOS, ScriptedBackend, always
from tests.serve.helpers import user
from vibethinker_local.engine.engine import Engine
from vibethinker_local.engine.model_info import ModelInfo
from vibethinker_local.events import Exchange
from vibethinker_local.models.installed import Chosen, ModelSpec
from vibethinker_local.runtime.model import Model
from vibethinker_local.runtime.reasoning import TAGS
from vibethinker_local.serve import completion, voting, wire
from vibethinker_local.serve.wire import ApiError, ChatCompletionRequest

SAYS = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
OPENS = SAYS + "{{ '<think>\n' }}"
THOUGHT = {"role": "assistant", "content": "<think>hm</think>4", "reasoning_content": "hm"}


def read(messages: list[Any], **fields: object) -> ChatCompletionRequest:
    return wire.read(json.dumps({"messages": messages} | fields).encode())


def prompt(messages: list[Any], template: str = SAYS, *, alone: bool = False, **fields: object) -> str:
    backend = ScriptedBackend(lambda _: always(EOS))
    backend.info = ModelInfo("F32", template, 512, 1, 1, frozenset({EOS}), think=TAGS)
    model = Model(Chosen("m", ModelSpec(about="scripted", alone=alone), Path("m.gguf")), Engine(backend))
    begun = completion.prompt(model, read(messages, **fields))
    text = bytes(begun.tokens).decode()
    assert text.endswith(begun.begun)
    assert begun.opened == text.removesuffix(begun.begun).endswith("<think>\n")
    return text


@pytest.mark.parametrize(
    ("message", "read_as"),
    [
        ({"role": "user", "content": [{"type": "text", "text": "a"}, {"text": "b"}, "c"]}, "a\nb\nc"),
        (
            {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "output_text", "text": ""}]},
            "a\n",
        ),
        ({"role": "user", "content": "Zoe\u0308"}, "Zoë"),
        ({"role": "assistant", "content": None}, ""),
        ({"role": "assistant"}, ""),
    ],
)
def test_a_message(message: dict[str, Any], read_as: str) -> None:
    assert read([message]).messages[0].content == read_as


def test_the_prompt_of_a_conversation() -> None:
    asked = [{"role": "developer", "content": "Be brief."}, *user("2 + 2?"), THOUGHT, *user("<think>Sure?</think>")]
    assert prompt(asked) == "system: Be brief.\nuser: 2 + 2?\nassistant: 4\nuser: <think>Sure?</think>\n"
    assert prompt(asked, OPENS).endswith("Sure?</think>\n<think>\n")
    assert prompt(asked, OPENS, thinking_budget=0).endswith("<think>\n\n</think>\n\n")


def test_a_model_that_reads_each_question_alone_gets_the_last_one_posed() -> None:
    asked = [*user("2 + 2?"), THOUGHT, *user("And 3 + 3?")]
    posed = prompt(asked, alone=True)
    assert posed.startswith("user: And 3 + 3?\n\nPlease reason")
    assert "2 + 2" not in posed
    assert prompt([*asked, *user("3 in \\boxed{}?")], alone=True) == "user: 3 in \\boxed{}?\n"


@pytest.mark.parametrize(
    ("reply", "begun", "begun_if_opened"),
    [
        ({"content": "It is"}, "It is", "It is"),
        ({"content": "It is", "reasoning_content": ""}, "<think>\n\n</think>\n\nIt is", "\n</think>\n\nIt is"),
        ({"content": "", "reasoning_content": "hm"}, "<think>\nhm", "hm"),
        ({"content": "It is", "reasoning_content": "hm"}, "<think>\nhm\n</think>\n\nIt is", "hm\n</think>\n\nIt is"),
    ],
)
def test_a_reply_that_is_continued(reply: dict[str, str], begun: str, begun_if_opened: str) -> None:
    asked = [*user("2 + 2?"), {"role": "assistant"} | reply]
    assert prompt(asked) == "user: 2 + 2?\n" + begun
    assert prompt(asked, OPENS) == "user: 2 + 2?\n<think>\n" + begun_if_opened


@pytest.mark.parametrize(
    ("fields", "limit", "tokens"),
    [
        ({}, 255, None),
        ({}, 256, 128),
        ({}, 16_000, 15_000),
        ({}, 100_000, 100_000 - 2048),
        ({"reasoning_effort": "high"}, 256, 128),
        ({"reasoning_effort": "low"}, 200, 50),
        ({"reasoning_effort": "none"}, 200, 0),
        ({"reasoning_effort": "low", "thinking_budget": 7}, 200, 7),
        ({"thinking_budget": 0}, 200, 0),
        ({"thinking_budget": -1}, 100_000, None),
        ({"thinking_budget": 80}, 100, 80),
        ({"thinking_budget": 81}, 100, None),  # no room for what closes it, and for a reply
    ],
    ids=str,
)
def test_the_room_for_reasoning(fields: dict[str, Any], limit: int, tokens: int | None) -> None:
    assert completion.thinking_tokens(read(user("?"), **fields), limit, closing=4) == tokens


@pytest.mark.parametrize(
    ("fields", "off"),
    [
        ({}, False),
        ({"thinking_budget": 0, "reasoning_effort": "high"}, True),
        ({"thinking_budget": 5, "reasoning_effort": "none"}, False),
        ({"reasoning_effort": "none"}, True),
        ({"reasoning_effort": "minimal"}, False),
        ({"chat_template_kwargs": {"enable_thinking": False}, "reasoning_effort": "high"}, True),
        ({"chat_template_kwargs": {"enable_thinking": True}}, False),
    ],
    ids=str,
)
def test_reasoning_that_is_switched_off(fields: dict[str, Any], *, off: bool) -> None:
    assert completion.thinking_off(read(user("?"), **fields)) == off


@pytest.mark.parametrize(
    ("messages", "problem", "earlier", "ignored"),
    [
        (user("2 + 2?"), "2 + 2?", (), False),
        ([*user("Hear me."), *user("2 + 2?")], "Hear me.\n\n2 + 2?", (), False),
        ([*user("2 + 2?"), THOUGHT, *user("3 + 3?")], "3 + 3?", (Exchange("2 + 2?", "4"),), False),
        ([THOUGHT, *user("2 + 2?")], "2 + 2?", (), False),
        ([{"role": "developer", "content": "Be brief."}, *user("2 + 2?")], "2 + 2?", (), True),
        ([{"role": "system", "content": "Be brief."}, *user("2 + 2?")], "2 + 2?", (), True),
    ],
    ids=["alone", "in two messages", "after an exchange", "after a reply to nothing", "developer", "system"],
)
def test_the_problem_of_a_vote(
    messages: list[Any], problem: str, earlier: tuple[Exchange, ...], *, ignored: bool
) -> None:
    assert voting.question(read(messages), TAGS) == voting.Asked(problem, earlier, ignored)


@pytest.mark.parametrize("last", [{"role": "assistant", "content": "So"}, {"role": "user", "content": " "}], ids=str)
def test_a_vote_without_a_problem(last: dict[str, str]) -> None:
    with pytest.raises(ApiError, match="it is the problem"):
        voting.question(read([*user("2 + 2?"), last]), TAGS)
