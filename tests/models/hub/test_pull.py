"""`vibe pull` against a hub on loopback: it fetches, goes on, checks; `vibe rm` removes."""

import errno
import hashlib
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tests import disk
from tests.command import vibe
from tests.models.hub.pulling import ENTRY, GGUF, PROBLEM, SHA256, blobs, entry, refused, state
from tests.models.hub.stand_in import COMMIT, Hub
from vibethinker_local.models import checksums
from vibethinker_local.models.cache import Repository
from vibethinker_local.models.download import fetch
from vibethinker_local.models.hub import look_up
from vibethinker_local.system import paths
from vibethinker_local.system.progress import run


def test_a_full_pull(hub: Hub) -> None:
    assert state() == "not installed"
    done = vibe("pull", "tiny")
    assert done.code == 0, done.err
    path = Path(done.out.strip())
    assert path == Repository("org/files").snapshot(COMMIT) / "tiny.gguf"
    assert path.read_bytes() == GGUF
    assert Repository("org/files").reference("main").read_text() == COMMIT
    assert done.err == "tiny:Q8_0: the first in its entry, which does not tell the model's shape.\n"
    assert state() == "installed"
    assert not list(blobs().glob("*.incomplete"))
    assert all(not token for *_, token in hub.asked)
    got = next(path for method, path, *_ in hub.asked if method == "GET" and "/resolve/" in path)
    assert got == f"/org/files/resolve/{COMMIT}/tiny.gguf", "main may have moved since it was looked up"
    asked = len(hub.asked)
    solved = vibe("solve", "-m", "tiny", "-t", PROBLEM, "--seed", "1", "--json")
    assert (solved.receipt["answer"], solved.receipt["model"]["sha256"]) == ("17", SHA256)
    assert vibe("pull", "tiny:q8_0").out == done.out
    assert len(hub.asked) == asked, "what is here is not asked for"


def test_a_file_that_is_stored_in_chunks_comes_as_any_other(hub: Hub) -> None:
    hub.xet, hub.cuts = True, [300_000]
    assert vibe("pull", "tiny").code == 0
    assert hub.ranges == [None, "bytes=300000-"]
    assert not [path for _, path, _, _ in hub.asked if "xet" in path]


def test_the_hubs_own_client_finds_the_file() -> None:
    from huggingface_hub import hf_hub_download

    path = vibe("pull", "tiny").out.strip()
    assert hf_hub_download("org/files", "tiny.gguf", cache_dir=paths.hub_cache(), local_files_only=True) == path


def test_what_the_hubs_own_client_brought_is_read_once_and_used(hub: Hub) -> None:
    from huggingface_hub import hf_hub_download

    hf_hub_download("org/files", "tiny.gguf", cache_dir=paths.hub_cache())
    assert state() == "unchecked"
    sent = hub.sent
    first = vibe("solve", "-m", "tiny", "-t", PROBLEM, "--seed", "1")
    assert (first.code, first.out) == (0, "Ann has \\boxed{17} apples.\n")
    assert "once, to check it" in first.err
    assert state() == "installed"
    assert "to check it" not in vibe("solve", "-m", "tiny", "-t", PROBLEM, "--seed", "1").err
    assert vibe("pull", "tiny").code == 0
    assert hub.sent == sent


