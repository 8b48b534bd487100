"""The program in an answer: its last fenced block that holds what was asked for, after the reasoning."""

import ast
import builtins
import html
import itertools
import re
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from vibethinker_local.code.leetcode import PRELUDE, sorted_containers
from vibethinker_local.code.task import LONGEST, Task, fenced, is_open, leading, parsed
from vibethinker_local.code.values import NoLiteral, unparsed
from vibethinker_local.sandbox import Outcome, Program, ProgramCall

_DOCTEST = re.compile(r"^(?:>>>|\.\.\.) ?", re.MULTILINE)
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
_USES = (ast.Assert, ast.Expr, ast.If, ast.For, ast.While, ast.With)  # what examples are made of
_ASSIGNMENTS = (ast.Assign, ast.AugAssign, ast.AnnAssign)  # and, where they call something, these
_TRIED = "try:\n    ...\nexcept MemoryError:\n    raise\nexcept BaseException:\n    pass"  # too much output, too
_PYTHON = re.compile(r"(?:py|ipython|sage)\w*", re.IGNORECASE)  # tags of blocks; one without a tag may be Python, too
_CODE_LINE = re.compile(
    r"^(?:from [\w.]+ import|import \w|(?:async )?def \w+\(|class \w+|while .*:[ \t]*$"
    r"|(?:\w+(?:, ?\w+)*,? = |for \w+ in |print\().*\binput\()",
    re.MULTILINE,
)
_INVISIBLE = {"Zs": " ", "Zl": "\n", "Zp": "\n", "Cf": ""}  # what signs that are not seen are in a program
_STARTS = 5  # lines of code that are tried as the first one of a program without a fence
_TRYING = re.compile(
    r"_?(?:test\w*|main|demo|examples?|run(?:_?(?:all|tests?|examples?|demo|checks?))?)", re.IGNORECASE
)
_READS = re.compile(r"""(?<![.'"])\binput\b(?!\s*=)|\bfileinput\b|\bstdin\b(?!\s*=)|\bopen\(0\b|\bread\(0\b""")
_WRITES = re.compile(r"\bprint\b|\bwrite")
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Attempt:
    """A program that is to solve a task."""

    task: Task
    source: str
    entry: str | None = None  # the function that it defines for a task that names none
    fault: str | None = None  # why it cannot be run: it is no Python, or lacks what was asked for

    @cached_property
    def program(self) -> Program:
        """As it is run: the examples of its use that its author appended may fail, for they are no part of it."""
        source, prelude = self.source, self.task.prelude
        if prelude.startswith(PRELUDE):
            prelude += sorted_containers(source)
        return Program(source if self.task.form == "program" else _forgiving(source), prelude)

    def calls(self, inputs: list[str]) -> list[ProgramCall]:
        return [self.task.call(text, self.entry) for text in inputs]


class _Block(NamedTuple):
    source: str
    tagged: bool  # as Python


class _Function(NamedTuple):
    """What a task without a name may mean: a function, or a method of a class Solution."""

    name: str
    arguments: ast.arguments
    body: ast.AST
    bound: int = 0  # arguments that a call does not give: `self`

    def takes(self, count: int) -> bool:
        """Whether so many arguments can be given by their places."""
        given = self.arguments
        most = len(given.posonlyargs + given.args) - self.bound
        named = sum(default is None for default in given.kw_defaults)
        return not named and most - len(given.defaults) <= count and (count <= most or given.vararg is not None)


