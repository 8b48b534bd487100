"""Grades answers, or whole outputs, of any program against known ones: a file of pairs in, a verdict on each out."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vibethinker_local.errors import UsageError
from vibethinker_local.eval.layouts import rows, single
from vibethinker_local.reliability import answers, equivalence
from vibethinker_local.system.units import counted

_GOLDS = ("gold", "gt", "target", "ground_truth", "reference", "expected", "expected_answer", "ideal")
_ANSWERS = ("prediction", "pred", "predicted_answer", "extracted_answer", "model_answer", "answer")
_OUTPUTS = ("output", "completion", "response", "generation", "generated_text", "resps")
_ANSWER_WITHIN = re.compile(r"\\boxed|\banswer\b", re.IGNORECASE)
NO_ANSWER = "no answer"
MISMATCHES = 20  # of pairs that differ are shown
NEARLY_ALL = 0.95  # of the pairs


@dataclass(frozen=True)
class Pair:
    where: str  # in the file: line 3
    gold: str
    answer: str | None  # None: the output has none
    wanted: bool | None = None  # the verdict that the file says is right
    lenient: bool = False  # whether it says so of `matches` only
    kind: str = ""
    assumed: bool = False  # whether nothing says that the known answer is one


@dataclass(frozen=True)
class Grade:
    pair: Pair
    same: bool
    matches: bool
    method: str
    seconds: float

    def as_data(self) -> dict[str, Any]:
        return {"same": self.same, "matches": self.matches, "method": self.method}

    @property
    def as_wanted(self) -> bool:
        """Whether the verdict is the one that the file wants, if it wants one."""
        given = self.matches if self.pair.lenient and self.pair.wanted else self.same
        return self.pair.wanted is None or given == self.pair.wanted


def read(path: Path) -> list[Pair]:
    """The pairs of a file. Raises UsageError naming the line that is none."""
    pairs = [_pair(where, row) for where, row in rows(path)]
    if not pairs:
        raise UsageError(
            f'{path} holds no pair: each line is {{"gold": …, "answer": …}} or {{"gold": …, "output": …}}.'
        )
    return pairs


def grades(pairs: Sequence[Pair], prover: equivalence.Prover) -> Iterator[Grade]:
    """A grade for each pair, in their order."""
    for pair in pairs:
        began = time.perf_counter()
        if pair.answer is None:
            yield Grade(pair, False, False, NO_ANSWER, time.perf_counter() - began)
            continue
        strict = equivalence.compare(pair.answer, pair.gold, prover)
        verdict = strict if strict.same else equivalence.match(pair.answer, pair.gold, prover)
        yield Grade(pair, strict.same, verdict.same, verdict.method, time.perf_counter() - began)


def summary(graded: Sequence[Grade]) -> list[str]:
    """What came out, in lines; with the agreement with the verdicts that the file wants, if it does."""
    same, matches = sum(grade.same for grade in graded), sum(grade.matches for grade in graded)
    missing = sum(grade.method == NO_ANSWER for grade in graded)
    lines = [
        f"{counted(len(graded), 'pair')}: {matches:,} match the gold answer ({matches / len(graded):.1%}), "
        f"{same:,} of them strictly; {len(graded) - matches:,} do not"
        + (f", {missing:,} of which have no answer" if missing else ""),
        "decided by " + ", ".join(f"{method} {n:,}" for method, n in _methods(graded).most_common()),
    ]
    if any(grade.pair.assumed for grade in graded):
        doubt = ", unless it is what was answered: then answers are compared with themselves"
        lines.append(f"'answer' is taken for the known one{doubt if matches >= NEARLY_ALL * len(graded) else ''}")
    seconds = sorted(grade.seconds for grade in graded)
    lines.append(
        f"seconds for a pair: median {seconds[len(seconds) // 2]:.4f}, "
        f"99% within {seconds[int(0.99 * (len(seconds) - 1))]:.3f}, longest {seconds[-1]:.3f}"
    )
    if judged := [grade for grade in graded if grade.pair.wanted is not None]:
        lines += _agreement(judged)
    return lines


def mismatches(graded: Sequence[Grade]) -> list[str]:
    """The pairs worth a look: those against the verdict that the file wants, or else those that do not match."""
    judged = any(grade.pair.wanted is not None for grade in graded)
    shown = [grade for grade in graded if (not grade.as_wanted if judged else not grade.matches)]
    lines = [_shown(grade) for grade in shown[:MISMATCHES]]
    return lines + ([f"… and {len(shown) - MISMATCHES:,} more"] if len(shown) > MISMATCHES else [])


def _pair(where: str, row: Any) -> Pair:
    if not isinstance(row, dict):
        raise UsageError(f'{where}: not a pair. {{"gold": …, "answer": …}} or {{"gold": …, "output": …}} is wanted.')
    row = _unpacked(row)
    known = next((name for name in _GOLDS if name in row), None)
    if known is None and any(name in row for name in (*_ANSWERS[:-1], *_OUTPUTS)):
        known = "answer"  # of the problem, beside what a model made of it
    gold = single(row.get(known)) if known else None
    if (gold_text := _text(gold)) is None or not gold_text.strip():
        raise UsageError(f"{where}: it lacks 'gold', the known answer as a text or a number.")
    answer: str | None
    if name := next((name for name in _ANSWERS if name in row and name != known), None):
        value = row[name] if name == "answer" else single(row[name])
        answer = _text(value)
    elif name := next((name for name in _OUTPUTS if name in row), None):
        answer = answers.spoken(_text(value := single(row[name])) or "")
    else:
        raise UsageError(f"{where}: it lacks 'answer' and 'output'.")
    if answer is None and value is not None and not isinstance(value, str):
        raise UsageError(f"{where}: '{name}' is neither a text nor a number.")
    if "####" in gold_text:
        gold_text = answers.spoken(gold_text) or gold_text
    if answer and name != "answer" and _is_output(answer) and not _is_output(gold_text):
        answer = answers.spoken(answer)
    return Pair(
        where.rpartition(", ")[2],
        gold_text,
        answer if answer and answer.strip() else None,
        _truth(row.get("same")),
        _truth(row.get("lenient")) is True,
        str(row.get("kind") or ""),
        known == "answer",
    )


def _is_output(text: str) -> bool:
    """Whether a text is more than the answer in it."""
    return not equivalence.comparable(text) or _ANSWER_WITHIN.search(text) is not None


def _unpacked(row: dict[str, Any]) -> dict[str, Any]:
    """A pair of lighteval's details or of a log of inspect-ai under our names; any other row as it is."""
    asked, response, output = row.get("doc"), row.get("model_response"), row.get("output")
    if isinstance(asked, dict) and isinstance(response, dict):
        options, right = asked.get("choices"), single(asked.get("gold_index"))
        if isinstance(options, list) and type(right) is int and 0 <= right < len(options):
            return {"gold": options[right], "output": response.get("text")}
    return row | {"output": output.get("completion")} if isinstance(output, dict) else row


