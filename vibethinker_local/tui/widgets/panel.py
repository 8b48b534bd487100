"""The reliability pass at work: answers with their votes, solutions, claims with their verdicts. Shows Votes."""

from dataclasses import dataclass

from textual.content import Content
from textual.message import Message
from textual.widgets.option_list import Option

from vibethinker_local.solving.follow import TrajectoryRow, Votes, parted
from vibethinker_local.system.terminal import printable
from vibethinker_local.system.units import left
from vibethinker_local.tui.pages import FullPage
from vibethinker_local.tui.text.markdown import readable
from vibethinker_local.tui.votes import METHODS, claim_page, decided, shown, sign, solutions, told
from vibethinker_local.tui.widgets.rows import Rows

STAGES = {"sampling": "drawing", "checking": "checking claims", "decided": "ended"}
STATES = {"answered": "→", "forced": "→ forced", "cut": "→ cut", "no answer": "no answer", "stopped": "stopped"}
STYLES = {"supported": "$text-success", "refuted": "$text-error", "undecided": "$text-muted"}
BAR = 10  # cells


@dataclass(frozen=True)
class PanelRow:
    """A row, and what enter opens: a page of the solutions, or one of its own."""

    text: Content
    solution: int | None = None  # index
    page: FullPage | None = None

    @property
    def opens(self) -> bool:
        return self.solution is not None or self.page is not None


class VotesPanel(Rows):
    """Beside the conversation; where the screen is narrow, in its place."""

    class PagesWanted(Message):
        """Pages to be read, from one of them on."""

        def __init__(self, pages: list[FullPage], at: int = 0) -> None:
            super().__init__()
            self.pages, self.at = pages, at

    def __init__(self) -> None:
        super().__init__("votes")
        self._votes: Votes | None = None
        self._rows: list[PanelRow] = []

    def show(self, votes: Votes) -> None:
        """Show this state of a vote; what is highlighted stays."""
        self._votes = votes
        rows = panel_rows(votes, max(30, self.scrollable_content_region.width))
        if [row.opens for row in rows] == [row.opens for row in self._rows]:
            for at, (row, before) in enumerate(zip(rows, self._rows, strict=True)):
                if row.text != before.text:
                    self.replace_option_prompt_at_index(at, row.text)
        else:
            highlighted = self.highlighted
            self.clear_options()
            self.add_options([Option(row.text, disabled=not row.opens) for row in rows])
            self.highlighted = highlighted if highlighted is not None and highlighted < len(rows) else None
        self._rows = rows

    def on_option_list_option_selected(self, event: Rows.OptionSelected) -> None:
        event.stop()
        row = self._rows[event.option_index]
        if row.page:
            self.post_message(self.PagesWanted([row.page]))
        elif self._votes:
            pages, name = solutions(self._votes), f"solution {(row.solution or 0) + 1} ·"
            at = next((at for at, page in enumerate(pages) if page.title.startswith(name)), None)
            if at is not None:
                self.post_message(self.PagesWanted(pages, at))


def panel_rows(votes: Votes, width: int) -> list[PanelRow]:
    """The panel's rows, of at most `width` cells."""
    return [
        *(PanelRow(text) for text in _heading(votes, width)),
        *_answers(votes, width),
        *_crux(votes, width),
        PanelRow(Content("")),
        PanelRow(Content.styled("solutions · enter opens one", "$text-muted")),
        *(_solution(row, width) for row in votes.trajectories),
        *_claims(votes, width),
    ]


def _heading(votes: Votes, width: int) -> list[Content]:
    if not (report := votes.report):
        rest = f" · {votes.done} of at most {votes.samples}"
        rest += f" · {left(votes.seconds_left)}" if votes.seconds_left else ""
        return [Content.assemble((STAGES[votes.stage], "bold"), rest).truncate(width, ellipsis=True)]
    text, tone = told(report)
    rows = [Content.styled(text, f"bold {tone}"), Content(f"what decided: {decided(report)}")]
    if report.decision != "incomparable":
        rows.append(Content(_cut(f"plain majority: {printable(shown(report.majority or 'none'))}", width)))
    if report.note:
        rows.append(Content(printable(report.note)))
    return [*rows, Content.styled("Votes and weights are no probabilities.", "$text-muted")]


def _answers(votes: Votes, width: int) -> list[PanelRow]:
    if not votes.clusters:
        return []
    most = max(cluster.votes for cluster in votes.clusters)
    weighed = any(cluster.weight != cluster.votes for cluster in votes.clusters)
    tone = told(votes.report)[1] if votes.report else "$accent"
    rows = [PanelRow(Content("")), PanelRow(Content.styled("answers" + " · votes, weight" * weighed, "$text-muted"))]
    for at, cluster in enumerate(votes.clusters):
        bar = "━" * max(1, round(BAR * cluster.votes / most))
        weight = f"  {cluster.weight:.2f}" if weighed else ""
        answer = _cut(printable(shown(cluster.answer)), width - BAR - 12 - len(weight))
        style = tone if at == 0 else "$text-muted"
        text = Content.assemble(f"{cluster.votes:>3} ", (f"{bar:<{BAR}}", style), weight, f"  {answer}")
        same = (row.index for row in votes.trajectories if row.answer == cluster.answer)
        rows.append(PanelRow(text, next(same, None)))
    return rows


def _crux(votes: Votes, width: int) -> list[PanelRow]:
    if not votes.crux:
        return []
    said = printable(parted(votes.crux))
    text = Content.styled(_cut(readable(" ".join(said.split())), width), "$text-warning")
    return [PanelRow(text, page=FullPage("where the two best answers part", said))]


def _solution(row: TrajectoryRow, width: int) -> PanelRow:
    state = STATES.get(row.state, row.state)
    pace = f"{row.rate:>5,.0f}/s" if row.running else " " * 7
    answer = f" {printable(shown(row.answer))}" if row.answer else ""
    style = "$foreground" if row.answer else "$text-muted"
    text = Content.styled(_cut(f"{row.index + 1:>3} {row.tokens:>7,} tok {pace}  {state}{answer}", width), style)
    return PanelRow(text, row.index if row.text or row.answer else None)


def _claims(votes: Votes, width: int) -> list[PanelRow]:
    if not votes.claims:
        return []
    rows = [PanelRow(Content("")), PanelRow(Content.styled("claims · enter opens one", "$text-muted"))]
    for claim in sorted(votes.claims, key=lambda claim: claim.trajectory):
        verdict = claim.verdict
        mark, style = (sign(verdict), STYLES[verdict.ruling]) if verdict else ("·", "$text-muted")
        how = METHODS[verdict.method] if verdict else "not checked" if votes.report else "not checked yet"
        said = _cut(readable(" ".join(printable(claim.text).split())), width - len(how) - 8)
        text = Content.assemble((f"{claim.trajectory + 1:>3} {mark} ", style), said, (f"  {how}", "$text-muted"))
        if verdict and verdict.evidence:
            evidence = _cut(" ".join(printable(verdict.evidence).split()), width - 8)
            text = Content.assemble(text, (f"\n      {evidence}", style))
        rows.append(PanelRow(text, page=claim_page(claim)))
    return rows


def _cut(text: str, width: int) -> str:
    return Content(text).truncate(max(4, width), ellipsis=True).plain
