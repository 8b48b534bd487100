"""The model's text as Markdown: formulas become readable, code stays code, and pieces make no difference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibethinker_local.tui.text.markdown import MarkdownReader, closed, readable, whole


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("So:\n\n```python\ndef f(x):", "\n```"),
        ("~~~~\nx\n", "~~~~"),
        ("> ```\n> x\n", "> ```"),
        ("1. ```\n   x\n", "   ```"),
        ("```\nx\n```\nDone.", ""),
        ("Done.\n", ""),
    ],
)
def test_code_that_was_cut_is_closed(text: str, end: str) -> None:
    assert closed(text) == text + end


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("So $x^2$ is it.", "So x² is it."),
        ("So \\(x_1\\) is it.", "So x₁ is it."),
        ("It costs $5 and $10, or $3.", "It costs \\$5 and \\$10, or \\$3."),
        ("Let $ x = 5 $ and $ \\pi $, or $ n $.", "Let x \\= 5 and π, or n."),
        ("It costs $ 5 and $ 10, $ 5 - a bit to $ 4.", "It costs \\$ 5 and \\$ 10, \\$ 5 - a bit to \\$ 4."),
        ("a lot of $ for $ x\n= 5 $", "a lot of \\$ for \\$ x\n= 5 \\$"),
        ("The answer is $\\boxed{16}$.", "The answer is `16`."),
        ("The answer is \\boxed{16}.", "The answer is `16`."),
        ("*no* $a*b*c$", "*no* a \\* b \\* c"),
        ("`$x^2$` and ``\\(a`b\\)``", "`$x^2$` and ``\\(a`b\\)``"),
        ("```py\n$x^2$ \\(y\\)\n```\n$x^2$", "```py\n$x^2$ \\(y\\)\n```\nx²"),
        ("```x = 1``` is $x^2$\n- ```y``` is $y$", "```x = 1``` is x²\n- ```y``` is y"),
        ("```py\n$x$", "```py\n$x$"),
        ("\\(x and\n\n\\(y^2\\)", "\\\\(x and\n\ny²"),
        ("\\(x and \\(y\\)", "\\\\(x and y"),
        ("\\(a\\\\(b)\\)", "a; (b)"),
        ("Broken: $\\frac{1$ there", "Broken: `$\\frac{1$` there"),
        ("open \\[ for ever", "open \\\\\\[ for ever"),
        ("\\alpha outside", "\\\\alpha outside"),
        ("an escape \\* stays", "an escape \\* stays"),
        ("So \\[x = \\frac{1}{2}.\\]\nDone", "So \n\n```maths\n     1\nx = ───.\n     2\n```\n\nDone"),
        ("$$x$$", "```maths\nx\n```\n"),
        ("- item $$x$$", "- item \n\n  ```maths\n  x\n  ```\n  "),
        ("> quoted \\[x^2\\]", "> quoted x²"),
        ("| $a$ | \\[b^2\\] |", "| a | b² |"),
        ("\\begin{align}a&=b\\end{align}", "```maths\na = b\n```\n"),
        ("\\begin{itemize}", "\\\\begin{itemize}"),
        ("a\x1b[2Jb\u202ec\r\n", "a[2Jbc\n"),
        ("$x$" * 3, "xxx"),
        ("$" * 7, "\\$\\$\\$\\$\\$\\$\\$"),
    ],
)
def test_what_comes_out(text: str, markdown: str) -> None:
    assert whole(text) == markdown


ALPHABET = [
    *"ab1 \n`$\\[](){}*_|>-~",
    "```",
    "- ",
    "1. ",
    "\n- ```",
    "\\(",
    "\\)",
    "\\[",
    "\\]",
    "$$",
    "\\frac{1}{2}",
    "\\boxed{",
    "\n\n",
    "\\begin{cases}",
]


@given(st.lists(st.lists(st.sampled_from(ALPHABET), max_size=8).map("".join), max_size=12))
def test_pieces_make_no_difference(pieces: list[str]) -> None:
    reader = MarkdownReader()
    grown = "".join(reader.feed(piece) for piece in pieces) + reader.flush()
    assert grown == whole("".join(pieces))


@given(st.lists(st.sampled_from(ALPHABET), max_size=40))
def test_letter_by_letter(pieces: list[str]) -> None:
    text, reader = "".join(pieces), MarkdownReader()
    assert "".join(map(reader.feed, text)) + reader.flush() == whole(text)


def test_a_formula_that_does_not_end_holds_nothing_back_for_ever() -> None:
    reader = MarkdownReader()
    out = reader.feed("so \\[ " + "x " * 3000)
    assert out.startswith("so \\\\\\[ x x")


def test_a_hundred_thousand_characters_in_one_line() -> None:
    for unit in ("a", "$", "\\", "`", "\\[", "[", "*"):
        text = unit * (100_000 // len(unit))
        assert len(whole(text)) >= len(text) // 2


def test_questions_keep_their_text() -> None:
    assert readable("Is $n \\le 100$ or $5?") == "Is n ≤ 100 or $5?"
    assert readable("from $HOME to $PATH") == "from $HOME to $PATH"
    assert readable("*a* `$` $\\frac{1$") == "*a* `$` $\\frac{1$"
