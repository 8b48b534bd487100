"""Claims and verdicts: what trajectories rest on, said by their solutions or stated by the model, then checked.

One protocol for everybody: `solve -r` drives it to a decision, `vibe eval run` over a whole bank. Like Sampling, it
adds Sequences to an engine and is handed what the engine puts out; it never steps the engine itself.

    extract, state ─→ arithmetic ─→ score: p(VALID) in one forward pass, each claim once a problem, by its yardstick
    publish            └──────────→ reason: about all claims of a trajectory in one reply
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from vibethinker_local.engine import SamplingParams, SequenceId, StepOutput
from vibethinker_local.errors import EngineError
from vibethinker_local.events import Claim, Claimed, Judged, Options, Verdict
from vibethinker_local.reliability import arithmetic, claims, crux, rulings, statements, vote, yardstick
from vibethinker_local.reliability.claims import CheckedClaim, Pairing
from vibethinker_local.reliability.yardstick import Yardstick
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.model import Model
from vibethinker_local.solving.sampling import Ended

CLAIM_TOKENS = 256  # for one trajectory's claims
RULING_TOKENS = 12  # for the line of one verdict, where reasoning had to be closed
MOST_REASONING = 8000  # characters of it, from its end, that are searched for steps
ENOUGH = 2  # claims of a solution's own; with fewer, the model is asked to state some


@dataclass(frozen=True)
class Checks:
    """Where claims come from, and how they are checked as soon as they are there."""

    extract: bool = False  # what a solution itself says; the model states claims only where that is not ENOUGH
    state: bool = False  # with `extract`: the model states claims in any case
    ask: bool = True  # False: the model states none at all, and what arithmetic cannot tell is no claim
    arithmetic: bool = True
    score: bool = True
    refuted_too: bool = False  # score also what arithmetic has refuted: for a record of both


@dataclass
class Stated:
    """The claims of one trajectory, and how far their checks have come."""

    seed: int = 0  # the trajectory's
    claims: list[CheckedClaim] | None = None  # None while they are being stated
    extracted: list[CheckedClaim] = field(default_factory=list)  # those of its own, before the model states others
    dropped: list[CheckedClaim] = field(default_factory=list)  # what was stated and claims nothing
    reasoned: bool = False
    claim_tokens: int = 0  # generated, to state them
    think_tokens: int = 0  # generated, to reason about them
    questions: int = 0  # that the engine still works on


@dataclass
class _Reply:
    """A text that the model is writing about one trajectory's claims."""

    index: int
    pieces: list[str] = field(default_factory=list)
    closing: tuple[int, ...] = ()  # tokens that end its reasoning by force, once