def attempt(text: str, task: Task) -> Attempt | None:
    """The program in the visible text of an answer; None if there is none."""
    blocks = _blocks(text)
    candidates = [block for block in blocks if parsed(block.source) is not None]
    for strictly in (True, False):
        for block in _likeliest_first(candidates):
            if _defines(block.source, task, strictly=strictly):
                source = _with_earlier(block, candidates, task)
                whole = _whole(source) if _breaks_off(source) else source
                return _fitted(whole if _defines(whole, task, strictly=strictly) else source, task)
    if task.form == "program" and (preparing := [each.source for each in candidates if _names(each.source)]):
        return Attempt(task, max(preparing, key=len))
    for source in [block.source for block in reversed(blocks)] or [text]:
        if found := _continued(source, task):
            return found
    for block in _likeliest_first(blocks):
        if block not in candidates and _is_newer(block.source, task):
            return Attempt(task, block.source)
    # A program that reads and prints in a block is that, with all its errors; a block of sample input is none.
    given = [block.inside for block in fenced(text) if block.closed] if task.form == "program" else []
    if not any(map(_reads_and_writes, given)) and (bare := _bare(text, task)):
        return _fitted(bare, task)
    for block in _likeliest_first(blocks):
        if block not in candidates:
            return Attempt(task, block.source, fault=_syntax_error(block.source))
        if task.form != "program":
            return Attempt(task, block.source, fault=f"it defines no {task.entry or 'function'}")
    return None


def _is_newer(source: str, task: Task) -> bool:
    """Whether a program is one for the sandbox's Python rather than for this one: f"{word["text"]}" came with 3.12.

    Behind a function, in an example of its use, it does not matter.
    """
    try:
        ast.parse(source)
    except SyntaxError as error:
        at, lines = error.lineno or 1, source.split("\n")
        inside = task.form == "program" or (at <= len(lines) and lines[at - 1][:1].isspace())
        return inside and error.msg.startswith("f-string") and (not task.entry or f"def {task.entry}(" in source)
    except (ValueError, MemoryError, RecursionError):
        return False
    return False


def _likeliest_first(blocks: Sequence[_Block]) -> list[_Block]:
    """Those that say that they are Python before others, which may be output; the last one first."""
    return [block for tagged in (True, False) for block in reversed(blocks) if block.tagged == tagged]


def _with_earlier(block: _Block, candidates: Sequence[_Block], task: Task) -> str:
    """A block behind those before it that define what it uses and lacks: a program may be given in steps."""
    parts, lacking = [block.source], _lacking(block.source) - _names(task.prelude)
    for earlier in reversed(candidates[: candidates.index(block)]):
        if lacking & (defined := _names(earlier.source)):
            parts.insert(0, earlier.source)
            lacking = (lacking - defined) | _lacking(earlier.source)
    return "\n\n\n".join(parts)


def _lacking(source: str) -> set[str]:
    """The names that a program uses, and that neither itself nor Python defines."""
    used, bound = set[str](), set(vars(builtins))
    for node in ast.walk(parsed(source) or ast.Module([], [])):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
            case (
                ast.Name(id=name)
                | ast.arg(arg=name)
                | ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.MatchStar(name=str(name))
            ):
                bound.add(name)
            case ast.alias(name=name, asname=other):
                bound.add(other or name.split(".")[0])
    return used - bound


def program(text: str, task: Task) -> str | None:
    """The source of the program in an answer."""
    found = attempt(text, task)
    return found.source if found else None


def crashed(attempt: Attempt, inputs: list[str]) -> list[Outcome]:
    """The outcomes of a program that cannot be run: nothing of it needs to be."""
    exception = "SyntaxError" if parsed(attempt.source) is None else "NameError"
    return [Outcome(exception=exception, message=attempt.fault or "")] * len(inputs)


def _forgiving(source: str) -> str:
    """The same functions and classes; statements that only use them may fail."""
    tree = parsed(source)
    own = _top(tree)
    if tree is None or _breaks_off(source) or not any(_is_use(node, own) for node in tree.body):
        return source
    body = [_tried(node) if _is_use(node, own) else node for node in tree.body]
    try:
        return unparsed(ast.Module(body, []))
    except NoLiteral:
        return source


def _breaks_off(source: str) -> bool:
    """Whether the last thing is a header, which is no Python, although `parsed` knows what it would have been."""
    return source.rstrip().endswith(":") and parsed(f"{source}\n\npass") is None  # and no comment


