"""Replies of a conversation that are cut off: nothing is put into the model's mouth, and they can go on."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.solving.speaker import ASKED, Script, Speaker, script
from vibethinker_local.engine.engine import Engine
from vibethinker_local.events import Closing, Control, Exchange, Finished, Options, Solution, SolveEvent, Unfinished
from vibethinker_local.models.installed import Chosen, ModelSpec
from vibethinker_local.runtime.model import Model
from vibethinker_local.solving.sampling import Ended
from vibethinker_local.solving.single import solve

LINES = "".join(f"{n} bottles stand on the wall.\n" for n in range(40))
EARLIER = (Exchange("one", "first"),)


def model(reply: Script, cells: int = 4096) -> Model:
    spec = ModelSpec(about="scripted", stops=("<stop>",))
    speaker = Speaker(reply, cells=cells)
    speaker.info = replace(speaker.info, template="{% for m in messages %}{{ m.content }}\n{% endfor %}\x02")
    return Model(Chosen("scripted", spec, Path("scripted.gguf")), Engine(speaker))


def run(found: Generator[SolveEvent, None, Ended | None]) -> tuple[list[SolveEvent], Ended | None]:
    """The events, and what is left resident."""
    events = []
    while True:
        try:
            events.append(next(found))
        except StopIteration as end:
            return events, end.value


def replied(reply: Script, max_tokens: int = 600, **other: Any) -> tuple[Solution, list[SolveEvent], Ended | None]:
    events, kept = run(solve("p", model(reply), Options(1, max_tokens=max_tokens), Control(), talk=True, **other))
    assert isinstance(events[-1], Finished)
    return events[-1].solution, events, kept


@pytest.mark.parametrize("earlier", [(), EARLIER])
@pytest.mark.parametrize(
    "reply",
    [LINES, f"<think>hm</think>\n\n{LINES}", f"```python\nx = 1\n```\n{LINES}", f"```python\n{LINES}", "round " * 400],
    ids=["prose", "thought", "after code", "in code", "circles"],
)
def test_a_reply_that_is_cut_is_left_as_it_is(reply: str, earlier: tuple[Exchange, ...]) -> None:
    found, events, kept = replied(script(reply.encode(), b"", b"7}"), earlier=earlier)
    (trajectory,) = found.trajectories
    assert trajectory.finish == ("loop" if reply.startswith("round") else "length")
    assert reply.partition("</think>")[2].strip().startswith(found.text) or reply.startswith(found.text)
    assert ASKED.decode() not in found.text
    assert not any(isinstance(event, Closing) for event in events)
    assert found.status == "answered"
    assert bool(kept) == (trajectory.finish == "length")


def test_reasoning_that_is_cut_is_closed_and_what_follows_is_a_reply() -> None:
    found, _, _ = replied(script(f"<think>{LINES}".encode(), LINES.encode(), b"7}"), earlier=EARLIER)
    assert found.trajectories[0].finish == "length"
    assert LINES.startswith(found.text)


@pytest.mark.parametrize(
    "reply", [b"All is well.", b"<think>hm</think>All is well.", LINES.encode(), b"It is \\boxed{7}."]
)
def test_prose_is_never_asked_for_an_answer(reply: bytes) -> None:
    said = script(reply, b"", b"7}")
    events, _ = run(solve("Why?", model(said), Options(1, max_tokens=600, kind="prose"), Control()))
    assert isinstance(events[-1], Finished)
    found = events[-1].solution
    assert (found.status, found.answer) == ("answered", None)
    assert reply.decode().rpartition("</think>")[2].startswith(found.text.strip())
    assert found.text
    problem, _ = run(solve("Why?", model(said), Options(1, max_tokens=600), Control()))
    assert isinstance(problem[-1], Finished)
    assert problem[-1].solution.answer == "7", "a problem is"


@pytest.mark.parametrize("reply", [b"<think>hm", f"<think>{LINES}".encode()])
def test_a_follow_up_is_never_asked_for_an_answer(reply: bytes) -> None:
    found, _, _ = replied(script(reply, b"", b"7}"), earlier=EARLIER)
    assert (found.status, found.answer, found.text) == ("no_answer", None, "")
    found, _, _ = replied(script(reply, b"", b"7}"))
    assert found.answer == "7"  # the first question is put as a problem
    found, _, _ = replied(script(reply, b"", b"7}"), max_tokens=60, earlier=EARLIER)  # no room for the question
    assert found.answer is None


@pytest.mark.parametrize("thought", ["", f"<think>{LINES[:200]}</think>\n\n", "<think>hm</think>"])
@pytest.mark.parametrize("resident", [True, False])
def test_what_goes_on_is_what_would_have_been_written_at_once(thought: str, *, resident: bool) -> None:
    whole = (thought + LINES).encode()
    loaded, options, control = model(script(whole)), Options(1, max_tokens=400), Control()
    backend = loaded.engine.backend
    assert isinstance(backend, Speaker)
    found: Solution | None = None
    kept: Ended | None = None
    for _ in range(5):
        before = found.trajectories[0] if found else None
        unfinished = Unfinished(before.reasoning, before.text) if before else None
        batches = len(backend.decoded)
        events, kept = run(
            solve(
                *("p", loaded, options, control),
                talk=True,
                unfinished=unfinished,
                resident=kept if resident else None,
            )
        )
        assert isinstance(events[-1], Finished)
        found = events[-1].solution
        assert not before or found.text.startswith(before.text)
        if before and resident:
            assert backend.decoded[batches] < 10, "the KV is there"
        if found.trajectories[0].finish == "stop":
            break
    assert found
    assert found.trajectories[0].finish == "stop"
    if resident:
        assert found.text == LINES.strip()
    assert found.usage.solve_tokens < len(whole)
    assert kept is None


def test_where_there_is_no_room_to_go_on_it_is_said() -> None:
    from vibethinker_local.errors import UsageError

    loaded = model(script(LINES.encode()), cells=300)
    events, kept = run(solve("p", loaded, Options(1, max_tokens=400), Control(), talk=True))
    assert isinstance(events[-1], Finished)
    cut = events[-1].solution
    assert cut.trajectories[0].finish == "length"
    with pytest.raises(UsageError, match="too long"):
        next(solve("p", loaded, Options(1), Control(), talk=True, unfinished=Unfinished("", cut.text), resident=kept))
