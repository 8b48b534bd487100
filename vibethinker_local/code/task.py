"""What a statement asks for: a function, a method or a whole program in Python, and the examples that it gives.

Statements come in the forms of HumanEval (a signature and a docstring), MBPP (a sentence and asserts), LeetCode (prose,
`Input: … Output: …` and, as a rule, starter code), contests (standard input and output), and as people write them.
"""

import ast
import re
import textwrap
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple

from vibethinker_local.code import examples
from vibethinker_local.code.examples import Example
from vibethinker_local.code.leetcode import (
    PRELUDE,
    annotations,
    by_place,
    can_be_called,
    in_place,
    of_docstring,
    taken,
    wrapped,
)
from vibethinker_local.code.values import NoLiteral, unparsed
from vibethinker_local.events import ProblemKind
from vibethinker_local.sandbox import ProgramCall

LONGEST = 100_000  # characters of a statement that is looked into
Form = Literal["function", "method", "program"]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
CUTS = 20  # places at which a text is cut to be Python
_FENCE = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,3}[.)])[ \t]+)?(`{3,}|~{3,})[ \t]*([\w+-]*)[^\n`]*")
_CODE_LINE = re.compile(
    r"(?:^|(?<=: ))(?:async )?def \w+\s*\(|^(?:class \w+.*:\s*$|from [\w.]+ import |import \w)", re.MULTILINE
)
_BEFORE_ORDER = (  # where an order begins: in "she can write 30 lines of code" there is none
    r"(?:^|[.!?:;,\n\"'*#>(-]\s{0,3}|(?-i:\d (?=[A-Z]))"
    r"|\b(?:please|and|then|now|just|also|me|let's|(?:is|are|asked|help|how|try) to"
    r"|(?<!do )you(?: to| can| should| must| will| need to| have to)?|how (?:can|do|would) (?:i|we|one)"
    r"|(?:i|we)(?:'d like| would like| want| need) to)\s)"
)
_TEXTS = r"story|poem|essay|letter|e-?mail|song|haiku|article|paragraph|speech|joke"
_ORDER = (
    _BEFORE_ORDER + rf"(?:write(?! (?:me |us )?(?:an?|the|some) (?:\w{{1,20}} )?(?:{_TEXTS})\b)"
    r"|implement|create|develop|code|design|define|build|give|provide|fix|finish|refactor|debug|optimi[sz]e"
    r"|complete(?! the (?:assert|sentence|sequence|table|square)))\b[^.\n]{0,80}?"
)
_NOUN = r"(?:function|method|program|script|class|code|one-liner)"
_FN = r"\ba (?:[\w-]{1,20} )?(?:fn|func)\b"  # with an article: `fn` alone may be a term of a sequence
_WANTED = re.compile(
    _ORDER + rf"(?:\b(?:function|method|program|script|class|routine|subroutine|code|solution in python)\b|{_FN})"
    r"|\bcomplete the (?:\w{1,20} )?(?:function|method)\b"
    r"|(?:\b(?:i|we)(?:'d like| would like| need| want|(?:'m| am|'re| are) looking for)|^(?:need|want|looking for))"
    r" an? (?:[\w-]{1,20} ){0,3}(?:function|program|script|method)\b"
    rf"|{_BEFORE_ORDER}make (?:me |us )?an? (?:[\w-]{{1,20}} ){{0,3}}"
    r"(?:function|program|script)(?= (?:that|which|to)\b)"
    rf"|{_BEFORE_ORDER}(?:fix|correct) (?:(?:the|this|all|any|my) )?"
    r"(?:bugs?\b|errors? in (?:\w{1,20} ){0,2}(?:code|program|function|script|method|class)\b)",
    re.IGNORECASE,
)
_CLASS_WANTED = re.compile(
    _BEFORE_ORDER
    + r"(?:write|implement|create|develop|code|design|define|build) (?:me )?(?:an?|the) (?:\w{1,20} ){0,2}class\b",
    re.IGNORECASE,
)
_READS = re.compile(  # at the beginning: "how do I read from stdin" is a question
    r"(?:^|[.!?:;\n*#>]\s{0,3}|\bplease )(?:read|take|accept)\b[^.\n]{0,80}?\bfrom (?:the )?(?:stdin|standard input)\b",
    re.IGNORECASE,
)
_PYTHON_WANTED = re.compile(  # the language's name makes more an order: "implement quicksort in python"
    _ORDER + r"\bin python"
    rf"|{_BEFORE_ORDER}(?:make|generate|solve)\b[^.\n]{{0,80}}?\b(?:in python|python {_NOUN}\b)"
    r"|(?:^(?:an? |some )?|\b(?:need|want|i'd like|show me|looking for)\b[^.\n]{0,40}?\b)"
    rf"(?:python {_NOUN} (?:to|for|that|which)\b|{_NOUN} in python\b"
    rf"|{_NOUN} (?:to|for|that|which)\b[^.\n]{{0,80}}?\bin python)",
    re.IGNORECASE,
)
_GIVEN = re.compile(  # as LeetCode has it: "Given an integer array nums, return the largest."
    r"\bgiven [^.\n]{0,60}?\b(?:array|string|matrix|linked list|binary tree|integer|list of \w{1,20})s?\b[^\n]{0,300}?"
    r"(?:[,.;]\s{1,2}|\band )return (?!the (?:final )?(?:answer|result|value)\b)"
    r"(?:true|false|the|an?|all|any|how|whether|it|its|indices)\b",
    re.IGNORECASE,
)
_FIX_IT = re.compile(r"\b(?:fix|debug|refactor) it\b", re.IGNORECASE)
_DEFINITION = re.compile(r"^[ \t]*def \w+\([^\n]*:[ \t]*$", re.MULTILINE)
_EXPLANATION = re.compile(r"\W*(?:please |(?:can|could) you )?(?:explain|describe|discuss)\b", re.IGNORECASE)
_PYTHON_WANTED_ELSEWHERE = re.compile(  # in other languages than English
    r"\b(?:schreibe?n?|erstellen?|implementieren?|programmieren?|écri(?:s|vez|re)|créez?|implémentez?|escrib[ae]|crea"
    r"|implementa|escreva|crie|implemente|scrivi|напишите?|создайте?|реализуйте?|ich (?:brauche|benötige)|necesito"
    r"|j'ai besoin|preciso|schrijf|napisz|napište?|skriv|yaz(?:ın|ınız)?|viết|buat(?:kan)?|tulis(?:kan)?)\b"
    r"|写|編|编|实现|実装|作成|書|작성|구현|만들|اكتب|लिख",
    re.IGNORECASE,
)
_PROGRAMMING = re.compile(
    r"^[ \t]*(?:>>> |def \w+\()"
    r"|\bpython\b|\breturns?\b|\bstrings?\b|\barrays?\b|\blists?\b|\btuples?\b|\bdictionar|\bassert\b|\bstdin\b"
    rf"|\bprints?\b|standard input|\bcommand line\b|\btest cases?\b|\bO\(|{_FN}"
    r"|\bfunction (?:called|named)\b|\bimplement\b[^.\n]{0,40}?\b(?:function|class)\b(?! of\b| schedule\b)|\bclass `\w",
    re.IGNORECASE | re.MULTILINE,
)
_TO_DO = re.compile(  # what a curve does is no program's work
    r"\bpython (?:function|program)\b|\bfunction (?:to|which|that) (?!(?:would |could |will |can |best )?"
    r"(?:model|represent|describe|give|ha(?:s|ve) (?!\w+ (?:param|arg))|pass(?:es)? through|satisf|takes? the value"
    r"|is (?!given|able|recursive)|relate|grow))"
)
# A programme of songs, a script of 120 pages and a code of 4 digits are none that run.
_RUNS = re.compile(
    r"\b(?:program|script|code)\b(?! (?:of|words?|numbers?|below|above)\b|,? (?:\d|where\b))", re.IGNORECASE
)
_DOES = re.compile(
    r"\b(?:program|script|code) (?:that|which|to) (?:can |will |should )?"
    r"(?!(?:ha[sd]|have|uses?|lasts?|adds?|starts?|begins?|runs? for|costs?|consists?|contains?|includes?|opens?|is|are"
    r"|requires?|increases?|takes? \d)\b)",
    re.IGNORECASE,
)
_NUMBER_ASKED_FOR = re.compile(
    r"\b(?:how (?:many|much|long|far|often|old)|what)\b[^.?\n]{0,200}\?|\bfind the (?:number|probability)\b",
    re.IGNORECASE,
)
_VALUE_ASKED_FOR = re.compile(
    r"\b(?:find|compute|evaluate|calculate|determine|what(?: is|'s)) (?:the value of )?\w{1,40}\(", re.IGNORECASE
)
_SIGNATURE = re.compile(  # is_prime(n), isPrime(n), count(text: str)
    r"\b[a-z]{2}\w{0,30}(?:_[a-z]{2}|[A-Z][a-z])\w{0,30}(?:\([^()\n]*\)(?!\s*=(?!=))|`)"
    r"|\w\(\s*\w+\s*:\s*(?:str|int|float|bool|bytes|list|dict|tuple|set|List|Dict|Tuple|Set|Optional|Iterable)\b"
)
_COST = re.compile(r"\$\d[\d,.]*+(?![^\s$]*\$(?!\d))")  # $5, but not $5$ or $5x$
_ORDER_OF_GROWTH = re.compile(  # $O(n \log n)$
    r"(?:(?:\$|\\\()\s{0,3})?(?:\\mathcal\s{0,3})?\{?\bO\}?\s{0,3}\((?:[^()\n]|\([^()\n]*\)){1,80}\)(?:\s{0,3}(?:\$|\\\)))?"
)
_OF_DATA = re.compile(
    r"\b(?:strings?|arrays?|tuples?|stdin|lists? of|(?:as|in) (?:an? )?list)\b|\bdictionar|\bprints? "
    r"|\breturns? (?:how|whether|true|false|none)\b",
    re.IGNORECASE,
)
_MATHS = re.compile(
    r"\$|\\\(|\\frac|\b[a-z]\([a-z]\)\s*=(?!=)|\bmodels?\b|\bequation\b|\bgraph of\b|\bvertex form\b", re.IGNORECASE
)
_LANGUAGES = (
    r"C\+\+|C#|Java|JavaScript|TypeScript|Rust|Golang|Haskell|Ruby|PHP|Kotlin|Swift|SQL|Bash|Scala|Perl|Lua|MATLAB"
    r"|PowerShell|HTML|CSS|OCaml|F#|Fortran|COBOL|Objective-C|VBA|Visual Basic|Clojure|Verilog|VHDL|Prolog"
)
_WORDS = r"C|Go|R|Dart|Elixir|Groovy|Julia|Lisp|Pascal(?! triangle)|Solidity|Zig"  # with a capital they are languages
_OTHER = (
    rf"(?:\bin (?:(?i:{_LANGUAGES})|{_WORDS})(?![\w+#'’])"
    rf"|\b(?:(?i:{_LANGUAGES}|shell|assembly)|{_WORDS})"
    r" (?i:functions?|programs?|methods?|query|queries|scripts?|code)\b)"
)
_OTHER_LANGUAGE = re.compile(_OTHER)
_OTHER_LANGUAGE_ORDERED = re.compile(rf"(?i:{_ORDER}|{_BEFORE_ORDER}solve\b[^.\n]{{0,80}}?){_OTHER}")
_OTHER_CODE = re.compile(  # a line of C++, Java, JavaScript, Go or Rust, and a table as problems of SQL have it
    r"^[ \t]*(?:public|class|struct|impl|func|fn|function|var|const|let)\b[^\n;]{0,200}\{[ \t]*$|^#include\b"
    r"|^Table: `?\w+`?\s{1,9}\+--",
    re.MULTILINE,
)
_OTHER_TAGS = set(
    "c c++ cpp java javascript js typescript ts go golang rust csharp kotlin swift ruby php scala".split()
)
_PROGRAM = re.compile(
    r"\bstdin\b|standard input|\breads? (?:from |the |an? )?input|\bprogram (?:that|which|to)\b|\bscript\b"
    r"|\binput format\b|\boutput format\b|\bprogram(?:m|m?[ae])\b|программ|程序|プログラム",
    re.IGNORECASE,
)
_PYTHON = re.compile(r"(?<![a-z])python|파이썬|بايثون|पायथन", re.IGNORECASE)  # also as 用Python写
_ANY_ORDER = re.compile(
    r"\breturn(?:s|ed)?\b(?:(?!\b(?:given|inputs?|whose|sort\w*|may|can|could)\b)[^.\n]){0,80}\bin any order\b"
    r"|\border of (?:the )?(?:output|answer|result|return)[^.\n]{0,60}does(?: not|n't) matter|任意顺序返回",
    re.IGNORECASE,
)
_PRINTED = re.compile(r"\b(?:print|output|return)\w*\b[^.\n]{0,80}\?", re.IGNORECASE)  # a question about that
_OPTION = re.compile(r"^[ \t]*\(?([AB])[).:]\s", re.MULTILINE)
_CALLED = re.compile(  # "an array is called good" names no function, nor does one that is "called with two numbers"
    r"\b(?:function|method|class)\b(?:(?!\b(?:is|are)\b)[^.\n]){0,30}?\b(?:called|named)\s+[`\"']?"
    r"(?!(?:as|with|when|by|on|in|from|once|if|after|at|for|to|an?|the|using|recursively|repeatedly|multiple|many|several"
    r"|before|and|or|but|only|twice|again|it|its|this|that|like|every|each|without)\b)([A-Za-z_]\w*)"
    r"|\b(?!(?:is|are|variable|parameter|argument|list|array|string|file|column|table|dict\w*|field|key)s?\b)\w+\W{1,3}"
    r"(?:called|named)\s+(?:`([A-Za-z_]\w*)[`(]|([a-z]+(?:_|[A-Z])\w*))"
    r"|\bfunction\s+`?([A-Za-z_]\w*)(?:\(|`)"
)


