from pathlib import Path

import pytest

from quantize.job import Request
from tests.quantize.checkpoint import CORPUS, Shape, random_weights, write_checkpoint
from tests.quantize.helpers import run_build


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of eight layers that allows every type. Tests must not change it."""
    return write_checkpoint(tmp_path_factory.mktemp("small"), Shape(), shards=3)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A checkpoint of one layer, in one file, to be spoiled."""
    shape = Shape(num_hidden_layers=1, hidden_size=64, intermediate_size=64, num_attention_heads=2)
    return write_checkpoint(tmp_path / "tiny", shape)


@pytest.fixture(scope="session")
def base(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`small` as it is, in BF16: what llama-quantize would be given."""
    out = tmp_path_factory.mktemp("base") / "base.gguf"
    run_build(out, Request(str(small), "BF16"))
    return out


@pytest.fixture(scope="session")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`small` in F32, so that llama.cpp rounds nothing but its KV cache."""
    folder = tmp_path_factory.mktemp("exact")
    return write_exact(folder, seed=0)


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `exact`, with other weights."""
    return write_exact(tmp_path_factory.mktemp("other"), seed=1)


def write_exact(folder: Path, seed: int) -> Path:
    write_checkpoint(folder / "checkpoint", Shape(), random_weights(Shape(), seed))
    run_build(folder / "exact.gguf", Request(str(folder / "checkpoint"), "BF16", tensor_types=(".=F32",)))
    return folder / "exact.gguf"


@pytest.fixture(scope="session")
def prose(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About a thousand tokens of text."""
    path = tmp_path_factory.mktemp("prose") / "prose.txt"
    path.write_text("".join(f"{i}. {CORPUS[i * i % 3]}" for i in range(80)), encoding="utf-8")
    return path
