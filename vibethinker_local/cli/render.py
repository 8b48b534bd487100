"""Output on the terminal: the answer or the receipt on stdout, progress on stderr. Computes nothing."""

import json
import os
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

from rich.console import Console
from rich.live import Live
from rich.text import Text

from vibethinker_local.cli import votes_view
from vibethinker_local.events import Solution, SolveEvent
from vibethinker_local.solving import receipt
from vibethinker_local.solving.follow import DECISIONS, Place, RunState, behaved, parted, summary
from vibethinker_local.system import progress
from vibethinker_local.system.files import unwritable
from vibethinker_local.system.terminal import printable, to_nowhere, whole
from vibethinker_local.system.units import Pace, left

if TYPE_CHECKING:
    from vibethinker_local.cli.doctor import Check

T = TypeVar("T")
LOADING_SECONDS = 1.0  # of loading a model before anything is said
PLAIN_SECONDS = 5.0  # between progress lines when stderr is not a terminal


def print_receipt(solution: Solution) -> None:
    """Print the receipt on stdout, and nothing else."""
    print_json(receipt.receipt(solution))


def print_text(solution: Solution, *, answer_only: bool) -> None:
    """Print the visible text, or the extracted answer alone. An interrupted run prints only a text with an answer."""
    answered, extracted = solution.status == "answered", solution.answer is not None
    cut_off = solution.status in ("stopped", "failed")
    alone = answer_only and (extracted or not answered)  # prose was asked for where there is none: it is the answer
    text = solution.answer if alone or (cut_off and not extracted) else solution.text
    if text:
        _out(printable(text))


def print_checks(checks: "list[Check]", *, as_json: bool) -> None:
    """Print the doctor's report on stdout."""
    if as_json:
        print_json({"checks": [asdict(check) for check in checks]})
        return
    width = max(len(check.name) for check in checks)
    marks = {"ok": " ", "warning": "!", "error": "x"}
    for check in checks:
        print_line(f"{marks[check.state]} {check.name:<{width}}  {check.value}")
        if check.advice:
            print_line(f"  {'':<{width}}  {check.advice}")


def print_line(text: str) -> None:
    """Print a line on stdout."""
    _out(printable(_readable(text)))


def explain(solution: Solution) -> str:
    """One sentence about a run that did not end in an answer."""
    match solution.status:
        case "no_answer" if solution.report and solution.report.decision == "time":
            return "No answer: the time was up before the model committed to one. Give a larger --time-limit."
        case "no_answer":
            return "No answer: the model did not commit to one, even when asked to. Try another --seed."
        case "failed":
            return f"The engine failed: {solution.error}"
        case _:
            return "Stopped."


def verdict(solution: Solution) -> str:
    """One line about a run that ended in an answer: what happened, and the plain majority; empty of one solution that
    is no program."""
    report = solution.report
    if report is None:
        return behaved(solution.behaviour, 0) if solution.behaviour else ""
    parts = [summary(report), DECISIONS[report.decision]]
    if report.note:
        parts.append(report.note)
    elif report.majority != solution.answer:
        parts.append(f"a plain vote would say {report.majority}")
    if report.crux:
        parts.append(parted(report.crux))
    found = report.agreement
    if found.level == "none" and found.drawn > 1:
        parts.append("do not rely on this answer")
    elif found.drawn > 1:
        parts.append("agreement is no proof")
    return " · ".join(parts)


def complain(error: object) -> None:
    """Print an error as one line on stderr."""
    _Forgiving(sys.stderr).write(f"vibe: {printable(_readable(str(error)))}\n")


def _readable(text: str) -> str:
    """A text with nothing in it that is no character: file names that Python could not decode in this locale are
    decoded as the UTF-8 that they mostly are, and halves of surrogate pairs, which JSON may hold, are replaced."""
    return whole(text, but_bytes=True).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def print_json(data: object) -> None:
    """Print JSON that is harmless on a terminal and can still be read for what it says."""
    text = _readable(json.dumps(data, ensure_ascii=False))
    _out("".join(c if printable(c) else f"\\u{ord(c):04x}" for c in text))  # what is left stands inside strings


