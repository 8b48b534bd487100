"""Holds files and figures against llama.cpp's own tools, of the version that the bindings bundle.

    python -m tests.measure.quantize_parity SRC WORK --tools FOLDER --text F [--chunks 4] [--threads 1]

FOLDER holds llama-imatrix, llama-quantize and llama-perplexity; F should have more than `chunks` times 512 tokens.
Prints a line per comparison and exits with 1 if one fails. Needs room in WORK for three copies of the model, and a
quarter of an hour for one of 45 million weights.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGUFReader

from quantize.activations import collect
from quantize.divergence import Estimate
from quantize.evaluate import evaluate
from quantize.imatrix import write_imatrix
from quantize.job import Request
from quantize.plan import FILE_TYPES
from quantize.text import Cut, read_text
from tests.quantize.helpers import run, run_build
from tests.quantize.reference import tensors

TOLERANCE = 1e-3  # relative, of an importance matrix's sums


@dataclass(frozen=True)
class Outcome:
    what: str
    good: bool
    detail: str


@dataclass(frozen=True)
class Tools:
    folder: Path
    threads: int

    def call(self, name: str, *arguments: object) -> str:
        command = [str(self.folder / name), *(str(argument) for argument in arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"failed: {' '.join(command)}\n{done.stderr[-2000:]}")
        return done.stdout + done.stderr

    def quantize(self, base: Path, out: Path, file_type: str, matrix: Path | None) -> None:
        self.call("llama-quantize", *(["--imatrix", matrix] if matrix else []), base, out, file_type, self.threads)


def matrices(tools: Tools, base: Path, text: Path, cut: Cut, ours: Path, theirs: Path) -> Iterator[Outcome]:
    write_imatrix(ours, run(collect(base, read_text(text), cut, tools.threads)))
    # One chunk at a time, as here: by default it reads four at once, and gives other sums: by 7% in single columns of
    # mini, and then further from what plain numpy gives.
    options = ("-t", tools.threads, "-c", cut.size, "-b", cut.size, "--chunks", cut.limit, "--no-ppl")
    tools.call("llama-imatrix", "-m", base, "-f", text, "-o", theirs, *options)
    mine, peer = GGUFReader(ours).tensors, GGUFReader(theirs).tensors
    form = [(t.name, t.shape.tolist()) for t in mine] == [(t.name, t.shape.tolist()) for t in peer]
    yield Outcome("importance matrix: tensors, order and shapes", form, f"{len(peer)} tensors")
    worst = max(float(np.max(np.abs(a.data - b.data) / np.abs(b.data))) for a, b in zip(mine, peer, strict=True))
    yield Outcome("importance matrix: sums", worst < TOLERANCE, f"at most {worst:.1e} apart, relative")


def files(tools: Tools, source: Path, work: Path, matrix: Path | None, name: str, *types: str) -> Iterator[Outcome]:
    base, ours, theirs = work / "base.gguf", work / "ours.gguf", work / "theirs.gguf"
    for file_type in types or FILE_TYPES:
        run_build(ours, Request(str(source), file_type, imatrix=matrix), tools.threads)
        tools.quantize(base, theirs, file_type, matrix)
        mine, peer = tensors(ours), tensors(theirs)
        same = sum(mine.get(key) == value for key, value in peer.items())
        detail = f"{same} of {len(peer)} tensors identical"
        yield Outcome(f"--type {file_type} {name}", same == len(peer) == len(mine), detail)


BASE_PERPLEXITY = r"Final estimate: PPL = (\S+) \+/- (\S+)"
PATTERNS = {  # what is printed as value ± standard error; the percentiles without
    "perplexity": r"Mean PPL\(Q\) +: +(\S+) ± +(\S+)",
    "perplexity_ratio": r"Mean PPL\(Q\)/PPL\(base\) +: +(\S+) ± +(\S+)",
    "mean_divergence": r"Mean +KLD: +(\S+) ± +(\S+)",
    "divergence_999": r"99.9% +KLD: +(\S+)",
    "divergence_99": r"99.0% +KLD: +(\S+)",
    "rms_difference": r"RMS Δp +: +(\S+) ± +(\S+) %",
    "same_top": r"Same top p: +(\S+) ± +(\S+) %",
}
PERCENT = ("rms_difference", "same_top")


def figures(
    tools: Tools, base: Path, quantized: Path, text: Path, cut: Cut, work: Path, name: str
) -> Iterator[Outcome]:
    options = ("-t", tools.threads, "-c", cut.size, "--chunks", cut.limit, "--kl-divergence-base", work / "logits")
    plain = tools.call("llama-perplexity", "-m", base, "-f", text, *options)
    said = tools.call("llama-perplexity", "-m", quantized, *options, "--kl-divergence")
    (work / "logits").unlink()
    found = run(evaluate(base, quantized, read_text(text), cut, tools.threads)).quality
    base_perplexity, error, least = _printed(BASE_PERPLEXITY, plain)
    yield _within(f"{name}: base_perplexity", found.base_perplexity, base_perplexity, error, least)
    for key, pattern in PATTERNS.items():
        value, error, least = _printed(pattern, said)
        if key == "perplexity_ratio":  # theirs is against a base that was rounded to 16 bits
            value = _printed(PATTERNS["perplexity"], said)[0] / base_perplexity
        scale = 0.01 if key in PERCENT else 1
        yield _within(f"{name}: {key}", getattr(found, key), scale * value, scale * error, scale * least)


def _printed(pattern: str, said: str) -> tuple[float, float, float]:
    """(value, standard error or 0, what the last digit stands for)."""
    match = re.search(pattern, said)
    if not match:
        raise SystemExit(f"llama-perplexity does not print {pattern} as it did:\n{said[-3000:]}")
    value, *error = match.groups()
    return float(value), float(error[0]) if error else 0.0, 10.0 ** -len(value.partition(".")[2])


def _within(what: str, ours: Estimate, theirs: float, error: float, least: float) -> Outcome:
    """Within the error bar; where there is none, within a percent; and no more digits than are printed."""
    good = abs(ours.value - theirs) <= max(error or 0.01 * theirs, least)
    bar = f" ± {error:.6g}" if error else ""
    return Outcome(what, good, f"{ours.value:.6g} ({ours.low:.6g} to {ours.high:.6g}), theirs {theirs:.6g}{bar}")


def compare(tools: Tools, source: Path, text: Path, cut: Cut, work: Path) -> Iterator[Outcome]:
    base, ours, theirs = (work / name for name in ("base.gguf", "imatrix-ours.gguf", "imatrix-theirs.gguf"))
    run_build(base, Request(str(source), "BF16"), tools.threads)
    yield from matrices(tools, base, text, cut, ours, theirs)
    yield from files(tools, source, work, None, "without a matrix")
    yield from files(tools, source, work, theirs, "with llama-imatrix's matrix")
    yield from files(tools, source, work, ours, "with our matrix", "Q4_K_M", "Q2_K")
    for file_type in ("Q8_0", "Q4_K_M", "Q2_K"):
        run_build(work / "ours.gguf", Request(str(source), file_type, imatrix=theirs), tools.threads)
        yield from figures(tools, base, work / "ours.gguf", text, cut, work, file_type)
    itself = run(evaluate(base, base, read_text(text), cut, tools.threads)).quality
    divergence, ratio = itself.mean_divergence.value, itself.perplexity_ratio.value
    detail = f"KL divergence {divergence:.1e}, perplexity ratio {ratio:.8f}, same top {itself.same_top.value}"
    yield Outcome("the base against itself", abs(divergence) < 1e-5 and ratio == 1, detail)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, metavar="SRC")
    parser.add_argument("work", type=Path, metavar="WORK")
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--chunks", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    tools, failed = Tools(arguments.tools, arguments.threads), 0
    for outcome in compare(tools, arguments.source, arguments.text, Cut(limit=arguments.chunks), arguments.work):
        print(f"{'ok  ' if outcome.good else 'FAIL'} {outcome.what:45} {outcome.detail}", flush=True)
        failed += not outcome.good
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
