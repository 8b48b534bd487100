"""For all tests."""

import gc
import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent
SHARING = ("quantize", "serve")  # folders whose tests run in one worker: what they share takes long to make
# How long an example takes depends on what else the machine does.
settings.register_profile("default", deadline=None)
settings.load_profile("default")
# Where bytecode is not to be written, each command that a test runs would compile all that it imports.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    os.environ["PYTHONPYCACHEPREFIX"] = str(TESTS.parent / ".pytest_cache" / "bytecode")
# Tests run side by side, one for each core and another: two threads of each would wait for each other most of the time.
os.environ.setdefault("VIBE_THREADS", "1")
# A job in the background is started with Ctrl-C ignored, and hands that on: here it has to mean something.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Try AMX once, before the workers are started, which inherit the result: each test has a VIBE_HOME of its own."""
    from vibethinker_local.llama import amx
    from vibethinker_local.llama.library import library

    if amx.VARIABLE not in os.environ and (finding := amx.settle(library())):
        os.environ[amx.VARIABLE] = str(int(finding.works))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a folder that shares much on one worker: before xdist looks at their groups."""
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in SHARING:
            item.add_marker(pytest.mark.xdist_group(folder))


def pytest_collection_finish() -> None:
    """What was collected stays to the end: to look for garbage in it again and again takes a fifth of many a test."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Four more than there are cores: many a test waits for a process, a paint, or for a second to pass."""
    return (os.cpu_count() or 1) + 4
