"""A loaded model: its engine, and what is needed to talk to it."""

import logging
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from vibethinker_local.engine import SamplingParams, SequenceId, Spent, StepOutput, ThreadCount
from vibethinker_local.engine.connection import Connection
from vibethinker_local.engine.model_info import ModelInfo
from vibethinker_local.engine.planner import Planner
from vibethinker_local.engine.process import EngineProcess
from vibethinker_local.errors import ModelError
from vibethinker_local.events import Exchange, ModelIdentity, Options, ProblemKind
from vibethinker_local.gguf import chat
from vibethinker_local.gguf.header import Header
from vibethinker_local.llama.attention import BLOCK
from vibethinker_local.llama.recipe import LlamaModel
from vibethinker_local.models import checksums, lengths, memory, results
from vibethinker_local.models.installed import Chosen, ModelSpec
from vibethinker_local.remote import served
from vibethinker_local.remote.served import Served
from vibethinker_local.runtime import prompts, template
from vibethinker_local.runtime.reasoning import TAGS, Tags, split
from vibethinker_local.system import machine
from vibethinker_local.system.progress import Progress

log = logging.getLogger("vibethinker_local.runtime.model")

EARLIER_SHARE = 1 / 3  # of the context, at most, goes to earlier exchanges; the rest is for thinking
SMALL_BYTES = 50_000_000  # below this, a step takes less time than waking other threads
AT_ONCE = 16  # Sequences worth running together, where nothing was measured: kernels are fastest from there on
QUESTION: template.Messages = [{"role": "user", "content": "?"}]  # to see what the template writes around one
TYPICAL_PROMPT, LEAST_TYPICAL = 1024, 2048  # tokens


class TextBackend(Protocol):
    """What can be asked of a loaded model without computing anything."""

    @property
    def info(self) -> ModelInfo: ...
    @property
    def context(self) -> int: ...
    @property
    def vocabulary(self) -> int: ...
    def tokenize(self, text: str, *, special: bool) -> list[int]: ...
    def piece(self, token: int) -> bytes: ...


