"""Policies against the plain majority at equal cost: tuned on the problems whose ids sort first, tried on the others.

Those that have nothing to tune are tried on all of them, too.
Two costs: generated tokens, and time, in which tokens that are only read are charged at this machine's speed, too.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from vibethinker_local.eval import confidence, statistics
from vibethinker_local.eval.confidence import GRIDS, Setting
from vibethinker_local.eval.policies import (
    CHECKED,
    EXACT,
    EXACT_STOPPED,
    PAIRED,
    STOPPED,
    STOPPING,
    PolicyOutcome,
    most,
    replay,
)
from vibethinker_local.eval.statistics import Interval
from vibethinker_local.eval.table import Floats, Table
from vibethinker_local.reliability import vote
from vibethinker_local.reliability.stopping import LIKELY

LEAST = 4  # problems
_Descending = Callable[[], Iterable[PolicyOutcome]]  # a policy's outcomes, those with most trajectories first
SOONER = 0.85  # instead of LIKELY: of eight, two that agree end a vote
ALLOWED = 0.01  # of accuracy, that a stopping rule may lose on the half that it is tuned on


@dataclass(frozen=True)
class Speeds:
    """Tokens per second of this machine, with as many Sequences at once as a bank has."""

    read: float
    write: float


@dataclass(frozen=True)
class EqualCost:
    """A policy against the majority at the same cost, interpolated between two numbers of samples."""

    policy: PolicyOutcome  # with as many trajectories as the majority's budget pays for
    difference: Interval
    samples: float  # of the majority, that cost the same


@dataclass(frozen=True)
class TrialRow:
    """One policy on some of the problems. Differences are to the majority at equal cost."""

    name: str
    k: int
    setting: tuple[float, ...]  # chosen on the first half
    accuracy: Interval
    tokens: float  # generated, per problem
    read: float
    samples: float  # of the majority, that cost as many tokens
    at_equal_tokens: Interval
    at_equal_time: Interval | None  # None: nothing is known of this machine's speed
    tuned: Interval | None  # at equal tokens, on the half that it was tuned on; None: there was nothing to tune


@dataclass(frozen=True)
class EarlyStop:
    """What a stopping rule saves against always drawing K."""

    name: str
    problems: int
    setting: tuple[float, ...]
    saved: Interval  # share of the tokens
    difference: Interval  # of accuracy
    at_equal_tokens: Interval  # of accuracy, against as many votes as cost the same


@dataclass(frozen=True)
class Trials:
    tuned: int  # problems
    tried: int
    baseline: str
    speeds: Speeds | None
    rows: tuple[TrialRow, ...]  # on those that it is tried on
    untuned: tuple[TrialRow, ...]  # on all of them
    stopping: tuple[EarlyStop, ...]
    notes: tuple[str, ...]


def trials(table: Table, calibration: vote.Calibration | None = None, speeds: Speeds | None = None) -> Trials | None:
    """None for code problems, instructions, and too few problems."""
    if table.programs or table.instructions or len(table.ids) < LEAST or table.samples < 2:
        return None
    base, notes, baseline = table, [], "majority"
    if table.kinds:
        base, baseline = table.columns(table.kinds[0]), "majority of the reasoned"
    first, rest = base.halves()
    names = [STOPPED, *(name for name in CHECKED if base.claims and (name != "fitted" or calibration))]
    names += [EXACT_STOPPED, EXACT] if base.slipped else []
    names += [PAIRED] if base.pairs is not None else []
    settings = dict[str, Setting]()
    if base.signals:
        settings = tune(first)
        names += settings
    else:
        notes.append("The bank has no signals: policies that weigh by confidence are left out.")
    parts = [_Part(part, majorities(part)) for part in (base, first, rest)]
    replayed = {name: [part.descending(name, settings.get(name), calibration) for part in parts] for name in names}
    kinds = [_kinds(part) for part in (table, *table.halves())]
    replayed |= {name: [part[name] for part in kinds] for name in kinds[0]}
    rows, untuned = list[TrialRow](), list[TrialRow]()
    for name, each in replayed.items():
        setting = settings.get(name)
        whole, there, here = zip(parts, each, strict=True)
        rows.append(_row(name, setting, here, speeds, there))
        if setting is None:
            untuned.append(_row(name, None, whole, speeds))
    rules = (LIKELY, SOONER) if most(STOPPED, base.samples) == base.samples else ()
    stopping = [_stop(name, parts[0], (likely,)) for name in STOPPING[: 1 + base.slipped] for likely in rules]
    if "reasc" in settings:
        stopping.append(_stop("reasc", parts[-1], settings["reasc"]))
    tables = tuple(rows), tuple(untuned)
    return Trials(len(first.ids), len(rest.ids), baseline, speeds, *tables, tuple(stopping), tuple(notes))


def tune(table: Table) -> dict[str, Setting]:
    """For each policy the setting with which it does best here; the first, and mildest, among equals."""
    found = dict[str, Setting]()
    for name, grid in GRIDS.items():
        right = [float(replay(table, name, table.samples, setting=(each,)).right.mean()) for each in grid]
        found[name] = (grid[int(np.argmax(right))],)
    if weights := confidence.fitted(table):
        found["logistic"] = weights
    least = float(replay(table, "majority", table.samples).right.mean()) - ALLOWED
    stops = {each: replay(table, "reasc", table.samples, setting=(each,)) for each in confidence.thresholds(table)}
    good = {each: float(outcome.tokens.mean()) for each, outcome in stops.items() if outcome.right.mean() >= least}
    return found | {"reasc": (min(good, key=good.__getitem__, default=math.inf),)}


def majorities(table: Table, name: str = "majority") -> list[PolicyOutcome]:
    """The majority of 1, 2, 3 … trajectories."""
    return [replace(replay(table, "majority", k), name=name) for k in range(1, table.samples + 1)]


def at_equal_cost(
    curve: Sequence[PolicyOutcome], candidates: Iterable[PolicyOutcome], price: Callable[[PolicyOutcome], Floats]
) -> EqualCost:
    """The first of the candidates that costs no more than the last of `curve`, the majorities, beside them."""
    n = len(curve[0].right)
    accuracies = np.array([outcome.right for outcome in curve])
    costs = np.array([price(outcome) for outcome in curve])
    found = list[PolicyOutcome]()
    for each in candidates:
        found.append(each)
        if price(each).mean() <= costs[-1].mean() + 1e-9:
            break
    one = found[-1]

    def difference(counts: Floats) -> tuple[Floats, Floats]:
        """For each resample the policy's gain, and the samples that its cost pays for."""
        cost, accuracy = counts @ costs.T / n, counts @ accuracies.T / n
        spent, right = counts @ price(one) / n, counts @ one.right / n
        below = np.clip((cost <= spent[:, None]).sum(axis=1) - 1, 0, max(0, len(curve) - 2))
        rows, above = np.arange(len(counts)), np.minimum(below + 1, len(curve) - 1)
        width = np.maximum(cost[rows, above] - cost[rows, below], 1e-9)
        part = np.clip((spent - cost[rows, below]) / width, 0, 1)
        there = accuracy[rows, below] + part * (accuracy[rows, above] - accuracy[rows, below])
        return right - there, below + part + 1

    value, samples = difference(np.ones((1, n), np.float64))
    interval = statistics.estimate(float(value[0]), difference(statistics.resamples(n))[0])
    return EqualCost(one, interval, float(samples[0]))


