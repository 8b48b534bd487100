"""Good problems, from wherever they come; bad ones are in test_bad_inputs."""

import errno
import io
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vibethinker_local.errors import FileError, UsageError
from vibethinker_local.system import files


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes, *, terminal: bool = False) -> None:
    source = io.TextIOWrapper(io.BytesIO(data), encoding="ascii")
    source.isatty = lambda: terminal  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", source)


def test_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "Äpfel.txt"
    path.write_bytes(b"\xef\xbb\xbfWas ist \xc2\xbd + \xc2\xbd?\r\n")
    assert files.read(str(path), None) == "Was ist ½ + ½?\r\n"


def test_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("-", None):
        stdin(monkeypatch, "½?".encode())
        assert files.read(name, None) == "½?"
    stdin(monkeypatch, b"typed", terminal=True)
    assert files.read("-", None) == "typed"
    stdin(monkeypatch, b"", terminal=True)
    with pytest.raises(UsageError, match="No problem was given"):
        files.read(None, None)


def test_from_the_command_line() -> None:
    assert files.read(None, "½?") == "½?"
    assert files.read(None, "{braces} stay") == "{braces} stay"


def test_from_a_pipe_that_has_a_name(tmp_path: Path) -> None:
    """As a shell's <(…) gives it."""
    import os
    import threading

    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("2+2?",))
    writer.start()
    assert files.read(str(path), None) == "2+2?"
    writer.join()


def test_a_megabyte_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(b"x" * files.MAX_BYTES)
    assert len(files.read(str(path), None)) == files.MAX_BYTES
    path.write_bytes(b"x" * (files.MAX_BYTES + 1))
    with pytest.raises(UsageError, match="too long"):
        files.read(str(path), None)


@pytest.mark.parametrize(
    "text", ["\u200b\u200b", "\ufeff", "\u2060 \n\u00ad", "\u3164", "\u2800\t", "\u0301", "\u202e\u2066"]
)
def test_text_that_nobody_can_see_is_no_problem(text: str) -> None:
    with pytest.raises(UsageError, match="has no visible character: there is nothing to solve"):
        files.read(None, text)
    assert files.read(None, text + "1 + 1?") == text + "1 + 1?"


def test_a_full_disk_is_nobodys_wrong_option() -> None:
    full, wrong = OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EACCES, "Permission denied")
    assert isinstance(files.unwritable("x", full, "give another path"), FileError)
    assert isinstance(files.unwritable("x", wrong, "give another path"), UsageError)
    assert str(files.unwritable("x", wrong, "do y")) == "x cannot be written (Permission denied): do y."


def test_threads_that_write_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "lengths.json"

    def write(text: str) -> None:
        for _ in range(50):
            files.write_atomic(path, text)

    with ThreadPoolExecutor(4) as pool:
        for writing in [pool.submit(write, text) for text in ("a", "b", "c", "d")]:
            writing.result()
    assert path.read_text() in ("a\n", "b\n", "c\n", "d\n")
    assert list(tmp_path.iterdir()) == [path]
