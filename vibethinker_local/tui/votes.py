"""A vote as it is kept with its turn, said in a line, and read in full."""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from vibethinker_local.events import AgreementLevel, ReliabilityReport, Verdict
from vibethinker_local.solving.follow import DECISIONS, ClaimRow, Votes, parted, summary
from vibethinker_local.tui.pages import FullPage
from vibethinker_local.tui.text.markdown import readable

if TYPE_CHECKING:  # takes long to import, and the first screen has no vote
    from pydantic import TypeAdapter

MARKS = {"supported": "✓", "refuted": "✗", "undecided": "?"}
OPINION = "○"  # supported by the model alone: it was not checked by anything else
METHODS = {"model": "in the model's view", "arithmetic": "by arithmetic"}
TONES: dict[AgreementLevel, str] = {"decided": "$text-success", "leading": "$text-warning", "none": "$text-error"}
BAR = "\\|"  # which ends no cell of a table
RELY = "do not rely on it"


@cache
def _adapter() -> "TypeAdapter[Votes]":
    from pydantic import TypeAdapter

    return TypeAdapter(Votes)


def written(votes: Votes) -> str:
    """As JSON."""
    return _adapter().dump_json(votes).decode()


@lru_cache(64)
def read(kept: str) -> Votes | None:
    """What was written; None if it is no vote, or one of a later version."""
    try:
        return _adapter().validate_json(kept) if kept else None
    except ValueError:
        return None


def told(report: ReliabilityReport) -> tuple[str, str]:
    """What happened in a line, and the colour of it."""
    if report.note and report.decision == "incomparable":
        return summary(report), "$text-muted"
    found, claims_failed = report.agreement, report.checked and report.refuted == report.checked
    if found.level == "none":
        return f"{RELY} · {summary(report)}", TONES["none"]
    return summary(report), TONES["leading" if claims_failed else found.level]


def decided(report: ReliabilityReport) -> str:
    """What ended it."""
    return DECISIONS[report.decision]


def shown(answer: str) -> str:
    """An answer, which is LaTeX without its dollars, in one row."""
    if "\n" in answer:
        first, *rest = answer.strip().split("\n")
        return f"{first} … ({len(rest) + 1} lines)"
    formula = readable(f"${answer}$")
    return answer if formula.startswith("$") else formula


def sign(verdict: Verdict) -> str:
    """A verdict in one character."""
    return OPINION if (verdict.ruling, verdict.method) == ("supported", "model") else MARKS[verdict.ruling]


def ruling(verdict: Verdict | None) -> str:
    """A verdict in words."""
    if verdict is None:
        return "not checked"
    sure = f", p = {verdict.p:.2f}" if verdict.p is not None else ""
    return f"{verdict.ruling}, {METHODS[verdict.method]}{sure}"


def solutions(votes: Votes) -> list[FullPage]:
    """Every solution that came to an end, as an answer with its claims."""
    pages = []
    for row in votes.trajectories:
        if row.text or row.answer:
            title = f"solution {row.index + 1} · {row.tokens:,} tokens"
            text = row.text or f"\\boxed{{{row.answer}}}"
            pages.append(FullPage(title, text + _listed([c for c in votes.claims if c.trajectory == row.index])))
    return pages


def _listed(claims: Sequence[ClaimRow]) -> str:
    if not claims:
        return ""
    rows = []
    for claim in claims:
        evidence = f": {claim.verdict.evidence}" if claim.verdict and claim.verdict.evidence else ""
        mark = sign(claim.verdict) if claim.verdict else "·"
        rows.append(f"- {mark} {' '.join(claim.text.split())} *({ruling(claim.verdict)}{evidence})*")
    return "\n\n---\n\n**Claims**\n\n" + "\n".join(rows)


def claim_page(claim: ClaimRow) -> FullPage:
    """A claim in full."""
    text = claim.text
    if claim.verdict:
        text += f"\n\n---\n\n{ruling(claim.verdict)}"
        text += f"\n\n{claim.verdict.evidence}" if claim.verdict.evidence else ""
    return FullPage(f"a claim of solution {claim.trajectory + 1}", text)


def markdown(votes: Votes) -> str:
    """For an export."""
    if not (report := votes.report):
        return ""
    rows = [f"**Vote:** {told(report)[0]} · {decided(report)} · plain majority: {report.majority or 'none'}", ""]
    rows += ["| answer | votes | weight |", "| --- | --- | --- |"]
    rows += [f"| {shown(one.answer).replace('|', BAR)} | {one.votes} | {one.weight:.2f} |" for one in votes.clusters]
    rows += ["", parted(votes.crux)] if votes.crux else []
    rows += [""] + [f"- {ruling(one.verdict)}: {' '.join(one.text.split())}" for one in votes.claims]
    return "\n".join(rows).rstrip() + "\n"
