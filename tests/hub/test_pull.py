"""`vibe pull` against a hub on loopback: it fetches, goes on, checks, refuses; nothing half is ever listed."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.command import Result, vibe
from tests.hub.stand_in import COMMIT, Hub, serving
from vibethinker_local import models, paths
from vibethinker_local.hub import download

ROOT = Path(__file__).parents[2]
GGUF = paths.MINI.read_bytes()
SHA256 = hashlib.sha256(GGUF).hexdigest()
PROBLEM = "Tom has 12 apples. Ann has 5 more apples than Tom. How many apples does Ann have?"
CHECKPOINT = {path.name: path.read_bytes() for path in (paths.PACKAGE / "mini" / "checkpoint").iterdir()}
FILES = {"org/files": {"tiny.gguf": GGUF, "README.md": b"# Tiny"}, "org/checkpoint": CHECKPOINT}
ENTRY = f"""
schema = 1
[models.tiny]
about = "for tests"
source = "org/checkpoint"
max_tokens = 1024
context = 2048
[[models.tiny.files]]
quant = "Q8_0"
repository = "org/files"
file = "tiny.gguf"
bytes = {len(GGUF)}
sha256 = "{SHA256}"
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(FILES) as hub:
        yield hub


@pytest.fixture(autouse=True)
def home(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("HF_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    # The client has read its variables already; a process of its own reads HF_ENDPOINT.
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "hf/token"))
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.6)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    point(monkeypatch, hub.address)
    monkeypatch.setattr(download, "PAUSES", (0, 0))
    entry(tmp_path / "home", ENTRY)
    return tmp_path / "home"