@dataclass(frozen=True)
class Task:
    """A problem whose answer is a program. An input is the text of a call's arguments, or of standard input."""

    form: Form
    entry: str | None = None  # the function's or method's name; None: whatever the program defines last
    parameters: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()  # of the parameters, as source; empty where there is none
    prelude: str = ""  # what a solution may count on
    starter: str = ""  # the beginning that a solution has to go on from
    examples: tuple[Example, ...] = ()
    in_place: bool = False  # it returns nothing: what comes of it is its first argument that can be changed
    any_order: bool = False  # a list that it returns may be in any
    is_class: bool = False  # it is one, and an input the names of the methods that are called, and their arguments

    @property
    def called(self) -> str:
        """The function as a call names it."""
        return ("Solution()." if self.form == "method" else "") + (self.entry or "solution")

    def call(self, input: str, entry: str | None = None) -> ProgramCall:
        """The call of a program whose function is `entry`, if the statement does not name it."""
        if self.form == "program":
            return ProgramCall(stdin=input if input.endswith("\n") else input + "\n")
        name = self.called if self.entry or not entry else entry
        arguments = wrapped(input, self.parameters, self.annotations)
        if self.in_place or self.is_class:
            return ProgramCall(f"{'_calls' if self.is_class else '_in_place'}({name}, {arguments})")
        return ProgramCall(f"{name}({arguments})")


