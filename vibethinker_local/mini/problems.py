"""The problems that `mini` is made for: small arithmetic word problems, generated with worked solutions.

A problem is a random graph of named quantities. Each fact defines one quantity, by a number or from others; the
question asks for one that needs `operations` steps. Facts are shuffled and up to two of them are distractors.

    python -m vibethinker_local.mini.problems -n 200 --seed 1      prints JSON lines {"id", "problem", "answer"}

The command prints held-out problems only: `split` sorts a problem by a hash of its numbers and structure, without
names and wording, and `train.py` takes only the `train` part.
"""

import argparse
import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Split = Literal["train", "judge", "calibration", "test"]
Shape = Literal["relations", "story", "sum"]
SPLITS: dict[int, Split] = {0: "test", 1: "calibration", 2: "judge", 3: "judge"}

MAX_OPERATIONS = 7
MAX_VALUE = 999
MIX = (7, 6, 5, 4, 3, 2, 1)  # of relations with 1 to 7 operations
MADE_UP = 0.03  # share of problems with made-up names

NAMES = (
    "Ann Ben Cat Dan Eva Finn Gus Hana Ian Jade Kim Leo Mia Noah Olga Pam Quinn Ravi Sara Tom Uma Vera Will "
    "Xena Yuri Zoe Ada Bob Carl Dora Emma Fred Gina Hugo Iris Jack Kate Lucy Mark Nina Omar Paul Rosa Sam "
    "Tina Vic Alice Maria Peter John Anna David Lily Max Ali Mary"
).split()
ITEMS = (
    "books apples coins stamps marbles cards shells pens cookies stickers balls toys eggs flowers pencils "
    "candies oranges keys plants stones tickets cups hats photos boxes dollars points pages fish cars"
).split()
VERBS = (("has", "have"),) * 4 + (
    ("owns", "own"),
    ("keeps", "keep"),
    ("sells", "sell"),
    ("needs", "need"),
    ("buys", "buy"),
)
MORE = (
    "{x} {v} {n} more {items} than {y}.",
    "{x} {v} {n} more {items} than {y}.",
    "{x} {v} {n} {items} more than {y}.",
)
FEWER = (
    "{x} {v} {n} fewer {items} than {y}.",
    "{x} {v} {n} fewer {items} than {y}.",
    "{x} {v} {n} less {items} than {y}.",
)
TIMES = ("{x} {v} {n} times as many {items} as {y}.", "{x} {v} {n} times the {items} of {y}.")
TWICE = ("{x} {v} twice as many {items} as {y}.", "{x} {v} 2 times as many {items} as {y}.")
JOINT = ("{x} {v} as many {items} as {y} and {z} together.", "{x} {v} as many {items} as {y} and {z} combined.")
GAIN = ("gets {n} more", "buys {n} more", "finds {n} more", "wins {n} more")
LOSS = ("gives away {n}", "loses {n}", "sells {n}", "uses {n}")
EXPRESSION = ("What is {e}?", "Calculate {e}.", "Compute {e}.", "{e} = ?", "How much is {e}?")
CONSONANTS, VOWELS = "bcdfghjklmnprstvwz", "aeiou"


@dataclass(frozen=True)
class WordProblem:
    """A word problem with its answer and the worked solution that `mini` learns to write."""

    text: str
    answer: int
    steps: str  # the reasoning, between <think> and </think>
    conclusion: str  # the visible text, with \boxed{}
    operations: int
    signature: str  # numbers and structure without names or wording: what `split` hashes
    truths: tuple[str, ...]  # given numbers, steps and answer as equations: `Ann = Cat - 5 = 91 - 5 = 86`

    @property
    def split(self) -> Split:
        """`test` and `calibration` take a sixteenth each of all signatures, `judge` two; the rest is `train`."""
        bucket = hashlib.sha256(self.signature.encode()).digest()[0] % 16
        return SPLITS.get(bucket, "train")


