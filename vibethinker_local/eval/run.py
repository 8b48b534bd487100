"""Fills a bank: trajectories of many problems in one engine, then the claims of each, then verdicts on them.

A trajectory's seed follows from the run's seed, the problem's id and the index alone, so that what is in a bank does
not depend on the order in which it was made. (Which others were in the same batch can still change the last bits of
the model's arithmetic, and so, now and then, a token.) Claims are stated and checked by `solving.claims`, as in a pass.
"""

import hashlib
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from vibethinker_local import sandbox
from vibethinker_local.code import task
from vibethinker_local.engine import StepOutput
from vibethinker_local.errors import SandboxError, UsageError
from vibethinker_local.eval.bank import Bank, Entry, Ran
from vibethinker_local.eval.problems import Problem
from vibethinker_local.events import Claimed, Options
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.model import Model
from vibethinker_local.sandbox import Outcome, Sandbox
from vibethinker_local.solving.claims import Checks, Claims, parting
from vibethinker_local.solving.code_vote import Programs
from vibethinker_local.solving.computed import Computing
from vibethinker_local.solving.sampling import Budget, Ended, Sampling

LONGEST = 200  # characters of an outcome that are kept
THINK_TOKENS = 4096  # for reasoning about the claims of one trajectory


@dataclass(frozen=True)
class SampleJob:
    """One trajectory to be sampled."""

    problem: Problem
    index: int
    seed: int
    known: tuple[str, ...] = ()  # answers of the problem's trajectories that the bank has


@dataclass(frozen=True)
class Stepped:
    """The engine has made a step."""

    tokens: int  # generated since the run began


def jobs(problems: Sequence[Problem], samples: int, bank: Bank | None, seed: int) -> list[SampleJob]:
    """The trajectories that a bank lacks, if it is to have `samples` of each problem."""
    known = bank.entries if bank else {}
    answers = dict[str, tuple[str, ...]]()
    for entry in known.values():
        if entry.answer is not None:
            answers[entry.id] = (*answers.get(entry.id, ()), entry.answer)
    missing = ((problem, index) for problem in problems for index in range(samples))
    missing = (each for each in missing if (each[0].id, each[1]) not in known)
    return [
        SampleJob(problem, index, seed_of(seed, problem.id, index), answers.get(problem.id, ()))
        for problem, index in missing
    ]


