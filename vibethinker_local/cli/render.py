"""Events to the terminal: the answer or the receipt on stdout, progress on stderr. Computes nothing."""

import json
import os
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TextIO, TypeVar, cast

from rich.console import Console
from rich.live import Live
from rich.text import Text

from vibethinker_local.cli import votes_view
from vibethinker_local.cli.doctor import Check
from vibethinker_local.errors import UsageError
from vibethinker_local.events import (
    Announced,
    Closing,
    Contested,
    Finished,
    Judged,
    Sampled,
    Solution,
    SolveEvent,
    Started,
    Wrote,
)
from vibethinker_local.solving import receipt
from vibethinker_local.solving.follow import DECISIONS, Tally, Votes, summary
from vibethinker_local.solving.quote import Eta
from vibethinker_local.system.terminal import printable
from vibethinker_local.system.units import Pace, Transfer, left

T = TypeVar("T")
REASONS = {
    "length": "token budget reached",
    "loop": "going round in circles",
    "stop": "stopped without an answer",
    "answer now": "answer now",
}
PLAIN_SECONDS = 5.0  # between progress lines where stderr is no terminal


def print_json(solution: Solution) -> None:
    """The receipt, alone on stdout."""
    text = _readable(json.dumps(receipt.receipt(solution), ensure_ascii=False))
    _out("".join(c if printable(c) else f"\\u{ord(c):04x}" for c in text))  # what is left stands inside strings


def print_text(solution: Solution, *, answer_only: bool) -> None:
    """The visible text, or the extracted answer alone; of a run that was cut off, only what holds an answer."""
    cut_off = solution.status in ("stopped", "failed")
    text = solution.answer if answer_only or (cut_off and solution.answer is None) else solution.text
    if text:
        _out(printable(text))


def print_checks(checks: list[Check], *, as_json: bool) -> None:
    """The doctor's report on stdout."""
    if as_json:
        _out(json.dumps({"checks": [asdict(check) for check in checks]}, ensure_ascii=False))
        return
    width = max(len(check.name) for check in checks)
    marks = {"ok": " ", "warning": "!", "error": "x"}
    for check in checks:
        _out(f"{marks[check.state]} {check.name:<{width}}  {check.value}")
        if check.advice:
            _out(f"  {'':<{width}}  {check.advice}")


def print_line(text: str) -> None:
    """A line on stdout."""
    _out(printable(_readable(text)))


def explain(solution: Solution) -> str:
    """One sentence about a run that did not end in an answer."""
    match solution.status:
        case "no_answer":
            return "No answer: the model did not commit to one, also when it was asked to. Try another --seed."
        case "failed":
            return f"The engine failed: {solution.error}"
        case _:
            return "Stopped."


def verdict(solution: Solution) -> str:
    """One line about a run of the reliability pass that ended in an answer: what happened, and the plain majority."""
    report = solution.report
    if report is None:
        return ""
    parts = [summary(report), DECISIONS[report.decision]]
    if report.note:
        parts.append(report.note)
    elif report.majority != solution.answer:
        parts.append(f"a plain vote would say {report.majority}")
    return " · ".join(parts)


def complain(error: object) -> None:
    """The one line on stderr that an error becomes."""
    _Forgiving(sys.stderr).write(f"vibe: {printable(_readable(str(error)))}\n")


def _readable(text: str) -> str:
    """A text with file names that Python could not decode in this locale: they are UTF-8 all the same, mostly."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _out(text: str) -> None:
    """Print to stdout. That nobody reads it any more is fine; that a disk is full is an error."""
    try:
        print(text, flush=True)
    except OSError as error:
        _to_nowhere(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            raise UsageError(f"Standard output cannot be written: {error.strerror}.") from error


def _to_nowhere(stream: TextIO) -> None:
    """Send the rest, and what Python flushes at exit, to nowhere."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, stream.fileno())
    os.close(devnull)


