"""`vibe eval grade`: pairs in, a verdict on each out, in the file's order."""

import json
from pathlib import Path

import pytest

from tests.command import vibe
from vibethinker_local.errors import UsageError
from vibethinker_local.eval.grade import grades, mismatches, read, summary
from vibethinker_local.reliability.equivalence import NOBODY

PAIRS: list[dict[str, object]] = [
    {"gold": "1/2", "answer": "0.5", "same": True, "kind": "numbers"},
    {"gold": "5 cm", "answer": "5", "same": True, "lenient": True, "kind": "units"},
    {"gold": "3", "answer": "4", "same": False, "kind": "numbers"},
    {"gold": 18, "output": "12 + 6 = 18\n#### 18"},
    {"gold": "18", "output": ""},
    {"gold": "They have 12 + 6.\n#### 18", "answer": 18.0},
]


def lines(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_grades(tmp_path: Path) -> None:
    graded = list(grades(read(lines(tmp_path / "pairs.jsonl", PAIRS)), NOBODY))
    assert [(grade.same, grade.matches) for grade in graded] == [
        (True, True), (False, True), (False, False), (True, True), (False, False), (True, True)
    ]  # fmt: skip
    assert [grade.method for grade in graded] == ["algebra", "lenient", "algebra", "text", "no answer", "text"]
    assert all(grade.as_wanted for grade in graded)
    said = summary(graded)
    assert said[0] == (
        "6 pairs: 4 match the gold answer (66.7%), 3 of them strictly; 2 do not, 1 of which have no answer"
    )
    assert "of 2 that are the same, 2 are found (100.0%)" in said
    assert mismatches(graded) == []


DETAILS = {"doc": {"query": "p", "choices": ["12 + 6 = 18\n#### 18"], "gold_index": 0}, "metric": {"em": 1.0}}
LOGGED = {"doc_id": 3, "doc": {"question": "p"}, "target": "12 + 6 = 18\n#### 18"}


@pytest.mark.parametrize(
    ("row", "matches"),
    [
        (LOGGED | {"resps": [["So it is 18.\n#### 18"]], "filtered_resps": ["[invalid]"]}, True),
        (LOGGED | {"resps": [["#### 17"]], "filtered_resps": ["18"]}, False),
        (LOGGED | {"resps": [["I cannot tell."]]}, False),
        ({"expected_answer": "1/2", "generation": "The answer is 0.5."}, True),
        ({"ideal": 4, "generated_text": "#### 4"}, True),
        ({"ideal": 4, "generated_text": "So it is #### 4"}, True),
        ({"gt": "18", "answer": "18", "code": ["So 17."], "pred": ["17"]}, False),
        ({"problem": "p", "answer": "18", "response": "The answer is 18."}, True),
        ({"problem": "p", "answer": "18", "prediction": "17"}, False),
        ({"gold": "18", "answer": "17", "prediction": "18"}, True),
        ({"gold": "18", "prediction": r"so it is \boxed{18}"}, True),
        ({"gold": "18", "prediction": "The answer is 18."}, True),
        ({"gold": "18", "predicted_answer": "17", "generation": "The answer is 18."}, False),
        ({"input": "p", "target": ["3"], "output": {"model": "m", "completion": "ANSWER: 3"}}, True),
        (DETAILS | {"model_response": {"text": ["So it is #### 18"]}}, True),
        (DETAILS | {"model_response": {"text": ["So it is #### 17"]}}, False),
    ],
)
def test_what_other_programs_log(tmp_path: Path, row: dict[str, object], matches: bool) -> None:
    (graded,) = grades(read(lines(tmp_path / "pairs.jsonl", [row])), NOBODY)
    assert graded.matches == matches
    assert summary([graded])[0].startswith("1 pair: ")


@pytest.mark.parametrize(("said", "doubted"), [("17", False), ("18", True)])
def test_an_answer_that_may_be_what_was_said_is_told(tmp_path: Path, said: str, doubted: bool) -> None:
    rows: list[dict[str, object]] = [{"answer": "18", "response": f"The answer is {said}."}]
    notice = next(
        line for line in summary(list(grades(read(lines(tmp_path / "p.jsonl", rows)), NOBODY))) if "known" in line
    )
    assert ("compared with themselves" in notice) is doubted


def test_a_sample_that_is_logged_for_each_filter_is_one_pair(tmp_path: Path) -> None:
    row = LOGGED | {"resps": [["#### 18"]], "filter": "strict-match"}
    other = row | {"filter": "flexible-extract"}
    rows = [row, other, row | {"doc_id": 4}, other | {"doc_hash": "of another set"}]
    assert [pair.where for pair in read(lines(tmp_path / "pairs.jsonl", rows))] == ["line 1", "line 3", "line 4"]


@pytest.mark.parametrize(
    "whole",
    [
        {"0": {"prediction": "18", "gold": "18"}, "1": {"prediction": "17", "gold": "18"}},
        {
            "eval": {"task": "t"},
            "samples": [
                {"input": "p", "target": "18", "output": {"completion": f"ANSWER: {said}"}} for said in (18, 17)
            ],
            "reductions": [{"scorer": "match"}],
        },
    ],
    ids=["OpenCompass", "inspect-ai"],
)
def test_logs_that_are_one_object(tmp_path: Path, whole: object) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps(whole, indent=1), encoding="utf-8")
    assert [grade.matches for grade in grades(read(path), NOBODY)] == [True, False]


