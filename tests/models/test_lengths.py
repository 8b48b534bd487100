"""How long a model's solutions are: from its own runs, its entry, or its kind."""

from dataclasses import replace
from pathlib import Path

import pytest

from vibethinker_local import Options, Solver
from vibethinker_local.models import installed, lengths
from vibethinker_local.models.installed import Chosen
from vibethinker_local.models.spec import ModelSpec


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))


@pytest.fixture
def unknown(tmp_path: Path) -> Chosen:
    (tmp_path / "small-instruct-q4_k_m.gguf").write_bytes(b"GGUF")
    return Chosen("small-instruct-q4_k_m", ModelSpec(about="A file."), tmp_path / "small-instruct-q4_k_m.gguf")


def test_what_nothing_is_known_of_goes_by_its_kind(unknown: Chosen) -> None:
    assert lengths.typical(unknown) == lengths.INSTRUCT
    for name in ("DeepSeek-R1-Distill-Qwen-1.5B", "Qwen3-4B", "VibeThinker-1.5B", "QwQ-32B", "phi-4-mini-reasoning"):
        assert lengths.typical(replace(unknown, name=name)) == lengths.THINKING
    for name in ("Qwen2.5-Coder-0.5B", "mr1-2", "starr12-7b"):
        assert lengths.typical(replace(unknown, name=name)) == lengths.INSTRUCT


def test_an_entry_says_it(unknown: Chosen) -> None:
    spec = ModelSpec(about="An entry.", typical_tokens=(70, 90))
    assert lengths.typical(replace(unknown, spec=spec)) == (70, 90)


def test_earlier_runs_say_more_than_an_entry(unknown: Chosen) -> None:
    lengths.add(unknown.path, [100, 200, 300])
    assert lengths.typical(unknown) == lengths.INSTRUCT  # three say little
    lengths.add(unknown.path, [400, 500])
    assert lengths.typical(unknown) == (200, 400)
    lengths.add(unknown.path, [])
    lengths.add(unknown.path, [7] * lengths.LAST)
    assert lengths.typical(unknown) == (7, 7)


def test_the_same_name_with_another_size_is_another_file(unknown: Chosen) -> None:
    lengths.add(unknown.path, [10] * 9)
    unknown.path.write_bytes(b"GGUF of another model")
    assert lengths.typical(unknown) == lengths.INSTRUCT


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[1, 2",
        '["a", "b", "c", "d"]',
        "[0, 1, 2, 3]",
        "[1.5, 2, 3, 4]",
        "\xff",
        pytest.param("[" * 99_999, id="deep"),
    ],
)
def test_a_damaged_record_counts_for_nothing(content: str, unknown: Chosen, tmp_path: Path) -> None:
    lengths.add(unknown.path, [10] * 9)
    [record] = (tmp_path / "home" / "data" / "lengths").iterdir()
    record.write_text(content, encoding="latin-1")
    assert lengths.typical(unknown) == lengths.INSTRUCT
    lengths.add(unknown.path, [20] * 9)
    assert lengths.typical(unknown) == (20, 20)


def test_where_nothing_can_be_written_nothing_is_said(
    unknown: Chosen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIBE_HOME", str(unknown.path))  # a file
    lengths.add(unknown.path, [10] * 9)
    assert lengths.typical(unknown) == lengths.INSTRUCT


def test_runs_are_remembered() -> None:
    mini = installed.choose("mini")
    with Solver("mini", Options(1)) as solver:
        tokens = [
            each.tokens
            for each in solver.solve("What is 17 + 25?", plan=solver.plan(samples=6, stopping=False)).trajectories
        ]
    low, high = lengths.typical(mini)
    assert min(tokens) <= low <= high <= max(tokens)
    assert lengths.typical(mini) != mini.spec.typical_tokens
