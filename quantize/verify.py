"""Checks of a finished GGUF file: its header, its bytes, whether llama.cpp computes with it, and whether it is SRC's.

Does not repair and does not write.
"""

import hashlib
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from gguf import GGMLQuantizationType

from vibethinker_local.gguf.header import TOKENS, check
from vibethinker_local.gguf.reader import GgufFile, Tensor
from vibethinker_local.llama import kernels, observed
from vibethinker_local.system.progress import Progress

from . import stream
from .errors import MachineError, ModelError, RequestError
from .gguf_file import read_gguf
from .header import OUR_KEYS, SOURCE_SHA256, write_header
from .job import Job
from .plan import TENSOR_TYPES, QuantizationPlan, TensorPlan
from .progress import follow
from .stream import SLAB_WEIGHTS

Events = Generator[Progress, None, None]
IMATRIX_SHA256 = "quantize.imatrix.sha256"
# What a model is called, as its folder's name tells: another name may have been given, or the folder moved.
NAMES = {f"general.{key}" for key in ("name", "organization", "basename", "finetune", "version", "size_label")}


@dataclass(frozen=True)
class Written:
    """Bytes as they were handed to the operating system; `offset` is from the start of the file."""

    offset: int
    size: int
    sha256: bytes


def check_header(path: Path, plan: QuantizationPlan) -> None:
    """Raises ModelError unless the file's tensor list is the plan's."""
    file = read_gguf(path)
    found = [(t.name, t.shape, t.type, t.offset - file.data) for t in file.tensors]
    if found != [(t.name, t.source.shape, t.type, t.offset) for t in plan.tensors]:
        raise ModelError(f"{path} does not list the tensors that were planned; please report this")


def check_written(path: Path, written: Sequence[Written]) -> Events:
    """Read everything back. Raises MachineError if a byte is not what was written."""
    total, done = sum(record.size for record in written), 0
    with path.open("rb") as file:
        for record in sorted(written, key=lambda record: record.offset):
            file.seek(record.offset)
            if hashlib.sha256(file.read(record.size)).digest() != record.sha256:
                raise MachineError(f"{path} does not read back as it was written; is the disk sound?")
            done += record.size
            yield Progress("checking", done, total)


def check_loads(path: Path) -> Events:
    """Let llama.cpp load the file and evaluate a few tokens. Raises ModelError if it cannot, or not finitely."""
    yield from follow("loading", lambda meter: observed.check_loads(path, meter.stop))


def check_finite(file: GgufFile) -> Events:
    """Widen every weight. Raises ModelError for one that is not finite, and if the last matrix is nothing but zeros.

    A download leaves that which takes the room for all of a file first, and is stopped. Others may be zeros on purpose.
    """
    total, done = sum(tensor.size for tensor in file.tensors), 0
    scratch = np.empty(max(_step(tensor) * tensor.shape[-1] for tensor in file.tensors), np.float32)
    matrices = [tensor for tensor in file.tensors if len(tensor.shape) > 1]
    last = max(matrices, key=lambda tensor: tensor.offset, default=None)
    with file.path.open("rb") as content:
        for tensor in file.tensors:
            width = tensor.shape[-1]
            type = GGMLQuantizationType(tensor.type)
            size = kernels.row_size(type, width)
            rows = tensor.size // size
            content.seek(tensor.offset)
            empty = tensor is last
            for row in range(0, rows, _step(tensor)):
                count = min(_step(tensor), rows - row)
                raw = np.frombuffer(content.read(count * size), np.uint8)
                if raw.size < count * size:  # ggml would read on, beyond it
                    raise ModelError(f"{file.path} became shorter while it was read; build or fetch it again")
                weights = scratch[: count * width]
                kernels.widen(raw, type, weights)
                if not np.isfinite(weights).all():
                    raise ModelError(f"{tensor.name} in {file.path} holds a weight that is not finite; build again")
                empty = empty and not weights.any()
                done += raw.size
                yield Progress("checking", done, total)
            if empty:
                raise ModelError(f"{file.path} ends in zeros ({tensor.name}): build or fetch it again")


