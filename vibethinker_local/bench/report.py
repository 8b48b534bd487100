"""Benchmark results as a table, with the best quant for each number of Sequences, and as an SVG chart."""

from collections.abc import Callable, Iterator, Sequence

from vibethinker_local.models.results import Decode, Figures, PeerRatio, fastest
from vibethinker_local.system import svg
from vibethinker_local.system.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from vibethinker_local.system.units import counted, figure


def lines(found: Figures, files: Sequence[Figures]) -> Iterator[str]:
    """The results as a table, ratios first. `files` are the results for all quants of the model, to compare them."""
    if found.peers:
        yield f"Ratios, by medians of {found.peers[0].rounds} rounds in turn (lowest–highest)"
        yield from map(_ratio, found.peers)
        yield ""
    yield f"{found.model.file}, {found.model.quant}, on {found.machine.processor}, {_threads(found)}"
    for row in found.prefill:
        yield f"prefill of {row.tokens:,} tokens: {_rate(row.tokens_per_second, row.low, row.high)}"
    yield "Sequences  tokens/s together, sampling included     sampling, ms per token"
    for rate in (*found.decode, *found.deep):
        deep = f", {rate.depth:,} tokens deep" if rate.depth else ""
        shown = _rate(rate.tokens_per_second, rate.low, rate.high) + deep
        yield f"{rate.sequences:>9}  {shown:<42}  {rate.sampling_ms_per_token:.2f}"
    best = fastest(files)
    quants = [f"{count}: {other.model.quant} ({figure(other.rate(count))} tokens/s)" for count, other in best.items()]
    if quants:
        yield f"Fastest of the {len(files)} files of this model, by the number of Sequences: {', '.join(quants)}"


def _threads(found: Figures) -> str:
    return counted(found.machine.threads, "thread")


def _ratio(row: PeerRatio) -> str:
    values = f"{figure(row.ours)} by {row.peer}'s {figure(row.theirs)} {row.unit}"
    return f"  {row.ratio:.3f} ({row.low:.3f}–{row.high:.3f})  {row.what}: {values}"


def _rate(median: float, low: float, high: float) -> str:
    return f"{figure(median)} ({figure(low)}–{figure(high)})"


def draw(files: Sequence[Figures]) -> str:
    """The decoding rates of several files; dashed lines are those at depth. Each file needs a row of `decode`."""
    curves = [(found, rows) for found in files for rows in (found.decode, found.deep) if rows]
    counts = sorted({row.sequences for _, rows in curves for row in rows})
    top = _round_up(max(row.high for _, rows in curves for row in rows))

    def x(sequences: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * sequences / counts[-1]

    def y(rate: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * rate / top

    shapes = [line for step in range(6) for line in svg.level(y(top * step / 5), f"{top * step / 5:g}")]
    shapes += [svg.tick(x(count), str(count)) for count in counts]
    colours = {found.model.file: svg.COLOURS[n % len(svg.COLOURS)] for n, found in enumerate(files)}
    for number, (found, rows) in enumerate(curves):
        colour, deep = colours[found.model.file], rows is found.deep
        dashes = ' stroke-dasharray="6 4"' if deep else ""
        label = found.model.quant + (f", {rows[0].depth:,} deep" if deep else "")
        points = " ".join(f"{x(row.sequences):.1f},{y(row.tokens_per_second):.1f}" for row in rows)
        shapes.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>')
        shapes += [_mark(x(row.sequences), y, row, colour) for row in rows]
        shapes += svg.legend(number, label, colour, dashes)
    title = f"Decoding on {files[0].machine.processor}, {_threads(files[0])}"
    return svg.document(title, "Sequences at once", "tokens per second, together", shapes)


def _mark(x: float, y: Callable[[float], float], row: Decode, colour: str) -> str:
    """A dot at the median, and a bar from the lowest repetition to the highest."""
    bar = f'<path d="M{x:.1f} {y(row.low):.1f}V{y(row.high):.1f}" stroke="{colour}"/>'
    return f'{bar}<circle cx="{x:.1f}" cy="{y(row.tokens_per_second):.1f}" r="3.5" fill="{colour}"/>'


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5 or 10 times a power of ten, so that fifths of it are round."""
    power = 10.0 ** len(str(int(value))) / 10
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= value)
