"""Problem files as people and published sets write them."""

import gzip
import json
import re
import sys
from pathlib import Path

import pytest

from vibethinker_local.errors import UsageError
from vibethinker_local.eval.layouts import ProblemFile, read
from vibethinker_local.eval.problems import Problem

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


def one(tmp_path: Path, row: object) -> Problem:
    """The problem that a single row is."""
    return read(lines(tmp_path / "set.jsonl", row)).problems[0]


def test_json_lines(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "set.jsonl",
        {"id": "a", "problem": " What is 1 + 1? ", "answer": "2", "url": "ignored"},
        {"problem": "Half?", "answer": 0.5},
        {"id": 7, "problem": "Which?\nA. 1\nB. 2", "answer": "B", "kind": "choice"},
        {"id": None, "problem": "Large?", "answer": 10**400},
    )
    found = [
        Problem("a", "What is 1 + 1?", "2"),
        Problem("set-1", "Half?", "0.5"),
        Problem("7", "Which?\nA. 1\nB. 2", "B", "choice"),
        Problem("set-3", "Large?", str(10**400)),
    ]
    assert read(path) == ProblemFile(found, [])


def of_the_hub(rows: list[dict[str, object]]) -> dict[str, object]:
    """As its viewer gives them."""
    numbered = [{"row_idx": at, "row": row, "truncated_cells": []} for at, row in enumerate(rows)]
    return {"features": [{"feature_idx": 0, "name": "problem"}], "rows": numbered, "num_rows_total": 9}


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"version": 1, "data": rows}, of_the_hub])
def test_json_arrays(tmp_path: Path, wrap) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "set.json"
    path.write_text(json.dumps(wrap([{"problem": "p", "answer": 1}, {"problem": "q", "answer": 2}]), indent=1))
    assert read(path).problems == [Problem("set-0", "p", "1"), Problem("set-1", "q", "2")]


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        ({"question": "p", "answer": "They have 12 + 6 = <<12+6=18>>18.\n#### 18"}, "18"),
        ({"problem": "p", "solution": r"So $x = 3$, and \boxed{x = 3}.", "level": 5}, "x = 3"),
        ({"problem": "p", "solution": "Because 2 + 1.", "answer": r"\frac{1}{2}"}, r"\frac{1}{2}"),
        ({"Problem": "p", "Solution": "long", "Answer": 204}, "204"),
        ({"input": "p", "target": "7"}, "7"),
        ({"prompt": "p", "final_answer": ["$3$"]}, "$3$"),
        ({"question": "p", "final_answer": [1, 2]}, "1, 2"),
        ({"messages": [{"role": "user", "content": "p"}], "expected_answer": "5"}, "5"),
        ({"question": "p", "answer": "So it is 11.", "answer_number": 11}, "11"),
        ({"instruction": "p", "input": "", "output": "3"}, "3"),
        ({"input": [{"role": "system", "content": "Hi"}, {"role": "user", "content": "p"}], "ideal": ["4"]}, "4"),
        ({"turns": ["p"], "ground_truth": "4"}, "4"),
        ({"turns": [["p"]], "ground_truth": "4"}, "4"),
        ({"input": {"role": "user", "content": "p"}, "target": "4"}, "4"),
        ({"problem_text": "p", "answer_number": " 4 ", "unit": "m"}, "4"),
        ({"question": "p", "answer": "12 perhaps", "Correct Answer": "4"}, "4"),
        ({"row_idx": 0, "row": {"question": "p", "answer": "4"}, "truncated_cells": []}, "4"),
        ({"doc_id": 0, "doc": {"question": "p", "answer": "4"}, "target": "4", "resps": [["5"]]}, "4"),
        ({"problem": "p", "options": "[]", "answer": 4}, "4"),
        ({"problem": "p", "choices": None, "answer": "4"}, "4"),
        ({"题目": "p", "答案": "4"}, "4"),
        ({"Aufgabe": "p", "Antwort": "2,5"}, "2,5"),
        ({"question": "q", "question_zh": "p", "answer": "#### 4", "answer_only": "4"}, "4"),
        ({"question_zh": "p", "answer_zh": "48/2=24\n#### 24"}, "24"),
        ({"original_text": "p", "segmented_text": "p p", "equation": "x=5-2", "ans": "3"}, "3"),
    ],
)
def test_the_names_of_fields(tmp_path: Path, row: dict[str, object], answer: str) -> None:
    assert (one(tmp_path, row).problem, one(tmp_path, row).answer) == ("p", answer)


