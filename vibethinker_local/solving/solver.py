"""The use case that the command line, the chat and the library share: choose a model, load it, quote, solve.

Nothing is loaded before it is needed, and again only when a run wants more Sequences at once than there is room for.
"""

import secrets
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from typing import Literal, Self, TypeVar

from vibethinker_local.code import task
from vibethinker_local.engine.connection import Connection
from vibethinker_local.errors import ModelError, UsageError
from vibethinker_local.events import (
    BudgetName,
    Busy,
    Control,
    Exchange,
    Finished,
    ModelIdentity,
    Notice,
    Options,
    PassMode,
    Solution,
    SolveEvent,
    Unfinished,
    VerdictKind,
    Wrote,
)
from vibethinker_local.models import checksums
from vibethinker_local.models.installed import Chosen
from vibethinker_local.models.spec import ModelSpec
from vibethinker_local.reliability import plan as planning
from vibethinker_local.reliability.plan import Plan
from vibethinker_local.reliability.stopping import LIKELY
from vibethinker_local.remote.choose import choose
from vibethinker_local.runtime import prose
from vibethinker_local.runtime.model import Model, at_once
from vibethinker_local.runtime.model import load as load_model
from vibethinker_local.solving import forecast, limits, single
from vibethinker_local.solving.quote import Rates
from vibethinker_local.solving.sampling import Ended
from vibethinker_local.system import awake, machine
from vibethinker_local.system.progress import Progress

T = TypeVar("T")
Announce = Literal["always", "votes", "never"]  # for which runs the speed is measured if nothing is known of it
NO_VOTE = "This asks for a text, which solutions cannot vote on: one is written. --kind maths lets them vote."
TYPICAL_QUESTION = 200  # tokens, to quote a run whose question is not there yet


