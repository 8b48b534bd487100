r"""Problem files in the layouts in which sets are published, read by the names of their fields.

JSON lines, a JSON array, a table with commas or tabs, or parquet. The problem is called `problem`, `question`,
`prompt`, `input`, `题目`; the answer `answer`, `final_answer`, `target`, `答案`, or a worked `solution` that ends in
`#### 72` or `\boxed{72}`; options may be a list, or the right one and the wrong ones have fields of their own; code has
tests in the place of an answer. A row without an answer is left out, a file without any is refused.
"""

import csv
import gzip
import hashlib
import io
import itertools
import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

from vibethinker_local.code import task as code
from vibethinker_local.errors import UsageError, extra
from vibethinker_local.eval import testing
from vibethinker_local.eval.instructions import Instruction
from vibethinker_local.eval.problems import GradingProgram, Kind, Problem
from vibethinker_local.reliability import answers
from vibethinker_local.system.units import counted

_IDS = ("id", "task_id", "unique_id", "problem_id", "question_id", "record_id", "uid", "qid")
_PROBLEMS = ("question_zh", "problem", "problem_description", "question", "prompt", "input", "text", "query",
             "question_content", "problem_text", "messages", "question_stem", "instruction", "description", "turns",
             "original_text", "题目", "问题", "题干", "問題", "문제", "aufgabe", "frage", "задача",
             "вопрос")  # fmt: skip
_BEFORE = ("instruction", "body", "context", "passage", "article")  # what a question is about
_RIGHT = "correct_answer"
_ANSWERS = ("answer_number", "answer_only", _RIGHT, "answer", "final_answer", "final_ans", "target", "expected_answer",
            "gold", "golden", "ground_truth", "answerkey", "correct", "label", "ideal", "solution", "output",
            "response", "answer_index", "answer_zh", "answer_value", "ans", "正确答案", "标准答案", "答案", "答え",
            "정답", "antwort", "ответ")  # fmt: skip
_WRONG = re.compile(r"(?:incorrect_answer|wrong_answer|distractor)s?_?\d{0,2}")  # beside the right one
_OPTIONS = ("choices", "options", "选项", "answer_option_list")
_OPTION_FIELDS = ("", "option_", "choice_", "op", "answer")  # before a letter: a field for each option
_INSIDE = {"row_idx": "row", "doc_id": "doc"}  # where the Hub's rows and samples of lm-eval have what was asked
_CODE_TESTS = ("test", "tests", "test_list", "public_test_cases", "input_output", "public_tests")
_NUMBER_OF_NOTICES = 5  # rows that are named one by one

# The sentence of a published prompt that says how to write the answer, the last one or the first: we say it in our own
# words.
_INSTRUCTION = re.compile(
    r"\s*\b(?:Let's|Please|Think|Put|Give|Return|Output|Remember|Present|Write)\b[^.?!\n]*"
    r"(?:\\boxed\{\s*\}|after \"(?:####|Answer:)\")[^\n]*\Z"
    r"|\ASolve the following math problem step by step\. The last line of your response should [^\n]*\n\s*"
)
_LETTER = re.compile(r"[A-J]")
_BEHIND = "(?:[).:）．：]|、(?![A-Z]))"  # the letter of an option; A、B are points
_LETTERED = re.compile(rf"[(（]?([A-J]){_BEHIND}{{0,2}}")
_SMALL_LETTERED = re.compile(_LETTERED.pattern, re.IGNORECASE)
_MARK = re.compile(rf"(?:^|[\s,;，；])[(（]?([A-Ja-j]) ?{_BEHIND}\s*")  # of an option in a text that has all of them
_OPTION = re.compile(rf"(?:^|[\s）])[(（]?([A-J]){_BEHIND}\s*\S")
_LABEL = re.compile(rf"^\s*[(（]?[A-J]{_BEHIND}\s*")
_HEADLESS = re.compile(r"(?:[^\t\n]+\t-?\d[\d.,]*\r?(?:\n|\Z))+\s*")  # questions and answers in numbers, as in MGSM
_FINAL = re.compile(r"####\s*(\S.*?)\s*\Z")


class _Unusable(Exception):
    """Says what a row lacks."""


@dataclass(frozen=True)
class ProblemFile:
    problems: list[Problem]
    notices: list[str]  # what was understood that may not be expected, and what was left out


