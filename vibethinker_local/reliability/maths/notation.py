r"""An answer as it is written, in LaTeX, plain text or Unicode, read into tokens and brackets.

Everything that is only presentation goes here: fonts, colours, spacing, sizes of brackets, spellings of one sign.
`\dfrac12`, `\frac{1}{2}` and `½` give the same nodes. What the nodes mean is decided by `expressions` and `canonical`.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from vibethinker_local.reliability.maths import spellings

Kind = Literal["number", "letter", "word", "sign", "command"]


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str  # a number's digits (or a fraction, for a repeating decimal); a letter's name; a sign or command
    spaced: bool = False  # white space stands before it
    upright: bool = False  # from \text{…}, \mathrm{…} and the like


@dataclass(frozen=True, slots=True)
class Group:
    r"""What stands in brackets. `open` is one of `( [ \{ <`, `|` of `\left|`, `⌊ ⌈`, `{` for a TeX group, or the name
    of an environment."""

    open: str
    close: str
    nodes: "tuple[Node, ...]"
    spaced: bool = False


Node = Token | Group
Nodes = tuple[Node, ...]


class Unreadable(Exception):
    """Brackets that do not match, a text that is too long or too deep, or a number that is too large."""


MOST_DEPTH = 40
MOST_CHARACTERS = 1000  # of an answer that is compared by anything but its text

_SUPERSCRIPT_RUN = re.compile(f"[{re.escape(''.join(spellings.SUPERSCRIPTS))}]+")
_SUBSCRIPT_RUN = re.compile(f"[{re.escape(''.join(spellings.SUBSCRIPTS))}]+")
_SPACE = re.compile(r"(?:\s|~|\\[,;:!> \n])+")
_GROUPED = re.compile(
    r"(?<![\d.])[1-9]\d{0,2}(?:(?:\s*\{,\s*\}|\{,\\!\}|,\s*\\!\s*|\\[,;: ]\s*|~|\\thinspace\s*)\d{3})+(?!\d)"
    r"(?:\.\d+)?(?!\{?,)"
)
_COMMAS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])(?:\.\d+)?")
_SPACED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?: \d{3})+(?![\d]| \d)(?:\.\d+)?")
_REPEATING = re.compile(r"(\d*)\.(\d*)\\(?:overline|bar|dot)\s*\{?(\d+)\}?")
_REPEATING_DOTS = re.compile(r"(\d*)\.(\d*)\\dot\s*\{?(\d)\}?(\d*)\\dot\s*\{?(\d)\}?")
_REPEATING_ENDLESS = re.compile(r"(\d{0,20})\.(\d{0,20}?)(?:(\d)\3{2,}|(\d{2,6})\4+)\\ldots")  # 0.1666…
_REPEATING_BRACKET = re.compile(r"(?<!\d)(0)\.(\d*)\((\d+)\)")
_NUMBER = re.compile(r"(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?(\d+)(?![\w.]))?")
MOST_EXPONENT_DIGITS = 3  # of 1e300: a number is written out
_NAME = re.compile(r"\\([a-zA-Z]+)\*?")
_ENVIRONMENT = re.compile(r"\\(begin|end)\s*\{([a-zA-Z]+)\*?\}")
_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # Chinese, Japanese, Korean: words stand beside letters
_ALL_LETTERS = re.compile(rf"[{_UNSPACED}]+|[^\W\d_{_UNSPACED}]+")
_EMPHASIS = re.compile(r"(?<![\w)}\]])\*\*(?=\S)([^*]+)(?<=\S)\*\*(?![\w({]|\\[a-zA-Z])")  # Markdown's: no power
_SYMBOLS = re.compile(r"\*\*|<=|>=|!=|==|:=|=>|->|\.\.\.|[-+*/^_=<>,;:!'%|&?.\"#@`~]|[≈≡≅∝∼]")
_DOUBLED = re.compile(
    r"\\\\(?=(?:d?frac|sqrt|left|right|text|begin|end|pi|cdot|times|boxed|infty|pm|leq?|geq?|in|cup|mathrm|mathbf|"
    r"circ|theta|alpha|beta|ln|log|sin|cos|tan|dots|ldots|quad|operatorname|angle|%)(?![a-zA-Z]))"
)
_NOT_CHINESE = r"[^\s\u4e00-\u9fff]"
_NO_FENCE = r"(?:(?!\\(?:left|right)(?![a-z]))[\s\S])*"
# What may stand before an answer, and behind it, without being of it.
_BEGIN = r"^(?:[\s${]|\\\(|\\(?:text|math|display|f?box|color|large|bf|rm)[a-z]*(?:\{[a-z]+\})?)*"
_END = r"(?:[\s$.}]|\\\))*$"
# What people write in numbers and beside them, in LaTeX.
_WORDINGS = [
    (re.compile(pattern, re.IGNORECASE), latex)
    for pattern, latex in (
        (r"\.{3,}", r"\\ldots "),
        (r"(?<=\d)\s*x\s*(?=10\s*(?:\^|\*\*))", r"\\times "),  # 5 x 10^3
        (r"(?<=[\d}])(?:\s|~|\\[,;: ])*(?:\\(?:text|mathrm)\s*\{\s*min\.?\s*\}|min\b\.?(?!\s*[({\[_]))", " minutes "),
        (
            r"(?:(?<=[\d}])|(?<=[a-z]/))(?:\s|~|\\[,;: ])*(?:\\(?:text|mathrm)\s*\{\s*sec\.?\s*\}|sec\b\.?)(?=\W*$)",
            " seconds ",
        ),
        (r"\bRs\.(?=\s*[\d\\])", "Rs "),  # Rs.500
        (r"(?<=\d)\s*\{:\}\s*(?=\d)", ":"),  # 3{:}30
        # 21^{\text{st}}
        (r"(?<=\d)\s*\^\s*(\{\s*)?\\(?:text|mathrm)\s*\{\s*(st|nd|rd|th)\s*\}\s*(?(1)\})", r"\\text{\2}"),
        (  # 21st, 21^{st}, June 15th, 5th floor; 2st and m = 2nd are products
            rf"({_BEGIN}(?:[a-z]{{3,}}\s+)*\d*"
            r"(?:(?<!1)1(?=\W*st)|(?<!1)2(?=\W*nd)|(?<!1)3(?=\W*rd)|\d(?=\W*th)))"
            rf"\s*(?:\^\s*)?(\{{\s*)?(st|nd|rd|th)\s*(?(2)\}})(?={_END}|\s*\\text|\s+(?!and\b)[a-z]{{3}})",
            r"\1\\text{\3}",
        ),
        (r"\bper cent\b", "percent"),
        # 12{,}5 has a decimal comma, 12{,}500 perhaps thousands
        (r"(?<![\d.}])(?![1-9]\d{0,2}\{,\}\d{3}(?!\d))(\d+)\{,\}(?=\d+(?!\d|\{,))", r"\1."),
        (rf"(?<=\s)(?:{spellings.OR})(?=\s)|\\text\s*\{{(?:{spellings.OR})\}}", " or "),
        (rf"(?<=\s)(?:{spellings.AND})(?=\s)|\\text\s*\{{(?:{spellings.AND})\}}", " and "),
        (r"(?<=\d)\s*(?:(?-i:Grad)\b|deg\b\.?(?!\s*[({])|\\(?:text|mathrm)\s*\{\s*deg\.?\s*\})", "°"),  # no gradient
        (rf"(?<=\d)\s*/-(?={_END})", ""),  # 500/-
        # another equation begins behind a wide space, or in a formula of its own
        (r"(=[^$]*[^$\s])\$\s+\$(?=[^$=,]{1,20}=)", r"\1, "),
        (r"(=(?:(?!\\text)[^=,;&])*?[\w})\]])\s*\\q?quad\s*(?=[a-zA-Z](?:_\w|_\{\w+\})?\s*=)", r"\1, "),
        (r"[\u03bcµ](?=[msgLACFVW]\W*$)", "u"),
        (r"\\mu\s*\\(?:text|mathrm)\s*\{\s*([msgLACFVW])\s*\}(?=\W*$)", r"\\text{ u\1}"),
        # ]3,5[ for (3,5), as in French and German
        (
            rf"({_BEGIN})(?:\\left\s*)?\](?=\s*\S)|((?:\\cup|\\in|∪|∈|=)(?:\s|\\[,;: ])*)(?:\\left\s*)?\]",
            r"\1\2(",
        ),
        (rf"(?:\\right\s*)?\[(?={_END}|[\s$]*(?:\\cup|∪))", ")"),
        (r"\bUS\s?(?=\\?\$)|\bUSD\s?(?=\d)", ""),
        # one bar alone, as tall as what stands behind it or before it
        (rf"\\left\s*(?:\||\\[lr]?vert(?![a-z])|\\mid(?![a-z]))({_NO_FENCE})\\right\s*\.(?!\d)", r" | \1"),
        (rf"\\left\s*\.(?!\d)({_NO_FENCE})\\right\s*\|(?!\s*[_^])", r"\1 | "),
        (r"\\\\\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm)\s*\]", r"\\\\ "),  # a row's end and the space below
        (  # a brace before rows, and nothing behind them
            r"\\left\s*\\(?:\{|lbrace)\s*\\begin\s*\{(array|aligned|gathered|matrix|split|cases)\}(?:\s*\{[lcr|\s]*\})?"
            r"((?:(?!\\begin)[\s\S])*?)\\end\s*\{\1\}\s*\\right\s*\.",
            r"\\begin{cases}\2\\end{cases}",
        ),
    )
]
# The same in other scripts.
_WORDINGS_ABROAD = [
    (re.compile(pattern), latex)
    for pattern, latex in (
        (rf"(?<=[{spellings.CIRCLED}])\s*(?=[{spellings.CIRCLED}])", ", "),  # ①③
        (rf"(?<=\d)\s*({spellings.MYRIADS}|[百千](?=[元圆円원]|\W*$))", r" \1 "),
        (r"(?<=\d)\s*(?:摄氏度|℃)", "°C"),
        (r"(?<=\d)\s*度", "°"),
        (r"平方(?=[公千分厘毫]?[米里])", " square "),
        (r"立方(?=[公千分厘毫]?[米里])", " cubic "),
        (r"(?<=\S)\s*(?:または|또는)\s*(?=\S)", " or "),
        (rf"(?<={_NOT_CHINESE})\s*或者?\s*(?={_NOT_CHINESE})", " or "),
        (rf"(?<={_NOT_CHINESE})\s*[和且]\s*(?={_NOT_CHINESE})", " and "),
    )
]
_FLOAT_DIGITS = range(16, 19)  # significant digits of a decimal that a computer printed: the last are noise


def read(text: str) -> Nodes:
    """The nodes of an answer. Raises Unreadable."""
    nodes = _nested(list(_tokens(_plain(text), in_brackets=False, upright=False)))
    return _unwrapped(nodes)


def spelled(nodes: Sequence[Node]) -> str:
    """One text for all spellings of the same nodes, to compare what is not understood and to name labels."""
    out: list[str] = []
    for at, node in enumerate(nodes):
        if is_sign(node, "+") and (at == 0 or is_sign(nodes[at - 1], "=", ",", "<", ">", "^")):
            continue
        if isinstance(node, Group):
            inner = spelled(node.nodes)
            if node.open == "{" and len(node.nodes) == 1:
                out.append(inner)
            else:
                out.append(f"{node.open} {inner} {node.close}")
        elif node.kind == "word":
            out.append(node.text.casefold())
        else:
            out.append(node.text)
    return " ".join(out)


def split(nodes: Sequence[Node], *signs: str) -> list[Nodes]:
    """The parts between signs that stand outside all brackets."""
    parts: list[list[Node]] = [[]]
    for node in nodes:
        if is_sign(node, *signs):
            parts.append([])
        else:
            parts[-1].append(node)
    return [tuple(part) for part in parts]


def stripped(nodes: Nodes) -> Nodes:
    """Without TeX braces around everything, and without signs that end a sentence."""
    while nodes:
        if len(nodes) == 1 and isinstance(nodes[0], Group) and nodes[0].open == "{" and nodes[0].nodes:
            nodes = nodes[0].nodes
        elif is_sign(nodes[-1], ".", ",", ";", "?", '"'):
            nodes = nodes[:-1]
        elif is_sign(nodes[0], ",", ";", '"'):
            nodes = nodes[1:]
        else:
            break
    return nodes


def unbracketed(nodes: Nodes) -> Nodes:
    """Without round brackets around everything."""
    nodes = stripped(nodes)
    if len(nodes) == 1 and isinstance(nodes[0], Group) and nodes[0].open == "(":
        return nodes[0].nodes
    return nodes


def is_sign(node: Node | None, *signs: str) -> bool:
    return isinstance(node, Token) and node.kind == "sign" and node.text in signs


def is_word(node: Node | None, *words: str) -> bool:
    return isinstance(node, Token) and node.kind == "word" and (not words or node.text.casefold() in words)


def is_letter(node: Node | None) -> bool:
    return isinstance(node, Token) and node.kind == "letter"


def _plain(text: str) -> str:
    """The text with Unicode's mathematics spelled in LaTeX, and without what delimits it."""
    if _DOUBLED.search(text) and not re.search(r"(?<!\\)\\[a-zA-Z]", text):
        text = text.replace("\\\\", "\\")
    for wording, latex in _WORDINGS if text.isascii() else _WORDINGS_ABROAD + _WORDINGS:
        text = wording.sub(latex, text)
    if not text.isascii():
        text = _SUPERSCRIPT_RUN.sub(lambda run: "^{" + "".join(spellings.SUPERSCRIPTS[c] for c in run[0]) + "}", text)
        text = _SUBSCRIPT_RUN.sub(lambda run: "_{" + "".join(spellings.SUBSCRIPTS[c] for c in run[0]) + "}", text)
        text = "".join(map(_character, text))
        text = re.sub(r"\\surd\s*(\d+(?:\.\d+)?)", r"\\sqrt{\1}", text)
    text = text.strip()
    while True:
        before = text
        text = re.sub(r"^(\*\*|__|`)(.+)\1$", r"\2", text, flags=re.DOTALL).strip()
        text = text.rstrip(".,; \t\n")
        text = text.removesuffix("\\") if text.endswith("\\") and not text.endswith("\\\\") else text
        if text == before:
            break
    text = _EMPHASIS.sub(r"\1", text)
    text = re.sub(r"\\not\s*\\?(in|=)(?![a-zA-Z])", lambda found: r"\notin " if found[1] == "in" else "!=", text)
    return re.sub(r"\\[()\[\]]|\$", " ", re.sub(r"\\\$", " ", text)) if "$" in text or "\\" in text else text


