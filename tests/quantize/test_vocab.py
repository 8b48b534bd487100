import json
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gguf import TokenType
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from quantize.errors import CheckpointError
from quantize.gguf_file import read_gguf
from quantize.header import write_header
from quantize.job import Request, prepare
from quantize.vocab import Vocabulary, read_vocabulary
from tests.quantize.checkpoint import SPECIALS, SPLIT, TEMPLATE, edit_json, write_json
from tests.quantize.reference import LlamaTokenizer

SIZE = 400
SAMPLE = "The 12 lazy dogs don't\r\n\n  JUMP over it's -fox, 你好 🙂 <|im_end|>\n"


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
    assert vocabulary.chat_templates == {"default": TEMPLATE}


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


def steps(tokenizer: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tokenizer["pre_tokenizer"]["pretokenizers"]
    return found


def nest(tokenizer: dict[str, Any]) -> None:
    tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [tokenizer["pre_tokenizer"]]}
    tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "NFC"}]}
    tokenizer["post_processor"] = {"type": "Sequence", "processors": [tokenizer["post_processor"], TEXT_ALONE]}


def spell_out(tokenizer: dict[str, Any]) -> None:
    pattern = steps(tokenizer)[0]["pattern"]
    spelled = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    pattern["Regex"] = pattern["Regex"].replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)", spelled)
    pattern["Regex"] = pattern["Regex"].replace(r"\r", "\r").replace(r"\n", "\n")