def of(statement: str, kind: ProblemKind | None) -> Task | None:
    """The task of a statement, if it is one, or if the user has said so."""
    return None if kind in ("maths", "prose") else read(statement, surely=kind == "code")


@lru_cache(64)
def read(statement: str, *, surely: bool = False) -> Task | None:
    """The task of a statement, or None if it asks for something else than a program in Python.

    With `surely` the user has said that it is one.
    """
    if len(statement) > LONGEST:
        return None
    found = _read(statement.replace("\r\n", "\n"), surely=surely)  # as Windows and scraped contests have it
    if found is None or found.is_class or not _ANY_ORDER.search(statement):  # calls of methods have their order
        return found
    return replace(found, any_order=True)


def _read(statement: str, *, surely: bool) -> Task | None:
    if _is_given_in_another_language(statement):
        return None
    starter = _starter(statement)
    if starter:
        return _of_starter(statement, starter)
    if not surely and _has_options(statement):  # what a program prints, or which one is right
        return None
    design = examples.of_class(statement)
    parameters, given = examples.by_name(statement)
    pairs = examples.of_program(statement)
    is_headed = examples.has_headings(statement)
    if _names_another_language(statement, ordered=bool(design or given or pairs or is_headed)):
        return None
    if design:
        return _of_class(*design)
    named = examples.asserted(statement)
    called = _CALLED.search(statement)
    entry = named or (next(filter(None, called.groups())) if called else None)
    if given and entry and not _takes(statement, entry, parameters):  # it is one that the problem speaks of
        entry = None
    if given and not entry and not (pairs and _PROGRAM.search(statement)):
        kinds, changed = annotations(statement, parameters), in_place(statement)
        return Task("function", None, parameters, kinds, PRELUDE, examples=tuple(given), in_place=changed)
    asked = surely or given or pairs or is_headed or _READS.search(statement) or _asks(statement)
    if not asked and (not named or _is_defined(statement, named)):  # what a function that is given makes of something
        return None
    if not entry and (pairs or is_headed or _PROGRAM.search(statement)):
        return Task("program", examples=tuple(pairs or examples.labelled(statement, program=True)))
    found = tuple(examples.of_function(statement, entry or examples.called(statement), ()))
    if given and in_place(statement):
        return Task("function", entry, prelude=PRELUDE, examples=found, in_place=True)
    return Task("function", entry, examples=found, is_class=not found and bool(_CLASS_WANTED.search(statement)))