def _character(character: str) -> str:
    if character.isascii():
        return character
    if character in spellings.CHARACTERS:
        return spellings.CHARACTERS[character]
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    if unicodedata.category(character) == "No" and "⁄" in (parts := unicodedata.normalize("NFKC", character)):
        numerator, denominator = parts.split("⁄")
        return rf"\frac{{{numerator}}}{{{denominator}}}"
    folded = unicodedata.normalize("NFKC", character)
    if "\u3300" <= character <= "\u33ff":  # ㎠
        folded = re.sub(r"(?<=m)([23])$", r"^{\1}", folded)
    return folded if folded == character else "".join(map(_character, folded))


def _tokens(text: str, *, in_brackets: bool, upright: bool) -> Iterator[Token]:
    """The tokens of a text. Brackets are signs yet; within them a comma never groups digits."""
    at, spaced = 0, False
    depth: list[bool] = [in_brackets]
    while at < len(text):
        if found := _SPACE.match(text, at):
            spaced = spaced or found[0].replace("\\!", "") != ""
            at = found.end()
            continue
        made, at = _token(text, at, depth[-1], upright)
        for token in made:
            if spaced:
                token = Token(token.kind, token.text, True, token.upright)
                spaced = False
            if token.kind == "sign" and token.text in spellings.OPENING:
                depth.append(True if token.text in ("(", "[", r"\{", r"\lbrace", r"\langle", "⟨") else depth[-1])
            elif token.kind == "sign" and token.text in spellings.CLOSING and len(depth) > 1:
                depth.pop()
            if token.kind == "sign" and token.text == "space":
                spaced = True
                continue
            yield token
    return


