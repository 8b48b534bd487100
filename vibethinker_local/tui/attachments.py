"""Files and long pastes that go with a question, as text in front of it."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vibethinker_local.errors import UsageError
from vibethinker_local.system import files
from vibethinker_local.tui.export import fence_for


@dataclass(frozen=True)
class Attachment:
    name: str
    text: str

    @property
    def label(self) -> str:
        lines = self.text.strip().count("\n") + 1
        return f"{self.name} ({lines:,} lines)" if lines > 1 else f"{self.name} ({len(self.text):,} characters)"


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


def with_attachments(question: str, attachments: list[Attachment]) -> str:
    """The question as the model gets it: what is attached comes first, fenced and named."""
    parts = []
    for one in attachments:
        fence = fence_for(one.text)
        parts.append(f"{one.name}:\n{fence}\n{one.text.strip()}\n{fence}")
    return "\n\n".join([*parts, question.strip()]).strip()
