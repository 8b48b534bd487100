"""Solutions of maths problems that are programs: the model writes one, and what it prints is its answer and its vote.

A program goes wrong in other ways than reasoning does, so that where both agree they are right more often than either
(PAL, arXiv 2211.10435). It is run in the sandbox when it has been drawn; without a sandbox there is none.
"""

from collections.abc import Sequence

from vibethinker_local import sandbox
from vibethinker_local.code import answer
from vibethinker_local.code.task import Task
from vibethinker_local.errors import SandboxError
from vibethinker_local.events import Exchange, TrajectoryKind
from vibethinker_local.reliability.plan import check_programs
from vibethinker_local.runtime import prompts
from vibethinker_local.runtime.model import Model
from vibethinker_local.sandbox import Limits, ProgramCall, Sandbox
from vibethinker_local.solving.printed import printed

TASK = Task("program")
LIMITS = Limits(seconds=5, total_seconds=5)
SHOWN = 200  # characters of what a program printed that are kept


class Computing:
    """How one problem's programs are asked for and run."""

    def __init__(self, prompt: list[int], runner: Sandbox, share: float) -> None:
        """`share` of all trajectories, evenly spread, are programs that follow on `prompt`."""
        self.prompt, self.runner, self.note = prompt, runner, ""
        self._share = share

    def kind(self, index: int) -> TrajectoryKind:
        """What the trajectory with an index is."""
        return kind(index, self._share)

    def run(self, text: str) -> tuple[str | None, str | None]:
        """The answer that the program in a text prints, and what it printed, or how else it ended; None without one.

        Programs that cannot be run at all have no answer, and `note` says why.
        """
        attempt = answer.attempt(text, TASK)
        if attempt is None:
            return None, None
        if attempt.fault:
            return None, f"SyntaxError: {attempt.fault}"[:SHOWN]
        try:
            [outcome] = self.runner.run(attempt.program, [ProgramCall()], LIMITS)
        except SandboxError as error:
            self.note = str(error)
            return None, None
        if not outcome.finished:
            return None, str(outcome)[:SHOWN]
        return printed(outcome.stdout), outcome.stdout.strip()[-SHOWN:]


def prompt(model: Model, problem: str, earlier: Sequence[Exchange]) -> list[int]:
    """What asks for a program."""
    return model.encode_chat(prompts.compute(problem, earlier))


def opened(prompt: list[int], share: float) -> Computing:
    """Programs for one problem, in a sandbox that is getting ready. Raises SandboxError if there is none."""
    runner = sandbox.open()
    runner.warm()
    return Computing(prompt, runner, share)


def kind(index: int, share: float) -> TrajectoryKind:
    """What the trajectory with an index is, if a share of all are programs: of the first n, always as many as of n."""
    return "computed" if int((index + 1) * share + 1e-9) > int(index * share + 1e-9) else "reasoned"


def share(programs: int, samples: int) -> float:
    """The share that so many programs are of all. Raises UsageError."""
    check_programs(programs, samples)
    return programs / samples
