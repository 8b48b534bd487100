"""Whether exact arithmetic refutes what is wrong, and only that: in worked solutions, also with one result changed.

    python -m tests.measure.equations SOLUTIONS.jsonl [--show]

Each line is {"question", "answer"} as in GSM8K, whose training half is one file of them: the answer is worked, its last
line is `#### RESULT`, and marks for a calculator stand between << and >>. The result that is changed is the first
number behind an equal sign that ends a calculation. `--show` prints the solutions that are refuted as they are.
"""

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path

from vibethinker_local.reliability import arithmetic

MARK = re.compile(r"<<[^<>]*>>")
RESULT = re.compile(r"(= ?\$?)(\d+)(?![\d.,/%:]|\s*[-+*/x×÷=])")
CHANGES: dict[str, Callable[[int], int]] = {
    "+ 1": lambda n: n + 1,
    "- 1": lambda n: n - 1,
    "* 2": lambda n: 2 * n,
    "* 10": lambda n: 10 * n,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("solutions", type=Path)
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args()
    rows = [json.loads(line) for line in given.solutions.read_text(encoding="utf-8").splitlines()]
    worked = [(MARK.sub("", row["answer"]).partition("####")[0].strip(), row["question"]) for row in rows]
    held = refuted = 0
    sound: list[tuple[str, str]] = []
    for text, question in worked:
        told = arithmetic.told(text, question)
        held += sum(holds for _, holds, _ in told)
        if wrong := [why for _, holds, why in told if not holds]:
            refuted += 1
            if given.show:
                print(f"{question}\n{text}\n-> {wrong[0]}\n")
        elif RESULT.search(text):
            sound.append((text, question))
    print(f"{len(rows):,} solutions: {held:,} equations hold; {refuted:,} solutions are refuted")
    for name, change in CHANGES.items():
        caught = sum(
            any(not holds for _, holds, _ in arithmetic.told(_changed(text, change), question))
            for text, question in sound
        )
        print(f"one result {name}: {caught:,} of {len(sound):,} refuted, {caught / len(sound):.1%}")


def _changed(text: str, change: Callable[[int], int]) -> str:
    return RESULT.sub(lambda found: f"{found[1]}{change(int(found[2]))}", text, count=1)


if __name__ == "__main__":
    main()
