"""A scripted model that reasons about a problem, or writes a program that prints its answer."""

from collections.abc import Mapping, Sequence

from tests.solving.thinker import END, Thinker
from vibethinker_local.engine.backend import Logits


class Calculator(Thinker):
    """Reasons its way to `answers`, and writes one of `programs` where a program is asked for."""

    def __init__(self, answers: Mapping[str, float], programs: Sequence[str], **other: object) -> None:
        super().__init__(answers, {"4": ["b = good", "2 + 2 = 4", "c = good"]}, **other)  # type: ignore[arg-type]
        self._programs = {
            f"<think>so</think>\n\n```python\n{each}\n```".encode(): 1 / len(programs) for each in programs
        }

    def _row(self, tokens: Sequence[int]) -> Logits:
        *before, written = bytes(tokens).decode("latin-1").split(END)
        if "Python program that prints" in before[-1]:
            return self._go_on(written, self._programs)
        return super()._row(tokens)
