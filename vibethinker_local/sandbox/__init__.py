"""Runs programs that a model wrote, where they can reach nothing.

    from vibethinker_local import sandbox

    with sandbox.open() as runner:
        [outcome] = runner.run(Program("def double(n):\n    return 2 * n"), [ProgramCall("double(21)")])
        outcome.value  # "42"

There is one way to run a program, the `Sandbox` protocol, and one implementation, the same on every system: CPython
compiled to WebAssembly, under wasmtime, in a child process. It comes with the extra `code` and is prepared once by
`vibe sandbox setup`. Where it is missing, `open` raises SandboxError and nothing is ever executed: there is no second,
weaker way.
"""

from vibethinker_local.sandbox.compiled import SECONDS, State, prepare, state
from vibethinker_local.sandbox.program import Limits, Outcome, Program, ProgramCall, Sandbox
from vibethinker_local.sandbox.wasi import WasiSandbox, open

__all__ = [
    "SECONDS",
    "Limits",
    "Outcome",
    "Program",
    "ProgramCall",
    "Sandbox",
    "State",
    "WasiSandbox",
    "open",
    "prepare",
    "state",
]