def seed_of(seed: int, problem: str, index: int) -> int:
    """A trajectory's seed, below 2**53 so that every JSON reader keeps it exactly."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{problem}\0{index}".encode()).digest()[:8], "big") >> 11


def fill(
    model: Model,
    jobs: Sequence[SampleJob],
    options: Options,
    claims: int,
    *,
    thinking: bool = False,
    stated: bool = False,
    programs: float = 0.0,
) -> Generator[Entry | Stepped, None, None]:
    """Sample the jobs, as many at a time as the model has places; yields each entry as soon as it is complete.

    `claims` is M; with 0 none are asked for, and none of programs. They are asked for where the answers to a problem
    differ, once all its trajectories have ended: claims cannot change a vote that is unanimous. With `stated` the model
    states some in any case, else only where a solution makes too few of its own, as in a pass. `programs` is the share
    of trajectories that are programs which print the answer. Programs are run as they end. Raises UsageError if a
    problem does not fit into the context, and SandboxError if there are programs that cannot be run.
    """
    checks = Checks(extract=True, state=stated, refuted_too=True)
    filling = _Filling(model, jobs, options, claims, checks, thinking, programs)
    try:
        yield from filling.entries()
    finally:
        filling.close()


@dataclass(eq=False)
class _Open:
    """A problem some of whose trajectories are running."""

    problem: Problem
    sampling: Sampling
    claims: Claims
    missing: int  # jobs that are not entries yet
    coming: int  # jobs that have not ended yet
    known: tuple[str, ...]  # answers that the bank has
    programs: Programs | None = None  # of a code problem
    computing: Computing | None = None  # of another, where some trajectories are programs
    running: list[Ended] = field(default_factory=list)  # trajectories that wait for inputs of their programs
    waiting: list[Ended] = field(default_factory=list)  # trajectories with an answer that wait for the others to end
    checking: dict[int, Ended] = field(default_factory=dict)  # trajectories whose claims are being checked, by index
    checked: int = 0  # how many they are, or were

    @property
    def contested(self) -> bool:
        """Whether the answers differ: as texts, for what is the same beyond that takes long to tell."""
        answers = [*self.known, *(ended.trajectory.answer or "" for ended in self.waiting)]
        return len(set(map(_without_spaces, answers))) > 1


class _Filling:
    def __init__(
        self,
        model: Model,
        jobs: Sequence[SampleJob],
        options: Options,
        claims: int,
        checks: Checks,
        thinking: bool,
        programs: float,
    ) -> None:
        self._model, self._options, self._count, self._thinking = model, options, claims, thinking
        self._checks = checks
        self._ahead = list(jobs)[::-1]
        self._open: dict[str, _Open] = {}
        self._tokens = 0
        coding = any(job.problem.kind == "code" for job in jobs)
        if coding and programs:
            raise UsageError("--programs is for problems whose answer is not a program itself: leave it out.")
        self._programs = programs
        self._runner: Sandbox | None = sandbox.open() if coding or programs else None
        self._wanted = Counter(job.problem.id for job in jobs)
        for problem in {job.problem.id: job.problem for job in jobs}.values():
            self._budget(problem, self._claims(problem))  # fails now if a problem is too long, not hours later

    def entries(self) -> Iterator[Entry | Stepped]:
        while self._ahead or self._open:
            while self._ahead and self._running < self._model.places:
                self._start(self._ahead.pop())
            yield from self._take(self._model.engine.step())
            yield Stepped(self._tokens)

    def close(self) -> None:
        for each in self._open.values():
            each.sampling.close()
            each.claims.close()
            if each.programs:
                each.programs.release()
        if self._runner:
            self._runner.close()

    @property
    def _running(self) -> int:
        running = sum(each.sampling.running + each.claims.running for each in self._open.values())
        return running + sum(each.programs.asking for each in self._open.values() if each.programs)

    def _claims(self, problem: Problem) -> Claims:
        return Claims(problem.asked, self._model, self._options, self._count, self._checks)

    def _budget(self, problem: Problem, claims: Claims) -> Budget:
        wanted, prompt = self._options.max_tokens or self._model.spec.max_tokens, len(self._prompt(problem))
        if computing := self._computing(problem):
            prompt = max(prompt, len(computing.prompt))
        try:
            return Budget.of(wanted, self._model, prompt, claims.context if self._count else 0)
        except UsageError as error:
            raise UsageError(f"Problem {problem.id}: {error}") from None

    def _prompt(self, problem: Problem) -> list[int]:
        if problem.kind == "instructions":  # as they stand: the way they are put is what is to be followed
            return self._model.encode_chat([{"role": "user", "content": problem.problem}], self._options.think)
        return self._model.encode(problem.asked, kind=problem.asked_as, think=self._options.think)

    def _computing(self, problem: Problem) -> Computing | None:
        if not self._programs or self._runner is None:
            return None
        return Computing(self._model.encode_chat(prompts.compute(problem.asked)), self._runner, self._programs)

    def _start(self, job: SampleJob) -> None:
        problem = job.problem
        if problem.id not in self._open:
            claims, prompt = self._claims(problem), self._prompt(problem)
            asked = task.read(problem.asked, surely=True) if problem.kind == "code" else None
            free = problem.kind == "instructions"  # no answer is looked for
            budget, computing = self._budget(problem, claims), self._computing(problem)
            sampling = Sampling(
                self._model,
                self._options,
                prompt,
                budget,
                talk=free,
                asks=not free,
                task=asked,
                computing=computing,
            )
            programs = None
            if asked:
                programs = Programs(problem.asked, asked, self._model, self._options, self._runner)
                programs.ask()
            wanted = self._wanted[problem.id]
            self._open[problem.id] = _Open(problem, sampling, claims, wanted, wanted, job.known, programs, computing)
        self._open[problem.id].sampling.start(job.index, job.seed)

    def _take(self, outputs: list[StepOutput]) -> Iterator[Entry]:
        self._tokens += sum(output.token is not None for output in outputs)
        for each in list(self._open.values()):
            before = len(each.sampling.finished)
            for _ in each.sampling.take(outputs):
                pass  # nobody needs the text before it is complete
            for event in each.claims.take(outputs):
                if self._thinking and isinstance(event, Claimed):
                    each.claims.reason(event.index, THINK_TOKENS)
            if each.programs:
                each.programs.take(outputs)
            for ended in each.sampling.finished[before:]:
                each.coming -= 1
                if each.programs:
                    each.programs.add(ended.index, ended.trajectory.text)
                    each.running.append(ended)
                elif self._count and ended.trajectory.answer is not None and each.problem.kind != "instructions":
                    each.waiting.append(ended)
                else:
                    yield self._entry(each, ended)
            if each.waiting and not each.coming:
                if each.contested:
                    each.checking = {e.index: e for e in each.waiting if e.trajectory.kind == "reasoned"}
                    each.checked = len(each.checking)
                    best = _best_two(each.checking.values())
                    first = _cruxes(each, best)
                    for ended in sorted(each.checking.values(), key=lambda e: (e.index not in first, e.index)):
                        each.claims.state(ended, first.get(ended.index))
                    if len(best) == 2:
                        each.claims.compare(best[0][0], best[1][0])
                for ended in each.waiting:
                    if ended.index not in each.checking:
                        yield self._entry(each, ended)
                each.waiting = []
            while each.running and each.programs and not each.programs.asking:
                yield self._entry(each, each.running.pop(0))
            for index in [index for index in each.checking if each.claims.done(index)]:
                yield self._entry(each, each.checking.pop(index))

    def _entry(self, of: _Open, ended: Ended) -> Entry:
        """The bank's entry of a trajectory. Frees its KV cells. Raises SandboxError for a program that was not run."""
        if of.computing and of.computing.note:
            raise SandboxError(of.computing.note)
        if ended.sequence is not None:
            self._model.engine.abort(ended.sequence)
        of.missing -= 1
        if not of.missing:
            self._open.pop(of.problem.id).sampling.close()
        trajectory, stated = ended.trajectory, of.claims.of(ended.index)
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
            signals=trajectory.signals,
            kind=trajectory.kind,
            printed=trajectory.printed,
            claims=tuple(c for c in (*(stated.claims or ()), *stated.dropped) if c.source == "stated"),
            extracted=tuple(c for c in stated.claims or () if c.source == "extracted"),
            known=of.claims.yardstick.known,
            pairs=of.claims.pairs,
            claim_tokens=stated.claim_tokens,
            think_tokens=stated.think_tokens,
            ran=_ran(of, ended.index),
            read_tokens=self._read_tokens(of, ended.index) if stated.claims is not None else 0,
        )

    def _read_tokens(self, of: _Open, index: int) -> int:
        """Of the prompts about a trajectory's claims, with its share of those that the problem's verdicts are measured
        by."""
        return of.claims.read_tokens(index, together=self._thinking) + of.claims.measuring_tokens // of.checked


