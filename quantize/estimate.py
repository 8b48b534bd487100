"""What a file will cost: memory to run it, time to build it, and which type to choose for a machine.

Memory is computed from the model's shape; time is measured here and now, on random weights.
"""

import time
from dataclasses import dataclass

import numpy as np
from gguf import GGMLQuantizationType

from vibethinker_local.gguf.header import Header
from vibethinker_local.llama import kernels
from vibethinker_local.models.memory import SHARE, Need, need
from vibethinker_local.system import machine

from .config import Qwen2Config, imagined
from .divergence import Estimate
from .errors import RequestError
from .plan import QuantizationPlan, make_plan

VIBETHINKER_3B = Qwen2Config(
    layers=36,
    hidden=2048,
    ffn=11008,
    heads=16,
    kv_heads=2,
    head_size=128,
    head_size_given=False,
    vocabulary=151936,
    context=131072,
    rope_theta=1e6,
    rms_epsilon=1e-6,
    tied=True,
)
# From close to the original to far from it: by mean KL divergence, as others measured it for Llama-3-8B. F16 and BF16
# are left out: at twice the size they have little to gain over Q8_0's 0.0014.
BY_QUALITY = ("Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "Q4_K_S", "IQ4_XS", "Q4_0", "Q3_K_M", "Q2_K")
SAMPLE_ROWS = 64


@dataclass(frozen=True)
class Option:
    """`label` is the file type, or the types a file of it would really hold; `arguments` are those of `build`."""

    label: str
    arguments: str
    memory: Need
    fits: bool
    divergence: Estimate | None = None  # from the original, where it was measured


def memory(plan: QuantizationPlan, config: Qwen2Config, context: int) -> Need:
    """What a file needs to run with `context` tokens, by the formula that the app's loader decides by."""
    return need(header(plan, config), context, sequences=1)


def header(plan: QuantizationPlan, config: Qwen2Config) -> Header:
    """What the loader will read off the file."""
    return Header(
        layers=config.layers,
        width=config.hidden,
        feed_forward=config.ffn,
        heads=config.heads,
        kv_heads=config.kv_heads,
        vocabulary=config.vocabulary,
        trained_context=config.context,
        weights=plan.data_size,
    )


def usable_memory() -> int:
    """Bytes that a model may fill on this machine now: the rest of what is free is left to others."""
    return int(SHARE * machine.room().memory)


def seconds(plan: QuantizationPlan, threads: int) -> float:
    """How long converting takes on this machine, without the disk: each kernel is timed on a few rows."""
    rates: dict[GGMLQuantizationType, float] = {}
    rng = np.random.default_rng(0)
    total = 0.0
    for tensor in plan.tensors:
        if tensor.type not in rates:
            weights = rng.standard_normal((SAMPLE_ROWS, tensor.source.width), np.float32)
            out = np.empty(kernels.row_size(tensor.type, tensor.source.width) * SAMPLE_ROWS, np.uint8)
            kernels.quantize(weights[:1], tensor.type, None, out[: out.size // SAMPLE_ROWS])  # builds its tables
            begin = time.perf_counter()
            kernels.quantize(weights, tensor.type, None, out)
            rates[tensor.type] = weights.size / (time.perf_counter() - begin)
        total += tensor.weights / rates[tensor.type]
    return total / threads


def options(config: Qwen2Config, budget: int, context: int) -> list[Option]:
    """All types of BY_QUALITY, in its order. `budget` in bytes, `context` in tokens."""
    weights = imagined(config)
    plans = [make_plan(config, weights, file_type) for file_type in BY_QUALITY]
    needs = [(plan, memory(plan, config, context)) for plan in plans]
    return [Option(plan.label, f"--type {plan.file_type}", need, need.total <= budget) for plan, need in needs]


def parse_bytes(text: str) -> int:
    """`8G`, `512M` or a plain number of bytes."""
    return _parse(text, {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}, "8G")


def parse_tokens(text: str) -> int:
    """`32k` (32,768) or a plain number of tokens."""
    return _parse(text, {"K": 1 << 10, "M": 1 << 20}, "32k")


def _parse(text: str, units: dict[str, int], example: str) -> int:
    number, unit = (text[:-1], units[text[-1].upper()]) if text[-1:].upper() in units else (text, 1)
    try:
        value = float(number) * unit
    except ValueError:
        value = 0.0
    if not 1 <= value < 2**60:
        raise RequestError(f"{text!r} is not a size; write it like {example}")
    return int(value)
