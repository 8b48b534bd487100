"""Every screen and state at 80×24 and 120×40, compared with what was looked at.

A snapshot is the text of the screen and a digest of its colours. After a change that is meant:
`UPDATE_SNAPSHOTS=1 pytest tests/tui/test_snapshots.py`, then look at the pictures: `python -m tests.tui.scenes FOLDER`.
"""

import asyncio
import hashlib
import os
import sys
import time
from pathlib import Path

import pytest

from tests.tui.fakes import Chatting
from tests.tui.scenes import SCENES, played

FOLDER = Path(__file__).parent / "snapshots"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="time zones cannot be set")


@pytest.fixture(autouse=True)
def _greenwich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def snapshot(chat: Chatting) -> str:
    """The screen's text, and a digest of the colours under it."""
    strips = chat.app.screen._compositor.render_strips()
    styles = hashlib.sha256()
    for line in strips:
        for segment in line:
            styles.update(f"{len(segment.text)} {segment.style}\n".encode())
    return f"{chat.shown}\n\ncolours {styles.hexdigest()[:16]}\n"


async def settled(chat: Chatting) -> str:
    """The snapshot once it stays the same: on a busy machine a layout takes more than one look."""
    seen = ""
    for _ in range(100):
        await chat.pilot.pause(0.05)
        if (now := snapshot(chat)) == seen:
            break
        seen = now
    return seen


@pytest.mark.parametrize("name", SCENES)
def test_the_screen_looks_as_it_did(name: str, tmp_path: Path) -> None:
    async def test() -> str:
        async with played(SCENES[name], tmp_path, (80, 24)) as chat:
            small = await settled(chat)
            await chat.pilot.resize_terminal(120, 40)
            return f"{small}\n{await settled(chat)}"

    shown = asyncio.run(test())
    path = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")
