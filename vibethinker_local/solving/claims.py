"""Claims and verdicts: what trajectories rest on, stated by the model, then checked by arithmetic and by the model.

One protocol for everybody: `solve -r` drives it to a decision, `vibe eval run` over a whole bank. Like Sampling, it
adds Sequences to an engine and is handed what the engine puts out; it never steps the engine itself.

    state ─→ arithmetic ─→ score: p(VALID) in one forward pass, each claim once a problem
       └───────────────→ reason: the paper's way, on request
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

from vibethinker_local.engine import SamplingParams, SequenceId, StepOutput
from vibethinker_local.errors import EngineError
from vibethinker_local.events import Claim, Claimed, Judged, Options, Verdict
from vibethinker_local.reliability import arithmetic, claims, vote
from vibethinker_local.reliability.claims import CheckedClaim
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.model import Model
from vibethinker_local.runtime.reasoning import split
from vibethinker_local.solving.sampling import Ended

CLAIM_TOKENS = 256  # for one trajectory's claims


@dataclass(frozen=True)
class Checks:
    """How claims are checked as soon as they are stated."""

    arithmetic: bool = True
    score: bool = True
    refuted_too: bool = False  # score also what arithmetic has refuted: for a record of both
    threshold: float = 0.5  # p(VALID) from which a claim stands


@dataclass
class Stated:
    """The claims of one trajectory, and how far their checks have come."""

    claims: list[CheckedClaim] | None = None  # None while they are being stated
    reasoned: bool = False
    claim_tokens: int = 0  # generated, to state them
    think_tokens: int = 0  # generated, to reason about them
    questions: int = 0  # that the engine still works on


@dataclass
class _Reply:
    """A text that the model is writing about one trajectory's claims."""

    index: int
    pieces: list[str] = field(default_factory=list)


