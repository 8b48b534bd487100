"""Where solutions part."""

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


def test_a_comma_may_stand_before_decimals() -> None:
    assert crux.step_of("1,5 + 3 = 4,5").operands == (1.5, 3)
    assert crux.step_of("1,500 + 3 = 1,503").result == 1503


def test_assertions_part_by_their_words() -> None:
    one = "The number 91 is prime.\nSo it has 2 divisors."
    other = "The number 91 is not prime.\nSo it has 4 divisors."
    found = crux.find({0: one, 1: other}, [0], [1], "How many divisors has 91?")
    assert found
    assert [side.claim for side in found] == ["The number 91 is prime.", "The number 91 is not prime."]
