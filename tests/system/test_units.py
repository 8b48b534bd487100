"""Bytes as people write them."""

import pytest

from vibethinker_local.system.units import size


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 kB"),
        (1234, "1 kB"),
        (999_400, "999 kB"),
        (999_600, "1 MB"),
        (1_930_000, "1.93 MB"),
        (999_400_000, "999 MB"),
        (999_600_000, "1 GB"),
        (1.93e9, "1.93 GB"),
        (999.6e9, "1 TB"),
        (1.5e12, "1.5 TB"),
        (1.5e15, "1,500 TB"),
    ],
)
def test_a_size_has_the_unit_that_it_is_read_in(count: float, text: str) -> None:
    assert size(count) == text
