"""The commands on models and settings: pull, models, rm, config. What a command needs is imported inside it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from vibethinker_local.errors import ModelError, UsageError
from vibethinker_local.events import LEAST_CONTEXT, MOST_CONTEXT

if TYPE_CHECKING:
    from quantize.config import Qwen2Config
    from vibethinker_local.cli.render import Display
    from vibethinker_local.models.spec import ModelSpec
    from vibethinker_local.system.machine import Room


def names(incomplete: str) -> list[str]:
    """Shell completions: NAME and NAME:QUANT."""
    from vibethinker_local.models import spec as model_spec

    try:
        known = model_spec.registry()
    except ModelError:
        return []  # the command itself will say what is wrong
    quants = {f"{name}:{file.quant}" for name, spec in known.items() for file in spec.files}
    return sorted(each for each in {*known, *quants} if each.startswith(incomplete))


def pull(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL[:QUANT]|ORG/REPO[:QUANT]",
            help="Default: your setting or the first in models.toml, in the quant that fits.",
            autocompletion=names,
        ),
    ] = None,
    source: Annotated[
        Literal["file", "checkpoint"],
        typer.Option("--from", help="Fetch a ready-made GGUF file, or build one here from safetensors."),
    ] = "file",
    ctx: Annotated[
        int | None, typer.Option(min=LEAST_CONTEXT, max=MOST_CONTEXT, help="Tokens of context to leave room for.")
    ] = None,
    limit_rate: Annotated[str | None, typer.Option(metavar="RATE", help="Bytes per second at most: 500k, 2M.")] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Fetch a model and check it. Resumes an interrupted pull; prints the file's path.

    \b
    vibe pull
    vibe pull vibethinker-3b:Q4_K_M
    vibe pull vibethinker-3b:Q6_K --from checkpoint
    vibe pull ggml-org/SmolLM3-3B-GGUF
    """
    from vibethinker_local.cli import render
    from vibethinker_local.models import installed, repository
    from vibethinker_local.models import pull as pulling
    from vibethinker_local.models import spec as model_spec
    from vibethinker_local.system import awake, machine, settings, units
    from vibethinker_local.system.signals import as_ctrl_c

    rate = None if limit_rate is None else units.rate(limit_rate)
    known = model_spec.registry()
    preferred = settings.load().model
    if preferred is None or model_spec.find(preferred, known) is None:  # it may be a path
        preferred = next(iter(known))
    wanted = model or preferred
    named = model_spec.find(wanted, known)
    if named is None and source == "file" and (named := model_spec.repository(wanted)):
        known[named[0]] = installed.of_repository(named[0])
    if named is None and model_spec.repository(wanted):
        with_source = [name for name, spec in known.items() if spec.source]
        raise UsageError(f"--from checkpoint takes a model that has one in models.toml: {', '.join(with_source)}.")
    if named is None:
        raise UsageError(
            f"There is no model called {wanted!r} to fetch: give one of {', '.join(known)}, or ORG/REPO of the hub."
        )
    name, quant = named
    progress = render.Display(quiet=quiet)
    context, room = ctx or settings.load().context, machine.room()
    with awake.keep_awake():
        if source == "checkpoint":
            with as_ctrl_c():
                path = _from_checkpoint(name, quant, context or known[name].context, known[name], progress, rate)
        elif (from_hub := known[name].gguf) and not known[name].files:
            spec, tokens = known[name], context or known[name].context
            work = repository.pull(name, from_hub, quant, room, tokens, progress.say, spec.shape, rate=rate)
            path = progress.carry(work)
        else:
            choice = pulling.choose(name, known[name], quant, room, context)
            progress.say(f"{name}:{choice.quant}: {choice.why}.")
            path = progress.carry(pulling.files(name, known[name], choice, progress.say, rate=rate))
    render.print_line(str(path))


def _from_checkpoint(
    name: str, quant: str | None, context: int, spec: "ModelSpec", progress: "Display", rate: float | None
) -> Path:
    """Fetch a checkpoint and build a GGUF file from it, which then counts as installed."""
    from quantize.build import build
    from quantize.config import read_config
    from quantize.job import Request, prepare
    from quantize.plan import parse_file_type
    from vibethinker_local.models import checksums, installed, pull
    from vibethinker_local.system import machine

    try:
        if quant is not None:
            parse_file_type(quant)  # fails before gigabytes are fetched
        folder = progress.carry(pull.checkpoint(name, spec, rate=rate))
        if quant is None:
            quant, why = _best_type(read_config(folder), machine.room(), context)
            progress.say(f"{name}:{quant}: {why}.")
        job = prepare(Request(str(folder), quant, name=name))
        for warning in job.warnings:
            progress.say(f"warning: {warning}")
        out = installed.built_path(name, job.plan.file_type)
        out.parent.mkdir(parents=True, exist_ok=True)
        progress.carry(build(job, out, machine.threads()))
    except OSError as error:
        raise ModelError(f"{error.filename} cannot be written: {error.strerror}.") from error
    checksums.sha256(out)
    return out


