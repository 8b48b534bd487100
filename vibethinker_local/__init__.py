"""A small reasoning model on your own machine, offline.

    from vibethinker_local import load

    with load("mini") as model:
        print(model.solve("Tom has 12 apples. Ann has 5 more apples than Tom. How many has Ann?").answer)

What `vibe` can do, this package can do; docs/python.md shows how. Names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vibethinker_local import errors, events
    from vibethinker_local.events import Control, Options, Solution
    from vibethinker_local.reliability.answers import extract
    from vibethinker_local.reliability.checker import Checker
    from vibethinker_local.reliability.equivalence import matches_gold, same_answer
    from vibethinker_local.solving.follow import RunState
    from vibethinker_local.solving.receipt import receipt
    from vibethinker_local.solving.solver import Solver, load, solve

_HOMES = {
    "Checker": "reliability.checker",
    "Control": "events",
    "Options": "events",
    "RunState": "solving.follow",
    "Solution": "events",
    "Solver": "solving.solver",
    "errors": "errors",
    "events": "events",
    "extract": "reliability.answers",
    "load": "solving.solver",
    "matches_gold": "reliability.equivalence",
    "receipt": "solving.receipt",
    "same_answer": "reliability.equivalence",
    "solve": "solving.solver",
}
__all__ = [
    "Checker",
    "Control",
    "Options",
    "RunState",
    "Solution",
    "Solver",
    "__version__",
    "errors",
    "events",
    "extract",
    "load",
    "matches_gold",
    "receipt",
    "same_answer",
    "solve",
]


if not TYPE_CHECKING:  # a type checker would take every name for one that is here

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = import_module(f"{__name__}.{_HOMES[name]}")
        return home if name in ("errors", "events") else getattr(home, name)


def __dir__() -> list[str]:
    return __all__
