"""Renders a model's chat template, which comes out of the model file and is therefore untrusted code.

It runs in Jinja's immutable sandbox with only what chat templates use: a few filters and functions, and operators
that cannot produce a large value from small ones. So each single step is short; each loop iteration, each call and
each look-up checks the clock, and after a second of computing the template is stopped.

What a template finds there is what transformers' apply_chat_template gives it: the same options of Jinja, names,
`tojson`, `strftime_now`, `raise_exception`, loop controls and `generation` blocks.
"""

import functools
import json
import re
import time
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, Protocol

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension
from jinja2.filters import do_round, do_trim
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from vibethinker_local.errors import ModelError

SECONDS = 1.0  # of computing: on a busy machine, a good template takes longer by the clock on the wall
SOURCE_CHARACTERS = 200_000
MOST = 1_000_000  # characters of any intermediate string, and items and characters of any list, nested ones included
ALTOGETHER = 100 * MOST  # characters of all strings that it makes: each may be in a variable of its own
LARGEST = 2**63  # what numbers stay below: dividing larger ones, or writing them out, may take for ever
SEARCHED = 1000  # characters to search for, or to strip: the time grows with them and with the text
PRECISION = 100  # digits to round to
Messages = list[dict[str, str]]
Variables = Mapping[str, str | bool]  # of a template, beside its messages

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


@dataclass(frozen=True)
class ChatTemplate:
    """A template's source, with what its file says about tokens."""

    source: str
    name: str  # of the file, for errors
    controls: Mapping[str, int] = field(default_factory=dict)  # tokens that are no text, by name
    bos: str = ""  # the name of the token that begins a text
    eos: str = ""
    adds_bos: bool = False  # a text begins with it, also where the template leaves it out


class _TooLong(Exception):
    """The template ran into its time limit."""


class _PlainNamespace(Namespace):
    def __repr__(self) -> str:  # Jinja's own prints the contents recursively, without a limit
        return "<namespace>"


