"""Where solutions part."""

import pytest

from vibethinker_local.reliability import crux
from vibethinker_local.reliability.crux import Side

PROBLEM = "Natalie planted 48 bulbs in April, and half as many in May. Each bulb costs $3. What did all of them cost?"
HALF = (
    "In May, she planted \\( 48 / 2 = 24 \\) bulbs.\n\nIn all: \\[ 48 + 24 = 72 \\]\n\n72 * 3 = 216, so \\boxed{216}."
)
WORDY = "Natalie planted 48 bulbs in April.\n1. **Bulbs in May:** 48 / 2 = 24\n2. 48 + 24 = 72 bulbs.\n\\boxed{216}."
TWICE = "Bulbs in May: 2 * 48 = 96\nAll bulbs: 48 + 96 = 144\nCost: 144 * 3 = $432\n\\boxed{432}"
SLIP = "She planted 48/2 = 24 bulbs in May.\nThen 48 + 24 = 62 bulbs.\n62 * 3 = 186\n\\boxed{186}"


def test_the_first_step_that_differs_and_who_takes_it() -> None:
    found = crux.find({0: HALF, 1: TWICE, 2: WORDY, 3: HALF}, [0, 2, 3], [1], PROBLEM)
    assert found == (
        Side("In May, she planted 48 / 2 = 24 bulbs.", (0, 2, 3)),
        Side("Bulbs in May: 2 * 48 = 96", (1,)),
    )


def test_what_goes_the_same_way_is_passed_over() -> None:
    found = crux.find({0: HALF, 1: SLIP}, [0], [1], PROBLEM)
    assert found
    assert [side.claim for side in found] == ["In all: 48 + 24 = 72", "Then 48 + 24 = 62 bulbs."]


def test_what_is_said_again_in_words_is_no_other_step() -> None:
    words = "48 / 2 = 24\nSo she planted 24 bulbs in May.\n48 + 24 = 72\n72 * 3 = 216\n\\boxed{216}"
    found = crux.find({0: words, 1: SLIP}, [0], [1], PROBLEM)
    assert found
    assert [side.claim for side in found] == ["48 + 24 = 72", "Then 48 + 24 = 62 bulbs."]


def test_a_number_of_the_problem_that_gets_a_name_is_no_step() -> None:
    named = "Bulbs in April = 48\n48 * 2 = 96\n\\boxed{288}"
    found = crux.find({0: HALF, 1: named}, [0], [1], PROBLEM)
    assert found
    assert [side.claim for side in found] == ["In May, she planted 48 / 2 = 24 bulbs.", "48 * 2 = 96"]


def test_others_belong_to_the_side_whose_step_they_take() -> None:
    found = crux.find({0: HALF, 1: TWICE, 2: SLIP}, [0], [1], PROBLEM)
    assert found
    assert found[0].members == (0, 2)


def test_none_where_the_texts_do_not_show_it() -> None:
    assert crux.find({0: "\\boxed{216}", 1: TWICE}, [0], [1], PROBLEM) is None
    assert crux.find({0: HALF, 1: HALF}, [0], [1], PROBLEM) is None


def test_the_numbers_of_the_problem_are_known_to_all() -> None:
    words = "She pays for 48 bulbs at 3 dollars.\n48 * 3 = 144\n\\boxed{144}"
    found = crux.find({0: words, 1: "24 * 5 = 120\n\\boxed{120}"}, [0], [1], PROBLEM)
    assert found
    assert found[0].claim == "48 * 3 = 144"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("48 / 2 = 24", "So 48 / 2 = $24", True),
        ("48 / 2 = 24", "12 * 2 = 24", False),
        ("2 + 3 = 5", "3 + 2 = 5", True),
        ("Day 2: 5 + 3 = 8", "Day 4: 5 + 3 = 8", True),
        ("48 / 2 = 24, so 24 * 3 = 72", "48 / 2 = 24", False),
        ("The triangle is isosceles and its base angles are equal", "It is isosceles, so its angles are equal", True),
        ("The triangles have equal angles", "A triangle has an equal angle", True),
        ("The red house stands near the river bank", "The red house stands near the lake shore", False),
    ],
)
def test_the_same_step(one: str, other: str, same: bool) -> None:
    assert crux.step_of(one).same(crux.step_of(other)) is same


def test_known_numbers_make_a_step_in_words_known_but_no_equation() -> None:
    known = frozenset({48.0, 24.0, 72.0})
    assert crux.step_of("So she planted 24 bulbs in May.").among([], known)
    assert not crux.step_of("So she planted 24 of 96 bulbs in May.").among([], known)
    assert not crux.step_of("48 + 24 = 72").among([], known)
    assert crux.step_of("trays = 72").names(known)
    assert not crux.step_of("9 * 8 = 72").names(known)
    assert crux.step_of("72 = 48 + 24").result is None


def test_a_comma_may_stand_before_decimals() -> None:
    assert crux.step_of("1,5 + 3 = 4,5").operands == (1.5, 3)
    assert crux.step_of("1,500 + 3 = 1,503").result == 1503


def test_assertions_part_by_their_words() -> None:
    one = "The number 91 is prime.\nSo it has 2 divisors."
    other = "The number 91 is not prime.\nSo it has 4 divisors."
    found = crux.find({0: one, 1: other}, [0], [1], "How many divisors has 91?")
    assert found
    assert [side.claim for side in found] == ["The number 91 is prime.", "The number 91 is not prime."]
