"""Times `imatrix` and `eval` against llama-imatrix and llama-perplexity on the same files and text, in alternation.

    python -m tests.measure.quantize_measuring BASE QUANT WORK --tools FOLDER --text F [--chunks 2] [--times 1]
                                             [--threads 2] [--only imatrix|eval]

BASE and QUANT are GGUF files of one model. Prints one line per run, with its peak memory and tokens per second,
loading included: a chunk is 512 tokens, and an evaluation reads each with both models. Both files are read before each
run, or the first would pay for the disk. llama-perplexity is called twice, and its runs are added up. Needs room in
WORK for the base's log-probabilities: 80 MB a chunk with Qwen2's vocabulary.
"""

import argparse
import sys
from pathlib import Path
from statistics import median

from quantize.text import CHUNK_SIZE
from tests.measure.quantize_peers import Run, run, together

Command = list[str]


def commands(arguments: argparse.Namespace) -> dict[str, list[list[Command]]]:
    """By what is measured: ours and the peers', each a list of commands that are run one after the other."""
    base, quant, work, tools = (
        str(path) for path in (arguments.base, arguments.quant, arguments.work, arguments.tools)
    )
    matrix, logits = f"{work}/imatrix.gguf", f"{work}/logits"
    own = [sys.executable, "-P", "-m", "quantize"]
    ours = ["--text", str(arguments.text), "--chunks", str(arguments.chunks), "--threads", str(arguments.threads)]
    theirs = ["-f", str(arguments.text), "--chunks", str(arguments.chunks), "-t", str(arguments.threads)]
    perplexity = [f"{tools}/llama-perplexity", *theirs, "--kl-divergence-base", logits, "-m"]
    return {
        "imatrix": [
            [[*own, "imatrix", base, "-o", matrix, *ours]],
            [[f"{tools}/llama-imatrix", "-m", base, "-o", matrix, "--no-ppl", *theirs]],
        ],
        "eval": [
            [[*own, "eval", base, quant, *ours]],
            [[*perplexity, base], [*perplexity, quant, "--kl-divergence"]],
        ],
    }


def line(name: str, done: Run, tokens: int) -> str:
    return f"{name:18}{done}  {tokens / done.seconds:7.1f} tokens/s"


def measured(commands: list[Command], files: tuple[Path, Path]) -> Run:
    """The commands one after the other, with the files in the page cache."""
    for path in files:
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass
    return together([run(command) for command in commands])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path, metavar="BASE")
    parser.add_argument("quant", type=Path, metavar="QUANT")
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--chunks", type=int, default=2)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=("imatrix", "eval"))
    arguments = parser.parse_args()
    for name, (ours, theirs) in commands(arguments).items():
        if arguments.only not in (None, name):
            continue
        tokens = arguments.chunks * CHUNK_SIZE * (2 if name == "eval" else 1)
        files = arguments.base, arguments.quant
        mine: list[Run] = []
        peers: list[Run] = []
        for _ in range(arguments.times):
            mine.append(measured(ours, files))
            print(line(name, mine[-1], tokens), flush=True)
            peers.append(measured(theirs, files))
            print(line("  llama.cpp's own", peers[-1], tokens), flush=True)
        ratio = median(r.seconds for r in mine) / median(r.seconds for r in peers)
        memory = max(r.anonymous for r in mine) / max(r.anonymous for r in peers)
        print(f"{name}: {ratio:.3f} of the peer's wall time, {memory:.3f} of its anonymous memory", flush=True)


if __name__ == "__main__":
    main()
