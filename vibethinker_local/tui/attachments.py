"""Files and long pastes that go with a question: read, described, and as the model gets them."""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from vibethinker_local.errors import UsageError
from vibethinker_local.system import files
from vibethinker_local.system.terminal import printable, whole
from vibethinker_local.tui.store import Attachment
from vibethinker_local.tui.text.markdown import fence_for

MENTION = re.compile(r'(?<![\w@])@(?:"([^"\n]+)"|([^\s"@][^\s"]*))')
BEGUN = re.compile(r'(?<![\w@])@(?:"([^\n"]*)|((?:[^\s"@][^\s"]*)?))\Z')  # a mention that is being typed
TRAILING = ".,;:!?)]}'"  # punctuation behind a mention
PATH = re.compile(  # with an extension or a slash, but no price, no speed and no call
    r"[\w~./\\ +@-]*\.[A-Za-z][A-Za-z0-9]*|[~.]*(?:[^\W\d][\w. +@-]*)?/[\w~./ +@-]+"
)


def label(attachment: Attachment) -> str:
    """What it is called, and how long it is."""
    lines = attachment.text.strip().count("\n") + 1
    size = f"{lines:,} lines" if lines > 1 else f"{len(attachment.text):,} characters"
    return f"{attachment.name} · {size}" + (f" · {attachment.tokens:,} tokens" if attachment.tokens else "")


def read(path: str) -> Attachment:
    """A text file, named as shells and file managers write it. Raises UsageError if it is none, or too long."""
    file = Path(path.strip().strip("'\"").replace("\\ ", " "))
    with suppress(RuntimeError):  # there is no such user
        file = file.expanduser()
    try:
        is_there, where = file.is_file() or file.is_dir(), str(file.absolute())
    except OSError as error:  # too long a name, a folder that nobody may look into, or one that was deleted
        raise UsageError(f"{file} cannot be read ({error.strerror}): check the path.") from error
    if not is_there:  # a pipe might never end
        raise UsageError(f"There is no file {file}: check the path.")
    return Attachment(file.name, with_newlines(files.read(where, None)))


def mentioned(question: str) -> list[str]:
    """The files that a question names as @path, or @"a path with spaces": those that exist."""
    found = (_file(mention) for mention in MENTION.finditer(question))
    return list(dict.fromkeys(path for path in found if path))


def missing(question: str) -> list[str]:
    """What a question names as it would name a file, where there is none: it may be text all the same."""
    found = []
    for mention in MENTION.finditer(question):
        before, path = question[: mention.start()][-1:].strip(), mention[1] or mention[2].rstrip(TRAILING)
        if before in ("", "(") and (PATH.fullmatch(path) or is_folder(path)) and not _file(mention):
            found.append(path)
    return list(dict.fromkeys(found))


def is_folder(path: str) -> bool:
    """Whether there is a folder of this name; `..` and `~` alone are no name."""
    try:
        return Path(path).name not in ("", "..", "~") and Path(path).expanduser().is_dir()
    except (OSError, RuntimeError, ValueError):  # as of files
        return False


def without_mention(question: str, path: str) -> str:
    """The question with a file's path as mere text, without the @ that attaches it."""
    return MENTION.sub(lambda found: found[0].removeprefix("@") if _file(found) == path else found[0], question)


def unmentioned(question: str, attachments: Sequence[Attachment]) -> list[Attachment]:
    """What is attached to a question besides the files that it names, which stand last and are there to be read."""
    rest = list(attachments)
    for path in reversed(mentioned(question)):
        name = Path(path).name
        if (at := next((at for at in reversed(range(len(rest))) if rest[at].name == name), None)) is not None:
            del rest[at]
    return rest


def _file(mention: re.Match[str]) -> str:
    """The file that is named; "" if there is none."""
    quoted, plain = mention[1] or "", mention[2] or ""
    paths = (quoted, plain, plain.rstrip(TRAILING))
    return next((path for path in paths if path and _is_file(path)), "")


def _is_file(path: str) -> bool:
    try:
        return Path(path).expanduser().is_file()
    except (OSError, RuntimeError, ValueError):  # no such user, a name that is too long, a null character
        return False


def completions(begun: str) -> list[str]:
    """The paths that begin so, in order, folders with a slash at their end; hidden ones only if that is asked for.

    Names that the prompt cannot hold are left out: those that are not UTF-8, or have control characters.
    """
    head, slash, name = begun.rpartition("/")
    try:
        folder = Path(head + slash or ".").expanduser()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name.casefold())
    except (OSError, RuntimeError, ValueError):
        return []
    return [
        f"{head}{slash}{entry.name}{'/' * _is_folder(entry)}"
        for entry in entries
        if entry.name.startswith(name)
        and (name.startswith(".") or not entry.name.startswith("."))
        and entry.name == whole(printable(entry.name)).replace("\n", "")
    ]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle, or to where nobody may look
        return False


def as_markdown(attachment: Attachment) -> str:
    """To be read: fenced, with the language that its name says."""
    fence = fence_for(attachment.text)
    language = Path(attachment.name).suffix.removeprefix(".") if " " not in attachment.name else ""
    return f"{fence}{language}\n{attachment.text.strip()}\n{fence}"


def with_newlines(text: str) -> str:
    """A text whose lines end in a newline, whichever way they ended before."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def editable(text: str) -> str:
    """A text from elsewhere as the prompt holds it: nothing in it that a terminal would act on."""
    return printable(with_newlines(text))


def with_attachments(question: str, attachments: Sequence[Attachment]) -> str:
    """The question as the model gets it: what is attached comes first, fenced and named."""
    parts = []
    for one in attachments:
        fence = fence_for(one.text)
        parts.append(f"{one.name}:\n{fence}\n{one.text.strip()}\n{fence}")
    return "\n\n".join([*parts, question.strip()]).strip()