def test_what_was_understood_is_said(tmp_path: Path) -> None:
    rows = [{"question": f"p{n}", "answer": "#### 1"} for n in range(3)]
    assert read(lines(tmp_path / "gsm.jsonl", *rows)).notices == [
        f"{tmp_path / 'gsm.jsonl'}: 3 problems, read from 'question' and 'answer'"
    ]


@pytest.mark.parametrize(
    "row",
    [
        {"question": "p", "choices": ["3", "5", "7"], "answer": 1},
        {"question": "p", "choices": ["3", "5", "7"], "answer": "B"},
        {"question": "p", "choices": ["3", "5", "7"], "answer": "5"},
        {"question": "p", "options": ["A)3", "B)5", "C)7"], "rationale": "r", "correct": "B"},
        {"题目": "p", "选项": ["A．3", "B．5", "C．7"], "答案": "（B）"},
        {
            "problem": "p",
            "answer_option_list": [[{"aoVal": x, "content": t}] for t, x in zip("357", "ABC", strict=True)],
            "answer_value": "B",
        },
        {"question": "p", "choices": {"text": ["3", "5", "7"], "label": ["A", "B", "C"]}, "answerKey": "B"},
        {
            "question": {"stem": "p", "choices": [{"text": t, "label": x} for t, x in zip("357", "ABC", strict=True)]},
            "answerKey": "B",
        },
    ],
)
def test_options_that_are_a_list(tmp_path: Path, row: dict[str, object]) -> None:
    assert one(tmp_path, {"id": "x"} | row) == Problem("x", "p\n\nA. 3\nB. 5\nC. 7", "B", "choice")


@pytest.mark.parametrize(
    ("options", "answer", "letter"),
    [
        ({"text": ["5", "6", "7", "8"], "label": ["1", "2", "3", "4"]}, "3", "C"),
        ({"text": ["5", "6", "7", "8"], "label": ["1", "2", "3", "4"]}, "4", "D"),
        ({"text": ["5", "6", "7", "8"], "label": [1, 2, 3, 4]}, 1, "A"),
        ({"text": ["5", "6", "7"], "label": ["X", "Y", "Z"]}, "Z", "C"),
        ([{"text": "5", "label": "1"}, {"text": "6", "label": "2"}], "2", "B"),
        (["1", "2", "3"], 2, "C"),
        ([1, 2, 3], 2, "B"),
        (["1", "2", "3"], "2", "B"),
        (["1", "2", "3"], [1], "B"),
        (["5", "6", "7"], 7, "C"),
        ({"A": "5", "B": "6"}, "B", "B"),
        (["5", "6", "7"], "b", "B"),
        (["5", "6", "7"], "(c)", "C"),
        (["b", "a"], "a", "B"),
        ("a ) rs . 5 , b ) rs . 6 , c ) none of these", "b", "B"),
        ("A. 5\nB. 6\nC. 7", "C", "C"),
        ("(a) 5 (b) 6", "b", "B"),
        ("A．5 B．6", "B", "B"),
        ("A、5；B、6", "B．6", "B"),
    ],
)
def test_an_answer_by_the_labels_of_the_file(tmp_path: Path, options: object, answer: object, letter: str) -> None:
    found = one(tmp_path, {"question": "p", "options": options, "answer": answer})
    assert (found.answer, found.kind) == (letter, "choice")


