"""A turn of a conversation, and how one is read from a row that may hold anything."""

import json
import math
from dataclasses import dataclass
from typing import Literal, get_args

from vibethinker_local.system.terminal import whole

TurnStatus = Literal["writing", "answered", "no_answer", "stopped", "failed"]
TITLE = 60  # characters
LONGEST = 1e10  # seconds: until the year 2286


@dataclass(frozen=True)
class Attachment:
    """A file or a long paste that goes with a question."""

    name: str
    text: str
    tokens: int = 0  # 0: not counted


@dataclass(frozen=True)
class Turn:
    """A question and what became of it."""

    question: str
    model: str = ""
    seed: int = 0
    id: int = 0  # 0: not on the disk
    created: float = 0.0  # seconds since the epoch
    reasoning: str = ""
    answer: str = ""  # the visible text
    status: TurnStatus = "writing"  # "writing" although nobody does: it was interrupted
    note: str = ""  # what the user should know of how it ended
    tokens: int = 0
    reasoning_tokens: int = 0
    seconds: float = 0.0
    reasoning_seconds: float = 0.0
    quant: str = ""
    finish: str = ""  # how the text ended, as a Trajectory's: "length" is a text that was cut off
    attachments: tuple[Attachment, ...] = ()
    vote: str = ""  # of the reliability pass, as JSON
    parent: int | None = None  # the turn that it follows, 0 for the first; None: the last one that is shown
    versions: tuple[int, ...] = ()  # the turns that follow the same one, this one among them, the oldest first


COLUMNS = (  # of the table, besides `conversation`
    *("id", "question", "model", "seed", "created", "reasoning", "answer", "status", "note", "tokens"),
    *("reasoning_tokens", "seconds", "reasoning_seconds", "quant", "finish", "attachments", "vote", "parent"),
)


def turn_of(row: dict[str, object]) -> Turn:
    """A turn from a row, by names of columns. What is missing or makes no sense is left out, whatever it is."""
    status = text(row.get("status"))
    return Turn(
        text(row.get("question")),
        text(row.get("model")),
        number(row.get("seed")),
        number(row.get("id")),
        moment(row.get("created")),
        text(row.get("reasoning")),
        text(row.get("answer")),
        status if status in get_args(TurnStatus) else "stopped",  # type: ignore[arg-type]
        text(row.get("note")),
        number(row.get("tokens")),
        number(row.get("reasoning_tokens")),
        moment(row.get("seconds")),
        moment(row.get("reasoning_seconds")),
        text(row.get("quant")),
        text(row.get("finish")),
        _attachments(text(row.get("attachments"))),
        text(row.get("vote")),
        number(row.get("parent")),
    )


def row_of(turn: Turn) -> dict[str, object]:
    """The row of a turn, by names of columns."""
    rows = [[whole(one.name), whole(one.text), one.tokens] for one in turn.attachments]
    attachments = json.dumps(rows) if rows else ""
    values = {name: getattr(turn, name) for name in COLUMNS} | {"attachments": attachments}
    return {name: whole(value) if isinstance(value, str) else value for name, value in values.items()}


def text(value: object) -> str:
    match value:
        case str():
            return value
        case bytes():
            return value.decode("utf-8", "replace")
        case _:
            return "" if value is None else str(value)


def number(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**53 else 0


def moment(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) and 0 <= value < LONGEST else 0.0


def _attachments(source: str) -> tuple[Attachment, ...]:
    try:
        rows = json.loads(source or "[]")
        return tuple(
            Attachment(whole(str(name)), whole(str(content)), number(*more[:1] or [0])) for name, content, *more in rows
        )
    except (ValueError, TypeError, RecursionError):
        return ()


def name_of(first: Turn) -> str:
    """The name of a conversation that begins so."""
    return title("\n".join([first.question, *(one.name for one in first.attachments)]))


def title(text: str) -> str:
    """A conversation's name: the first line that says something, cut at a word."""
    line = next((" ".join(line.split()) for line in text.splitlines() if line.strip()), "Untitled")
    if len(line) <= TITLE:
        return line
    cut = line[: TITLE - 1]
    return (cut.rsplit(" ", 1)[0] if " " in cut[TITLE // 2 :] else cut).rstrip() + "…"
