"""The reliability pass: several trajectories, a vote, claims and the attempt to refute them, a weighted vote.

    sample ─→ decided? ─→ claims ─→ verdicts ─→ report
                 └──────────────────────────────↑

The best answer so far is there at every moment; a deadline, "answer now" and a failing engine only end the run
earlier. Knows how to drive an engine; what votes and claims are worth is `reliability`'s business.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from vibethinker_local.code import task
from vibethinker_local.engine import StepOutput
from vibethinker_local.errors import EngineError, UsageError
from vibethinker_local.events import (
    SEEDS,
    AnswerCluster,
    Contested,
    Control,
    Crux,
    CruxSide,
    Decision,
    Exchange,
    Finished,
    Options,
    Parted,
    ReliabilityReport,
    Sampled,
    Solution,
    SolveEvent,
    Started,
    Status,
    Trajectory,
    Usage,
)
from vibethinker_local.models import lengths
from vibethinker_local.reliability import answers, crux, stopping, vote
from vibethinker_local.reliability import claims as parsing
from vibethinker_local.reliability.plan import Plan
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.model import Model, fingerprint
from vibethinker_local.solving import calibration, computed
from vibethinker_local.solving import journal as journals
from vibethinker_local.solving.ballot import AnswerBallot, Ballot
from vibethinker_local.solving.claims import Checks, Claims, parting
from vibethinker_local.solving.code_vote import Programs, open_sandbox
from vibethinker_local.solving.deadline import Deadline
from vibethinker_local.solving.follow import behaved
from vibethinker_local.solving.journal import Journal, JournalEntry
from vibethinker_local.solving.sampling import Budget, Ended, Sampling, shown
from vibethinker_local.system import paths
from vibethinker_local.system.units import counted

INCOMPARABLE = "These answers cannot be compared with each other, so this is one solution and not a vote."


def solve(
    problem: str,
    model: Model,
    options: Options,
    control: Control,
    plan: Plan,
    *,
    journal: Journal | None = None,
    resumed: Sequence[JournalEntry] = (),
    earlier: Sequence[Exchange] = (),
) -> Generator[SolveEvent, None, None]:
    """Solve one problem with all that `plan` allows: events, the last of them Finished.

    Trajectories that end are added to `journal`; `resumed` ones, of an earlier run, count as sampled. Raises UsageError
    if the problem does not fit into the context, or for a mode that this model file was not prepared for, and
    SandboxError if some solutions of a maths problem are to be programs, which cannot be run.
    """
    try:
        fitted = _fitted(model, plan) if plan.mode == "fitted" else None
        run = _Pass(problem, model, options, control, plan, fitted, journal, earlier)
    except BaseException:
        if journal:
            journal.close(finished=False)
        raise
    try:
        yield from run.events(resumed)
    finally:
        run.close()


def solve_journalled(
    problem: str,
    model: Model,
    options: Options,
    control: Control,
    plan: Plan,
    *,
    resume: bool = False,
    say: Callable[[str], None] = lambda text: None,
    earlier: Sequence[Exchange] = (),
) -> Generator[SolveEvent, None, None]:
    """`solve`, with finished trajectories on disk until the run has ended.

    `resume` goes on with those of the same run, if it was cut off; `say` hears whether there is one.
    """
    key = journals.key(
        problem=problem,
        earlier=[[exchange.question, exchange.answer] for exchange in earlier],
        file=model.identity.file or model.identity.served_as,
        bytes=model.backend.info.bytes,
        prompts=model.spec.prompts,
        temperature=options.temperature,
        top_p=options.top_p,
        max_tokens=_most_tokens(model, options, plan),
        context=options.context,
        cache=options.cache,
        **({"kind": options.kind} if options.kind else {}),
        **({"programs": plan.programs, "samples": plan.samples} if plan.programs else {}),
        **({"published": plan.claims} if plan.mode == "published" else {}),
        **({"think": options.think} if options.think is not None else {}),
    )
    resumed: tuple[JournalEntry, ...] = ()
    if resume:
        cut_off = journals.cut_off(paths.runs(), key)
        if cut_off:
            seed, entries = cut_off
            resumed = tuple(entry for entry in entries if entry.index < plan.samples)
            options = replace(options, seed=seed)
            say(f"going on with seed {seed}: {counted(len(resumed), 'solution')} found")
        else:
            say("no run of this problem was cut off: starting anew")
    assert options.seed is not None, "the caller draws one"
    journal = journals.begin(paths.runs(), key, options.seed, say)
    yield from solve(problem, model, options, control, plan, journal=journal, resumed=resumed, earlier=earlier)


def _fitted(model: Model, plan: Plan) -> vote.Calibration:
    """Raises UsageError if there is no calibration for this model file, K and M."""
    calibrated = calibration.find(fingerprint(model.chosen), model.spec.prompts, plan.samples, plan.claims)
    if calibrated is None:
        raise UsageError(
            f"There is no calibration of {model.path.name} for {plan.samples} solutions with {plan.claims} claims: "
            "`vibe eval fit` makes one of a bank; --mode clr and --mode majority need none."
        )
    return calibrated.weight


def _most_tokens(model: Model, options: Options, plan: Plan) -> int:
    """That a solution may have, where the context has room for them."""
    if plan.mode == "published":
        return plan.tokens  # no cap below the context
    return min(options.max_tokens or model.spec.max_tokens, plan.tokens)


class _Pass:
    def __init__(
        self,
        problem: str,
        model: Model,
        options: Options,
        control: Control,
        plan: Plan,
        fitted: vote.Calibration | None,
        journal: Journal | None,
        earlier: Sequence[Exchange],
    ) -> None:
        self._problem, self._model, self._options = problem, model, options
        self._control, self._plan, self._journal = control, plan, journal
        assert options.seed is not None, "the caller draws one"
        self._seed = options.seed
        self._weight = vote.weight_of(plan.mode, fitted)
        self._deadline = Deadline(plan.seconds, control)
        self._stepped = 0.0  # seconds, to the end of the last step
        recent = model.recent(problem, earlier, options.kind)
        self._dropped = len(earlier) - len(recent)
        asked = task.of(problem, options.kind)
        self._published = plan.mode == "published" and asked is None
        messages = prompts.solve(problem, recent, options.kind)
        if self._published:
            messages[-1:] = prompts.published(problem, plan.claims)
        self._prompt = model.encode_chat(messages, options.think)
        ours = not self._published
        checks = Checks(
            extract=ours,
            ask=not plan.exact,
            arithmetic=ours,
            score=ours and not plan.exact and plan.verdicts == "score",
        )
        self._crux: tuple[crux.Side, crux.Side] | None = None
        self._claims = Claims(problem, model, options, plan.claims, checks)
        asking = computed.prompt(model, problem, recent) if plan.programs and asked is None else []
        longest = max(len(self._prompt), len(asking))
        after = self._claims.context if plan.asks_for_claims and not self._published else 0
        self._budget = Budget.of(_most_tokens(model, options, plan), model, longest, after)
        self._computing = computed.opened(asking, plan.programs / plan.samples) if asking else None
        self._sampling = Sampling(model, options, self._prompt, self._budget, task=asked, computing=self._computing)
        self._code = asked is not None
        self._ballot: Ballot = (
            Programs(problem, asked, model, options, *open_sandbox()) if asked else AnswerBallot(self._deadline)
        )
        self._answered: dict[int, Ended] = {}
        self._slipped = set[int]()  # those of them that arithmetic has refuted, in the mode that asks nothing else
        self._error: str | None = None
        self._done = False  # it has come to its end
        self._decision: Decision | None = None

    def events(self, resumed: Sequence[JournalEntry]) -> Iterator[SolveEvent]:
        plan, model = self._plan, self._model
        yield Started(
            model.identity,
            self._seed,
            len(self._prompt),
            self._budget.tokens,
            model.context,
            plan.samples,
            self._dropped,
            lengths.typical(model.chosen),
        )
        try:
            for entry in resumed:
                ended = Ended(entry.index, entry.trajectory, None, entry.tokens)
                self._sampling.finished.append(ended)
                yield from self._count(ended)
            yield from self._sample(done={entry.index for entry in resumed})
            if self._decision == "all" and self._ballot.ask_apart():
                while self._ballot.asking and not self._deadline.interrupts:
                    self._ballot.take(self._step())
            if self._contested:
                yield Contested(tuple(self._ranked()), plan.claims)
                self._crux = self._parting(self._ranked())
                if self._crux:
                    yield Parted(Crux((self._side(self._crux[0]), self._side(self._crux[1]))))
                yield from self._check_claims()
        except EngineError as failure:
            self._error = str(failure)
        solution = self._solution()
        self._done = True
        yield Finished(solution)

    def close(self) -> None:
        """Free everything that a run holds, in the engine and elsewhere."""
        self._ballot.close()
        if self._computing:
            self._computing.runner.close()
        with suppress(EngineError):
            self._sampling.close()
            self._claims.close()
        if self._journal:
            self._journal.close(finished=self._done and not (self._control.stop or self._error))

    def _step(self) -> list[StepOutput]:
        outputs = self._model.engine.step()
        self._stepped = self._deadline.passed  # what is run and compared afterwards is no time of the model's
        return outputs

    # Sampling

    def _sample(self, done: set[int]) -> Iterator[SolveEvent]:
        """Sample until the vote is decided, refilling a free place as soon as one trajectory ends."""
        sampling, ballot, deadline = self._sampling, self._ballot, self._deadline
        ahead = [index for index in range(self._plan.samples) if index not in done]
        if ahead:
            ballot.ask()
        while True:
            self._decision = self._decided(coming=len(ahead) + sampling.running)
            if self._decision or deadline.over:
                break
            while ahead and self._has_place and not self._may_suffice(len(ahead)):
                if deadline.hurries and (sampling.running or sampling.finished):
                    break  # one is begun in any case: it can be asked for its answer
                index = ahead.pop(0)
                sampling.start(index, (self._seed + index) % SEEDS)
            if not sampling.running + ballot.asking:
                break
            before = len(sampling.finished)
            outputs = self._step()
            ballot.take(outputs)
            now, at_last = self._control.answer_now, deadline.at_hand and not self._answered
            yield from sampling.take(outputs, answer_now=now, time_up=deadline.near, at_last=at_last)
            for ended in sampling.finished[before:]:
                if self._journal:
                    self._journal.add(JournalEntry(ended.index, ended.trajectory, ended.tokens))
                yield from self._count(ended)
        sampling.abandon()

    def _without_claims(self, ended: Ended) -> Ended:
        """A reply of the published method with the text and the answer of its solution alone."""
        if not self._published or ended.trajectory.kind != "reasoned":
            return ended
        text, _ = parsing.published(ended.trajectory.text, self._plan.claims)
        answer = answers.extract(text, ended.trajectory.reasoning)
        return replace(ended, trajectory=replace(ended.trajectory, text=text, answer=answer))

    def _count(self, ended: Ended) -> Iterator[SolveEvent]:
        """Take a trajectory into the vote, with what arithmetic alone has to say about it, where that is all."""
        ended = self._without_claims(ended)
        index, trajectory = ended.index, ended.trajectory
        votes = trajectory.answer is not None and trajectory.finish != "aborted"
        if votes:
            self._answered[index] = ended
            self._ballot.count(index, trajectory)
        yield Sampled(index, trajectory, tuple(self._by_votes()))
        if votes and self._plan.exact and not self._code and trajectory.kind == "reasoned":
            self._claims.state(ended)
            yield from self._claims.take(())
            if any(claim.verdict and claim.verdict.ruling == "refuted" for claim in self._claims.judged(index)):
                self._slipped.add(index)

    def _decided(self, coming: int) -> Decision | None:
        """The reason why no further trajectory is needed, or None."""
        if not self._answered:
            return None
        if self._ballot.incomparable(coming):
            return "incomparable"
        if self._deadline.hurries:
            return "answer now" if self._control.answer_now else "time"
        if coming == 0:
            return None if self._ballot.asking else "all"
        if not self._plan.stopping:
            return None
        votes = self._votes
        reason = stopping.stop(votes, coming, self._likely)
        if reason == "settled" and self._plan.asks_for_claims and len(votes) > 1:
            return None  # claims may still turn the vote, and what is sampled yet may turn it further
        return reason

    def _may_suffice(self, ahead: int) -> bool:
        """Whether what is running is enough for now: nothing differs, and it decides the vote if that stays so."""
        running = self._sampling.running
        return self._plan.stopping and stopping.suffices(self._votes, running, ahead, self._likely)

    @property
    def _votes(self) -> list[int]:
        """Of each answer, the most first. A solution that calculates wrongly hardly counts, and ends no vote."""
        members = [set(cluster.members) - self._slipped for cluster in self._ballot.clusters()]
        return sorted(filter(None, map(len, members)), reverse=True)

    @property
    def _likely(self) -> float:
        """How probable it has to be that a vote stays as it is. Of programs nothing was measured that allows less."""
        return stopping.LIKELY if self._code else self._plan.likely

    @property
    def _has_place(self) -> bool:
        return self._sampling.running + self._ballot.asking < self._model.places

    @property
    def _contested(self) -> bool:
        """Whether claims are worth their tokens: they could change the answer."""
        if self._code or not self._plan.asks_for_claims:
            return False
        if self._deadline.over or not self._answered or self._decision not in ("all", None):
            return False
        return len(list(self._ballot.clusters())) > 1 or self._plan.mode == "published"

    # Claims

    def _check_claims(self) -> Iterator[SolveEvent]:
        """Verdicts on the claims of all that answered; reasoned ones too, while two answers are close."""
        claims, plan = self._claims, self._plan
        votes = [self._answered[member] for cluster in self._ballot.clusters() for member in cluster.members]
        reasoned = {ended.index for ended in votes if ended.trajectory.kind == "reasoned"}
        if self._published:
            replies = {ended.index: ended.trajectory.text for ended in self._sampling.finished}
            for index in sorted(reasoned):  # a program rests on no claims
                claims.publish(self._answered[index], parsing.published(replies[index], plan.claims)[1])
        else:
            first = {member: side.claim for side in self._crux or () for member in side.members}
            for index in sorted(reasoned, key=lambda index: (index not in first, index)):
                claims.state(self._answered[index], first.get(index))
        yield from self._until_checked()
        if plan.verdicts == "think":
            for each in claims.indices:
                claims.reason(each, plan.verdict_tokens, published=self._published)
            yield from self._until_checked()
            return
        left = plan.think_tokens
        while left > 0 and not self._deadline.interrupts and (contested := self._in_question()) is not None:
            before = claims.tokens
            claims.reason(contested, left)
            yield from self._until_checked()
            left -= max(1, claims.tokens - before)

    def _until_checked(self) -> Iterator[SolveEvent]:
        while self._claims.waiting and not self._deadline.interrupts:
            yield from self._claims.take(self._step() if self._claims.running else ())

    def _in_question(self) -> int | None:
        """The next trajectory to reason about: in the two best answers, while they are close."""
        best, claims = self._ranked()[:2], self._claims
        if len(best) < 2 or best[1].weight < best[0].weight / 2:
            return None
        members = sorted(best[0].members + best[1].members)
        return next((index for index in members if index in claims.indices and not claims.of(index).reasoned), None)

    # Where the solutions part

    def _parting(self, best: Sequence[AnswerCluster]) -> tuple[crux.Side, crux.Side] | None:
        """The first step on which the solutions of the two best answers differ."""
        if len(best) < 2 or self._code:
            return None
        return parting(self._answered.values(), best[0].members, best[1].members, self._problem)

    def _side(self, side: crux.Side) -> CruxSide:
        verdicts = (self._claims.verdict_on(index, side.claim) for index in side.members)
        return CruxSide(side.claim, side.members, next(filter(None, verdicts), None))

    # The vote

    def _weights(self) -> dict[int, float]:
        tells = self._published or self._plan.exact or self._claims.tells
        standings = self._claims.standings() if tells else {}  # where all were refuted, or none, the plain vote counts
        weights = vote.weights(standings, self._answered, self._plan.claims, self._weight)
        return weights | self._ballot.weights()

    def _ranked(self) -> list[AnswerCluster]:
        return vote.ranked(self._ballot.clusters(), self._weights(), sorted(self._answered))

    def _by_votes(self) -> list[AnswerCluster]:
        return vote.ranked(self._ballot.clusters(), dict.fromkeys(self._answered, 1.0), sorted(self._answered))

    def _solution(self) -> Solution:
        ranked, weights = self._ranked(), self._weights()
        chosen = self._chosen(ranked, weights)
        finished = sorted(map(self._without_claims, self._sampling.finished), key=lambda ended: ended.index)
        trajectories = tuple(self._finished(ended, weights) for ended in finished)
        verdicts = [claim.verdict for t in trajectories for claim in t.claims if claim.verdict]
        refuted = [verdict for verdict in verdicts if verdict.ruling == "refuted"]
        places = {ended.index: place for place, ended in enumerate(finished)}
        clusters = [replace(c, members=tuple(places[m] for m in c.members)) for c in ranked]
        by_votes = self._by_votes()
        parting = self._parting(ranked)
        status: Status = "answered" if chosen else "no_answer"
        if self._control.stop:
            status = "stopped"
        if self._error:
            status = "failed"
        incomparable = self._ballot.incomparable(coming=0)
        note = INCOMPARABLE if incomparable else None
        behaviour = self._ballot.report([ended.index for ended in finished])
        if behaviour:
            at = next((at for at, each in enumerate(finished) if each.trajectory == chosen), None)
            note = f"{INCOMPARABLE} {behaviour.note}" if incomparable else behaved(behaviour, at)
        if self._computing and self._computing.note:
            note = f"Programs were not run, and have no answer: {self._computing.note}"
        return Solution(
            problem=self._problem,
            status=status,
            model=self._model.identity,
            usage=Usage(
                len(self._prompt),
                self._sampling.tokens,
                self._stepped,
                self._claims.tokens + self._ballot.tokens,
                earlier_tokens=sum(e.trajectory.tokens for e in self._sampling.finished if e.sequence is None),
            ),
            answer=ranked[0].answer if ranked else chosen.answer if chosen else None,
            text=shown(chosen) if chosen else "",
            error=self._error,
            mode=self._plan.mode,
            trajectories=trajectories,
            seeds=tuple(t.seed for t in trajectories),
            report=ReliabilityReport(
                clusters=tuple(clusters),
                majority=by_votes[0].answer if by_votes else chosen.answer if chosen else None,
                decision=self._decision or self._ending,
                checked=len(verdicts),
                refuted=len(refuted),
                note=note,
                drawn=sum(trajectory.finish != "aborted" for trajectory in trajectories),
                answered=len(self._answered),
                dropped=len(self._answered) - sum(c.votes for c in ranked) if behaviour and ranked else 0,
                computed=sum(trajectories[m].kind == "computed" for m in clusters[0].members) if clusters else 0,
                measured=self._claims.measured,
                exact=self._plan.exact,
                by_arithmetic=sum(verdict.method == "arithmetic" for verdict in refuted),
                crux=parting and Crux((self._placed(parting[0], places), self._placed(parting[1], places))),
            ),
            behaviour=behaviour,
        )

    def _placed(self, side: crux.Side, places: Mapping[int, int]) -> CruxSide:
        """A side with positions in place of indices."""
        return replace(self._side(side), members=tuple(sorted(places[index] for index in side.members)))

    @property
    def _ending(self) -> Decision:
        """What ended a run that was not decided."""
        if self._error:
            return "failed"
        return "stopped" if self._control.stop else "time" if self._deadline.near else "all"

    def _chosen(self, ranked: list[AnswerCluster], weights: dict[int, float]) -> Trajectory | None:
        """The trajectory that is shown: of the chosen answer the weightiest, the earliest among equals; a computed one
        only if no other has that answer."""
        members = ranked[0].members if ranked else tuple(sorted(self._answered))
        if not members:
            return None
        reasoned = [index for index in members if self._answered[index].trajectory.kind == "reasoned"] or members
        return self._answered[max(reasoned, key=lambda index: (weights[index], -index))].trajectory

    def _finished(self, ended: Ended, weights: dict[int, float]) -> Trajectory:
        claims = self._claims.judged(ended.index)
        if self._claims.of(ended.index).claims is None:
            return ended.trajectory
        weight = weights[ended.index] if all(claim.verdict for claim in claims) else None
        return replace(ended.trajectory, claims=claims, reliability=weight)
