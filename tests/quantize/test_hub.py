"""A checkpoint that is named as the hub names it: fetched once, from a hub on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from quantize.errors import RequestError
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
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
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
    with pytest.raises(RequestError, match="there is no folder org/gone, and the hub has no org/gone"):
        locate("org/gone")
    with pytest.raises(RequestError, match="the hub has no org/mini at v9"):
        locate("org/mini", "v9")


def test_no_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.refuses = 500
    with pytest.raises(RequestError, match="org/mini"):
        locate("org/mini")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/{revision}/{filename}")
    with pytest.raises(RequestError, match="the hub cannot be asked for it"):
        locate("org/mini")
