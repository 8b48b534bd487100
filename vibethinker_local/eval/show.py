"""A report as JSON, or as tables for people. Computes nothing."""

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from vibethinker_local.eval.bank import BankHeader
from vibethinker_local.eval.report import Contrast, PolicyReport, signed
from vibethinker_local.eval.statistics import Interval
from vibethinker_local.eval.trials import TrialRow, Trials
from vibethinker_local.system.terminal import printable
from vibethinker_local.system.units import counted

DIGITS = 6  # in JSON
WIDTH = 200  # of a table, at most


def as_data(report: PolicyReport, header: BankHeader, notes: Sequence[str] = ()) -> dict[str, Any]:
    """The object of `vibe eval report --json`; NaN and infinity become null."""
    told = asdict(report) | {"model": asdict(header), "notes": list(notes)}
    if told["verifier"]:
        auroc = told["verifier"].pop("auroc")
        told["verifier"] = {"auroc": auroc["value"], "low": auroc["low"], "high": auroc["high"]} | told["verifier"]
    rounded = _rounded(told)
    assert isinstance(rounded, dict)
    return rounded


def contrasts_as_data(contrasts: Sequence[Contrast], headers: Sequence[BankHeader], problems: int) -> dict[str, Any]:
    """The object of `vibe eval report --models A B --json`."""
    told = {
        "problems": problems,
        "models": [asdict(header) for header in headers],
        "contrasts": [asdict(contrast) for contrast in contrasts],
    }
    rounded = _rounded(told)
    assert isinstance(rounded, dict)
    return rounded


def tables(report: PolicyReport, header: BankHeader, notes: Sequence[str]) -> str:
    """The report as text."""
    each = f"{report.samples} {'trajectories' if report.samples != 1 else 'trajectory'} each"
    what = f"{counted(report.problems, 'problem')} · {each} · seed {header.seed}"
    return _text(
        f"{model(header)} · {what}",
        "",
        _policies(report),
        "",
        _grid_of(report.contrasts),
        "",
        *(_trials(report.trials) if report.trials else ()),
        *_lines(report),
        *notes,
    )


def contrasts(found: Sequence[Contrast], headers: Sequence[BankHeader], problems: int) -> str:
    """The comparison of two models as text."""
    first, second = map(model, headers)
    on = f"on {counted(problems, 'problem')} that both banks have"
    return _text(f"{second}", f"against {first}", on, "", _grid_of(found))


def model(header: BankHeader) -> str:
    if header.server:
        return printable(f"{header.name} ({header.sha256}, {header.server})")
    return printable(f"{header.file} {header.quant} (sha256 {header.sha256[:12]})")


def _text(*parts: str | Grid) -> str:
    """The parts as they would be printed, without wrapping."""
    console = Console(file=io.StringIO(), width=WIDTH, markup=False, highlight=False, emoji=False, soft_wrap=True)
    for part in parts:
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())


def _grid_of(found: Sequence[Contrast]) -> Grid:
    grid = _grid("contrast", "points", "95% interval", "p (McNemar)", "")
    for each in found:
        low, high = 100 * each.low, 100 * each.high
        p = f"{each.p:.3f}" if each.p >= 0.001 else f"{each.p:.1e}"
        grid.add_row(each.name, f"{100 * each.difference:+.1f}", f"{low:+.1f} to {high:+.1f}", p, each.note)
    return grid


def _policies(report: PolicyReport) -> Grid:
    grid = _grid("policy", "k", "tokens", "read", "accuracy", "95% interval", "rescues", "harms")
    for row in report.policies:
        if row.k == 1 and row.name != "single" and report.samples > 1:
            continue  # with one trajectory, all policies are the same
        grid.add_row(
            row.name,
            str(row.k),
            f"{row.tokens_per_problem:,.0f}",
            f"{row.read_per_problem:,.0f}",
            f"{100 * row.accuracy:.1f}",
            f"{100 * row.low:.1f} to {100 * row.high:.1f}",
            _count(row.rescues),
            _count(row.harms),
        )
    return grid


def _trials(found: Trials) -> Iterator[str | Grid]:
    speeds = found.speeds
    charged = f"time charges {speeds.read:,.0f} tokens a second read, {speeds.write:,.0f} written" if speeds else ""
    yield (
        f"Against the {found.baseline} at equal cost, in points, on the {found.tried:,} problems whose ids sort last; "
        f"tuned on the other {found.tuned:,}{'; ' + charged if charged else ''}:"
    )
    yield _trial_rows(found.rows, "where tuned", "setting")
    if found.untuned:
        yield f"The same of those that have nothing to tune, on all {found.tried + found.tuned:,} problems:"
        yield _trial_rows(found.untuned)
    for each in found.stopping:
        yield (
            f"{each.name} ({_setting(each.setting)}) uses {_percent(each.saved)} fewer tokens than always "
            f"drawing all, accuracy {_gain(each.difference)} points, on {each.problems:,} problems; "
            f"{_gain(each.at_equal_tokens)} against a vote of as many tokens."
        )
    if not speeds:
        yield "How fast this machine reads and writes is unknown: `vibe bench` measures it, or give --speeds."
    yield from found.notes
    yield ""


