"""Importance matrices that are computed here, against plain numpy; and how computing ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from gguf import GGUFReader

from quantize.activations import collect
from quantize.errors import ModelError
from quantize.imatrix import read_imatrix, write_imatrix
from quantize.job import Request
from quantize.text import Cut, cut, read_text
from tests import checkpoints
from tests.quantize.checkpoint import Shape, random_weights, write_checkpoint
from tests.quantize.forward import forward
from tests.quantize.helpers import run, run_build
from tests.quantize.reference import tensors
from vibethinker_local.llama.observed import Stopped, Watch, context, load

INTO = Cut(200, limit=3)  # more than one call's worth of tokens each


@pytest.fixture(scope="module")
def computed(exact: Path, prose: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("imatrix") / "i.gguf"
    write_imatrix(out, run(collect(exact, read_text(prose), INTO, threads=1)))
    return out


def chunks(exact: Path, prose: Path) -> list[list[int]]:
    with load(exact, threading.Event()) as model:
        return cut(read_text(prose).tokens(model), INTO, model.bos)


def test_the_mean_squares_are_numpys(exact: Path, prose: Path, computed: Path) -> None:
    passes = [forward(random_weights(Shape()), Shape(), chunk) for chunk in chunks(exact, prose)]
    imatrix = read_imatrix(computed)
    assert imatrix.importance.keys() == passes[0].inputs.keys()
    assert len(imatrix.importance) == 7 * Shape().num_hidden_layers
    for name, mean in imatrix.importance.items():
        expected = np.concatenate([made.inputs[name] for made in passes]) ** 2
        assert np.allclose(mean, expected.mean(axis=0), rtol=1e-3), name


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_only_models_whose_graph_is_known(architecture: str, prose: Path, tmp_path: Path) -> None:
    model = checkpoints.write(tmp_path / "x.gguf", architecture)
    with pytest.raises(ModelError, match=f"of the kind {architecture}: importance matrices are of Qwen2"):
        run(collect(model, read_text(prose), INTO, threads=1))


def test_the_form_is_llama_imatrixs(computed: Path, prose: Path) -> None:
    """Keys and their order, and the tensors' names, order and shapes, as tools/imatrix/imatrix.cpp writes them."""
    reader = GGUFReader(computed)
    keys = {key: field.contents() for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    assert list(keys.items()) == [
        ("general.type", "imatrix"),
        ("imatrix.datasets", [prose.name]),
        ("imatrix.chunk_count", 3),
        ("imatrix.chunk_size", 200),
    ]
    names = [tensor.name for tensor in reader.tensors]
    assert names[:4] == [
        "blk.0.attn_k.weight.in_sum2",
        "blk.0.attn_k.weight.counts",
        "blk.0.attn_output.weight.in_sum2",
        "blk.0.attn_output.weight.counts",
    ]
    assert names[::2] == sorted(names[::2])
    assert {tuple(t.shape) for t in reader.tensors} == {(256,), (1,)}
    assert {float(t.data[0]) for t in reader.tensors if t.name.endswith(".counts")} == {600.0}


def test_it_is_reproducible_and_of_use(small: Path, exact: Path, prose: Path, computed: Path, tmp_path: Path) -> None:
    write_imatrix(tmp_path / "again.gguf", run(collect(exact, read_text(prose), INTO, threads=1)))
    assert (tmp_path / "again.gguf").read_bytes() == computed.read_bytes()
    run_build(tmp_path / "with.gguf", Request(str(small), "Q4_K_M", imatrix=computed))
    run_build(tmp_path / "without.gguf", Request(str(small), "Q4_K_M"))
    assert tensors(tmp_path / "with.gguf") != tensors(tmp_path / "without.gguf")


def test_a_separate_output_matrix_has_no_entry(tmp_path: Path, prose: Path) -> None:
    shape = Shape(num_hidden_layers=1, tie_word_embeddings=False)
    run_build(tmp_path / "m.gguf", Request(str(write_checkpoint(tmp_path / "c", shape)), "Q8_0"))
    sums = run(collect(tmp_path / "m.gguf", read_text(prose), Cut(64), threads=1)).sums
    assert len(sums) == 7
    assert all(name.startswith("blk.0.") for name in sums)


def test_numbers_that_are_not_finite(tmp_path: Path, prose: Path) -> None:
    shape = Shape(num_hidden_layers=1)
    folder = write_checkpoint(tmp_path / "c", shape)
    run_build(tmp_path / "sound.gguf", Request(str(folder), "BF16"))
    found = GGUFReader(tmp_path / "sound.gguf").tensors
    norm = next(tensor for tensor in found if tensor.name == "blk.0.ffn_norm.weight")
    spoiled = bytearray((tmp_path / "sound.gguf").read_bytes())
    spoiled[norm.data_offset : norm.data_offset + 4] = np.float32(np.inf).tobytes()
    (tmp_path / "spoiled.gguf").write_bytes(spoiled)
    with pytest.raises(ModelError, match="not finite at ffn_norm-0"):
        run(collect(tmp_path / "spoiled.gguf", read_text(prose), Cut(64), threads=1))


def test_what_is_no_model(computed: Path, prose: Path) -> None:
    with pytest.raises(ModelError, match="holds an importance matrix"):
        run(collect(computed, read_text(prose), INTO, threads=1))


def test_an_error_in_the_callback_reaches_the_caller(exact: Path) -> None:
    def see(name: bytes, values: object) -> bool:
        raise ZeroDivisionError(name.decode())

    stop = threading.Event()
    watch = Watch(frozenset({b"ffn_norm-3"}), see)
    with (
        load(exact, stop) as model,
        context(model, 64, 1, stop, watch) as made,
        pytest.raises(ZeroDivisionError, match="ffn_norm-3"),
    ):
        made.decode([1, 2, 3], 0, outputs=True)


def test_work_that_is_asked_to_stop(exact: Path) -> None:
    stop = threading.Event()
    with load(exact, stop) as model, context(model, 64, 1, stop) as made:
        stop.set()
        with pytest.raises(Stopped):
            made.decode([1, 2, 3], 0, outputs=True)
    with pytest.raises(Stopped), load(exact, stop):
        pass


@pytest.fixture(scope="module")
def lengthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with minutes of text to read."""
    folder = tmp_path_factory.mktemp("lengthy")
    shape = Shape(num_hidden_layers=4, hidden_size=768, intermediate_size=4096)
    run_build(folder / "m.gguf", Request(str(write_checkpoint(folder / "c", shape)), "BF16"))
    (folder / "text.txt").write_text("So it goes on and on. " * 100_000)
    return folder


def wait_for_worker(process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while psutil.Process(process.pid).num_threads() < 2:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("verb", ["imatrix", pytest.param("eval", marks=pytest.mark.slow)])
def test_ctrl_c_stops_within_a_second(verb: str, lengthy: Path, tmp_path: Path) -> None:
    out, scratch = tmp_path / "out.gguf", tmp_path / "scratch"
    out.write_bytes(b"old")
    scratch.mkdir()
    rest = ["-o", str(out)] if verb == "imatrix" else [str(lengthy / "m.gguf")]
    command = [sys.executable, "-P", "-m", "quantize", verb, str(lengthy / "m.gguf"), *rest, "--threads", "1"]
    process = subprocess.Popen(
        [*command, "--text", str(lengthy / "text.txt"), "--chunks", "1000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(scratch), "OPENBLAS_NUM_THREADS": "1"},
    )
    wait_for_worker(process)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert time.monotonic() - begin < 4  # a quarter of a second on a quiet machine
    assert (process.returncode, stdout, stderr) == (130, "", "stopped; nothing is left half-finished\n")
    assert out.read_bytes() == b"old"
    assert not (tmp_path / "out.gguf.partial").exists()
    assert list(scratch.iterdir()) == []
