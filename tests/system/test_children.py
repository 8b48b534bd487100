"""Processes of our own import nothing from the working folder, wherever that is and however we were started."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vibethinker_local.system import children, paths

SHADOWS = ("queue", "json", "pickle", "struct", "numpy", "pyarrow", "vibethinker_local", "sitecustomize")
IMPORTS_ALL = """
import queue, json, pickle, struct, sys
try:
    import pyarrow
except ImportError:
    pass
from vibethinker_local import __version__
print(__version__, sys.argv[1:], sys.path[0] != "")
"""


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder whose files have the names of modules, and leave a trace if they are run."""
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text(f"open('{name}-was-run', 'w').close()", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def module(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that we can import, and so our processes can."""
    folder = tmp_path_factory.mktemp("ours")
    (folder / "imports_all.py").write_text(IMPORTS_ALL, encoding="utf-8")
    monkeypatch.syspath_prepend(str(folder))
    return "imports_all"


@pytest.mark.parametrize("first", [None, "", "the working folder"])
def test_nothing_is_imported_from_the_working_folder(
    hostile: Path, module: str, first: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if first is not None:  # as `python -m` and `python -c` have it
        monkeypatch.syspath_prepend(str(hostile) if first else "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", "."]))
    command = children.command(module, "one", "two")
    done = subprocess.run(command, env=children.environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "['one', 'two'] True" in done.stdout
    assert [path.name for path in hostile.iterdir() if path.name.endswith("-was-run")] == []


@pytest.mark.skipif(sys.platform == "win32", reason="a working folder cannot be removed there")
def test_a_working_folder_that_was_removed(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    command, environment = children.command(module), children.environment()
    monkeypatch.chdir(tmp_path)
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def test_of_two_copies_of_the_program_ours_is_taken(tmp_path: Path) -> None:
    """As where a clone is on PYTHONPATH, with another version installed."""
    package = tmp_path / "vibethinker_local"
    shutil.copytree(paths.PACKAGE / "system", package / "system", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(paths.PACKAGE / "errors.py", package)
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "where.py").write_text("print(__file__)", encoding="utf-8")
    starts = (
        "import subprocess; from vibethinker_local.system import children; "
        "subprocess.run(children.command('vibethinker_local.where'), env=children.environment(), check=True)"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-P", "-c", starts]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(package / "where.py"), done.stderr
