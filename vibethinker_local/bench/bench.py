"""`vibe bench`: how fast this machine runs a model, measured through the engine process that every command uses.

Prompts are random tokens, as in llama.cpp's own tools; sampling is the model's own, over the whole vocabulary. The
Sequences of a round share their prompt, as the trajectories of one problem do.
"""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from vibethinker_local.bench.measurement import DECODE, PREFILL, STEP, US, Measurement, step_rows, summary
from vibethinker_local.engine import SamplingParams, SequenceId
from vibethinker_local.engine.model_info import ModelInfo
from vibethinker_local.engine.planner import Planner
from vibethinker_local.engine.process import EngineProcess
from vibethinker_local.errors import EngineError, ModelError, UsageError
from vibethinker_local.gguf import header as gguf_header
from vibethinker_local.llama.recipe import LlamaModel
from vibethinker_local.models import memory, results
from vibethinker_local.models.installed import Chosen, ModelSpec
from vibethinker_local.runtime.model import SMALL_BYTES, AnyEngine, step_planner
from vibethinker_local.system import machine

SEQUENCES = "1,4,8,16"
WARM_UP = 16  # tokens
PROBE = 12  # tokens to decode when trying a number of threads
# Numbers of Sequences whose steps are timed, up to the largest number asked for.
STEPS = (*range(1, 11), 12, 14, 16, 20, 24, 28, 32)
STEP_PROMPT, STEP_TOKENS = 64, 4  # tokens
MOST = 255  # Sequences: llama.cpp's limit (LLAMA_MAX_SEQ), less the one that computes their prompt


@dataclass(frozen=True)
class BenchRequest:
    """What to measure. Raises UsageError for numbers of Sequences that are impossible or given twice."""

    sequences: tuple[int, ...] = (1, 4, 8, 16)
    prompt: int = 512  # tokens
    tokens: int = 24  # decoded by each Sequence
    rounds: int = 3
    threads: int | None = None  # None: the number that decodes fastest
    deep: bool = False  # the prompt only serves as context for decoding: it is computed once and not measured

    def __post_init__(self) -> None:
        if not self.sequences or not all(1 <= count <= MOST for count in self.sequences):
            raise UsageError(f"--sequences takes numbers from 1 to {MOST}, as in 1,4,8,16.")
        if len(set(self.sequences)) < len(self.sequences):
            raise UsageError("--sequences holds a number twice.")

    @property
    def most_sequences(self) -> int:
        return max(self.sequences)

    @property
    def context(self) -> int:
        """Tokens of each Sequence."""
        return self.prompt + _room(self.tokens) + 1

    @property
    def depth(self) -> int:
        """The tokens of context behind which Sequences decode, if that is what is measured; else 0."""
        return self.prompt if self.deep else 0


Peer = Callable[[Chosen, BenchRequest, int], Iterator[Measurement]]  # the last is the number of threads


@dataclass(frozen=True)
class Peers:
    """Programs to take turns with: figure by figure while our model is loaded, or alone (they measure both sides)."""

    prefill: tuple[Peer, ...] = ()
    decode: tuple[Peer, ...] = ()
    alone: tuple[Peer, ...] = ()


