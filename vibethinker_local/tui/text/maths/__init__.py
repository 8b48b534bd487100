"""LaTeX as text that reads as maths: `inline` in one line, `display` in as many as a fraction or a matrix takes.

Libraries were looked at first: pylatexenc reads \\frac{a+b}{c} as a+b/c, flatlatex and unicodeit leave most commands.
The reader is imported with the first formula: the first screen has none.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from vibethinker_local.tui.text.maths.symbols import BOX, BrokenLatex

__all__ = ["BOX", "BrokenLatex", "display", "inline", "is_environment"]


def inline(source: str) -> str:
    """A formula in one line. What is \\boxed stands between the two characters of BOX. Raises BrokenLatex."""
    from vibethinker_local.tui.text.maths import latex, line

    with _bounded():
        return line.linear(latex.parse(source)).strip()


def display(source: str) -> list[str]:
    """A formula in lines, as many as it takes. Raises BrokenLatex."""
    from vibethinker_local.tui.text.maths import block, latex

    with _bounded():
        return block.text_lines(latex.parse(source))


@contextmanager
def _bounded() -> Iterator[None]:
    """The reader counts how deep it goes; what gets past that must not end the chat."""
    try:
        yield
    except RecursionError:
        raise BrokenLatex("too deep") from None


def is_environment(name: str) -> bool:
    """Whether \\begin{name} begins a formula."""
    from vibethinker_local.tui.text.maths import latex

    return name in latex.ENVIRONMENTS
