"""A model's text as Markdown that shows its maths, while it grows.

What comes out is only ever added to. A formula, a code span or a fence is therefore held back until its end is there,
or until it is clear that none will come. How the text was cut into pieces makes no difference.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from vibethinker_local.system.terminal import printable
from vibethinker_local.tui.text import maths

FENCE_LANGUAGE = "maths"  # of the fenced blocks that displayed formulas become
READABLE = 20_000  # characters of a question that are looked through for formulas
MOST_CHARACTERS = 4000  # of a formula; an opening delimiter that finds no end within is text
_LINE = 200  # characters of a line's beginning that are remembered
MOST_INFO = 1000  # characters behind a fence on its line that are looked through for its end
_PUNCTUATION = re.compile(r"([\\`*_{}\[\]<>#+=|~$!&-])")
_FENCE = re.compile(r"[ >]*(?:(?:[-*+]|\d{1,9}[.)]) +)?(`{3,}|~{3,})")
_MARK = re.compile(r"\n|`|\$|\\.|\\$", re.DOTALL)
_LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s+")
_ITEM_BEGUN = re.compile(r"[ >]*(?:[-*+]|\d{1,9}[.)]?)")  # a line that may become one
_SPACED = re.compile(r"\$ ([^$\n]{1,200}) \$")
_SPACED_BEGUN = re.compile(r"\$ [^$\n]{0,201}")
_FORMULA = re.compile(r"\\[A-Za-z]|[\^_]|\A\w\Z|\A(?=.*[=<>+*/-]).*(?<![^\W\d_])[^\W\d_](?![^\W\d_])")


@dataclass(frozen=True)
class _Found:
    """Something with an end: where it ends, and what it becomes."""

    end: int
    text: str


class MarkdownReader:
    """Feed the model's text in pieces, get Markdown in pieces."""

    def __init__(self) -> None:
        self._held = ""
        self._line = ""  # what of the current line has gone out, as the model wrote it
        self._fence = ""  # the code fence that is open
        self._before_fence = ""  # what stands before it on its line: the marks of a quotation or an item

    def feed(self, text: str) -> str:
        self._held += printable(text)
        return self._take(final=False)

    def flush(self) -> str:
        """What was held back, at the end of the text."""
        return self._take(final=True)

    @property
    def closing(self) -> str:
        """The line that closes the code fence that is open; "" if none is."""
        return re.sub(r"[^\s>]", " ", self._before_fence) + self._fence if self._fence else ""

    def _take(self, *, final: bool) -> str:
        held, at, out = self._held, 0, list[str]()
        while at < len(held):
            if not self._line and not final and not self._line_is_clear(held, at):
                break
            if not self._line and not self._fence and (opening := _FENCE.match(held, at)):
                opens = _opens(held, opening, final=final)
                if opens is None:
                    break
                if opens:
                    self._fence, self._before_fence = opening[1], held[at : opening.start(1)]
                    self._line = held[at : opening.end()]
                    out.append(self._line)
                    at = opening.end()
                    continue
            if self._fence:
                end = held.find("\n", at)
                if end < 0 and not final:
                    break
                end = len(held) if end < 0 else end + 1
                line = held[at:end]
                if not self._line and line.strip(" >\n").startswith(self._fence) and not line.strip(" >\n`~"):
                    self._fence = ""
                self._line = ""
                out.append(line)
                at = end
                continue
            mark = _MARK.search(held, at)
            start = mark.start() if mark else len(held)
            if start > at:
                self._line = (self._line + held[at:start])[:_LINE]
                out.append(held[at:start])
                at = start
                continue
            assert mark
            if mark[0] == "\n":
                self._line = ""
                out.append("\n")
                at += 1
                continue
            found = self._construct(held, at, final=final)
            if found is None:
                break
            self._line = (self._line + held[at : found.end].rpartition("\n")[2])[:_LINE]
            out.append(found.text)
            at = found.end
        self._held = held[at:]
        return "".join(out)

    def _line_is_clear(self, held: str, at: int) -> bool:
        """Whether enough of a line is there to tell whether it is a fence."""
        line = held[at : at + 80]
        if _ITEM_BEGUN.fullmatch(line):
            return False
        return "\n" in line or len(line) == 80 or bool(re.search(r"[^\s>`~]", re.sub(_LIST_ITEM, "", line)))

    def _construct(self, held: str, at: int, *, final: bool) -> _Found | None:
        """What begins here; None if that is not clear yet."""
        two = held[at : at + 2]
        if len(two) < 2 and not final:
            return None
        if two[0] == "`":
            return self._code(held, at, final=final)
        if two == "$$":
            return self._delimited(held, at, "$$", "$$", self._display, final=final)
        if two[0] == "$":
            return self._dollar(held, at, final=final)
        if two == "\\[":
            return self._delimited(held, at, "\\[", "\\]", self._display, final=final)
        if two == "\\(":
            return self._parenthesised(held, at, final=final)
        name = re.compile(r"\\[a-zA-Z]*").match(held, at)
        if name and name.end() == len(held) and not final:
            return None  # the name may go on
        if name and name[0] in ("\\boxed", "\\fbox"):
            return self._boxed(held, at, name.end(), final=final)
        if name and name[0] == "\\begin":
            return self._environment(held, at, name.end(), final=final)
        if name and len(name[0]) > 1:
            return _Found(name.end(), "\\" + name[0])
        return _Found(at + len(two), two)  # one of Markdown's own escapes

    def _code(self, held: str, at: int, *, final: bool) -> _Found | None:
        run = re.compile("`+").match(held, at)
        assert run
        if run.end() == len(held) and not final:
            return None
        limit = min(len(held), run.end() + MOST_CHARACTERS)
        for end in re.compile("(?<!`)`+(?!`)|\n\\s*\n").finditer(held, run.end(), limit):
            if not final and end.end() == len(held):
                return None  # more of them may follow
            if end[0].isspace():
                break
            if end[0] == run[0]:
                return _Found(end.end(), held[at : end.end()])
        else:
            if limit == len(held) and not final:
                return None
        return _Found(run.end(), run[0])

    def _delimited(
        self, held: str, at: int, opening: str, closing: str, show: Callable[[str, str], str], *, final: bool
    ) -> _Found | None:
        start = at + len(opening)
        end = held.find(closing, start, start + MOST_CHARACTERS)
        if end < 0:
            if len(held) - start < MOST_CHARACTERS and not final:
                return None
            return _Found(start, _escaped(opening))
        return _Found(end + len(closing), show(held[start:end], held[at : end + len(closing)]))

    def _parenthesised(self, held: str, at: int, *, final: bool) -> _Found | None:
        """A formula between \\( and \\), in one paragraph; without its end, another begins before one ends."""
        limit = min(len(held), at + 2 + MOST_CHARACTERS)
        for end in re.compile(r"\\.|\n\s*\n", re.DOTALL).finditer(held, at + 2, limit):
            if end[0] == "\\)":
                return _Found(end.end(), _inline(held[at + 2 : end.start()], held[at : end.end()]))
            if end[0] == "\\(" or end[0].isspace():
                break
        else:
            if limit == len(held) and not final:
                return None
        return _Found(at + 2, _escaped("\\("))

    def _dollar(self, held: str, at: int, *, final: bool) -> _Found | None:
        """A formula between single dollars: no space inside at either end, and no digit after it, as money has."""
        if held[at + 1 : at + 2].isspace():
            return self._spaced_dollar(held, at, final=final)
        limit = min(len(held), at + 1 + MOST_CHARACTERS)
        for end in re.compile(r"(?<!\\)\$|\n\s*\n").finditer(held, at + 1, limit):
            if end.end() == len(held) and not final:
                return None
            if end[0] != "$" or held[end.start() - 1].isspace() or held[end.end() : end.end() + 1].isdigit():
                break
            return _Found(end.end(), _inline(held[at + 1 : end.start()], held[at : end.end()]))
        else:
            if limit == len(held) and not final:
                return None
        return _Found(at + 1, "\\$")

    def _spaced_dollar(self, held: str, at: int, *, final: bool) -> _Found | None:
        """A formula that some models set apart from its dollars, on one line; unlike prices it has signs or names."""
        if found := _SPACED.match(held, at):
            if len(held) < found.end() + 2 and not final:
                return None  # a digit may follow
            if _FORMULA.search(found[1]) and not re.match(r" ?\d", held[found.end() : found.end() + 2]):
                return _Found(found.end(), _inline(found[1], found[0]))
        elif _SPACED_BEGUN.fullmatch(held, at) and not final:
            return None
        return _Found(at + 1, "\\$")

    def _boxed(self, held: str, at: int, start: int, *, final: bool) -> _Found | None:
        """A \\boxed{…} that the model forgot the delimiters of."""
        depth = 0
        for end in re.compile(r"\\.|[{}]", re.DOTALL).finditer(held, start, start + MOST_CHARACTERS):
            depth += {"{": 1, "}": -1}.get(end[0], 0)
            if depth <= 0:
                return _Found(end.end(), _inline(held[at : end.end()], held[at : end.end()]))
        if len(held) - start < MOST_CHARACTERS and not final:
            return None
        return _Found(start, _escaped(held[at:start]))

    def _environment(self, held: str, at: int, start: int, *, final: bool) -> _Found | None:
        """A \\begin{aligned} … \\end{aligned} that the model forgot the delimiters of."""
        if (name := re.compile(r"\{([a-zA-Z]{1,20}\*?)\}").match(held, start)) is None:
            if len(held) - start < 25 and "\n" not in held[start:] and not final:
                return None
        elif maths.is_environment(name[1]):
            closing = f"\\end{{{name[1]}}}"
            end = held.find(closing, name.end(), start + MOST_CHARACTERS)
            if end >= 0:
                whole = held[at : end + len(closing)]
                return _Found(end + len(closing), self._display(whole, whole))
            if len(held) - start < MOST_CHARACTERS and not final:
                return None
        return _Found(start, "\\\\begin")

    def _display(self, source: str, whole: str) -> str:
        """A formula in lines of its own; in a quotation or a table there are none."""
        if self._line.lstrip().startswith((">", "|")) or not source.strip():
            return _inline(source, whole)
        try:
            lines, language = maths.display(source), FENCE_LANGUAGE
        except maths.BrokenLatex:
            lines, language = whole.strip().splitlines(), "latex"
        item = _LIST_ITEM.match(self._line)
        indent = " " * len(item[0] if item else self._line[: len(self._line) - len(self._line.lstrip())])
        fence = fence_for(whole)
        before = "" if not self._line.strip() else "\n\n" + indent
        body = "\n".join(indent + line for line in lines)
        return f"{before}{fence}{language}\n{body}\n{indent}{fence}\n{indent}"


