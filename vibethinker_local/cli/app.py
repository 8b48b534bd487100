"""The command line. The only place that maps errors to exit codes; what a command needs is imported inside it."""

import gc
import io
import logging
import os
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from vibethinker_local import __version__
from vibethinker_local.cli import eval as eval_commands
from vibethinker_local.cli import models, sandbox
from vibethinker_local.errors import ModelError, SandboxError, UsageError, VibeError

if TYPE_CHECKING:
    from vibethinker_local.events import Control, SolveEvent, Status

PassMode = Literal["clr", "majority", "fitted", "published"]
BudgetName = Literal["quick", "standard", "deep"]
Verdicts = Literal["score", "think"]
CacheType = Literal["f16", "q8_0"]
EXITS = {"answered": 0, "no_answer": 3, "failed": 5, "stopped": 130}


class Commands(TyperGroup):
    """Every error becomes a sentence on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException):
            raise
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except Exception as error:
            from vibethinker_local.cli.render import complain

            if isinstance(error, VibeError):
                complain(error)
                raise typer.Exit(exit_code(error)) from error
            logging.getLogger("vibethinker_local").exception("a bug")
            complain(f"This is a bug, please report it: {type(error).__name__}: {error}. The log file has the details.")
            raise typer.Exit(5) from error


app = typer.Typer(
    cls=Commands,
    help="A small reasoning model on your own machine, offline.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def exit_code(error: VibeError) -> int:
    """The contract's exit code of an error."""
    match error:
        case UsageError() | SandboxError():
            return 2
        case ModelError():
            return 4
        case _:
            return 5


