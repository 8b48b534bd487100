"""What servers send, as they send it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibethinker_local.remote import wire
from vibethinker_local.remote.reply import ForeignReply, ReplyToken
from vibethinker_local.remote.request import likelihoods, spoken
from vibethinker_local.remote.vocabulary import CONTROLS, TEMPLATE, PieceVocabulary
from vibethinker_local.remote.wire import Drawn, EventStream, Fragment
from vibethinker_local.runtime import template

# Recorded from llama-server (build 0c1e570), shortened: two tokens, the end with usage, and the end of the stream.
LLAMA = (
    'data: {"choices":[{"text":"//","index":0,"logprobs":{"content":[{"id":322,"token":"//","bytes":[47,47],'
    '"logprob":-4.067004680633545,"top_logprobs":[{"id":2,"token":"#","bytes":[35],"logprob":-1.145164132118225}]}]},'
    '"finish_reason":null}],"created":1795883615,"object":"text_completion"}\n\n'
    'data: {"choices":[{"text":" Define","index":0,"logprobs":{"content":[{"id":18614,"token":" Define","bytes":[32],'
    '"logprob":-3.7882115840911865,"top_logprobs":[{"id":21927,"token":" Hello","logprob":-1.3938874006271362}]}]},'
    '"finish_reason":null}],"created":1795883616,"object":"text_completion"}\n\n'
    'data: {"choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"length"}],"object":"text_completion",'
    '"usage":{"completion_tokens":3,"prompt_tokens":10,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":0}},'
    '"timings":{"cache_n":0,"prompt_n":10,"prompt_ms":1636.002}}\n\n'
    "data: [DONE]\n\n"
)
LLAMA_CHAT = (
    'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}]}\n\n'
    'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hello"},"logprobs":{"content":[{"id":9707,'
    '"token":"Hello","logprob":-0.054922908544540405,"top_logprobs":[{"token":"Hello","logprob":-0.0549},'
    '{"token":"Hi","logprob":-3.3075}]}]}}]}\n\n'
    'data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}]}\n\n'
    'data: {"choices":[],"usage":{"completion_tokens":2,"prompt_tokens":30,"total_tokens":32}}\n\n'
    "data: [DONE]\n\n"
)
# vLLM's completions have log-probabilities in the old form, comments come from proxies, and Windows ends lines so.
VLLM = (
    ": keep-alive\r\n\r\n"
    'data: {"id":"cmpl-1","object":"text_completion","model":"m","choices":[{"index":0,"text":" VAL","logprobs":'
    '{"text_offset":[0],"token_logprobs":[-0.25],"tokens":[" VAL"],"top_logprobs":[{" VAL":-0.25," INV":-1.5}]},'
    '"finish_reason":null,"stop_reason":null}],"usage":null}\r\n\r\n'
    'data: {"id":"cmpl-1","object":"text_completion","choices":[{"index":0,"text":"","logprobs":null,'
    '"finish_reason":"stop"}]}\r\n\r\n'
    'data: {"id":"cmpl-1","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\r\n\r\n'
    "data:[DONE]\r\n\r\n"
)

THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "I "}, {"type": "text", "text": "see."}]}


def chunks(text: str, size: int = 7) -> list[wire.Chunk]:
    """What a stream says that comes in pieces of so many bytes."""
    stream, data = EventStream(), text.encode()
    events = [event for at in range(0, len(data), size) for event in stream.feed(data[at : at + size])]
    return [wire.read(event) for event in [*events, *stream.flush()]]


@pytest.mark.parametrize("size", [1, 3, 64, 100_000])
def test_llama_server(size: int) -> None:
    first, second, last, done = chunks(LLAMA, size)
    assert first.pieces == (Fragment(0, "//", drawn=(Drawn("//", -4.067004680633545, (("#", -1.145164132118225),)),)),)
    assert second.pieces[0].text == " Define"
    assert last.pieces[0].finish == "length"
    assert (last.prompt_tokens, last.completion_tokens) == (10, 3)
    assert done.done


def test_a_chat() -> None:
    begin, hello, end, usage, _ = chunks(LLAMA_CHAT)
    assert begin.pieces == (Fragment(0),)
    assert [each.text for each in hello.pieces[0].drawn] == ["Hello"]
    assert end.pieces[0].finish == "length"
    assert usage.pieces == ()
    assert usage.completion_tokens == 2


def test_the_old_form_of_logprobs() -> None:
    first, end, usage, done = chunks(VLLM)
    assert first.pieces[0].drawn == (Drawn(" VAL", -0.25, ((" VAL", -0.25), (" INV", -1.5))),)
    assert end.pieces[0].finish == "stop"
    assert usage.completion_tokens == 2
    assert done.done


@pytest.mark.parametrize(
    ("choice", "piece"),
    [
        ({"delta": None, "message": {"content": "4"}, "index": 1}, Fragment(1, "4")),
        ({"delta": {"content": "4"}, "text": None}, Fragment(0, "4")),
        ({"text": "4", "finish_reason": "model_length"}, Fragment(0, "4", finish="length")),
        ({"text": "4", "finish_reason": "MAX_TOKENS"}, Fragment(0, "4", finish="length")),
        ({"text": "4", "finish_reason": "eos_token"}, Fragment(0, "4", finish="eos_token")),
        ({"text": "4", "finish_reason": "STOP"}, Fragment(0, "4", finish="stop")),
        ({"text": "4", "finish_reason": ""}, Fragment(0, "4")),
        ({"text": "4", "finish_reason": "null"}, Fragment(0, "4")),
        ({"delta": {"content": [{"type": "text", "text": "4"}, {"text": "2"}, 7]}}, Fragment(0, "42")),
        ({"delta": {"content": [THINKING]}}, Fragment(0, reasoning="I see.")),
        ({"message": {"content": [THINKING, {"type": "text", "text": "4"}]}}, Fragment(0, "4", "I see.")),
        ({"delta": {"content": [{"thinking": "I see"}, {"thinking": [7, {"text": [8]}]}]}}, Fragment(0)),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_servers_call_their_own_way(choice: dict[str, object], piece: Fragment) -> None:
    assert wire.chunk({"choices": [choice]}).pieces == (piece,)


@pytest.mark.parametrize(
    "text",
    [
        'data: {"error":{"code":500,"message":"slot is gone","type":"server_error"}}\n\n',
        'error: {"code":500,"message":"slot is gone","type":"server_error"}\n\n',
        'data: {"object":"error","message":"slot is gone.","type":"Internal","code":500}\n\n',
        'event: error\ndata: {"error":"slot is gone"}\n\n',
        'data: {"error":\ndata: {"message":"slot is gone"}}\n\n',  # one value in two lines
    ],
)
def test_an_error_in_the_middle(text: str) -> None:
    assert [each.error for each in chunks(text)] == ["slot is gone"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_ends_of_lines(end: str, size: int) -> None:
    text = end.join(
        ["\ufeff: hello", 'data: {"choices":[{"text":"a\\r\\nb ä"}]}', "", "id: 3", "", "data: [DONE]", "", ""]
    )
    found = chunks(text, size)
    assert [piece.text for each in found for piece in each.pieces] == ["a\r\nb ä"]
    assert found[-1].done


def test_a_last_event_without_an_empty_line() -> None:
    assert chunks('data: {"choices":[{"text":"x","finish_reason":"stop"}]}')[0].pieces[0].finish == "stop"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    "choices delta message text content thinking index logprobs tokens top_logprobs usage error".split()
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_comes_says_something_or_nothing(told: object) -> None:
    found = wire.read(json.dumps(told))
    assert all(piece.choice >= 0 and isinstance(piece.text, str) for piece in found.pieces)


# Replies


def text(reply: ForeignReply, *pieces: Fragment, finish: str = "stop", tokens: int | None = None) -> str:
    return "".join(each.text for each in written(reply, *pieces, finish=finish, tokens=tokens))


def written(
    reply: ForeignReply, *pieces: Fragment, finish: str = "stop", tokens: int | None = None
) -> list[ReplyToken]:
    return [each for piece in pieces for each in reply.take(piece)] + reply.end(finish, tokens)


def test_reasoning_that_came_apart_gets_its_tags() -> None:
    pieces = [
        Fragment(0, reasoning="I "),
        Fragment(0, reasoning="see."),
        Fragment(0, "It is "),
        Fragment(0, "4."),
    ]
    assert text(ForeignReply(), *pieces) == "<think>I see.</think>\n\nIt is 4."
    assert text(ForeignReply(), Fragment(0, "It is 4.", "I see.")) == "<think>I see.</think>\n\nIt is 4."
    assert text(ForeignReply("<think>\nI "), Fragment(0, reasoning="see."), Fragment(0, "4.")) == "see.</think>\n\n4."


def test_a_character_in_two_pieces_is_joined() -> None:
    """As JSON has it where a server cuts between the halves of an emoji."""
    halves = [Fragment(0, "Great \ud83d"), Fragment(0, "\ude00 so "), Fragment(0, "\\boxed{42}")]
    assert text(ForeignReply(), *halves) == "Great 😀 so \\boxed{42}"
    assert text(ForeignReply(), Fragment(0, "\ud83d"), Fragment(0, "\ude00")) == "😀"
    drawn = [Fragment(0, half, drawn=(Drawn(half, -1.0),)) for half in ("\ud83d", "\ude00")]
    assert written(ForeignReply(), *drawn) == [ReplyToken("", -1.0), ReplyToken("😀", -1.0)]


def test_half_a_character_is_replaced() -> None:
    assert text(ForeignReply(), Fragment(0, "a\ude00b\ud83dc"), Fragment(0, "d\ud83d")) == "a\ufffdb\ufffdcd\ufffd"


def test_after_a_forced_ending_all_is_visible() -> None:
    """A server's parser that never sees the closing tag takes the answer for reasoning."""
    assert (
        text(ForeignReply("<think>\nHm.\n</think>\n\n"), Fragment(0, reasoning="It is "), Fragment(0, reasoning="4."))
        == "It is 4."
    )


