"""Seeded corruptions of what is read of a checkpoint or a model file: one sentence or a build, and never a traceback.

Twelve of each kind by default, 300 with `-m slow`.
"""

import json
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quantize.gguf_file import read_gguf
from quantize.job import Request, prepare
from quantize.source import read_shard
from quantize.verify import check_keys
from tests.quantize.checkpoint import Shape, write_checkpoint
from tests.quantize.helpers import run_build
from vibethinker_local.errors import VibeError
from vibethinker_local.gguf import header

Corruption = Callable[[bytes, random.Random], bytes]
CARD = "---\nlicense: mit\nlanguage:\n- en\nbase_model: Qwen/Qwen2.5-3B\ntags: [math]\nauthor: José\n---\n# A model\n"
LONGEST = 10.0  # seconds
NUMBERS = (b"-1", b"0", b"1e400", b"NaN", b"18446744073709551616", b"9" * 5000, b"null", b'""', b"[]", b"{}", b"true")
SEEDS = [pytest.param(range(12), id="12"), pytest.param(range(12, 300), id="300", marks=pytest.mark.slow)]


def change_bytes(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(len(changed))] = rng.choice((0, 0xFF, 0x7F, rng.randrange(256)))
    return bytes(changed)


def cut_off(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def insert(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + rng.randbytes(rng.choice((1, 7, 64))) + content[at:]


def repeat(content: bytes, rng: random.Random) -> bytes:
    begin, end = sorted(rng.randrange(len(content)) for _ in range(2))
    return content[:end] + content[begin:end] + content[end:]


def swap_value(content: bytes, rng: random.Random) -> bytes:
    """Another JSON value in the place of one: what stays JSON gets further in than what does not."""
    try:
        value = json.loads(content)
    except ValueError:
        return change_bytes(content, rng)
    places: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        node = waiting.pop()
        members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, member in members:
            places.append((node, key))
            waiting.append(member)
    node, key = rng.choice(places)
    node[key] = "\x00swap"
    return json.dumps(value).encode().replace(b'"\\u0000swap"', rng.choice(NUMBERS), 1)


RAW: tuple[Corruption, ...] = (change_bytes, cut_off, insert, repeat)


def outcomes(seeds: range, ways: tuple[Corruption, ...], content: bytes, attempt: Callable[[bytes], None]) -> set[str]:
    """What came of it: `used`, or the class of the error that was said."""
    found: set[str] = set()
    for seed in seeds:
        rng = random.Random(seed)
        corrupted = rng.choice(ways)(content, rng)
        begin = time.monotonic()
        try:
            attempt(corrupted)
            found.add("used")
        except VibeError as error:
            found.add(type(error).__name__)
            said = str(error)
        else:
            said = "nothing"
        assert 0 < len(said) < 2000, f"seed {seed}"
        assert time.monotonic() - begin < LONGEST, f"seed {seed}"
    return found


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shape = Shape(num_hidden_layers=1, hidden_size=64, intermediate_size=64, num_attention_heads=2)
    return write_checkpoint(tmp_path_factory.mktemp("sound") / "tiny", shape)


@pytest.mark.parametrize("seeds", SEEDS)
def test_safetensors_headers(seeds: range, checkpoint: Path, tmp_path: Path) -> None:
    content = (checkpoint / "model.safetensors").read_bytes()
    length = 8 + int.from_bytes(content[:8], "little")
    path = tmp_path / "model.safetensors"

    def attempt(header: bytes) -> None:
        path.write_bytes(header + content[length:])
        tensors = read_shard(path)
        assert all(0 <= tensor.offset <= path.stat().st_size - tensor.size for tensor in tensors)

    def inside(header: bytes, rng: random.Random) -> bytes:
        raw = swap_value(header[8:], rng)
        return len(raw).to_bytes(8, "little") + raw

    assert "CheckpointError" in outcomes(seeds, (*RAW, inside, inside), content[:length], attempt)


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize(
    "name", ["tokenizer.json", "config.json", "tokenizer_config.json", "generation_config.json", "README.md"]
)
def test_texts_beside_the_weights(name: str, seeds: range, checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(checkpoint, folder)
    card = (
        "---\nlicense: mit\nlanguage:\n- en\nbase_model: Qwen/Qwen2.5-3B\ntags: [math]\nauthor: José\n---\n# A model\n"
    )
    (folder / "README.md").write_text(card, encoding="utf-8")
    content = (folder / name).read_bytes()

    def attempt(corrupted: bytes) -> None:
        (folder / name).write_bytes(corrupted)
        run_build(tmp_path / "out.gguf", Request(str(folder), "Q8_0"), threads=1)

    found = outcomes(seeds, (*RAW, swap_value, swap_value), content, attempt)
    assert found <= {"used", "CheckpointError"}
    if name in ("generation_config.json", "README.md"):
        assert found == {"used"}  # decoration never stops a build


@pytest.mark.parametrize("seeds", SEEDS)
def test_gguf_headers(seeds: range, checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    run_build(path, Request(str(checkpoint), "Q8_0"))
    content, data = path.read_bytes(), read_gguf(path).data

    def by_the_quantizer(corrupted: bytes) -> None:
        path.write_bytes(corrupted + content[data:])
        check_keys(read_gguf(path))

    def by_the_app(corrupted: bytes) -> None:
        path.write_bytes(corrupted + content[data:])
        shape = header.read(path)
        assert shape.width % shape.heads == 0

    assert "ModelError" in outcomes(seeds, RAW, content[:data], by_the_quantizer)
    assert "ModelError" in outcomes(seeds, RAW, content[:data], by_the_app)


def test_a_sound_checkpoint_is_used(checkpoint: Path) -> None:
    assert prepare(Request(str(checkpoint), "Q8_0")).warnings == ()
