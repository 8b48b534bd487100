"""Accuracy against tokens as an SVG chart: one curve per policy, with its 95% interval as a band."""

import math
from collections.abc import Iterator

from vibethinker_local.eval.report import PolicyReport, PolicyRow
from vibethinker_local.system import svg
from vibethinker_local.system.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH

# Policies that only vary another one are left out.
COLOURS = {
    "single": svg.BLACK,
    "majority": svg.BLUE,
    "adaptive": svg.SKY,
    "clr": svg.RED,
    "permuted": svg.GREY,
    "fitted": svg.PINK,
    "oracle": svg.GREEN,
}


def draw(report: PolicyReport, title: str) -> str:
    curves = {name: [row for row in report.policies if row.name == name] for name in COLOURS}
    curves = {name: sorted(rows, key=lambda row: row.k) for name, rows in curves.items() if rows}
    frame = _Frame([row for rows in curves.values() for row in rows])
    shapes = [*frame.axes()]
    for number, (name, rows) in enumerate(curves.items()):
        shapes += _curve(frame, name, rows)
        shapes += svg.legend(number, name, COLOURS[name])
    return svg.document(title, "generated tokens per problem", "right, % of problems", shapes)


class _Frame:
    """The position of values in the picture: tokens on a logarithmic axis, accuracy on a linear one."""

    def __init__(self, rows: list[PolicyRow]) -> None:
        tokens = [max(1.0, row.tokens_per_problem) for row in rows]
        self._begin, self._end = math.log2(min(tokens)), math.log2(max(tokens))
        self._bottom = math.floor(10 * min(row.low for row in rows)) / 10
        self._top = max(self._bottom + 0.1, math.ceil(10 * max(row.high for row in rows)) / 10)

    def x(self, tokens: float) -> float:
        width = max(self._end - self._begin, 1e-9)
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log2(max(1.0, tokens)) - self._begin) / width

    def y(self, accuracy: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (accuracy - self._bottom) / (self._top - self._bottom)

    def axes(self) -> Iterator[str]:
        for step in range(round(10 * self._bottom), round(10 * self._top) + 1):
            yield from svg.level(self.y(step / 10), str(10 * step))
        for power in range(math.ceil(self._begin), math.floor(self._end) + 1):
            yield svg.tick(self.x(2.0**power), f"{2**power:,}")


def _curve(frame: _Frame, name: str, rows: list[PolicyRow]) -> Iterator[str]:
    colour = COLOURS[name]
    places = [(frame.x(row.tokens_per_problem), row) for row in rows]
    upper = [f"{x:.1f},{frame.y(row.high):.1f}" for x, row in places]
    lower = [f"{x:.1f},{frame.y(row.low):.1f}" for x, row in reversed(places)]
    line = " ".join(f"{x:.1f},{frame.y(row.accuracy):.1f}" for x, row in places)
    yield f'<polygon points="{" ".join(upper + lower)}" fill="{colour}" fill-opacity="0.12"/>'
    yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, row in places:
        yield f'<circle cx="{x:.1f}" cy="{frame.y(row.accuracy):.1f}" r="3" fill="{colour}"/>'