def generated(outcome: PolicyOutcome) -> Floats:
    return outcome.tokens


@dataclass(frozen=True)
class _Part:
    """Some of the problems: a table, and the majorities to compare with."""

    table: Table
    curve: list[PolicyOutcome]

    def descending(self, name: str, setting: Setting | None, calibration: vote.Calibration | None) -> _Descending:
        counts = range(most(name, self.table.samples), 0, -1)
        return lambda: (replay(self.table, name, k, calibration, setting) for k in counts)


def _row(
    name: str,
    setting: Setting | None,
    tried: tuple[_Part, _Descending],
    speeds: Speeds | None,
    tuned: tuple[_Part, _Descending] | None = None,
) -> TrialRow:
    """A policy, as it does on a part of the problems with fewer and fewer trajectories."""

    def seconds(outcome: PolicyOutcome) -> Floats:
        assert speeds
        return outcome.tokens / speeds.write + outcome.read / speeds.read

    part, candidates = tried
    found = at_equal_cost(part.curve, candidates(), generated)
    return TrialRow(
        name,
        found.policy.k,
        setting or (),
        statistics.means(found.policy.right[None])[0],
        float(found.policy.tokens.mean()),
        float(found.policy.read.mean()),
        found.samples,
        found.difference,
        at_equal_cost(part.curve, candidates(), seconds).difference if speeds else None,
        at_equal_cost(tuned[0].curve, tuned[1](), generated).difference if tuned else None,
    )


def _kinds(table: Table) -> dict[str, _Descending]:
    """Programs alone, and beside reasoned solutions."""
    if not table.kinds:
        return {}
    chosen = {"computed": table.kinds[1], "mixed": np.arange(table.samples)}
    return {name: partial(reversed, majorities(table.columns(those), name)) for name, those in chosen.items()}


def _stop(name: str, part: _Part, setting: Setting) -> EarlyStop:
    found, all_drawn = replay(part.table, name, part.table.samples, setting=setting), part.curve[-1]
    return EarlyStop(
        name,
        len(part.table.ids),
        setting,
        statistics.ratio(all_drawn.tokens - found.tokens, all_drawn.tokens),
        statistics.means((found.right - all_drawn.right)[None])[0],
        at_equal_cost(part.curve, [found], generated).difference,
    )
