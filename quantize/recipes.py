"""The recipe report: every way to build a model, built, measured against the original, and written down.

Each file is gone again when it is measured, and its figures are saved at once: a report that was interrupted goes on
where it stopped. `recommend` reads the figures. Does not know how they are shown (report.py, chart.py).
"""

import dataclasses
import hashlib
import json
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from vibethinker_local.llama import kernels
from vibethinker_local.system.progress import Progress, labelled

from .build import build
from .config import Qwen2Config, Weight, imagined, match_weights, read_config
from .divergence import Quality, quality
from .errors import RequestError
from .estimate import BY_QUALITY, Option, memory
from .evaluate import measure, measure_base, scratch
from .imatrix import read_imatrix
from .job import Request, prepare
from .output import write_whole
from .plan import FILE_TYPES, TENSOR_TYPES, QuantizationPlan, make_plan, parse_file_type, parse_override
from .source import check_has_weights, locate, open_checkpoint
from .text import Cut, EvaluationText

SCHEMA = 1
FILE_NAME = "recipes.json"  # beside a checkpoint, where `recommend` looks for it
EMBEDDINGS = ("Q6_K", "Q8_0")
WITHOUT_IMPORTANCE = ("F32", "F16", "BF16", "Q8_0")  # ggml's kernels for them do not look at it


@dataclass(frozen=True)
class Recipe:
    """One way to build a file; `label` is its type, or the types that it really holds."""

    label: str
    file_type: str
    embedding: str | None  # type of the token embedding; None as the file type has it
    importance: bool  # built with an importance matrix


@dataclass(frozen=True)
class Measured:
    recipe: Recipe
    size: int  # bytes
    quality: Quality


@dataclass(frozen=True)
class Conditions:
    """What the figures of one report have in common."""

    shape: dict[str, Any]  # of the model: a Qwen2Config
    source_sha256: str
    imatrix_sha256: str | None
    text: str
    text_sha256: str
    chunks: int
    chunk_size: int


@dataclass(frozen=True)
class Report:
    conditions: Conditions
    measured: tuple[Measured, ...]  # in the order of measuring


@dataclass(frozen=True)
class Order:
    """What a report is to be made of, as a user asks for it."""

    source: str
    revision: str | None
    imatrix: Path | None
    file_types: tuple[str, ...]  # none for BY_QUALITY
    text: EvaluationText
    cut: Cut


def recipes(order: Order) -> list[tuple[Recipe, Request]]:
    """Without those that would give the same file as an earlier one."""
    folder = locate(order.source, order.revision)
    check_has_weights(folder)
    config = read_config(folder)
    weights = match_weights(config, open_checkpoint(folder))
    possible: list[str | None] = [name for name in EMBEDDINGS if kernels.fits(TENSOR_TYPES[name], config.hidden)]
    matrix = read_imatrix(order.imatrix) if order.imatrix else None
    found: list[tuple[Recipe, Request]] = []
    seen: set[object] = set()
    for file_type in [parse_file_type(name) for name in order.file_types] or BY_QUALITY:
        for imatrix in dict.fromkeys((None, order.imatrix)):
            for embedding in possible or [None]:
                request = Request(order.source, file_type, imatrix, embedding, revision=order.revision)
                plan = _plan(config, weights, file_type, embedding, imatrix is not None)
                weighed = [tensor for tensor in plan.tensors if matrix and tensor.name in matrix.importance]
                matters = imatrix is not None and any(t.type.name not in WITHOUT_IMPORTANCE for t in weighed)
                content = (matters, *(tensor.type for tensor in plan.tensors))
                if content not in seen:
                    found.append((Recipe(plan.label, file_type, embedding, imatrix is not None), request))
                seen.add(content)
    return found


def _plan(
    config: Qwen2Config, weights: Sequence[Weight], file_type: str, embedding: str | None, importance: bool
) -> QuantizationPlan:
    overrides = [parse_override(rf"^token_embd\.weight$={embedding}")] if embedding else []
    return make_plan(config, weights, file_type, overrides=overrides, with_importance=importance)


