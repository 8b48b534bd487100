"""The turn that is being written: what the events say so far. Knows nothing of widgets, threads or disks."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from vibethinker_local.events import Closing, Finished, Notice, Reason, Sampled, Solution, SolveEvent, Started, Wrote
from vibethinker_local.tui.store import Turn

Phase = Literal["waiting", "reading", "thinking", "answering", "done"]
RATE_SECONDS = 3.0  # over which the rate is taken
NOTES: dict[Reason, str] = {
    "length": "token budget reached: the reasoning was closed",
    "loop": "going round in circles: the reasoning was closed",
    "stop": "it stopped without an answer and was asked for one",
    "answer now": "answered at once, as you asked",
}


@dataclass
class Live:
    """A turn while it is being written. The screen takes `fresh_…`, the store takes `unsaved`."""

    turn: Turn
    clock: Callable[[], float]  # seconds, monotonic
    phase: Phase = "waiting"
    tokens: int = 0  # of the trajectory that is shown
    spent: int = 0  # in all, when it has ended
    reasoning_tokens: int = 0
    prompt_tokens: int = 0
    context: int = 0
    dropped: int = 0
    note: str = ""
    announced: str = ""  # of how long it may take
    seconds_left: float | None = None  # an estimate; None while nothing can be said
    reasoning: list[str] = field(default_factory=list)
    answer: list[str] = field(default_factory=list)
    fresh_reasoning: list[str] = field(default_factory=list)
    fresh_answer: list[str] = field(default_factory=list)
    unsaved: list[tuple[bool, str]] = field(default_factory=list)
    replaced: bool = False  # the answer shown so far is void: show `answer` from its beginning
    rewritten: bool = False  # so are the pieces that were saved
    provisional: bool = False  # an answer of a vote that is not decided
    solution: Solution | None = None
    began: float = 0.0
    thought_until: float | None = None
    shown: int = 0  # the trajectory whose text is shown
    _times: deque[tuple[float, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.began = self.clock()

    @property
    def seconds(self) -> float:
        return self.clock() - self.began

    @property
    def thought_seconds(self) -> float:
        return (self.thought_until or self.clock()) - self.began

    @property
    def rate(self) -> float:
        """Tokens a second, lately."""
        if len(self._times) < 2:
            return 0.0
        (first, before), (last, now) = self._times[0], self._times[-1]
        return (now - before) / (last - first) if last > first else 0.0

    def apply(self, event: SolveEvent) -> None:
        match event:
            case Notice():
                self.announced = event.text
            case Started():
                self.phase, self.prompt_tokens = "reading", event.prompt_tokens
                self.context, self.dropped = event.context, event.dropped
                self.provisional = event.samples > 1
                self.began = self.clock()
            case Wrote() if event.index == self.shown:
                self._wrote(event)
            case Closing() if event.index == self.shown:
                self.note = NOTES[event.reason]
            case Sampled():
                self._sampled(event)
            case Finished():
                self._finished(event.solution)

    def _wrote(self, event: Wrote) -> None:
        if event.retracts:
            self.reasoning += self.answer
            self.answer, self.fresh_answer = [], []
            self.replaced = self.rewritten = True
        if event.reasoning:
            self.phase, self.reasoning_tokens = "thinking", event.tokens
            self.reasoning.append(event.text)
            self.fresh_reasoning.append(event.text)
        elif event.text.strip() or self.answer:
            if self.thought_until is None:
                self.thought_until = self.clock()
            self.phase = "answering"
            self.answer.append(event.text)
            self.fresh_answer.append(event.text)
        self.unsaved.append((event.reasoning, event.text))
        self.tokens = event.tokens
        now = self.clock()
        self._times.append((now, event.tokens))
        while now - self._times[0][0] > RATE_SECONDS:
            self._times.popleft()

    def _sampled(self, event: Sampled) -> None:
        """Show an answer of the cluster that leads, as soon as there is one."""
        leading = event.clusters[0].members if event.clusters else ()
        fits = event.index in leading or not leading
        if event.trajectory.text and fits and (self.shown not in leading or not self.answer):
            self._show(event.index, event.trajectory.text)

    def _show(self, index: int, text: str) -> None:
        self.shown, self.answer, self.fresh_answer = index, [text], [text]
        self.replaced = self.rewritten = True

    def _finished(self, solution: Solution) -> None:
        self.solution, self.phase, self.provisional = solution, "done", False
        self.spent = solution.usage.solve_tokens + solution.usage.verify_tokens
        if self.thought_until is None:
            self.thought_until = self.clock()
        if solution.text.strip() != "".join(self.answer).strip() and solution.text:
            self._show(self.shown, solution.text)

    def finished(self, failure: str = "") -> Turn:
        """The turn as it is kept."""
        solution = self.solution
        status = solution.status if solution else "failed"
        note = failure or (solution.error if solution and solution.error else "") or self.note
        answer, reasoning = "".join(self.answer).strip(), "".join(self.reasoning)
        drawn = solution.trajectories if solution else ()
        if len(drawn) > 1 and (chosen := next((one for one in drawn if one.text.strip() == answer), None)):
            reasoning = chosen.reasoning
        return replace(
            self.turn,
            reasoning=reasoning.strip(),
            answer=answer,
            status=status,
            note=note,
            tokens=self.spent or self.tokens,
            reasoning_tokens=self.reasoning_tokens,
            seconds=self.seconds,
            reasoning_seconds=self.thought_seconds if self.reasoning_tokens else 0.0,
        )