def _asks(statement: str) -> bool:
    """Whether a statement without code or tests asks for a program, and not for a function in the sense of maths."""
    if _EXPLANATION.match(statement):  # "how to write clean code", "how a stack is implemented in Python"
        return False
    if _PYTHON.search(statement):
        ways = (_WANTED, _PYTHON_WANTED, _PYTHON_WANTED_ELSEWHERE, _FIX_IT)
        return any(way.search(statement) for way in ways)
    if (_FIX_IT.search(statement) and _DEFINITION.search(statement)) or (
        _GIVEN.search(statement) and not _MATHS.search(statement)
    ):
        return True
    if not _WANTED.search(statement):
        return False
    if _SIGNATURE.search(statement) and not _VALUE_ASKED_FOR.search(statement):
        return True
    plain = _COST.sub(" ", without := _ORDER_OF_GROWTH.sub(" O(n) ", statement))
    if _MATHS.search(plain):
        return False
    if plain != without:  # costs are what maths problems are about
        return bool(_OF_DATA.search(plain))
    return bool(_PROGRAMMING.search(plain) or _TO_DO.search(plain) or _is_program(plain))


def _is_program(statement: str) -> bool:
    """Whether the program, script or code that is asked for is one that runs."""
    if _NUMBER_ASKED_FOR.search(statement):
        return bool(_DOES.search(statement))
    return bool(_RUNS.search(statement))