@dataclass
class Quantity:
    """One named number: a given one (no operands), or defined from one or two others."""

    name: str
    value: int
    kind: str  # given, more, fewer, times, joint
    number: int = 0
    operands: tuple["Quantity", ...] = ()
    fact: str = ""

    @property
    def truth(self) -> str:
        return f"{self.name} = {self.equation() if self.operands else self.value}"

    @property
    def signature(self) -> str:
        return f"{self.kind}{self.number}({','.join(o.signature for o in self.operands)})"

    def equation(self) -> str:
        """The step that computes it, first with names, then with numbers: `Cat - 5 = 91 - 5 = 86`."""
        first = self.operands[0]
        if self.kind == "joint":
            second = self.operands[1]
            return f"{first.name} + {second.name} = {first.value} + {second.value} = {self.value}"
        sign = {"more": "+", "fewer": "-", "times": "*"}[self.kind]
        return f"{first.name} {sign} {self.number} = {first.value} {sign} {self.number} = {self.value}"


@dataclass
class Steps:
    """Writes the reasoning: state what a quantity depends on, work those out, then compute it (depth first)."""

    lines: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)

    def resolve(self, quantity: Quantity) -> None:
        if quantity.name in self.known:
            return
        self.lines.append(f"{quantity.name}? {quantity.fact}")
        for operand in quantity.operands:
            self.resolve(operand)
        if quantity.operands:
            self.lines.append(f"{quantity.name}: {quantity.equation()}.")
        self.known.add(quantity.name)


def generate(
    rng: random.Random, *, operations: int, shape: Shape = "relations", made_up: float = MADE_UP
) -> WordProblem:
    """Draw one problem that needs exactly `operations` steps (1 to 7); `made_up` is the chance of made-up names."""
    if not 1 <= operations <= MAX_OPERATIONS:
        raise ValueError(f"operations must be 1 to {MAX_OPERATIONS}, got {operations}")
    match shape:
        case "relations":
            return _relations(rng, operations, made_up)
        case "story":
            return _story(rng, operations, made_up)
        case "sum":
            return _sum(rng)


def draw(rng: random.Random, *, split: Split, high: int = MAX_OPERATIONS, made_up: float = MADE_UP) -> WordProblem:
    """Draw one problem of a split: mostly relations, one in eight a story, one in sixteen a bare sum."""
    while True:
        shape: Shape = rng.choices(("relations", "story", "sum"), weights=(13, 2, 1))[0]
        operations = 1 if shape == "sum" else rng.randint(1, min(high, 4))
        if shape == "relations":
            operations = rng.choices(range(1, high + 1), weights=MIX[:high])[0]
        problem = generate(rng, operations=operations, shape=shape, made_up=made_up)
        if problem.split == split:
            return problem


def _relations(rng: random.Random, operations: int, made_up: float) -> WordProblem:
    asked_kind = rng.choices(("one", "together", "difference"), weights=(8, 1, 1))[0] if operations > 1 else "one"
    defining = operations - (asked_kind != "one")
    while True:
        names = _names(rng, defining * 2 + 4, made_up)
        made = _graph(rng, names, defining)
        if made is None:
            continue
        target = made[-1]
        others = [q for q in _needed(target) if q is not target]
        second = rng.choice(others)
        if asked_kind == "difference" and second.value >= target.value:
            continue
        if asked_kind == "together" and target.value + second.value > MAX_VALUE:
            continue
        break
    items, (verb, infinitive) = rng.choice(ITEMS), rng.choice(VERBS)
    spare = [n for n in names if all(n != q.name for q in made)]
    quantities = made + _distractors(rng, made, spare)
    for quantity in quantities:
        quantity.fact = _fact(rng, quantity, verb, items)
    facts = [q.fact for q in quantities]
    rng.shuffle(facts)

    steps = Steps()
    steps.resolve(target)
    name, value = target.name, target.value
    match asked_kind:
        case "one":
            question = f"How many {items} does {name} {infinitive}?"
            answer, conclusion = value, f"{name} {verb} \\boxed{{{value}}} {items}."
            asked = f"{name} = {value}"
        case "together":
            question = f"How many {items} do {name} and {second.name} {infinitive} together?"
            answer = value + second.value
            asked = f"{name} + {second.name} = {value} + {second.value} = {answer}"
            steps.lines.append(f"{asked}.")
            conclusion = f"Together they {infinitive} \\boxed{{{answer}}} {items}."
        case _:
            question = f"How many more {items} does {name} {infinitive} than {second.name}?"
            answer = value - second.value
            asked = f"{name} - {second.name} = {value} - {second.value} = {answer}"
            steps.lines.append(f"{asked}.")
            conclusion = f"{name} {verb} \\boxed{{{answer}}} more {items}."
    glue = rng.choice(("\n", "\n", " "))
    text = glue.join(facts) + rng.choice((glue, "\n")) + question
    signature = f"{asked_kind}:{second.signature if asked_kind != 'one' else ''}:{target.signature}"
    truths = (*(q.truth for q in quantities), f"answer = {asked}")
    return WordProblem(text, answer, "\n".join(steps.lines), conclusion, operations, signature, truths)