class Claims:
    """The claims of the trajectories of one problem."""

    def __init__(self, problem: str, model: Model, options: Options, count: int, checks: Checks) -> None:
        """`count` claims are asked for, of each trajectory."""
        self._problem, self._model, self._options = problem, model, options
        self._count, self._checks = count, checks
        self.tokens = 0  # generated; a score counts as one
        self._stated: dict[int, Stated] = {}  # by the trajectory's index
        self._seeds: dict[int, int] = {}
        self._stating: dict[SequenceId, _Reply] = {}
        self._scoring: dict[SequenceId, str] = {}  # the claim's key
        self._reasoning: dict[SequenceId, _Reply] = {}
        self._scores: dict[str, float | None] = {}  # by key; None while the engine works on it
        self._same: dict[str, list[tuple[int, int]]] = {}  # where a claim was stated: (trajectory, number)

    # What is asked

    def state(self, ended: Ended) -> None:
        """Have a trajectory's claims stated, in a second turn on its resident KV."""
        params = self._params(ended.trajectory.seed, CLAIM_TOKENS, prompts.claims_grammar(self._count))
        name = self._model.engine.add([*ended.tokens, *self._turn], params, parent=ended.sequence)
        self._stating[name] = _Reply(ended.index)
        self._stated[ended.index] = Stated(questions=1)
        self._seeds[ended.index] = ended.trajectory.seed

    def reason(self, index: int, most: int) -> None:
        """Have the model reason about all claims of a trajectory, in at most so many tokens, before it judges them.

        Does nothing where the context has no room for it.
        """
        stated = self._stated[index]
        stated.reasoned = True
        texts = [claim.text for claim in stated.claims or []]
        prompt = self._model.encode_chat(prompts.judge(self._problem, texts))
        most = min(most, self._model.context - len(prompt))
        if texts and most > 0:
            name = self._model.engine.add(prompt, self._params(self._seeds[index], most))
            self._reasoning[name] = _Reply(index)
            stated.questions += 1

    def _score(self, index: int, number: int, text: str) -> Verdict | None:
        """Ask for the probability that a claim is VALID, unless that was done: then the verdict is known."""
        key = claims.key(text)
        self._same.setdefault(key, []).append((index, number))
        if key not in self._scores:
            self._scores[key] = None
            prompt = self._model.encode_chat(prompts.judge(self._problem, [text]))
            opening, labels = self._labels
            self._scoring[self._model.engine.score([*prompt, *opening], labels)] = key
        known = self._scores[key]
        if known is None:
            self._stated[index].questions += 1
            return None
        return self._found(index, number, p=known)

    # What comes of it

    def take(self, outputs: Iterable[StepOutput]) -> Iterator[Claimed | Judged]:
        """What the engine put out, as events; claims that were stated are checked, as far as `checks` says."""
        for output in outputs:
            name = output.sequence
            if name in self._scoring:
                if output.scores:
                    self.tokens += 1
                    yield from self._scored(self._scoring[name], output.scores)
            elif reply := self._stating.get(name) or self._reasoning.get(name):
                self.tokens += output.token is not None
                reply.pieces.append(output.text)
                stated = self._stated[reply.index]
                if name in self._stating:
                    stated.claim_tokens += output.token is not None
                else:
                    stated.think_tokens += output.token is not None
                if output.end:
                    stated.questions -= 1
                    yield from (self._read_claims if name in self._stating else self._read_verdicts)(reply)
            else:
                continue
            if output.end:
                for asked in (self._stating, self._scoring, self._reasoning):
                    asked.pop(name, None)
                self._model.engine.abort(name)

    def _read_claims(self, reply: _Reply) -> Iterator[Claimed | Judged]:
        index, stated = reply.index, self._stated[reply.index]
        texts = claims.parse("".join(reply.pieces), self._count)
        stated.claims = [CheckedClaim(text) for text in texts]
        yield Claimed(index, tuple(Claim(text) for text in texts))
        for number, text in enumerate(texts):
            verdict = None
            if self._checks.arithmetic and (checked := arithmetic.check(text)):
                holds, evidence = checked
                verdict = self._found(index, number, holds=holds, evidence=None if holds else evidence)
            if self._checks.score and (verdict is None or self._checks.refuted_too):
                verdict = self._score(index, number, text) or verdict
            if verdict:
                yield Judged(index, number, verdict)

    def _scored(self, key: str, scores: tuple[float, ...]) -> Iterator[Judged]:
        valid, invalid = scores
        p = self._scores[key] = 1 / (1 + math.exp(min(700.0, invalid - valid)))
        for index, number in self._same[key]:
            self._stated[index].questions -= 1
            if verdict := self._found(index, number, p=p):
                yield Judged(index, number, verdict)

    def _read_verdicts(self, reply: _Reply) -> Iterator[Judged]:
        stated = self._stated[reply.index].claims or []
        verdicts = claims.parse_verdicts(split("".join(reply.pieces))[1], len(stated))
        for number, thought in enumerate(verdicts):
            before = stated[number].verdict(self._checks.threshold)
            after = self._found(reply.index, number, thought=thought)
            if after and after != before:
                yield Judged(reply.index, number, after)

    def _found(self, index: int, number: int, **facts: float | bool | str | None) -> Verdict | None:
        """Note what came out of an attempt to refute a claim; its verdict now."""
        stated = self._stated[index]
        assert stated.claims is not None
        stated.claims[number] = replace(stated.claims[number], **facts)  # type: ignore[arg-type]
        return stated.claims[number].verdict(self._checks.threshold, reasoned=stated.reasoned)

    # What is known

    @property
    def running(self) -> int:
        """Sequences that the engine works on."""
        return len(self._stating) + len(self._scoring) + len(self._reasoning)

    @property
    def indices(self) -> list[int]:
        """The trajectories whose claims were stated, in ascending order."""
        return sorted(index for index, stated in self._stated.items() if stated.claims is not None)

    def of(self, index: int) -> Stated:
        """What is known of a trajectory's claims; nothing of one that was not asked for them."""
        return self._stated.get(index, Stated())

    def done(self, index: int) -> bool:
        """Whether the engine has nothing to do any more for a trajectory's claims."""
        return self._stated[index].questions == 0

    def judged(self, index: int) -> tuple[Claim, ...]:
        """A trajectory's claims with their verdicts; empty if it stated none."""
        stated = self.of(index)
        verdict = [claim.verdict(self._checks.threshold, reasoned=stated.reasoned) for claim in stated.claims or []]
        return tuple(Claim(claim.text, ruling) for claim, ruling in zip(stated.claims or [], verdict, strict=True))

    def standings(self) -> dict[int, float]:
        """The share of claims that stand, for each trajectory whose claims were all checked."""
        judged = {index: self.judged(index) for index in self.indices}
        whole = {index: found for index, found in judged.items() if all(claim.verdict for claim in found)}
        return {index: vote.standing(found, self._count) for index, found in whole.items()}

    def close(self) -> None:
        """Give back what the engine holds. May be repeated."""
        with suppress(EngineError):
            for name in (*self._stating, *self._scoring, *self._reasoning):
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
        texts = [claim.text for claim in self._stated[index].claims or []]
        asked = [self._judged_tokens([text]) + len(self._labels[0]) for text in texts]
        asked += [self._judged_tokens(texts)] if together and texts else []
        return len(self._turn) + sum(asked) - len(asked) * self._shared

    def _judged_tokens(self, texts: Sequence[str]) -> int:
        return len(self._model.encode_chat(prompts.judge(self._problem, texts)))

    @cached_property
    def _turn(self) -> list[int]:
        """The user's message that asks for claims, as it follows on a trajectory."""
        return self._model.encode_turn(self._problem, prompts.claims(self._count), self._options.kind)

    @cached_property
    def _shared(self) -> int:
        """Tokens with which all prompts for a verdict begin."""
        pair = (self._model.encode_chat(prompts.judge(self._problem, [claim])) for claim in "ax")
        return next(at for at, (a, b) in enumerate(zip(*pair, strict=False)) if a != b)

    @cached_property
    def _labels(self) -> tuple[list[int], tuple[int, int]]:
        """What a verdict begins with, and the token by which each label goes on from there."""
        spelled = [
            self._model.backend.tokenize(prompts.JUDGE_AT_ONCE + label, special=False) for label in prompts.LABELS
        ]
        common = next(at for at, (a, b) in enumerate(zip(*spelled, strict=False)) if a != b)
        return spelled[0][:common], (spelled[0][common], spelled[1][common])

    def _params(self, seed: int, most: int, grammar: str | None = None) -> SamplingParams:
        return self._model.params(self._options, seed, most, grammar=grammar)
