"""Says in plain words what pydantic finds wrong with a value: the same ones for files, variables, options and requests.

It never shows the value, which may be the user's own text, or a key.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_WHOLE, _NUMBER, _TRUTH = "should be a whole number", "should be a number", "should be true or false"
_SENTENCES = {
    "extra_forbidden": "there is no such key here",
    "missing": "is missing",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE + " of fewer digits",
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER + ", not NaN or infinity",
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "string_type": "should be a string",
    "string_unicode": "should be UTF-8 text",
    "list_type": "should be a list",
    "tuple_type": "should be a list",
}
_BEFORE = ("Value error, ", "Input ", "input ", "String ")  # what stands before the part that says something


def reason(error: BaseException | None) -> str | None:
    """What pydantic found wrong first; None if the error is none of its own. For what Typer says of an option."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return None
    return said(error.errors(include_url=False, include_input=False)[0])


def said(error: "ErrorDetails") -> str:
    """What is wrong, to stand behind the name of the place: should be a whole number."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "too_short":
        least = context["min_length"]
        return f"should have at least {least} item{'s' if least != 1 else ''}"
    if kind == "too_long":
        return f"should have at most {context['max_length']:,} items"
    told = _SENTENCES.get(kind, error["msg"])
    for before in _BEFORE:
        told = told.removeprefix(before)
    return told.removesuffix(".")
