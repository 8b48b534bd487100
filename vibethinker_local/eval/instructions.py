"""Instructions that a program can check: the 25 types of IFEval (Zhou et al. 2023), strict and loose.

Each checker decides as the published one does (google-research/instruction_following_eval), with two parts of our own
in place of the libraries that it loads: sentences are counted by a rule, and the language is told by script and by
common words. `read_off` finds such instructions in the text of a question.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Instruction:
    """One instruction, by the public test's name for its type, and its values."""

    type: str
    values: Values

    def __post_init__(self) -> None:
        """Raises ValueError for a type that there is not, or values that it cannot be checked with."""
        if self.type not in CHECKS:
            raise ValueError(f"there is no instruction type {self.type!r}")
        try:
            CHECKS[self.type]("A text.", self.values)
        except (LookupError, ValueError, TypeError, AttributeError, re.error) as error:
            raise ValueError(f"{self.type} lacks {error}") from None

    def followed(self, reply: str) -> bool:
        """Whether a reply follows it, as it is."""
        return bool(reply.strip()) and CHECKS[self.type](reply, self.values)

    def followed_loosely(self, reply: str) -> bool:
        """Whether it does with or without its first and last line, and with or without asterisks."""
        return any(self.followed(variant) for variant in _variants(reply))


def _variants(reply: str) -> Iterator[str]:
    lines = reply.split("\n")
    for part in (lines, lines[1:], lines[:-1], lines[1:-1]):
        text = "\n".join(part).strip() if part is not lines else reply
        yield text
        yield text.replace("*", "")


def held(reply: str, instructions: Sequence[Instruction], *, loosely: bool = False) -> int:
    """How many instructions a reply follows."""
    return sum(each.followed_loosely(reply) if loosely else each.followed(reply) for each in instructions)


# What a reply is checked for


def _relation(count: int, wanted: int, relation: str | None) -> bool:
    if relation not in ("less than", "at least"):
        raise KeyError("a relation: 'less than' or 'at least'")
    return count < wanted if relation == "less than" else count >= wanted


def _words(text: str) -> int:
    return len(re.findall(r"\w+", text))


ABBREVIATION = 8  # characters that one has at most, with the one before it
_ABBREVIATION = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|vs|etc|e\.g|i\.e|No|Fig|Inc|Ltd|Co|U\.S|[A-Z])\.$")


def _sentences(text: str) -> int:
    """Sentences end at . ! ? before space and anything but a small letter, or at the end of a paragraph."""
    count = 0
    for paragraph in re.split(r"\n\s*\n", text):
        begin = 0
        for end in re.finditer(r"(?<![.!?])([.!?]+)[\"'”’)\]*]*(?=\s+[^a-z\s])", paragraph):
            if not _ABBREVIATION.search(paragraph[max(begin, end.end(1) - ABBREVIATION) : end.end(1)]):
                count, begin = count + 1, end.end()
        count += bool(re.search(r"\w", paragraph[begin:]))
    return count


def _keywords(text: str, values: Values) -> bool:
    found = [re.search(keyword, text, re.IGNORECASE) for keyword in values["keywords"]]  # each is tried, for the trial
    return all(found)


def _keyword_frequency(text: str, values: Values) -> bool:
    found = len(re.findall(values["keyword"], text, re.IGNORECASE))
    return _relation(found, values["frequency"], values["relation"])


def _forbidden(text: str, values: Values) -> bool:
    return not any(re.search(rf"\b{word}\b", text, re.IGNORECASE) for word in values["forbidden_words"])


def _letter_frequency(text: str, values: Values) -> bool:
    found = Counter(text.lower())[values["letter"].lower()]
    return _relation(found, values["let_frequency"], values["let_relation"])


def _paragraphs(text: str, values: Values) -> bool:
    parts = re.split(r"\s?\*\*\*\s?", text)
    if not all(part.strip() for part in parts[1:-1]):
        return False
    return bool(sum(bool(part.strip()) for part in parts) == values["num_paragraphs"])


