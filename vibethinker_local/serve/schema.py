"""A JSON schema as a GBNF grammar: what a model writes under it is JSON that satisfies the schema.

The converter that llama-cpp-python has passes keywords over that it does not know, so that its grammar would promise
less than was asked. Here an unknown one is refused by name.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, TypeGuard
from urllib.parse import unquote

from vibethinker_local.serve import bounds

Schema = Mapping[str, Any] | bool

MOST_RULES, DEEPEST, MOST_REPEATED = 2000, 60, 1000
# Of all repetitions together, each of which llama.cpp writes out, and of the text: every reply has a copy of its own.
MOST_IN_ALL, LONGEST = 50_000, 2**18
TOO_LARGE = "the schema is too large"
ANNOTATIONS = frozenset(
    "$comment $defs $id $schema default definitions deprecated description discriminator example examples nullable "
    "readOnly strict title writeOnly".split()
)
BASE = {
    "ws": r'| " " | "\n" [ \t]{0,12}',
    "char": r'[^"\\\x7F\x00-\x1F] | [\\] (["\\/bfnrt] | "u" [0-9a-fA-F]{4})',
    "string": r'"\"" char* "\""',
    "integer": r'"-"? ("0" | [1-9] [0-9]{0,15})',
    "natural": r'"0" | [1-9] [0-9]{0,15}',
    "number": r'integer ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,3})?',
    "unsigned": r'natural ("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,3})?',
    "boolean": '"true" | "false"',
    "null": '"null"',
    "object": r'"{" ws (string ":" ws value ("," ws string ":" ws value)*)? "}" ws',
    "array": r'"[" ws (value ("," ws value)*)? "]" ws',
    "value": "object | array | string ws | number ws | boolean ws | null ws",
    "date": r'[0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | [12] [0-9] | "3" [01])',
    "time": (
        r'([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{1,6})? '
        r'("Z" | [-+] ([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9])'
    ),
    "uuid": r'[0-9a-f]{8} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{12}',
}
FORMATS = {"date": "date", "time": "time", "date-time": 'date "T" time', "uuid": "uuid"}
USES = re.compile(r"\b[a-z][a-z0-9-]*\b")
BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
OBJECT: Schema = {"type": "object"}


def grammar(schema: Schema) -> str:
    """The grammar of the JSON texts that satisfy a schema. Raises ValueError for a schema that cannot be one."""
    return _Converter(schema).text()


class _Converter:
    def __init__(self, schema: Schema) -> None:
        self._root = schema
        self._rules: dict[str, str] = {}
        self._named: dict[str, str] = {}  # rules of schemas that are referred to, by their reference
        self._repeated = 0

    def text(self) -> str:
        rules = {"root": self._value(self._root, "the schema", 0)} | self._rules
        wanted, known = list(rules.values()), set[str]()
        while wanted:
            for name in set(USES.findall(_without_literals(wanted.pop()))) & BASE.keys() - known:
                known.add(name)
                wanted.append(BASE[name])
        rules |= {name: body for name, body in BASE.items() if name in known}
        text = "".join(f"{name} ::= {body}\n" for name, body in rules.items())
        if len(text) > LONGEST:
            raise ValueError(TOO_LARGE)
        return text

    def _rule(self, body: str) -> str:
        """The name of a rule."""
        if len(self._rules) >= MOST_RULES:
            raise ValueError(TOO_LARGE)
        name = f"r{len(self._rules)}"
        self._rules[name] = body
        return name

    def _times(self, least: int, most: int | None) -> str:
        self._repeated += max(least, most or 0)
        if self._repeated > MOST_IN_ALL:
            raise ValueError(TOO_LARGE)
        return f"{{{least},{'' if most is None else most}}}"

    def _value(self, schema: Schema, where: str, depth: int) -> str:
        """What a value looks like, with the white space behind it."""
        if depth > DEEPEST:
            raise ValueError("the schema is nested too deeply")
        if schema is True or schema == {}:
            return "value"
        if not isinstance(schema, Mapping):
            raise ValueError(f"{where} is not a schema")
        known = {key: value for key, value in schema.items() if key not in ANNOTATIONS}
        if "$ref" in known:
            return self._reference(known, where, depth)
        for key in ("anyOf", "oneOf", "allOf"):
            if key in known:
                return self._choice(key, known, where, depth)
        if "const" in known or "enum" in known:
            return self._constants(known, where)
        kind = known.pop("type", _implied(known))
        if _are_texts(kind) and kind:
            parts = {each: _of_kind(known, each) for each in kind}
            _only({key: 0 for key in known if not any(key in part for part in parts.values())}, where)
            each_of = (self._value(part | {"type": each}, where, depth + 1) for each, part in parts.items())
            return f"({' | '.join(each_of)})"
        match kind:
            case None:
                _only(known, where)
                return "value"
            case "object":
                return self._object(known, where, depth)
            case "array":
                return self._array(known, where, depth)
            case "string":
                return f"{self._string(known, where)} ws"
            case "integer" | "number":
                return f"{_number(kind, known, where)} ws"
            case "boolean" | "null":
                _only(known, where)
                return f"{kind} ws"
        raise ValueError(f"{where}: there is no type {str(kind)[:80]!r}")

    def _reference(self, known: Mapping[str, Any], where: str, depth: int) -> str:
        reference = known["$ref"]
        _only(known, where, "$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise ValueError(f"{where}: $ref may only refer to a part of the same schema")
        if reference not in self._named:
            target: Any = self._root
            for part in reference.removeprefix("#").split("/")[1:]:
                key = unquote(part).replace("~1", "/").replace("~0", "~")
                if not isinstance(target, Mapping) or key not in target:
                    raise ValueError(f"{where}: $ref {reference} leads nowhere")
                target = target[key]
            name = self._named[reference] = self._rule("")  # now, for a schema that contains itself
            self._rules[name] = self._value(target, reference, depth + 1)
        return self._named[reference]

    def _choice(self, key: str, known: dict[str, Any], where: str, depth: int) -> str:
        options = known.pop(key)
        if not isinstance(options, list) or not options:
            raise ValueError(f"{where}: {key} is an empty list")
        known.pop("type", None)  # beside a choice it says nothing new, where the choice can be satisfied
        _only(known, where)
        if key == "allOf" and len(options) > 1:
            raise ValueError(f"{where}: allOf of several schemas is not supported")
        return f"({' | '.join(self._value(option, where, depth + 1) for option in options)})"

    def _constants(self, known: dict[str, Any], where: str) -> str:
        constants = [known["const"]] if "const" in known else known["enum"]
        _only(known, where, "const", "enum", "type")
        if not isinstance(constants, list) or not constants:
            raise ValueError(f"{where}: enum is an empty list")
        texts = (_literal(json.dumps(each, ensure_ascii=False, allow_nan=False)) for each in constants)
        return f"({' | '.join(texts)}) ws"

    def _object(self, known: dict[str, Any], where: str, depth: int) -> str:
        properties, extra = known.get("properties", {}), known.get("additionalProperties", False)
        required = known.get("required", [])
        if known.get("propertyNames") in (True, {}, {"type": "string"}):  # which all names are
            del known["propertyNames"]
        _only(known, where, "properties", "additionalProperties", "required")
        if not isinstance(properties, Mapping) or not _are_texts(required):
            raise ValueError(f"{where}: properties is an object, required a list of names")
        needed = set(required)
        if missing := [name for name in required if name not in properties]:
            raise ValueError(f"{where}: {missing[0][:80]!r} is required, and not among its properties")
        if not properties:
            if extra is False and "additionalProperties" in known:
                return '"{" ws "}" ws'
            value = self._value(True if extra is False else extra, where, depth + 1)
            member = self._rule(f'string ":" ws {value}')
            return f'"{{" ws ({member} ("," ws {member})*)? "}}" ws'
        members = {
            name: f'{_literal(json.dumps(name, ensure_ascii=False))} ":" ws {self._value(value, name[:80], depth + 1)}'
            for name, value in properties.items()
        }
        first = ' "," ws '.join(members[name] for name in members if name in needed)
        rest = ""  # one or more of the optional members, from some one on
        for name in reversed([name for name in members if name not in needed]):
            rest = self._rule(f'{members[name]} ("," ws {rest})? | {rest}' if rest else members[name])
        if first and rest:
            rest = f'"," ws {rest}'
        body = f"{first} ({rest})?".lstrip() if rest else first
        return f'"{{" ws {body} "}}" ws'

    def _array(self, known: dict[str, Any], where: str, depth: int) -> str:
        _only(known, where, "items", "minItems", "maxItems")
        least, most = _bounds(known, "minItems", "maxItems", where)
        item = self._value(known.get("items", True), f"{where}, items", depth + 1)
        if most == 0:
            return '"[" ws "]" ws'
        item = item if USES.fullmatch(item) else self._rule(item)
        more = f'("," ws {item}){self._times(max(0, least - 1), None if most is None else most - 1)}'
        body = f"{item} {more}" if least else f"({item} {more})?"
        return f'"[" ws {body} "]" ws'

    def _string(self, known: dict[str, Any], where: str) -> str:
        form = known.pop("format", None)
        if form is not None and not isinstance(form, str):
            raise ValueError(f"{where}: format is not a text")
        if form in FORMATS:
            _only(known, where)
            return rf'"\"" {FORMATS[form]} "\""'
        _only(known, where, "minLength", "maxLength")  # any other format is an annotation, as in JSON Schema itself
        least, most = _bounds(known, "minLength", "maxLength", where)
        if not least and most is None:
            return "string"
        return rf'"\"" char{self._times(least, most)} "\""'


def _number(kind: str, known: dict[str, Any], where: str) -> str:
    """A number within its bounds, which have to be whole where it need not be."""
    _only(known, where, *BOUNDS, "format")
    given = {name: known[name] for name in BOUNDS if known.get(name) is not None}
    for name, value in given.items():
        if isinstance(value, bool) or not (isinstance(value, int | float) and -math.inf < value < math.inf):
            raise ValueError(f"{where}: {name} is not a number")
        if kind == "number" and value % 1:
            raise ValueError(f"{where}: of bounds of a number, only whole ones are supported")
    if not given:
        return kind
    if kind == "number" and given == {"minimum": 0}:
        return "unsigned"  # with exponents
    lows = [(given[name], name == "exclusiveMinimum") for name in BOUNDS[:2] if name in given]
    highs = [(given[name], name == "maximum") for name in BOUNDS[2:] if name in given]
    low, above = max(lows, default=(None, False))
    high, closed = min(highs, default=(None, True))
    try:
        if kind == "number":
            whole = (None if bound is None else int(bound) for bound in (low, high))
            return f"({bounds.decimals(*whole, above=above, below=not closed)})"
        least = None if low is None else math.floor(low) + 1 if above else math.ceil(low)
        most = None if high is None else math.floor(high) if closed else math.ceil(high) - 1
        return f"({bounds.integers(least, most)})"
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _are_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _implied(known: Mapping[str, Any]) -> str | None:
    """The type of a schema that has none, by its other keywords."""
    if {"properties", "required", "additionalProperties"} & known.keys():
        return "object"
    return "array" if {"items", "minItems", "maxItems"} & known.keys() else None


def _of_kind(known: Mapping[str, Any], kind: object) -> dict[str, Any]:
    """The keywords that concern one type."""
    keywords = {
        "object": {"properties", "additionalProperties", "required", "propertyNames"},
        "array": {"items", "minItems", "maxItems"},
        "string": {"minLength", "maxLength", "format"},
        "integer": {*BOUNDS, "format"},
        "number": {*BOUNDS, "format"},
    }.get(str(kind), set())
    return {key: value for key, value in known.items() if key in keywords}


def _bounds(known: Mapping[str, Any], low: str, high: str, where: str) -> tuple[int, int | None]:
    least, most = known.get(low, 0), known.get(high)
    for bound in (least, most):
        if bound is not None and (type(bound) is not int or not 0 <= bound <= MOST_REPEATED):
            raise ValueError(f"{where}: {low} and {high} are integers from 0 to {MOST_REPEATED}")
    if most is not None and most < least:
        raise ValueError(f"{where}: {high} is below {low}")
    return least, most


def _only(known: Mapping[str, Any], where: str, *names: str) -> None:
    """Raises ValueError for a keyword that would be passed over."""
    if unknown := next((key for key in known if key not in names), None):
        raise ValueError(f"{where}: {unknown[:80]!r} is not supported")


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(f"\\x{ord(c):02X}" if ord(c) < 32 else c for c in escaped) + '"'


def _without_literals(body: str) -> str:
    """A rule without its literals and classes of characters, in which words are no names of rules."""
    return re.sub(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]', " ", body)
