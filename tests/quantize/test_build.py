"""The file appears whole or not at all, whatever happens; and its bytes depend on the source alone."""

import errno
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import numpy as np
import pytest
from gguf import GGUFReader

from quantize import output, stream, verify
from quantize.build import build
from quantize.config import imagined
from quantize.errors import CheckpointError, MachineError, ModelError, RequestError
from quantize.estimate import VIBETHINKER_3B
from quantize.gguf_file import read_gguf
from quantize.header import SOURCE_SHA256
from quantize.imatrix import Activations, write_imatrix
from quantize.job import Request, prepare
from quantize.output import check_target, partial
from quantize.plan import make_plan
from tests import disk
from tests.quantize.checkpoint import Bits, Shape, random_weights, to_bf16, widened, write_checkpoint, write_safetensors
from tests.quantize.helpers import run_build
from tests.quantize.reference import tensors
from vibethinker_local.errors import VibeError
from vibethinker_local.system import locks

TINY = Shape(num_hidden_layers=1, hidden_size=64, intermediate_size=64, num_attention_heads=2)
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")


def with_weight(folder: Path, name: str, value: float) -> Path:
    weights = random_weights(TINY)
    weights[name].reshape(-1)[-1] = to_bf16(value)
    return write_checkpoint(folder, TINY, weights)


