"""Good problems, from wherever they come; bad ones are in test_bad_inputs."""

import errno
import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import disk
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


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a.json"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(FileError, match=r"a\.json cannot be written: No space left on device\. Free some space"):
        files.write_atomic(path, "new")
    assert [(each, each.read_text()) for each in tmp_path.iterdir()] == [(path, "old")]


def test_a_power_cut_leaves_a_file_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = disk.watched(monkeypatch)
    files.write_atomic(tmp_path / "a.json", "{}")
    assert done == ["a.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="makes links")
def test_what_a_link_leads_to_is_written(tmp_path: Path) -> None:
    link, target = tmp_path / "a.svg", tmp_path / "pictures" / "real.svg"
    link.symlink_to(Path("pictures", "real.svg"))
    for text in ("new", "newer"):
        files.write_atomic(link, text)
        assert (link.is_symlink(), target.read_text()) == (True, f"{text}\n")
    with pytest.raises(UsageError, match=r"cannot be written .*give another path"):
        files.write_atomic(tmp_path / ("a" * 300), "")


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