@pytest.mark.parametrize("name", ["{}", "option_{}", "choice_{}", "op{}", "answer{}"])
def test_options_with_a_field_each(tmp_path: Path, name: str) -> None:
    row = {name.format(letter): said for letter, said in zip("ABC", "357", strict=True)}
    assert one(tmp_path, {"id": "x", "question": "p", "answer": "C"} | row) == Problem(
        "x", "p\n\nA. 3\nB. 5\nC. 7", "C", "choice"
    )
    assert one(tmp_path, {"question": "p", "answer": "12"} | row).kind == "maths"


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("set.csv", 'ID,Problem,Answer\n7,"What,\nis ""1 + 1""?",2\n', Problem("7", 'What,\nis "1 + 1"?', "2")),
        ("set.csv", "\ufeffproblem;answer\r\nIs it a, b?;2\r\n", Problem("set-0", "Is it a, b?", "2")),
        ("set.TSV", "problem\tanswer\tkind\nIs it a, b?\t2\t\n", Problem("set-0", "Is it a, b?", "2")),
        ("set.tsv", 'problem\tanswer\n"How many?" he asks.\t2\n', Problem("set-0", '"How many?" he asks.', "2")),
        ("set.tsv", 'problem\tanswer\n"5\t6""?"\t2\n', Problem("set-0", '5\t6"?', "2")),
        ("set.csv", "\n,problem,answer\n0,p,2\n", Problem("set-0", "p", "2")),
        ("set.csv", "question,A,B,answer\nWhich?,3,5,B\n", Problem("set-0", "Which?\n\nA. 3\nB. 5", "B", "choice")),
        ("set.jsonl", '{"problem": "p", "answer": "2"}\n', Problem("set-0", "p", "2")),
        ("set.tsv", "小明有几个？\t1,234\n\n", Problem("set-0", "小明有几个？", "1,234")),  # MGSM names no columns
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_tables_and_packed_files(tmp_path: Path, name: str, text: str, problem: Problem, packed: bool) -> None:
    path = tmp_path / (name + ".gz" * packed)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert read(path).problems == [problem]


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("set.csv", b"", "holds no problem"),
        ("set.csv", b"What is 1 + 1?,2\nWhat is 2 + 2?,4\n", "line 2: it lacks 'problem'"),
        ("set.csv", b"question,choices,answer\np,\"['0' '4']\",1\n", "its options are not understood"),
        ("set.csv", b'problem,answer\n"What,\nis it?",2\n"p,2\nq,3\n', "line 4: this is no row of a table"),
        ("set.csv", b"question,correct_answer,wrong_answers\np,x,\"['y', 'z']\"\n", "its options are not understood"),
        ("set.jsonl.gz", gzip.compress(b"x" * 900, mtime=0)[:20], "cut off"),
        ("set.jsonl.gz", b"\x1f\x8b of another kind", "damaged"),
        ("set.xlsx", b"PK\x03\x04...", "is a zip archive"),
    ],
)
def test_tables_and_packed_files_that_are_none(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=re.escape(says)):
        read(tmp_path / name)


WRONG = {"Incorrect Answer 1": "x", "Incorrect Answer 2": "y", "Incorrect Answer 3": "z"}


@pytest.mark.parametrize(
    ("row", "right"),
    [
        ({"Record ID": "r", "Question": "p", "Correct Answer": "B\n"} | WRONG, "B"),
        ({"id": "r", "question": "p", "correct_answer": "w", "distractor1": "x", "distractor2": "y"}, "w"),
        ({"id": "r", "question": "p", "correct_answer": ["w"], "distractors": ["x"]}, "w"),
        ({"id": "r", "question": "p", "correct_answer": "#### 5", "incorrect_answers": ["x", "4"]}, "#### 5"),
    ],
)
def test_wrong_options_in_fields_of_their_own(tmp_path: Path, row: dict[str, object], right: str) -> None:
    found = one(tmp_path, row)
    assert (found.id, found.kind) == ("r", "choice")
    assert f"\n{found.answer}. {right}" in found.problem
    name = next(name for name in row if name.casefold() == "question")
    assert len({one(tmp_path, row | {name: f"p{n}"}).answer for n in range(9)}) > 1, (
        "the right one is not always in the same place"
    )


def test_options_in_one_text(tmp_path: Path) -> None:
    text = "a ) 1 , 000 m , b ) 3 : 5 ( d ) , c ) none of a ) and b )"
    found = one(tmp_path, {"Problem": "p", "options": text, "correct": "c"})
    assert found.problem == "p\n\nA. 1 , 000 m\nB. 3 : 5 ( d )\nC. none of a ) and b )"


