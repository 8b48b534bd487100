"""Claims and verdicts as a model writes them, read back. Nothing it may write is an error."""

import re
from dataclasses import dataclass

from vibethinker_local.events import Verdict

MOST_CHARACTERS = 300  # of a claim

_NUMBERED = re.compile(r"^\s*(\d{1,3})\s*[.):]\s*(.*?)\s*$")
_VERDICT = re.compile(r"^\W*(\d{1,3})\W+(VALID|INVALID)\b", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class CheckedClaim:
    """A claim, and what came out of each attempt to refute it. A bank keeps it as it stands here."""

    text: str
    p: float | None = None  # the model's probability of VALID between its two labels; None if it was not asked
    holds: bool | None = None  # by arithmetic; None if arithmetic cannot tell
    evidence: str | None = None  # of arithmetic's refutation
    thought: bool | None = None  # the model's verdict after reasoning; None if there is none that can be read

    def verdict(self, threshold: float, *, reasoned: bool = False) -> Verdict | None:
        """What all attempts come to: arithmetic beats reasoning, reasoning beats the probability.

        `reasoned` says that the claim was reasoned about: a verdict that could not be read then refutes nothing.
        """
        if self.holds is False:
            return Verdict("refuted", "arithmetic", evidence=self.evidence)
        if self.thought is not None:
            return Verdict("supported" if self.thought else "refuted", "model")
        if self.p is not None:
            return Verdict("supported" if self.p >= threshold else "refuted", "model", self.p)
        return Verdict("undecided", "model") if reasoned else None


def parse(reply: str, wanted: int) -> list[str]:
    """The claims of a reply of numbered lines, at most `wanted`, each once."""
    found: dict[str, str] = {}
    for line in reply.splitlines():
        if (numbered := _NUMBERED.match(line)) and (text := numbered[2][:MOST_CHARACTERS].strip()):
            found.setdefault(key(text), text)
    return list(found.values())[:wanted]


def key(claim: str) -> str:
    """What two claims have in common that say the same in the same words."""
    return " ".join(claim.casefold().split()).rstrip(" .;")


def parse_verdicts(text: str, count: int) -> list[bool | None]:
    """What the visible text of a reply says of each claim: valid, invalid, or nothing that can be read.

    The last word on a claim counts.
    """
    verdicts: list[bool | None] = [None] * count
    for found in _VERDICT.finditer(text):
        if 1 <= int(found[1]) <= count:
            verdicts[int(found[1]) - 1] = found[2].upper() == "VALID"
    return verdicts
