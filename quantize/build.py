"""The use case: a job becomes one GGUF file, checked before it gets its name.

Does not know formats (header.py), conversion (stream.py), operating systems (output.py) or the command line.
"""

import hashlib
import threading
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from vibethinker_local.llama import kernels
from vibethinker_local.system.progress import Progress

from . import stream, verify
from .header import UNKNOWN_SHA256, write_header
from .job import Job
from .output import check_target, partial

HEADER_SPARE = 16 << 20  # bytes; more than the header needs, for the check of free space


@dataclass(frozen=True)
class Built:
    path: Path
    size: int  # bytes
    source_sha256: str


def build(job: Job, out: Path, threads: int) -> Generator[Progress, None, Built]:
    """Write `out`. Whatever happens, an earlier `out` is kept until the new file is complete and checked."""
    check_target(out, [*job.checkpoint.files, *([job.imatrix.path] if job.imatrix else [])])
    reader = stream.Reader(job.checkpoint, job.plan, threads)
    written: list[verify.Written] = []
    lock = threading.Lock()
    with partial(out, job.plan.data_size + HEADER_SPARE) as file:
        data = write_header(file.path, job.keys, [tensor.info for tensor in job.plan.tensors])
        size = data + job.plan.data_size
        file.resize(size)

        def write(slab: stream.Slab, content: kernels.Bytes) -> None:
            record = verify.Written(data + slab.offset, slab.size, hashlib.sha256(content.data).digest())
            file.write(record.offset, content.data)
            with lock:
                written.append(record)

        yield from stream.run(reader, job.plan, job.importance, write, "writing")
        file.replace(UNKNOWN_SHA256.encode(), reader.fingerprint.encode(), within=data)
        file.sync()
        verify.check_header(file.path, job.plan)
        yield from verify.check_written(file.path, written)
        yield from verify.check_loads(file.path)
        file.commit()
    return Built(out, size, reader.fingerprint)
