"""What LeetCode's judge has ready for every solution: imports, nodes of lists and trees, JSON's names."""

import ast
import re

from vibethinker_local.code.values import NoLiteral, unparsed

PRELUDE = """\
import bisect, collections, functools, heapq, itertools, math, operator, random, re, string
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
        head = ListNode(value, head)
    return head

def tree_node(values):
    if not values:
        return None
    root = TreeNode(values[0])
    row, rest = deque([root]), iter(values[1:])
    while row:
        node = row.popleft()
        for side in ("left", "right"):
            value = next(rest, None)
            if value is not None:
                setattr(node, side, TreeNode(value))
                row.append(getattr(node, side))
    return root

def _in_place(function, *args, **options):
    function(*args, **options)
    for value in (*args, *options.values()):
        if isinstance(value, (list, dict, set)) or hasattr(value, "val"):
            return value

"""

_IN_PLACE = re.compile(r"\bin[- ]place\b|\bdo not return anything\b", re.IGNORECASE)
_RETURNS = re.compile(r"\breturn(?:s|ed)?\b(?! (?:anything|nothing)\b)", re.IGNORECASE)


def annotations(statement: str, parameters: tuple[str, ...]) -> tuple[str, ...]:
    """What the parameters are, where a statement without starter code says so: nodes of a tree or of a linked list."""
    tree = re.search(r"\btrees?\b", statement, re.IGNORECASE)
    linked = re.search(r"\blinked[ -]lists?\b", statement, re.IGNORECASE)

    def kind(name: str) -> str:
        if tree and re.search(r"root|tree", name, re.IGNORECASE):
            return "TreeNode"
        return "ListNode" if linked and re.fullmatch(r"head\w*|l\d|list\d", name, re.IGNORECASE) else ""

    return tuple(map(kind, parameters))


def in_place(statement: str) -> bool:
    """Whether a statement without starter code wants an argument changed, and nothing returned."""
    return bool(_IN_PLACE.search(statement)) and not _RETURNS.search(statement)


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
    try:
        call = ast.parse(f"f({arguments})", mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return arguments
    if not isinstance(call, ast.Call):
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
