"""A chat with a scripted solver as a program: `python -m tests.tui.program FOLDER THOUGHTS RATE [crash]`.

It thinks for so many tokens at so many a second, then answers in 2,000 tokens of Markdown, for ever the same.
"""

import gc
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.tui.fakes import MODEL, ScriptedSolver, finished
from tests.tui.scenes import ANSWER, REASONING
from vibethinker_local.events import Control, SolveEvent, Started, Wrote
from vibethinker_local.tui.app import make_app
from vibethinker_local.tui.solver import ChatRequest
from vibethinker_local.tui.store import Store

ANSWER_TOKENS = 2000


class Streaming(ScriptedSolver):
    """Writes a token every so often."""

    thoughts, rate, crash = 300, 200.0, False

    def solve(self, request: ChatRequest, control: Control) -> Iterator[SolveEvent]:
        yield Started(MODEL, 7, 61, 65536, 65536)
        began, said = time.monotonic(), list[Wrote]()
        for tokens, (word, thought) in enumerate(self.words(), 1):
            time.sleep(max(0.0, began + tokens / self.rate - time.monotonic()))
            if control.stop:
                break
            said.append(Wrote(word, thought, tokens))
            yield said[-1]
            if self.crash and tokens == 100:
                raise ZeroDivisionError("a bug")
        yield finished(said, "stopped" if control.stop else "answered")

    def words(self) -> Iterator[tuple[str, bool]]:
        thoughts, answer = (REASONING + "\n\n").split(" "), (ANSWER + "\n\n").split(" ")
        for n in range(self.thoughts):
            yield thoughts[n % len(thoughts)] + " ", True
        for n in range(ANSWER_TOKENS):
            at = n % len(answer)
            yield answer[at] + (" " if at + 1 < len(answer) else ""), False


def main() -> None:
    gc.disable()  # as the command does
    folder, *rest = sys.argv[1:]
    solver = Streaming()
    solver.thoughts, solver.rate, solver.crash = int(rest[0]), float(rest[1]), rest[2:] == ["crash"]
    app = make_app(lambda name, loading: solver, Store(Path(folder) / "chat.db"), folder=Path(folder))
    try:
        app.run()
    finally:
        app.session.close()
    if not os.isatty(2):  # gone: whether SIGHUP or a failed paint came first, Python could not flush what is left
        os._exit(1)
    if app.crash:
        sys.exit(f"crashed: {app.crash}")


if __name__ == "__main__":
    main()