def test_verdicts_against_the_file_are_shown(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [
        {"gold": "3", "answer": "4", "same": True, "kind": "odd"},
        {"gold": "3", "answer": "3", "same": False},
    ]
    graded = list(grades(read(lines(tmp_path / "pairs.jsonl", rows)), NOBODY))
    assert mismatches(graded) == ["line 1: 3 | 4 (algebra)", "line 2: 3 | 3 (same)"]
    assert "  odd: 1 of 1 otherwise than wanted" in summary(graded)


def test_a_table_of_pairs_is_shown_by_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text('gold,answer\n1/2,0.5\n"1,\n2","{2,1}"\n3,4\n5,\n', encoding="utf-8")
    graded = list(grades(read(path), NOBODY))
    assert [grade.same for grade in graded] == [True, True, False, False]
    assert mismatches(graded) == ["line 5: 3 | 4 (algebra)", "line 6: 5 | no answer (no answer)"]
    path.write_text("gold,answer,same,lenient\n3,4,True,\n3,3,false,\n5 cm,5,true,TRUE\n3,4,,\n", encoding="utf-8")
    assert [grade.as_wanted for grade in grades(read(path), NOBODY)] == [False, False, True, True]


def test_on_the_command_line(tmp_path: Path) -> None:
    path = lines(tmp_path / "pairs.jsonl", PAIRS)
    done = vibe("eval", "grade", str(path), "--json")
    told = [json.loads(line) for line in done.out.splitlines()]
    assert [each["matches"] for each in told] == [True, True, False, True, False, True]
    assert set(told[0]) == {"same", "matches", "method"}
    assert "6 pairs: 4 match" in done.err
    done = vibe("eval", "grade", str(lines(path, PAIRS[2:5])))
    assert "line 1: 3 | 4" not in done.out  # the file wants it so
    assert "3 pairs: 1 match" in done.out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no pair"),
        ("[1]", "line 1: not a pair"),
        ('{"answer": "1"}', "line 1: it lacks 'gold'"),
        ('{"gold": "", "answer": "1"}', "it lacks 'gold'"),
        ('{"gold": true, "answer": "1"}', "it lacks 'gold'"),
        ('{"gold": "1"}', "it lacks 'answer' and 'output'"),
        ('{"gold": "1", "answer": [1]}', "'answer' is neither a text nor a number"),
        ('{"gold": "1", "answer": ["1"]}', "'answer' is neither a text nor a number"),
        ('{"target": "1", "resps": [["1", "2"]]}', "'resps' is neither a text nor a number"),
        ('{"target": "1", "resps": [[[-1.5, false]]]}', "'resps' is neither a text nor a number"),
        ('{"gold": "1", "answer": "1"}\n{', "line 2: this is not JSON"),
    ],
)
def test_bad_files_are_named_by_line_and_fault(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        read(path)
    assert says in str(raised.value)
