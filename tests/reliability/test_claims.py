"""What a model writes as claims and verdicts, read back."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibethinker_local.events import Verdict
from vibethinker_local.reliability import claims, statements
from vibethinker_local.reliability.claims import CheckedClaim


def test_numbered_lines_are_claims() -> None:
    assert claims.parse("1. Tom = 12\n2) Ann = 12 + 5 = 17\n  3: so 17\nnot one\n4.\n", 5) == [
        "Tom = 12",
        "Ann = 12 + 5 = 17",
        "so 17",
    ]
    assert claims.parse("1、小明有 12 个\n２．共 17 个\n（3）所以是 17", 5) == ["小明有 12 个", "共 17 个", "所以是 17"]


def test_a_claim_counts_once_and_no_more_than_wanted() -> None:
    assert claims.parse("1. a = 1\n2. A  = 1.\n3. b\n4. c\n", 2) == ["a = 1", "b"]


def test_long_claims_are_cut() -> None:
    assert len(claims.parse("1. " + "x" * 100_000, 1)[0]) == statements.MOST_CHARACTERS


@pytest.mark.parametrize(
    "text", ["```\n" * 10_000, "\n" * 20_000, "1. x" + " " * 40_000 + "y"], ids=["```", "\\n", " "]
)
def test_a_long_reply_is_read_in_no_time(text: str) -> None:
    began = time.process_time()
    claims.parse(text, 5)
    claims.published(r"\boxed{1}" + text, 5)
    assert time.process_time() - began < 1  # seconds; milliseconds on a quiet machine


@pytest.mark.parametrize("heading", ["**Claims:**", "---\n\n## Claims", "***\n\nCLAIMS\n"])
def test_a_published_reply_is_taken_apart_at_its_claims(heading: str) -> None:
    reply = "Claims first.\n\n**So** \\boxed{5}\n**.**\n\n" + heading + "\n1. **a = 5**\n2. b"
    assert claims.published(reply, 3) == ("Claims first.\n\n**So** \\boxed{5}", ["a = 5", "b", ""])


def test_without_a_box_there_are_no_published_claims() -> None:
    assert claims.published("Claims\n1. a\n2. b", 2) == ("Claims\n1. a\n2. b", ["", ""])


@pytest.mark.parametrize(
    ("claim", "threshold", "ruling"),
    [
        (CheckedClaim("c", p=0.9, holds=False, thought=True), 0.5, "refuted"),  # arithmetic beats reasoning
        (CheckedClaim("c", p=0.9, thought=False), 0.5, "refuted"),  # reasoning beats the probability
        (CheckedClaim("c", p=0.5), 0.5, "supported"),
        (CheckedClaim("c", p=0.4), 0.5, "refuted"),
        (CheckedClaim("c", p=0.0), 0.0, "supported"),
        (CheckedClaim("c", p=0.9), None, "undecided"),
    ],
)
def test_what_all_attempts_to_refute_a_claim_come_to(claim: CheckedClaim, threshold: float | None, ruling: str) -> None:
    verdict = claim.verdict(threshold)
    assert verdict
    assert verdict.ruling == ruling
    assert verdict.method == ("arithmetic" if claim.holds is False else "model")


def test_a_verdict_that_could_not_be_read_refutes_nothing() -> None:
    assert CheckedClaim("c").verdict(0.5) is None
    assert CheckedClaim("c").verdict(0.5, reasoned=True) == Verdict("undecided", "model")


@given(st.text(max_size=200), st.integers(1, 5))
def test_nothing_raises(text: str, count: int) -> None:
    assert len(claims.parse(text, count)) <= count
