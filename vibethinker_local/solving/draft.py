"""A trajectory while it is being written: what it says so far, and whether its end has to be forced.

Knows nothing of engines beyond their outputs; `sampling` decides what to force.
"""

from collections.abc import Iterator
from typing import Literal

from vibethinker_local.code import answer
from vibethinker_local.code.task import Task
from vibethinker_local.engine import StepOutput
from vibethinker_local.events import Closing, Finish, Reason, SolveEvent, Trajectory, Wrote
from vibethinker_local.reliability import answers
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.reasoning import TAGS, ReasoningParser, Span, Tags, split
from vibethinker_local.solving.signals import SignalTrace


class Draft:
    """A trajectory while it is being written."""

    def __init__(
        self,
        seed: int,
        *,
        opened: bool = False,
        tags: Tags = TAGS,
        think: int | None = None,
        index: int = 0,
        talk: bool = False,
        asks: bool = True,
        prose: bool = False,
        task: Task | None = None,
    ) -> None:
        """After `think` tokens of reasoning it is closed. In `talk`, what the model says in the end counts, committed
        to an answer or not; without `asks`, it is never asked for one outright; `prose` has none that could be
        extracted. The answer to a `task` is a program."""
        self.seed, self.index, self.asks = seed, index, asks
        self.tokens = 0
        self.closing: Reason | None = None  # why the end was forced
        self.asked = False  # for the answer, outright
        self.ended: Literal["stop", "length", "loop"] | None = None
        self.cut_from: int | None = None  # tokens after which reasoning is cut at the end of a line
        self._thought_ended = False  # the last output ended a line of reasoning, and was the model's own
        self._forced = False  # we forced some text into it
        self._hurried = False  # the answer is wanted now
        self._hurry_done = False  # the hurry has already been acted on
        self.at_last = False  # the answer is wanted at once, or there will be none
        self._line_ended = False  # the last output ended a line outside code, and was the model's own
        self._brace_closed = False  # the last output closed a brace
        self.talk, self._opened, self._tags, self._task = talk, opened, tags, task
        self._prose = prose
        self._think = think or None  # without reasoning, none has to be closed
        self._text: list[str] = []
        self._parser = ReasoningParser(opened=opened, tags=tags)
        self._signals = SignalTrace()

    @property
    def in_reasoning(self) -> bool:
        return not self._parser.visible

    @property
    def complete(self) -> bool:
        """Whether there is nothing to wait for: the answer that was asked for, or one in a line that is at its end."""
        likely = (self.asked and self._brace_closed) or (self._hurried and self._line_ended) or self.at_last
        return likely and self._answer() is not None

    def add(self, output: StepOutput) -> Iterator[Wrote]:
        """Take what the engine put out."""
        if output.token is not None and output.end != "stop":
            self.tokens += 1
        self._signals.add(output)
        self._text.append(output.text)
        spans = self._parser.feed(output.text)
        self._brace_closed = "}" in output.text
        by_model = output.token is not None and not output.forced
        self._line_ended = by_model and "\n" in output.text and self._parser.visible and not self._parser.in_code
        self._thought_ended = by_model and self.in_reasoning and output.text.endswith("\n")
        if output.end and output.end != "aborted" and output.end != "scored":
            self.ended = output.end
            spans += self._parser.flush()
        yield from self._wrote(spans)

    def resume(self, text: str, tokens: int) -> list[Span]:
        """Begin with what was written before, in so many tokens."""
        self.tokens += tokens
        self._text.append(text)
        return self._parser.feed(text)

    def due(self, *, answer_now: bool, time_up: bool = False, at_last: bool = False) -> Reason | None:
        """Why the end has to be forced now: the user wants it, little time is left, or the Sequence has ended without
        an answer.

        Reasoning is interrupted at once where there is a hurry, at the end of a line where few tokens are left, and
        visible text at the end of a line. `at_last`, the answer is asked for in the middle of anything, unless it would
        be a program: too little time is left to write one.
        """
        self._hurried |= answer_now or time_up
        self.at_last |= at_last and self._task is None
        now = self._hurried and not self._hurry_done and (self.in_reasoning or self._line_ended)
        now |= self.at_last
        spent = self.cut_from is not None and self.tokens >= self.cut_from and self._thought_ended and not self.closing
        spent |= (
            self._think is not None and self._parser.in_reasoning and self.tokens >= self._think and not self.closing
        )
        if self.asked or not (now or spent or self.ended):
            return None
        text = self._split()[1]
        if self.talk and text:
            return "length" if self.ended == "length" and not self.closing else None  # what was reserved is its own
        if not self.in_reasoning and not self.asks:
            return None
        unfinished = self.ended == "length" and self._parser.in_code and not self.closing
        if self._answer() is not None and not unfinished:
            return None
        if self._task and self.ended == "stop" and text:
            return None
        self._hurry_done |= now
        hurry: Reason = "time" if time_up and not answer_now else "answer now"
        return self.ended or ("length" if spent and not now else hurry)

    def close(self, reason: Reason) -> Iterator[SolveEvent]:
        """Note that the end is being forced."""
        if self.asked or self.in_reasoning:
            self._forced = True
            yield Closing(reason, self.asked, self.index)
        yield from self._wrote(self._parser.flush())
        self.closing, self.ended = self.closing or reason, None

    def finish(self, *, aborted: bool) -> Trajectory:
        reasoning, text = self._split()
        if self.ended == "stop":
            text = answers.mended(text)
        if self.asked and answers.extract(text) is None:
            text = text.rpartition(prompts.ASK_ANSWER)[0].strip()  # without our question, and what led to nothing
        finish: Finish = self.ended or "forced"
        if aborted:
            finish = "aborted"
        elif self.closing and not (self.talk and (self.ended == "length" or not self._forced)):
            finish = "loop" if self.closing == "loop" else "forced"
        mean, signals = self._signals.mean_logprob, self._signals.folded()
        extracted = self._extract(text, "" if self.talk and text else reasoning)
        return Trajectory(self.seed, self.tokens, finish, extracted, text, reasoning, mean, signals=signals)

    def _extract(self, text: str, reasoning: str = "") -> str | None:
        if self._prose:
            return None
        return answer.program(text, self._task) if self._task else answers.extract(text, reasoning)

    def _answer(self) -> str | None:
        """The answer in the visible text so far."""
        text = self._split()[1]
        return self._extract(answers.mended(text) if self.ended == "stop" else text)

    def _split(self) -> tuple[str, str]:
        return split("".join(self._text), opened=self._opened, tags=self._tags)

    def _wrote(self, spans: list[Span]) -> Iterator[Wrote]:
        for span in spans:
            yield Wrote(span.text, span.reasoning, self.tokens, span.retracts, self.index)