def test_where_links_are_forbidden_the_file_itself_gets_the_name(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows. It is read again there, and not fetched."""

    def forbid(*arguments: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", forbid)
    path = Path(vibe("pull", "tiny").out.strip())
    assert not path.is_symlink()
    checksums.forget(path)
    assert vibe("pull", "tiny").code == 0
    assert (path.read_bytes(), hub.sent, list(blobs().iterdir())) == (GGUF, len(GGUF), [])
    assert vibe("rm", "tiny", "--yes").code == 0
    assert not path.exists()


def test_a_file_of_another_size_is_known_without_being_read() -> None:
    path = Repository("org/files").snapshot(COMMIT) / "tiny.gguf"
    path.parent.mkdir(parents=True)
    for content, known in ((GGUF[:-1], "damaged"), (GGUF, "unchecked")):
        path.write_bytes(content)
        assert state() == known


def test_a_file_that_came_damaged_by_another_way_is_refused_and_mended(hub: Hub) -> None:
    path = Path(vibe("pull", "tiny").out.strip())
    path.resolve().write_bytes(GGUF[:-1] + b"x")
    assert state() == "unchecked", "its record counts no more"
    result = vibe("solve", "-m", "tiny", "-t", PROBLEM)
    assert (result.code, result.out) == (4, "")
    assert "vibe rm tiny:Q8_0" in result.err
    assert state() == "damaged"
    assert vibe("solve", "-t", PROBLEM, "--seed", "1").code == 0, "another one is taken"
    assert vibe("pull", "tiny").code == 4  # says so, and removes it
    assert vibe("pull", "tiny").code == 0
    assert path.read_bytes() == GGUF


def test_a_transfer_that_breaks_goes_on(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.cuts = [300_000, 200_000, 0, 100_000]
    done = disk.watched(monkeypatch)
    assert vibe("pull", "tiny").code == 0
    assert SHA256 in done
    assert hub.ranges == [None, "bytes=300000-", "bytes=500000-", "bytes=500000-", "bytes=600000-"]
    assert hub.sent == len(GGUF)


def test_what_is_here_already_needs_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    partial = Repository("org/files").partial(SHA256)
    partial.parent.mkdir(parents=True)
    partial.write_bytes(GGUF[:300_000])
    usage = shutil.disk_usage(paths.PACKAGE)._replace(free=len(GGUF) - 300_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert vibe("pull", "tiny").code == 0


def test_a_hub_that_is_out_of_order_for_a_while(hub: Hub) -> None:
    hub.cuts, hub.fails = [300_000], [0, 503, 429]
    assert vibe("pull", "tiny").code == 0
    assert hub.sent == len(GGUF)


def test_a_server_without_ranges_starts_over(hub: Hub) -> None:
    hub.cuts, hub.ignores_ranges = [300_000], True
    assert vibe("pull", "tiny").code == 0
    assert Path(vibe("pull", "tiny").out.strip()).read_bytes() == GGUF


def test_a_server_without_ranges_that_always_breaks(hub: Hub) -> None:
    hub.cuts, hub.ignores_ranges = [300_000] * 99, True
    refused(vibe("pull", "tiny"), "cannot be downloaded")


def test_another_place_has_it(hub: Hub, home: Path) -> None:
    other = ENTRY[ENTRY.index("[[") :].replace("org/files", "org/gone")
    entry(home, ENTRY.replace("[[models.tiny.files]]", other + "[[models.tiny.files]]"))
    done = vibe("pull", "tiny")
    assert done.code == 0
    assert "The hub has no org/gone/tiny.gguf" in done.err


def test_without_a_sha256_the_hubs_own_counts(hub: Hub, home: Path) -> None:
    entry(home, ENTRY.replace(f'sha256 = "{SHA256}"', ""))
    done = vibe("pull", "tiny")
    assert done.code == 0
    assert f"no sha256 of tiny.gguf: the hub's own is what counts, {SHA256}" in done.err
    assert state() == "installed"
    hub.damaged = True
    assert vibe("rm", "tiny", "--yes").code == 0
    refused(vibe("pull", "tiny"), "arrived damaged")


def test_a_small_file_is_named_by_git_and_checked_by_its_sha256() -> None:
    expected = hashlib.sha256(b"# Tiny").hexdigest()
    remote = look_up("org/files", "README.md", sha256=expected)
    assert len(remote.etag) == 40
    assert run(fetch(remote, expected), lambda progress: None).read_bytes() == b"# Tiny"
    assert checksums.known(remote.snapshot) == expected


def test_usage() -> None:
    for args, says in (
        (("pull", "nothing"), "no model called 'nothing'"),
        (("pull", "tiny:Q9"), "tiny has no Q9: give one of Q8_0"),
        (("pull", "mini"), "comes with the program"),
        (("pull", "tiny:Q9", "--from", "checkpoint"), "Q9"),
        (("rm", "nothing"), "no model called 'nothing'"),
        (("rm", "mini", "--yes"), "part of the program"),
    ):
        refused(vibe(*args), says, code=2)
    refused(vibe("rm", "tiny"), "not installed")


def test_rm_asks() -> None:
    path = Path(vibe("pull", "tiny").out.strip())
    assert "give --yes" in vibe("rm", "tiny").err
    assert vibe("rm", "tiny", stdin=b"n\n", terminal=True).code == 1
    assert path.exists()
    assert vibe("rm", "tiny", stdin=b"y\n", terminal=True).code == 0
    assert not path.exists()
    assert list(blobs().iterdir()) == []
    assert state() == "not installed"


def test_rm_removes_what_is_there_of_a_file(hub: Hub) -> None:
    hub.cuts = [300_000] + [0] * 9
    assert vibe("pull", "tiny").code == 4
    assert state() == "partly here"
    done = vibe("rm", "tiny", "--yes")
    assert (done.code, list(blobs().iterdir())) == (0, [])
    assert "a part  300 kB" in done.err
    assert state() == "not installed"


def test_rm_leaves_alone_what_is_being_fetched() -> None:
    partial = Repository("org/files").partial(SHA256)
    partial.parent.mkdir(parents=True)
    partial.write_bytes(GGUF[:9])
    lock = Repository("org/files").lock(SHA256)
    lock.parent.mkdir(parents=True)
    with FileLock(lock):
        refused(vibe("rm", "tiny", "--yes"), "is being fetched by another program")
    assert partial.exists()
    assert vibe("rm", "tiny", "--yes").code == 0
    assert not partial.exists()
