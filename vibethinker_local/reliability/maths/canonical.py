r"""What an answer is: a number, a set, an interval, a matrix, an equation, words …, with the label that it was given.

Two answers of different kinds are different, whatever their text: `(1,2)` is no `\{1,2\}`, `3100` no `(3,100)`. Nothing
here compares; that is `equivalence`'s business.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache

from vibethinker_local.reliability.maths import (
    amounts,
    conditions,
    fixed,
    inequalities,
    lists,
    matrices,
    names,
    notation,
    numerals,
    regions,
    rewriting,
    spellings,
)
from vibethinker_local.reliability.maths.conditions import CASES, COMPARISONS, RELATIONS
from vibethinker_local.reliability.maths.expressions import (
    INFINITY,
    Expression,
    NoExpression,
    Number,
    Reading,
    minus,
    negated,
    parse,
    symbols,
)
from vibethinker_local.reliability.maths.notation import (
    Group,
    Node,
    Nodes,
    Token,
    is_letter,
    is_sign,
    is_word,
    spelled,
    split,
    stripped,
    unbracketed,
)
from vibethinker_local.reliability.maths.values import (
    EMPTY,
    MOST_PARTS,
    NUMBERS,
    REALS,
    Answer,
    Cases,
    Choice,
    Items,
    Matrix,
    Modular,
    Ordered,
    Piece,
    Region,
    Relation,
    Scalar,
    Text,
    Value,
)

PROSE_WORDS = 8  # with so many words an answer is prose: no two of them will be alike
MOST_SIGNS = 4  # ± in one answer

_ALL_REALS = {"all real numbers", "all reals", "all real", "any real number", "the real numbers", "real numbers",
              "reals", "all real values", "all real values of x", "all real x", "the set of all real numbers",
              "every real number", "全体实数", "任意实数", "一切实数", "实数集", "所有实数",
              "alle reellen zahlen"}  # fmt: skip
_ROUGHLY = "about approximately approx roughly around 约 约为 大约 約 etwa ungefähr environ около примерно".split()
_ANSWER = {"answer", "final answer", "答", "最终答案", *f"{spellings.ANSWERS}|{spellings.ANSWERS_UNSPACED}".split("|")}


@lru_cache(maxsize=4096)
def understood(text: str) -> tuple[Answer, Answer]:
    """What an answer is under each of the two readings; mostly the same. Never raises."""
    plain = Answer(Text(" ".join(text.split())))
    if len(text) > notation.MOST_CHARACTERS:
        return plain, plain
    try:
        nodes = notation.read(text)
    except (notation.Unreadable, ValueError, RecursionError):
        return plain, plain
    usual = _Reader(Reading.USUAL)
    try:
        first = usual.statement(nodes)
        second = _Reader(Reading.LITERAL).statement(nodes) if usual.ambiguous else first
    except RecursionError:
        return plain, plain
    return first, second


def words(text: str) -> int:
    """How many words an answer holds that are not names of variables or functions."""
    if len(text) <= notation.MOST_CHARACTERS:
        with suppress(notation.Unreadable, ValueError, RecursionError):
            return _count_words(notation.read(text))
    return len(re.findall(r"(?<!\\)\b[^\W\d_]{2,}\b", text))


def _count_words(nodes: Sequence[Node]) -> int:
    found = 0

    def count(token: Token) -> None:
        nonlocal found
        found += token.kind == "word"

    notation.walk(nodes, count)
    return found


class _Reader:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.ambiguous = False
        self._depth = 0

    # Whole answers

    def statement(self, nodes: Nodes) -> Answer:
        """An answer, or a part of one."""
        self._depth += 1
        if self._depth > 20:
            raise RecursionError
        try:
            answer = self._statement(stripped(nodes))
            return replace(answer, value=lists.braced(answer.value)) if _is_unescaped_set(nodes) else answer
        finally:
            self._depth -= 1

    def _statement(self, nodes: Nodes) -> Answer:
        if not nodes:
            return Answer(Text(""))
        nodes = rewriting.joined(rewriting.system(nodes) or nodes)
        if len(nodes) > 1 and is_word(nodes[0], *_ROUGHLY):
            following = nodes[1]
            if isinstance(following, Token) and following.kind in ("number", "command"):
                nodes = nodes[1:]
        if whole := fixed.read(nodes):
            return Answer(whole)
        if len(parts := split(nodes, "|")) == 2 and all(parts) and (built := self._set_builder(*parts)) is not None:
            return Answer(built)  # {x | x > 2}, whose braces are TeX's
        if _count_words(nodes) < PROSE_WORDS:
            for read in (self._conditional, self._listed, self._both_signs, self._related, self._named):
                if answer := read(nodes):
                    return answer
        return Answer(self._value(nodes) or Text(spelled(nodes)))

    def _expression(self, nodes: Sequence[Node]) -> Expression | None:
        try:
            result, ambiguous = parse(nodes, self._reading)
        except (NoExpression, ValueError, ZeroDivisionError):
            return None
        self.ambiguous |= ambiguous
        return result

    # Conditions

    def _conditional(self, nodes: Nodes) -> Answer | None:
        r"""An answer with a condition behind it: `k\pi, k \in \mathbb{Z}`, `x^2 (x > 0)`."""
        if found := conditions.parameter(nodes):
            before, letter, numbers = found
            answer = self.statement(before)
            if letter != answer.label or numbers == "ℝ":
                named = letter in (answer.label or "").split() or conditions.mentions(before, "k")
                if numbers == "ℤ" and not named:  # whatever it is called
                    answer, letter = self.statement(conditions.renamed(before, letter, "k")), "k"
                return None if answer.where else replace(answer, where=Answer(NUMBERS[numbers], letter))
        if not (parts := conditions.condition(nodes)):
            return None
        answer, where = map(self.statement, parts)
        return None if answer.where else replace(answer, where=where)

    def _cases(self, group: Group) -> Cases | None:
        r"""A function by cases: `x & x > 0`, `x, x > 0` or `x \text{ if } x > 0` in each row."""
        members: list[Answer] = []
        for row in filter(None, split(group.nodes, "\\\\")):
            cells = split(row, "&")
            if len(cells) == 1:
                at = next((at for at, node in enumerate(row) if is_sign(node, ",") or is_word(node, *CASES)), 0)
                cells = [row[:at], row[at:]]
            value, condition = stripped(cells[0]), stripped(cells[1])
            while len(condition) > 1 and is_word(condition[0], *CASES):
                condition = stripped(condition[1:])
            if len(cells) > 2 or not value or not condition:
                return None
            members.append(replace(self.statement(value), where=self.statement(condition)))
        return Cases(tuple(members)) if 1 < len(members) <= MOST_PARTS else None

    # Lists

    def _listed(self, nodes: Nodes) -> Answer | None:
        """Parts joined by commas, semicolons, "and", "or"."""
        nodes = rewriting.pointed(nodes)
        parts = [part for part in split(nodes, ",", ";", "and", "or") if part]
        if len(parts) < 2 or len(parts) > MOST_PARTS:
            return None
        if compound := amounts.compound(parts, nodes, self._expression):
            return Answer(compound)
        if all(map(fixed.is_truth, parts)):  # one for each statement
            return Answer(Ordered("(", tuple(map(self._coordinate, parts))))
        either = any(is_sign(node, "or") for node in nodes)
        for strong in ((";", "or"), ("and",)):  # p=5, q=2; p=7, q=2
            groups = [group for group in split(nodes, *strong) if group]
            if 1 < len(groups) < len(parts):
                answers = [self.statement(group) for group in groups]
                if not either and lists.are_of_one_solution(answers):
                    continue
                if any(
                    (isinstance(answer.value, Ordered) and answer.subject is None and answer.label) or answer.where
                    for answer in answers
                ):
                    return lists.gathered(answers)
        return lists.combined([self._part(part) for part in parts], either=either)

    def _part(self, nodes: Nodes) -> Answer:
        """One of several answers. What stands behind `(A)` counts there: they may be asked for one by one."""
        answer = self.statement(nodes)
        if not isinstance(answer.value, Choice) or answer.value.said:
            return answer
        behind = nodes[1:] if isinstance(nodes[0], Group) else nodes[2:]
        said = self.statement(behind) if behind and not is_word(nodes[0]) else None
        if said is None or isinstance(said.value, Text):
            return answer
        return replace(answer, value=replace(answer.value, said=said))

    def _both_signs(self, nodes: Nodes) -> Answer | None:
        """With ±, both answers; several ± may go together or each on its own."""
        if not (signs := rewriting.signs(nodes)):
            return None
        if signs > MOST_SIGNS:
            return Answer(Text(spelled(nodes)))
        if signs > 1:
            self.ambiguous = True
        if signs == 1 or self._reading is Reading.USUAL:
            variants = [(sign,) * signs for sign in "+-"]
        else:
            variants = list(itertools.product("+-", repeat=signs))
        return lists.combined(
            [self.statement(rewriting.with_signs(nodes, list(chosen))) for chosen in variants], either=False
        )

    # Relations

    def _related(self, nodes: Nodes) -> Answer | None:
        signs = [node.text for node in nodes if isinstance(node, Token) and is_sign(node, *RELATIONS)]
        if not signs:
            return None
        parts = [stripped(part) for part in split(nodes, *RELATIONS)]
        if any(not part for part in parts[1:]):
            return None
        if signs[0] in COMPARISONS and set(signs) <= set(COMPARISONS):
            return inequalities.read(parts, signs, self._end)
        if not parts[0]:
            if signs in (["≈"], ["="]):
                return self.statement(parts[1])
            return None
        if signs == ["∈"]:
            return self._element(parts)
        if "≡" in signs and set(signs) <= {"≡", "="}:
            label = names.label_of(parts[0])
            value = self._modular(parts[-1])
            return Answer(value, label) if value and label else None
        if set(signs) <= {"=", "≈"}:
            if "≈" in signs:  # what stands before the first ≈ is exact
                cut = signs.index("≈")
                if self._expression(parts[-1]) is None:
                    return None
                before = parts[: cut + 1]
                if cut == 0 and (label := self._name(before[0], parts[1])) is not None:
                    return Answer(self._value(parts[1]) or Text(spelled(parts[1])), label)
                parts = before
            return self._equated(parts)
        return None

    def _equated(self, parts: list[Nodes]) -> Answer | None:
        if len(parts) == 1:
            return self.statement(parts[0])
        first, last = parts[0], parts[-1]
        label = self._name(first, last)
        if label is not None and not (names.is_bare_name(last) and names.is_bare_name(first)):
            return self._labelled(label, parts)
        if len(parts) == 2 and not names.is_bare_name(first) and (backwards := self._name(last, first)) is not None:
            return self._labelled(backwards, parts[::-1])
        left, right = (self._expression(part) for part in (first, last))
        if len(parts) == 2 and left and right and symbols(left) | symbols(right):
            return Answer(Relation("=", minus(left, right)))
        if _speaks_of_equation(first):
            return None
        answer = self.statement(last)
        steps = tuple(self._value(part) or Text(spelled(part)) for part in parts[:-1])
        return None if isinstance(answer.value, Text) else replace(answer, steps=(*steps, *answer.steps))

    def _name(self, nodes: Nodes, other: Nodes) -> str | None:
        """The name that a side of an equation gives to the other."""
        if (label := names.label_of(nodes)) is not None:
            return label
        if any(map(matrices.is_matrix, other)):
            return names.of_matrix(nodes)
        if (sets := names.of_sets(nodes)) is not None:
            return sets
        named = names.applied(nodes)
        return named if named and (value := self._expression(other)) is not None and not symbols(value) else None

    def _labelled(self, label: str, parts: list[Nodes]) -> Answer:
        """`x = 5`, `x = 2 + 3 = 5`, `x = y = 5`."""
        again = [part for part in parts[1:-1] if len(part) > 1 and spelled(part).endswith(f" {spelled(parts[0])}")]
        if again:  # x = 2 oder x = 3
            return Answer(Text(" = ".join(map(spelled, parts))))
        subject, given = parts[0], 1
        for part in parts[1:-1]:
            if (name := names.label_of(part)) is None:
                break
            label, subject = f"{label}={name}", part
            given += 1
        if rewriting.system(parts[-1]):  # a function by cases, whose conditions stand unmarked behind its values
            return Answer(Text(spelled(parts[-1])), label)
        answer = self.statement(parts[-1])
        steps = tuple(self._value(part) or Text(spelled(part)) for part in parts[given:-1])
        expression = self._expression(subject) if isinstance(answer.value, Scalar | Items) else None
        if answer.label is not None:
            label = f"{label}={answer.label}"
        return Answer(answer.value, label, answer.subject or expression, (*steps, *answer.steps))

    def _element(self, parts: list[Nodes]) -> Answer | None:
        label, inside = names.label_of(parts[0]), self.statement(parts[1])
        return None if label is None else replace(inside, label=label)

    # Names before values

    def _named(self, nodes: Nodes) -> Answer | None:
        """`P(3, 4)`, `radius: 5`, `B: 12`."""
        first = nodes[0]
        if len(nodes) == 2 and isinstance(first, Token) and is_letter(first) and first.text.isupper():
            group = nodes[1]
            if isinstance(group, Group) and group.open == "(" and len(split(group.nodes, ",", ";")) > 1:
                return replace(self.statement((group,)), label=first.text)
        parts = split(nodes, ":")
        if len(parts) == 2 and parts[0] and parts[1] and all(is_word(node) for node in parts[0]):
            label = spelled(parts[0])
            inside = self.statement(parts[1])
            return inside if label in _ANSWER else replace(inside, label=inside.label or label)
        if len(parts) == 2 and len(parts[0]) == 1 and self._depth == 1 and spelled(parts[0]) in fixed.LETTERS:
            spaced = not nodes[1].spaced and parts[1] and parts[1][0].spaced  # B:12 and B : 12 are ratios
            if spaced and not (len(parts[1]) == 1 and is_letter(parts[1][0])):
                return Answer(Choice(spelled(parts[0]), self.statement(parts[1])))
        return None

    # Values

    def _value(self, nodes: Nodes) -> Value | None:
        nodes = stripped(nodes)
        if not nodes:
            return None
        if len(nodes) > 1 and is_word(nodes[0], "negative", "minus"):
            nodes = (Token("sign", "-"), *nodes[1:])
        readers: list[Callable[[Nodes], Value | None]] = [
            self._constant,
            numerals.based,
            self._modular,
            self._set_operation,
            self._bracketed,
            lambda nodes: matrices.arithmetic(nodes, self._expression, self._value),
            lambda nodes: amounts.ratio(nodes, self._expression),
            lambda nodes: amounts.quantity(nodes, self._expression),
        ]
        for reader in readers:
            if (value := reader(nodes)) is not None:
                return value
        return None

    def _constant(self, nodes: Nodes) -> Value | None:
        if infinite := _infinity(nodes):
            return Scalar(infinite)
        if len(nodes) == 1 and isinstance(nodes[0], Token):
            if nodes[0].text == "∅":
                return EMPTY
            if nodes[0].text == "ℝ":
                return REALS
        if len(nodes) == 1 and isinstance(nodes[0], Token) and is_word(nodes[0]) and nodes[0].text.isupper():
            return Text(spelled(nodes))  # AB is no BA
        if (number := numerals.spoken(nodes)) is not None:
            return Scalar(Number(number))
        return REALS if spelled(nodes) in _ALL_REALS else None

    def _modular(self, nodes: Nodes) -> Value | None:
        for at, node in enumerate(nodes):
            modulus: Nodes | None = None
            if is_sign(node, r"\pmod", r"\bmod") or is_word(node, "mod", "modulo"):
                modulus = nodes[at + 1 :]
            elif (
                at == len(nodes) - 1
                and isinstance(node, Group)
                and node.open == "("
                and node.nodes
                and (is_word(node.nodes[0], "mod", "modulo") or is_sign(node.nodes[0], r"\bmod"))
            ):
                modulus = node.nodes[1:]
            if modulus is not None:
                value, by = self._expression(nodes[:at]), self._expression(unbracketed(modulus))
                return Modular(value, by) if value and by else None
        return None

    # Brackets and sets

    def _bracketed(self, nodes: Nodes) -> Value | None:
        if len(nodes) != 1 or not isinstance(nodes[0], Group):
            return None
        group = nodes[0]
        if group.open in matrices.MATRICES:
            return self._matrix(group, determinant=False)
        if group.open in ("vmatrix", "Vmatrix"):
            return self._matrix(group, determinant=group.open == "vmatrix")
        inside = stripped(group.nodes)
        if len(inside) == 1 and isinstance(inside[0], Group) and inside[0].open in matrices.MATRICES:
            fences = group.open + group.close
            return self._matrix(inside[0], determinant=fences == "||") if fences in ("()", "[]", "||") else None
        match group.open:
            case r"\{":
                return self._set(inside)
            case "{":
                return self.statement(inside).value if inside else None
            case "cases" | "dcases" | "rcases":
                return self._cases(group)
            case "(" | "[" | "<":
                return self._tuple(group, inside)
        return None

    def _matrix(self, group: Group, *, determinant: bool) -> Value | None:
        rows = [row for row in split(group.nodes, "\\\\") if row]
        cells = tuple(tuple(self.statement(cell) for cell in split(row, "&")) for row in rows)
        if not cells or len({len(row) for row in cells}) != 1 or sum(map(len, cells)) > MOST_PARTS:
            return None
        return Matrix(cells, determinant)

    def _tuple(self, group: Group, inside: Nodes) -> Value | None:
        parts = split(rewriting.pointed(inside), ",", ";")
        if any(not part for part in parts) or len(parts) > MOST_PARTS:
            return None
        if len(parts) == 1:
            if group.open == "(" and group.close == ")":
                inner = self.statement(inside)
                return inner.value if inner.label is None and inner.where is None else None
            return Ordered(group.open, (self.statement(inside),)) if group.open != "<" else None
        if group.open != "<" and len(parts) == 2:
            low, high = (self._end(part) for part in parts)
            mixed = (group.open, group.close) not in (("(", ")"), ("[", "]"))
            if low is not None and high is not None:
                order = regions.order(low, high)
                endless = any(map(regions.is_infinite, (low, high)))
                if mixed or endless or (group.open == "[" and order != 1):
                    if order == 1:
                        return None
                    return Region((Piece(low, high, group.open == "[", group.close == "]"),))
            elif mixed:
                return None
        elif group.open != "<" and (group.open, group.close) not in (("(", ")"), ("[", "]")):
            return None
        return Ordered(group.open, tuple(map(self._coordinate, parts)))

    def _coordinate(self, nodes: Nodes) -> Answer:
        """A part of a tuple, where a letter is no option."""
        letter = self._expression(nodes) if len(nodes) == 1 and is_letter(nodes[0]) else None
        return Answer(Scalar(letter)) if letter else self.statement(nodes)

    def _end(self, nodes: Sequence[Node]) -> Expression | None:
        """An end of an interval, a side of an inequality: it may be infinite."""
        return _infinity(nodes) or self._expression(nodes)

    def _set(self, inside: Nodes) -> Value | None:
        if not inside:
            return EMPTY
        for bar in ("|", ":"):
            parts = split(inside, bar)
            if len(parts) == 2 and parts[0] and parts[1]:
                return self._set_builder(*parts)
        parts = split(rewriting.pointed(inside), ",", ";", "and", "or")
        if any(not part for part in parts) or len(parts) > MOST_PARTS:
            return None
        answers = [self.statement(part) for part in parts]
        if len(answers) == 1 and answers[0].value is EMPTY:
            return Items((answers[0],), in_braces=True)
        combined = lists.combined(answers, either=False, in_braces=True)
        if combined.label is not None and not isinstance(combined.value, Items):
            return Items((combined,), in_braces=True)
        return lists.braced(combined.value)

    def _set_builder(self, variable: Nodes, condition: Nodes) -> Value | None:
        domain = split(variable, "∈")
        name = names.label_of(stripped(domain[0]))
        inside = self.statement(condition)
        if name is None or inside.label != name:
            return None
        if len(domain) > 1 and not isinstance(inside.value, Items) and (within := self._value(domain[1])) != REALS:
            interval = regions.as_region(within)  # none for ℤ, which leaves only some numbers
            if interval is None or not isinstance(inside.value, Region) or inside.where:
                return None
            return regions.intersection([interval, inside.value])
        if isinstance(inside.value, Scalar) and inside.where:  # one for each k
            return Items((replace(inside, label=None),), in_braces=True)
        if not isinstance(inside.value, Region | Items):
            return None
        if inside.where and (inside.where.value != NUMBERS["ℤ"] or inside.where.label == name):
            return None
        return lists.braced(inside.value)

    def _set_operation(self, nodes: Nodes) -> Value | None:
        parts = split(nodes, "∪")
        if len(parts) > 1:
            return regions.union([self._value(part) for part in parts])
        for sign in ("∖", "-"):
            parts = split(nodes, sign)
            if len(parts) == 2 and parts[0] and parts[1]:
                removed = parts[1][0] if len(parts[1]) == 1 else None
                if isinstance(removed, Group) and removed.open in (r"\{", "{"):
                    whole, points = regions.as_region(self._value(parts[0])), self._set(stripped(removed.nodes))
                    if whole and isinstance(points, Items):
                        return regions.without(whole, points)
        if len(nodes) > 3 and is_word(nodes[-2], "except") and spelled(nodes[:-2]) in _ALL_REALS:
            point = self._expression(nodes[-1:])
            return None if point is None else regions.without(REALS, Items((Answer(Scalar(point)),)))
        return None


# Parts of answers


def _speaks_of_equation(nodes: Nodes) -> bool:
    """Whether words stand before the side of an equation: of `the line x + y = 5`, 5 is not what it is about."""
    computes = any(
        (is_letter(one) and is_sign(other, *"+-^")) or (is_sign(one, *"+-") and is_letter(other))
        for one, other in itertools.pairwise(nodes)
    )
    return computes and any(isinstance(node, Token) and is_word(node) and node.upright for node in nodes)


def _infinity(nodes: Sequence[Node]) -> Expression | None:
    sign = is_sign(nodes[0], "-") if nodes else False
    rest = nodes[1:] if nodes and is_sign(nodes[0], "-", "+") else nodes
    if len(rest) == 1 and isinstance(rest[0], Token) and rest[0].text == "∞":
        return negated(INFINITY) if sign else INFINITY
    return None


def _is_unescaped_set(nodes: Nodes) -> bool:
    """`{1,2}`, which TeX would show without its braces."""
    group = nodes[0] if len(nodes) == 1 else None
    return isinstance(group, Group) and group.open == "{" and len(split(group.nodes, ",", ";")) > 1
