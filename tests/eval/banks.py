"""Banks with a known truth, written or drawn."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from vibethinker_local.eval.bank import SCHEMA, BankHeader, Entry
from vibethinker_local.eval.problems import Problem
from vibethinker_local.eval.table import SIGNALS, Floats, Ints, Table
from vibethinker_local.reliability.claims import CheckedClaim

HEADER = BankHeader("scripted", "scripted.gguf", "F32", "ab" * 32, 1, 0, 3, False, 1.0, 0.95, 0, 400, 1000, "f16")


def entry(problem: str, index: int, answer: str | None, ps: Sequence[float | None] = (), **other: object) -> Entry:
    """A trajectory of 10 tokens whose claims have these probabilities; None: refuted by arithmetic."""
    claims = tuple(
        CheckedClaim(f"claim {n}", 0.9 if p is None else p, False if p is None else None) for n, p in enumerate(ps)
    )
    made = Entry(problem, index, index, 10, "stop", answer, f"\\boxed{{{answer}}}", "so", -0.5, claims, 20, 0, 30)
    return replace(made, **other)  # type: ignore[arg-type]


def write(path: Path, problems: Sequence[Problem], entries: Sequence[Entry], header: BankHeader = HEADER) -> Path:
    rows = [{"bank": SCHEMA} | asdict(header), *map(asdict, problems), *map(asdict, entries)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def drawn(
    n: int, samples: int, rng: np.random.Generator, *, refuted_right: float = 0.2, refuted_wrong: float = 0.2
) -> Table:
    """Problems of all difficulties with three wrong answers each; M = 5, claims are refuted with these chances."""
    right = rng.random((n, samples)) < rng.beta(1.5, 1.5, n)[:, None]
    answers = np.where(right, 0, rng.integers(1, 4, (n, samples)))
    refuted = rng.binomial(5, np.where(right, refuted_right, refuted_wrong))
    return table(answers, refuted, rng.integers(50, 150, (n, samples)))


def table(answers: Ints, refuted: Ints, tokens: Ints, claims: int = 5) -> Table:
    """Answer 0 is the right one, -1 none; shapes (n, K)."""
    n, samples = answers.shape
    cluster = np.full_like(answers, -1)
    right = np.zeros((n, max(1, int(answers.max()) + 1)), np.bool_)
    for row in range(n):
        numbers: dict[int, int] = {}
        for at, answer in enumerate(answers[row].tolist()):
            if answer >= 0:
                cluster[row, at] = numbers.setdefault(answer, len(numbers))
        if 0 in numbers:
            right[row, numbers[0]] = True
    p: Floats = 1 - refuted / max(1, claims)
    names = tuple(map(str, range(n)))
    full = np.ones((n, samples), np.int64)
    by = {"model": refuted, "arithmetic": 0 * refuted, "either": refuted}
    asked = claims * full
    return Table(
        names, names, cluster, right, tokens, claims, asked, by, p, full > 0, 40 * full, 5 * full, 99 * full, Counter()
    )


def sure(table: Table, rng: np.random.Generator, knows: float = 1.0) -> Table:
    """With signals that are higher by so many standard deviations where the trajectory is right."""
    shape = table.cluster.shape
    found = {name: 10 + knows * table.each_right + rng.normal(0, 1, shape) for name in SIGNALS}
    return replace(table, signals=found)


def with_refuted(table: Table, refuted: dict[str, Ints]) -> Table:
    return replace(table, refuted=refuted)
