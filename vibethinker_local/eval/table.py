"""A bank as arrays: one row per problem, one column per trajectory, in the order of their indices."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vibethinker_local.code import values
from vibethinker_local.errors import UsageError
from vibethinker_local.eval.bank import Bank, Entry, Ran
from vibethinker_local.eval.instructions import held, read_off
from vibethinker_local.eval.problems import Problem
from vibethinker_local.events import Signals, Verdict
from vibethinker_local.reliability import arithmetic, equivalence
from vibethinker_local.reliability.checker import Checker
from vibethinker_local.reliability.claims import CheckedClaim
from vibethinker_local.reliability.clusters import Clusters
from vibethinker_local.reliability.yardstick import Yardstick
from vibethinker_local.solving.claims import ENOUGH

SIGNALS = ("logprob", "certainty", "tail", "lowest", "gain")  # gain: confidence of the last quarter less of the first
THRESHOLD = 0.5  # p(VALID) from which a claim stands, in banks of earlier versions, which have no yardstick
SECONDS = 10.0  # for one symbolic comparison: long enough for a bank to give the same report on a busy machine

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ProgramTable:
    """What came of the programs of code problems. Shapes (n, K); `ask_tokens` (n,)."""

    right: Bools  # passes the tests
    passed: Ints  # examples of the statement
    held: Ints  # assertions of the model's own
    ask_tokens: Ints  # of asking for them, once a problem

    def rows(self, chosen: Ints) -> "ProgramTable":
        """Those problems alone."""
        return ProgramTable(self.right[chosen], self.passed[chosen], self.held[chosen], self.ask_tokens[chosen])


@dataclass(frozen=True)
class InstructionTable:
    """How replies follow the instructions of their prompts. Shapes (n, K); `count` (n,)."""

    strict: Ints  # instructions that are followed
    loose: Ints
    read_off: Ints  # of those that the prompt states by rule
    count: Ints

    def rows(self, chosen: Ints) -> "InstructionTable":
        """Those prompts alone."""
        return InstructionTable(self.strict[chosen], self.loose[chosen], self.read_off[chosen], self.count[chosen])


@dataclass(frozen=True)
class Table:
    """Shapes: n problems, K trajectories each, at most C different answers to a problem."""

    ids: tuple[str, ...]
    digests: tuple[str, ...]  # of the problems
    cluster: Ints  # (n, K): number of the answer, by first appearance; -1: no answer, or not comparable
    right: Bools  # (n, C): whether that answer is right
    tokens: Ints  # (n, K): of the solution
    claims: int  # M
    asked: Ints  # (n, K): claims that a trajectory should have: M, or those that it makes itself; 0: it was not checked
    refuted: dict[str, Ints]  # (n, K) each: claims refuted by "model", by "arithmetic", by "either"
    p: Floats  # (n, K): mean probability of VALID, NaN without claims
    covered: Bools  # (n, K): whether all these claims are there and have a verdict
    claim_tokens: Ints  # (n, K): of stating the claims
    verdict_tokens: Ints  # (n, K): of verdicts, one for each that was read off
    read_tokens: Ints  # (n, K): of prompts for claims and verdicts
    finish: Counter[str]
    programs: "ProgramTable | None" = None  # of code problems
    instructions: "InstructionTable | None" = None  # of prompts with instructions
    signals: dict[str, Floats] = field(default_factory=dict)  # (n, K) each, in nats; empty where the bank has none
    computed: Bools | None = None  # (n, K): which trajectories are programs; None: none is
    slips: Ints | None = None  # (n, K): equations of a solution's own that do not hold; None: not a bank of solutions
    pairs: Floats | None = None  # (n, 3): two trajectories, the chance that the first is right; NaN: not compared
    left_out: int = 0  # problems with fewer trajectories

    @property
    def samples(self) -> int:
        """K."""
        return int(self.cluster.shape[1])

    @property
    def answered(self) -> Bools:
        """(n, K)"""
        return self.cluster >= 0

    @property
    def each_right(self) -> Bools:
        """(n, K): whether a trajectory's answer is right."""
        if self.programs:
            return self.programs.right
        rows = np.arange(len(self.cluster))[:, None]
        return np.asarray(self.right[rows, np.maximum(self.cluster, 0)] & self.answered)

    @property
    def kinds(self) -> tuple[Ints, Ints] | None:
        """The trajectories that are reasoned, and those that are programs; None unless there are both."""
        if self.computed is None or self.computed[0].all():
            return None
        return np.flatnonzero(~self.computed[0]), np.flatnonzero(self.computed[0])

    @property
    def slipped(self) -> bool:
        """Whether any solution has an equation that does not hold."""
        return self.slips is not None and bool(self.slips.any())

    def standing(self, by: str) -> Floats:
        """(n, K): the share of claims that were not refuted."""
        return np.asarray(1 - self.refuted[by] / np.maximum(1, self.asked))

    @property
    def contested(self) -> Bools:
        """(n,): whether there is more than one answer."""
        return np.asarray(self.cluster.max(axis=1) > 0)

    def rows(self, chosen: Ints) -> "Table":
        """A table of only these problems."""
        names = ("cluster", "right", "tokens", "p", "asked", "covered", "claim_tokens", "verdict_tokens", "read_tokens")
        arrays = {name: getattr(self, name)[chosen] for name in names}
        refuted = {by: counts[chosen] for by, counts in self.refuted.items()}
        ids, digests = (tuple(each[i] for i in chosen) for each in (self.ids, self.digests))
        if self.programs:
            arrays["programs"] = self.programs.rows(chosen)
        if self.instructions:
            arrays["instructions"] = self.instructions.rows(chosen)
        if self.computed is not None:
            arrays["computed"] = self.computed[chosen]
        if self.pairs is not None:
            arrays["pairs"] = self.pairs[chosen]
        if self.slips is not None:
            arrays["slips"] = self.slips[chosen]
        signals = {name: values[chosen] for name, values in self.signals.items()}
        return Table(ids, digests, claims=self.claims, refuted=refuted, finish=self.finish, signals=signals, **arrays)

    def columns(self, chosen: Ints) -> "Table":
        """A table of only these trajectories of each problem; not for code problems."""
        names = ("cluster", "tokens", "p", "asked", "covered", "claim_tokens", "verdict_tokens", "read_tokens")
        arrays = {name: getattr(self, name)[:, chosen] for name in names}
        refuted = {by: counts[:, chosen] for by, counts in self.refuted.items()}
        signals = {name: values[:, chosen] for name, values in self.signals.items()}
        slips = None if self.slips is None else self.slips[:, chosen]
        return replace(self, refuted=refuted, signals=signals, computed=None, pairs=None, slips=slips, **arrays)

    def halves(self) -> "tuple[Table, Table]":
        """The problems whose ids sort first, to tune policies on, and the others, to try them on."""
        order = np.array(sorted(range(len(self.ids)), key=lambda row: self.ids[row]), np.int64)
        middle = len(order) // 2
        return self.rows(order[:middle]), self.rows(order[middle:])


