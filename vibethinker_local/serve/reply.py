"""One choice while it is being written: what of it is reasoning and what is content, and when something has to be done.

Knows nothing of engines beyond their outputs; `completion` does what is due.
"""

from typing import Literal

from vibethinker_local.engine import StepOutput
from vibethinker_local.engine.detokenizer import TextStream
from vibethinker_local.events import Finish
from vibethinker_local.runtime.reasoning import TAGS, ReasoningParser, Span, Tags
from vibethinker_local.serve.streams import Delta
from vibethinker_local.serve.wire import FinishReason

Due = Literal["close", "constrain"]  # end the reasoning; put what follows under the grammar
Drawn = tuple[int, float]  # a sampled token and its log-probability, in nats


class ReplyText:
    def __init__(
        self,
        index: int,
        begun: str,
        *,
        opened: bool,
        thinking: int | None,
        stops: tuple[str, ...],
        stop_ids: frozenset[int],
        constrained: bool,
        tags: Tags = TAGS,
    ) -> None:
        """`begun` is the part of it that was there before; `thinking`, the tokens after which reasoning is closed."""
        self.index = index
        self.tokens: list[int] = []  # generated, forced ones included
        self.reasoning_tokens = 0
        self.finish: Finish | None = None
        self.due: Due | None = None
        self.closed = False  # the reasoning, by force
        self.free: bool = constrained  # of a grammar that is to come
        self._thinking, self._stop_ids = thinking, stop_ids
        self._parser, self._stops = ReasoningParser(opened=opened, tags=tags), TextStream(stops)
        before = self._parser.feed(begun)
        self._reasoned = opened or any(span.reasoning for span in before)
        self._content_begun = any(not span.reasoning and span.text.strip() for span in before)
        self._reasoning, self._content = list[str](), list[str]()  # since the last delta
        self._drawn = list[Drawn]()
        self._retracts = False

    @property
    def finish_reason(self) -> FinishReason | None:
        if self.finish is None:
            return None
        return "length" if self.finish in ("length", "loop") else "stop"

    @property
    def ending(self) -> Finish:
        """How it ended, in our own words."""
        assert self.finish
        return "forced" if self.closed and self.finish == "stop" else self.finish

    @property
    def visible(self) -> bool:
        """Whether the reasoning, if there was any, is over."""
        return self._parser.visible

    def add(self, output: StepOutput) -> None:
        """Take what the engine put out. Sets `due` or `finish`."""
        if output.token is not None and output.token not in self._stop_ids:
            self.tokens.append(output.token)
            if output.logprob is not None:
                self._drawn.append((output.token, output.logprob))
        spans = self._parser.feed(output.text) + (self._parser.flush() if output.end else [])
        if not self._parser.visible:
            self.reasoning_tokens = len(self.tokens)
        for span in spans:
            if not self._stops.stopped:  # what follows it in the same piece does not count
                self._write(span)
        if self._stops.stopped and not self.free:
            self.finish = "stop"
        elif self._parser.in_reasoning and not self.closed and self._over(output):
            self.due = "close"
        elif self.free and (self.visible or output.end == "stop"):
            self.due = "constrain"
        elif output.end and output.end != "scored":
            self.finish = output.end
            self._content.append(self._stops.flush())

    def _over(self, output: StepOutput) -> bool:
        """Whether the reasoning has to end here."""
        if self._thinking is None:
            return self.free and output.end in ("stop", "loop")
        return output.end is not None or len(self.tokens) >= self._thinking

    def close(self) -> None:
        """Note that the reasoning is being closed."""
        self.due, self.closed = None, True

    def constrain(self, between: list[int]) -> None:
        """From here on it is content, under the grammar, with some tokens between it and the reasoning.

        Of a reply without reasoning, what was written freely does not count.
        """
        self.closed |= self.due == "close"
        self.due, self.free = None, False
        if self._reasoned:
            self.tokens += between
        else:
            self.tokens, self.reasoning_tokens = [], 0
            self._drawn.clear()
        self._content.clear()
        self._stops.flush()
        self._parser = ReasoningParser()
        self._parser.feed("{")  # whatever comes, it is visible

    def cut_off(self, limit: int) -> None:
        """There is no room for anything more than so many tokens, nor for what was to come between."""
        self.due, self.finish = None, "length"
        del self.tokens[limit:]

    def drawn(self) -> list[Drawn]:
        """The tokens that were sampled since the last call; none as long as it is open whether they count."""
        if self.free and not self._reasoned and self.finish is None:
            return []
        drawn, self._drawn = self._drawn, []
        return drawn

    def delta(self) -> Delta:
        """What was written since the last call."""
        found = Delta(
            self.index,
            "".join(self._reasoning),
            "".join(self._content),
            finish=self.finish_reason,
            retracts=self._retracts,
        )
        self._reasoning, self._content, self._retracts = [], [], False
        return found

    def _write(self, span: Span) -> None:
        text = span.text
        if span.retracts:
            self._reasoning += [*self._content, self._stops.flush()]
            self._content, self._content_begun, self._retracts = [], False, True
            self._reasoned = True
        if span.reasoning:
            self._reasoning.append(text if self._reasoned else text.lstrip())
            self._reasoned |= bool(text.strip())
            return
        if self._reasoned and not self._content_begun:
            text = text.lstrip()  # the empty line after the reasoning
        self._content_begun |= bool(text)
        self._content.append(self._stops.feed(text.encode()))
