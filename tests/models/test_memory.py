"""The plan is never over the limit, never worse for more memory, and agrees with what llama.cpp then takes."""

import logging
import os
import re
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import gguf_files
from tests.command import vibe
from tests.engine.helpers import run
from vibethinker_local.cli import doctor
from vibethinker_local.engine import SamplingParams
from vibethinker_local.engine.process import EngineProcess
from vibethinker_local.errors import ModelError
from vibethinker_local.events import CacheType, Options
from vibethinker_local.gguf import header as gguf_header
from vibethinker_local.gguf.header import Header
from vibethinker_local.llama.attention import BLOCK, whole_blocks
from vibethinker_local.llama.backend import LlamaBackend
from vibethinker_local.models import installed, memory
from vibethinker_local.runtime.model import load
from vibethinker_local.system import machine, paths
from vibethinker_local.system.machine import Room

Q4_K_M = Header(36, 2048, 11008, 16, 2, 151_936, 131_072, 1_923_946_496)  # VibeThinker-3B
GIB = 2**30

headers = st.builds(
    lambda layers, heads, width, ffn, vocabulary, trained, weights: Header(
        layers, heads * width, ffn, heads, max(1, heads // 8), vocabulary, trained, weights
    ),
    layers=st.integers(1, 64),
    heads=st.sampled_from([2, 8, 16, 32]),
    width=st.sampled_from([32, 64, 128]),
    ffn=st.integers(256, 20_000),
    vocabulary=st.integers(300, 160_000),
    trained=st.integers(512, 262_144),
    weights=st.integers(10**6, 10 * 10**9),
)
sizes = st.integers(0, 64 * GIB)
asked = st.fixed_dictionaries(
    {"sequences": st.integers(1, 64), "cache": st.sampled_from(["f16", "q8_0"]), "threads": st.integers(1, 64)},
    optional={"context": st.integers(64, 65_536)},
)


def planned(header: Header, room: Room, **options: object) -> memory.MemoryPlan | None:
    try:
        return memory.plan(header, room, **options)  # type: ignore[arg-type]
    except ModelError:
        return None


@given(headers, sizes, st.none() | sizes, asked)
def test_a_plan_is_never_over_a_limit(
    header: Header, size: int, addresses: int | None, options: dict[str, int]
) -> None:
    plan = planned(header, Room(size, "this machine", addresses), **options)
    if plan is None:
        return
    assert 1 <= plan.sequences <= options["sequences"]
    each = whole_blocks(plan.context)
    assert plan.first <= each <= plan.cells <= each * plan.sequences
    assert plan.first * plan.sequences <= plan.cells
    threads = options["threads"]
    needed = memory.need(header, plan.cells, plan.sequences, plan.cache, context=each, threads=threads)
    assert replace(plan.need, copy=0) == needed
    assert bool(plan.need.copy) == (plan.first < each)
    assert plan.need.total <= size
    assert addresses is None or plan.need.addresses <= addresses
    if "context" in options:
        assert plan.context == options["context"]
    else:
        assert min(8192, header.trained_context) <= plan.context <= min(32768, header.trained_context)


@given(headers, sizes, sizes, asked)
def test_more_memory_is_never_worse(header: Header, size: int, more: int, options: dict[str, int]) -> None:
    small = planned(header, Room(size, "this machine"), **options)
    large = planned(header, Room(size + more, "this machine"), **options)
    if small:
        assert large
        assert (large.sequences, large.context) >= (small.sequences, small.context)


@given(headers, sizes, asked)
def test_it_takes_what_there_is(header: Header, size: int, options: dict[str, int]) -> None:
    """One step more of context, or one Sequence more, would not have fitted."""
    room = Room(size, "this machine")
    plan = planned(header, room, **options)
    least = options.get("context", min(8192, header.trained_context))
    if plan is None:
        assert not memory.need(header, least, 1, options["cache"]).fits(room)  # type: ignore[arg-type]
        return

    def fits(context: int, count: int, cells: int) -> bool:
        each = whole_blocks(context)
        cells = max(cells, each, count * BLOCK)
        return memory.need(header, cells, count, plan.cache, context=each, grows=True).fits(room)

    if plan.sequences < options["sequences"]:
        assert not fits(least, plan.sequences + 1, 0)
    if plan.context < min(32768, header.trained_context) and "context" not in options:
        assert not fits(plan.context + 1024, plan.sequences, 0)
    if plan.first < whole_blocks(plan.context) and plan.cells < plan.sequences * whole_blocks(plan.context):
        assert not fits(plan.context, plan.sequences, plan.cells + 1024)


def test_the_3b_on_common_machines() -> None:
    def contexts(gib: float, sequences: int, **options: object) -> tuple[int, int] | None:
        plan = planned(Q4_K_M, Room(int(gib * GIB), "this machine"), sequences=sequences, **options)
        return (plan.context, plan.sequences) if plan else None

    assert contexts(16, 1) == (32768, 1)
    assert contexts(16, 8) == (32768, 8)
    assert contexts(6, 8) == (32768, 8)
    assert contexts(6, 8, cache="q8_0") == (32768, 8)
    assert contexts(4, 8) == (28672, 8)
    assert contexts(3, 1) == (18432, 1)
    assert contexts(3, 1, context=65536) is None
    assert contexts(6, 1, context=65536) == (65536, 1)
    assert contexts(2, 1) is None


def test_fewer_run_as_they_grow_where_memory_is_short() -> None:
    def layout(gib: float, sequences: int = 8) -> tuple[int, int, int]:
        plan = planned(Q4_K_M, Room(int(gib * GIB), "this machine"), sequences=sequences)
        assert plan
        assert (plan.context, plan.sequences) == (32768, sequences)
        return plan.first, plan.cells, plan.cells // 32768

    assert layout(24) == (2048, 8 * 32768, 8)
    assert layout(24, 16)[2] == 11
    assert layout(16) == (2048, 237568, 7)
    assert layout(8, 16)[2] == 2
    growing = memory.need(Q4_K_M, 8 * 32768, 8, grows=True)
    assert growing.total - memory.need(Q4_K_M, 8 * 32768, 8).total == growing.kv_cache // 2


def test_reasons_are_sentences() -> None:
    def reason(gib: float, **options: object) -> str:
        plan = planned(Q4_K_M, Room(int(gib * GIB), "this machine"), **options)
        assert plan
        return plan.reason

    assert reason(16, sequences=1) == ("32,768 tokens of context fit into the 16.0 GiB of memory that is free.")
    assert reason(3, sequences=1) == (
        "18,432 tokens of context: 32,768 do not fit into the 3.0 GiB of memory that is free."
    )
    assert reason(4, sequences=8) == (
        "28,672 tokens of context for each of 8 Sequences (1 at a time if all fill it): "
        "32,768 do not fit into the 4.0 GiB of memory that is free."
    )
    assert reason(8, sequences=2, context=65536) == (
        "65,536 tokens of context for each of 2 Sequences (1 at a time if all fill it) fit into the 8.0 GiB of "
        "memory that is free."
    )


def test_a_refusal_says_what_is_short_and_what_to_do() -> None:
    with pytest.raises(ModelError) as refusal:
        memory.plan(Q4_K_M, Room(2 * GIB, "this container"), sequences=8)
    assert str(refusal.value) == (
        "The model does not fit into memory: for a context of 8,192 tokens it needs 2.3 GiB (weights 1.8 GiB, "
        "KV cache 288 MiB, the rest 214 MiB), and may fill 90% of the 2.0 GiB of memory that is free in this "
        "container. Use a smaller quant, a shorter context (--ctx), or --kv q8_0."
    )


def test_kv_cache_of_the_3b() -> None:
    assert memory.need(Q4_K_M, 1024, 1).kv_cache == 1024 * 36 * 1024
    assert memory.need(Q4_K_M, 1024, 1, "q8_0").kv_cache == 1024 * 36 * 1024 * 34 // 64


# Compute and output buffers in MiB, as llama.cpp 0.3.36 logs them for a model of the 3B's shape.
@pytest.mark.parametrize(
    ("cells", "sequences", "cache", "logged"),
    [
        (2048, 1, "f16", 45.1),
        (8192, 1, "f16", 37.2),
        (32768, 1, "f16", 139.2),
        (32768, 4, "f16", 39.0),
        (131072, 2, "f16", 275.8),
        (32768, 8, "f16", 43.9),
        (32768, 64, "f16", 77.2),
        (65536, 16, "q8_0", 89.9),
        (131072, 4, "f16", 140.9),
    ],
)
def test_compute_buffer_of_the_3b(cells: int, sequences: int, cache: CacheType, logged: float) -> None:
    estimate = memory.need(Q4_K_M, cells, sequences, cache).compute
    assert logged <= estimate / 2**20 <= 1.1 * logged + 11  # 11 MiB that llama.cpp takes without logging them


@pytest.mark.parametrize("cells", [512, 2048, 16384])
@pytest.mark.parametrize("sequences", [1, 16, 80])
@pytest.mark.parametrize(
    "shape",
    [
        None,
        {"width": 256, "feed_forward": 1024, "heads": 4, "kv_heads": 2},
        {"width": 512, "feed_forward": 1408, "heads": 8, "kv_heads": 8},
    ],
    ids=["mini", "wider", "without shared KV heads"],
)
def test_agrees_with_what_llama_cpp_takes(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    shape: dict[str, int] | None,
    cells: int,
    sequences: int,
) -> None:
    path = gguf_files.shaped(tmp_path / "model.gguf", **shape) if shape else paths.MINI
    with caplog.at_level(logging.DEBUG, "vibethinker_local.llama"):
        LlamaBackend(path, cells=cells, places=sequences, threads=1).close()
    sizes = dict.fromkeys(("model", "KV", "compute", "output"), 0.0)
    for line in caplog.messages:
        if found := re.search(r" (model|KV|compute|output) buffer size = +([\d.]+) MiB", line):
            sizes[found[1]] += float(found[2])
    header = gguf_header.read(path)
    need = memory.need(header, cells, sequences)
    assert need.weights / 2**20 == pytest.approx(sizes["model"], rel=0.1)
    assert need.kv_cache / 2**20 == pytest.approx(sizes["KV"], abs=0.01)
    assert need.compute / 2**20 == pytest.approx(sizes["compute"] + sizes["output"], rel=0.1, abs=0.05)


@pytest.mark.parametrize("key", ["expert_count", "rope.scaling.type"])
def test_a_header_that_would_end_llama_cpp(key: str, tmp_path: Path) -> None:
    path = gguf_files.variant(tmp_path / "model.gguf", {f"qwen2.{key}": 9})
    with pytest.raises(ModelError, match=rf"damaged \(qwen2\.{key} is 9"):
        gguf_header.read(path)


def test_address_space_may_be_what_is_short() -> None:
    room = Room(16 * GIB, "this machine", 4 * GIB)
    with pytest.raises(ModelError, match=r"address space.* \(ulimit -v\).*smaller quant"):
        memory.plan(replace(Q4_K_M, weights=3_279_519_744), room, sequences=1)
    assert memory.plan(Q4_K_M, replace(room, address_space=6 * GIB), sequences=1).context == 32768
    plan = memory.plan(Q4_K_M, replace(room, address_space=5 * GIB), sequences=8)
    assert plan.reason == (
        f"{plan.context:,} tokens of context for each of 8 Sequences (1 at a time if all fill it): "
        "32,768 do not fit into the 5.0 GiB of address space that a process may have (ulimit -v)."
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))