class Solver:
    """One model, here or on servers elsewhere, and all that it takes to solve problems with it. A context manager."""

    def __init__(
        self,
        model: str | None = None,
        options: Options | None = None,
        *,
        say: Callable[[str], None] = lambda text: None,
        loading: Callable[[Progress], None] | None = None,
        connection: Connection | None = None,
    ) -> None:
        """`model` is NAME, NAME:QUANT, a .gguf path or URL#MODEL; None takes the best installed one. Raises ModelError,
        and UsageError for options that cannot be used.

        `say` hears what a user should know on the way, and `loading`, now and then, how far the model is loaded; a
        `connection` that was made early saves a process's start.
        """
        self._say, self._loading, self._connection = say, loading, connection
        self.options = options or Options()
        limits.check(self.options)
        self.chosen = choose(model, say)
        self._model: Model | None = None
        self._places = 0  # how many were requested, which may be more than fitted
        self._rates: Rates | None = None
        self._cut: Ended | None = None  # a reply that can go on, in the engine's KV
        self._solving = threading.Lock()  # while a run goes on
        self._one_load = threading.RLock()  # whoever asks meanwhile waits for that model, and loads no other

    # The model

    @property
    def spec(self) -> ModelSpec:
        return self.chosen.spec

    @property
    def identity(self) -> ModelIdentity:
        return self.load().identity

    @property
    def context(self) -> int:
        """Tokens that a solution with its problem may have."""
        return self.load().context

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know about how the model was loaded."""
        return self.load().notices

    def load(self, places: int = 1) -> Model:
        """The model, with room for this many Sequences at once, or for as many as fit. Raises ModelError."""
        with self._one_load:
            return self._loaded(places)

    def _loaded(self, places: int) -> Model:
        if self._model and places <= self._places:
            return self._model
        closed, before = self._model, self._places
        self._model, self._places = None, 0  # whatever happens now
        if closed:
            closed.engine.close()
        try:
            self._model = self._load(places)
        except ModelError:
            if closed:
                self._model, self._places = self._load(before), before
            raise
        self._places = places  # also if there was room for fewer: it is not tried again
        return self._model

    def places(self, plan: Plan | None) -> int:
        """Sequences that a run keeps going at once, where there is memory for them."""
        return at_once(self.chosen, plan.places) if plan else 1

    def _load(self, places: int) -> Model:
        connection, self._connection = self._connection, None
        self._cut = None
        return load_model(
            self.chosen,
            self.options,
            threads=machine.threads(),
            places=places,
            connection=connection,
            loading=self._loading,
        )

    def close(self) -> None:
        """Free the memory. May be repeated; the next request loads the model again."""
        if self._connection:
            self._connection.end()
        if self._model:
            self._model.engine.close()
        self._model = self._connection = None
        self._places = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # A run

    def plan(
        self,
        budget: str = "standard",
        *,
        mode: PassMode | None = None,
        samples: int | None = None,
        verdicts: VerdictKind | None = None,
        stopping: bool = True,
        seconds: float = float("inf"),
        programs: int = 0,
    ) -> Plan:
        """What a run of the reliability pass may do; None takes what this model is best at.

        Raises UsageError for what contradicts itself, or cannot be used.
        """
        mode = mode or self.spec.mode
        return planning.make(
            mode,
            budget,
            samples=samples,
            verdicts=verdicts or (self.spec.verdicts if mode not in ("published", "arithmetic") else None),
            escalates=self.spec.reasoned_verdicts,
            stopping=stopping,
            likely=self.spec.likely,
            seconds=seconds,
            programs=programs,
        )

    def stream(
        self,
        problem: str,
        *,
        seed: int | None = None,
        think: int | None = None,
        plan: Plan | None = None,
        earlier: Sequence[Exchange] = (),
        talk: bool = False,
        unfinished: Unfinished | None = None,
        resume: bool = False,
        control: Control | None = None,
        announce: Announce = "never",
        say: Callable[[str], None] | None = None,
    ) -> Generator[SolveEvent, None, None]:
        """Solve one problem: events as they come, the last of them Finished.

        `seed` and `think` stand above the options' own; without a seed in either, each run draws another one.

        With a `plan`, by the reliability pass, unless it asks for prose, which has no votes; `resume` goes on with the
        same run, if it was cut off. After `earlier` exchanges, which the model reads unless it is one for single
        problems; in `talk`, an answer need not be boxed, and an `unfinished` one goes on where it was cut off.
        `announce` says first how long it may take; `say` hears of what is resumed, and of solutions that cannot be kept
        for that. Raises VibeError if the problem cannot be solved at all, or while another one is being solved.
        """
        limits.check_problem(problem)
        limits.check_whole("seed", seed)
        limits.check_whole("think", think)
        control = control or Control()
        seed = self.options.seed if seed is None else seed
        options = replace(
            self.options,
            seed=secrets.randbelow(2**31) if seed is None else seed,
            think=self.options.think if think is None else think,
        )
        if options.kind is None and not self.spec.alone and prose.is_wanted(problem):
            options = replace(options, kind="prose")
        if plan and options.kind == "prose":
            yield Notice(NO_VOTE)
            plan = None
        earlier = () if self.spec.alone else earlier
        with self._alone():
            loaded_for = self._places
            model = self.load(self.places(plan))
            notices = model.notices if self._places > loaded_for > 0 else ()  # it was loaded again
            quick = forecast.is_quick(model)
            with nullcontext() if quick else awake.keep_awake():
                if not quick and model.file and announce != "never":
                    recent = model.recent(problem, earlier, options.kind)
                    prompt = len(model.encode(problem, recent, kind=options.kind, think=options.think))
                    rates, measure = self._rates or forecast.known(model), announce == "always" or plan is not None
                    quoted = replace(plan, likely=LIKELY) if plan and task.of(problem, options.kind) else plan
                    announcing = forecast.announce(model, options, control, prompt, quoted, rates, measure, notices)
                    self._rates = yield from announcing
                if plan:
                    from vibethinker_local.solving import reliable  # with all that a vote takes, which takes a moment

                    voting = reliable.solve_journalled(
                        problem, model, options, control, plan, resume=resume, say=say or self._say, earlier=earlier
                    )
                    finished, _ = yield from _telling_threads(model, voting)
                else:
                    talk = talk and not self.spec.alone
                    writing = single.solve(
                        problem, model, options, control, earlier, talk=talk, unfinished=unfinished, resident=self._cut
                    )
                    finished, self._cut = yield from _telling_threads(model, writing)
        yield finished  # not before all is given back: whoever has it may begin another run

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Of two runs in one engine, each would take what belongs to the other. Raises UsageError for the second."""
        if not self._solving.acquire(blocking=False):
            raise UsageError("This model is solving something else: it takes one run at a time.")
        try:
            yield
        finally:
            self._solving.release()

    def solve(
        self,
        problem: str,
        *,
        seed: int | None = None,
        plan: Plan | None = None,
        earlier: Sequence[Exchange] = (),
        control: Control | None = None,
    ) -> Solution:
        """`stream`, to its end. Raises VibeError if the problem cannot be solved at all."""
        *_, last = self.stream(problem, seed=seed, plan=plan, earlier=earlier, control=control)
        assert isinstance(last, Finished)
        return last.solution

    def with_sha256(self, solution: Solution) -> Solution:
        """The same with the hash of the model file: for a file seen for the first time, a second per gigabyte."""
        if not isinstance(self.chosen, Chosen):
            return solution
        try:
            digest = checksums.sha256(self.chosen.path)
        except ModelError:
            return solution  # the file has gone since it was loaded
        return replace(solution, model=replace(solution.model, sha256=digest))

    # What it may take

    def quote(self, plan: Plan) -> str | None:
        """A sentence about how long a vote may take; None if that is short, or nothing is known.

        At once, on any thread, unless a model is being loaded.
        """
        model = self.load()
        rates = self._rates or forecast.known(model)
        if model.file is None or forecast.is_quick(model) or rates is None:
            return None
        places = model.places if self._places >= self.places(plan) else self.places(plan)
        return forecast.expect(forecast.forecast(model, self.options, TYPICAL_QUESTION, plan, rates, places=places))


def _telling_threads(
    model: Model, events: Generator[SolveEvent, None, T]
) -> Generator[SolveEvent, None, tuple[Finished, T]]:
    """The same events, and between them how many threads compute, whenever other programs have changed that.

    The last of them, Finished, is returned, with the generator's own result.
    """
    known = ""
    finished: Finished | None = None
    with closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                assert finished
                return finished, end.value
            if isinstance(event, Finished):
                finished = event
                continue
            threads = model.engine.threads
            busy = str(threads) if threads.now < threads.most else ""
            if busy != known and isinstance(event, Wrote):
                known = busy
                yield Busy(busy)
            yield event


def load(model: str | None = None, options: Options | None = None, *, places: int = 1) -> Solver:
    """A Solver whose model is loaded, with room for so many Sequences at once. Raises ModelError."""
    solver = Solver(model, options)
    try:
        solver.load(places)
    except BaseException:
        solver.close()
        raise
    return solver


def solve(
    problem: str,
    model: str | None = None,
    *,
    seed: int | None = None,
    reliable: bool = False,
    budget: BudgetName = "standard",
    options: Options | None = None,
) -> Solution:
    """Load a model, solve one problem, and give the memory back; `reliable`, by the reliability pass.

    Raises ModelError, and UsageError if the problem cannot be solved at all.
    """
    with Solver(model, options) as solver:
        return solver.solve(problem, seed=seed, plan=solver.plan(budget) if reliable else None)
