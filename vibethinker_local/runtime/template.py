"""Renders a model's chat template, which comes out of the model file and is therefore untrusted code.

It runs in Jinja's immutable sandbox with only what chat templates use: a few filters and functions, and operators
that cannot produce a large value from small ones. So each single step is short; each loop iteration and each call
checks the clock, and after two seconds the template is stopped.
"""

import functools
import json
import re
import time
from collections.abc import Callable
from typing import Any, Protocol

from jinja2 import TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from vibethinker_local.errors import ModelError

SECONDS = 2.0
SOURCE_CHARACTERS = 200_000
MOST = 1_000_000  # characters of any intermediate string, and items and characters of any list, nested ones included
Messages = list[dict[str, str]]

FILTERS = frozenset(
    "abs bool capitalize count d default dictsort e escape first float int items last length list lower map max min "
    "reject rejectattr reverse round safe select selectattr sort string title trim unique upper".split()
)
STRING_METHODS = frozenset(
    "capitalize count endswith find index isalnum isalpha isascii isdecimal isdigit islower isnumeric isspace isupper "
    "lower lstrip partition removeprefix removesuffix replace rfind rpartition rsplit rstrip split splitlines "
    "startswith strip swapcase title upper".split()
)


class Tokenizer(Protocol):
    def __call__(self, text: str, *, special: bool) -> list[int]: ...


class _TooLong(Exception):
    """The template ran into its time limit."""


class _PlainNamespace(Namespace):
    def __repr__(self) -> str:  # Jinja's own prints the contents recursively, without a limit
        return "<namespace>"


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
        allowed = {name: value for name, value in self.filters.items() if name in FILTERS}
        allowed |= {"join": _join, "replace": _replace, "tojson": _tojson}
        self.filters = {name: self._checked(value) for name, value in allowed.items()}
        self.tests = {name: self._checked(value) for name, value in self.tests.items()}
        self.globals = {"range": self.globals["range"], "dict": dict, "namespace": _PlainNamespace}
        self._deadline = time.monotonic() + SECONDS

    def tick(self) -> str:
        if time.monotonic() > self._deadline:
            raise _TooLong
        return ""

    def weighed(self, value: Any) -> Any:
        """Returns `value` if it is not too large."""
        _weigh(value, {})
        return value

    def _checked(self, function: Any) -> Callable[..., Any]:
        @functools.wraps(function)  # also copies the attributes by which Jinja passes it the context
        def checked(*args: Any, **named: Any) -> Any:
            self.tick()
            return self.weighed(function(*args, **named))

        return checked

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str) and attr not in STRING_METHODS:
            return False
        return bool(super().is_safe_attribute(obj, attr, value))

    def wrap_str_format(self, value: Any) -> None:
        """Jinja allows `str.format` specially, which can fill the memory in one step. None: treat it as any other."""

    def call(self, context: Any, called: Any, /, *args: Any, **named: Any) -> Any:
        self.tick()
        if isinstance(text := getattr(called, "__self__", None), str) and called.__name__ == "replace":
            return _replace(text, *args)
        return self.weighed(super().call(context, called, *args, **named))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and isinstance(left, (str, list, tuple)):
            self.weighed((left, right))
        elif (
            not all(isinstance(side, (int, float)) and abs(side) < 2**63 for side in (left, right)) or operator == "**"
        ):
            raise TemplateError(f"the operator {operator} is for plain numbers here")
        return super().call_binop(context, operator, left, right)