def counts(text: str) -> tuple[int, ...]:
    """`1,4,8` as numbers. Raises UsageError."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--sequences takes numbers as in 1,4,8,16, not {text!r}.") from None


class Bench:
    """A model in its engine, to be measured round by round."""

    def __init__(self, engine: AnyEngine, spec: ModelSpec, request: BenchRequest) -> None:
        """Warm up an engine for `request`, with one place more than its Sequences, for the prompt."""
        self._engine, self._spec, self._request = engine, spec, request
        self._random = random.Random(0)
        self._prompt: list[int] = []
        self._parent: SequenceId | None = None
        self.run([self.prompt(WARM_UP)], WARM_UP)

    @classmethod
    def load(cls, chosen: Chosen, request: BenchRequest, threads: int, planner: Planner | None = None) -> Self:
        """Load a model into a process of its own, as every command does. Raises ModelError, EngineError."""
        check_fit(chosen.path, request.context, request.most_sequences + 1, threads)
        planner = planner or step_planner(chosen, threads)
        return cls(EngineProcess(recipe(chosen.path, request, threads), planner=planner), chosen.spec, request)

    @property
    def info(self) -> ModelInfo:
        return self._engine.backend.info

    def close(self) -> None:
        self._engine.close()

    def prompt(self, tokens: int) -> list[int]:
        return [self._random.randrange(self._engine.backend.vocabulary) for _ in range(tokens)]

    def prefill(self) -> list[Measurement]:
        """Compute a new prompt for the Sequences, and measure it. A deep one is computed once and not measured."""
        request = self._request
        if self._parent is not None:
            if request.deep:
                return []
            self._engine.abort(self._parent)
        self._prompt = self.prompt(request.prompt)
        began = time.perf_counter()
        self._parent = self._engine.add(self._prompt, _params(self._spec, 0, 1))
        self._drain()
        seconds = time.perf_counter() - began
        return [] if request.deep else [Measurement(PREFILL, US, request.prompt / seconds)]

    def run(self, prompts: list[list[int]], tokens: int, *, shared: bool = False) -> float:
        """Seconds from adding the Sequences to the last token; `shared` if they all have the prompt of the first."""
        began = time.perf_counter()
        names: list[SequenceId] = []
        for seed, prompt in enumerate(prompts):
            parent = names[0] if shared and names else None
            names.append(self._engine.add(prompt, _params(self._spec, seed, tokens), parent=parent))
        self._drain()
        seconds = time.perf_counter() - began
        for name in names:
            self._engine.abort(name)
        return seconds

    def decode(self, count: int) -> Measurement:
        """The rate of those steps in which all `count` Sequences take part."""
        tokens, before = self._request.tokens, self._engine.spent
        params = [_params(self._spec, seed, _room(tokens)) for seed in range(count)]
        names = [self._engine.add(self._prompt, each, parent=self._parent) for each in params]
        times: list[float] = []
        while len(times) <= tokens and self._engine.busy:
            outputs = self._engine.step()
            if sum(output.token is not None for output in outputs) == count:
                times.append(self._engine.stepped_at)
        spent = self._engine.spent
        for name in names:
            self._engine.abort(name)
        self._drain()
        if len(times) < 2:
            raise EngineError("The Sequences did not run together: nothing could be measured. Give more --tokens.")
        rate = count * (len(times) - 1) / (times[-1] - times[0])
        sampling = (spent.sampling - before.sampling) / (spent.sampled - before.sampled)
        return Measurement(DECODE, US, rate, sequences=count, depth=self._request.depth, sampling_ms=1000 * sampling)

    def processor_ms(self, count: int) -> float:
        """Milliseconds of processor time for a token of `count` Sequences: all threads together, with sampling."""
        before = self._engine.spent
        self.decode(count)
        after = self._engine.spent
        return 1000 * (after.processor - before.processor) / (after.sampled - before.sampled)

    def step(self, count: int) -> Measurement:
        """The time of a step of `count` Sequences."""
        found = self.decode(count)
        return replace(found, what=STEP, value=1000 * count / found.value, unit="ms")

    def _drain(self) -> None:
        while self._engine.busy:
            self._engine.step()


def recipe(path: Path, request: BenchRequest, threads: int) -> LlamaModel:
    """How to load a model for `request`: with one place more than its Sequences, for the prompt."""
    places = request.most_sequences + 1
    return LlamaModel(path, request.context * places, places, threads)


def run(
    chosen: Chosen,
    request: BenchRequest,
    depth: int | None,
    peers: Peers,
    say: Callable[[str], None],
    *,
    busy: int = 0,
) -> results.Figures:
    """Measure what is requested, and the same behind `depth` tokens; `say` gets each figure. Raises VibeError.

    The peers take turns with us at each figure, because a machine's speed changes within minutes. So many `busy`
    programs compute beside both sides, once the number of threads and the times of steps are known.
    """
    size = _size(chosen.path)
    parts = (request, *([replace(request, prompt=depth, deep=True)] if depth else []))
    for part in parts:  # now, and not after minutes of measuring
        check_fit(chosen.path, part.context, part.most_sequences + 1, request.threads or machine.threads())
    threads = request.threads or fastest_threads(chosen)
    rows: list[Measurement] = []

    def note(measurements: Iterable[Measurement]) -> None:
        for row in measurements:
            rows.append(row)
            say(str(row))

    note(step_times(chosen, request, threads))
    planner = Planner({row.tokens: row.seconds for row in step_rows(rows)})
    with neighbours(busy):
        info = _take_turns(chosen, parts, peers, threads, planner, note)
    return summary(chosen, size, info, request.prompt, threads, rows)


def _take_turns(
    chosen: Chosen,
    parts: Sequence[BenchRequest],
    peers: Peers,
    threads: int,
    planner: Planner,
    note: Callable[[Iterable[Measurement]], None],
) -> ModelInfo:
    """Measure ourselves and the peers, round by round. Returns what the model's file says of itself."""
    for part in parts:
        with closing(Bench.load(chosen, part, threads, planner)) as bench:
            for _ in range(part.rounds):
                note(bench.prefill())
                for peer in peers.prefill:
                    note(peer(chosen, part, threads))
                for count in part.sequences:
                    note([bench.decode(count)])
                    for peer in peers.decode:
                        note(peer(chosen, replace(part, sequences=(count,)), threads))
            info = bench.info
    for _ in range(parts[0].rounds):
        for peer in peers.alone:
            note(peer(chosen, parts[0], threads))
    return info