def _token(text: str, at: int, in_brackets: bool, upright: bool) -> tuple[list[Token], int]:
    """The tokens that begin at a place, and where the next begins."""
    character = text[at]
    if character.isdecimal() or (character == "." and text[at + 1 : at + 2].isdecimal()):
        return _number(text, at, in_brackets)
    if character == "\\":
        return _command(text, at, in_brackets, upright)
    if found := _ALL_LETTERS.match(text, at):
        if not found[0].isascii():
            return [Token("word", found[0], upright=True)], found.end()
        return _letters(found[0], upright), found.end()
    if character in spellings.OPENING or character in spellings.CLOSING:
        return [Token("sign", character)], at + 1
    if found := _SYMBOLS.match(text, at):
        sign = {"**": "^", "==": "=", ":=": "=", "=>": "⇒", "->": "→", "...": "…"}.get(found[0], found[0])
        return [Token("sign", sign)], found.end()
    return [Token("sign", character)], at + 1


def _number(text: str, at: int, in_brackets: bool) -> tuple[list[Token], int]:
    for pattern in (_REPEATING_DOTS, _REPEATING, _REPEATING_ENDLESS, _REPEATING_BRACKET):
        if found := pattern.match(text, at):
            whole, once, *again = found.groups(default="")
            period = "".join(again)
            value = Fraction(f"{whole or 0}.{once}" if once else whole or "0")
            value += Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(once))
            return [Token("number", str(value))], found.end()
    found = _GROUPED.match(text, at)
    if not found and not in_brackets:
        found = _COMMAS.match(text, at)
    found = found or _SPACED.match(text, at)
    if found:
        return [Token("number", re.sub(r"\\thinspace|[^\d.]", "", found[0]))], found.end()
    found = _NUMBER.match(text, at)
    assert found
    if len((found[1] or "").lstrip("0")) > MOST_EXPONENT_DIGITS:
        raise Unreadable
    digits = found[0]
    if "." in digits and "e" not in digits.casefold() and len(digits.replace(".", "").lstrip("0")) in _FLOAT_DIGITS:
        digits = f"{float(digits):.15g}"
    return [Token("number", digits)], found.end()


