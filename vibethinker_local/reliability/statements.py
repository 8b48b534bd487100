"""Sentences of problems and solutions: which of them claim something, and which of those the problem says itself.

A claim can be judged: it has a number, a relation or a fact in it. Headings, instructions, definitions and questions
have nothing to be refuted, and what the problem says is true by decree. Knows nothing of models.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal

MOST_CHARACTERS = 300  # of a statement
NotAClaim = Literal["heading", "instruction", "definition", "question", "answer", "given", "empty"]


def _any(words: str) -> str:
    """A pattern for any of these words."""
    return "|".join(words.split())


# Between operands, with blanks on both sides or on neither, ** raises to a power; elsewhere it makes bold.
_POWER = r"(?<=[\w)}\]])\*\*(?=[\w({\\-])|(?<=[\w)}\]] )\*\*(?= [\w({\\-])"
_MARKUP = re.compile(
    r"\\\[|\\\]|\\\(|\\\)|\$\$?(?!\d)|(?<=\d)\$(?=\s|$)|__|`|\\displaystyle|\\left|\\right|\\[,;:!]|"
    rf"(?!{_POWER})\*\*"
)
_LATEX = {
    r"\times": " × ", r"\cdot": " × ", r"\div": " ÷ ", r"\%": "%", r"\$": "$", r"\leq": " ≤ ", r"\geq": " ≥ ",
    r"\le": " ≤ ", r"\ge": " ≥ ", r"\neq": " ≠ ", r"\ne": " ≠ ", r"\approx": " ≈ ", r"\quad": " ", r"\qquad": " ",
    r"\implies": " ⇒ ", r"\Rightarrow": " ⇒ ", r"\pm": " ± ", r"\dfrac": r"\frac", r"\tfrac": r"\frac",
}  # fmt: skip
_COMMAND = re.compile("|".join(re.escape(word) + r"(?![a-zA-Z])" for word in _LATEX))
_WRAPPED = re.compile(r"\\(?:text|textbf|mathrm|mbox|boxed|fbox|operatorname)\s*\{([^{}]*)\}")
_FRACTION = re.compile(r"\\frac\s*(?:\{([^{}]*)\}\s*\{([^{}]*)\}|(\d)\s*(\d))(?=\s*([\^%!])?)")
_WHOLE = re.compile(r"(?<![\w.,^/])\d{1,20}$")  # before a fraction: of a mixed number
_BINDS = re.compile(r"[\w)}\]/÷^]$")  # before a fraction: would take its numerator alone
_ATOM = re.compile(r"\w+(?:\.\d+)?|\$\d+(?:\.\d+)?")
_LIST = re.compile(r"^\s*(?:[-*•+]\s+|#{1,6}\s*|\(?\d{1,2}[.):]\s+|step\s+\d+\s*[:.)-]\s*)+", re.IGNORECASE)
_DISPLAY = re.compile(r"(\\\[|\\\]|\$\$)")
_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z$\d\\])")
_ABBREVIATED = re.compile(r"(?:\b(?:Dr|Mr|Mrs|Ms|St|No|vs|etc|approx|Fig|Eq|[A-Z])|e\.g|i\.e)\.$")

_NUMBER_WORDS = {
    word: str(number)
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {"thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "hundred": "100", "dozen": "12"}  # fmt: skip
_RELATIONS = frozenset(
    "half halves twice thrice double doubled triple tripled third thirds quarter quarters fourth fifth fifths tenth "
    "more less fewer than times not no never none each every per all both only remaining rest other except without "
    "least most equal equals same total sum difference product average percent before after first last".split()
)
_RELATES = re.compile(
    r"[=<>≤≥≠≈⇒∈⊂%]|\b(?:"
    + _any(
        "equals? half twice doubled? doubles tripled? triples thrice divisible prime even odd integer positive "
        "negative parallel perpendicular congruent similar increases? decreases? maximum minimum"
    )
    + r"|(?:equal|same|multiple|factor)\s(?:to|as|of)|(?:more|less|fewer)\b[^.]{0,40}\bthan|times as"
    r"|as (?:many|much|long|large))\b",
    re.IGNORECASE,
)
_STOP = frozenset(
    "a an the of to in on at for from by with and or is are was were be been being has have had do does did he she it "
    "they them his her hers him its their there this that these those which who whom as so then thus therefore hence "
    "if will would can could number amount".split()
)
_WORD = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+|[a-z]+(?:'[a-z]+)?|[=<>≤≥≠]|[-+×÷*/^](?=\s*[\d(])")
_DIGIT = re.compile(r"\d")
_LEAD = rf"(?:(?:{_any('first firstly second secondly third next then now finally lastly so thus also')})[,:]?\s+)*"
_INSTRUCTION = re.compile(
    rf"^{_LEAD}(?:let'?s|let us|we (?:{_any('need have will can should must want start begin now first then')})\b"
    r"(?! (?:\$?\d|no\b))|i(?:'ll| will| need)|you (?:need|should|must|can)|to (?:"
    + _any("find calculate determine solve get compute figure answer")
    + ")|"
    + _any(
        "calculate find determine compute add subtract multiply divide substitute simplify solve identify use using "
        "write convert consider start begin check verify note recall apply set combine count break figure understand "
        "state plug rearrange isolate express evaluate round sum take repeat follow"
    )
    + r")\b",
    re.IGNORECASE,
)
_DEFINITION = re.compile(
    r"^(?:let(?:'s| us)?\s+(?:denote|define|call|assume|say|\S{1,12}\s+(?:be|represent|denote|stand))|define|denote|"
    r"suppose|assume|where\b|here,?\s+\S{1,12}\s+(?:is|represents)|\S{1,12}\s+(?:represents?|denotes?|stands? for)\b)",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"^(?:(?:so|thus|therefore|hence)[,:]?\s+)?(?:(?:the|my|our)\s+)?(?:final\s+|correct\s+)?"
    r"(?:answer|solution|result)\b(?:\s+(?:is|to the problem is|=))?\s*:?\s*\S*\s*\S{0,12}\.?$",
    re.IGNORECASE,
)
_ASKS = _any(
    "how what which who when where find determine calculate compute evaluate solve express give simplify prove show "
    "write state name list round"
)
_QUESTION = re.compile(rf"^(?:{_ASKS})\b", re.IGNORECASE)
_ASKS_LATER = re.compile(
    rf"^(?:if|when|given that|suppose(?: that)?)\s+(.*?),\s*(?:then\s+|in\s+)?(?:{_ASKS})\b", re.IGNORECASE
)
_RESULT = re.compile(r"=\s*-?\s*\$?\s*\d")
_CLAUSE_VERB = re.compile(
    r"\b(?:"
    + _any(
        r"is are was were has have had be equals? gives? makes? made means? gets? got takes? took costs? sold sells? "
        r"buys? bought earns? spends? spent needs? pays? paid uses? eats? ate does do did will can remains? leaves? "
        r"left contains? holds? runs? walks? drives? reads? drinks? works? weighs? \w{3,}ed"
    )
    + r")\b",
    re.IGNORECASE,
)
_LISTS_VALUE = re.compile(r":\s*\**\s*\$?-?\d")  # "Clips sold in May: 24"
_TOLD = re.compile(  # what introduces a claim without being part of it
    r"^(?:(?:so|therefore|thus|hence|also|first|then|next|finally|now)[,:]?\s+)?(?:(?:the )?(?:problem|question) "
    r"(?:states|says|tells us|gives us)(?: that)?|according to the problem,?"
    r"|we (?:know|are told|are given|see|find|get|have)(?: that)?|given(?: that)?|it is given that|note that"
    r"|this (?:means|implies|shows) that)[,:]?\s+",
    re.IGNORECASE,
)
# A proof by contradiction, or a slip that was noticed: what stands before is no claim of the solution.
UNTRUE = (
    r"contradict\w*|impossible|absurd|cannot be\b|can't be\b|(?:is|are) (?:false|wrong|incorrect)\b"
    r"|(?:not|n't|n’t|never) (?:possible|true|correct|valid|hold|work|satisf\w+|make sense)\b"
    r"|widerspr\w*|unmöglich|falsch|contradic\w*|imposible|falso|faux|противореч\w*|невозможно|неверно"
)
UNTRUE_UNSPACED = "矛盾|不可能|不成立|[错錯][误誤]"
_SPOKEN_OF = r"this|that|it|which|we|the (?:last |above )?(?:equation|equality|statement|result|assumption)"
_TAKES_BACK = re.compile(
    rf"^(?:(?:{_any('but and so yet however thus therefore hence clearly again oops wait hmm')})[,:.!]?\s+)*"
    rf"(?:a contradiction|contradiction|impossible|(?:{_SPOKEN_OF})\b[^.]{{0,40}}?(?:{UNTRUE}))"
    rf"|^[^.=]{{0,12}}(?:{UNTRUE_UNSPACED}|widerspruch|противоречие)",
    re.IGNORECASE,
)
_TAKEN_BACK_WITHIN = 2  # sentences
SAID = 0.75  # of a claim's words, in their order, in what the problem says: then the problem says it
_WINDOW = 2  # sentences of the problem that one claim may repeat


def plain(text: str) -> str:
    """A text without Markdown and with LaTeX's commonest commands in plain signs, on one line."""
    text = _COMMAND.sub(lambda found: _LATEX[found[0]], text)
    for _ in range(3):  # nested
        text = _WRAPPED.sub(r"\1", text)
        text = _fractions_in_line(text)
    return " ".join(_MARKUP.sub("", text).split())


