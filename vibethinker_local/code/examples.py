"""The examples in a statement: an input, and what a right program makes of it. Reads, guesses nothing: in doubt, none.

Each search is one pass over the text or over one line of it. Of what may begin an example, the first HITS are looked
at.
"""

import ast
import builtins
import html
import itertools
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from vibethinker_local.code.values import NoLiteral, parse, unparsed

MOST = 20  # examples
LONGEST = 4000  # characters of one value
FEW = 5  # functions of which one may be the one to write
HITS = 300  # calls, labels and the like that may begin an example

_EQUALS = (
    r"(?:={1,3}>?|-+>|➞|→|➔|⇒|⟶|returns?\b|(?:should|must|will|would) (?:return|be|give|equal|output)\b"
    r"|evaluates to\b|gives\b|yields\b|(?:expected )?outputs?\b|expected\b|results? in\b|is equal to\b|equals\b|is\b|:)"
)
_CONNECTOR = re.compile(
    rf"[ \t`;]*(?:(?:#|//)[ \t]*)?{_EQUALS}(?:[ \t`]*{_EQUALS})?[ \t`]*"
    r"|[ \t`;]*\n[ \t>]*(?:(?:#|//)[ \t]*)?(?:expected )?output[ \t]*:[ \t`]*",  # on the next line
    re.IGNORECASE,
)
_SUM = re.compile(r"[ \t]*\d[\d \t.+*/()-]*=[ \t]*")  # `19 - 5 - 6 = ` before a value
_COMMENT = re.compile(r"[ \t]*#[ \t]*")
_WORD = re.compile(
    r"[+-]?(?:\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?j?|\.\d+)|(?:True|False|None|true|false|null|inf|nan)\b|set\(\)"
)
_GOES_ON = re.compile(r"[ \t]*(?:[+*/%^<>=&|]|-[ \t]*[\w(])|[\w(\[]")  # the literal is only a part of an expression
_ENDS = re.compile(  # behind a value that is the whole one; `3 more than f(4)`, `1,000` and `1 or 2` go on
    r"""[ \t`"']*(?:\Z|[)\]};:#(—–]|//|--|\.(?!\d|\.\.)|,(?!\s*[\d"'\[({+-])"""
    r"""|\n(?![ \t]*(?:or|more|less|fewer|greater|larger|smaller|times|instead)\b)"""
    r"""|(?:(?<=[ \t]{2})|(?<=\t))(?=[A-Za-z])"""  # in columns
    r"""|(?<=[ \t])(?=(?!True\b|False\b|None\b)[A-Z]\w+[ ,:])"""  # another sentence
    r"""|(?:because|since|as|so|due|where)\b|and so on\b|(?:and|but|while|whereas)[ \t]+[`"']?\w+\()"""
)
_DISPUTED = re.compile(  # `returns 5, but should return 6`, `== 5  # False`: the value is not the one that is wanted
    r"""[\s`"'(),:#/>=—–-]{0,9}(?:(?:but|and|which|that|while|whereas|though|although|where|when|is|are|it|i|we|this|the"""
    r"""|result|answer|value)\b[\s,:]*){0,4}"""
    r"""(?:false|not|wrong\w*|incorrect\w*|instead|rather than|expect\w*|should(?! (?:be true|hold)\b)|must|ought)\b""",
    re.IGNORECASE,
)
_LINE_ENDS = re.compile(r"""[ \t]*(?:\n|\Z|#|\"""|''')""")
_NORMATIVE = re.compile(r"should|must|will|would")
_INSIDE = re.compile(  # before a call that is only a part of an expression, or that a bug is reported of
    r"""(?:\b(?:def|lambda|or|currently|now|why (?:does|do|is)|does|doesn't|instead of|never)|\bnot[\s(]*|\w\("""
    r"""|[+*/%-]|[\w"')\]}]\s*[=!<>]=|["'\d)\]}]\s+(?:[<>]|(?:not\s+)?in))[\s`]*$|[!~]$""",
    re.IGNORECASE,
)
_SEEDED = re.compile(r"^[ \t]*>>> [^\n]*\bseed\(", re.MULTILINE)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_BUILT_IN = {"abs", "set", "sorted", "list", "tuple", "len", "isinstance", "all", "any", "round", "str", "int", "float"}
_AROUND = "|".join([r"not\s+", r"(?:math\.)?isclose\(", r"\(", *(rf"{name}\(" for name in sorted(_BUILT_IN))])
_ASSERT = re.compile(rf"\bassert\s+(?:{_AROUND})*([A-Za-z_]\w*)\s*\(")
_FOR = re.compile(r"\b(?:for|if|when|given|with|let)\s+(?=[A-Za-z_]\w*\s*=(?!=))", re.IGNORECASE)
_RESULT = re.compile(
    r"[^\n.:]{0,40}?(?:\b(?:output|result|answer|returns?|value)\b[^\n:=\d\[\]\"'(){}-]{0,25}[:=]?|[=-]+>|➞|→)[ \t`]*",
    re.IGNORECASE,
)
_INPUT = re.compile(r"^[ \t>*#-]*(?:sample[ \t]+|example[ \t]+)?inputs?[ \t*]*:[ \t*]*", re.IGNORECASE | re.MULTILINE)
_OUTPUT = re.compile(
    r"(?:\n?[ \t>*-]{0,20}\b(?:(?:sample|expected|example)[ \t]+)?outputs?"
    r"|\n[ \t>*-]{0,20}(?:returns?|results?|expected(?:[ \t]+(?:value|result))?))[ \t*]*:"
    r"[ \t*]*(?:\n[ \t]*`{3,}\w*(?=\n))?"
    r"(?P<output>[^\n]*(?:\n(?!\s*\n|[ \t]*[`~]{3}"
    r"|[ \t*]*(?:explanation|example|input|note|constraint|sample|output))[^\n]*)*)",
    re.IGNORECASE,
)
_NAMED = re.compile(r"[\s`]*(?:[-*•]\s+)?`?(?:([A-Za-z_]\w*)`?\s*[=:](?!=)\s*`?)?")  # what stands before a value
_NEXT = re.compile(r"[ \t`]*(?:[,;\n]\s*(?:and\b)?|and\b|\Z|(?=[A-Za-z_]\w*`?[ \t]*[=:]))\s*")  # and behind it
_HEADING = re.compile(
    r"^[ \t#*_>-]*(?P<sample>sample|example)?s?[ \t]*(?P<kind>input|output|stdin|stdout)[ \t]*"
    r"(?P<after>sample|example)?s?[ \t]*(?:(?P<number>#?[ \t]*\d+)|format)?(?:[ \t]*copy)?[ \t]*[*_:#-]*[ \t]*$",
    re.IGNORECASE,
)
_IN_AND_OUT = re.compile(
    r"^[ \t#*_-]*(input|output)[ \t]*(?:format|specification)?[ \t#*_:-]*$", re.IGNORECASE | re.MULTILINE
)
_LINES = re.compile(
    r"\b(?:first|second|single|each|next|one) line\b|\blines? contain|\bstandard (?:in|out)put\b", re.IGNORECASE
)
_EXAMPLES = re.compile(r"^[ \t#*_>-]*(?:examples?|samples?)[ \t]*#?\d*[ \t]*[*_:#-]*[ \t]*$", re.IGNORECASE)
_ABROAD = (  # headings of contests in Chinese, Japanese, Korean, Russian, Spanish, Portuguese, German and French
    (
        "sample input",
        "样例输入|输入样例|示例输入|入力例|예제 입력|e[jx]emplos? de entrada|entrada de e[jx]emplo|beispiel-?eingabe"
        "|exemple d[’']entrée",
    ),
    (
        "sample output",
        "样例输出|输出样例|示例输出|出力例|예제 출력|ejemplos? de salida|salida de ejemplo|exemplos? de saída"
        "|saída de exemplo|beispiel-?ausgabe|exemple de sortie",
    ),
    ("input format", "输入格式|输入描述|入力|입력|входные данные|entrada|eingabe|entrée"),
    ("output format", "输出格式|输出描述|出力|출력|выходные данные|salida|saída|ausgabe|sortie"),
    ("example", "样例|пример[ы]?|e[jx]emplos?|beispiele?|exemples?"),
)
_LABELS_ABROAD = [  # before what stands on the same line
    (re.compile(rf"^([ \t>*#-]*)(?:{words})([ \t*]*)[:：]", re.IGNORECASE | re.MULTILINE), rf"\1{english}\2: ")
    for english, words in (
        ("Input", "输入|入力|입력|entrada|eingabe|entrée|ввод"),
        ("Output", "输出|出力|출력|salida|saída|ausgabe|sortie|вывод"),
        ("Explanation", "解释|説明|설명|explicación|explicação|erklärung|explication|объяснение"),
    )
]
_ENGLISH = [
    (re.compile(rf"^([ \t#*_>【-]*)(?:{words})】?", re.IGNORECASE), rf"\1{english}") for english, words in _ABROAD
]
_TAGGED = re.compile(r"^([ \t]*(?:`{3,}|~{3,}))(input|output)[ \t]*$", re.MULTILINE)
_HTML = re.compile(r"<pre\b[^<>]*>|<h[1-6]\b[^<>]*>[^<>\n]*(?:in|out)put\b", re.IGNORECASE)
_HTML_BLOCK = re.compile(r"</?(?:h[1-6]|p|div|pre|section|ul|ol|li|hr|br|table|tr|td)\b[^<>]*>", re.IGNORECASE)
_HTML_INLINE = re.compile(r"</?(?:var|span|strong|b|i|em|code|sub|sup|tt|font|a)\b[^<>]*>", re.IGNORECASE)
_MORE = re.compile(r"[-+]?\d[\d.eE+ \t-]*|[A-Z]+|Yes|No")  # a line of an output behind an empty one
_INTERACTIVE = re.compile(r"\binteractive (?:problem|task)\b", re.IGNORECASE)
_STOP = re.compile(r"^[ \t#*_>-]*(?:explanation|notes?|constraints?|hint|scoring|subtasks?|limits?)\b", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})")
_WIDEST = 80  # characters of a line that is a heading
_CLASS = re.compile(
    r"""^(?:[ \t>*#-]*inputs?[ \t*]*:?[ \t*]*)?(?P<names>\["(?P<name>\w+)"(?:[ \t]*,[ \t]*"\w+")*\])[ \t]*\n"""
    r"""[ \t]*(?=\[\[)""",
    re.IGNORECASE | re.MULTILINE,
)
_NOTHING_FIRST = re.compile(r"\boutputs?\b[\s*:]{0,20}(?=\[ ?null\b)", re.IGNORECASE)
_OF_JUDGE = re.compile(  # made of nodes, which the judge makes of a list, or drawn at random
    r"\A\[\s*\[\s*\[.*\b(?:\w*Node|trees?|NestedInteger)\b|\brandom|\bshuffl", re.IGNORECASE | re.DOTALL
)
_AT_BEGIN = re.compile(r"^[ \t>*`-]*([A-Za-z_]\w*)\s{0,3}\(", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """An input, and what belongs to it: the text of the value, or what is printed."""

    input: str
    expected: str


def of_function(statement: str, entry: str | None, parameters: tuple[str, ...]) -> list[Example]:
    """What a statement says about a function's values."""
    text = _plain(statement)
    found: list[Example] = []
    if entry:
        found += _calls(text, entry)
    if not found:
        found += labelled(text, entry, program=False)
    if not found and parameters:
        found += _given(text, parameters)
    if not found and len(parameters) == 1:
        found += _arrows(text)
    return list(dict.fromkeys(found))[:MOST]


def asserted(statement: str) -> str | None:
    """The function that the asserts in a statement call."""
    for found in _ASSERT.finditer(statement):
        if found[1] not in _BUILT_IN:
            return found[1]
    return None


def assertions(reply: str, name: str) -> list[tuple[str, str | None]]:
    """The inputs in a model's assertions on a function, each with the expected literal, if there is one."""
    found: dict[str, str | None] = {}
    for call in itertools.islice(re.finditer(rf"(?<!\w){re.escape(name)}\s*\(", reply), HITS):
        end = balanced(reply, call.end() - 1)
        arguments = " ".join(reply[call.end() : end - 1].split("\n")).strip() if end else ""
        if end is None or arguments in found or not _are_arguments(arguments):
            continue
        equals = re.match(r"\s*(?:==|is)\s*", reply[end:])
        value = literal(reply, end + equals.end()) if equals else None
        if value and (
            re.match(r"\s*or\b", reply[value[1] :])
            or re.search(r"\bnot[\s(]*$", reply[max(0, call.start() - 20) : call.start()])
        ):
            value = None
        found[arguments] = value[0] if value else None
    return list(found.items())[:MOST]


def inputs(reply: str) -> list[str]:
    """The inputs of a program that a model wrote, each in a block of its own."""
    blocks = re.split(r"^[ \t]*```.*$", reply, flags=re.MULTILINE)[1::2]
    return list(dict.fromkeys(block.strip("\n") for block in blocks if block.strip()))[:MOST]


def labelled(statement: str, entry: str | None = None, *, program: bool) -> list[Example]:
    """`Input: … Output: …`, as LeetCode has it: arguments by name, or one by one, or a call of the function."""
    found = []
    text = _plain(statement)
    inputs = list(itertools.islice(_INPUT.finditer(text), HITS))
    for label, following in itertools.zip_longest(inputs, inputs[1:]):
        end = following.start() if following else len(text)
        match = _OUTPUT.search(text, label.end(), min(end, label.end() + 2 * LONGEST))
        if not match:
            continue
        given, expected = text[label.end() : match.start()], match["output"]
        given, expected = given.strip().strip("`").strip(), expected.strip().strip("`").strip()
        if not given or not expected or len(given) > LONGEST or len(expected) > LONGEST:
            continue
        if program:
            found.append(Example(given + "\n", expected))
            continue
        expected = expected.removeprefix("- ")
        value = _whole(expected, 0)
        if not value and "output" not in match[0].partition(":")[0].casefold():
            continue  # `Returns: a list` tells what kind of value it is
        if entry and given.startswith(f"{entry}("):
            given = given.removeprefix(f"{entry}(").removesuffix(")")
        if arguments := _listed(given):
            found.append(Example(arguments, value[0] if value else expected))
    return found


def _listed(text: str) -> str | None:
    """Arguments however a statement lists them: with commas, a line each, with `and`, as `name: value`."""
    at, found = 0, list[str]()
    while at < len(text):
        named = _NAMED.match(text, at)
        assert named
        end = _argument(text, named.end())
        following = _NEXT.match(text, end) if end else None
        if not following:
            return None
        value = " ".join(text[named.end() : end].split("\n"))
        found.append(f"{named[1]} = {value}" if named[1] else value)
        at = following.end()
    return ", ".join(found)


def by_name(statement: str) -> tuple[tuple[str, ...], list[Example]]:
    """The parameters that every `Input: name = …, other = … Output: …` gives, and the examples without their names.

    Without starter code nobody knows what a solution will call them; their order is all that it is sure to keep.
    """
    parameters: tuple[str, ...] = ()
    found = []
    for example in labelled(statement, program=False):
        try:
            call = ast.parse(f"f({example.input})", mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return (), []
        if not isinstance(call, ast.Call) or call.args or not call.keywords:
            return (), []
        names = tuple(each.arg or "" for each in call.keywords)
        if parameters not in ((), names):
            return (), []
        parameters = names
        try:
            arguments = ", ".join(unparsed(each.value) for each in call.keywords)
        except NoLiteral:
            return (), []
        found.append(Example(arguments, example.expected))
    return parameters, found[:MOST]


def of_class(statement: str) -> tuple[str, list[Example]] | None:
    """The class whose methods a statement's examples call, and these: names in one list, their arguments in another,
    what comes of them in a third, LeetCode's way."""
    text, name, examples = _plain(statement), None, list[Example]()
    for found in itertools.islice(_CLASS.finditer(text), MOST):
        if result := _NOTHING_FIRST.search(text, found.end(), found.end() + LONGEST):
            name = name or found["name"]
            arguments, expected = literal(text, found.end()), literal(text, result.end())
            if arguments and expected and not _OF_JUDGE.search(arguments[0] + text):
                given = f"{found['names']}, {arguments[0]}"
                examples.append(Example(*(" ".join(each.split("\n")) for each in (given, expected[0]))))
    return (name, examples) if name else None


def called(statement: str) -> str | None:
    """The one function that calls at the beginning of lines are of, each with its value."""
    text = _plain(statement)
    names = dict.fromkeys(found[1] for found in itertools.islice(_AT_BEGIN.finditer(text), HITS))
    shown = [name for name in list(names)[:FEW] if name not in vars(builtins) and any(_calls(text, name))]
    return shown[0] if len(shown) == 1 else None


def of_program(statement: str) -> list[Example]:
    """What is given on standard input, and what is to be printed, below headings."""
    if _INTERACTIVE.search(statement):  # what is on standard input depends on what was printed
        return []
    sections: list[tuple[str, str]] = []
    kind, inside, is_sample, was_example = "", list[str](), False, False
    fenced = False

    def close(before: str = "") -> None:
        if kind and is_sample:
            sections.append((kind, _content(inside, whole=(kind, before) == ("input", "output"))))

    for line in _TAGGED.sub(r"Sample \2\n\1", _lines(statement)).split("\n"):
        narrow = _english(line) if len(line) <= _WIDEST else ""
        if _FENCE.match(line):
            fenced = not fenced
        if not fenced and _EXAMPLES.match(narrow):
            close()
            kind, was_example = "", True
        elif not fenced and (heading := _HEADING.match(narrow)):
            following = "input" if heading["kind"].lower() in ("input", "stdin") else "output"
            close(following)
            kind = following
            is_sample = was_example or any(heading[part] for part in ("sample", "after", "number"))
            inside = []
        elif not fenced and _STOP.match(line):
            close()
            kind = ""
        elif kind:
            inside.append(line)
    close()
    pairs = itertools.pairwise(sections)
    return [
        Example(given.rstrip("\n") + "\n", expected)
        for (first, given), (second, expected) in pairs
        if (first, second) == ("input", "output") and given.strip() and expected.strip()
    ][:MOST]


def _english(line: str) -> str:
    """A heading in another language as it is in English."""
    for words, english in _ENGLISH:
        line, found = words.subn(english, line)
        if found:
            break
    return line


def has_headings(statement: str) -> bool:
    """Whether a statement says, below headings, what lines a program reads and prints."""
    text = _lines(statement)
    found = {heading[1].casefold() for heading in _IN_AND_OUT.finditer(text)}
    return len(found) == 2 and bool(_LINES.search(text))


def _lines(statement: str) -> str:
    """A statement with its headings on lines of their own, also where it is HTML."""
    if _HTML.search(statement):
        statement = _HTML_BLOCK.sub("\n", _HTML_INLINE.sub("", statement))
    return html.unescape(statement)


def literal(text: str, begin: int) -> tuple[str, int] | None:
    """The literal that begins at a place, and where it ends; None where there is none, or only a part of one."""
    if begin >= len(text):
        return None
    if text[begin] in "([{\"'" or (text[begin] in "rbRB" and text[begin + 1 : begin + 2] in ("'", '"')):
        end = balanced(text, begin)
    else:
        found = _WORD.match(text, begin)
        end = found.end() if found else None
    if end is None or end - begin > LONGEST:
        return None
    value = text[begin:end]
    try:
        parse(" ".join(value.split("\n")) if value[0] in "([{" else value)
    except NoLiteral:
        return None
    if _GOES_ON.match(text, end) and not re.match(r"[ \t]+\(", text[end:]):
        return None
    return value, end


def balanced(text: str, begin: int) -> int | None:
    """Where the bracket or the string that begins at a place ends."""
    expected: list[str] = []
    at = begin
    while at < len(text) and at - begin <= LONGEST:
        letter = text[at]
        if letter in "'\"":
            quote = letter * 3 if text.startswith(letter * 3, at) else letter
            at += len(quote)
            while not text.startswith(quote, at):
                if at >= len(text) or (len(quote) == 1 and text[at] == "\n"):
                    return None
                at += 2 if text[at] == "\\" else 1
            at += len(quote) - 1
        elif letter in _CLOSING:
            expected.append(_CLOSING[letter])
        elif letter in ")]}":
            if not expected or letter != expected.pop():
                return None
        elif not expected and letter not in "rbRB":
            return None
        at += 1
        if not expected and letter not in "rbRB":
            return at
    return None


def _calls(text: str, entry: str) -> Iterator[Example]:
    """Calls of the function, each with its value behind it, or below it in a doctest."""
    seeded = _SEEDED.search(text)
    solutions = {None, "Solution", *re.findall(r"^[ \t>]*(\w+) = Solution\(\)", text, re.MULTILINE)}
    calls = re.finditer(rf"(?<![\w.])(?:(\w+)(?:\(\))?\.)?{re.escape(entry)}\s*\(", text)
    for found in itertools.islice(calls, HITS):
        if found[1] not in solutions:
            continue
        if seeded and seeded.end() <= found.start():  # what is drawn at random, another program draws otherwise
            break
        opening = found.end() - 1
        end = balanced(text, opening)
        if end is None:
            continue
        arguments = " ".join(text[opening + 1 : end - 1].split("\n")).strip()
        if not _are_arguments(arguments):
            continue
        before = text[: found.start()].rpartition("\n")[2]
        if is_printed := before.endswith("print(") and text.startswith(")", end):
            before, end = before.removesuffix("print("), end + 1
        last = before[-_WIDEST:]
        truth = re.search(r"assert\s+(not\s+)?$", last)
        if truth and re.match(r"\s*(?:$|[#,\n])", text[end:]):
            yield Example(arguments, "False" if truth[1] else "True")
            continue
        if (prompt := before.strip()).startswith((">>>", "...")):
            value = _shown(text, end, entry) if prompt == ">>>" else None  # below `>>> not f(4)` is another value
        elif _INSIDE.search(last) and not re.match(r"\s*[-*+][\s`]*$", before):
            continue
        else:
            value = _said(text, end, entry, is_asserted=bool(re.search(r"\bassert\b", last)))
        if value and not (is_printed and value[0][0] not in "([{TFN"):  # printed, the text 5 looks like the number
            yield Example(arguments, " ".join(value[0].split("\n")) if value[0][0] in "([{" else value[0])


def _shown(text: str, end: int, entry: str) -> tuple[str, int] | None:
    """The value of a call that is the whole of a doctest: what is shown below it, or what it is compared with."""
    rest, _, below = text[end : end + 2 * LONGEST].partition("\n")
    if re.fullmatch(r"[ \t]*(?:#.*)?", rest):
        below = below.lstrip(" \t")
        value = literal(below, 0)
        if not value or not _LINE_ENDS.match(below, value[1]):
            return _said(text, end, entry)
        following = below[value[1] :].partition("\n")[2].lstrip(" \t")
        return None if _whole(following, 0) else value  # lines that it prints
    value = _said(text, end, entry)
    if not value or re.match(r"[ \t]*False\b", below):  # `f(5) == 3`
        return None
    is_compared = re.match(r"\s*(?:==|is\b)", rest)
    return None if is_compared and not _LINE_ENDS.match(text, value[1]) else value


def _said(text: str, end: int, entry: str, *, is_asserted: bool = False) -> tuple[str, int] | None:
    """The value that stands behind a call on its line; none that is only the beginning of what is said of it."""
    value = None
    if connector := _CONNECTOR.match(text, end):
        value = literal(text, connector.end())
        if value is None and (sum := _SUM.match(text, connector.end())):
            value = literal(text, sum.end())
    elif connector := _COMMENT.match(text, end):
        value = literal(text, connector.end())
    if not value or not connector:
        return None
    following = text[value[1] : value[1] + _WIDEST]
    if is_asserted:
        return value if _ENDS.match(following) or re.match(r"\s*,", following) else None
    if not _NORMATIVE.search(connector[0]) and _DISPUTED.match(following.partition(f"{entry}(")[0]):
        return None
    is_span = following.startswith("`") and "`" not in connector[0]  # `f(2) == 4` is right
    return value if is_span or _ENDS.match(following) else None


def _whole(text: str, begin: int) -> tuple[str, int] | None:
    """A literal behind which nothing belongs to it."""
    value = literal(text, begin)
    return value if value and _ENDS.match(text, value[1]) else None


def _given(text: str, parameters: tuple[str, ...]) -> Iterator[Example]:
    """`For lst = [1, 2] the output should be 3`."""
    for found in itertools.islice(_FOR.finditer(text), HITS):
        at, arguments = found.end(), []
        while name := re.match(r"([A-Za-z_]\w*)\s*=\s*", text[at:]):
            value = literal(text, at + name.end())
            if name[1] not in parameters or value is None:
                break
            arguments.append(f"{name[1]} = {value[0]}")
            at = value[1]
            if more := re.match(r"\s*(?:,|and|,\s*and)\s*(?=[A-Za-z_]\w*\s*=)", text[at:]):
                at += more.end()
        if len(arguments) == len(parameters) and (result := _RESULT.match(text, at)):
            value = _whole(text, result.end())
            if value:
                yield Example(", ".join(arguments), value[0])


def _arrows(text: str) -> Iterator[Example]:
    """`[1, 2] -> 3`, a line each, for a function of one argument."""
    for line in text.split("\n"):
        bare = line.strip().lstrip("*->•").strip()
        if (given := literal(bare, 0)) and (arrow := re.match(r"[ \t]*(?:=+>|-+>|➞|→|⇒)[ \t]*", bare[given[1] :])):
            expected = _whole(bare, given[1] + arrow.end())
            if expected:
                yield Example(given[0], expected[0])


def _are_arguments(text: str) -> bool:
    """Whether a text is a list of literals, by name or not."""
    at = 0
    while at < len(text):
        name = re.match(r"\s*(?:[A-Za-z_]\w*\s*=\s*)?", text[at:])
        assert name
        end = _argument(text, at + name.end())
        if end is None:
            return False
        rest = re.match(r"\s*(?:,|$)", text[end:])
        if not rest:
            return False
        at = end + rest.end()
    return True


def _argument(text: str, begin: int) -> int | None:
    """Where one argument ends: a literal, or a small sum of numbers such as 1.0/3."""
    if (sum := re.match(r"-?[\d.]+(?:\s*(?:\*\*|[-+*/])\s*-?[\d.]+)*", text[begin:])) and sum[0].count("**") < 2:
        end = begin + sum.end()
        if re.match(r"\s*(?:,|$)", text[end:]):
            return end
    found = literal(text, begin)
    return found[1] if found else None


def _content(lines: list[str], *, whole: bool) -> str:
    """What a section holds: the inside of its fence, or its lines; if it is not `whole`, those up to what is said about
    them."""
    fences = [at for at, line in enumerate(lines) if _FENCE.match(line)]
    before = "\n".join(lines[: fences[0]]).strip() if len(fences) >= 2 else None
    if before is not None and (whole or not before or before.endswith(":")):
        return "\n".join(lines[fences[0] + 1 : fences[1]])
    text = "\n".join(line.rstrip() for line in lines).strip("\n")
    text = re.sub(r"^Copy\n", "", text)  # the name of a button
    if re.fullmatch(r"(?:(?: {4}|\t)[^\n]*\n|\n)*(?: {4}|\t)[^\n]*", text):
        text = textwrap.dedent(text)  # Markdown's other way to mark a block
    if whole:
        return text
    paragraphs = re.split(r"\n{2,}", text)
    more = itertools.takewhile(lambda part: all(map(_MORE.fullmatch, part.split("\n"))), paragraphs)
    return "\n\n".join(more) or paragraphs[0]


def _plain(text: str) -> str:
    """Without the marks of Markdown, HTML and Java that stand inside examples."""
    text = re.sub(r"(\w)\[\](\s{0,3}=\s{0,3})\{([^{}\n]*)\}", r"\1\2[\3]", text)  # arr[] = {1, 2}, as Java has it
    text = re.sub(r"(\w)\[\](?=\s{0,3}=)", r"\1", text)
    text = re.sub(r"</?(?:pre|strong|b|code|em|p|div|span|br|example-block)[^<>]*>", "", text)
    for words, english in _LABELS_ABROAD:
        text = words.sub(english, text)
    return (
        html.unescape(text).replace("**", "" if "**Input" in text or "**Output" in text else "**").replace("\xa0", " ")
    )