def run() -> NoReturn:
    """The program: standard streams that exist, UTF-8 whatever the locale says, and the exit code of the command."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed: a file opened later would take its number, and get its output
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    app(prog_name="vibe")
    sys.exit(0)


@app.callback(invoke_without_command=True)
def main(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Write more to the log file.")] = False,
) -> None:
    """A small reasoning model on your own machine, offline. Without a command: the chat, in a terminal."""
    if version:
        print(f"vibethinker-local {__version__}")
        raise typer.Exit
    from vibethinker_local.system import logs

    logs.start(debug=debug)
    if ctx.invoked_subcommand is None:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            print(ctx.get_help(), file=sys.stderr)
            raise typer.Exit(2)
        converse(None, None, None)


@app.command()
def chat(
    model: Annotated[str | None, typer.Option("-m", "--model", help="A name in models.toml, or a .gguf file.")] = None,
    ctx: Annotated[int | None, typer.Option(min=64, max=2**20, help="Tokens that the context holds.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, max=512, help="Default: the performance cores.")] = None,
) -> None:
    """Talk with the model on the whole screen. `vibe` alone does the same; f1 lists the keys.

    \b
    vibe chat -m vibethinker-3b:Q4_K_M
    """
    converse(model, ctx, threads)


def converse(model: str | None, ctx: int | None, threads: int | None) -> None:
    """The chat, until the user leaves it. Raises UsageError without a terminal."""
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # the screen is painted on stderr
        raise UsageError("The chat needs a terminal, also for stderr; `vibe solve` works without one.")
    gc.disable()  # a start makes nothing but what stays; the app enables it
    from vibethinker_local.system import paths, settings
    from vibethinker_local.tui.actions import KEYS
    from vibethinker_local.tui.app import make_app
    from vibethinker_local.tui.solver import Solver
    from vibethinker_local.tui.store import Store

    own = settings.load()
    settings.check_keys(own.keys, KEYS)

    def load() -> Solver:
        from vibethinker_local.events import Options
        from vibethinker_local.tui.local import Local

        options = Options(0, max_tokens=own.max_tokens, context=ctx or own.context, threads=threads or own.threads)
        return Local(model or own.model, options)

    store = Store(paths.data() / "conversations.db")
    chatting = make_app(load, store, keys=own.keys, theme=own.theme, budget=own.budget)
    try:
        chatting.run()
    finally:
        chatting.session.close()
    if chatting.crash:
        raise chatting.crash


@app.command()
def solve(
    context: typer.Context,
    file: Annotated[str | None, typer.Argument(metavar="FILE|-", help="A text file, or - for stdin.")] = None,
    text: Annotated[str | None, typer.Option("-t", "--text", help="The problem itself.")] = None,
    model: Annotated[str | None, typer.Option("-m", "--model", help="A name in models.toml, or a .gguf file.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**63 - 1, help="The same seed, the same solution.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, max=5.0, help="0: always the likeliest token.")] = None,
    top_p: Annotated[float | None, typer.Option(min=0.01, max=1.0, help="Nucleus to sample from.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=32, help="Tokens that a solution may have.")] = None,
    ctx: Annotated[int | None, typer.Option(min=64, max=2**20, help="Tokens that the context holds.")] = None,
    kv: Annotated[CacheType, typer.Option("--kv", help="The KV cache: q8_0 takes half the memory.")] = "f16",
    threads: Annotated[int | None, typer.Option(min=1, max=512, help="Default: the performance cores.")] = None,
    reliable: Annotated[
        bool, typer.Option("-r", "--reliable", help="Several solutions, a vote, and claims that are checked.")
    ] = False,
    mode: Annotated[PassMode | None, typer.Option(help="With -r: how votes are weighted.")] = None,
    budget: Annotated[BudgetName | None, typer.Option(help="With -r: how much it may cost.")] = None,
    samples: Annotated[int | None, typer.Option("-k", "--samples", min=1, max=64, help="With -r: solutions.")] = None,
    verdicts: Annotated[
        Verdicts | None, typer.Option(help="With -r: read off a probability, or reasoned about.")
    ] = None,
    stopping: Annotated[bool, typer.Option("--stopping/--no-stopping", help="With -r: end when decided.")] = True,
    time_limit: Annotated[str | None, typer.Option(metavar="TIME", help="With -r: 90s, 10m, 1h30m.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="With -r: go on with a run that was cut off.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the receipt as JSON, nothing else.")] = False,
    answer_only: Annotated[bool, typer.Option("--answer-only", help="Print the extracted answer alone.")] = False,
    show_thinking: Annotated[bool, typer.Option("--show-thinking", help="Stream the reasoning on stderr.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Solve one problem. Ctrl-C once: answer now; twice: stop.

    \b
    vibe solve problem.txt
    vibe solve -t "What is 17 + 25?"
    vibe solve --json - < problem.txt
    vibe solve -r problem.txt
    vibe solve -r --budget deep --time-limit 30m problem.txt
    """
    if as_json and answer_only:
        raise UsageError("--json and --answer-only contradict each other: give one of them.")
    if not reliable and (mode or budget or samples or verdicts or time_limit is not None or resume or not stopping):
        raise UsageError(
            "--mode, --budget, --samples, --verdicts, --no-stopping, --time-limit and --resume are for the "
            "reliability pass: add -r."
        )
    from vibethinker_local.system import files

    question = files.read(file, text)
    from vibethinker_local.engine.connection import Connection

    connection = Connection()  # early: it starts while we import the rest
    from vibethinker_local.cli import render
    from vibethinker_local.models import installed
    from vibethinker_local.system import settings

    own = settings.load()
    from vibethinker_local.events import Control, Options
    from vibethinker_local.runtime.model import load
    from vibethinker_local.solve import forecast
    from vibethinker_local.solve import single as solving
    from vibethinker_local.system import awake, machine

    seed = secrets.randbelow(2**31) if seed is None else seed
    options = Options(
        seed, temperature, top_p, max_tokens or own.max_tokens, ctx or own.context, threads or own.threads, cache=kv
    )
    control = Control()
    progress = render.Progress(quiet=quiet, show_thinking=show_thinking)
    wanted = own.model if model is None else model
    name = wanted or installed.BUNDLED
    try:
        chosen = installed.choose(wanted, progress.say)
        name = chosen.name
        if wanted is None and name == installed.BUNDLED:
            progress.say(f"No larger model is installed: using {name}, for small arithmetic problems only.")
        plan = None
        if reliable:
            from vibethinker_local.reliability import plan as planning
            from vibethinker_local.solve import reliable as passes

            plan = planning.make(
                mode or chosen.spec.mode,
                budget or own.budget,
                samples=samples,
                verdicts=verdicts,
                escalates=chosen.spec.reasoned_verdicts,
                stopping=stopping,
                seconds=float("inf") if time_limit is None else planning.seconds(time_limit),
            )
        context.with_resource(interrupts(control))  # to the end: an answer that is there gets printed
        places = plan.places if plan else 1
        loaded = load(chosen, options, threads=machine.threads(), places=places, connection=connection)
        with closing(loaded.engine), ExitStack() as running:
            for notice in loaded.notices:
                progress.say(notice)
            announced: Iterator[SolveEvent] = iter(())
            if not forecast.is_quick(loaded):
                running.enter_context(awake.kept())
                if not quiet:
                    announced = forecast.announce(loaded, options, control, question, plan)
            if plan:
                events = passes.run(question, loaded, options, control, plan, resume=resume, say=progress.say)
            else:
                events = solving.solve(question, loaded, options, control)
            solution = progress.follow(chain(announced, events))
        if as_json:
            solution = solving.with_sha256(solution, chosen)
    except UsageError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        if as_json:
            status: Status = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
            render.print_json(solving.without_trajectory(question, name, status, str(error) or None))
        raise
    finally:
        connection.end()
    if as_json:
        render.print_json(solution)
    else:
        render.print_text(solution, answer_only=answer_only)
    if solution.status == "failed":
        render.complain(render.explain(solution))
    elif solution.status != "answered":
        progress.say(render.explain(solution))
    elif solution.report:
        progress.say(render.verdict(solution))
    raise typer.Exit(EXITS[solution.status])


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Look at this installation: versions, processor, memory, model files. Exit 1 if something is wrong.

    \b
    vibe doctor
    vibe doctor --json
    """
    from vibethinker_local.cli import doctor, render

    checks = list(doctor.examine())
    render.print_checks(checks, as_json=as_json)
    raise typer.Exit(1 if any(check.state == "error" for check in checks) else 0)


app.command()(models.pull)
app.command("models")(models.list_models)
app.command()(models.rm)
app.command()(models.config)
app.add_typer(eval_commands.app, name="eval")
app.add_typer(sandbox.app, name="sandbox")


@app.command()
def bench(
    model: Annotated[str | None, typer.Option("-m", "--model", help="A name in models.toml, or a .gguf file.")] = None,
    sequences: Annotated[str, typer.Option(help="Numbers of Sequences at once.")] = "1,4,8,16",
    prompt: Annotated[int, typer.Option(min=1, max=2**17, help="Tokens of the prompt.")] = 512,
    tokens: Annotated[int, typer.Option(min=2, max=2**14, help="Tokens that each Sequence decodes.")] = 24,
    depth: Annotated[int | None, typer.Option(min=1, max=2**17, help="Decode behind so many tokens, too.")] = None,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="The figures are medians of so many rounds.")] = 3,
    threads: Annotated[int | None, typer.Option(min=1, max=512, help="Default: find the fastest number.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the figures into an .svg file.")] = None,
    peers: Annotated[Path | None, typer.Option(help="Where llama.cpp's tools are: take turns with them.")] = None,
    compare: Annotated[
        str | None, typer.Option(help="With --peers: some of decode,prefill,bare,server,turns,memory,start.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure how fast this machine runs a model, and keep the figures (unless --threads is given).

    \b
    vibe bench
    vibe bench -m mini --json
    vibe bench --sequences 1,8 --depth 4096 --plot speed.svg
    """
    from vibethinker_local.bench import bench as benching
    from vibethinker_local.bench import peers as others
    from vibethinker_local.bench import report as bench_report
    from vibethinker_local.cli import render
    from vibethinker_local.models import installed, results
    from vibethinker_local.system import settings
    from vibethinker_local.system.files import write_atomic

    request = benching.Request(benching.counts(sequences), prompt, tokens, rounds, threads)
    wanted = others.wanted(peers, compare)
    if plot and plot.suffix.lower() != ".svg":
        raise UsageError(f"{plot} cannot be drawn: give a name that ends in .svg.")
    progress = render.Progress(quiet=False, show_thinking=False)
    chosen = installed.choose(model or settings.load().model, progress.say)
    found = benching.run(chosen, request, depth, wanted, progress.say)
    measured = results.of_other_quants(found)
    if threads is None:
        results.keep(found)
    if plot:
        write_atomic(plot, bench_report.draw(measured))
    if as_json:
        render.print_line(found.model_dump_json())
    else:
        for line in bench_report.lines(found, measured):
            render.print_line(line)


@app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def quantize(ctx: typer.Context) -> None:
    """Turn a published checkpoint (safetensors) into a GGUF file. `vibe quantize --help` lists its commands."""
    from quantize.cli import main

    main(ctx.args, prog_name="vibe quantize")


@contextmanager
def interrupts(control: "Control") -> Iterator[None]:
    """Inside the block, Ctrl-C once means "answer now", twice "stop", three times "whatever it takes".

    SIGTERM, as `timeout` sends it, means "stop": what there is gets reported.
    """

    def interrupted(*_: object) -> None:
        if control.stop:
            raise KeyboardInterrupt
        control.answer_now, control.stop = True, control.answer_now

    def terminated(*_: object) -> None:
        control.stop = True

    handlers = {signal.SIGINT: interrupted, signal.SIGTERM: terminated}
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
