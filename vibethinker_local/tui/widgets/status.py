"""One line at the bottom: model, context, pace, memory, and whether the answers are checked."""

from dataclasses import dataclass

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from vibethinker_local.system.machine import memory_size
from vibethinker_local.system.terminal import printable

CELLS = 8  # of the context meter
NAME = 16  # cells that a model's name keeps where there is little room


@dataclass(frozen=True)
class Status:
    """What the line says."""

    model: str = ""
    quant: str = ""
    used: int = 0  # tokens of the context
    context: int = 0
    rate: float | None = None  # tokens a second, of the run under way
    unsaved: bool = False  # what is written now is not on the disk
    busy: str = ""  # that other programs keep cores busy; shown up to its colon, for want of room
    thinking: str = ""  # how many tokens it may think, if not as many as the model does
    memory: int = 0  # bytes, of all our processes
    reliability: str = "reliability off"
    tone: str = "$text-muted"  # the colour of it
    on: bool = False  # the pass is on


class StatusLine(Static):
    """Shows a Status."""

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._status = Status()

    def show(self, status: Status) -> None:
        if status != self._status:
            self._status = status
            self.refresh()

    def on_resize(self) -> None:
        self.refresh()

    def render(self) -> Content:
        status, width = self._status, self.size.width
        model = Content.styled(printable(status.model) or "no model", "$foreground")
        parts = [Content.assemble(model, f" {printable(status.quant)}") if status.quant else model]
        if status.unsaved:
            parts.append(Content.styled("not saved", "$text-error"))
        if status.context:
            parts.append(meter(status.used, status.context))
        if status.rate is not None:
            parts.append(
                Content(f"{status.rate:,.0f} tok/s" if status.rate < 1000 else f"{status.rate / 1000:,.1f}k tok/s")
            )
        if status.busy:
            parts.append(Content.styled(status.busy.partition(":")[0], "$text-warning"))
        if status.thinking:
            parts.append(Content(status.thinking))
        if status.memory:
            parts.append(Content(memory_size(status.memory)))
        badge = _badge(status, width - min(model.cell_length, NAME) - 2)
        while True:
            left = Content("  ").join(parts).stylize_before("$text-muted")
            gap = width - left.cell_length - badge.cell_length
            if gap >= 2:
                return Content.assemble(left, " " * gap, badge)
            if len(parts) > 1:
                parts.pop()
            elif parts[0] != model:
                parts = [model]
            else:
                return Content.assemble(
                    model.truncate(max(4, width - badge.cell_length - 2), ellipsis=True), "  ", badge
                )


def _badge(status: Status, width: int) -> Content:
    """What there is to say about reliability; where there is little room, without what comes last."""
    said = ("● " if status.on else "○ ") + status.reliability
    while cell_len(said) > width and (cut := max(said.rfind(" · "), said.rfind(", "))) > 0:
        said = said[:cut]
    return Content(said).stylize(f"bold {status.tone}" if status.on else status.tone)


def meter(used: int, context: int) -> Content:
    """How full the context is."""
    share = min(1.0, used / context)
    full = round(share * CELLS)
    style = "$text-error" if share > 0.9 else "$text-warning" if share > 0.7 else "$primary"
    return Content.assemble("context ", ("▰" * full, style), "▱" * (CELLS - full), f" {share:.0%}")
