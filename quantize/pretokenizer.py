"""Whether a tokenizer.json cuts text as llama.cpp's `qwen2` does (src/llama-vocab.cpp, LLAMA_VOCAB_PRE_TYPE_QWEN2).

Programs spell the same tokenizer in many ways: an option that is off may be left out, null, "", false or 0.0, steps may
be nested in sequences, a post-processor may add nothing. What counts is what the `tokenizers` library would do with it,
so steps are compared by their effect on tokens. `trim_offsets` moves character positions only, and is never looked at.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import CheckpointError

CONTRACTIONS = ("(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])")
WORDS = r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS = tuple(contraction + WORDS for contraction in CONTRACTIONS)  # as transformers and as llama.cpp write it
# The pattern matches every character, so that cutting at its matches and dropping what lies between are the same.
ISOLATING = (("Isolated", False), ("Isolated", True), ("Removed", True))


def refuse_foreign(tokenizer: dict[str, Any], path: Path) -> None:
    """Raises CheckpointError, saying what differs, for a tokenizer whose tokens llama.cpp would not reproduce."""
    model = tokenizer.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE" or not isinstance(model.get("vocab"), dict):
        raise CheckpointError(f"{path} holds no BPE vocabulary; only Qwen2's tokenizer is supported")
    if not all(isinstance(value, list | None) for value in (model.get("merges"), tokenizer.get("added_tokens"))):
        raise _no_list(path)
    normalizers = _steps(tokenizer.get("normalizer"), "normalizers", path)
    cutting = [_effect(step) for step in _steps(tokenizer.get("pre_tokenizer"), "pretokenizers", path)]
    normalizes = normalizers and all(step.get("type") == "NFC" for step in normalizers)
    if not normalizes or cutting != ["qwen2's pattern", "bytes"]:
        raise CheckpointError(f"{path} does not cut text as Qwen2 does (normalizer, pre_tokenizer); it cannot be used")
    if used := list(_options(model)):
        raise CheckpointError(f"{path} uses options of BPE that llama.cpp does not have ({', '.join(used)})")
    if not all(_adds_nothing(step) for step in _steps(tokenizer.get("post_processor"), "processors", path)):
        raise CheckpointError(f"{path} adds tokens around a text (post_processor), which Qwen2's does not")


def _steps(step: object, members: str, path: Path) -> list[dict[str, Any]]:
    """The steps one after the other, with Sequences unfolded. None is no step."""
    found: list[dict[str, Any]] = []
    waiting: list[Any] = [step]
    while waiting:
        match waiting.pop():
            case None:
                continue
            case {"type": "Sequence"} as sequence:
                if not isinstance(sequence.get(members), list):
                    raise _no_list(path)
                waiting.extend(reversed(sequence[members]))
            case dict(single):
                found.append(single)
            case _:
                raise _no_list(path)
    return found


def _no_list(path: Path) -> CheckpointError:
    return CheckpointError(f"{path} has no list of merges, added_tokens or pretokenizers; download it again")


def _effect(step: dict[str, Any]) -> str | None:
    match step:
        case {"type": "Split", "pattern": {"Regex": str(pattern)}, "behavior": behavior}:
            pattern = pattern.replace("\r", r"\r").replace("\n", r"\n")  # the characters themselves match the same
            known = pattern in SPLITS and (behavior, bool(step.get("invert"))) in ISOLATING
            return "qwen2's pattern" if known else None
        case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}:  # without the key, it is used
            return "bytes"
    return None


def _options(model: dict[str, Any]) -> Iterator[str]:
    """Names of the options that are on and would change tokens."""
    for option in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges"):
        if model.get(option):
            yield option
    if model.get("byte_fallback") and not byte_letters() <= model["vocab"].keys():
        yield "byte_fallback"  # with all letters in the vocabulary, there is nothing to fall back from


def _adds_nothing(step: dict[str, Any]) -> bool:
    """transformers 5 writes a template that consists of the text alone."""
    match step:
        case {"type": "ByteLevel"} | {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}]}:
            return True
    return False


def byte_letters() -> set[str]:
    """The 256 characters that stand for bytes in a byte-level vocabulary, as GPT-2 chose them."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    return {chr(byte) for byte in printable} | {chr(256 + n) for n in range(256 - len(printable))}