def _graph(rng: random.Random, names: list[str], operations: int) -> list[Quantity] | None:
    """Quantities in an order that defines each from earlier ones; the last needs exactly `operations` steps."""
    pool = iter(names)
    made: list[Quantity] = [_given(rng, next(pool))]
    last = made[0]
    for _ in range(operations):
        # Each quantity is made from the last one, so that every step is needed; a joint sum takes a second operand.
        kind = rng.choices(("more", "fewer", "times", "joint"), weights=(3, 3, 2, 2))[0]
        if kind == "joint":
            if rng.random() < 0.3 and len(made) > 1:
                other = rng.choice([q for q in made if q is not last])
            else:
                other = _given(rng, next(pool))
                made.append(other)
            pair = (last, other) if rng.random() < 0.5 else (other, last)
            quantity = Quantity(next(pool), last.value + other.value, kind, operands=pair)
        else:
            quantity = _derived(rng, next(pool), kind, last)
        if not 1 <= quantity.value <= MAX_VALUE:
            return None
        made.append(quantity)
        last = quantity
    return made


def _given(rng: random.Random, name: str) -> Quantity:
    value = rng.randint(1, rng.choice((20, 100, 400)))
    return Quantity(name, value, "given", number=value)


def _derived(rng: random.Random, name: str, kind: str, base: Quantity) -> Quantity:
    if kind == "times":
        number = rng.randint(2, 9)
        return Quantity(name, base.value * number, kind, number, (base,))
    number = rng.randint(2, rng.choice((20, 100, 400)))
    value = base.value + number if kind == "more" else base.value - number
    return Quantity(name, value, kind, number, (base,))


def _needed(target: Quantity) -> list[Quantity]:
    found = [target]
    for quantity in found:
        found += [o for o in quantity.operands if o not in found]
    return found


def _distractors(rng: random.Random, made: list[Quantity], names: list[str]) -> list[Quantity]:
    extra: list[Quantity] = []
    for name in names[: rng.choice((0, 0, 1, 2))]:
        kind = rng.choice(("given", "more", "times"))
        quantity = _given(rng, name) if kind == "given" else _derived(rng, name, kind, rng.choice(made))
        if 1 <= quantity.value <= MAX_VALUE:
            extra.append(quantity)
    return extra


def _fact(rng: random.Random, q: Quantity, verb: str, items: str) -> str:
    match q.kind:
        case "given":
            form = "{x} {v} {n} {items}."
        case "more":
            form = rng.choice(MORE)
        case "fewer":
            form = rng.choice(FEWER)
        case "times":
            form = rng.choice(TWICE if q.number == 2 else TIMES)
        case _:
            form = rng.choice(JOINT)
    operands = [o.name for o in q.operands] + ["", ""]
    return form.format(x=q.name, v=verb, n=q.number, items=items, y=operands[0], z=operands[1])


