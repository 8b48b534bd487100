"""The one form of a text in which letters with marks are written: NFC."""

import unicodedata

MOST_MARKS = 30  # on one character, as Unicode itself has it for streams: UAX #15
_TWO_MARKS = "\u0f73\u0f75\u0f81"  # vowel signs that are two marks each, though they count as none


def composed(text: str) -> str:
    """A text in NFC. One with more marks on a character than any script has stays as it is.

    They have to be put in order, which takes Python a time that grows with the square of their number.
    """
    if unicodedata.is_normalized("NFC", text):
        return text
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) or character in _TWO_MARKS else 0
        if marks > MOST_MARKS:
            return text
    return unicodedata.normalize("NFC", text)