def build(bank: Bank, samples: int | None = None, *, thinking: bool = False, stated: bool = False) -> Table:
    """The table of the problems that have K trajectories. K is `samples`, or else the most that any problem has.

    Claims are those that a pass goes by, or the `stated` ones alone; `thinking` takes the verdicts that were reasoned.
    Raises UsageError if nothing is left.
    """
    found = {problem: bank.of(problem) for problem in bank.problems}
    most = max(map(len, found.values()), default=0)
    samples = samples or most
    whole = {problem: entries[:samples] for problem, entries in found.items() if len(entries) >= samples}
    if not most or not whole:
        raise UsageError(
            f"{bank.path} has no problem with {max(1, samples)} trajectories yet: "
            f"the most that any has is {most}. `vibe eval run` goes on with it."
        )
    if thinking and not bank.header.thinking:
        raise UsageError(f"{bank.path} has no reasoned verdicts: leave --verdicts think out.")
    if stated and not bank.header.stated:
        raise UsageError(f"{bank.path} was made without --stated: leave it out.")
    checker = Checker(seconds=SECONDS)
    try:
        answers = [_answers(bank.problems[problem], entries, checker) for problem, entries in whole.items()]
    finally:
        checker.close()
    different = max(1, *(len(right) for _, right in answers))
    entries = list(whole.values())
    rulings = [[_Rulings(entry, bank.header.claims, thinking, stated) for entry in row] for row in entries]
    return Table(
        ids=tuple(whole),
        digests=tuple(bank.problems[problem].digest for problem in whole),
        cluster=np.array([clusters for clusters, _ in answers], np.int64),
        right=np.array([[*right, *[False] * (different - len(right))] for _, right in answers], np.bool_),
        tokens=_ints([entry.tokens for entry in row] for row in entries),
        claims=bank.header.claims,
        asked=_ints([each.asked for each in row] for row in rulings),
        refuted={
            "model": _ints([each.model for each in row] for row in rulings),
            "arithmetic": _ints([each.arithmetic for each in row] for row in rulings),
            "either": _ints([each.either for each in row] for row in rulings),
        },
        p=np.array([[each.p for each in row] for row in rulings], np.float64),
        covered=np.array([[each.covered for each in row] for row in rulings], np.bool_),
        claim_tokens=_ints([each.claim_tokens for each in row] for row in rulings),
        verdict_tokens=_ints([each.tokens for each in row] for row in rulings),
        read_tokens=_ints([each.read_tokens for each in row] for row in rulings),
        finish=Counter(entry.finish for row in entries for entry in row),
        programs=_programs(bank, whole),
        instructions=_instructions(bank, whole),
        signals=_signals(entries),
        computed=_computed(entries),
        pairs=_pairs(entries),
        slips=_slips(bank, whole),
        left_out=len(found) - len(whole),
    )


