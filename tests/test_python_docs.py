"""docs/python.md: its examples run one after the other, on the bundled model; what the library exports is there."""

import re
from pathlib import Path

import pytest

import vibethinker_local

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_every_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {"folder": tmp_path}
    for example in EXAMPLES:
        exec(compile(example, "docs/python.md", "exec"), names)
    assert (tmp_path / "mini-Q8_0.gguf").stat().st_size > 1_000_000


def test_what_is_exported_is_there_and_explained() -> None:
    for name in vibethinker_local.__all__:
        member = getattr(vibethinker_local, name)
        if name != "__version__":
            assert member.__doc__, name
    assert sorted(vibethinker_local.__all__, key=str) == sorted(dir(vibethinker_local), key=str)
    shown = set(re.findall(r"from vibethinker_local import (.*)", PAGE))
    assert {name for line in shown for name in line.split(", ")} <= set(vibethinker_local.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    # That the comment for mypy is needed says that it refuses the name, too: one without a use is an error itself.
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        vibethinker_local.nothing  # type: ignore[attr-defined]  # noqa: B018
