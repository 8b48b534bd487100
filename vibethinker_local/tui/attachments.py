"""Files and long pastes that go with a question: read, described, and as the model gets them."""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from vibethinker_local.errors import UsageError
from vibethinker_local.system import files
from vibethinker_local.tui.store import Attachment


def label(attachment: Attachment) -> str:
    """What it is called, and how long it is."""
    lines = attachment.text.strip().count("\n") + 1
    size = f"{lines:,} lines" if lines > 1 else f"{len(attachment.text):,} characters"
    return f"{attachment.name} · {size}"


def read(path: str) -> Attachment:
    """A text file, named as shells and file managers write it. Raises UsageError if it is none, or too long."""
    file = Path(path.strip().strip("'\"").replace("\\ ", " "))
    with suppress(RuntimeError):  # there is no such user
        file = file.expanduser()
    if not file.is_file() and not file.is_dir():  # a pipe might never end
        raise UsageError(f"There is no file {file}: check the path.")
    return Attachment(file.name, with_newlines(files.read(str(file.absolute()), None)))


def with_newlines(text: str) -> str:
    """A text whose lines end in a newline, whichever way they ended before."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def with_attachments(question: str, attachments: Sequence[Attachment]) -> str:
    """The question as the model gets it: what is attached comes first, fenced and named."""
    parts = []
    for one in attachments:
        fence = fence_for(one.text)
        parts.append(f"{one.name}:\n{fence}\n{one.text.strip()}\n{fence}")
    return "\n\n".join([*parts, question.strip()]).strip()


def fence_for(text: str) -> str:
    """A code fence that no line of a text closes."""
    return "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
