"""The command line. Maps errors to exit codes. Commands import what they need inside, so that `vibe` starts fast."""

import functools
import io
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
import typer.main
from typer.core import TyperGroup
from typer.exceptions import TyperException

from vibethinker_local import __version__
from vibethinker_local.cli import bench, chat, converse, models, process, sandbox, serve, solve
from vibethinker_local.cli import eval as eval_commands
from vibethinker_local.errors import UsageError
from vibethinker_local.system import terminal

LAST = ("-c", "--continue")


class VibeCommands(TyperGroup):
    """Turns every error into a sentence on stderr and an exit code."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """What the chat is given without its name is the chat's: `vibe -c -m FILE`, `vibe -c "And times two?"`."""
        at = next((at for at, one in enumerate(args) if one not in (*LAST, "--debug")), len(args))
        mine, rest = args[:at], args[at:]
        options = {one for each in self.commands["chat"].params for one in each.opts if one.startswith("-")}
        last = [one for one in mine if one in LAST]
        if rest and (last or rest[0].partition("=")[0] in options) and rest[0] not in self.commands:
            args = [*(one for one in mine if one not in LAST), "chat", *last, *rest]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """What cannot be the name of a command, nor of a file, is a question for the chat."""
        if args and args[0] not in self.commands and Path(args[0]).is_file():
            raise UsageError(f"{args[0]} is a file: `vibe solve {args[0]}` solves the problem in it.")
        if args and not re.fullmatch(r"[A-Za-z][\w-]*", args[0]) and not os.path.lexists(args[0]):
            args = ["chat", *args]
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            from vibethinker_local.system.wording import reason

            error.message = reason(error.__cause__) or error.message
            raise
        except (typer.Exit, typer.Abort, TyperException):
            raise
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except Exception as error:
            if isinstance(error, OSError) and traceback.extract_tb(error.__traceback__)[-1].name == "echo":
                raise  # Typer cannot print a command's help: that ends as with the help of the whole program
            raise typer.Exit(process.complain_of(error)) from error


app = typer.Typer(
    cls=VibeCommands,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@functools.cache
def commands() -> Any:
    """All commands, put together when they are needed and then kept."""
    return typer.main.get_command(app)


def run() -> NoReturn:
    """The whole program: prepares the standard streams, runs the command, exits with its code."""
    terminal.prepare_streams()
    commands()(prog_name="vibe")
    sys.exit(0)


@app.callback(invoke_without_command=True)
def main(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Write more to the log file.")] = False,
    last: Annotated[bool, typer.Option(*LAST, help="Open the chat and continue the last conversation.")] = False,
) -> None:
    """A small reasoning model on your own machine, offline. Without a command: the chat, in a terminal.

    \b
    vibe "What is 17 + 25?"
    echo "What is 17 + 25?" | vibe
    """
    if version:
        print(f"vibethinker-local {__version__}")
        raise typer.Exit
    from vibethinker_local.system import logs

    logs.start(debug=debug)
    if ctx.invoked_subcommand is None:
        if last and not sys.stdin.isatty():
            raise UsageError("--continue goes on with a conversation, which takes a terminal: leave it out here.")
        if not sys.stdin.isatty():
            from vibethinker_local.system import files

            if (piped := files.standard_input()).strip():
                sys.stdin = io.TextIOWrapper(io.BytesIO(piped))
                solve.solve(ctx, "-")
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            print(ctx.get_help(), file=sys.stderr)
            raise typer.Exit(2)
        converse.converse(last=last)


# What the list of commands says of each has to fit beside its name.
app.command(short_help="Talk with the model in a full-screen chat.")(chat.chat)
app.command(short_help="Solve one problem.")(solve.solve)
app.command(short_help="Serve the model over the OpenAI protocol.")(serve.serve)
app.command(short_help="Measure how fast this machine runs a model.")(bench.bench)
app.command(short_help="Fetch a model and check it.")(models.pull)
app.command("models", short_help="List models: size, state, context, speed.")(models.list_models)
app.command()(models.rm)
app.command(short_help="Show the settings and where each came from.")(models.config)
app.add_typer(eval_commands.app, name="eval", short_help="Measure what votes and claims are worth.")
app.add_typer(sandbox.app, name="sandbox", short_help="Set up the sandbox for programs that the model writes.")


@app.command(short_help="Check this installation.")
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Check this installation: versions, processor, memory, models. Exit code 1 if there is an error (x).

    \b
    vibe doctor
    vibe doctor --json
    """
    from vibethinker_local.cli import doctor, render

    checks = list(doctor.examine())
    render.print_checks(checks, as_json=as_json)
    raise typer.Exit(1 if any(check.state == "error" for check in checks) else 0)


@app.command(
    short_help="Turn a published checkpoint into a GGUF file.",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def quantize(ctx: typer.Context) -> None:
    """Turn a published checkpoint (safetensors) into a GGUF file. `vibe quantize --help` lists its commands."""
    from quantize.cli import main

    main(ctx.args, prog_name="vibe quantize")
