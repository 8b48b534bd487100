"""`vibe solve -r` as a process: the receipt, the options, a killed engine, a run that goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.command import vibe
from vibethinker_local import sandbox
from vibethinker_local.errors import SandboxError

ROOT = Path(__file__).parents[2]
EASY = "Tom has 12 apples. Ann has 5 more apples than Tom. How many apples does Ann have?"
HARD = (
    "Lily has 4 cups. Ben has 3 times as many cups as Lily. Iris has 20 more cups than Ben. Tom has 7 fewer cups than "
    "Iris. Kim has as many cups as Tom and Ben together. How many cups does Kim have?"
)
LONG = ["-r", "-k", "64", "--no-stopping", "--mode", "clr", "--seed", "3", "--json", "-t", HARD]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "VIBE_HOME": str(tmp_path / "home"), "HF_HOME": "hub"}


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))


def start(environment: dict[str, str], *args: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-P", "-m", "vibethinker_local", "solve", *args]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lines_until(process: "subprocess.Popen[str]", part: str) -> None:
    """Read stderr up to a line with a part of text in it."""
    assert process.stderr
    while part not in (line := process.stderr.readline()):
        assert line, "it ended before"


def ended(process: "subprocess.Popen[str]") -> Any:
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return json.loads(out)


def test_the_receipt() -> None:
    done = vibe("solve", "-r", "--seed", "5", "--json", "-t", EASY)
    told = done.receipt
    assert (done.code, told["answer"], told["majority"], told["status"]) == (0, "17", "17", "answered")
    assert told["mode"] in ("majority", "clr")
    drawn = sum(trajectory["finish"] != "aborted" for trajectory in told["trajectories"])
    assert told["clusters"][0]["votes"] == drawn == 3, "and one may have been begun when the first had ended"
    assert len(told["trajectories"]) == len(told["seeds"]) <= drawn + 1
    assert told["seeds"][:2] == [5, 6]
    assert {"text", "reasoning", "reliability", "claims"} <= told["trajectories"][0].keys()
    assert "agree" in done.err
    assert "agreement is no proof" in done.err
    assert told["agreement"] == {"drawn": drawn, "answered": drawn, "leading": drawn, "level": "decided"}


def test_the_answer_alone() -> None:
    done = vibe("solve", "-r", "--seed", "5", "--answer-only", "-q", "-t", EASY)
    assert (done.code, done.out, done.err) == (0, "17\n", "")


def test_claims_and_verdicts_are_in_the_receipt() -> None:
    told = vibe("solve", "-r", "--mode", "clr", "-k", "4", "--seed", "5", "--json", "-q", "-t", HARD).receipt
    assert told["mode"] == "clr"
    assert told["usage"]["verify_tokens"] > 0
    assert told["verdicts"]["checked"] > 0
    assert "crux" in told
    claims = [claim for trajectory in told["trajectories"] for claim in trajectory["claims"]]
    assert claims
    assert all(claim["verdict"] in ("supported", "refuted", "undecided") for claim in claims)
    assert all(claim["source"] in ("stated", "extracted") for claim in claims)
    assert all(claim["method"] in ("model", "arithmetic") for claim in claims)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--mode", "clr"], "add -r"),
        (["--budget", "deep"], "add -r"),
        (["-k", "4"], "add -r"),
        (["--resume"], "add -r"),
        (["--no-stopping"], "add -r"),
        (["-r", "-k", "0"], "'--samples'"),
        (["-r", "-k", "65"], "'--samples'"),
        (["-r", "--mode", "best"], "best"),
        (["-r", "--time-limit", "soon"], "90s"),
        (["-r", "--time-limit", "0"], "90s"),
        (["-r", "--time-limit", ""], "90s"),
        (["-r", "--mode", "published", "--verdicts", "score"], "leave --verdicts score out"),
        (["-r", "--mode", "fitted"], "calibration"),
    ],
)
def test_wrong_options(args: list[str], says: str) -> None:
    done = vibe("solve", "-t", EASY, *args)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_without_a_sandbox_there_is_no_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise SandboxError("Programs cannot be run: install the extra code.")

    monkeypatch.setattr(sandbox, "open", missing)
    done = vibe("solve", "-r", "--programs", "2", "--json", "-q", "-t", EASY)
    assert (done.code, done.out) == (2, "")
    assert "Programs cannot be run" in done.err


def test_a_deadline_ends_in_an_answer() -> None:
    began = time.monotonic()
    done = vibe("solve", *LONG, "--time-limit", "1s", "-q")
    assert time.monotonic() - began < 15  # loading included, on a machine that may be busy
    assert done.receipt["status"] in ("answered", "no_answer")
    assert done.code == {"answered": 0, "no_answer": 3}[done.receipt["status"]]
    if done.receipt["status"] == "answered":
        assert done.receipt["decision"] in ("time", "all")


def test_an_engine_killed_while_sampling_loses_nothing_that_was_finished(environment: dict[str, str]) -> None:
    process = start(environment, *LONG)
    lines_until(process, "#2 ")
    kill_children(process)
    told = ended(process)
    assert (process.returncode, told["status"]) == (5, "failed")
    assert told["error"]
    assert [t["answer"] for t in told["trajectories"] if t["finish"] != "aborted"]
    assert told["answer"] is not None


def test_an_engine_killed_between_sampling_and_claims_is_started_again(environment: dict[str, str]) -> None:
    process = start(environment, *LONG, "-k", "8")
    lines_until(process, "contested")
    kill_children(process)
    told = ended(process)
    assert told["status"] in ("answered", "failed")
    assert len(told["trajectories"]) == 8
    assert told["answer"] is not None


def kill_children(process: "subprocess.Popen[str]") -> None:
    for child in psutil.Process(process.pid).children():
        child.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_ctrl_c_twice_stops_and_resume_goes_on(environment: dict[str, str]) -> None:
    many = [*LONG, "--mode", "majority", "-k", "12"]
    process = start(environment, *many)
    lines_until(process, "#5 ")
    process.send_signal(signal.SIGTERM)  # as a second Ctrl-C
    told = ended(process)
    assert (process.returncode, told["status"]) == (130, "stopped")
    before = [t for t in told["trajectories"] if t["finish"] != "aborted"]
    assert len(before) >= 5
    process = start(environment, *many, "--resume")
    lines_until(process, "going on with seed 3")
    again = ended(process)
    assert (process.returncode, len(again["trajectories"])) == (0, 12)
    texts = {t["seed"]: t["reasoning"] for t in again["trajectories"]}
    assert all(texts[t["seed"]] == t["reasoning"] for t in before)
    assert not list((Path(environment["VIBE_HOME"]) / "data" / "runs").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_ctrl_c_once_gives_what_there_is(environment: dict[str, str]) -> None:
    process = start(environment, *LONG)
    lines_until(process, "#3 ")
    process.send_signal(signal.SIGINT)
    told = ended(process)
    assert (process.returncode, told["status"], told["decision"]) == (0, "answered", "answer now")
    assert len(told["trajectories"]) < 64