def _tried(node: ast.stmt) -> ast.stmt:
    [tried] = ast.parse(_TRIED).body
    assert isinstance(tried, ast.Try)
    tried.body = [node]
    return tried


def _is_use(node: ast.stmt, own: set[str]) -> bool:
    if isinstance(node, ast.ImportFrom):  # from the file that it will be in
        return {each.name for each in node.names} <= own
    if isinstance(node, _ASSIGNMENTS):  # n = int(input()), result = double("x")
        return any(isinstance(each, ast.Call) for each in ast.walk(node))
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return isinstance(node, _USES) and not docstring


def _blocks(text: str) -> list[_Block]:
    """The fenced blocks that may be Python, in order; one that is left open ends with the text."""
    found = [
        _Block(_cleaned(block.inside), tagged=bool(block.tag))
        for block in fenced(text)
        if not block.tag or _PYTHON.fullmatch(block.tag)
    ]
    return [block for block in found if block.source.strip()]


def _cleaned(block: str) -> str:
    text = textwrap.dedent(block).strip("\n")
    return next((textwrap.dedent(each) for each in _readings(text) if parsed(each) is not None), text)


def _readings(text: str) -> Iterator[str]:
    """A block as it is, and as it is Python if it is that but for how it was typed, copied or sent."""
    yield text
    if "\t" in text:  # beside blanks: a level, or Python's own 8 columns
        yield _INDENT.sub(lambda found: found[0].expandtabs(4), text)
        yield _INDENT.sub(lambda found: found[0].expandtabs(8), text)
    if re.search(r"^>>> ", text, re.MULTILINE) and not leading(text).strip():
        yield "\n".join(_DOCTEST.sub("", line) for line in text.split("\n") if _DOCTEST.match(line))
    if not text.isascii():
        yield "".join(_INVISIBLE.get(unicodedata.category(letter), letter) for letter in text)
    if "&" in text:
        yield html.unescape(text)


def _defines(source: str, task: Task, *, strictly: bool) -> bool:
    """Whether a program has what was asked for; `strictly`, if nobody has named it, by what it takes, too."""
    tree = parsed(source)
    if tree is None:
        return False
    if task.form == "program":
        whole = not strictly or not task.examples or _reads_and_writes(source)
        return whole and any(map(_acts, tree.body))
    definitions = [node for node in _statements(tree.body) if isinstance(node, _DEFINITIONS)]
    if strictly and definitions and all(map(is_open, definitions)):  # the starter, once more
        return False
    names = _top(tree)
    if task.form == "method":
        return "Solution" in names or (task.entry in names)
    if task.entry:
        return task.entry in names or task.entry in _methods(tree)
    functions = _functions(tree)
    if strictly and not task.is_class:
        return any(_may_be_meant(each, task) for each in functions)
    return bool(functions) or any(isinstance(node, ast.ClassDef) for node in tree.body)


def _reads_and_writes(source: str) -> bool:
    return bool(_READS.search(source) and _WRITES.search(source))


def _acts(node: ast.stmt) -> bool:
    """Whether a statement of a program does something: `18`, or a list of numbers, is what one has printed."""
    if isinstance(node, (*_DEFINITIONS, ast.Import, ast.ImportFrom)):
        return False
    return isinstance(node, (ast.Raise, ast.Assert)) or any(isinstance(each, ast.Call) for each in ast.walk(node))


