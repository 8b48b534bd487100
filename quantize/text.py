"""What a model is measured on: a text, its tokens, and the chunks they are cut into, as llama-imatrix cuts them.

Two texts of our own are bundled: calibration.txt for importance matrices and evaluation.txt, which shares nothing with
it, for quality figures. Both are conversations, put into the model's chat template. Computes nothing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vibethinker_local.llama.observed import Message, ObservedModel

from .errors import RequestError

CALIBRATION, EVALUATION = (Path(__file__).parent / name for name in ("calibration.txt", "evaluation.txt"))
CHUNK_SIZE = 512  # tokens; what llama-imatrix and llama-perplexity take
MAX_BYTES = 16 << 20  # more would take days
ROLE = re.compile(r"^=== (system|user|assistant)\n", re.MULTILINE)


@dataclass(frozen=True)
class EvaluationText:
    """`special`: what reads like a control token is one. `conversations`: `content` is in the bundled texts' form."""

    name: str
    content: str
    special: bool = False
    conversations: bool = False

    def tokens(self, model: ObservedModel) -> list[int]:
        content = self.content
        if self.conversations:
            content = "".join(model.render(messages) for messages in parse_conversations(content))
        return model.tokenize(content, special=self.special)


@dataclass(frozen=True)
class Cut:
    """How a text is cut: chunks of `size` tokens, at most `limit` of them."""

    size: int = CHUNK_SIZE
    limit: int | None = None


def read_text(path: Path, *, special: bool = False) -> EvaluationText:
    """Raises RequestError unless `path` is UTF-8 text of a reasonable size."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RequestError(f"{path} is larger than {MAX_BYTES >> 20} MiB; give a part of it")
        return EvaluationText(path.name, path.read_bytes().decode(), special)
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} cannot be read as UTF-8 text ({error})") from error


def bundled(path: Path) -> EvaluationText:
    """CALIBRATION or EVALUATION."""
    return EvaluationText(f"{path.name} (bundled)", path.read_text(encoding="utf-8"), special=True, conversations=True)


def parse_conversations(content: str) -> Iterator[tuple[Message, ...]]:
    """From lines `=== user`, `=== assistant`, each followed by what is said; a conversation ends with the assistant."""
    parts = ROLE.split(content)[1:]  # before the first line stands what the text is
    messages: list[Message] = []
    for role, said in zip(parts[::2], parts[1::2], strict=True):
        messages.append(Message(role, said.strip("\n")))
        if role == "assistant":
            yield tuple(messages)
            messages = []


def cut(tokens: Sequence[int], into: Cut, bos: int | None) -> list[list[int]]:
    """Full chunks only; the first token of each gives way to `bos`, where the model wants one.

    Raises RequestError for less than two chunks, which llama-imatrix refuses too.
    """
    if len(tokens) < 2 * into.size:
        raise RequestError(f"the text has {len(tokens)} tokens; at least two chunks of {into.size} are needed")
    starts = range(0, len(tokens) - into.size + 1, into.size)[: into.limit]
    chunks = [list(tokens[start : start + into.size]) for start in starts]
    return [[bos, *chunk[1:]] for chunk in chunks] if bos is not None else chunks
