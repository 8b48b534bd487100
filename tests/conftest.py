"""For all tests."""

import os
import signal

import pytest
from hypothesis import settings

# How long an example takes depends on what else the machine does.
settings.register_profile("default", deadline=None)
settings.load_profile("default")
# A job in the background is started with Ctrl-C ignored, and hands that on: here it has to mean something.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Try AMX once, before the workers are started, which inherit the result: each test has a VIBE_HOME of its own."""
    from vibethinker_local.llama import amx
    from vibethinker_local.llama.library import library

    if amx.VARIABLE not in os.environ and (finding := amx.settle(library())):
        os.environ[amx.VARIABLE] = str(int(finding.works))
