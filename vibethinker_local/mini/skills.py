"""mini's three skills on held-out problems: what votes could gain, whether its claims can be parsed, how it judges.

Every figure comes with a 95% interval; where one problem gives several solutions or claims, problems are resampled.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vibethinker_local.mini.claims import PROMPTS, Fault, fault, well_formed
from vibethinker_local.mini.claims import claims as claims_of
from vibethinker_local.mini.problems import WordProblem
from vibethinker_local.mini.trajectories import SamplingJob, sample
from vibethinker_local.reliability import answers, rulings
from vibethinker_local.reliability.claims import parse
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.model import Model
from vibethinker_local.runtime.reasoning import split

CLAIMS = 5
RESAMPLED = 1000
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Solved:
    """A problem with the model's solutions."""

    problem: WordProblem
    texts: tuple[str, ...]

    @property
    def answers(self) -> list[str | None]:
        return [answers.extract(text, reasoning) for reasoning, text in map(split, self.texts)]

    @property
    def right(self) -> list[bool]:
        return [answer == str(self.problem.answer) for answer in self.answers]

    @property
    def majority_right(self) -> bool:
        """Whether the most frequent answer is right; ties go to the one that was sampled first."""
        votes = Counter(answer for answer in self.answers if answer is not None)
        return bool(votes) and votes.most_common(1)[0][0] == str(self.problem.answer)


@dataclass(frozen=True)
class StatedClaims:
    """The claims that the model states after one of its solutions."""

    problem: WordProblem
    solution: str
    reply: str

    @property
    def claims(self) -> list[str]:
        return parse(self.reply, CLAIMS)

    @property
    def readable(self) -> bool:
        return len(self.claims) == CLAIMS and all(map(well_formed, self.claims))

    @property
    def expected(self) -> list[str]:
        """The claims in the solution's own text, if there are as many."""
        said = claims_of(*split(self.solution))[:CLAIMS]
        return said if len(said) == CLAIMS else []

    @property
    def right(self) -> bool:
        """Whether the solution's answer is right."""
        reasoning, text = split(self.solution)
        return answers.extract(text, reasoning) == str(self.problem.answer)

    @property
    def faithful(self) -> bool:
        return self.claims == self.expected


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with what is wrong with it, and the model's verdict."""

    problem: int  # index
    wrong: Fault | None
    valid: float  # probability of VALID against INVALID, from one forward pass
    asked: bool  # for a verdict after reasoning
    thought: bool | None  # that verdict; None if it cannot be read


def solve(model: Model, problems: Sequence[WordProblem], each: int, seed: int) -> list[Solved]:
    """`each` solutions of each problem."""
    jobs = (
        SamplingJob(index, tuple(model.encode(problem.text)), seed + index * each + number)
        for index, problem in enumerate(problems)
        for number in range(each)
    )
    texts: dict[int, list[tuple[int, str]]] = {index: [] for index in range(len(problems))}
    for written in sample(model, jobs):
        texts[written.job.key].append((written.job.seed, written.text))
    return [Solved(p, tuple(text for _, text in sorted(texts[i]))) for i, p in enumerate(problems)]


def state(model: Model, solved: Sequence[Solved], each: int, seed: int) -> list[StatedClaims]:
    """Ask for the claims of the first `each` solutions of each problem."""

    def jobs() -> Iterator[SamplingJob]:
        for index, one in enumerate(solved):
            for number, text in enumerate(one.texts[:each]):
                said = [*model.encode(one.problem.text), *model.backend.tokenize(text, special=False)]
                turn = model.encode_turn(one.problem.text, prompts.claims(CLAIMS, PROMPTS))
                yield SamplingJob(index * each + number, (*said, *turn), seed + index)

    return [
        StatedClaims(solved[i].problem, solved[i].texts[number], written.text)
        for written in sample(model, jobs())
        for i, number in [divmod(written.job.key, each)]
    ]


def judge(model: Model, stated: Iterable[StatedClaims], seed: int) -> list[JudgedClaim]:
    """Have each readable claim judged by itself, at once; and the first five of a problem together, thinking."""
    claims: dict[WordProblem, dict[str, None]] = {}
    for one in stated:
        if one.readable:
            claims.setdefault(one.problem, {}).update(dict.fromkeys(one.claims))
    labels = tuple(model.backend.tokenize(label, special=False)[0] for label in prompts.LABELS)
    forced = model.backend.tokenize(prompts.JUDGE_AT_ONCE, special=False)
    keys = [(problem, claim) for problem, about in claims.items() for claim in about]
    asked = [[*model.encode_chat(prompts.judge(problem.text, [claim])), *forced] for problem, claim in keys]
    valid = _scores(model, asked, labels)
    together = [(problem, list(about)[:CLAIMS]) for problem, about in claims.items()]
    jobs = (
        SamplingJob(i, tuple(model.encode_chat(prompts.judge(problem.text, about))), seed + i)
        for i, (problem, about) in enumerate(together)
    )
    thought: dict[tuple[WordProblem, str], bool | None] = {}
    for written in sample(model, jobs):
        problem, about = together[written.job.key]
        verdicts = rulings.parse(split(written.text)[1], len(about))
        thought |= {(problem, claim): verdict for claim, verdict in zip(about, verdicts, strict=True)}
    numbers = {problem: i for i, problem in enumerate(claims)}
    return [
        JudgedClaim(
            numbers[problem], fault(claim, problem), p, (problem, claim) in thought, thought.get((problem, claim))
        )
        for (problem, claim), p in zip(keys, valid, strict=True)
    ]


def _scores(model: Model, asked: Sequence[list[int]], labels: tuple[int, ...]) -> list[float]:
    """The probability of the first label against the second, after each of the prompts."""
    found: dict[int, float] = {}
    for begin in range(0, len(asked), model.places):
        names = {
            model.engine.score(tokens, labels): begin + i
            for i, tokens in enumerate(asked[begin : begin + model.places])
        }
        while model.engine.busy:
            for output in model.engine.step():
                if output.scores is not None:
                    first, second = output.scores
                    found[names[output.sequence]] = float(1 / (1 + np.exp(second - first)))
        for name in names:
            model.engine.abort(name)
    return [found[i] for i in range(len(asked))]


def auroc(valid: Floats, true: NDArray[np.bool_]) -> float:
    """The chance that a true claim scores higher than a false one; ties count half. NaN if one kind is missing."""
    _, inverse, counts = np.unique(valid, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positive = int(true.sum())
    negative = len(true) - positive
    if not positive or not negative:
        return float("nan")
    return float((ranks[true].sum() - positive * (positive + 1) / 2) / (positive * negative))


def interval(groups: Sequence[int], statistic: Callable[[NDArray[np.int64]], float]) -> tuple[float, float]:
    """The 95% interval of a statistic of the chosen rows, when whole groups (problems) are drawn with replacement."""
    rng = np.random.default_rng(0)
    ids = np.asarray(groups)
    order = np.argsort(ids, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(ids[order])) + 1)
    values = list[float]()
    for _ in range(RESAMPLED):
        chosen = rng.integers(len(members), size=len(members))
        values.append(statistic(np.concatenate([members[i] for i in chosen])))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)
