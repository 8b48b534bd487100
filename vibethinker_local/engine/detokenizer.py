"""Turns the bytes of tokens into text, piece by piece: never half a character, never part of a stop string."""

import codecs


class TextStream:
    """The text of one Sequence as it grows.

    A byte that is no UTF-8 becomes U+FFFD. Text that may be the beginning of a stop string is held back until it is
    clear whether it is one; a stop string itself never comes out.
    """

    def __init__(self, stop_strings: tuple[str, ...] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = stop_strings
        self._held = ""
        self.stopped = False

    def feed(self, piece: bytes) -> str:
        """The text that is certain now that `piece` was added. Sets `stopped` when a stop string is complete."""
        self._held += self._decoder.decode(piece)
        ends = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if ends:
            self.stopped = True
            text, self._held = self._held[: min(ends)], ""
            self._decoder.reset()  # of a character that began behind it
            return text
        keep = max((_overlap(self._held, stop) for stop in self._stops), default=0)
        cut = len(self._held) - keep
        text, self._held = self._held[:cut], self._held[cut:]
        return text

    def flush(self) -> str:
        """The text that was held back; to be called at the end, though the stream can still be continued after it."""
        text, self._held = self._held + self._decoder.decode(b"", final=True), ""
        self._decoder.reset()
        self.stopped = False
        return text


def _overlap(text: str, stop: str) -> int:
    """The length of the longest suffix of `text` that is a prefix of `stop`."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
