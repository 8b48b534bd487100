"""Measures a quantized model against its base, as `llama-perplexity --kl-divergence` does, on the same chunks.

The base's log-probabilities go to a file first, in llama-perplexity's own form, 16 bits each; so only one model is in
memory at a time, and one base serves many quantized files. Only the second half of a chunk counts: it has a context.
"""

import shutil
import struct
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vibethinker_local.gguf.reader import GgufFile
from vibethinker_local.llama.kernels import Floats
from vibethinker_local.llama.observed import BATCH, Context, context, load
from vibethinker_local.system.progress import Progress

from .divergence import Doubles, Quality, Scores, compare, encode, quality, row_size, surprise
from .errors import MachineError, ModelError
from .gguf_file import read_gguf
from .progress import Meter, follow
from .text import Cut, EvaluationText, cut
from .verify import check_keys

MAGIC = b"_logits_"
ROOM = "free some space there, or set TMPDIR to a folder that has it, or read less of the text with --chunks"


@dataclass(frozen=True)
class Base:
    """What the base model expects at every token that counts; `rows` is where its rows begin in `logits`, in bytes."""

    path: Path
    vocabulary: int
    chunks: list[list[int]]
    logits: Path
    rows: int
    nll: Doubles  # (tokens,): negative log-probability of the token that came


@dataclass(frozen=True)
class Evaluation:
    quality: Quality
    text: str
    chunks: int
    chunk_size: int


def evaluate(
    base: Path, quantized: Path, text: EvaluationText, into: Cut, threads: int
) -> Generator[Progress, None, Evaluation]:
    """Raises ModelError for unsound files or such of two families, RequestError for too short a text."""
    check_keys(read_gguf(quantized))  # before the long part
    with scratch() as folder:
        measured = yield from measure_base(base, text, into, threads, folder / "base.logits")
        scores = yield from measure(quantized, measured, text, threads)
    return Evaluation(quality(scores), text.name, len(measured.chunks), into.size)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for large files, gone afterwards. Raises MachineError if none can be made."""
    try:
        made = tempfile.TemporaryDirectory(prefix="quantize-", ignore_cleanup_errors=True)
    except OSError as error:
        raise MachineError(f"there is no folder for temporary files ({error.strerror}); {ROOM}") from error
    with made as folder:
        yield Path(folder)


def measure_base(
    path: Path, text: EvaluationText, into: Cut, threads: int, logits: Path
) -> Generator[Progress, None, Base]:
    """Let the base read the text and write what it expects to `logits`. Raises MachineError if there is no room."""
    file = read_gguf(path)
    check_keys(file)
    return (yield from follow("base", lambda meter: _measure_base(file, text, into, threads, logits, meter), "tokens"))


def _measure_base(file: GgufFile, text: EvaluationText, into: Cut, threads: int, logits: Path, meter: Meter) -> Base:
    nll: list[float] = []
    with load(file.path, meter.stop) as model:
        chunks = cut(text.tokens(model), into, model.bos)
        header = MAGIC + struct.pack("<Iii", into.size, model.vocabulary, len(chunks))
        header += np.array(chunks, np.int32).tobytes()
        _check_room(logits, len(header) + 2 * row_size(model.vocabulary) * len(chunks) * len(_counted(chunks[0])))
        meter.total = len(chunks) * into.size
        try:
            with context(model, into.size, threads, meter.stop) as sequence, logits.open("wb") as out:
                out.write(header)
                for chunk in chunks:
                    for token, row in _predictions(sequence, chunk, meter):
                        out.write(encode(row).data)
                        nll.append(surprise(row, token))
        except OSError as error:
            raise MachineError(f"{logits} cannot be written ({error.strerror}); {ROOM}") from error
        return Base(file.path, model.vocabulary, chunks, logits, len(header), np.array(nll))


def _check_room(logits: Path, needed: int) -> None:
    free = shutil.disk_usage(logits.parent).free
    if free < needed:
        where = f"{logits.parent} has {free / 1e9:.1f} GB"
        raise MachineError(f"what the base expects takes {needed / 1e9:.1f} GB, and {where}; {ROOM}")


def measure(path: Path, base: Base, text: EvaluationText, threads: int) -> Generator[Progress, None, Scores]:
    """Let the quantized model read the same chunks, and compare."""
    check_keys(read_gguf(path))
    return (yield from follow("quantized", lambda meter: _measure(path, base, text, threads, meter), "tokens"))


def _measure(path: Path, base: Base, text: EvaluationText, threads: int, meter: Meter) -> Scores:
    into = Cut(len(base.chunks[0]), len(base.chunks))
    nll: list[float] = []
    divergences: list[tuple[float, bool]] = []
    with load(path, meter.stop) as model, base.logits.open("rb") as logits:
        if model.vocabulary != base.vocabulary or cut(text.tokens(model), into, model.bos) != base.chunks:
            raise ModelError(f"{path} cuts text into other tokens than {base.path}; they cannot be compared")
        logits.seek(base.rows)
        meter.total = len(base.chunks) * into.size
        with context(model, into.size, threads, meter.stop) as sequence:
            for chunk in base.chunks:
                for token, row in _predictions(sequence, chunk, meter):
                    expected = np.frombuffer(logits.read(2 * row_size(base.vocabulary)), np.uint16)
                    divergences.append(compare(expected, row))
                    nll.append(surprise(row, token))
    divergence, same_top = np.array(divergences, np.float64).T
    return Scores(np.array(nll), base.nll, divergence, same_top)


def _counted(chunk: list[int]) -> range:
    """The places after which a prediction counts; the last token has nothing after it."""
    return range(len(chunk) // 2, len(chunk) - 1)


def _predictions(sequence: Context, chunk: list[int], meter: Meter) -> Iterator[tuple[int, Floats]]:
    """(The token that comes, the logits before it) for every place that counts."""
    sequence.clear()
    counted = _counted(chunk)
    for part in (range(counted.start), counted):
        for begin in part[::BATCH]:
            places = range(begin, min(begin + BATCH, part.stop))
            logits = sequence.decode(chunk[places.start : places.stop], begin, outputs=part is counted)
            if not np.isfinite(logits).all():
                raise ModelError(f"{sequence.model.path} computes logits that are not finite; build it again")
            yield from zip((chunk[place + 1] for place in places), logits, strict=False)
            meter.done += len(places)
    meter.done += 1  # the last token is not computed
