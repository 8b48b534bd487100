"""What a storage may send instead of a file: nothing of it is kept, nothing that is here is lost, and it is said."""

import gzip
from pathlib import Path

import pytest

from tests.command import vibe
from tests.models.hub.pulling import ENTRY, GGUF, SHA256, blobs, entry
from tests.models.hub.stand_in import COMMIT, Hub, Reply
from vibethinker_local.errors import ModelError
from vibethinker_local.models import download, hub
from vibethinker_local.models.cache import Repository
from vibethinker_local.system.progress import run

HERE, SIZE = 300_000, len(GGUF)
REST = GGUF[HERE:]
PAGE = b"<html><head><title>Quota exceeded</title><style>b {}</style></head><b>Come\x1b[31m back</b> later</html>"
XML = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


def html(body: bytes = PAGE, *, sized: bool = True, cut: int | None = None) -> Reply:
    return Reply(200, {"Content-Type": "text/html; charset=utf-8"}, body, sized, cut)


def part(text: str, body: bytes = REST, *, sized: bool = True, **headers: str) -> Reply:
    return Reply(
        206, {"Content-Range": text} | {name.replace("_", "-"): value for name, value in headers.items()}, body, sized
    )


ALL_THE_REST = f"bytes {HERE}-{SIZE - 1}/{SIZE}"


def pulled(there: bytes = GGUF[:HERE]) -> Path:
    """The file, fetched where `there` has come before."""
    remote = hub.look_up("org/files", "tiny.gguf", sha256=SHA256, size=SIZE)
    if there:
        remote.blob.parent.mkdir(parents=True)
        remote.partial.write_bytes(there)
    return run(download.fetch(remote, SHA256), lambda progress: None)


def kept() -> bytes:
    (path,) = blobs().iterdir()
    assert path.name == f"{SHA256}.incomplete"
    return path.read_bytes()


INSTEAD = {
    "a page": (html(), "200 OK, text/html; charset=utf-8, 101 bytes: “Quota exceeded Come[31m back later”"),
    "a page in chunks": (html(sized=False), "“Quota exceeded Come[31m back later”"),
    "a page that breaks off": (html(cut=50), "“Quota exceeded"),
    "a page longer than what is here": (html(PAGE * 4000), "404,000 bytes"),
    "a text": (
        Reply(200, {"Content-Type": "text/plain"}, b"Quota exceeded\n"),
        "text/plain, 15 bytes: “Quota exceeded”",
    ),
    "a text in chunks": (
        Reply(200, {"Content-Type": "text/plain"}, b"Quota exceeded", sized=False),
        "“Quota exceeded”",
    ),
    "JSON": (
        Reply(200, {"Content-Type": "application/json"}, b'{"error": 1}'),
        'application/json, 12 bytes: “{"error": 1}”',
    ),
    "nothing": (Reply(200), "200 OK, 0 bytes"),
    "no content": (Reply(204), "204 No Content"),
    "not yet": (Reply(202, {}, b"scanning"), "202 Accepted, 8 bytes: “scanning”"),
    "not modified": (Reply(304), "304 Not Modified"),
    "a choice": (Reply(300, {"Content-Type": "text/html"}, PAGE), "300 Multiple Choices"),
    "a redirect to nowhere": (Reply(302), "302 Found"),
    "a compressed file": (Reply(200, {"Content-Encoding": "gzip"}, gzip.compress(GGUF, 1)), "encoded as gzip"),
    "a compressed rest": (
        part(ALL_THE_REST, gzip.compress(REST, 1), Content_Encoding="gzip"),
        "gzip",
    ),
    "a file of the right length that is compressed": (Reply(200, {"Content-Encoding": "br"}, GGUF), "encoded as br"),
    "a longer file": (Reply(200, {}, GGUF + b"x"), "1,182,817 bytes"),
    "a shorter file": (Reply(200, {}, GGUF[:-1]), "1,182,815 bytes"),
    "another total": (part(f"bytes {HERE}-{SIZE}/{SIZE + 1}", REST + b"x"), f"range 'bytes {HERE}-{SIZE}/{SIZE + 1}'"),
    "a total that is less": (part(f"bytes {HERE}-{SIZE - 2}/{SIZE - 1}", REST[:-1]), f"/{SIZE - 1}'"),
    "a later place": (part(f"bytes {HERE + 9}-{SIZE - 1}/{SIZE}", REST[9:]), f"range 'bytes {HERE + 9}-"),
    "a range that ends before what is here": (part(f"bytes 0-99/{SIZE}", GGUF[:100]), "range 'bytes 0-99/"),
    "a range that goes backwards": (part(f"bytes {SIZE - 1}-{HERE}/{SIZE}"), "range"),
    "a range without a place": (Reply(206, {}, REST), "206 Partial Content, 882,816 bytes"),
    "a range in another syntax": (part(f"bytes={HERE}-{SIZE - 1}/{SIZE}"), "range 'bytes="),
    "a range in other units": (part(f"items {HERE}-{SIZE - 1}/{SIZE}"), "range 'items"),
    "a range without a total": (part(f"bytes {HERE}-{SIZE - 1}"), "range"),
    "a range with a word in it": (part("bytes one-two/three"), "range 'bytes one-two/three'"),
    "a range that tells another length": (part(ALL_THE_REST, REST + b"more"), "882,820 bytes"),
    "a longer range in chunks": (
        part(ALL_THE_REST, REST + b"more", sized=False),
        "more than 1,182,816",
    ),
    "a shorter range in chunks": (
        part(ALL_THE_REST, REST[:-7], sized=False),
        "and 1,182,809 bytes",
    ),
    "a page as a range": (part(ALL_THE_REST, PAGE, Content_Type="text/html"), "“Quota exceeded"),
    "ranges": (part(ALL_THE_REST, Content_Type="multipart/byteranges; boundary=x"), "multipart/"),
    "no more": (Reply(416, {"Content-Range": f"bytes */{HERE}"}), f"range 'bytes */{HERE}'"),
    "an expired address": (Reply(403, {"Content-Type": "application/xml"}, XML), "“AccessDenied Request has expired”"),
    "a login": (Reply(401, {}, b"who?"), "401 Unauthorized, 4 bytes: “who?”. No token is asked for there"),
    "a bill": (Reply(402, {}, b"pay"), "402 Payment Required"),
    "the law": (Reply(451, {"Content-Type": "text/html"}, PAGE), "451 Unavailable For Legal Reasons"),
}


