"""What of a model's sentences is a claim, on sentences such as small models write."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibethinker_local.reliability import statements

SHOP = (
    "Mira baked 36 rolls on Monday, and on Tuesday she baked half as many. She sold every roll for $2. "
    "How much money did Mr. Okafor's bakery take in on the two days?"
)
CLAIMS = [
    "On Tuesday she baked 36 / 2 = 18 rolls.",
    "Rolls on Tuesday: \\( \\frac{36}{2} = 18 \\)",
    "**Total rolls:** 36 + 18 = 54",
    "Rolls baked on Tuesday: 18",
    "Calculate the total: 36 + 18 = 54",
    "To find the total, we add the two: \\[ 36 + 18 = 54 \\]",
    "So, Mira baked 54 rolls in all",
    "Mira baked twice as many rolls on Tuesday.",
    "Mira baked 38 rolls on Monday",
    "She sold every roll for $3.",
    "The bakery took in 54 * 2 = $108.",
    "$54 \\times 2 = 108$",
    "x = 18",
    "The two days are equal in rolls",
    "Let x = 36 / 2 = 18 be the rolls of Tuesday.",
    "Let x be 36 / 2 = 18.",
    "Add 36 + 18 = 54",
    "The number of rolls is even.",
    "We know that she baked 18 rolls on Tuesday",
]
NOT_CLAIMS = {
    "heading": ["**Initial number of rolls:**", "### Step 1: Rolls on Tuesday", "Rolls baked on Tuesday:", "The steps"],
    "instruction": [
        "Calculate the number of rolls on Tuesday",
        "First, let's find how many rolls she baked.",
        "To determine the money, we multiply the rolls by the price.",
        "We need to add the rolls of both days",
        "Then subtract the result from the total",
        "2. Multiply the number of rolls by 2",
        "Let's break the problem into steps",
    ],
    "definition": [
        "Let $x$ be the number of rolls on Tuesday.",
        "Let's denote the price as p",
        "where x represents the number of rolls",
        "x represents the rolls of Monday",
    ],
    "question": ["How many rolls did she bake?"],
    "answer": [
        "The final answer is \\boxed{108}",
        "**Answer:** 108",
        "So the answer is $108$.",
        "The correct answer is (C).",
    ],
    "given": [
        "Mira baked 36 rolls on Monday.",
        "She baked half as many on Tuesday",
        "On Monday, Mira baked 36 rolls",
        "On Tuesday she baked half as many, and sold every roll for $2",  # two sentences of it
        "The problem states that she sold every roll for $2.",
        "Mira sold every roll for \\$2",
    ],
    "empty": ["...", "**", "It is"],
}


@pytest.mark.parametrize("text", CLAIMS)
def test_claims(text: str) -> None:
    assert statements.not_a_claim(text, SHOP) is None


@pytest.mark.parametrize(("why", "text"), [(why, text) for why, texts in NOT_CLAIMS.items() for text in texts])
def test_what_is_none(why: str, text: str) -> None:
    assert statements.not_a_claim(text, SHOP) == why


def test_a_problem_does_not_say_what_changes_hands() -> None:
    problem = "Ann has 5 apples and Ben has 3. How many more has Ann?"
    assert statements.says(problem, "Ann has 5 apples")
    assert not statements.says(problem, "Ben has 5 apples and Ann has 3")
    assert not statements.says(problem, "Ann has 5 - 3 = 2 apples more than Ben")


def test_what_a_problem_says_and_what_it_asks() -> None:
    assert statements.given(SHOP) == (
        "Mira baked 36 rolls on Monday, and on Tuesday she baked half as many.",
        "She sold every roll for $2.",
    )
    assert statements.given("If Dr. Lee makes 2000 a week, how much does she make in a year?") == (
        "Dr. Lee makes 2000 a week.",
    )
    assert statements.given("Find the largest prime below 100.") == ()
    for sentence in statements.given(SHOP):
        assert statements.says(SHOP, sentence), "a sentence that is quoted is never judged"


WORKED = """To find out how much the bakery took in, follow these steps:

1. **Rolls on Monday:** Mira baked 36 rolls.

2. **Rolls on Tuesday:** She baked half as many:
   \\[
   \\frac{36}{2} = 18 \\text{ rolls}
   \\]