def make_report(order: Order, out: Path, threads: int) -> Generator[Progress, None, Report]:
    """Measure all recipes that `out` does not hold yet, saving each there.

    Raises RequestError if `out` holds figures of another model, matrix or text.
    """
    wanted = recipes(order)
    earlier = read_report(out) if out.exists() else None
    with scratch() as folder:
        original = prepare(Request(order.source, "BF16", order.imatrix, revision=order.revision))
        base_path, file_path = folder / "base.gguf", folder / "recipe.gguf"
        built = yield from labelled("original", build(dataclasses.replace(original, imatrix=None), base_path, threads))
        base = yield from labelled(
            "original", measure_base(base_path, order.text, order.cut, threads, folder / "logits")
        )
        conditions = Conditions(
            shape=asdict(original.config),
            source_sha256=built.source_sha256,
            imatrix_sha256=original.imatrix.sha256 if original.imatrix else None,
            text=order.text.name,
            text_sha256=hashlib.sha256(order.text.content.encode()).hexdigest(),
            chunks=len(base.chunks),
            chunk_size=order.cut.size,
        )
        if earlier and earlier.conditions != conditions:
            raise RequestError(f"{out} holds figures of another model, matrix or text; choose another output")
        report = earlier or Report(conditions, ())
        base_path.unlink()
        for i, (recipe, request) in enumerate(wanted, 1):
            if any(measured.recipe == recipe for measured in report.measured):
                continue
            name = f"{i} of {len(wanted)}, {recipe.label}"
            file = yield from labelled(name, build(prepare(request), file_path, threads))
            scores = yield from labelled(name, measure(file_path, base, order.text, threads))
            report = Report(conditions, (*report.measured, Measured(recipe, file.size, quality(scores))))
            _save(report, out)
    return report


def _save(report: Report, out: Path) -> None:
    write_whole(out, json.dumps({"schema": SCHEMA, **asdict(report)}, indent=1).encode())


def read_report(path: Path) -> Report:
    """Raises RequestError unless `path` holds figures as make_report writes them."""
    try:
        value = json.loads(path.read_bytes())
        if value["schema"] != SCHEMA:
            raise ValueError("of another version")
        report = TypeAdapter(Report).validate_python(value)
        for recipe in [measured.recipe for measured in report.measured]:
            if recipe.file_type not in FILE_TYPES or recipe.embedding not in (None, *TENSOR_TYPES):
                raise ValueError("of types that there are not")
        return report
    except OSError as error:
        raise RequestError(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:  # ValidationError is a ValueError
        raise RequestError(f"{path} does not hold figures of `quantize recipes`; measure again") from error


def find_report(given: Path | None, folder: Path | None) -> Report | None:
    """The figures that were given, else those beside a checkpoint, if any."""
    beside = folder / FILE_NAME if folder else None
    path = given or (beside if beside and beside.is_file() else None)
    return read_report(path) if path else None


def options(report: Report, config: Qwen2Config, budget: int, context: int) -> list[Option]:
    """What was measured, from close to the original to far from it. `budget` in bytes, `context` in tokens.

    Raises RequestError if another model was measured.
    """
    if report.conditions.shape != asdict(config):
        raise RequestError(
            "the figures are those of a model of another shape; measure this one with `quantize recipes`"
        )
    weights = imagined(config)
    found: list[Option] = []
    for measured in sorted(report.measured, key=lambda measured: measured.quality.mean_divergence.value):
        recipe = measured.recipe
        plan = _plan(config, weights, recipe.file_type, recipe.embedding, recipe.importance)
        need = memory(plan, config, context)
        fits, divergence = need.total <= budget, measured.quality.mean_divergence
        found.append(Option(recipe_name(recipe), _arguments(recipe), need, fits, divergence))
    return found


def recipe_name(recipe: Recipe) -> str:
    asked = f" (--type {recipe.file_type})" if recipe.label != recipe.file_type else ""
    parts = [recipe.label + asked, *(["importance matrix"] if recipe.importance else [])]
    return ", ".join([*parts, *([f"embedding {recipe.embedding}"] if recipe.embedding else [])])


def _arguments(recipe: Recipe) -> str:
    parts = [f"--type {recipe.file_type}", *([f"--embedding-type {recipe.embedding}"] if recipe.embedding else [])]
    return " ".join([*parts, *(["--imatrix F"] if recipe.importance else [])])
