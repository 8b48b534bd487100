"""Exact arithmetic: refutes what it has read without doubt, and nothing else."""

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibethinker_local.reliability import arithmetic


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        ("12 + 5", 17),
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4", 20),
        ("-3^2", -9),
        ("2^3^2", 512),
        ("2^{-2}", Fraction(1, 4)),
        ("7 / 2", Fraction(7, 2)),
        ("0.1 + 0.2", Fraction(3, 10)),
        (".5", Fraction(1, 2)),
        ("50%", Fraction(1, 2)),
        (r"50\%", Fraction(1, 2)),
        ("1,234,567", 1_234_567),
        ("1{,}234", 1234),
        (r"\frac{1}{2} + \frac12", 1),
        (r"\dfrac{\frac{1}{2}}{2}", Fraction(1, 4)),
        (r"1\frac{1}{2}", Fraction(3, 2)),
        (r"3 \times 4 \div 2 \cdot 5", 30),
        ("3 × 4 − 2", 10),
        (r"\left(2 + 3\right)^2", 25),
        ("50% + 25%", Fraction(3, 4)),
        ("200 * (1 + 5%)", 210),
        ("200 - 10% * 50", 195),
    ],
)
def test_value(text: str, worth: Fraction) -> None:
    assert arithmetic.value(text) == worth


@pytest.mark.parametrize(
    "text",
    ["", "x", "2x", "2 3", "2(3)", "1/0", "0^{-1}", "5!","(1", "1)", "9^9^9^9","2^.5", "1,23", "+", "__import__",
     "200 + 5%", r"2\frac{5}{3}"],
)  # fmt: skip
def test_what_is_no_plain_number_is_unknown(text: str) -> None:
    with pytest.raises(arithmetic.Undecidable):
        arithmetic.value(text)


