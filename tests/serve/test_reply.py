"""One reply as it grows: what of it is reasoning, what is content, and where it ends, however it comes in pieces."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import combinations

import pytest

from vibethinker_local.engine import SequenceId, StepOutput
from vibethinker_local.engine.output import End
from vibethinker_local.serve import streams
from vibethinker_local.serve.reply import ReplyText
from vibethinker_local.serve.streams import Delta, Head, TokenUsage

END = 99  # the token that ends a reply


def reply(
    begun: str = "", *, constrained: bool = False, thinking: int | None = None, stops: tuple[str, ...] = ()
) -> ReplyText:
    return ReplyText(
        0, begun, opened=False, thinking=thinking, stops=stops, stop_ids=frozenset({END}), constrained=constrained
    )


def put_out(text: str, *, end: End | None = None, forced: bool = False) -> StepOutput:
    """A token with this text; without one, that of the end."""
    return StepOutput(SequenceId(0), 1 if text else END, text, None if forced else -1.0, end=end, forced=forced)


def written(reply: ReplyText, pieces: list[str]) -> tuple[str, str]:
    """What is reasoning and what is content, as a client puts it together that takes a delta after each piece."""
    reasoning, content = "", ""
    for output in (*map(put_out, pieces), put_out("", end="stop")):
        if reply.finish is None:
            reply.add(output)
            delta: Delta = reply.delta()
            reasoning, content = (reasoning + content, "") if delta.retracts else (reasoning, content)
            reasoning, content = reasoning + delta.reasoning, content + delta.content
    assert reply.finish_reason == "stop"
    return reasoning, content


@pytest.mark.parametrize(
    ("text", "reasoning", "content"),
    [
        ("<think>a b\n</think>\n\nThe sum\n\nis 4.", "a b\n", "The sum\n\nis 4."),
        ("  <think>\nI stop.\n</think>\nIt stops here.", "I stop.\n", "It "),
        ("It is sto", "", "It is sto"),
        ("It is </th", "", "It is </th"),
        ("\n It is 4.", "", "It is 4."),
        ("So it sto</think>\n\nIt is 4.", "So it sto", "It is 4."),
        ("So\n<think>hm</think> it sto", "hm", "So\n it sto"),
        ("It stops.</think>4", "", "It "),
    ],
)
def test_it_is_the_same_in_any_pieces(text: str, reasoning: str, content: str) -> None:
    cuts = [(), *combinations(range(1, len(text)), 1), tuple(range(1, len(text)))]
    for cut in cuts:
        pieces = [text[a:b] for a, b in zip((0, *cut), (*cut, len(text)), strict=True)]
        assert written(reply(stops=("stops", "stop it")), pieces) == (reasoning, content), pieces


class Written:
    """Two choices, the second of which turns out to have been reasoning."""

    usage = TokenUsage(5, 7, 2)

    async def deltas(self) -> AsyncIterator[list[Delta]]:
        yield [Delta(0, content="4"), Delta(1, content="So "), Delta(1, content="it")]
        yield []
        yield [Delta(0, finish="stop"), Delta(1, reasoning=" is", content="5", retracts=True, finish="length")]

    def vibe(self) -> dict[str, object]:
        return {"seeds": [1, 2]}


def test_a_whole_response_moves_what_was_taken_back() -> None:
    found = asyncio.run(streams.gather(Written(), Head("id", 0, "m", "f"), 2, logprobs=False))
    four, five = json.loads(json.dumps(found))["choices"]
    assert four["message"] == {"role": "assistant", "content": "4", "refusal": None}
    assert (five["message"]["content"], five["message"]["reasoning_content"]) == ("5", "So it is")
    assert (four["finish_reason"], five["finish_reason"]) == ("stop", "length")
    assert found["usage"] == TokenUsage(5, 7, 2).body()
    assert TokenUsage(5, 7, 2).body()["total_tokens"] == 12


def test_a_stream_says_that_it_is_alive_and_ends_once() -> None:
    async def told() -> list[bytes]:
        return [part async for part in streams.events(Written(), Head("id", 0, "m", "f"), 2, usage=True)]

    _, alive, ends, usage = asyncio.run(told())
    assert alive == b": still here\n\n"
    assert ends.count(b'"vibe"') == 1
    assert b'"vibe"' in ends.split(b"\n\n")[-2]
    assert usage.endswith(b"\n\ndata: [DONE]\n\n")


@pytest.mark.parametrize("said", ["a\x85b", "a\u2028b", "a\u2029b", "a\x1cb\x0cc\r\nd", "é 😀"], ids=ascii)
def test_an_event_is_one_line_to_whatever_splits_it(said: str) -> None:
    line, *ends = streams.event({"content": said}).decode().split("\n")
    assert (line.splitlines(), ends) == ([line], ["", ""])
    assert json.loads(line.removeprefix("data: ")) == {"content": said}


def test_what_was_begun_is_no_part_of_it() -> None:
    assert written(reply("<think>\nSo"), [" be it</think>\n\n", "4"]) == (" be it", "4")
    assert written(reply("<think>a</think>\n\nIt"), [" is 4"]) == ("", " is 4")
    assert written(reply("<think>a</think>\n\n"), ["\n4"]) == ("", "4")


def test_the_reasoning_is_closed_at_its_budget_once() -> None:
    thinks = reply(thinking=3)
    for piece in ("<think>", "a", "b"):
        assert thinks.due is None
        thinks.add(put_out(piece))
    assert [thinks.due] == ["close"]
    thinks.close()
    thinks.add(put_out("\n</think", forced=True))
    assert (thinks.due, thinks.reasoning_tokens) == (None, 4)
    thinks.add(put_out(">\n\n", forced=True))
    thinks.add(put_out("4"))
    thinks.add(put_out("", end="stop"))
    assert (thinks.ending, thinks.finish_reason, len(thinks.tokens), len(thinks.drawn())) == ("forced", "stop", 6, 4)
    delta = thinks.delta()
    assert (delta.reasoning, delta.content) == ("ab\n", "4")
    thinks.finish = "length"
    assert (thinks.ending, thinks.finish_reason) == ("length", "length")


@pytest.mark.parametrize("end", ["stop", "length", "loop"])
def test_reasoning_that_ends_without_a_reply(end: End) -> None:
    for thinking, due, finish in ((9, "close", None), (None, None, end)):
        thinks = reply(thinking=thinking)
        thinks.add(put_out("<think>a", end=end))
        assert (thinks.due, thinks.finish) == (due, finish)
    assert thinks.finish_reason == ("stop" if end == "stop" else "length")
    assert thinks.ending == end


def test_a_grammar_begins_with_the_content() -> None:
    thinks = reply(constrained=True)
    for piece in ("<think>", "a", "</think>"):
        thinks.add(put_out(piece))
    assert (thinks.due, len(thinks.drawn())) == ("constrain", 3)
    thinks.constrain([7, 7])
    thinks.add(put_out('{"<think>": 1}'))
    thinks.add(put_out("", end="stop"))
    delta = thinks.delta()
    assert (delta.reasoning, delta.content, thinks.ending) == ("a", '{"<think>": 1}', "stop")
    assert (len(thinks.tokens), thinks.reasoning_tokens, len(thinks.drawn())) == (6, 2, 1)


@pytest.mark.parametrize("said", ["Sure: ", "[", ""])
def test_what_was_written_before_a_grammar_without_reasoning_does_not_count(said: str) -> None:
    plain = reply(constrained=True, stops=("}", "Sure:", "[1"))
    plain.add(put_out(said, end=None if said else "stop"))
    assert (plain.due, plain.drawn()) == ("constrain", [])
    plain.constrain([7])
    plain.add(put_out("1"))
    plain.add(put_out("}"))
    assert (plain.delta().content, plain.finish, len(plain.tokens), len(plain.drawn())) == ("1", "stop", 2, 2)
