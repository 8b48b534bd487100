"""`vibe eval` on the command line: a bank of the bundled model from end to end, and reports on written banks."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.command import vibe
from tests.eval import banks
from tests.eval.banks import HEADER, entry
from vibethinker_local.eval.problems import Problem
from vibethinker_local.solving import calibration

EASY = "Tom has 12 apples. Ann has 5 more apples than Tom. How many apples does Ann have?"
NUMBERS = ("problems", "policies", "contrasts", "verifier")


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path / "home"))


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """Forty problems, four trajectories each; refuted claims go with wrong answers."""
    return _bank(tmp_path / "bank.jsonl", seed=0)


def _bank(path: Path, seed: int, first: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    problems = [Problem(f"p{n}", f"problem {n}", "4") for n in range(first, first + 40)]
    entries = []
    for problem in problems:
        for index in range(4):
            right = rng.random() < 0.5
            ps = rng.random(3) * (1 if right else 0.7)
            entries.append(entry(problem.id, index, "4" if right else str(rng.integers(5, 7)), list(map(float, ps))))
    return banks.write(path, problems, entries)


def test_from_problems_to_a_fitted_answer(tmp_path: Path) -> None:
    """The second answer is not the right one, so that there are trajectories of both kinds."""
    problems = tmp_path / "set.jsonl"
    rows = [{"problem": EASY, "answer": 17}, {"problem": EASY.replace("12", "13"), "answer": "1"}]
    problems.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    path = tmp_path / "b.jsonl"
    args = ("eval", "run", str(problems), "--bank", str(path), "-m", "mini", "--claims", "3")
    done = vibe(*args, "-k", "1")
    assert (done.code, done.out) == (0, f"{path}\n"), done.err
    assert "0 of 2 are there" in done.err
    before = path.read_bytes()
    done = vibe(*args, "-k", "2")
    assert "2 of 4 are there" in done.err
    assert path.read_bytes().startswith(before), "what was banked stays as it was"
    told = vibe("eval", "report", str(path), "--json").receipt
    assert (told["problems"], told["samples"]) == (2, 2)
    assert told["model"]["file"] == "mini.gguf"
    assert len(told["model"]["sha256"]) == 64

    refused = vibe(*args, "-k", "2", "--seed", "1")
    assert (refused.code, refused.out) == (2, "")
    assert "was made with another --seed (0, not 1): give another --bank" in refused.err

    solve = ("solve", "-t", EASY, "-r", "--mode", "fitted", "--budget", "quick", "-k", "2", "--seed", "1", "--json")
    without = vibe(*solve)
    assert without.code == 2
    assert "There is no calibration of mini.gguf for 2 solutions with 3 claims" in without.err
    fitted = vibe("eval", "fit", str(path))
    assert fitted.code == 0, fitted.err
    assert fitted.out.startswith("K = 2, M = 3: weight = ")
    done = vibe(*solve)
    assert (done.code, done.receipt["mode"]) == (0, "fitted"), done.err
    told = vibe("eval", "report", str(path), "--json").receipt
    assert told["notes"] == ["fitted is left out: its weight was fitted to 2 of these problems."]


def test_a_report_as_json(bank: Path) -> None:
    done = vibe("eval", "report", str(bank), "--json")
    assert done.code == 0, done.err
    told = done.receipt
    assert list(told)[:1] == ["problems"]
    assert set(NUMBERS) <= set(told)
    assert set(told["policies"][0]) >= {
        "name", "k", "tokens_per_problem", "accuracy", "low", "high", "rescues", "harms",
    }  # fmt: skip
    assert set(told["contrasts"][0]) >= {"name", "difference", "low", "high", "p"}
    assert set(told["verifier"]) >= {"auroc", "low", "high", "right_refuted", "wrong_passed", "coverage"}
    assert told["verdict"]["holds"] in (True, False)
    assert vibe("eval", "report", str(bank), "--json").out == done.out, "the same bank, the same report"


def test_a_report_does_not_depend_on_the_order_of_lines(bank: Path) -> None:
    told = vibe("eval", "report", str(bank), "--json").out
    header, *lines = bank.read_text().splitlines()
    problems = [line for line in lines if '"problem"' in line]
    entries = [line for line in lines if '"problem"' not in line]
    bank.write_text("\n".join([header, *problems, *entries[::-1]]) + "\n")
    assert vibe("eval", "report", str(bank), "--json").out == told


def test_a_report_for_people(bank: Path, tmp_path: Path) -> None:
    done = vibe("eval", "report", str(bank), "--plot", str(tmp_path / "a.svg"))
    assert done.code == 0, done.err
    assert "scripted.gguf F32 (sha256 abababababab) · 40 problems · 4 trajectories each" in done.out
    for words in ("clr - majority at equal tokens", "AUROC", "Brier", "Verdict: CLR ", "rescues"):
        assert words in done.out
    picture = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert picture.startswith("<svg")
    for policy in ("single", "majority", "adaptive", "clr", "permuted", "oracle"):
        assert f">{policy}</text>" in picture
    assert picture.count("<polygon") == picture.count("<polyline") == 6
    assert "nan" not in picture


def test_a_picture_that_cannot_be_drawn_costs_no_report(bank: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = vibe("eval", "report", str(bank), "--json", "--plot", str(tmp_path / "file" / "a.svg"))
    assert (done.code, "cannot be written" in done.err) == (2, True)
    assert done.receipt["problems"] == 40


def test_a_report_on_some_problems(bank: Path) -> None:
    assert vibe("eval", "report", str(bank), "--only", "p1*", "--json").receipt["problems"] == 11


def test_damaged_lines_are_named_and_the_rest_is_reported(bank: Path) -> None:
    lines = bank.read_text().splitlines()
    lines[50] = lines[50][:30]
    bank.write_text("\n".join(lines) + "\n")
    done = vibe("eval", "report", str(bank), "--json")
    assert (done.code, done.receipt["problems"]) == (0, 39)
    assert "bank.jsonl, line 51: damaged, and left out" in done.err
    assert "Left out: 1 problem with fewer than 4 trajectories." in done.receipt["notes"]


def test_two_models_are_compared_in_pairs(bank: Path, tmp_path: Path) -> None:
    other = _bank(tmp_path / "other.jsonl", seed=1, first=20)
    done = vibe("eval", "report", "--models", str(bank), str(other), "--json")
    assert done.code == 0, done.err
    told = done.receipt
    assert told["problems"] == 20
    assert [each["name"] for each in told["contrasts"]] == ["single@1", "majority@4", "adaptive@4", "clr@4", "oracle@4"]
    same = vibe("eval", "report", "--models", str(bank), str(bank), "--json").receipt
    assert {each["difference"] for each in same["contrasts"]} == {0}
    assert "on 20 problems that both banks have" in vibe("eval", "report", "--models", str(bank), str(other)).out


def test_a_calibration_is_judged_by_other_problems_only(bank: Path, tmp_path: Path) -> None:
    assert vibe("eval", "fit", str(_bank(tmp_path / "calibration.jsonl", seed=2, first=100))).code == 0
    assert calibration.find(HEADER.sha256, HEADER.prompts, 4, 3)
    assert calibration.find(HEADER.sha256, HEADER.prompts, 8, 3) is None
    told = vibe("eval", "report", str(bank), "--json").receipt
    assert told["notes"] == ["fitted was fitted to 40 other problems."]
    assert [row["k"] for row in told["policies"] if row["name"] == "fitted"] == [4]
    assert vibe("eval", "fit", str(_bank(tmp_path / "seen.jsonl", seed=2, first=39))).code == 0
    told = vibe("eval", "report", str(bank), "--json").receipt
    assert told["notes"] == ["fitted is left out: its weight was fitted to 1 of these problems."]
    assert not [row for row in told["policies"] if row["name"] == "fitted"]


@pytest.mark.parametrize("odd", [{"slope": None}, {"intercept": "x"}, {"slope": float("nan")}, {"problems": [[]]}])
def test_a_damaged_calibration_is_none(odd: dict[str, object]) -> None:
    path = calibration.keep(calibration.Kept("sha", 1, 4, 3, 0.5, 2.0, ("digest",), 10))
    assert calibration.find("sha", 1, 4, 3)
    path.write_text(json.dumps(json.loads(path.read_text()) | odd))
    assert calibration.find("sha", 1, 4, 3) is None
    path.write_text("[" * 99_999)
    assert calibration.find("sha", 1, 4, 3) is None


def test_fitting_takes_the_prompts_of_this_version(tmp_path: Path) -> None:
    path = banks.write(tmp_path / "old.jsonl", [], [], replace(HEADER, prompts=0))
    done = vibe("eval", "fit", str(path))
    assert (done.code, "other prompts" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["report"], "Give one bank, or two with --models A B."),
        (["report", "{bank}", "--models", "{bank}", "{bank}"], "Give one bank, or two"),
        (["report", "{bank}", "--plot", "a.png"], "ends in .svg"),
        (["report", "missing.jsonl"], "The bank missing.jsonl cannot be read"),
        (["report", "{bank}", "-k", "9"], "no problem with 9 trajectories yet: the most that any has is 4"),
        (["report", "{bank}", "--verdicts", "think"], "no reasoned verdicts"),
        (["report", "{bank}", "--only", "q*"], "has no problem whose id is like q*"),
        (["fit", "missing.jsonl"], "cannot be read"),
        (["run", "missing.jsonl"], "missing.jsonl cannot be read"),
        (["run", "{bank}"], "line 1: this is a bank of `vibe eval run`"),
    ],
)
def test_wrong_arguments(bank: Path, args: list[str], says: str) -> None:
    done = vibe("eval", *(arg.format(bank=bank) for arg in args))
    assert (done.code, done.out) == (2, "")
    assert says in done.err
