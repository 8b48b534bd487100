"""Times `build` against llama.cpp's converter and quantizer on the same files, in alternation.

    python -m tests.measure.quantize_peers SRC WORK --type Q4_K_M --converter "PYTHON convert_hf_to_gguf.py" [--times 3]
                                   [--llama-quantize PATH]

Q8_0, F16 and BF16 are compared with the converter alone, all other types with the converter (to bf16) and then
llama-quantize; without a PATH, the same function from the library that ships with the bindings. Needs room in WORK for
the files. Prints one line per run and the medians at the end; the tensors of both results must be identical.
"""

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import psutil
from gguf import GGUFReader

from quantize.plan import FILE_TYPES

DIRECT = {"Q8_0": "q8_0", "F16": "f16", "BF16": "bf16"}  # what the converter writes itself
NATIVE = "import sys; from tests.quantize.reference import main; main(*sys.argv[1:])"


@dataclass(frozen=True)
class Run:
    seconds: float
    cpu: float  # seconds of all threads
    anonymous: int  # bytes, at its peak; only Linux tells
    written: int  # bytes handed to the operating system

    def __str__(self) -> str:
        memory = f"{self.anonymous / 2**20:.0f} MiB anonymous"
        return f"{self.seconds:7.2f} s  {self.cpu:7.2f} s of CPU  {memory}  {self.written / 1e9:.3f} GB written"


def run(command: Sequence[str]) -> Run:
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        cpu, anonymous, written = 0.0, 0, 0
        while process.poll() is None:
            try:
                times, memory = watched.cpu_times(), watched.memory_info()
                cpu = times.user + times.system
                anonymous = max(anonymous, memory.rss - getattr(memory, "shared", 0))
                written = watched.io_counters().write_chars
            except psutil.Error:  # it has just ended
                break
            time.sleep(0.01)
    if process.returncode != 0:
        raise SystemExit(f"failed: {shlex.join(command)}")
    return Run(time.perf_counter() - begin, cpu, anonymous, written)


def together(runs: Sequence[Run]) -> Run:
    """One after the other."""
    return Run(
        sum(r.seconds for r in runs),
        sum(r.cpu for r in runs),
        max(r.anonymous for r in runs),
        sum(r.written for r in runs),
    )


def identical(ours: Path, theirs: Path) -> tuple[int, int]:
    """(identical tensors, all tensors)."""
    mine = {tensor.name: tensor for tensor in GGUFReader(ours).tensors}
    peers = GGUFReader(theirs).tensors
    same = [t.tensor_type == mine[t.name].tensor_type and np.array_equal(t.data, mine[t.name].data) for t in peers]
    return sum(same), len(same)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="SRC")
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("--type", choices=FILE_TYPES, default="Q4_K_M")
    parser.add_argument("--converter", required=True, type=shlex.split)
    parser.add_argument("--llama-quantize", type=Path)
    parser.add_argument("--times", type=int, default=3)
    arguments = parser.parse_args()
    ours, theirs, base = (arguments.work / name for name in ("ours.gguf", "theirs.gguf", "base.gguf"))
    build = [
        sys.executable,
        "-P",
        "-m",
        "quantize",
        "build",
        str(arguments.source),
        "-o",
        str(ours),
        "--type",
        arguments.type,
    ]
    direct = DIRECT.get(arguments.type)
    outtype, converted = (direct, theirs) if direct else ("bf16", base)
    peers = [[*arguments.converter, str(arguments.source), "--outtype", outtype, "--outfile", str(converted)]]
    if not direct:
        native = [str(arguments.llama_quantize)] if arguments.llama_quantize else [sys.executable, "-P", "-c", NATIVE]
        peers.append([*native, str(base), str(theirs), arguments.type])
    mine: list[Run] = []
    others: list[Run] = []
    for _ in range(arguments.times):
        mine.append(run(build))
        print(f"build            {mine[-1]}", flush=True)
        steps = [run(command) for command in peers]
        others.append(together(steps))
        for step in steps:
            print(f"  peer           {step}", flush=True)
        print(f"peers together   {others[-1]}", flush=True)
    same, count = identical(ours, theirs)
    print(f"{same} of {count} tensors identical")
    ratio = median(r.seconds for r in mine) / median(r.seconds for r in others)
    print(
        f"median wall time: {ratio:.3f} of the peers'; CPU time: {median(r.cpu for r in mine):.1f} s against ", end=""
    )
    print(f"{median(r.cpu for r in others):.1f} s; memory {max(r.anonymous for r in mine) / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
