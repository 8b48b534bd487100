import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from gguf import TokenType
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from quantize.errors import CheckpointError
from quantize.vocab import Vocabulary, read_vocabulary
from tests.quantize.checkpoint import SPECIALS, TEMPLATE, edit_json
from tests.quantize.reference import LlamaTokenizer

SIZE = 400


@pytest.fixture(scope="module")
def llama(base: Path) -> Iterator[LlamaTokenizer]:
    tokenizer = LlamaTokenizer(base)
    yield tokenizer
    tokenizer.close()


@pytest.fixture(scope="module")
def hugging_face(small: Path) -> Tokenizer:
    return Tokenizer.from_file(str(small / "tokenizer.json"))


# llama.cpp and the `tokenizers` library may know different versions of Unicode: a letter that is new to one of them
# is cut differently (seen with U+13585, of 2024). So no characters that are unassigned, or beyond the basic plane.
assigned = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=("Cs", "Cn")), max_size=8)
pieces = st.one_of(assigned, st.sampled_from([*SPECIALS, "'s", "'LL", "123", " \n", "\r\n", "你好", "e\u0301", "🙂"]))


@given(st.lists(pieces, max_size=12).map("".join))
@settings(max_examples=500, deadline=None)
def test_llama_cpp_tokenizes_as_hugging_face(llama: LlamaTokenizer, hugging_face: Tokenizer, text: str) -> None:
    text = unicodedata.normalize("NFC", text)  # llama.cpp leaves this to its caller
    assert llama.encode(text) == hugging_face.encode(text).ids


def test_tokens_and_specials(small: Path) -> None:
    vocabulary = read_vocabulary(small, SIZE)
    assert len(vocabulary.tokens) == SIZE
    special = {token.text for token in vocabulary.tokens if token.type == TokenType.CONTROL}
    assert special == set(SPECIALS)
    assert vocabulary.tokens[-1] == (f"[PAD{SIZE - 1}]", TokenType.UNUSED)
    ids = {role: vocabulary.tokens[token_id].text for role, token_id in ((s.role, s.id) for s in vocabulary.specials)}
    assert ids == {"eos": "<|im_end|>", "pad": "<|endoftext|>", "bos": "<|endoftext|>"}
    assert vocabulary.chat_template == TEMPLATE


def change_tokenizer(folder: Path, **changes: object) -> None:
    edit_json(folder / "tokenizer.json", **changes)


def tokenizer_of(folder: Path) -> dict[str, object]:
    value: dict[str, object] = json.loads((folder / "tokenizer.json").read_bytes())
    return value


def read(folder: Path) -> Vocabulary:
    return read_vocabulary(folder, SIZE)


def test_merges_as_strings_and_as_pairs_are_the_same(tiny: Path) -> None:
    before = read(tiny)
    model = tokenizer_of(tiny)["model"]
    assert isinstance(model, dict)
    assert isinstance(model["merges"][0], list)
    change_tokenizer(tiny, model=model | {"merges": [" ".join(pair) for pair in model["merges"]]})
    assert read(tiny) == before


def test_an_added_token_that_is_not_special(tiny: Path) -> None:
    added = tokenizer_of(tiny)["added_tokens"]
    assert isinstance(added, list)
    extra = [
        {"id": 390, "content": "<think>", "special": False},
        {"id": 391, "content": "<|forgotten|>", "special": False},
    ]
    change_tokenizer(tiny, added_tokens=[*added, *extra])
    tokens = read(tiny).tokens
    assert tokens[390] == ("<think>", TokenType.USER_DEFINED)
    assert tokens[391] == ("<|forgotten|>", TokenType.CONTROL)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalizer": None}, "does not cut text as Qwen2"),
        ({"normalizer": {"type": "NFKC"}}, "does not cut text as Qwen2"),
        ({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}}, "does not cut text"),
        ({"pre_tokenizer": None}, "does not cut text"),
        ({"post_processor": {"type": "TemplateProcessing"}}, "adds tokens around"),
        ({"model": {"type": "Unigram", "vocab": []}}, "no BPE"),
        ({"model": None}, "no BPE"),
        ({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}, "no merges"),
        ({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]}}, "no pair"),
        ({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b c"]]}}, "no pair"),
        ({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"], "byte_fallback": True}}, "options of BPE"),
        ({"model": {"type": "BPE", "vocab": {"a": SIZE}, "merges": ["a b"]}}, "embedding has 400 rows"),
        ({"model": {"type": "BPE", "vocab": {"a": -1}, "merges": ["a b"]}}, "embedding has 400 rows"),
        ({"model": {"type": "BPE", "vocab": {"a": 1, "b": 1}, "merges": ["a b"]}}, "two tokens"),
        ({"model": {"type": "BPE", "vocab": {"a": 0, "[PAD7]": 3}, "merges": ["a b"]}}, "named like a placeholder"),
        ({"added_tokens": [{"id": "x"}]}, "without id or content"),
        ({"added_tokens": 7}, "no list of merges, added_tokens"),
        ({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": 7}}, "no list of merges"),
        ({"pre_tokenizer": {"type": "Sequence", "pretokenizers": 7}}, "no list of .* pretokenizers"),
    ],
)
def test_a_foreign_tokenizer_is_refused(changes: dict[str, object], message: str, tiny: Path) -> None:
    change_tokenizer(tiny, **changes)
    with pytest.raises(CheckpointError, match=message):
        read(tiny)


def test_a_pre_tokenizer_that_differs_in_one_character(tiny: Path) -> None:
    text = (tiny / "tokenizer.json").read_text(encoding="utf-8")
    assert r"|\\p{N}|" in text
    (tiny / "tokenizer.json").write_text(text.replace(r"|\\p{N}|", r"|\\p{N}{1,3}|"), encoding="utf-8")
    with pytest.raises(CheckpointError, match="does not cut text"):
        read(tiny)


@pytest.mark.parametrize("role", ["eos", "bos"])
def test_no_eos_or_bos(role: str, tiny: Path) -> None:
    edit_json(tiny / "tokenizer_config.json", **{f"{role}_token": None})
    assert role in {special.role for special in read(tiny).specials}  # from config.json
    edit_json(tiny / "config.json", **{f"{role}_token_id": None})
    with pytest.raises(CheckpointError, match=f"names an {role} token"):
        read(tiny)


def test_eos_as_an_object(tiny: Path) -> None:
    edit_json(tiny / "tokenizer_config.json", eos_token={"content": "<|im_start|>", "lstrip": False})
    assert read(tiny).tokens[read(tiny).specials[0].id].text == "<|im_start|>"


def test_chat_template(tiny: Path) -> None:
    edit_json(tiny / "tokenizer_config.json", chat_template=[{"name": "default", "template": "A"}, {"name": "b"}])
    assert read(tiny).chat_template == "A"
    edit_json(tiny / "tokenizer_config.json", chat_template=[{"name": ["default"], "template": "A"}])
    with pytest.raises(CheckpointError, match="no chat template"):
        read(tiny)
    edit_json(tiny / "tokenizer_config.json", chat_template=None)
    with pytest.raises(CheckpointError, match=r"no chat template.*--chat-template"):
        read(tiny)
    assert read_vocabulary(tiny, SIZE, "given").chat_template == "given"
    (tiny / "chat_template.jinja").write_text("from the file", encoding="utf-8")
    assert read(tiny).chat_template == "from the file"