def _without_spaces(answer: str) -> str:
    """What answers are told apart by here: as texts."""
    return "".join(answer.split())


def _best_two(ended: Iterable[Ended]) -> list[list[Ended]]:
    """The trajectories of each of the two answers with the most votes, by their texts."""
    votes = dict[str, list[Ended]]()
    for each in sorted(ended, key=lambda each: each.index):
        votes.setdefault(_without_spaces(each.trajectory.answer or ""), []).append(each)
    return sorted(votes.values(), key=len, reverse=True)[:2]


def _cruxes(of: _Open, best: Sequence[Sequence[Ended]]) -> dict[int, str]:
    """By trajectory, the step that the two best answers part at; empty where they show none."""
    if len(best) < 2:
        return {}
    one, other = ([ended.index for ended in members] for members in best)
    sides = parting(of.checking.values(), one, other, of.problem.asked) or ()
    return {member: side.claim for side in sides for member in side.members}


def _ran(of: _Open, index: int) -> Ran | None:
    """What came of a program. Raises SandboxError."""
    programs, tested = of.programs, of.problem.program
    if programs is None or tested is None:
        return None
    if programs.note:
        raise SandboxError(programs.note)
    return Ran(
        right=programs.tests(index, tested.setup, tested.test),
        examples=len(programs.task.examples),
        passed=programs.passed(index),
        outcomes=tuple(map(_told, programs.outcomes(index))),
        assertions=programs.assertions,
        held=programs.held(index),
        ask_tokens=programs.tokens,
    )


def _told(outcome: Outcome) -> str:
    """An outcome in a few letters, the same for equal ones."""
    if not outcome.finished:
        return f"!{outcome.limit or outcome.exception}"
    text = outcome.value if outcome.value is not None else " ".join(outcome.stdout.split())
    return text if len(text) <= LONGEST else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