def _letters(run: str, upright: bool) -> list[Token]:
    """A run of Latin letters: a letter, or a word."""
    if len(run) == 1:
        return [Token("letter", run, upright=upright)]
    if run in spellings.FUNCTIONS:
        return [Token("command", spellings.FUNCTION_SPELLINGS.get(run, run))]
    if run in ("pi", "Pi"):
        return [Token("letter", r"\pi")]
    if run in ("infty", "infinity", "inf", "oo", "Infinity"):
        return [Token("letter", "∞")]
    if run in ("and", "or"):
        return [Token("sign", run)]
    if run == "choose":
        return [Token("sign", r"\choose")]
    if run in spellings.GREEK and len(run) > 2:
        return [Token("letter", spellings.LETTERS[run])]
    if not upright and (found := re.fullmatch(r"(arcsin|arccos|arctan|sin|cos|tan|ln|log)([a-zA-Z])", run)):
        return [Token("command", found[1]), Token("letter", found[2])]
    name = len(run) == 3 and run.istitle()  # Bob
    return [Token("word", run, upright=upright or name or run.casefold() in spellings.SHORT_WORDS)]


def _command(text: str, at: int, in_brackets: bool, upright: bool) -> tuple[list[Token], int]:
    r"""What a backslash begins: a command, an escaped sign, a row's end."""
    if text.startswith("\\\\", at):
        return [Token("sign", "\\\\")], at + 2
    if found := _ENVIRONMENT.match(text, at):
        end = found.end()
        if found[1] == "begin" and found[2] in ("array", "tabular") and (columns := _argument(text, end)):
            end = columns[1]
        return [Token("sign", f"\\{found[1]}"), Token("word", found[2])], end
    found = _NAME.match(text, at)
    if not found:
        sign = text[at + 1 : at + 2]
        special = {"{": r"\{", "}": r"\}", "|": "‖", "%": "%", "_": "_", "&": "and", "#": "#"}
        return [Token("sign", special[sign] if sign in special else "\\" + sign)], at + 2
    name, end = found[1], found.end()
    if name in ("left", "right") and (bar := re.compile(r"\s*(\||\\[lr]?vert(?![a-zA-Z]))").match(text, end)):
        return [Token("sign", f"\\{name}|")], bar.end()
    if name in ("left", "right") and (bar := re.compile(r"\s*(\\\||\\[lr]?Vert(?![a-zA-Z]))").match(text, end)):
        return [Token("sign", f"\\{name}‖")], bar.end()
    if name in ("left", "right") and (dot := re.compile(r"\s*\.(?!\d)").match(text, end)):
        return [], dot.end()
    if name in ("left", "right") and (angle := re.compile(r"\s*([<>])").match(text, end)):
        return [Token("sign", r"\langle" if angle[1] == "<" else r"\rangle")], angle.end()
    if name == "lvert" or name == "rvert":
        return [Token("sign", r"\left|" if name == "lvert" else r"\right|")], end
    if name == "lVert" or name == "rVert":
        return [Token("sign", r"\left‖" if name == "lVert" else r"\right‖")], end
    if name in spellings.DROPPED:
        return [], end
    if (run := re.match(r"q?quad(?=.)", name)) and name not in spellings.SPACES:  # \quadx
        return [Token("sign", "space")], at + 1 + run.end()
    if name in spellings.SPACES:
        return [Token("sign", "space")], end
    if name in spellings.DROPPED_WITH_ARGUMENT:
        argument = _argument(text, end)
        return [], argument[1] if argument else end
    if name in spellings.TRANSPARENT:
        return [], end
    if name in spellings.UPRIGHT:
        return _styled(text, end, name, in_brackets)
    if name in spellings.BOLD or name in spellings.ALPHABETS or name in spellings.ACCENTS:
        return _accented(text, end, name, in_brackets, upright)
    if name in spellings.FRACTIONS:
        return [Token("command", r"\frac")], end
    if name in spellings.BINOMIALS:
        return [Token("command", r"\binom")], end
    if name in spellings.FUNCTIONS:
        name = spellings.FUNCTION_SPELLINGS.get(name, name)
        return [Token("command", r"\sqrt" if name == "sqrt" else name)], end
    if "\\" + name in spellings.OPENING or "\\" + name in spellings.CLOSING:
        return [Token("sign", "\\" + name)], end
    if name in spellings.SIGNS:
        sign = spellings.SIGNS[name]
        return [Token("command" if sign == r"\sqrt" else "sign", sign)], end
    if name in spellings.LETTERS:
        return [Token("letter", spellings.LETTERS[name])], end
    return [Token("command", "\\" + name)], end


