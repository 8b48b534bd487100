"""Fills a bank: trajectories of many problems in one engine, then the claims of each, then verdicts on them.

A trajectory's seed follows from the run's seed, the problem's id and the index alone, so that what is in a bank does
not depend on the order in which it was made. (Which others were in the same batch can still change the last bits of
the model's arithmetic, and so, now and then, a token.)
"""

import hashlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from vibethinker_local.engine import SequenceId, StepOutput
from vibethinker_local.errors import UsageError
from vibethinker_local.eval.bank import Bank, Checked, Entry
from vibethinker_local.eval.problems import Problem
from vibethinker_local.events import Options
from vibethinker_local.reliability import arithmetic
from vibethinker_local.runtime.model import Model
from vibethinker_local.solve.asking import Asking
from vibethinker_local.solve.sampling import Budget, Ended, Sampling

THINK_TOKENS = 4096  # of reasoning about one trajectory's claims


@dataclass(frozen=True)
class Job:
    """One trajectory that is wanted."""

    problem: Problem
    index: int


@dataclass(frozen=True)
class Stepped:
    """The engine has made a step."""

    tokens: int  # generated since the run began


def jobs(problems: Sequence[Problem], samples: int, bank: Bank | None) -> list[Job]:
    """What a bank lacks of so many trajectories of each problem."""
    known = bank.entries if bank else {}
    every = (Job(problem, index) for problem in problems for index in range(samples))
    return [job for job in every if (job.problem.id, job.index) not in known]


