"""Claims and verdicts as a model writes them, read back. Nothing it may write is an error."""

import re
from dataclasses import dataclass

from vibethinker_local.events import ClaimSource, Ruling, Verdict
from vibethinker_local.reliability.statements import MOST_CHARACTERS, key

# What stands before a word is looked for within its line: else each of many empty lines would be read to the last.
_NUMBERED = re.compile(r"^\s*[（(]?(\d{1,3})\s*[.):．）：、](.*)$")
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_CLAIMS = re.compile(r"^[^\w\n]*claims?\b[^\n]{0,60}:?[^\w\n]*$", re.IGNORECASE | re.MULTILINE)
_FIRST_ITEM = re.compile(r"^[^\S\n]*(?:\*\*)?[（(]?[1１]\s*[.):．）：、]", re.MULTILINE)


@dataclass(frozen=True)
class CheckedClaim:
    """A claim, and what came out of each attempt to refute it. A bank keeps it as it stands here."""

    text: str
    p: float | None = None  # the model's probability of VALID between its two labels; None if it was not asked
    holds: bool | None = None  # by arithmetic; None if arithmetic cannot tell
    evidence: str | None = None  # of arithmetic's refutation
    thought: bool | None = None  # the model's verdict after reasoning; None if there is none that can be read
    source: ClaimSource = "stated"
    dropped: str | None = None  # why it is none (statements.NotAClaim): then nobody was asked about it

    def verdict(self, threshold: float | None, *, reasoned: bool = False) -> Verdict | None:
        """What all attempts come to: arithmetic beats reasoning, reasoning beats the probability.

        `reasoned` says that the claim was reasoned about: a verdict that could not be read then refutes nothing.
        Without a threshold the probability tells nothing.
        """
        if self.holds is False:
            return Verdict("refuted", "arithmetic", evidence=self.evidence)
        if self.thought is not None:
            return Verdict("supported" if self.thought else "refuted", "model")
        if self.p is not None:
            ruling: Ruling = "undecided"
            if threshold is not None:
                ruling = "supported" if self.p >= threshold else "refuted"
            return Verdict(ruling, "model", self.p)
        return Verdict("undecided", "model") if reasoned else None


@dataclass(frozen=True)
class Pairing:
    """Two trajectories with different answers, by their indices, and the model's word on which of them is right."""

    one: int
    other: int
    p: float  # the probability of `one`, shown first
    q: float  # the same, shown second


def parse(reply: str, wanted: int) -> list[str]:
    """The claims of a reply of numbered lines, at most `wanted`, each once."""
    found: dict[str, str] = {}
    for line in reply.splitlines():
        if (numbered := _NUMBERED.match(line)) and (text := numbered[2].strip()[:MOST_CHARACTERS].strip()):
            found.setdefault(key(text), text)
    return list(found.values())[:wanted]


def published(text: str, wanted: int) -> tuple[str, list[str]]:
    """A reply of the published method taken apart: all up to its claims, and the claims after the boxed answer.

    A claim that is missing is empty. A list counts only behind a box, for what comes before it is the solution.
    """
    box = _BOX.search(text)
    behind = box.end() if box else len(text)
    if heading := _CLAIMS.search(text, behind):
        at = _with_rules(text, behind, heading.start())
    else:
        item = _FIRST_ITEM.search(text, behind)
        at = item.start() if item else len(text)
    found = parse(text[at:].replace("**", ""), wanted)
    return text[:at].rstrip(), [*found, *[""] * (wanted - len(found))]


def _with_rules(text: str, behind: int, at: int) -> int:
    """Where the lines without a word begin, rules and the like, that lead to what begins at `at`."""
    while (line := text.rfind("\n", behind, at - 1) + 1) and not re.search(r"\w", text[line:at]):
        at = line
    return at
