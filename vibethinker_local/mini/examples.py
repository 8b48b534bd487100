"""What mini learns from: conversations on the app's own prompts, as rows of tokens for its three skills.

- solve: a problem and its worked solution.
- claims: after a solution, the app's second turn and the claims; the solution is a worked one, or mini's own, right or
  wrong, so that it learns to repeat what the solution says.
- judge: a problem and claims of mini's own solutions, half of them false. At once: one claim, then its label. Thinking:
  several, mini's own solution between <think> and </think>, then a label for each.
"""

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from vibethinker_local.mini import tokenizer as tokenization
from vibethinker_local.mini.claims import PROMPTS, Fault, claims, fault
from vibethinker_local.mini.problems import NAMES, WordProblem, problems
from vibethinker_local.mini.tokenizer import IM_END
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.reasoning import split

IGNORED = -100  # the target of a token that does not count in the loss
COUNTS = (3, 5)  # numbers of claims that the app asks for
CLEAN = 0.15  # the share of cases without a false claim that is used
BRANCHES = 6  # claims about one problem that are judged at once, each by itself


@dataclass(frozen=True)
class ExampleRow:
    """One row of a batch. The tokens of a branch attend only to the trunk (branch 0) and to their own branch."""

    tokens: list[int]
    targets: list[int]  # the same length; IGNORED where no loss counts
    positions: list[int]
    branches: list[int]


@dataclass(frozen=True)
class Own:
    """A solution that mini has written, and what it claims."""

    text: str
    claims: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """A problem with mini's own solutions and all their claims, each with what is wrong with it."""

    problem: WordProblem
    solutions: tuple[Own, ...]
    claims: tuple[tuple[str, Fault | None], ...]


def load(files: Iterable[Path]) -> list[Case]:
    """The cases in files that `trajectories` has written."""
    cases: list[Case] = []
    for file in files:
        written: dict[int, list[str]] = defaultdict(list)
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            written[row["index"]].append(row["text"])
        for index, problem in enumerate(problems(max(written) + 1, row["seed"], "judge")):
            cases.append(case(problem, written[index]))
    return cases


def chosen(cases: Sequence[Case], rng: random.Random) -> Case:
    """A random case. Cases without a false claim are drawn rarely, so that about half of all claims are false."""
    while True:
        found = rng.choice(cases)
        if any(wrong for _, wrong in found.claims) or (found.claims and rng.random() < CLEAN):
            return found


def case(problem: WordProblem, texts: Iterable[str]) -> Case:
    """The claims of mini's solutions of a problem, each with what is wrong with it."""
    own = [Own(text, tuple(claims(*split(text)))) for text in texts]
    stated = dict.fromkeys(claim for solution in own for claim in solution.claims[: COUNTS[-1] + 2])
    faults = ((claim, fault(claim, problem)) for claim in stated)
    return Case(problem, tuple(own), tuple((claim, wrong) for claim, wrong in faults if wrong != "form"))