def _setting(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.3g}" for value in values)


def _trial_rows(rows: Sequence[TrialRow], *tuning: str) -> Grid:
    grid = _grid("policy", "k", "accuracy", "tokens", "read", "at equal tokens", "at equal time", *tuning)
    for row in rows:
        cells = (
            row.name,
            str(row.k),
            f"{100 * row.accuracy.value:.1f}",
            f"{row.tokens:,.0f}",
            f"{row.read:,.0f}",
            _gain(row.at_equal_tokens),
            _gain(row.at_equal_time) if row.at_equal_time else "unknown",
            _gain(row.tuned) if row.tuned else "",
            _setting(row.setting),
        )
        grid.add_row(*cells[: len(grid.columns)])
    return grid


def _gain(found: Interval) -> str:
    return f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def _lines(report: PolicyReport) -> Iterator[str]:
    if found := report.following:
        strict, loose = (
            (found.prompts_strict, found.instructions_strict),
            (found.prompts_loose, found.instructions_loose),
        )
        told = " · ".join(
            f"{name}: prompts {100 * prompts:.1f}%, instructions {100 * each:.1f}%"
            for name, (prompts, each) in (("strict", strict), ("loose", loose))
        )
        yield f"Instructions followed, over all replies: {told}."
    room, votes = report.headroom, report.votes
    yield (
        f"A better choice among {room.k} could gain {_points(room.difference)}: "
        f"of the wrong majorities {_percent(room.of_wrong)} have a right candidate."
    )
    if slips := report.slips:
        yield (
            f"Solutions with an equation that does not hold: {_percent(slips.share)}; right of these "
            f"{_percent(slips.right_with)}, of the others {_percent(slips.right_without)}."
        )
    yield f"Vote share of the majority's answer: Brier score {_plain(votes.brier)}. It is no probability:"
    for each in votes.bins:
        yield (
            f"  {each.low:.1f} to {each.high:.1f}: {each.problems:>5,} problems, "
            f"mean share {100 * each.share:.0f}%, right {100 * each.accuracy:.0f}%"
        )
    yield (
        f"Trajectories without an answer that can be compared: {100 * report.unanswered:.1f}%; "
        f"whose end was forced: {100 * report.forced:.1f}%."
    )
    if report.signals:
        told = ", ".join(f"{name} {_plain(found)}" for name, found in report.signals.items())
        yield f"Signals: AUROC, right trajectories against wrong ones of the same problem: {told}."
    if verifier := report.verifier:
        yield (
            f"Verifier: AUROC of p(VALID), right trajectories against wrong ones, {_plain(verifier.auroc)}; "
            f"of the same problem, {_plain(verifier.auroc_within)}."
        )
        yield (
            f"  At least one claim is refuted in {_percent(verifier.right_refuted)} of the right trajectories; "
            f"no claim is refuted in {_percent(verifier.wrong_passed)} of the wrong ones."
        )
        yield (
            f"  Of all claims {_percent(verifier.refuted)} are refuted, {_percent(verifier.refuted_by_arithmetic)} by "
            f"arithmetic; {_percent(verifier.coverage)} of the trajectories have all their claims and verdicts."
        )
    if verdict := report.verdict:
        tokens = next(each for each in report.contrasts if each.name == "clr - majority at equal tokens")
        if verdict.holds:
            yield f"Verdict: CLR holds for this model file on these problems: at equal tokens {signed(tokens)}."
        else:
            yield "Verdict: CLR is falsified for this model file on these problems; majority is the better default:"
            yield from (f"  {reason}" for reason in verdict.reasons)
    elif report.verifier:
        yield "Verdict: none. In no problem did the solutions disagree."


def _grid(*names: str) -> Grid:
    grid = Grid(box=None, pad_edge=False, header_style="")
    for at, name in enumerate(names):
        grid.add_column(name, justify="left" if at == 0 or not name else "right", no_wrap=True)
    return grid


def _count(problems: float) -> str:
    """A number of problems, which may be a fraction because it is a mean over groups."""
    return f"{problems:.1f}".removesuffix(".0")


def _percent(found: Interval) -> str:
    if math.isnan(found.value):
        return "an unknown share"
    return f"{100 * found.value:.1f}% ({100 * found.low:.1f}-{100 * found.high:.1f})"


def _points(found: Interval) -> str:
    return f"{100 * found.value:.1f} points ({100 * found.low:.1f} to {100 * found.high:.1f})"


def _plain(found: Interval) -> str:
    return "unknown" if math.isnan(found.value) else f"{found.value:.3f} ({found.low:.3f}-{found.high:.3f})"


def _rounded(told: object) -> object:
    """Rounds numbers so that they are the same on every machine; NaN becomes null."""
    if isinstance(told, float):
        return round(told, DIGITS) if math.isfinite(told) else None
    if isinstance(told, dict):
        return {key: _rounded(value) for key, value in told.items()}
    if isinstance(told, list | tuple):
        return [_rounded(value) for value in told]
    return told