def _is_given_in_another_language(statement: str) -> bool:
    """Whether there is code in another language than Python, which is not named."""
    if _PYTHON.search(statement):
        return False
    return bool(_OTHER_CODE.search(statement) or {block.tag.casefold() for block in fenced(statement)} & _OTHER_TAGS)


def _names_another_language(statement: str, *, ordered: bool) -> bool:
    """Whether another language than Python is named, and Python is not; if `ordered`, as the one to write in, for
    contests tell what a large number is called in C++."""
    if _PYTHON.search(statement):
        return False
    return bool((_OTHER_LANGUAGE_ORDERED if ordered else _OTHER_LANGUAGE).search(statement))


def _of_class(name: str, found: list[Example], starter: str = "") -> Task:
    """The task of a class, and the calls of its methods that a statement gives."""
    return Task("function", name, prelude=PRELUDE, starter=starter, examples=tuple(found), is_class=True)


def _has_options(statement: str) -> bool:
    """Whether it is a multiple choice: a line begins with A, another with B."""
    return {"A", "B"} <= {found[1] for found in _OPTION.finditer(statement)}


def _takes(statement: str, name: str, parameters: tuple[str, ...]) -> bool:
    """Whether a function is not shown with other parameters than these."""
    shown = re.search(rf"\b{re.escape(name)}\(([^()\n]+)\)", statement)
    names = re.findall(r"(?:^|,)\s*([A-Za-z_]\w*)", shown[1]) if shown else []
    return not names or names == list(parameters)


