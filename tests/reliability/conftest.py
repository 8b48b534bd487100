"""One checker for all tests of a file: its process takes its time to start."""

from collections.abc import Iterator

import pytest

from vibethinker_local.reliability.checker import Checker


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    """Waits for longer than a busy machine takes: out of time, nothing is the same."""
    checker = Checker(seconds=30.0)
    yield checker
    checker.close()
