"""A run as its events tell it: the one place where they are folded into a state. Whoever shows a run reads that.

The command line, the chat, the receipt of a server: none of them looks at events. Knows no terminal.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from vibethinker_local.events import (
    Behaviour,
    Busy,
    Claimed,
    Closing,
    Contested,
    Crux,
    Decision,
    Differing,
    Finished,
    Judged,
    Notice,
    Parted,
    Reason,
    ReliabilityReport,
    Sampled,
    Solution,
    SolveEvent,
    Started,
    Verdict,
    Wrote,
)
from vibethinker_local.solving.quote import Countdown, Eta
from vibethinker_local.system.units import counted

Phase = Literal["waiting", "reading", "thinking", "answering", "done"]
Stage = Literal["sampling", "checking", "decided"]
State = Literal["thinking", "answering", "closing", "answered", "forced", "cut", "no answer", "stopped"]
MOST_CLUSTERS = 6  # in a line
RATE_SECONDS = 3.0  # over which the rate is taken
LEAST_SECONDS = 0.3  # that it needs: what waited together is seen in no time
BURST_SECONDS = 0.02  # what is seen within them is one burst
CLOSINGS: dict[Reason, str] = {
    "length": "token budget reached",
    "loop": "going round in circles",
    "stop": "stopped without an answer",
    "answer now": "answer now",
    "time": "the time is nearly up",
}
MOST_NAMED = 3  # solutions of one side, in a sentence
BRIEF = 60  # characters of an input or an outcome in a sentence
DECISIONS: dict[Decision, str] = {
    "settled": "settled: the votes to come could not change it",
    "likely": "one answer leads clearly",
    "all": "all solutions were drawn",
    "time": "the time was up",
    "answer now": "you asked for the answer",
    "incomparable": "the answers cannot be compared",
    "stopped": "stopped before it was decided",
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
    text: str = ""  # the visible one, once it has ended

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
    crux: Crux | None = None  # where the two best answers part; members are trajectories' indices until it is decided

    @property
    def done(self) -> int:
        return sum(not row.running for row in self.trajectories)


class GrowingText:
    """A text that grows at its end, and now and then begins anew. Each reader keeps its own place in it."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._edition = 0

    def __str__(self) -> str:
        return "".join(self._pieces)

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, piece: str) -> None:
        self._pieces.append(piece)

    def begin_anew(self, text: str = "") -> None:
        self._pieces, self._edition = [text] if text else [], self._edition + 1

    def since(self, place: "Place") -> tuple[bool, str, "Place"]:
        """Whether it began anew since a reader was there, what to add to what that reader has, and the place now."""
        anew = place.edition != self._edition
        fresh = "".join(self._pieces[0 if anew else place.pieces :])
        return anew, fresh, Place(self._edition, len(self._pieces))


@dataclass(frozen=True)
class Place:
    """How far a reader of a GrowingText has come."""

    edition: int = 0
    pieces: int = 0


@dataclass(frozen=True)
class Milestone:
    """Something that happened, in a line; `vote` where it is about one of several solutions."""

    text: str
    vote: bool = False


