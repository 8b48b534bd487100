"""The commands: `python -m quantize …` and `vibe quantize …`. The only place that prints and knows exit codes."""

import json
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from vibethinker_local.errors import VibeError
from vibethinker_local.system import machine
from vibethinker_local.system.signals import as_ctrl_c
from vibethinker_local.system.terminal import prepare_streams, to_nowhere

from .errors import MachineError, RequestError

if TYPE_CHECKING:
    from vibethinker_local.system.progress import Progress

    from .job import Job, Request

T = TypeVar("T")
EXIT_STOPPED = 130
THREADS = machine.logical_cpus()
SHORTEST = 64  # tokens: the least context that a model is loaded with


class Commands(TyperGroup):
    """Turns errors into a sentence on stderr and an exit code, also where another program mounts `app`."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with as_ctrl_c():
                return super().invoke(ctx)
        except typer.BadParameter as error:
            from vibethinker_local.system.wording import reason

            error.message = reason(error.__cause__) or error.message
            raise
        except VibeError as error:
            raise _failed(error) from error
        except BrokenPipeError:
            raise  # typer ends quietly
        except OSError as error:  # a disk that fails between two steps, or has no room for temporary files
            what = error.filename or "a file"
            raise _failed(MachineError(f"{what} cannot be read or written ({error.strerror or error})")) from error
        except KeyboardInterrupt:
            _say("stopped; nothing is left half-finished", err=True)
            raise typer.Exit(EXIT_STOPPED) from None


app = typer.Typer(
    name="quantize",
    cls=Commands,
    help="Turn a published Qwen2 checkpoint (safetensors) into a GGUF file, in one pass.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Source = Annotated[str, typer.Argument(metavar="SRC", help="The checkpoint's folder, or ORG/NAME on the hub.")]
FiguresOutPath = Annotated[
    Path, typer.Option("--output", "-o", metavar="OUT", help="The figures, such as recipes.json.")
]
FiguresPath = Annotated[Path | None, typer.Option(metavar="F", help="Of `recipes`; else recipes.json in SRC.")]
PlotPath = Annotated[Path | None, typer.Option(metavar="F", help="Draw size against divergence into this SVG file.")]
FileTypes = Annotated[list[str] | None, typer.Option("--type", metavar="TYPE", help="One of several; else all.")]
AnySource = Annotated[str | None, typer.Argument(metavar="SRC", help="A checkpoint; else VibeThinker-3B's shape.")]
Revision = Annotated[str | None, typer.Option(metavar="REV", help="Of ORG/NAME: a commit, tag or branch; else main.")]
GgufPath = Annotated[Path, typer.Argument(metavar="FILE", help="A GGUF file.")]
BasePath = Annotated[Path, typer.Argument(metavar="BASE", help="A GGUF file, best a BF16 one.")]
QuantPath = Annotated[Path, typer.Argument(metavar="QUANT", help="A GGUF file of the same model.")]
OutPath = Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="The file to write.")]
FileType = Annotated[str, typer.Option("--type", metavar="TYPE", help="F16, BF16, Q8_0, Q6_K, Q5_K_M, Q4_K_M …")]
ImatrixPath = Annotated[Path | None, typer.Option("--imatrix", metavar="F", help="Importance matrix (GGUF form).")]
EmbeddingType = Annotated[str | None, typer.Option(metavar="TYPE", help="Type of the token embedding, such as Q8_0.")]
TensorTypes = Annotated[
    list[str] | None, typer.Option("--tensor", metavar="RE=TYPE", help="Type of the tensors that RE finds; repeatable.")
]
Template = Annotated[Path | None, typer.Option(metavar="F", help="A chat template, instead of the checkpoint's own.")]
Name = Annotated[str | None, typer.Option(help="The model's name; else its card's, the folder's or the repository's.")]
Against = Annotated[str | None, typer.Option(metavar="SRC", help="Compare with this checkpoint, byte by byte.")]
MemorySize = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Memory to use, such as 8G; else 90% of what is free.")
]
Context = Annotated[str, typer.Option(metavar="N", help="Tokens of context, such as 32k.")]
TextPath = Annotated[Path | None, typer.Option("--text", metavar="F", help="A text to read; else the bundled one.")]
Chunks = Annotated[int | None, typer.Option(min=1, metavar="N", help="Read that many chunks at most.")]
ChunkSize = Annotated[int, typer.Option(min=32, max=1 << 17, metavar="N", help="Tokens that are read in one go.")]
ParseSpecial = Annotated[bool, typer.Option("--parse-special", help="F holds control tokens such as <|im_start|>.")]
Threads = Annotated[int, typer.Option(min=1, max=1024, help="Worker threads.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


@app.callback()
def _root() -> None:
    """Turn a published Qwen2 checkpoint (safetensors) into a GGUF file, in one pass."""


@app.command()
def plan(
    source: Source,
    type: FileType = "Q4_K_M",
    revision: Revision = None,
    imatrix: ImatrixPath = None,
    embedding_type: EmbeddingType = None,
    tensor: TensorTypes = None,
    chat_template: Template = None,
    context: Context = "32k",
    threads: Threads = THREADS,
    as_json: AsJson = False,
) -> None:
    """Show the types, size, memory and time of a build. Writes no file.

    \b
    vibe quantize plan CHECKPOINT --type Q4_K_M --context 32k
    """
    from . import estimate, report
    from .job import Request

    tokens = estimate.parse_tokens(context)
    request = Request(source, type, imatrix, embedding_type, tuple(tensor or ()), chat_template, revision=revision)
    job = _prepared(request)
    need = estimate.memory(job.plan, job.config, tokens)
    facts = (job, need, tokens, estimate.usable_memory(), estimate.seconds(job.plan, threads))
    _warn([*job.warnings, *report.fallback_warning(job.plan)])
    _show(as_json, lambda: report.plan_json(*facts), lambda: report.plan_lines(*facts))


@app.command()
def build(
    source: Source,
    out: OutPath,
    type: FileType = "Q4_K_M",
    revision: Revision = None,
    imatrix: ImatrixPath = None,
    embedding_type: EmbeddingType = None,
    tensor: TensorTypes = None,
    chat_template: Template = None,
    name: Name = None,
    threads: Threads = THREADS,
    as_json: AsJson = False,
) -> None:
    """Write OUT, a GGUF file of SRC. An earlier OUT stays until the new file is complete and checked.

    \b
    vibe quantize build CHECKPOINT -o q4.gguf --type Q4_K_M
    vibe quantize build CHECKPOINT -o q4.gguf --imatrix imatrix.gguf
    vibe quantize build CHECKPOINT -o q4.gguf --tensor 'ffn_down=Q6_K'
    """
    from . import build as building
    from . import report
    from .job import Request
    from .output import check_target

    check_target(out, [path for path in (imatrix, chat_template) if path])  # before a checkpoint is fetched
    request = Request(source, type, imatrix, embedding_type, tuple(tensor or ()), chat_template, name, revision)
    job = _prepared(request)
    _warn([*job.warnings, *report.fallback_warning(job.plan)])
    built = _follow(building.build(job, out, threads))
    line = f"{built.path}  {job.plan.label}  {built.size:,} bytes"
    _show(as_json, lambda: report.built_json(built, job), lambda: [line])


@app.command()
def imatrix(
    model: GgufPath,
    out: OutPath,
    text: TextPath = None,
    chunks: Chunks = None,
    chunk_size: ChunkSize = 512,
    parse_special: ParseSpecial = False,
    threads: Threads = THREADS,
    as_json: AsJson = False,
) -> None:
    """Compute an importance matrix of FILE, best a BF16 one. It says what flows through the model as it reads a text.

    \b
    vibe quantize imatrix base.gguf -o imatrix.gguf
    """
    from . import report
    from . import text as texts
    from .activations import collect
    from .imatrix import write_imatrix
    from .output import check_target

    check_target(out, [model, *([text] if text else [])])
    read = texts.read_text(text, special=parse_special) if text else texts.bundled(texts.CALIBRATION)
    activations = _follow(collect(model, read, texts.Cut(chunk_size, chunks), threads))
    write_imatrix(out, activations)
    facts = (out, activations)
    _show(as_json, lambda: report.imatrix_json(*facts), lambda: report.imatrix_lines(*facts))


@app.command("eval")
def evaluate(
    base: BasePath,
    quant: QuantPath,
    text: TextPath = None,
    chunks: Chunks = None,
    chunk_size: ChunkSize = 512,
    threads: Threads = THREADS,
    as_json: AsJson = False,
) -> None:
    """Measure how far QUANT's predictions are from BASE's. Gives the perplexity ratio and the KL divergence.

    \b
    vibe quantize eval base.gguf q4.gguf
    """
    from . import evaluate as evaluating
    from . import report
    from . import text as texts

    read = texts.read_text(text) if text else texts.bundled(texts.EVALUATION)
    evaluation = _follow(evaluating.evaluate(base, quant, read, texts.Cut(chunk_size, chunks), threads))
    facts = (base, quant, evaluation)
    _show(as_json, lambda: report.evaluation_json(*facts), lambda: report.evaluation_lines(*facts))


@app.command()
def verify(
    file: GgufPath,
    against: Against = None,
    revision: Revision = None,
    imatrix: ImatrixPath = None,
    chat_template: Template = None,
    threads: Threads = THREADS,
    as_json: AsJson = False,
) -> None:
    """Check that FILE is sound. Looks at its header and weights, and has llama.cpp compute; --against: is it SRC's?

    \b
    vibe quantize verify q4.gguf --against CHECKPOINT --imatrix imatrix.gguf
    """
    from . import verify as verifying
    from .job import Request

    _follow(verifying.verify(file))
    if against:
        job = _prepared(Request(against, "BF16", imatrix, chat_template=chat_template, revision=revision))
        _follow(verifying.verify_against(file, job, threads))
    line = f"{file} is sound" + (f" and is what {against} gives" if against else "")
    _show(as_json, lambda: {"file": str(file), "sound": True, "against": against}, lambda: [line])


@app.command()
def inspect(file: GgufPath, as_json: AsJson = False) -> None:
    """Show what FILE says about itself and what it holds.

    \b
    vibe quantize inspect q4.gguf
    """
    from . import report
    from .summary import summarize

    summary = summarize(file)
    _show(as_json, lambda: report.summary_json(summary), lambda: report.summary_lines(summary))


@app.command()
def recipes(
    source: Source,
    out: FiguresOutPath,
    type: FileTypes = None,
    revision: Revision = None,
    imatrix: ImatrixPath = None,
    text: TextPath = None,
    chunks: Chunks = None,
    chunk_size: ChunkSize = 512,
    plot: PlotPath = None,
    threads: Threads = THREADS,
    as_json: AsJson = False,
) -> None:
    """Build and measure every way to quantize SRC. Takes hours, and goes on where it was stopped.

    \b
    vibe quantize recipes CHECKPOINT -o recipes.json --plot recipes.svg
    """
    from . import chart, report
    from . import recipes as making
    from . import text as texts
    from .bar import progress_bar
    from .output import check_target
    from .source import locate

    given = [path for path in (imatrix, text) if path]
    if plot and plot.resolve() == out.resolve():
        raise RequestError(f"{out} cannot hold both the figures and the picture of them; give --plot another name")
    for target in (out, plot):
        if target:
            check_target(target, given)
    read = texts.read_text(text) if text else texts.bundled(texts.EVALUATION)
    with progress_bar() as show:
        folder = locate(source, revision, show=show)
    order = making.Order(str(folder), None, imatrix, tuple(type or ()), read, texts.Cut(chunk_size, chunks))
    made = _follow(making.make_report(order, out, threads))
    if plot:
        chart.write(made, plot)
    _show(as_json, lambda: report.recipes_json(made), lambda: report.recipes_lines(made))


@app.command()
def recommend(
    source: AnySource = None,
    memory: MemorySize = None,
    context: Context = "32k",
    revision: Revision = None,
    figures: FiguresPath = None,
    as_json: AsJson = False,
) -> None:
    """Choose the best type that fits into memory. Uses measured figures where there are any, else those of others.

    \b
    vibe quantize recommend CHECKPOINT --memory 8G --figures recipes.json
    """
    from . import estimate, report
    from . import recipes as making
    from .bar import progress_bar
    from .config import read_config
    from .source import locate

    tokens = estimate.parse_tokens(context)
    budget = estimate.parse_bytes(memory) if memory else estimate.usable_memory()
    with progress_bar() as show:
        folder = locate(source, revision, ("config.json",), show) if source else None
    config = read_config(folder) if folder else estimate.VIBETHINKER_3B
    measured = making.find_report(figures, folder)

    def with_context(tokens: int) -> "list[estimate.Option]":
        if measured:
            return making.options(measured, config, budget, tokens)
        return estimate.options(config, budget, tokens)

    options = with_context(tokens)
    best = next((option for option in options if option.fits), None)
    shorter = best is None and any(option.fits for option in with_context(SHORTEST))
    given = memory or report.gigabytes(budget)
    _show(
        as_json,
        lambda: report.recommendation_json(options, best, budget, tokens),
        lambda: report.recommendation_lines(options, best, given, tokens, shorter=shorter),
    )
    if best is None:
        raise typer.Exit(RequestError.exit_code)


def _show(as_json: bool, json_object: Callable[[], dict[str, Any]], lines: Callable[[], Iterable[str]]) -> None:
    for line in [json.dumps(json_object())] if as_json else lines():
        _say(line)


def _say(line: str, err: bool = False) -> None:
    """One line, without what could steer a terminal: names and keys come from foreign files."""
    try:
        typer.echo("".join(c if c.isprintable() else ascii(c)[1:-1] for c in line), err=err)
    except BrokenPipeError:
        raise  # typer ends quietly
    except OSError as error:
        to_nowhere(sys.stderr if err else sys.stdout)  # or Python tries once more at its end
        raise MachineError(f"the output cannot be written ({error.strerror})") from error


def _failed(error: VibeError) -> typer.Exit:
    """Say what went wrong; what ends the command."""
    _say(f"error: {error}", err=True)
    return typer.Exit(error.exit_code)


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        _say(f"warning: {warning}", err=True)


def _prepared(request: "Request") -> "Job":
    """The job that a request is, after a download if it asks for one."""
    from .bar import progress_bar
    from .job import prepare

    with progress_bar() as show:
        return prepare(request, show)


def _follow(work: "Generator[Progress, None, T]") -> T:
    """Do the work and give its result, with a progress bar where stderr is a terminal."""
    from vibethinker_local.system.progress import run

    from .bar import progress_bar

    with progress_bar() as show:
        return run(work, show)


def main(arguments: Sequence[str] | None = None, prog_name: str = "python -m quantize") -> None:
    """Run one command and exit; `arguments` without the program's name, else the process's own."""
    prepare_streams()
    app(args=arguments, prog_name=prog_name)