@pytest.mark.parametrize("name", ["instruction", "Body", "context", "passage", "article"])
def test_what_a_question_is_about_stands_before_it(tmp_path: Path, name: str) -> None:
    path = lines(tmp_path / "set.jsonl", {name: "There are 3. ", "question": "How many?", "answer": "3"})
    found = read(path)
    assert found.problems[0].problem == "There are 3.\n\nHow many?"
    assert found.notices == [f"{path}: 1 problem, read from '{name.lower()}', 'question' and 'answer'"]
    again = one(tmp_path, {name: "There are 3.", "question": "There are 3. How many?", "answer": "3"})
    assert again.problem == "There are 3. How many?"


def test_a_description_is_the_problem_and_its_prompt_the_imports(tmp_path: Path) -> None:
    row = {"problem_description": "Add.", "prompt": "import math", "entry_point": "S().f", "test": "def check(f): ..."}
    found = one(tmp_path, row | {"starter_code": "class S:", "query": "You are an expert.", "response": "r"})
    assert found.program
    assert (found.problem, found.program.setup, found.program.starter) == ("Add.", "import math", "class S:")


def test_a_call_is_shown_where_the_tests_show_none(tmp_path: Path) -> None:
    row = {
        "prompt": "Add.",
        "test_list": ["assert add(1, 2) == 3"],
        "test": "for n in [1]:\n    assert add(n, n) == 2\n",
    }
    assert one(tmp_path, row).asked == "Add.\n\nFor example:\n\nassert add(1, 2) == 3"
    assert one(tmp_path, row | {"test": "assert add(2, 2) == 4"}).asked.endswith("\n\nassert add(2, 2) == 4")


def test_options_in_the_text_make_a_choice_of_a_letter(tmp_path: Path) -> None:
    assert one(tmp_path, {"problem": "Which?\nA) 1\nB) 2", "answer": "(B)"}).kind == "choice"
    assert one(tmp_path, {"problem": "Which letter is a segment's end?", "answer": "B"}).kind == "maths"


def test_options_in_a_chinese_text(tmp_path: Path) -> None:
    text = "下面正确的是（ ）A．甲 B．乙"
    assert one(tmp_path, {"id": "x", "question": text, "answer": "B"}) == Problem("x", text, "B", "choice")
    assert one(tmp_path, {"problem": "线段 A、B 相距 5，从 B、C 出发，求中点。", "answer": "B"}).kind == "maths"


def test_code_with_tests(tmp_path: Path) -> None:
    eval_like = one(
        tmp_path, {"task_id": "H/0", "prompt": "def f():", "entry_point": "f", "test": "def check(c):\n    pass"}
    )
    assert (eval_like.id, eval_like.kind, eval_like.problem) == ("H/0", "code", "def f():")
    assert eval_like.program
    assert eval_like.program.test.endswith("\n\ncheck(f)\n")
    assert eval_like.program.starter == "def f():"
    asserts = one(
        tmp_path, {"text": "p", "test_list": ["assert f(1) == 2", "assert f(2) == 3"], "test_setup_code": "x = 1"}
    )
    assert asserts.program
    assert (asserts.program.setup, asserts.program.test) == ("x = 1", "assert f(1) == 2\nassert f(2) == 3")
    contest = one(
        tmp_path,
        {
            "problem": "p",
            "starter": "class S:",
            "prompt": "import math",
            "entry_point": "S().f",
            "test": "def check(f): ...",
        },
    )
    assert contest.program
    assert (contest.problem, contest.program.setup, contest.program.starter) == ("p", "import math", "class S:")


def test_repeated_ids_are_numbered_and_empty_golds_left_out(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "set.jsonl",
        {"id": 1, "problem": "p", "answer": "1"},
        {"id": "1", "problem": "q", "answer": "2"},
        {"id": "1-2", "problem": "r", "answer": "3"},
        {"id": "1", "problem": "s", "answer": "4"},
        {"id": "2", "problem": "t", "answer": ""},
        {"id": "3", "problem": "u"},
    )
    found = read(path)
    assert [problem.id for problem in found.problems] == ["1", "1-3", "1-2", "1-4"]
    assert found.notices == [
        f"{path}: 2 problems numbered, as another one has the same id",
        f"{path}, line 5: the answer is neither a text nor a number, or empty: left out",
        f"{path}, line 6: it lacks 'answer': left out",
    ]


