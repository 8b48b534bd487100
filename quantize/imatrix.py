"""Reads and writes importance matrices in llama-imatrix's GGUF form: how much each input column of a tensor matters.

Knows the form (tools/imatrix/imatrix.cpp) and what llama-quantize makes of it (tools/quantize/quantize.cpp). Does not
compute one.
"""

import hashlib
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter

from vibethinker_local.gguf.reader import GgufFile, Tensor
from vibethinker_local.llama.kernels import Floats

from .errors import ModelError, RequestError
from .gguf_file import read_gguf
from .header import Provenance, TensorInfo, pad, save
from .output import partial
from .plan import QuantizationPlan

SUMS, COUNTS = ".in_sum2", ".counts"
HEADER_SPARE = 1 << 20  # bytes; more than the header needs, for the check of free space
MAX_NAME = 1000  # characters of a tensor in the old form; llama.cpp allows 64


@dataclass(frozen=True)
class Imatrix:
    """`importance` maps a GGUF tensor name to the mean square of each input column: (width,) float32."""

    path: Path
    sha256: str
    datasets: tuple[str, ...]
    chunks: int
    importance: dict[str, Floats]

    @property
    def provenance(self) -> tuple[Provenance, ...]:
        """llama-quantize's keys, and the hash. The file's name only: a path would differ from machine to machine."""
        return (
            Provenance("quantize.imatrix.file", self.path.name),
            *(Provenance("quantize.imatrix.dataset", name) for name in self.datasets[:1]),
            Provenance("quantize.imatrix.entries_count", len(self.importance)),
            *(Provenance("quantize.imatrix.chunks_count", n) for n in [self.chunks] if n > 0),
            Provenance("quantize.imatrix.sha256", self.sha256),
        )


@dataclass(frozen=True)
class Activations:
    """`sums` maps a GGUF tensor name to the squares of each of its input columns, summed over `tokens`: (width,)."""

    dataset: str
    chunks: int
    chunk_size: int
    sums: dict[str, Floats]

    @property
    def tokens(self) -> int:
        return self.chunks * self.chunk_size


def read_imatrix(path: Path) -> Imatrix:
    """Raises ModelError unless `path` is a complete importance matrix of finite numbers."""
    _refuse_old_form(path)
    file = read_gguf(path)
    datasets, chunks = file.keys.get("imatrix.datasets"), file.keys.get("imatrix.chunk_count")
    if not isinstance(datasets, list) or not isinstance(chunks, int) or not file.tensors:
        raise ModelError(f"{path} is a GGUF file, but not an importance matrix as llama-imatrix writes it")
    content = path.read_bytes()
    tensors = {tensor.name: tensor for tensor in file.tensors}
    importance = {
        name.removesuffix(SUMS): _mean_square(file, content, tensor, tensors.get(name.removesuffix(SUMS) + COUNTS))
        for name, tensor in tensors.items()
        if name.endswith(SUMS)
    }
    return Imatrix(path, hashlib.sha256(content).hexdigest(), tuple(map(str, datasets)), chunks, importance)


def _refuse_old_form(path: Path) -> None:
    """llama-imatrix wrote how many entries follow, then each: the length of its name, the name, and numbers."""
    try:
        with path.open("rb") as file:
            entries, length = struct.unpack("<ii", file.read(8))
            name = file.read(min(max(length, 0), MAX_NAME))
    except (OSError, struct.error):
        return
    if entries > 0 and len(name) == length and re.fullmatch(rb"[\w.]+\.weight", name):
        raise ModelError(
            f"{path} is an importance matrix in the old form; make a new one of it with "
            f"`llama-imatrix --in-file {path.name} -o NEW.gguf`, or compute one with `quantize imatrix`"
        )


def _mean_square(file: GgufFile, content: bytes, sums: Tensor, counts: Tensor | None) -> Floats:
    if counts is None or sums.type != GGMLQuantizationType.F32 or counts.type != GGMLQuantizationType.F32:
        raise ModelError(f"{file.path} lacks the counts of {sums.name}, or holds them in another type than F32")
    totals = np.frombuffer(content, np.float32, sums.size // 4, sums.offset)
    count = np.frombuffer(content, np.float32, counts.size // 4, counts.offset).round()
    if count.size != 1:
        raise ModelError(f"{file.path} is for a mixture of experts ({sums.name}), which Qwen2 is not")
    mean = totals / count[0] if count[0] != 0 else np.ones_like(totals)  # never seen: every column counts alike
    if not np.isfinite(count[0]) or not (np.isfinite(mean) & (mean >= 0)).all():
        raise ModelError(f"{file.path} holds numbers that no squares add up to, for {sums.name}; compute it again")
    return mean.astype(np.float32)


def write_imatrix(out: Path, activations: Activations) -> None:
    """Byte for byte what llama-imatrix would write. An earlier `out` is kept until the new file is complete."""
    writer = GGUFWriter(None, "imatrix")
    writer.kv_data[0].clear()  # llama-imatrix names no architecture
    writer.add_string("general.type", "imatrix")
    writer.add_array("imatrix.datasets", [activations.dataset])
    writer.add_uint32("imatrix.chunk_count", activations.chunks)
    writer.add_uint32("imatrix.chunk_size", activations.chunk_size)
    count = np.array([activations.tokens], np.float32)
    parts = [part for name, sums in activations.sums.items() for part in ((name + SUMS, sums), (name + COUNTS, count))]
    infos = [TensorInfo(name, part.shape, GGMLQuantizationType.F32, part.nbytes) for name, part in parts]
    with partial(out, sum(pad(info.size) for info in infos) + HEADER_SPARE) as file:
        offset = save(writer, file.path, infos)
        file.resize(offset + sum(pad(info.size) for info in infos))
        for _, part in parts:
            file.write(offset, part.tobytes())
            offset += pad(part.nbytes)
        file.sync()
        file.commit()


def check_belongs(imatrix: Imatrix, plan: QuantizationPlan) -> None:
    """Raises RequestError if the matrix was made for another shape. A tensor without an entry is no error."""
    matching = [tensor for tensor in plan.tensors if tensor.name in imatrix.importance]
    for tensor in matching:
        columns = imatrix.importance[tensor.name].size
        if columns != tensor.source.width:
            raise RequestError(
                f"{imatrix.path} has {columns} columns for {tensor.name}, which has {tensor.source.width}; "
                "it was made for another model"
            )
    if not matching:
        raise RequestError(f"{imatrix.path} has no entry for any tensor of this model; it was made for another one")
