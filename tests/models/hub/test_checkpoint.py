"""`vibe pull --from checkpoint`: from a checkpoint on a hub to an answer."""

import json
from pathlib import Path

import pytest

from tests.command import vibe
from tests.models.hub.pulling import CHECKPOINT, PROBLEM, refused
from tests.models.hub.stand_in import COMMIT, Hub
from vibethinker_local.gguf import reader

SAVED = (
    Path(__file__).parent / "mini_saved_by_transformers_5"
)  # mini's tokenizer and configs, loaded and saved by 5.24.0


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


def test_from_a_checkpoint_that_transformers_saved(hub: Hub) -> None:
    saved = {path.name: path.read_bytes() for path in SAVED.iterdir()}
    weights = {"model-00001-of-00001.safetensors": CHECKPOINT["model.safetensors"]}  # and no index
    card = {"README.md": b"---\nlicense: mit\nlanguage: [no, en\n---\n"}
    named = {"additional_chat_templates/tool_use.jinja": b"for tools"}
    hub.files = {"org/checkpoint": {**saved, **weights, **card, **named}}
    done = vibe("pull", "tiny:Q8_0", "--from", "checkpoint")
    assert done.code == 0, done.err
    assert reader.read(Path(done.out.strip())).keys["tokenizer.chat_template.tool_use"] == "for tools"
    assert "README.md, line 3: not YAML" in done.err
    solved = vibe("solve", "-m", "tiny:Q8_0", "-t", PROBLEM, "--seed", "1", "--json").receipt
    assert solved["answer"] == "17"


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
    names += ["additional_chat_templates/../x.jinja", "additional_chat_templates/..\\x.jinja", "other/x.jinja"]
    hub.info = {"id": "org/checkpoint", "sha": COMMIT, "siblings": [{"rfilename": name} for name in names]}
    assert vibe("pull", "tiny:Q8_0", "--from", "checkpoint").code == 0


def test_a_type_that_there_is_not_fetches_nothing(hub: Hub) -> None:
    refused(vibe("pull", "tiny:Q9", "--from", "checkpoint"), "there is no type Q9", code=2)
    assert hub.asked == []
