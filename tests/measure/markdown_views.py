"""The chat's view of an answer beside Textual's Markdown, on one text of many constructs that grows token by token.

    python -m tests.measure.markdown_views [--rounds 5]

Prints, for each: seconds of processor time for the whole text, milliseconds from an update to its paint (median, 95th
percentile, most), and which of the constructs can be read in the end. In turn, in one process, without a terminal.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Markdown

from vibethinker_local.tui.widgets.answer import AnswerView

CONSTRUCTS = {  # what is written → what has to be read
    "# First heading": "First heading",
    "## Second heading": "Second heading",
    "### Third heading": "Third heading",
    "**bold** and *italic*": "bold and italic",
    "~~struck~~": "struck",
    "`inline code`": "inline code",
    "- one\n- two\n    - three": "three",
    "1. first\n2. second": "second",
    "7) seventh\n8) eighth": "eighth",
    "> quoted\n> > twice": "twice",
    "---": "─",
    "| a | b |\n| --- | ---: |\n| left | right |": "right",
    "```python\nprint('x')\n```": "print('x')",
    "```\nno language\n```": "no language",
    "~~~\ntildes\n~~~": "tildes",
    "    indented code": "indented code",
    "$x^2 + y^2$": "x² + y²",
    "\\(a_1 \\le b\\)": "a₁ ≤ b",
    "\\[ \\frac{1}{2} \\]": "─",
    "$$ \\sum_{k=1}^n k $$": "∑",
    "\\boxed{42}": "42",
    "$\\sqrt{2}$": "√2",
    "$\\alpha \\to \\beta$": "α → β",
    "$\\binom{5}{2}$": "5",
    "$\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}$": "3",
    "It costs $5 and $6.": "It costs $5 and $6.",
    "2*3*4 = 24": "2*3*4 = 24",
    "a_b_c and snake_case_name": "snake_case_name",
    "5 < 6 > 4 & so on": "5 < 6 > 4 & so on",
    "<b>no html</b>": "<b>no html</b>",
    "[a link](https://example.org)": "https://example.org",
    "![picture](x.png)": "picture",
    "https://example.org/plain": "https://example.org/plain",
    "[bold red]no markup[/]": "[bold red]no markup[/]",
    "\\* an escaped star": "* an escaped star",
    "$\\frac{1}{$ broken": "broken",
    "`` a ` tick ``": "a ` tick",
    "- [x] a task": "a task",
    "line one  \nline two": "line two",
    "日本語 and emoji 🙂": "日本語 and emoji 🙂",
    "e\u0301 combining": "e\u0301 combining",
    "A very " + "long " * 40 + "line": "line",
    "f(x) = x**2": "x**2",
    "Step 1: do\nStep 2: done": "Step 2: done",
    "***both***": "both",
    "\\begin{align} a &= b \\\\ c &= d \\end{align}": "c",
    "$f'(x)$": "f′(x)",
    "$\\text{if } x > 0$": "if x > 0",
    "$10\\%$": "10%",
    "$\\mathbb{R}$": "ℝ",
    "$\\infty$": "∞",
    "$x \\in \\{1, 2\\}$": "x ∈ {1, 2}",
    "$\\lfloor x \\rfloor$": "⌊x⌋",
    "$\\angle ABC = 90^\\circ$": "90°",
    "$a \\equiv b \\pmod{n}$": "mod n",
    "$\\vec{v}$": "v",
    "$\\int_0^1 x\\,dx$": "∫",
    "```rust\nfn main() {}\n```": "fn main() {}",
    "| $x$ | $x^2$ |\n| --- | --- |\n| 2 | $4$ |": "x²",
    "The end.": "The end.",
}
TEXT = "\n\n".join(CONSTRUCTS)
PIECE = 4  # characters, about a token


class Ours(App[None]):
    CSS = "AnswerView { height: auto; }"

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield AnswerView()


class Theirs(App[None]):
    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Markdown()


async def grown(app: App[None], writer: Callable[[App[None]], Callable[[str], Awaitable[None]]]) -> dict[str, object]:
    async with app.run_test(size=(110, 400)) as pilot:
        write, waits = writer(app), list[float]()
        processor = time.process_time()
        for begin in range(0, len(TEXT), PIECE):
            began = time.perf_counter()
            await write(TEXT[begin : begin + PIECE])
            await pilot.pause()
            waits.append(1000 * (time.perf_counter() - began))
        processor = time.process_time() - processor
        if isinstance(app, Ours):
            app.query_one(AnswerView).show(TEXT)
        else:
            await pilot.pause(1.0)  # its stream writes behind
        await pilot.pause(0.2)
        strips = app.screen._compositor.render_strips()
        shown = "\n".join("".join(segment.text for segment in line) for line in strips)
    lost = [written for written, read in CONSTRUCTS.items() if read not in shown]
    return {"processor": processor, "waits": waits, "lost": lost}


def ours(app: App[None]) -> Callable[[str], Awaitable[None]]:
    view = app.query_one(AnswerView)

    async def write(text: str) -> None:
        view.grow(text)

    return write


def theirs(app: App[None]) -> Callable[[str], Awaitable[None]]:
    stream = Markdown.get_stream(app.query_one(Markdown))
    return stream.write


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    for number in range(rounds):
        for name, app, writer in (("ours", Ours, ours), ("Textual", Theirs, theirs)):
            found = asyncio.run(grown(app(), writer))
            waits, lost = found["waits"], found["lost"]
            assert isinstance(waits, list)
            assert isinstance(lost, list)
            middle, high = statistics.median(waits), statistics.quantiles(waits, n=20)[-1]
            print(
                f"{name:<8} processor {found['processor']:6.2f} s · to paint {middle:5.1f} ms, 95% {high:5.1f},"
                f" most {max(waits):6.1f} · {len(CONSTRUCTS) - len(lost)} of {len(CONSTRUCTS)} read"
            )
            if number == 0 and lost:
                print("  not read:", *(repr(one[:40]) for one in lost), sep="\n    ")


if __name__ == "__main__":
    main()
