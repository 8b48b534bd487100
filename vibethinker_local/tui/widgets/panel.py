"""The reliability pass at work: trajectories, answers with their votes, claims with their verdicts. Shows Votes."""

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from vibethinker_local.solving.follow import DECISIONS, Votes
from vibethinker_local.system.terminal import printable
from vibethinker_local.system.units import left

STAGES = {"sampling": "drawing", "checking": "checking claims", "decided": "decided"}
STATES = {"answered": "✓", "forced": "✓ forced", "cut": "✓ cut", "no answer": "✗ no answer"}
RULINGS = {"supported": ("✓", "$text-success"), "refuted": ("✗", "$text-error"), "undecided": ("?", "$text-muted")}
METHODS = {"model": "self-checked", "arithmetic": "machine-checked"}
BAR = 10  # cells


class VotesPanel(VerticalScroll):
    """Rows of plain text, redrawn as a whole: there are few."""

    def __init__(self) -> None:
        super().__init__(id="votes", can_focus=False)
        self._text = Static("", markup=False)

    def compose(self) -> ComposeResult:
        yield self._text

    def show(self, votes: Votes) -> None:
        self._text.update(content(votes, max(30, self.scrollable_content_region.width)))


def content(votes: Votes, width: int) -> Content:
    """The panel's text, in at most `width` cells a row."""
    rows = [_heading(votes, width)]
    if votes.report:
        report = votes.report
        rows += [Content(f"what decided: {DECISIONS[report.decision]}")]
        rows.append(Content(_cut(f"plain majority: {printable(report.majority or 'none')}", width)))
        if report.note:
            rows.append(Content(printable(report.note)))
        rows.append(Content.styled("Votes and weights are no probabilities.", "$text-muted"))
    if votes.clusters:
        most = max(cluster.votes for cluster in votes.clusters)
        weighed = any(cluster.weight != cluster.votes for cluster in votes.clusters)
        rows += [
            Content(""),
            Content.styled("answers" + (" · votes, weight" if weighed else " · votes"), "$text-muted"),
        ]
        for at, cluster in enumerate(votes.clusters):
            bar = "━" * max(1, round(BAR * cluster.votes / most))
            weight = f"  {cluster.weight:.2f}" if weighed else ""
            answer = _cut(printable(cluster.answer), width - BAR - 12 - len(weight))
            rows.append(
                Content.assemble(
                    f"{cluster.votes:>3} ",
                    (f"{bar:<{BAR}}", "$accent" if at == 0 else "$text-muted"),
                    weight,
                    f"  {answer}",
                )
            )
    rows += [Content(""), Content.styled("solutions", "$text-muted")]
    for row in votes.trajectories:
        state = STATES.get(row.state, row.state)
        pace = f"{row.rate:>5,.0f}/s" if row.state in ("thinking", "answering", "closing") else " " * 7
        begin = f"{row.index + 1:>3} {row.tokens:>7,} tok {pace}  "
        answer = f" {printable(row.answer)}" if row.answer else ""
        style = "$foreground" if row.answer else "$text-muted" if row.state == "thinking" else ""
        rows.append(Content.styled(_cut(f"{begin}{state}{answer}", width), style))
    if votes.claims:
        rows += [Content(""), Content.styled("claims", "$text-muted")]
        for claim in votes.claims:
            mark, style = RULINGS[claim.verdict.ruling] if claim.verdict else ("·", "$text-muted")
            how = METHODS[claim.verdict.method] if claim.verdict else "not checked yet"
            text = _cut(" ".join(printable(claim.text).split()), width - len(how) - 8)
            rows.append(
                Content.assemble((f"{claim.trajectory + 1:>3} {mark} ", style), text, (f"  {how}", "$text-muted"))
            )
            if claim.verdict and claim.verdict.evidence:
                evidence = _cut(" ".join(printable(claim.verdict.evidence).split()), width - 8)
                rows.append(Content.styled(f"      {evidence}", style))
    return Content("\n").join(rows)


def _heading(votes: Votes, width: int) -> Content:
    rest = f" · {votes.done} of at most {votes.samples}"
    rest += f" · {left(votes.seconds_left)}" if votes.seconds_left else ""
    return Content.assemble((STAGES[votes.stage], "bold"), rest).truncate(width, ellipsis=True)


def _cut(text: str, width: int) -> str:
    return Content(text).truncate(max(4, width), ellipsis=True).plain