def _fitted(source: str, task: Task) -> Attempt:
    """A program that has what was asked for, with a name for it where it stands in or out of a class."""
    tree = parsed(source)
    assert tree is not None
    names, methods = _top(tree), _methods(tree)
    if task.form == "method" and task.entry not in methods and task.entry in names:
        return Attempt(task, source + _class(tree, task.entry))
    if task.form == "function" and task.entry and task.entry not in names and task.entry in methods:
        return Attempt(task, f"{source}\n\n\n{task.entry} = Solution().{task.entry}\n")
    if task.form == "function" and task.entry in _with_self(tree):
        return Attempt(task, f"{source}{_class(tree, task.entry)}\n\n{task.entry} = Solution().{task.entry}\n")
    if task.form == "function" and not task.entry and (entry := _meant(tree, task)):
        if entry in names:
            made = f"{_class(tree, entry)}\n\n{entry} = Solution().{entry}\n" if entry in _with_self(tree) else ""
            return Attempt(task, source + made, entry)
        return Attempt(task, f"{source}\n\n\n{entry} = Solution().{entry}\n", entry)
    return Attempt(task, source)


def _class(tree: ast.Module, entry: str) -> str:
    """A class for functions that stand outside of one. Those that take `self` were to be its methods."""
    methods, base = _with_self(tree), "(Solution)" if _methods(tree) else ""
    lines = [f"    {name} = {name}\n" for name in methods]
    if entry not in methods:
        lines.append(f"    {entry} = staticmethod({entry})\n")
    return f"\n\n\nclass Solution{base}:\n" + "".join(lines)


def _with_self(tree: ast.Module) -> list[str]:
    """The functions of a module, outside of its classes, whose first parameter is `self`."""
    outside = ast.Module([node for node in tree.body if not isinstance(node, ast.ClassDef)], [])
    return list(dict.fromkeys(each.name for each in _functions(outside) if each.bound))


def _meant(tree: ast.Module, task: Task) -> str | None:
    """The function that a task without a name means: one that takes its arguments, and that no other one calls."""
    functions = _functions(tree)
    left = [each for each in functions if _may_be_meant(each, task)] or functions
    calling = {(name, each.name) for each in left for name in _mentioned(each.body) if name != each.name}
    called = {name for name, _ in calling}
    left = [each for each in left if each.name not in called] or left
    outside = [each.name for each in left if not each.bound and each.name in _top(tree)]
    return outside[-1] if outside else left[0].name if left else None


def _may_be_meant(function: _Function, task: Task) -> bool:
    """Whether it takes the arguments of the statement's examples, and is there for more than to try another one."""
    fits = not task.parameters or function.takes(len(task.parameters))
    return fits and not _TRYING.fullmatch(function.name)


def _functions(tree: ast.Module) -> list[_Function]:
    """The functions of a module, and the public methods of its class Solution."""
    found: list[_Function] = []
    for node in _statements(tree.body):
        match node:
            case ast.FunctionDef(name=name, args=arguments) | ast.AsyncFunctionDef(name=name, args=arguments):
                found.append(_Function(name, arguments, node, bound=_takes_self(arguments)))
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda(args=arguments))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Lambda(args=arguments))
            ):
                found.append(_Function(name, arguments, node, bound=_takes_self(arguments)))
            case ast.ClassDef(name="Solution", body=body):
                methods = [each for each in body if isinstance(each, ast.FunctionDef) and not each.name.startswith("_")]
                found += [_Function(each.name, each.args, each, bound=not _is_static(each)) for each in methods]
    return found


def _takes_self(arguments: ast.arguments) -> bool:
    return [each.arg for each in arguments.posonlyargs + arguments.args][:1] == ["self"]


def _is_static(method: ast.FunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in method.decorator_list)


