"""The import graph, read from the source, so that imports inside functions count too."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
APP, QUANTIZE = ROOT / "vibethinker_local", ROOT / "quantize"


def files(*folders: Path) -> list[Path]:
    """All Python files below some folders."""
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def name_of(path: Path) -> str:
    """A file's dotted module name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in files(APP, QUANTIZE)}


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a file's syntax tree."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@cache
def imports(path: Path) -> tuple[str, ...]:
    """What `_imports` finds, read once."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    """Absolute names of the modules a file imports; of a package, the module inside it that is meant."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield inner if inner in MODULES else module


def layer(module: str) -> str | None:
    """The layer of a module of the app; None for others, and for the entry."""
    parts = module.split(".")
    return parts[1] if parts[0] == APP.name and len(parts) > 1 and parts[1] != "__main__" else None
