"""What the bundled model can read: it knows the words of the problems that it was trained on, numbers and names."""

import re

# Those of mini/problems.py, which a test compares.
WORDS = frozenset(
    """
    a and apples as away balls books boxes buy buys calculate candies cars cards coins combined compute cookies
    cups do  does dollars eggs end fewer finds fish flowers get gets gives has hats have he how in is keep keeps
    keys left less  loses many marbles minus more much need needs now of oranges own owns pages pencils pens
    photos plants plus points  sell sells she shells stamps stickers stones than the then they tickets times
    together toys twice uses what wins
    """.split()
)
SYMBOLS = frozenset(".,?+-*=")


def is_readable(question: str) -> bool:
    """Whether it holds a number, and nothing but those words, names and signs of arithmetic."""
    tokens = re.findall(r"[A-Za-z]+|\d+|[^\sA-Za-z\d]", question)
    known = (token.isdigit() or token in SYMBOLS or token.istitle() or token in WORDS for token in tokens)
    return any(map(str.isdigit, tokens)) and all(known)