@pytest.mark.usefixtures("home")
def test_fewer_sequences_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    header = gguf_header.read(paths.MINI)
    least = memory.need(header, 3 * 256, 3)
    room = Room(int(least.total / memory.SHARE) + 4096, "this machine")
    monkeypatch.setattr(machine, "room", lambda: room)
    model = load(installed.choose("mini"), Options(0, context=256), threads=1, places=8)
    with closing(model.engine):
        assert (model.places, model.context) == (3, 256)
        (notice,) = model.notices
        assert notice.startswith("256 tokens of context for each of 3 Sequences: 8 at once do not fit into the ")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("context", "notice"),
    [
        (100, "A context of 100 tokens is below the least that llama.cpp has: it holds 256."),
        (300, None),
        (2048, None),
        (4096, "The model was trained with 2,048 tokens: beyond them it may write nonsense."),
    ],
)
def test_a_context_that_is_no_good_one_is_named(context: int, notice: str | None) -> None:
    model = load(installed.choose("mini"), Options(0, context=context), threads=1)
    with closing(model.engine):
        assert model.notices == ((notice,) if notice else ())


@pytest.mark.usefixtures("home")
def test_as_they_grow_fewer_run_and_all_come_to_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    header = gguf_header.read(paths.MINI)
    least = memory.need(header, 4 * 512, 8, context=512, grows=True)
    room = Room(int(least.total / memory.SHARE) + 4096, "this machine")
    monkeypatch.setattr(machine, "room", lambda: room)
    model = load(installed.choose("mini"), Options(0, context=512), threads=1, places=8)
    with closing(model.engine):
        assert (model.places, model.context, model.cells, model.notices) == (8, 512, 4 * 512, ())
        names = [model.engine.add([9, 10 + seed], SamplingParams(seed, 500)) for seed in range(8)]
        outputs = run(model.engine)
        assert all(outputs[name][-1].end for name in names)
        assert sum(len(outputs[name]) for name in names) > 4 * 512, "they would not fit all at once"
        assert model.engine.cells_used <= 4 * 512


