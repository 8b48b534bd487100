"""Trajectories being sampled, several at once in one engine, each to a guaranteed end.

Reasoning that reaches the token budget, goes round in circles, or stops without an answer is closed by force, and the
model answers from the KV cache that is there. If it commits to nothing even then, it is asked outright, once: it goes
on from "The answer is \\boxed{". For both, tokens are kept in reserve.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from vibethinker_local.code.task import Task
from vibethinker_local.engine import SequenceId, StepOutput
from vibethinker_local.errors import UsageError
from vibethinker_local.events import Options, Reason, SolveEvent, Trajectory, TrajectoryKind, Wrote
from vibethinker_local.models import lengths
from vibethinker_local.reliability import answers
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.model import Model
from vibethinker_local.solving import computed
from vibethinker_local.solving.computed import Computing
from vibethinker_local.solving.draft import Draft

ANSWER_TOKENS = 128  # for the answer, once it was asked for outright
FINAL_TOKENS = 2048  # at most, for the visible text after reasoning that was closed by force
LEAST_TOKENS = 16  # with less there is no point in going on


@dataclass(frozen=True)
class Budget:
    """The tokens of a solution, and how many of them are kept for its end."""

    tokens: int
    reserve: int
    grace: int = 0  # before the reserve: reasoning is cut there at the end of a line, instead of in mid-word

    @classmethod
    def of(cls, wanted: int, model: Model, prompt: int, after: int = 0) -> "Budget":
        """For a context that has to hold `prompt` tokens before it and `after` behind it.

        Raises UsageError if the context has no room for a solution.
        """
        cells = model.context
        tokens = min(wanted, cells - prompt - after)
        asking = len(model.backend.tokenize(model.close_reasoning + prompts.ASK_ANSWER, special=True))
        least = asking + 2 * LEAST_TOKENS
        if tokens < least and tokens < wanted:
            raise UsageError(
                f"The problem is too long: it takes {prompt:,} tokens, and the context holds {cells:,}, of which "
                f"{min(least, wanted) + after:,} are kept for the solution. Shorten it, or give a larger --ctx."
            )
        if tokens <= asking + LEAST_TOKENS:
            raise UsageError(f"{tokens} tokens are too few for any solution: give a larger --max-tokens.")
        final = max(ANSWER_TOKENS, min(FINAL_TOKENS, tokens // 16))
        reserve = min(asking + final, max(tokens // 2, asking + LEAST_TOKENS))
        return cls(tokens, reserve, min(model.spec.grace, (tokens - reserve) // 8))

    def ending(self, draft: Draft, reason: Reason, model: Model) -> tuple[list[int], int]:
        """The next step towards the end: tokens to force, and how many may follow them.

        Where the answer is wanted at once, it is asked for without any text before it.
        """
        close = model.close_reasoning if draft.in_reasoning else ""
        closing = model.backend.tokenize(close, special=True)
        asking = model.backend.tokenize((close or "\n\n") + prompts.ASK_ANSWER, special=True)
        left = self.tokens - draft.tokens
        if draft.talk and not close and not draft.closing:
            return [], left
        free = min(FINAL_TOKENS, left - len(closing) - len(asking) - LEAST_TOKENS)
        closes = draft.closing is None and (close or reason == "length") and not draft.at_last
        if closes and (free >= LEAST_TOKENS or not draft.asks):
            return closing, max(1, free)
        draft.asked = True
        return asking, min(ANSWER_TOKENS, left - len(asking))


@dataclass
class Running:
    """One running trajectory."""

    draft: Draft
    kind: TrajectoryKind
    prompt: list[int]
    tokens: list[int] = field(default_factory=list)  # generated, forced ones included


@dataclass(frozen=True)
class Ended:
    """One finished trajectory. Its Sequence is kept, with its KV for as long as nothing else needs the room."""

    index: int
    trajectory: Trajectory
    sequence: SequenceId | None  # None: of an earlier run
    tokens: tuple[int, ...]  # prompt and everything after it, without the token that ended it


class Sampling:
    def __init__(
        self,
        model: Model,
        options: Options,
        prompt: list[int],
        budget: Budget,
        *,
        talk: bool = False,
        asks: bool = True,
        task: Task | None = None,
        computing: Computing | None = None,
    ) -> None:
        """With `computing`, some of the trajectories are programs that print the answer."""
        self._model, self._options, self._prompt, self._budget = model, options, prompt, budget
        self._talk, self._asks, self._task, self._computing = talk, asks, task, computing
        self._opened = model.opens_reasoning(prompt)
        self._first: dict[TrajectoryKind, SequenceId] = {}
        self._running: dict[SequenceId, Running] = {}
        self._written_before: list[Wrote] = []  # not handed out yet
        self.finished: list[Ended] = []  # in the order of their ends

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def tokens(self) -> int:
        """Generated so far, in all."""
        done = sum(ended.trajectory.tokens for ended in self.finished)
        return done + sum(running.draft.tokens for running in self._running.values())

    def start(self, index: int, seed: int, begun: Sequence[int] = ()) -> None:
        """Begin a trajectory, perhaps with what was written of it before. All of a kind share one computed prompt."""
        budget, engine = self._budget, self._model.engine
        prompt, task, kind = self._prompt, self._task, self._kind(index)
        if self._computing and kind == "computed":
            prompt, task = self._computing.prompt, computed.TASK
        most = budget.tokens - budget.reserve - len(begun)
        params = self._model.params(self._options, seed, most, reserve=budget.reserve)
        sequence = engine.add([*prompt, *begun], params, parent=self._first.get(kind))
        self._first.setdefault(kind, sequence)
        draft = Draft(
            seed,
            opened=self._opened,
            tags=self._model.tags,
            think=self._options.think,
            index=index,
            talk=self._talk,
            asks=self._asks,
            prose=self._options.kind == "prose",
            task=task,
        )
        draft.cut_from = budget.tokens - budget.reserve - budget.grace if budget.grace else None
        self._running[sequence] = Running(draft, kind, prompt, list(begun))
        text = b"".join(map(self._model.backend.piece, begun)).decode("utf-8", "replace")
        for span in draft.resume(text, len(begun)) if begun else ():
            tokens = len(self._model.backend.tokenize(span.text, special=False)) if span.reasoning else len(begun)
            self._written_before.append(Wrote(span.text, span.reasoning, tokens, span.retracts, index))

    def _kind(self, index: int) -> TrajectoryKind:
        return self._computing.kind(index) if self._computing else "reasoned"

    def take(
        self, outputs: list[StepOutput], *, answer_now: bool = False, time_up: bool = False, at_last: bool = False
    ) -> Iterator[SolveEvent]:
        """Turns the engine's outputs into events; trajectories that have ended move to `finished`.

        An answer is wanted now if the user said so, or if little time is left; `at_last`, if there is hardly any.
        """
        yield from self._written_before
        self._written_before.clear()
        for output in outputs:
            if running := self._running.get(output.sequence):
                if output.token is not None and output.end != "stop":
                    running.tokens.append(output.token)
                yield from running.draft.add(output)
        for sequence, running in list(self._running.items()):
            draft = running.draft
            if draft.complete:
                self._finish(sequence)
                self._model.engine.abort(sequence)
            elif reason := draft.due(answer_now=answer_now, time_up=time_up, at_last=at_last):
                forced, then = self._budget.ending(draft, reason, self._model)
                yield from draft.close(reason)
                self._model.engine.force(sequence, forced, then=then)
            elif draft.ended:
                self._finish(sequence)

    def abandon(self) -> None:
        """End all running trajectories as they are."""
        for sequence in list(self._running):
            self._finish(sequence, aborted=True)
            self._model.engine.abort(sequence)

    def close(self, keep: Ended | None = None) -> None:
        """End all trajectories, free what the engine holds for them, and remember how long they were.

        One that is to go on later is kept.
        """
        own = (ended.trajectory for ended in self.finished if ended.sequence is not None)  # not of an earlier run
        whole = (each for each in own if each.finish != "aborted" and each.kind == "reasoned")
        lengths.add(self._model.path, [each.tokens for each in whole])
        self.abandon()
        for ended in self.finished:
            if ended.sequence is not None and ended is not keep:
                self._model.engine.abort(ended.sequence)

    def _finish(self, sequence: SequenceId, *, aborted: bool = False) -> None:
        running = self._running.pop(sequence)
        trajectory = running.draft.finish(aborted=aborted)
        if self._computing and running.kind == "computed":
            answer, printed = (None, None) if aborted else self._computing.run(trajectory.text)
            trajectory = replace(trajectory, answer=answer, kind="computed", printed=printed)
        self.finished.append(Ended(running.draft.index, trajectory, sequence, (*running.prompt, *running.tokens)))


def shown(trajectory: Trajectory) -> str:
    """What is shown of a trajectory: the visible text, or the answer alone where it is only in the reasoning; of a
    computed one, also what its program printed."""
    if trajectory.kind == "computed":
        return f"{trajectory.text}\n\nThe program prints: {trajectory.printed}"
    if trajectory.answer is not None and answers.extract(trajectory.text) is None:
        return trajectory.answer
    return trajectory.text
