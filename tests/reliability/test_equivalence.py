"""180 pairs of answers, asked both ways round; in doubt, they are different."""

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibethinker_local.reliability.checker import Checker
from vibethinker_local.reliability.equivalence import comparable, same

pytestmark = pytest.mark.xdist_group("checker")  # on one worker: SymPy takes its time to load

SAME = r"""
1/3 | \frac{1}{3}
1/3 | \dfrac13
0.5 | \frac{1}{2}
.5 | 0.50
1,234 | 1234
1{,}234 | 1234
1,000,000 | 10^6
10\% | 10%
10% | 0.1
50\% | \frac12
-1/2 | \frac{-1}{2}
-\frac{1}{2} | \frac{1}{-2}
2^{10} | 1024
10^{-3} | 0.001
1.5\times 10^3 | 1500
5\frac{1}{2} | 5.5
5\frac{1}{2} | \frac{11}{2}
3 | 3.0
+7 | 7
$42$ | 42
\$42 | 42
42. | 42
x=5 | 5
x = 5 | x=5
f(x) = x+1 | x+1
90^\circ | 90
90^{\circ} | 90°
\text{Yes} | yes
\textbf{No} | no
\mathrm{A} | A
(A) | A
B. | B
\text{(C)} | C
no solution | No Solution
(1,2) | (1, 2)
(1,2) | \left(1,2\right)
(1/2, 3) | (0.5, 3)
(\frac{1}{2},\sqrt{8}) | (0.5,2\sqrt{2})
\{1,2\} | \{2,1\}
\{1,2\} | \left\{ 1, 2 \right\}
1,2 | 2,1
1, 2, 3 | 3,2,1
\{0.5\} | \{1/2\}
[1,2] | [1, 2]
[0,1/2) | [0,0.5)
(-\infty,3] | (-\infty, 3]
\sqrt{8} | 2\sqrt{2}
\sqrt{12} | 2 \sqrt 3
\frac{1}{\sqrt{2}} | \frac{\sqrt{2}}{2}
\frac{2}{\sqrt{3}} | \frac{2\sqrt{3}}{3}
\pi/2 | \frac{\pi}{2}
2\pi | \pi \cdot 2
1+\sqrt{2} | \sqrt{2}+1
(\sqrt{2})^2 | 2
\sqrt[3]{8} | 2
\log_2 8 | 3
\binom{5}{2} | 10
5! | 120
(x+1)^2 | x^2+2x+1
x^2-1 | (x-1)(x+1)
\frac{a}{b} | a/b
\frac{n(n+1)}{2} | \frac{n^2+n}{2}
2x+3 | 3+2x
y=2x+1 | 2x+1
x^2+y^2=1 | y^2+x^2=1
3x | 3*x
3-4i | -4i+3
10 cm | 10 \text{ cm}
10\,\mathrm{cm} | 10 cm
17 apples | 17 \text{ apples}
\frac{1}{2} \text{ hour} | 0.5 hour
\varnothing | \emptyset
\begin{pmatrix}1\\2\end{pmatrix} | \begin{pmatrix} 1 \\ 2 \end{pmatrix}
\begin{pmatrix}0.5\\2\end{pmatrix} | \begin{pmatrix} \frac12 \\ 2 \end{pmatrix}
\displaystyle\frac{3}{4} | 3/4
1\,000 | 1000
12\,345\,678 | 12345678
10~\text{cm} | 10 cm
17 Apples | 17 apples
x=1, x=2 | 1,2
x = 1, y = 2 | y=2, x=1
x=0.5, y=2 | x=\frac12, y=2
100, 200 | 200, 100
x=100, 200 | 200, 100
(100, 200) | (100,200)
\pm 2 | 2,-2
x = \pm\sqrt{8} | -2\sqrt{2}, 2\sqrt{2}
\{0,\pm1\} | \{-1,0,1\}
±3 | \pm 3
ab+ac | a(b+c)
2\pi\text{ cm} | 2 \pi cm
"""
DIFFERENT = r"""
10% | 10
10\% | 10
10 cm | 10 m
10 cm | 10
5 \text{ km/h} | 5 \text{ m/s}
(1,2) | \{1,2\}
(1,2) | (2,1)
(1,2) | [1,2]
(1,2) | 1,2
[1,2] | [1,2)
(1,2) | (1,2,3)
\{1,2\} | \{1,2,3\}
\{1,1,2\} | \{1,2,2\}
0.333 | 1/3
0.3333333333 | \frac{1}{3}
0.67 | 2/3
1.414 | \sqrt{2}
1.41421356 | \sqrt{2}
3.14 | \pi
6.2831853 | 2\pi
2.718281828 | e
12 | 21
12 | 1.2
1,2 | 12
1,234 | 1.234
1234 | 123
-5 | 5
\frac{1}{2} | \frac{2}{1}
\frac{1}{2} | 12
2^{10} | 2^{11}
x=5 | x=6
A | B
A | a
A | 1
\text{Yes} | \text{No}
yes | y
no solution | 0
x | y
x^2 | x^3
x^2 | 2x
(x+1)^2 | x^2+1
a_1 | a_2
\sqrt{2} | -\sqrt{2}
\sqrt{2} | \sqrt{3}
\pi | \pi^2
\infty | -\infty
\sin x | \cos x
\log 2 | 2
x<5 | x>5
x<5 | x \leq 5
2x+1 | 2x-1
\begin{pmatrix}1\\2\end{pmatrix} | \begin{pmatrix}2\\1\end{pmatrix}
\begin{pmatrix}1\\2\end{pmatrix} | \begin{pmatrix}1\\3\end{pmatrix}
12:30 | 12:45
2024-11-03 | 2024-11-04
1e3 | 1000
__import__('os') | 1
\frac{1 | 1
\frac{1}{ | \frac{1}{2}
1/0 | 2/0
\text{red} | \text{blue}
17 apples | 17 pears
3:4 | 3:5
\lfloor 2.5 \rfloor + 1 | 4
11 | eleven
100 | 10^3
0 | 0.001
\frac{22}{7} | \pi
(1,2),(3,4) | (1,2),(3,5)
7\sqrt{2} | 7\sqrt{3}
2\frac{1}{3} | \frac{2}{3}
x=1, y=2 | x=2, y=1
x=1, y=2 | 1,2
\{x=1,y=2\} | \{x=2,y=1\}
100, 200 | 100200
\pm 2 | 2
5 MW | 5 mW
2\pi\text{ cm} | 2\pi\text{ m}
2\sqrt{3} cm | 2\sqrt{3} m
2.5 \times 10^3 \text{ kg} | 2.5 \times 10^3 \text{ m}
9\pi \text{ cm}^2 | 9\pi
3ab | 3
12:30 am | 12:30 pm
101_2 | 101
101_{2} | 101_{8}
f'(x) | f(x)
"""