def _mentioned(node: ast.AST) -> set[str]:
    """The names of functions and methods in it."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return names | {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}


def _continued(block: str, task: Task) -> Attempt | None:
    """A block that goes on from the starter: the body alone, without its header."""
    if not task.starter or task.form == "program" or len(block) > LONGEST:
        return None
    header = re.sub(r"\n[ \t]*(?:pass|\.\.\.)\s*\Z", "\n", task.starter.rstrip() + "\n")
    last = header.rstrip("\n").rpartition("\n")[2]
    blanks = " " * (len(last) - len(last.lstrip()) + (4 if last.rstrip().endswith(":") else 0))
    tree = parsed(block)
    indented = [textwrap.indent(textwrap.dedent(block).strip("\n"), blanks)] if tree and _returns(tree) else []
    for body in [*indented, block.strip("\n"), blanks + block.lstrip()]:  # perhaps with functions behind it
        source = _whole(header + body)
        functions = [node for node in ast.walk(parsed(source) or ast.Module([], [])) if isinstance(node, _DEFINITIONS)]
        if any(_returns(node) for node in functions if node.name == task.entry and node.lineno <= header.count("\n")):
            return _fitted(source, task)
    return None


def _returns(function: ast.AST) -> bool:
    """Whether a function returns or yields something itself, and not only one inside it."""
    inside = [*ast.iter_child_nodes(function)]
    while inside:
        node = inside.pop()
        if isinstance(node, (ast.Return, ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(node, (*_DEFINITIONS, ast.Lambda)):
            inside += ast.iter_child_nodes(node)
    return False


def _bare(text: str, task: Task) -> str | None:
    """A program without a fence: from a line of code on as far as it is Python."""
    if len(text) > LONGEST:
        return None
    for found in itertools.islice(_CODE_LINE.finditer(text), _STARTS):
        source = _whole(text[found.start() :])
        if _defines(source, task, strictly=False):
            return source.rstrip()
    return None


def _whole(text: str) -> str:
    """What a text begins with that is Python, without a function or method at its end in which it is none any more."""
    source = leading(text)
    tree = parsed(source)
    if tree is None or not tree.body:
        return source
    last = cut = tree.body[-1]
    while isinstance(last, ast.ClassDef):
        cut = last.body[-1] if len(last.body) > 1 else cut
        last = last.body[-1]
    inside: list[ast.stmt] = getattr(last, "body", [])
    following = text[len(source) :].lstrip("\n").expandtabs()
    goes_on = bool(inside) and len(following) - len(following.lstrip()) >= inside[0].col_offset > 0
    if not (goes_on or _breaks_off(source)):
        return source
    begin = min([cut.lineno, *(each.lineno for each in getattr(cut, "decorator_list", ()))])
    return "\n".join(source.split("\n")[: begin - 1]).rstrip()


def _names(source: str) -> set[str]:
    """The names that a program has for others: those of its modules, too."""
    tree = parsed(source)
    imports = [node for node in (tree.body if tree else ()) if isinstance(node, (ast.Import, ast.ImportFrom))]
    return _top(tree) | {each.asname or each.name.split(".")[0] for node in imports for each in node.names}


def _top(tree: ast.Module | None) -> set[str]:
    """The names that a module defines by def, class or assignment."""
    names = set()
    for node in _statements(tree.body) if tree else ():
        if isinstance(node, _DEFINITIONS):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            stored = [each for target in node.targets for each in ast.walk(target)]
            names |= {each.id for each in stored if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
        elif isinstance(node, ast.AnnAssign) and node.value and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those inside `try` and `if` too, but for what only `__main__` does."""
    for node in body:
        yield node
        if isinstance(node, ast.Try):
            inside = [node.body, *(each.body for each in node.handlers), node.orelse, node.finalbody]
            yield from _statements([*itertools.chain.from_iterable(inside)])
        elif isinstance(node, ast.If) and "__name__" not in _mentioned(node.test):
            yield from _statements([*node.body, *node.orelse])


def _methods(tree: ast.Module) -> list[str]:
    """The public methods of a class Solution."""
    return [
        each.name
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Solution"
        for each in node.body
        if isinstance(each, ast.FunctionDef) and not each.name.startswith("_")
    ]


def _syntax_error(source: str) -> str:
    try:
        ast.parse(source)
    except SyntaxError as error:
        return f"{error.msg} (line {error.lineno})"
    except (ValueError, MemoryError, RecursionError) as error:
        return str(error)
    return ""
