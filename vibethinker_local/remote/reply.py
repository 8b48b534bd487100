"""One reply as it comes from a server, as the text that a model on this machine would have written.

Reasoning that the server keeps apart gets its tags back; a beginning that it repeats is cut; the answer to a question
that quoted the beginning is joined to it. Tokens are the server's own, where it names them.
"""

from dataclasses import dataclass

from vibethinker_local.remote.wire import Drawn, Fragment
from vibethinker_local.system.terminal import whole

OPEN, CLOSE = "<think>", "</think>"
OVERLAP = 8  # characters at least, of a quoted beginning that is repeated
_BOX = "\\boxed{"


@dataclass(frozen=True, slots=True)
class ReplyToken:
    """One token of a reply: its text, which may be empty, and its log-probability."""

    text: str
    logprob: float | None = None

    @property
    def known(self) -> bool:
        """Whether it was seen at all: of others only their number is known."""
        return bool(self.text) or self.logprob is not None


class ForeignReply:
    def __init__(self, begun: str = "", *, quoted: bool = False, repeats: bool = False) -> None:
        """`begun` was there before. It may be `quoted` in the question, or the server one that perhaps `repeats` it."""
        self._begun, self._quoted = begun, quoted
        self._side = "start"
        if not quoted and OPEN in begun:
            self._side = "visible" if CLOSE in begun else "reasoning"
        self._apart = False  # the reasoning came in a field of its own
        self._repeated = begun if repeats and not quoted else ""
        self._half = ""  # of a character: the other half comes with the next piece
        self._held: list[ReplyToken] = []
        self._count = 0
        self._exact = False  # whether the tokens are the server's own

    def take(self, piece: Fragment) -> list[ReplyToken]:
        """The tokens in a piece."""
        before, text = "", piece.text
        if piece.reasoning:
            if self._side == "start":
                before, self._side = OPEN, "reasoning"
            self._apart = self._side == "reasoning"
            text = piece.reasoning + (self._closing() + text if text and self._apart else text)
        elif text and self._apart:
            before = self._closing()
        found = _tokens(before, self._whole(text), piece.drawn)
        self._exact |= bool(piece.drawn)
        return self._passed(found)

    def end(self, finish: str, tokens: int | None) -> list[ReplyToken]:
        """What was held back; and as many empty tokens as the server counts more, if it said so."""
        held, self._held = self._held, []
        if self._half:
            held.append(ReplyToken(whole(self._half)))
        if self._quoted:
            held = [ReplyToken(_joined(self._begun, "".join(each.text for each in held)))]
        self._count += len(held)
        missing = (tokens or 0) - (finish == "stop") - self._count
        return [*held, *[ReplyToken("")] * (0 if self._exact else missing)]

    def _whole(self, text: str) -> str:
        """A piece in whole characters; some servers cut between the two halves of one."""
        text = self._half + text
        self._half = text[-1] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return whole(text.removesuffix(self._half))

    def _closing(self) -> str:
        self._apart, self._side = False, "visible"
        return CLOSE + "\n\n"

    def _passed(self, tokens: list[ReplyToken]) -> list[ReplyToken]:
        """What is not held back."""
        if not (self._quoted or self._repeated):
            self._count += len(tokens)
            return tokens
        self._held += tokens
        text = "".join(each.text for each in self._held)
        if self._quoted or (text != self._repeated and self._repeated.startswith(text)):
            return []
        held, self._held = self._held, []
        if text.startswith(self._repeated):
            last, rest = held[-1], text[len(self._repeated) :]
            held = [ReplyToken(rest, last.logprob)] if rest else []
        self._repeated = ""
        self._count += len(held)
        return held


def _tokens(before: str, text: str, drawn: tuple[Drawn, ...]) -> list[ReplyToken]:
    """A text as tokens: each as the server has it, where those make up the text, else the first with all of it."""
    if not drawn:
        return [ReplyToken(before + text)] if before or text else []
    texts = [each.text for each in drawn]
    if "".join(texts) != text:  # a character in several tokens, say
        texts = [text] + [""] * (len(drawn) - 1)
    texts[0] = before + texts[0]
    return [ReplyToken(text, each.logprob) for text, each in zip(texts, drawn, strict=True)]


def _joined(begun: str, reply: str) -> str:
    """The rest of a reply to a question that quoted its beginning."""
    rest = reply.rpartition(CLOSE)[2].strip()
    if begun.rstrip().endswith(_BOX):
        if _BOX in rest:
            return rest.rpartition(_BOX)[2]
        line = next((line.strip() for line in rest.splitlines() if line.strip()), "")
        return line if "}" in line else line.rstrip(".") + "}"
    if OPEN in reply and CLOSE not in reply:
        return ""  # it thought anew, and has not come to an end
    longest = min(len(begun), len(rest))
    repeated = next((n for n in range(longest, OVERLAP - 1, -1) if begun.endswith(rest[:n])), 0)
    return rest[repeated:]
