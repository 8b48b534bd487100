"""How well answers are told apart, beside plain Math-Verify on the same pairs.

    python -m tests.measure.equivalence PAIRS.jsonl

Each line is {"gold", "answer", "same", "kind"?, "lenient"?}; `lenient` pairs that are the same need only match.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

from vibethinker_local.eval.grade import Pair, grades, read
from vibethinker_local.reliability.checker import Checker


def math_verify(pair: Pair) -> bool:
    """What Math-Verify says as its users call it: both texts parsed, the answer verified against the gold one."""
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

    targets = [LatexExtractionConfig(), ExprExtractionConfig()]
    gold, answer = (
        parse(text if "$" in text or "boxed" in text else f"${text}$", targets)
        for text in (pair.gold, pair.answer or "")
    )
    return bool(verify(gold, answer))


def report(name: str, pairs: list[Pair], verdicts: list[bool], seconds: list[float]) -> None:
    positive = [ok for pair, ok in zip(pairs, verdicts, strict=True) if pair.wanted]
    negative = [ok for pair, ok in zip(pairs, verdicts, strict=True) if not pair.wanted]
    seconds = sorted(seconds)
    print(
        f"{name}: recall {sum(positive) / max(1, len(positive)):.1%} of {len(positive):,}, "
        f"false merges {sum(negative):,} of {len(negative):,}; seconds median {seconds[len(seconds) // 2]:.4f}, "
        f"99% {seconds[int(0.99 * (len(seconds) - 1))]:.3f}, longest {seconds[-1]:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pairs", type=Path)
    pairs = [pair for pair in read(parser.parse_args().pairs) if pair.wanted is not None]
    with Checker() as checker:
        checker.wait_until_ready()
        graded = list(grades(pairs, checker))
    ours = [grade.matches if grade.pair.lenient and grade.pair.wanted else grade.same for grade in graded]
    report("ours", pairs, ours, [grade.seconds for grade in graded])
    theirs: list[bool] = []
    seconds: list[float] = []
    for pair in pairs:
        began = time.perf_counter()
        try:
            theirs.append(math_verify(pair))
        except Exception:  # whatever it stumbles over counts as no
            theirs.append(False)
        seconds.append(time.perf_counter() - began)
    report("Math-Verify", pairs, theirs, seconds)
    wrong = {
        name: Counter(pair.kind for pair, ok in zip(pairs, verdicts, strict=True) if ok != pair.wanted)
        for name, verdicts in (("ours", ours), ("Math-Verify", theirs))
    }
    total = Counter(pair.kind for pair in pairs)
    print("wrong by kind: of, ours, Math-Verify")
    for kind in sorted(total, key=lambda kind: -wrong["Math-Verify"][kind] - wrong["ours"][kind]):
        if wrong["ours"][kind] or wrong["Math-Verify"][kind]:
            print(f"  {total[kind]:4} {wrong['ours'][kind]:4} {wrong['Math-Verify'][kind]:4}  {kind}")


if __name__ == "__main__":
    main()