class AnyEngine(Protocol):
    """An `engine.engine.Engine` in this process, a handle to one in another process, or servers elsewhere."""

    @property
    def backend(self) -> TextBackend: ...
    @property
    def busy(self) -> bool: ...
    @property
    def cells_used(self) -> int: ...
    @property
    def spent(self) -> Spent: ...
    @property
    def stepped_at(self) -> float: ...
    @property
    def threads(self) -> ThreadCount: ...
    def add(self, tokens: Iterable[int], params: SamplingParams, *, parent: SequenceId | None = None) -> SequenceId: ...
    def force(self, id: SequenceId, tokens: Iterable[int], *, then: int) -> None: ...
    def abort(self, id: SequenceId) -> None: ...
    def score(
        self, tokens: Iterable[int], labels: tuple[int, ...], *, parent: SequenceId | None = None
    ) -> SequenceId: ...
    def step(self) -> list[StepOutput]: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Model:
    """A loaded model: its engine, and what is needed to talk to it."""

    chosen: Chosen | Served
    engine: AnyEngine
    places: int = 1  # Sequences that run at once
    cells: int | None = None  # of the KV cache at most, for all Sequences together; None: they are not counted
    notices: tuple[str, ...] = ()  # what the user should know about how it was loaded

    @property
    def name(self) -> str:
        return self.chosen.name

    @property
    def spec(self) -> ModelSpec:
        return self.chosen.spec

    @property
    def path(self) -> Path:
        """The file that was loaded; of a model on servers elsewhere only what it would be called."""
        return self.chosen.path

    @property
    def file(self) -> Chosen | None:
        """The file that was loaded; None for a model on servers elsewhere."""
        return self.chosen if isinstance(self.chosen, Chosen) else None

    @property
    def context(self) -> int:
        """Tokens that each Sequence may have."""
        return self.backend.context

    @property
    def backend(self) -> TextBackend:
        return self.engine.backend

    @property
    def identity(self) -> ModelIdentity:
        if isinstance(self.chosen, Served):
            return ModelIdentity(self.name, served_as=self.chosen.servers[0].model, server=self.chosen.where)
        return ModelIdentity(self.name, self.chosen.path.name, self.backend.info.quant)

    def encode(
        self,
        problem: str,
        earlier: Sequence[Exchange] = (),
        *,
        talk: bool = False,
        kind: ProblemKind | None = None,
        think: int | None = None,
    ) -> list[int]:
        """The prompt as token ids: a problem after earlier exchanges; with `talk`, a message of a conversation."""
        return self.encode_chat((prompts.talk if talk else prompts.solve)(problem, earlier, kind), think)

    def recent(self, problem: str, earlier: Sequence[Exchange], kind: ProblemKind | None = None) -> Sequence[Exchange]:
        """The newest exchanges that, with the problem, take at most EARLIER_SHARE of the context."""
        if self.spec.alone:
            return ()
        room = int(self.context * EARLIER_SHARE)
        dropped = bisect_left(
            range(len(earlier)), True, key=lambda drop: len(self.encode(problem, earlier[drop:], kind=kind)) <= room
        )
        return earlier[dropped:]

    def encode_chat(self, messages: template.Messages, think: int | None = None) -> list[int]:
        """A conversation up to where the model's reply begins, as token ids; where `think` is 0, without reasoning."""
        switch, source = self._switch, self._template
        variables = {switch: think > 0} if switch and think is not None else None
        prompt = template.encode(source, messages, self.backend.tokenize, variables=variables)
        if think == 0 and (switch is None or self.opens_reasoning(prompt)):
            prompt += self.backend.tokenize(self.no_reasoning, special=True)
        return prompt

    def encode_turn(self, problem: str, message: str, kind: ProblemKind | None = None) -> list[int]:
        """The tokens between the model's reply to a problem and its reply to a further message."""
        chat = [
            *prompts.solve(problem, kind=kind),
            {"role": "assistant", "content": ""},
            {"role": "user", "content": message},
        ]
        turn = template.encode(self._template, chat, self.backend.tokenize, after=-2)
        opened = self.opens_reasoning(turn)
        return turn + self.backend.tokenize(self.no_reasoning, special=True) if opened else turn

    @cached_property
    def _template(self) -> template.ChatTemplate:
        info = self.backend.info
        if not info.template:
            raise ModelError(f"{self.path.name} has no chat template: use a file that was converted with one.")
        return template.ChatTemplate(
            info.template, self.path.name, info.controls, info.bos, info.eos, adds_bos=info.adds_bos
        )

    # How it reasons

    @cached_property
    def tags(self) -> Tags:
        """What it writes before and after its reasoning."""
        return self.spec.think or self.backend.info.think or TAGS

    @property
    def reasons(self) -> bool:
        """Whether its entry or its template says that it reasons first; a model may do so without either."""
        return bool(self.spec.think or self.backend.info.think)

    @cached_property
    def _switch(self) -> str | None:
        """The template's variable that turns reasoning off, if that makes a difference to what it writes."""
        name = chat.switch(self._template.source)
        if name is None:
            return None
        on, off = (
            template.encode(self._template, QUESTION, self.backend.tokenize, variables={name: value})
            for value in (True, False)
        )
        return name if on != off else None

    @property
    def close_reasoning(self) -> str:
        """The text that ends its reasoning when tokens run out."""
        return prompts.close_reasoning(self.tags[1], self.spec.closing)

    @cached_property
    def no_reasoning(self) -> str:
        """The text that begins a reply without reasoning."""
        close = prompts.close_reasoning(self.tags[1])
        if self._opens:
            return close
        return f"{self.tags[0]}\n{close}" if self.reasons else ""

    @cached_property
    def _opens(self) -> bool:
        """Whether the template writes the opening tag at the beginning of a reply."""
        return self.opens_reasoning(template.encode(self._template, QUESTION, self.backend.tokenize))

    def opens_reasoning(self, prompt: list[int]) -> bool:
        """Whether a prompt ends in an opening tag that the template wrote."""
        return b"".join(map(self.backend.piece, prompt[-16:])).rstrip().endswith(self.tags[0].encode())

    def visible(self, reply: str) -> str:
        """What is visible of a whole reply."""
        return split(reply, opened=self._opens, tags=self.tags)[1]

    def params(
        self, options: Options, seed: int, max_tokens: int, *, reserve: int = 0, grammar: str | None = None
    ) -> SamplingParams:
        """The sampling parameters: the user's, or else those of the model's entry in models.toml."""
        spec = self.spec
        return SamplingParams(
            seed=seed,
            max_tokens=max_tokens,
            reserve=reserve,
            temperature=spec.temperature if options.temperature is None else options.temperature,
            top_p=options.top_p or spec.top_p,
            top_k=spec.top_k,
            min_p=spec.min_p,
            stop_ids=self.stop_ids(),
            grammar=grammar,
            typical=typical_tokens(self.chosen),
        )

    def stop_ids(self) -> frozenset[int]:
        """The tokens that end a reply: those named by the file, and those stops in models.toml that are one token."""
        tokenized = (self.backend.tokenize(stop, special=True) for stop in self.spec.stops)
        return self.backend.info.ends | {ids[0] for ids in tokenized if len(ids) == 1}