def read(path: Path) -> ProblemFile:
    """The problems of a file. Raises UsageError naming file, line and what is wrong."""
    found: list[Problem] = []
    left_out: list[str] = []
    layouts = Counter[str]()
    for where, row in rows(path):
        if isinstance(row, dict) and "bank" in row and not found:
            raise UsageError(f"{where}: this is a bank of `vibe eval run`, not a file of problems.")
        try:
            problem, layout = _problem(row, f"{bare_name(path)}-{len(found) + len(left_out)}")
        except _Unusable as fault:
            left_out.append(f"{where}: {fault}")
            continue
        found.append(problem)
        layouts[layout] += 1
    if not found:
        raise UsageError(f"{left_out[0]}." if left_out else f"{path} holds no problem.")
    problems, renamed = _with_own_ids(found)
    notices = [f"{path}: {counted(count, 'problem')}, {layout}" for layout, count in layouts.items() if layout]
    if renamed:
        notices.append(f"{path}: {counted(renamed, 'problem')} numbered, as another one has the same id")
    notices += [f"{fault}: left out" for fault in left_out[:_NUMBER_OF_NOTICES]]
    if len(left_out) > _NUMBER_OF_NOTICES:
        notices.append(f"{path}: {counted(len(left_out) - _NUMBER_OF_NOTICES, 'further row')}: left out")
    return ProblemFile(problems, notices)


def bare_name(path: Path) -> str:
    """The name of a file without what says how it is written."""
    return Path(path.stem).stem if path.suffix == ".gz" else path.stem


def _with_own_ids(problems: Sequence[Problem]) -> tuple[list[Problem], int]:
    """The problems, each with an id that no other has, and how many had to be given one."""
    taken = {problem.id for problem in problems}
    seen = set[str]()
    result: list[Problem] = []
    for problem in problems:
        name = problem.id
        if name in seen:
            name = next(new for n in itertools.count(2) if (new := f"{problem.id}-{n}") not in taken)
            taken.add(name)
        seen.add(name)
        result.append(replace(problem, id=name))
    return result, sum(old.id != new.id for old, new in zip(problems, result, strict=True))


# Files


def rows(path: Path) -> Iterator[tuple[str, Any]]:
    """The rows of a file, each with where it stands. Raises UsageError."""
    name = path.name.casefold()
    reader = _sheet if name.removesuffix(".gz").endswith((".csv", ".tsv")) else _json
    filters: dict[str, Any] = {}
    for where, row in (_parquet if name.endswith(".parquet") else reader)(path):
        if isinstance(row, dict) and {"doc_id", "filter"} <= row.keys():  # a sample of lm-eval, once for each filter
            sample = str((row["doc_id"], row.get("doc_hash")))
            if filters.setdefault(sample, row["filter"]) != row["filter"]:
                continue
        yield where, row


def _text(path: Path) -> str:
    """What a text file holds, also a packed one. Raises UsageError."""
    if path.is_char_device():
        raise UsageError(f"{path} is a device, which may never end: give a file of JSON lines.")
    try:
        data = path.read_bytes()
        if data.startswith(b"PK\x03\x04"):
            raise UsageError(f"{path} is a zip archive, as .xlsx and .eval files are: export it as JSON lines or .csv.")
        return (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text: save it as UTF-8, or give a .parquet file.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UsageError(f"{path} is packed by gzip, and damaged or cut off: fetch it again.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}): check the path.") from error


def _sheet(path: Path) -> Iterator[tuple[str, Any]]:
    """The rows of a table whose first line names the columns, with commas, semicolons or tabs between them."""
    text = _text(path)
    csv.field_size_limit(len(text) + 1)
    headless = _HEADLESS.fullmatch(text) is not None
    separator = "\t" if headless else max(",;\t", key=text.lstrip("\r\n").partition("\n")[0].count)
    quoted = separator != "\t" or _has_quoted(text)
    lines = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=separator,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    names, begins = ["question", "answer"] if headless else list[str](), 1
    try:
        for row in lines:
            if row and names:
                cells = itertools.zip_longest(names, row, fillvalue="")
                yield f"{path}, line {begins}", {name: cell for name, cell in cells if name}
            names, begins = names or row, lines.line_num + 1
    except csv.Error as error:
        raise UsageError(f"{path}, line {begins}: this is no row of a table ({error}).") from error


def _has_quoted(text: str) -> bool:
    """Whether the quotes of a table with tabs stand around its texts, and are no part of them."""
    try:
        for _ in csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True):
            pass
    except csv.Error:
        return False
    return True


