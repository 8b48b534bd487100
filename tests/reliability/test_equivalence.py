"""Pairs of answers by kind, asked both ways round, and what holds for all answers; in doubt, they are different."""

import itertools
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reliability.helpers import pairs
from vibethinker_local.reliability.checker import Checker
from vibethinker_local.reliability.equivalence import (
    NOBODY,
    Level,
    choice,
    comparable,
    compare,
    matches_gold,
    plain,
    same_answer,
)

pytestmark = pytest.mark.xdist_group("checker")  # on one worker: its process takes its time to start
SAME, DIFFERENT, LENIENT = pairs("same"), pairs("different"), pairs("lenient")


def split_pairs(found: list[tuple[str, str]], checker: Checker) -> list[tuple[str, str]]:
    """Those of some pairs that are not the same, in one order or the other."""
    return [(a, b) for a, b in found if not (same_answer(a, b, checker) and same_answer(b, a, checker))]


def merged_pairs(found: list[tuple[str, str]], checker: Checker) -> list[tuple[str, str]]:
    return [(a, b) for a, b in found if same_answer(a, b, checker) or same_answer(b, a, checker)]


def test_there_are_enough_pairs() -> None:
    assert sum(map(len, SAME.values())) >= 300
    assert sum(map(len, DIFFERENT.values())) >= 180


@pytest.mark.parametrize("kind", SAME)
def test_same(kind: str, checker: Checker) -> None:
    assert split_pairs(SAME[kind], checker) == []


@pytest.mark.parametrize("kind", DIFFERENT)
def test_different(kind: str, checker: Checker) -> None:
    assert merged_pairs(DIFFERENT[kind], checker) == []


@pytest.mark.parametrize("kind", LENIENT)
def test_lenient(kind: str, checker: Checker) -> None:
    """Graders accept these; between samples they are different, or the same where only a label is missing."""
    assert [(a, b) for a, b in LENIENT[kind] if not (matches_gold(a, b, checker) and matches_gold(b, a, checker))] == []


@pytest.mark.parametrize(
    ("answer", "gold"),
    [
        ("5 cm", "5 m"),
        ("5%", "0.5"),
        ("664", "664_7"),
        ("x=5", "y=5"),
        ("7", "5"),
        ("50 cents", r"\$50"),
        ("50 cents", "50 dollars"),
        ("1.5", "1,500"),
        ("3", "3万"),
        ("3", "3 Millionen"),
        ("-5", "-5,0"),
        ("1.5 cm", "1,500 cm"),
        ("1.45", "1,450"),
        ("12.345", "12,345"),
        ("1,5", "1,500"),
        ("1.234,5", "1.2345"),
        ("1.234", "1234"),
        ("-1.234,5", "1234.5"),
        ("'a'", "'A'"),
        ("(4 cm, 6 cm)", "(6, 4)"),
        ("10 boys and 5 girls", "5, 10"),
        ("4 cm, 6 cm", "4 m, 6 m"),
        ("4 cm, 6 cm", "4, 7"),
        ("4 cm, 6 mm", "6, 4"),
        (r"(1\%, 100\%)", "(1, 1)"),
        (r"(1\%, 1)", r"(1, 1\%)"),
        (r"25\%, 75\%", "25, 0.75"),
        ("4 cm, 6 cm", "4 m, 6"),
        ("x = 4 cm, y = 6 cm", "x=6, y=4"),
        (r"40\%, 60\%", "40, 0.6"),
        ("3 hours, 5 min", "5, 3"),
        ("(2 m, 3 m)", "(3 m, 2)"),
        (r"\{4 cm, 6 cm\}", "(4, 6)"),
        ("4 cm, 4 m", "4"),
        ("3:30 PM", "3:45"),
        ("3:30 AM", "15:30"),
        ("15:30", "3:30"),
        ("x=1, y=2 and 3", "x=1, y=2"),
        ("twenty-fifth", "4"),
        ("two and a half hours", "2.5 minutes"),
        ("boys: 5, girls: 10", "10 boys, 5 girls"),
        ("3.141592653", r"\pi"),
        ("3.1415926535897", r"\pi"),
        ("1234567890123456.5", r"1234567890123456"),
        ("0.12345678901234", "0.12345678901235"),
        ("x=1 or y=2", "x=1, y=2"),
        ("(0,1), (2,3)", r"(0,1)\cup(2,3)"),
        (r"5 \text{ cm } (x>0)", "5"),
        ("a sin x", "sin x"),
        ("30 km", r"30^\circ"),
        ("90 minutes", "90°"),
        (r"25\%", r"25^\circ"),
        (r"25\%", "25 cm"),
        (r"45^\circ", r"\frac{\pi}{4} \text{ cm}"),
        ("'5 cm'", "'5'"),
        ("3:30 PM", r"\frac{3}{30}"),
        ("3:30 AM", "3:30 PM"),
        ("3 hours, 5 min", "3 min, 5 hours"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "(1,2,3,4)"),
        ("[3, 1]", "(3, 1)"),
        (r"5\% \text{ increase}", r"5^\circ"),
        (r"5\% \text{ increase}", "500"),
        ("1 rad", "1°"),
        ("x=1 \\vee x=2", "2"),
        ("x=2 oder x=3", "3"),
        ("x=2 x=3", "3"),
        ("x=2 / x=3", "3"),
        (r"x=2 \quad x=3", "3"),
        ("Rs.500", "0.5"),
        (r"\text{the line } x+y=5", "5"),
        (r"\text{the line } x+y=5", r"\text{the line } x-y=5"),
        ("$y_1 = 1-x$ $y_2 = x^2$", "$y_1 = 1+x$ $y_2 = x^2$"),
        ("A cos(t)", "cos(t)"),
        ("a xy", "xy"),
    ],
)
def test_leniency_has_its_limits(answer: str, gold: str, checker: Checker) -> None:
    assert not matches_gold(answer, gold, checker)
    assert not matches_gold(gold, answer, checker)


