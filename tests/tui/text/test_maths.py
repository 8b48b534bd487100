"""Formulas as text: right, readable, and left alone where they are broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibethinker_local.tui.text.maths import BOX, BrokenLatex, display, inline

LINES = [
    (r"\frac{a+b}{c}", "(a + b)/c"),
    (r"\frac12 x", "(1/2)x"),
    (r"2\frac{1}{3}", "2 1/3"),
    (r"-12\frac12 + \dfrac{1}{2}", "−12 1/2 + 1/2"),
    (r"1,000\frac12\text{ m}", "1,000 1/2 m"),
    (r"2\frac13 x", "(2 1/3)x"),
    (r"x^{2\frac13}", "x^(2 1/3)"),
    (r"\frac{2\frac13}{5}", "(2 1/3)/5"),
    (r"x^2\frac12", "x²(1/2)"),
    (r"\sqrt{2}\frac12", "√2(1/2)"),
    (r"(x+1)\frac{1}{2}", "(x + 1)(1/2)"),
    (r"\frac12\frac34", "(1/2)(3/4)"),
    (r"2\frac{3x}{5}", "2(3x/5)"),
    (r"2\frac{.5}{3}", "2(.5/3)"),
    (r"a/\frac{b}{c}", "a/(b/c)"),
    (r"a\frac{b}{c}", "ab/c"),
    (r"|\frac12 - x|", "|1/2 − x|"),
    (r"3x\cdot\frac{2}{5}y + \frac{a}{b}", "3x · (2/5)y + a/b"),
    (r"\frac{n(n+1)(2n+1)}{6}", "n(n + 1)(2n + 1)/6"),
    (r"\frac{1}{2a}", "1/(2a)"),
    (r"\sqrt{b^2-4ac}", "√(b² − 4ac)"),
    (r"\sqrt2 + \sqrt[3]{x}", "√2 + ∛x"),
    (r"x_{n+1}^{2k}", "xₙ₊₁²ᵏ"),
    (r"a_{i,j}", "a_(i,j)"),
    (r"e^{i\pi}+1=0", "e^(iπ) + 1 = 0"),
    (r"2^{10}=1{,}024", "2¹⁰ = 1,024"),
    (r"1,000\cdot 2", "1,000 · 2"),
    (r"-3\times(-4)", "−3 × (−4)"),
    (r"\text{if } n \in \mathbb{Z}", "if n ∈ ℤ"),
    (r"\alpha\le\beta\implies A\subseteq B\cup\{x\}", "α ≤ β ⟹ A ⊆ B ∪ {x}"),
    (r"\sum_{i=1}^{n} i^2", "∑ᵢ₌₁ⁿ i²"),
    (r"\lim_{x\to 0}\frac{\sin x}{x}", "lim_(x→0) (sin x)/x"),
    (r"\int_0^\infty e^{-x}\,dx", "∫₀^∞ e⁻ˣ dx"),
    (r"\binom{n}{k}", "C(n, k)"),
    (r"\lfloor x\rfloor \equiv 3\pmod{7}", "⌊x⌋ ≡ 3  (mod 7)"),
    (r"\left(\frac{1}{2}\right)^n", "(1/2)ⁿ"),
    (r"90^\circ", "90°"),
    (r"f'(x) = \overline{AB}", "f′(x) = A̅B̅"),
    (r"A = \begin{pmatrix}a&b\\c&d\end{pmatrix}", "A = (a, b; c, d)"),
    (r"\not\in", "∉"),
    (r"10\%", "10%"),
    (r"\displaystyle\mathrm{d}x", "dx"),
    (r"\operatorname{lcm}(a,b)", "lcm(a, b)"),
    (r"n!", "n!"),
    (r"a\phantom{bc}d", "a  d"),
    (r"x + \hphantom{10}3", "x +   3"),
    (r"\vphantom{\frac12}y + \smash[b]{z}", "y + z"),
    (r"2\pi*r + \alpha*\beta", "2π * r + α * β"),
    (r"\operatorname*{lcm}(a, b)\hspace*{1cm}\tag*{A}", "lcm(a, b)  A"),
    (r"25% \times 80 = 20", "25% × 80 = 20"),
    (r"\text{left after 30%} = 0.3 \times 80", "left after 30% = 0.3 × 80"),
    ("x = y % it is\n+ 1 %\n%\n+ 2", "x = y + 1 + 2"),
    (r"\text{\$5 or $x$, or \$6}", "$5 or x, or $6"),
    (r"\text{for $5 each}", "for $5 each"),
    ("a = $5 + $10", "a = $5 + $10"),
    (r"5\mathrm{~cm}^2 + 3\mathrm{~m} + 2\text{~kg}", "5 cm² + 3 m + 2 kg"),
    (r"5\mathrm{ cm }", "5 cm"),
    (r"\operatorname{arg\,max}_x f", "arg maxₓ f"),
    (r"{n \choose k} + {a+b \over 2}", "C(n, k) + (a + b)/2"),
    (r"\cancel{2x} \overleftrightarrow{AB}", "2̸x̸AB⃡"),
    (r"\large x", "x"),
]


@pytest.mark.parametrize(("source", "line"), LINES)
def test_one_line(source: str, line: str) -> None:
    assert inline(source) == line


def test_a_chain_of_powers_is_read_however_long_it_is() -> None:
    assert inline("x" + "^2" * 500) == "x" + "²" * 500
    assert len(display("x^" * 500 + "x")) == 1


def test_what_is_boxed_is_marked() -> None:
    assert inline(r"\boxed{7\frac12}") == f"{BOX[0]}7 1/2{BOX[1]}"
    assert inline(r"x = \boxed{\dfrac{3}{4}}") == f"x = {BOX[0]}3/4{BOX[1]}"


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (r"x=\frac{-b}{2a}", ["     −b", "x = ────", "     2a"]),
        (r"\begin{aligned}x&=1\\yy&=22\end{aligned}", [" x = 1", "yy = 22"]),
        (r"\begin{aligned}x&=1&y&=2\\xx&=3\end{aligned}", [" x = 1    y = 2", "xx = 3"]),
        (r"\begin{bmatrix}1&-2\\30&4\end{bmatrix}", ["⎡1   −2⎤", "⎣30  4 ⎦"]),
        (r"\begin{cases}1&x>0\\0&x\le 0\end{cases}", ["⎧ 1  x > 0", "⎩ 0  x ≤ 0"]),
        (r"\begin{dcases}1&x>0\\0&x\le 0\end{dcases}", ["⎧ 1  x > 0", "⎩ 0  x ≤ 0"]),
        (r"{n+1 \over 2}", [" n + 1", "───────", "   2"]),
        (r"\sum_{k=0}^{n} k", [" n", " ∑  k", "k=0"]),
        (r"\begin{pmatrix*}[r]1&-2\\30&4\end{pmatrix*}", ["⎛1   −2⎞", "⎝30  4 ⎠"]),
        (r"\begin{pmatrix}[1]&2\end{pmatrix}", ["([1]  2)"]),
        (r"\begin{array}[t]{cc}1&2\end{array}", ["1  2"]),
        (r"\begin{alignat*}{2}x&=1\\\phantom{x}&=2\end{alignat*}", ["x = 1", "  = 2"]),
        (r"\boxed{84}", ["┌────┐", "│ 84 │", "└────┘"]),
        (r"\left(\frac{1}{2}\right)^n", ["⎛ 1 ⎞ⁿ", "⎜───⎟", "⎝ 2 ⎠"]),
        (r"a \\ b", ["a", "b"]),
        (r"\begin{array}{c|c}\hline x & 1 \\ \hline f & 2 \\ \cline{1-2}\end{array}", ["x  1", "f  2"]),
        (r"\sum_{\substack{i<n \\ i\ne k}} i", ["     ∑       i", "i < n; i ≠ k"]),
        (r"x^2", ["x²"]),
        (r"x = \begin{matrix} \\ \\ \end{matrix}", ["x =", ""]),
    ],
)
def test_several_lines(source: str, lines: list[str]) -> None:
    assert display(source) == lines


@pytest.mark.parametrize(
    "source",
    [
        *(
            "$ x",
            "{",
            "}",
            r"\frac{1}",
            r"\frac",
            "x^",
            "^",
            "_{",
            r"\left(",
            r"\begin{pmatrix}1",
            r"\foo{x}",
            "a\\",
            "x_1_2",
        ),
        *(
            r"\begin{tikzpicture}\end{tikzpicture}",
            r"\text{a",
            r"\sqrt[3",
            "$",
            "{" * 500,
            r"\sqrt" * 400 + "2",
            "x" * 10_000,
            r"\left a b",
        ),
    ],
)
def test_broken(source: str) -> None:
    for typeset in (inline, display):
        with pytest.raises(BrokenLatex):
            typeset(source)


PIECES = [*"\\{}[]()^_&$ab1+-=,|' ", "\\frac", "\\sqrt", "\\left", "\\right", "\\\\", "\\begin{cases}", "\\end{cases}"]
PIECES += ["\\begin{matrix}", "\\end{matrix}", "\\xrightarrow", "\\hat", "\u200d"]
PIECES += [piece * 600 for piece in ("\\sqrt", "\\frac", "\\hat", "x^", " ^2", "'", "{")]  # deep, or long


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_anything_is_shown_or_broken(source: str) -> None:
    try:
        line = inline(source)
    except BrokenLatex:
        return
    assert "\n" not in line
    assert display(source)