def _argument(text: str, at: int) -> tuple[str, int] | None:
    """The braced argument that begins at a place, and where it ends."""
    at += len(text[at:]) - len(text[at:].lstrip())
    if not text.startswith("{", at):
        return None
    depth, end = 0, at
    while end < len(text):
        if text[end] == "\\":
            end += 2
            continue
        depth += (text[end] == "{") - (text[end] == "}")
        end += 1
        if depth == 0:
            return text[at + 1 : end - 1], end
    return None


def _styled(text: str, at: int, name: str, in_brackets: bool) -> tuple[list[Token], int]:
    r"""The content of \text{…}: its words stay words."""
    argument = _argument(text, at)
    if argument is None:
        return [], at
    content, end = argument
    inner = _plain_delimiters(content)
    if name in ("operatorname", "mathop", "mathrm") and inner.strip() in spellings.FUNCTIONS:
        function = spellings.FUNCTION_SPELLINGS.get(inner.strip(), inner.strip())
        return [Token("command", r"\sqrt" if function == "sqrt" else function)], end
    tokens = list(_tokens(inner, in_brackets=in_brackets, upright=True))
    if tokens and inner[:1].isspace():
        tokens[0] = Token(tokens[0].kind, tokens[0].text, True, tokens[0].upright)
    return [*tokens, Token("sign", "space")] if inner[-1:].isspace() else tokens, end