def _json(path: Path) -> Iterator[tuple[str, Any]]:
    """The rows of a JSON array, or of JSON lines."""
    text = _text(path)
    if (array := _array(text)) is not None:
        for number, row in enumerate(array, 1):
            yield f"{path}, row {number}", row
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = f"{path}, line {number}"
            try:
                yield where, json.loads(line)
            except (ValueError, RecursionError):
                raise UsageError(f"{where}: this is not JSON. Each line is one problem.") from None


def _array(text: str) -> list[Any] | None:
    """The rows of a text that is one JSON array, or an object that holds one and nothing but names beside it."""
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return None  # JSON lines
    if isinstance(whole, dict):
        if whole and all(key.isdecimal() and isinstance(row, dict) for key, row in whole.items()):
            return list(whole.values())  # numbered
        if isinstance(whole.get("rows"), list) and isinstance(whole.get("features"), list):
            return cast("list[Any]", whole["rows"])  # as the Hub gives them
        lists = {
            key: value
            for key, value in whole.items()
            if isinstance(value, list) and value and isinstance(value[0], dict)
        }
        if lists and (len(lists) == 1 or "samples" in lists) and not _first(whole, _PROBLEMS):
            return lists.get("samples") or next(iter(lists.values()))
        return [whole] if "\n" in text.strip() else None  # one row, on several lines
    return whole if isinstance(whole, list) and whole and isinstance(whole[0], dict) else None


