"""The commands of `vibe eval`: run, report, grade, fit. What a command needs is imported inside it."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vibethinker_local.cli import options as shared
from vibethinker_local.errors import EngineError, SandboxError, UsageError
from vibethinker_local.events import CacheType, VerdictKind

if TYPE_CHECKING:
    from vibethinker_local.cli.render import Display
    from vibethinker_local.eval.bank import Bank, BankHeader, Writer
    from vibethinker_local.eval.run import SampleJob
    from vibethinker_local.eval.table import Table
    from vibethinker_local.eval.trials import Speeds
    from vibethinker_local.events import Options
    from vibethinker_local.reliability import vote
    from vibethinker_local.runtime.model import Model

app = typer.Typer(
    help="Measure on problems with known answers what votes and claims are worth.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
BankFile = Annotated[Path, typer.Argument(metavar="BANK", help="A bank made by `vibe eval run`.")]
Samples = Annotated[int | None, typer.Option("-k", "--samples", min=1, max=1024, help="Default: all there are.")]
MOST, MOST_ELSEWHERE = 64, 4096  # trajectories at once, on this machine and on servers
EVERY = 30.0  # seconds between lines of progress when stderr is not a terminal


@app.command()
def run(
    problems: Annotated[Path, typer.Argument(metavar="PROBLEMS", help="JSON lines, or .parquet.")],
    bank: Annotated[Path | None, typer.Option(help="The file to fill. Default: PROBLEMS-MODEL.bank.jsonl.")] = None,
    samples: Annotated[int, typer.Option("-k", "--samples", min=1, max=1024, help="Trajectories of each.")] = 16,
    model: shared.Model = None,
    first: Annotated[int | None, typer.Option(min=1, help="Only so many problems.")] = None,
    claims: Annotated[int, typer.Option(min=0, max=20, help="Claims of each trajectory; 0: none.")] = 5,
    stated: Annotated[
        bool, typer.Option("--stated", help="Ask the model for claims even where a solution makes enough.")
    ] = False,
    verdicts: Annotated[VerdictKind, typer.Option(help="think: verdicts are reasoned, too.")] = "score",
    programs: Annotated[int, typer.Option(min=0, help="How many of the K are programs that print the answer.")] = 0,
    seed: Annotated[int, typer.Option(min=0, max=2**53, help="The same seed, the same bank.")] = 0,
    temperature: shared.Temperature = None,
    top_p: shared.TopP = None,
    max_tokens: Annotated[int | None, typer.Option(min=32, help="Tokens that a solution may have.")] = None,
    ctx: shared.Context = None,
    kv: Annotated[CacheType, typer.Option("--kv", help="q8_0 takes half the memory.")] = "f16",
    threads: shared.Threads = None,
    together: Annotated[
        int | None, typer.Option("--at-once", min=1, max=MOST_ELSEWHERE, help="Default: what is fastest.")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Sample solutions, claims and verdicts into a bank. Ctrl-C stops; the same command goes on, also with a larger -k.

    \b
    vibe eval run aime.jsonl -k 32
    vibe eval run gsm8k.jsonl -k 16 --programs 8
    vibe eval run gpqa.parquet -k 8 -m vibethinker-3b:Q4_K_M --bank q4.jsonl
    """
    from vibethinker_local.cli import render
    from vibethinker_local.eval import bank as banks
    from vibethinker_local.eval import layouts
    from vibethinker_local.eval import run as running
    from vibethinker_local.eval.problems import notices
    from vibethinker_local.events import Options
    from vibethinker_local.models.installed import Chosen
    from vibethinker_local.remote.choose import choose
    from vibethinker_local.runtime.model import at_once, fingerprint, load
    from vibethinker_local.solving import computed
    from vibethinker_local.system import awake, machine, settings

    share = computed.share(programs, samples)
    read = layouts.read(problems)
    wanted = read.problems[:first]
    progress = render.Display(quiet=quiet)
    for notice in [*read.notices, *notices(wanted)]:
        progress.say(notice)
    own = settings.load()
    chosen = choose(model or own.model, progress.say)
    if together and together > MOST and isinstance(chosen, Chosen):
        raise UsageError(f"--at-once: one batch on this machine holds at most {MOST}.")
    path = bank or Path(f"{layouts.bare_name(problems)}-{chosen.name.replace('/', '-')}.bank.jsonl")
    with banks.locked(path):
        known = banks.read(path) if path.exists() else None
        if known:
            _name_damage(known, progress)
            banks.same_problems(known, wanted)
        context = ctx or (known.header.context if known else own.context)
        options = Options(
            seed, temperature, top_p, max_tokens or own.max_tokens, context, threads or own.threads, cache=kv
        )
        sha256 = fingerprint(chosen)
        with awake.keep_awake():
            places = together or at_once(chosen, MOST if isinstance(chosen, Chosen) else MOST_ELSEWHERE)
            loaded = load(chosen, options, threads=machine.threads(), places=places)
            with closing(loaded.engine):
                for notice in loaded.notices:
                    progress.say(notice)
                header = _header(loaded, options, sha256, claims, share, thinking=verdicts == "think", stated=stated)
                if known:
                    banks.fitting(known, header)
                with closing(banks.Writer(path, header, known)) as writer:
                    for problem in wanted:
                        if known is None or problem.id not in known.problems:
                            writer.add(problem)
                    jobs = running.jobs(wanted, samples, known, seed)
                    progress.say(
                        f"{path}: {len(wanted) * samples - len(jobs):,} of {len(wanted) * samples:,} are there"
                    )
                    try:
                        _fill(loaded, jobs, options, header, writer, known, progress)
                    except (KeyboardInterrupt, EngineError, SandboxError):
                        progress.say(f"{path} keeps what was finished: the same command goes on.")
                        raise
        render.print_line(str(path))


