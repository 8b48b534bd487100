"""LaTeX as text that reads as maths: `inline` in one line, `display` in as many as a fraction or a matrix takes.

Libraries were looked at first: pylatexenc reads \\frac{a+b}{c} as a+b/c, flatlatex and unicodeit leave most commands.
"""

from vibethinker_local.tui.text.maths.block import display
from vibethinker_local.tui.text.maths.latex import BrokenLatex, parse
from vibethinker_local.tui.text.maths.line import BOX, inline

__all__ = ["BOX", "BrokenLatex", "display", "inline", "parse"]
