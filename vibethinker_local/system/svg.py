"""What all our charts share: an SVG document with a title, two named axes and a legend. Knows nothing of the data."""

from collections.abc import Iterable, Iterator
from html import escape

WIDTH, HEIGHT = 780, 420
LEFT, RIGHT, TOP, BOTTOM = 64, 200, 48, 56  # margins
BLACK, GREY = "#000000", "#999999"
# Okabe and Ito's palette, safe for the colour-blind.
BLUE, RED, GREEN, PINK, SKY, ORANGE = COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")


def document(title: str, across: str, up: str, shapes: Iterable[str], note: str = "") -> str:
    """The whole chart; `across` and `up` label the axes, and a `note` stands below the title."""
    middle, centre = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
            f'height="{HEIGHT}" font-family="sans-serif" font-size="12" fill="#222">',
            '<rect width="100%" height="100%" fill="#fff"/>',
            f'<text x="{LEFT}" y="24" font-size="15">{escape(title)}</text>',
            f'<text x="{LEFT}" y="40" fill="#666">{escape(note)}</text>',
            f'<text x="{middle}" y="{HEIGHT - 14}" text-anchor="middle">{escape(across)}</text>',
            f'<text transform="translate(16 {centre}) rotate(-90)" text-anchor="middle">{escape(up)}</text>',
            *shapes,
            "</svg>",
        )
    )


def level(y: float, label: str) -> Iterator[str]:
    """A horizontal grid line with its label."""
    yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
    yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'


def tick(x: float, label: str) -> str:
    """A label on the horizontal axis."""
    return f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{label}</text>'


def legend(number: int, label: str, colour: str, dashes: str = "") -> Iterator[str]:
    y = TOP + 20 * number
    yield f'<path d="M{WIDTH - RIGHT + 14} {y}h24" stroke="{colour}" stroke-width="2"{dashes}/>'
    yield f'<text x="{WIDTH - RIGHT + 44}" y="{y + 4}">{escape(label)}</text>'