def seed_of(seed: int, problem: str, index: int) -> int:
    """A trajectory's seed: one that JSON readers take for the same number everywhere."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{problem}\0{index}".encode()).digest()[:8], "big") >> 11


def fill(
    model: Model, jobs: Sequence[Job], options: Options, claims: int, *, thinking: bool = False
) -> Generator[Entry | Stepped, None, None]:
    """Make what is wanted, as many at a time as the model has places, each as it ends.

    `claims` is M; with 0 none are asked for. Raises UsageError if a problem does not fit into the context.
    """
    filling = _Filling(model, jobs, options, claims, thinking)
    try:
        yield from filling.entries()
    finally:
        filling.close()


@dataclass(eq=False)
class _Open:
    """A problem some of whose trajectories are on their way."""

    problem: Problem
    sampling: Sampling
    asking: Asking
    left: int  # jobs that have not become entries
    scores: dict[str, float] = field(default_factory=dict)  # by claim: what was asked is not asked again


@dataclass(eq=False)
class _Checking:
    """A trajectory that has ended, while its claims are stated and checked."""

    of: _Open
    ended: Ended
    texts: list[str] = field(default_factory=list)
    claims: list[str] | None = None  # None: they are being stated
    asked: dict[SequenceId, str] = field(default_factory=dict)  # for the probability of a claim
    reasoning: SequenceId | None = None
    thoughts: list[bool | None] = field(default_factory=list)
    claim_tokens: int = 0
    think_tokens: int = 0


class _Filling:
    def __init__(self, model: Model, jobs: Sequence[Job], options: Options, claims: int, thinking: bool) -> None:
        self._model, self._options, self._claims, self._thinking = model, options, claims, thinking
        self._ahead = list(jobs)[::-1]
        self._open: dict[str, _Open] = {}
        self._checking: dict[SequenceId, _Checking] = {}
        self._tokens = 0
        self._wanted: dict[str, int] = {}
        for job in jobs:
            self._wanted[job.problem.id] = self._wanted.get(job.problem.id, 0) + 1
        for problem in {job.problem.id: job.problem for job in jobs}.values():
            self._budget(problem, self._asking(problem))  # rather now than in the middle of the night

    def entries(self) -> Iterator[Entry | Stepped]:
        while self._ahead or self._open:
            while self._ahead and self._running < self._model.places:
                self._start(self._ahead.pop())
            yield from self._take(self._model.engine.step())
            yield Stepped(self._tokens)

    def close(self) -> None:
        for each in self._open.values():
            each.sampling.close()
        for sequence in self._checking:
            self._model.engine.abort(sequence)

    @property
    def _running(self) -> int:
        return sum(each.sampling.running for each in self._open.values()) + len(self._checking)

    def _asking(self, problem: Problem) -> Asking:
        return Asking(problem.asked, self._model, self._options, self._claims)

    def _budget(self, problem: Problem, asking: Asking) -> Budget:
        wanted, prompt = self._options.max_tokens or self._model.spec.max_tokens, self._model.encode(problem.asked)
        try:
            return Budget.of(wanted, self._model, len(prompt), asking.room if self._claims else 0)
        except UsageError as error:
            raise UsageError(f"Problem {problem.id}: {error}") from None

    def _start(self, job: Job) -> None:
        problem = job.problem
        if problem.id not in self._open:
            asking, prompt = self._asking(problem), self._model.encode(problem.asked)
            sampling = Sampling(self._model, self._options, prompt, self._budget(problem, asking))
            self._open[problem.id] = _Open(problem, sampling, asking, self._wanted[problem.id])
        seed = seed_of(self._options.seed, problem.id, job.index)
        self._open[problem.id].sampling.start(job.index, seed)

    def _take(self, outputs: list[StepOutput]) -> Iterator[Entry]:
        self._tokens += sum(output.token is not None for output in outputs)
        for each in list(self._open.values()):
            before = len(each.sampling.finished)
            for _ in each.sampling.take(outputs):
                pass  # what is written matters to nobody before its end
            for ended in each.sampling.finished[before:]:
                yield from self._ended(each, ended)
        for output in outputs:
            if checking := self._checking.get(output.sequence):
                yield from self._check(checking, output)

    def _ended(self, of: _Open, ended: Ended) -> Iterator[Entry]:
        """A trajectory has ended: ask for its claims."""
        checking = _Checking(of, ended)
        if self._claims and ended.trajectory.answer is not None:
            self._checking[of.asking.state(ended)] = checking
        else:
            yield self._entry(checking)

    def _check(self, checking: _Checking, output: StepOutput) -> Iterator[Entry]:
        """Take what came of a question about a trajectory's claims, and ask the next."""
        sequence, asking = output.sequence, checking.of.asking
        if checking.claims is None:
            checking.claim_tokens += output.token is not None
            checking.texts.append(output.text)
        elif sequence == checking.reasoning:
            checking.think_tokens += output.token is not None
            checking.texts.append(output.text)
        elif output.scores is not None:
            checking.of.scores[checking.asked[sequence]] = asking.scored(output.scores)
        if not output.end:
            return
        del self._checking[sequence]
        self._model.engine.abort(sequence)
        if checking.claims is None:
            checking.claims = asking.stated("".join(checking.texts))
            checking.texts = []
            self._ask(checking)
        elif sequence == checking.reasoning:
            checking.thoughts = asking.reasoned("".join(checking.texts), len(checking.claims))
        if checking not in self._checking.values():
            yield self._entry(checking)

    def _ask(self, checking: _Checking) -> None:
        """Ask for verdicts on claims that were stated."""
        asking, claims = checking.of.asking, checking.claims or []
        for claim in claims:
            if claim not in checking.of.scores:
                name = asking.score(claim)
                checking.asked[name] = claim
                self._checking[name] = checking
        if self._thinking and claims:
            checking.reasoning = asking.reason(claims, checking.ended.trajectory.seed, THINK_TOKENS)
            if checking.reasoning is not None:
                self._checking[checking.reasoning] = checking

    def _entry(self, checking: _Checking) -> Entry:
        of, ended, trajectory = checking.of, checking.ended, checking.ended.trajectory
        if ended.sequence is not None:
            self._model.engine.abort(ended.sequence)
        of.left -= 1
        if not of.left:
            del self._open[of.problem.id]
        thoughts = checking.thoughts or [None] * len(checking.claims or [])
        claims = [
            _checked(claim, of.scores.get(claim), thought)
            for claim, thought in zip(checking.claims or [], thoughts, strict=True)
        ]
        read = of.asking.read_tokens(checking.claims, together=self._thinking) if checking.claims is not None else 0
        return Entry(
            id=of.problem.id,
            index=ended.index,
            seed=trajectory.seed,
            tokens=trajectory.tokens,
            finish=trajectory.finish,
            answer=trajectory.answer,
            text=trajectory.text,
            reasoning=trajectory.reasoning,
            mean_logprob=trajectory.mean_logprob,
            claims=tuple(claims),
            claim_tokens=checking.claim_tokens,
            think_tokens=checking.think_tokens,
            read_tokens=read,
        )


def _checked(claim: str, p: float | None, thought: bool | None) -> Checked:
    found = arithmetic.check(claim)
    holds, evidence = found if found else (None, None)
    return Checked(claim, p, holds, None if holds else evidence, thought)
