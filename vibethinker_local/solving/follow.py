"""What the reliability pass has done so far, as plain frozen data for whoever shows it. Knows no terminal."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from vibethinker_local.events import (
    Claimed,
    Closing,
    Contested,
    Decision,
    Finished,
    Judged,
    ReliabilityReport,
    Sampled,
    SolveEvent,
    Started,
    Verdict,
    Wrote,
)
from vibethinker_local.solving.quote import Eta

Stage = Literal["sampling", "checking", "decided"]
State = Literal["thinking", "answering", "closing", "answered", "forced", "cut", "no answer"]
DECISIONS: dict[Decision, str] = {
    "settled": "settled: the votes to come could not change it",
    "likely": "one answer leads clearly",
    "all": "all solutions were drawn",
    "time": "the time was up",
    "answer now": "you asked for the answer",
    "incomparable": "the answers cannot be compared",
    "stopped": "it was stopped before it was decided",
    "failed": "the engine failed before it was decided",
}


@dataclass(frozen=True)
class TrajectoryRow:
    index: int
    tokens: int = 0
    rate: float = 0.0  # tokens a second
    answer: str | None = None
    state: State = "thinking"
    began: float = 0.0

    @property
    def running(self) -> bool:
        return self.state in ("thinking", "answering", "closing")


@dataclass(frozen=True)
class ClusterRow:
    answer: str
    votes: int
    weight: float


@dataclass(frozen=True)
class ClaimRow:
    trajectory: int
    text: str
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Votes:
    """One state of the panel."""

    samples: int
    stage: Stage = "sampling"
    trajectories: tuple[TrajectoryRow, ...] = ()
    clusters: tuple[ClusterRow, ...] = ()
    claims: tuple[ClaimRow, ...] = ()
    seconds_left: float | None = None  # an estimate; None while nothing can be said
    report: ReliabilityReport | None = None

    @property
    def done(self) -> int:
        return sum(not row.running for row in self.trajectories)


@dataclass
class Tally:
    """Follows the events of a pass. `votes` is None in a run without one."""

    clock: Callable[[], float]
    votes: Votes | None = None
    _eta: Eta = field(init=False)
    _rows: dict[int, TrajectoryRow] = field(default_factory=dict)
    _claims: dict[tuple[int, int], ClaimRow] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._eta = Eta(self.clock)

    def apply(self, event: SolveEvent) -> None:
        self._eta.see(event)
        if isinstance(event, Started):
            self.votes = Votes(event.samples) if event.samples > 1 else None
        if self.votes is None:
            return
        match event:
            case Wrote():
                row = self._row(event.index)
                seconds = self.clock() - row.began
                rate = event.tokens / seconds if seconds > 0 else 0.0
                state: State = "thinking" if event.reasoning else "answering"
                self._rows[event.index] = replace(row, tokens=event.tokens, rate=rate, state=state)
            case Closing():
                self._rows[event.index] = replace(self._row(event.index), state="closing")
            case Sampled():
                self._sampled(event)
            case Contested():
                self.votes = replace(self.votes, stage="checking")
            case Claimed():
                for at, claim in enumerate(event.claims):
                    self._claims[event.index, at] = ClaimRow(event.index, claim.text, claim.verdict)
            case Finished():
                report = event.solution.report
                self.votes = replace(self.votes, stage="decided", report=report)
                if report:
                    rows = (ClusterRow(c.answer, c.votes, c.weight) for c in report.clusters)
                    self.votes = replace(self.votes, clusters=tuple(rows))
            case Judged() if (judged := self._claims.get((event.index, event.claim))) is not None:
                self._claims[event.index, event.claim] = replace(judged, verdict=event.verdict)
        self.votes = replace(
            self.votes,
            trajectories=tuple(self._rows[index] for index in sorted(self._rows)),
            claims=tuple(self._claims.values()),
            seconds_left=self._eta.seconds() if self.votes.stage == "sampling" else None,
        )

    @property
    def seconds_left(self) -> float | None:
        """An estimate, also of a run without a vote; None while nothing can be said."""
        return self.votes.seconds_left if self.votes else self._eta.seconds()

    def _row(self, index: int) -> TrajectoryRow:
        return self._rows.get(index) or TrajectoryRow(index, began=self.clock())

    def _sampled(self, event: Sampled) -> None:
        assert self.votes
        trajectory = event.trajectory
        ends: dict[str, State] = {"stop": "answered", "forced": "forced"}
        state = ends.get(trajectory.finish, "cut") if trajectory.answer is not None else "no answer"
        row = replace(self._row(event.index), tokens=trajectory.tokens, answer=trajectory.answer, state=state)
        self._rows[event.index] = row
        self.votes = replace(
            self.votes, clusters=tuple(ClusterRow(c.answer, c.votes, c.weight) for c in event.clusters)
        )


def summary(report: ReliabilityReport) -> str:
    """What happened, never a probability: "6 of 8 agree · 1 claim refuted · not calibrated"."""
    if report.note and report.decision == "incomparable":
        return "no vote: the answers cannot be compared"
    total = sum(cluster.votes for cluster in report.clusters)
    parts = [f"{report.clusters[0].votes} of {total} agree" if report.clusters else "no answer"]
    if report.checked:
        parts.append(f"{report.refuted} of {report.checked} claims refuted" if report.refuted else "no claim refuted")
    return " · ".join([*parts, "not calibrated"])
