"""The commands for the sandbox in which programs that the model writes are run."""

import contextlib
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def main(ctx: typer.Context) -> None:
    """The sandbox for programs that the model writes: WebAssembly, without files or network.

    Without a subcommand: say whether it is ready.
    """
    if ctx.invoked_subcommand is None:
        from vibethinker_local import sandbox
        from vibethinker_local.cli import render

        state = sandbox.state(thorough=True)
        render.print_line(state.kind + (f": {state.detail}" if state.detail else ""))
        if state.advice:
            render.Display().say(state.advice)
            raise typer.Exit(1)


@app.command()
def setup(
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Compile the sandbox's Python for this machine: once, some minutes. Needs the extra `code`.

    \b
    vibe sandbox setup
    """
    from vibethinker_local import sandbox
    from vibethinker_local.cli import render
    from vibethinker_local.system import awake
    from vibethinker_local.system.signals import as_ctrl_c

    progress = render.Display(quiet=quiet)
    if sandbox.state(thorough=True).kind != "ready":
        with awake.keep_awake(), as_ctrl_c(), progress.shown(), contextlib.closing(sandbox.prepare()) as steps:
            progress.say(f"The sandbox is compiled for this machine, once: {sandbox.SECONDS}, and 300 MB of disk.")
            for seconds in steps:
                progress.status(f"Compiling · {seconds:.0f} s", "Ctrl-C: stop; nothing is kept")
    progress.say("The sandbox is ready: programs that the model writes are run in it.")
