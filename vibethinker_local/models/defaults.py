"""How a file that models.toml does not list is sampled: as the file says, or as its family's authors publish it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vibethinker_local.errors import ModelError
from vibethinker_local.events import PassMode
from vibethinker_local.gguf import chat, reader
from vibethinker_local.gguf.reader import Value
from vibethinker_local.models.spec import ModelSpec, is_name


@dataclass(frozen=True)
class Family:
    """Models of one series, by a pattern for their names, with the settings that their authors publish.

    A mode of the reliability pass is named where it was measured to gain by more than a plain vote, and a lower
    probability at which a vote stops where that was measured to lose nothing.
    """

    name: str
    pattern: str
    temperature: float
    top_p: float
    top_k: int = 0
    mode: PassMode = "majority"
    evidence: str | None = None
    likely: float | None = None


REAL_MODELS = "docs/results/2026-11-real-models.md"
# The first that matches counts.
FAMILIES = (
    Family("VibeThinker", "vibethinker", 1.0, 0.95),
    Family("the R1 distillations", r"r1[-_. ]?distill|r1-0528", 0.6, 0.95),
    Family("Qwen3, thinking", r"qwen3(?!.*instruct)|qwq", 0.6, 0.95, 20),
    Family("Qwen3, instruct", "qwen3", 0.7, 0.8, 20),
    Family("Qwen2.5-Coder", r"qwen2\.?5[-_ ]?coder", 0.7, 0.8, 20, "arithmetic", REAL_MODELS, 0.85),
    Family("Qwen2.5", r"qwen2", 0.7, 0.8, 20),
    Family("Gemma 3", r"gemma[-_ ]?3", 1.0, 0.95, 64),
    Family("Llama 3", r"llama[-_ ]?3", 0.6, 0.9),
    Family("SmolLM3", "smollm3", 0.6, 0.95),
    Family("SmolLM2", "smollm2", 0.2, 0.9),
    Family("Phi-4 reasoning", r"phi[-_ ]?4.*reason", 0.8, 0.95),
)
UNKNOWN = Family("", "", 0.7, 0.95)  # warm enough for solutions to differ, as a vote needs
_SAMPLING = {"temperature": "temp", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p"}
_NAMES = ("general.name", "general.basename", "general.finetune", "general.base_model.0.name")
# Tokens of half of the solutions, with reasoning and without.
_TYPICAL = {True: (2000, 8000), False: (150, 800)}


def defaults(path: Path) -> tuple[ModelSpec, str]:
    """The settings for a file, and a sentence about where they come from. A broken file is for others to refuse."""
    try:
        keys = reader.read(path, raw=()).keys
    except ModelError:
        keys = {}
    names = " ".join(str(keys.get(key, "")) for key in _NAMES) + f" {path.stem}"
    family = next((each for each in FAMILIES if re.search(each.pattern, names, re.IGNORECASE)), UNKNOWN)
    own = _own(keys)
    sampling = {"temperature": family.temperature, "top_p": family.top_p, "top_k": family.top_k} | own
    template = str(keys.get("tokenizer.chat_template", ""))
    architecture = str(keys.get("general.architecture", ""))
    reasons = chat.reasoning_tags(template) is not None or family is FAMILIES[0]
    spec = ModelSpec.model_validate(
        {
            "about": "A file that models.toml does not list",
            "family": architecture if is_name(architecture) else "unknown",
            "stops": (),
            "typical_tokens": _TYPICAL[reasons],
            "mode": family.mode,
            "evidence": family.evidence,
            "likely": family.likely,
            **({"think": ("<think>", "</think>")} if family is FAMILIES[0] else {}),
            **sampling,
        }
    )
    source = "as the file says" if len(own) > 1 else f"as published for {family.name}" if family.name else "by default"
    off = "off" if not spec.top_k else str(spec.top_k)
    values = f"temperature {spec.temperature:g}, top-p {spec.top_p:g}, top-k {off}"
    return spec, f"{path.name} is not in models.toml: {values}, {source}."


def _own(keys: dict[str, Value]) -> dict[str, Any]:
    """The sampling settings that a file brings; what no sampler takes is left out."""
    found: dict[str, Any] = {}
    for name, key in _SAMPLING.items():
        value = keys.get(f"general.sampling.{key}")
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        if name == "top_k" and 0 <= value < 2**24 and int(value) == value:
            found[name] = int(value)
        elif (name == "temperature" and 0 <= value <= 5) or (name != "top_k" and 0 < value <= 1):
            found[name] = round(float(value), 6)  # 32-bit numbers
    return found
