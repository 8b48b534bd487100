"""`vibe pull` that is stopped, killed, or run twice at once: what came is kept, nothing half is ever listed."""

import random
import signal
import time
from pathlib import Path

import pytest

from tests.command import vibe
from tests.models.hub.pulling import GGUF, finish, process, state
from tests.models.hub.stand_in import COMMIT, Hub
from vibethinker_local.models.cache import Repository


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
            (path,) = Repository("org/files").files("tiny.gguf")
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