@pytest.mark.parametrize("what", INSTEAD)
def test_what_comes_instead_is_said_and_takes_nothing_away(what: str, hub: Hub) -> None:
    reply, says = INSTEAD[what]
    hub.replies = [reply]
    with pytest.raises(ModelError) as refusal:
        pulled()
    assert says in str(refusal.value)
    assert str(refusal.value).endswith(" 300,000 of 1,182,816 bytes are kept: the same command goes on from there.")
    assert kept() == GGUF[:HERE]


@pytest.mark.parametrize("what", INSTEAD)
def test_what_comes_instead_of_a_beginning_is_not_kept(what: str, hub: Hub) -> None:
    reply, _ = INSTEAD[what]
    hub.replies = [reply]
    if what == "a range that ends before what is here":
        assert pulled(b"").read_bytes() == GGUF  # it is a beginning
        return
    with pytest.raises(ModelError):
        pulled(b"")
    assert kept() == b""


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, {}, GGUF),
        Reply(200, {"Content-Encoding": "identity", "Content-Type": "binary/octet-stream"}, GGUF),
        Reply(200, {}, GGUF, sized=False),
        part(f"bytes {HERE}-{SIZE - 1}/*"),
        part(f"Bytes  {HERE}-{SIZE - 1}/{SIZE}"),
        part(ALL_THE_REST, sized=False),
        part(f"bytes {HERE - 1000}-{SIZE - 1}/{SIZE}", GGUF[HERE - 1000 :]),
        part(f"bytes 0-{SIZE - 1}/{SIZE}", GGUF),
        part(f"bytes {HERE}-{HERE + 999}/{SIZE}", REST[:1000]),
    ],
)
def test_answers_that_fit_are_taken(reply: Reply, hub: Hub) -> None:
    hub.replies = [reply]
    assert pulled().read_bytes() == GGUF


