"""What may be given from Python: within the limits of the command line, so that anything else gets a sentence."""

from typing import get_args

from vibethinker_local.errors import UsageError
from vibethinker_local.events import LEAST_CONTEXT, MOST_CONTEXT, SEEDS, CacheType, Options, ProblemKind

WHOLE = {
    "seed": (0, SEEDS - 1),
    "max_tokens": (32, 2**63 - 1),
    "context": (LEAST_CONTEXT, MOST_CONTEXT),
    "threads": (1, 512),
    "think": (0, 9_999_999),
}
FRACTIONS = {"temperature": (0, 5), "top_p": (0.01, 1)}


def check(options: Options) -> None:
    """Raises UsageError for a value that cannot be used."""
    for name in WHOLE:
        check_whole(name, getattr(options, name))
    for name, (least, most) in FRACTIONS.items():
        value = getattr(options, name)
        if value is not None and not (isinstance(value, int | float) and least <= value <= most):
            raise UsageError(f"{name} is a number from {least} to {most}, not {value!r}.")
    for name, known in (("cache", get_args(CacheType)), ("kind", (None, *get_args(ProblemKind)))):
        if getattr(options, name) not in known:
            raise UsageError(f"{name} is one of {', '.join(map(repr, known))}, not {getattr(options, name)!r}.")


def check_whole(name: str, value: object) -> None:
    """Raises UsageError for what is neither None nor a whole number within the limits of this name."""
    least, most = WHOLE[name]
    if value is not None and not (type(value) is int and least <= value <= most):
        raise UsageError(f"{name} is a whole number from {least:,} to {most:,}, not {value!r}.")


def check_problem(problem: object) -> None:
    """Raises UsageError for what is no problem at all."""
    if not isinstance(problem, str):
        raise UsageError(f"A problem is a text, not {type(problem).__name__}.")
    if not problem.strip():
        raise UsageError("The problem is empty.")
