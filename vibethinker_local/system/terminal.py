"""Makes text safe to print: without control characters, and without half characters, which cannot be encoded; and the
standard streams fit to print it on."""

import io
import os
import re
import sys
from typing import TextIO

_HALVES = re.compile("[\ud800-\udfff]")
_HALVES_BUT_BYTES = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # what `surrogateescape` makes of bytes stays


def whole(text: str, *, but_bytes: bool = False) -> str:
    """A text with surrogate pairs joined, as JSON may split them, and with U+FFFD in the place of single halves; those
    that stand for bytes which are no UTF-8 are left, if that is wanted."""
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return (_HALVES_BUT_BYTES if but_bytes else _HALVES).sub("\ufffd", joined)


def printable(text: str) -> str:
    """Untrusted text, such as a model's or a file name, without characters that a terminal would act on."""
    return "".join(filter(_harmless, text))


def prepare_streams() -> None:
    """Make the standard streams exist and be UTF-8."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed; or a file opened later would get its descriptor, and its output
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def to_nowhere(stream: TextIO) -> None:
    """Discard all further output of a stream that cannot be written, including what Python flushes at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)


def _harmless(character: str) -> bool:
    """False for control characters (ASCII and Latin-1) other than tab and newline, and for bidirectional overrides."""
    code = ord(character)
    return character in "\t\n" or not (code < 0x20 or 0x7F <= code < 0xA0 or character in _BIDI)


_BIDI = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f"
)