def _is_defined(statement: str, name: str) -> bool:
    """Whether a function is defined in a statement, body and all, for it is no starter."""
    return bool(re.search(rf"^[ \t]*def {re.escape(name)}\(", statement, re.MULTILINE))


def _of_starter(statement: str, starter: str) -> Task:
    tree = parsed(starter)
    assert tree is not None
    holder = next((node for node in reversed(tree.body) if isinstance(node, (*_FUNCTIONS, ast.ClassDef))), None)
    function: ast.FunctionDef | ast.AsyncFunctionDef
    if isinstance(holder, ast.ClassDef):
        design = examples.of_class(statement)
        if design and design[0] == holder.name:
            return _of_class(*design, starter)
        methods = [node for node in holder.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("__")]
        if holder.name != "Solution" or not methods:
            return _of_class(holder.name, [], starter)
        function, form = methods[0], "method"
    else:
        assert isinstance(holder, _FUNCTIONS)
        function, form = holder, "function"
    arguments = taken(function)
    parameters = tuple(argument.arg for argument in arguments)
    told = of_docstring(function)
    annotations = tuple(unparsed(a.annotation) if a.annotation else told.get(a.arg, "") for a in arguments)
    returned = unparsed(function.returns) if function.returns else told.get("", "")
    changed = bool(parameters) and returned == "None"
    if form == "method" and not returned:  # a starter without types
        changed = in_place(statement)
    before = tree.body[: tree.body.index(holder)]
    read = examples.of_function(statement, function.name, parameters)
    found = [replace(each, input=by_place(function, each.input)) for each in read]
    prelude = "\n".join(unparsed(node) for node in before)
    return Task(
        "method" if form == "method" else "function",
        function.name,
        parameters,
        annotations,
        PRELUDE + prelude if form == "method" or changed or "List" in "".join(annotations) else prelude,
        starter,
        tuple(each for each in found if can_be_called(function, each.input, annotations)),
        changed,
    )


def _starter(statement: str) -> str | None:
    """The code in a statement that a solution goes on from: its last function has no body but a docstring."""
    asks = _PRINTED.search(statement) is not None
    blocks = [block.inside for block in fenced(statement) if block.closed]
    for code in [*reversed(blocks), _code_at_end(statement)]:
        tree = parsed(code) if code else None
        defined = [node for node in tree.body if not _is_test(node, asks)] if tree else []
        if tree is not None and defined and is_open(defined[-1]):
            with suppress(NoLiteral):
                unparsed(tree)  # as parts of it will be
                whole = defined[-1] is tree.body[-1]
                return _completed(code) if whole else "\n".join(code.split("\n")[: defined[-1].end_lineno])
    return None


