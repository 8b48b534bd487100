"""Decoration never stops a build: a model card or sampling parameters that cannot be understood are left out."""

import json
import re
from pathlib import Path

import pytest

from quantize.card import Card, read_card
from quantize.gguf_file import read_gguf
from quantize.job import Request, prepare
from tests.quantize.checkpoint import edit_json, write_json
from tests.quantize.helpers import run_build
from vibethinker_local.gguf.reader import Value

WHOLE = """---
license: [mit, apache-2.0]
language:
- en
- no
version: 1.0
tags: [math, 2026]
pipeline_tag: text-generation
base_model:
- Qwen/Qwen2.5-3B
- {name: Mine, version: 2}
model-index: [1, 2]
name:
---
# A model
"""


def card_of(folder: Path, text: str | bytes) -> Card:
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "README.md").write_bytes(content)
    return read_card(folder, None, weights=1000)


def test_a_whole_card(tiny: Path) -> None:
    card = card_of(tiny, WHOLE)
    licenses: object = card.metadata.license  # the gguf package says str, and joins a list
    assert licenses == ["mit", "apache-2.0"]
    assert card.metadata.languages == ["en", "no"]
    assert card.metadata.version == "1.0"
    assert card.metadata.tags == ["math", "2026", "text-generation"]
    assert card.metadata.base_models is not None
    assert card.metadata.base_models[0]["repo_url"] == "https://huggingface.co/Qwen/Qwen2.5-3B"
    assert card.metadata.base_models[1] == {"name": "Mine", "version": "2"}
    assert card.metadata.name == "Tiny"


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        ("Vibe-3B-Chat", "Vibe-3B-Chat"),
        ("Vibe-3B-Chat/sub", "Vibe-3B-Chat/sub/.."),
        ("models--Org--Vibe-3B-Chat/snapshots/" + "0a" * 20, "models--Org--Vibe-3B-Chat/snapshots/" + "0a" * 20),
    ],
)
def test_what_a_model_is_called(folder: str, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / folder).mkdir(parents=True)
    write_json(tmp_path / source / "config.json", {})
    for path in (tmp_path / source, Path()):
        monkeypatch.chdir(tmp_path / source)
        metadata = read_card(path, None, weights=3_000_000_000).metadata
        assert (metadata.name, metadata.basename, metadata.size_label) == ("Vibe 3B Chat", "Vibe", "3B")


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("---\nlicense: mit\nlanguage: [no, en]\n---\n", r"README\.md, line 3: to YAML, no is true or false; taken as"),
        ("---\nlicense: mit\nlanguage: [no, en\n---\n", r"README\.md, line 3: not YAML \(.*left out"),
        ("---\nlicense: mit\n\ttags: x: y\n---\n", r"README\.md, line 3: not YAML"),
        ("---\nlicense: mit\nname: *nowhere\n---\n", r"README\.md, line 3: not YAML"),
        ("---\nlicense: mit\nname: a\0b\n---\n", r"README\.md, line 3: not YAML"),
        ("\n\n---\nlicense: {a: b}\n---\n", r"README\.md, line 4: license is no text"),
        ("---\nbase_model: [[a]]\n---\n", r"README\.md, line 2: an item that is no text"),
        ("---\nname: [a, b]\n---\n", r"README\.md, line 2: name is no text"),
        ("---\n- a\n- b\n---\n", r"README\.md, line 2: front matter without keys"),
        ("---\nlicense: mit\n# A model\n", r"README\.md, line 1: the front matter that begins here has no end"),
        ("---\nlicense: mit\nauthor: José\n---\n".encode("latin-1"), r"README\.md, line 3: an entry that is not UTF-8"),
        ("---\n" + "[" * 50_000 + "\n---\n", r"README\.md, line 2: not YAML \(too long, or nested"),
        ("---\n" + "- " * 50_000 + "\n---\n", r"README\.md, line 2: not YAML \(too long, or nested"),
        ("---\nname: " + "x" * 2_000_000 + "\n---\n", r"README\.md, line 2: not YAML \(too long, or nested"),
    ],
)
def test_a_card_that_cannot_be_understood(text: str | bytes, warning: str, tiny: Path) -> None:
    card = card_of(tiny, text)
    assert len(card.warnings) == 1
    assert card.warnings[0].startswith(str(tiny))
    assert re.search(warning, card.warnings[0])
    assert run_build(tiny.parent / "out.gguf", Request(str(tiny), "Q8_0")).size > 0


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_card_in_other_encodings(encoding: str, line_end: str, tiny: Path) -> None:
    text = line_end.join(["--- ", "author: José", "---  ", "# Über"])
    raw = (b"\xfe\xff" if encoding == "utf-16-be" else b"") + text.encode(encoding)
    card = card_of(tiny, raw)
    assert card.metadata.author == "José"
    assert card.warnings == ()


