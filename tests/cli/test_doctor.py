"""The doctor on builds of llama.cpp that lack what the processor has."""

from pathlib import Path

import pytest

from tests.command import vibe
from vibethinker_local.cli import doctor
from vibethinker_local.system import machine
from vibethinker_local.system.machine import Room

GENERIC = "CPU : SSE3 = 1 | SSSE3 = 1 | AVX = 1 | AVX2 = 1 | F16C = 1 | FMA = 1 | LLAMAFILE = 1 | REPACK = 1 | "
NATIVE = GENERIC + "AVX512 = 1 | AVX512_VNNI = 1 | AVX_VNNI = 1 | "
XEON = "fpu avx avx2 fma f16c avx512f avx512_vnni avx_vnni amx_int8".split()
HASWELL = "fpu avx avx2 fma f16c".split()


@pytest.mark.parametrize(
    ("told", "features", "lacking"),
    [
        (NATIVE, XEON, []),
        (GENERIC, XEON, ["AVX512", "AVX512_VNNI", "AVX_VNNI"]),
        (GENERIC, HASWELL, []),
        ("CPU : SSE3 = 1 | SSSE3 = 1 | ", HASWELL, ["AVX", "AVX2", "FMA", "F16C"]),
        ("CPU : NEON = 1 | ARM_FMA = 1 | ", "fp asimd asimddp i8mm".split(), ["DOTPROD", "MATMUL_INT8"]),
        ("CPU : NEON = 1 | ARM_FMA = 1 | DOTPROD = 1 | ", "fp asimd asimddp".split(), []),
        (GENERIC, [], []),
    ],
    ids=["made here", "a wheel on AVX-512", "a wheel on AVX2", "no AVX", "a wheel on ARM", "ARM", "no word of it"],
)
def test_what_a_build_lacks(told: str, features: list[str], lacking: list[str]) -> None:
    assert doctor.lacks(told, features) == lacking


def test_what_is_lacking_comes_with_the_way_to_build_it() -> None:
    check = doctor._generic(["AVX512"])
    assert (check.state, check.value) == ("warning", "does not use this processor's AVX512")
    assert "--no-binary llama-cpp-python llama-cpp-python==" in (check.advice or "")


def test_a_data_folder_that_cannot_be_written_and_a_variable_that_is_misspelt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").write_text("a file", encoding="utf-8")
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VIBE_THREDS", "4")
    found = {check["name"]: check for check in vibe("doctor", "--json").receipt["checks"]}
    assert found["data"]["state"] == "warning"
    assert "cannot be written" in found["data"]["value"]
    assert "set VIBE_HOME" in found["data"]["advice"]
    assert found["variable"]["advice"] == "VIBE_THREDS is not a setting: is it misspelt?"
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "new"))
    found = {check["name"]: check for check in vibe("doctor", "--json").receipt["checks"]}
    assert found["data"] == {"name": "data", "value": str(tmp_path / "new" / "data"), "state": "ok", "advice": None}


@pytest.mark.parametrize(("cores", "told"), [(1, "uses 1 performance core"), (2, "uses 2 performance cores")])
def test_how_much_of_the_machine_there_is(monkeypatch: pytest.MonkeyPatch, cores: int, told: str) -> None:
    monkeypatch.setattr(machine, "threads", lambda: cores)
    monkeypatch.setattr(machine, "room", lambda: Room(3 << 30, "this machine"))
    found = {check["name"]: check["value"] for check in vibe("doctor", "--json").receipt["checks"]}
    assert found["processor"] == f"{machine.processor()}, {told}"
    assert found["memory"] == "3.0 GiB free"
