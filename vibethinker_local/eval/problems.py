"""Problems with known answers, read from a file, and whether an answer is the right one.

Two layouts: JSON lines {"id", "problem", "answer", "kind"?}, and the one in which sets such as AIME, HMMT and GPQA are
commonly published, as parquet or JSON lines: {"prompt": [{"role", "content"}], "reward_model": {"ground_truth"}}.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from vibethinker_local.errors import UsageError
from vibethinker_local.reliability import equivalence
from vibethinker_local.runtime import prompts

Kind = Literal["maths", "choice"]
MANY = 5  # choices: with so many the right letters should differ

# The last sentence of a published prompt, which says how to write the answer: we say it in our own words.
_INSTRUCTION = re.compile(
    r"\s*\b(?:Let's|Please|Think|Put|Give|Return|Output|Remember|Present|Write)\b[^.?!\n]*\\boxed\{\s*\}[^\n]*\Z"
)
_LETTER = re.compile(r"[A-J]")
_CHOSEN = re.compile(r"^\W*(?:(?:option|choice|answer)\b\W*)?([A-J])(?![A-Za-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Problem:
    id: str
    problem: str
    answer: str
    kind: Kind = "maths"

    @property
    def asked(self) -> str:
        """What the model is given."""
        return prompts.CHOICE.format(problem=self.problem) if self.kind == "choice" else self.problem

    @property
    def digest(self) -> str:
        """Tells problems apart, whatever they are called."""
        return hashlib.sha256(" ".join(self.problem.split()).encode()).hexdigest()[:16]

    def right(self, answer: str, symbolic: equivalence.Symbolic) -> bool:
        """Whether an answer is the right one; of several options, by its letter."""
        if self.kind == "choice" and (chosen := _CHOSEN.match(equivalence.normal(answer))):
            return chosen[1].upper() == self.answer
        return equivalence.same(self.answer, answer, symbolic)


def read(path: Path) -> list[Problem]:
    """The problems of a file. Raises UsageError naming file, line and what is wrong."""
    rows = _parquet(path) if path.suffix == ".parquet" else _json_lines(path)
    found: dict[str, Problem] = {}
    for where, row in rows:
        problem = _problem(row, f"{path.stem}-{len(found)}", where)
        if problem.id in found:
            raise UsageError(f"{where}: there are two problems with the id {problem.id!r}. Give each its own.")
        found[problem.id] = problem
    if not found:
        raise UsageError(f"{path} holds no problem.")
    return list(found.values())


def notices(found: Sequence[Problem]) -> list[str]:
    """What a reader of the figures should know of the problems."""
    letters = {problem.answer for problem in found if problem.kind == "choice"}
    count = sum(problem.kind == "choice" for problem in found)
    if count < MANY or len(letters) > 1:
        return []
    return [
        f"The right option is {letters.pop()} in all {count} problems: a model that likes this letter looks better "
        "than it is. Shuffle the options."
    ]


def of(told: dict[str, Any]) -> Problem:
    """A problem as this program wrote it. Raises ValueError, KeyError or TypeError."""
    problem = Problem(told["id"], told["problem"], told["answer"], told["kind"])
    if not all(isinstance(value, str) for value in told.values()) or problem.kind not in get_args(Kind):
        raise ValueError("no problem")
    return problem


def _json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    if path.is_char_device():
        raise UsageError(f"{path} is a device, which may never end: give a file of JSON lines.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text: give JSON lines, or a .parquet file.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}): check the path.") from error
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = f"{path}, line {number}"
            try:
                yield where, json.loads(line)
            except (ValueError, RecursionError):
                raise UsageError(f"{where}: this is not JSON. Each line is one problem.") from None


def _parquet(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError:
        raise UsageError(
            f"{path} is a parquet file, which needs pyarrow: `pip install 'vibethinker-local[parquet]'`, "
            "or write the problems as JSON lines."
        ) from None
    try:
        rows = parquet.read_table(path, use_threads=False).to_pylist()
    except (OSError, ArrowInvalid) as error:
        raise UsageError(f"{path} cannot be read as parquet ({str(error).splitlines()[0]}): check the file.") from error
    for number, row in enumerate(rows, 1):
        yield f"{path}, row {number}", row


def _problem(row: Any, name: str, where: str) -> Problem:
    """Raises UsageError."""

    def wrong(what: str) -> UsageError:
        return UsageError(f"{where}: {what}.")

    if not isinstance(row, dict):
        raise wrong('not a problem: {"id": …, "problem": …, "answer": …} is wanted')
    published = "reward_model" in row
    read: Callable[[Any], tuple[Any, Any]] = _published if published else lambda row: (row["problem"], row["answer"])
    try:
        text, answer = read(row)
    except (KeyError, TypeError, IndexError) as error:
        raise wrong(f"it lacks {error}" if isinstance(error, KeyError) else "prompt and reward_model are odd") from None
    if type(answer) is int or (isinstance(answer, float) and math.isfinite(answer)):
        answer = str(answer)
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise wrong("the problem is not a text, or empty")
    if not isinstance(answer, str) or not answer.strip():
        raise wrong("the answer is neither a text nor a number, or empty")
    text, answer = text.strip(), answer.strip()
    kind = row.get("kind") or ("choice" if published and _LETTER.fullmatch(answer) else "maths")
    if kind not in get_args(Kind):
        raise wrong(f"there is no kind {kind!r}: give one of {', '.join(get_args(Kind))}")
    if kind == "choice" and not _LETTER.fullmatch(answer):
        raise wrong("the answer of a choice is the letter of the right option, A to J")
    id = row.get("id")
    problem = Problem(name if id is None else str(id), text, answer, cast(Kind, kind))
    try:
        (problem.id + problem.problem + problem.answer).encode()
    except UnicodeEncodeError:
        raise wrong("it has half a surrogate pair, which is no character") from None
    return problem


def _published(row: dict[str, Any]) -> tuple[Any, Any]:
    """Problem and answer of a row in the layout of published sets."""
    prompt, answer = row["prompt"], row["reward_model"]["ground_truth"]
    if not isinstance(prompt, str):
        prompt = [message["content"] for message in prompt if message["role"] == "user"][-1]
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]
    return _INSTRUCTION.sub("", prompt) if isinstance(prompt, str) else prompt, answer
