"""Recipes for the engine's process that load the bundled model and then misbehave, in there, as real ones might."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fakes import ScriptedBackend, mixes
from vibethinker_local.engine.backend import Logits, Slice
from vibethinker_local.llama import amx
from vibethinker_local.llama.backend import LlamaBackend
from vibethinker_local.llama.recipe import LlamaModel


@dataclass(frozen=True)
class Scripted:
    """No model: tokens from a hash of those before them."""

    context: int = 512
    places: int = 4
    cells: int | None = None
    first: int | None = None

    def open(self, loading: object = None) -> ScriptedBackend:
        return ScriptedBackend(mixes, context=self.context, places=self.places, cells=self.cells, first=self.first)


class Faulty(LlamaBackend):
    """Does something before each batch."""

    fault: "Fault"
    decoded = 0

    def decode(self, slices: Sequence[Slice], padding: int = 0) -> Logits:
        self.decoded += 1
        if self.decoded > self.fault.after:
            self.fault.strike(self)
        return super().decode(slices, padding)


@dataclass(frozen=True)
class Fault(LlamaModel):
    """Takes its time."""

    after: int = 0  # batches

    def open(self, loading: object = None) -> LlamaBackend:
        backend = Faulty(self.path, cells=self.cells, places=self.places, threads=self.threads)
        backend.fault = self
        return backend

    def strike(self, backend: LlamaBackend) -> None:
        time.sleep(0.02)


class Killed(Fault):
    """As the system does when memory runs short."""

    def strike(self, backend: LlamaBackend) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


class TooManyThreads(Fault):
    """As OpenMP ends a process where the system gives it no more threads."""

    def strike(self, backend: LlamaBackend) -> None:
        os.write(2, b"\nlibgomp: Thread creation failed: Resource temporarily unavailable\n")
        os._exit(1)


def make_amx_crash() -> None:
    """In this process, as on a processor with AMX for which llama.cpp was compiled wrongly.

    Where there is no AMX, another buffer type of llama.cpp's stands for it.
    """
    if amx.BUFFER_TYPE not in amx.buffer_types()[1]:
        amx.BUILT_WITH, amx.BUFFER_TYPE = b"", b"CPU_REPACK"
    amx.TRIAL = "tests.llama.trial"


@dataclass(frozen=True)
class AmxCrashes(LlamaModel):
    """Would crash at the first multiplication."""

    def open(self, loading: object = None) -> LlamaBackend:
        make_amx_crash()
        return super().open()


class Asserts(Fault):
    """Makes llama.cpp fail one of its assertions: there is no place of that number."""

    def strike(self, backend: LlamaBackend) -> None:
        backend.copy(0, 99_999)


class OutOfMemory(Fault):
    """Leaves the process no further memory, and has llama.cpp ask for some."""

    def strike(self, backend: LlamaBackend) -> None:
        import resource

        text = b"x" * 50_000_000
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now, now))
        ids = (backend._native.llama_token * 1)()
        backend._native.llama_tokenize(backend._vocab, text, len(text), ids, 1, False, False)


class CutOff(Fault):
    """The file that the weights are mapped from loses its end."""

    def strike(self, backend: LlamaBackend) -> None:
        os.truncate(self.path, 4096)