def _is_test(node: ast.stmt, asks: bool) -> bool:
    """Whether a statement behind a function only tries it: `f(2) == 4`, an assert, `if __name__ == …`, or a call, where
    nobody asks what it gives."""
    match node:
        case ast.Assert() | ast.Expr(value=ast.Compare()) | ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case ast.Expr(value=ast.Call()) | ast.Assign(value=ast.Call()):
            return not asks
    return False


def _code_at_end(statement: str) -> str:
    """From the first line of code to the end, or as far as it is code."""
    found = _CODE_LINE.search(statement)
    return leading(statement[found.start() :]) if found else ""


class FencedBlock(NamedTuple):
    tag: str
    inside: str
    closed: bool = True


def fenced(text: str) -> list[FencedBlock]:
    """The fenced blocks of a text, in order; the last one may be left open."""
    blocks: list[FencedBlock] = []
    fence, tag, inside = "", "", list[str]()
    for line in text.split("\n"):
        found = _FENCE.fullmatch(line)
        if not fence and found:
            fence, tag, inside = found[1], found[2], []
        elif fence and found and found[1].startswith(fence) and not found[2]:
            blocks.append(FencedBlock(tag, "\n".join(inside)))
            fence = ""
        elif fence and line.rstrip().endswith(fence) and line.count(fence) == 1 and not found:
            blocks.append(FencedBlock(tag, "\n".join([*inside, line.rstrip()[: -len(fence)]])))  # behind the last line
            fence = ""
        elif fence:
            inside.append(line)
    return [*blocks, FencedBlock(tag, "\n".join(inside), closed=False)] if fence else blocks


def leading(text: str) -> str:
    """The lines at a text's beginning that are Python: what comes before the first error, and is no error itself."""
    for _ in range(CUTS):
        if parsed(text) is not None:
            return text
        lines = text.split("\n")
        text = "\n".join(lines[: min(_line_of_error(text), len(lines)) - 1])
    return ""


def _line_of_error(code: str) -> int:
    """Where Python does not understand a program; its first line where it does not say."""
    try:
        _tree(code)
    except SyntaxError as error:
        return error.lineno or 1
    except (ValueError, MemoryError, RecursionError):
        return 1
    return 1


def parsed(code: str) -> ast.Module | None:
    """The tree of a program, or None where it is none; of a function that breaks off behind its header, too."""
    for text in dict.fromkeys((code, _completed(code))):
        with suppress(SyntaxError, ValueError, MemoryError, RecursionError):
            return _tree(text)
    return None


def _tree(code: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a "\d" in a string that is not raw
        return ast.parse(textwrap.dedent(code))


def _completed(code: str) -> str:
    """Code that ends in a header, with `pass` for the missing body."""
    bare = code.rstrip()
    if not bare.endswith(":"):
        return code
    last = bare.rpartition("\n")[2]
    indent = len(last) - len(last.lstrip()) + 4
    return f"{bare}\n{' ' * indent}pass\n"


def is_open(node: ast.stmt) -> bool:
    """Whether a function, or a class's last method, has nothing in it yet."""
    if isinstance(node, ast.ClassDef):
        methods = [each for each in node.body if isinstance(each, _FUNCTIONS)]
        return bool(methods) and all(is_open(method) for method in methods)
    if not isinstance(node, _FUNCTIONS):
        return False
    return all(isinstance(each, (ast.Pass, ast.Raise, ast.Import)) or _is_constant(each) for each in node.body)


def _is_constant(node: ast.stmt) -> bool:
    """A docstring, or an ellipsis."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
