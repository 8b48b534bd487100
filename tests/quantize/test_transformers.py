"""Checkpoints as transformers saves them, both major versions: files that it wrote, and (slow) fresh ones."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from quantize.gguf_file import read_gguf
from quantize.job import Request
from tests.quantize import transformers_checkpoint
from tests.quantize.checkpoint import random_bits, write_safetensors
from tests.quantize.helpers import run_build
from tests.quantize.reference import LlamaTokenizer
from vibethinker_local.gguf.reader import Value

SAVED = Path(__file__).parent / "saved_by_transformers"
FOLDERS = sorted(path.name for path in SAVED.iterdir())
TEXTS = [
    "the 12 words in the world",
    "<|im_start|>user\nSay <think>the</think> now!<|im_end|>\n",
    "Don't  stop\r\n\n\té 你好 🙂 1234",
    "",
]


def with_weights(saved: Path, folder: Path) -> Path:
    shutil.copytree(saved, folder)
    weights = {name: random_bits(shape) for name, shape in transformers_checkpoint.shapes(vocab_size=271)}
    write_safetensors(folder / "model.safetensors", weights)
    return folder


def built(folder: Path) -> tuple[Path, dict[str, Value]]:
    out = folder.parent / f"{folder.name}.gguf"
    run_build(out, Request(str(folder), "Q8_0"))
    return out, read_gguf(out).keys


def check(folder: Path) -> dict[str, Value]:
    """Build, and compare the tokens of some texts with those of the `tokenizers` library."""
    out, keys = built(folder)
    if (folder / "tokenizer.json").exists():
        theirs, ours = Tokenizer.from_file(str(folder / "tokenizer.json")), LlamaTokenizer(out)
        assert [ours.encode(text) for text in TEXTS] == [theirs.encode(text).ids for text in TEXTS]
        ours.close()
    tokens = keys["tokenizer.ggml.tokens"]
    assert isinstance(tokens, list)
    roles = {role: tokens[int(str(keys[f"tokenizer.ggml.{role}_token_id"]))] for role in ("eos", "bos", "padding")}
    assert roles == {"eos": "<|im_end|>", "bos": "<|endoftext|>", "padding": "<|endoftext|>"}
    assert keys["tokenizer.chat_template"] == transformers_checkpoint.TEMPLATE
    assert keys["general.sampling.top_k"] == 20
    return keys


@pytest.mark.parametrize("name", FOLDERS)
def test_what_transformers_saved(name: str, tmp_path: Path) -> None:
    check(with_weights(SAVED / name, tmp_path / "model"))


def test_all_forms_give_the_same_vocabulary(tmp_path: Path) -> None:
    made = [built(with_weights(SAVED / name, tmp_path / name))[1] for name in FOLDERS]
    names = {key for keys in made for key in keys if key.startswith(("tokenizer.", "qwen2."))}
    assert len(FOLDERS) == 3
    assert all(keys.get(name) == made[0].get(name) for keys in made for name in names)


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--slow-tokenizer"]], ids=["fast", "slow"])
@pytest.mark.parametrize("version", ["4.57.6", "5.24.0"])
def test_what_transformers_saves(version: str, options: list[str], tmp_path: Path) -> None:
    """Fetches that version into an environment of its own; needs uv, and a package index or uv's cache."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    wanted = [f"--with={package}" for package in (f"transformers=={version}", "safetensors", "jinja2", "numpy")]
    script, folder = transformers_checkpoint.__file__, tmp_path / "model"
    command = [uv, "run", "--no-project", "--python=3.11", *wanted, "python", script, str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0 and ("No solution found" in done.stderr or "Failed to fetch" in done.stderr):
        pytest.skip(f"transformers {version} cannot be fetched")
    assert done.returncode == 0, done.stderr
    check(folder)