def _nth_paragraph(text: str, values: Values) -> bool:
    nth, wanted, first_word = values["nth_paragraph"], int(values["num_paragraphs"]), str(values["first_word"]).lower()
    parts = text.split("\n\n")
    count = sum(bool(part.strip()) for part in parts)
    if not 1 <= nth <= count or not (paragraph := parts[nth - 1].strip()):
        return False
    word = paragraph.split()[0].lstrip("'").lstrip('"')
    return count == wanted and re.split(r"""[.,?!'"]""", word)[0].lower() == first_word


def _postscript(text: str, values: Values) -> bool:
    marker = str(values["postscript_marker"])
    patterns = {"P.P.S": r"\s*p\.\s?p\.\s?s.*$", "P.S.": r"\s*p\.\s?s\..*$"}
    pattern = patterns.get(marker, r"\s*" + re.escape(marker.lower()) + r".*$")
    return re.search(pattern, text.lower(), re.MULTILINE) is not None


def _bullets(text: str, values: Values) -> bool:
    stars = re.findall(r"^\s*\*[^\*].*$", text, re.MULTILINE)
    return bool(len(stars) + len(re.findall(r"^\s*-.*$", text, re.MULTILINE)) == values["num_bullets"])


def _constrained(text: str, values: Values) -> bool:
    return any(f"My answer is {word}." in text for word in ("yes", "no", "maybe"))


def _highlights(text: str, values: Values) -> bool:
    single = [found for found in re.findall(r"\*[^\n\*]*\*", text) if found.strip("*").strip()]
    double = [found for found in re.findall(r"\*\*[^\n\*]*\*\*", text) if found[2:-2].strip()]
    return bool(len(single) + len(double) >= values["num_highlights"])


def _sections(text: str, values: Values) -> bool:
    parts = re.split(r"\s?" + values["section_spliter"] + r"\s?\d+\s?", text)
    return bool(len(parts) - 1 >= values["num_sections"])


def _json(text: str, values: Values) -> bool:
    bare = re.sub(r"\A```(?:json|Json|JSON)?|```\Z", "", text.strip()).strip()
    try:
        json.loads(bare)
    except (ValueError, RecursionError):
        return False
    return True


def _title(text: str, values: Values) -> bool:
    return any(title.lstrip("<").rstrip(">").strip() for title in re.findall(r"<<[^\n]+>>", text))


def _two(text: str, values: Values) -> bool:
    parts = text.split("******")
    if not all(part.strip() for part in parts[1:-1]):
        return False
    given = [part.strip() for part in parts if part.strip()]
    return len(given) == 2 and given[0] != given[1]


def _repeats(text: str, values: Values) -> bool:
    return text.strip().lower().startswith(values["prompt_to_repeat"].strip().lower())


def _ends(text: str, values: Values) -> bool:
    return text.strip().strip('"').lower().endswith(values["end_phrase"].strip().lower())


def _quoted(text: str, values: Values) -> bool:
    text = text.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


def _capital_words(text: str, values: Values) -> bool:
    apart = re.sub(r"(?i)(?<=\w)(n't|'(?:s|re|ve|ll|d|m))\b", r" \1", text)  # as the field's tokenizer cuts words
    found = sum(word.isupper() for word in re.findall(r"[\w'][\w.'&/-]*", apart))
    return _relation(found, values["capital_frequency"], values["capital_relation"])


