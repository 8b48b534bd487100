"""File lists of GGUF repositories as they are on the hub: which files are models, which is taken, and why."""

import pytest

from vibethinker_local.errors import ModelError, UsageError
from vibethinker_local.models import repository
from vibethinker_local.models.names import is_model, quant_of, quants
from vibethinker_local.models.spec import Shape
from vibethinker_local.system.machine import Room

GB = 10**9
COMMON: dict[str, int | None] = {".gitattributes": 3000, "README.md": 9000, "config.json": 700}


def name_all(form: str, sizes: dict[str, float]) -> dict[str, int | None]:
    return COMMON | {form.format(quant): int(size * GB) for quant, size in sizes.items()}


THREE = {
    "Q2_K": 1.4,
    "Q3_K_M": 1.6,
    "IQ4_XS": 1.8,
    "Q4_K_S": 1.85,
    "Q4_K_M": 1.93,
    "Q6_K": 2.6,
    "Q8_0": 3.3,
    "f16": 6.2,
}
# By who lays them out: the files, and the quants that are models among them, the best first.
LISTS: dict[str, tuple[dict[str, int | None], list[str]]] = {
    "mradermacher": (
        name_all("VibeThinker-3B.{}.gguf", THREE),
        ["Q8_0", "Q6_K", "Q4_K_M", "Q4_K_S", "IQ4_XS", "Q3_K_M", "Q2_K", "F16"],
    ),
    "mradermacher's i1": (
        name_all("M.i1-{}.gguf", {"IQ1_S": 0.8, "IQ2_XXS": 1, "Q4_K_M": 1.9}) | {"M.imatrix.dat": 5, "imatrix.gguf": 5},
        ["Q4_K_M", "IQ2_XXS", "IQ1_S"],
    ),
    "bartowski": (
        name_all("R1-Distill-Qwen-1.5B-{}.gguf", {"Q4_0": 1, "Q4_K_L": 1.2, "Q6_K_L": 1.6, "bf16": 3.5, "IQ3_M": 0.8})
        | {"R1-Distill-Qwen-1.5B.imatrix": 2_000_000},
        ["Q6_K_L", "Q4_K_L", "Q4_0", "IQ3_M", "BF16"],
    ),
    "Qwen, lower case": (
        name_all("qwen2.5-1.5b-instruct-{}.gguf", {"fp16": 3.5, "q2_k": 0.7, "q4_k_m": 1.1, "q5_0": 1.2, "q8_0": 1.9}),
        ["Q8_0", "Q5_0", "Q4_K_M", "Q2_K", "F16"],
    ),
    "Qwen, one": (name_all("Qwen3-1.7B-{}.gguf", {"Q8_0": 1.8}), ["Q8_0"]),
    "unsloth": (
        name_all("Qwen3-4B-Thinking-2507-{}.gguf", {"Q4_K_M": 2.5, "UD-Q4_K_XL": 2.6, "UD-IQ1_M": 1, "Q8_0": 4.3})
        | {"BF16/Qwen3-4B-Thinking-2507-BF16-00001-of-00001.gguf": 8 * GB},
        ["Q8_0", "UD-Q4_K_XL", "Q4_K_M", "UD-IQ1_M", "BF16"],
    ),
    "ggml-org, with a projector": (
        name_all("SmolVLM-{}.gguf", {"Q8_0": 0.5, "f16": 0.9}) | {"mmproj-SmolVLM-Q8_0.gguf": 1, "mmproj-f16.gguf": 2},
        ["Q8_0", "F16"],
    ),
    "split, in folders": (
        COMMON
        | {f"Q8_0/Big-Q8_0-0000{part}-of-00003.gguf": 10 * GB for part in (1, 2, 3)}
        | {f"Q4_K_M/Big-Q4_K_M-0000{part}-of-00002.gguf": 9 * GB for part in (1, 2)}
        | {"Q6_K/Big-Q6_K-00001-of-00002.gguf": 9 * GB},
        ["Q8_0", "Q4_K_M"],
    ),
    "split, beside whole ones": (
        name_all("Big.{}.gguf", {"Q4_K_M": 20}) | {f"Big.Q8_0-0000{part}-of-00002.gguf": 20 * GB for part in (1, 2)},
        ["Q8_0", "Q4_K_M"],
    ),
    "a checkpoint": (COMMON | {"model.safetensors": 6 * GB, "tokenizer.json": 7_000_000}, []),
    "adapters, drafts, vocabularies": (
        name_all("m-{}.gguf", {"Q4_K_M": 2})
        | {"m-lora-f16.gguf": 1, "ggml-vocab-qwen2.gguf": 2, "m-draft-Q4_0.gguf": 3, "m-mtp-Q8_0.gguf": 4},
        ["Q4_K_M"],
    ),
    "names of one's own": (
        name_all("Phi-3-mini-4k-instruct-{}.gguf", {"fp16": 7.6, "q4": 2.4}),
        ["Q4", "F16"],
    ),
    "unsloth, its own mixes only": (
        name_all("M-UD-{}.gguf", {"Q5_K_XL": 2, "Q8_K_XL": 4, "Q6_K_XL": 3})
        | {"M-BF16.gguf": 6 * GB, "M-Q8_0.gguf": 3},
        ["Q8_0", "UD-Q8_K_XL", "UD-Q6_K_XL", "UD-Q5_K_XL", "BF16"],
    ),
    "split, without a quant": (
        {f"foo-0000{part}-of-00002.gguf": GB for part in (1, 2)},
        ["foo"],
    ),
    "spaces, brackets and other scripts": (
        COMMON
        | {"My Model Q8_0.gguf": 4 * GB, "模型-Q4_K_M.gguf": 2 * GB, "a [v2]/Tune (f16).gguf": 8 * GB}
        | {"bad\nname-Q6_K.gguf": 1, "b:Q5_0.gguf": 1, " Q4_0.gguf": 1, "a\\b-Q4_1.gguf": 1, ".x/Q3_K_M.gguf": 1}
        | {"My lora f16.gguf": 1, "a//x-Q2_K.gguf": 1, "\u202ex-Q5_1.gguf": 1},
        ["Q8_0", "Q4_K_M", "Tune (f16)"],
    ),
    "no quant in the name, and a mirror without sizes": (
        COMMON | {"my-tune.gguf": None, "../evil.Q8_0.gguf": None, "nobody-finds.Q8_0.GGUF": None},
        ["my-tune"],
    ),
}


