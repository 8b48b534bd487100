"""A JSON schema as a GBNF grammar: what a model writes under it is JSON that satisfies the schema.

The converter that llama-cpp-python has passes keywords over that it does not know, so that its grammar would promise
less than was asked. Here an unknown one is refused by name.
"""

import json
import math
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, TypeGuard
from urllib.parse import unquote

from vibethinker_local.serve import bounds
from vibethinker_local.serve.pattern import LAST, TOO_LARGE, Chars, Patterns

Schema = Mapping[str, Any] | bool

MOST_RULES, DEEPEST = 2000, 60
AT_ONCE = 1000  # of a repetition; llama.cpp refuses one of 2,000
# Of all repetitions together, each of which llama.cpp writes out, and of the text: every reply has a copy of its own.
MOST_IN_ALL, LONGEST = 50_000, 2**18
ANNOTATIONS = frozenset(
    "$comment $defs $id $schema default definitions deprecated description discriminator example examples nullable "
    "readOnly strict title writeOnly".split()
)
# What decides on which values are valid, as JSON Schema has it. All else it calls annotations.
KEYWORDS = frozenset(
    "$dynamicRef $recursiveRef $ref additionalItems additionalProperties allOf anyOf const contains dependencies "
    "dependentRequired dependentSchemas else enum exclusiveMaximum exclusiveMinimum format if items maxContains "
    "maxItems maxLength maxProperties maximum minContains minItems minLength minProperties minimum multipleOf not "
    "oneOf pattern patternProperties prefixItems properties propertyNames required then type unevaluatedItems "
    "unevaluatedProperties uniqueItems".split()
)
BASE = {
    "ws": r'| " " | "\n" [ \t]{0,12}',
    "char": r'[^"\\\x7F\x00-\x1F] | [\\] (["\\/bfnrt] | "u" unit)',
    "unit": (  # of UTF-16: many parsers refuse half a pair
        r"([0-9abcefABCEF] [0-9a-fA-F] | [dD] [0-7]) [0-9a-fA-F]{2} | "
        r'[dD] [89abAB] [0-9a-fA-F]{2} "\\u" [dD] [c-fC-F] [0-9a-fA-F]{2}'
    ),
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
}
DATE = (
    r"(?!0000)(\d{4}-(?!02-29|02-3|(0[2469]|11)-31)(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])|"
    r"(\d\d([2468][048]|[13579][26]|0[48])|([02468][048]|[13579][26])00)-02-29)"
)
TIME = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[-+]([01]\d|2[0-3]):[0-5]\d)"
COUNT, SECONDS = r"\d{1,5}", r"\d{1,5}(\.\d{1,6})?S"
TIMES = ("time", "date-time", "duration")
BYTE = r"(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
FORMATS = {  # others are annotations, as in JSON Schema itself
    "date": DATE,
    "time": TIME,
    "date-time": f"{DATE}T{TIME}",
    "duration": rf"P(?=\d|T\d)({COUNT}W|({COUNT}Y)?({COUNT}M)?({COUNT}D)?(T(?=\d)({COUNT}H)?({COUNT}M)?({SECONDS})?)?)",
    "uuid": "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "email": r"([A-Za-z0-9_+-]+\.)*[A-Za-z0-9_+-]+@([A-Za-z0-9]+(-[A-Za-z0-9]+)*\.)+[A-Za-z]{2,}",
    "ipv4": rf"{BYTE}(\.{BYTE}){{3}}",
}
ESCAPED = {0x22: '"', 0x5C: "\\", 8: "b", 9: "t", 10: "n", 12: "f", 13: "r"}  # in a JSON string, behind a backslash
PLAIN = Chars(((0x20, 0x21), (0x23, 0x5B), (0x5D, 0x7E), (0x80, 0xD7FF), (0xE000, LAST)))  # in it as they are
WRITABLE = Chars(((8, 10), (12, 13), (0x20, 0x7E), *PLAIN.ranges[-2:]))  # either of both
USES = re.compile(r"\b[a-z][a-z0-9-]*\b")
OF_MAPS = ("propertyNames", "patternProperties", "minProperties", "maxProperties")
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
        self._matched: dict[tuple[str, int, int | None], str] = {}  # rules of texts that match a pattern
        self._patterns = Patterns(WRITABLE)
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

    def _times(self, item: str, least: int, most: int | None) -> str:
        """So many of an item."""
        once = min(max(least, most or 0), AT_ONCE)
        self._repeated += once
        if self._repeated > MOST_IN_ALL:
            raise ValueError(TOO_LARGE)
        if least > AT_ONCE:
            return f"{item}{{{once}}} {self._times(item, least - once, None if most is None else most - once)}"
        if most is not None and most > AT_ONCE:
            more = self._times(item, 1, most - once)
            return f"({item}{{{least},{once}}} | {item}{{{once}}} {more})"
        return f"{item}{{{least},{'' if most is None else most}}}"

    def _value(self, schema: Schema, where: str, depth: int) -> str:
        """What a value looks like, with the white space behind it."""
        if depth > DEEPEST:
            raise ValueError("the schema is nested too deeply")
        if schema is True:
            return "value"
        if not isinstance(schema, Mapping):
            raise ValueError(f"{where} is not a schema")
        known = {key: value for key, value in schema.items() if key in KEYWORDS}
        if not known:  # of one with words of its own alone, it is more likely that something is missing
            _only({key: 0 for key in schema if key not in ANNOTATIONS}, where)
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
        if not isinstance(reference, str) or not f"{reference}/".startswith("#/"):
            raise ValueError(f"{where}: $ref may only refer to a part of the same schema")
        if reference not in self._named:
            target: Any = self._root
            for part in reference.removeprefix("#").split("/")[1:]:
                key = unquote(part).replace("~1", "/").replace("~0", "~")
                if isinstance(target, list):
                    target = dict(zip(map(str, range(len(target))), target, strict=True))
                if not isinstance(target, Mapping) or key not in target:
                    raise ValueError(f"{where}: $ref {reference[:80]} leads nowhere")
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
        required, names = known.get("required", []), known.get("propertyNames", True)
        _only(known, where, "properties", "additionalProperties", "required", *OF_MAPS)
        if not isinstance(properties, Mapping) or not _are_texts(required):
            raise ValueError(f"{where}: properties is an object, required a list of names")
        needed = set(required)
        properties = {name: extra for name in required if extra is not False} | dict(properties)
        if missing := [name for name in required if name not in properties]:
            raise ValueError(f"{where}: {missing[0][:80]!r} is required, and not among its properties")
        if not properties:
            if patterns := known.get("patternProperties"):
                if not isinstance(patterns, Mapping) or len(patterns) > 1 or names is not True:
                    raise ValueError(f"{where}: of 'patternProperties', a single one is supported")
                [(name, extra)] = patterns.items()
                names = {"pattern": name}
            elif extra is False and "additionalProperties" in known:
                return '"{" ws "}" ws'
            least, most = _bounds(known, "minProperties", "maxProperties", where)
            if least > 1:  # the names that are written may be the same
                raise ValueError(f"{where}: 'minProperties' above 1 is not supported")
            value = self._value(extra if "additionalProperties" in known or patterns else True, where, depth + 1)
            member = self._rule(f'{self._name(names, where, depth)} ":" ws {value}')
            return f'"{{" ws {self._listed([], member, least, most)} "}}" ws'
        _only({key: 0 for key in known if key in OF_MAPS and key != "propertyNames"}, where)
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

    def _name(self, names: Any, where: str, depth: int) -> str:
        """What the name of a property looks like, where names are not given one by one."""
        if names in (True, {}):
            return "string"
        if isinstance(names, Mapping) and not {"$ref", "type"} & names.keys():
            names = {"type": "string"} | dict(names)
        return self._value(names, f"{where}, propertyNames", depth + 1)

    def _array(self, known: dict[str, Any], where: str, depth: int) -> str:
        if isinstance(known.get("items"), list):  # as they were before 2020
            known["prefixItems"] = known.pop("items")
            if "additionalItems" in known:
                known["items"] = known.pop("additionalItems")
        if known.get("uniqueItems") is False:
            del known["uniqueItems"]
        _only(known, where, "items", "prefixItems", "minItems", "maxItems")
        first = known.get("prefixItems", [])
        if not isinstance(first, list):
            raise ValueError(f"{where}: prefixItems is a list of schemas")
        rest = known.get("items", not first)  # as with properties, no others are written where some are named
        least, most = _bounds({"minItems": len(first)} | known, "minItems", "maxItems", where)
        if rest is False:
            most = len(first) if most is None else min(most, len(first))
            if most < least:
                raise ValueError(f"{where}: minItems asks for more items than there are")
        places = [self._value(each, f"{where}, item {at}", depth + 1) for at, each in enumerate(first[:most], 1)]
        item = "" if rest is False or most == 0 else self._value(rest, f"{where}, items", depth + 1)
        return f'"[" ws {self._listed(places, item, least, most)} "]" ws'

    def _listed(self, places: list[str], item: str, least: int, most: int | None) -> str:
        """So many things with commas between them: those with a place of their own, and others behind."""
        if most == 0:
            return ""
        item = item if not item or USES.fullmatch(item) else self._rule(item)
        places, body = places or [item], ""
        left = None if most is None else most - len(places)
        if item and left != 0:
            body = self._times(f'("," ws {item})', max(0, least - len(places)), left)
        for at in reversed(range(len(places))):
            comma = '"," ws ' if at else ""
            body = f"{comma}{places[at]} {body}".rstrip()
            body = body if at < least else f"({body})?"
        return body

    def _string(self, known: dict[str, Any], where: str) -> str:
        form = known.get("format")
        if form is not None and not isinstance(form, str):
            raise ValueError(f"{where}: format is not a text")
        _only(known, where, "minLength", "maxLength", "format", "pattern")
        least, most = _bounds(known, "minLength", "maxLength", where)
        wanted = known.get("pattern")  # a format beside it says the same, or what somebody else knows
        if wanted is None and form in FORMATS:
            wanted = f"^(?:{FORMATS[form]})$"
        elif form in TIMES and isinstance(wanted, str):
            wanted = rf"(?!.*\d{{10}})(?:{wanted})"  # zod's allow endless fractions of a second
        if wanted is not None:
            return self._matching(wanted, least, most, where)
        if not least and most is None:
            return "string"
        return rf'"\"" {self._times("char", least, most)} "\""'

    def _matching(self, wanted: Any, least: int, most: int | None, where: str) -> str:
        """A rule for the texts that a pattern is found in, of so many characters."""
        if not isinstance(wanted, str):
            raise ValueError(f"{where}: pattern is not a text")
        what = (wanted, least, most)
        if what not in self._matched:
            try:
                states = self._patterns.machine(wanted, least, most, MOST_RULES - len(self._rules))
            except ValueError as error:
                raise ValueError(f"{where}: pattern: {error}") from error
            names = [self._rule("") for _ in states]
            for name, state in zip(names, states, strict=True):
                moves = [f"{_written(chars)} {names[to]}" for to, chars in state.moves.items()]
                self._rules[name] = " | ".join(['""'] * state.ends + moves)
            self._matched[what] = self._rule(rf'"\"" {names[0]} "\""')
        return self._matched[what]