def test_a_beginning_that_is_repeated_is_cut() -> None:
    """Recorded from llama-server: the first piece of a chat that continues a message has the message."""
    pieces = [Fragment(0, "one two three"), Fragment(0, " four")]
    assert text(ForeignReply("one two", repeats=True), *pieces) == " three four"
    assert (
        text(ForeignReply("one two", repeats=True), Fragment(0, "one "), Fragment(0, "two"), Fragment(0, " three"))
        == " three"
    )
    assert text(ForeignReply("one two", repeats=True), Fragment(0, "one"), Fragment(0, " to three")) == "one to three"
    assert text(ForeignReply("one two", repeats=True), Fragment(0, "one")) == "one"


@pytest.mark.parametrize(
    ("begun", "reply", "rest"),
    [
        ("<think>a</think>\n\nThe answer is \\boxed{", "The answer is \\boxed{42}.", "42}."),
        ("<think>a</think>\n\nThe answer is \\boxed{", "42}", "42}"),
        ("<think>a</think>\n\nThe answer is \\boxed{", "<think>Hm. \\boxed{3}</think>\n\n42.", "42}"),
        ("<think>a</think>\n\nThe answer is \\boxed{", "", "}"),
        ("The sum of both is the", "The sum of both is the number 4.", " number 4."),
        ("<think>a\n</think>\n\n", "It is \\boxed{4}.", "It is \\boxed{4}."),
        ("<think>a\n</think>\n\n", "<think>still thinking", ""),
    ],
)
def test_the_rest_of_a_quoted_beginning(begun: str, reply: str, rest: str) -> None:
    assert text(ForeignReply(begun, quoted=True), Fragment(0, reply)) == rest