def load(
    chosen: Chosen | Served,
    options: Options,
    *,
    threads: int,
    places: int = 1,
    connection: Connection | None = None,
    loading: Callable[[Progress], None] | None = None,
) -> Model:
    """Load a model, with the largest context that one of `places` Sequences can grow to. Raises ModelError.

    A `connection` made in advance saves the time that the process takes to start. `loading` hears how far it is.
    """
    if isinstance(chosen, Served):
        if connection:
            connection.end()
        return _elsewhere(chosen, options, places)

    def told(share: float) -> None:
        if loading:
            loading(Progress(f"loading {chosen.path.name}", int(share * header.weights), header.weights))

    header = chosen.header
    threads = options.threads or _threads(chosen.path, header, threads)
    plan = memory.plan(
        header,
        machine.room(),
        sequences=places,
        context=options.context,
        most=chosen.spec.context,
        cache=options.cache,
        threads=threads,
    )
    log.info("%s; it needs %s", plan.reason, plan.need)
    recipe = LlamaModel(chosen.path, plan.cells, plan.sequences, threads, options.cache, plan.context, plan.first)
    engine = EngineProcess(recipe, connection, planner=step_planner(chosen, threads), loading=told)
    less = plan.sequences < places or plan.context < min(options.context or chosen.spec.context, header.trained_context)
    notices = (plan.reason if less else None, _unusual(options.context, header), engine.info.notice)
    return Model(chosen, engine, plan.sequences, plan.cells, tuple(filter(None, notices)))


def _unusual(context: int | None, header: Header) -> str | None:
    """A warning about a requested context that is too short or too long; None if there is nothing to say."""
    if context is None:
        return None
    if context < BLOCK:
        return f"A context of {context} tokens is below the least that llama.cpp has: it holds {BLOCK:,}."
    if context > header.trained_context:
        return f"The model was trained with {header.trained_context:,} tokens: beyond them it may write nonsense."
    return None


def _elsewhere(chosen: Served, options: Options, places: int) -> Model:
    """A model on servers, with as many places as are wanted and they have."""
    from vibethinker_local.remote.engine import RemoteEngine  # only now: it takes a moment to import

    known = [tokens for tokens in (chosen.context, options.context) if tokens]
    context = min(known) if known else served.CONTEXT
    engine = RemoteEngine(chosen, prompts.quoted, context)
    return Model(chosen, engine, min(places, chosen.places), None, tuple(chosen.notices(context_given=bool(known))))


def fingerprint(chosen: Chosen | Served) -> str:
    """What a bank or a calibration knows a model by: its file's sha256, or what servers call it. Raises ModelError."""
    return chosen.fingerprint if isinstance(chosen, Served) else checksums.sha256(chosen.path)


def typical_tokens(chosen: Chosen | Served) -> int:
    """Tokens that a Sequence of a model has at its end, its prompt among them: most of its solutions have fewer."""
    spec = chosen.spec  # earlier problems may have been easy: never plan with less than its entry says
    solution = spec.typical_tokens[1] if "typical_tokens" in spec.model_fields_set else 0
    return max(LEAST_TYPICAL, max(solution, lengths.typical(chosen)[1]) + TYPICAL_PROMPT)


def at_once(chosen: Chosen | Served, most: int) -> int:
    """How many Sequences, up to `most`, together decode the most tokens per second."""
    if isinstance(chosen, Served):
        return min(most, chosen.places)
    measured, usual = results.of(chosen.path), min(most, AT_ONCE)
    if measured is None or measured.most_sequences < usual:  # one Sequence's speed says nothing about sixteen
        return usual
    return measured.best_sequences(most)


def step_planner(chosen: Chosen, threads: int) -> Planner:
    """A planner with the times that `vibe bench` measured for this number of threads, or else one that learns them.

    For a very small model it does not learn: it would learn the machine's noise rather than the shape of its kernels.
    """
    measured = results.of(chosen.path)
    if measured and measured.planner and measured.machine == results.here(threads):
        return measured.planner
    return Planner(learns=chosen.header.weights >= SMALL_BYTES)


def _threads(path: Path, header: Header, cores: int) -> int:
    """The number that `vibe bench` found fastest; else one per performance core, but a single one for a tiny model."""
    if measured := results.of(path):
        return measured.machine.threads
    return 1 if header.weights < SMALL_BYTES else cores  # waking the others would take longer than the work