@app.command()
def report(
    bank: Annotated[Path | None, typer.Argument(metavar="BANK", help="A bank made by `vibe eval run`.")] = None,
    compared: Annotated[
        tuple[Path, Path] | None, typer.Option("--models", metavar="A B", help="Compare two banks instead.")
    ] = None,
    samples: Samples = None,
    only: Annotated[str, typer.Option(metavar="PATTERN", help="Only problems whose id matches, such as *-ops5.")] = "*",
    verdicts: Annotated[VerdictKind, typer.Option(help="think: those that were reasoned.")] = "score",
    stated: Annotated[bool, typer.Option("--stated", help="By the claims that the model stated alone.")] = False,
    joined: Annotated[
        Path | None,
        typer.Option(
            "--with", metavar="BANK", help="Another bank of the same model; its trajectories alternate with these."
        ),
    ] = None,
    speeds: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="READ WRITE", help="Tokens a second. Default: what `vibe bench` found."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw accuracy against tokens into an .svg file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Replay policies on a bank: accuracy, cost, rescues, harms, and whether CLR holds. The same bank, the same report.

    \b
    vibe eval report BANK.jsonl --plot accuracy.svg
    vibe eval report --models q8.jsonl q4.jsonl
    """
    from vibethinker_local.cli import render
    from vibethinker_local.eval import bank as banks
    from vibethinker_local.eval import plot as plotting
    from vibethinker_local.eval import report as reports
    from vibethinker_local.eval import show, table
    from vibethinker_local.system.files import write_atomic

    if (bank is None) == (compared is None):
        raise UsageError("Give one bank, or two with --models A B.")
    if plot and (compared or plot.suffix.lower() != ".svg"):
        raise UsageError("--plot draws the report on one bank, into a file whose name ends in .svg.")
    if compared and (joined or speeds):
        raise UsageError("--with and --speeds are for the report on one bank.")
    if speeds and min(speeds) <= 0:
        raise UsageError("--speeds are tokens a second: numbers above 0.")
    progress = render.Display()
    found = [banks.read(path).only(only) for path in compared or (bank, joined) if path]
    for each in found:
        _name_damage(each, progress)
    if joined:
        claims = max(each.header.claims for each in found)
        found = [banks.joined(*found)]
        if claims and not found[0].header.claims:
            progress.say("Claims are left out: the two banks do not have equally many of each solution.")
    thinking = verdicts == "think"
    if compared:
        _compare(found, samples, progress, thinking=thinking, stated=stated, as_json=as_json)
        return
    whole = table.build(found[0], samples, thinking=thinking, stated=stated)
    fitted, notes = _calibration(found[0].header, whole)
    notes += _left_out(whole)
    made = reports.make(whole, fitted, _speeds(found[0].header, whole.samples, speeds))
    if as_json:
        render.print_json(show.as_data(made, found[0].header, notes))
    else:
        render.print_line(show.tables(made, found[0].header, notes))
    if plot:
        write_atomic(plot, plotting.draw(made, f"{show.model(found[0].header)}, {made.problems:,} problems"))


@app.command()
def grade(
    pairs: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines of a gold and an answer, or an output.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each pair.")] = False,
) -> None:
    """Grade answers of any program: lines {"gold": "1/2", "answer": "0.5"}, or whole texts as {"gold": …, "output": …}.

    same: as votes count answers. matches: also where only one of the two has a unit, a percent sign or a label.

    \b
    vibe eval grade answers.jsonl
    vibe eval grade outputs.jsonl --json > verdicts.jsonl
    """
    from vibethinker_local.cli import render
    from vibethinker_local.eval import grade as grading
    from vibethinker_local.reliability.checker import Checker

    progress = render.Display()
    wanted = grading.read(pairs)
    with closing(Checker()) as checker:
        checker.wait_until_ready()
        graded = []
        for each in grading.grades(wanted, checker):
            graded.append(each)
            if as_json:
                render.print_json(each.as_data())
    for line in grading.summary(graded):
        progress.say(line) if as_json else render.print_line(line)
    if not as_json:
        for line in grading.mismatches(graded):
            render.print_line(line)


@app.command()
def fit(bank: BankFile, samples: Samples = None) -> None:
    """Fit the weight of `vibe solve -r --mode fitted` to a bank, and keep it for its model file, prompts, K and M.

    Problems that it was fitted to say nothing of how good it is: `vibe eval report` leaves it out on their bank.

    \b
    vibe eval fit calibration.bank.jsonl
    """
    from vibethinker_local.cli import render
    from vibethinker_local.eval import bank as banks
    from vibethinker_local.eval import fit as fitting
    from vibethinker_local.eval import table
    from vibethinker_local.runtime import prompts
    from vibethinker_local.solving import calibration
    from vibethinker_local.system.units import counted

    found = banks.read(bank)
    _name_damage(found, render.Display())
    if found.header.prompts not in prompts.CLAIMS:
        raise UsageError(f"{bank} was made with other prompts than this version has: bank the problems again.")
    kept = fitting.fit(found, table.build(found, samples))
    path = calibration.keep(kept)
    render.print_line(
        f"K = {kept.samples}, M = {kept.claims}: weight = 1 / (1 + exp(-({kept.intercept:.3f} + {kept.slope:.3f} s))) "
        f"for a share s of claims that stand; from {kept.trajectories:,} trajectories, "
        f"{counted(len(kept.problems), 'problem')}"
    )
    render.print_line(str(path))


def _compare(
    found: "Sequence[Bank]",
    samples: int | None,
    progress: "Display",
    *,
    thinking: bool,
    stated: bool,
    as_json: bool,
) -> None:
    """Print how two banks differ."""
    from vibethinker_local.cli import render
    from vibethinker_local.eval import report as reports
    from vibethinker_local.eval import show, table

    samples = samples or min(table.build(each).samples for each in found)
    one, other = (table.build(each, samples, thinking=thinking, stated=stated) for each in found)
    for each, part in zip(found, (one, other), strict=True):
        for note in _left_out(part):
            progress.say(f"{each.path}: {note}")
    pair = table.together(one, other)
    contrasts, headers = reports.compare(pair), [each.header for each in found]
    problems = len(pair[0].ids)
    if as_json:
        render.print_json(show.contrasts_as_data(contrasts, headers, problems))
    else:
        render.print_line(show.contrasts(contrasts, headers, problems))


def _header(
    model: "Model", options: "Options", sha256: str, claims: int, programs: float, *, thinking: bool, stated: bool
) -> "BankHeader":
    from vibethinker_local.eval.bank import BankHeader

    identity, spec = model.identity, model.spec
    return BankHeader(
        name=identity.name,
        file=identity.file or "",
        server=identity.server or "",
        quant=identity.quant or "",
        sha256=sha256,
        prompts=spec.prompts,
        seed=options.seed or 0,
        claims=claims,
        thinking=thinking,
        temperature=spec.temperature if options.temperature is None else options.temperature,
        top_p=options.top_p or spec.top_p,
        top_k=spec.top_k,
        max_tokens=options.max_tokens or spec.max_tokens,
        context=model.context,
        cache=options.cache,
        contested=True,
        stated=stated and claims > 0,
        programs=programs,
    )


def _fill(
    model: "Model",
    jobs: Sequence["SampleJob"],
    options: "Options",
    header: "BankHeader",
    writer: "Writer",
    known: "Bank | None",
    progress: "Display",
) -> None:
    """Sample what the bank lacks, and show progress."""
    from vibethinker_local.eval import run as running
    from vibethinker_local.eval.bank import Entry
    from vibethinker_local.eval.pace import BankPace
    from vibethinker_local.models import lengths

    there = list(known.entries.values()) if known else []
    pace = BankPace(len(jobs) + len(there), lengths.typical(model.chosen), there)
    with (
        progress.shown(),
        closing(
            running.fill(
                model,
                jobs,
                options,
                header.claims,
                thinking=header.thinking,
                stated=header.stated,
                programs=header.programs,
            )
        ) as filling,
    ):
        for event in filling:
            if isinstance(event, Entry):
                writer.add(event)
                pace.count(event)
            else:
                progress.status(pace.line(event.tokens), "Ctrl-C: stop; what is banked stays", every=EVERY)


def _speeds(header: "BankHeader", samples: int, given: tuple[float, float] | None) -> "Speeds | None":
    """Those that were given, or that `vibe bench` has found for a file of this name."""
    from vibethinker_local.eval.trials import Speeds
    from vibethinker_local.models import results

    if given:
        return Speeds(*given)
    figures = results.named(header.file)
    return Speeds(figures.prefill[0].tokens_per_second, figures.rate(samples)) if figures else None


def _left_out(table: "Table") -> list[str]:
    """What there is to say of problems that a bank has too little of."""
    from vibethinker_local.system.units import counted

    if not table.left_out:
        return []
    return [f"Left out: {counted(table.left_out, 'problem')} with fewer than {table.samples} trajectories."]


def _name_damage(bank: "Bank", progress: "Display") -> None:
    for line in bank.damaged:
        progress.say(f"{bank.path}, line {line}: damaged, and left out")


def _calibration(header: "BankHeader", table: "Table") -> "tuple[vote.Calibration | None, list[str]]":
    """The calibration for this bank's model, if the bank is fit to judge it, and notes about it."""
    from vibethinker_local.solving import calibration

    kept = calibration.find(header.sha256, header.prompts, table.samples, table.claims)
    if kept is None:
        return None, []
    if seen := len(set(kept.problems) & set(table.digests)):
        return None, [f"fitted is left out: its weight was fitted to {seen:,} of these problems."]
    return kept.weight, [f"fitted was fitted to {len(kept.problems):,} other problems."]