def test_tokens_are_counted() -> None:
    drawn = (Drawn("a", -1.0, (("b", -0.5),)), Drawn(" c", -2.0))
    assert written(ForeignReply(), Fragment(0, "a c", drawn=drawn)) == [ReplyToken("a", -1.0), ReplyToken(" c", -2.0)]
    halves = (Drawn("\ufffd", -1.0), Drawn("\ufffd", -1.0))  # of one character
    assert [each.text for each in written(ForeignReply(), Fragment(0, "😀", drawn=halves))] == ["😀", ""]
    assert len(written(ForeignReply(), Fragment(0, "one two three"), tokens=6)) == 5  # one of the six is the end's
    assert len(written(ForeignReply(), Fragment(0, "one two three"), finish="length", tokens=6)) == 6
    assert len(written(ForeignReply(), Fragment(0, "one two three"))) == 1


# Verdicts


def test_likelihoods_are_read_off_whatever_tokens_the_server_has() -> None:
    labels = [" VALID", " INVALID"]
    assert likelihoods(labels, [(" VALID", -0.25), (" INVALID", -1.5)]) == (-0.25, -1.5)
    assert likelihoods(labels, [(" INV", -0.25), (" VAL", -1.5), ("\n", -3.0)]) == (-1.5, -0.25)
    both = likelihoods(labels, [("VALID", -1.0), (" VALID", -1.0), (" I", -2.0), (" maybe", -5.0)])
    assert both == pytest.approx((-1.0 + 0.693147, -2.0), abs=1e-5)
    assert likelihoods(labels, [(" VALID", -0.1), (" maybe", -9.0)]) == pytest.approx((-0.1, -9.0))  # at most that
    valid, invalid = likelihoods(labels, [(" maybe", -0.1)])
    assert valid == invalid  # nobody knows