def _plain_delimiters(content: str) -> str:
    return content.replace("$", " ")


def _accented(text: str, at: int, name: str, in_brackets: bool, upright: bool) -> tuple[list[Token], int]:
    r"""A letter with an accent, in bold or of another alphabet: another letter. Bold digits are digits."""
    argument = _argument(text, at)
    if argument is None:
        at += len(text[at:]) - len(text[at:].lstrip())
        if at >= len(text):
            return [], at
        inner, end = _token(text, at, in_brackets, upright)
        if len(inner) == 1 and inner[0].kind == "word":  # \vec ab is \vec{a}b
            inner, end = [Token("letter", text[at])], at + 1
    else:
        inner, end = list(_tokens(argument[0], in_brackets=in_brackets, upright=False)), argument[1]
    content = " ".join(token.text for token in inner)
    if name in spellings.ALPHABETS:
        letter = f"{name} {content}"
        return [Token("letter", spellings.KNOWN_ALPHABETS.get(letter, f"\\{letter}"))], end
    if name in spellings.BOLD:
        if len(inner) == 1 and inner[0].kind == "letter" and len(inner[0].text) == 1:
            return [Token("letter", f"vec {content}")], end
        if name in ("vec", "overrightarrow"):
            return [Token("letter", f"vec {content}")], end
        return [Token(t.kind, t.text, t.spaced, True) for t in inner], end
    return [Token("letter", f"{spellings.ACCENTS[name]} {content}")], end


