"""The report on a bank: policies side by side, what they gain and cost, and whether CLR is worth it.

Pure: the same table gives the same report. Every interval is a 95% bootstrap interval over problems.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from vibethinker_local.eval import diagnosis, statistics
from vibethinker_local.eval.diagnosis import Headroom, Slips, Verifier, VoteShare
from vibethinker_local.eval.policies import CONSTRAINED, EXACT, EXACT_STOPPED, PAIRED, RUN, PolicyOutcome, most, replay
from vibethinker_local.eval.statistics import Interval
from vibethinker_local.eval.table import InstructionTable, Ints, Table
from vibethinker_local.eval.trials import Speeds, Trials, at_equal_cost, generated, majorities, trials
from vibethinker_local.reliability import vote

PLAIN = ("majority", "adaptive")
WEIGHTED = ("clr", "linear", "mechanical", "model", "permuted")


@dataclass(frozen=True)
class PolicyRow:
    """A policy with k trajectories. Rescues and harms are numbers of problems, against the majority of the same k."""

    name: str
    k: int
    tokens_per_problem: float
    read_per_problem: float
    accuracy: float
    low: float
    high: float
    rescues: float
    harms: float


@dataclass(frozen=True)
class Contrast:
    """The difference of two accuracies on the same problems."""

    name: str
    difference: float
    low: float
    high: float
    p: float  # McNemar, exact, of the first replay of each
    note: str = ""

    @property
    def gains(self) -> bool:
        return self.low > 0


@dataclass(frozen=True)
class PolicyVerdict:
    """The outcome of the rules that were fixed before anything was measured."""

    holds: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class PolicyReport:
    problems: int
    samples: int
    policies: tuple[PolicyRow, ...]
    contrasts: tuple[Contrast, ...]
    headroom: Headroom
    votes: VoteShare
    unanswered: float  # share of trajectories
    forced: float  # share of trajectories with a forced ending, loops included
    verifier: Verifier | None = None  # None: the bank has no claims
    verdict: PolicyVerdict | None = None
    following: "Following | None" = None  # of prompts with instructions
    slips: Slips | None = None  # None: no solution has an equation that does not hold, or nobody looked
    signals: dict[str, Interval] = field(default_factory=dict)  # AUROC of each, within a problem
    trials: Trials | None = None  # None: code, instructions, or too few problems


@dataclass(frozen=True)
class Following:
    """Shares of all replies, as IFEval gives them: prompts whose instructions are all followed, and instructions."""

    prompts_strict: float
    prompts_loose: float
    instructions_strict: float
    instructions_loose: float


def following(found: InstructionTable) -> Following:
    """What the replies of a table come to."""
    count, replies = found.count[:, None], found.strict.size

    def shares(held: Ints) -> tuple[float, float]:
        return float((held == count).mean()), float(held.sum() / (found.count.sum() * replies / len(found.count)))

    (prompts, each), (prompts_loose, each_loose) = shares(found.strict), shares(found.loose)
    return Following(prompts, prompts_loose, each, each_loose)


def make(table: Table, calibration: vote.Calibration | None = None, speeds: Speeds | None = None) -> PolicyReport:
    """Make the report. With a calibration for this K, `fitted` is among the policies; with speeds, there is time."""
    samples = table.samples
    plain = table.programs is None and table.instructions is None
    claims = table.claims if plain else 0  # programs are run and instructions checked: none are asked for
    own = RUN if table.programs else (CONSTRAINED,) if table.instructions else WEIGHTED if claims else ()
    exact = (EXACT_STOPPED, EXACT) if table.slipped else ()
    paired = (PAIRED,) if table.pairs is not None else ()
    names = (*PLAIN, *exact, *own, *paired, "oracle")
    outcomes = [replay(table, name, k) for name in names for k in steps(samples) if k <= most(name, samples)]
    outcomes.insert(0, replay(table, "single", 1))
    outcomes += _kinds(table)
    if calibration and claims:
        outcomes.append(replay(table, "fitted", samples, calibration))
    full = {outcome.name: outcome for outcome in outcomes if outcome.k == samples}
    contrasts = [*_contrasts(full)]
    verdict = None
    if claims:
        contrasts.insert(1, _at_equal_tokens(table))
        if table.contested.any():  # else there was nothing to turn
            verdict = judge(contrasts, full["clr"])
    return PolicyReport(
        problems=len(table.ids),
        samples=samples,
        policies=tuple(_rows(outcomes)),
        contrasts=tuple(contrasts),
        headroom=diagnosis.headroom(table),
        votes=diagnosis.votes(table),
        unanswered=float(1 - table.answered.mean()),
        forced=sum(table.finish[kind] for kind in ("forced", "loop")) / max(1, table.finish.total()),
        verifier=diagnosis.verifier(table) if claims else None,
        verdict=verdict,
        following=following(table.instructions) if table.instructions else None,
        slips=diagnosis.slips(table),
        signals=diagnosis.signals(table),
        trials=trials(table, calibration, speeds),
    )


def _kinds(table: Table) -> list[PolicyOutcome]:
    """The majority of the reasoned solutions alone, and of the programs alone, where there are both."""
    found = []
    for name, chosen in zip(("reasoned", "computed"), table.kinds or (), strict=False):
        part = table.columns(chosen)
        found.append(replace(replay(part, "majority", part.samples), name=name))
    return found


def compare(tables: tuple[Table, Table]) -> list[Contrast]:
    """The second model's policies against the first's, on the problems that both have. K must be equal."""
    samples = tables[0].samples
    names = [("single", 1), ("majority", samples), ("adaptive", samples)]
    names += [("clr", samples)] if all(table.claims for table in tables) else []
    return [
        contrast(f"{name}@{k}", replay(tables[1], name, k), replay(tables[0], name, k))
        for name, k in [*names, ("oracle", samples)]
        if k <= most(name, samples)
    ]


def steps(samples: int) -> list[int]:
    """1, 2, 4 … and K."""
    return sorted({2**i for i in range(samples.bit_length()) if 2**i <= samples} | {samples})


def contrast(name: str, one: PolicyOutcome, other: PolicyOutcome, note: str = "") -> Contrast:
    found = statistics.means((one.right - other.right)[None])[0]
    return Contrast(name, found.value, found.low, found.high, statistics.mcnemar(one.first, other.first), note)


def judge(contrasts: Sequence[Contrast], clr: PolicyOutcome) -> PolicyVerdict:
    """CLR is falsified for a model, and majority is its better default, if any of these holds."""
    found = {contrast.name: contrast for contrast in contrasts}
    reasons = []
    tokens, control = found["clr - majority at equal tokens"], found["clr - permuted"]
    if not tokens.gains:
        worse = "below" if tokens.high < 0 else "not clearly above"
        reasons.append(f"at equal tokens it is {worse} the majority ({signed(tokens)})")
    if not control.gains:
        reasons.append(f"weights dealt out at random do as well ({signed(control)})")
    rescues, harms = float(clr.rescues.sum()), float(clr.harms.sum())
    if harms >= rescues:
        reasons.append(f"it harms as many problems as it rescues, or more ({harms:g} against {rescues:g})")
    if found["mechanical - majority"].gains and not found["model - majority"].gains:
        reasons.append("only the mechanical check gains, not the model's own verdicts")
    return PolicyVerdict(not reasons, tuple(reasons))


def signed(contrast: Contrast) -> str:
    """For example: +1.2 points, 95% interval -0.3 to +2.7."""
    value, low, high = (100 * each for each in (contrast.difference, contrast.low, contrast.high))
    return f"{value:+.1f} points, 95% interval {low:+.1f} to {high:+.1f}"


def _rows(outcomes: Sequence[PolicyOutcome]) -> list[PolicyRow]:
    accuracies = statistics.means(np.array([outcome.right for outcome in outcomes]))
    return [
        PolicyRow(
            each.name,
            each.k,
            float(each.tokens.mean()),
            float(each.read.mean()),
            found.value,
            found.low,
            found.high,
            float(each.rescues.sum()),
            float(each.harms.sum()),
        )
        for each, found in zip(outcomes, accuracies, strict=True)
    ]


def _contrasts(full: dict[str, PolicyOutcome]) -> list[Contrast]:
    pairs = [
        ("clr", "majority"),
        ("clr", "permuted"),
        ("clr", "linear"),
        ("linear", "majority"),
        ("mechanical", "majority"),
        ("model", "majority"),
        ("permuted", "majority"),
        ("fitted", "majority"),
        ("arithmetic", "majority"),
        ("pairwise", "majority"),
        ("adaptive", "majority"),
        ("adaptive-arithmetic", "majority"),
        ("oracle", "majority"),
        ("behaviour", "examples"),
        ("codet", "behaviour"),
        ("oracle", "behaviour"),
    ]
    return [contrast(f"{a} - {b}", full[a], full[b], "equal samples") for a, b in pairs if a in full and b in full]


def _at_equal_tokens(table: Table) -> Contrast:
    """CLR, verification included, against the majority's accuracy at the same cost, between two numbers of samples.

    CLR has as many samples as the bank's majority can pay for. p compares with the next whole number of samples, which
    costs at least as much.
    """
    curve = majorities(table)
    found = at_equal_cost(curve, (replay(table, "clr", k) for k in range(table.samples, 0, -1)), generated)
    clr = found.policy
    rival = curve[min(table.samples, math.ceil(found.samples - 1e-6)) - 1]
    return Contrast(
        "clr - majority at equal tokens",
        found.difference.value,
        found.difference.low,
        found.difference.high,
        statistics.mcnemar(clr.first, rival.first),
        f"{clr.k} samples with claims cost as much as {found.samples:.1f} without",
    )
