"""Notices from its tokens that a Sequence is going round in circles, at about a microsecond per token.

Two signs, both read off where the last GRAM tokens were seen before:
- an exact cycle: every token equals the one `period` before it. Text that is copied once, as a draft of code into the
  answer, never matches for longer than its period, so a cycle counts from the third round on.
- a near cycle: hardly any GRAM tokens in a row are new, whatever their order. That finds rounds that differ by a word
  or come in several variants. An enumeration is safe, as each line brings a number that the last one did not have;
  thousands of tokens over an alphabet of two or three symbols are not.
"""

GRAM = 8
EXACT_TOKENS, EXACT_ROUNDS = 256, 2  # matches needed, and rounds of them after the first
MEMORY = 1024  # tokens over which novelty fades
NEAR = 0.1  # novelty below this is a near cycle: after 2,358 tokens without anything new, more if there is a little


class RepetitionDetector:
    def __init__(self) -> None:
        self._tokens: list[int] = []
        self._seen: dict[int, int] = {}  # hash of GRAM tokens → where they last ended
        self._period = 0
        self._matches = 0  # tokens in a row that equal the one a period before
        self.novelty = 1.0  # the fading share of tokens that ended GRAM tokens not seen before

    def feed(self, token: int) -> bool:
        """Add a token; returns True if the text is repeating itself."""
        tokens, end = self._tokens, len(self._tokens)
        tokens.append(token)
        gram = hash(tuple(tokens[-GRAM:]))
        before = self._seen.get(gram)
        self._seen[gram] = end
        self.novelty += ((before is None) - self.novelty) / MEMORY
        if self._period and tokens[end - self._period] == token:
            self._matches += 1
        elif before is None:
            self._period = self._matches = 0
        else:
            self._period, self._matches = end - before, GRAM
        exact = self._matches >= max(EXACT_TOKENS, EXACT_ROUNDS * self._period)
        return exact or self.novelty < NEAR
