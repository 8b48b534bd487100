"""The reliability pass on a terminal: the votes so far, the running trajectories, the refuted claims."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vibethinker_local.solving.follow import Votes, parted, short
from vibethinker_local.system.terminal import printable
from vibethinker_local.system.units import counted, duration

MOST_ROWS = 6  # for trajectories, and for answers
MOST_REFUTED = 3


def view(votes: Votes, hint: str, style: str) -> RenderableType:
    """Everything that is known now, in about 16 lines at most."""
    parts: list[RenderableType] = [Text(headline(votes), style, no_wrap=True, overflow="ellipsis")]
    if votes.clusters:
        parts.append(_answers(votes))
    if what := outlook(votes):
        parts.append(Text(what, style, no_wrap=True, overflow="ellipsis"))
    if votes.crux:
        parts.append(Text(printable(parted(votes.crux)), style, no_wrap=True, overflow="ellipsis"))
    if votes.stage == "sampling":
        parts.append(_running(votes, style))
    refuted = [claim for claim in votes.claims if claim.verdict and claim.verdict.ruling == "refuted"]
    for claim in refuted[-MOST_REFUTED:]:
        how = claim.verdict.method if claim.verdict else ""
        text = f"refuted by {how}: #{claim.trajectory + 1} {short(printable(claim.text), 60)}"
        parts.append(Text(text, "red" if style else "", no_wrap=True, overflow="ellipsis"))
    parts.append(Text(hint, style, no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def headline(votes: Votes) -> str:
    """One line that says what is being done, and how far it has got."""
    if votes.stage == "checking":
        checked = sum(claim.verdict is not None for claim in votes.claims)
        stated = f"{counted(len(votes.claims), 'claim')} stated"
        return f"the vote is contested: {stated}" + (f", {checked} checked" if checked else "")
    parts = [f"{votes.done} of up to {votes.samples} solutions"]
    if votes.seconds_left is not None:
        parts.append(f"at most {duration(votes.seconds_left)} more")
    return " · ".join(parts)


def outlook(votes: Votes) -> str | None:
    """What would still change the answer."""
    if votes.stage == "checking":
        return "claims that are refuted may change the answer"
    if not votes.clusters:
        return None
    needed = votes.clusters[0].votes - (votes.clusters[1].votes if len(votes.clusters) > 1 else 0) + 1
    coming = votes.samples - votes.done
    return f"another answer would need {needed} of the {coming} votes to come" if coming >= needed else None


def _answers(votes: Votes) -> Table:
    table = Table.grid(padding=(0, 2))
    for place, cluster in enumerate(votes.clusters[:MOST_ROWS]):
        bold = "bold" if place == 0 else ""
        table.add_row(
            Text(short(printable(cluster.answer)), bold), Text("▪" * min(cluster.votes, 32)), Text(str(cluster.votes))
        )
    return table


def _running(votes: Votes, style: str) -> Table:
    table = Table.grid(padding=(0, 2))
    for row in [row for row in votes.trajectories if row.running][:MOST_ROWS]:
        table.add_row(
            Text(f"#{row.index + 1}", style),
            Text(f"{row.tokens:,} tokens", style, justify="right"),
            Text(f"{row.rate:.0f} tok/s", style, justify="right"),
            Text(row.state, style),
        )
    return table
