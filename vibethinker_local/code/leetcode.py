"""What LeetCode's judge has ready for every solution: imports, nodes of lists and trees, JSON's names."""

import ast
import re
from contextlib import suppress

from vibethinker_local.code.values import NoLiteral, unparsed

PRELUDE = """\
import bisect, collections, copy, functools, heapq, itertools, math, operator, random, re, string
from typing import *
from functools import *
from collections import *
from itertools import *
from heapq import *
from bisect import *
from string import *
from operator import *
from math import *
from builtins import abs, pow
inf = float("inf")
true, false, null = True, False, None

class ListNode:
    def __init__(self, val=0, next=None):
        self.val, self.next = val, next

class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val, self.left, self.right = val, left, right

def list_node(values):
    head = None
    for value in reversed(values or []):
        node = ListNode.__new__(ListNode)  # a program's own class may take other arguments
        node.val, node.next = value, head
        head = node
    return head

def tree_node(values):
    if not values:
        return None
    def made(value):
        node = TreeNode.__new__(TreeNode)
        node.val, node.left, node.right = value, None, None
        return node

    root = made(values[0])
    row, rest = deque([root]), iter(values[1:])
    while row:
        node = row.popleft()
        for side in ("left", "right"):
            value = next(rest, None)
            if value is not None:
                setattr(node, side, made(value))
                row.append(getattr(node, side))
    return root

def _in_place(function, *args, **options):
    function(*args, **options)
    for value in (*args, *options.values()):
        if isinstance(value, (list, dict, set)) or hasattr(value, "val"):
            return value

def _calls(made, names, arguments):
    it, values = made(*arguments[0]), [None]
    for name, given in zip(names[1:], arguments[1:]):
        value = getattr(it, name)(*given)
        values.append(copy.deepcopy(value) if isinstance(value, (list, dict, set)) else value)  # as it is by now
    return values

"""

_SORTED = re.compile(r"\A(?!.*\bclass Sorted).*\bSorted(?:List|Dict|Set)\b", re.DOTALL)
_IN_PLACE = re.compile(r"\bin[- ]place\b|\bdo not return anything\b|原地", re.IGNORECASE)
_RETURNS = re.compile(r"\breturn(?:s|ed)?\b(?! (?:anything|nothing)\b)|返回", re.IGNORECASE)


def sorted_containers(source: str) -> str:
    """The import that LeetCode's judge has ready, too, for the programs that need it: it takes a while."""
    return "from sortedcontainers import SortedDict, SortedList, SortedSet\n" if _SORTED.search(source) else ""


def annotations(statement: str, parameters: tuple[str, ...]) -> tuple[str, ...]:
    """What the parameters are, where a statement without starter code says so: nodes of a tree or of a linked list."""
    tree = re.search(r"\btrees?\b|二叉树|二分木", statement, re.IGNORECASE)
    linked = re.search(r"\blinked[ -]lists?\b|链表|連結リスト", statement, re.IGNORECASE)

    def kind(name: str) -> str:
        if tree and re.search(r"root|tree", name, re.IGNORECASE):
            return "TreeNode"
        return "ListNode" if linked and re.fullmatch(r"head\w*|l\d|list\d", name, re.IGNORECASE) else ""

    return tuple(map(kind, parameters))


def in_place(statement: str) -> bool:
    """Whether a statement without starter code wants an argument changed, and nothing returned."""
    return bool(_IN_PLACE.search(statement)) and not _RETURNS.search(statement)


def of_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, str]:
    """What its parameters are, and below "" what it returns, where LeetCode's starter for Python 2 says so."""
    said = ast.get_docstring(function) or ""
    told = {name: kind.strip() for name, kind in re.findall(r"^:type (\w+):([^\n]+)", said, re.MULTILINE)}
    returned = re.search(r"^:rtype:\s*(None|void)\b", said, re.MULTILINE)
    return told | ({"": "None"} if returned else {})


def taken(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    """What a call gives a function by place."""
    return [each for each in function.args.posonlyargs + function.args.args if each.arg != "self"]


def by_place(function: ast.FunctionDef | ast.AsyncFunctionDef, arguments: str) -> str:
    """The arguments of an example without their names, where a statement has others than the function, but as many."""
    call = _parsed(arguments)
    names = [each.arg for each in taken(function)]
    shown = [each.arg for each in call.keywords] if call and not call.args else []
    if call is None or shown == names or len(shown) != len(names):
        return arguments
    if any(name in names and name != own for name, own in zip(shown, names, strict=True)):
        return arguments
    with suppress(NoLiteral):
        return ", ".join(unparsed(each.value) for each in call.keywords)
    return arguments


def can_be_called(
    function: ast.FunctionDef | ast.AsyncFunctionDef, arguments: str, annotations: tuple[str, ...]
) -> bool:
    """Whether a function takes the arguments of an example: as many, by its names, nodes only from lists.

    `pos` of a linked list with a cycle, nodes of a tree by their values, and graphs are the judge's own.
    """
    call = _parsed(arguments)
    if call is None:
        return True
    given = function.args
    names = [each.arg for each in taken(function)]
    known = {*names, *(each.arg for each in given.kwonlyargs)}
    if not given.kwarg and any(each.arg not in known for each in call.keywords):
        return False
    needed = set(names[len(call.args) : len(names) - len(given.defaults)])
    if (len(call.args) > len(names) and not given.vararg) or not needed <= {each.arg for each in call.keywords}:
        return False
    kinds = dict(zip(names, annotations, strict=True))
    values = [*zip(names, call.args, strict=False), *((each.arg or "", each.value) for each in call.keywords)]
    return not any(
        re.search(r"(?<!\w)Node\b", kinds.get(name, ""))
        or ("Node" in kinds.get(name, "") and isinstance(value, ast.Constant) and isinstance(value.value, int))
        for name, value in values
    )


def _parsed(arguments: str) -> ast.Call | None:
    with suppress(SyntaxError, ValueError, MemoryError, RecursionError):
        call = ast.parse(f"f({arguments})", mode="eval").body
        return call if isinstance(call, ast.Call) else None
    return None


def wrapped(arguments: str, parameters: tuple[str, ...], annotations: tuple[str, ...]) -> str:
    """Arguments as a call takes them: lists where a list's or a tree's node is wanted are made into one, and lists of
    lists into lists of nodes."""
    makers = {
        name: (maker, "list[" in annotation.casefold())
        for name, annotation in zip(parameters, annotations, strict=True)
        for kind, maker in (("ListNode", "list_node"), ("TreeNode", "tree_node"))
        if kind in annotation
    }
    if not makers:
        return arguments
    call = _parsed(arguments)
    if call is None:
        return arguments
    try:
        positional = [_made(value, makers.get(name)) for name, value in zip(parameters, call.args, strict=False)]
        named = [f"{each.arg} = {_made(each.value, makers.get(each.arg or ''))}" for each in call.keywords]
    except NoLiteral:
        return arguments
    return ", ".join([*positional, *named])


def _made(value: ast.expr, maker: tuple[str, bool] | None) -> str:
    text = unparsed(value)
    if not maker or not isinstance(value, (ast.List, ast.Constant)):
        return text
    name, many = maker
    if many and isinstance(value, ast.List):
        return f"[{', '.join(_made(each, (name, False)) for each in value.elts)}]"
    return text if many else f"{name}({text})"
