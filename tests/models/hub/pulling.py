"""A model of two repositories for a hub on loopback, and what its pulls have in common."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.command import Result, vibe
from tests.models.hub.stand_in import Hub
from vibethinker_local.models.cache import Repository
from vibethinker_local.system import paths

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


def point(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def entry(home: Path, text: str) -> None:
    (home / "config").mkdir(parents=True, exist_ok=True)
    (home / "config" / "models.toml").write_text(text)


def blobs() -> Path:
    return Repository("org/files").folder / "blobs"


def state() -> str:
    """What `vibe models` says of the test's model."""
    rows = json.loads(vibe("models", "--json").out)["models"]
    (row,) = (row for row in rows if row["model"] == "tiny")
    return str(row["state"])


def explained(result: Result, *says: str, code: int = 4) -> None:
    """One clear sentence, and the exit code."""
    assert (result.code, result.out) == (code, ""), result.err
    assert "Traceback" not in result.err
    assert "bug" not in result.err
    sentence = result.err.splitlines()[-1]
    assert all(each in sentence for each in says), sentence


def refused(result: Result, *says: str, code: int = 4) -> None:
    """The same, and nothing that could be taken for a model."""
    explained(result, *says, code=code)
    assert state() in ("not installed", "partly here")
    assert vibe("solve", "-m", "tiny", "-t", PROBLEM).code == 4


def process(hub: Hub, *args: str, before: str = "") -> "subprocess.Popen[bytes]":
    """`vibe` as a process of its own, so that it can be killed."""
    program = f"{before}\nfrom vibethinker_local.__main__ import main\nmain()"
    environment = os.environ | {"HF_ENDPOINT": hub.address, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-P", "-c", program, *args], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(running: "subprocess.Popen[bytes]") -> tuple[int, str, str]:
    out, err = running.communicate(timeout=60)
    return running.returncode, out.decode(), err.decode()