class Claims:
    """The claims of the trajectories of one problem."""

    def __init__(self, problem: str, model: Model, options: Options, count: int, checks: Checks) -> None:
        """`count` claims are wanted of each trajectory, from each source."""
        self._problem, self._model, self._options = problem, model, options
        self._count, self._checks = count, checks
        self.tokens = 0  # generated; a score counts as one
        self._stated: dict[int, Stated] = {}  # by the trajectory's index
        self._stating: dict[SequenceId, _Reply] = {}
        self._scoring: dict[SequenceId, str] = {}  # the claim's key
        self._measuring: dict[SequenceId, str] = {}  # the known statement
        self._reasoning: dict[SequenceId, _Reply] = {}
        self._scores: dict[str, float | None] = {}  # by key; None while the engine works on it
        self._same: dict[str, list[tuple[int, int]]] = {}  # where a claim was stated: (trajectory, number)
        self._comparing: dict[SequenceId, tuple[int, int]] = {}  # (shown first, shown second)
        self._preferred: dict[tuple[int, int], float] = {}  # probability of the one shown first
        self._yardstick: Yardstick | None = None  # None until the first claim is scored
        self._ready: list[Claimed | Judged] = []  # events that nobody has taken yet

    # What is asked

    def state(self, ended: Ended, first: str | None = None) -> None:
        """Find a trajectory's claims: in its visible text, or in a second turn on its resident KV, as `checks` says.

        The step that is to be checked `first` comes first, in the solution's own words, and once.
        """
        index = ended.index
        stated = self._stated[index] = Stated(ended.trajectory.seed)
        if not self._checks.ask:
            equations = arithmetic.told(ended.trajectory.text, self._problem)
            self._check(index, [_calculated(*each) for each in equations])
            return
        texts = statements.extracted(ended.trajectory.text, self._problem, self._count) if self._checks.extract else []
        if first:
            step = crux.step_of(first)
            others = [text for text in texts if not step.same(crux.step_of(text))]
            texts = [_own_words(ended, step, self._problem), *others][: self._count]
        own = [CheckedClaim(text, source="extracted") for text in texts]
        if len(own) >= ENOUGH and not self._checks.state:
            self._check(index, own)
            return
        if self._checks.state:
            stated.extracted = own
        params = self._params(ended.trajectory.seed, CLAIM_TOKENS, prompts.claims_grammar(self._count))
        name = self._model.engine.add([*ended.tokens, *self._turn], params, parent=ended.sequence)
        self._stating[name] = _Reply(index)
        stated.questions += 1

    def publish(self, ended: Ended, texts: Sequence[str]) -> None:
        """Take a trajectory's claims from its own reply, as the published method has them; an empty one is missing."""
        self._stated[ended.index] = Stated(ended.trajectory.seed)
        self._check(ended.index, [CheckedClaim(text, source="published") for text in texts])

    def reason(self, index: int, most: int, *, published: bool = False) -> None:
        """Have the model reason about all claims of a trajectory, in at most so many tokens, before it judges them;
        in the published method's words, or in ours. With ours, a thought that the tokens run out in is closed by force.

        Does nothing where the context has no room for it.
        """
        stated = self._stated[index]
        stated.reasoned = True
        texts = [claim.text for claim in stated.claims or []]
        prompt = self._model.encode_chat((prompts.falsify if published else prompts.judge)(self._problem, texts))
        most = min(most, self._model.context - len(prompt))
        closed = prompts.close_reasoning(self._model.tags[1]) + prompts.FIRST_VERDICT.rstrip()
        closing = () if published else tuple(self._model.backend.tokenize(closed, special=True))
        reserve = len(closing) + RULING_TOKENS * len(texts) if closing else 0
        if reserve > most // 2:
            closing, reserve = (), 0
        if any(texts) and most > 0:
            name = self._model.engine.add(prompt, self._params(stated.seed, most - reserve, reserve=reserve))
            self._reasoning[name] = _Reply(index, closing=closing)
            stated.questions += 1

    def compare(self, one: Ended, other: Ended) -> None:
        """Ask in both orders which of two solutions is right; does nothing where the context has no room for them."""
        for first, second in ((one, other), (other, one)):
            asked = prompts.pair(self._problem, first.trajectory.text, second.trajectory.text)
            prompt = [*self._model.encode_chat(asked), *self._pair_labels[0]]
            if len(prompt) < self._model.context:
                self._comparing[self._model.engine.score(prompt, self._pair_labels[1])] = first.index, second.index

    def _score(self, index: int, number: int, text: str) -> Verdict | None:
        """Ask for the probability that a claim is VALID, unless that was done: then the verdict is known."""
        if self._yardstick is None:
            self._yardstick = yardstick.of(self._problem)
            for known in self._yardstick.known:
                self._measuring[self._probability(known.text)] = known.text
        key = statements.key(text)
        self._same.setdefault(key, []).append((index, number))
        if key not in self._scores:
            self._scores[key] = None
            self._scoring[self._probability(text)] = key
        known_p = self._scores[key]
        if known_p is None:
            self._stated[index].questions += 1
            return None
        return self._found(index, number, p=known_p)

    def _probability(self, text: str) -> SequenceId:
        prompt = self._model.encode_chat(prompts.judge(self._problem, [text]))
        opening, labels = self._labels
        return self._model.engine.score([*prompt, *opening], labels)

    # What comes of it

    def take(self, outputs: Iterable[StepOutput]) -> Iterator[Claimed | Judged]:
        """What the engine put out, as events; claims that are there are checked, as far as `checks` says."""
        for output in outputs:
            name = output.sequence
            if name in self._scoring or name in self._measuring:
                if output.scores:
                    self.tokens += 1
                    p = _probability(output.scores)
                    if name in self._scoring:
                        self._scored(self._scoring[name], p)
                    else:
                        self._measured(self._measuring.pop(name), p)
            elif name in self._comparing:
                if output.scores:
                    self.tokens += 1
                    self._preferred[self._comparing[name]] = _probability(output.scores)
            elif reply := self._stating.get(name) or self._reasoning.get(name):
                self.tokens += output.token is not None
                reply.pieces.append(output.text)
                stated = self._stated[reply.index]
                if name in self._stating:
                    stated.claim_tokens += output.token is not None
                else:
                    stated.think_tokens += output.token is not None
                if output.end == "length" and reply.closing and not self._model.visible("".join(reply.pieces)):
                    left = RULING_TOKENS * len(stated.claims or [])
                    self._model.engine.force(name, reply.closing, then=left)
                    reply.closing = ()
                    continue
                if output.end:
                    stated.questions -= 1
                    (self._read_claims if name in self._stating else self._read_verdicts)(reply)
            else:
                continue
            if output.end:
                for asked in self._asked:
                    asked.pop(name, None)
                self._model.engine.abort(name)
        ready, self._ready = self._ready, []
        yield from ready

    def _read_claims(self, reply: _Reply) -> None:
        stated = self._stated[reply.index]
        found = list[CheckedClaim]()
        for text in claims.parse("".join(reply.pieces), self._count):
            asked = prompts.claims(self._count, self._model.spec.prompts)
            echoed = statements.says(asked, text)  # a small model may repeat what it was asked
            dropped = "instruction" if echoed else statements.not_a_claim(text, self._problem)
            (stated.dropped if dropped else found).append(CheckedClaim(text, dropped=dropped))
        self._check(reply.index, [*stated.extracted, *found])

    def _check(self, index: int, found: list[CheckedClaim]) -> None:
        """Begin to check a trajectory's claims, now that they are known."""
        self._stated[index].claims = found
        self._ready.append(Claimed(index, tuple(Claim(claim.text, source=claim.source) for claim in found)))
        for number, claim in enumerate(list(found)):
            verdict, scored = None, self._checks.score and claim.source != "published"
            if claim.holds is not None:
                verdict = self._verdict(index, number)
            elif self._checks.arithmetic and (checked := arithmetic.check(claim.text)):
                holds, evidence = checked
                verdict = self._found(index, number, holds=holds, evidence=None if holds else evidence)
            if scored and (verdict is None or self._checks.refuted_too):
                verdict = self._score(index, number, claim.text) or verdict
            if verdict:
                self._ready.append(Judged(index, number, verdict))

    def _scored(self, key: str, p: float) -> None:
        self._scores[key] = p
        for index, number in self._same[key]:
            self._stated[index].questions -= 1
            if verdict := self._found(index, number, p=p):
                self._ready.append(Judged(index, number, verdict))

    def _measured(self, text: str, p: float) -> None:
        """A known statement was judged; with the last of them, all verdicts that were waiting are there."""
        assert self._yardstick
        self._yardstick = self._yardstick.with_verdict(text, p)
        if self._measuring:
            return
        for index in self.indices:
            for number, claim in enumerate(self._stated[index].claims or []):
                if claim.p is not None and claim.holds is not False and (verdict := self._verdict(index, number)):
                    self._ready.append(Judged(index, number, verdict))

    def _read_verdicts(self, reply: _Reply) -> None:
        stated = self._stated[reply.index].claims or []
        verdicts = rulings.parse(self._model.visible("".join(reply.pieces)), len(stated))
        for number, thought in enumerate(verdicts):
            before = self._verdict(reply.index, number, reasoned=False)
            after = self._found(reply.index, number, thought=thought)
            if after and after != before:
                self._ready.append(Judged(reply.index, number, after))

    def _found(self, index: int, number: int, **facts: float | bool | str | None) -> Verdict | None:
        """Note what came out of an attempt to refute a claim; its verdict now."""
        stated = self._stated[index]
        assert stated.claims is not None
        stated.claims[number] = replace(stated.claims[number], **facts)  # type: ignore[arg-type]
        return self._verdict(index, number)

    def _verdict(self, index: int, number: int, *, reasoned: bool | None = None) -> Verdict | None:
        stated = self._stated[index]
        assert stated.claims is not None
        claim = stated.claims[number]
        if claim.holds and not self._checks.ask:
            return Verdict("supported", "arithmetic")  # of its equations; whoever asks the model, asks about the rest
        if claim.p is not None and self._measuring and claim.holds is not False and claim.thought is None:
            return None  # nobody knows yet what its p is worth
        return claim.verdict(self.yardstick.stands_from, reasoned=stated.reasoned if reasoned is None else reasoned)

    # What is known

    @property
    def running(self) -> int:
        """Sequences that the engine works on."""
        return sum(map(len, self._asked))

    @property
    def _asked(self) -> tuple[dict[SequenceId, Any], ...]:
        """All that the engine works on, by Sequence."""
        return self._stating, self._scoring, self._measuring, self._reasoning, self._comparing

    @property
    def waiting(self) -> bool:
        """Whether there is anything to be taken yet, from the engine or from here."""
        return bool(self.running or self._ready)

    @property
    def yardstick(self) -> Yardstick:
        """What one-pass verdicts are measured by; empty until a claim was scored."""
        return self._yardstick or Yardstick(())

    @property
    def indices(self) -> list[int]:
        """The trajectories whose claims were stated, in ascending order."""
        return sorted(index for index, stated in self._stated.items() if stated.claims is not None)

    def of(self, index: int) -> Stated:
        """What is known of a trajectory's claims; nothing of one that was not asked for them."""
        return self._stated.get(index, Stated())

    def done(self, index: int) -> bool:
        """Whether the engine has nothing to do any more for a trajectory's claims."""
        return self._stated[index].questions == 0 and not self._measuring and not self._comparing

    @property
    def pairs(self) -> tuple[Pairing, ...]:
        """The comparisons that came back in both orders, each once."""
        preferred = self._preferred
        both = (pair for pair in preferred if pair[::-1] in preferred and pair[0] < pair[1])
        return tuple(Pairing(*pair, p=preferred[pair], q=1 - preferred[pair[::-1]]) for pair in both)

    def judged(self, index: int) -> tuple[Claim, ...]:
        """A trajectory's claims with their verdicts; empty if it stated none."""
        stated = self.of(index).claims or []
        return tuple(
            Claim(claim.text, self._verdict(index, number), claim.source) for number, claim in enumerate(stated)
        )

    def verdict_on(self, index: int, text: str) -> Verdict | None:
        """What came out for a trajectory's claim with this text; None if it has none, or it was not checked."""
        key = statements.key(text)
        return next((claim.verdict for claim in self.judged(index) if statements.key(claim.text) == key), None)

    @property
    def measured(self) -> bool:
        """False if p was asked for and tells nothing of this problem."""
        return not self.yardstick.known or self.yardstick.stands_from is not None

    def standings(self) -> dict[int, float]:
        """The share of claims that stand, for each trajectory whose claims were all checked."""
        judged = {index: self.judged(index) for index in self.indices}
        whole = {index: found for index, found in judged.items() if all(claim.verdict for claim in found)}
        return {index: vote.standing(found, self._wanted(found)) for index, found in whole.items()}

    def _wanted(self, found: Sequence[Claim]) -> int:
        """How many claims there should be: a solution is not asked for those that it makes itself."""
        return len(found) if found and found[0].source == "extracted" else self._count

    @property
    def tells(self) -> bool:
        """Whether the verdicts could change a vote: some claims were refuted, and some were not."""
        verdicts = [claim.verdict for index in self.indices for claim in self.judged(index) if claim.verdict]
        return len({verdict.ruling == "refuted" for verdict in verdicts}) > 1

    def close(self) -> None:
        """Give back what the engine holds. May be repeated."""
        with suppress(EngineError):
            for name in (name for asked in self._asked for name in asked):
                self._model.engine.abort(name)

    # What it costs

    @property
    def context(self) -> int:
        """Tokens of context that a trajectory's claims need behind it."""
        return len(self._turn) + CLAIM_TOKENS

    def read_tokens(self, index: int, *, together: bool) -> int:
        """Tokens of all prompts about a trajectory's claims, without the problem, which they have in common.

        `together`: with the one that reasons about all of them.
        """
        stated = self._stated[index]
        texts = [claim.text for claim in stated.claims or []]
        reasoned = self._judged_tokens(texts) - self._shared if together and texts else 0
        return (len(self._turn) if stated.claim_tokens else 0) + self._scored_tokens(texts) + reasoned

    @property
    def measuring_tokens(self) -> int:
        """The same of all prompts about the statements of the yardstick, once a problem."""
        return self._known_tokens if self._yardstick else 0

    @cached_property
    def _known_tokens(self) -> int:
        return self._scored_tokens([known.text for known in self.yardstick.known])

    def _scored_tokens(self, texts: Sequence[str]) -> int:
        return sum(self._judged_tokens([text]) + len(self._labels[0]) - self._shared for text in texts)

    def _judged_tokens(self, texts: Sequence[str]) -> int:
        return len(self._model.encode_chat(prompts.judge(self._problem, texts)))

    @cached_property
    def _turn(self) -> list[int]:
        """The user's message that asks for claims, as it follows on a trajectory."""
        return self._model.encode_turn(
            self._problem, prompts.claims(self._count, self._model.spec.prompts), self._options.kind
        )

    @cached_property
    def _shared(self) -> int:
        """Tokens with which all prompts for a verdict begin."""
        pair = (self._model.encode_chat(prompts.judge(self._problem, [claim])) for claim in "ax")
        return next(at for at, (a, b) in enumerate(zip(*pair, strict=False)) if a != b)

    @cached_property
    def _labels(self) -> tuple[list[int], tuple[int, int]]:
        """What a verdict begins with, and the token by which each label goes on from there."""
        return self._spelled(prompts.FIRST_VERDICT, prompts.LABELS)

    @cached_property
    def _pair_labels(self) -> tuple[list[int], tuple[int, int]]:
        return self._spelled("", prompts.PAIR_LABELS)

    def _spelled(self, opening: str, labels: tuple[str, str]) -> tuple[list[int], tuple[int, int]]:
        """The tokens with which a reply begins that is either of two words, at once, and those by which they differ."""
        begin = self._model.no_reasoning + opening
        spelled = [self._model.backend.tokenize(begin + label, special=True) for label in labels]
        common = next(at for at, (a, b) in enumerate(zip(*spelled, strict=False)) if a != b)
        return spelled[0][:common], (spelled[0][common], spelled[1][common])

    def _params(self, seed: int, most: int, grammar: str | None = None, reserve: int = 0) -> SamplingParams:
        return self._model.params(self._options, seed, most, reserve=reserve, grammar=grammar)


