"""Reads from a model's reply what it says of each numbered claim: that it is valid, or not.

Asked for `1. VALID`, models write that, or go through the claims and say in a sentence of each what it is: "This claim
is correct, since …", "**INVALID**: …", "So, the step is not valid." Both are read; a doubtful sentence says nothing.
"""

import re
from collections.abc import Iterator

_ITEM = re.compile(  # the beginning of what is said of one claim: "2.", "**Claim 2:**", "### Claim 2"
    r"^ {0,2}(?P<mark>(?:[-*>#][-*># ]*)?)(?P<named>(?:claim|statement|step|verdict|声明|陈述|断言|命题)\s*)?[#(]?"
    r"(?P<number>\d{1,3})(?:\W{1,20}(?P<label>VALID|INVALID|REFUTED)\b|[\s*]*[.):\]．）：、–—-](?!\d)|(?(named)[\s*]*$|(?!)))",
    re.IGNORECASE | re.MULTILINE,
)
_CLAIM_AGAIN = re.compile(r"\*\*(?!\W{0,9}(?:(?:in)?valid|refuted)\b)[^*\n]+\*\*", re.IGNORECASE)
_SENTENCE = re.compile(r"[^.!?\n]+(?:\.(?=\d)[^.!?\n]+)*")
_OF_ALL = re.compile(
    r"(?:claims|steps|statements)\b|\b(?:solution|answer) is\b|\\(?:boxed|fbox)\b|"
    r"\bVALID(?: or | and |/)(?:INVALID|REFUTED)\b",
    re.IGNORECASE,
)
_UNSURE = re.compile(r"\b(?:if|whether|unless|would|could|might|may|cannot (?:say|tell))\b", re.IGNORECASE)
_LABEL = re.compile(r"\b(?P<no>not\W+)?(?P<label>VALID|INVALID|REFUTED)\b")
# One way to match each text: where two parts could take the same space, a long reply would be tried in all of them.
_FILLED = r"(?:(?:\w{1,15}ly|also|indeed|thus|an?|to be)\s|\W)*"
_SAID = re.compile(
    r"\b(?:claim|statement|step|assertion|conclusion|calculation|equation|reasoning|this|it|that)\b[^,;]{0,40}?"
    rf"\b(?:is|was|as|be|been|seems|appears)\s{_FILLED}(?P<no>not\s{_FILLED})?"
    r"(?P<label>valid|true|correct|right|invalid|refuted|false|incorrect|wrong)\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"\b(?:claim|statement|step|number)\s*#?(\d{1,3})\b", re.IGNORECASE)
_GOOD = ("valid", "true", "correct", "right")


def parse(text: str, count: int) -> list[bool | None]:
    """What the visible text of a reply says of each of `count` claims: valid, invalid, or nothing that can be read.

    The last word on a claim counts. Where there is only one, it need not be numbered.
    """
    found: list[bool | None] = [None] * count
    numbered = list(_ITEM.finditer(text))
    if count == 1 and not numbered:
        return [_ruling(text, 1)]
    items = [item for item in numbered if 1 <= int(item["number"]) <= count]
    ends = [item.start() for item in items[1:]] + [len(text)] * bool(items)
    for item, end in zip(items, ends, strict=True):
        number = int(item["number"])
        if item["label"]:
            ruling: bool | None = item["label"].upper() == "VALID"
        else:
            level = item["mark"].count("#") or 6  # a heading of its own level, or a higher one, begins something else
            other = re.compile(rf"^#{{1,{level}}} ", re.MULTILINE).search(text, item.end(), end)
            ruling = _ruling(text[item.end() : other.start() if other else end], number)
        if ruling is not None:
            found[number - 1] = ruling
    return found


def _ruling(said: str, number: int) -> bool | None:
    """Of what is said of one claim: the last label, or else the last sentence that calls it valid or not."""
    labels, sentences = list[bool](), list[bool]()
    for sentence in _about(said, number):
        unsure = _UNSURE.search(sentence)
        sure = unsure.start() if unsure else len(sentence)
        for label in _LABEL.finditer(sentence, 0, sure):
            labels.append((label["label"] == "VALID") != bool(label["no"]))
        if stated := _SAID.search(sentence, 0, sure):
            sentences.append((stated["label"].lower() in _GOOD) != bool(stated["no"]))
    return next(reversed(labels or sentences), None)


def _about(said: str, number: int) -> Iterator[str]:
    """The sentences about this claim, rather than about others, or about all."""
    for found in _SENTENCE.finditer(_CLAIM_AGAIN.sub("", said)):
        sentence = found[0]
        other = any(int(named[1]) != number for named in _NUMBERED.finditer(sentence))
        if not (other or _OF_ALL.search(sentence)):
            yield sentence
