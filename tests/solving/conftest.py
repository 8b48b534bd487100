"""What tests of the reliability pass are spared."""

import pytest


@pytest.fixture
def nothing_symbolic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether odd texts are the same expression matters to no test here, and asking takes a process."""
    for question in ("decide", "warm"):
        monkeypatch.setattr(f"vibethinker_local.reliability.checker.Checker.{question}", lambda *_: None)