def _fractions_in_line(text: str) -> str:
    """Fractions as 3/4; in brackets where a neighbour would tear it apart, and 2 1/2 as a sum: (2+1/2)."""
    written, end = list[str](), 0
    for found in _FRACTION.finditer(text):
        above, below = found[1] or found[3] or "", found[2] or found[4] or ""
        before, fraction = text[end : found.start()], f"{_grouped(above)}/{_grouped(below)}"
        neighbour = before.rstrip()[-24:] or (written[-1] if written else "")
        if is_proper(above, below) and (whole := _WHOLE.search(neighbour)):
            before, fraction = before.rstrip()[: -len(whole[0])], f"({whole[0]}+{fraction})"
        elif found[5] or _BINDS.search(neighbour):
            fraction = f"({fraction})"
        written += [before, fraction]
        end = found.end()
    return "".join([*written, text[end:]])


def is_proper(above: str, below: str) -> bool:
    """Whether a fraction may be the end of a mixed number."""
    above, below = above.strip(), below.strip()
    digits = above.isdecimal() and below.isdecimal() and max(len(above), len(below)) <= 20
    return digits and int(above) < int(below)


def _grouped(text: str) -> str:
    text = text.strip()
    return text if _ATOM.fullmatch(text) else f"({text})"


def sentences(text: str) -> list[str]:
    """The sentences of a text, plain; a displayed formula goes on the line that announces it."""
    found = []
    for line in filter(str.strip, _announced(text).splitlines()):
        begun = list[str]()
        for part in _END.split(plain(_LIST.sub("", line))):
            begun.append(part)
            if not _ABBREVIATED.search(part):
                found.append(" ".join(begun).strip())
                begun = []
        found.append(" ".join(begun).strip())
    return [sentence for sentence in found if sentence]


