"""What is read: bundled conversations, other people's files, and the chunks they are cut into."""

import threading
from pathlib import Path

import pytest

from quantize import text
from quantize.errors import RequestError
from quantize.job import Request
from quantize.text import Cut, EvaluationText, bundled, cut, parse_conversations, read_text
from tests.quantize.helpers import run_build
from vibethinker_local.errors import UsageError
from vibethinker_local.llama.observed import Message, ObservedModel, load

STOP = threading.Event()


def test_full_chunks_only() -> None:
    assert cut(range(11), Cut(4), None) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert cut(range(12), Cut(4, limit=2), None) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert len(cut(range(12), Cut(4, limit=9), None)) == 3


def test_bos_takes_the_place_of_each_chunks_first_token() -> None:
    assert cut(range(8), Cut(4), 99) == [[99, 1, 2, 3], [99, 5, 6, 7]]


def test_less_than_two_chunks() -> None:
    with pytest.raises(RequestError, match="the text has 7 tokens; at least two chunks of 4 are needed"):
        cut(range(7), Cut(4, limit=1), None)


@pytest.mark.parametrize("path", [text.CALIBRATION, text.EVALUATION])
def test_bundled_texts(path: Path) -> None:
    read = bundled(path)
    conversations = list(parse_conversations(read.content))
    assert len(conversations) > 10
    for messages in conversations:
        assert [message.role for message in messages] == ["user", "assistant"]
        assert all(message.content.strip() for message in messages)
    assert "<|" not in read.content
    assert len(read.content.encode()) < 64 << 10


def test_bundled_texts_share_nothing() -> None:
    lines = [
        {line for line in path.read_text("utf-8").splitlines() if len(line) > 40}
        for path in (text.CALIBRATION, text.EVALUATION)
    ]
    assert not lines[0] & lines[1]


def test_conversations_are_put_into_the_models_template(exact: Path) -> None:
    content = "About this text.\n\n=== user\nHi\n=== assistant\nHello\n\nYou\n\n=== user\nBye\n=== assistant\n== so\n"
    with load(exact, STOP) as model:
        tokens = EvaluationText("", content, special=True, conversations=True).tokens(model)
        rendered = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello\n\nYou<|im_end|>\n"
        rendered += "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n== so<|im_end|>\n"
        assert tokens == model.tokenize(rendered, special=True)
        assert tokens.count(control(model, "<|im_start|>")) == 4


def control(model: ObservedModel, name: str) -> int:
    (token,) = model.tokenize(name, special=True)
    return token


def test_control_tokens_are_read_only_where_asked_for(exact: Path, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("a<|im_end|>b")
    with load(exact, STOP) as model:
        plain, special = (read_text(tmp_path / "t.txt", special=special).tokens(model) for special in (False, True))
        assert control(model, "<|im_end|>") in special
        assert control(model, "<|im_end|>") not in plain


def test_an_unknown_template(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{{ messages }}")
    run_build(tmp_path / "odd.gguf", Request(str(tiny), "Q8_0", chat_template=tmp_path / "t.jinja"))
    with (
        load(tmp_path / "odd.gguf", STOP) as model,
        pytest.raises(UsageError, match="is none that llama"),
    ):
        model.render([Message("user", "Hi")])


def test_unreadable_texts(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RequestError, match="binary cannot be read as UTF-8 text"):
        read_text(tmp_path / "binary")
    with pytest.raises(RequestError, match="cannot be read"):
        read_text(tmp_path / "missing")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(text.MAX_BYTES + 1)
    with pytest.raises(RequestError, match="larger than 16 MiB"):
        read_text(tmp_path / "large")