def test_published_layout_loses_its_instruction_and_gets_ours(tmp_path: Path) -> None:
    first, other = read(lines(tmp_path / "set.jsonl", PUBLISHED, CHOICE)).problems
    assert first == Problem("set-0", "Please find 1 + 1.", "2")
    assert first.asked == first.problem
    assert other == Problem("set-1", "Which?\n\nA. 1\nB. 2", "B", "choice")
    assert other.asked.endswith("\n\nThe answer is the letter of the right option, without any other text.")


@pytest.mark.parametrize(
    "prompt",
    [
        'What is 1 + 1? Let\'s think step by step and output the final answer after "####".',
        "Solve the following math problem step by step. The last line of your response should be of the form Answer: "
        '$Answer (without quotes).\n\nWhat is 1 + 1?\n\nRemember to put your answer on its own line after "Answer:".',
    ],
)
def test_instructions_for_other_forms_of_an_answer_are_dropped(tmp_path: Path, prompt: str) -> None:
    assert one(tmp_path, PUBLISHED | {"prompt": [{"role": "user", "content": prompt}]}).problem == "What is 1 + 1?"


def test_one_problem_on_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "set.json"
    path.write_text(json.dumps({"problem": "p", "answer": "1"}, indent=1))
    assert read(path).problems == [Problem("set-0", "p", "1")]


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{key: PUBLISHED[key] for key in ("prompt", "reward_model")} for _ in range(2)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "aime.parquet")
    found = read(tmp_path / "aime.parquet").problems
    assert [(p.id, p.answer) for p in found] == [("aime-0", "2"), ("aime-1", "2")]
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(UsageError, match=r"broken\.parquet cannot be read as parquet"):
        read(tmp_path / "broken.parquet")


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install -e '\.\[parquet\]'"):
        read(tmp_path / "aime.parquet")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no problem"),
        ("{", "line 1: this is not JSON"),
        ("[" * 100_000, "line 1: this is not JSON"),
        ("\n[1]\n", "line 2: not a problem"),
        ('{"problem": "p"}', "line 1: it lacks 'answer'"),
        ('{\n"question": ["p", "q"],\n"answer": ["1", "2"]\n}', "row 1: the problem is not a text"),
        ('{"messages": [{"role": "user"}], "answer": "1"}', "the problem is not a text"),
        ('{"code": "def f(x): ...", "input": "1", "output": "1"}', "its 'input' is that of a program"),
        ('{"gold": "1", "answer": "1"}', "`vibe eval grade` reads such pairs"),
        ('{"problem": " ", "answer": "1"}', "the problem is not a text, or empty"),
        ('{"problem": "p", "answer": true}', "the answer is neither"),
        ('{"problem": "p", "answer": [[1]]}', "the answer is neither"),
        ('{"problem": "p", "answer": NaN}', "the answer is neither"),
        ('{"problem": "p \\ud800", "answer": "1"}', "half a surrogate pair"),
        ('{"problem": "p", "answer": "1", "kind": "poem"}', "there is no kind 'poem': give one of maths, choice, code"),
        ('{"problem": "p", "answer": "1", "kind": "code"}', "code needs tests"),
        ('{"problem": "p", "test": "", "entry_point": "f"}', "it has no tests"),
        ('{"problem": "p", "answer": "42", "kind": "choice"}', "the letter of the right option"),
        ('{"problem": "p", "choices": ["x", "y"], "answer": "c"}', "the answer is none of the options"),
        ('{"problem": "p", "choices": ["a", "b"], "answer": "c"}', "the answer is none of the options"),
        ('{"problem": "p", "options": "x or y", "answer": "b"}', "its options are not understood"),
        ('{"question": "p", "options": "[\\"x\\", \\"y\\"]", "answer": 1}', "its options are not understood"),
        (json.dumps({"question": "p", "options": list("abcdefghijkl"), "answer": 3}), "its options are not understood"),
        ('{"question": "p", "correct_answer": "x", "distractor1": "x"}', "its options are not understood"),
        ('{"row_idx": 0, "row": {"question": "p", "answer": "1"}, "truncated_cells": ["x"]}', "the Hub cut its text"),
        ('{"input": "p", "ideal": ["4", "four"]}', "several answers, each of which is right"),
        ('{"problem": "p", "solution": "' + 30 * "It is long. " + '"}', "ends neither in ####"),
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