def test_what_is_the_same_matches(checker: Checker) -> None:
    for a, b in itertools.chain(*SAME.values()):
        assert matches_gold(a, b, checker)


@pytest.mark.parametrize(
    ("other", "next_one"), [("1", (r"\tan 15^\circ", r"2-\sqrt{3}")), ("2", (r"\sin 18^\circ", "2"))]
)
def test_a_timeout_never_merges(
    other: str, next_one: tuple[str, str], checker: Checker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be told in time is different, and the next comparison works."""
    endless = r"\sum_{k=1}^{4999} \sum_{j=1}^{4999} \sin(jk)"
    with monkeypatch.context() as hurried:
        hurried.setattr(checker, "_seconds", 0.2)
        began = time.monotonic()
        assert not same_answer(endless, other, checker)
        assert time.monotonic() - began < 5
    assert same_answer(*next_one, checker) is (next_one[1] != "2")


@pytest.mark.parametrize(
    "tower",
    [
        "9^{9^{9^9}}",
        "9^{9^{9^{9^9}}}",
        r"(10^{10^{10}})!",
        r"\binom{10^{30}}{10^{29}}",
        "2^{-9^{9^9}}",
        "1e999999999",
        r"10 \text{ km}^{999999999}",
        "10 h^{999999999}",
    ],
)
def test_huge_numbers_take_no_time(tower: str) -> None:
    began = time.monotonic()
    assert same_answer(tower, tower + " ", NOBODY)
    assert not same_answer(tower, "1", NOBODY)
    assert not same_answer(tower, "10 seconds", NOBODY)
    assert time.monotonic() - began < 1


def test_long_answers_are_compared_by_their_text() -> None:
    digits = "7" * 100_000
    assert same_answer(digits, digits, NOBODY)
    assert not same_answer(digits, digits + "1", NOBODY)


@pytest.mark.parametrize(
    "answer",
    [
        *("17", r"\frac{1}{2}", "(A)", "no solution", "x^2 + 2x", "10 cm per second", "(1, 2)", "17\n"),
        "the second of the seven red boxes",
        pytest.param("\\text{" * 260 + "a" + "}" * 260, id="nested deeply"),
        pytest.param("\\text{" * 20_000, id="long"),  # it took minutes
    ],
)
def test_comparable(answer: str) -> None:
    assert comparable(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "def f(x):\n    return x",
        "The sky looks blue because air scatters short waves more than long ones.",
        "the second of all the seven red boxes",
    ],
)
def test_code_and_prose_are_not_comparable(answer: str) -> None:
    assert not comparable(answer)


def test_a_letter_is_looked_for_in_short_answers_alone() -> None:
    began = time.process_time()
    assert choice('"' * 60_000) is None
    assert time.process_time() - began < 0.5  # it took three seconds, and four times as long for twice as many


def test_many_amounts_in_a_row_take_no_time() -> None:
    began = time.process_time()
    assert not same_answer("3 to " * 198, "3", NOBODY)
    assert time.process_time() - began < 0.5  # it took a second


def test_plain_numbers_need_no_process() -> None:
    assert all(map(plain, ["17", "1/2", r"\frac{3}{4}", "-0.5", "x = 3", "50\\%", "1,000"]))
    assert not any(map(plain, [r"\sqrt 2", "x+1", "(1,2)", "A", r"\sin 1", "6/2(1+2)", "5 (x > 0)"]))


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"),
        ("(B)", "B"),
        (r"\text{(B) }5", "B"),
        ("Option B", "B"),
        ("e", "E"),
        ("(B) -3", "B"),
        (r"\textbf{(B) }-3", "B"),
        ("Option B: 12", "B"),
        ("B: 12", "B"),
        ("B: -3", "B"),
        ("B 12", "B"),
        ("B (12)", "B"),
        ("B - 12", "B"),
        ("B, 12", "B"),
        ("[B]", "B"),
        ("(B) = 5", "B"),
        ("a) 5", "A"),
        ("(a) 5", "A"),
        (r"\text{The answer is B}", "B"),
        ("选B", "B"),
        ("（B）乙", "B"),
        ("B、乙", "B"),
        ("答案：B", "B"),
        ("选B和C", None),
        ("Б", None),
        ("Both", None),
        ("5", None),
        ("A cat", None),
        ("A + 1", None),
        ("B, C", None),
        ("(A) and (B)", None),
        ("A: 5, B: 6", None),
        ("I, II", None),
        ("I, an option", "I"),
        ("x", None),
    ],
)
def test_choice(answer: str, letter: str | None) -> None:
    assert choice(answer) == letter


# What holds for all answers


PARTS = st.sampled_from(
    r"""1 2 0.5 x y \pi i e \frac{1}{2} \sqrt{2} + - / ^2 ^{10} = < , \le ( ) [ ] \{ \} { } | \pm ° ^\circ % \% cm A
    \text{ cm} AB \infty \cup \in : ! ' _2 \sin \log \text{no} or and \\ & $ \begin{pmatrix} \end{pmatrix}
    \sum_{k=1}^n k \left( \right) f(x)""".split()
) | st.just(" ")
ANSWERS = st.lists(PARTS, max_size=8).map("".join) | st.text(max_size=20)
NUMBERS = st.fractions(max_denominator=200).filter(lambda number: abs(number) < 10**6)
POLYNOMIALS = st.lists(st.integers(-9, 9), min_size=2, max_size=4)


def written(number: Fraction, style: int) -> str:
    """A number in one of several spellings."""
    sign, size = "-" if number < 0 else "", abs(number)
    whole, rest = divmod(size.numerator, size.denominator)
    plain_form = f"{sign}{size.numerator}/{size.denominator}"
    if size.denominator == 1:
        spellings = [
            f"{sign}{whole}",
            f"{sign}{whole:,}",
            f"${sign}{whole}$",
            f"{sign}{whole}.0",
            rf"\boxed{{{sign}{whole}}}",
        ]
    else:
        mixed = rf"{sign}{whole}\frac{{{rest}}}{{{size.denominator}}}" if whole else plain_form
        top, bottom = f"{sign}{size.numerator}", size.denominator
        spellings = [plain_form, rf"\frac{{{top}}}{{{bottom}}}", rf"\dfrac{{{3 * int(top)}}}{{{3 * bottom}}}", mixed]
    return spellings[style % len(spellings)]


def polynomial(coefficients: list[int], style: int) -> str:
    """A polynomial in x, its terms in one of two orders."""
    terms = [f"({c})" + ("" if power == 0 else f"x^{{{power}}}") for power, c in enumerate(coefficients) if c]
    return "+".join(terms[:: -1 if style % 2 else 1]) or "0"


@given(ANSWERS, ANSWERS)
def test_nothing_raises_and_both_ways_round_agree(left: str, right: str) -> None:
    assert compare(left, right, NOBODY).level == compare(right, left, NOBODY).level
    assert matches_gold(left, right, NOBODY) >= same_answer(left, right, NOBODY)
    assert same_answer(left, left, NOBODY)


NEAR_ONE = (
    r"1|1.0|+1|(1)|[1]|\{1\}|x=1|y=1|1,1|1, 1.0|1%|0.01|1 cm|10 mm|0.01 \text{ m}|1 m|1^\circ|1 degree|\pi/180|A|a|(A)|"
    r"A. 1|1:1|1:00|1_2|1 \pmod 2|3 \pmod 2|\$1|€1|1 dollar|x<1|(-\infty,1)|(1,1)|1!|\boxed{1}|one|\text{one}|i^4|-i^2|"
    r"\sin^2 x+\cos^2 x"
).split("|")


def test_the_same_is_transitive() -> None:
    level = {(a, b): compare(a, b, NOBODY).level for a in NEAR_ONE for b in NEAR_ONE}
    assert sum(each is Level.SAME for each in level.values()) > 2 * len(NEAR_ONE)
    for a, b, c in itertools.permutations(NEAR_ONE, 3):
        if level[a, b] is level[b, c] is Level.SAME:
            assert level[a, c] is Level.SAME, (a, b, c)


@settings(max_examples=40)
@given(NUMBERS, st.integers(0, 9), st.integers(0, 9))
def test_a_number_equals_itself_in_any_spelling(number: Fraction, one: int, other: int) -> None:
    assert same_answer(written(number, one), written(number, other), NOBODY)


@settings(max_examples=40)
@given(NUMBERS, NUMBERS, st.integers(0, 9), st.integers(0, 9))
def test_distinct_numbers_are_never_equal(left: Fraction, right: Fraction, one: int, other: int) -> None:
    assert same_answer(written(left, one), written(right, other), NOBODY) is (left == right)


@settings(max_examples=40)
@given(POLYNOMIALS, POLYNOMIALS, st.integers(0, 1))
def test_polynomials_are_equal_only_to_themselves(left: list[int], right: list[int], style: int) -> None:
    same = list(itertools.zip_longest(left, right, fillvalue=0))
    expected = all(a == b for a, b in same)
    assert same_answer(polynomial(left, 0), polynomial(right, style), NOBODY) is expected


NOISE = [
    lambda text: f"${text}$",
    lambda text: rf"\({text}\)",
    lambda text: rf"\boxed{{{text}}}",
    lambda text: rf"\displaystyle {text}",
    lambda text: f"  {text} ",
    lambda text: f"{text}.",
    lambda text: text.replace(r"\frac", r"\dfrac"),
    lambda text: text.replace("(", r"\left(").replace(")", r"\right)"),
    lambda text: text.replace("+", " + "),
    lambda text: rf"{{\color{{blue}} {text}}}",
]


@pytest.mark.parametrize("noise", NOISE)
def test_emphasis_within_a_formula_is_no_power(noise) -> None:  # type: ignore[no-untyped-def]
    assert same_answer("5", noise("**5**"), NOBODY)
    assert not same_answer("5", noise("2**5**1"), NOBODY)
    assert same_answer("2^{9}", noise("2 ** 3 ** 2"), NOBODY)


@settings(max_examples=60)
@given(st.sampled_from(sorted({a for found in SAME.values() for a, _ in found})), st.sampled_from(NOISE))
def test_formatting_noise_changes_nothing(answer: str, noise) -> None:  # type: ignore[no-untyped-def]
    if answer.count("$") or r"\boxed" in answer or r"\left" in answer or "text{" in answer or "." in answer[-1:]:
        return
    assert same_answer(answer, noise(answer), NOBODY), noise(answer)