class RunState:
    """A run so far. `apply` alone changes it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.announced = ""  # how long it may take
        self.busy = ""  # that other programs keep cores busy
        self.started: Started | None = None
        self.phase: Phase = "waiting"
        self.shown = 0  # the trajectory whose texts are shown
        self.reasoning, self.answer = GrowingText(), GrowingText()
        self.tokens = 0  # of the trajectory that is shown
        self.reasoning_tokens = 0
        self.closing: Closing | None = None  # why its end was forced, if it was
        self.provisional = False  # its answer may yet be another's: the vote is not decided
        self.votes: Votes | None = None  # None in a run without a vote
        self.milestones: list[Milestone] = []
        self.solution: Solution | None = None
        self.began = clock()
        self._thought_until: float | None = None
        self._eta, self._countdown = Eta(clock), Countdown(clock)
        self._times: deque[tuple[float, int]] = deque()  # when, and how many tokens there were
        self._rows: dict[int, TrajectoryRow] = {}
        self._claims: dict[tuple[int, int], ClaimRow] = {}

    @property
    def seconds(self) -> float:
        return self._clock() - self.began

    @property
    def thought_seconds(self) -> float:
        return (self._thought_until or self._clock()) - self.began

    @property
    def rate(self) -> float:
        """Tokens a second of the trajectory that is shown, lately; 0 while nobody can tell."""
        if not self._times or self._clock() - self._times[-1][0] > RATE_SECONDS:  # it has stalled
            return 0.0
        (first, before), (last, now) = self._times[0], self._times[-1]
        return _rate(now - before, last - first)

    @property
    def seconds_left(self) -> float | None:
        """An estimate; None while nothing can be said."""
        return self.votes.seconds_left if self.votes else self._countdown.left

    def apply(self, event: SolveEvent) -> None:
        """Take in one event."""
        self._eta.see(event)
        self._countdown.see(self._eta.seconds())
        match event:
            case Notice():
                self.announced = event.text
                if event.text:
                    self._note(event.text)
            case Busy():
                self.busy = event.text
            case Started():
                self._start(event)
            case Wrote():
                if event.index == self.shown:
                    self._write(event)
            case Closing():
                if event.index == self.shown:
                    self.closing = event
                what = "asking for the answer" if event.asking else "closing the reasoning"
                self._note(f"{CLOSINGS[event.reason]}: {what}", event.index)
            case Finished():
                self._finish(event.solution)
            case Sampled():
                self._show_leader(event)
        if self.votes:
            self.votes = self._voted(self.votes, event)

    def _note(self, text: str, index: int | None = None) -> None:
        """A milestone; of a trajectory, if it is one of several."""
        vote = index is not None and self.votes is not None
        self.milestones.append(Milestone(f"#{(index or 0) + 1} {text}" if vote else text, vote))

    # The text that is shown

    def _start(self, event: Started) -> None:
        self.started, self.phase, self.began = event, "reading", self._clock()
        self.provisional = event.samples > 1
        self.votes = Votes(event.samples) if event.samples > 1 else None
        self.milestones.append(
            Milestone(
                f"{event.model.name} {event.model.quant or event.model.server} · seed {event.seed}"
                f" · prompt {event.prompt_tokens:,} tokens · up to {event.max_tokens:,} more"
                + (f" · up to {event.samples} solutions" if event.samples > 1 else "")
            )
        )

    def _write(self, event: Wrote) -> None:
        if event.retracts:
            self.reasoning.add(str(self.answer))
            self.answer.begin_anew()
        if event.reasoning:
            self.phase, self.reasoning_tokens = "thinking", event.tokens
            self.reasoning.add(event.text)
        elif event.text.strip() or self.answer:
            self._thought_until = self._thought_until or self._clock()
            self.phase = "answering"
            self.answer.add(event.text)
        self.tokens = event.tokens
        now = self._clock()
        if self._times and now - self._times[-1][0] < BURST_SECONDS:
            now = self._times.pop()[0]
        self._times.append((now, event.tokens))
        while now - self._times[0][0] > RATE_SECONDS:
            self._times.popleft()

    def _show_leader(self, event: Sampled) -> None:
        """Show an answer of the cluster that leads, as soon as there is one."""
        leading = event.clusters[0].members if event.clusters else ()
        fits = event.index in leading or not leading
        if event.trajectory.text and fits and (self.shown not in leading or not self.answer):
            self.shown = event.index
            self.answer.begin_anew(event.trajectory.text)
        if event.index == self.shown:  # it has ended
            self._times.clear()

    def _finish(self, solution: Solution) -> None:
        self.solution, self.phase, self.provisional = solution, "done", False
        self._thought_until = self._thought_until or self._clock()
        if solution.text.strip() != str(self.answer).strip() and solution.text:
            self.answer.begin_anew(solution.text)

    # The vote

    def _voted(self, votes: Votes, event: SolveEvent) -> Votes:
        """The votes after an event."""
        match event:
            case Wrote():
                row = self._row(event.index)
                rate = _rate(event.tokens, self._clock() - row.began)
                state: State = "thinking" if event.reasoning else "answering"
                self._rows[event.index] = replace(row, tokens=event.tokens, rate=rate, state=state)
            case Closing():
                self._rows[event.index] = replace(self._row(event.index), state="closing")
            case Sampled():
                votes = replace(votes, clusters=tuple(ClusterRow(c.answer, c.votes, c.weight) for c in event.clusters))
                self._sampled(event, votes)
            case Contested():
                votes = replace(votes, stage="checking")
                self.milestones.append(Milestone("the vote is contested: checking claims", vote=True))
            case Parted():
                votes = replace(votes, crux=event.crux)
                self.milestones.append(Milestone(parted(event.crux), vote=True))
            case Claimed():
                for number, claim in enumerate(event.claims):
                    self._claims[event.index, number] = ClaimRow(event.index, claim.text, claim.verdict)
            case Judged() if (judged := self._claims.get((event.index, event.claim))) is not None:
                self._claims[event.index, event.claim] = replace(judged, verdict=event.verdict)
                if event.verdict.ruling == "refuted":
                    by = event.verdict.evidence or event.verdict.method
                    self._note(f"refuted by {by}: {judged.text}", event.index)
            case Finished():
                votes = replace(votes, stage="decided", report=event.solution.report)
                stopped = {index: replace(row, state="stopped") for index, row in self._rows.items() if row.running}
                self._rows |= stopped
                if report := event.solution.report:
                    rows = (ClusterRow(c.answer, c.votes, c.weight) for c in report.clusters)
                    votes = replace(votes, clusters=tuple(rows), crux=report.crux)
        return replace(
            votes,
            trajectories=tuple(self._rows[index] for index in sorted(self._rows)),
            claims=tuple(self._claims.values()),
            seconds_left=self._countdown.left if votes.stage == "sampling" else None,
        )

    def _row(self, index: int) -> TrajectoryRow:
        return self._rows.get(index) or TrajectoryRow(index, began=self._clock())

    def _sampled(self, event: Sampled, votes: Votes) -> None:
        trajectory = event.trajectory
        ends: dict[str, State] = {"stop": "answered", "forced": "forced"}
        state = ends.get(trajectory.finish, "cut") if trajectory.answer is not None else "no answer"
        row = replace(
            self._row(event.index),
            tokens=trajectory.tokens,
            answer=trajectory.answer,
            state=state,
            text=trajectory.text,
        )
        self._rows[event.index] = row
        counted = " · ".join(f"{short(cluster.answer)}: {cluster.votes}" for cluster in votes.clusters[:MOST_CLUSTERS])
        answer = trajectory.answer or "no answer"
        if "\n" in answer:
            answer = short(answer)  # a program
        if trajectory.kind == "computed":
            answer += (
                " (computed)" if trajectory.answer else f" (computed: {short(trajectory.printed or 'no program')})"
            )
        self._note(f"{answer} · {trajectory.tokens:,} tokens · {counted}", event.index)


def _rate(tokens: int, seconds: float) -> float:
    """Tokens a second; 0 while nobody can tell."""
    return tokens / seconds if seconds >= LEAST_SECONDS else 0.0


def short(text: str, width: int = 30) -> str:
    """A text on one line, cut to so many characters."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"