3. **All rolls:**
   \\[ 36 + 18 = 54 \\]

Each roll costs $2, so they brought in 54 * 2 = $108. That is 108 dollars for 2.5 kg of flour, approx. as planned.

Therefore, the final answer is $\\boxed{108}$."""


def test_the_claims_of_a_solution() -> None:
    assert statements.extracted(WORKED, SHOP, 9) == [
        "Rolls on Tuesday: She baked half as many: 36/2 = 18 rolls",
        "All rolls: 36 + 18 = 54",
        "Each roll costs $2, so they brought in 54 * 2 = $108.",
        "That is 108 dollars for 2.5 kg of flour, approx. as planned.",
    ]


def test_what_stands_behind_an_instruction_is_the_claim() -> None:
    monday = "1. Calculate the rolls of Monday:\n\\[ \\text{Rolls on Monday} = 4 \\times 9 = 36 \\]"
    text = f"{monday}\n2. Add both: 36 + 18 = 54.\nAdd both:  36 + 18 = 54"
    assert statements.extracted(text, SHOP, 9) == ["Rolls on Monday = 4 × 9 = 36", "Add both: 36 + 18 = 54."]
    assert statements.extracted("All rolls:\nMira baked 36 + 18 = 54 rolls.", SHOP, 9) == [
        "Mira baked 36 + 18 = 54 rolls."
    ]


def test_equations_come_first_where_there_are_too_many() -> None:
    found = statements.extracted(f"Mira baked twice as many rolls on Tuesday.\n{WORKED}", SHOP, 3)
    assert len(found) == 3
    assert all("=" in claim for claim in found)


def test_what_is_taken_back_soon_is_no_claim() -> None:
    text = "Let there be 30 + 20 = 40 rolls. Then 40 + 5 = 45 are sold. {}This is impossible. So 36 + 18 = 54 rolls."
    assert statements.extracted(text.format(""), SHOP, 9) == ["So 36 + 18 = 54 rolls."]
    later = statements.extracted(text.format("Hence 45 - 5 = 40 are left. "), SHOP, 9)
    assert later == ["Let there be 30 + 20 = 40 rolls.", "So 36 + 18 = 54 rolls."]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"\(\frac{36}{2} = 18\)", "36/2 = 18"),
        (r"$2\frac{1}{2}$ cups", "(2+1/2) cups"),
        (r"\(2\frac{5}{3}\)", "2(5/3)"),
        (r"\(2\frac{3}{3}\)", "2(3/3)"),
        (r"\(6 \div \frac12\)", "6 ÷ (1/2)"),
        (r"\(\frac{a}{b}^2\)", "(a/b)^2"),
        ("**Total:** 2**3 or 2 ** 3 = **8**", "Total: 2**3 or 2 ** 3 = 8"),
    ],
)
def test_plain_text_keeps_what_formulas_mean(text: str, shown: str) -> None:
    assert statements.plain(text) == shown


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("So:\n\n\\[ 1 + 1\n= 2 \\]\n\nThen $$a$$ and\nb", ["So: 1 + 1 = 2", "Then a", "and", "b"]),
        ("So \\[ 1 + 1 = 2\nThen", ["So 1 + 1 = 2", "Then"]),
        ("So\n\\[\n1 + 1 = 2\n25 × 12 = 30\n\nThe answer is 30.", ["So", "1 + 1 = 2", "The answer is 30."]),
        ("Mr. Lee met Dr. Ray. Both left.", ["Mr. Lee met Dr. Ray.", "Both left."]),
    ],
)
def test_sentences(text: str, found: list[str]) -> None:
    assert statements.sentences(text) == found


@pytest.mark.parametrize("piece", ["\n", " ", "\\[ ", "$$ ", "A. ", "\\frac{1}{2}", "\\text{"])
def test_any_text_takes_time_in_proportion(piece: str) -> None:
    began = time.process_time()
    statements.sentences(piece * (60_000 // len(piece)) + "x")
    assert time.process_time() - began < 5  # below a second; much more if it were quadratic


@given(st.text(max_size=300), st.text(max_size=100))
def test_nothing_raises(text: str, problem: str) -> None:
    assert len(statements.extracted(text, problem, 3)) <= 3
    statements.given(problem)
    statements.not_a_claim(text, problem)
