"""The answer that a text commits to: the last \\boxed{…} outside code, or else the last block of code.

Boxes that one sentence joins by a comma, "and" or "or", also in other languages, are one answer. Knows nothing of
equivalence. Each search is one pass over the text, so that no text, however broken, takes long.
"""

import re
from dataclasses import dataclass

from vibethinker_local.reliability.maths import spellings

_BOX_OR_BRACE = re.compile(r"\\(?:boxed|fbox)(?![a-zA-Z])\s*(?P<brace>\{)?|\\.|[{}]", re.DOTALL)
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})([^\n`]*)$")
# What \boxed without braces takes: a number, a letter, a command with as many arguments as it has.
_BARE = re.compile(
    r"-?\d+(?:[.,]\d+)*|[A-Za-z](?![A-Za-z])|-?\\[dt]?frac\s*(?:\{[^{}]*\}|\d)\s*(?:\{[^{}]*\}|\d+)|"
    r"-?\\(?:sqrt|text|mathrm|textbf)\s*(?:\{[^{}]*\}|\d)|-?\\[a-zA-Z]+"
)
_PLACEHOLDER = re.compile(
    r"(?:\\(?:text|textbf|mathrm)\s*\{)?\s*(?:(?:your|the|my)?\s*(?:final\s+)?(?:answer|result|solution)(?:\s+here)?|"
    r"\.\.\.|…|\\[lc]?dots|\?|_+)\s*\}?",
    re.IGNORECASE,
)
# Between two boxes of one answer: `\boxed{1}\) and \(x = \boxed{2}`, `\boxed{1} apples and \boxed{2}`
_GAP = 80  # characters at most
_MARKUP = re.compile(r"\\[()\[\],;:! ]|\\q?quad(?![a-z])|\\(?:text|textbf|mathrm|mbox)\s*\{|[${}*&]|\s+")
_LABEL = re.compile(r"((?:[A-Za-z]|\\[a-zA-Z]+)(?:_\w|_\{\w+\}|'|\(\w\))*)\s*=\s*$")
_AND = f"and|or|{spellings.AND}|{spellings.OR}|和|且|与|或|或者|と|または|와|과|또는"
_JOINED = re.compile(
    rf"(?:(?!(?:no|not|wait|but|so|then|actually|hence)\b)[A-Za-z]+ ){{0,2}}(?:[,;，；、]|(?:, ?)?(?:{_AND}))"
    r"|(?:, ?)?[yeo]"  # in Spanish and Italian; behind a word, `o` may be Portuguese for "the"
)


@dataclass(frozen=True)
class _Box:
    begin: int  # of the command
    content: str
    end: int


def extract(text: str, reasoning: str = "") -> str | None:
    """The answer in the visible text, or else the last box in the reasoning; None if there is neither."""
    prose, blocks, _ = _parts(text)
    return _box(text, prose, blocks) or (blocks[-1] if blocks else None) or boxed(reasoning)


def _box(text: str, prose: str, blocks: list[str]) -> str | None:
    """The last box outside code. A fence may hold a box, too, but code that prints one is code."""
    if found := boxed(prose):
        return found
    if blocks:
        return boxed(blocks[-1]) if blocks[-1].startswith("\\") else None
    return boxed(text)


def boxed(text: str) -> str | None:
    """The content of the box that opens last among those that are closed and not empty, with those it is joined to."""
    found = _boxes(text)[0]
    if not found:
        return None
    joined = [found[-1]]
    labels = [_label(text, joined[0])]
    for before in reversed(found[:-1]):
        if not _are_joined(text, before, joined[0]):
            break
        joined.insert(0, before)
        labels.insert(0, _label(text, before))
    contents = list(dict.fromkeys(box.content for box in joined))
    if len(contents) == 1:
        return contents[0]
    if all(labels) and len(set(labels)) == len(labels):  # x = \boxed{1} and y = \boxed{2}
        return ", ".join(f"{label} = {box.content}" for label, box in zip(labels, joined, strict=True))
    return ", ".join(contents)


def mended(text: str) -> str:
    """A text that its writer took for finished, with the code fence or the box closed that it has left open."""
    prose, _, fence = _parts(text)
    if fence:
        return f"{text}\n{fence}"
    return text + "}" * _boxes(prose)[1]


def _boxes(text: str) -> tuple[list[_Box], int]:
    """The closed boxes with a content, in the order in which they open, and how many braces it would take to close a
    box left open after them."""
    opened: list[tuple[int, int] | None] = []  # for each open brace its box's begin and content, None if it has none
    found: list[_Box] = []
    at = 0
    while match := _BOX_OR_BRACE.search(text, at):
        at = match.end()
        match match[0][0], match[0][-1]:
            case "\\", "{" if len(match[0]) > 2:
                opened.append((match.start(), match.end()))
            case "\\", _ if len(match[0]) > 2:
                if bare := _BARE.match(text, at):
                    found.append(_Box(match.start(), bare[0], bare.end()))
                    at = bare.end()
            case "{", _:
                opened.append(None)
            case "}", _ if opened and (box := opened.pop()):
                content = text[box[1] : match.start()].strip()
                if content and not _PLACEHOLDER.fullmatch(content):
                    found.append(_Box(box[0], content, match.end()))
    depth = next((n for n, box in enumerate(reversed(opened), 1) if box is not None), 0)
    return sorted(found, key=lambda box: box.begin), depth


def _are_joined(text: str, before: _Box, after: _Box) -> bool:
    """Whether only a comma, "and" or "or", and perhaps a label and a noun, stand between two boxes."""
    if not 0 <= after.begin - before.end <= _GAP:
        return False
    between = _LABEL.sub("", text[before.end : after.begin])
    return bool(_JOINED.fullmatch(" ".join(_MARKUP.sub(" ", between).split())))


def _label(text: str, box: _Box) -> str | None:
    """What a box is said to be: `x` of `x = \\boxed{1}`."""
    found = _LABEL.search(text, max(0, box.begin - _GAP), box.begin)
    return found[1] if found else None


# Outputs without a box, for grading only: a vote counts what a model has committed to.

_ANSWER_ABROAD = (  # with an adjective behind it, as in Spanish
    rf"\b(?:{spellings.ANSWERS})(?: (?:final[ea]?|corr?[eit]+c?ta|correcte))?\b"
    rf"|{spellings.ANSWERS_UNSPACED}|答(?=[:：]\s*[^\s\u4e00-\u9fff])"
)
_ANNOUNCED = re.compile(
    r"\b(?:(?:(?:the|final|correct) ){0,3}(?:answers?|solutions)|(?:correct )?(?:option|choice))\**\s*"
    r"(?:is|are|:|=|would be)(?: (?:therefore|thus|hence|then)\b)?[:\s*]*"
    r"|^#{1,6} [^\n]{0,40}\banswer\b[*:]*\n[\s*]*"  # a heading
    r"|^ {0,3}\*{0,2}(?:(?:the|my|final|correct) ){0,3}answer\*{0,2} *\n[\s*]*"  # in bold, or bare,
    r"(?![\s*]|[A-Z][a-z]+ [a-z][^\n]*\d)"  # unless a sentence follows
    rf"|(?:{_ANSWER_ABROAD})\**\s*(?:ist|lautet|est|es|è|é|ni|là|są|to|هي|هو|是|为|為|は|은|는|হল|คือ|[:：=—】])[:：\s*]*"
    rf"|^#{{1,6}} *(?:最终)?(?:{_ANSWER_ABROAD})[*:：]*\n[\s*]*"
    r"|故选(?!项)择?[:：\s]*|(?:(?<![不可任挑若果])选(?!项)择?|正确选项[是为])[:：\s]*(?=[(（*$]*(?-i:[A-J]+(?![a-z])))",
    re.IGNORECASE | re.MULTILINE,
)
_CONTROL = re.compile(r"(?:(?:<\|\w+\|>|</s>|<eos>|<end_of_turn>)\s*){1,4}\Z")  # tokens that end a turn
_TAGGED = re.compile(r"(?:<answer>|\[ANSWER\])([^<\[]{1,400}|[^<]{1,400})(?:</answer>|\[/ANSWER\])", re.IGNORECASE)
_FIELD = re.compile(r'"(?:final[_ ])?answer"\s*:\s*("(?:[^"\\\n]|\\.)*"|\[[^\[\]\n]*\]|[^\s,{}\[\]"]+)', re.IGNORECASE)
_IS_RIGHT = re.compile(
    r"(?:\b(?:option|choice) )?\(?\b([A-J])\b\)? is (?:the )?(?:correct|right|best|answer)\b"
    r"|\bI(?: would|'d| will|'ll)? (?:choose|pick|select|go with) (?:(?:option|choice|answer) )?\(?([A-J])\b"
    r"(?!\)?(?:,| and| or) \(?[A-J]\b)"
    r"|选项 ?([A-J]) ?是?正确"
)
_HASHES = re.compile(r"(?:^|\s)####(?!#)\s*(\S.*)$", re.MULTILINE)
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")
_BOLD_ENDS = re.compile(r"(?<=\S)\*\*(?![\w({])")  # 2**3 is a power
_HEADING = re.compile(r":\s*$|answer|solution|^step\b", re.IGNORECASE)
_DELIMITER = re.compile(r"\\.|\$\$?|\n", re.DOTALL)
_CLOSED_BY = {r"\(": r"\)", r"\[": r"\]", "$$": "$$", "$": "$"}
_SENTENCE_END = re.compile(r"\.(?=\s|$)|．(?!\d)|[。\n]")
_REASON = re.compile(r",? (?:because|since)\b")
_ASIDE = re.compile(
    r"[,;(] ?(?:because|since|as(?! (?:long|well|far))|which|so)\b|\s(?:because|since)\b"
    r"|(?:[,;(] ?(?:and |but )?|\sand )not \S{1,20}$"  # but not: x > 3, not including 5
    r"|[，,；（(] ?(?:因为|由于|而不是|不是|所以)|(?:です|である|입니다|이다|है)$"
)
_LETTER = re.compile(r"\(?[A-J]\)?")
_GOES_ON = re.compile(r"\b(?:so|but|which|then|because|since|and (?:so|the|he|she|it|they|we))\b")
_SENTENCE = re.compile(  # "It takes 5 days.", which is more than its answer
    r"[A-Z][a-z]+ [a-z].*\d.*\.|(?![第负])[\u3040-\u30ff\u4e00-\u9fff][^\\√^=<>]*\d[^\\√^=<>]*", re.DOTALL
)
_LAST_NUMBER = re.compile(
    r"[-−]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?!\d)|\d+)(?:[.,．٫]\d+)?"
    rf"(?:[/:]\d+){{0,2}}(?:[%％]| ?[ap]\.?m\b|{spellings.MYRIADS})?",
    re.IGNORECASE,
)  # also a ratio, a time, a date
_OUT_OF = re.compile(r"\bout of (?:the |all |a total of )?\$?\d[\d,]*(?:\.\d+)?")  # 8 of them
_SHORT, _FEW = 60, 4  # characters and words of an output that is nothing but its answer


def spoken(text: str) -> str | None:
    """The answer of an output that need not have a box: `#### 18`, "The answer is 18.", **18**, the last formula, the
    last number, and only then code; None if there is none of these."""
    text = _CONTROL.sub("", text.rpartition("</think>")[2])
    prose, blocks, fence = _parts(text)
    if fence:
        prose = text
    if answer := _box(text, prose, blocks) or boxed(prose.replace("\\\\", "\\")):  # or with each backslash escaped
        return answer
    if found := _HASHES.findall(prose):
        return str(found[-1]).rstrip()
    if tagged := _TAGGED.findall(prose):
        return str(tagged[-1]).strip() or None
    if fields := _FIELD.findall(prose) or _FIELD.findall(blocks[-1] if blocks and blocks[-1].startswith("{") else ""):
        return str(fields[-1]).strip('" ').replace("\\\\", "\\") or None
    if (announced := list(_ANNOUNCED.finditer(prose))) and (said := _said(prose[announced[-1].end() :])):
        return said
    if right := _IS_RIGHT.findall(prose):
        return "".join(right[-1])
    if bold := [each for each in _BOLD.findall(prose) if not _HEADING.search(each)]:
        return str(bold[-1]).strip(" .")
    if blocks and "\n" not in blocks[-1]:  # no program, but a result
        return blocks[-1]
    return _concluded(prose.strip()) or (blocks[-1] if blocks else None)


def _concluded(text: str) -> str | None:
    """The answer of a text that announces none: what something is said to be in its last sentence, the text itself if
    it is nothing else, the last formula, the last number."""
    sentences = [sentence for sentence in _SENTENCE_END.split(text) if sentence.strip()]
    _, is_said, last = sentences[-1].replace(" are ", " is ").rpartition(" is ") if sentences else ("", "", "")
    if is_said and any(character.isdigit() for character in last) and not _GOES_ON.search(last):
        return _last_formula(last) or last.strip()
    if formula := _last_formula(text):
        return formula
    short = len(text) <= _SHORT and len(text.split()) <= _FEW and not text.endswith(":")
    if short and not _SENTENCE.fullmatch(text):
        return text or None
    numbers = _LAST_NUMBER.findall(_OUT_OF.sub("", text)) or _LAST_NUMBER.findall(text)
    return str(numbers[-1]) if numbers else None


def _said(text: str) -> str | None:
    """The answer in what follows "the answer is": up to the sentence's end, or the end of what is bold."""
    text = text.lstrip(" :*\n")
    formulas = _formulas(text)
    if formulas and formulas[0][0] == 0:
        return formulas[0][1]
    sentence = _without_aside(_SENTENCE_END.split(text, maxsplit=1)[0])
    sentence = _BOLD_ENDS.split(sentence, maxsplit=1)[0].replace(" **", " ").strip(" *`\"'")
    if " is " in sentence:
        sentence = _REASON.split(sentence, maxsplit=1)[0].rpartition(" is ")[2]
    return _last_formula(sentence) or sentence.strip(" *`\"'") or None


def _without_aside(sentence: str) -> str:
    """A sentence up to where it gives its reasons: "8 (since 3 + 5 = 8)", "8, not 7"."""
    dollars = brackets = begin = 0  # of formulas that have begun
    for found in _ASIDE.finditer(sentence):
        end = found.start()
        dollars += sentence.count("$", begin, end)
        brackets += sentence.count("\\(", begin, end) - sentence.count("\\)", begin, end)
        begin = end
        letter = _LETTER.fullmatch(sentence, 0, end) and found[0][0].isspace()  # "(B) because of that" is read as it is
        if dollars % 2 == 0 and not brackets and not letter and (said := sentence[:end]).strip():
            return said
    return sentence


def _last_formula(text: str) -> str | None:
    """The last formula that is more than the name of a variable."""
    telling = [formula for _, formula in _formulas(text) if len(formula) > 1 or not formula.isalpha()]
    return telling[-1] if telling else None


def _formulas(text: str) -> list[tuple[int, str]]:
    """Where each formula begins, and what it is. A dollar sign is one of money unless it touches the formula within and
    no digit follows its end, as pandoc has it."""
    found = list[tuple[int, str]]()
    opened, begin, at = "", 0, 0  # the sign that opened a formula, where it stands, and where to look on
    while match := _DELIMITER.search(text, at):
        sign = "$" if opened == "$" and match[0] == "$$" else match[0]
        at = match.start() + len(sign)
        content = text[begin + len(opened) : match.start()]
        if opened and sign == _CLOSED_BY[opened] and content.strip() and _may_end(opened, content, text[at : at + 1]):
            found.append((begin, content.strip()))
            opened = ""
        elif sign in _CLOSED_BY:
            opened, begin = sign, match.start()
            if sign == "$" and (not text[at : at + 1] or text[at].isspace()):
                opened = ""
        elif sign == "\n" and opened == "$":
            opened = ""
    return found


def _may_end(sign: str, content: str, following: str) -> bool:
    return sign != "$" or not (content[-1].isspace() or following.isdigit())


def _parts(text: str) -> tuple[str, list[str], str]:
    """The text outside code blocks, the content of the closed blocks that are not blank, and the fence left open."""
    prose: list[str] = []
    blocks: list[str] = []
    fence, block = "", list[str]()
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if not fence and found:
            fence, block = found[1], []
        elif not fence:
            prose.append(line)
        elif found and found[1].startswith(fence) and not found[2].strip():
            content, fence = "\n".join(block).strip("\n"), ""
            if content.strip():
                blocks.append(content)
        else:
            block.append(line)
    return "\n".join(prose), blocks, fence