def _signals(entries: Sequence[Sequence[Entry]]) -> dict[str, Floats]:
    """Empty if a trajectory with an answer lacks them."""
    if any(entry.signals is None and entry.answer is not None for row in entries for entry in row):
        return {}
    found = [
        [_told(entry.signals) if entry.signals else dict.fromkeys(SIGNALS, 0.0) for entry in row] for row in entries
    ]
    return {name: np.array([[each[name] for each in row] for row in found], np.float64) for name in SIGNALS}


def _told(signals: Signals) -> dict[str, float]:
    confidence = signals.confidence
    quarter = max(1, len(confidence) // 4)
    return {
        "logprob": sum(signals.logprob) / len(signals.logprob),
        "certainty": sum(signals.certainty) / len(signals.certainty),
        "tail": signals.tail,
        "lowest": signals.lowest,
        "gain": (sum(confidence[-quarter:]) - sum(confidence[:quarter])) / quarter,
    }


def _computed(entries: Sequence[Sequence[Entry]]) -> Bools | None:
    found = np.array([[entry.kind == "computed" for entry in row] for row in entries], np.bool_)
    return found if found.any() else None


def _slips(bank: Bank, whole: dict[str, list[Entry]]) -> Ints | None:
    """What arithmetic finds wrong in the visible texts."""
    asked = [bank.problems[problem] for problem in whole]
    if any(problem.kind in ("code", "instructions") for problem in asked):
        return None
    return _ints(
        [_slipped(entry.text, problem.problem) if entry.kind == "reasoned" else 0 for entry in row]
        for problem, row in zip(asked, whole.values(), strict=True)
    )


def _slipped(text: str, problem: str) -> int:
    return sum(not holds for _, holds, _ in arithmetic.told(text, problem))


def _pairs(entries: Sequence[Sequence[Entry]]) -> Floats | None:
    """The comparison of each problem's two best answers, both orders together."""
    found = np.full((len(entries), 3), np.nan)
    for at, row in enumerate(entries):
        indices = {entry.index: place for place, entry in enumerate(row)}
        for pair in row[0].pairs[:1]:
            if pair.one in indices and pair.other in indices:
                found[at] = indices[pair.one], indices[pair.other], (pair.p + pair.q) / 2
    return None if np.isnan(found).all() else found


def _programs(bank: Bank, whole: dict[str, list[Entry]]) -> ProgramTable | None:
    """Raises UsageError for a bank of code and other problems."""
    coding = [bank.problems[problem].kind == "code" for problem in whole]
    if not any(coding):
        return None
    if not all(coding):
        raise UsageError(f"{bank.path} has code problems among others: choose some with --only.")
    ran = [[entry.ran or Ran(False, 0, 0) for entry in row] for row in whole.values()]
    return ProgramTable(
        right=np.array([[each.right for each in row] for row in ran], np.bool_),
        passed=_ints([each.passed for each in row] for row in ran),
        held=_ints([each.held for each in row] for row in ran),
        ask_tokens=np.array([max(each.ask_tokens for each in row) for row in ran], np.int64),
    )


def _instructions(bank: Bank, whole: dict[str, list[Entry]]) -> InstructionTable | None:
    """Raises UsageError for a bank of prompts with instructions and other problems."""
    asked = [bank.problems[problem] for problem in whole]
    if not any(problem.instructions for problem in asked):
        return None
    if not all(problem.instructions for problem in asked):
        raise UsageError(f"{bank.path} has prompts with instructions among other problems: choose some with --only.")
    texts = [(problem, [entry.text for entry in row]) for problem, row in zip(asked, whole.values(), strict=True)]
    return InstructionTable(
        strict=_ints([held(text, problem.instructions) for text in row] for problem, row in texts),
        loose=_ints([held(text, problem.instructions, loosely=True) for text in row] for problem, row in texts),
        read_off=_ints(_read_off(problem, row) for problem, row in texts),
        count=np.array([len(problem.instructions) for problem in asked], np.int64),
    )


def _read_off(problem: Problem, texts: list[str]) -> list[int]:
    stated = read_off(problem.problem)
    return [held(text, stated) for text in texts]


def _behaviours(entries: list[Entry]) -> tuple[list[int], list[bool]]:
    """The number of each program's behaviour, and whether the first program that behaves so is right."""
    numbers, firsts = [-1] * len(entries), list[Ran]()
    for at, entry in enumerate(entries):
        ran = entry.ran
        if entry.answer is None or ran is None:
            continue
        shown = any(outcome and not outcome.startswith("!") for outcome in ran.outcomes)
        alike = (number for number, first in enumerate(firsts) if shown and _alike(first.outcomes, ran.outcomes))
        numbers[at] = next(alike, len(firsts))
        if numbers[at] == len(firsts):
            firsts.append(ran)
    return numbers, [first.right for first in firsts]


def _alike(left: Sequence[str], right: Sequence[str]) -> bool:
    return len(left) == len(right) and all(values.same(a, b) for a, b in zip(left, right, strict=True))


def together(left: Table, right: Table) -> tuple[Table, Table]:
    """The problems that two tables have in common, in the same order. Raises UsageError if they share none."""
    places = {digest: at for at, digest in enumerate(right.digests)}
    common = [(at, places[digest]) for at, digest in enumerate(left.digests) if digest in places]
    if not common:
        raise UsageError("The two banks have no problem in common.")
    first, second = np.array(common, np.int64).T
    return left.rows(first), right.rows(second)


class _Rulings:
    """The outcome of a trajectory's claims, in numbers: of those that a pass goes by, or of the stated ones alone."""

    def __init__(self, entry: Entry, wanted: int, thinking: bool, stated: bool) -> None:
        own = entry.extracted if not stated and len(entry.extracted) >= ENOUGH else ()
        claims = own or tuple(claim for claim in entry.claims if not claim.dropped)[:wanted]
        self.asked = len(own) or (wanted if entry.claims or entry.claim_tokens else 0)
        threshold = Yardstick(entry.known).stands_from if entry.known else THRESHOLD

        def verdict(claim: CheckedClaim) -> Verdict | None:
            claim = replace(claim, p=None) if thinking else replace(claim, thought=None)
            return claim.verdict(threshold, reasoned=thinking)

        def refuted(claims: Iterable[CheckedClaim]) -> int:
            return sum(found.ruling == "refuted" for claim in claims if (found := verdict(claim)))

        self.either = refuted(claims)
        self.model = refuted(replace(claim, holds=None) for claim in claims)
        self.arithmetic = sum(claim.holds is False for claim in claims)
        known = [claim.p for claim in claims if claim.p is not None]
        self.p = sum(known) / len(known) if known else float("nan")
        self.covered = 0 < len(claims) == self.asked and all(map(verdict, claims))
        self.tokens = len(claims) + (entry.think_tokens if thinking else 0)
        self.claim_tokens = 0 if own else entry.claim_tokens
        all_read = len(entry.extracted) + sum(not claim.dropped for claim in entry.claims)
        self.read_tokens = entry.read_tokens * len(claims) // max(1, all_read)


def _answers(problem: Problem, entries: list[Entry], checker: Checker) -> tuple[list[int], list[bool]]:
    """The number of each trajectory's answer, and whether each answer is right."""
    if problem.kind == "code":
        return _behaviours(entries)
    if problem.kind == "instructions":  # each reply is one of its own
        right = [held(entry.text, problem.instructions) == len(problem.instructions) for entry in entries]
        return list(range(len(entries))), right
    clusters = Clusters(lambda a, b: equivalence.compare(a, b, checker).level)
    for at, entry in enumerate(entries):
        if entry.answer is not None and equivalence.comparable(entry.answer):
            clusters.add(at, entry.answer)
    numbers, right = [-1] * len(entries), list[bool]()
    for number, cluster in enumerate(clusters):
        right.append(problem.right(cluster.answer, checker))
        for member in cluster.members:
            numbers[member] = number
    return numbers, right


def _ints(rows: Iterable[list[int]]) -> Ints:
    return np.array(list(rows), np.int64)
