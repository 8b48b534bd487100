"""What was said earlier in a conversation: before the problem, the newest of it, while there is room."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.solving.speaker import Speaker, script
from vibethinker_local.engine.engine import Engine
from vibethinker_local.events import Control, Exchange, Options, Started
from vibethinker_local.models.installed import Chosen
from vibethinker_local.models.spec import ModelSpec
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.model import Model
from vibethinker_local.solving.single import solve

TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}\x02"


def started(
    earlier: Sequence[Exchange], *, cells: int = 4096, alone: bool = False, places: int = 1
) -> tuple[Started, str]:
    """The first event, and the prompt as the model got it."""
    speaker = Speaker(script(b"\\boxed{7}"), cells=cells)
    speaker.info = replace(speaker.info, template=TEMPLATE)
    spec = ModelSpec(about="scripted", stops=("<stop>",), alone=alone)
    model = Model(Chosen("scripted", spec, Path("scripted.gguf")), Engine(speaker), places)
    first = next(iter(solve("now", model, Options(seed=1), Control(), earlier)))
    assert isinstance(first, Started)
    kept = model.recent("now", earlier)
    return first, bytes(model.encode("now", kept)).decode()


def test_questions_and_answers_come_before_the_problem() -> None:
    event, prompt = started([Exchange("one", "first"), Exchange("two", "second")])
    assert event.dropped == 0
    order = [prompt.index(text) for text in ("<user>one", "<assistant>first", "<user>two", "<assistant>second", "now")]
    assert order == sorted(order)
    assert prompt.count("boxed") == 3


def test_the_oldest_are_dropped_where_room_is_short() -> None:
    event, prompt = started([Exchange(f"question {n}", "x" * 100) for n in range(40)], cells=3000)
    assert 0 < event.dropped < 40
    assert event.prompt_tokens <= 1000
    assert f"question {event.dropped - 1}\n" not in prompt
    assert f"question {event.dropped}\n" in prompt
    assert "question 39" in prompt


def test_a_model_with_room_for_several_offers_each_the_context_of_a_place() -> None:
    assert started([], cells=4096)[0].context == 4096
    assert started([], cells=4096, places=4)[0].context == 4096


def test_a_problem_that_fills_the_context_stands_alone() -> None:
    event, _ = started([Exchange("q", "x" * 400)], cells=600)
    assert event.dropped == 1


def test_talk_puts_only_the_first_question_as_a_problem() -> None:
    earlier = [Exchange("one", "first"), Exchange("two", "second")]
    assert prompts.talk("now") == prompts.solve("now")
    assert prompts.talk("now", earlier[:1])[:2] == prompts.solve("now", earlier[:1])[:2]
    said = [message["content"] for message in prompts.talk("now\u0308 ", earlier)]
    assert said == [prompts.SOLVE.format(problem="one"), "first", "two", "second", "noẅ"]


def test_a_model_that_knows_no_conversations_reads_each_problem_alone() -> None:
    event, prompt = started([Exchange("one", "first")], alone=True)
    assert event.dropped == 1
    assert "first" not in prompt
