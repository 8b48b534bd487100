"""A model on this machine as the chat's Solver. Imports what is slow to import, so it is imported last."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace

from vibethinker_local.errors import ModelError
from vibethinker_local.events import Announced, Control, ModelIdentity, Options, SolveEvent
from vibethinker_local.models import installed, listing
from vibethinker_local.models.installed import Chosen
from vibethinker_local.reliability import plan as planning
from vibethinker_local.reliability.plan import Plan
from vibethinker_local.runtime.model import Model, load
from vibethinker_local.solve import forecast
from vibethinker_local.solve.reliable import run
from vibethinker_local.solve.single import solve
from vibethinker_local.system import awake, machine
from vibethinker_local.tui.solver import Request
from vibethinker_local.tui.start import Larger, Start

QUESTION = 200  # tokens of a question that nobody has asked yet


class Local:
    """Loads the model, and again with room for several Sequences at once when the first vote needs it."""

    def __init__(self, wanted: str | None, options: Options) -> None:
        """Raises ModelError."""
        self._notices = list[str]()
        self._chosen = installed.choose(wanted, self._notices.append)
        self._options, self._places = options, 1
        self._model = self._load(1)
        self._quick = forecast.is_quick(self._model)
        self._rates = forecast.known(self._model)
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

    def quote(self, budget: str) -> str | None:
        if self._quick or self._rates is None:
            return None
        wanted, model = self._plan(budget), self._model
        places = model.places if self._places >= wanted.places else wanted.places
        return forecast.expect(forecast.forecast(model, self._options, QUESTION, wanted, self._rates, places=places))

    def solve(self, request: Request, control: Control) -> Iterator[SolveEvent]:
        with nullcontext() if self._quick else awake.kept():
            yield from self._events(request, control)

    def _events(self, request: Request, control: Control) -> Iterator[SolveEvent]:
        options = replace(self._options, seed=request.seed)
        wanted = self._plan(request.budget) if request.reliable else None
        said = self._make_room(wanted.places) if wanted else ()
        if not self._quick:
            yield from self._announced(request, control, wanted, said)
        question, model, earlier = request.question, self._model, request.earlier
        if wanted:
            yield from run(question, model, options, control, wanted, resume=True, earlier=earlier)
        else:  # a model that is no use for talk is held to its answers
            yield from solve(question, model, options, control, earlier, talk=not self.alone)

    def _make_room(self, places: int) -> tuple[str, ...]:
        """Load the model again if it is to run more Sequences at once; what there is to say about it then."""
        if places <= self._places:
            return ()
        self._model.engine.close()
        try:
            self._model = self._load(places)
        except ModelError:
            self._model = self._load(self._places)
            raise
        self._places = places  # also if there was room for fewer: it is not tried again
        return self._model.notices

    def _announced(
        self, request: Request, control: Control, wanted: Plan | None, said: tuple[str, ...]
    ) -> Iterator[Announced]:
        """How long it may take. A single solution is not worth trying for: the time left is shown soon enough."""
        model, rates = self._model, self._rates
        if wanted and rates is None:
            yield Announced(forecast.MEASURING)
            rates = forecast.calibrate(model, control)
            if control.stop:
                return  # it was not measured well
            self._rates = rates
        battery = awake.on_battery()
        what = f"Running {battery}." if battery else None
        if rates:
            prompt = len(model.encode(request.question, model.recent(request.question, request.earlier)))
            what = forecast.expect(forecast.forecast(model, self._options, prompt, wanted, rates))
        yield Announced(" ".join(filter(None, (*said, what))))

    def _plan(self, budget: str) -> Plan:
        spec = self._chosen.spec
        return planning.make(spec.mode, budget, escalates=spec.reasoned_verdicts)

    def close(self) -> None:
        self._model.engine.close()


def facts(chosen: Chosen) -> Start:
    """What there is to say about the model that was chosen on this machine."""
    bundled = chosen.name == installed.BUNDLED
    return Start(chosen.name, chosen.spec.about, bundled, _larger() if bundled else None)


def _larger() -> Larger | None:
    """The best file that could be fetched and would fit into memory."""
    try:
        rows = list(listing.rows(installed.registry(), machine.room()))
    except ModelError:
        return None
    for row in rows:
        if row.model != installed.BUNDLED and row.bytes and row.fits is not False:
            return Larger(row.model, row.quant, row.about, row.bytes, row.context)
    return None
