"""Where files are kept, for users of every kind."""

import os
import sys

import pytest

from tests.command import vibe
from vibethinker_local.errors import UsageError
from vibethinker_local.system import logs, paths


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user whom the system does not know, with nothing in the environment: a container, for example."""
    for name in [name for name in os.environ if name == "HOME" or name.startswith(("XDG_", "VIBE_HOME", "HF_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere users have homes")
@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_gets_a_sentence() -> None:
    with pytest.raises(UsageError, match="no home folder: set HOME, or VIBE_HOME"):
        paths.data()
    logs.start(debug=False)
    assert logs.engine_log() == (None, 0)
    for command in (["solve", "-t", "What is 3 + 4?"], ["config"], ["models"], ["doctor"]):
        result = vibe(*command)
        assert (result.code, "no home folder: set HOME" in result.err) == (2, True), command
