"""Bytes and figures as people write them."""

import pytest

from vibethinker_local.system.units import figure, size


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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10_041.7, "10,040"),
        (1_234_567, "1,235,000"),
        (9_999.9, "10,000"),
        (1_234, "1,234"),
        (999.96, "1,000"),
        (10, "10"),
        (12.345, "12.35"),
        (0.012345, "0.01235"),
        (0.00001234, "0.00001234"),
        (0, "0"),
        (-10_041.7, "-10,040"),
    ],
)
def test_a_figure_has_four_digits_and_no_exponent(value: float, text: str) -> None:
    assert figure(value) == text
