"""Who may import whom. Read from the source, so that imports inside functions count too."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
APP, QUANTIZE = ROOT / "vibethinker_local", ROOT / "quantize"

# Each layer may import itself and what stands after it.
LAYERS = [
    ["cli"],
    ["model_commands"],
    ["tui"],
    ["eval"],
    ["render", "doctor", "hub", "listing", "tables", "bench", "forecast"],
    ["solve"],
    ["model"],
    [
        "models",
        "model_spec",
        "toml_file",
        "verified",
        "gguf_header",
        "problem",
        "template",
        "reasoning",
        "printable",
        "prompts",
        "reliability",
        "engine",
        "figures",
        "memory",
        "pace",
        "quote",
        "awake",
        "chart",
        "votes",
        "votes_view",
        "receipt",
        "settings",
        "machine",
        "logs",
    ],
    ["paths"],
    ["types", "errors"],
]


def imports(path: Path) -> Iterator[str]:
    """Absolute names of the modules a file imports."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def importers(name: str, folder: Path) -> set[str]:
    """The files below a folder that import a module or anything inside it."""
    return {
        path.relative_to(folder).as_posix()
        for path in files(folder)
        if any(found == name or found.startswith(name + ".") for found in imports(path))
    }


def test_one_file_imports_llama_cpp() -> None:
    assert importers("llama_cpp", APP) == {"engine/llama.py"}
    assert importers("llama_cpp", QUANTIZE) <= {"ggml.py"}


def test_only_the_command_lines_import_typer() -> None:
    assert importers("typer", APP) == {"cli.py", "model_commands.py", "eval/cli.py"}
    assert importers("typer", QUANTIZE) <= {"cli.py"}


def test_only_the_tui_imports_textual() -> None:
    assert all(name.startswith("tui/") for name in importers("textual", APP))


def test_only_training_imports_torch() -> None:
    assert importers("torch", APP) == {"mini/batches.py", "mini/muon.py", "mini/network.py", "mini/train.py"}


def test_only_the_command_line_imports_quantize() -> None:
    assert importers("quantize", APP) == {"cli.py", "model_commands.py"}


def test_one_file_each_speaks_with_the_hub() -> None:
    assert importers("huggingface_hub", APP) == {"hub/client.py"}
    assert importers("huggingface_hub", QUANTIZE) == {"hub.py"}
    assert importers("vibethinker_local.hub", APP) == {"hub/download.py", "hub/pull.py", "model_commands.py"}, (
        "by `vibe pull`"
    )


def test_quantize_stands_alone() -> None:
    assert importers("vibethinker_local", QUANTIZE) == set()
    for path in files(QUANTIZE):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert not (node.module or "").startswith("quantize"), f"{path.name} imports its own package absolutely"


def test_reliability_does_not_know_the_engine() -> None:
    assert importers("vibethinker_local.engine", APP / "reliability") == set()


@pytest.mark.parametrize("path", files(APP), ids=lambda path: path.relative_to(APP).as_posix())
def test_imports_go_downward(path: Path) -> None:
    level = {name: depth for depth, names in enumerate(LAYERS) for name in names}
    top = path.relative_to(APP).with_suffix("").parts[0]
    if top in ("__init__", "__main__", "mini"):
        return  # the entry; and mini's tools, which use the app from outside
    assert top in level, f"{top} has no layer yet: give it one in LAYERS"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "vibethinker_local" and len(parts) > 1 and parts[1] in level:
            assert level[top] <= level[parts[1]], f"{top} imports {parts[1]}, which stands above it"


def test_the_first_paint_waits_for_nothing_that_only_answers_need() -> None:
    late = ("llama_cpp", "markdown_it", "numpy", "sympy")
    code = f"import sys, vibethinker_local.tui.app; print([name for name in {late} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("path", files(APP) + files(QUANTIZE), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_are_small_and_explained(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(source)) or not source.strip(), "no docstring"
