"""`vibe solve`: one problem in, the answer on stdout, progress on stderr."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from vibethinker_local.cli.options import Context, Model, Temperature, Threads, TopP
from vibethinker_local.errors import UsageError, VibeError
from vibethinker_local.events import SEEDS, BudgetName, CacheType, Control, PassMode, ProblemKind, Status, VerdictKind

EXITS: dict[Status, int] = {"answered": 0, "no_answer": 3, "failed": 5, "stopped": 130}


def solve(
    context: typer.Context,
    file: Annotated[str | None, typer.Argument(metavar="FILE|-", help="A text file, or - for stdin.")] = None,
    text: Annotated[str | None, typer.Option("-t", "--text", help="The problem itself.")] = None,
    model: Model = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=SEEDS - 1, help="The same seed gives the same solution.")
    ] = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    max_tokens: Annotated[int | None, typer.Option(min=32, help="At most so many tokens per solution.")] = None,
    ctx: Context = None,
    kv: Annotated[CacheType, typer.Option("--kv", help="The KV cache: q8_0 takes half the memory.")] = "f16",
    threads: Threads = None,
    think: Annotated[
        str | None,
        typer.Option(metavar="off|auto|N", help="Reasoning: none, as the model chooses, or at most N tokens."),
    ] = None,
    kind: Annotated[ProblemKind | None, typer.Option(help="What is asked for. Default: detected.")] = None,
    reliable: Annotated[
        bool, typer.Option("-r", "--reliable", help="Several solutions, a vote, and checked claims.")
    ] = False,
    mode: Annotated[PassMode | None, typer.Option(help="With -r: how votes are weighted.")] = None,
    budget: Annotated[BudgetName | None, typer.Option(help="With -r: how much to spend.")] = None,
    samples: Annotated[
        int | None, typer.Option("-k", "--samples", min=1, max=64, help="With -r: at most so many solutions.")
    ] = None,
    programs: Annotated[
        int, typer.Option(min=0, help="With -r: how many of the solutions are programs that print the answer.")
    ] = 0,
    verdicts: Annotated[VerdictKind | None, typer.Option(help="With -r: from a probability, or reasoned.")] = None,
    stopping: Annotated[bool, typer.Option("--stopping/--no-stopping", help="With -r: stop when decided.")] = True,
    time_limit: Annotated[str | None, typer.Option(metavar="TIME", help="With -r: such as 90s, 10m, 1h30m.")] = None,
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
    asked = mode or budget or samples or programs or verdicts or time_limit is not None or resume or not stopping
    if asked and not reliable:
        raise UsageError(
            "--mode, --budget, --samples, --programs, --verdicts, --no-stopping, --time-limit and --resume are for the "
            "reliability pass: add -r."
        )
    from vibethinker_local.system import files

    problem = files.read(file, text)
    from vibethinker_local.engine.connection import Connection
    from vibethinker_local.remote.address import is_url

    connection = None if is_url(model) else Connection()  # early: it starts while we import the rest
    from vibethinker_local.cli import render
    from vibethinker_local.events import Options
    from vibethinker_local.models.spec import BUNDLED
    from vibethinker_local.reliability import plan as planning
    from vibethinker_local.solving.single import without_trajectory
    from vibethinker_local.solving.solver import Solver
    from vibethinker_local.system import settings
    from vibethinker_local.system.progress import Progress

    own = settings.load()
    options = Options(
        seed,
        temperature,
        top_p,
        max_tokens or own.max_tokens,
        ctx or own.context,
        threads or own.threads,
        cache=kv,
        kind=kind,
        think=think_tokens(think),
    )
    control = Control()
    progress = render.Display(quiet=quiet, show_thinking=show_thinking)

    def loading(step: Progress) -> None:
        if control.stop:  # there is nothing yet that could be reported
            raise KeyboardInterrupt
        progress.load(step)

    wanted = own.model if model is None else model
    name = wanted or BUNDLED
    try:
        with Solver(wanted, options, say=progress.say, loading=loading, connection=connection) as solver:
            name = solver.chosen.name
            if wanted is None and name == BUNDLED:
                progress.say(f"No larger model is installed: using {name}, for small arithmetic problems only.")
            plan = None
            if reliable:
                seconds = float("inf") if time_limit is None else planning.seconds(time_limit)
                plan = solver.plan(
                    budget or own.budget,
                    mode=mode,
                    samples=samples,
                    verdicts=verdicts,
                    stopping=stopping,
                    seconds=seconds,
                    programs=programs,
                )
            context.with_resource(interrupts(control))  # to the end: an answer that is there gets printed
            with progress.shown():
                solver.load(solver.places(plan))
            for notice in solver.notices:
                progress.say(notice)
            solution = progress.follow(
                solver.stream(
                    problem,
                    seed=seed,
                    plan=plan,
                    resume=resume,
                    control=control,
                    announce="never" if quiet else "always",
                )
            )
        if as_json:
            solution = solver.with_sha256(solution)
    except (Exception, KeyboardInterrupt) as error:
        if as_json and not (isinstance(error, VibeError) and error.exit_code == 2):
            status: Status = "stopped" if isinstance(error, KeyboardInterrupt) else "failed"
            render.print_receipt(without_trajectory(problem, name, status, str(error) or None))
        raise
    finally:
        if connection:
            connection.end()
    if as_json:
        render.print_receipt(solution)
    else:
        render.print_text(solution, answer_only=answer_only)
    if solution.status == "failed":
        render.complain(render.explain(solution))
    elif solution.status != "answered":
        progress.say(render.explain(solution))
    elif line := render.verdict(solution):
        progress.say(line, warning=solution.report is not None and solution.report.agreement.level == "none")
    raise typer.Exit(EXITS[solution.status])


def think_tokens(text: str | None) -> int | None:
    """`--think` as Options.think has it. Raises UsageError."""
    if text is None or text == "auto":
        return None
    if text == "off":
        return 0
    if not re.fullmatch("[0-9]{1,7}", text) or int(text) == 0:
        raise UsageError(f"--think {text}: give off, auto, or the number of tokens after which reasoning is closed.")
    return int(text)


@contextmanager
def interrupts(control: Control) -> Iterator[None]:
    """Inside the block, Ctrl-C once means "answer now", twice "stop", three times "whatever it takes".

    SIGTERM, as `timeout` sends it, means "stop": what there is gets reported. A signal that was ignored before, as in a
    script's `vibe … &`, still is.
    """

    def interrupted(*_: object) -> None:
        if control.stop:
            raise KeyboardInterrupt
        control.answer_now, control.stop = True, control.answer_now

    def terminated(*_: object) -> None:
        control.stop = True

    handlers = {signal.SIGINT: interrupted, signal.SIGTERM: terminated}
    heard = {number: handler for number, handler in handlers.items() if signal.getsignal(number) != signal.SIG_IGN}
    previous = {number: signal.signal(number, handler) for number, handler in heard.items()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