@pytest.mark.parametrize(
    ("claim", "holds"),
    [
        ("12 + 5 = 17", True),
        ("12 + 5 = 18", False),
        ("Ann = Tom + 5 = 12 + 5 = 17", True),
        ("Ann: Tom + 5 = 12 + 5 = 18.", False),
        ("$2 + 2 = 5$", False),
        ("1 = 2 = Ann", False),
        ("0.1 + 0.2 = 0.3", True),
        ("2^{10} = 1{,}024", True),
        ("10 / 3 = 3.33", None),  # rounded
        ("10 / 3 ≈ 3", None),
        ("x^2 = 4", None),
        ("-3^2 + 4 = 13", None),  # meant is (-3)^2
        ("-3^2 + 4 = -5", True),
        ("5 - 3^2 = -3", False),
        ("2^3^2 = 64", None),
        ("2^(3^2) = 64", False),
        ("She works 9-5 = 8 hours a day", None),
        ("She works 9 - 5 = 8 hours a day", None),
        ("She works 9 - 5 = 4 hours a day", True),
        ("She works 9 - 5 = 3 hours a day", False),
        ("She works 9 - 5 = 8 days", False),
        ("50 - 20 = 18", False),
        ("half of 10 = 5", None),
        ("5 - 2 = 3 and 4 + 4 = 8", None),
        ("17 mod 5 = 3", None),
        ("the remainder of 17 / 5 = 3", None),
        ("3 + 4 = 7 apples", True),
        ("1 + 1 = 10 in base 2", None),
        ("2 + 2 < 5 = 5", None),
        ("Ann has 17", None),
        ("9^9^9^9 = 1", None),
        ("", None),
        # In sentences.
        ("so Kim raised 430 + 320 = 750 dollars.", True),
        ("so Kim raised \\(430 + 320 = 760\\) dollars.", False),
        ("The cost is 34 dollars/foot × 18 feet = 588 dollars.", False),
        ("The cost is 34 dollars/foot × 18 feet = 612 dollars.", True),
        ("\\[ 160 \\text{ dollars} + 320 \\text{ dollars} = 470 \\text{ dollars} \\]", False),
        ("Therefore, John's annual salary is $285.71 * 52 = $157,138.82.", False),
        ("Each gets $10 / 3 = $3.33.", None),
        ("She has 20% of 50 = 10 marbles left, and then some.", True),
        ("She has 20% of 50 = 20 marbles.", False),
        ("He reads 3 books x 120 pages = 360 pages a week", True),
        ("It takes (750 kg)/(150 kg/day) = 6 days", False),
        ("It takes 750 kg / 150 kg per day = 5 days", True),
        ("Total: 3 + 4 = 7, so 7 * 2 = 15", False),
        ("We multiply the weekly pay by 52: 2100 * 52 = 109200 dollars", True),
        ("We multiply the weekly pay by 52: 2100 * 52 = 108200 dollars", False),
        ("We add $320 to $430:\n430 + 320 = 750", True),
        ("It is 12 : 3 + 1 = 5", None),  # a division
        ("It is 12:3 + 1 = 5", None),
        ("Total: 3 + 4 = 7 so 7 * 2 = 15", None),  # the middle is a sentence: not read
        ("He drives 60 miles/hour × 2 hours = 100 miles.", False),
        ("So 4 + 5 = 9 dollars, and 2 * 2 = 5.", False),
        ("So 4 + 5 = 9 dollars, and 9 * 2 = 18.", True),
        ("the sum of 2, 5, and 3 + 4 = 14", None),
        ("The share is 20/80 * 100 = 25%", True),
        ("20/80 * 100 = 25%", True),
        ("20/80 * 100 = 35%", False),
        ("0.3 * 100 = 300%", False),
        ("They share 56 ÷ 6 = 9 oranges each", None),
        ("They share 56 ÷ 6 = 8 oranges each", False),
        ("Distance in the first 4 days = 200 km/day × 4 days = 800 km", True),
        ("Distance in the first 4 days = 200 km/day × 4 days = 900 km", False),
        ("15 kg/hour × 10 hours/day = 160 kg/day", False),
        ("3 hours / 15 minutes = 12", None),
        ("4 days × 24 hours = 90 hours", None),
        # Units change what the numbers mean.
        ("2 hours + 30 minutes = 150 minutes", None),
        ("50 cents × 4 = $2", None),
        ("3 dozen × 2 = 72 eggs", None),
        ("5 weeks × 7 = 36 days", None),
        ("1 hour = 60 minutes", None),
        # Words before take part.
        ("5 more than 3 + 4 = 12", None),
        ("half of 12 + 4 = 10", None),
        ("twice 3 + 1 = 8", None),
        ("the sum of 5 and 3 + 4 = 12", None),
        ("Subtract 3 from 10 - 2 = 5", None),
        # Algebra.
        ("2x + 3 = 11", None),
        ("3 * 4 = 12x", None),
        ("f(3) + 2 = 11", None),
        ("a_1 + 2 = 5", None),
        ("ab + 3 * 2 = 7", None),
        ("2 * 3 pi = 18.84", None),
        ("sin 30 + 1 = 1.5", None),
        ("n! + 3 * 2 = 8", None),
        ("2 apples + 3 = x", None),
        ("the ratio is 3:4 + 1 = 6", None),
        ("|3 - 5| + 1 = 4", None),
        ("7 = 3 + 2√4", None),
        ("64 + 36 = 10²", None),
        ("8 squared + 1 = 65", None),
        ("65 = 1 + 8 squared", None),
        ("12 feet × 10 feet = 130 feet squared", False),
        ("60 * 2 = 5!", None),
        (r"7 = 3 + 2\sqrt{4} in all", None),
        ("So 1 + 1 = 10_2", None),
        ("the share is 1.5 + 2 = 3,5", None),
        # Percentages of what stands before them, or of one.
        ("The price is $200 + 5% = $210.", None),
        (r"\[100 - 25\% = 75\]", None),
        ("100 - (25%) = 75", None),
        ("25% + 3 = 10", None),
        ("100% - 25% = 85%", False),
        ("200 × (1 + 5%) = 220", False),
        # Fractions keep together.
        (r"So \(2\frac{1}{2} \times 2 = 5\) cups.", True),
        (r"So \(2 \frac12 \times 2 = 6\) cups.", False),
        (r"So \(10 - 2\frac{1}{3} = 7\frac{2}{3}\) of them.", True),
        (r"So \(\frac{1}{2} \div \frac{1}{4} = 2\) cups.", True),
        (r"So \(5 \times \frac{3}{4}^2 = 2.8125\) of it.", True),
        (r"3\frac{4}{2} = 6", None),
        (r"So \(3\frac{4}{2} = 6\) cups.", None),
        (r"So \(\frac{1}{2} \frac{1}{3} = \frac{1}{6}\) of it.", None),
        # Powers of units, and of numbers in Python's spelling.
        (r"\(12 \text{ cm} \times 10 \text{ cm} = 120 \text{ cm}^2\)", True),
        (r"\(12 \text{ cm} \times 10 \text{ cm} = 130 \text{ cm}^{2}\)", False),
        ("Area = 12 × 10 = 120 cm^2.", True),
        ("Area = 12 × 10 = 130 cm².", False),
        ("So 2**10 = 1024 ways.", True),
        ("So 2 ** 10 = 1023 ways.", False),
        ("**Total:** 3 + 4 = **8** apples", False),
        # Rounded to whole percents.
        ("5/12 = 42%", None),
        ("2/3 = 67%", None),
        ("42% = 5/12", None),
        ("5/12 × 100 = 42%", None),
        ("(5/12) × 100% = 42%", None),
        ("5 / 12 * 100 = 41.67%", None),
        (r"So \(\frac{5}{12} \times 100\% = 42\%\) of them.", None),
        ("5/12 = 50%", False),
        ("7/9 = 68%", False),
        ("1/4 = 26%", False),
        ("3/4 × 100% = 80%", False),
        ("3/4 × 100% = 75%", True),
        ("4 + 4 = 17/2", False),
        # Converted, which only the unit of the result tells.
        ("5 × 50 = $2.50", None),
        ("4 * 25 = $1", None),
        ("45 + 45 = 1.5 hours", None),
        ("It takes 50 + 50 = 1.67 hours.", None),
        ("4 × 250 = 1 km", None),
        ("3 × 40 = 1.2 meters", None),
        ("36 × 2 = 6 feet", None),
        ("In thousands, they lose 5 * 3 = $15,000.", None),
        ("14 hours = 14 * 60 = 840 minutes", True),
        ("5 × 50 = $2.60", False),
        ("5 × 50 = $25", False),
        ("5 * 3 = $1,500", False),
        ("90 + 30 = 3 hours", False),
        ("45 + 45 = 1.6 hours", False),
        ("4 × 250 = 2 km", False),
        ("15 + 15 = 40 minutes", False),
        ("5 + 3 = $9", False),
        ("x = $3 + 4$ = $8$", False),
        # Times of day.
        ("10 + 5 = 3:00 PM", None),
        ("11 + 3 = 2 PM", None),
        ("11 + 3 = 2 p.m.", None),
        ("10 + 4 = 2 a.m.", None),
        ("8 + 6 = 2 o'clock", None),
        ("40 + 35 = 1:15", None),
        ("So 3 + 5 = 9: she has 9 of them", False),
        # Parts of something, and numbers of things in a row.
        ("90∘ + 90 = 180", None),
        ("3 + 2 = 5/8 of the pizza", None),
        ("3 slices + 2 slices = 5/8", None),
        ("3/3 - 2/3 = 1/3 of $150 is left", None),
        ("She ate 3 + 2 = 6/8 of the pizza", None),
        ("The profit = 20% of 50 = 20", False),
        ("3 + 4 = 8 of them", False),
        ("5 x 1/2 = 10 halves", None),
        ("8 batches = 5.5 * 8 = 44 cups", True),
        ("8 apples = 3 apples + 4 apples", False),
        ("Pages 10-15 = 6", None),
        ("10-15 = 6 numbers", None),
        ("15 - 10 = 6 numbers", False),
        # Signs that others read otherwise.
        ("3 + 4 = 7 + 5 = 12", True),
        ("So 3 + 4 = 7 + 5 = 12 apples.", True),
        ("600 miles / 50 mph = 12 hours * 60 minutes = 720 minutes", True),
        ("1/2 + 1/2 = 1/4", False),
        ("1/2 + 1/2 = 1/4 = 0.25", False),
        ("3 + 4 = 7 + 5", False),
        ("3 + 4 = 8 + 5 = 13", False),
        ("3 + 4 = 7 + 5 = 13", False),
        ("28 / 1/5 = 140 cups", None),
        ("28 ÷ 1/5 = 140", None),
        ("He needs $2000 / 2/3 = $3000", None),
        ("24 / 2 / 3 = 4", True),
        ("28 / 5 = 140", False),
        ("There are 25x.4=10 boys", True),
        ("There are 25x.4=11 boys", None),
        ("There are 25x.4=20 boys", False),
        ("They need 25 x .33 = 8 cups", None),
        # Sides with decimals that are close, but for more than their last places.
        ("So he earns 3.00 + 1.50 + 1.50 + 3.00 = 10.00", False),
        ("So he earns $3.00 + $1.50 + $1.50 + $3.00 = $10.00", False),
        ("So he earns 3.00 + 1.50 + 1.50 + 3.00 = 9", True),
        ("After the raise he has 5000 × 1.05 = 5500", False),
        ("5000 × 1.05 = 5200", None),
        ("285.71 × 52 = 15774.92", False),
        ("285.71 × 52 = 14857", None),
        ("2.33 × 3 = 7", None),
        ("2.33 + 2.33 + 2.33 = 6.98", None),
        ("2.33 + 2.33 + 2.33 = 7.25", False),
        ("3.14 × 5 × 5 = 78.54", None),
        ("1.07^10 = 1.97", None),
        ("10 / 3 × 6 = 19.98", None),
        ("33% of 61.5 = 20.5", None),
        ("1,250.50 + 1,250.50 = 2,600", None),
        ("1,250.50 + 1,250.50 = 2,650", False),
        ("She spends 7 + 9 + 1 + 2 = $19.50 a week", None),
        ("45.5 × 10 = 460", None),
        # Thousands as other languages write them.
        ("1'000 + 500 = 1'500 francs", True),
        ("1'000 + 500 = 1'600 francs", False),
        ("€1.200 + €300 = €1.500", None),
        ("€1.200 + €300 = €1.600", False),
        ("1.200^200 = 5", False),  # with 1200 there are too many digits
        # Units of one kind that nothing connects, and names with digits.
        ("60 miles/hour × 90 minutes = 90 miles", None),
        ("60 miles/hour × 2 hours = 90 miles", False),
        ("60 feet/minute × 2 minutes = 110 ft", False),
        ("A1 + 4 = 7", None),
        ("a1 + 4 = 7", None),
        # A part of a number, an average, and digits left out.
        ("90 - 1/3 = 60 students", None),
        ("90 students + 1/3 = 120 students", None),
        ("90 - 1/3 = 30", False),
        ("1 - 1/3 = 1/3", False),
        ("4 + 6 / 2 = 5", None),
        ("The mean is 2 + 4 + 9 / 3 = 5.", None),
        ("4 + 6 / 2 = 8", False),
        ("2 + 4 + 9 / 5 = 3", False),
        ("999...9 + 1 = 1000", None),
        # Not meant, or not exactly.
        ("Rounded to tens: 48 + 33 = 80", None),
        ("Estimate: 48 + 33 = 50 + 30 = 80", None),
        ("A common mistake is 2 + 3 × 4 = 20.", None),
        ("Incorrect: 1 + 2 = 4", None),
        ("One might think that 3 + 4 = 8", None),
        ("Total: 48 + 33 = 80", False),
        ("1 + 2 + ... + 10 = 56", None),
        # Decimal commas, and thousands beside them.
        ("12,5 + 7,5 = 20", None),
        ("0,125 * 8 = 1", None),
        ("1,125 * 8 = 9", None),
        ("2,500 + 2,500 = 5", None),
        ("Jeder bekommt 10 / 3 = 3,333 Liter.", None),
        ("2 / 3 = 0,667", None),
        ("1.000 + 500 = 1.500", None),
        ("500 × 4 = 2'000", True),
        ("1,000 + 250 = 1,250", True),
        ("1,000 + 250 = 1,350", False),
        ("45,000 / 7 = 6,300", False),
        ("5 * 1,000 = 6,000", False),
        ("12,345 + 1,000 = 13,346", False),
        # Words of other languages that are part of the sum.
        ("5 mehr als 3 + 4 = 12", None),
        ("doppelt so viel wie 3 + 4 = 14", None),
        ("le double de 3 + 4 = 14", None),
        ("2 Dutzend + 1 = 25", None),
        ("2 Tsd. + 500 = 2500", None),
        ("23 Uhr + 2 = 1 Uhr", None),
        ("比 3 + 4 多 5 = 12", None),
        ("3 × 3,14 ist etwa = 9", None),
    ],
)
def test_check(claim: str, holds: bool | None) -> None:
    checked = arithmetic.check(claim)
    assert (checked and checked[0]) is holds


