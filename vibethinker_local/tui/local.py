"""A model on this machine as the chat's Solver. Imports what is slow to import, so it is imported last."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace

from vibethinker_local import awake, forecast, listing, machine, models
from vibethinker_local.errors import ModelError
from vibethinker_local.model import Control, Model, Options, load
from vibethinker_local.models import Chosen
from vibethinker_local.reliability import plan
from vibethinker_local.solve.reliable import reliably
from vibethinker_local.solve.single import solve
from vibethinker_local.tui.solver import Request
from vibethinker_local.tui.start import Larger, Start
from vibethinker_local.types import ModelIdentity, SolveEvent


class Local:
    """Loads the model, and again with room for several Sequences at once when the first vote needs it."""

    def __init__(self, wanted: str | None, options: Options) -> None:
        """Raises ModelError."""
        self._notices = list[str]()
        self._chosen = models.choose(wanted, self._notices.append)
        self._options, self._places = options, 1
        self._model = self._load(1)
        self.start = facts(self._chosen)

    def _load(self, places: int) -> Model:
        return load(self._chosen, self._options, threads=machine.threads(), places=places)

    @property
    def identity(self) -> ModelIdentity:
        return self._model.identity

    @property
    def context(self) -> int:
        return self._model.context

    @property
    def alone(self) -> bool:
        return self._chosen.spec.alone

    @property
    def notices(self) -> tuple[str, ...]:
        return (*self._notices, *self._model.notices)

    def solve(self, request: Request, control: Control) -> Iterator[SolveEvent]:
        with nullcontext() if forecast.is_quick(self._model) else awake.kept():
            yield from self._events(request, control)

    def _events(self, request: Request, control: Control) -> Iterator[SolveEvent]:
        options = replace(self._options, seed=request.seed)
        if not request.reliable:
            return solve(request.question, self._model, options, control, request.earlier)
        spec = self._chosen.spec
        wanted = plan.make(spec.mode, request.budget, escalates=spec.reasoned_verdicts)
        if self._places < wanted.places:
            self._places = wanted.places  # also if there is room for fewer: it is not tried again
            self._model.engine.close()
            self._model = self._load(wanted.places)
        return reliably(request.question, self._model, options, control, wanted, earlier=request.earlier)

    def close(self) -> None:
        self._model.engine.close()


def facts(chosen: Chosen) -> Start:
    """What there is to say about the model that was chosen on this machine."""
    bundled = chosen.name == models.BUNDLED
    return Start(chosen.name, chosen.spec.about, bundled, _larger() if bundled else None)


def _larger() -> Larger | None:
    """The best file that could be fetched and would fit into memory."""
    try:
        rows = list(listing.rows(models.registry(), machine.room()))
    except ModelError:
        return None
    for row in rows:
        if row.model != models.BUNDLED and row.bytes and row.fits is not False:
            return Larger(row.model, row.quant, row.about, row.bytes, row.context)
    return None
