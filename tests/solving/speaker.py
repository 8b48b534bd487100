"""A model that is a script of bytes, one token each, so that every byte that may reach the answer is known."""

from collections.abc import Callable, Sequence

from tests.fakes import EOS, ScriptedBackend, always
from vibethinker_local.engine.backend import Logits
from vibethinker_local.engine.model_info import ModelInfo

Script = Callable[[bytes], int]  # what was written so far, forced text included → the next byte or EOS
CLOSED, ASKED = b"\n</think>\n\n", b"The answer is \\boxed{"


class Speaker(ScriptedBackend):
    """A scripted backend with a vocabulary and a template; its script sees what was written after the prompt."""

    def __init__(self, script: Script, *, cells: int = 4096, opening: str = "") -> None:
        def row(tokens: Sequence[int]) -> Logits:
            return always(script(bytes(tokens[tokens.index(2) + 1 + len(opening) :])))

        super().__init__(row, context=cells, places=1, batch=512)
        self.info = ModelInfo("F32", "{{ messages[0].content }}\x02" + opening, cells, 1, 1, frozenset())

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        return [EOS] if text == "<stop>" else super().tokenize(text, special=special)


def script(reply: bytes, closed: bytes = b"", asked: bytes = b"") -> Script:
    """Says `reply`, but after a forced closing `closed`, and after the question `asked`; then it stops."""

    def following(written: bytes) -> int:
        said, at = reply, len(written)
        for mark, other in ((ASKED, asked), (CLOSED, closed)):
            if (found := written.rfind(mark)) >= 0 and mark not in reply:
                said, at = other, len(written) - found - len(mark)
                break
        return said[at] if at < len(said) else EOS

    return following
