"""The one pass: every source file is read once from start to end, hashed, and turned slab by slab into GGUF bytes.

Workers pull their slabs: reading and hashing happen in file order under one lock, converting in parallel (native calls
release the GIL). So memory is bounded by the workers' buffers, and the bytes do not depend on how many there are.
Does not know where the bytes go: a sink writes them (build) or compares them (verify).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from gguf import GGMLQuantizationType

from vibethinker_local.llama import kernels
from vibethinker_local.llama.kernels import Bytes, Floats
from vibethinker_local.system.progress import Progress

from . import q8_0
from .errors import CheckpointError
from .plan import SOURCE_TYPES, QuantizationPlan, TensorPlan
from .progress import TICK
from .source import Checkpoint

SLAB_WEIGHTS = 1 << 20  # 2 MiB in bf16, 4 MiB widened; the slowest kernel needs a third of a second for them
MANY = 16  # threads; of more, each gets smaller slabs, so that the buffers of all of them stay as large
LARGEST_F16 = 65504.0
WIDE = (GGMLQuantizationType.F32, GGMLQuantizationType.BF16)  # all other types keep their weights or scales in f16


@dataclass(frozen=True)
class Slab:
    """Whole rows of one tensor."""

    tensor: TensorPlan
    first_row: int
    rows: int

    @property
    def offset(self) -> int:
        """Where its bytes go, from the start of the data."""
        return self.tensor.offset + self.tensor.size // self.tensor.source.rows * self.first_row

    @property
    def size(self) -> int:
        """Bytes in the output."""
        return self.tensor.size // self.tensor.source.rows * self.rows

    @property
    def source_size(self) -> int:
        """Bytes in the shard."""
        return self.tensor.source.size // self.tensor.source.rows * self.rows

    @property
    def weights(self) -> int:
        return self.tensor.source.width * self.rows


Sink = Callable[[Slab, Bytes], None]
Importance = Mapping[str, Floats]  # by GGUF tensor name: one number per column


def slabs(tensor: TensorPlan, threads: int) -> Iterator[Slab]:
    step = max(1, SLAB_WEIGHTS * MANY // max(threads, MANY) // tensor.source.width)
    for row in range(0, tensor.source.rows, step):
        yield Slab(tensor, row, min(step, tensor.source.rows - row))


class Reader:
    """Reads the checkpoint's files, each byte once, in order. `read` may be called from `threads` threads at once."""

    def __init__(self, checkpoint: Checkpoint, plan: QuantizationPlan, threads: int) -> None:
        self.threads = threads
        self._lock = threading.Lock()
        self._buffer = memoryview(b"")
        self._slabs = self._walk(checkpoint, {tensor.source.name: tensor for tensor in plan.tensors})
        self._listing = hashlib.sha256()

    @property
    def fingerprint(self) -> str:
        """What `sha256sum FILES | sha256sum` prints for the checkpoint's files in order of name, once all is read."""
        return self._listing.hexdigest()

    def read(self, buffer: Bytes) -> Slab | None:
        """The next slab, with its source bytes put at the start of `buffer`; None when all is read."""
        with self._lock:
            self._buffer = buffer.data
            return next(self._slabs, None)

    def _walk(self, checkpoint: Checkpoint, planned: Mapping[str, TensorPlan]) -> Iterator[Slab]:
        for path in checkpoint.files:
            digest = hashlib.sha256()
            sources = [t for t in checkpoint.tensors.values() if t.file == path and t.name in planned]
            try:
                with path.open("rb", buffering=0) as file:
                    for source in sorted(sources, key=lambda source: source.offset):
                        self._hash_until(source.offset, file, digest)
                        for slab in slabs(planned[source.name], self.threads):
                            part = self._buffer[: slab.source_size]
                            _fill(part, file, path)
                            digest.update(part)
                            yield slab
                    self._hash_until(path.stat().st_size, file, digest)
            except OSError as error:
                raise CheckpointError(f"{path} cannot be read ({error.strerror})") from error
            self._listing.update(f"{digest.hexdigest()}  {path.name}\n".encode())

    def _hash_until(self, end: int, file: BinaryIO, digest: hashlib._Hash) -> None:
        while (left := end - file.tell()) > 0:
            part = self._buffer[:left]
            _fill(part, file, Path(file.name))
            digest.update(part)


def _fill(part: memoryview, file: BinaryIO, path: Path) -> None:
    while part:
        count = file.readinto(part)  # type: ignore[attr-defined]  # unbuffered files have it
        if not count:
            raise CheckpointError(f"{path} became shorter while it was read; download it again")
        part = part[count:]


def convert(slab: Slab, source: Bytes, scratch: Floats, importance: Floats | None) -> Bytes:
    """The slab's bytes in its planned type. `scratch` has room for its weights, float32.

    Raises CheckpointError, naming the tensor, for a weight that is not finite or that the type cannot hold.
    """
    tensor = slab.tensor
    weights = scratch[: slab.weights].reshape(slab.rows, tensor.source.width)
    source_type = SOURCE_TYPES[tensor.source.dtype]
    kernels.widen(source, source_type, weights)
    largest = max(float(weights.max()), -float(weights.min()))  # NaN if there is one
    place = f"{tensor.source.name} in {tensor.source.file}"
    if not np.isfinite(largest):
        raise CheckpointError(f"{place} holds a weight that is not a finite number; download it again")
    if source_type == tensor.type:
        return source
    out = np.empty(slab.size, np.uint8)
    if tensor.type is GGMLQuantizationType.Q8_0:
        q8_0.quantize(weights, out)
    else:
        kernels.quantize(weights, tensor.type, importance, out)
    if largest > LARGEST_F16 and tensor.type not in WIDE:
        kernels.widen(out, tensor.type, weights)
        if not np.isfinite(weights).all():
            advice = f"keep it wide with --tensor '{tensor.name}=BF16'"
            raise CheckpointError(f"{place} holds the weight {largest:g}, too large for {tensor.type.name}; {advice}")
    return out


def run(reader: Reader, plan: QuantizationPlan, importance: Importance, sink: Sink, stage: str) -> Iterator[Progress]:
    """Convert everything that `reader` gives and hand it to `sink`, which is called from the reader's threads at once.

    Raises what reader, convert or sink raise. Closing the iterator stops the workers after their current slab.
    """
    stop = threading.Event()
    threads = reader.threads
    done = [0] * threads  # bytes, one place per worker
    largest = max(next(slabs(tensor, threads)).weights for tensor in plan.tensors)

    def work(worker: int) -> None:
        buffer = np.empty(largest * 4, np.uint8)
        scratch = np.empty(largest, np.float32)
        while not stop.is_set() and (slab := reader.read(buffer)):
            source = buffer[: slab.source_size]
            sink(slab, convert(slab, source, scratch, importance.get(slab.tensor.name)))
            done[worker] += slab.source_size

    total = sum(tensor.source.size for tensor in plan.tensors)
    with ThreadPoolExecutor(threads, thread_name_prefix="quantize") as pool:
        try:
            futures = {pool.submit(work, worker) for worker in range(threads)}
            while futures:
                finished, futures = wait(futures, TICK)
                for future in finished:
                    future.result()
                yield Progress(stage, sum(done), total)
        finally:
            stop.set()
