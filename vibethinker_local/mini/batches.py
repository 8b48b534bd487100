"""Draws mini's training examples, and makes batches of tensors from them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vibethinker_local.mini.examples import (
    BRANCHES,
    COUNTS,
    IGNORED,
    Case,
    ExampleRow,
    ExampleWriter,
    balanced,
    chosen,
    renamed,
)
from vibethinker_local.mini.problems import draw

LENGTHS = (96, 160, 224, 288, 352, 416, 480, 576, 704, 832)  # rows are padded to one of these: few shapes to compile
TOKENS_PER_STEP = 4096
POOL = 512  # examples drawn and sorted by length at a time


@dataclass(frozen=True)
class Mix:
    """What is drawn if there are cases to judge, in shares of a pool; the rest is worked solutions alone."""

    own: float  # claims of mini's own solutions
    thinking: float  # verdicts after reasoning
    at_once: float  # verdicts at once
    worked: float  # worked solutions with their claims
    label_weight: float  # of a batch of verdicts at once, which has a few dozen targets little better than coin tosses


EARLY, LATE = Mix(0.08, 0.12, 0.36, 0.24, 0.3), Mix(0.10, 0.14, 0.18, 0.38, 0.12)
SOLVING_AGAIN = 0.67  # share of the plan after which the mix is LATE: with many verdicts, it had got worse at solving


@dataclass(frozen=True)
class TrainingBatch:
    tokens: Tensor  # (batch, length) int64
    targets: Tensor  # the same, IGNORED where no loss counts
    positions: Tensor | None  # the same; None if no row has branches
    branches: Tensor | None
    name: str = "loss"  # "labels" for a batch that consists of verdicts at once
    weight: float = 1.0  # of its loss


def batched(rows: list[ExampleRow], end: int) -> Iterator[TrainingBatch]:
    """Batches of rows of like length, each about TOKENS_PER_STEP tokens; a row that is too long is left out."""
    below = 0
    for length in LENGTHS:
        fitting = [row for row in rows if below < len(row.tokens) <= length]
        below, size = length, TOKENS_PER_STEP // length
        for start in range(0, len(fitting), size):
            part = fitting[start : start + size]
            tokens = torch.full((size, length), end)
            targets = torch.full((size, length), IGNORED)
            positions, branches = torch.zeros((2, size, length), dtype=torch.long)
            for i, row in enumerate(part):
                tokens[i, : len(row.tokens)] = torch.tensor(row.tokens)
                targets[i, : len(row.tokens)] = torch.tensor(row.targets)
                positions[i, : len(row.tokens)] = torch.tensor(row.positions)
                branches[i, : len(row.tokens)] = torch.tensor(row.branches)
            branched = any(row.branches[-1] for row in part)
            yield TrainingBatch(tokens, targets, positions if branched else None, branches if branched else None)


def pool(
    writer: ExampleWriter, cases: list[Case], mix: Mix, rng: random.Random, operations: int, made_up: float
) -> list[TrainingBatch]:
    """Batches of newly drawn examples in random order, with problems of up to `operations` operations.

    Without cases there are worked solutions without claims only.
    """
    rows, labels = list[ExampleRow](), list[ExampleRow]()
    kinds = ("own", "thinking", "at once", "worked", "solved")
    shares = (mix.own, mix.thinking, mix.at_once, mix.worked)
    for kind in rng.choices(kinds, (*shares, 1 - sum(shares)), k=POOL) if cases else ["solved"] * POOL:
        if kind in ("worked", "solved"):
            problem = draw(rng, split="train", high=operations, made_up=made_up)
            rows.append(writer.solve(problem, rng.choice(COUNTS) if kind == "worked" else None))
            continue
        case, count = renamed(chosen(cases, rng), rng), rng.choice(COUNTS)
        if kind == "at once":
            labels.append(writer.at_once(case.problem, balanced(case, rng, BRANCHES)))
        elif kind == "thinking":
            rows.append(writer.thinking(case.problem, balanced(case, rng, count)))
        elif len((own := rng.choice(case.solutions)).claims) >= count:
            rows.append(writer.claims(case.problem, own, count))
    batches = [*batched(rows, writer.end)]
    batches += [replace(batch, name="labels", weight=mix.label_weight) for batch in batched(labels, writer.end)]
    rng.shuffle(batches)
    return batches
