"""Separates reasoning from visible text while the text grows.

The model writes `<think>…</think>`, or other tags, itself, unless the template has written the opening one. The rules:
- an opening tag at the start of the text, or later at the start of a line, begins reasoning; the closing one ends it;
- a closing tag without an opening one means that all visible text before it was reasoning, once text follows it;
- inside a code fence of the visible text, or in backticks as `</think>`, a tag is ordinary text.
Code fences inside the reasoning are drafts and are ignored.
"""

import functools
import re
from dataclasses import dataclass
from typing import Literal

Tags = tuple[str, str]
TAGS: Tags = ("<think>", "</think>")
_LINE = 200  # characters of a line that are kept; enough to recognise a fence


@dataclass(frozen=True)
class Span:
    """A piece of text, and on which side of the cut it lies."""

    text: str
    reasoning: bool
    retracts: bool = False  # all visible text before this piece was reasoning after all


class ReasoningParser:
    """Takes text piece by piece and gives spans. Holds back only what may be the beginning of a tag."""

    def __init__(self, *, opened: bool = False, tags: Tags = TAGS) -> None:
        self._open, self._close = tags
        self._mark, self._beginnings = _marks(tags)
        self._state: Literal["start", "reasoning", "visible"] = "reasoning" if opened else "start"
        self._held = ""
        self._line = ""  # the current visible line, up to _LINE characters
        self._fence = ""  # the code fence that is open in the visible text
        self._stray = False  # a closing tag without an opening one has just been seen

    @property
    def visible(self) -> bool:
        """Whether the text has reached its visible part."""
        return self._state == "visible"

    @property
    def in_reasoning(self) -> bool:
        """Whether the text is between the tags."""
        return self._state == "reasoning"

    @property
    def in_code(self) -> bool:
        """Whether the visible text has a code fence open."""
        return self.visible and bool(self._fence)

    def feed(self, text: str) -> list[Span]:
        """The spans that are certain now that `text` was added."""
        self._held += text
        return self._take(final=False)

    def flush(self) -> list[Span]:
        """The spans that were held back; to be called at the end of the text."""
        return self._take(final=True)

    def _take(self, *, final: bool) -> list[Span]:
        held, at, spans = self._held, 0, list[Span]()
        if self._state == "start":
            held = self._held = held.lstrip()
            if self._open.startswith(held) and held != self._open and not (final and held):
                return []  # nothing yet, or an opening tag that is not complete
            self._state = "reasoning" if held.startswith(self._open) else "visible"
            at = len(self._open) if self._state == "reasoning" else 0
        limit = len(held) - (0 if final else self._unclear(held))
        while at < limit:
            if self._state == "reasoning":
                end = held.find(self._close, at, limit)
                spans.append(Span(held[at : end if end >= 0 else limit], True))
                at = end + len(self._close) if end >= 0 else limit
                if end >= 0:
                    self._state, self._line, self._fence = "visible", "", ""
            else:
                found = self._mark.search(held, at)  # a complete tag counts even if it ends after `limit`
                found = found if found and found.start() < limit else None
                end = found.start() if found else limit
                self._line += held[at : min(end, at + _LINE - len(self._line))]
                tag = found[0] if found else ""
                if tag == self._open and not self._fence and not self._line.strip():
                    self._state, tag = "reasoning", ""
                    spans += self._visible(held[at:end])
                elif tag == self._close and not self._fence:
                    spans += self._visible(held[at:end])
                    self._stray, self._line = True, ""
                else:
                    spans += self._visible(held[at:end] + tag)
                    self._line = (self._line + tag)[:_LINE]
                    if tag == "\n":
                        self._end_line()
                at = found.end() if found else limit
        self._held = held[max(at, limit) :]
        return _joined(spans)

    def _unclear(self, text: str) -> int:
        """The length of the longest suffix of a text that may be the beginning of a tag."""
        return next((len(beginning) for beginning in self._beginnings if text.endswith(beginning)), 0)

    def _visible(self, text: str) -> list[Span]:
        if self._stray and not (text := text.lstrip()):
            return []
        stray, self._stray = self._stray, False
        return [Span(text, False, retracts=stray)]

    def _end_line(self) -> None:
        """Record whether the line that has just ended opens or closes a code fence."""
        line, self._line = self._line.strip(), ""
        if not self._fence:
            fence = re.match(r"`{3,}(?=[^`]*$)|~{3,}", line)
            self._fence = fence[0] if fence else ""
        elif line.startswith(self._fence) and not line.strip(self._fence[0]):
            self._fence = ""


def split(text: str, *, opened: bool = False, tags: Tags = TAGS) -> tuple[str, str]:
    """A whole text as (reasoning, visible text), both stripped."""
    parser = ReasoningParser(opened=opened, tags=tags)
    reasoning, visible = list[str](), list[str]()
    for span in parser.feed(text) + parser.flush():
        if span.retracts:
            reasoning += visible
            visible.clear()
        (reasoning if span.reasoning else visible).append(span.text)
    return "".join(reasoning).strip(), "".join(visible).strip()


def joined(reasoning: str, text: str, *, opened: bool = False, tags: Tags = TAGS) -> str:
    """The whole text that `split` takes apart into these two; without visible text, the reasoning is left open."""
    if not reasoning and not opened:
        return text
    begin = reasoning if opened else f"{tags[0]}\n{reasoning}"
    return f"{begin}\n{tags[1]}\n\n{text}" if text else begin


@functools.cache
def _marks(tags: Tags) -> tuple[re.Pattern[str], list[str]]:
    """What a line of visible text is read for, and the beginnings of that, the longest first."""
    marks = [f"`{tags[1]}`", tags[1], tags[0]]
    beginnings = sorted({mark[:n] for mark in marks for n in range(1, len(mark))}, key=len, reverse=True)
    return re.compile("|".join(["\n", *map(re.escape, marks)])), beginnings


def _joined(spans: list[Span]) -> list[Span]:
    """Merges neighbouring spans of the same kind and drops empty ones."""
    groups: list[list[Span]] = []
    for span in spans:
        if not span.text:
            continue
        if groups and groups[-1][0].reasoning == span.reasoning and not span.retracts:
            groups[-1].append(span)
        else:
            groups.append([span])
    return [Span("".join(s.text for s in group), group[0].reasoning, group[0].retracts) for group in groups]