@pytest.mark.parametrize(
    "text",
    [
        r"\(2\frac{1}{2} \times 2 = 5\)",
        r"\(1\frac{1}{2} + 2\frac{1}{4} = 3\frac{3}{4}\)",
        r"\(\frac{1}{2} \div \frac{1}{4} = 2\)",
        "2**10 = 1024",
        r"\[1 + 1 = 10_2\]",
        "So each gets 5/12 = 42% of it.",
        "They cost 5 × 50 = $2.50 in all.",
        "They arrive at 10 + 5 = 3:00 PM.",
        "So he needs 2 cups / 1/4 cup/burger = 8 burgers.",
        # Proofs by contradiction, and slips that are noticed.
        "If x = 2, then 2 + 3 = 6, which is false.",
        "Then 0 + 0 = 1, a contradiction.",
        "Suppose n = 3. Then 3 + 4 = 8. This is a contradiction.",
        "We get\n\\[ 7 = 16 + 2 \\]\n\\[ 7 = 18 \\]\nThis equation is incorrect, so we start again.",
        "3 + 4 = 8. But that cannot be, so k is odd.",
        "3 + 4 = 8\n这不可能。",
        "3 + 4 = 8\n矛盾，所以 k 是奇数。",
        "3 + 4 = 8.\nDas ist ein Widerspruch.",
        "Then 3 + 4 = 8 of them. Hence, the assumption does not hold.",
        "So he has\n\\[ 259 \\times 12 = 31\n\nThe answer is \\boxed{31}.",  # cut off within a number
    ],
)
def test_no_correct_line_of_a_solution_is_refuted(text: str) -> None:
    assert all(holds for _, holds, _ in arithmetic.told(text, "a problem"))


