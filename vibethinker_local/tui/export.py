"""A conversation as a file: Markdown to read, JSON to compute with. Written whole or not at all."""

import json
import os
import re
import tempfile
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Literal

from vibethinker_local.errors import UsageError
from vibethinker_local.tui.store import Listed, Turn

Format = Literal["markdown", "json"]
SUFFIXES: dict[Format, str] = {"markdown": ".md", "json": ".json"}


def export(conversation: Listed, turns: list[Turn], form: Format, folder: Path) -> Path:
    """Write a conversation into a folder, under a name that is free, and return the path. Raises UsageError."""
    text = markdown(conversation, turns) if form == "markdown" else as_json(conversation, turns)
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


def markdown(conversation: Listed, turns: list[Turn]) -> str:
    """Questions as quotations, the reasoning folded, answers as the model wrote them."""
    parts = [f"# {conversation.title}\n"]
    for turn in turns:
        parts.append("\n".join(f"> {line}".rstrip() for line in turn.question.splitlines()) + "\n")
        if turn.reasoning:
            summary = f"Thought for {turn.reasoning_tokens:,} tokens" if turn.reasoning_tokens else "Reasoning"
            fence = fence_for(turn.reasoning)
            parts.append(
                f"<details><summary>{summary}</summary>\n\n{fence}text\n{turn.reasoning}\n{fence}\n\n</details>\n"
            )
        parts.append((turn.answer or f"*{turn.status.replace('_', ' ')}*") + "\n")
        parts.append(f"<sub>{turn.model} · seed {turn.seed} · {turn.tokens:,} tokens · {turn.seconds:.1f} s</sub>\n")
    return "\n".join(parts)


def fence_for(text: str) -> str:
    """A code fence that no line of a text closes."""
    return "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))


def as_json(conversation: Listed, turns: list[Turn]) -> str:
    """Everything that is known, schema 1."""
    data = {
        "schema": 1,
        "title": conversation.title,
        "updated": _moment(conversation.updated),
        "turns": [asdict(turn) | {"created": _moment(turn.created)} for turn in turns],
    }
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