CHECKS: dict[str, Callable[[str, Values], bool]] = {
    "keywords:existence": _keywords,
    "keywords:frequency": _keyword_frequency,
    "keywords:forbidden_words": _forbidden,
    "keywords:letter_frequency": _letter_frequency,
    "language:response_language": lambda text, values: language(text) in (None, str(values["language"])[:2]),
    "length_constraints:number_sentences": lambda text, values: _relation(
        _sentences(text), values["num_sentences"], values["relation"]
    ),
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:number_words": lambda text, values: _relation(
        _words(text), values["num_words"], values["relation"]
    ),
    "length_constraints:nth_paragraph_first_word": _nth_paragraph,
    "detectable_content:number_placeholders": lambda text, values: (
        len(re.findall(r"\[.*?\]", text)) >= values["num_placeholders"]
    ),
    "detectable_content:postscript": _postscript,
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:constrained_response": _constrained,
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:json_format": _json,
    "detectable_format:title": _title,
    "combination:two_responses": _two,
    "combination:repeat_prompt": _repeats,
    "startend:end_checker": _ends,
    "startend:quotation": _quoted,
    "change_case:capital_word_frequency": _capital_words,
    "change_case:english_capital": lambda text, values: text.isupper() and language(text) in (None, "en"),
    "change_case:english_lowercase": lambda text, values: text.islower() and language(text) in (None, "en"),
    "punctuation:no_comma": lambda text, values: "," not in text,
}

# Languages by script: the letters that are theirs alone, and by common words where they share letters.
_SCRIPTS = {
    "ko": "\uac00-\ud7af", "ja": "\u3040-\u30ff", "zh": "\u4e00-\u9fff", "th": "\u0e00-\u0e7f", "he": "\u0590-\u05ff",
    "el": "\u0370-\u03ff", "bn": "\u0980-\u09ff", "ta": "\u0b80-\u0bff", "te": "\u0c00-\u0c7f", "kn": "\u0c80-\u0cff",
    "gu": "\u0a80-\u0aff", "pa": "\u0a00-\u0a7f", "ml": "\u0d00-\u0d7f", "hi": "\u0900-\u097f", "ar": "\u0600-\u06ff",
    "ru": "\u0400-\u04ff",
}  # fmt: skip
_SHARED = {
    "ar": {"fa": "پچژگ", "ur": "ٹڈڑےںہ"},
    "ru": {"uk": "іїєґ", "bg": "ъщ"},
    "ja": {},
    "hi": {},
}
_MARATHI, _NEPALI = ("आहे", "आणि", "मध्ये"), ("छ", "हरू", "गर्न")
_COMMON = {
    "en": "the and of to in is that it for with as was on be this are have",
    "es": "el la de que y en los se del las por con una para es al como su",
    "pt": "o a de que e do da em um para com não uma os no se na por mais ao dos",
    "fr": "le la les de des et est un une que pour dans qui en du sur pas au avec",
    "de": "der die das und ist nicht ein eine zu den von mit für auf sich dem im",
    "it": "il di che la e un per non una sono del con si le della gli nel è",
    "pl": "i w na z nie się do to jest że jak za od przez który oraz",
    "vi": "là và của có không được trong cho một những các người với này",
    "sw": "na ya wa kwa ni katika za la kuwa hii cha watu kama",
    "fi": "on ja ei se että hän oli mutta kun joka ovat myös tai olla",
    "nl": "de het een en van is dat niet op zijn voor met te aan",
}


def language(text: str) -> str | None:
    """The language of a text as ISO 639-1 has it; None where it has no words that tell."""
    letters = [c for c in text if c.isalpha()]
    found = {name: sum(bool(re.match(f"[{letters_}]", c)) for c in letters) for name, letters_ in _SCRIPTS.items()}
    if found["ja"]:
        found["ja"] += found["zh"]
    script = max(found, key=lambda name: found[name])
    if letters and found[script] > 0.3 * len(letters):
        return _of_script(script, text)
    words = Counter(re.findall(r"\w+", text.lower()))
    scores = {name: sum(words[word] for word in common.split()) for name, common in _COMMON.items()}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] else None


