"""A checkpoint that is named as the hub names it: fetched once, from a hub on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from quantize.errors import CheckpointError, RequestError
from quantize.job import Request, prepare
from quantize.source import locate
from tests.models.hub.stand_in import COMMIT, Hub, serving

CHECKPOINT = Path(__file__).parents[2] / "vibethinker_local/mini/checkpoint"
FILES = {path.name: path.read_bytes() for path in CHECKPOINT.iterdir()}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving({"org/mini": FILES | {"pytorch_model.bin": b"x" * 200_000}}) as hub:
        template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", hub.address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.chdir(tmp_path)
        yield hub


def test_a_checkpoint_on_the_hub(hub: Hub) -> None:
    job = prepare(Request("org/mini", "Q8_0", revision="main"))
    assert {path.name for path in job.checkpoint.files} == set(FILES)
    assert not (job.checkpoint.folder / "pytorch_model.bin").exists()
    told = {each.key: each.value for each in job.keys.provenance}
    assert told["quantize.source.repository"] == "org/mini"
    assert told["quantize.source.revision"] == COMMIT
    sent = hub.sent
    assert locate("org/mini", COMMIT) == job.checkpoint.folder
    assert hub.sent == sent, "it is here already"


def test_only_what_is_needed(hub: Hub) -> None:
    folder = locate("org/mini", None, ("config.json",))
    assert [path.name for path in folder.iterdir()] == ["config.json"]


def test_a_hub_that_does_not_have_it(hub: Hub) -> None:
    with pytest.raises(RequestError, match=r"no folder org/gone here\. The hub has no org/gone, or shows it to"):
        locate("org/gone")
    with pytest.raises(RequestError, match="The hub has no such revision of org/mini"):
        locate("org/mini", "v9")


def test_no_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.refuses = 500
    with pytest.raises(CheckpointError, match=r"no folder org/mini here, and the hub cannot be asked\. .*out of order"):
        locate("org/mini")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CheckpointError, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        locate("org/mini")


@pytest.mark.parametrize("way", ["out of order", "offline"])
def test_without_a_hub_what_is_here_is_taken(way: str, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    locate("org/mini", None, ("config.json",))
    hub.refuses = 503
    with pytest.raises(CheckpointError, match="out of order"):
        locate("org/mini")  # its weights are not here
    hub.refuses = None
    folder = locate("org/mini")
    if way == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    else:
        hub.refuses = 503
    assert locate("org/mini") == locate("org/mini", COMMIT) == folder
    assert prepare(Request("org/mini", "Q8_0")).checkpoint.folder == folder
