"""`vibe chat`."""

from typing import Annotated

import typer

from vibethinker_local.cli import converse
from vibethinker_local.cli.options import Context, Model, Threads
from vibethinker_local.errors import UsageError


def chat(
    question: Annotated[str | None, typer.Argument(help="Ask this straight away.")] = None,
    model: Model = None,
    ctx: Context = None,
    threads: Threads = None,
    last: Annotated[bool, typer.Option("-c", "--continue", help="Go on with the last conversation.")] = False,
    opened: Annotated[int | None, typer.Option("--open", metavar="ID", help="Go on with this conversation.")] = None,
) -> None:
    """Talk with the model in a full-screen chat. `vibe` alone does the same; f1 lists the keys.

    \b
    vibe chat -m vibethinker-3b:Q4_K_M
    vibe chat --continue
    """
    if last and opened is not None:
        raise UsageError("--continue and --open contradict each other: give one of them.")
    converse.converse(question, model, ctx, threads, last=last, opened=opened)
