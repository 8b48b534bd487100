"""A question with its reasoning, folded, and its answer."""

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from vibethinker_local.solving.follow import Place, RunState
from vibethinker_local.system.terminal import printable
from vibethinker_local.system.units import left, tokens
from vibethinker_local.tui import votes
from vibethinker_local.tui.actions import NAMED, key_of
from vibethinker_local.tui.store import Attachment, Turn
from vibethinker_local.tui.text.markdown import readable
from vibethinker_local.tui.widgets.answer import AnswerView
from vibethinker_local.tui.widgets.chip import Chip
from vibethinker_local.tui.widgets.thoughts import Thoughts

QUESTION_LINES, QUESTION_CHARACTERS = 12, 2000  # shown of a question; a click shows more
END_LINES, END_CHARACTERS = 3, 400  # of these, from its end
MOST_QUESTION = 20_000  # characters, then too
ENDINGS = {
    "no_answer": "no answer: the model did not commit to one",
    "stopped": "stopped",
    "failed": "failed",
    "writing": "interrupted: this is what had been written",
}


class Question(Vertical):
    """What was asked, and what was attached."""

    def __init__(self, text: str, attachments: Sequence[Attachment] = ()) -> None:
        super().__init__(classes="question")
        self._text, self._attachments = text, attachments

    def compose(self) -> ComposeResult:
        if self._text:
            yield QuestionText(self._text)
        for one in self._attachments:
            yield Chip(one)


class QuestionText(Static):
    """Of a long question the beginning and the end, where what is asked mostly stands; a click shows more of it."""

    def __init__(self, text: str) -> None:
        super().__init__(classes="asked", markup=False)
        self._text, self._open = readable(printable(text).expandtabs(4)), False

    def render(self) -> Content:
        lines = self._text.split("\n")
        if self._open or (len(lines) <= QUESTION_LINES and len(self._text) <= QUESTION_CHARACTERS):
            return Content(self._text[:MOST_QUESTION])
        first = "\n".join(lines[: QUESTION_LINES - END_LINES - 1])[: QUESTION_CHARACTERS - END_CHARACTERS]
        last = "\n".join(lines[-END_LINES:])[-END_CHARACTERS:]
        what = f"… {len(self._text):,} characters in all …"
        return Content.assemble(first, "\n", (what, "$text-muted"), "\n", last)

    def on_click(self) -> None:
        self._open = not self._open
        self.refresh(layout=True)


class Thinking(Vertical):
    """One line about the reasoning, which opens into its text."""

    def __init__(self, text: str, line: str) -> None:
        super().__init__(classes="thinking")
        self._text, self._line = text, line
        self._log: Thoughts | None = None
        self._opened_by_user = False

    def compose(self) -> ComposeResult:
        yield Static(self._content(), classes="fold", markup=False)

    def _content(self) -> Content:
        return Content(f"{'▾' if self._log else '▸'} {self._line}")

    def say(self, line: str) -> None:
        if line != self._line:
            self._line = line
            self.query_one(".fold", Static).update(self._content(), layout=False)  # one line before and after

    def add(self, text: str) -> None:
        text = printable(text)
        self._text += text
        if self._log:
            self._log.add(text)

    def set(self, text: str) -> None:
        """Show this text, which may be the one that is there already."""
        if text.strip() != self._text.strip():
            self._text = text
            if self._log:
                self._log.clear()
                self._log.add(text)

    async def toggle(self) -> None:
        if self._log:
            await self._log.remove()
            self._log = None
        else:
            self._log = Thoughts(self._text.lstrip())
            await self.mount(self._log)
        self.query_one(".fold", Static).update(self._content())

    async def on_click(self) -> None:
        await self.toggle()