def _out(text: str) -> None:
    """Print to stdout. A closed pipe is fine; any other failure is an error."""
    try:
        print(text, flush=True)
    except OSError as error:
        to_nowhere(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            raise unwritable("Standard output", error, "send it elsewhere") from error


class _Forgiving:
    """A stream for progress. If it can no longer be written, the work goes on without progress."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            to_nowhere(self._stream)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Display:
    """Shows a run on stderr: live on a terminal, as occasional lines elsewhere, not at all if quiet."""

    def __init__(self, *, quiet: bool = False, show_thinking: bool = False, stream: TextIO | None = None) -> None:
        stream = stream or sys.stderr
        terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._console = Console(
            file=cast(TextIO, _Forgiving(stream)), force_terminal=terminal, highlight=False, soft_wrap=True
        )
        self._style = "dim" if terminal and not os.environ.get("NO_COLOR") else ""
        self._quiet, self._thinking = quiet, show_thinking and not quiet
        live = terminal and not quiet and not show_thinking
        self._live = Live(console=self._console, refresh_per_second=8, transient=True) if live else None
        self._said = time.monotonic()
        self._loading = ("", 0.0)  # what is being loaded, and since when
        self._fresh = True  # whether the cursor is at the beginning of a line

    def follow(self, events: Iterable[SolveEvent]) -> Solution:
        """Show a run while it goes on, and return its Solution."""
        run, told, thought = RunState(), 0, Place()
        if self._live:
            self._live.start()
        try:
            for event in events:
                run.apply(event)
                if run.solution:
                    return run.solution
                for milestone in run.milestones[told:]:
                    if not (self._live and milestone.vote):  # the view has it
                        self.say(milestone.text)
                told = len(run.milestones)
                if self._thinking:
                    _, text, thought = run.reasoning.since(thought)
                    self._think(printable(text))
                self._show(run)
        finally:
            if self._live:
                self._live.stop()
            self._end_line()
            if self._thinking:
                self._console.print()  # the answer follows, on the same terminal perhaps
        raise RuntimeError("the events ended without a Solution")

    def _show(self, run: RunState) -> None:
        """Where a run stands: all of a vote on a terminal, a line elsewhere."""
        hint = " · ".join(filter(None, (run.busy, "Ctrl-C: stop" if run.closing else "Ctrl-C: answer now")))
        if run.votes and self._live:
            self._live.update(votes_view.view(run.votes, hint, self._style))
        elif run.votes:
            self.status(votes_view.headline(run.votes))
        elif run.tokens and run.started:
            doing = "reasoning" if run.phase == "thinking" else "answering"
            speed = f"{run.rate:.0f} tok/s" if run.rate >= 10 else f"{run.rate:.1f} tok/s" if run.rate else ""
            counted = f"{run.tokens:,} of {run.started.max_tokens:,} tokens"
            remaining = left(run.seconds_left) if run.seconds_left else ""
            self.status(" · ".join(filter(None, (doing, counted, speed, f"{run.seconds:.0f} s", remaining))), hint)
        elif run.started and self._live:
            read = f"reading the problem, {run.started.prompt_tokens:,} tokens"
            self.status(f"{read}: the first answer of a model that was just loaded takes longest to begin", hint)

    def _think(self, text: str) -> None:
        text = text.lstrip("\n") if self._fresh else text  # no empty lines at the beginning
        if text:
            self._console.print(Text(text), end="")
            self._fresh = text.endswith("\n")

    def _end_line(self) -> None:
        if not self._fresh:
            self._console.print()
            self._fresh = True

    def say(self, text: str, *, warning: bool = False) -> None:
        """Print a line on stderr, unless quiet."""
        if not self._quiet:
            self._end_line()
            style = "yellow" if warning and self._style else self._style
            self._console.print(Text(printable(text), style=style))

    def status(self, text: str, hint: str = "", *, every: float = PLAIN_SECONDS) -> None:
        """Show progress: on a terminal by updating one line, elsewhere by a new line now and then."""
        if self._live:
            text = f"{text} · {hint}" if hint else text
            self._live.update(Text(text, self._style, no_wrap=True, overflow="ellipsis"))
        elif not self._quiet and not self._thinking and time.monotonic() - self._said > every:
            self._said = time.monotonic()
            self.say(text)

    def carry(self, work: Generator[progress.Progress, None, T]) -> T:
        """Do long work, show how far it has come, and return what it returns."""
        pace = Pace()
        with self.shown():
            return progress.run(work, lambda step: self.status(pace.line(step), "Ctrl-C: stop; what is here is kept"))

    def load(self, step: progress.Progress) -> None:
        """Show how far a model is loaded, once that takes longer than a moment."""
        if step.stage != self._loading[0]:
            self._loading = step.stage, time.monotonic()
        if time.monotonic() - self._loading[1] > LOADING_SECONDS:
            self.status(Pace().line(step), every=LOADING_SECONDS)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Inside the block, `status` is shown live if stderr is a terminal."""
        if self._live:
            self._live.start()
        try:
            yield
        finally:
            if self._live:
                self._live.stop()