def _number(kind: str, known: dict[str, Any], where: str) -> str:
    """A number within its bounds."""
    _only(known, where, *BOUNDS, "format")
    given = {name: known[name] for name in BOUNDS if known.get(name) is not None}
    for name, value in given.items():
        if isinstance(value, bool) or not (isinstance(value, int | float) and -math.inf < value < math.inf):
            raise ValueError(f"{where}: {name} is not a number")
    if not given:
        return kind
    if kind == "number" and given == {"minimum": 0}:
        return "unsigned"  # with exponents
    lows = [(Fraction(str(given[name])), name == "exclusiveMinimum") for name in BOUNDS[:2] if name in given]
    highs = [(Fraction(str(given[name])), name == "maximum") for name in BOUNDS[2:] if name in given]
    low, above = max(lows, default=(None, False))
    high, closed = min(highs, default=(None, True))
    try:
        if kind == "number":
            places = max(_places(bound) for bound in (low, high) if bound is not None)
            units = (None if bound is None else int(bound * 10**places) for bound in (low, high))
            return f"({bounds.decimals(*units, above=above, below=not closed, places=places)})"
        least = None if low is None else math.floor(low) + 1 if above else math.ceil(low)
        most = None if high is None else math.floor(high) if closed else math.ceil(high) - 1
        return f"({bounds.integers(least, most)})"
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _places(bound: Fraction) -> int:
    """Decimal places of a bound. Raises ValueError if there are too many."""
    places = next((n for n in range(bounds.DIGITS) if bound * 10**n % 1 == 0), None)
    if places is None:
        raise ValueError(f"of bounds of a number, only those with less than {bounds.DIGITS} decimals are supported")
    return places