@pytest.mark.parametrize("case", LISTS)
def test_models_are_told_from_what_lies_beside_them(case: str) -> None:
    files, names = LISTS[case]
    found = quants(files.items())
    assert [quant.name for quant in found] == names
    for quant in found:
        assert all(is_model(file) for file in quant.files)
        sizes = [files[file] for file in quant.files]
        assert quant.bytes == (None if None in sizes else sum(size or 0 for size in sizes))


@pytest.mark.parametrize(
    ("file", "quant"),
    [
        ("a/b/Model.v2-Q4_K_M.gguf", "Q4_K_M"),
        ("model-q4_0.gguf", "Q4_0"),
        ("gpt-oss-20b-MXFP4.gguf", "MXFP4"),
        ("x-mxfp4_moe.gguf", "MXFP4_MOE"),
        ("X-UD-Q2_K_XL.gguf", "UD-Q2_K_XL"),
        ("X-Q4_0_4_4.gguf", "Q4_0_4_4"),
        ("TQ1_0.gguf", "TQ1_0"),
        ("My Model q4_k_m.gguf", "Q4_K_M"),
        ("My Model (Q4_K_M).gguf", None),
        ("Qwen2.5-7B.gguf", None),
        ("X-Q8_0-00002-of-00009.gguf", "Q8_0"),
    ],
)
def test_the_quant_is_read_off_a_name(file: str, quant: str | None) -> None:
    assert quant_of(file) == quant


def taken(case: str, gigabytes: float, wanted: str | None = None, shape: Shape | None = None) -> tuple[str, str]:
    found = quants(LISTS[case][0].items())
    chosen, why = repository.choose("org/repo", found, wanted, Room(int(gigabytes * GB), "test"), 32768, shape)
    return chosen.name, why


def test_more_memory_never_means_a_worse_quant() -> None:
    names = LISTS["mradermacher"][1]
    ranks = [names.index(taken("mradermacher", size)[0]) for size in (2.5, 3, 4, 5, 8, 64)]
    assert ranks == sorted(ranks, reverse=True)
    assert (names[ranks[0]], names[ranks[-1]]) == ("Q2_K", "Q8_0"), "16 bits are asked for by name only"


def test_a_quant_can_be_named() -> None:
    assert taken("unsloth", 1, "ud-q4_k_xl") == ("UD-Q4_K_XL", "asked for")
    with pytest.raises(UsageError, match="no Q7: give one of Q8_0, UD-Q4_K_XL, Q4_K_M"):
        taken("unsloth", 64, "Q7")


def test_what_there_is_nothing_of_is_said() -> None:
    with pytest.raises(ModelError, match="holds no GGUF model: look for a repository whose name ends in -GGUF"):
        taken("a checkpoint", 64)
    with pytest.raises(ModelError, match=r"No quant .* fits .* the smallest, Q4_K_M, has 18 GB"):
        taken("split, in folders", 8)
    assert taken("no quant in the name, and a mirror without sizes", 8)[0] == "my-tune"
    assert "the smallest; a long context may not fit" in taken("split, in folders", 21)[1]


def test_a_known_shape_makes_the_choice_exact() -> None:
    shape = Shape(
        layers=36, width=2048, feed_forward=11008, heads=16, kv_heads=2, vocabulary=151936, trained_context=131072
    )
    assert taken("mradermacher", 5.5, shape=shape)[0] == "Q8_0"
    assert taken("mradermacher", 4.7, shape=shape)[0] == "Q6_K"