# Ctrl-C is for us; and it ends with us, whatever ends us.
_NEIGHBOUR = """
import os, signal, threading
signal.signal(signal.SIGINT, signal.SIG_IGN)
threading.Thread(target=lambda: (os.read(0, 1), os._exit(0)), daemon=True).start()
while True: pass
"""


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """So many other programs, each of which keeps a core busy inside the block."""
    with ExitStack() as stack:
        for _ in range(count):
            program = subprocess.Popen([sys.executable, "-P", "-c", _NEIGHBOUR], stdin=subprocess.PIPE)
            stack.enter_context(program)
            stack.callback(program.kill)
        yield


def step_times(chosen: Chosen, request: BenchRequest, threads: int) -> Iterator[Measurement]:
    """How long a step of one batch takes for each number of Sequences, up to that of `request`; round by round."""
    counts = tuple(count for count in STEPS if count <= request.most_sequences)
    asked = BenchRequest(counts, STEP_PROMPT, STEP_TOKENS)
    with closing(Bench.load(chosen, asked, threads, Planner())) as bench:
        bench.prefill()
        for _ in range(request.rounds):
            yield from map(bench.step, counts)


def check_fit(path: Path, context: int, sequences: int, threads: int) -> None:
    """Raises ModelError if the model does not fit into memory with so many Sequences."""
    header, room = gguf_header.read(path), machine.room()
    needed = memory.need(header, context * sequences, sequences, threads=threads)
    if not needed.fits(room):
        raise ModelError(
            f"{sequences - 1} Sequences of {context:,} tokens do not fit into memory: they need "
            f"{memory.shortage(needed, room)}. Measure fewer (--sequences), fewer tokens (--prompt, --depth), or a "
            "smaller quant."
        )


def fastest_threads(chosen: Chosen) -> int:
    """The number of threads with which one Sequence decodes fastest: all performance cores, all CPUs, or one."""
    candidates = {machine.threads(), machine.logical_cpus()}
    if _size(chosen.path) < SMALL_BYTES:  # it may run fastest on a single thread
        candidates.add(1)
    if len(candidates) == 1:
        return candidates.pop()
    request = BenchRequest((1,), prompt=WARM_UP, tokens=PROBE)
    rates = {}
    for threads in sorted(candidates):
        with closing(Bench.load(chosen, request, threads)) as bench:
            bench.prefill()
            rates[threads] = max(bench.decode(1).value for _ in range(3))
    return max(rates, key=lambda threads: rates[threads])


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise ModelError(f"The model file {path} has gone: {error.strerror}.") from error


def _params(spec: ModelSpec, seed: int, tokens: int) -> SamplingParams:
    """The model's own sampling, but without stop tokens."""
    return SamplingParams(seed, tokens, temperature=spec.temperature, top_p=spec.top_p, top_k=spec.top_k)


def _room(tokens: int) -> int:
    """The max_tokens with which all Sequences run together for `tokens` steps although they start one by one."""
    return 2 * tokens + 64
