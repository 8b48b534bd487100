"""What a first start has to explain: which model answers, what it is good for, and what a larger one would cost."""

from dataclasses import dataclass

from vibethinker_local.system.machine import size


@dataclass(frozen=True)
class Larger:
    """A model that is not here yet."""

    name: str
    quant: str
    about: str
    bytes: int
    context: int | None  # that fits into memory beside it


@dataclass(frozen=True)
class Start:
    """The facts of the welcome."""

    model: str = ""
    about: str = ""
    bundled: bool = False
    larger: Larger | None = None


def lines(start: Start) -> list[tuple[str, str]]:
    """The welcome as (text, style) lines."""
    found = [("vibe", "bold $primary"), ("", "")]
    if not start.model:
        return [*found, ("Solves problems of maths and code on this machine, offline.", "")]
    found.append((f"{start.about}.", ""))
    if start.bundled:
        found += [
            ("It is here to try the program with: it reads small word problems in plain", "$text-muted"),
            ("English, each on its own, and can do nothing else.", "$text-muted"),
        ]
    if larger := start.larger:
        fits = f"; memory is enough for {larger.context:,} tokens" if larger.context else ""
        found += [
            ("", ""),
            (f"{larger.about}.", ""),
            (f"Not installed yet: {size(larger.bytes)} to download{fits}.", "$text-muted"),
            (f"vibe pull {larger.name}:{larger.quant}", "bold $accent"),
        ]
    return found
