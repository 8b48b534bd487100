"""A model on this machine as the chat's Solver. Imports what is slow to import, so it is imported last."""

from collections.abc import Iterator

from vibethinker_local.errors import ModelError
from vibethinker_local.events import Control, ModelIdentity, Options, SolveEvent
from vibethinker_local.models import installed, listing
from vibethinker_local.models.installed import Chosen
from vibethinker_local.solving import solver
from vibethinker_local.system import machine
from vibethinker_local.tui.solver import ChatRequest, Larger, Start


class Local:
    """The use case of `solve.solver` in the words of the chat."""

    def __init__(self, wanted: str | None, options: Options) -> None:
        """Raises ModelError."""
        self._notices = list[str]()
        self._solver = solver.Solver(wanted, options, say=self._notices.append)
        self._solver.load()
        self.start = facts(self._solver.chosen)

    @property
    def identity(self) -> ModelIdentity:
        return self._solver.identity

    @property
    def context(self) -> int:
        return self._solver.context

    @property
    def alone(self) -> bool:
        return self._solver.spec.alone

    @property
    def notices(self) -> tuple[str, ...]:
        return (*self._notices, *self._solver.notices)

    def quote(self, budget: str) -> str | None:
        return self._solver.quote(self._solver.plan(budget))

    def solve(self, request: ChatRequest, control: Control) -> Iterator[SolveEvent]:
        plan = self._solver.plan(request.budget) if request.reliable else None
        return self._solver.stream(
            request.question,
            seed=request.seed,
            plan=plan,
            earlier=request.earlier,
            talk=True,
            resume=True,
            control=control,
            announce="votes",
            say=lambda text: None,
        )

    def close(self) -> None:
        self._solver.close()


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
