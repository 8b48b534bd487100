"""A model, here or elsewhere, as the chat's Solver. Imports what is slow to import, so it is imported last."""

from collections.abc import Iterator

from vibethinker_local.errors import ModelError
from vibethinker_local.events import Control, ModelIdentity, Options, SolveEvent
from vibethinker_local.gguf import reader
from vibethinker_local.gguf.header import TOKENS
from vibethinker_local.models import installed, listing
from vibethinker_local.models.installed import Chosen
from vibethinker_local.models.spec import find
from vibethinker_local.remote.served import Served
from vibethinker_local.solving import solver
from vibethinker_local.system import machine
from vibethinker_local.system.units import size
from vibethinker_local.tui import bundled
from vibethinker_local.tui.solver import ChatRequest, Larger, Loading, ModelChoice, Start


class LoadedModel:
    """The use case of `solve.solver` in the words of the chat."""

    def __init__(self, wanted: str | None, options: Options, loading: Loading | None = None) -> None:
        """Raises ModelError."""
        self._notices = list[str]()
        self._solver = solver.Solver(wanted, options, say=self._notices.append, loading=loading)
        self._model = self._solver.load()
        self._loads = False  # a run has begun, which may load it again for a vote: nobody else asks for it meanwhile
        self.start = facts(self._solver.chosen)

    @property
    def identity(self) -> ModelIdentity:
        return self._model.identity

    @property
    def context(self) -> int:
        return self._model.context

    @property
    def alone(self) -> bool:
        return self._solver.spec.alone

    @property
    def notices(self) -> tuple[str, ...]:
        return (*self._notices, *self._model.notices)

    def count(self, text: str) -> int:
        return len(self._model.backend.tokenize(text, special=False))

    def doubt(self, question: str) -> str:
        if not self.start.bundled or bundled.is_readable(question):
            return ""
        larger = self.start.larger
        fetches = f"; `vibe pull {larger.name}:{larger.quant}` fetches a larger model" if larger else ""
        warning = "mini handles only small word problems and sums, and this is not one: do not rely on the answer"
        return warning + fetches

    def quote(self, budget: str) -> str | None:
        return None if self._loads else self._solver.quote(self._solver.plan(budget))

    def solve(self, request: ChatRequest, control: Control) -> Iterator[SolveEvent]:
        plan = self._solver.plan(request.budget) if request.reliable else None
        events = self._solver.stream(
            request.question,
            seed=request.seed,
            think=request.think,
            plan=plan,
            earlier=request.earlier,
            talk=True,
            unfinished=request.unfinished,
            resume=True,
            control=control,
            announce="votes",
            say=lambda text: None,
        )
        self._loads = True
        try:
            first = next(events)
        finally:  # also where there was no room for a vote: the model is there again
            self._model, self._loads = self._solver.load(), False
        yield first
        yield from events

    def close(self) -> None:
        self._solver.close()


def facts(chosen: Chosen | Served) -> Start:
    """What there is to say about the model that was chosen."""
    if isinstance(chosen, Served):
        return Start(chosen.name, f"{chosen.servers[0].model} at {chosen.where}")
    ours = chosen.name == installed.BUNDLED
    return Start(chosen.name, _about(chosen), ours, _larger() if ours else None)


def _about(chosen: Chosen) -> str:
    """What models.toml says of a model, or else what its file is called, inside and outside."""
    if chosen.name in installed.registry():
        return chosen.spec.about
    try:
        own = reader.read(chosen.path, raw=(TOKENS,)).keys.get("general.name")
    except ModelError:
        own = None
    called = f"{own} ({chosen.path.name})" if isinstance(own, str) and own.strip() else chosen.path.name
    return f"{called}: a model of your own, of which nothing more is known"


def choices(given: str | None = None) -> list[ModelChoice]:
    """The models that are installed, the best first, and the given one if it is another. Raises ModelError."""
    found, known = list[ModelChoice](), installed.registry()
    for row in listing.rows(known, machine.room()):
        if row.path is None:
            continue
        fits = {True: f"fits, {row.context or 0:,} tokens", False: "does not fit", None: "cannot be read"}
        speed = f"{row.tokens_per_second:,.0f} tok/s" if row.tokens_per_second else "not measured"
        parts = (size(row.bytes or 0), fits[row.fits], speed, "damaged" if row.state == "damaged" else "")
        found.append(ModelChoice(f"{row.model}:{row.quant}", " · ".join(filter(None, parts))))
    return [*found, ModelChoice(given, "the one to begin with")] if given and not find(given, known) else found


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
