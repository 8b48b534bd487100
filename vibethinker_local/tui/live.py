"""The turn that is being written, and how much of it is on the disk."""

from collections.abc import Callable
from dataclasses import replace

from vibethinker_local.events import Reason
from vibethinker_local.solving.follow import Place, RunState
from vibethinker_local.tui import votes
from vibethinker_local.tui.store import Store, Turn

NOTES: dict[Reason, str] = {
    "length": "token budget reached: the reasoning was closed",
    "loop": "going round in circles: the reasoning was closed",
    "stop": "it stopped without an answer and was asked for one",
    "answer now": "answered at once, as you asked",
    "time": "the time was up: the reasoning was closed",
}


CONTEXT_FULL = "the context is full"


class Live:
    """A turn and the run that writes it."""

    def __init__(self, turn: Turn, clock: Callable[[], float], before: Turn | None = None) -> None:
        """`before` is what the turn was when it was cut off, if this run goes on with it."""
        self.turn, self.run = turn, RunState(clock)
        self._before = before
        self._kept = Place(-1 if before else 0), Place(-1 if before else 0)  # of reasoning and answer, on the disk

    @property
    def written(self) -> Turn:
        """The turn as far as it has come."""
        if self._before and not self.run.tokens:
            return self.turn  # what was there is there
        return replace(self.turn, reasoning=str(self.run.reasoning).strip(), answer=str(self.run.answer).strip())

    def save(self, store: Store) -> None:
        """Keep what was written since the last call, or could not be kept then. Raises UsageError."""
        if self._before and not self.run.tokens:
            return  # what was there is there
        anew, reasoning, at = self.run.reasoning.since(self._kept[0])
        replaced, answer, until = self.run.answer.since(self._kept[1])
        if anew or replaced:
            store.replace(self.turn.id, [(True, str(self.run.reasoning)), (False, str(self.run.answer))])
        elif pieces := [piece for piece in ((True, reasoning), (False, answer)) if piece[1]]:
            store.append(self.turn.id, pieces)
        self._kept = at, until

    def finished(self, failure: str = "") -> Turn:
        """The turn as it is kept in the end; `failure` is why there was no run, or none to its end. Without a reason
        it was stopped."""
        run, solution, before = self.run, self.run.solution, self._before
        if before and not run.tokens:  # it has not come to that
            return replace(before, note=failure or (solution.error if solution and solution.error else before.note))
        answer, reasoning = str(run.answer).strip(), str(run.reasoning)
        drawn = solution.trajectories if solution else ()
        chosen = next((one for one in drawn if one.text.strip() == answer), None) if len(drawn) > 1 else None
        reasoning = chosen.reasoning if chosen else reasoning
        closed = NOTES[run.closing.reason] if run.closing else ""
        turn = replace(
            self.turn,
            reasoning=reasoning.strip(),
            answer=answer,
            status=solution.status if solution else "failed" if failure else "stopped",
            note=failure or (solution.error if solution and solution.error else "") or closed,
            tokens=solution.usage.solve_tokens + solution.usage.verify_tokens if solution else run.tokens,
            reasoning_tokens=run.reasoning_tokens,
            seconds=run.seconds,
            reasoning_seconds=run.thought_seconds if run.reasoning_tokens else 0.0,
            finish="",
            vote=votes.written(run.votes) if run.votes else "",
        )
        if solution:
            seed = solution.seeds[0] if solution.seeds else turn.seed  # another one if a run was resumed
            finish = drawn[0].finish if len(drawn) == 1 else chosen.finish if chosen else ""
            quant = solution.model.quant or ""
            turn = replace(turn, model=solution.model.name, quant=quant, seed=seed, finish=finish)
        if turn.finish == "length" and (started := run.started) and not turn.note:
            full = started.prompt_tokens + started.max_tokens >= started.context
            turn = replace(turn, note=CONTEXT_FULL if full else "")
        return self._together(before, turn) if before else turn

    @staticmethod
    def _together(before: Turn, turn: Turn) -> Turn:
        """A turn that went on, with what its beginning took."""
        return replace(
            turn,
            tokens=before.tokens + turn.tokens if turn.finish else turn.tokens,
            seconds=before.seconds + turn.seconds,
            reasoning_tokens=before.reasoning_tokens if before.answer else turn.reasoning_tokens,
            reasoning_seconds=before.reasoning_seconds + (0 if before.answer else turn.reasoning_seconds),
        )


def can_go_on(turn: Turn) -> bool:
    """Whether its answer was cut off, and may go on."""
    cut = turn.finish == "length" or turn.status in ("stopped", "writing")
    return cut and bool(turn.answer or turn.reasoning) and not turn.vote and turn.note != CONTEXT_FULL
