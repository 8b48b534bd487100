"""The cut between reasoning and visible text: by example, and by properties over any text."""

import time
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vibethinker_local.runtime.reasoning import ReasoningParser, Span, split

PIECES = st.sampled_from(
    [
        "<think>",
        "</think>",
        "<think",
        "</thi",
        "`",
        "```",
        "```py\n",
        "~~~",
        "\n",
        " ",
        "a",
        "<",
        "/",
        "`</think>`",
        "ü\u0301",
        "x = 1",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join)


@pytest.mark.parametrize(
    ("text", "reasoning", "visible"),
    [
        ("<think>a</think>b", "a", "b"),
        ("\n <think>\na\n</think>\n\nb\n", "a", "b"),
        ("b", "", "b"),
        ("", "", ""),
        ("<think>a", "a", ""),
        ("<thin", "", "<thin"),
        ("a</think>b", "a", "b"),  # the template had opened it
        ("<think>a</think>b</think>", "a", "b"),  # nothing follows the second one
        ("<think>a</think>wait</think>b", "await", "b"),  # still thinking after the first one
        ("</think>b", "", "b"),
        ("</think></think></think>", "", ""),
        ("<think>a</think>b\n<think>c</think>d", "ac", "b\nd"),
        ("<think>a</think>b\n<think>c", "ac", "b"),  # thinks again, and never stops
        ("<think>a <think> b</think>c", "a <think> b", "c"),
        ("<think>a</think>use <think> here", "a", "use <think> here"),  # not at the start of a line: text
        ("<think>a</think>the `</think>` tag", "a", "the `</think>` tag"),
        ("<think>it is `84`</think>b", "it is `84`", "b"),
        ("<think>a</think>\n```html\n</think>\n<think>\n```\nb", "a", "```html\n</think>\n<think>\n```\nb"),
        ("<think>```\ndraft</think>b", "```\ndraft", "b"),  # fences inside the reasoning are drafts
        ("<THINK>a</THINK>b", "", "<THINK>a</THINK>b"),
        ("a < b and b </ c <", "", "a < b and b </ c <"),
    ],
)
def test_where_the_cut_is(text: str, reasoning: str, visible: str) -> None:
    assert split(text) == (reasoning, visible)


def test_a_template_may_have_opened_it() -> None:
    assert split("a</think>b", opened=True) == ("a", "b")
    assert split("a", opened=True) == ("a", "")
    assert ReasoningParser(opened=True).feed("a") == [Span("a", True)]


def test_visible_text_that_turns_out_to_be_reasoning_is_retracted() -> None:
    parser = ReasoningParser()
    assert parser.feed("hm, </think> \n") == [Span("hm, ", False)]
    assert parser.feed("84") == [Span("84", False, retracts=True)]


def test_holds_back_only_what_may_be_a_tag() -> None:
    parser = ReasoningParser()
    assert parser.feed("<think>a </thi") == [Span("a ", True)]
    assert not parser.visible
    assert parser.feed("s </think>b <") == [Span("</this ", True), Span("b ", False)]
    assert parser.visible
    assert parser.flush() == [Span("<", False)]


def together(spans: list[Span]) -> list[Span]:
    """Neighbours of one kind as one, since where they are cut is of no matter."""
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].reasoning == span.reasoning and not span.retracts:
            joined[-1] = Span(joined[-1].text + span.text, span.reasoning, joined[-1].retracts)
        else:
            joined.append(span)
    return joined


def test_a_quoted_tag_at_the_end_of_a_piece() -> None:
    parser = ReasoningParser()
    spans = parser.feed("`</think>`") + parser.feed("<think>") + parser.flush()
    assert together(spans) == [Span("`</think>`<think>", False)]


@given(TEXTS, st.booleans(), st.data())
def test_pieces_equal_the_whole(text: str, opened: bool, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8).map(sorted))
    whole, pieces = ReasoningParser(opened=opened), ReasoningParser(opened=opened)
    spans = [span for a, b in pairwise([0, *cuts, len(text)]) for span in pieces.feed(text[a:b])]
    assert together(spans + pieces.flush()) == together(whole.feed(text) + whole.flush())
    assert pieces.visible == whole.visible


@given(TEXTS, st.booleans())
@example("<think>a</think>\n```\n</think>\n", False)
def test_nothing_is_lost_but_tags_and_space(text: str, opened: bool) -> None:
    def bare(text: str) -> str:
        return "".join(text.replace("<think>", "").replace("</think>", "").split())

    parser = ReasoningParser(opened=opened)
    spans = parser.feed(text) + parser.flush()
    # A tag may only come to light once another one is gone, so both sides are stripped of tags until none is left.
    before, after = bare(text), bare("".join(span.text for span in spans))
    while (before, after) != (bare(before), bare(after)):
        before, after = bare(before), bare(after)
    assert before == after


@given(TEXTS)
def test_what_follows_the_reasoning_is_visible(text: str) -> None:
    """Text without tags after a closing tag is all there, whatever came before; the reasoning is never part of it."""
    visible = text.replace("think>", "").strip()
    reasoning, found = split(f"<think>{text.replace('think>', '')} secret</think>{visible}")
    assert found == visible
    assert reasoning.endswith("secret")


@pytest.mark.parametrize(
    "piece", ["<", "<think>", "</think>", "x</think>", "`", "`</think>", "```\n", "\n", " ", "\n<think>a</think>", "a"]
)
def test_any_text_takes_time_in_proportion(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    began = time.process_time()
    split("<think>a</think>" + text)
    split(text)
    parser = ReasoningParser()
    for character in text[:20_000]:
        parser.feed(character)
    assert time.process_time() - began < 20  # half a second; minutes if it were quadratic