def balanced(case: Case, rng: random.Random, most: int) -> list[tuple[str, bool]]:
    """At most `most` claims of a case with whether each is true, about as many false as true ones if it has them."""
    plans = [claim for claim, wrong in case.claims if wrong == "plan"]
    others = [claim for claim, wrong in case.claims if wrong in ("arithmetic", "carried")]
    true = [claim for claim, wrong in case.claims if wrong is None]
    for group in (plans, others, true):
        rng.shuffle(group)
    false = plans[: max(1, most // 2)]
    others = others[: max(0, most // 2 - len(false))]
    if not plans and rng.random() < 0.5:  # else too few of the false ones would be errors of plan
        others = others[:1]
    false += others
    picked = [(claim, False) for claim in false] + [(claim, True) for claim in true[: len(false) or 2]]
    rng.shuffle(picked)
    return picked


class ExampleWriter:
    """Makes rows with one tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.end = tokenizer.get_vocab()[tokenization.END_OF_TEXT]  # what rows are padded with

    def solve(self, problem: WordProblem, count: int | None) -> ExampleRow:
        """A worked solution and, if `count` is given, that many of its claims."""
        solution = tokenization.reply(problem)
        parts = [(tokenization.prompt(problem.text), False), (solution, True)]
        stated = claims(problem.steps, problem.conclusion)
        if count and len(stated) >= count:
            parts += [(claims_turn(count), False), (numbered(stated[:count]) + IM_END, True)]
        return self._row(parts)

    def claims(self, problem: WordProblem, solution: Own, count: int) -> ExampleRow:
        """A solution as mini wrote it, from which nothing is learned, and its claims."""
        parts = [(tokenization.prompt(problem.text), False), (solution.text + IM_END, False)]
        return self._row([*parts, (claims_turn(count), False), (numbered(solution.claims[:count]) + IM_END, True)])

    def thinking(self, problem: WordProblem, judged: list[tuple[str, bool]]) -> ExampleRow:
        """Verdicts after a solution of its own."""
        asked = tokenization.render(prompts.judge(problem.text, [claim for claim, _ in judged]))
        labels = numbered(prompts.LABELS[not true] for _, true in judged)
        return self._row([(asked, False), (f"<think>\n{problem.steps}\n</think>\n\n{labels}{IM_END}", True)])

    def at_once(self, problem: WordProblem, judged: list[tuple[str, bool]]) -> ExampleRow:
        """Verdicts on claims one by one, as branches of one row: after each nothing but the label's first token."""
        labels = [self._ids(label)[0] for label in prompts.LABELS]
        asked = [
            tokenization.render(prompts.judge(problem.text, [claim])) + prompts.JUDGE_AT_ONCE for claim, _ in judged
        ]
        each = [encoding.ids for encoding in self.tokenizer.encode_batch_fast(asked)]
        shortest = min(map(len, each)) - 1
        trunk = next((i for i in range(shortest) if len({ids[i] for ids in each}) > 1), shortest)
        row = ExampleRow(each[0][:trunk], [IGNORED] * trunk, list(range(trunk)), [0] * trunk)
        for number, (ids, (_, true)) in enumerate(zip(each, judged, strict=True), 1):
            rest = ids[trunk:]
            row.tokens.extend(rest)
            row.targets.extend([IGNORED] * (len(rest) - 1) + [labels[not true]])
            row.positions.extend(range(trunk, len(ids)))
            row.branches.extend([number] * len(rest))
        return row

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text).ids)

    def _row(self, parts: list[tuple[str, bool]]) -> ExampleRow:
        tokens, learned = list[int](), list[bool]()
        for encoding, (_, learn) in zip(self.tokenizer.encode_batch_fast([t for t, _ in parts]), parts, strict=True):
            tokens += encoding.ids
            learned += [learn] * len(encoding.ids)
        targets = [token if learn else IGNORED for token, learn in zip(tokens, learned, strict=True)]
        length = len(tokens) - 1
        return ExampleRow(tokens[:-1], targets[1:], list(range(length)), [0] * length)


def claims_turn(count: int) -> str:
    """The tokens between the end of a solution and the claims."""
    return "\n" + tokenization.render([{"role": "user", "content": prompts.claims(count, PROMPTS)}])


def numbered(lines: Iterable[str]) -> str:
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))


def renamed(case: Case, rng: random.Random) -> Case:
    """The same case, with the same errors, under other names: so there are far more cases than were sampled."""
    known = sorted({word for word in re.findall("[A-Z][a-z]+", case.problem.text) if word in NAMES})
    names = dict(zip(known, rng.sample(NAMES, len(known)), strict=True))

    def change(text: str) -> str:
        return re.sub("[A-Z][a-z]+", lambda found: names.get(found[0], found[0]), text)

    problem = WordProblem(
        text=change(case.problem.text),
        answer=case.problem.answer,
        steps=change(case.problem.steps),
        conclusion=change(case.problem.conclusion),
        operations=case.problem.operations,
        signature=case.problem.signature,
        truths=tuple(map(change, case.problem.truths)),
    )
    solutions = tuple(Own(change(own.text), tuple(map(change, own.claims))) for own in case.solutions)
    return Case(problem, solutions, tuple((change(claim), wrong) for claim, wrong in case.claims))
