"""Files: reading a problem's text, and writing files whole or not at all."""

import errno
import os
import sys
import threading
import unicodedata
from contextlib import suppress
from pathlib import Path

from vibethinker_local.errors import FileError, UsageError

FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})  # Windows has no quota code
DISK_ERRORS = FULL | {errno.EIO}
MAX_BYTES = 1_000_000  # far more than any context holds


def bytes_of(path: Path) -> int:
    """The size of a file; 0 if it is not there, or cannot be seen."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def read(file: str | None, text: str | None) -> str:
    """The problem's text. Raises UsageError if both sources are given, or if the source cannot be read as text."""
    if file is not None and text is not None:
        raise UsageError("Give the problem as a file or with -t, not both.")
    if text is not None:
        return _checked(_as_utf8(text), "The text given with -t")
    if file == "":
        raise UsageError("The name of the file is empty: give a file, `-` for standard input, or -t TEXT.")
    if file is None and sys.stdin.isatty():
        raise UsageError("No problem was given: give a file, `-` for standard input, or -t TEXT.")
    where = "Standard input" if file is None or file == "-" else file
    try:
        if file is None or file == "-":
            return _decoded(standard_input(), where)
        if Path(file).is_dir():
            raise UsageError(f"{file} is a folder: give a text file.")
        with Path(file).open("rb") as opened:
            return _decoded(opened.read(MAX_BYTES + 1), where)
    except FileNotFoundError:
        raise UsageError(f"There is no file {where}: check the path, or give the problem with -t.") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        raise _unreadable(where, error) from error


def standard_input() -> bytes:
    """What there is on standard input, as far as a problem may go and one byte more. Raises UsageError."""
    try:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    except OSError as error:  # it was opened for writing, say
        raise _unreadable("Standard input", error) from error


def _unreadable(where: str, error: OSError | ValueError) -> UsageError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UsageError(f"{where} cannot be read ({reason}): give another file, or the problem with -t.")


def behind_link(path: Path) -> Path:
    """What a link leads to, there or not: that is to be written, on the disk that was meant, and the link stays."""
    return Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114 - this raises nothing


def write_atomic(path: Path, text: str, *, advice: str = "give another path") -> None:
    """Put a text file in place, whole or not at all. Raises UsageError, or FileError for a full or failing disk."""
    path = behind_link(path)
    new = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with new.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        raise unwritable(path, error, advice) from error


def unwritable(path: object, error: OSError, advice: str) -> UsageError | FileError:
    """The error to raise for a file that cannot be written. `advice` is given unless the disk is to blame."""
    if error.errno in DISK_ERRORS:
        return FileError(f"{path} cannot be written: {error.strerror}. Free some space, then try again.")
    return UsageError(f"{path} cannot be written ({error.strerror or error}): {advice}.")


def _as_utf8(text: str) -> str:
    """A command-line argument decoded as UTF-8, which it nearly always is, even where the locale says otherwise."""
    try:
        return os.fsencode(text).decode("utf-8")
    except UnicodeError:
        return text


def _decoded(data: bytes, where: str) -> str:
    if len(data) > MAX_BYTES:
        raise UsageError(f"{where} is too long: at most {MAX_BYTES:,} bytes are read. Shorten it.")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UsageError(f"{where} is UTF-16: save it as UTF-8.")
    if b"\0" in data:
        raise UsageError(f"{where} is not text (it contains null bytes): give a text file.")
    try:
        return _checked(data.decode("utf-8-sig"), where)
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{where} is not UTF-8 text (byte {error.start} is {data[error.start]:#04x}): save it as UTF-8."
        ) from error


def _checked(text: str, where: str) -> str:
    if not any(map(_is_visible, text)):
        what = "is empty" if not text.strip() else "has no visible character"
        raise UsageError(f"{where} {what}: there is nothing to solve.")
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise UsageError(f"{where} is not UTF-8 text: give it in a file.") from error
    if "\0" in text:
        raise UsageError(f"{where} is not text (it contains null bytes): give a text file.")
    if size > MAX_BYTES:
        raise UsageError(f"{where} is too long: at most {MAX_BYTES:,} bytes are read. Shorten it.")
    return text


def _is_visible(character: str) -> bool:
    """Whether a character leaves ink: false for spaces, controls, zero-width characters and blank letters."""
    return unicodedata.category(character)[0] in "LNPS" and character not in _BLANK


_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # Hangul fillers, and the Braille cell without dots