@pytest.mark.parametrize(
    ("said", "first"),
    [(" VALID", True), ("INVALID", False), ("1. VALID, not INVALID… no: VALID", True), ("valid?", None), ("", None)],
)
def test_a_verdict_as_a_word(said: str, first: bool | None) -> None:
    valid, invalid = spoken([" VALID", " INVALID"], said)
    assert (valid > invalid, invalid > valid) == (first is True, first is False)


# Tokens


def test_a_conversation_comes_back_as_it_was() -> None:
    vocabulary = PieceVocabulary()
    messages = [
        {"role": "user", "content": "What is <|user|> 2 + 2?\n\n\\boxed{} <|assistant|>"},
        {"role": "assistant", "content": "<think>\nä 😀 \t4\r\n</think>\n\n\\boxed{4}"},
        {"role": "user", "content": "Sure?"},
    ]
    tokens = template.encode(template.ChatTemplate(TEMPLATE, "x", CONTROLS), messages, vocabulary.tokenize)
    tokens += vocabulary.tokenize("<think>\n\n</think>\n\n1.", special=False)
    assert vocabulary.conversation(tokens) == (messages, "<think>\n\n</think>\n\n1.")


@given(st.text())
def test_pieces_make_up_the_text(said: str) -> None:
    vocabulary = PieceVocabulary()
    assert vocabulary.text(vocabulary.tokenize(said, special=False)) == said


def test_the_number_of_pieces_is_about_that_of_tokens() -> None:
    """Counted with the tokenizer of Qwen2.5."""
    for said, tokens in (
        ("Please reason step by step, and put your final answer within \\boxed{}. "
         "Natalia sold clips to 48 of her friends in April, and half as many in May.", 36),
        ("x^2 + 3x - 4 = (x + 4)(x - 1), so x = -4", 27),
        ("设 $n$ 是正整数，求所有满足条件的 $n$ 的和。请一步一步推理。", 24),
    ):  # fmt: skip
        assert 0.75 * tokens <= len(PieceVocabulary().tokenize(said, special=False)) <= 1.6 * tokens