class _Generation(Extension):
    """`{% generation %}…{% endgeneration %}`, which marks a reply for training and changes nothing."""

    tags = {"generation"}  # noqa: RUF012  (the base class declares it so)

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "**", "%"})

    def __init__(self) -> None:
        extensions = ["jinja2.ext.loopcontrols", _Generation]
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=extensions, finalize=self._written)
        allowed = {name: value for name, value in self.filters.items() if name in FILTERS}
        allowed |= {"join": _join, "replace": _replace, "round": _round, "tojson": _tojson, "trim": _trim}
        # A branch that is never taken, such as that of tools, may name any other: it fails where it is called.
        self.filters = {name: _unknown(name) for name in self.filters} | {
            name: self.checked(value) for name, value in allowed.items()
        }
        self.tests = {name: self.checked(value) for name, value in self.tests.items()}
        self.globals = {"range": self.globals["range"], "dict": dict, "namespace": _PlainNamespace}
        self._deadline = time.thread_time() + SECONDS
        self._written_characters = 0  # by expressions, also into blocks and macros
        self._made_characters = 0  # in strings

    def tick(self) -> str:
        if time.thread_time() > self._deadline:
            raise _TooLong
        return ""

    def weighed(self, value: Any) -> Any:
        """Returns `value` if it is not too large; what yields its items one by one is weighed as it does."""
        if isinstance(value, Iterator):
            return self._weighed_items(value)
        if isinstance(value, (KeysView, ValuesView, ItemsView)):
            value = list(value)
        _weigh(value, {})
        if isinstance(value, str):
            self._made_characters += len(value)
            _limit(self._made_characters, ALTOGETHER)
        return value

    def _weighed_items(self, items: Iterator[Any]) -> Iterator[Any]:
        weight = 0
        for item in items:
            self.tick()
            weight += 1 + _weigh(item, {})
            _limit(weight)
            yield item

    def _written(self, value: Any) -> str:
        """Jinja passes what each expression writes through here."""
        text = str(value)
        self._written_characters += len(text)
        _limit(self._written_characters)
        return text

    def concat(self, pieces: Iterable[str]) -> str:
        """Jinja joins what a block or a macro wrote with this."""
        return "".join(self.weighed(list(pieces)))

    def checked(self, function: Any) -> Callable[..., Any]:
        @functools.wraps(function)  # also copies the attributes by which Jinja passes it the context
        def checked(*args: Any, **named: Any) -> Any:
            self.tick()
            return self.weighed(function(*args, **named))

        return checked

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, (int, float)) or (isinstance(obj, str) and attr not in STRING_METHODS):
            return False
        return bool(super().is_safe_attribute(obj, attr, value))

    def wrap_str_format(self, value: Any) -> None:
        """Jinja treats `str.format`, which can fill the memory in one step, specially. None: it is like any other."""

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Filters look up `attribute="a.b.c"` with this, for every item."""
        self.tick()
        return super().getitem(obj, argument)

    def call(self, context: Any, called: Any, /, *args: Any, **named: Any) -> Any:
        self.tick()
        if isinstance(text := getattr(called, "__self__", None), str):
            if called.__name__ == "replace":
                return self.weighed(_replace(text, *args))
            for argument in (*args, *named.values()):
                _searchable(argument)
        return self.weighed(super().call(context, called, *args, **named))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and isinstance(left, (str, list, tuple)):
            self.weighed((left, right))
        elif operator == "**" or not all(isinstance(s, (int, float)) and abs(s) < LARGEST for s in (left, right)):
            raise TemplateError(f"the operator {operator} is for plain numbers here")
        result = super().call_binop(context, operator, left, right)
        return self.weighed(result) if isinstance(result, str) else result  # lists are weighed above


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

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        """A slice is a copy."""
        self.generic_visit(node)
        return _environment_call("weighed", [node], node.lineno) if isinstance(node.arg, nodes.Slice) else node

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
        if isinstance(value, int) and abs(value) >= LARGEST:
            raise TemplateError("it makes larger numbers than any model counts with")
        return 0
    _limit(weight)
    return weight


def _limit(weight: int, most: int = MOST) -> None:
    if weight > most:
        raise TemplateError("it makes more text than any model reads")


def _searchable(text: Any) -> None:
    if isinstance(text, str) and len(text) > SEARCHED:
        raise TemplateError(f"it searches for {len(text):,} characters at once")


def _unknown(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise TemplateError(f"the filter {name} is not known here")

    return refuse


def _join(parts: Any, by: str = "", attribute: str | None = None) -> str:
    texts = [str(part[attribute] if attribute else part) for part in parts]
    _weigh([*texts, *[by] * len(texts)], {})
    return by.join(texts)


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    _searchable(old)
    _weigh([text, *[new] * text.count(old)], {})
    return text.replace(old, new, count)


def _trim(value: Any, chars: str | None = None) -> str:
    _searchable(chars)
    return do_trim(value, chars)


def _round(value: float, precision: int = 0, method: Literal["common", "ceil", "floor"] = "common") -> float:
    if abs(precision) > PRECISION:
        raise TemplateError(f"a precision of {precision} is none")
    return do_round(value, precision, method)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    if indent is not None and not 0 <= indent <= 8:
        raise TemplateError(f"an indent of {indent} is none")
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _strftime_now(form: str) -> str:
    if not re.fullmatch(r"(?:%[-#]?[A-Za-z%]|[^%]){0,100}", form):
        raise TemplateError("its date has a form that is not known")
    return datetime.now().strftime(form)


def render(source: str, messages: list[dict[str, Any]], *, name: str, variables: Variables | None = None) -> str:
    """The text of a conversation, up to the beginning of the model's reply. Raises ModelError for a bad template."""
    sandbox = _Sandbox()
    given = {"bos_token": "", "eos_token": "", "tools": None, "documents": None} | dict(variables or {})

    def refuse(message: str) -> str:
        raise TemplateError(message)

    def run() -> str:
        if len(source) > SOURCE_CHARACTERS:
            raise TemplateError(f"it has {len(source):,} characters")
        template = sandbox.from_string(_Watched().visit(sandbox.parse(source)))
        pieces, size = list[str](), 0
        for piece in template.generate(
            messages=messages,
            add_generation_prompt=True,
            raise_exception=refuse,
            strftime_now=sandbox.checked(_strftime_now),
            **given,
        ):
            sandbox.tick()
            pieces.append(piece)
            size += len(piece)
            _limit(size)
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
        if isinstance(error, RecursionError):  # it says where, and that is now here, now there
            reason = "recursion without end"
        raise ModelError(
            f"The chat template of {name} is no good ({reason[:200]}): use another file of this model."
        ) from error


