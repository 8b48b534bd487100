"""Markdown as rows: what each block looks like, that pieces make no difference, that a copy has no added line ends."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from textual.geometry import Offset
from textual.selection import SELECT_ALL, Selection
from textual.style import Style

from vibethinker_local.tui.text.document import Document, DocumentRow, code_blocks
from vibethinker_local.tui.widgets.answer import AnswerView

WIDTH = 24


def document(markdown: str, width: int = WIDTH) -> Document:
    found = Document(width)
    found.add(markdown, final=True)
    return found


def shown(markdown: str, width: int = WIDTH) -> str:
    return "\n".join(row.text.plain.rstrip() for row in document(markdown, width).rows)


@pytest.mark.parametrize(
    ("markdown", "rows"),
    [
        ("", ""),
        ("one *two*\nthree `four`", "one two\nthree four\n"),
        ("one  \ntwo", "one\ntwo\n"),
        ("a word that goes on in the next row", "a word that goes on in\nthe next row\n"),
        ("# Head\ntext", "Head\n━━━━\n\ntext\n"),
        ("## Head\n### Below", "Head\n\nBelow\n"),
        ("- one\n- two\n  - three", "• one\n• two\n  ▪ three\n"),
        ("9. nine\n10. ten of them, which is a lot", "  9. nine\n 10. ten of them, which\n     is a lot\n"),
        ("- one\n\n- two\n\n  more", "• one\n\n• two\n\n  more\n"),
        ("-", "•\n"),
        ("> quoted text that is long\n> - item", "▌ quoted text that is\n▌ long\n▌\n▌ • item\n"),
        ("```py\nx = 1\n\ny = 2\n```", "  x = 1\n\n  y = 2\n"),
        ("```\n12345678901234567890123\n```", "  12345678901234567890\n  123\n"),
        ("```maths\n x\n─ = 3\n y\n```", "     x\n    ─ = 3\n     y\n"),
        ("```maths\n1234567890123456789\nabc\n```", "    1234567890123456\n    abc\n\n    789\n\n"),
        ("```maths\nabc + defgh + ijkl + m\n```", "    abc + defgh +\n\n    ijkl + m\n"),
        ("```maths\n一二三四五六七八九\n ─\n```", "    一二三四五六七八\n     ─\n\n    九\n\n"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a │ b\n──┼──\n1 │ 2\n"),
        ("| a | bcd | efg |\n|---|--:|:-:|\n| 1 | 2 | 3 |", "a │ bcd │ efg\n──┼─────┼────\n1 │   2 │  3\n"),
        (
            "| a | b |\n|---|---|\n| **1**<br>2 | one<br/>two words <BR /> `<br>` |",
            "a │ b\n──┼──────────\n1 │ one\n2 │ two words\n  │ <br>\n",
        ),
        ("| a | b |\n|---|---|\n| <br> | <brr> |", "a    │ b\n─────┼──────\n<br> │ <brr>\n"),
        ("the <br> of HTML", "the <br> of HTML\n"),
        (
            "|n|one of many|two of many|\n|-|-|-|\n|1|2|3|",
            "n │ one of   │ two of\n  │ many     │ many\n──┼──────────┼──────────\n1 │ 2        │ 3\n",
        ),
        (
            "|one of many|two of many|three|\n|-|-|-|\n|1|2|3|",
            "one of     │ two of many\nmany       │\n───────────┼────────────\n1          │ 2\n\n"
            "one of many │ three\n────────────┼──────\n1           │ 3\n",
        ),
        ("2*3 and 4*5, *so* n**2 and 2**n", "2*3 and 4*5, so n**2 and\n2**n\n"),
        (
            "".join("  " * at + "- a\n" for at in range(12)),
            "".join("  " * at + f"{b} a\n" for at, b in enumerate("•▪‣⭑◦•▪‣⭑◦•▪")),
        ),
        ("***", "─" * WIDTH + "\n"),
        ("[text](js:x) ![p](q) <b>h</b> <http://x>", "[text](js:x) ![p](q)\n<b>h</b> <http://x>\n"),
        ("[a]: http://b 'c'", "[a]: http://b 'c'\n"),
    ],
)
def test_what_it_looks_like(markdown: str, rows: str) -> None:
    assert shown(markdown) == rows


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("see https://a.org/b_c?d=1&e=(2).", ["https://a.org/b_c?d=1&e=(2)"]),
        ("(http://a.org/x) and [it](https://b.org), <https://c.org/>!", ["http://a.org/x", "https://b.org", "https://c.org/"]),
        ("**https://a.org**: https://ä.org https://a.org/ü ftp://a.org https://", ["https://a.org"]),
        ("- item https://a.org\n\n| https://b.org |\n|---|", ["https://a.org", "https://b.org"]),
        ("`https://a.org`", []),
    ],
)  # fmt: skip
def test_an_address_leads_to_what_is_read_there(text: str, addresses: list[str]) -> None:
    spans = [(row.text.plain, span) for row in document(text, 200).rows for span in row.text.spans]
    links = [
        (plain[s.start : s.end], s.style.link) for plain, s in spans if isinstance(s.style, Style) and s.style.link
    ]
    assert links == [(address, address) for address in addresses]


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("So:\n\n```py\nx = 1\n```\nand\n~~~\ny\n\nz\n~~~", ["x = 1\n", "y\n\nz\n"]),
        (
            "1. **Define** it:\n   ```python\n   def f(x):\n       return x\n   ```\n2. Use it.",
            ["def f(x):\n    return x\n"],
        ),
        ("- a\n  - b\n\n    ```\n    code\n    ```\n> ```\n> quoted\n> ```", ["code\n", "quoted\n"]),
        ("````md\n```py\nx\n```\n````\n`no` and ```none```", ["```py\nx\n```\n"]),
        ("It was cut:\n```python\ndef f(x):", ["def f(x):"]),
        ("Nothing\n\n    but text", []),
    ],
)
def test_code_is_found_wherever_it_stands(text: str, blocks: list[str]) -> None:
    assert code_blocks(text) == blocks


def test_no_code_is_underlined() -> None:
    [row] = [row for row in document("```py\ndef f(x): return x\n```", 40).rows if "def" in row.text.plain]
    assert row.text.spans
    assert not any("underline" in str(span.style) for span in row.text.spans)


ALPHABET = [*"ab1. \n`*_|>-~#=", "\n\n", "```\n", "- ", "1. ", "    ", "| a | b |\n|---|---|\n", "word ", "> "]
PIECES = st.lists(st.lists(st.sampled_from(ALPHABET), max_size=8).map("".join), max_size=12)


@given(PIECES)
@example(["a\n```a", "```\n"])  # code within a line, and no fence
@example(["1. a\n2. b\n3. c\n4. d\n", "\n5. e\n"])  # set apart by what follows
@example(["- \n  - a\n\n- b\n- c\n- d\n", "text"])  # set apart by one that has no text of its own
@example(["- ```\n- ```\n- ```\n\n", "- ```\n"])  # without any text that could be set apart
@example(["1. a\n\n", "", "", "", "1", ". b"])  # at another width, where the last line is no text yet
@example(["8. a\n- x\n\n8. b\n9. c\n10. d\n", "11. e", "\n12) f"])  # wider numbers
@example(["  - a\n  - b\n  - c\n- d | e\n", "| - | -\n- f"])  # what would be a table elsewhere
def test_pieces_make_no_difference(pieces: list[str]) -> None:
    grown = Document(WIDTH)
    for at, piece in enumerate(pieces):
        grown.add(piece)
        grown.fit(WIDTH - at // 4 % 2)
    grown.fit(WIDTH)
    grown.add("", final=True)
    assert looks(grown.rows) == looks(document("".join(pieces)).rows)


@given(PIECES)
def test_another_width_is_as_if_it_had_been_there_from_the_start(pieces: list[str]) -> None:
    markdown = "".join(pieces)
    fitted = document(markdown)
    fitted.fit(40)
    assert looks(fitted.rows) == looks(document(markdown, 40).rows)


def looks(rows: list[DocumentRow]) -> list[tuple[object, ...]]:
    return [(row.text.plain, row.text.spans, row.joint, row.edge) for row in rows]


def test_the_mark_of_an_item_is_no_block_of_its_own_before_its_text() -> None:
    grown = Document(WIDTH)
    for piece, rows in [
        ("Two:\n", 2),
        ("-", 2),
        (" a\n\n", 4),
        ("1", 4),
        (". b\n\n", 6),
        ("1", 6),
        (".", 6),
        (" c", 8),
    ]:
        grown.add(piece)
        assert (len(grown.rows), grown.rows[0].text.spans) == (rows, [])
    assert grown.rows[-2].text.plain == " 2. c"


def test_a_long_code_block_that_grows_is_coloured_at_its_end() -> None:
    code = "```python\n" + "x = 'y'  # z\n" * 600
    grown = Document(WIDTH)
    grown.add(code)
    assert len(grown.rows[0].text.spans) == 1
    grown.add("```\n\nDone.")
    assert len(grown.rows[0].text.spans) > 3


@pytest.mark.parametrize(
    ("markdown", "settled"),
    [
        ("one\n\n```\ntwo\n```\n\nthr", ["one", "", "two", ""]),
        ("one\n\n8. a\n9. b\n10. c\n11. thr", ["one", "", "8. a", "9. b"]),
        ("1. a\n2. b\n\n3. c\n4. thr", ["1. a", "", "2. b"]),
    ],
)
def test_what_is_settled_is_not_drawn_again(markdown: str, settled: list[str]) -> None:
    grown = Document(WIDTH)
    grown.add(markdown)
    rows = grown.rows[: grown.settled]
    grown.add("ee and more")
    assert [row.text.plain.strip() for row in rows] == settled
    assert all(before is after for before, after in zip(rows, grown.rows, strict=False))


def test_a_copy_has_the_text_alone() -> None:
    answer = AnswerView(
        "A sentence that is longer than the row.\n\n- an item that is longer than the row\n\n```\na\n b\n```"
    )
    answer.get_content_height(answer.size, answer.size, WIDTH)
    assert answer.get_selection(SELECT_ALL)[0] == (
        "A sentence that is longer than the row.\n\n• an item that is longer than the row\n\na\n b\n"
    )
    assert answer.get_selection(Selection(Offset(11, 0), Offset(6, 1)))[0] == "that is longer"