def parting(
    answered: Iterable[Ended], leading: Sequence[int], rival: Sequence[int], problem: str
) -> tuple[crux.Side, crux.Side] | None:
    """The first step on which the solutions of two answers differ, by the trajectories' indices: their crux."""
    texts = {each.index: _worked(each, problem) for each in answered if each.trajectory.kind == "reasoned"}
    one, other = ([member for member in members if member in texts] for members in (leading, rival))
    return crux.find(texts, one, other, problem)


def _own_words(ended: Ended, step: crux.Step, problem: str) -> str:
    """How a solution itself says a step."""
    own = [each.text for each in crux.steps_of(_worked(ended, problem), problem) if step.same(each)]
    return step.text if step.text in own or not own else own[0]


def _worked(ended: Ended, problem: str) -> str:
    """The text that shows how a solution goes: the visible one, with the reasoning where it has no equation."""
    trajectory = ended.trajectory
    if any(step.result is not None for step in crux.steps_of(trajectory.text, problem)):
        return trajectory.text
    return f"{trajectory.reasoning[-MOST_REASONING:]}\n{trajectory.text}"


def _calculated(text: str, holds: bool, why: str) -> CheckedClaim:
    """A claim of a solution's own that arithmetic has checked already."""
    return CheckedClaim(text, holds=holds, evidence=None if holds else why, source="extracted")


def _probability(scores: tuple[float, ...]) -> float:
    """Of the first of two labels, from their log-probabilities."""
    first, second = scores
    return 1 / (1 + math.exp(min(700.0, second - first)))
