"""The names of files in GGUF repositories: which are models, and of which quant."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vibethinker_local.gguf.header import SHARD

# The best first. What has more than eight bits takes twice the memory for the same answers, so it comes last.
QUALITY = (
    "Q8_0 Q6_K_L Q6_K Q5_K_L Q5_K_M Q5_K_S Q5_1 Q5_0 Q4_K_L Q4_K_XL Q4_K_M Q4_K_S Q4_1 IQ4_NL IQ4_XS MXFP4 Q4_0 "
    "Q3_K_XL Q3_K_L Q3_K_M IQ3_M Q3_K_S IQ3_S IQ3_XS IQ3_XXS Q2_K_L Q2_K_XL Q2_K IQ2_M IQ2_S IQ2_XS IQ2_XXS Q2_K_S "
    "IQ1_M IQ1_S TQ2_0 TQ1_0 BF16 F16 F32"
).split()
_QUANT = re.compile(
    r"(?:^|[-._ ])(?P<quant>(?:UD-)?(?:I?Q\d+(?:_[A-Z0-9]+)*|TQ\d_\d|MXFP4(?:_MOE)?|BF16|F16|FP16|F32|FP32))$",
    re.IGNORECASE,
)
# Beside models, repositories hold what goes with them.
_OTHER = re.compile(r"mmproj|imatrix|(?:^|[-._ ])(?:vocab|lora|adapter|mtp|draft)(?:[-._ ]|$)", re.IGNORECASE)
# A path that leads nowhere else, and in which nothing means something to a file system: spaces and any script are fine.
_PART = r"(?![\s.~-])[^\x00-\x1f\x7f\\/:*?\"<>|]+(?<![ .])"
PATH = f"{_PART}(/{_PART})*"


@dataclass(frozen=True)
class Quant:
    """One quant of a repository: a file, or the parts of one, in order."""

    name: str
    files: tuple[str, ...]
    bytes: int | None  # of all; None where the hub does not say


def quant_of(file: str) -> str | None:
    """The quant in a file's name, in capitals; None if there is none. Of parts, that of the whole."""
    stem = file.rpartition("/")[2].removesuffix(".gguf")
    if shard := SHARD.fullmatch(f"{stem}.gguf"):
        stem = shard["stem"]
    found = _QUANT.search(stem)
    return found["quant"].upper().replace("FP", "F").replace("MXF4", "MXFP4") if found else None


def is_model(file: str) -> bool:
    """Whether a name may be that of a model: no projector, importance matrix, vocabulary, adapter or draft model."""
    name = file.rpartition("/")[2]
    safe = file.isprintable() and re.fullmatch(PATH, file) is not None
    return name.endswith(".gguf") and safe and not _OTHER.search(name[:-5])


def quants(files: Iterable[tuple[str, int | None]]) -> list[Quant]:
    """The models among a repository's files, each with its bytes if they are known; the best first.

    A file without a quant in its name goes by its stem, parts by that of the whole. Where one is missing, all are left
    out.
    """
    groups: dict[tuple[str, str, int], list[tuple[str, int | None]]] = {}
    for file, bytes in sorted(files):
        if is_model(file):
            folder, _, name = file.rpartition("/")
            shard = SHARD.fullmatch(name)
            stem, count = (shard["stem"], int(shard["parts"])) if shard else (name.removesuffix(".gguf"), 1)
            groups.setdefault((folder, stem, count), []).append((file, bytes))
    found: dict[str, Quant] = {}
    for (_, stem, count), parts in groups.items():
        if len(parts) != count:
            continue
        sizes = [bytes for _, bytes in parts]
        name = quant_of(parts[0][0]) or stem
        known = sum(size for size in sizes if size is not None) if None not in sizes else None
        found.setdefault(name, Quant(name, tuple(file for file, _ in parts), known))
    return sorted(found.values(), key=_rank)


def _rank(quant: Quant) -> tuple[int, bool, int]:
    plain = quant.name.removeprefix("UD-").removesuffix("_MOE")
    return _quality(plain), quant.name != plain, -(quant.bytes or 0)


def _quality(plain: str) -> int:
    """The place in QUALITY; a name of one's own (Q4, Q8_K_XL) comes behind those with as many bits."""
    if plain in QUALITY:
        return QUALITY.index(plain)
    bits = re.search(r"Q(\d)", plain)
    alike = [place for place, known in enumerate(QUALITY) if bits and bits[0] in known]
    return alike[-1] if alike else QUALITY.index("BF16") - 1
