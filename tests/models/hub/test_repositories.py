"""`vibe pull ORG/REPO` against a hub on loopback: any GGUF repository, used and removed by its name."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests import checkpoints
from tests.command import vibe
from tests.models.hub.pulling import GGUF, PROBLEM, explained
from tests.models.hub.stand_in import COMMIT, Hub
from vibethinker_local.models.cache import Repository

NAME = "org/Tiny-GGUF"


@pytest.fixture(autouse=True)
def repository(hub: Hub) -> None:
    hub.files[NAME] = {"Tiny-Q8_0.gguf": GGUF, "mmproj-Tiny-f16.gguf": b"GGUF", "README.md": b"# Tiny"}


def listed(name: str) -> list[tuple[str, int | None, str]]:
    """Quant, bytes and state of each row that `vibe models` has of a repository."""
    rows = json.loads(vibe("models", "--json", "--all").out)["models"]
    return [(row["quant"], row["bytes"], row["state"]) for row in rows if row["model"] == name]


def test_a_repository_is_pulled_used_listed_and_removed() -> None:
    explained(vibe("solve", "-m", NAME, "-t", PROBLEM), "is not installed", f"`vibe pull {NAME}`")
    done = vibe("pull", NAME)
    assert (done.code, done.err) == (0, f"{NAME}:Q8_0: the only one.\n")
    assert Path(done.out.strip()) == Repository(NAME).snapshot(COMMIT) / "Tiny-Q8_0.gguf"
    solved = vibe("solve", "-m", f"{NAME}:q8_0", "-t", PROBLEM, "--seed", "1")
    assert solved.code == 0
    assert "Tiny-Q8_0.gguf is not in models.toml: temperature 1, top-p 0.95, top-k off, as the file says." in solved.err
    assert listed(NAME) == [("Q8_0", len(GGUF), "installed")]
    assert NAME not in vibe("models", "--json").out
    assert vibe("rm", NAME, "--yes").code == 0
    assert not Repository(NAME).ggufs()


def test_a_split_model_in_a_folder_comes_whole(hub: Hub, tmp_path: Path) -> None:
    parts = {}
    for part in (1, 2):
        name = f"Big-F32-0000{part}-of-00002.gguf"
        keys = {"split.count": 2, "split.no": part - 1, "split.tensors.count": 20}
        path = checkpoints.write(tmp_path / name, "qwen3", keys=keys, seed=part)
        parts[f"F32/{name}"] = path.read_bytes()
    hub.files[NAME] = parts | {"README.md": b"# Big"}
    done = vibe("pull", f"{NAME}:f32")
    assert done.code == 0, done.err
    first = Path(done.out.strip())
    assert first.name == "Big-F32-00001-of-00002.gguf"
    assert all((first.parent / Path(name).name).read_bytes() == content for name, content in parts.items())
    assert listed(NAME) == [("F32", sum(map(len, parts.values())), "installed")]
    second = first.with_name(first.name.replace("00001", "00002", 1))
    sound = second.read_bytes()
    second.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    assert listed(NAME)[0][2] == "unchecked"
    explained(vibe("solve", "-m", NAME, "-t", PROBLEM), f"{second} is not the file that it should be", "`vibe rm")
    assert listed(NAME)[0][2] == "damaged"
    second.unlink()
    assert listed(NAME)[0][2] == "damaged"
    explained(vibe("solve", "-m", NAME, "-t", PROBLEM), f"{second} is missing", f"`vibe pull {NAME}:F32`")
    assert vibe("rm", NAME, "--yes").code == 0
    assert not Repository(NAME).ggufs()


def test_without_a_quant_in_their_names_parts_go_by_that_of_the_whole(hub: Hub, tmp_path: Path) -> None:
    for part in (1, 2):
        path = tmp_path / f"big-0000{part}-of-00002.gguf"
        keys = {"split.count": 2, "split.no": part - 1, "split.tensors.count": 20}
        hub.files.setdefault("org/Split", {})[path.name] = checkpoints.write(path, "qwen3", keys=keys).read_bytes()
    assert vibe("pull", "org/Split:big").code == 0
    assert listed("org/Split")[0][0] == "big"


def test_what_is_here_does_where_the_hub_cannot_be_asked(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    explained(vibe("pull", NAME), "HF_HUB_OFFLINE forbids")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    path = vibe("pull", NAME).out
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for name in (NAME, f"{NAME}:q8_0"):
        done = vibe("pull", name)
        assert (done.code, done.out, done.err) == (0, path, f"{NAME}:Q8_0: it is here, and the hub cannot be asked.\n")
    explained(vibe("pull", f"{NAME}:Q2_K"), "HF_HUB_OFFLINE forbids")
    shutil.rmtree(home / "data/verified")
    done = vibe("pull", NAME)
    assert (done.out, "once, to check it" in done.err) == (path, True)


def test_what_another_program_brought_does_so_too(hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = vibe("pull", "tiny").out
    shutil.rmtree(home / "data/verified")  # nobody has read it yet
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    done = vibe("pull", "tiny")
    assert (done.code, done.out) == (0, path)
    assert "once, to check it" in done.err
    Path(path.strip()).write_bytes(GGUF[:-1])
    explained(vibe("pull", "tiny"), "HF_HUB_OFFLINE forbids")


def test_what_an_interrupted_pull_left_is_listed_and_removed(hub: Hub) -> None:
    hub.cuts, hub.fails = [300_000], [0] + [429] * 9
    explained(vibe("pull", NAME), "300,000 of 1,182,816 bytes are kept")
    assert listed(NAME) == [("as it fits", None, "partly here")]
    explained(vibe("rm", f"{NAME}:Q8_0", "--yes"), "nothing to remove")  # nobody knows whose part it is
    assert vibe("rm", NAME, "--yes").code == 0
    assert not Repository(NAME).partials()
    assert listed(NAME) == []


def test_bytes_that_two_files_have_stay_with_the_other(hub: Hub) -> None:
    hub.files[NAME]["sub dir/My Model [v2] 100% ü.gguf"] = GGUF
    first, second = (Path(vibe("pull", f"{NAME}:{name}").out.strip()) for name in ("q8_0", "my model [v2] 100% ü"))
    Repository(NAME).remove(first)
    assert (first.exists(), second.read_bytes()) == (False, GGUF)
    assert [path for _, path in Repository(NAME).ggufs()] == [second]
    Repository(NAME).remove(second)
    assert not [path for path in Repository(NAME).folder.rglob("*") if path.is_symlink() or path.suffix == ".gguf"]
    assert not list((Repository(NAME).folder / "blobs").iterdir())


def test_a_file_that_was_changed_on_the_hub_is_removed_with_its_earlier_versions() -> None:
    folder, blobs = (Repository(NAME).folder / name for name in ("snapshots", "blobs"))
    blobs.mkdir(parents=True)
    older, tagged, _, _ = paths = [folder / (digit * 40) / "Tiny-Q8_0.gguf" for digit in "1234"]
    for path, content in zip(paths, ("older", "tagged", "newest", "newest"), strict=True):
        path.parent.mkdir(parents=True)
        (blobs / content).touch()
        path.symlink_to(blobs / content)
    for path in (older, tagged):
        os.utime(path.parent, (0, 0))
    for name, digit in (("main", "4"), ("refs/pr/1", "2")):
        reference = Repository(NAME).reference(name)
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text(digit * 40)
    removed = vibe("rm", f"{NAME}:Q8_0", "--yes")
    assert (removed.code, len(removed.err.splitlines())) == (0, 2), removed.err
    assert f"Q8_0, an earlier version  0 kB  {older}" in removed.err
    assert [*folder.rglob("*.gguf"), *blobs.iterdir()] == [tagged, blobs / "tagged"]
    assert vibe("rm", f"{NAME}:Q8_0", "--yes").code == 0
    assert not [*folder.rglob("*.gguf"), *blobs.iterdir()]


def test_what_there_is_nothing_of_is_said(hub: Hub) -> None:
    explained(vibe("pull", "org/nothing"), "The hub has no org/nothing")
    explained(vibe("pull", "org/checkpoint"), "org/checkpoint holds no GGUF model")
    explained(vibe("pull", f"{NAME}:Q2_K"), f"{NAME} has no Q2_K: give one of Q8_0", code=2)
    explained(vibe("pull", "nothing"), "There is no model called 'nothing'", "ORG/REPO", code=2)
    hub.mirrors = frozenset({"sizes"})
    assert vibe("pull", NAME).code == 0


def test_a_rate_is_kept_to(hub: Hub) -> None:
    began = time.monotonic()
    assert vibe("pull", NAME, "--limit-rate", "2M").code == 0
    assert time.monotonic() - began > 0.9 * (len(GGUF) - hub.piece) / (2 << 20)
    for wrong in ("0", "-1", "fast", "2MB"):
        explained(vibe("pull", NAME, f"--limit-rate={wrong}"), "no rate: give bytes per second", code=2)
