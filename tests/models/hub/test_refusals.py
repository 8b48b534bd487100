"""`vibe pull` where it cannot: a hub, a file, a network or a disk that refuses is named, and nothing half is listed."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.command import vibe
from tests.models.hub.pulling import ENTRY, GGUF, SHA256, blobs, entry, finish, point, process, refused, state
from tests.models.hub.stand_in import Hub
from vibethinker_local.system import paths


def test_bytes_that_are_wrong_are_removed_and_named(hub: Hub) -> None:
    hub.damaged = True
    refused(vibe("pull", "tiny"), "arrived damaged", SHA256, "removed")
    assert list(blobs().iterdir()) == []
    hub.damaged = False
    assert vibe("pull", "tiny").code == 0


def test_bytes_without_an_end_are_not_taken(hub: Hub) -> None:
    hub.extra = 60_000_000
    refused(vibe("pull", "tiny"), "Instead of tiny.gguf, 1,182,816 bytes,", "sends 200 OK, 61,182,816 bytes")
    assert hub.sent < 30_000_000
    assert [path.stat().st_size for path in blobs().iterdir()] == [0]


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("{elsewhere}/org/files/resolve/main/tiny.gguf", "cannot be reached (it sends us round in circles"),
        ("http://[nowhere", "cannot be reached (Invalid IPv6 URL)"),
    ],
)
def test_a_redirect_that_leads_nowhere(place: str, says: str, hub: Hub) -> None:
    hub.sends_to = place.format(elsewhere=hub.elsewhere)
    refused(vibe("pull", "tiny"), says)


def test_a_partial_file_of_other_bytes_is_found_out(hub: Hub) -> None:
    hub.cuts = [300_000] + [0] * 9
    refused(vibe("pull", "tiny"), "300,000 of 1,182,816 bytes are kept", "goes on from there")
    (partial,) = blobs().glob("*.incomplete")
    partial.write_bytes(bytes(300_000))
    hub.cuts = []
    refused(vibe("pull", "tiny"), "arrived damaged")
    assert vibe("pull", "tiny").code == 0


def test_a_short_file(hub: Hub) -> None:
    hub.short = 1000
    refused(vibe("pull", "tiny"), "sends 200 OK, 1,181,816 bytes")
    hub.short = 0
    assert vibe("pull", "tiny").code == 0


def test_the_hub_has_another_file_than_the_entry_says(hub: Hub, home: Path) -> None:
    entry(home, ENTRY.replace(SHA256, "0" * 64))
    refused(vibe("pull", "tiny"), "is not the file that models.toml lists", "Nothing was downloaded")
    entry(home, ENTRY.replace(f"bytes = {len(GGUF)}", "bytes = 5"))
    refused(vibe("pull", "tiny"), "its size is 1182816, not 5")
    assert hub.sent == 0


@pytest.mark.parametrize(
    ("status", "headers", "says"),
    [
        (404, {"X-Error-Code": "EntryNotFound"}, "has no file org/files/tiny.gguf"),
        (404, {"X-Error-Code": "RepoNotFound"}, "has no org/files/tiny.gguf, or shows it to some only"),
        (404, {"X-Error-Code": "RevisionNotFound"}, "no such revision"),
        (404, {}, "(404): check its name, and HF_ENDPOINT"),
        (401, {}, "check HF_TOKEN"),
        (403, {"X-Error-Code": "GatedRepo"}, "accept its conditions: do so at http"),
        (403, {"X-Error-Message": "Disabled."}, "refuses org/files/tiny.gguf (403, Disabled.): check HF_TOKEN"),
        (
            403,
            {"Server": "squid"},
            "(403): check HF_TOKEN, or run `hf auth login`. Or a proxy or a firewall forbids it",
        ),
        (418, {}, "answers 418"),
        (429, {"Retry-After": "77"}, "slow down (429): try again in 77 seconds"),
        (429, {}, "try again later"),
        (500, {}, "out of order (500): try again later"),
        (503, {}, "out of order (503): try again later"),
        (200, {}, "does not answer as a hub does, but with 200 OK, 2 bytes: “{}”: check HF_ENDPOINT"),
        (407, {}, "The proxy in the system settings refuses (407)"),
    ],
)
def test_a_hub_that_refuses(status: int, headers: dict[str, str], says: str, hub: Hub) -> None:
    hub.refuses, hub.headers = status, headers
    refused(vibe("pull", "tiny"), says)


def test_an_address_in_capitals_is_the_same_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    point(monkeypatch, hub.address.replace("127.0.0.1", "LOCALHOST"))
    hub.refuses, hub.headers = 404, {"X-Error-Code": "RepoNotFound"}
    refused(vibe("pull", "tiny"), "has no org/files/tiny.gguf, or shows it to some only")


def test_a_hub_that_refuses_in_the_middle_keeps_what_came(hub: Hub) -> None:
    hub.cuts, hub.fails = [300_000], [0] + [429] * 9
    refused(vibe("pull", "tiny"), "answers 429", "300,000 of 1,182,816 bytes are kept")
    assert state() == "partly here"
    hub.fails = []
    assert vibe("pull", "tiny").code == 0
    assert hub.sent == len(GGUF)


def test_a_connection_that_stalls(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.8)
    hub.stalls = [300_000]
    assert vibe("pull", "tiny").code == 0
    assert hub.sent == len(GGUF)
    assert vibe("rm", "tiny", "--yes").code == 0
    hub.stalls = [300_000, 0, 0, 0]
    refused(vibe("pull", "tiny"), "breaks (it does not answer)", "300,000 of 1,182,816 bytes are kept")
    assert vibe("pull", "tiny").code == 0
    assert hub.sent == 2 * len(GGUF)


def test_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    point(monkeypatch, "http://127.0.0.1:9")  # discard: nothing listens
    refused(vibe("pull", "tiny"), "http://127.0.0.1:9 cannot be reached", "check the network")


def test_offline_mode(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    refused(vibe("pull", "tiny"), "HF_HUB_OFFLINE forbids")
    assert hub.asked == []


def test_a_token_goes_to_the_hub_and_nowhere_else(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.token = "hf_secret"
    refused(vibe("pull", "tiny"), "set HF_TOKEN")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert vibe("pull", "tiny").code == 0
    assert {token for _, path, _, token in hub.asked if "/stored/" in path} == {False}
    monkeypatch.setenv("HF_TOKEN", "hf_\u00e9")
    assert vibe("rm", "tiny", "--yes").code == 0
    refused(vibe("pull", "tiny"), "HF_TOKEN")


def test_no_room_on_the_disk(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    usage = shutil.disk_usage(paths.PACKAGE)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    refused(vibe("pull", "tiny"), "needs 0.00 GB more", "set HF_HOME to another disk")
    assert hub.sent == 0


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "file"))
    refused(vibe("pull", "tiny"), "cannot be written (Not a directory)")


def test_a_disk_that_is_full(hub: Hub) -> None:
    pytest.importorskip("resource")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))"
    code, out, err = finish(process(hub, "pull", "tiny", before=limit))
    assert (code, out) == (4, "")
    assert "The disk is full" in err
    assert "400,000 of 1,182,816 bytes are kept" in err
    assert "Traceback" not in err
    assert state() == "partly here"
    assert vibe("pull", "tiny").code == 0
    assert hub.sent < 2 * len(GGUF)
