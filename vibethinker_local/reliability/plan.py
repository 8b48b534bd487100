"""What a run of the reliability pass may do and cost."""

import re
from dataclasses import dataclass, replace
from typing import get_args

from vibethinker_local.errors import UsageError
from vibethinker_local.events import PassMode, VerdictKind
from vibethinker_local.reliability.stopping import AT_ONCE, LIKELY

# Reasoned verdicts on a solution's claims have a quarter of its tokens: CLR's authors took 22-48% more.
VERDICT_SHARE = 4
MOST_SAMPLES = 64
MEASURED_SAMPLES = 8  # at most, with which a model's own `likely` was measured


@dataclass(frozen=True)
class Plan:
    """All limits are upper ones."""

    mode: PassMode
    samples: int  # K: trajectories
    claims: int  # M: claims of a trajectory
    tokens: int  # of one trajectory
    think_tokens: int  # of all verdicts that are reasoned, in escalation
    verdicts: VerdictKind = "score"  # think: all of them are reasoned
    stopping: bool = True
    likely: float = LIKELY  # how probable it has to be that a vote stays as it is, to stop
    seconds: float = float("inf")
    programs: int = 0  # of the trajectories: programs that print the answer

    @property
    def places(self) -> int:
        """Trajectories that may be sampled at once."""
        return min(self.samples, AT_ONCE) if self.stopping else self.samples

    @property
    def verdict_tokens(self) -> int:
        """Of the reasoned verdicts on one trajectory's claims, where all of them are reasoned."""
        return self.tokens if self.mode == "published" else self.tokens // VERDICT_SHARE

    @property
    def exact(self) -> bool:
        """Whether claims are checked by arithmetic alone: the model is asked for none, and about none."""
        return self.mode == "arithmetic"

    @property
    def asks_for_claims(self) -> bool:
        return self.mode != "majority" and not self.exact


# Contest solutions of VibeThinker-3B have 18.9k tokens on average, so that 16k would cut many of them.
BUDGETS = {
    "quick": Plan("clr", samples=4, claims=3, tokens=24_576, think_tokens=0),
    "standard": Plan("clr", samples=8, claims=5, tokens=32_768, think_tokens=4096),
    "deep": Plan("clr", samples=16, claims=5, tokens=65_536, think_tokens=16_384),
}
# As the report describes it: no floor, no arithmetic, no stopping, no cap below the context.
PUBLISHED = Plan("published", samples=32, claims=5, tokens=2**30, think_tokens=2**30, verdicts="think", stopping=False)


def make(
    mode: PassMode,
    budget: str,
    *,
    samples: int | None = None,
    verdicts: VerdictKind | None = None,
    escalates: bool = True,
    stopping: bool = True,
    likely: float | None = None,
    seconds: float = float("inf"),
    programs: int = 0,
) -> Plan:
    """The plan of a budget with what the user set himself; one that never `escalates` reasons about claims only where
    all verdicts are to be reasoned. Raises UsageError for what contradicts itself, or cannot be used.
    """
    words = (("budget", budget, BUDGETS), ("mode", mode, get_args(PassMode)))
    for name, word, known in (*words, ("kind of verdicts", verdicts, (None, *get_args(VerdictKind)))):
        if word not in known:
            raise UsageError(f"There is no {name} {word!r}: give one of {', '.join(filter(None, known))}.")
    if samples is not None and not (type(samples) is int and 1 <= samples <= MOST_SAMPLES):
        raise UsageError(f"samples is a whole number from 1 to {MOST_SAMPLES}, not {samples!r}.")
    if not (type(programs) is int and programs >= 0):
        raise UsageError(f"programs is a whole number from 0 up, not {programs!r}.")
    if not (isinstance(seconds, int | float) and seconds > 0):
        raise UsageError(f"seconds is a number above 0, not {seconds!r}.")
    if mode == "published":
        if programs:
            raise UsageError("--mode published has no programs among its solutions: leave --programs out.")
        if verdicts == "score":
            raise UsageError("--mode published has reasoned verdicts: leave --verdicts score out.")
        return replace(PUBLISHED, samples=samples or PUBLISHED.samples, seconds=seconds)
    if mode == "arithmetic" and verdicts == "think":
        raise UsageError("--mode arithmetic asks the model for no verdicts: leave --verdicts out.")
    plan = replace(BUDGETS[budget], mode=mode, stopping=stopping, seconds=seconds)
    if not escalates or plan.exact:
        plan = replace(plan, think_tokens=0)
    plan = replace(plan, samples=samples or plan.samples, verdicts=verdicts or plan.verdicts, programs=programs)
    check_programs(programs, plan.samples)
    return replace(plan, likely=likely) if likely and plan.samples <= MEASURED_SAMPLES else plan


def check_programs(programs: int, samples: int) -> None:
    """Raises UsageError for more programs than there are solutions."""
    if programs > samples:
        raise UsageError(f"--programs {programs} is more than there are solutions: {samples}.")


def seconds(text: str) -> float:
    """A time as people write it: 90, 90s, 10m, 1h30m. Raises UsageError."""
    hours = r"(\d+)h(?![\d.]+$)"  # 1h30 would not be an hour and 30 seconds
    found = re.fullmatch(rf"(?:{hours})?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", text.strip().lower())
    total = (
        sum(float(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True)) if found else 0
    )
    if total <= 0:
        raise UsageError(f"--time-limit {text} is no time: write 90s, 10m or 1h30m.")
    return total
