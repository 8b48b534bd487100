"""`vibe bench`."""

from pathlib import Path
from typing import Annotated

import typer

from vibethinker_local.cli.options import LocalModel
from vibethinker_local.errors import UsageError


def bench(
    model: LocalModel = None,
    sequences: Annotated[
        str | None, typer.Option(help="Numbers of Sequences at once. Default: 1,4,8,16; with --peers more.")
    ] = None,
    prompt: Annotated[int, typer.Option(min=1, max=2**17, help="Tokens of the prompt.")] = 512,
    tokens: Annotated[int, typer.Option(min=2, max=2**14, help="Tokens that each Sequence decodes.")] = 24,
    depth: Annotated[
        int | None, typer.Option(min=1, max=2**17, help="Also measure decoding after this many tokens.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="The figures are medians of so many rounds.")] = 3,
    threads: Annotated[int | None, typer.Option(min=1, max=512, help="Default: find the fastest number.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the figures into an .svg file.")] = None,
    peers: Annotated[Path | None, typer.Option(help="Where llama.cpp's tools are: take turns with them.")] = None,
    compare: Annotated[
        str | None, typer.Option(help="With --peers: some of decode,prefill,bare,cpu,server,turns,memory,start.")
    ] = None,
    busy: Annotated[
        int, typer.Option(min=0, max=256, help="Keep so many cores busy with other programs meanwhile.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure how fast this machine runs a model, and store the results (unless --threads or --busy is given).

    \b
    vibe bench
    vibe bench -m mini --json
    vibe bench --sequences 1,8 --depth 4096 --plot speed.svg
    """
    from vibethinker_local.bench import bench as benching
    from vibethinker_local.bench import peers as others
    from vibethinker_local.bench import report as bench_report
    from vibethinker_local.bench.measurement import with_earlier
    from vibethinker_local.cli import render
    from vibethinker_local.models import installed, results
    from vibethinker_local.remote import address
    from vibethinker_local.system import settings
    from vibethinker_local.system.files import write_atomic
    from vibethinker_local.system.signals import as_ctrl_c

    usual = others.SEQUENCES if peers else benching.SEQUENCES
    counts = benching.counts(usual if sequences is None else sequences)
    request = benching.BenchRequest(counts, prompt, tokens, rounds, threads)
    wanted = others.wanted(peers, compare)
    if plot and plot.suffix.lower() != ".svg":
        raise UsageError(f"{plot} cannot be drawn: give a name that ends in .svg.")
    progress = render.Display()
    name = model or settings.load().model
    address.refuse(name, "`vibe bench` measures a model file")
    chosen = installed.choose(name, progress.say)
    with as_ctrl_c():  # or the programs beside us go on without us
        found = benching.run(chosen, request, depth, wanted, progress.say, busy=busy)
    measured = results.of_other_quants(found)
    if as_json:
        render.print_json(found.model_dump(mode="json"))
    else:
        for line in bench_report.lines(found, measured):
            render.print_line(line)
    if threads is None and not busy:  # after what was measured is said: neither of these may cost it
        results.keep(with_earlier(found, results.of(chosen.path)))
    if plot:
        write_atomic(plot, bench_report.draw(measured))