def point(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def entry(home: Path, text: str) -> None:
    (home / "config").mkdir(parents=True, exist_ok=True)
    (home / "config" / "models.toml").write_text(text)


def blobs() -> Path:
    return models.hub_folder("org/files") / "blobs"


def state() -> str:
    """What `vibe models` says of the test's model."""
    rows = json.loads(vibe("models", "--json").out)["models"]
    (row,) = (row for row in rows if row["model"] == "tiny")
    return str(row["state"])


def refused(result: Result, *says: str, code: int = 4) -> None:
    """One clear sentence, the exit code, and nothing that could be taken for a model."""
    assert (result.code, result.out) == (code, ""), result.err
    assert "Traceback" not in result.err
    assert "bug" not in result.err
    sentence = result.err.splitlines()[-1]
    assert all(each in sentence for each in says), sentence
    assert state() in ("not installed", "partly here")
    assert vibe("solve", "-m", "tiny", "-t", PROBLEM).code == 4


def test_a_full_pull(hub: Hub) -> None:
    assert state() == "not installed"
    done = vibe("pull", "tiny")
    assert done.code == 0, done.err
    path = Path(done.out.strip())
    assert path == models.hub_folder("org/files") / "snapshots" / COMMIT / "tiny.gguf"
    assert path.read_bytes() == GGUF
    assert (models.hub_folder("org/files") / "refs/main").read_text() == COMMIT
    assert done.err == "tiny:Q8_0: the first in its entry, which does not tell the model's shape.\n"
    assert state() == "installed"
    assert not list(blobs().glob("*.incomplete"))
    assert all(not token for *_, token in hub.asked)
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


def test_a_transfer_that_breaks_goes_on(hub: Hub) -> None:
    hub.cuts = [300_000, 200_000, 0, 100_000]
    assert vibe("pull", "tiny").code == 0
    assert hub.ranges == [None, "bytes=300000-", "bytes=500000-", "bytes=500000-", "bytes=600000-"]
    assert hub.sent == len(GGUF)


def test_a_hub_that_is_out_of_order_for_a_while(hub: Hub) -> None:
    hub.cuts, hub.fails = [300_000], [0, 503]
    assert vibe("pull", "tiny").code == 0
    assert hub.sent == len(GGUF)


def test_a_server_without_ranges_starts_over(hub: Hub) -> None:
    hub.cuts, hub.ignores_ranges = [300_000], True
    assert vibe("pull", "tiny").code == 0
    assert Path(vibe("pull", "tiny").out.strip()).read_bytes() == GGUF


def test_a_server_without_ranges_that_always_breaks(hub: Hub) -> None:
    hub.cuts, hub.ignores_ranges = [300_000] * 99, True
    refused(vibe("pull", "tiny"), "cannot be downloaded")


def test_bytes_that_are_wrong_are_removed_and_named(hub: Hub) -> None:
    hub.damaged = True
    refused(vibe("pull", "tiny"), "arrived damaged", SHA256, "removed")
    assert list(blobs().iterdir()) == []
    hub.damaged = False
    assert vibe("pull", "tiny").code == 0


def test_bytes_without_an_end_are_not_taken(hub: Hub) -> None:
    hub.extra = 60_000_000
    refused(vibe("pull", "tiny"), "arrived damaged")
    assert hub.sent < 30_000_000
    assert list(blobs().iterdir()) == []


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("{elsewhere}/org/files/resolve/main/tiny.gguf", "cannot be downloaded: the connection breaks (Exceeded max"),
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
    refused(vibe("pull", "tiny"), "the hub has no more bytes of it", "1,181,816 of 1,182,816 bytes are kept")
    hub.short = 0
    assert vibe("pull", "tiny").code == 0
    assert hub.sent == len(GGUF)


def test_the_hub_has_another_file_than_the_entry_says(hub: Hub, home: Path) -> None:
    entry(home, ENTRY.replace(SHA256, "0" * 64))
    refused(vibe("pull", "tiny"), "is not the file that models.toml lists", "Nothing was downloaded")
    entry(home, ENTRY.replace(f"bytes = {len(GGUF)}", "bytes = 5"))
    refused(vibe("pull", "tiny"), "its size is 1182816, not 5")
    assert hub.sent == 0


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


@pytest.mark.parametrize(
    ("status", "headers", "says"),
    [
        (404, {"X-Error-Code": "EntryNotFound"}, "has no file org/files/tiny.gguf"),
        (404, {"X-Error-Code": "RepoNotFound"}, "has no org/files/tiny.gguf, or shows it to some only"),
        (404, {"X-Error-Code": "RevisionNotFound"}, "no such revision"),
        (404, {}, "(404): check the entry in models.toml, and HF_ENDPOINT"),
        (401, {}, "check HF_TOKEN"),
        (403, {"X-Error-Code": "GatedRepo"}, "accept its conditions: do so at http"),
        (403, {}, "refuses org/files/tiny.gguf (403)"),
        (418, {}, "answers 418"),
        (429, {"Retry-After": "77"}, "slow down (429): try again in 77 seconds"),
        (429, {}, "try again later"),
        (500, {}, "out of order (500): try again later"),
        (503, {}, "out of order (503): try again later"),
        (200, {}, "does not answer as a hub does: check HF_ENDPOINT"),
    ],
)
def test_a_hub_that_refuses(status: int, headers: dict[str, str], says: str, hub: Hub) -> None:
    hub.refuses, hub.headers = status, headers
    refused(vibe("pull", "tiny"), says)


def test_a_hub_that_refuses_in_the_middle_keeps_what_came(hub: Hub) -> None:
    hub.cuts, hub.fails = [300_000], [0] + [429] * 9
    refused(vibe("pull", "tiny"), "the hub answers 429", "300,000 of 1,182,816 bytes are kept")
    assert state() == "partly here"
    hub.fails = []
    assert vibe("pull", "tiny").code == 0
    assert hub.sent == len(GGUF)


def test_a_connection_that_stalls(hub: Hub) -> None:
    hub.stalls = [300_000, 0, 0, 0]
    refused(vibe("pull", "tiny"), "the connection stalls", "300,000 of 1,182,816 bytes are kept")
    assert vibe("pull", "tiny").code == 0
    assert hub.sent == len(GGUF)


def test_a_connection_that_stalls_once(hub: Hub) -> None:
    hub.stalls = [300_000]
    assert vibe("pull", "tiny").code == 0
    assert hub.sent == len(GGUF)


def test_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    point(monkeypatch, "http://127.0.0.1:9")  # discard: nothing listens
    refused(vibe("pull", "tiny"), "http://127.0.0.1:9 cannot be reached", "check the network")


def test_an_endpoint_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    point(monkeypatch, "hub.example")
    refused(vibe("pull", "tiny"), "hub.example is no address of a hub: check HF_ENDPOINT")


def test_a_wrong_variable_of_the_hubs_client(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "long")
    code, out, err = finish(process(hub, "pull", "tiny"))
    assert (code, out) == (2, "")
    assert err.startswith("vibe: A variable of the Hugging Face client (HF_…) cannot be used")


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


def process(hub: Hub, *args: str, before: str = "") -> "subprocess.Popen[bytes]":
    """`vibe` as a process of its own, so that it can be killed."""
    program = f"{before}\nfrom vibethinker_local.__main__ import main\nmain()"
    environment = os.environ | {"HF_ENDPOINT": hub.address, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", program, *args], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(running: "subprocess.Popen[bytes]") -> tuple[int, str, str]:
    out, err = running.communicate(timeout=60)
    return running.returncode, out.decode(), err.decode()


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


def test_ctrl_c_keeps_what_came(hub: Hub) -> None:
    hub.stalls = [300_000]
    running = process(hub, "pull", "tiny")
    assert hub.reached.wait(30)
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    code, out, err = finish(running)
    assert (code, out) == (130, "")
    assert "Traceback" not in err
    assert state() == "partly here"


def killed_and_resumed(hub: Hub, moments: list[int]) -> None:
    """Pulls that are killed after so many bytes, then one that is not."""
    hub.piece = 10_000
    for moment in moments:
        hub.stalls = [moment]
        hub.reached.clear()
        running = process(hub, "pull", "tiny")
        assert hub.reached.wait(30)
        time.sleep(0.05)  # some of it may still be on its way to the disk
        running.kill()
        finish(running)
        assert state() in ("partly here", "not installed")
    code, out, err = finish(process(hub, "pull", "tiny"))
    assert code == 0, err
    assert Path(out.strip()).read_bytes() == GGUF
    assert state() == "installed"
    assert hub.sent < len(GGUF) + len(moments) * 200_000, "it went on, and did not begin anew"


def test_pulls_that_are_killed_go_on(hub: Hub) -> None:
    killed_and_resumed(hub, [250_000, 0, 410_000])


@pytest.mark.slow
def test_pulls_that_are_killed_at_twenty_moments_go_on(hub: Hub) -> None:
    rng = random.Random(9)
    killed_and_resumed(hub, [rng.randrange(0, 2 * len(GGUF) // 20) for _ in range(20)])


@pytest.mark.slow
def test_pulls_that_are_killed_at_any_time_leave_nothing_half(hub: Hub) -> None:
    """Also while it starts, checks, renames: the moment is drawn from the whole run's time."""
    hub.piece, hub.pause = 20_000, 0.01
    began = time.monotonic()
    assert finish(process(hub, "pull", "tiny"))[0] == 0
    whole, rng = time.monotonic() - began, random.Random(10)
    for _ in range(20):
        if rng.random() < 0.3:
            vibe("rm", "tiny", "--yes")
        running = process(hub, "pull", "tiny")
        time.sleep(rng.uniform(0.2, whole))
        running.kill()
        finish(running)
        if state() == "installed":
            (path,) = (models.hub_folder("org/files") / "snapshots").glob("*/tiny.gguf")
            assert path.read_bytes() == GGUF
    code, out, _ = finish(process(hub, "pull", "tiny"))
    assert code == 0
    assert Path(out.strip()).read_bytes() == GGUF


def test_two_pulls_at_once(hub: Hub) -> None:
    hub.piece, hub.pause = 50_000, 0.05
    running = [process(hub, "pull", "tiny") for _ in range(2)]
    results = [finish(each) for each in running]
    assert [code for code, _, _ in results] == [0, 0], results
    assert results[0][1] == results[1][1]
    assert hub.sent == len(GGUF), "it came once"
    paths = {path.rsplit("/", 1)[0] for _, path, _, _ in hub.asked}
    assert paths == {"/org/files/resolve/main", f"/org/files/resolve/{COMMIT}", "/stored"}, "nothing else is asked for"
    assert state() == "installed"


def test_from_the_checkpoint_to_an_answer(hub: Hub) -> None:
    hub.cuts = [500_000]
    done = vibe("pull", "tiny:q8_0", "--from", "checkpoint")
    assert done.code == 0, done.err
    path = Path(done.out.strip())
    assert path.name == "tiny-Q8_0.gguf"
    assert hub.sent == len(CHECKPOINT["model.safetensors"])
    rows = json.loads(vibe("models", "--json").out)["models"]
    assert [(row["quant"], row["state"]) for row in rows if row["model"] == "tiny"] == [("Q8_0", "installed")]
    solved = vibe("solve", "-m", "tiny:Q8_0", "-t", PROBLEM, "--seed", "1", "--json").receipt
    assert (solved["answer"], solved["model"]["file"]) == ("17", "tiny-Q8_0.gguf")
    assert vibe("rm", "tiny", "--yes").code == 0
    assert not path.exists()


def test_from_the_checkpoint_the_type_is_chosen() -> None:
    done = vibe("pull", "tiny", "--from", "checkpoint")
    assert done.code == 0, done.err
    assert "the best type that leaves room for 2,048 tokens" in done.err


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "holds no safetensors"),
        ({"pytorch_model.bin": bytes(20_000)}, "holds no safetensors"),
        ({name: data for name, data in CHECKPOINT.items() if name != "config.json"}, "config.json is missing"),
        ({**CHECKPOINT, "model.safetensors": CHECKPOINT["model.safetensors"][:-5]}, "is truncated"),
    ],
)
def test_a_checkpoint_that_is_none(files: dict[str, bytes], says: str, hub: Hub) -> None:
    hub.files = {"org/checkpoint": files}
    refused(vibe("pull", "tiny:Q8_0", "--from", "checkpoint"), says)


@pytest.mark.parametrize("info", [[1], {"id": "x", "siblings": 5}, {"id": "x", "siblings": [{}]}])
def test_a_list_of_files_that_is_none(info: object, hub: Hub) -> None:
    hub.info = info
    refused(vibe("pull", "tiny:Q8_0", "--from", "checkpoint"), "does not answer as a hub does")


def test_files_of_a_checkpoint_stay_in_its_folder(hub: Hub) -> None:
    names = [*CHECKPOINT, "..\\config.json", "../config.json", "C:config.json", "a\0.json"]
    hub.info = {"id": "org/checkpoint", "sha": COMMIT, "siblings": [{"rfilename": name} for name in names]}
    assert vibe("pull", "tiny:Q8_0", "--from", "checkpoint").code == 0


def test_a_type_that_there_is_not_fetches_nothing(hub: Hub) -> None:
    refused(vibe("pull", "tiny:Q9", "--from", "checkpoint"), "there is no type Q9", code=2)
    assert hub.asked == []


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
