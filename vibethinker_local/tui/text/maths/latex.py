"""A reader of the LaTeX that models write in formulas: a text becomes nodes, or is Broken."""

import re
from dataclasses import dataclass
from typing import Literal

from vibethinker_local.tui.text.maths import symbols
from vibethinker_local.tui.text.maths.symbols import BrokenLatex

MOST_CHARACTERS, MOST_DEPTH = 8000, 80
Kind = Literal["ordinary", "binary", "relation", "punctuation", "open", "close", "function", "large", "text", "space"]


@dataclass(frozen=True)
class LatexSymbol:
    """Characters as they are shown."""

    text: str
    kind: Kind = "ordinary"


@dataclass(frozen=True)
class Row:
    items: tuple["Node", ...]


@dataclass(frozen=True)
class Scripts:
    base: "Node"
    below: "Node | None"
    above: "Node | None"


@dataclass(frozen=True)
class Fraction:
    above: "Node"
    below: "Node"
    bar: bool = True  # without: a binomial coefficient


@dataclass(frozen=True)
class Root:
    body: "Node"
    degree: "Node | None" = None


@dataclass(frozen=True)
class Boxed:
    body: "Node"


@dataclass(frozen=True)
class Phantom:
    """Room for something that is not shown."""

    body: "Node"


@dataclass(frozen=True)
class Accent:
    body: "Node"
    mark: str  # a combining character


@dataclass(frozen=True)
class Fenced:
    """Something between delimiters that grow with it."""

    left: str
    body: "Node"
    right: str


@dataclass(frozen=True)
class Grid:
    """A matrix, cases or aligned equations."""

    rows: tuple[tuple["Node", ...], ...]
    aligned: bool  # columns alternate right and left, as equations do


Node = LatexSymbol | Row | Scripts | Fraction | Root | Boxed | Phantom | Accent | Fenced | Grid

FENCES = {
    "matrix": ("", ""),
    "smallmatrix": ("", ""),
    "array": ("", ""),
    "pmatrix": ("(", ")"),
    "bmatrix": ("[", "]"),
    "Bmatrix": ("{", "}"),
    "vmatrix": ("|", "|"),
    "Vmatrix": ("‖", "‖"),
    "cases": ("{", ""),
    "dcases": ("{", ""),
    "rcases": ("", "}"),
}
ALIGNED = frozenset(
    "aligned align alignat alignedat flalign gather gathered equation split multline multlined eqnarray".split()
)
ENVIRONMENTS = frozenset(f"{name}{star}" for name in (*FENCES, *ALIGNED) for star in ("", "*"))
STARRED = r"operatorname|hspace|vspace|tag"  # commands with a star of their own; after others it is a product's
# Behind a number or a word, models mean a percent sign; by the book it would begin a comment there, too.
COMMENT = re.compile(r"(?<!\S)(?<!\d )%[^\n]*|(?<![\d\\])%(?=\n)")
INFIX = {"\\over": True, "\\choose": False}  # whether there is a bar between what stands before and behind it
NO_BREAK = "\xa0"  # a space that is meant, in a name; others do not count there
_TOKEN = re.compile(rf"\\(?:{STARRED})\*|\\[a-zA-Z]+|\\.|\s+|\d{{1,3}}(?:,\d{{3}})+(?!\d)|.", re.DOTALL)
_OPERATORS: dict[str, Kind] = {
    "+": "binary",
    "-": "binary",
    "*": "binary",
    "=": "relation",
    "<": "relation",
    ">": "relation",
}
_OPERATORS |= {
    ":": "relation",
    ",": "punctuation",
    ";": "punctuation",
    "(": "open",
    "[": "open",
    ")": "close",
    "]": "close",
}
_OPENING, _CLOSING = frozenset("{[⟨⌊⌈⟦"), frozenset("}]⟩⌋⌉⟧")


def parse(source: str) -> Node:
    """Raises BrokenLatex."""
    if len(source) > MOST_CHARACTERS:
        raise BrokenLatex("too long")
    reader = _LatexReader(_TOKEN.findall(COMMENT.sub("", source)))
    node = reader.rows() if "\\\\" in source else reader.row(frozenset())
    if reader.peek():
        raise BrokenLatex(f"unexpected {reader.peek()}")
    return node