TEXT = {"Sequence": {"id": "A", "type_id": 0}}
TEXT_ALONE = {
    "type": "TemplateProcessing",
    "single": [TEXT],
    "pair": [TEXT, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {},
}
SPELLINGS: dict[str, Callable[[dict[str, Any]], object]] = {
    "affixes as transformers writes them": lambda t: t["model"].update(
        continuing_subword_prefix="", end_of_word_suffix="", fuse_unk=False
    ),
    "affixes null": lambda t: t["model"].update(continuing_subword_prefix=None, end_of_word_suffix=None),
    "options left out": lambda t: t.update(model={key: t["model"][key] for key in ("type", "vocab", "merges")}),
    "options null": lambda t: t["model"].update(dropout=None, byte_fallback=None, ignore_merges=None, fuse_unk=None),
    "dropout 0.0": lambda t: t["model"].update(dropout=0.0),
    "dropout 0": lambda t: t["model"].update(dropout=0),
    "an unk token that no text can need": lambda t: t["model"].update(unk_token="<|endoftext|>", fuse_unk=True),
    "byte fallback with nothing to fall back from": lambda t: t["model"].update(byte_fallback=True),
    "no type of model": lambda t: t["model"].pop("type"),
    "merges with the first line of merges.txt": lambda t: t["model"].update(
        merges=["#version: 0.2", *(" ".join(pair) for pair in t["model"]["merges"])]
    ),
    "sequences in sequences": nest,
    "a pattern spelled out, with line ends as they are": spell_out,
    "gaps removed where there are none": lambda t: steps(t)[0].update(behavior="Removed", invert=True),
    "inverted isolation": lambda t: steps(t)[0].update(invert=True),
    "offsets trimmed": lambda t: steps(t)[1].update(trim_offsets=True),
    "a post-processor for offsets": lambda t: t.update(
        post_processor={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    ),
    "a template of the text alone, as transformers 5 writes it": lambda t: t.update(post_processor=TEXT_ALONE),
    "no post-processor": lambda t: t.update(post_processor=None),
    "no post-processor at all": lambda t: t.pop("post_processor"),
    "no decoder": lambda t: t.update(decoder=None),
    "truncation and padding": lambda t: t.update(
        truncation={"direction": "Right", "max_length": 512, "strategy": "LongestFirst", "stride": 0}
    ),
}


@pytest.mark.parametrize("change", SPELLINGS.values(), ids=SPELLINGS)
def test_other_spellings_of_the_same_tokenizer(change: Callable[[dict[str, Any]], object], tiny: Path) -> None:
    path = tiny / "tokenizer.json"
    before, theirs = read(tiny), Tokenizer.from_file(str(path)).encode(SAMPLE).ids
    tokenizer = json.loads(path.read_bytes())
    change(tokenizer)
    write_json(path, tokenizer)
    assert Tokenizer.from_file(str(path)).encode(SAMPLE).ids == theirs  # it is the same one, to its own library
    assert read(tiny) == before


TEXT_AND_END = {**TEXT_ALONE, "single": [TEXT, {"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}]}
OTHERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "a suffix": lambda t: t["model"].update(end_of_word_suffix="</w>"),
    "a prefix": lambda t: t["model"].update(continuing_subword_prefix="##"),
    "dropout": lambda t: t["model"].update(dropout=0.1),
    "no merges inside known words": lambda t: t["model"].update(ignore_merges=True),
    "GPT-2's pattern beside Qwen2's": lambda t: steps(t)[1].pop("use_regex"),
    "a space before the text": lambda t: steps(t)[1].update(add_prefix_space=True),
    "matches removed": lambda t: steps(t)[0].update(behavior="Removed"),
    "matches merged": lambda t: steps(t)[0].update(behavior="MergedWithNext"),
    "one step more": lambda t: steps(t).append({"type": "Digits", "individual_digits": True}),
    "the pattern as a plain text": lambda t: steps(t)[0].update(pattern={"String": SPLIT}),
    "a template that adds a token": lambda t: t.update(post_processor=TEXT_AND_END),
    "the same inside a sequence": lambda t: t.update(
        post_processor={"type": "Sequence", "processors": [t["post_processor"], TEXT_AND_END]}
    ),
    "a template that repeats the text": lambda t: t.update(post_processor={**TEXT_ALONE, "single": [TEXT, TEXT]}),
    "an empty sequence of normalizers": lambda t: t.update(normalizer={"type": "Sequence", "normalizers": []}),
    "NFC and more": lambda t: t.update(
        normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}
    ),
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_another_tokenizer_is_refused(change: Callable[[dict[str, Any]], object], tiny: Path) -> None:
    tokenizer = json.loads((tiny / "tokenizer.json").read_bytes())
    change(tokenizer)
    write_json(tiny / "tokenizer.json", tokenizer)
    with pytest.raises(CheckpointError, match=r"does not cut text|options of BPE|adds tokens around"):
        read(tiny)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"content": "<think>", "special": False}, ("<think>", TokenType.USER_DEFINED)),
        ({"content": "<tool>", "special": True}, ("<tool>", TokenType.CONTROL)),
        ({"content": "<｜User｜>", "special": False}, ("<｜User｜>", TokenType.CONTROL)),
        ({"content": "<pad>"}, ("<pad>", TokenType.CONTROL)),
        ({"content": "two▁words"}, ("two words", TokenType.USER_DEFINED)),
        ({"content": "<|im_end|>"}, ("[PAD390]", TokenType.UNUSED)),  # known already, with another id
        ("no object", ("[PAD390]", TokenType.UNUSED)),
    ],
)
def test_a_token_that_only_tokenizer_config_knows(entry: object, expected: tuple[str, TokenType], tiny: Path) -> None:
    edit_json(tiny / "tokenizer_config.json", added_tokens_decoder={"390": entry, "x": entry, "9" * 5000: entry})
    assert read(tiny).tokens[390] == expected


def test_tokenizer_json_counts_where_tokenizer_config_differs(tiny: Path) -> None:
    before = read(tiny)
    decoder = {"0": {"content": "<of another id>"}, "391": {"content": "<|im_end|>"}, "392": {"content": "!"}}
    edit_json(tiny / "tokenizer_config.json", added_tokens_decoder=decoder)
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


def as_python_tokenizer(folder: Path, **settings: object) -> dict[str, int]:
    """vocab.json and merges.txt in the place of tokenizer.json; returns the tokens that were added to them."""
    tokenizer: dict[str, Any] = json.loads((folder / "tokenizer.json").read_bytes())
    (folder / "tokenizer.json").unlink()
    added = {entry["content"]: entry["id"] for entry in tokenizer["added_tokens"]}
    own = {text: token for text, token in tokenizer["model"]["vocab"].items() if text not in added}
    lines = ["#version: 0.2", *(" ".join(pair) for pair in tokenizer["model"]["merges"]), ""]
    write_json(folder / "vocab.json", own)
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
    edit_json(folder / "tokenizer_config.json", **{"tokenizer_class": "Qwen2Tokenizer", **settings})
    return added