@pytest.mark.parametrize(
    "text",
    [
        "He has 3 + 4 = 8 apples. He ate two.",
        "He got 5 wrong, so 20 - 5 = 16 are right.",
        "So 3 + 4 = 8. This is what he pays. It is not much.",
        "He has 3 + 4 = 8 apples. He ate two. He has six. That cannot be more.",
        "It cannot be seen. So 3 + 4 = 8 apples are left.",
        "So \\[\n3 + 4 = 8\n8 - 2 = 6\n\nThe answer is \\boxed{6}.",
        "3 + 4 = 8\n所以小明有 8 个苹果。",
    ],
)
def test_a_wrong_sum_that_nobody_takes_back(text: str) -> None:
    assert [holds for _, holds, _ in arithmetic.told(text, "a problem") if not holds] == [False]


def test_a_refutation_has_a_witness() -> None:
    assert arithmetic.check("Ann = 12 + 5 = 18") == (False, "12 + 5 = 18 does not hold: the left side is 17")


@pytest.mark.parametrize("claim", ["7" * 100_000 + " = 8", "(" * 100_000, "1+" * 900 + "1 = 2", "9^" * 500 + "9 = 1"])
def test_nothing_takes_long(claim: str) -> None:
    began = time.process_time()
    arithmetic.check(claim)
    assert time.process_time() - began < 10  # milliseconds