def _of_script(script: str, text: str) -> str:
    for name, letters in _SHARED.get(script, {}).items():
        if sum(c in letters for c in text.lower()) >= max(2, len(text) // 100):
            return name
    if script == "hi":
        return "mr" if any(w in text for w in _MARATHI) else "ne" if any(w in text for w in _NEPALI) else "hi"
    return script


# Instructions in the text of a question

_NUMBERS = {word: n for n, word in enumerate("one two three four five six seven eight nine ten".split(), 1)}
_N = r"(?P<n>\d{1,5}|" + "|".join(_NUMBERS) + ")"
_RELATION = r"(?P<relation>at least|less than|fewer than|more than|no more than|at most|minimum of|under|over)"
_QUOTE = r"[\"“'‘](?P<text>[^\"”“]{1,200}?)[\"”'’]"
_LIST = r"((?:[\s,]|and|or|[\"“'][\w -]+[\"”'])+)"
# Pattern, type, and how the match's groups become values. Only what a question states plainly is read.
_COUNTED = (
    (rf"{_RELATION} {_N} words", "length_constraints:number_words", "num_words"),
    (rf"{_RELATION} {_N} sentences", "length_constraints:number_sentences", "num_sentences"),
)
_AT_LEAST = (
    (rf"{_N} placeholders", "detectable_content:number_placeholders", "num_placeholders"),
    (rf"highlight (?:at least )?{_N}", "detectable_format:number_highlighted_sections", "num_highlights"),
    (rf"exactly {_N} bullet points", "detectable_format:number_bullet_lists", "num_bullets"),
    (rf"{_N} paragraphs[^.]*(?:\*\*\*|markdown divider)", "length_constraints:number_paragraphs", "num_paragraphs"),
)
_PLAIN = (
    (r"(?:not|without|refrain from|avoid)\b[^.]{0,40}\bcommas?\b|\bno commas\b", "punctuation:no_comma"),
    (r"all (?:in )?lower ?-?case|no capital letters", "change_case:english_lowercase"),
    (
        r"(?<!words )(?<!words with )(?:entirely |only |and )?(?:in|using|with) (?:only |English,? and )?(?:in )?"
        r"all (?:capital letters|capitals|caps|uppercase)(?! words)(?<!words in all caps)",
        "change_case:english_capital",
    ),
    (r"(?:wrap|put|enclose)[^.]{0,60}double quotation marks", "startend:quotation"),
    (r"(?:in|as|using|valid) (?:the )?JSON", "detectable_format:json_format"),
    (r"title[^.]{0,60}(?:double angular brackets|<<)", "detectable_format:title"),
    (r"two different responses", "combination:two_responses"),
)


def read_off(question: str) -> list[Instruction]:
    """The instructions that a question states in so many words; what is doubtful is left out."""
    found: list[Instruction] = []

    def search(pattern: str) -> re.Match[str] | None:
        return re.search(pattern, question, re.IGNORECASE)

    for pattern, type, name in _COUNTED:
        if match := search(pattern):
            relation, number = match["relation"].lower(), _number(match["n"])
            least = relation in ("at least", "more than", "minimum of", "over")
            number += relation in ("more than", "over", "no more than", "at most")
            found.append(Instruction(type, {name: number, "relation": "at least" if least else "less than"}))
    for pattern, type, name in _AT_LEAST:
        if match := search(pattern):
            found.append(Instruction(type, {name: _number(match["n"])}))
    found += [Instruction(type, {}) for pattern, type in _PLAIN if search(pattern)]
    if match := search(rf"(?:finish|end)[^.]{{0,60}}(?:phrase|words|with)[^.\"“]{{0,20}}{_QUOTE}"):
        found.append(Instruction("startend:end_checker", {"end_phrase": match["text"]}))
    if match := search(r"postscript[^.]{0,60}(P\.P\.S|P\.S\.)"):
        found.append(Instruction("detectable_content:postscript", {"postscript_marker": match[1].upper()}))
    if match := search(rf"(?:do not|don't|without)[^.]{{0,40}}(?:words?|keywords?){_LIST}"):
        found += _listed("keywords:forbidden_words", "forbidden_words", match[1])
    elif match := search(rf"include[^.]{{0,30}}keywords?:?{_LIST}"):
        found += _listed("keywords:existence", "keywords", match[1])
    return found


def _listed(type: str, name: str, text: str) -> list[Instruction]:
    words = [re.escape(word) for word in re.findall(r"[\"“']([\w -]+)[\"”']", text)]
    return [Instruction(type, {name: words})] if words else []


def _number(text: str) -> int:
    return _NUMBERS.get(text.lower()) or int(text)
