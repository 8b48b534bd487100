"""Draws who imports whom, by folder: `python -m tests.measure.architecture > docs/pictures/architecture.svg`.

A folder stands one row above the highest folder it imports. Dark lines are the imports that no chain of others implies;
the rest is grey.
"""

from collections import defaultdict
from statistics import fmean

from tests.imports import MODULES, imports, layer

BOX, GAP, ROW, MARGIN = (96, 30), 28, 74, 20  # pixels
Graph = dict[str, set[str]]


def folders() -> Graph:
    """Which folder imports which; `quantize` and the app's own."""
    graph: Graph = defaultdict(set)
    for module, path in MODULES.items():
        here = layer(module) or module.split(".")[0]
        for other in filter(MODULES.__contains__, imports(path)):
            there = layer(other) or other.split(".")[0]
            if "vibethinker_local" not in (here, there) and there != here:
                graph[here].add(there)
            graph[there] |= set()
    graph.pop("vibethinker_local", None)  # the package itself: its version and its door
    return dict(graph)


def rows(graph: Graph) -> list[list[str]]:
    """The folders from the lowest row to the highest, each as near as can be to what it imports."""
    height: dict[str, int] = {}
    while len(height) < len(graph):
        ready = [name for name in graph if name not in height and graph[name] <= height.keys()]
        height |= {name: 1 + max((height[other] for other in graph[name]), default=-1) for name in ready}
    levels: list[list[str]] = []
    place: dict[str, float] = {}
    for level in range(max(height.values()) + 1):
        names = sorted(name for name in graph if height[name] == level)
        names.sort(key=lambda name: fmean([place[other] for other in graph[name]] or [0]))
        place |= {name: i - (len(names) - 1) / 2 for i, name in enumerate(names)}
        levels.append(names)
    return levels


def reachable(graph: Graph, start: str) -> set[str]:
    """What a folder imports, by others too."""
    return graph[start].union(*(reachable(graph, other) for other in graph[start]))


def draw(graph: Graph) -> str:
    """The picture as SVG."""
    levels = rows(graph)
    wide = max(map(len, levels))
    width, height = 2 * MARGIN + wide * (BOX[0] + GAP) - GAP, 2 * MARGIN + len(levels) * ROW - (ROW - BOX[1])
    middles = {
        name: (width / 2 + (i - (len(level) - 1) / 2) * (BOX[0] + GAP), height - MARGIN - BOX[1] / 2 - number * ROW)
        for number, level in enumerate(levels)
        for i, name in enumerate(level)
    }
    grey: list[str] = []
    dark: list[str] = []
    boxes: list[str] = []
    labels: list[str] = []
    for name, (x, y) in middles.items():
        for other in sorted(graph[name]):
            implied = any(other in reachable(graph, between) for between in graph[name])
            to_x, to_y = middles[other]
            (grey if implied else dark).append(f"M{x:.0f} {y + BOX[1] / 2:.0f}L{to_x:.0f} {to_y - BOX[1] / 2:.0f}")
        boxes.append(f"M{x - BOX[0] / 2:.0f} {y - BOX[1] / 2:.0f}h{BOX[0]}v{BOX[1]}h-{BOX[0]}z")
        labels.append(f'<text x="{x:.0f}" y="{y + 4:.0f}">{name}</text>')
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" font-family="sans-serif" font-size="13" text-anchor="middle">',
            '<rect width="100%" height="100%" fill="#fff"/>',
            f'<path d="{"".join(grey)}" stroke="#ddd"/>',
            f'<path d="{"".join(dark)}" stroke="#0072b2" stroke-width="1.5"/>',
            f'<path d="{"".join(boxes)}" stroke="#0072b2" fill="#f4f7fb"/>',
            *labels,
            "</svg>",
        )
    )


if __name__ == "__main__":
    print(draw(folders()))
