"""A scripted model that writes programs, and a sandbox that runs them natively: they are the tests' own."""

import io
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Self

from tests.solving.thinker import END, Thinker
from vibethinker_local.engine.backend import Logits
from vibethinker_local.sandbox import Limits, Outcome, Program, ProgramCall, guest
from vibethinker_local.sandbox.program import STANDARD

PROBLEM = "def twice(n):\n    '''Twice n.\n\n    >>> twice(2)\n    4\n    '''\n"
GOOD = "def twice(n):\n    return 2 * n"
ALSO_GOOD = "def twice(n):\n    return n + n"
SQUARES = "def twice(n):\n    return n * n"  # right for the example
WRONG = "def twice(n):\n    return n"
BROKEN = "def twice(n:\n    return n"
CRASHES = "def twice(n):\n    return n[0]"


class Coder(Thinker):
    """Draws a program by weight; writes the same assertions whenever it is asked for some."""

    def __init__(self, programs: Mapping[str, float], assertions: str = "3) == 6\nassert twice(0) == 0\n```") -> None:
        super().__init__(programs, reply=lambda program: f"<think>so</think>\n\n```python\n{program}\n```")
        self._assertions = assertions
        self.asked: list[str] = []

    def _row(self, tokens: Sequence[int]) -> Logits:
        *before, written = bytes(tokens).decode("latin-1").split(END)
        if "Do not solve it" in before[0]:
            if not self.asked or self.asked[-1] != before[0]:
                self.asked.append(before[0])
            begin = written.partition("twice(")[0] + "twice("
            return self._go_on(written, {(begin + self._assertions).encode(): 1.0})
        return super()._row(tokens)


class Native:
    """Runs programs here, with the part that runs inside the real sandbox."""

    def __init__(self) -> None:
        self.closed = False
        self.runs = 0

    def run(self, program: Program, calls: Sequence[ProgramCall], limits: Limits = STANDARD) -> list[Outcome]:
        self.runs += 1
        outcomes: list[dict[str, Any]] = []
        for call in calls:
            work = {
                "source": program.source,
                "prelude": program.prelude,
                "calls": [call.code],
                "alone": call.alone,
                "output_bytes": limits.output_bytes,
                "modules": {},
            }

            def report(message: dict[str, Any], work: dict[str, Any] = work) -> Any:
                outcomes.extend(message[kind] for kind in ("end", "failed") if kind in message)
                return work if "ask" in message else None

            stdin = sys.stdin
            sys.stdin = io.StringIO(call.stdin)
            try:
                guest.serve(report, {})
            finally:
                sys.stdin = stdin
        return [Outcome(**outcome) for outcome in outcomes]

    def warm(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
