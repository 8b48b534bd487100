"""Describes a model to load. It is sent to the engine's process, and only there is llama.cpp imported."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vibethinker_local.events import CacheType

if TYPE_CHECKING:
    from vibethinker_local.llama.backend import LlamaBackend


@dataclass(frozen=True)
class LlamaModel:
    path: Path
    cells: int  # the most of all places together
    places: int
    threads: int
    cache: CacheType = "f16"
    context: int | None = None  # the most cells of a place; None: its part of all
    first: int | None = None  # cells of a place in the beginning; None: its part of all, up to its context

    def open(self, loading: Callable[[float], None] | None = None) -> "LlamaBackend":
        """`loading` hears which share of the weights is in memory. Raises ModelError."""
        from vibethinker_local.llama.backend import LlamaBackend

        backend = LlamaBackend(
            self.path,
            cells=self.cells,
            places=self.places,
            threads=self.threads,
            cache=self.cache,
            context=self.context,
            first=self.first,
            loading=loading,
        )
        try:
            backend.try_out()
        except BaseException:
            backend.close()
            raise
        return backend