def _announced(text: str) -> str:
    """A text whose displayed formulas each end the line that announces them. One pass, however often one is opened and
    never closed."""
    before, *others = _DISPLAY.split(text)
    lines, formula = [before], None  # of an open formula: where its text begins in `lines`
    for sign, after in zip(others[::2], others[1::2], strict=True):
        if formula is not None and sign != r"\[":
            shown = " ".join("".join(lines[formula:]).split())
            lines[formula - 2 :] = [lines[formula - 2].rstrip(), f" {shown}\n", after.lstrip()]
            formula = None
        else:
            lines += [sign, after]
            formula = formula or (len(lines) - 1 if sign != r"\]" else None)
    if formula is not None:  # before an answer that was asked for, it is cut off, perhaps within a number
        shown, blank, rest = "".join(lines[formula:]).partition("\n\n")
        lines[formula:] = [shown.rpartition("\n")[0] if blank else shown, blank, rest]
    return "".join(lines)


@lru_cache(maxsize=256)
def given(problem: str) -> tuple[str, ...]:
    """What a problem says and does not ask, with a fact in it: whole sentences, and the condition of a question."""
    found = []
    for sentence in sentences(problem):
        asked = _ASKS_LATER.match(sentence)
        said = f"{asked[1][:1].upper()}{asked[1][1:]}." if asked else sentence
        question = said.endswith("?") or _QUESTION.match(said)
        fact = _RELATES.search(said) or (_DIGIT.search(" ".join(_words(said))) and _CLAUSE_VERB.search(said))
        if fact and not question and len(said) <= MOST_CHARACTERS:
            found.append(said)
    return tuple(found)


def not_a_claim(text: str, problem: str) -> NotAClaim | None:
    """Why a statement has nothing to be judged; None for a claim."""
    said = plain(text)
    bare = _LIST.sub("", said).strip(" .;")
    if _ANSWER.match(bare):
        return "answer"
    head, colon, rest = bare.partition(":")
    if colon and (_heads(head) or not rest.strip()):
        bare = rest.strip()
        if not bare:
            return "heading"
    if bare.endswith("?"):
        return "question"
    if _ANSWER.match(bare):
        return "answer"
    if _DEFINITION.match(bare) and not _RESULT.search(bare):
        return "definition"
    if _INSTRUCTION.match(bare) and not _RESULT.search(bare):
        return "instruction"
    bare = _TOLD.sub("", bare)
    words = _words(bare)
    if not _content(words):
        return "empty"
    number = any(_DIGIT.match(word) for word in words)
    if not (number or _RELATES.search(bare)):
        known = set(_words(problem)) - _STOP
        if not known & set(words) or not _CLAUSE_VERB.search(bare):
            return "heading" if len(words) <= 6 else "empty"
    elif not (_RELATES.search(bare) or _CLAUSE_VERB.search(bare)) and not _LISTS_VALUE.search(said):
        return "heading"
    if says(problem, bare):
        return "given"
    return None