@pytest.mark.usefixtures("home")
def test_a_model_that_does_not_fit_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "room", lambda: Room(80 << 20, "this container"))
    monkeypatch.delattr(EngineProcess, "__init__")
    result = vibe("solve", "-m", "mini", "-t", "What is 17 + 25?", "--json", "-q")
    assert result.code == 4
    assert "of memory that is free in this container" in result.receipt["error"]
    assert "smaller quant" in result.err
    fit = next(check for check in doctor.examine() if check.name == "fit mini Q8_0")
    assert (fit.value, fit.state) == ("no", "warning")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit address space")
@pytest.mark.parametrize(("kilobytes", "code"), [(250_000, 4), (500_000, 0)])
def test_a_machine_made_small(tmp_path: Path, kilobytes: int, code: int) -> None:
    command = (
        f"ulimit -v {kilobytes}; exec {sys.executable} -P -m vibethinker_local solve -m mini --seed 1 -q -t '17 + 25?'"
    )
    environment = os.environ | {"VIBE_HOME": str(tmp_path), "PYTHONPATH": str(paths.PACKAGE.parent)}
    environment |= {"OPENBLAS_NUM_THREADS": "1"}  # else numpy's stacks depend on the machine
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    if code:
        assert done.stderr.count("\n") == 1
        assert "MiB are allowed (ulimit -v). Use a smaller quant" in done.stderr
