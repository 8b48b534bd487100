"""Letters and their marks are composed, and a text with absurdly many marks is left alone."""

import unicodedata

import pytest

from vibethinker_local.system import unicode


@pytest.mark.parametrize(
    ("text", "composed"),
    [
        ("e\u0301 \u1112\u1161\u11ab x\u0307\u0323", "\u00e9 \ud55c \u1e8b\u0323"),
        ("a" + "\u0301\u0323" * 15, None),
        ("e\u0301 a" + "\u0301\u0323" * 100_000, "e\u0301 a" + "\u0301\u0323" * 100_000),  # would take a minute
        ("\u0f73" * 100_000, "\u0f73" * 100_000),
    ],
    ids=["some", "many", "too many", "too many, two at a time"],
)
def test_a_text_is_composed_as_far_as_its_marks_are_those_of_a_script(text: str, composed: str | None) -> None:
    assert unicode.composed(text) == (composed or unicodedata.normalize("NFC", text))