def pairs(table: str) -> list[tuple[str, str]]:
    lines = (line.partition(" | ") for line in table.strip().splitlines())
    return [(left, right) for left, _, right in lines]


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    """Waits for longer than a busy machine takes: out of time, nothing is the same."""
    checker = Checker(seconds=30.0)
    yield checker
    checker.close()


def test_there_are_enough_pairs() -> None:
    assert len(pairs(SAME)) + len(pairs(DIFFERENT)) >= 175


@pytest.mark.parametrize(("left", "right"), pairs(SAME))
def test_same(left: str, right: str, checker: Checker) -> None:
    assert same(left, right, checker.equal)
    assert same(right, left, checker.equal)


@pytest.mark.parametrize(("left", "right"), pairs(DIFFERENT))
def test_different(left: str, right: str, checker: Checker) -> None:
    assert not same(left, right, checker.equal)
    assert not same(right, left, checker.equal)


@pytest.mark.parametrize(
    ("other", "next_one"), [("1", (r"\sqrt{12}", r"2\sqrt{3}")), ("9^{9^{9^8}}", (r"\sqrt{20}", r"2\sqrt{5}"))]
)
def test_a_timeout_never_merges(
    other: str, next_one: tuple[str, str], checker: Checker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be told in time is different, and the next comparison works."""
    with monkeypatch.context() as hurried:
        hurried.setattr(checker, "_seconds", 0.5)
        assert not same("9^{9^{9^9}}", other, checker.equal)
    assert checker.equal(*next_one) is True


def test_no_time_left_is_no_comparison() -> None:
    checker = Checker(left=lambda: 0.0)
    began = time.monotonic()
    assert checker.equal("a+b", "b+a") is None
    assert time.monotonic() - began < 5  # far less than the process takes to be ready
    checker.close()


def test_long_answers_are_compared_by_their_text() -> None:
    def never(left: str, right: str) -> bool:
        raise AssertionError("asked")

    digits = "7" * 100_000
    assert same(digits, digits, never)
    assert not same(digits, digits + "1", never)


@pytest.mark.parametrize(
    "answer", ["17", r"\frac{1}{2}", "(A)", "no solution", "x^2 + 2x", "10 cm per second", "(1, 2)"]
)
def test_comparable(answer: str) -> None:
    assert comparable(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "def f(x):\n    return x",
        "The sky looks blue because air scatters short waves more than long ones.",
    ],
)
def test_code_and_prose_are_not_comparable(answer: str) -> None:
    assert not comparable(answer)


@given(st.text(max_size=60), st.text(max_size=60))
def test_nothing_raises_and_both_ways_round_agree(left: str, right: str) -> None:
    def cannot_tell(left: str, right: str) -> None:
        return None

    assert same(left, right, cannot_tell) == same(right, left, cannot_tell)
    assert same(left, left, cannot_tell)
