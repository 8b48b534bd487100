"""What llama.cpp saves of a place, restored into a cache with another number of places.

Behind a head, a saved state has the number of streams, as llama.cpp calls what places have of their own, and a count of
cells for each, all but one of which are 0 (src/llama-context.cpp, state_seq_get_data, and src/llama-kv-cache.cpp,
state_write, as of llama-cpp-python 0.3.36). llama.cpp restores only what was saved from as many streams. A model some
of whose layers look at a sliding window has two such caches, and both are saved, one behind the other.
"""

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEAD = 8  # bytes: a magic number and the place


@dataclass(frozen=True, eq=False)
class Contents:
    data: NDArray[np.uint8]
    window: int  # where the state of the second cache begins; HEAD if there is one only


def save(native: Any, context: Any, place: int) -> Contents:
    """All that a place holds."""
    data = np.empty(size(native, context, place), np.uint8)
    native.llama_state_seq_get_data(context, _pointer(data), len(data), place)
    # The second cache's alone; or else all, since nothing can be left out of one.
    partial = int(native.llama_state_seq_get_size_ext(context, place, native.LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY))
    return Contents(data, HEAD + len(data) - partial)


def size(native: Any, context: Any, place: int) -> int:
    """Bytes of what `save` returns."""
    return int(native.llama_state_seq_get_size(context, place))


def restore(native: Any, context: Any, place: int, contents: Contents) -> bool:
    """Fill an empty place. False if llama.cpp refused, and the place may hold anything."""
    streams, data = int(native.llama_n_seq_max(context)), contents.data
    if _streams(data[HEAD:]) != streams:
        caches = [cache for cache in (data[HEAD : contents.window], data[contents.window :]) if len(cache)]
        data = np.concatenate([data[:HEAD], *(_with_streams(cache, streams) for cache in caches)])
    return bool(native.llama_state_seq_set_data(context, _pointer(data), len(data), place))


def _streams(cache: NDArray[np.uint8]) -> int:
    return int.from_bytes(cache[:4].tobytes(), sys.byteorder)


def _with_streams(cache: NDArray[np.uint8], streams: int) -> NDArray[np.uint8]:
    """What a cache with so many streams would have saved."""
    saved = _streams(cache)
    counts = np.frombuffer(cache[4 : 4 * (saved + 1)].tobytes(), np.uint32)
    before = int(np.argmax(counts != 0))  # the first 0, if there is nothing else
    held = cache[4 * (1 + before) : len(cache) - 4 * (saved - 1 - before)]
    number = np.array([streams], np.uint32).view(np.uint8)
    return np.concatenate([number, held, np.zeros(4 * (streams - 1), np.uint8)])


def _pointer(data: NDArray[np.uint8]) -> Any:
    return data.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