def _step(tensor: Tensor) -> int:
    return max(1, SLAB_WEIGHTS // tensor.shape[-1])


def verify(path: Path) -> Events:
    """Everything that the file alone can show. Raises ModelError with what is wrong."""
    file = read_gguf(path)
    check_keys(file)
    yield from check_finite(file)
    yield from check_loads(path)


def check_keys(file: GgufFile) -> None:
    """What a reader needs, beside what llama.cpp takes on trust (vibethinker_local/gguf/header.py).

    Raises ModelError with what is wrong.
    """
    check(file)
    keys = file.keys
    tokens = keys[TOKENS]
    assert isinstance(tokens, list)
    embedding = next((tensor for tensor in file.tensors if tensor.name == "token_embd.weight"), None)
    problem = None
    if embedding is None or len(tokens) != embedding.shape[0]:
        problem = "a vocabulary that does not fit its embedding"
    elif keys["tokenizer.ggml.model"] == "gpt2" and not isinstance(keys.get("tokenizer.ggml.pre"), str):
        problem = "no pre-tokenizer, so that llama.cpp would cut text in another way"
    elif keys.get("tokenizer.ggml.eos_token_id") not in range(len(tokens)):
        problem = "no eos token"
    if problem:
        raise ModelError(f"{file.path} has {problem}; build it again from a complete checkpoint")


def verify_against(path: Path, job: Job, threads: int) -> Events:
    """Make the file's bytes once more from the checkpoint and compare. The types are the file's own.

    Raises ModelError if keys or tensors differ, RequestError if another importance matrix was used.
    """
    file = read_gguf(path)
    mine = job.imatrix.sha256 if job.imatrix else None
    if mine != file.keys.get(IMATRIX_SHA256):
        how = "with another importance matrix" if mine else "with an importance matrix; give it with --imatrix"
        raise RequestError(f"{path} was built {how if IMATRIX_SHA256 in file.keys else 'without one'}")
    plan = _plan_of(file, job.plan)
    _compare_keys(file, job, plan)
    reader = stream.Reader(job.checkpoint, plan, threads)
    with path.open("rb") as content:
        lock = threading.Lock()

        def compare(slab: stream.Slab, expected: kernels.Bytes) -> None:
            with lock:
                content.seek(file.data + slab.offset)
                found = content.read(slab.size)
            if found != expected.tobytes():
                raise ModelError(f"{slab.tensor.name} in {path} is not what {job.checkpoint.folder} gives")

        yield from stream.run(reader, plan, job.importance, compare, "comparing")
    recorded = file.keys.get(SOURCE_SHA256)
    if recorded is not None and recorded != reader.fingerprint:
        raise ModelError(f"{path} was built from other files: it says {recorded}, these are {reader.fingerprint}")


def _plan_of(file: GgufFile, plan: QuantizationPlan) -> QuantizationPlan:
    """The job's tensors, with the types and places that the file gives them."""
    planned = {tensor.name: tensor for tensor in plan.tensors}
    if planned.keys() != {tensor.name for tensor in file.tensors}:
        raise ModelError(f"{file.path} does not hold the tensors that the checkpoint gives")
    tensors: list[TensorPlan] = []
    for found in file.tensors:
        tensor, type = planned[found.name], GGMLQuantizationType(found.type)
        if type not in TENSOR_TYPES.values():  # some need an importance matrix, or ggml ends the process
            raise ModelError(f"{found.name} in {file.path} is {type.name}, which is never built here")
        if found.shape != tensor.source.shape:
            raise ModelError(f"{found.name} in {file.path} has the shape {found.shape}, not {tensor.source.shape}")
        offset = found.offset - file.data
        tensors.append(TensorPlan(found.name, tensor.source, type, type, offset, found.size))
    return QuantizationPlan(plan.file_type, tuple(tensors))


def _compare_keys(file: GgufFile, job: Job, plan: QuantizationPlan) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "header.gguf"
        data = write_header(path, job.keys, [tensor.info for tensor in plan.tensors])
        with path.open("r+b") as header:
            header.truncate(data + plan.data_size)  # sparse, but complete to the reader
        expected = read_gguf(path).keys
    expected["general.file_type"] = file.keys.get("general.file_type", 0)  # the job's type is a stand-in
    for key in sorted((expected.keys() | file.keys.keys()) - NAMES):
        if not key.startswith(OUR_KEYS) and expected.get(key) != file.keys.get(key):
            raise ModelError(f"{file.path} has another {key} than {job.checkpoint.folder} gives")
