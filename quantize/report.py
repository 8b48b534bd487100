"""What the commands show: each result as a JSON object and as lines of text. Prints nothing."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vibethinker_local.models.memory import Need
from vibethinker_local.system.units import counted

from .build import Built
from .divergence import Estimate
from .estimate import Option
from .evaluate import Evaluation
from .imatrix import Activations
from .job import Job
from .plan import QuantizationPlan
from .recipes import Report, recipe_name
from .summary import Summary

Json = dict[str, Any]


def gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 10**8 else f"{size / 1e6:.2f} MB"


def fallback_warning(plan: QuantizationPlan) -> list[str]:
    if not plan.fallbacks:
        return []
    count = f"{len(plan.fallbacks)} of {len(plan.tensors)} tensors"
    return [f"{count} have rows that {plan.file_type} does not allow; the file will be {plan.label}"]


def plan_json(job: Job, need: Need, context: int, available: int, seconds: float) -> Json:
    plan = job.plan
    return {
        "type": plan.file_type,
        "label": plan.label,
        "data_bytes": plan.data_size,
        "weights": plan.weights,
        "bits_per_weight": round(plan.bits_per_weight, 3),
        "memory": {"context": context, "needed": need.total, "available": available},
        "seconds": round(seconds, 1),
        "tensors": [
            {"name": t.name, "shape": t.source.shape, "type": t.type.name, "wanted": t.wanted.name, "bytes": t.size}
            for t in plan.tensors
        ],
        "warnings": [*job.warnings, *fallback_warning(plan)],
    }


def plan_lines(job: Job, need: Need, context: int, available: int, seconds: float) -> list[str]:
    plan = job.plan
    fits = "fits into" if need.total <= available else "does not fit into"
    return [
        f"{plan.label}  {gigabytes(plan.data_size)}, {plan.bits_per_weight:.2f} bits per weight",
        *(f"  {share.type:7} {share.tensors:4} tensors  {gigabytes(share.size)}" for share in plan.shares),
        *_fallback_lines(plan),
        f"to run with {context} tokens of context: {gigabytes(need.total)}, {fits} {gigabytes(available)} free here",
        f"to build here: about {seconds:.0f} s of computing",
    ]


def _fallback_lines(plan: QuantizationPlan) -> list[str]:
    """One line for all tensors of a kind: a model of odd widths has some hundred of them. The JSON has each."""
    kinds = Counter((t.type.name, t.wanted.name, t.source.width) for t in plan.fallbacks)
    return [
        f"  {type}, not {wanted}: {counted(count, 'tensor')} with rows of {width}"
        for (type, wanted, width), count in kinds.items()
    ]


def built_json(built: Built, job: Job) -> Json:
    return {
        "file": str(built.path),
        "bytes": built.size,
        "label": job.plan.label,
        "source_sha256": built.source_sha256,
        "warnings": [*job.warnings, *fallback_warning(job.plan)],
    }


def imatrix_json(out: Path, activations: Activations) -> Json:
    return {
        "file": str(out),
        "dataset": activations.dataset,
        "chunks": activations.chunks,
        "chunk_size": activations.chunk_size,
        "entries": len(activations.sums),
    }


def imatrix_lines(out: Path, activations: Activations) -> list[str]:
    read = f"{activations.tokens:,} tokens of {activations.dataset}"
    return [f"{out}  {len(activations.sums)} tensors, from {read}"]


def evaluation_json(base: Path, quant: Path, evaluation: Evaluation) -> Json:
    return {
        "base": str(base),
        "file": str(quant),
        "text": evaluation.text,
        "chunks": evaluation.chunks,
        "chunk_size": evaluation.chunk_size,
        **asdict(evaluation.quality),
    }


def evaluation_lines(base: Path, quant: Path, evaluation: Evaluation) -> list[str]:
    """Every figure with its 95% interval."""
    q = evaluation.quality
    return [
        f"{quant} against {base}: {q.tokens:,} tokens of {evaluation.text}",
        f"  perplexity             {_estimate(q.perplexity)}",
        f"  base's perplexity      {_estimate(q.base_perplexity)}",
        f"  perplexity ratio       {_estimate(q.perplexity_ratio, 5)}",
        f"  KL divergence, mean    {_estimate(q.mean_divergence, 5)}",
        f"  KL divergence, 99%     {_estimate(q.divergence_99, 5)}",
        f"  KL divergence, 99.9%   {_estimate(q.divergence_999, 5)}",
        f"  probabilities differ   {_estimate(q.rms_difference, 2, 100)} %, root mean square",
        f"  same likeliest token   {_estimate(q.same_top, 2, 100)} %",
    ]


def _estimate(estimate: Estimate, digits: int = 3, times: float = 1.0) -> str:
    value, low, high = (f"{times * number:.{digits}f}" for number in (estimate.value, estimate.low, estimate.high))
    return f"{value:>10}  ({low} to {high})"


def summary_json(summary: Summary) -> Json:
    return {
        "file": str(summary.path),
        "label": summary.label,
        "bytes": summary.size,
        "weights": summary.weights,
        "bits_per_weight": round(summary.bits_per_weight, 3),
        "types": [asdict(share) for share in summary.shares],
        "keys": summary.keys,
    }


def summary_lines(summary: Summary) -> list[str]:
    weight = f"{summary.weights:,} weights, {summary.bits_per_weight:.2f} bits per weight"
    return [
        f"{summary.label}  {gigabytes(summary.size)}, {weight}",
        *(f"  {share.type:7} {share.tensors:4} tensors  {gigabytes(share.size)}" for share in summary.shares),
        *(f"  {key} = {value}" for key, value in summary.keys.items()),
    ]


def recipes_json(made: Report) -> Json:
    return asdict(made)


def recipes_lines(made: Report) -> list[str]:
    """One table, from close to the original to far from it."""
    conditions = made.conditions
    width = max(len(recipe_name(m.recipe)) for m in made.measured)
    head = (
        f"{'':{width}}  {'size':>9}  {'KL divergence, mean':>30}  {'99%':>8}  {'99.9%':>8}  {'ppl ratio':>9}  same top"
    )
    rows = [
        f"{recipe_name(m.recipe):{width}}  {gigabytes(m.size):>9}  {_estimate(m.quality.mean_divergence, 5):>30}  "
        f"{m.quality.divergence_99.value:8.5f}  {m.quality.divergence_999.value:8.5f}  "
        f"{m.quality.perplexity_ratio.value:9.5f}  {100 * m.quality.same_top.value:6.2f} %"
        for m in sorted(made.measured, key=lambda m: m.quality.mean_divergence.value)
    ]
    read = f"{conditions.chunks} chunks of {conditions.chunk_size} tokens of {conditions.text}"
    return [head, *rows, f"against the original, on {read}; intervals: 95%"]


def recommendation_json(options: list[Option], best: Option | None, budget: int, context: int) -> Json:
    return {
        "recommended": best.label if best else None,
        "memory": budget,
        "context": context,
        "options": [
            {
                "type": o.label,
                "build": o.arguments,
                "file_bytes": o.memory.weights,
                "memory": o.memory.total,
                "fits": o.fits,
                "divergence": asdict(o.divergence) if o.divergence else None,
            }
            for o in options
        ],
    }


def recommendation_lines(
    options: list[Option], best: Option | None, budget: str, context: int, *, shorter: bool
) -> list[str]:
    """`budget` as the user gave it; `shorter`: whether something would fit with a shorter context."""
    width = max([7, *(len(option.label) for option in options)])
    lines = [
        f"{'→' if option is best else ' '} {option.label:{width}} file {gigabytes(option.memory.weights)}, "
        f"running {gigabytes(option.memory.total)}"
        + (f", KL divergence {option.divergence.value:.5f}" if option.divergence else "")
        + ("" if option.fits else ", does not fit")
        for option in options
    ]
    if best:
        lines.append(f"build it with {best.arguments}")
    else:
        advice = "try a shorter --context" if shorter else "no type is small enough"
        lines.append(f"nothing fits into {budget} with {context:,} tokens of context: {advice}")
    return lines
