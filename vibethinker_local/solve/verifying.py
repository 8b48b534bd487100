"""Claims and verdicts: what trajectories rest on, stated by the model and checked by arithmetic and by the model.

Drives an engine; which trajectories are in question, and what a verdict is worth, is told from outside.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from vibethinker_local.engine import SequenceId, StepOutput
from vibethinker_local.errors import EngineError
from vibethinker_local.events import Claim, Claimed, Judged, Options, SolveEvent, Verdict
from vibethinker_local.reliability import arithmetic, claims, vote
from vibethinker_local.reliability.plan import Plan
from vibethinker_local.runtime.model import Model
from vibethinker_local.solve.asking import CLAIM_TOKENS, Asking
from vibethinker_local.solve.sampling import Ended


@dataclass
class Stated:
    """The claims of one trajectory, and what came out so far."""

    claims: list[Claim] = field(default_factory=list)
    reasoned: bool = False  # its verdicts came out of reasoning, or were to

    @property
    def checked(self) -> bool:
        return all(claim.verdict for claim in self.claims)


class Verifying:
    def __init__(
        self, problem: str, model: Model, options: Options, plan: Plan, *, interrupted: Callable[[], bool]
    ) -> None:
        self._model, self._options, self._plan = model, options, plan
        self._interrupted = interrupted
        self._asking = Asking(problem, model, options, plan.claims)
        self._open: set[SequenceId] = set()
        self.stated: dict[int, Stated] = {}  # by the trajectory's index
        self.tokens = 0  # generated

    @property
    def room(self) -> int:
        """Tokens of context that a trajectory's claims need behind it."""
        return self._asking.room if self._plan.checks_claims else 0

    def standings(self) -> dict[int, float]:
        """The share of claims that stand, of each trajectory whose claims were all checked."""
        checked = ((index, stated) for index, stated in self.stated.items() if stated.checked)
        return {index: vote.standing(stated.claims, self._plan.claims) for index, stated in checked}

    def close(self) -> None:
        """Give back what the engine holds."""
        with suppress(EngineError):
            for sequence in self._open:
                self._model.engine.abort(sequence)

    def state(self, trajectories: Iterable[Ended]) -> Iterator[SolveEvent]:
        """A second turn on each trajectory's resident KV: its claims."""
        texts = {self._asking.state(ended): (ended.index, list[str]()) for ended in trajectories}
        for output in self._outputs(set(texts)):
            index, pieces = texts[output.sequence]
            pieces.append(output.text)
            if output.end:
                self.stated[index] = Stated([Claim(text) for text in self._asking.stated("".join(pieces))])
                yield Claimed(index, tuple(self.stated[index].claims))

    def check(self, in_question: Callable[[], int | None]) -> Iterator[SolveEvent]:
        """Verdicts on all claims; by reasoning too, as long as `in_question` names a trajectory."""
        plan = self._plan
        if plan.mode != "published":
            yield from self._check_by_arithmetic()
        if plan.verdicts == "think":
            yield from self._reason(sorted(self.stated), plan.think_tokens or CLAIM_TOKENS * plan.claims * plan.samples)
            return
        yield from self._score()
        left = plan.think_tokens
        while left > 0 and not self._interrupted() and (index := in_question()) is not None:
            before = self.tokens
            yield from self._reason([index], left)
            left -= max(1, self.tokens - before)

    def _check_by_arithmetic(self) -> Iterator[SolveEvent]:
        """What does not add up is refuted; what does, goes to the model all the same: it need not matter."""
        for index, stated in sorted(self.stated.items()):
            for number, claim in enumerate(stated.claims):
                checked = arithmetic.check(claim.text)
                if checked and not checked[0]:
                    yield self._rule(index, number, Verdict("refuted", "arithmetic", evidence=checked[1]))

    def _score(self) -> Iterator[SolveEvent]:
        """The probability of VALID for each claim from one forward pass; the same claim is asked about once."""
        wanted: dict[str, list[tuple[int, int]]] = {}
        for index, stated in sorted(self.stated.items()):
            for number, claim in enumerate(stated.claims):
                if claim.verdict is None:
                    wanted.setdefault(claims.key(claim.text), []).append((index, number))
        asked: dict[SequenceId, str] = {}
        for same, ((index, number), *_) in wanted.items():
            asked[self._asking.score(self.stated[index].claims[number].text)] = same
        for output in self._outputs(set(asked)):
            if output.scores:
                p = self._asking.scored(output.scores)
                verdict = Verdict("supported" if p >= self._plan.threshold else "refuted", "model", p)
                for index, number in wanted[asked[output.sequence]]:
                    yield self._rule(index, number, verdict)

    def _reason(self, indices: list[int], tokens: int) -> Iterator[SolveEvent]:
        """The paper's way: verdicts on all claims of a trajectory at the end of reasoning about them."""
        asked: dict[SequenceId, tuple[int, list[str]]] = {}
        for index in indices:
            stated = self.stated[index]
            stated.reasoned = True
            about, seed = [claim.text for claim in stated.claims], self._options.seed + index
            if about and (name := self._asking.reason(about, seed, tokens // len(indices))) is not None:
                asked[name] = index, []
        for output in self._outputs(set(asked)):
            index, pieces = asked[output.sequence]
            pieces.append(output.text)
            if output.end:
                stated = self.stated[index]
                for number, valid in enumerate(self._asking.reasoned("".join(pieces), len(stated.claims))):
                    known = stated.claims[number].verdict
                    if known and known.method == "arithmetic":
                        continue
                    if valid is not None:
                        yield self._rule(index, number, Verdict("supported" if valid else "refuted", "model"))
                    elif known is None:  # unreadable: not refuted
                        yield self._rule(index, number, Verdict("undecided", "model"))

    def _rule(self, index: int, number: int, verdict: Verdict) -> Judged:
        stated = self.stated[index].claims
        stated[number] = replace(stated[number], verdict=verdict)
        return Judged(index, number, verdict)

    def _outputs(self, sequences: set[SequenceId]) -> Iterator[StepOutput]:
        """What some Sequences put out until they have all ended, or the run is over."""
        engine = self._model.engine
        self._open |= sequences
        waiting = set(sequences)
        while waiting and not self._interrupted():
            for output in engine.step():
                if output.sequence in waiting:
                    self.tokens += output.token is not None or output.scores is not None
                    if output.end:
                        waiting.discard(output.sequence)
                        self._open.discard(output.sequence)
                    yield output
                    if output.end:
                        engine.abort(output.sequence)
