"""What a sandbox is asked for, and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, Self

Limit = Literal["time", "memory", "output"]
LIMITS: dict[Limit, str] = {"time": "no end within its time", "memory": "out of memory", "output": "too much output"}
PATIENCE = 3  # how many times its processor time a program may take by the clock on the wall


@dataclass(frozen=True)
class Program:
    """Python source. `prelude` is run before it, in the same namespace: imports, and names that a problem promises."""

    source: str
    prelude: str = ""


@dataclass(frozen=True)
class ProgramCall:
    """One use of a program: it is run with `stdin`, and then `code` is evaluated in its namespace.

    `code` is Python: one expression, whose value is the outcome's value, or statements. Calls without stdin share one
    run of the program, which then is not `__main__`. A call without code runs the program by itself, as `__main__`.
    """

    code: str = ""
    stdin: str = ""

    @property
    def alone(self) -> bool:
        """Whether the program has to be run for this call only."""
        return bool(self.stdin) or not self.code


@dataclass(frozen=True)
class Limits:
    """How far a program may go.

    Time is processor time, so that what else the machine does decides nothing; by the clock on the wall, a program may
    take three times as long. Memory is that of the interpreter and the program together.
    """

    seconds: float = 5.0  # for one call, the first one's run of the program included
    total_seconds: float = 15.0  # for all calls of one program
    memory_bytes: int = 512 << 20
    output_bytes: int = 64 << 10  # of stdout, for one call


STANDARD = Limits()


@dataclass(frozen=True)
class Outcome:
    """How one call ended: with a value, with an exception, or at a limit. Untrusted text throughout.

    `value` is the value as Python source where it has one, in a form that is the same for equal values: dictionaries
    and sets are sorted, linked lists and trees are lists. Of a function that returns None and changes its arguments it
    says so, `None and makes its argument [1]`: no value that another one returns. Long values end in a hash. An
    exception at the program's start, a syntax error too, is the outcome of every call.
    """

    value: str | None = None
    stdout: str = ""
    exception: str | None = None  # the class's name
    message: str = ""
    limit: Limit | None = None

    @property
    def finished(self) -> bool:
        """Whether the call came to its end by itself, without an exception."""
        return self.exception is None and self.limit is None

    def __str__(self) -> str:
        """In a few words: `4`, `ValueError: bad input`, `no end within its time`."""
        if self.limit:
            return LIMITS[self.limit]
        if self.exception:
            return f"{self.exception}: {self.message}" if self.message else self.exception
        return self.value if self.value is not None else self.stdout


class Sandbox(Protocol):
    """Somewhere to run programs that nobody has read."""

    def run(self, program: Program, calls: Sequence[ProgramCall], limits: Limits = ...) -> list[Outcome]:
        """The outcome of each call, in order. May be used by several threads.

        Raises SandboxError if programs cannot be run at all; whatever a program does is an Outcome.
        """

    def warm(self) -> None:
        """Get ready in the background, so that the first `run` need not wait."""

    def close(self) -> None:
        """End everything that runs. May be repeated."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
