"""One server for all tests of a process; without the extra `serve`, there is nothing to test."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.serve.helpers import Served

collect_ignore_glob = [] if find_spec("uvicorn") else ["test_*.py"]


@pytest.fixture(scope="package")
def served() -> "Iterator[Served]":
    from tests.serve.helpers import serving

    with serving() as served:
        yield served
