"""Problem files as people and published sets write them, and when an answer is right."""

import json
import sys
from pathlib import Path

import pytest

from vibethinker_local.errors import UsageError
from vibethinker_local.eval.problems import Problem, notices, read

PUBLISHED = {
    "prompt": [
        {"role": "system", "content": "You are kind."},
        {"role": "user", "content": "Please find 1 + 1. Let's think step by step and output it within \\boxed{}."},
    ],
    "reward_model": {"ground_truth": 2, "style": "rule"},
    "extra_info": {"index": 0},
}
CHOICE = {
    "prompt": [
        {
            "role": "user",
            "content": "Which?\n\nA. 1\nB. 2\n\nPlease reason step-by-step and put your choice letter without any "
            "other text with \\boxed{} in the end.",
        }
    ],
    "reward_model": {"ground_truth": "B", "style": "rule"},
}


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_json_lines(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "set.jsonl",
        {"id": "a", "problem": " What is 1 + 1? ", "answer": "2", "url": "ignored"},
        {"problem": "Half?", "answer": 0.5},
        {"id": 7, "problem": "Which?\nA. 1\nB. 2", "answer": "B", "kind": "choice"},
        {"id": None, "problem": "Large?", "answer": 10**400},
    )
    assert read(path) == [
        Problem("a", "What is 1 + 1?", "2"),
        Problem("set-1", "Half?", "0.5"),
        Problem("7", "Which?\nA. 1\nB. 2", "B", "choice"),
        Problem("set-3", "Large?", str(10**400)),
    ]


def test_published_layout_loses_its_instruction_and_gets_ours(tmp_path: Path) -> None:
    one, other = read(lines(tmp_path / "set.jsonl", PUBLISHED, CHOICE))
    assert one == Problem("set-0", "Please find 1 + 1.", "2")
    assert one.asked == one.problem
    assert other == Problem("set-1", "Which?\n\nA. 1\nB. 2", "B", "choice")
    assert other.asked.endswith("\n\nThe answer is the letter of the right option, without any other text.")


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{key: PUBLISHED[key] for key in ("prompt", "reward_model")} for _ in range(2)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "aime.parquet")
    assert [(p.id, p.answer) for p in read(tmp_path / "aime.parquet")] == [("aime-0", "2"), ("aime-1", "2")]
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(UsageError, match=r"broken\.parquet cannot be read as parquet"):
        read(tmp_path / "broken.parquet")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'vibethinker-local\[parquet\]'"):
        read(tmp_path / "aime.parquet")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no problem"),
        ("{", "line 1: this is not JSON"),
        ("[" * 100_000, "line 1: this is not JSON"),
        ("\n[1]\n", "line 2: not a problem"),
        ('{"problem": "p"}', "line 1: it lacks 'answer'"),
        ('{"problem": " ", "answer": "1"}', "the problem is not a text, or empty"),
        ('{"problem": "p", "answer": true}', "the answer is neither"),
        ('{"problem": "p", "answer": [1]}', "the answer is neither"),
        ('{"problem": "p", "answer": NaN}', "the answer is neither"),
        ('{"problem": "p \\ud800", "answer": "1"}', "half a surrogate pair"),
        ('{"problem": "p", "answer": "1", "kind": "code"}', "there is no kind 'code': give one of maths, choice"),
        ('{"problem": "p", "answer": "42", "kind": "choice"}', "the letter of the right option"),
        ('{"id": 1, "problem": "p", "answer": "1"}\n{"id": "1", "problem": "q", "answer": "1"}', "the id '1'"),
        ('{"prompt": [], "reward_model": {"ground_truth": 1}}', "prompt and reward_model are odd"),
        ('{"prompt": 3, "reward_model": {"ground_truth": 1}}', "prompt and reward_model are odd"),
        ('{"prompt": [{"role": "user", "content": "p"}], "reward_model": {}}', "it lacks 'ground_truth'"),
    ],
)
def test_bad_files_are_named_by_line_and_fault(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        read(path)
    assert says in str(raised.value)
    assert "set.jsonl" in str(raised.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "missing.jsonl")
    (tmp_path / "x.jsonl").write_bytes(b"\xff\xfe{")
    with pytest.raises(UsageError, match="not UTF-8"):
        read(tmp_path / "x.jsonl")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_a_device_is_not_read() -> None:
    with pytest.raises(UsageError, match="may never end"):
        read(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("answer", "is_right"),
    [
        ("B", True), ("(B)", True), (r"\text{B}", True), ("B. 10^{-8} eV", True), ("Option B", True), ("b", True),
        ("A", False), ("Both", False), ("10^{-8}", False), ("BC", False),
    ],
)  # fmt: skip
def test_a_choice_is_right_by_its_letter(answer: str, is_right: bool) -> None:
    assert Problem("x", "p", "B", "choice").right(answer, lambda *_: None) is is_right


def test_an_answer_is_right_by_what_it_is_worth() -> None:
    problem = Problem("x", "p", r"\frac{1}{2}")
    assert problem.right("0.5", lambda *_: None)
    assert not problem.right("5", lambda *_: None)
    assert problem.right(r"\sin 30^\circ", lambda *_: True)


def test_options_that_were_not_shuffled_are_mentioned() -> None:
    same = [Problem(str(n), f"p {n}", "A", "choice") for n in range(6)]
    assert "A in all 6 problems" in notices(same)[0]
    assert notices([*same, Problem("7", "p", "B", "choice")]) == []
    assert notices(same[:3]) == []
