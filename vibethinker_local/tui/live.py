"""The turn that is being written, and how much of it is on the disk."""

from collections.abc import Callable
from dataclasses import replace

from vibethinker_local.events import Reason
from vibethinker_local.solving.follow import Place, RunState
from vibethinker_local.tui.store import Store, Turn

NOTES: dict[Reason, str] = {
    "length": "token budget reached: the reasoning was closed",
    "loop": "going round in circles: the reasoning was closed",
    "stop": "it stopped without an answer and was asked for one",
    "answer now": "answered at once, as you asked",
}


class Live:
    """A turn and the run that writes it."""

    def __init__(self, turn: Turn, clock: Callable[[], float]) -> None:
        self.turn, self.run = turn, RunState(clock)
        self._kept = Place(), Place()  # of reasoning and answer, on the disk

    def save(self, store: Store) -> None:
        """Keep what was written since the last call, or could not be kept then. Raises UsageError."""
        anew, reasoning, at = self.run.reasoning.since(self._kept[0])
        replaced, answer, until = self.run.answer.since(self._kept[1])
        if anew or replaced:
            store.replace(self.turn.id, [(True, str(self.run.reasoning)), (False, str(self.run.answer))])
        elif pieces := [piece for piece in ((True, reasoning), (False, answer)) if piece[1]]:
            store.append(self.turn.id, pieces)
        self._kept = at, until

    def finished(self, failure: str = "") -> Turn:
        """The turn as it is kept in the end; `failure` is why there was no run, or none to its end."""
        run, solution = self.run, self.run.solution
        answer, reasoning = str(run.answer).strip(), str(run.reasoning)
        drawn = solution.trajectories if solution else ()
        if len(drawn) > 1 and (chosen := next((one for one in drawn if one.text.strip() == answer), None)):
            reasoning = chosen.reasoning
        closed = NOTES[run.closing.reason] if run.closing else ""
        turn = replace(
            self.turn,
            reasoning=reasoning.strip(),
            answer=answer,
            status=solution.status if solution else "failed",
            note=failure or (solution.error if solution and solution.error else "") or closed,
            tokens=solution.usage.solve_tokens + solution.usage.verify_tokens if solution else run.tokens,
            reasoning_tokens=run.reasoning_tokens,
            seconds=run.seconds,
            reasoning_seconds=run.thought_seconds if run.reasoning_tokens else 0.0,
        )
        if solution:
            seed = solution.seeds[0] if solution.seeds else turn.seed  # another one if a run was resumed
            finish = drawn[0].finish if len(drawn) == 1 else ""
            quant = solution.model.quant or ""
            turn = replace(turn, model=solution.model.name, quant=quant, seed=seed, finish=finish)
        return turn
