"""Every run comes to an end: answered or not, within its tokens, and never inside the reasoning.

The model is a script of bytes, one token each, so every byte that may reach the answer is known.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.solving.speaker import CLOSED, Script, Speaker, script
from vibethinker_local.cli.solve import EXITS
from vibethinker_local.engine.backend import Logits, Slice
from vibethinker_local.engine.engine import Engine
from vibethinker_local.errors import EngineError, UsageError
from vibethinker_local.events import Closing, Control, Finished, Options, Solution, SolveEvent, Started, Wrote
from vibethinker_local.models.installed import Chosen, ModelSpec
from vibethinker_local.runtime.model import Model
from vibethinker_local.runtime.reasoning import split
from vibethinker_local.solving.single import solve

FOREVER = 3_000  # more than any budget here


def events(
    script: Script,
    *,
    max_tokens: int = 400,
    think: int | None = None,
    control: Control | None = None,
    talk: bool = False,
    **other: object,
) -> list[SolveEvent]:
    spec = ModelSpec(about="scripted", stops=("<stop>",))
    model = Model(Chosen("scripted", spec, Path("scripted.gguf")), Engine(Speaker(script, **other)))  # type: ignore[arg-type]
    options = Options(seed=1, max_tokens=max_tokens, think=think)
    found = list(solve("p", model, options, control or Control(), talk=talk))
    assert model.engine.cells_used == 0, "the KV was not given back"
    return found


def solution(events: list[SolveEvent]) -> Solution:
    assert isinstance(events[-1], Finished)
    return events[-1].solution


@pytest.mark.parametrize(
    ("reply", "closed", "asked", "status", "finish", "answer", "text"),
    [
        (b"<think>hm</think>\\boxed{7}.", b"", b"", "answered", "stop", "7", "\\boxed{7}."),
        (b"\\boxed{7}", b"", b"", "answered", "stop", "7", "\\boxed{7}"),
        (b"<think>hm", b"So \\boxed{7}.", b"", "answered", "forced", "7", "So \\boxed{7}."),
        (b"", b"So \\boxed{7}.", b"", "answered", "forced", "7", "So \\boxed{7}."),
        (b"<think>hm</think>So 7.", b"", b"7}.", "answered", "forced", "7", "So 7.\n\nThe answer is \\boxed{7}"),
        (b"<think>hm", b"So 7.", b"7}", "answered", "forced", "7", "So 7.\n\nThe answer is \\boxed{7}"),
        (b"<think>hm", b"", b"7", "answered", "forced", "7", "The answer is \\boxed{7}"),  # the brace is missing
        (b"<think>hm", b"", b"", "no_answer", "forced", None, ""),
        (b"<think>so \\boxed{7}", b"", b"}", "answered", "forced", "7", "7"),  # only in the reasoning
        (b"<think>so \\boxed{7}", b"Well \\boxed{8}.", b"", "answered", "forced", "8", "Well \\boxed{8}."),
        (b"<think>hm</think>```py\nx\n```\nDone.", b"", b"", "answered", "stop", "x", "```py\nx\n```\nDone."),
        (b"<think>hm</think>```py\nx", b"", b"", "answered", "stop", "x", "```py\nx\n```"),  # the fence is missing
        (b"<think>```py\ndraft\n```", b"```py\nx\n```", b"", "answered", "forced", "x", "```py\nx\n```"),
        (b"<think>```py\ndraft\n```</think>", b"", b"7}", "answered", "forced", "7", "The answer is \\boxed{7}"),
        (b"hm, </think>\\boxed{7}", b"", b"", "answered", "stop", "7", "\\boxed{7}"),
        (b"<think>a</think>wait</think>\\boxed{7}", b"", b"", "answered", "stop", "7", "\\boxed{7}"),
        (b"<think>a</think>\\boxed{7}</think>", b"", b"", "answered", "stop", "7", "\\boxed{7}"),
        (b"<think>hm", b"<think>again", b"7}", "answered", "forced", "7", "The answer is \\boxed{7}"),
        (b"<think>hm", b"", b"7}.\n<think>more and more", "answered", "forced", "7", "The answer is \\boxed{7}"),
        (b"<think>a" + b"\xe2\x82", b"So \\boxed{\xe2\x82\xac}.", b"", "answered", "forced", "€", "So \\boxed{€}."),
        (b"\\boxed{\xff}", b"", b"", "answered", "stop", "�", "\\boxed{�}"),
        (b"<think>" + b"round " * FOREVER, b"\\boxed{7}", b"", "answered", "loop", "7", "\\boxed{7}"),
        (b"<think>hm</think>\\boxed{7}" + b". " * FOREVER, b"", b"", "answered", "loop", "7", None),
    ],
)
def test_how_a_reply_ends(
    reply: bytes, closed: bytes, asked: bytes, status: str, finish: str, answer: str | None, text: str | None
) -> None:
    found = solution(events(script(reply, closed, asked), max_tokens=900))
    trajectory = found.trajectories[0]
    assert (found.status, trajectory.finish, found.answer) == (status, finish, answer)
    assert trajectory.answer == answer
    if text is not None:
        assert found.text == text


SENTENCE = "I will answer now."


@pytest.mark.parametrize(("line", "whole"), [(9, True), (300, False)])
def test_reasoning_is_cut_at_the_end_of_a_line_with_a_sentence_or_else_where_its_tokens_end(
    line: int, whole: bool
) -> None:
    spec = ModelSpec(about="scripted", stops=("<stop>",), closing=SENTENCE, grace=40)
    letters = random.Random(1)
    lines = "".join("".join(letters.choices("abcdefgh", k=line)) + "\n" for _ in range(100))
    speaker = Speaker(script(f"<think>{lines}".encode(), b"\\boxed{7}"))
    model = Model(Chosen("scripted", spec, Path("scripted.gguf")), Engine(speaker))
    found = solution(list(solve("p", model, Options(seed=1, max_tokens=600), Control())))
    [trajectory] = found.trajectories
    assert (found.answer, trajectory.finish) == ("7", "forced")
    assert trajectory.tokens <= 600
    thought = trajectory.reasoning.removesuffix(SENTENCE)
    assert thought != trajectory.reasoning, "the sentence belongs to the reasoning"
    assert (thought.rstrip() + "\n" == lines[: len(thought.rstrip()) + 1]) is whole


def test_the_template_may_open_the_reasoning() -> None:
    found = solution(events(script(b"hm, 5</think>\\boxed{7}"), opening="<think>"))
    assert (found.text, found.trajectories[0].reasoning) == ("\\boxed{7}", "hm, 5")
    found = solution(events(script(b"hm, 5", b"\\boxed{7}"), opening="<think>"))
    assert (found.text, found.trajectories[0].reasoning) == ("\\boxed{7}", "hm, 5")


@pytest.mark.parametrize(
    ("reply", "closed", "asked", "status", "answer", "text"),
    [
        (b"<think>hm</think>You are welcome!", b"", b"7}", "answered", None, "You are welcome!"),
        (b"<think>it was \\boxed{7}</think>Step 2 adds 3.", b"", b"7}", "answered", None, "Step 2 adds 3."),
        (b"You are welcome!", b"", b"7}", "answered", None, "You are welcome!"),
        (b"<think>hm</think>\\boxed{7}", b"", b"", "answered", "7", "\\boxed{7}"),
        (b"<think>hm</think>", b"", b"7}", "answered", "7", "The answer is \\boxed{7}"),  # it has said nothing
        (b"<think>hm", b"A haiku it is.", b"7}", "answered", None, "A haiku it is."),  # stopped while it thought
        (b"<think>" + b"round " * FOREVER, b"Well, hello.", b"7}", "answered", None, "Well, hello."),
        (b"<think>hm", b"", b"", "no_answer", None, ""),
        (b"<think>so \\boxed{7}", b"", b"}", "answered", "7", "7"),
    ],
)
def test_talk_needs_no_box(
    reply: bytes, closed: bytes, asked: bytes, status: str, answer: str | None, text: str
) -> None:
    found = solution(events(script(reply, closed, asked), max_tokens=900, talk=True))
    assert (found.status, found.answer, found.text) == (status, answer, text)


def test_talk_that_is_hurried() -> None:
    control = Control(answer_now=True)
    found = solution(events(script(b"<think>hm", b"A haiku.\nIt is short."), control=control, talk=True))
    assert (found.status, found.text) == ("answered", "A haiku.\nIt is short.")


def numbers(written: bytes) -> int:
    """Counting for ever: no cycle, no end."""
    text = b"<think>" + " ".join(map(str, range(1000))).encode()
    return text[len(written)]


def test_a_budget_is_kept_to_and_has_room_for_the_end() -> None:
    def never(written: bytes) -> int:
        return (b"and so on " * 50 + b"\n")[len(written) % 501] if CLOSED in written else numbers(written)

    for max_tokens in (64, 100, 333, 1000):
        found = solution(events(never, max_tokens=max_tokens))
        assert (found.status, found.trajectories[0].finish) == ("no_answer", "forced")
        assert found.trajectories[0].tokens == max_tokens


def test_visible_text_at_the_limit_may_be_finished() -> None:
    code = b"```py\n" + b"".join(b"x%d = %d\n" % (n, n) for n in range(25)) + b"```"
    found = solution(events(script(b"<think>hm</think>" + b"\n" * 90 + code), max_tokens=400))
    assert found.text.encode() == code
    assert not any(isinstance(event, Closing) for event in events(script(b"<think>hm</think>" + code)))


def test_code_at_the_limit_may_be_finished_even_where_there_was_some_before() -> None:
    code = b"```py\n" + b"".join(b"x%d = %d\n" % (n, n) for n in range(25)) + b"```"
    found = solution(
        events(script(b"<think>hm</think>```py\ndraft\n```\n" + b"Now: " * 14 + b"\n" + code), max_tokens=400)
    )
    assert found.answer == code.decode().removeprefix("```py\n").removesuffix("\n```")


def test_the_files_own_end_token_ends_a_reply() -> None:
    speaker = Speaker(script(b"<think>hm</think>\\boxed{7}\x03and so on"))
    speaker.info = replace(speaker.info, ends=frozenset({3}))
    model = Model(Chosen("scripted", ModelSpec(about="scripted", stops=()), Path("scripted.gguf")), Engine(speaker))
    found = solution(list(solve("p", model, Options(seed=1), Control())))
    assert (found.text, found.trajectories[0].finish) == ("\\boxed{7}", "stop")


def test_a_context_without_room_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"too long.*takes \d+ tokens.*--ctx"):
        events(script(b""), cells=110)
    with pytest.raises(UsageError, match="--max-tokens"):
        events(script(b""), max_tokens=32)


def interrupted(reply: Script, after: int, *, stop: bool = False) -> tuple[Solution, list[SolveEvent]]:
    """A run whose user presses Ctrl-C once, or twice, when `after` bytes were written."""
    control = Control()

    def watching(written: bytes) -> int:
        if len(written) >= after:
            control.answer_now, control.stop = True, stop
        return reply(written)

    found = events(watching, control=control, max_tokens=2000)
    return solution(found), found


def test_answer_now_in_the_reasoning() -> None:
    def reply(written: bytes) -> int:
        return script(b"", b"So \\boxed{7}.\nBut then again", b"")(written) if CLOSED in written else numbers(written)

    found, seen = interrupted(reply, 50)
    assert (found.status, found.text, found.trajectories[0].finish) == ("answered", "So \\boxed{7}.", "forced")
    assert found.trajectories[0].tokens < 100
    assert [event.reason for event in seen if isinstance(event, Closing)] == ["answer now"]


def test_answer_now_before_the_first_token() -> None:
    control = Control(answer_now=True)
    found = solution(events(script(b"<think>hm", b"So \\boxed{7}."), control=control))
    assert (found.status, found.text) == ("answered", "So \\boxed{7}.")


def test_answer_now_where_there_is_one_ends_with_the_line() -> None:
    found, seen = interrupted(script(b"<think>hm</think>It is \\boxed{7}, that is.\n" + b"More. " * 99), 30)
    assert (found.text, found.trajectories[0].finish) == ("It is \\boxed{7}, that is.", "forced")
    assert not any(isinstance(event, Closing) for event in seen)


def test_stop_at_once() -> None:
    found, _ = interrupted(numbers, 50, stop=True)
    assert (found.status, found.answer, found.text, found.trajectories[0].finish) == ("stopped", None, "", "aborted")
    found, _ = interrupted(script(b"<think>so \\boxed{7} or" + b" more" * 99), 50, stop=True)
    assert (found.status, found.answer, found.text) == ("stopped", "7", "7")


def test_an_engine_that_fails_keeps_what_was_written() -> None:
    class Dying(Speaker):
        def decode(self, slices: Sequence[Slice], padding: int = 0) -> Logits:
            if self.used > 150:
                raise EngineError("the power is gone")
            return super().decode(slices, padding)

    spec = ModelSpec(about="scripted", stops=("<stop>",))
    model = Model(
        Chosen("scripted", spec, Path("scripted.gguf")), Engine(Dying(script(b"<think>so \\boxed{7} " + b"x" * 99)))
    )
    found = solution(list(solve("p", model, Options(seed=1), Control())))
    assert (found.status, found.error, found.answer) == ("failed", "the power is gone", "7")
    assert found.trajectories[0].finish == "aborted"


BASES: dict[str, Callable[[random.Random], bytes]] = {
    "loops": lambda rng: b"<think>SECRET" + rng.randbytes(rng.randint(1, 90)).hex().encode() * FOREVER,
    "never closes": lambda rng: b"<think>SECRET" + rng.randbytes(2000).hex().encode(),
    "stops at once": lambda rng: b"",
    "stops inside": lambda rng: b"<think>SECRET" + rng.randbytes(rng.randint(0, 60)).hex().encode(),
    "never boxes": lambda rng: b"<think>SECRET</think>It is 7. " + rng.randbytes(rng.choice([5, 2000])).hex().encode(),
    "boxes": lambda rng: (
        b"<think>SECRET</think>It is \\boxed{7}." + rng.randbytes(rng.choice([5, 2000])).hex().encode()
    ),
    "code": lambda rng: (
        b"<think>SECRET```\nd\n```</think>```py\n" + b"x = 1\n" * rng.randint(1, 60) + rng.choice([b"", b"```"])
    ),
    "half characters": lambda rng: (
        b"<think>SECRET" + rng.randbytes(rng.randint(1, 300)) + rng.choice([b"", b"\xf0\x9f"])
    ),
    "boxes inside": lambda rng: b"<think>SECRET \\boxed{5} " + rng.randbytes(2000).hex().encode(),
    "odd tags": lambda rng: (
        b"<think>SECRET"
        + b"".join(
            rng.choices([b"</think>", b"\n<think>SECRET", b"</thi", b"\n```\nx\n```\n", b"x ", b"\\boxed{7}"], k=30)
        )
    ),
    "thinks again": lambda rng: b"<think>SECRET</think>hm\n<think>SECRET" + rng.randbytes(2000).hex().encode(),
}
ENDS: list[bytes] = [
    b"",
    b"7}.",
    b"So \\boxed{7}.",
    b"So it is 7, I think.",
    b"```py\nx = 1\n```\n",
    b"```py\nx = 1\n" * 300,
    b"}" * 20,
    b"{" * FOREVER,
    b"\xe2\x82",
    b"\xff\xfe}",
    b"and so on and so on, " * FOREVER,
    b"<think>SECRET" + b"more and more " * FOREVER,
    b"</think></think>7",
]


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_endings_at_random(count: int) -> None:
    """Any reply, any reaction to being closed and asked, any budget, with and without Ctrl-C at some time."""
    statuses: Counter[str] = Counter()
    finishes: Counter[str] = Counter()
    for seed in range(count):
        rng = random.Random(seed)
        base = list(BASES)[seed % len(BASES)]
        following = script(BASES[base](rng), rng.choice(ENDS), rng.choice(ENDS))
        max_tokens = rng.choice([64, 90, 150, 250, 600])
        control, press = Control(), rng.choice([FOREVER, FOREVER, rng.randint(0, max_tokens)])

        def reply(written: bytes, following: Script = following, control: Control = control, press: int = press) -> int:
            control.answer_now |= len(written) >= press
            return following(written)

        found = events(reply, max_tokens=max_tokens, control=control)
        result, what = solution(found), f"seed {seed}: {base}"
        trajectory = result.trajectories[0]
        assert isinstance(found[0], Started), what
        assert sum(isinstance(event, Finished) for event in found) == 1, what
        assert EXITS[result.status] == (0 if result.answer is not None else 3), what
        assert trajectory.tokens == result.usage.solve_tokens <= max_tokens, what
        assert "SECRET" not in result.text + trajectory.text, what
        assert split(trajectory.text) == ("", trajectory.text), what
        assert sum(isinstance(event, Closing) for event in found) <= 2, what
        assert result.answer is None or result.answer in result.text or result.answer in trajectory.reasoning, what
        written = "".join(event.text for event in found if isinstance(event, Wrote))
        assert result.answer is None or result.answer in written or "\ufffd" in written, what
        statuses[result.status] += 1
        finishes[trajectory.finish] += 1
    assert min(statuses[status] for status in ("answered", "no_answer")) > count / 10, statuses
    assert min(finishes[finish] for finish in ("stop", "forced", "length")) > count / 100, finishes
    assert finishes["loop"] > 0 or count < 500, "loops need the longest budgets, which are rare"


def test_reasoning_is_closed_after_its_budget() -> None:
    """--think 60, with a token for each byte, the opening tag among them; what is visible has the rest."""
    musing = bytes(random.Random(1).choices(range(97, 123), k=300))
    found = events(script(b"<think>" + musing, b"So \\boxed{7}.", b""), think=60)
    ended = solution(found)
    assert (ended.status, ended.answer) == ("answered", "7")
    assert ended.trajectories[0].reasoning == musing[: 60 - len(b"<think>")].decode()
    assert [event.reason for event in found if isinstance(event, Closing)] == ["length"]
    short = solution(events(script(b"<think>hm</think>\\boxed{7}.", b"", b""), think=60))
    assert short.trajectories[0].finish == "stop"
