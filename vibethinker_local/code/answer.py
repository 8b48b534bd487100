"""The program in an answer: its last fenced block that holds what was asked for, after the reasoning."""

import ast
import re
import textwrap
from dataclasses import dataclass
from functools import cached_property

from vibethinker_local.code.task import LONGEST, Task, parsed
from vibethinker_local.sandbox import Outcome, Program, ProgramCall

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+-]*)[^\n`]*$")
_DOCTEST = re.compile(r"^(?:>>>|\.\.\.) ?", re.MULTILINE)
_USES = (ast.Assert, ast.Expr, ast.If, ast.For, ast.While, ast.With)  # what examples are made of
_TRIED = "try:\n    ...\nexcept MemoryError:\n    raise\nexcept (Exception, SystemExit):\n    pass"
_OTHERS = {"bash", "sh", "shell", "console", "text", "txt", "output", "json", "cpp", "c", "java", "javascript", "js"}


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
        return Program(self.source if self.task.form == "program" else _forgiving(self.source), self.task.prelude)

    def calls(self, inputs: list[str]) -> list[ProgramCall]:
        return [self.task.call(text, self.entry) for text in inputs]


def attempt(text: str, task: Task) -> Attempt | None:
    """The program in the visible text of an answer; None if there is none."""
    blocks = _blocks(text)
    candidates = [block for block in blocks if parsed(block) is not None]
    for block in reversed(candidates):
        if _defines(block, task):
            return _fitted(block, task)
    if candidates and task.form == "program":
        return Attempt(task, max(candidates, key=len))
    for block in reversed(blocks or [text]):
        if found := _continued(block, task):
            return found
    if bare := _bare(text, task):
        return _fitted(bare, task)
    if candidates:
        return Attempt(task, candidates[-1], fault=f"it defines no {task.entry or 'function'}")
    if blocks:
        return Attempt(task, blocks[-1], fault=_syntax_error(blocks[-1]))
    return None


def program(text: str, task: Task) -> str | None:
    """The source of the program in an answer."""
    found = attempt(text, task)
    return found.source if found else None


def crashed(attempt: Attempt, inputs: list[str]) -> list[Outcome]:
    """The outcomes of a program that cannot be run: nothing of it needs to be."""
    return [Outcome(exception="SyntaxError", message=attempt.fault or "")] * len(inputs)


def _forgiving(source: str) -> str:
    """The same functions and classes; statements that only use them may fail."""
    tree = parsed(source)
    if tree is None or _breaks_off(source) or not any(map(_is_use, tree.body)):
        return source
    body = [_tried(node) if _is_use(node) else node for node in tree.body]
    try:
        return ast.unparse(ast.Module(body, []))
    except (RecursionError, ValueError):  # nested too deeply to be written, or a number of too many digits
        return source


def _breaks_off(source: str) -> bool:
    """Whether the last thing is a header, which is no Python, although `parsed` knows what it would have been."""
    return source.rstrip().endswith(":")


def _tried(node: ast.stmt) -> ast.stmt:
    [tried] = ast.parse(_TRIED).body
    assert isinstance(tried, ast.Try)
    tried.body = [node]
    return tried


def _is_use(node: ast.stmt) -> bool:
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return isinstance(node, _USES) and not docstring


def _blocks(text: str) -> list[str]:
    """The fenced blocks that may be Python, in order; one that is left open ends with the text."""
    blocks: list[str] = []
    fence, block, wanted = "", list[str](), True
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if not fence and found:
            fence, block, wanted = found[1], [], found[2].lower() not in _OTHERS
        elif fence and found and found[1].startswith(fence) and not found[2]:
            if wanted:
                blocks.append(_cleaned("\n".join(block)))
            fence = ""
        elif fence:
            block.append(line)
    if fence and wanted:
        blocks.append(_cleaned("\n".join(block)))
    return [block for block in blocks if block.strip()]


def _cleaned(block: str) -> str:
    text = textwrap.dedent(block.replace("\t", "    ") if "\t" in block and "    " in block else block).strip("\n")
    if text.lstrip().startswith(">>> ") and parsed(text) is None:
        lines = [_DOCTEST.sub("", line) for line in text.split("\n") if _DOCTEST.match(line)]
        return "\n".join(lines)
    return text


def _defines(source: str, task: Task) -> bool:
    tree = parsed(source)
    if tree is None:
        return False
    if task.form == "program":
        return any(
            not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)) for node in tree.body
        )
    names = _top(tree)
    if task.form == "method":
        return "Solution" in names or (task.entry in names)
    if task.entry:
        return task.entry in names or task.entry in _methods(tree)
    return bool(names or _methods(tree))


def _fitted(source: str, task: Task) -> Attempt:
    """A program that has what was asked for, with a name for it where it stands in or out of a class."""
    tree = parsed(source)
    assert tree is not None
    names, methods = _top(tree), _methods(tree)
    if task.form == "method" and task.entry not in methods and task.entry in names:
        return Attempt(task, f"{source}\n\n\nclass Solution:\n    {task.entry} = staticmethod({task.entry})\n")
    if task.form == "function" and task.entry and task.entry not in names and task.entry in methods:
        return Attempt(task, f"{source}\n\n\n{task.entry} = Solution().{task.entry}\n")
    if task.form == "function" and not task.entry:
        functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name != "main"]
        if functions:
            return Attempt(task, source, functions[-1])
        if methods:
            return Attempt(task, f"{source}\n\n\n{methods[0]} = Solution().{methods[0]}\n", methods[0])
    return Attempt(task, source)


def _continued(block: str, task: Task) -> Attempt | None:
    """A block that goes on from the starter: the body alone, without its header."""
    tree = parsed(block)
    if not task.starter or task.form == "program" or (tree and any(_is_definition(node) for node in tree.body)):
        return None
    header = re.sub(r"\n[ \t]*(?:pass|\.\.\.)\s*\Z", "\n", task.starter.rstrip() + "\n")
    last = header.rstrip("\n").rpartition("\n")[2]
    indent = len(last) - len(last.lstrip()) + (4 if last.rstrip().endswith(":") else 0)
    body = textwrap.indent(textwrap.dedent(block).strip("\n"), " " * indent)
    source = header + body
    if body.strip() and parsed(source) is not None and _is_body(block):
        return _fitted(source, task)
    return None


def _is_definition(node: ast.stmt) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


def _is_body(block: str) -> bool:
    """Whether a block is the inside of a function: it returns something."""
    return bool(re.search(r"^[ \t]*(?:return|yield)\b", block, re.MULTILINE))


def _bare(text: str, task: Task) -> str | None:
    """A program without a fence: the longest run of lines that is one, from its first line of code on."""
    found = re.search(r"^(?:from [\w.]+ import|import \w|def \w+\(|class \w+)", text, re.MULTILINE)
    if not found or len(text) > LONGEST:
        return None
    lines = text[found.start() :].split("\n")
    for end in range(len(lines), max(0, len(lines) - 200), -1):
        source = "\n".join(lines[:end])
        if parsed(source) is not None and _defines(source, task):
            return source.rstrip()
    return None


def _top(tree: ast.Module | None) -> set[str]:
    """The names that a module defines by def, class or assignment."""
    names = set()
    for node in tree.body if tree else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


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
