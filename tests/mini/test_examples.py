"""What mini is trained on: the app's own prompts, its own errors, half of the claims false."""

import json
import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from vibethinker_local.mini import examples
from vibethinker_local.mini import tokenizer as tokenization
from vibethinker_local.mini.claims import fault
from vibethinker_local.mini.examples import (
    BRANCHES,
    IGNORED,
    Case,
    ExampleRow,
    ExampleWriter,
    balanced,
    case,
    chosen,
    renamed,
)
from vibethinker_local.mini.problems import NAMES, WordProblem, problems
from vibethinker_local.runtime import prompts
from vibethinker_local.system.paths import MINI

TOKENIZER = Tokenizer.from_file(str(MINI.parent / "checkpoint" / "tokenizer.json"))
WRITER = ExampleWriter(TOKENIZER)


def spoiled(problem: WordProblem) -> str:
    """A solution that is wrong from its first sum on, as mini might write it."""
    lines = problem.steps.split("\n")
    first = next(i for i, line in enumerate(lines) if " = " in line)
    head, _, value = lines[first].rpartition(" = ")
    lines[first] = f"{head} = {int(value[:-1]) + 10}."
    return "<think>\n" + "\n".join(lines) + f"\n</think>\n\n{problem.conclusion}"


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    def texts(problem: WordProblem) -> list[str]:
        return [tokenization.reply(problem).removesuffix(tokenization.IM_END), spoiled(problem)]

    return [case(problem, texts(problem)) for problem in problems(60, seed=5, split="judge")]


def learned(row: ExampleRow) -> str:
    return str(TOKENIZER.decode([t for t in row.targets if t != IGNORED], skip_special_tokens=False))


def test_labels_begin_with_different_tokens() -> None:
    alone = {TOKENIZER.encode(label).ids[0] for label in prompts.LABELS}
    assert len(alone) == 2
    asked = TOKENIZER.encode(prompts.JUDGE_AT_ONCE).ids
    for label in prompts.LABELS:
        assert TOKENIZER.encode(prompts.JUDGE_AT_ONCE + label).ids == asked + TOKENIZER.encode(label).ids


def test_a_worked_solution_and_its_claims_are_learned_and_nothing_else() -> None:
    problem = next(problems(1, seed=6, split="train"))
    row = WRITER.solve(problem, 3)
    solution, claims = learned(row).split(tokenization.IM_END)[:2]
    assert solution + tokenization.IM_END == tokenization.reply(problem)
    assert [line[:3] for line in claims.split("\n")] == ["1. ", "2. ", "3. "]
    assert prompts.claims(3, version=1) in TOKENIZER.decode(row.tokens)
    assert learned(WRITER.solve(problem, None)) == tokenization.reply(problem)


def test_of_its_own_solution_only_the_claims_are_learned(cases: list[Case]) -> None:
    one = next(c for c in cases if len(c.solutions[1].claims) >= 3)
    row = WRITER.claims(one.problem, one.solutions[1], 3)
    assert learned(row) == examples.numbered(one.solutions[1].claims[:3]) + tokenization.IM_END
    assert one.solutions[1].text.split("\n")[1] in TOKENIZER.decode(row.tokens)


def test_a_branch_holds_what_the_app_asks_for_one_claim(cases: list[Case]) -> None:
    rng = random.Random(1)
    for each in cases[:20]:
        judged = balanced(each, rng, BRANCHES)
        row = WRITER.at_once(each.problem, judged)
        assert max(row.branches) == len(judged)
        for number, (claim, true) in enumerate(judged, 1):
            seen = [i for i, branch in enumerate(row.branches) if branch in (0, number)]
            asked = tokenization.render(prompts.judge(each.problem.text, [claim])) + prompts.JUDGE_AT_ONCE
            assert [row.tokens[i] for i in seen] == TOKENIZER.encode(asked).ids
            assert [row.positions[i] for i in seen] == list(range(len(seen)))
            targets = [row.targets[i] for i in seen]
            assert set(targets[:-1]) == {IGNORED}
            assert targets[-1] == TOKENIZER.encode(prompts.LABELS[not true]).ids[0]


def test_thinking_ends_in_a_label_for_each_claim(cases: list[Case]) -> None:
    judged = [("Ann = 1", False), ("Ann = 2", True)]
    reasoning, verdicts = learned(WRITER.thinking(cases[0].problem, judged)).split("\n</think>\n\n")
    assert reasoning == f"<think>\n{cases[0].problem.steps}"
    assert verdicts == f"1. INVALID\n2. VALID{tokenization.IM_END}"


def test_about_half_of_the_judged_claims_are_false_and_labels_are_right(cases: list[Case]) -> None:
    rng = random.Random(2)
    labels = list[bool]()
    right = [case(p, [tokenization.reply(p).removesuffix(tokenization.IM_END)]) for p in problems(60, 6, "judge")]
    for each in (chosen(cases + right, rng) for _ in range(200)):
        for claim, true in balanced(each, rng, BRANCHES):
            assert true == (fault(claim, each.problem) is None)
            labels.append(true)
    assert 0.4 < sum(labels) / len(labels) < 0.6


def test_other_names_change_no_verdict(cases: list[Case]) -> None:
    rng = random.Random(3)
    for each in cases:
        other = renamed(each, rng)
        assert [fault(claim, other.problem) for claim, _ in other.claims] == [wrong for _, wrong in each.claims]
        assert any(name in other.problem.text for name in NAMES) or each.problem.text == other.problem.text
        assert other.problem.split == "judge"


def test_cases_are_read_back_by_seed_and_index(tmp_path: Path) -> None:
    drawn = list(problems(3, seed=9, split="judge"))
    file = tmp_path / "solutions.jsonl"
    rows = [{"seed": 9, "index": i, "text": spoiled(p)} for i, p in enumerate(drawn)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows[::-1]), encoding="utf-8")
    loaded = examples.load([file])
    assert [each.problem for each in loaded] == drawn
    assert all(any(wrong == "arithmetic" for _, wrong in each.claims) for each in loaded)