@pytest.mark.parametrize("kind", ["Qwen2Tokenizer", "Qwen2TokenizerFast"])
@pytest.mark.parametrize("file", ["added_tokens.json", "tokenizer_config.json"])
def test_a_tokenizer_in_python(file: str, kind: str, tiny: Path) -> None:
    before = read(tiny)
    added = as_python_tokenizer(tiny, tokenizer_class=kind)
    if file == "added_tokens.json":
        write_json(tiny / file, added)
    else:
        decoder = {str(token): {"content": text, "special": True} for text, token in added.items()}
        edit_json(tiny / file, added_tokens_decoder=decoder)
    assert read(tiny) == before
    if file == "added_tokens.json":
        assert tiny / file in prepare(Request(str(tiny), "Q8_0")).checkpoint.files  # of which the fingerprint is made


@pytest.mark.parametrize(
    ("settings", "type"),
    [
        ({}, TokenType.USER_DEFINED),
        ({"additional_special_tokens": ["<tool>"]}, TokenType.CONTROL),
        ({"additional_special_tokens": [{"content": "<tool>", "lstrip": False}]}, TokenType.CONTROL),
        ({"mask_token": {"content": "<tool>", "lstrip": False}}, TokenType.CONTROL),
    ],
)
def test_which_added_tokens_are_special(settings: dict[str, object], type: TokenType, tiny: Path) -> None:
    added = as_python_tokenizer(tiny, **settings)
    write_json(tiny / "added_tokens.json", added | {"<tool>": 390})
    assert read(tiny).tokens[390] == ("<tool>", type)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"vocab\.json lacks the token \d+, which ends an answer"),
        ({"tokenizer_class": "GPT2Tokenizer"}, r"tokenizer\.json is missing"),
    ],
)
def test_a_tokenizer_in_python_that_is_not_whole(settings: dict[str, object], message: str, tiny: Path) -> None:
    as_python_tokenizer(tiny, **settings)
    with pytest.raises(CheckpointError, match=message):
        read(tiny)


def test_an_end_that_is_no_token(tiny: Path) -> None:
    edit_json(tiny / "tokenizer_config.json", eos_token=None)
    edit_json(tiny / "config.json", eos_token_id=SIZE - 1)
    with pytest.raises(CheckpointError, match=rf"tokenizer\.json lacks the token {SIZE - 1}, which ends an answer"):
        read(tiny)


def test_no_eos(tiny: Path) -> None:
    edit_json(tiny / "tokenizer_config.json", eos_token=None)
    assert "eos" in {special.role for special in read(tiny).specials}  # from config.json
    edit_json(tiny / "config.json", eos_token_id=None)
    with pytest.raises(CheckpointError, match="names an eos token"):
        read(tiny)


def id_of(role: str, folder: Path) -> int:
    return next(special.id for special in read(folder).specials if special.role == role)


@pytest.mark.parametrize("ends", [7, [7, 3], [None, 7], [10**9, 7]])
@pytest.mark.parametrize("file", ["config.json", "generation_config.json"])
def test_eos_from_a_number_or_a_list(file: str, ends: object, tiny: Path) -> None:
    edit_json(tiny / "tokenizer_config.json", eos_token=None)
    edit_json(tiny / "config.json", eos_token_id=None)
    edit_json(tiny / file, eos_token_id=ends)
    assert id_of("eos", tiny) == 7


def test_no_bos_is_endoftext_as_in_the_published_models(tiny: Path) -> None:
    """Trainers write null, as Qwen2's tokenizer has none; llama.cpp would take a comma for it."""
    edit_json(tiny / "config.json", bos_token_id=None)
    assert read(tiny).tokens[id_of("bos", tiny)].text == "<|endoftext|>"


