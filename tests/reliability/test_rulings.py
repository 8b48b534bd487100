"""What models write when they are asked for a verdict on each claim, read back: labels, and sentences."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibethinker_local.reliability import rulings


@pytest.mark.parametrize(
    ("text", "verdicts"),
    [
        ("1. VALID\n2. INVALID\n3. valid", [True, False, True]),
        ("**1.** VALID\n- 2: INVALID because 3 is VALID", [True, False, None]),
        ("1. VALID\n1. INVALID", [False, None, None]),
        ("4. VALID\n0. VALID\nall claims are VALID", [None, None, None]),
        ("1. INVALIDATED\n2. unclear", [None, None, None]),
        ("", [None, None, None]),
        ("Claim 1 - valid\nClaim 2 - refuted\n(3) REFUTED: 5 is not 6", [True, False, False]),
        ("1、VALID\n2．INVALID\n声明3：VALID", [True, False, True]),
    ],
)
def test_verdicts(text: str, verdicts: list[bool | None]) -> None:
    assert rulings.parse(text, 3) == verdicts


# As small instruct models go through claims, one after the other.
SENTENCES = """Let's look at each claim, to see whether it is valid or invalid.

1. **3 crates × 4 pears per crate = 12 pears**
   - This claim is valid. Each crate holds 4 pears, so that the number of pears is:
     \\[
     3 \\times 4 = 12
     \\]

2. **So 12 pears are left.**
   - This claim is **INVALID**. Two pears were eaten, so it would be right to say 10.

3. **Therefore the price is 2.50 × 12 = 30 dollars.**
   This claim is incorrect because only 10 pears are sold. The correct price is 2.5 × 10 = 25.

So, the invalid claims are 2 and 3. The final answer is \\boxed{\\text{INVALID}}.
"""
HEADINGS = """### Claim 1: The drill has 56 children

This is correct. If a row has 8 children, then 7 rows have 56.

So, this claim is VALID.

### Claim 2

As was said of claim 1, the calculation is right, but it is not valid for five schools. So the claim is not true.

### Claim 3: 56 × 5 = 280
- **VALID**: the calculation is exact.

### Conclusion

Both claims are INVALID. The solution is INVALID.
"""
TWICE = """1. 2 + 3 = 5
2. 5 × 4 = 20
3. The answer is 20.

Refuting them:

1. **Claim 1:** This claim is true.
2. **Claim 2:** It is wrong: it is 5 × 3.
3. **Claim 3:** Nothing can be said about it, if claim 2 is false.

- Claim 1: VALID
- Claim 2: INVALID
"""


@pytest.mark.parametrize(
    ("text", "verdicts"),
    [
        (SENTENCES, [True, False, False]),
        (HEADINGS, [True, False, True]),
        (TWICE, [True, False, None]),
        (
            "1. It is clearly not an invalid step.\n2. This isn't right.\n3. That seems to be false.",
            [True, None, False],
        ),
        ("1. If this is true, all is.\n2. It might be wrong.\n3. The right price is 5.", [None, None, None]),
        ("1. This claim is valid.\n\nIn short, claim 3 is INVALID, and all claims are VALID.", [True, None, None]),
        ("1.5 is VALID\n2.5 INVALID\n12. This is false.", [None, None, None]),
        ("VALID", [None, None, None]),
        ("1. It is true: if 8 are in a row, 56 are in 7.\n2. \\fbox{This is VALID}", [True, None, None]),
        ("## Claim 1\n### Check\n2 + 2 = 4\n### Verdict\nVALID\n\n## Summary\nThis is INVALID.", [True, None, None]),
        ("Claim #1: It is true.\n\n### In short\nIt is wrong.", [True, None, None]),
        ("1. It is true.\n\n### In short\nIt is wrong.\n\n2. Whether this is INVALID is open.", [True, None, None]),
    ],
)
def test_sentences(text: str, verdicts: list[bool | None]) -> None:
    assert rulings.parse(text, 3) == verdicts


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("VALID", True),
        ("**INVALID**", False),
        ("This claim is correct, since 2 + 3 = 5.", True),
        ("The step is not valid.", False),
        ("It might be wrong.", None),
        ("The answer is right.", None),
        ("2. VALID", None),
        ("1. VALID\n2. INVALID", True),
    ],
)
def test_one_claim_need_not_be_numbered(text: str, verdict: bool | None) -> None:
    assert rulings.parse(text, 1) == [verdict]


@pytest.mark.parametrize(
    "part",
    [
        "a",
        "**",
        "-",
        "> #",
        "it is ",
        "it is not really ",
        "\n",
        " ",
        "1. ",
        "x.1",
        "this ",
        "**a",
        "claim 1\n",
        "not ",
    ],
)
def test_a_long_reply_is_read_in_no_time(part: str) -> None:
    began = time.process_time()
    rulings.parse(f"1. It is  {20_000 * part}\n{20_000 * part}", 5)
    assert time.process_time() - began < 1  # seconds; milliseconds on a quiet machine


@given(st.text(max_size=200), st.integers(1, 5))
def test_nothing_raises(text: str, count: int) -> None:
    assert len(rulings.parse(text, count)) == count
