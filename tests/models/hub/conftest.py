"""Every test here has a hub on loopback, and folders of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import close_session, constants

from tests.models.hub.pulling import ENTRY, FILES, entry, point
from tests.models.hub.stand_in import Hub, serving
from vibethinker_local.models import download

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving(FILES) as hub:
        yield hub


@pytest.fixture(autouse=True)
def home(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("HF_HUB_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    # The client has read its variables already; a process of its own reads HF_ENDPOINT.
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "hf/token"))
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 10)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    point(monkeypatch, hub.address)
    monkeypatch.setattr(download, "PAUSES", (0, 0))
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name in CERTIFICATES:
        monkeypatch.delenv(name, raising=False)
    entry(tmp_path / "home", ENTRY)
    close_session()  # of the test before: the next one reads the variables anew
    yield tmp_path / "home"
    close_session()
