"""What chat templates of other families ask for, and how a model is found to reason."""

from datetime import date, datetime, tzinfo
from pathlib import Path

import pytest

from tests.fakes import EOS, ScriptedBackend, always
from vibethinker_local.engine.engine import Engine
from vibethinker_local.engine.model_info import ModelInfo
from vibethinker_local.errors import ModelError
from vibethinker_local.gguf import chat
from vibethinker_local.models.installed import Chosen, ModelSpec
from vibethinker_local.runtime import template
from vibethinker_local.runtime.model import Model
from vibethinker_local.runtime.reasoning import split
from vibethinker_local.runtime.template import ChatTemplate

GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role refused') }}{% endif %}"
    "{% for message in messages %}{{ '<start_of_turn>' + message['role'] + '\n' + message['content'] | trim }}"
    "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
PARTS = "{% for m in messages %}{% for part in m.content %}{{ part.text }};{% endfor %}{% endfor %}"
QWEN3 = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content.split('</think>')[-1] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
R1 = "{% for m in messages %}{{ m.content.split('</think>')[-1] }}{% endfor %}<assistant><think>\n"
TALK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]


def text(source: str, messages: template.Messages, **facts: str | bool) -> str:
    def tokenize(text: str, *, special: bool) -> list[int]:
        return list(text.encode())

    return bytes(template.encode(ChatTemplate(source, "f", **facts), messages, tokenize)).decode()  # type: ignore[arg-type]


def test_a_system_message_that_is_refused_goes_before_the_question() -> None:
    assert text(GEMMA, TALK) == "<start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\n"


def test_contents_may_have_to_be_lists_of_parts() -> None:
    assert text(PARTS, TALK) == "Be brief.;Hi;"
    refusing = "{% if messages[0].role == 'system' %}{{ raise_exception('Refused') }}{% endif %}"
    assert text(refusing + PARTS, TALK) == "Be brief.\n\nHi;"


def test_only_what_the_system_says_goes_before_the_question() -> None:
    alone = "{% if messages | length > 1 %}{{ raise_exception('One alone') }}{% endif %}{{ messages[0].content }}"
    assert text(alone, TALK) == "Be brief.\n\nHi"
    with pytest.raises(ModelError, match="One alone"):
        text(alone, TALK[1:] * 2)


@pytest.mark.parametrize("source", ["{{ bos_token }}{{ messages[0].content }}", "{{ messages[0].content }}"])
def test_a_text_begins_with_one_token_for_that_where_the_file_asks_for_it(source: str) -> None:
    assert text(source, TALK[1:], bos="<s>", adds_bos=True) == "<s>Hi"
    assert text(source, TALK[1:], bos="<s>") == ("<s>Hi" if "bos" in source else "Hi")


def test_a_template_that_names_the_day_names_todays(monkeypatch: pytest.MonkeyPatch) -> None:
    source = "{{ strftime_now('%d %b %Y') }}: {{ messages[0].content }}"
    for day in (date(2026, 11, 30), date(2026, 12, 1)):

        class Clock(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None, day: date = day) -> "Clock":
                return cls(day.year, day.month, day.day)

            @classmethod
            def today(cls) -> "Clock":
                return cls.now()

        monkeypatch.setattr(template, "datetime", Clock)
        monkeypatch.setattr(template, "date", Clock)
        assert text(source, TALK[1:]) == f"{day:%d %b %Y}: Hi"


def test_what_transformers_gives_a_template_is_there() -> None:
    assert template.render("{{ strftime_now('%Y') }}", TALK, name="f") == f"{datetime.now():%Y}"
    source = (
        "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% if loop.first %}{% continue %}"
    )
    assert template.render(source + "{% endif %}!{% endfor %}", TALK, name="f") == "Be brief.Hi!"
    assert template.render("{{ tools is none }}{{ {'b': [1]} | tojson(indent=2) }}", TALK, name="f") == (
        'True{\n  "b": [\n    1\n  ]\n}'
    )
    with pytest.raises(ModelError, match="a form that is not known"):
        template.render("{{ strftime_now('%999999999Y') }}", TALK, name="f")


def test_words_are_cut_into_tokens_across_the_template_and_the_message() -> None:
    """As in vocabularies where a word's token includes the space before it."""
    seen = []

    def tokenize(text: str, *, special: bool) -> list[int]:
        seen.append((text, special))
        return [0]

    template.encode(ChatTemplate("[INST] {{ messages[0].content }} [/INST]", "f", {"[INST]": 1}), TALK[1:], tokenize)
    assert seen == [("[INST] Hi [/INST]", True)]


@pytest.mark.parametrize(
    ("source", "tags"),
    [
        (QWEN3, ("<think>", "</think>")),
        (R1, ("<think>", "</think>")),
        ("{{ c.split('[/THINK]') }}", ("[THINK]", "[/THINK]")),
        ("{{ c.split('<|END_THINKING|>') }}", ("<|START_THINKING|>", "<|END_THINKING|>")),
        ("{{ c.split('</seed:think>') }}", ("<seed:think>", "</seed:think>")),
        ("{{ c.split('</thought>') }}", ("<thought>", "</thought>")),
        ("{{ '<|channel>thought\\n' + r + '\\n<channel|>' }}", ("<|channel>thought", "<channel|>")),
        ("{% set outer = '<|inner_suffix|>' %}", ("<|inner_prefix|>", "<|inner_suffix|>")),
        (GEMMA, None),
    ],
)
def test_tags_of_reasoning_are_read_off_the_template(source: str, tags: tuple[str, str] | None) -> None:
    assert chat.reasoning_tags(source) == tags
    if tags:
        assert split(f"{tags[0]}so{tags[1]}\n\nyes", tags=tags) == ("so", "yes")


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (QWEN3, "enable_thinking"),
        ("<|assistant|>{{ '</think>' if enable_thinking is false else '<think>' }}", "enable_thinking"),
        ("{% if thinking|default(true) %}<think>{% endif %}", "thinking"),
        ("<thinking>{{ r }}</thinking><|thinking|>", None),
        (R1, None),
    ],
    ids=["Qwen 3", "GLM 4.7", "DeepSeek 3.1", "a tag of that name", "none"],
)
def test_the_switch_is_a_variable_of_the_template(source: str, name: str | None) -> None:
    assert chat.switch(source) == name


def model(source: str) -> Model:
    backend = ScriptedBackend(lambda _: always(EOS))
    backend.info = ModelInfo("F32", source, 512, 1, 1, frozenset({EOS}), think=chat.reasoning_tags(source))
    return Model(Chosen("m", ModelSpec(about="scripted"), Path("m.gguf")), Engine(backend))


@pytest.mark.parametrize(
    ("source", "plain", "off"),
    [
        (QWEN3, "assistant\n", "assistant\n<think>\n\n</think>\n\n"),
        (R1, "<assistant><think>", "<assistant><think>\n</think>\n\n"),
        (GEMMA, "<start_of_turn>model\n", "<start_of_turn>model\n"),
    ],
    ids=["a switch", "opened by the template", "no reasoning"],
)
def test_reasoning_is_left_out_as_the_model_has_it(source: str, plain: str, off: str) -> None:
    loaded = model(source)
    assert bytes(loaded.encode_chat(TALK[1:])).decode().endswith(plain)
    assert bytes(loaded.encode_chat(TALK[1:], 0)).decode().endswith(off)
    assert loaded.visible(f"{loaded.no_reasoning}yes") == "yes"