class TurnView(Vertical):
    """One turn: finished, or growing through `follow`."""

    def __init__(self, turn: Turn, keys: Mapping[str, str]) -> None:
        """`keys` are the user's own."""
        super().__init__(classes="turn")
        self.turn, self._keys = turn, keys
        self.thinking = Thinking(printable(turn.reasoning), _thought(turn.reasoning_tokens, turn.reasoning_seconds))
        self.answer = AnswerView(turn.answer)
        self._foot = Static(self._footing(turn), classes="foot", markup=False)
        self._foot_lines = 0
        begun = Place(-1 if turn.reasoning or turn.answer else 0)  # what goes on is shown anew, from its beginning
        self._reasoning_at = self._answer_at = begun  # how far `follow` has come
        self._notice = Static("", classes="notice", markup=False)

    def compose(self) -> ComposeResult:
        yield self._notice
        yield Question(self.turn.question, self.turn.attachments)
        yield self.thinking
        yield self.answer
        yield self._foot

    def on_mount(self) -> None:
        self.thinking.display = bool(self.turn.reasoning)
        self._notice.display = False

    def follow(self, run: RunState) -> None:
        """Show what has been written since the last call."""
        if run.started and run.started.dropped and not self._notice.display:
            self._notice.update(Content(_dropped(run.started.dropped)))
            self._notice.display = True
        if run.reasoning or run.answer or run.solution:
            self._show_texts(run)
        self.thinking.display = bool(run.reasoning or self.turn.reasoning)
        self.thinking.say(
            f"thinking · {tokens(run.reasoning_tokens)} · {_duration(run.thought_seconds)}"
            if run.phase == "thinking"
            else _thought(run.reasoning_tokens, run.thought_seconds)
        )
        progress, width = _progress(run, self._keys), max(1, self._foot.size.width - 2)
        lines = sum(-(-line.cell_length // width) for line in progress.split("\n"))
        self._foot.update(progress, layout=lines != self._foot_lines)  # to lay all out again takes its time
        self._foot_lines = lines

    def _show_texts(self, run: RunState) -> None:
        anew, fresh, self._reasoning_at = run.reasoning.since(self._reasoning_at)
        if anew:
            self.thinking.set(printable(fresh))
        elif fresh:
            self.thinking.add(fresh)
        anew, fresh, self._answer_at = run.answer.since(self._answer_at)
        if anew:
            self.answer.show(fresh)
        elif fresh:
            self.answer.grow(fresh)

    def finish(self, turn: Turn) -> None:
        """Show the end, whole, after `follow` has shown the rest."""
        self.turn = turn
        self.thinking.set(printable(turn.reasoning))
        self.thinking.display = bool(turn.reasoning)
        self.thinking.say(_thought(turn.reasoning_tokens, turn.reasoning_seconds))
        self.answer.show(turn.answer)
        self._foot.update(self._footing(turn))

    def _footing(self, turn: Turn) -> Content:
        ending = ENDINGS.get(turn.status, "")
        if turn.finish == "length":
            ending = f"cut at {tokens(turn.tokens)}"
        elif turn.finish == "loop" and not turn.note:
            ending = f"cut at {tokens(turn.tokens)}: it was going round in circles"
        parts = [Content.assemble((printable(part), "$text-warning")) for part in (ending, turn.note) if part]
        if (vote := votes.read(turn.vote)) and vote.report:
            text, tone = votes.told(vote.report)
            parts.append(Content.styled(printable(text), tone))
        if len(turn.versions) > 1:
            number = turn.versions.index(turn.id) + 1 if turn.id in turn.versions else len(turn.versions)
            parts.append(Content.styled(f"‹ {number} of {len(turn.versions)} ›", "$accent"))
        if turn.model:
            parts.append(Content(printable(f"{turn.model} {turn.quant}".strip())))
        if turn.tokens:
            rate = turn.tokens / turn.seconds if turn.seconds >= 0.1 else 0.0  # of less, it would mean nothing
            pace = f" · {rate:,.0f} tok/s" if rate >= 0.5 else ""
            parts.append(Content(f"{tokens(turn.tokens)} · {_duration(turn.seconds)}{pace}"))
        return Content(" · ").join(parts)


def _dropped(turns: int) -> str:
    what = "The oldest turn is" if turns == 1 else f"The {turns} oldest turns are"
    return f"{what} left out: what was said before may take a third of the context."


def _progress(run: RunState, keys: Mapping[str, str]) -> Content:
    """What it is doing, below what was said before it began."""
    if run.announced and run.phase == "waiting":
        return Content(run.announced)
    doing = _doing(run, keys)
    return Content.assemble(run.announced, "\n", doing) if run.announced else doing


def _doing(run: RunState, keys: Mapping[str, str]) -> Content:
    match run.phase:
        case "waiting":
            return Content("loading the model …")
        case "reading":
            return Content(f"reading {tokens(run.started.prompt_tokens if run.started else 0)} …")
        case _:
            text = f"{tokens(run.tokens)} · {_duration(run.seconds)}"
            text += f" · {left(run.seconds_left)}" if run.seconds_left else ""
            text += f" · {key_of(NAMED['stop'], keys)} stops"
            text += f" · {key_of(NAMED['answer_now'], keys)} answers now" if run.phase == "thinking" else ""
            if run.provisional and run.answer:
                return Content.assemble(("provisional: the vote is not decided", "bold $text-warning"), " · ", text)
            return Content(text)


def _thought(count: int, seconds: float) -> str:
    return f"thought for {tokens(count)} · {_duration(seconds)}" if count else "thought"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.1f} s" if seconds < 10 else f"{rest} s"
