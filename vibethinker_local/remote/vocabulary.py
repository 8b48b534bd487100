"""The tokens of an engine elsewhere: pieces of text, numbered as they come.

A server has its own tokenizer, and not every one lets us use it. The layers above only count tokens and put them
together, so any pieces do: those of a text that is sent are about as long as a Qwen tokenizer's, which makes their
number an estimate; those of a text that comes are the server's own, which makes their number exact. A conversation is
the pieces of its messages, each after a token for who speaks, so that a message cannot contain what ends it.
"""

import re
from collections.abc import Iterable, Sequence

END = 0  # of a reply
ROLES = {"system": 1, "user": 2, "assistant": 3}
CONTROLS = {f"<|{role}|>": id for role, id in ROLES.items()}
# The chat template: it marks who speaks. What the model's own template writes instead is the server's affair.
TEMPLATE = "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}{% endfor %}<|assistant|>"
_CONTROL = re.compile(r"(<\|\w+\|>)")
# Letters of a word up to eight, digits and what is not ASCII one by one, white space, marks up to three.
_PIECE = re.compile(r"[^\S\r\n]?[A-Za-z]{1,8}|\d|[^\x00-\x7f]|\s+|[^\w\s]{1,3}|.", re.DOTALL)

Messages = list[dict[str, str]]


class PieceVocabulary:
    def __init__(self, opening: str = "") -> None:
        """`opening` is what the model's own template writes at the beginning of each reply, perhaps a think tag."""
        self._opening = opening.encode()
        self._pieces: list[str] = ["", *[""] * len(ROLES)]
        self._ids: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._pieces)

    def id(self, piece: str) -> int:
        """The token that stands for a piece of text."""
        found = self._ids.setdefault(piece, len(self._pieces))
        if found == len(self._pieces):
            self._pieces.append(piece)
        return found

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The pieces of a text; with `special`, marks as <|user|> are one token each, those of roles the roles."""
        ids = list[int]()
        for at, part in enumerate(_CONTROL.split(text) if special else [text]):
            if at % 2:
                ids.append(ROLES.get(part[2:-2]) or self.id(part))
            else:
                ids += [self.id(piece) for piece in _PIECE.findall(part)]
        return ids

    def piece(self, token: int) -> bytes:
        return self._opening if token == ROLES["assistant"] else self._pieces[token].encode("utf-8", "replace")

    def text(self, tokens: Iterable[int]) -> str:
        return "".join(self._pieces[token] for token in tokens)

    def conversation(self, tokens: Sequence[int]) -> tuple[Messages, str]:
        """The messages that tokens stand for, and what there is of the reply that follows them."""
        names = {id: name for name, id in ROLES.items()}
        messages: Messages = []
        begin = 0
        for at, token in enumerate(tokens):
            if token in names:
                if messages:
                    messages[-1]["content"] = self.text(tokens[begin:at])
                messages.append({"role": names[token], "content": ""})
                begin = at + 1
        if not messages or messages[-1]["role"] != "assistant":
            raise ValueError("these tokens are no conversation in which the model is to reply")
        messages.pop()
        return messages, self.text(tokens[begin:])
