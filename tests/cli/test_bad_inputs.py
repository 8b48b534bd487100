"""Bad input, of every kind: one sentence that says what, where and what to do; the exit code; nothing on stdout.

With --json, a model or an engine that fails is also told in the receipt; a wrong use (exit 2) prints none.
"""

import errno
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests import gguf_files as gguf
from tests.command import Result, vibe
from vibethinker_local.gguf.header import read
from vibethinker_local.runtime import template as template_module
from vibethinker_local.system import machine, paths

PROBLEM = "What is 3 + 4?"
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")
NUL = (0).to_bytes(8, "little")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    for name in ("HF_HUB_CACHE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(template_module, "SECONDS", 0.5)
    monkeypatch.chdir(tmp_path)


@dataclass(frozen=True)
class Bad:
    """Arguments (a Path in the test's folder is made by `make`), and what the message must say."""

    code: int
    says: tuple[str, ...]  # regular expressions, each of which must be found
    args: tuple[str, ...] = ()
    make: Callable[[Path], object] | None = None
    stdin: bytes = b""
    terminal: bool = False


def write(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


def file(name: str, data: bytes, *says: str) -> Bad:
    return Bad(2, (name, *says), (name,), write(name, data))


def option(*args: str, says: str) -> Bad:
    return Bad(2, (re.escape(args[0]), says), ("-t", PROBLEM, *args))


def model(make: Callable[[Path], object], *says: str, code: int = 4) -> Bad:
    return Bad(code, ("m.gguf" if code == 4 else "", *says), ("-t", PROBLEM, "-m", "m.gguf"), make)


def damaged(change: dict[str, object], *says: str, **other: object) -> Bad:
    return model(lambda folder: gguf.variant(folder / "m.gguf", change, **other), *says)  # type: ignore[arg-type]


def template(source: str, *says: str) -> Bad:
    return model(lambda folder: gguf.template(folder / "m.gguf", source), "chat template", *says)


def symlink(name: str, target: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).symlink_to(target)


def doubled(tokens: str) -> dict[str, object]:
    return {tokens: ["a"] * 768}


LONG = b"Tom has 12 apples. " * 2_000
BAD = {
    # the problem
    "no problem at all": Bad(2, ("No problem was given", "file.*standard input.*-t"), (), terminal=True),
    "an empty file": file("empty.txt", b"", "empty"),
    "white space": file("blank.txt", b" \n\t\r\n", "empty"),
    "only a byte order mark": file("bom.txt", b"\xef\xbb\xbf", "empty"),
    "no name": Bad(2, ("name of the file is empty", "give a file"), ("",)),
    "a missing file": Bad(2, ("no file missing.txt", "check the path"), ("missing.txt",)),
    "a directory": Bad(
        2, ("folder.d is a folder", "give a text file"), ("folder.d",), lambda f: (f / "folder.d").mkdir()
    ),
    "a file in a file": Bad(
        2, (r"a.txt/b.txt cannot be read \(Not a directory", "another file"), ("a.txt/b.txt",), write("a.txt", b"a")
    ),
    "a dangling link": Bad(2, ("no file link.txt",), ("link.txt",), symlink("link.txt", "nowhere")),
    "a link to itself": Bad(
        2, ("ring.txt cannot be read", "another file"), ("ring.txt",), symlink("ring.txt", "ring.txt")
    ),
    "too long a name": Bad(2, ("cannot be read", "File name too long"), ("n" * 300,)),
    "a name with a null byte": Bad(2, ("cannot be read|no file",), ("a\0b",)),
    "an unreadable file": Bad(2, ("/proc/self/mem cannot be read", "another file"), ("/proc/self/mem",)),
    "an endless file": Bad(2, ("/dev/zero is too long", "1,000,000 bytes"), ("/dev/zero",)),
    "an image": file("image.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff", "not text", "null bytes", "text file"),
    "null bytes": file("null.txt", b"What is\0 2+2?", "null bytes"),
    "UTF-16": file("wide.txt", PROBLEM.encode("utf-16"), "UTF-16", "save it as UTF-8"),
    "UTF-16 without a mark": file("wide.txt", PROBLEM.encode("utf-16-le"), "null bytes"),
    "invalid UTF-8": file("broken.txt", b"What is \xff\xfe?", "not UTF-8", "byte 8 is 0xff", "save it as UTF-8"),
    "half a character": file("half.txt", "Was heißt das für ü".encode()[:-1], "not UTF-8", "0xc3"),
    "Latin-1": file("latin.txt", "Löse".encode("latin-1"), "not UTF-8", "byte 1 is 0xf6"),
    "5 MB": file("huge.txt", b"1 + " * 1_250_000, "too long", "1,000,000 bytes"),
    "longer than the context": Bad(
        2, ("too long", r"takes [\d,]+ tokens", "2,048", "--ctx"), ("long.txt",), write("long.txt", LONG)
    ),
    "empty standard input": Bad(2, ("Standard input is empty",), ("-",)),
    "standard input that is not text": Bad(2, ("Standard input is not", "0xff"), ("-",), stdin=b"\xff"),
    "5 MB of standard input": Bad(2, ("Standard input is too long",), (), stdin=b"x" * 5_000_000),
    "an empty text": Bad(2, ("-t is empty",), ("-t", "")),
    "a blank text": Bad(2, ("-t is empty",), ("-t", " \n")),
    "a text with a null byte": Bad(2, ("-t is not text", "null bytes"), ("-t", "a\0b")),
    "a text that is not UTF-8": Bad(2, ("-t is not UTF-8", "in a file"), ("-t", "a\udcffb")),
    "a huge text": Bad(2, ("-t is too long",), ("-t", "x" * 5_000_000)),
    # contradictions
    "a file and a text": Bad(2, ("file or with -t, not both",), ("a.txt", "-t", PROBLEM), write("a.txt", b"a")),
    "standard input and a text": Bad(2, ("not both",), ("-", "-t", PROBLEM), stdin=b"a"),
    "two files": Bad(2, ("unexpected extra argument",), ("a.txt", "b.txt")),
    # options
    "temperature nan": option("--temperature", "nan", says="less than or equal to 5"),
    "temperature inf": option("--temperature", "inf", says="less than or equal to 5"),
    "temperature below 0": option("--temperature", "-1", says="greater than or equal to 0"),
    "temperature hot": option("--temperature", "hot", says="should be a number"),
    "top-p nan": option("--top-p", "nan", says="less than or equal to 1"),
    "top-p 0": option("--top-p", "0", says="greater than or equal to 0.01"),
    "top-p above 1": option("--top-p", "1.5", says="less than or equal to 1"),
    "seed below 0": option("--seed", "-1", says="greater than or equal to 0"),
    "seed too large": option("--seed", str(2**63), says="less than or equal to"),
    "seed of words": option("--seed", "seven", says="should be a whole number"),
    "max-tokens too small": option("--max-tokens", "3", says="greater than or equal to 32"),
    "ctx too small": option("--ctx", "1", says="greater than or equal to 64"),
    "ctx too large": option("--ctx", "99999999", says="less than or equal to"),
    "ctx that the problem does not fit": Bad(2, ("too long", "--ctx"), ("-t", LONG.decode()[:4000], "--ctx", "64")),
    "threads 0": option("--threads", "0", says="greater than or equal to 1"),
    "threads 1.5": option("--threads", "1.5", says="should be a whole number"),
    "an option without its value": Bad(2, ("--seed", "requires an argument"), ("-t", PROBLEM, "--seed")),
    "an unknown option": option("--sed", "1", says="No such option"),
    # which model
    "an unknown model": Bad(4, ("no model called 'gpt-9'", "mini", "path of a .gguf"), ("-t", PROBLEM, "-m", "gpt-9")),
    "no name of a model": Bad(4, ("no model called ''",), ("-t", PROBLEM, "-m", "")),
    "a model that is not installed": Bad(4, ("not installed", "-m mini"), ("-t", PROBLEM, "-m", "vibethinker-3b")),
    "a missing model file": Bad(4, ("no model file gone.gguf", "check the path"), ("-t", PROBLEM, "-m", "gone.gguf")),
    "the home of nobody": Bad(
        4, ("cannot be a model file", "check the path"), ("-t", PROBLEM, "-m", "~nobody-at-all/m.gguf")
    ),
    "a model with too long a name": Bad(
        4, ("File name too long", "check the path"), ("-t", PROBLEM, "-m", "n" * 300 + ".gguf")
    ),
    "a pipe as a model": model(lambda folder: os.mkfifo(folder / "m.gguf"), "a pipe or a device"),
    "a folder as a model": model(lambda folder: (folder / "m.gguf").mkdir(), "is a folder", r"\.gguf file inside"),
    "an unreadable model": Bad(4, ("/proc/self/mem cannot be read",), ("-t", PROBLEM, "-m", "/proc/self/mem")),
    # what is in the model file
    "an empty model": model(write("m.gguf", b""), "is empty", "give a .gguf model"),
    "a text as a model": model(write("m.gguf", b"hello"), "not a GGUF file", "give a .gguf model"),
    "safetensors": model(write("m.gguf", NUL + b"{}"), "not a GGUF file"),
    "a GGUF file of version 1": model(
        lambda f: gguf.patched(f / "m.gguf", 4, b"\1\0\0\0"), "version 1", "convert it again"
    ),
    "a big-endian GGUF file": model(
        lambda f: gguf.patched(f / "m.gguf", 4, b"\0\0\0\3"), "big-endian", "convert it again"
    ),
    "a tensor count that is a lie": model(
        lambda f: gguf.patched(f / "m.gguf", 8, b"\xff" * 8), "cut off|damaged", "again"
    ),
    "a key count that is a lie": model(
        lambda f: gguf.patched(f / "m.gguf", 16, b"\xff" * 8), "cut off|damaged", "again"
    ),
    "a string length that is a lie": model(lambda f: gguf.patched(f / "m.gguf", 24, b"\xff" * 8), "cut off", "again"),
    "another architecture": damaged({}, "llama.block_count is None", "convert it again", architecture="llama"),
    "a vocabulary alone": damaged({}, "vocabulary and no weights", "whole model", tensors=False),
    "no template": damaged({}, "no chat template", "converted without one", drop=["tokenizer.chat_template"]),
    "no tokens": damaged({}, "tokens is missing", drop=["tokenizer.ggml.tokens"]),
    "no merges": damaged({}, "merges", drop=["tokenizer.ggml.merges"]),
    "a token twice": damaged(doubled("tokenizer.ggml.tokens"), "a token twice", "again"),
    "another tokenizer": damaged({"tokenizer.ggml.model": "llama"}, "tokenizer.ggml.model is llama", "again"),
    "no layers": damaged({"qwen2.block_count": 0}, "block_count is 0", "again"),
    "a billion layers": damaged({"qwen2.block_count": 10**9}, "block_count is 1000000000"),
    "fewer layers than tensors": damaged({"qwen2.block_count": 3}, "wrong number of tensors"),
    "no heads": damaged({"qwen2.attention.head_count": 0}, "head_count is 0"),
    "heads of another size": damaged({"qwen2.attention.key_length": 1000}, "key_length is not 32"),
    "rotation of another size": damaged({"qwen2.rope.dimension_count": 7}, "width 32, of which 7 are rotated"),
    "an epsilon that is no number": damaged({"qwen2.attention.layer_norm_rms_epsilon": float("nan")}, "epsilon is nan"),
    "a width that is not the tensors'": damaged({"qwen2.embedding_length": 192}, "wrong shape|damaged"),
    "weights that are no numbers": model(
        lambda f: gguf.variant(f / "m.gguf", data=lambda _, v: np.full_like(v, np.nan) if v.dtype == np.float32 else v),
        "not finite numbers",
        "damaged",
    ),
    # its template
    "a template that reaches for classes": template(
        "{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe", "another file"
    ),
    "a template that does not end": template(
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "does not end"
    ),
    "a template of huge strings": template("{{ 'x' * 1000000000 }}", "no good", "another file"),
    "a template that calls itself": template("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion|no good"),
    "a template with a wrong syntax": template("{% for %}", "no good"),
    "a template that refuses": template("{{ raise_exception('go away') }}", "go away"),
    "a template without the problem": template("Hello.", "leaves the problem out"),
    "a template with control characters": template("{{ raise_exception('\x1b[2J\x9b2J\u202e') }}", "no good"),
}


def clean(result: Result) -> None:
    assert "Traceback" not in result.err
    assert "bug" not in result.err
    assert not UNPRINTABLE.search(result.err)


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gets_a_sentence(name: str, tmp_path: Path) -> None:
    bad = BAD[name]
    if any(arg.startswith(("/proc/", "/dev/")) and not Path(arg).exists() for arg in bad.args):
        pytest.skip(f"this system has no {bad.args}")
    if bad.make:
        bad.make(tmp_path)
    plain = vibe("solve", *bad.args, stdin=bad.stdin, terminal=bad.terminal)
    assert (plain.code, plain.out) == (bad.code, ""), plain.err
    clean(plain)
    sentence = plain.err.splitlines()[-1]
    assert sentence.startswith(("vibe: ", "Error: ")), plain.err
    assert all(re.search(says, sentence) for says in bad.says), sentence
    told = vibe("solve", "--json", "-q", *bad.args, stdin=bad.stdin, terminal=bad.terminal)
    assert told.code == bad.code
    clean(told)
    assert told.err.splitlines()[-1] == sentence
    assert not UNPRINTABLE.search(told.out)
    if bad.code == 2:
        assert told.out == ""
    else:
        assert (told.receipt["schema"], told.receipt["status"], told.receipt["answer"]) == (1, "failed", None)
        assert all(re.search(says, told.receipt["error"]) for says in bad.says[1:]), told.receipt["error"]


@pytest.mark.parametrize("share", [n / 20 for n in range(20)])
def test_a_model_cut_off_anywhere_gets_a_sentence(share: float, tmp_path: Path) -> None:
    path = gguf.cut(tmp_path / "m.gguf", share)
    result = vibe("solve", "-t", PROBLEM, "-m", str(path))
    assert (result.code, result.out) == (4, "")
    clean(result)
    assert re.search(r"m\.gguf is (empty|cut off).*(again|give)", result.err)
    if share > 0.1:
        assert f"{path.stat().st_size:,} of at least {paths.MINI.stat().st_size:,} bytes" in result.err


def test_every_byte_of_the_header_may_be_wrong(tmp_path: Path) -> None:
    """The check itself never fails with anything but its own error."""
    rng, path = np.random.default_rng(1), tmp_path / "m.gguf"
    seen = set()
    for _ in range(300):
        gguf.patched(path, int(rng.integers(0, 20_000)), rng.bytes(int(rng.choice([1, 4, 8]))))
        try:
            read(path)
        except Exception as error:
            seen.add(type(error).__name__)
    assert seen == {"ModelError"}


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a patch, since root may read anything."""
    real = Path.open

    def refuse(path: Path, *args: object, **named: object) -> object:
        if path.suffix in (".txt", ".gguf"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *args, **named)  # type: ignore[call-overload]

    (tmp_path / "p.txt").write_text(PROBLEM)
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr(Path, "open", refuse)
    result = vibe("solve", "p.txt")
    assert (result.code, result.out) == (2, "")
    assert "p.txt cannot be read (Permission denied): give another file" in result.err
    result = vibe("solve", "-t", PROBLEM, "-m", "m.gguf")
    assert (result.code, result.out) == (4, "")
    assert "m.gguf cannot be read: Permission denied" in result.err


def test_a_model_file_that_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(paths.MINI.read_bytes())

    def threads() -> int:  # asked for between the choice and the load
        path.unlink()
        return 1

    monkeypatch.setattr(machine, "threads", threads)
    result = vibe("solve", "-t", PROBLEM, "-m", str(path), "--json")
    assert result.code == 4
    assert "No such file" in result.receipt["error"]
    assert str(path) in result.receipt["error"]


def test_a_models_toml_that_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "models.toml"
    monkeypatch.setattr(paths, "models_toml", lambda: broken)
    for text, says in (
        ("schema = ", "models.toml cannot be read"),
        ("schema = 9\n[models]", "schema"),
        ('schema = 1\n[models.a]\nabout = "a"\ntop_p = 7', "models.a.top_p"),
        (None, "No such file"),
    ):
        broken.write_text(text) if text else broken.unlink()
        result = vibe("solve", "-t", PROBLEM)
        assert (result.code, result.out) == (4, "")
        assert says in result.err


@pytest.mark.parametrize("where", ["file", "file/below", "/proc/nowhere", "~nobody-at-all/x", "full"])
def test_no_log_is_no_reason_to_refuse(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log's folder cannot be made, or its disk is full: the problem is solved all the same."""
    (tmp_path / "file").write_text("a file")
    if where == "full":
        if not Path("/dev/full").exists():
            pytest.skip("this system has no /dev/full")
        (tmp_path / "full/logs").mkdir(parents=True)
        (tmp_path / "full/logs/vibe.log").symlink_to("/dev/full")
    monkeypatch.setenv("VIBE_HOME", where)
    result = vibe("--debug", "solve", "-t", PROBLEM, "--seed", "1", "--json")
    assert result.code in (0, 3)
    assert result.receipt["status"] in ("answered", "no_answer")
    clean(result)


def test_a_bug_of_ours_is_named_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(machine, "threads", broken)
    result = vibe("solve", "-t", PROBLEM, "--json")
    assert result.code == 5
    assert "bug" in result.err
    assert "ZeroDivisionError: oops" in result.err
    assert (result.receipt["status"], result.receipt["error"]) == ("failed", "oops")


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 there")
def test_a_model_file_whose_name_is_not_utf8(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xff.gguf"))
    path.symlink_to(Path(__file__).parents[2] / "vibethinker_local" / "mini" / "mini.gguf")
    result = vibe("solve", "-t", PROBLEM, "-m", str(path))
    assert result.code in (0, 3), result.err
    clean(result)