def _best_type(config: "Qwen2Config", room: "Room", context: int) -> tuple[str, str]:
    """The best type that leaves room for the context, as the loader will decide it, else the smallest; and why."""
    from quantize import estimate
    from quantize.config import imagined
    from quantize.plan import make_plan
    from vibethinker_local.models import memory

    wanted, weights = min(context, config.context), imagined(config)
    headers = {type: estimate.header(make_plan(config, weights, type), config) for type in estimate.BY_QUALITY}
    contexts = {type: memory.context(header, room, most=wanted) for type, header in headers.items()}
    if found := next((type for type in estimate.BY_QUALITY if contexts[type] >= wanted), None):
        return found, f"the best type that leaves room for {wanted:,} tokens in the {room}"
    smallest = estimate.BY_QUALITY[-1]
    if not contexts[smallest]:
        return smallest, f"the smallest type, though it does not fit into the {room}"
    return smallest, f"the smallest type; {contexts[smallest]:,} tokens of context fit beside it into the {room}"


def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also models that are not installed, and files that other programs fetched.")
    ] = False,
) -> None:
    """Known and installed models: size, quant, the context that fits into memory, measured speed.

    \b
    vibe models
    vibe models --all
    vibe models --json
    """
    from vibethinker_local.cli import tables
    from vibethinker_local.models import installed, listing
    from vibethinker_local.models import spec as model_spec
    from vibethinker_local.system import machine

    room = machine.room()
    known = model_spec.registry()
    if everything:
        known |= {name: installed.of_repository(name) for name in installed.unlisted(known)}
    tables.print_models(list(listing.rows(known, room, everything=everything)), room, as_json=as_json)


def rm(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL[:QUANT]", help="Without a quant, all files of the model.", autocompletion=names),
    ],
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
) -> None:
    """Remove installed files of a model.

    \b
    vibe rm vibethinker-3b:Q8_0
    vibe rm vibethinker-3b --yes
    """
    from vibethinker_local.cli import render
    from vibethinker_local.models import installed
    from vibethinker_local.models import spec as model_spec
    from vibethinker_local.system.files import bytes_of
    from vibethinker_local.system.units import size

    known = model_spec.registry()
    named = model_spec.find(model, known)
    if named is None and (named := model_spec.repository(model)):
        known[named[0]] = installed.of_repository(named[0])
    if named is None:
        raise UsageError(
            f"There is no model called {model!r}: give a name of `vibe models`. "
            "Your own .gguf files are not managed by vibe: delete them yourself."
        )
    name, quant = named
    files = list(installed.matching(installed.installed(name, known[name]), quant))
    partials = installed.partials(name, known[name], quant)
    if not files and not partials:
        raise ModelError(f"{model} is not installed: there is nothing to remove.")
    for file in files:
        installed.check_removable(file)
    progress = render.Display()
    earlier = [(file.quant, path) for file in files for path in installed.earlier(file)]
    for file in files:
        progress.say(f"{name}:{file.quant}  {size(file.bytes)}  {file.path}")
    for quant, path in earlier:
        progress.say(f"{name}:{quant}, an earlier version  {size(bytes_of(path))}  {path}")
    for path in partials:
        progress.say(f"{name}, a part  {size(bytes_of(path))}  {path}")
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("Nothing was removed: give --yes where nobody can be asked.")
        if not typer.confirm(f"Remove {'it' if len(files) + len(earlier) + len(partials) == 1 else 'them'}?", err=True):
            raise typer.Exit(1)
    for file in files:
        installed.remove(file)
    for path in partials:
        installed.remove_partial(path)


def config(as_json: Annotated[bool, typer.Option("--json", help="Print the settings as JSON.")] = False) -> None:
    """Settings in force, and where each came from: config.toml, a variable such as VIBE_THREADS, or the default.

    \b
    vibe config
    VIBE_THREADS=4 vibe config --json
    """
    from vibethinker_local.cli import render, tables
    from vibethinker_local.system import settings
    from vibethinker_local.tui.actions import ACTIONS
    from vibethinker_local.tui.themes import THEMES

    keys = {action.id: action.key for action in ACTIONS}
    found = settings.explain(keys)
    settings.check_theme(settings.load().theme, THEMES)
    tables.print_settings(found, as_json=as_json)
    for name in settings.unknown_variables():
        render.complain(f"{name} is not a setting: is it misspelt?")