def _story(rng: random.Random, operations: int, made_up: float) -> WordProblem:
    """A story about one person and one kind of thing, whose number changes step by step."""
    name, items = _names(rng, 1, made_up)[0], rng.choice(ITEMS)
    start = rng.randint(1, rng.choice((20, 100, 400)))
    value, parts, lines, signature = start, [], [f"{name} has {start} {items}."], f"story{start}"
    truths = [f"start = {start}"]
    for _ in range(operations):
        gain = rng.random() < 0.5 or value < 3
        number = rng.randint(1, rng.choice((20, 100, 300))) if gain else rng.randint(1, value - 1)
        if gain and value + number > MAX_VALUE:
            gain, number = False, rng.randint(1, value - 1)
        parts.append(rng.choice(GAIN if gain else LOSS).format(n=number))
        after = value + number if gain else value - number
        sign = "+" if gain else "-"
        truths.append(f"{value} {sign} {number} = {after}")
        lines.append(f"{parts[-1]}: {truths[-1]}.")
        value, signature = after, f"{signature}{sign}{number}"
    pronoun = rng.choice(("He", "She", name))
    if rng.random() < 0.5:
        changes = " ".join(f"{pronoun} {part}." for part in parts)
    else:
        changes = f"{pronoun} " + ", then ".join(parts[:-1]) + (" and then " if parts[1:] else "") + f"{parts[-1]}."
    question = f"How many {items} does {name} have {rng.choice(('now', 'left', 'in the end'))}?"
    text = f"{name} has {start} {items}. {changes} {question}"
    conclusion = f"{name} has \\boxed{{{value}}} {items}."
    truths.append(f"answer = {name} = {value}")
    return WordProblem(text, value, "\n".join(lines), conclusion, operations, signature, tuple(truths))


def _sum(rng: random.Random) -> WordProblem:
    sign = rng.choice("+-*")
    a = rng.randint(1, rng.choice((20, 100, 499)))
    match sign:
        case "+":
            b = rng.randint(1, rng.choice((20, 100, 499)))
            value = a + b
        case "-":
            b = rng.randint(0, a)
            value = a - b
        case _:
            b = rng.randint(1, 9)
            a = rng.randint(1, MAX_VALUE // b)
            value = a * b
    written = rng.choice((sign, sign, {"+": "plus", "-": "minus", "*": "times"}[sign]))
    text = rng.choice(EXPRESSION).format(e=f"{a} {written} {b}")
    step, conclusion = f"{a} {sign} {b} = {value}", f"The answer is \\boxed{{{value}}}."
    return WordProblem(text, value, f"{step}.", conclusion, 1, f"{a}{sign}{b}", (step, f"answer = {value}"))


def _names(rng: random.Random, count: int, made_up: float) -> list[str]:
    """Distinct names. Some problems make them up, so that the model learns to read names that are not listed."""
    if rng.random() < made_up:
        made = {
            "".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(rng.randint(2, 3))).capitalize()
            for _ in range(count * 2)
        }
        if len(made) >= count:
            return rng.sample(sorted(made), count)
    return rng.sample(NAMES, count)


def problems(count: int, seed: int, split: Split = "test") -> Iterator[WordProblem]:
    """`count` problems of a split. The same seed gives the same problems."""
    rng = random.Random(seed)
    return (draw(rng, split=split) for _ in range(count))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m vibethinker_local.mini.problems", description=__doc__)
    parser.add_argument("-n", "--count", type=int, default=10, help="how many problems (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed prints the same problems (default 0)")
    arguments = parser.parse_args()
    if arguments.count < 1:
        parser.error(f"-n takes a whole number from 1, not {arguments.count}")
    for index, problem in enumerate(problems(arguments.count, arguments.seed)):
        name = f"mini-{arguments.seed}-{index}-ops{problem.operations}"
        print(json.dumps({"id": name, "problem": problem.text, "answer": str(problem.answer)}))


if __name__ == "__main__":
    main()
