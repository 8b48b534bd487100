"""What a model is asked about claims: to state them, and to refute them. Each question is one Sequence of the engine.

Starts Sequences and reads what they have put out; who steps the engine, and what a verdict is worth, is another matter.
"""

import math
from collections.abc import Sequence
from functools import cached_property

from vibethinker_local.engine import SamplingParams, SequenceId
from vibethinker_local.events import Options
from vibethinker_local.reliability import claims
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.model import Model
from vibethinker_local.runtime.reasoning import split
from vibethinker_local.solve.sampling import Ended

CLAIM_TOKENS = 256  # of one trajectory's claims


class Asking:
    """The questions about one problem."""

    def __init__(self, problem: str, model: Model, options: Options, count: int) -> None:
        """`count` claims are asked for, of each trajectory."""
        self._problem, self._model, self._options, self._count = problem, model, options, count
        self._turn = model.encode_turn(problem, prompts.claims(count))
        self._grammar = prompts.claims_grammar(count)

    @property
    def room(self) -> int:
        """Tokens of context that a trajectory's claims need behind it."""
        return len(self._turn) + CLAIM_TOKENS

    def read_tokens(self, about: Sequence[str], *, together: bool) -> int:
        """Tokens of all questions about a trajectory's claims, without the problem, which they have in common."""
        asked = [self._judged([claim]) + len(self._verdict[0]) for claim in about]
        asked += [self._judged(about)] if together and about else []
        return len(self._turn) + sum(asked) - len(asked) * self._shared

    def state(self, ended: Ended) -> SequenceId:
        """A second turn on a trajectory's resident KV: its claims."""
        params = self._params(ended.trajectory.seed, CLAIM_TOKENS, self._grammar)
        return self._model.engine.add([*ended.tokens, *self._turn], params, parent=ended.sequence)

    def stated(self, reply: str) -> list[str]:
        return claims.parse(reply, self._count)

    def score(self, claim: str) -> SequenceId:
        """For the probability that a claim is VALID, from one forward pass."""
        prompt = self._model.encode_chat(prompts.judge(self._problem, [claim]))
        opening, labels = self._verdict
        return self._model.engine.score([*prompt, *opening], labels)

    @staticmethod
    def scored(scores: tuple[float, ...]) -> float:
        """The probability of VALID between the two labels."""
        valid, invalid = scores
        return 1 / (1 + math.exp(min(700.0, invalid - valid)))

    def reason(self, about: Sequence[str], seed: int, most: int) -> SequenceId | None:
        """The paper's way: verdicts on claims at the end of reasoning about them; None if the context has no room."""
        prompt = self._model.encode_chat(prompts.judge(self._problem, about))
        most = min(most, self._model.context - len(prompt))
        return self._model.engine.add(prompt, self._params(seed, most)) if most > 0 else None

    @staticmethod
    def reasoned(reply: str, count: int) -> list[bool | None]:
        return claims.parse_verdicts(split(reply)[1], count)

    def _judged(self, about: Sequence[str]) -> int:
        return len(self._model.encode_chat(prompts.judge(self._problem, about)))

    @cached_property
    def _shared(self) -> int:
        """Tokens that the questions for verdicts begin with, all of them."""
        pair = (self._model.encode_chat(prompts.judge(self._problem, [claim])) for claim in "ax")
        return next(at for at, (a, b) in enumerate(zip(*pair, strict=False)) if a != b)

    @cached_property
    def _verdict(self) -> tuple[list[int], tuple[int, int]]:
        """What a verdict begins with, and the token by which each label goes on from there."""
        spelled = [
            self._model.backend.tokenize(prompts.JUDGE_AT_ONCE + label, special=False) for label in prompts.LABELS
        ]
        common = next(at for at, (a, b) in enumerate(zip(*spelled, strict=False)) if a != b)
        return spelled[0][:common], (spelled[0][common], spelled[1][common])

    def _params(self, seed: int, most: int, grammar: str | None = None) -> SamplingParams:
        spec, options = self._model.spec, self._options
        return SamplingParams(
            seed=seed,
            max_tokens=most,
            temperature=spec.temperature if options.temperature is None else options.temperature,
            top_p=options.top_p or spec.top_p,
            top_k=spec.top_k,
            stop_ids=self._model.stop_ids(),
            grammar=grammar,
        )