def test_bytes_do_not_depend_on_threads_or_slabs(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_build(tmp_path / "a.gguf", Request(str(small), "Q4_K_M"), threads=1)
    run_build(tmp_path / "b.gguf", Request(str(small), "Q4_K_M"), threads=5)
    monkeypatch.setattr(stream, "SLAB_WEIGHTS", 3000)
    run_build(tmp_path / "c.gguf", Request(str(small), "Q4_K_M"), threads=2)
    assert (
        (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes() == (tmp_path / "c.gguf").read_bytes()
    )


def test_many_threads_take_no_more_memory_than_some() -> None:
    plan = make_plan(VIBETHINKER_3B, imagined(VIBETHINKER_3B), "Q8_0")

    def largest(threads: int) -> int:
        return max(next(stream.slabs(tensor, threads)).weights for tensor in plan.tensors)

    assert largest(1) == largest(16) == 1 << 20
    assert 64 * largest(64) <= 16 * largest(16)


def test_the_fingerprint_is_what_sha256sum_gives(small: Path, tmp_path: Path) -> None:
    built = run_build(tmp_path / "out.gguf", Request(str(small), "Q8_0"))
    names = ["config.json", "generation_config.json"]
    names += [f"model-{i:05d}-of-00003.safetensors" for i in (1, 2, 3)] + ["model.safetensors.index.json"]
    names += ["tokenizer.json", "tokenizer_config.json"]
    lines = [f"{hashlib.sha256((small / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    assert built.source_sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()
    field = GGUFReader(tmp_path / "out.gguf").fields["quantize.source.sha256"]
    assert field.contents() == built.source_sha256
    assert built.size == (tmp_path / "out.gguf").stat().st_size


def test_an_old_file_is_replaced_and_nothing_else_is_left(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out" / "model.gguf"
    out.parent.mkdir()
    out.write_bytes(b"old")
    done = disk.watched(monkeypatch)
    run_build(out, Request(str(tiny), "Q8_0"))
    assert done[0] == "model.gguf"
    assert [path.name for path in out.parent.iterdir()] == ["model.gguf"]
    assert read_gguf(out).keys["general.architecture"] == "qwen2"


@POSIX
def test_a_power_cut_leaves_small_files_whole_or_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = disk.watched(monkeypatch)
    output.write_whole(tmp_path / "recipes.json", b"{}")
    write_imatrix(tmp_path / "imatrix.gguf", Activations("text", 2, 32, {"a": np.ones(4, np.float32)}))
    assert done == ["recipes.json", "folder", "imatrix.gguf", "folder"]


@pytest.mark.parametrize("check", ["check_header", "check_loads"])
def test_a_file_that_fails_its_check_does_not_get_its_name(
    check: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *arguments: object) -> None:
        raise ModelError(f"{path} is not sound")

    monkeypatch.setattr(verify, check, refuse)
    (tmp_path / "out.gguf").write_bytes(b"old")
    with pytest.raises(ModelError, match="is not sound"):
        run_build(tmp_path / "out.gguf", Request(str(tiny), "Q8_0"))
    assert [(path.name, path.read_bytes()) for path in tmp_path.glob("out*")] == [("out.gguf", b"old")]


@pytest.mark.parametrize("file_type", ["BF16", "F16", "Q8_0"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["model.layers.0.mlp.up_proj.weight", "model.norm.weight"])
def test_a_weight_that_is_not_finite(name: str, value: float, file_type: str, tmp_path: Path) -> None:
    folder = with_weight(tmp_path / "checkpoint", name, value)
    out = tmp_path / "model.gguf"
    out.write_bytes(b"old")
    with pytest.raises(CheckpointError, match=f"{name}.*not a finite number"):
        run_build(out, Request(str(folder), file_type))
    assert out.read_bytes() == b"old"
    assert not (tmp_path / "model.gguf.partial").exists()


def test_a_weight_too_large_for_f16(tmp_path: Path) -> None:
    name = "model.layers.0.mlp.up_proj.weight"
    folder = with_weight(tmp_path / "checkpoint", name, -1e5)
    with pytest.raises(CheckpointError, match=rf"{name}.*too large for F16.*blk\.0\.ffn_up\.weight=BF16"):
        run_build(tmp_path / "f16.gguf", Request(str(folder), "F16"))
    run_build(tmp_path / "q8.gguf", Request(str(folder), "Q8_0"))  # its scale is smaller by 127
    run_build(tmp_path / "kept.gguf", Request(str(folder), "F16", tensor_types=(r"blk\.0\.ffn_up\.weight=BF16",)))
    kept = tensors(tmp_path / "kept.gguf")["blk.0.ffn_up.weight"]
    assert kept[0] == "BF16"
    assert widened(np.frombuffer(kept[1], np.uint16))[-1] < -9e4


@pytest.mark.parametrize("dtype", ["F16", "F32"])
def test_other_float_types(dtype: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", TINY)
    floats = {name: widened(bits) for name, bits in random_weights(TINY).items()}
    wide = np.float16 if dtype == "F16" else np.float32
    stored: dict[str, Bits] = {name: values.astype(wide) for name, values in floats.items()}
    write_safetensors(folder / "model.safetensors", stored, dtype)
    run_build(tmp_path / "out.gguf", Request(str(folder), "Q8_0", tensor_types=("ffn_up=F32",)))
    found = tensors(tmp_path / "out.gguf")["blk.0.ffn_up.weight"]
    assert found == ("F32", stored["model.layers.0.mlp.up_proj.weight"].astype(np.float32).tobytes())


def test_the_output_must_not_be_a_source(tiny: Path, tmp_path: Path) -> None:
    before = (tiny / "model.safetensors").read_bytes()
    (tmp_path / "link.gguf").hardlink_to(tiny / "model.safetensors")
    (tmp_path / "x.gguf.partial").hardlink_to(tiny / "config.json")
    for out in (tiny / "model.safetensors", tmp_path / "link.gguf", tmp_path / "x.gguf"):
        with pytest.raises(RequestError, match="choose another output"):
            run_build(out, Request(str(tiny), "Q8_0"))
    assert (tiny / "model.safetensors").read_bytes() == before
    matrix = tmp_path / "imatrix.gguf"
    write_imatrix(matrix, Activations("text", 2, 32, {"blk.0.attn_q.weight": np.ones(64, np.float32)}))
    with pytest.raises(RequestError, match="choose another output"):
        run_build(matrix, Request(str(tiny), "Q8_0", matrix))


def test_the_output_must_be_a_file_in_a_folder(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is a folder"):
        run_build(tmp_path, Request(str(tiny), "Q8_0"))
    with pytest.raises(RequestError, match="there is no folder"):
        run_build(tmp_path / "missing" / "out.gguf", Request(str(tiny), "Q8_0"))
    with pytest.raises(RequestError, match="cannot be a file"):
        run_build(tmp_path / ("a" * 300), Request(str(tiny), "Q8_0"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["out.gguf", "out.gguf.partial"])
def test_the_output_must_not_be_a_device(name: str, tiny: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(RequestError, match="no ordinary file"):
        run_build(tmp_path / "out.gguf", Request(str(tiny), "Q8_0"))
    assert (tmp_path / name).is_fifo()


def test_two_builds_of_one_file(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    with partial(out, needed=1), pytest.raises(RequestError, match="another build is writing"):
        run_build(out, Request(str(tiny), "Q8_0"))
    run_build(out, Request(str(tiny), "Q8_0"))


@POSIX
@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        (errno.ENOLCK, None, ""),
        (errno.EOPNOTSUPP, None, ""),
        (errno.EAGAIN, RequestError, "another build"),
        (errno.EIO, MachineError, "cannot be written"),
    ],
)
def test_file_systems_without_locks(
    code: int, error: type[VibeError] | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(error, match=says) if error else nullcontext():
        output.write_whole(tmp_path / "out", b"content")
    assert (tmp_path / "out").exists() == (error is None)


@POSIX
def test_a_folder_that_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is there then: it must not be said that it could not be written."""

    def refuse(*arguments: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    with partial(tmp_path / "out", needed=1) as file:
        file.write(0, b"content")
        monkeypatch.setattr(os, "open", refuse)
        file.commit()
        monkeypatch.undo()
    assert (tmp_path / "out").read_bytes() == b"content"


def test_a_folder_that_is_not_writable_is_known_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(RequestError, match="nothing can be written into the folder"):
        output.check_target(tmp_path / "out", [])


def test_remains_of_a_killed_build_are_written_over(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "out.gguf.partial").write_bytes(b"x" * 10_000_000)
    run_build(tmp_path / "out.gguf", Request(str(tiny), "Q8_0"))
    run_build(tmp_path / "again.gguf", Request(str(tiny), "Q8_0"))
    assert (tmp_path / "out.gguf").read_bytes() == (tmp_path / "again.gguf").read_bytes()


def test_a_build_that_ends_while_another_begins_is_not_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.gguf"
    take = locks.take

    def ends_now(file: BinaryIO) -> bool:
        monkeypatch.setattr(locks, "take", take)
        first.write(0, b"finished")
        first.commit()
        return take(file)

    with partial(out, needed=8) as first:
        monkeypatch.setattr(locks, "take", ends_now)
        with pytest.raises(RequestError, match="another build is writing"), partial(out, needed=8):
            pass
    assert out.read_bytes() == b"finished"


def test_remains_of_a_killed_build_count_as_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remains = tmp_path / "out.gguf.partial"
    remains.write_bytes(b"x" * 800)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000 - remains.stat().st_size))
    with partial(tmp_path / "out.gguf", needed=900) as file:
        file.write(0, b"y" * 900)
        file.commit()
    assert (tmp_path / "out.gguf").stat().st_size == 900


@POSIX
@pytest.mark.parametrize("there", [True, False])
def test_what_a_link_leads_to_is_written(there: bool, tmp_path: Path) -> None:
    """As cp does: it may lead to a disk with more room."""
    (tmp_path / "disk").mkdir()
    target, link = tmp_path / "disk" / "real.gguf", tmp_path / "out.gguf"
    if there:
        target.write_bytes(b"old")
    link.symlink_to(target)
    check_target(link, [])
    with partial(link, needed=3) as file:
        assert file.path == tmp_path / "disk" / "real.gguf.partial"
        file.write(0, b"new")
        file.commit()
    assert (link.readlink(), target.read_bytes()) == (target, b"new")
    (tmp_path / "nowhere.gguf").symlink_to(tmp_path / "gone" / "real.gguf")
    with pytest.raises(RequestError, match=r"there is no folder .*gone"):
        check_target(tmp_path / "nowhere.gguf", [])


def test_a_name_of_zeros_is_not_the_sources_hash(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    run_build(out, Request(str(tiny), "Q8_0", name="0" * 64))
    keys = read_gguf(out).keys
    assert keys["general.name"] == "0" * 64
    assert keys[SOURCE_SHA256] != "0" * 64


def test_too_little_space_is_known_before_writing(tiny: Path, tmp_path: Path) -> None:
    job = prepare(Request(str(tiny), "Q8_0"))
    with pytest.raises(MachineError, match="GB are free"), partial(tmp_path / "out.gguf", needed=2**62):
        pass
    assert not (tmp_path / "out.gguf.partial").exists()
    assert job.plan.data_size > 0


def test_a_closed_build_leaves_nothing(small: Path, tmp_path: Path) -> None:
    events = build(prepare(Request(str(small), "IQ4_XS")), tmp_path / "out.gguf", threads=1)
    next(events)
    assert (tmp_path / "out.gguf.partial").exists()
    events.close()
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_change_on_the_disk_are_noticed(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    events = build(prepare(Request(str(tiny), "Q8_0")), out, threads=1)
    for event in events:
        if event.stage == "checking":
            break
    with (tmp_path / "out.gguf.partial").open("r+b") as file:
        file.seek(-100, 2)
        byte = file.read(1)[0]
        file.seek(-100, 2)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(MachineError, match="does not read back"):
        for _ in events:
            pass
    assert list(tmp_path.glob("out*")) == []


def test_a_source_that_shrinks_meanwhile(tiny: Path, tmp_path: Path) -> None:
    job = prepare(Request(str(tiny), "Q8_0"))
    shard = tiny / "model.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="became shorter"):
        for _ in build(job, tmp_path / "out.gguf", threads=2):
            pass
    assert list(tmp_path.glob("out*")) == []


def command(folder: Path, out: Path, *options: str) -> list[str]:
    return [sys.executable, "-P", "-m", "quantize", "build", str(folder), "-o", str(out), *options]


@POSIX
def test_a_full_disk(small: Path, tmp_path: Path) -> None:
    import resource

    out = tmp_path / "out.gguf"
    out.write_bytes(b"old")
    job = prepare(Request(str(small), "Q8_0"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (job.plan.data_size // 2, hard))
    try:
        with pytest.raises(MachineError, match=r"cannot be written.*free some space"):
            for _ in build(job, out, threads=2):
                pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert out.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.gguf"]


@pytest.fixture(scope="module")
def lengthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some seconds of work for one thread."""
    shape = Shape(num_hidden_layers=4, hidden_size=1024, intermediate_size=2048)
    return write_checkpoint(tmp_path_factory.mktemp("lengthy"), shape)


def start(folder: Path, out: Path) -> subprocess.Popen[str]:
    arguments = command(folder, out, "--type", "IQ4_XS", "--threads", "1")
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for(path: Path, size: int) -> None:
    deadline = time.monotonic() + 30
    while not (path.exists() and path.stat().st_size > size):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@POSIX
@pytest.mark.parametrize(
    "name", ["SIGINT", pytest.param("SIGTERM", marks=pytest.mark.slow), pytest.param("SIGHUP", marks=pytest.mark.slow)]
)
def test_ctrl_c_stops_within_a_second(name: str, lengthy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.gguf"
    out.write_bytes(b"old")
    process = start(lengthy, out)
    wait_for(tmp_path / "out.gguf.partial", 1_000_000)
    time.sleep(0.5)
    begin = time.monotonic()
    process.send_signal(getattr(signal, name))
    stdout, stderr = process.communicate(timeout=30)
    assert time.monotonic() - begin < 4  # a quarter of a second on a quiet machine
    assert process.returncode == 130
    assert (stdout, stderr) == ("", "stopped; nothing is left half-finished\n")
    assert out.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.gguf"]


def kill_at_random(folder: Path, tmp_path: Path, times: int, longest: float) -> int:
    """Returns how often the kill came before the end."""
    rng = random.Random(0)
    out = tmp_path / "out.gguf"
    killed = 0
    for _ in range(times):
        old = out.read_bytes() if out.exists() else b""
        process = start(folder, out)
        time.sleep(rng.uniform(0, longest))
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        if out.exists() and out.read_bytes() != old:
            assert read_gguf(out).tensors  # complete, or it would not have its name
    return killed


@POSIX
def test_kill(small: Path, tmp_path: Path) -> None:
    assert kill_at_random(small, tmp_path, times=2, longest=1.0) > 0
    run_build(tmp_path / "out.gguf", Request(str(small), "IQ4_XS"))


@POSIX
@pytest.mark.slow
def test_kill_often(lengthy: Path, tmp_path: Path) -> None:
    assert kill_at_random(lengthy, tmp_path, times=20, longest=8.0) > 5
    run_build(tmp_path / "fresh.gguf", Request(str(lengthy), "IQ4_XS"))
    run_build(tmp_path / "out.gguf", Request(str(lengthy), "IQ4_XS"))
    assert (tmp_path / "out.gguf").read_bytes() == (tmp_path / "fresh.gguf").read_bytes()
    assert not (tmp_path / "out.gguf.partial").exists()