@pytest.mark.parametrize(
    "text",
    ["", "\n", "# A model", "----\nlicense: mit\n---\n", "---\n---\n", b"---\nlicense: mit\n---\n# \xc3\xbc\xe9 \xff"],
)
def test_cards_with_nothing_to_warn_of(text: str | bytes, tiny: Path) -> None:
    assert card_of(tiny, text).warnings == ()


def test_a_card_that_is_a_folder(tiny: Path) -> None:
    (tiny / "README.md").mkdir()
    (tiny / "generation_config.json").unlink()
    (tiny / "generation_config.json").mkdir()
    warnings = prepare(Request(str(tiny), "Q8_0")).warnings
    assert [warning.partition(": ")[2][:14] for warning in warnings] == ["cannot be read", "cannot be read"]
    assert run_build(tiny.parent / "out.gguf", Request(str(tiny), "Q8_0")).size > 0


def sampling(folder: Path) -> tuple[dict[str, Value], tuple[str, ...]]:
    job = prepare(Request(str(folder), "Q8_0"))
    run_build(folder.parent / "out.gguf", Request(str(folder), "Q8_0"))
    keys = read_gguf(folder.parent / "out.gguf").keys
    return {key[17:]: value for key, value in keys.items() if key.startswith("general.sampling.")}, job.warnings


@pytest.mark.parametrize("value", ['"0.6"', "true", "[0.6]", "{}", "1e300", "NaN", "-Infinity", str(10**400)])
def test_a_temperature_that_is_none(value: str, tiny: Path) -> None:
    (tiny / "generation_config.json").write_text(f'{{\n "top_p": 0.5,\n "temperature": {value}\n}}', encoding="utf-8")
    keys, warnings = sampling(tiny)
    assert keys == {"top_p": 0.5}
    assert len(warnings) == 1
    assert "generation_config.json, line 3: temperature is " in warnings[0]


@pytest.mark.parametrize("value", ["20.5", '"20"', "99999999999", "false"])
def test_a_count_that_is_none(value: str, tiny: Path) -> None:
    (tiny / "generation_config.json").write_text(f'{{"top_k": {value}}}', encoding="utf-8")
    keys, warnings = sampling(tiny)
    assert keys == {}
    assert "generation_config.json, line 1: top_k is " in warnings[0]


def test_values_that_mean_something(tiny: Path) -> None:
    values = {"top_k": 20.0, "temperature": 1, "top_p": None, "repetition_penalty": 1.5, "eos_token_id": [1, 2]}
    (tiny / "generation_config.json").write_text(json.dumps(values), encoding="utf-8")
    assert sampling(tiny) == ({"top_k": 20, "temp": 1.0, "penalty_repeat": 1.5}, ())


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"", 1), (b'{\n"top_p": 1,\n}', 3), (b'{\n"a": "\xe9"}', 2), (b"[1]", 1), (b"null", 1), (b"[" * 100_000, None)],
)
def test_sampling_parameters_that_are_no_json(content: bytes, line: int | None, tiny: Path) -> None:
    (tiny / "generation_config.json").write_bytes(content)
    keys, warnings = sampling(tiny)
    assert keys == {}
    place = f"generation_config.json, line {line}: " if line else "generation_config.json: "
    assert place in warnings[0]


@pytest.mark.parametrize("origin", [7, ["a/b"], {}, "", "/", "a/b/c", "org/Half-\ud800"])
def test_a_model_that_was_loaded_from_somewhere(origin: object, tiny: Path) -> None:
    edit_json(tiny / "config.json", _name_or_path=origin)
    assert run_build(tiny.parent / "out.gguf", Request(str(tiny), "Q8_0")).size > 0