def test_no_tokenizer_config(tiny: Path) -> None:
    (tiny / "tokenizer_config.json").unlink()
    (tiny / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    assert read(tiny).tokens[id_of("eos", tiny)].text == "<|endoftext|>"  # config.json's


def test_eos_as_an_object(tiny: Path) -> None:
    edit_json(tiny / "tokenizer_config.json", eos_token={"content": "<|im_start|>", "lstrip": False})
    assert read(tiny).tokens[read(tiny).specials[0].id].text == "<|im_start|>"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_template_with_the_line_ends_of_windows(encoding: str, tiny: Path) -> None:
    edit_json(tiny / "tokenizer_config.json", chat_template=None)
    (tiny / "chat_template.jinja").write_bytes("one é\r\ntwo\r\n".encode(encoding))
    assert read(tiny).chat_templates["default"] == "one é\ntwo\n"


def test_a_second_template_is_named(tiny: Path) -> None:
    """llama.cpp's converter takes tokenizer_config.json's, transformers the file's."""
    given = read(tiny).chat_templates["default"]
    (tiny / "chat_template.jinja").write_text(given, encoding="utf-8")
    assert not any("jinja" in warning for warning in prepare(Request(str(tiny), "Q8_0")).warnings)
    (tiny / "chat_template.jinja").write_text("another", encoding="utf-8")
    job = prepare(Request(str(tiny), "Q8_0"))
    assert any("give it with --chat-template" in warning for warning in job.warnings)
    assert job.vocabulary.chat_templates["default"] == given
    own = tiny / "own.jinja"
    own.write_text("{{ messages }}", encoding="utf-8")
    assert not any("jinja" in warning for warning in prepare(Request(str(tiny), "Q8_0", chat_template=own)).warnings)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("A", {"default": "A"}),
        ({"default": "A", "tool_use": "B"}, {"default": "A", "tool_use": "B"}),
        (
            [{"name": "default", "template": "A"}, {"name": "for.tools", "template": "B"}, {"name": "b"}],
            {"default": "A", "for_tools": "B"},
        ),
        ({"default": "A", "for.tools": "B", "for_tools": "", "": "C"}, {"default": "A", "for_tools": "B"}),
    ],
)
def test_chat_templates(given: object, found: dict[str, str], tiny: Path) -> None:
    edit_json(tiny / "tokenizer_config.json", chat_template=given)
    assert read(tiny).chat_templates == found
    assert read_vocabulary(tiny, SIZE, "given").chat_templates == {"default": "given"}


def test_chat_templates_as_transformers_5_saves_them(tiny: Path, tmp_path: Path) -> None:
    """And as the converter writes them, but for the order of their names, which it draws anew each time."""
    edit_json(tiny / "tokenizer_config.json", chat_template=None)
    (tiny / "chat_template.jinja").write_text("A", encoding="utf-8")
    (tiny / "additional_chat_templates").mkdir()
    for name in ("tool_use", "rag"):
        (tiny / "additional_chat_templates" / f"{name}.jinja").write_text(f"for {name}", encoding="utf-8")
    job = prepare(Request(str(tiny), "Q8_0"))
    write_header(tmp_path / "header.gguf", job.keys, [])
    assert {key: value for key, value in read_gguf(tmp_path / "header.gguf").keys.items() if "chat" in key} == {
        "tokenizer.chat_template.rag": "for rag",
        "tokenizer.chat_template.tool_use": "for tool_use",
        "tokenizer.chat_templates": ["rag", "tool_use"],
        "tokenizer.chat_template": "A",
    }
    assert {"rag.jinja", "tool_use.jinja"} < {path.name for path in job.checkpoint.files}
    (tiny / "chat_template.jinja").unlink()  # without which the converter looks for none beside it
    for template, found in (("C", {"default": "C"}), ({"default": "C", "b": "D"}, {"default": "C", "b": "D"})):
        write_json(tiny / "chat_template.json", {"chat_template": template})
        assert read(tiny).chat_templates == found
    write_json(tiny / "chat_template.json", {"chat_template": {"rag": "C", "b": "D"}})
    with pytest.raises(CheckpointError, match="no chat template called default, only rag, b; give one with"):
        read(tiny)


def test_tokens_that_take_spaces_with_them_are_named(tiny: Path) -> None:
    added = tokenizer_of(tiny)["added_tokens"]
    assert isinstance(added, list)
    change_tokenizer(tiny, added_tokens=[*added[:2], {**added[2], "rstrip": True}])
    job = prepare(Request(str(tiny), "Q8_0"))
    says = "around <|im_end|> llama.cpp may cut text in another way: it has no lstrip, rstrip, single_word"
    assert job.warnings == (says,)


def test_no_chat_template(tiny: Path) -> None:
    for none in ([{"name": ["default"], "template": "A"}], None, "", 7):
        edit_json(tiny / "tokenizer_config.json", chat_template=none)
        with pytest.raises(CheckpointError, match=r"has no chat template.*--chat-template"):
            read(tiny)
    edit_json(tiny / "tokenizer_config.json", chat_template=None)
    assert read_vocabulary(tiny, SIZE, "given").chat_templates == {"default": "given"}
    (tiny / "chat_template.jinja").write_text("from the file", encoding="utf-8")
    assert read(tiny).chat_templates == {"default": "from the file"}