def _parquet(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError:
        raise UsageError(
            f"{path} is a parquet file, which needs pyarrow: {extra('parquet')}; or write the problems as JSON lines."
        ) from None
    try:
        rows = parquet.read_table(path, use_threads=False).to_pylist()
    except (OSError, ArrowInvalid) as error:
        raise UsageError(f"{path} cannot be read as parquet ({str(error).splitlines()[0]}): check the file.") from error
    for number, row in enumerate(rows, 1):
        yield f"{path}, row {number}", row


# Rows


def _problem(row: Any, name: str) -> tuple[Problem, str]:
    """A row as a problem, and how its fields were understood, if that needs saying. Raises _Unusable."""
    if not isinstance(row, dict):
        raise _Unusable('not a problem: {"id": …, "problem": …, "answer": …} is wanted')
    if row.get("truncated_cells"):
        raise _Unusable("the Hub cut its text: download the set instead")
    row = next((row[inner] for mark, inner in _INSIDE.items() if mark in row and isinstance(row.get(inner), dict)), row)
    fields = {_named(key): value for key, value in row.items() if isinstance(key, str)}
    id = next((fields[key] for key in _IDS if fields.get(key) not in (None, "")), None)
    name = name if id is None else str(id)
    reader: Callable[[str, dict[str, Any]], tuple[Problem, str]] = _plain
    if "reward_model" in fields:
        reader = _rewarded
    elif "instruction_id_list" in fields:
        reader = _instructed
    elif any(key in fields for key in _CODE_TESTS):
        reader = _code
    problem, layout = reader(name, fields)
    program = problem.program
    try:
        "".join([problem.id, problem.problem, problem.answer, *(vars(program).values() if program else ())]).encode()
    except UnicodeEncodeError:
        raise _Unusable("it has half a surrogate pair, which is no character") from None
    return problem, layout


def _named(key: str) -> str:
    """The name of a field as it is looked for: `Correct Answer` is `correct_answer`."""
    return key.strip().casefold().replace(" ", "_")


def _plain(name: str, fields: dict[str, Any]) -> tuple[Problem, str]:
    """A question and its answer under the names that are common."""
    asked, given = _first(fields, _PROBLEMS), _first(fields, _ANSWERS)
    if asked is None:
        raise _Unusable("it lacks 'problem'" + ("; `vibe eval grade` reads such pairs" if "gold" in fields else ""))
    if given is None:
        raise _Unusable("it lacks 'answer'")
    text, options = _asked(fields[asked]), _listed_options(fields)
    if asked == "input" and "code" in fields:
        raise _Unusable("its 'input' is that of a program")
    has_more = asked in ("question", "query", "input", "instruction")
    before = [name for name in _BEFORE if has_more and isinstance(fields.get(name), str)]
    before = [name for name in before if fields[name].strip() not in text]
    text = "\n\n".join([*(fields[name].strip() for name in before), text])
    if given == "ideal" and isinstance(fields[given], list) and len(fields[given]) > 1:
        raise _Unusable("it has several answers, each of which is right")
    answer = _answer(fields[given], worked=given in ("solution", "output", "response"))
    right = str(single(fields[given])).strip()
    dealt = _dealt(fields, right, text) if given == _RIGHT and not options else []
    options = dealt or options or (_SMALL_LETTERED.fullmatch(answer) and _options_of_fields(fields)) or []
    if options:
        letters = "ABCDEFGHIJ"[: len(options)]
        answer = letters[dealt.index(("", right))] if dealt else _chosen(fields[given], answer, options, fields)
        if dealt or not re.search(rf"(?:^|\n)\s*[(（]?A{_BEHIND}", text):
            text += "\n\n" + "\n".join(f"{letter}. {said}" for letter, (_, said) in zip(letters, options, strict=True))
    kind = _kind(fields, text, answer, has_options=bool(options))
    if kind == "choice":
        letter = _LETTERED.fullmatch(answer)
        if not letter:
            raise _Unusable("the answer of a choice is the letter of the right option, A to J")
        answer = letter[1]
    elif kind == "maths" and _has_options(fields, answer):
        raise _Unusable("its options are not understood")
    names = ", ".join(f"'{name}'" for name in (*before, asked))
    layout = "" if (asked, given) == ("problem", "answer") else f"read from {names} and '{given}'"
    return Problem(name, text, answer, kind), layout


def _rewarded(name: str, fields: dict[str, Any]) -> tuple[Problem, str]:
    """The layout in which sets such as AIME, HMMT and GPQA are commonly published:
    {"prompt": [{"role", "content"}], "reward_model": {"ground_truth"}}."""
    try:
        text, truth = _asked(fields["prompt"]), fields["reward_model"]["ground_truth"]
    except KeyError as error:
        raise _Unusable(f"it lacks {error}") from None
    except (TypeError, IndexError, _Unusable):
        raise _Unusable("prompt and reward_model are odd") from None
    text, answer = _INSTRUCTION.sub("", text).strip(), _answer(truth, worked=False)
    kind = fields.get("kind") or ("choice" if _LETTER.fullmatch(answer) else "maths")
    if kind not in get_args(Kind):
        raise _Unusable(_no_kind(kind))
    return Problem(name, text, answer, cast(Kind, kind)), ""


def _instructed(name: str, fields: dict[str, Any]) -> tuple[Problem, str]:
    """IFEval: {"key", "prompt", "instruction_id_list": [type], "kwargs": [{…}]}; in parquet, with None for the rest."""
    types, values = fields["instruction_id_list"], fields.get("kwargs")
    if not isinstance(types, list) or not types or not isinstance(values, list) or len(types) != len(values):
        raise _Unusable("instruction_id_list and kwargs are not lists of one length")
    if not all(isinstance(each, dict | None) for each in values) or not all(isinstance(each, str) for each in types):
        raise _Unusable("an instruction has no name, or its kwargs are no object")
    given = [{key: value for key, value in (each or {}).items() if value is not None} for each in values]
    try:
        found = tuple(Instruction(type, each) for type, each in zip(types, given, strict=True))
    except ValueError as error:
        raise _Unusable(str(error)) from None
    asked = fields.get("prompt")
    if not isinstance(asked, str) or not asked.strip() or "\0" in asked:
        raise _Unusable("the problem is not a text, or empty")
    key = fields.get("key")
    return Problem(
        name if key is None else str(key), asked, "", "instructions", None, found
    ), "with instructions to follow"


def _code(name: str, fields: dict[str, Any]) -> tuple[Problem, str]:
    """HumanEval (`prompt`, `test`, `entry_point`), MBPP (`text`, `tests`, `setup`), LeetCode (`problem`, `starter`)."""
    entry = str(fields.get("entry_point") or "")
    starter = str(fields.get("starter") or fields.get("starter_code") or "")
    setup = next((fields[key] for key in ("setup", "test_setup_code", "test_imports") if fields.get(key)), "")
    setup = "\n".join(map(str, setup)) if isinstance(setup, list) else str(setup)
    asked = _first(fields, _PROBLEMS)
    if asked is None:
        raise _Unusable("it lacks 'problem'")
    text = _asked(fields[asked])
    prompt = fields.get("prompt")
    if asked == "prompt" and entry:
        starter = starter or text
    elif isinstance(prompt, str) and entry:
        setup = setup or prompt  # the imports that every solution may count on
    tests, listed = fields[_first(fields, _CODE_TESTS) or ""], fields.get("test_list")
    if not (starter or entry) and isinstance(tests, str) and isinstance(listed, list) and listed:
        example = str(listed[0]).strip()  # MBPP+: its own tests show no call
        text += f"\n\nFor example:\n\n{example}" if not re.search(r"^assert ", tests, re.MULTILINE) else ""
    made = Problem(name, text, "", "code", GradingProgram("", setup, starter, entry))
    try:
        testing.check_setup(setup)
        test = _tests(tests, made)
    except testing.Unusable as fault:
        raise _Unusable(str(fault)) from None
    return replace(made, program=GradingProgram(test, setup, starter, entry)), "whose solutions in Python have tests"


def _tests(given: Any, problem: Problem) -> str:
    """The tests of a code problem as `Programs.tests` runs them. Raises _Unusable and testing.Unusable."""
    task = code.of(problem.asked, "code")
    if pairs := testing.pairs(given):
        return testing.of_a_function(pairs, task) if testing.are_of_a_function(pairs) else testing.of_a_program(pairs)
    test = "\n".join(map(str, given)) if isinstance(given, list) else given
    if not isinstance(test, str) or not test.strip():
        raise _Unusable("it has no tests")
    assert problem.program
    named = task.called if task and task.entry and task.form != "program" else ""
    any_order = task is not None and task.any_order
    return testing.called(test, problem.program.entry_point or named, any_order=any_order)


def _first(fields: dict[str, Any], names: Sequence[str]) -> str | None:
    """The first of some names that a row has, with something in it."""
    known = [name for name in names if name in fields]
    return next((name for name in known if fields[name] not in (None, "", [])), known[0] if known else None)


def single(value: Any) -> Any:
    """What lists of one hold; any other value as it is."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def _asked(value: Any) -> str:
    """The text of a problem, also as a conversation. Raises _Unusable."""
    value = single(value)
    if isinstance(value, dict) and "role" in value:
        value = [value]
    if isinstance(value, list):
        messages = [each for each in value if isinstance(each, dict) and each.get("role") == "user"]
        value = messages[-1].get("content") if messages else None
    if isinstance(value, dict):
        value = value.get("stem", value.get("text"))
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise _Unusable("the problem is not a text, or empty")
    return value.replace("\r\n", "\n").strip()


def _answer(value: Any, *, worked: bool) -> str:
    """The text of an answer, also at the end of a worked solution. Raises _Unusable."""
    if isinstance(value, list) and value and all(isinstance(each, str | int | float) for each in value):
        value = value[0] if len(value) == 1 else ", ".join(map(str, value))
    if type(value) is int or (isinstance(value, float) and math.isfinite(value)):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise _Unusable("the answer is neither a text nor a number, or empty")
    if final := _FINAL.search(value):
        return final[1]
    if boxed := answers.boxed(value):
        return boxed
    if worked and len(value) > 200:
        raise _Unusable(r"its solution ends neither in #### nor in a \boxed{…}")
    return value.strip()


def _listed_options(fields: dict[str, Any]) -> list[tuple[str, str]]:
    """The options of a choice, each with the label that the file gives it, which may be empty."""
    name = _first(fields, _OPTIONS)
    options = fields[name] if name else fields["question"].get("choices") if _is_stem(fields) else None
    labels: Any = None
    if isinstance(options, str):
        options, labels = _split_options(options), None
    if isinstance(options, dict):
        labels, options = options.get("label", list(options)), options.get("text", list(options.values()))
    if not isinstance(options, list) or not 2 <= len(options) <= 10:
        return []
    if all(isinstance(single(option), dict) for option in options):
        found = [single(option) for option in options]
        labels = [each.get("label", each.get("aoVal")) for each in found]
        options = [each.get("text", each.get("content")) for each in found]
    if not isinstance(labels, list) or len(labels) != len(options):
        labels = [""] * len(options)
    texts = (_LABEL.sub("", str(option)).strip() for option in options)
    return [("" if label is None else str(label).strip(), said) for label, said in zip(labels, texts, strict=True)]


def _options_of_fields(fields: dict[str, Any]) -> list[tuple[str, str]]:
    """Options that have a field each, such as `A`, `B`, `C` and `D`, with their letters."""
    for prefix in _OPTION_FIELDS:
        found = [(letter, fields.get(prefix + letter.casefold())) for letter in "ABCDEFGHIJ"]
        given = list(itertools.takewhile(lambda each: each[1] not in (None, ""), found))
        if len(given) > 1:
            return [(letter, str(said).strip()) for letter, said in given]
    return []


def _dealt(fields: dict[str, Any], right: str, text: str) -> list[tuple[str, str]]:
    """The right option and wrong ones that have fields of their own, in an order that the problem decides; empty where
    there are none. Raises _Unusable."""
    found = {key: fields[key] for key in sorted(fields) if _WRONG.fullmatch(key) and fields[key] not in (None, "", [])}
    wrong = [str(each).strip() for value in found.values() for each in (value if isinstance(value, list) else [value])]
    options = [right, *wrong]
    if not wrong:
        return []
    in_one_text = any(key.endswith("s") and isinstance(value, str) for key, value in found.items())
    if in_one_text or len(set(options)) < len(options) or len(options) > 10:
        raise _Unusable("its options are not understood")
    drawn = sorted(options, key=lambda said: hashlib.sha256(f"{text}\0{said}".encode()).digest())
    return [("", said) for said in drawn]


def _has_options(fields: dict[str, Any], answer: str) -> bool:
    """Whether a row that was not read as a choice is one: its options are a list, or its answer is a letter."""
    name = _first(fields, _OPTIONS)
    given = fields[name] if name else None
    listed = isinstance(given, list | dict) and len(given) > 1
    listed |= isinstance(given, str) and given.startswith("[") and given.strip("[] \n") != ""  # a list in a table
    return name is not None and (listed or bool(_SMALL_LETTERED.fullmatch(answer)))


def _split_options(text: str) -> list[str]:
    """Options that follow each other in one text, from `a )` or `A.` on."""
    marks: list[re.Match[str]] = []
    for mark in _MARK.finditer(text):
        if mark[1].upper() == chr(ord("A") + len(marks)) and (marks or not text[: mark.start()].strip()):
            marks.append(mark)
    begins, ends = [mark.end() for mark in marks], [*(mark.start() for mark in marks[1:]), len(text)]
    return [text[begin:end].strip(" ,;，；\n") for begin, end in zip(begins, ends, strict=False)]


def _is_stem(fields: dict[str, Any]) -> bool:
    return isinstance(fields.get("question"), dict)


def _chosen(value: Any, answer: str, options: list[tuple[str, str]], fields: dict[str, Any]) -> str:
    """The letter of the right option, which a file gives by its label, its letter, its number from 0, or its text.

    A number beside options that are texts, and digits perhaps, is a place, and no text.
    """
    value = single(value)
    said_as_numbers = any(isinstance(fields.get(name), list) and value in fields[name] for name in _OPTIONS)
    letters = "ABCDEFGHIJ"[: len(options)]
    labels, texts = [label for label, _ in options], [" ".join(said.split()).casefold() for _, said in options]
    if answer and labels.count(answer) == 1:
        return letters[labels.index(answer)]
    if (letter := _LETTERED.fullmatch(answer)) and letter[1] in letters:
        return letter[1]
    if type(value) is int and 0 <= value < len(options) and not said_as_numbers:
        return letters[value]
    said = " ".join(_LABEL.sub("", answer).split()).casefold()
    if texts.count(said) == 1:
        return letters[texts.index(said)]
    if (letter := _SMALL_LETTERED.fullmatch(answer)) and letter[1].upper() in letters:
        return letter[1].upper()
    if answer.isdigit() and int(answer) < len(options):
        return letters[int(answer)]
    raise _Unusable("the answer is none of the options")


def _kind(fields: dict[str, Any], text: str, answer: str, *, has_options: bool) -> Kind:
    kind = fields.get("kind") or None
    if kind is not None and kind not in get_args(Kind):
        raise _Unusable(_no_kind(kind))
    if kind == "code":
        raise _Unusable("code needs tests: 'test' or 'tests'")
    if kind is None:
        letters = {found[1] for found in _OPTION.finditer(text)}
        lettered = bool(_LETTERED.fullmatch(answer)) and {"A", "B"} <= letters
        kind = "choice" if has_options or lettered else "maths"
    return cast(Kind, kind)


def _no_kind(kind: object) -> str:
    return f"there is no kind {kind!r}: give one of {', '.join(get_args(Kind))}"
