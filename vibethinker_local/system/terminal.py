"""Text that a terminal may be given: what it would obey is left out."""


def printable(text: str) -> str:
    """Text of a model, or of a file's name, without what a terminal would obey."""
    return "".join(filter(_harmless, text))


def _harmless(character: str) -> bool:
    """Whether it is no control character (of ASCII or Latin-1) but tab and newline, and does not turn lines around."""
    code = ord(character)
    return character in "\t\n" or not (code < 0x20 or 0x7F <= code < 0xA0 or character in _BIDI)


_BIDI = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f"
)
