"""Banks filled by servers, which die and come back."""

import json
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.command import vibe
from tests.remote.standin import StandIn, problems
from vibethinker_local.eval import bank as banks
from vibethinker_local.remote import pool


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(pool, "FIRST_WAIT", 0.01)
    monkeypatch.chdir(tmp_path)
    Path("sums.jsonl").write_text("\n".join(problems(6)))
    return tmp_path


def run(*servers: StandIn, bank: str = "bank.jsonl", samples: int = 4) -> Any:
    address = ",".join(server.url for server in servers) + "#adder"
    return vibe("eval", "run", "sums.jsonl", "-m", address, "-k", str(samples), "--claims", "3", "--bank", bank)


def keys(path: str = "bank.jsonl") -> Counter[tuple[str, int]]:
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()[1:]]
    return Counter((line["id"], line["index"]) for line in lines if "index" in line)


ALL = Counter((f"p{n}", index) for n in range(6) for index in range(4))


def test_a_bank() -> None:
    with StandIn() as server:
        assert run(server).code == 0
        asked = len(server.replies())
        assert run(server).code == 0
        assert len(server.replies()) == asked  # nothing is asked for twice
    found = banks.read(Path("bank.jsonl"))
    assert (found.header.server, found.header.sha256) == (server.url, "served as org/adder")
    assert keys() == ALL
    contested = {id for id, _ in ALL if len({entry.answer for entry in found.of(id)}) > 1}
    assert contested
    assert all(len(entry.claims) == 3 * (entry.id in contested) for entry in found.entries.values())
    assert [entry.mean_logprob for entry in found.entries.values()] == [pytest.approx(-0.1)] * 24
    later = ("steps of your solution", "claims below", "Two solutions")  # what is asked about solutions
    sent = {body["seed"] for body in server.replies() if not any(words in body["prompt"] for words in later)}
    assert sent == {entry.seed % 2**31 for entry in found.entries.values()}
    report = vibe("eval", "report", "bank.jsonl")
    assert report.code == 0
    assert f"adder (served as org/adder, {server.url})" in report.out


def test_another_model_does_not_go_on_with_a_bank() -> None:
    with StandIn() as server:
        run(server)
    with StandIn(model="other/adder") as server:
        result = run(server)
    assert result.code == 2
    assert "was made with another model file (served as org/adder, not served as other/adder)" in result.err


def test_a_server_that_is_killed_and_comes_back() -> None:
    with StandIn(pause=0.002) as server:
        killed = threading.Thread(target=_kill_and_start, args=(server,))
        killed.start()
        result = run(server)
        killed.join()
    assert result.code == 0
    assert keys() == ALL
    graded = banks.read(Path("bank.jsonl"))
    assert {entry.reasoning.split(" and")[0] for entry in graded.entries.values()} == {f"I add {n}" for n in range(6)}


def test_a_run_that_gave_up_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "ATTEMPTS", 2)
    with StandIn(pause=0.002) as server:
        killed = threading.Thread(target=_kill_and_start, args=(server, False))
        killed.start()
        result = run(server)
        killed.join()
        assert result.code == 5
        assert "gives no reply" in result.err
        assert "bank.jsonl keeps what was finished" in result.err
        before = Path("bank.jsonl").read_text()
        server.start()
        server.pause = 0.0
        assert run(server).code == 0
    assert Path("bank.jsonl").read_text().startswith(before)
    assert keys() == ALL


def test_more_at_once_than_one_machine_has() -> None:
    with StandIn(slots=100) as server:
        result = vibe("eval", "run", "sums.jsonl", "-m", server.url, "-k", "1", "--at-once", "90", "--bank", "b.jsonl")
    assert result.code == 0
    result = vibe("eval", "run", "sums.jsonl", "-m", "mini", "-k", "1", "--at-once", "90")
    assert (result.code, "--at-once: one batch on this machine holds at most 64." in result.err) == (2, True)


def _kill_and_start(server: StandIn, again: bool = True) -> None:
    """After some trajectories are in the bank."""
    path = Path("bank.jsonl")
    while not path.exists() or len(keys()) < 5:
        time.sleep(0.01)
    server.stop()
    if again:
        time.sleep(0.1)
        server.start()