OTHERWISE = [
    ("Add 5 and 4 in base 7.", "We add. So 5 + 4 = 12."),
    ("Find the units digit of 7^4.", "So 3 × 7 = 21 = 1."),
    ("Find 3^4.", "We compute modulo 5. Then 3 × 4 = 2."),
    ("Find 3^4.", r"In \(\mathbb{Z}_7\), we have 5 + 4 = 2."),
    ("What is the remainder when 3^4 is divided by 7?", "Then 3 × 4 = 5."),
    ("The operation * is defined by a * b = a + 2b.", "So 3 * 4 = 11."),
    (r"If a \star b = a + b^2, what is 3 \star 4?", "So 3 * 4 = 19."),
    ("定义新运算：a*b=a+2b，求3*4。", "3*4 = 11"),
    ("Wir definieren a * b = a + 2b.", "3 * 4 = 11"),
    ("On définit a * b = a + 2b.", "3 * 4 = 11"),
    ("求 7^4 的个位数字。", "7^2 = 9"),
    ("求 2^5 除以 7 的余数。", "2^5 = 4"),
    ("Welche ist die letzte Ziffer von 7^4?", "7^2 = 9"),
    ("Найдите остаток от деления.", "2^5 = 4"),
]


@pytest.mark.parametrize(("problem", "text"), OTHERWISE)
def test_signs_may_mean_something_else(problem: str, text: str) -> None:
    assert arithmetic.told(text, problem) == []


