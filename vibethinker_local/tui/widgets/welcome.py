"""What an empty conversation shows: which model answers, what it is good for, and what a larger one would cost."""

from collections.abc import Mapping

from textual.content import Content
from textual.widgets import Static

from vibethinker_local.system.terminal import printable
from vibethinker_local.system.units import size
from vibethinker_local.tui.actions import NAMED, key_of
from vibethinker_local.tui.solver import Start

RECENT = "down and enter open one of the last conversations:"


class Welcome(Static):
    def __init__(self, keys: Mapping[str, str]) -> None:
        """`keys` are the user's own."""
        super().__init__("", id="welcome", markup=False)
        vote, help = key_of(NAMED["reliability"], keys), key_of(NAMED["help"], keys)
        self._hint = f"enter asks · {vote} lets several solutions vote · {help} has every key"

    def show(self, start: Start | None, failure: str = "", *, recent: bool = False) -> None:
        """The facts about a model; without them, why there is none, if that is known."""
        rows = [("vibe", "bold $primary"), ("", ""), *_model(start)]
        if failure and not start:
            rows += [("", ""), (failure, "$text-error")]
        rows += [("", ""), (self._hint, "$text-muted")]
        rows += [("", ""), (RECENT, "$text-muted")] if recent else []
        self.update(Content("\n").join(Content.styled(printable(text), style) for text, style in rows))


def _model(start: Start | None) -> list[tuple[str, str]]:
    if start is None:
        return [("Solves problems of maths and code on this machine, offline.", "")]
    rows = [(f"{start.about}.", "")]
    if start.bundled:
        rows += [
            ("It is here to try the program with: it reads small word problems in plain", "$text-muted"),
            ("English, each on its own, and can do nothing else.", "$text-muted"),
        ]
    if larger := start.larger:
        fits = f"; memory is enough for {larger.context:,} tokens" if larger.context else ""
        rows += [
            ("", ""),
            (f"{larger.about}.", ""),
            (f"Not installed yet: {size(larger.bytes)} to download{fits}.", "$text-muted"),
            (f"vibe pull {larger.name}:{larger.quant}", "bold $accent"),
        ]
    return rows
