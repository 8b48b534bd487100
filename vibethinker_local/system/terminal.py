"""Makes text safe to print on a terminal, by removing control characters."""


def printable(text: str) -> str:
    """Untrusted text, such as a model's or a file name, without characters that a terminal would act on."""
    return "".join(filter(_harmless, text))


def _harmless(character: str) -> bool:
    """False for control characters (ASCII and Latin-1) other than tab and newline, and for bidirectional overrides."""
    code = ord(character)
    return character in "\t\n" or not (code < 0x20 or 0x7F <= code < 0xA0 or character in _BIDI)


_BIDI = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f"
)