def _nested(tokens: list[Token]) -> Nodes:
    """The tokens with what stands in brackets gathered. Brackets of intervals need not be of one kind."""
    stack: list[tuple[Token | None, str, list[Node]]] = [(None, "", [])]
    at = 0
    while at < len(tokens):
        token = tokens[at]
        at += 1
        if token.kind != "sign":
            stack[-1][2].append(token)
            continue
        if token.text == r"\begin":
            stack.append((token, tokens[at].text, []))
            at += 1
        elif token.text == r"\end":
            _close(stack, tokens[at].text, environment=True)
            at += 1
        elif token.text in spellings.OPENING:
            stack.append((token, "", []))
        elif token.text in spellings.CLOSING:
            _close(stack, token.text, environment=False)
        else:
            stack[-1][2].append(token)
        if len(stack) > MOST_DEPTH:
            raise Unreadable
    if len(stack) != 1:
        raise Unreadable
    return tuple(stack[0][2])


def _close(stack: "list[tuple[Token | None, str, list[Node]]]", closing: str, *, environment: bool) -> None:
    opening, name, nodes = stack[-1]
    if opening is None:
        if closing in (")", "]", ">"):  # "B)", or a bracket too many: a sign like others
            nodes.append(Token("sign", closing))
            return
        raise Unreadable
    if environment != bool(name) or (environment and name != closing):
        raise Unreadable
    stack.pop()
    if environment:
        stack[-1][2].append(Group(name, name, tuple(nodes), opening.spaced))
        return
    (opened, wanted), closed = spellings.OPENING[opening.text], spellings.CLOSING[closing]
    if wanted != closed and not (wanted in ")]" and closed in ")]"):
        raise Unreadable
    stack[-1][2].append(Group(opened, closed, tuple(nodes), opening.spaced))


def _unwrapped(nodes: Nodes) -> Nodes:
    """Without TeX braces around everything, and without signs that end a sentence."""
    while True:
        if len(nodes) == 1 and isinstance(nodes[0], Group) and nodes[0].open == "{":
            nodes = nodes[0].nodes
        elif nodes and is_sign(nodes[-1], ".", ",", ";", "space"):
            nodes = nodes[:-1]
        else:
            return nodes


def walk(nodes: Sequence[Node], visit: Callable[[Token], None]) -> None:
    """Call `visit` with every token."""
    for node in nodes:
        if isinstance(node, Group):
            walk(node.nodes, visit)
        else:
            visit(node)
