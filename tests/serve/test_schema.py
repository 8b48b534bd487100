"""JSON schemas as grammars, which llama.cpp itself reads here."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel, Field

from vibethinker_local.llama.backend import LlamaBackend
from vibethinker_local.serve import pattern, schema
from vibethinker_local.system.paths import MINI

Allows = Callable[[str, str], bool]


@pytest.fixture(scope="module")
def allows() -> Iterator[Allows]:
    """Whether a whole text is what a grammar allows."""
    backend = LlamaBackend(MINI, cells=256, places=1, threads=1)
    end = next(iter(backend.info.ends))

    def allows(source: str, said: str) -> bool:
        grammar = backend.grammar(source)
        try:
            for token in backend.tokenize(said, special=False):
                if not grammar.allows(token):
                    return False
                grammar.accept(token)
            return grammar.allows(end)
        finally:
            grammar.close()

    yield allows
    backend.close()


class Inner(BaseModel):
    tags: list[str] = Field(max_length=3)
    size: int | None = None


class Outer(BaseModel):
    """As pydantic writes a model: $defs, titles, defaults, anyOf with null."""

    name: str
    count: int = Field(ge=0, le=120)
    inner: Inner
    others: dict[str, float] = {}
    tree: "list[Outer]" = []


STEP = {
    "type": "object",
    "properties": {"said": {"type": "string"}},
    "required": ["said"],
    "additionalProperties": False,
}
OTHERS = ['"A"', '"é"', '"🎉"', r'"\""', r'"\\"', r'"\n"']
THREE = '{"a": 1, "b": 2, "c": 3}'
DATES = ['"2026-11-28"', '"2024-02-29"', '"2000-02-29"']
TUPLE = {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]}
OLD_TUPLE = {"items": TUPLE["prefixItems"], "additionalItems": {"type": "boolean"}, "minItems": 2}
APART = {"prefixItems": [{"type": "string", "pattern": "^x+$", "minLength": least} for least in (1, 3)]}
MAP_OF = {"type": "object", "additionalProperties": {"type": "integer"}}
KINDS = ['a"b', "c\\d", "e\nf", 1, None]
STRICT = {  # as OpenAI's structured outputs ask for it
    "type": "object",
    "properties": {
        "steps": {"type": "array", "items": STEP},
        "unit": {"type": ["string", "null"], "description": "a unit"},
        "kind": {"enum": KINDS},
    },
    "required": ["steps", "unit", "kind"],
    "additionalProperties": False,
    "$schema": "http://json-schema.org/draft-07/schema#",
}
STRICTLY = [json.dumps({"steps": [{"said": "x"}], "unit": None, "kind": kind}) for kind in KINDS]
OPTIONAL = {"type": "object", "properties": {name: {"type": "boolean"} for name in "abc"}}
OPTIONS = ["{}", '{"b": true}', '{"a": true, "c": false}', '{"a":true,"b":true,"c":true}']
BESIDE = ['{"b": true}', '{"b": false, "c": true}', '{"b": true, "a": true, "c": true}']
UNORDERED = '{"b": true, "c": true, "a": true}'
MAP = {"additionalProperties": {"additionalProperties": {"type": "integer"}}}
SAFE = 2**53 - 1  # which JavaScript bounds its integers by
QUOTED = {"$ref": "#/$defs/List%3Cint%3E", "$defs": {"List<int>": {"type": "integer"}}}
NEXT = {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}
NODE = {"type": "object", "properties": {"next": NEXT}, "required": ["next"]}
LINKED = {"$ref": "#/$defs/node", "$defs": {"node": NODE}}
LIST_OF_NULLS = {"anyOf": [{"type": "null"}, {"items": {"$ref": "#/anyOf/0"}}]}  # as zod-to-json-schema refers
FEW = {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2}
WHOLE = [
    Outer(name="n", count=1, inner=Inner(tags=["a"])).model_dump_json(),
    '{"name": "n", "count": 0, "inner": {"tags": []}}',
]


@pytest.mark.parametrize(
    ("given", "right", "wrong"),
    [
        (True, ["1", '"a"', '{"a": [1, {}]}', "null", "[ ]"], ["", "a", "{1}", "[1,]"]),
        ({"type": "object"}, ["{}", '{"a": 1, "b": "x"}'], ["[]", "1", '{"a"}']),
        ({"type": "integer"}, ["0", "-7", "123"], ["1.5", "007", '"1"']),
        ({"type": "integer", "minimum": 0}, ["0", "12"], ["-1"]),
        ({"type": "integer", "exclusiveMinimum": 0}, ["1", "12"], ["0", "-1"]),
        ({"type": "number", "minimum": 0}, ["0", "1.5e-3"], ["-1.5", "1e1000"]),
        ({"type": "integer", "minimum": 3}, ["3", "10", "999"], ["2", "0", "-3", "03"]),
        ({"type": "integer", "minimum": 1, "maximum": 10}, ["1", "9", "10"], ["0", "11", "-1", "100", "1.0"]),
        ({"type": "integer", "minimum": -12, "exclusiveMaximum": 3}, ["-12", "-9", "0", "2"], ["-13", "3", "-20"]),
        ({"type": "integer", "exclusiveMinimum": 8.5, "maximum": 10.5}, ["9", "10"], ["8", "11"]),
        ({"type": "integer", "minimum": -SAFE, "maximum": SAFE}, ["0", f"{SAFE}", f"-{SAFE}"], [f"{SAFE + 1}"]),
        ({"type": "number", "minimum": 0, "maximum": 1}, ["0", "0.75", "1", "1.0"], ["1.5", "-0.5", "1.01", "2"]),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 10}, ["0.05", "9.5", "10"], ["0", "0.0", "10.5", "-1"]),
        ({"type": "number", "exclusiveMaximum": -3}, ["-3.5", "-10"], ["-3", "-3.0", "-2.5", "3"]),
        ({"type": "number", "exclusiveMaximum": 10**16}, [f"{10**16 - 1}", "-0.5"], [f"{10**16}", "1e9"]),
        ({"type": "number", "minimum": -1, "exclusiveMaximum": 1}, ["-1", "-0.5", "0.9"], ["-1.1", "1", "1.0"]),
        ({"type": "number", "maximum": -2}, ["-2", "-2.5", "-17"], ["-1.9", "0", "2"]),
        ({"type": ["integer", "null"], "maximum": 5}, ["5", "null", "-7"], ["6"]),
        ({"type": "integer", "exclusiveMaximum": 10.5}, ["10"], ["11"]),
        ({"type": "integer", "minimum": 2, "exclusiveMinimum": 5}, ["6"], ["2", "5"]),
        ({"type": "integer", "maximum": 5, "exclusiveMaximum": 2}, ["1"], ["2", "5"]),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ['"ab"', '"abc"', '"a\\n"'], ['"a"', '"abcd"', '"a\n"']),
        ({"type": "number", "minimum": 0.5, "maximum": 1.25}, ["0.75", "1.25", "0.625"], ["0.49", "1.26", "0.5"]),
        ({"type": "number", "exclusiveMinimum": -1.5, "maximum": 120.5}, ["-1.4", "120.45", "99.5"], ["-1.5", "120.6"]),
        ({"type": "string"}, [r'"\ud83d\ude00"', r'"\uFFFF\u00e9"'], [r'"\ud83d"', r'"\ude00"', r'"\ud83dx"']),
        ({"type": "string", "format": "date"}, DATES, ['"2026-13-28"', '"soon"', '"2026-02-29"', '"2026-04-31"']),
        ({"type": "string", "format": "date-time"}, ['"2026-11-28T23:59:59.5+01:00"'], ['"2026-11-28T24:00:00Z"']),
        ({"type": "string", "format": "duration"}, ['"P1DT2H"', '"P2W"'], ['"P"', '"P1DT"', '"P1W2D"']),
        ({"type": "string", "format": "email"}, ['"a.b@c-d.org"'], ['"a..b@c.org"', '"a@c"', '"a@-c.org"']),
        ({"type": "string", "format": "ipv4"}, ['"127.0.0.1"'], ['"256.0.0.1"', '"1.2.3"', '"01.2.3.4"']),
        ({"type": "string", "format": "uri"}, ['"anything"'], ["1"]),
        ({"type": "string", "pattern": r"^[A-Z]{3}-\d{2,}$"}, ['"ABC-12"', '"ABC-123"'], ['"ABC-1"', '"abc-12"']),
        ({"type": "string", "pattern": "a+b"}, ['"ab"', '"xaaby"', r'"\n\"ab"'], ['"a"', '"ba"']),
        ({"type": "string", "pattern": "^a|b$"}, ['"a"', '"axx"', '"xb"'], ['"xa"', '"bx"']),
        ({"type": "string", "pattern": r"^\w.[\b]$"}, [r'"_ \b"'], [r'"_\r\b"', '"_\u2028\\b"', '"_ b"']),
        ({"type": "string", "pattern": "^[^a-z]$"}, OTHERS, ['"a"', '"AA"', r'"\u0061"']),
        ({"type": "string", "pattern": r"^(?!.*\.\.)(?=.*\d)[\w.]+$"}, ['"a.1"', '"1"'], ['"a..1"', '"a"', '"1 "']),
        ({"type": "string", "pattern": r"^(?:a(?=b)b|c$)?$"}, ['""', '"ab"', '"c"'], ['"a"', '"cc"']),
        ({"type": "string", "pattern": "^a{2}?b{,2}$"}, ['"aab{,2}"'], ['"aabb"', '"ab{,2}"']),
        ({"type": "string", "pattern": "^(?:a{0,2}b?){2}$"}, ['""', '"aabaa"', '"bb"'], ['"aaaaa"', '"bbb"']),
        ({"type": "string", "format": "time", "pattern": r"^[.]\d+$|^$"}, ['".123456789"', '""'], ['".1234567890"']),
        ({"type": "string", "pattern": "^x+$", "minLength": 2, "maxLength": 3}, ['"xx"', '"xxx"'], ['"x"', '"xxxx"']),
        ({"type": "string", "pattern": r"^\u{41}[^\0]a{1,b}$"}, ['"ABa{1,b}"'], ['"AB"', '"BBa{1,b}"']),
        ({"type": "string", "pattern": "^(?:x|a(?=b)c)$"}, ['"x"'], ['"a"', '"ac"']),
        (APART, ['["x", "xxx"]'], ['["x", "x"]']),
        ({"type": "string", "format": "phone", "pattern": r"^\d{12}$"}, ['"123456789012"'], ['"1"']),
        ({"type": "string", "format": "date", "pattern": "^2026"}, ['"2026!"'], ['"2025-01-01"']),
        (TUPLE, ['["a", 1]'], ['["a"]', '["a", 1, 2]', '[1, "a"]']),
        (TUPLE | {"minItems": 1}, ['["a"]', '["a", 1]'], ["[]", '["a", 1, 2]']),
        (TUPLE | {"items": {"type": "null"}, "maxItems": 3}, ['["a", 1, null]'], ['["a"]', '["a", 1, null, null]']),
        (OLD_TUPLE, ['["a", 1]', '["a", 1, true, false]'], ['["a"]', '["a", 1, 2]']),
        (FEW | {"uniqueItems": False}, ["[1]"], ["[]"]),
        ({"items": False}, ["[]"], ["[1]"]),
        ({"minItems": 1}, ["[1]"], ["[]", "1"]),
        (TUPLE | {"items": False, "minItems": 0, "maxItems": 1}, ["[]", '["a"]'], ['["a", 1]']),
        ({"type": "object", "additionalProperties": False}, ["{}"], ['{"a": 1}']),
        ({"type": "object", "anyOf": [STEP]}, ['{"said": "x"}', '{\n  "said": "x"\n}'], ["{}", '{  "said": "x"}']),
        ({"properties": {"é": {"enum": ["ü"]}}}, ['{"é": "ü"}'], [r'{"é": "\u00fc"}', r'{"\u00e9": "ü"}']),
        (MAP_OF | {"propertyNames": {"enum": ["a", "b"]}}, ["{}", '{"b": 1}'], ['{"c": 1}', '{"a": "x"}']),
        (MAP_OF | {"propertyNames": {"enum": ["a"]}, "required": ["a"]}, ['{"a": 1}'], ["{}", '{"b": 1}']),
        (MAP_OF | {"minProperties": 1, "maxProperties": 2}, ['{"a": 1}', '{"a": 1, "b": 2}'], ["{}", THREE]),
        ({"type": "object", "patternProperties": {"^x": {"type": "integer"}}}, ["{}", '{"xy": 1}'], ['{"y": 1}']),
        ({"type": "integer", "unit": "kg", "x-order": 1}, ["1"], ['"1"']),
        ({"const": "a b"}, ['"a b"'], ['"a"', "1"]),
        (FEW, ["[1]", "[1, 2]"], ["[]", "[1,2,3]"]),
        ({"type": "array", "maxItems": 0}, ["[]"], ["[1]"]),
        (STRICT, STRICTLY, ["{}"]),
        (OPTIONAL, OPTIONS, ['{"c": true, "a": true}', '{"a": true,}', '{"d": true}', '{"b": true, "b": true}']),
        (OPTIONAL | {"required": ["b"]}, BESIDE, ["{}", '{"a": true}', '{"b": true,}', UNORDERED]),
        (MAP, ["{}", '{"x": {"y": 1, "z": 2}, "": {}}'], ['{"x": 1}', '{"x": {"y": true}}']),
        (MAP | {"propertyNames": {"type": "string"}}, ['{"x": {}}'], ['{"x": 1}']),
        (MAP | {"propertyNames": {}, "type": ["object", "null"]}, ['{"x": {}}', "null"], ['{"x": 1}']),
        (QUOTED, ["7"], ['"7"']),
        ({"$ref": "#/$defs/a~1~01", "$defs": {"a/~1": {"type": "integer"}, "a//": True}}, ["7"], ['"7"']),
        (LIST_OF_NULLS, ["null", "[null, null]"], ["[1]"]),
        (LINKED, ['{"next": {"next": null}}'], ['{"next": {}}', "null"]),
        (Outer.model_json_schema(), WHOLE, ['{"name": "n"}', *(WHOLE[1].replace("0", n) for n in ("-1", "121"))]),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_the_grammar_allows_what_the_schema_does(
    allows: Allows, given: Any, right: list[str], wrong: list[str]
) -> None:
    source = schema.grammar(given)
    for said in right:
        for text in {said, json.dumps(json.loads(said), separators=(",", ":"), ensure_ascii=False)}:
            assert allows(source, text), text
    for said in wrong:
        assert not allows(source, said), said


def test_repetitions_that_llama_cpp_would_refuse(allows: Allows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "AT_ONCE", 3)
    for least in range(9):
        source = schema.grammar({"type": "string", "minLength": least, "maxLength": 8})
        assert [length for length in range(10) if allows(source, f'"{"x" * length}"')] == [*range(least, 9)]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"type": "string", "pattern": "(?<=a)b"}, "the schema: pattern: of groups"),
        ({"type": "string", "pattern": r"\bword"}, "pattern: .*b is not supported"),
        ({"type": "string", "pattern": r"\p{L}"}, "pattern: .*p is not supported"),
        ({"type": "string", "pattern": "(a"}, "a '\\(' too many"),
        ({"type": "string", "pattern": "a)"}, "a '\\)' too many"),
        ({"type": "string", "pattern": "[a"}, "it ends in the middle"),
        ({"type": "string", "pattern": "*a"}, "has nothing to repeat"),
        ({"type": "string", "pattern": "[b-a]"}, "out of order"),
        ({"type": "string", "pattern": "(a$)+"}, "what is repeated has"),
        ({"type": "string", "pattern": "a?^b"}, "\\^ behind something else"),
        ({"type": "string", "pattern": "(" * 900 + ")" * 900}, "nested too deeply"),
        ({"type": "string", "pattern": "^a$", "minLength": 2}, "no text satisfies it"),
        ({"type": "string", "pattern": "a" * 3000}, "too large"),
        ({"type": "string", "pattern": r"^[\x01\uD800]$"}, "no text satisfies it"),
        ({"type": "string", "pattern": 1}, "pattern is not a text"),
        ({"type": "object", "patternProperties": {"a": {}, "b": {}}}, "a single one"),
        ({"type": "object", "minProperties": 2}, "'minProperties' above 1"),
        ({"properties": {"a": True}, "maxProperties": 1}, "'maxProperties' is not supported"),
        ({"prefixItems": [{}], "items": False, "minItems": 2}, "more items than there are"),
        ({"prefixItems": {}}, "prefixItems is a list"),
        ({"answer": {"type": "integer"}}, "'answer' is not supported"),
        ({"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}, "a: 'uniqueItems'"),
        ({"type": "integer", "multipleOf": 5}, "'multipleOf'"),
        ({"type": "number", "minimum": 1e-300}, "less than 16 decimals"),
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": True}, "exclusiveMinimum is not a number"),
        ({"type": "integer", "maximum": float("nan")}, "maximum is not a number"),
        ({"type": "number", "maximum": float("inf")}, "maximum is not a number"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "the schema: no number of up to 16 digits lies between"),
        ({"type": "integer", "minimum": 10**400}, "no number of up to 16 digits lies between"),
        ({"type": "number", "minimum": 2, "exclusiveMaximum": 2}, "no number of up to 16 digits lies between"),
        ({"type": "object", "propertyNames": {"multipleOf": 2}}, "propertyNames: 'multipleOf'"),
        ({"type": "colour"}, "no type 'colour'"),
        ({"not": {}}, "'not'"),
        ({"enum": []}, "empty"),
        ({"anyOf": []}, "empty"),
        ({"allOf": [{"type": "string"}, {"type": "string"}]}, "allOf"),
        ({"$ref": "http://elsewhere/"}, "same schema"),
        ({"$ref": "#/$defs/none"}, "leads nowhere"),
        ({"anyOf": [{"$ref": "#/anyOf/1"}]}, "leads nowhere"),
        ({"properties": {"a": {"$ref": "#anchor"}}}, "same schema"),
        ({"type": "object", "required": ["a"]}, "'a' is required"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "below"),
        ({"type": "array", "maxItems": 10**9}, "from 0 to"),
        ({"type": "array", "items": 5}, "is not a schema"),
        ({"properties": {"a": True}, "required": [{}]}, "a list of names"),
        ({"type": "string", "format": ["date"]}, "format is not a text"),
        ({"type": ["string", {"a": 1}]}, "no type"),
        ({"type": [["a"]]}, "no type"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_it_does_not_understand_is_refused_by_name(given: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("$", r"\$")):
        schema.grammar(given)


def test_it_stays_small_whatever_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pattern, "MOST_WORK", 10_000)
    nested = "^" + "(" * 100 + "a" + "{1,9})" * 100 + "$"
    for much in (
        "(a|b)*a(a|b){20}",
        "^(?=.{1,253}$)([a-z]{1,63}[.])+$",
        "^a{5000}$",
        "^a{5000000000}$",
        "^" + "a?" * 200 + "$",
        nested,
    ):
        with pytest.raises(ValueError, match="too large"):
            schema.grammar({"type": "string", "pattern": much})
    days = [{"type": "string", "format": "date", "maxLength": 20 + i} for i in range(10)]
    schema.grammar(days[0])
    with pytest.raises(ValueError, match="too large"):
        schema.grammar({"anyOf": days})
    deep: Any = {"type": "integer"}
    for _ in range(100):
        deep = {"type": "array", "items": deep}
    with pytest.raises(ValueError, match="too deeply"):
        schema.grammar(deep)
    many = {
        "type": "object",
        "properties": {f"p{i}": {"type": "array", "items": {"anyOf": [{}, {}]}} for i in range(2100)},
    }
    with pytest.raises(ValueError, match="too large"):
        schema.grammar(many)
    long = {f"p{i}": {"type": "string", "maxLength": 1000} for i in range(100)}  # llama.cpp writes each character out
    with pytest.raises(ValueError, match="too large"):
        schema.grammar({"properties": long})
    with pytest.raises(ValueError, match="too large"):
        schema.grammar({"enum": ["x" * 1000] * 300})


def test_it_grows_as_the_schema_does() -> None:
    def size(given: Any) -> int:
        return len(schema.grammar(given))

    def nested(depth: int, name: str) -> Any:
        return {name: nested(depth - 1, name)} if depth else {"type": "integer"}

    def optional(count: int) -> Any:
        return {"properties": {f"p{i:04}": {"type": "integer"} for i in range(count)}}

    assert size(optional(800)) < 2.2 * size(optional(400))
    assert size(nested(40, "additionalProperties")) < 2.2 * size(nested(20, "additionalProperties"))