class _LatexReader:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0

    def peek(self) -> str:
        """The next token that is no space; "" at the end."""
        while self._at < len(self._tokens) and self._tokens[self._at].isspace():
            self._at += 1
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise BrokenLatex(f"{expected or 'more'} is missing")
        self._at += 1
        return token

    def row(self, ends: frozenset[str]) -> Node:
        """Everything up to one of these tokens, which is left there, or to the end."""
        self._go_deeper()
        items: list[Node] = []
        while (token := self.peek()) and token not in ends and token not in ("}", "&", "\\\\", "\\end", "\\right"):
            if token in ("^", "_", "'"):
                items.append(self._scripts(items.pop() if items else LatexSymbol("")))
            elif token in INFIX:
                self.take()
                items = [_infix(Row(tuple(items)), token, self.row(ends))]
            elif (item := self._atom()) is not None:
                items.append(item)
        self._depth -= 1
        return items[0] if len(items) == 1 else Row(tuple(items))

    def _go_deeper(self) -> None:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise BrokenLatex("too deep")

    def rows(self) -> Grid:
        """Cells up to an \\end, or to the end of all."""
        rows: list[tuple[Node, ...]] = []
        cells: list[Node] = []
        while True:
            cells.append(self.row(frozenset()))
            match self.peek():
                case "&":
                    self.take()
                    continue
                case "\\\\":
                    self.take()
                    self._optional()
                    rows.append(tuple(cells))
                    cells = []
                    continue
            if cells != [Row(())] or not rows:
                rows.append(tuple(cells))
            return Grid(tuple(rows), aligned=True)

    def _scripts(self, base: Node) -> Node:
        below: Node | None = None
        above: list[Node] = []
        while (token := self.peek()) in ("^", "_", "'", "\\limits", "\\nolimits"):
            self.take()
            if token == "'":
                primes = 1
                while self.peek() == "'":
                    self.take()
                    primes += 1
                above.append(LatexSymbol("′" * primes))
            elif token == "^":
                above.append(self._argument())
            elif token == "_":
                if below is not None:
                    raise BrokenLatex("two indices")
                below = self._argument()
        return Scripts(base, below, above[0] if len(above) == 1 else Row(tuple(above)) if above else None)

    def _argument(self) -> Node:
        """What follows in braces, or one token."""
        self._go_deeper()  # without braces, too: \sqrt\sqrt …
        argument = self._argument_here()
        self._depth -= 1
        return argument

    def _argument_here(self) -> Node:
        while True:
            if self.peek() == "{":
                return self._group()
            if self.peek() in ("^", "_", "&", "}", "\\\\", "\\end", "\\right"):
                raise BrokenLatex("an argument is missing")
            if len(token := self.peek()) == 1:
                self.take()
                return _character(token)
            if (atom := self._atom()) is not None:
                return atom

    def _group(self) -> Node:
        self.take("{")
        body = self.row(frozenset())
        self.take("}")
        if isinstance(body, LatexSymbol) and body.kind in ("punctuation", "binary", "relation"):
            return LatexSymbol(body.text)  # braces take the spaces away: 1{,}024
        return body

    def _optional(self) -> Node | None:
        """What follows in brackets, if anything does."""
        if self.peek() != "[":
            return None
        self.take()
        body = self.row(frozenset("]"))
        self.take("]")
        return body

    def _raw(self) -> str:
        """The characters of a group, without the dollars around formulas in it."""
        self.take("{")
        depth, found = 1, list[str]()
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            depth += (token == "{") - (token == "}")
            if depth == 0:
                money = found.count("$") % 2  # one alone is no delimiter
                return "".join(_plain(token) for token in found if token != "$" or money)
            found.append(token)
        raise BrokenLatex("} is missing")

    def _atom(self) -> Node | None:
        """The next thing; None if it is nothing to see."""
        token = self.peek()
        if token == "{":
            return self._group()
        self.take()
        if token == "~":
            return LatexSymbol(" ", "space")
        if token == "$" and self.peek()[:1].isdecimal():
            return LatexSymbol(token)
        return self._command(token[1:]) if token[0] == "\\" else _character(token)

    def _command(self, name: str) -> Node | None:
        if name in ("frac", "dfrac", "tfrac", "cfrac"):
            return Fraction(self._argument(), self._argument())
        if name in ("binom", "dbinom", "tbinom"):
            return Fenced("(", Fraction(self._argument(), self._argument(), bar=False), ")")
        if name == "sqrt":
            degree = self._optional()
            return Root(self._argument(), degree)
        if name in ("boxed", "fbox"):
            return Boxed(self._argument())
        if name == "begin":
            return self._environment()
        if name == "left":
            return self._fenced()
        if name in symbols.TEXT:
            text = re.sub(r"\s+", " ", self._raw())
            if "\\" in text:
                raise BrokenLatex("a command in text")
            return LatexSymbol(text, "text")
        if name in ("operatorname", "operatorname*", "mathrm") and self.peek() == "{":
            word = self._raw()
            if "\\" in word or "{" in word:
                raise BrokenLatex("a command in a name")
            said = " ".join(word.split())
            if word.startswith(NO_BREAK):  # a unit, apart from its number
                return LatexSymbol(f" {said}")
            return LatexSymbol(said, "function" if len(said) > 1 else "ordinary")
        if name in symbols.ALPHABETS:
            return _mapped(self._argument(), symbols.ALPHABETS[name])
        if name in symbols.ACCENTS:
            return Accent(self._argument(), symbols.ACCENTS[name])
        if name in ("phantom", "hphantom"):
            return Phantom(self._argument())
        if name == "vphantom":
            self._argument()
            return None
        if name == "smash":
            self._optional()
            return self._argument()
        if name in ("overset", "stackrel", "underset"):
            mark, base = self._argument(), self._argument()
            return Scripts(base, mark, None) if name == "underset" else Scripts(base, None, mark)
        if name in ("overbrace", "underbrace"):
            return self._argument()
        if name in ("tag", "tag*"):
            text = self._raw()
            return LatexSymbol(f"  {text}" if name == "tag*" else f"  ({text})", "text")
        if name in ("color", "textcolor", "hspace", "vspace", "label", "hspace*", "vspace*", "cline"):
            self._raw()
            return None
        if name == "substack":
            self.take("{")
            rows = self.rows()
            self.take("}")
            return rows
        if name == "not":
            negated = self._argument()
            if isinstance(negated, LatexSymbol) and negated.text in symbols.NEGATED:
                return LatexSymbol(symbols.NEGATED[negated.text], "relation")
            raise BrokenLatex("\\not")
        if name in ("pmod", "pod"):
            body = Row((LatexSymbol("mod", "function"), self._argument()))
            return Row((LatexSymbol("  ", "space"), Fenced("(", body, ")")))
        if name == "bmod":
            return LatexSymbol("mod", "relation")
        if name == "xrightarrow":
            self._optional()
            return Scripts(LatexSymbol("→", "relation"), None, self._argument())
        return _symbol(name)

    def _environment(self) -> Node:
        name = self._raw()
        if name not in ENVIRONMENTS:
            raise BrokenLatex(f"\\begin{{{name}}}")
        plain = name.removesuffix("*")
        if plain == "array" or name not in FENCES:  # a matrix may begin with [
            self._position()
        if plain in ("array", "alignat", "alignedat"):
            self._raw()  # columns
        rows = self.rows().rows
        self.take("\\end")
        if self._raw() != name:
            raise BrokenLatex("\\end of something else")
        left, right = FENCES.get(plain, ("", ""))
        grid = Grid(rows, aligned=plain in ALIGNED)
        return Fenced(left, grid, right) if left or right else grid

    def _position(self) -> None:
        """Leave out where an environment stands, or its columns: [t], [r]."""
        if "".join(self._tokens[self._at : self._at + 3]) in ("[t]", "[b]", "[c]", "[l]", "[r]"):
            self._at += 3

    def _fenced(self) -> Node:
        left = self._delimiter()
        items = [self.row(frozenset(["\\middle"]))]
        while self.peek() == "\\middle":
            self.take()
            items += [LatexSymbol(self._delimiter(), "relation"), self.row(frozenset(["\\middle"]))]
        self.take("\\right")
        return Fenced(left, items[0] if len(items) == 1 else Row(tuple(items)), self._delimiter())

    def _delimiter(self) -> str:
        token = self.take()
        if token == ".":
            return ""
        name = token[1:] if token[0] == "\\" and len(token) > 1 else token
        delimiter = "‖" if token == "\\|" else symbols.ORDINARY.get(name, symbols.RELATIONS.get(name, name))
        if len(delimiter) != 1 or delimiter.isalnum():
            raise BrokenLatex(f"{token} as a delimiter")
        return delimiter


