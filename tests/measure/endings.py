"""What a forced end costs: solutions of a bank are cut at a share of their length and asked for their answer at once.

    python -m tests.measure.endings BANK -m MODEL [-n 100] [--sentence TEXT] [--grace 64]

Three ends of each: `bare`, in mid-word; `line`, at the next end of a line within the grace; `sentence`, there too, with
a sentence that says so. Reasoning that is cut is closed first. Greedy; of each problem the first solution that came to
its own end. Intervals are 95% bootstrap intervals over problems, differences are paired.
"""

import argparse
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vibethinker_local.eval import bank as banks
from vibethinker_local.eval import statistics
from vibethinker_local.eval.bank import Bank, Entry
from vibethinker_local.eval.problems import Problem
from vibethinker_local.events import Options
from vibethinker_local.models import installed
from vibethinker_local.reliability import answers
from vibethinker_local.reliability.checker import Checker
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.model import Model, load
from vibethinker_local.system import machine

SHARES = (0.25, 0.5, 0.75)
ENDS = ("bare", "line", "sentence")
SENTENCE = "I have no more time to think, so I will answer now with what I have found."
ANSWER_TOKENS = 64
AT_ONCE = 16


@dataclass(frozen=True)
class Cut:
    problem: int  # its row
    share: float
    end: str
    prompt: list[int]
    begun: str  # of what the answer is read from


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bank", type=Path)
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("-n", "--count", type=int, default=100)
    parser.add_argument("--sentence", default=SENTENCE)
    parser.add_argument("--grace", type=int, default=64)
    given = parser.parse_args()
    bank = banks.read(given.bank)
    chosen = list(_whole(bank))[: given.count]
    options = Options(0, temperature=0.0, context=bank.header.context)
    model = load(installed.choose(given.model), options, threads=machine.threads(), places=AT_ONCE)
    right = {(share, end): np.zeros(len(chosen)) for share in SHARES for end in ENDS}
    checker = Checker()
    with closing(model.engine), closing(checker):
        cuts = [
            cut
            for row, (problem, entry) in enumerate(chosen)
            for cut in _cuts(model, row, problem, entry, given.sentence, given.grace)
        ]
        for cut, reply in _replies(model, cuts, options):
            answer = answers.extract(answers.mended(cut.begun + reply))
            problem = chosen[cut.problem][0]
            right[cut.share, cut.end][cut.problem] = answer is not None and problem.right(answer, checker)
        whole = np.array([float(problem.right(entry.answer or "", checker)) for problem, entry in chosen])
    print(f"{len(chosen)} problems; whole solutions: {_told(statistics.means(whole[None])[0])}")
    for share in SHARES:
        for end, found in zip(ENDS, statistics.means(np.stack([right[share, end] for end in ENDS])), strict=True):
            gain = statistics.means((right[share, end] - right[share, "bare"])[None])[0]
            print(
                f"cut at {share:.0%}, {end}: {_told(found)}"
                + (f"; against bare {_told(gain)}" if end != "bare" else "")
            )


def _whole(bank: Bank) -> Iterator[tuple[Problem, Entry]]:
    """The first solution of each problem that stopped by itself, with an answer."""
    for name, problem in bank.problems.items():
        ended = (entry for entry in bank.of(name) if entry.finish == "stop" and entry.answer is not None)
        if problem.kind != "code" and (entry := next(ended, None)):
            yield problem, entry


def _cuts(model: Model, row: int, problem: Problem, entry: Entry, sentence: str, grace: int) -> Iterator[Cut]:
    thinks = bool(entry.reasoning)
    tokens = model.backend.tokenize(entry.reasoning or entry.text, special=False)
    opening = f"{model.tags[0]}\n" if thinks and not model.opens_reasoning(model.encode(problem.asked)) else ""
    for share in SHARES:
        at = int(len(tokens) * share)
        for end in ENDS:
            kept = tokens[:at]
            if end != "bare":
                ends = (n for n in range(at, min(at + grace, len(tokens))) if b"\n" in model.backend.piece(tokens[n]))
                kept = tokens[: next(ends, at - 1) + 1]
            said = b"".join(map(model.backend.piece, kept)).decode("utf-8", "replace")
            close = f"\n\n{sentence}\n\n" if end == "sentence" else "\n\n"
            if thinks:
                close = prompts.close_reasoning(model.tags[1], sentence if end == "sentence" else "")
            asked = [
                *model.encode(problem.asked),
                *model.backend.tokenize(opening + said + close + prompts.ASK_ANSWER, special=False),
            ]
            yield Cut(row, share, end, asked, prompts.ASK_ANSWER)


def _replies(model: Model, cuts: list[Cut], options: Options) -> Iterator[tuple[Cut, str]]:
    """Each cut with what the model writes behind it."""
    ahead = cuts[::-1]
    running: dict[object, tuple[Cut, list[str]]] = {}
    params = model.params(options, 0, ANSWER_TOKENS)
    while ahead or running:
        while ahead and len(running) < AT_ONCE:
            cut = ahead.pop()
            running[model.engine.add(cut.prompt, params)] = cut, []
        for output in model.engine.step():
            if output.sequence not in running:
                continue  # the end of one that was aborted
            cut, pieces = running[output.sequence]
            pieces.append(output.text)
            if output.end or "}" in output.text:
                model.engine.abort(output.sequence)
                del running[output.sequence]
                yield cut, "".join(pieces)


def _told(found: statistics.Interval) -> str:
    return f"{100 * found.value:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"


if __name__ == "__main__":
    main()