@pytest.mark.parametrize(
    "problem",
    ["A triangle has a base of 3.", "The factory operates 8 hours.", "求函数的定义域",
     "He gives the remainder to Ann.", "Multiply in the order of operations.", "a * b",
     "They walk from base camp; the remainder is divided among 3 boys.", r"An angle has 60^\circ or $60^{\circ}$."],
)  # fmt: skip
def test_signs_that_mean_what_they_say(problem: str) -> None:
    assert [holds for _, holds, _ in arithmetic.told("So 3 × 4 = 13.", problem)] == [False]


@given(st.text(alphabet="0123456789+-*/^(){}%.,= \\fracx", max_size=60))
def test_nothing_raises(text: str) -> None:
    arithmetic.check(text)


@given(st.integers(-999, 999), st.integers(-999, 999), st.integers(-999, 999))
def test_true_sums_hold_and_false_ones_do_not(a: int, b: int, off: int) -> None:
    holds = arithmetic.check(f"x = {a} + ({b}) = {a + b + off}")
    assert holds is not None
    assert holds[0] is (off == 0)


def as_written(number: Fraction) -> str:
    """A number as LaTeX, mixed where it can be."""
    whole, rest = divmod(number.numerator, number.denominator)
    if not rest:
        return str(whole)
    return f"{whole or ''}\\frac{{{rest}}}{{{number.denominator}}}"


AMOUNTS = st.fractions(Fraction(1, 9), 20, max_denominator=9)


@given(AMOUNTS, AMOUNTS, st.sampled_from(["+", r"\times", r"\div"]), st.sampled_from(["{}", "So \\({}\\) cups."]))
def test_sums_of_fractions_hold_in_a_formula_and_in_a_sentence(a: Fraction, b: Fraction, sign: str, where: str) -> None:
    result = {"+": a + b, r"\times": a * b, r"\div": a / b}[sign]
    checked = arithmetic.check(where.format(f"{as_written(a)} {sign} {as_written(b)} = {as_written(result)}"))
    assert checked is not None
    assert checked[0]