def _are_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _implied(known: Mapping[str, Any]) -> str | None:
    """The type of a schema that has none, by its other keywords."""
    if {"properties", "required", "additionalProperties"} & known.keys():
        return "object"
    return "array" if {"items", "prefixItems", "minItems", "maxItems"} & known.keys() else None


def _of_kind(known: Mapping[str, Any], kind: object) -> dict[str, Any]:
    """The keywords that concern one type."""
    keywords = {
        "object": {"properties", "additionalProperties", "required", *OF_MAPS},
        "array": {"items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems"},
        "string": {"minLength", "maxLength", "format", "pattern"},
        "integer": {*BOUNDS, "format"},
        "number": {*BOUNDS, "format"},
    }.get(str(kind), set())
    return {key: value for key, value in known.items() if key in keywords}


def _bounds(known: Mapping[str, Any], low: str, high: str, where: str) -> tuple[int, int | None]:
    least, most = known.get(low, 0), known.get(high)
    for bound in (least, most):
        if bound is not None and (type(bound) is not int or not 0 <= bound <= MOST_IN_ALL):
            raise ValueError(f"{where}: {low} and {high} are integers from 0 to {MOST_IN_ALL}")
    if most is not None and most < least:
        raise ValueError(f"{where}: {high} is below {low}")
    return least, most


def _only(known: Mapping[str, Any], where: str, *names: str) -> None:
    """Raises ValueError for a keyword that would be passed over."""
    if unknown := next((key for key in known if key not in names), None):
        raise ValueError(f"{where}: {unknown[:80]!r} is not supported")


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _without_literals(body: str) -> str:
    """A rule without its literals and classes of characters, in which words are no names of rules."""
    return re.sub(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]', " ", body)


def _written(chars: Chars) -> str:
    """One of these characters, which are WRITABLE, as it is in a JSON string."""
    options = [_literal("\\" + sign) for point, sign in ESCAPED.items() if point in chars]
    if plain := (chars & PLAIN).ranges:
        options.append("[" + "".join(_in_class(low) + "-" + _in_class(high) for low, high in plain) + "]")
    return options[0] if len(options) == 1 else f"({' | '.join(options)})"


def _in_class(point: int) -> str:
    return chr(point) if chr(point).isascii() and chr(point).isalnum() else f"\\U{point:08X}"
