"""Which quant of a model to take: size, closeness to the original, accuracy and speed of each, in one table.

    python -m tests.measure.quants WORK --checkpoint FOLDER --types Q8_0,Q6_K,Q4_K_M [--imatrix both|with|without]
                                   --problems gsm8k.jsonl [--first 100] [--chunks 20] [--max-tokens 1024] [--threads 2]
    python -m tests.measure.quants WORK --base bf16.gguf q8.gguf q4.gguf --problems gsm8k.jsonl

From a checkpoint the files are built into WORK: BF16 as the base, an importance matrix, and each type with and without
it. Each figure is measured by the command that users have (`quantize eval`, `vibe eval run` and `report`, `vibe bench`)
and kept in WORK/results.json as soon as it is there: the same call goes on where it was stopped, an unfinished bank of
solutions included. Prints the table as Markdown; the problems and seeds are the same for all files.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

QUANTIZE = [sys.executable, "-P", "-m", "quantize"]
VIBE = [sys.executable, "-P", "-m", "vibethinker_local"]
COLUMNS = ("file", "GB", "perplexity ratio", "KL divergence", "same top", "accuracy", "tok/s at 1", "at 8")
Results = dict[str, dict[str, Any]]


def called(command: list[str]) -> str:
    """What a command prints on stdout; its progress goes to stderr."""
    print("$", " ".join(command[3:]), file=sys.stderr, flush=True)
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def build(arguments: argparse.Namespace) -> tuple[Path, list[Path]]:
    """The base and the quants of a checkpoint, those that are not there yet."""
    work, threads = arguments.work, ["--threads", str(arguments.threads)]

    def made(name: str, *options: str) -> Path:
        out: Path = work / f"{name}.gguf"
        if not out.exists():  # a build that was stopped leaves none
            called([*QUANTIZE, "build", str(arguments.checkpoint), "-o", str(out), *options, *threads])
        return out

    base, matrix = made("BF16", "--type", "BF16"), work / "imatrix.gguf"
    if arguments.imatrix != "without" and not matrix.exists():
        called([*QUANTIZE, "imatrix", str(base), "-o", str(matrix), *threads])
    files = []
    for kind in arguments.types.split(","):
        if arguments.imatrix != "with":
            files.append(made(kind, "--type", kind))
        if arguments.imatrix != "without" and kind not in ("Q8_0", "BF16", "F16"):
            files.append(made(f"{kind}-imatrix", "--type", kind, "--imatrix", str(matrix)))
    return base, [base, *files]


def measure(path: Path, base: Path, found: dict[str, Any], arguments: argparse.Namespace) -> Any:
    """Measure what is missing of a file; yields after each figure."""
    model, threads = ["-m", str(path)], ["--threads", str(arguments.threads)]
    found["bytes"] = path.stat().st_size
    if "quality" not in found and path != base:
        options = ["--chunks", str(arguments.chunks), *threads, "--json"]
        found["quality"] = json.loads(called([*QUANTIZE, "eval", str(base), str(path), *options]))
        yield
    if "speed" not in found:
        options = ["--sequences", "1,8", *threads, "--json"]
        decode = json.loads(called([*VIBE, "bench", *model, *options]))["decode"]
        found["speed"] = {str(each["sequences"]): each["tokens_per_second"] for each in decode}
        yield
    if "accuracy" not in found:
        bank = arguments.work / f"{path.stem}.bank.jsonl"
        options = ["-k", "1", "--claims", "0", "--seed", "1", "--max-tokens", str(arguments.max_tokens), *threads]
        first = ["--first", str(arguments.first)]
        called([*VIBE, "eval", "run", str(arguments.problems), "--bank", str(bank), *model, *options, *first])
        rows = json.loads(called([*VIBE, "eval", "report", str(bank), "--json"]))["policies"]
        found["accuracy"] = next(row for row in rows if row["name"] == "single")
        yield


def line(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    """A row of the table, with 95% intervals."""

    def estimate(key: str, digits: int, factor: float = 1) -> str:
        value = found.get("quality", {}).get(key)
        if value is None:
            return "-"
        if isinstance(value, dict):
            middle, low, high = (f"{factor * value[key]:.{digits}f}" for key in ("value", "low", "high"))
            return f"{middle} ({low}-{high})"
        return f"{factor * value:.{digits}f}"

    right, speed = found.get("accuracy"), found.get("speed", {})
    accuracy = f"{100 * right['accuracy']:.1f} ({100 * right['low']:.1f}-{100 * right['high']:.1f})" if right else "-"
    speeds = tuple(f"{speed[count]:.1f}" if count in speed else "-" for count in ("1", "8"))
    close = (estimate("perplexity_ratio", 4), estimate("mean_divergence", 4), estimate("same_top", 1, 100))
    return (name, f"{found['bytes'] / 1e9:.2f}", *close, accuracy, *speeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--base", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--types", default="Q8_0,Q6_K,Q5_K_M,Q4_K_M,Q3_K_M")
    parser.add_argument("--imatrix", choices=("both", "with", "without"), default="both")
    parser.add_argument("--problems", type=Path, required=True)
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--chunks", type=int, default=20)
    parser.add_argument("--max-tokens", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if bool(arguments.checkpoint) == bool(arguments.base):
        parser.error("give either --checkpoint, or --base and the files to compare with it")
    arguments.work.mkdir(parents=True, exist_ok=True)
    kept = arguments.work / "results.json"
    results: Results = json.loads(kept.read_text()) if kept.exists() else {}
    base, files = build(arguments) if arguments.checkpoint else (arguments.base, [arguments.base, *arguments.files])
    for path in files:
        for _ in measure(path, base, results.setdefault(path.stem, {}), arguments):
            partial = kept.with_suffix(".new")
            partial.write_text(json.dumps(results, indent=1))
            partial.replace(kept)
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")
    for path in files:
        print(f"| {' | '.join(line(path.stem, results[path.stem]))} |")


if __name__ == "__main__":
    main()