def _heads(head: str) -> bool:
    """Whether what stands before a colon only announces: a verb or a number in it may be part of the claim."""
    return not _DIGIT.search(head) and not _RELATES.search(head)


def says(problem: str, claim: str) -> bool:
    """Whether a problem says a claim itself: the claim's words, in much the same order, and no number or relation
    besides."""
    words = _content(_words(plain(claim)))
    for window in _windows(problem) if words else ():
        known = set(window)
        if not _binding(words) <= known or sum(word in known for word in words) < SAID * len(words):
            continue
        if _common(words, window) >= SAID * len(words):
            return True
    return False


@lru_cache(maxsize=64)
def _windows(problem: str) -> tuple[list[str], ...]:
    """The words of each sentence of a problem, and of each with those that follow it."""
    told = [_content(_words(sentence)) for sentence in sentences(problem)]
    return tuple(
        [word for sentence in told[begin : begin + count] for word in sentence]
        for begin in range(len(told))
        for count in range(1, _WINDOW + 1)
    )


def relates(text: str) -> bool:
    """Whether a statement says more than a number: it compares, denies, or says of what kind something is."""
    return bool(_RELATES.search(text) or {"not", "no", "never"} & set(text.casefold().split()))


def alike(left: str, right: str) -> float:
    """How many of the words of two statements they have in common, in the same order: 0 to 1; 0 if a number or a
    relation is in only one of them."""
    one, other = (_content(_words(plain(text))) for text in (left, right))
    if not one or not other or _binding(one) != _binding(other):
        return 0.0
    return 2 * _common(one, other) / (len(one) + len(other))


def _words(text: str) -> list[str]:
    """The words of a text, as far as they mean something: numbers as digits, without plural endings."""
    found = []
    for word in _WORD.findall(text.casefold()):
        if _DIGIT.match(word):
            word = word.replace(",", "")
            found.append(word.rstrip("0").rstrip(".") if "." in word else word)
        else:
            word = _NUMBER_WORDS.get(word, word).removesuffix("'s")
            found.append(word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word)
    return found


def _content(words: Iterable[str]) -> list[str]:
    return [word for word in words if word not in _STOP]


_STEMMED_RELATIONS = frozenset(_words(" ".join(_RELATIONS)))


def _binding(words: Iterable[str]) -> set[str]:
    """The words that a repetition cannot do without: numbers, relations, signs."""
    return {word for word in words if not word[0].isalpha() or word in _STEMMED_RELATIONS}


def _common(left: list[str], right: list[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(right) + 1)
    for word in left:
        before = 0
        for at, other in enumerate(right, 1):
            before, row[at] = row[at], before + 1 if word == other else max(row[at], row[at - 1])
    return row[-1]


def extracted(text: str, problem: str, most: int) -> list[str]:
    """The claims that the visible text of a solution makes, in their order, each once: equations before assertions
    where there are more than `most`."""
    found: dict[str, str] = {}
    steps = list(_steps(text))
    takes_back = [_TAKES_BACK.match(sentence) is not None for sentence in steps]
    for at, sentence in enumerate(steps, 1):
        if any(takes_back[at : at + _TAKEN_BACK_WITHIN]):
            continue
        if len(sentence) <= MOST_CHARACTERS and not_a_claim(sentence, problem) is None:
            found.setdefault(key(sentence), sentence)
    claims = list(found.values())
    first = sorted(range(len(claims)), key=lambda at: (not _RESULT.search(claims[at]), at))[:most]
    return [claims[at] for at in sorted(first)]


def _steps(text: str) -> Iterator[str]:
    """The sentences of a solution; an announcement goes together with the formula that it announces."""
    announced = ""
    for sentence in sentences(text):
        if sentence.endswith(":"):
            announced = sentence
            continue
        alone = not any(len(word) > 2 and word.isalpha() for word in sentence.split())
        if announced and alone and _heads(announced):
            sentence = f"{announced} {sentence}"
        announced = ""
        head, _, rest = sentence.partition(": ")
        instructs = _INSTRUCTION.match(head) and _heads(head) and rest[:1].isalpha()
        yield rest if instructs else sentence  # "Calculate the total: Trays = 12" claims what is behind the colon


def key(claim: str) -> str:
    """What two claims have in common that say the same in the same words."""
    return " ".join(claim.casefold().split()).rstrip(" .;")