class _Forgiving:
    """A stream for progress: when it can be written no more, the work goes on without."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            _to_nowhere(self._stream)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Progress:
    """Shows events on stderr as they come: live on a terminal, a line now and then elsewhere, nothing if quiet."""

    def __init__(self, *, quiet: bool, show_thinking: bool, stream: TextIO | None = None) -> None:
        stream = stream or sys.stderr
        terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._console = Console(
            file=cast(TextIO, _Forgiving(stream)), force_terminal=terminal, highlight=False, soft_wrap=True
        )
        self._style = "dim" if terminal and not os.environ.get("NO_COLOR") else ""
        self._quiet, self._thinking = quiet, show_thinking and not quiet
        live = terminal and not quiet and not show_thinking
        self._live = Live(console=self._console, refresh_per_second=8, transient=True) if live else None
        self._began = self._said = time.monotonic()
        self._max_tokens = 0
        self._hint = "Ctrl-C: answer now"
        self._tally = Tally(time.monotonic)
        self._eta = Eta()
        self._fresh = True  # whether stderr stands at the beginning of a line

    def follow(self, events: Iterable[SolveEvent]) -> Solution:
        """Show all events and return the Solution in the last one."""
        if self._live:
            self._live.start()
        try:
            for event in events:
                self._tally.apply(event)
                self._eta.see(event)
                if isinstance(event, Finished):
                    return event.solution
                self._show(event)
        finally:
            if self._live:
                self._live.stop()
            self._end_line()
            if self._thinking:
                self._console.print()  # the answer follows, on the same terminal perhaps
        raise RuntimeError("the events ended without a Solution")

    def _show(self, event: SolveEvent) -> None:
        if self._tally.votes and not isinstance(event, Started):
            self._show_votes(event, self._tally.votes)
            return
        match event:
            case Announced():
                self.say(event.text)
            case Started():
                self._max_tokens = event.max_tokens
                self._began = self._said = time.monotonic()
                self.say(
                    f"{event.model.name} {event.model.quant} · seed {event.seed}"
                    f" · prompt {event.prompt_tokens:,} tokens · up to {event.max_tokens:,} more"
                    + (f" · up to {event.samples} solutions" if event.samples > 1 else "")
                )
            case Closing():
                what = "asking for the answer" if event.asking else "closing the reasoning"
                self._hint = "Ctrl-C: stop"
                self.say(f"{REASONS[event.reason]}: {what}")
            case Wrote():
                if self._thinking and event.reasoning:
                    self._think(printable(event.text))
                self._status(event)

    def _show_votes(self, event: SolveEvent, now: Votes) -> None:
        """The reliability pass: all of it on a terminal, its milestones elsewhere."""
        if self._live:
            self._live.update(votes_view.view(now, self._hint, self._style))
            return
        match event:
            case Wrote() if self._thinking and event.reasoning and event.index == 0:
                self._think(printable(event.text))
            case Wrote():
                self.status(votes_view.headline(now))
            case Closing():
                self.say(f"#{event.index + 1} {REASONS[event.reason]}")
            case Sampled():
                answer = event.trajectory.answer or "no answer"
                self.say(f"#{event.index + 1} {answer} · {event.trajectory.tokens:,} tokens · {votes_view.tally(now)}")
            case Contested():
                self.say("the vote is contested: asking for claims")
            case Judged() if event.verdict.ruling == "refuted":
                claim = [row.text for row in now.claims if row.trajectory == event.index][event.claim]
                self.say(f"#{event.index + 1} refuted by {event.verdict.evidence or event.verdict.method}: {claim}")
            case _:
                pass

    def _think(self, text: str) -> None:
        text = text.lstrip("\n") if self._fresh else text  # no empty lines at the beginning
        if text:
            self._console.print(Text(text), end="")
            self._fresh = text.endswith("\n")

    def _end_line(self) -> None:
        if not self._fresh:
            self._console.print()
            self._fresh = True

    def say(self, text: str) -> None:
        """A line on stderr, unless quiet."""
        if not self._quiet:
            self._end_line()
            self._console.print(Text(printable(text), style=self._style))

    def _status(self, event: Wrote) -> None:
        seconds = max(time.monotonic() - self._began, 1e-6)
        what = "reasoning" if event.reasoning else "answering"
        rate = event.tokens / seconds
        speed = f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"
        text = f"{what} · {event.tokens} of {self._max_tokens} tokens · {speed} tok/s · {seconds:.0f} s"
        self.status(" · ".join(filter(None, (text, self._left()))), self._hint)

    def _left(self) -> str:
        seconds = self._eta.seconds()
        return left(seconds) if seconds else ""

    def status(self, text: str, hint: str = "", *, every: float = PLAIN_SECONDS) -> None:
        """How far it has come: on a terminal the line that is there already, elsewhere a new one now and then."""
        if self._live:
            text = f"{text} · {hint}" if hint else text
            self._live.update(Text(text, self._style, no_wrap=True, overflow="ellipsis"))
        elif not self._quiet and not self._thinking and time.monotonic() - self._said > every:
            self._said = time.monotonic()
            self.say(text)

    def carry(self, steps: Generator[Transfer, None, T]) -> T:
        """Show how far bytes have come, and return what the steps end in."""
        pace = Pace()
        with self.shown():
            try:
                while True:
                    step = next(steps)
                    self.status(pace.line(step), "Ctrl-C: stop; what is here is kept")
            except StopIteration as end:
                result: T = end.value
                return result

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Inside the block, `status` is shown where the terminal can."""
        if self._live:
            self._live.start()
        try:
            yield
        finally:
            if self._live:
                self._live.stop()