def _opens(held: str, opening: re.Match[str], *, final: bool) -> bool | None:
    """Whether a fence opens there, or code within a line, as in ```x = 1```; None if that is not clear yet."""
    if opening[1].startswith("~"):
        return True
    rest = held[opening.end() : opening.end() + MOST_INFO]
    info, newline, _ = rest.partition("\n")
    if "`" in info:
        return False
    return True if newline or final or len(rest) == MOST_INFO else None


def whole(text: str) -> str:
    """A finished text as Markdown."""
    reader = MarkdownReader()
    return reader.feed(text) + reader.flush()


def closed(text: str) -> str:
    """A model's text, with an end to the code that it was cut in."""
    reader = MarkdownReader()
    reader.feed(text)
    reader.flush()
    return f"{text.rstrip()}\n{reader.closing}" if reader.closing else text


def fence_for(text: str, least: int = 3) -> str:
    """Backticks around a text, more than follow each other in it."""
    return "`" * max(least, 1 + max(map(len, re.findall("`+", text)), default=0))


def readable(text: str) -> str:
    """Plain text, a question perhaps, with the formulas between its dollars readable; not as Markdown."""

    def shown(found: re.Match[str]) -> str:
        try:
            formula = maths.inline(found[1])
        except maths.BrokenLatex:
            return found[0]
        return formula.replace(maths.BOX[0], "").replace(maths.BOX[1], "")

    return (
        re.sub(r"(?<![\\$])\$(?![\s$])([^$\n]{1,300}?)(?<![\s\\])\$(?![\d$])", shown, text[:READABLE]) + text[READABLE:]
    )


def _inline(source: str, whole: str) -> str:
    if not source.strip():
        return _escaped(whole)
    try:
        shown = maths.inline(source)
    except maths.BrokenLatex:
        return _span(" ".join(whole.split()))
    parts = re.split(f"{maths.BOX[0]}([^{maths.BOX[0]}]*){maths.BOX[1]}", shown)
    return "".join(_span(part) if at % 2 else _escaped(part.strip(maths.BOX[0])) for at, part in enumerate(parts))


def _span(text: str) -> str:
    """A code span that shows exactly this."""
    fence = fence_for(text, least=1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}" if text.strip() else ""


def _escaped(text: str) -> str:
    """Text that Markdown finds nothing in."""
    return _PUNCTUATION.sub(r"\\\1", text).strip(maths.BOX[1])