def _infix(above: Node, command: str, below: Node) -> Node:
    """What stands before and behind an \\over or a \\choose."""
    fraction = Fraction(above, below, INFIX[command])
    return fraction if fraction.bar else Fenced("(", fraction, ")")


def _plain(token: str) -> str:
    """A token of a text as it is read: \\% is a percent sign, ~ and \\, are spaces."""
    if token == "~":
        return NO_BREAK
    if len(token) == 2 and token[0] == "\\" and not token[1].isalpha():
        return symbols.SPACES.get(token[1], token[1]).replace(" ", NO_BREAK)
    return token


def _character(token: str) -> Node:
    if token in "^_&}\\#$":
        raise BrokenLatex(f"unexpected {token}")
    return LatexSymbol("−" if token == "-" else token, _OPERATORS.get(token, "ordinary"))


def _mapped(node: Node, alphabet: dict[str, str]) -> Node:
    if isinstance(node, Row):
        return Row(tuple(_mapped(item, alphabet) for item in node.items))
    return LatexSymbol("".join(alphabet.get(c, c) for c in node.text)) if isinstance(node, LatexSymbol) else node


def _symbol(name: str) -> Node | None:
    if name in symbols.SPACES:
        return LatexSymbol(symbols.SPACES[name], "space") if symbols.SPACES[name] else None
    if name in symbols.RELATIONS:
        return LatexSymbol(symbols.RELATIONS[name], "relation")
    if name in symbols.BINARY:
        return LatexSymbol(symbols.BINARY[name], "binary")
    if name in symbols.LARGE:
        return LatexSymbol(symbols.LARGE[name], "large")
    if name in symbols.FUNCTIONS:
        return LatexSymbol(name, "function")
    if name in symbols.PLAIN:
        return None
    text = symbols.ORDINARY.get(name, "")
    if text or (len(name) == 1 and name in "{}%$#&_|"):
        text = "‖" if name == "|" else text or name
        return LatexSymbol(text, "open" if text in _OPENING else "close" if text in _CLOSING else "ordinary")
    raise BrokenLatex(f"\\{name}")