def summary(report: ReliabilityReport) -> str:
    """What happened, never a probability: "6 of 8 agree, 1 without an answer · 1 of 5 claims refuted"."""
    if report.note and report.decision == "incomparable":
        return "no vote: the answers cannot be compared"
    return " · ".join(filter(None, (_agreed(report), _claims_told(report))))


def _agreed(report: ReliabilityReport) -> str:
    agreement, answers = report.agreement, len(report.clusters)
    if not agreement.answered:
        return f"no answer in {agreement.drawn} solutions" if agreement.drawn > 1 else "no answer"
    if agreement.answered == 1:
        return f"1 of {agreement.drawn} gave an answer" if agreement.drawn > 1 else "1 solution"
    without = agreement.drawn - agreement.answered
    silent = f", {without} without an answer" if without > 0 else ""
    if report.dropped:
        silent += f", {report.dropped} passed fewer examples"
        if agreement.leading == answers == 1:
            return f"1 of {agreement.drawn} passed the most examples{silent}"
    if agreement.level == "none":
        return f"no agreement: {agreement.drawn} solutions, {answers} answers{silent}"
    by_programs = f", {report.computed} of them computed" if report.computed else ""
    return f"{agreement.leading} of {agreement.drawn} agree{by_programs}{silent}"


def _claims_told(report: ReliabilityReport) -> str:
    """What verdicts came to; where they can change nothing, that is said."""
    if not report.checked:
        return ""
    if report.exact:
        count = counted(report.checked, "equation")
        if not report.refuted:
            return f"{count} checked, and all hold"
        return f"{report.refuted} of {count} {'do' if report.refuted != 1 else 'does'} not hold"
    if not report.measured and not report.refuted:
        return "the claims told nothing: the model doubts what the problem says as much as what it does not"
    if report.refuted == report.checked:
        return f"the claims told nothing: all {report.checked} refuted"
    if not report.refuted:
        return f"the claims told nothing: none of {report.checked} refuted"
    refuted = f"{report.refuted} of {counted(report.checked, 'claim')} refuted"
    if not report.measured and report.refuted == report.by_arithmetic:
        return f"{refuted}, by arithmetic alone: the model's own verdicts told nothing"
    return refuted


