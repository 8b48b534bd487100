"""What a text commits to: by example, and by properties over any text."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibethinker_local.reliability import answers

PIECES = st.sampled_from(
    [
        "\\boxed{",
        "\\boxed",
        "\\fbox{",
        "{",
        "}",
        "\\{",
        "\\}",
        "\\",
        "\n",
        "```",
        "```py\n",
        "~~~",
        " ",
        "4",
        "\\frac{1}{2}",
        "ü",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=40).map("".join)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{84}.", "84"),
        (r"\boxed{1}, no: \boxed{2}", "2"),
        (r"\boxed{1} and \boxed{}", "1"),
        (r"\boxed{ }", None),
        (r"\boxed{\frac{a}{b}}", r"\frac{a}{b}"),
        (r"\boxed{\left\{1, 2\right.}", r"\left\{1, 2\right."),
        (r"\boxed {3}", "3"),
        (r"\fbox{3}", "3"),
        (r"\boxed{x = \boxed{3}}", "3"),
        (r"} {\boxed{3}", "3"),
        (r"\boxed{3", None),
        (r"\boxed{{3}", None),
        (r"\boxed{3} or \boxed{4", "3"),
        (r"\\boxed{3}", None),
        ("the answer is 84", None),
        ("", None),
        ("```python\nprint(1)\n```", "print(1)"),
        ("```\na\n```\n```\nb\n```", "b"),
        ("~~~~\na\n~~~\nb\n~~~~", "a\n~~~\nb"),
        ("```\na", None),
        ("```\n\n```", None),
        ("```python\ndef f():\n    return 1\n```\nruns in \\boxed{O(1)}", "O(1)"),
        ("```python\nprint(r'\\boxed{3}')\n```", "print(r'\\boxed{3}')"),  # code that prints a box is code
        ("```\n\\boxed{84}\n```", "84"),
        ("```latex\nso \\boxed{84}", "84"),  # a fence that is never closed
        ("see `x`: ```not a fence``` \\boxed{1}", "1"),
        (r"\boxed{\text{Tom}}", r"\text{Tom}"),
        ("\\boxed{a\nb}", "a\nb"),
        (r"x=\boxed{1} and x=\boxed{2}", "1, 2"),
        (r"\(\boxed{1}\) or \(\boxed{-2}\).", "1, -2"),
        (r"The solutions are \boxed{(1, 2)}, \boxed{(2, 1)} and \boxed{(3, 3)}.", "(1, 2), (2, 1), (3, 3)"),
        (r"$\boxed{2}$, $\boxed{3}$, and $\boxed{5}$", "2, 3, 5"),
        (r"\boxed{k = 45} \quad \text{and} \quad \boxed{n = 2}", "k = 45, n = 2"),
        (r"$y_1 = \boxed{2x}$ and $y_2 = \boxed{3x}$", "y_1 = 2x, y_2 = 3x"),
        (r"\boxed{1} papers and \boxed{2} bins", "1, 2"),
        (r"解为 $\boxed{2}$ 和 $\boxed{3}$。", "2, 3"),
        (r"$\boxed{2}$、$\boxed{3}$，$\boxed{5}$", "2, 3, 5"),
        (r"$x = \boxed{2}$ oder $x = \boxed{3}$", "2, 3"),
        (r"\(\boxed{2}\) y \(\boxed{3}\)", "2, 3"),
        (r"$\boxed{2}$ 不是 $\boxed{3}$", "3"),
        (r"$\boxed{2} y = \boxed{3}$", "3"),
        (r"De $a = \boxed{5}$ temos o $\boxed{7}$", "7"),
        ("\\boxed{2}\n\nRisposta finale e \\boxed{3}", "3"),
        (r"\boxed{5}, \boxed{5}", "5"),
        (r"It is \boxed{1}. Wait, no, it is \boxed{2}.", "2"),
        (r"\boxed{1}, but then \boxed{2}", "2"),
        (r"\boxed{1} and not \boxed{2}", "2"),
        (r"\boxed{1} no no no no no \boxed{2}", "2"),
        ("\\boxed{1}\n\nLet me check that, and \\boxed{2}", "2"),
        (r"\boxed{7}. I put it into \boxed{answer} as I was told.", "7"),
        (r"\boxed{\text{your final answer}}", None),
        (r"\boxed{...}", None),
        (r"so \boxed 5", "5"),
        (r"so \boxed\frac12.", r"\frac12"),
        (r"so $\boxed -\frac{1}{2}$", r"-\frac{1}{2}"),
        (r"so \boxed42", "42"),
        (r"\boxed\pi", r"\pi"),
        (r"\boxedtext{3}", None),
    ],
)
def test_extract(text: str, answer: str | None) -> None:
    assert answers.extract(text) == answer


def test_the_reasoning_is_the_last_resort() -> None:
    assert answers.extract("", r"so \boxed{1}") == "1"
    assert answers.extract("I cannot say.", r"so \boxed{1}") == "1"
    assert answers.extract(r"\boxed{2}", r"so \boxed{1}") == "2"
    assert answers.extract("```\nx\n```", r"so \boxed{1}") == "x"
    assert answers.extract("", "```\ndraft\n```") is None


@pytest.mark.parametrize(
    ("text", "added"),
    [
        ("a\n```py\nx", "\n```"),
        ("a\n````\n```\nx", "\n````"),
        ("a\n```py\nx\n```\n", ""),
        ("is \\boxed{84", "}"),
        ("is \\boxed{\\frac{1}{2", "}}"),
        ("is \\boxed{84} {", ""),
        ("set {\\boxed{84}", ""),
    ],
)
def test_mended(text: str, added: str) -> None:
    assert answers.mended(text) == text + added
    assert answers.mended(text + added) == text + added


@given(TEXTS, TEXTS)
def test_never_raises_and_never_invents(text: str, reasoning: str) -> None:
    answer = answers.extract(text, reasoning)
    assert answer is None or answer.strip()
    if answer and answer not in text and answer not in reasoning:  # boxes joined to one answer
        assert all(part.strip() in text + reasoning for part in re.split(r" = |, ", answer))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{84}.", "84"),
        ("18 - 4 = 14\n#### 18", "18"),
        ("The answer is 18.", "18"),
        ("So the answer is 3.5. Good.", "3.5"),
        ("The final answer is: $\\frac{1}{2}$. I hope it is correct.", r"\frac{1}{2}"),
        ("**Answer:** 18", "18"),
        ("Answer: (B) because of that", "(B) because of that"),
        ("The correct option is C.", "C"),
        ("Tom has 5, so they have **18** apples.", "18"),
        ("**Final Answer**\n\\\\boxed{840}", "840"),
        ("Therefore $x \\geq 5$ is the solution.", r"x \geq 5"),
        ("Hence the largest $n$ is 34.", "34"),
        ("First 3, then 4, which makes 1,234 in all.", "1,234"),
        ("<think>The answer is 3.</think>It is $4$.", "4"),
        ("18", "18"),
        # Dollars are money.
        ("She makes 9 * $2 = $18.", "18"),
        ("The cost is $20 and the tax is $5, so she pays $25 in total.", "25"),
        ("Therefore, the answer is $20 + $30 = $50.", "$20 + $30 = $50"),
        ("It costs $5, but the price was $6 before.", "6"),
        ("Hence $5$$x+1$ are left", "x+1"),
        (r"So we get \[ x and \(y=3\).", "y=3"),
        # Code is an answer where there is nothing else.
        ("```python\nx = 9\nprint(18)\n```\nThe answer is 18.", "18"),
        ("```python\nx = 9\nprint(18)\n```\n#### 18", "18"),
        ("She has 18. In Python:\n```python\nx = 9\nprint(x)\n```", "18"),
        ("Here is the program:\n```python\nx = 9\nprint(x)\n```", "x = 9\nprint(x)"),
        ("There are 2 of 3:\n```\n42\n```", "42"),
        ("```python\nx = 9\nThe answer is 18.", "18"),  # a fence that is never closed
        # Sentences.
        ("So the answers are 5 and 6.", "5 and 6"),
        ("The total is 18.", "18"),
        ("It takes 10%.", "10%"),
        ("The answer is B because A is wrong.", "B"),
        ("The answer is 18, since half of 36 is 18 and not 12.", "18"),
        ("So the answer is therefore B", "B"),
        ("Thus, (B) is the correct answer.", "B"),
        ("Option B is correct.", "B"),
        ("The solutions are x = 2 and x = 3.", "x = 2 and x = 3"),
        ("Hence there are 5.", "5"),
        ("She arrives in the town at 10:30 AM.", "10:30 AM"),
        ("They share the money in the end at 3:4.", "3:4"),
        ("## Final Answer\n5", "5"),
        ("<think>It is 4.</think>\n<answer>5</answer>", "5"),
        ("<answer> \\boxed{5} </answer>", "5"),
        ("[ANSWER][4, 3][/ANSWER]", "[4, 3]"),
        ("Die Antwort ist 18.", "18"),
        ("La réponse : 18", "18"),
        ("所以答案是18。", "18"),
        ("Ответ: 18", "18"),
        ("উত্তর হল ১৮", "১৮"),
        ("There is no solution", "There is no solution"),
        ("June 15, 2024.", "June 15, 2024."),
        ("18 apples.", "18 apples."),
        ("故选 C。", "C"),
        ("故选项 A 不对，故选 C。", "C"),
        ("故选：①③。", "①③"),
        ("故选：$C$", "C"),
        ("因此选 **B**。", "B"),
        ("答案是12。15是错的。", "12"),
        ("最小值为√2", "最小值为√2"),
        ("因此选 B。", "B"),
        ("不选 A，应选 C", "C"),
        ("故选：ACD", "ACD"),
        ("选项 B 正确", "B"),
        ("【答案】B", "B"),
        ("### 答案\n12", "12"),
        ("答：小明有12个苹果。", "12"),
        ("答：12", "12"),
        ("答案是12，因为3+9=12。", "12"),
        ("故答案为：12．", "12"),
        ("答案是１２．５。", "１２．５"),
        ("所以一共有 12 个。", "12"),
        ("一共是3万元。", "3万"),
        ("したがって、答えは 12 である。", "12"),
        ("정답은 B입니다.", "B"),
        ("الجواب: ١٢", "١٢"),
        ("Ответ — 5.", "5"),
        ("Das Ergebnis ist 12,5.", "12,5"),
        ("Also kostet es 12,50 €.", "12,50"),
        ("Donc il reste 1 500 euros.", "1 500"),
        ("Réponse finale : 5", "5"),
        ("La respuesta correcta es B.", "B"),
        ("So she has #### 18", "18"),
        ("##### Part 2\nIt is 18.", "18"),
        ("The answer is 18.</s>", "18"),
        ("So it is 18<|im_end|>\n<|endoftext|>", "18"),
        ("The answer is **12** because 3*4 = **12** not **13**", "12"),
        ("The answer is 3*4 = **12**.", "3*4 = 12"),
        ("The answer is 2**10.", "2**10"),
        # What gives a reason is no part of the answer, nor is what it is not.
        ("The answer is 8 (since 3 + 5 = 8).", "8"),
        ("The answer is 8 since 3 + 5 = 8.", "8"),
        ("Answer: 8, as 3 + 5 = 8", "8"),
        ("The answer is 8, which is $2^3$.", "8"),
        ("The answer is 8 meters, so the fence is 16 meters.", "8 meters"),
        ("The answer is 8, not 7.", "8"),
        ("The answer is 8 and not 7.", "8"),
        ("The answer is 3 or 5, but not 4.", "3 or 5"),
        ("The answer is Yes, because 3 divides 9.", "Yes"),
        ("The answer is D, because we checked it.", "D"),
        ("The final answer is (A), not (B).", "(A)"),
        ("The answer is $x = 8$, because $y = 3$.", "x = 8"),
        ("The answer is x in $\\{x, where x > 5\\}$", "\\{x, where x > 5\\}"),
        ("The answer is 5, 6 and 7.", "5, 6 and 7"),
        ("The answer is not defined.", "not defined"),
        ("The answer is x > 3, not including 5.", "x > 3, not including 5"),
        ("The answer is 2x, as long as x > 0.", "2x, as long as x > 0"),
        ("The answer is no, not yes.", "no"),
        ("The answer is 8 (apples).", "8 (apples)"),
        ("The answer is Asia.", "Asia"),
        # A line that announces, without a colon.
        ("**Final Answer**\n8", "8"),
        ("Final answer\n\n8", "8"),
        ("5 + 3\n\n**Answer**\n\n8 apples", "8 apples"),
        ("**Final Answer**\nShe has 8 apples left.", "8"),
        ("The answer\nis 8.", "8"),
        # JSON.
        ('{"answer": 8}', "8"),
        ('{"reason": "3 + 5 = 8", "answer": "8 apples"}', "8 apples"),
        ('```json\n{"final_answer": [3, 5]}\n```', "[3, 5]"),
        ('```python\nx = {"answer": 9}\n```\nThe answer is 8.', "8"),
        ('{"answer": ""}', None),
        ("She therefore has 8 apples left out of 10.", "8"),
        ("He ran out of 10", "10"),
        ("Hence (A) is the answer.", "A"),
        ("I choose B.", "B"),
        ("I would go with option (C), so to say.", "C"),
        ("So of these I would choose A and B, all in all.", None),
        ("I choose a of all the letters there are in the alphabet", None),
        ("I do not know how this could be done by anybody at all, and that is my last word", None),
        ("", None),
    ],
)
def test_spoken_answers_are_read_for_grading(text: str, answer: str | None) -> None:
    assert answers.spoken(text) == answer


@given(TEXTS)
def test_nothing_spoken_raises(text: str) -> None:
    assert answers.spoken(text) != ""


@pytest.mark.parametrize(
    "text",
    [
        "the final correct " * 8000,
        "\\[ " * 30000,
        "\\( " * 30000,
        "$a " * 30000,
        "$$ " * 30000,
        "**a" * 30000,
        "\n" * 100_000,
        "#### a" + " " * 50000 + "b\n",
        "<think>" * 10000,
        "answer" + "*" * 50000,
        "<answer>" * 10000,
        "[ANSWER]" * 10000,
        "# answer\n" + "*" * 50000,
        "</s>" * 10000 + " " * 50000 + "x",
        " ####" * 20000,
        "答案:" * 20000,
        "réponse " * 20000,
        "选A" * 30000,
        "1 000" * 20000,
        "1:" * 30000,
        "The answer is " + " " * 50000 + ", as",
        "The answer is $" + ", as " * 30000,
        "answer\n" * 20000,
        "answer\n" + "* " * 30000,
        '"answer": "' * 20000,
        "out of " * 20000,
        "I choose " * 20000,
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_spoken_is_found_in_one_pass(text: str) -> None:
    began = time.process_time()
    answers.spoken(text)
    assert time.process_time() - began < 4  # a tenth of a second; a minute if it were quadratic


@given(TEXTS, st.from_regex(r"[a-z0-9 +]*[a-z0-9]", fullmatch=True))
def test_a_box_at_the_end_is_found_whatever_came_before(text: str, content: str) -> None:
    assert answers.extract(f"{answers.mended(text)}\n\nThe answer is \\boxed{{{content}}}.") == content.strip()


@pytest.mark.parametrize(
    "piece", ["\\boxed{", "\\boxed", "\\boxed ", "{", "}", "\\", "`", "```\n", "~", " ", "\n", "\\boxed{ }"]
)
def test_any_text_takes_time_in_proportion(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    began = time.process_time()
    answers.extract(text, text)
    answers.extract(text + "}" * (100_000 // len(piece)))
    assert time.process_time() - began < 20  # half a second; minutes if it were quadratic