class _Watched(NodeTransformer):
    """Rewrites a template so that operations which bypass the sandbox go through it."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        """Replaces `a ~ b` by a filter, which has a limit."""
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, "join", [], [], None, None, lineno=node.lineno)

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self.generic_visit(node)
        tick = _environment_call("tick", [], node.lineno)
        node.body.insert(0, nodes.Output([tick], lineno=node.lineno))
        if node.test:
            node.test = nodes.And(nodes.Not(tick, lineno=node.lineno), node.test, lineno=node.lineno)
        return node

    def visit_List(self, node: nodes.List) -> nodes.Node:
        self.generic_visit(node)
        return _environment_call("weighed", [node], node.lineno)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        self.generic_visit(node)
        return _environment_call("weighed", [node], node.lineno)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        return _environment_call("weighed", [node], node.lineno) if node.ctx == "load" else node


def _environment_call(name: str, args: list[nodes.Expr], line: int) -> nodes.Expr:
    """A call of a method of the sandbox, which no name in the template can shadow."""
    return nodes.Call(nodes.EnvironmentAttribute(name, lineno=line), args, [], None, None, lineno=line)


def _weigh(value: Any, known: dict[int, int]) -> int:
    """The number of characters and items in a value. A part that occurs twice counts twice, but is visited once."""
    if isinstance(value, str):
        weight = len(value)
    elif isinstance(value, (list, tuple, dict)):
        if id(value) not in known:
            parts = [*value, *value.values()] if isinstance(value, dict) else value
            known[id(value)] = sum(1 + _weigh(part, known) for part in parts)
        weight = known[id(value)]
    else:
        return 0
    if weight > MOST:
        raise TemplateError("it makes more text than any model reads")
    return weight


def _join(parts: Any, by: str = "", attribute: str | None = None) -> str:
    texts = [str(part[attribute] if attribute else part) for part in parts]
    _weigh([*texts, *[by] * len(texts)], {})
    return by.join(texts)


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    _weigh([text, *[new] * text.count(old)], {})
    return text.replace(old, new, count)


def _tojson(value: Any, indent: int | None = None, ensure_ascii: bool = False, sort_keys: bool = False) -> str:
    if indent is not None and not 0 <= indent <= 8:
        raise TemplateError(f"an indent of {indent} is none")
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, sort_keys=sort_keys)


def render(source: str, messages: Messages, *, name: str) -> str:
    """The text of a conversation, up to the beginning of the model's reply. Raises ModelError for a bad template."""
    sandbox = _Sandbox()

    def refuse(message: str) -> str:
        raise TemplateError(message)

    def run() -> str:
        if len(source) > SOURCE_CHARACTERS:
            raise TemplateError(f"it has {len(source):,} characters")
        template = sandbox.from_string(_Watched().visit(sandbox.parse(source)))
        pieces, size = list[str](), 0
        for piece in template.generate(
            messages=messages, add_generation_prompt=True, raise_exception=refuse, bos_token="", eos_token=""
        ):
            sandbox.tick()
            pieces.append(piece)
            size += len(piece)
            if size > MOST:
                raise TemplateError("it makes more text than any model reads")
        return "".join(pieces)

    try:
        return run()
    except _TooLong:
        raise ModelError(f"The chat template of {name} does not end: use another file of this model.") from None
    # A template can raise whatever a Python expression can; in any case the file is to blame.
    except (
        TemplateError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        MemoryError,
        RuntimeError,  # RecursionError among others
        SyntaxError,  # in the Python code that Jinja generates
        TypeError,
        ValueError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"The chat template of {name} is no good ({reason[:200]}): use another file of this model."
        ) from error


def encode(source: str, messages: Messages, tokenize: Tokenizer, *, name: str, after: int | None = None) -> list[int]:
    """The token ids of a conversation. Control tokens are recognised in the template's own text, never in a message.

    `tokenize(text, special=…)` is the model's. With `after`, an index into the messages, only what follows that
    message is returned. Raises ModelError for a bad template.
    """
    without = tuple(tuple(sorted((message | {"content": ""}).items())) for message in messages)
    parts, marks = _between(source, without, name)
    contents = {mark: message["content"] for mark, message in zip(marks, messages, strict=True)}
    if after is not None:
        parts = parts[parts.index(marks[after]) + 1 :]
    ids: list[int] = []
    for part in parts:
        ids += tokenize(contents[part], special=False) if part in contents else tokenize(part, special=True)
    return ids


@functools.lru_cache(maxsize=64)
def _between(source: str, messages: tuple[tuple[tuple[str, str], ...], ...], name: str) -> tuple[list[str], list[str]]:
    """The text that a template writes around the messages, split at their contents, and the marks in place of those.

    The template never sees the contents, so the result is the same for all conversations with the same roles.
    """
    marks = [f"\ue000{i}\ue001" for i in range(len(messages))]
    marked = [dict(message) | {"content": mark} for message, mark in zip(messages, marks, strict=True)]
    parts = re.split("(\ue000\\d+\ue001)", render(source, marked, name=name))
    if not set(marks) <= set(parts):
        raise ModelError(f"The chat template of {name} leaves the problem out: use another file of this model.")
    return parts, marks
