"""The recipe report as one SVG picture: file size against KL divergence, on a logarithmic scale, with intervals.

Knows what is drawn and where; colours and shapes stand for how a file was built.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from vibethinker_local.system import svg
from vibethinker_local.system.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH

from .output import write_whole
from .recipes import Measured, Report

LEAST = 1e-7  # what the scale can show
COLOURS = {False: svg.RED, True: svg.BLUE}  # without and with an importance matrix


@dataclass(frozen=True)
class Axis:
    """Maps numbers from `low` to `high` onto pixels from `begin` to `end`."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)


def write(report: Report, out: Path) -> None:
    write_whole(out, draw(report).encode())


def draw(report: Report) -> str:
    """`report` holds one recipe at least."""
    measured, conditions = report.measured, report.conditions
    unit, scale = ("GB", 1e9) if max(m.size for m in measured) >= 1e8 else ("MB", 1e6)
    sizes = [m.size / scale for m in measured]
    spread = (max(sizes) - min(sizes)) * 0.08 or max(sizes) * 0.1
    x = Axis(min(sizes) - spread, max(sizes) + spread, LEFT, WIDTH - RIGHT)
    least = min(_floor(m) for m in measured)
    most = max(m.quality.mean_divergence.high for m in measured)
    y = Axis(math.log10(least / 1.2), math.log10(max(most, 2 * least) * 1.2), HEIGHT - BOTTOM, TOP)
    note = f"{conditions.chunks} chunks of {conditions.chunk_size} tokens of {conditions.text}; bars: 95% intervals"
    shapes = [*_grid(x, y)]
    for entry, size in zip(measured, sizes, strict=True):
        shapes += _mark(entry, x.at(size), y)
    shapes += _names(measured, [x.at(size) for size in sizes], y)
    shapes += _legend(measured)
    title, across, up = "KL divergence from the original", f"file size in {unit}", "mean KL divergence, natural log"
    return svg.document(title, across, up, shapes, note) + "\n"


def _floor(measured: Measured) -> float:
    """The lower end of the interval, or of what a logarithmic scale can show of it."""
    divergence = measured.quality.mean_divergence
    return max(divergence.low, divergence.value / 10, LEAST)


def _grid(x: Axis, y: Axis) -> Iterator[str]:
    for number in (digit * 10.0**power for power in range(-8, 3) for digit in (1, 2, 5)):
        if y.low <= math.log10(number) <= y.high:
            yield from svg.level(y.at(math.log10(number)), f"{number:g}")
    for i in range(5):
        size = x.low + (x.high - x.low) * i / 4
        yield svg.tick(x.at(size), f"{size:.2f}")


def _mark(measured: Measured, x: float, y: Axis) -> Iterator[str]:
    recipe, divergence = measured.recipe, measured.quality.mean_divergence
    colour = COLOURS[recipe.importance]
    ends = [y.at(math.log10(end)) for end in (_floor(measured), max(divergence.high, LEAST))]
    middle = y.at(math.log10(max(divergence.value, LEAST)))
    yield f'<line x1="{x:.1f}" y1="{ends[0]:.1f}" x2="{x:.1f}" y2="{ends[1]:.1f}" stroke="{colour}"/>'
    yield _shape(x, middle, colour, recipe.embedding)


def _names(measured: Sequence[Measured], xs: Sequence[float], y: Axis) -> Iterator[str]:
    """Each type once, for the others of a type lie close by; moved up where another name is in the way."""
    placed: dict[str, tuple[float, float]] = {}
    for entry, x in zip(measured, xs, strict=True):
        label = entry.recipe.label
        at = y.at(math.log10(max(entry.quality.mean_divergence.value, LEAST))) + 4
        while any(abs(at - b) < 12 and -7 * len(other) < a - x < 7 * len(label) for other, (a, b) in placed.items()):
            at -= 2
        if label not in placed:
            placed[label] = x, at
            yield f'<text x="{x + 8:.1f}" y="{at:.1f}">{escape(label)}</text>'


def _shape(x: float, y: float, colour: str, embedding: str | None) -> str:
    if embedding == "Q8_0":
        return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="{colour}"/>'
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>'


def _legend(measured: Sequence[Measured]) -> Iterator[str]:
    kinds = sorted({(m.recipe.importance, m.recipe.embedding or "") for m in measured})
    for i, (importance, embedding) in enumerate(kinds):
        y = TOP + 10 + 34 * i
        yield _shape(WIDTH - RIGHT + 16, y, COLOURS[importance], embedding)
        yield f'<text x="{WIDTH - RIGHT + 26}" y="{y + 4}">{"with" if importance else "without"} matrix</text>'
        if embedding:
            yield f'<text x="{WIDTH - RIGHT + 26}" y="{y + 18}" fill="#666">embedding {embedding}</text>'
