"""What a model's one-pass verdicts are measured by, problem by problem: statements known to hold, or not to.

A small model's p(VALID) lies anywhere: of sentences of the problem itself, 92% were below 0.5 (Qwen2.5-Coder-0.5B,
GSM8K). So a claim is compared with what the problem says, with the same altered, and with a text that says nothing.
"""

import re
from dataclasses import dataclass, replace
from statistics import fmean

from vibethinker_local.reliability import statements

MOST_SENTENCES = 3  # of a problem: the longest, for they say the most
NOTHING = "N/A"  # content-free
GENERAL = (("2 + 3 = 5.", True), ("2 + 3 = 6.", False), ("10 is even.", True), ("10 is odd.", False))

_NUMBER = re.compile(r"\d+(?:,\d{3})+|\d+")
_OPPOSITES = {
    "more": "fewer", "fewer": "more", "less": "more", "half": "twice", "twice": "half", "before": "after",
    "after": "before", "older": "younger", "younger": "older", "increases": "decreases", "decreases": "increases",
    "even": "odd", "odd": "even", "positive": "negative", "negative": "positive",
}  # fmt: skip
_OPPOSITE = re.compile(rf"\b(?:{'|'.join(_OPPOSITES)})\b")


@dataclass(frozen=True)
class KnownStatement:
    """A statement about a problem, and the model's verdict on it."""

    text: str
    true: bool | None  # None: it says nothing
    p: float | None = None  # the model's probability of VALID; None if it was not asked


@dataclass(frozen=True)
class Yardstick:
    """The known statements of one problem, with the verdicts on them."""

    known: tuple[KnownStatement, ...]

    def _of(self, true: bool | None) -> list[float]:
        return [each.p for each in self.known if each.true is true and each.p is not None]

    @property
    def threshold(self) -> float:
        """p(VALID) from which a claim stands: that of the true statement which the model doubts most, so that none of
        them is refuted. 0 before any was judged."""
        return min(self._of(True), default=0.0)

    @property
    def tells(self) -> bool:
        """Whether the verdicts tell what holds from what does not: true statements are above altered ones, and above
        nothing, on average."""
        true, others = self._of(True), [scores for scores in (self._of(False), self._of(None)) if scores]
        return bool(true and others) and all(fmean(true) > fmean(scores) for scores in others)

    @property
    def stands_from(self) -> float | None:
        """p(VALID) from which a claim stands; None where the verdicts tell nothing."""
        return self.threshold if self.tells else None

    def with_verdict(self, text: str, p: float) -> "Yardstick":
        """The same with a verdict on one of its statements."""
        return Yardstick(tuple(replace(each, p=p) if each.text == text else each for each in self.known))


def of(problem: str) -> Yardstick:
    """The statements that a problem's verdicts are measured by; general ones, where it says nothing by itself."""
    said = sorted(statements.given(problem), key=len, reverse=True)[:MOST_SENTENCES]
    known = [KnownStatement(text, True) for text in said]
    known += [KnownStatement(other, False) for text in said if (other := altered(text))]
    if not all(any(each.true is true for each in known) for true in (True, False)):
        known += [KnownStatement(text, true) for text, true in GENERAL]
    return Yardstick((*known, KnownStatement(NOTHING, None)))


def altered(statement: str) -> str | None:
    """A statement with its last number changed, or else a relation turned round; None if it has neither."""
    if numbers := list(_NUMBER.finditer(statement)):
        last = numbers[-1]
        value = int(last[0].replace(",", ""))
        return f"{statement[: last.start()]}{value + max(1, value // 2)}{statement[last.end() :]}"
    if found := _OPPOSITE.search(statement):
        return f"{statement[: found.start()]}{_OPPOSITES[found[0]]}{statement[found.end() :]}"
    return None
