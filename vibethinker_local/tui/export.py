"""A conversation as a file: Markdown to read, JSON to compute with. Written whole or not at all."""

import html
import json
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from vibethinker_local.errors import UsageError
from vibethinker_local.system.terminal import whole
from vibethinker_local.system.units import tokens
from vibethinker_local.tui import votes
from vibethinker_local.tui.attachments import label
from vibethinker_local.tui.store import Listed, Store, Turn
from vibethinker_local.tui.text.markdown import closed, fence_for

Format = Literal["markdown", "json"]
SUFFIXES: dict[Format, str] = {"markdown": ".md", "json": ".json"}


def export(
    conversation: Listed, turns: Sequence[Turn], form: Format, folder: Path, others: Sequence[Turn] = ()
) -> Path:
    """Write a conversation into a folder, under a name that is free, and return the path. Raises UsageError.

    `turns` are those that are shown; the `others`, earlier versions, go into JSON alone.
    """
    text = whole(markdown(conversation, turns) if form == "markdown" else as_json(conversation, turns, others))
    stem = re.sub(r"[^\w]+", "-", conversation.title).strip("-").lower()[:40].rstrip("-") or "conversation"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="\n", dir=folder, prefix=f".{stem}-", suffix=".part", delete=False
        ) as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        number = 1
        while (path := folder / f"{stem}{f'-{number}' if number > 1 else ''}{SUFFIXES[form]}").exists():
            number += 1
        return Path(file.name).replace(path)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror}): go to another folder.") from error


def export_stored(
    store: Store, conversation: Listed, form: Format, folder: Path, turns: Sequence[Turn] | None = None
) -> Path:
    """Write a conversation of a store into a folder, and return the path. Raises UsageError.

    `turns` are those that are shown, if more is known of them than the store could keep.
    """
    stored = store.all_turns(conversation.id)
    if turns is None:
        turns = store.turns(conversation.id)
    created = {turn.id: turn.created for turn in stored}
    turns = [replace(turn, created=created.get(turn.id, conversation.updated)) for turn in turns]
    shown = {turn.id for turn in turns}
    return export(conversation, turns, form, folder, [turn for turn in stored if turn.id not in shown])


def markdown(conversation: Listed, turns: Sequence[Turn]) -> str:
    """Questions as quotations, the reasoning folded, answers as the model wrote them."""
    parts = [f"# {conversation.title}\n"]
    for turn in turns:
        parts.append("\n".join(f"> {line}".rstrip() for line in turn.question.splitlines()) + "\n")
        parts += [_folded(label(one), one.text.strip()) for one in turn.attachments]
        if turn.reasoning:
            summary = f"Thought for {tokens(turn.reasoning_tokens)}" if turn.reasoning_tokens else "Reasoning"
            parts.append(_folded(summary, turn.reasoning))
        parts.append((closed(turn.answer) or f"*{turn.status.replace('_', ' ')}*") + "\n")
        if vote := votes.read(turn.vote):
            parts.append(votes.markdown(vote))
        by = f"{turn.model} {turn.quant}".strip()
        parts.append(f"<sub>{by} · seed {turn.seed} · {tokens(turn.tokens)} · {turn.seconds:.1f} s</sub>\n")
    return "\n".join(parts)


def _folded(summary: str, text: str) -> str:
    fence = fence_for(text)
    return f"<details><summary>{html.escape(summary)}</summary>\n\n{fence}text\n{text}\n{fence}\n\n</details>\n"


def as_json(conversation: Listed, turns: Sequence[Turn], others: Sequence[Turn] = ()) -> str:
    """Everything that is known, schema 1."""
    data = {
        "schema": 1,
        "title": conversation.title,
        "updated": _moment(conversation.updated),
        "turns": [_known(turn) for turn in turns],
        "other_versions": [_known(turn) for turn in others],
    }
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def _known(turn: Turn) -> dict[str, object]:
    vote = votes.read(turn.vote)
    return asdict(turn) | {"created": _moment(turn.created), "vote": asdict(vote) if vote else None}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