def _truth(value: Any) -> bool | None:
    """What a row says to be true or false; in a table it is a text."""
    return {"true": True, "false": False}.get(str(value).casefold())


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return json.dumps(value)


def _methods(graded: Sequence[Grade]) -> Counter[str]:
    return Counter(grade.method for grade in graded)


def _agreement(judged: Sequence[Grade]) -> list[str]:
    """Recall and false merges beside the verdicts of the file, and the kinds that disagree."""
    positive = [grade for grade in judged if grade.pair.wanted]
    negative = [grade for grade in judged if not grade.pair.wanted]
    lines = []
    if positive:
        found = sum(grade.as_wanted for grade in positive)
        lines.append(f"of {len(positive):,} that are the same, {found:,} are found ({found / len(positive):.1%})")
    if negative:
        merged = sum(not grade.as_wanted for grade in negative)
        lines.append(
            f"of {len(negative):,} that differ, {merged:,} are taken for the same ({merged / len(negative):.1%})"
        )
    wrong = Counter(grade.pair.kind for grade in judged if not grade.as_wanted and grade.pair.kind)
    total = Counter(grade.pair.kind for grade in judged)
    lines += [f"  {kind}: {n} of {total[kind]} otherwise than wanted" for kind, n in wrong.most_common()]
    return lines


def _shown(grade: Grade) -> str:
    pair = grade.pair
    answer = NO_ANSWER if pair.answer is None else _short(pair.answer)
    return f"{pair.where}: {_short(pair.gold)} | {answer} ({'same' if grade.same else grade.method})"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 70 else text[:69] + "…"