def parted(crux: Crux) -> str:
    """Where two answers part, in a line: they part at: #1 and #3 “48 / 2 = 24” · #2 “48 * 2 = 96” (refuted)"""
    said = []
    for side in crux.sides:
        named, others = side.members[:MOST_NAMED], len(side.members) - MOST_NAMED
        last = [f"{others} more"] if others > 0 else []
        *before, end = [f"#{member + 1}" for member in named] + last
        who = f"{', '.join(before)} and {end}" if before else end
        ruling = f" ({side.verdict.ruling})" if side.verdict and side.verdict.ruling != "undecided" else ""
        claim = side.claim
        if len(claim) > BRIEF and ": " in claim:  # of a long one, the formula that it announces
            claim = f"… {claim.rpartition(': ')[2]}"
        said.append(f"{who} “{short(claim, BRIEF)}”{ruling}")
    return f"they part at: {' · '.join(said)}"


def behaved(behaviour: Behaviour, chosen: int | None) -> str:
    """What happened, in one line, about the program at a position: it is tested, never proved.

    For example: 3 of 3 examples passed · 10 further inputs tried · on [3, 1] #2 gives 4, the others 3
    """
    if chosen is None or (passed := behaviour.passed[chosen]) is None:
        return behaviour.note or ""
    said = [f"{passed} of {behaviour.examples} examples passed"] if behaviour.examples else []
    if behaviour.missed and (missed := behaviour.missed[chosen]):
        said[0] += f": {missed}"
    if behaviour.inputs:
        said.append(f"{counted(len(behaviour.inputs), 'further input')} tried")
    if behaviour.assertions:
        said.append(f"{behaviour.held} of the model's {behaviour.assertions} own expectations met")
    if behaviour.differ:
        said.append(_told(behaviour.differ[0]))
    return " · ".join([*said, "tested, not proved"]) if said else "it was run on nothing: there is no example"


def _told(differing: Differing) -> str:
    """For example: on [3, 1] #2 gives 4, #5 and #7 give 5, the others 3"""
    (leading, _), *others = differing.outcomes
    said = []
    for outcome, members in others:
        who = " and ".join(f"#{member + 1}" for member in members)
        said.append(f"{who} {'gives' if len(members) == 1 else 'give'} {short(outcome, BRIEF)}")
    return f"on {short(differing.input, BRIEF)} {', '.join(said)}, the others {short(leading, BRIEF)}"