def test_a_server_that_starts_over_takes_nothing_away(hub: Hub) -> None:
    hub.replies = [Reply(200, {}, GGUF, cut=HERE // 2), Reply(200, {}, GGUF, cut=HERE + 5), Reply(204)]
    with pytest.raises(ModelError, match="204 No Content"):
        pulled()
    assert kept() == GGUF[: HERE + 5]


def test_other_bytes_from_the_beginning_are_not_put_behind_what_is_here(hub: Hub) -> None:
    hub.replies = [Reply(200, {}, bytes(SIZE))]
    with pytest.raises(ModelError, match=f"sends other bytes .* remove .*{SHA256}.incomplete to start over"):
        pulled()
    assert kept() == GGUF[:HERE]


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/stored/x", "ftp://x/y", "/stored/tiny"])
def test_a_redirect_that_never_arrives_is_not_tried_again(
    target: str, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PAUSES", (99,))
    port = hub.address.rpartition(":")[2]
    hub.replies = [Reply(302, {"Location": target.format(port=port)}) for _ in range(30)]
    with pytest.raises(ModelError, match=r"redirects|unsupported protocol"):
        pulled()
    assert kept() == GGUF[:HERE]


def test_a_login_page_behind_a_redirect(hub: Hub) -> None:
    hub.replies = [Reply(302, {"Location": "/stored/login"}), html(b"<title>Sign in</title>")]
    with pytest.raises(ModelError, match="“Sign in”"):
        pulled()
    assert kept() == GGUF[:HERE]


def test_after_a_page_the_same_command_goes_on(hub: Hub) -> None:
    hub.cuts, hub.replies = [HERE], []
    assert vibe("pull", "tiny").code == 0  # by itself: the second attempt brings the rest
    assert vibe("rm", "tiny", "--yes").code == 0
    hub.cuts, hub.replies, hub.sent = [], [Reply(200, {}, GGUF, cut=HERE), html()], 0
    done = vibe("pull", "tiny")
    assert done.code == 4
    assert "“Quota exceeded Come[31m back later”. 300,000 of 1,182,816 bytes are kept" in done.err
    assert vibe("pull", "tiny").code == 0
    assert hub.sent == SIZE - HERE


@pytest.mark.parametrize(
    "missing",
    [
        {"X-Linked-Size"},
        {"X-Linked-Etag"},
        {"X-Linked-Size", "X-Linked-Etag", "ETag"},
        {"X-Repo-Commit"},
        {"X-Linked-Size", "X-Linked-Etag", "ETag", "X-Repo-Commit"},
    ],
)
def test_a_mirror_that_leaves_headers_out(missing: set[str], hub: Hub) -> None:
    hub.mirrors = frozenset(missing)
    done = vibe("pull", "tiny")
    assert done.code == 0, done.err
    path = Path(done.out.strip())
    assert path.read_bytes() == GGUF
    assert path.parent.name == ("main" if "X-Repo-Commit" in missing else COMMIT)
    assert vibe("rm", "tiny", "--yes").code == 0
    assert list(blobs().iterdir()) == []


def test_a_size_that_nobody_tells_is_asked_for(hub: Hub, home: Path) -> None:
    entry(home, ENTRY.replace(f"bytes = {SIZE}\n", ""))
    hub.mirrors = frozenset({"X-Linked-Size"})
    assert vibe("pull", "tiny").code == 0
    assert hub.ranges == ["bytes=0-0", None]
    assert vibe("rm", "tiny", "--yes").code == 0
    hub.replies = [html()]
    done = vibe("pull", "tiny")
    assert done.code == 4
    assert "does not say how large org/files/tiny.gguf is, and sends 200 OK, text/html" in done.err


def test_a_page_instead_of_a_hub(hub: Hub) -> None:
    hub.refuses, hub.page = 200, PAGE
    done = vibe("pull", "tiny")
    assert done.code == 4
    assert "does not answer as a hub does, but with 200 OK, 101 bytes: “Quota exceeded Come[31m back later”" in done.err


def test_the_next_repository_is_named(hub: Hub, home: Path) -> None:
    files = ENTRY[ENTRY.index("[[") :]
    others = "".join(files.replace("org/files", f"org/gone{i}") for i in range(3))
    entry(home, ENTRY.replace("[[models.tiny.files]]", others + "[[models.tiny.files]]"))
    done = vibe("pull", "tiny")
    assert done.code == 0
    said = [line.rpartition("Trying ")[2] for line in done.err.splitlines() if "Trying" in line]
    assert said == ["org/gone1.", "org/gone2.", "org/files."]


def test_bytes_that_repositories_share_stay_for_the_others(hub: Hub, tmp_path: Path) -> None:
    """Since version 2.4 the hub's own client keeps the bytes of some files apart, and links to them."""
    path = Path(vibe("pull", "tiny").out.strip())
    blob, shared = blobs() / SHA256, blobs().parent.parent / "blobs" / "ab" / ("ab" * 32)
    shared.parent.mkdir(parents=True)
    blob.rename(shared)
    blob.symlink_to(shared)
    other = Repository("org/other").blob(SHA256)
    other.parent.mkdir(parents=True)
    other.symlink_to(shared)
    assert vibe("rm", "tiny", "--yes").code == 0
    assert not path.is_symlink()
    assert not blob.is_symlink()
    assert other.read_bytes() == GGUF
    other.unlink()
    path.symlink_to(blob)
    blob.symlink_to(shared)
    assert vibe("rm", "tiny", "--yes").code == 0
    assert not shared.exists()