def encode(
    template: ChatTemplate,
    messages: Messages,
    tokenize: Tokenizer,
    *,
    variables: Variables | None = None,
    after: int | None = None,
) -> list[int]:
    """The token ids of a conversation. Control tokens are recognised in the template's own text, never in a message.

    `tokenize(text, special=…)` is the model's. With `after`, an index into the messages, only what follows that
    message is returned. Raises ModelError for a bad template.
    """
    without = tuple(tuple(sorted((message | {"content": ""}).items())) for message in messages)
    given = {"bos_token": template.bos, "eos_token": template.eos} | dict(variables or {})
    parts, marks = _between(template.source, without, template.name, tuple(sorted(given.items())), date.today())
    contents = {mark: message["content"] for mark, message in zip(marks, messages, strict=True)}
    if after is not None:
        parts = parts[parts.index(marks[after]) + 1 :]
    elif template.adds_bos and template.bos and not parts[0].startswith(template.bos):
        parts = [template.bos + parts[0], *parts[1:]]
    return _tokens([(contents.get(part, part), part not in contents) for part in parts], template.controls, tokenize)


def _tokens(parts: list[tuple[str, bool]], controls: Mapping[str, int], tokenize: Tokenizer) -> list[int]:
    """The ids of a text in parts, each with whether it is the template's own, which may hold control tokens.

    It is cut into tokens as a whole, since tokens may span parts: in many vocabularies a word's token includes the
    space before it. Only where a message holds the name of a control token are the template's own ones put in by hand.
    """
    text = "".join(part for part, _ in parts)
    names = re.compile("|".join(map(re.escape, sorted(filter(None, controls), key=len, reverse=True))) or "(?!)")
    if len(names.findall(text)) == sum(len(names.findall(part)) for part, own in parts if own):
        return tokenize(text, special=True)
    ids, plain = list[int](), ""
    for part, own in parts:
        begin = 0
        for found in names.finditer(part) if own else ():
            if before := plain + part[begin : found.start()]:
                ids += tokenize(before, special=False)
            ids.append(controls[found[0]])
            plain, begin = "", found.end()
        plain += part[begin:]
    return ids + tokenize(plain, special=False) if plain else ids


@functools.lru_cache(maxsize=64)
def _between(
    source: str,
    messages: tuple[tuple[tuple[str, str], ...], ...],
    name: str,
    variables: tuple[tuple[str, str | bool], ...],
    day: date,
) -> tuple[list[str], list[str]]:
    """The text that a template writes around the messages, split at their contents, and the marks in place of those.

    The template never sees the contents, so the result is the same for all conversations with the same roles on one
    `day`, which it may name.
    """
    marks = [f"\ue000{i}\ue001" for i in range(len(messages))]
    marked = [dict(message) | {"content": mark} for message, mark in zip(messages, marks, strict=True)]

    def parts(conversation: list[dict[str, Any]]) -> list[str]:
        return re.split("(\ue000\\d+\ue001)", render(source, conversation, name=name, variables=dict(variables)))

    refusal: ModelError | None = None
    for conversation in _forms(marked):
        try:
            found = parts(conversation)
        except ModelError as error:
            refusal = refusal or error
            continue
        if set(marks) <= set(found):
            return found, marks
    raise refusal or ModelError(f"The chat template of {name} leaves the problem out: use another file of this model.")


def _forms(messages: Messages) -> Iterator[list[dict[str, Any]]]:
    """A conversation in the forms that templates ask for, the usual one first: contents as lists of parts, and what the
    system says put before what the user says."""
    yield list(messages)
    yield _as_parts(messages)
    if len(messages) > 1 and messages[0]["role"] == "system":
        said = {"role": messages[1]["role"], "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
        yield [said, *messages[2:]]
        yield _as_parts([said, *messages[2:]])


def _as_parts(messages: Messages) -> list[dict[str, Any]]:
    return [message | {"content": [{"type": "text", "text": message["content"]}]} for message in messages]
