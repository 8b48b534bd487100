"""models.toml as data: what the program knows about each model. Knows nothing of what is installed.

The program's own models.toml is documented in its comments; entries in the user's config folder come on top of it.
"""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from vibethinker_local.errors import ModelError
from vibethinker_local.events import LEAST_CONTEXT, MOST_CONTEXT, PassMode, VerdictKind
from vibethinker_local.gguf.header import Header
from vibethinker_local.models import names
from vibethinker_local.system import paths, toml
from vibethinker_local.system.toml import StrictModel, Text, written

SCHEMA = 1
BUNDLED = "mini"

_WORD = "[A-Za-z0-9_][A-Za-z0-9._-]*"
_HUB = re.compile(r"^(https?://)?(huggingface\.co|hf\.co)/", re.IGNORECASE)  # as browsers have it, and Ollama
LONGEST_NAME, LONGEST_REPOSITORY = 64, 200  # characters
Name = Annotated[
    str, StringConstraints(max_length=LONGEST_NAME), written(_WORD, "write letters, digits and . _ - only")
]
Repository = Annotated[
    str,
    StringConstraints(max_length=LONGEST_REPOSITORY),
    written(f"{_WORD}/{_WORD}", "write ORG/NAME, as the hub does"),
]
Revision = Annotated[
    str,
    StringConstraints(max_length=100),
    written(f"{_WORD}(/{_WORD})*", "write a commit, or the name of a tag or a branch"),
]
Sha256 = Annotated[
    str, StringConstraints(to_lower=True), written("[0-9a-f]{64}", "write the 64 hexadecimal digits of a sha256")
]
# Below a folder that is ours.
RelativePath = Annotated[
    str,
    StringConstraints(max_length=200),
    written(names.PATH, "write a path inside the repository, as folder/model.gguf"),
]
Size = Annotated[int, Field(ge=1, le=2**45)]
Tokens = Annotated[int, Field(ge=1, le=2**20)]


class ModelFile(StrictModel):
    """One GGUF file of a model, in the package or in a hub repository."""

    quant: Name
    package: RelativePath | None = None  # path below the package
    repository: Repository | None = None
    revision: Revision | None = None  # a commit is best: it cannot change; else main
    file: RelativePath | None = None
    bytes: Size | None = None
    about_bytes: Size | None = None  # where the exact number is not known
    sha256: Sha256 | None = None  # without it, the hub's own is what counts

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.package) == bool(self.repository) or bool(self.repository) != bool(self.file):
            raise ValueError("give either package, or repository and file")
        return self

    @property
    def name(self) -> str:
        """The file's own name, without folders."""
        return Path(self.file or self.package or "").name


class Shape(StrictModel):
    """What the memory of a context depends on, known before any file is here; the words are gguf_header.Header's."""

    layers: Annotated[int, Field(ge=1, le=512)]
    width: Annotated[int, Field(ge=1, le=2**20)]
    feed_forward: Annotated[int, Field(ge=1, le=2**24)]
    heads: Annotated[int, Field(ge=1, le=4096)]
    kv_heads: Annotated[int, Field(ge=1, le=4096)]
    vocabulary: Annotated[int, Field(ge=1, le=2**24)]
    trained_context: Annotated[int, Field(ge=1, le=2**24)]
    head_width: Annotated[int, Field(ge=1, le=2**16)] | None = None  # where it is not width / heads

    def header(self, weights: int) -> Header:
        """As the header of a file of so many bytes."""
        cached = None if self.head_width is None else 2 * self.layers * self.kv_heads * self.head_width
        return Header(**self.model_dump(exclude={"head_width"}), weights=weights, cached=cached)


class ModelSpec(StrictModel):
    """One model: where it comes from, how it is sampled, where it stops, and its files, the best first."""

    about: Text
    licence: Text | None = None
    family: Name = "qwen2"  # the architecture
    gguf: Repository | None = None  # a hub repository of GGUF files, which is asked what it has
    source: Repository | None = None  # the hub repository of the checkpoint
    source_revision: Revision | None = None
    shape: Shape | None = None
    max_tokens: Tokens = 32768  # generated tokens per solution
    typical_tokens: tuple[Tokens, Tokens] = (4000, 16000)  # the middle half of the solutions lies between
    context: Annotated[int, Field(ge=LEAST_CONTEXT, le=MOST_CONTEXT)] = 32768  # cells of the KV cache
    temperature: Annotated[float, Field(ge=0, le=5)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    top_k: Annotated[int, Field(ge=0, le=2**24)] = 0  # 0: off
    min_p: Annotated[float, Field(ge=0, le=1)] = 0.0  # 0: off
    stops: tuple[Text, ...] = ("<|im_end|>", "<|endoftext|>")
    more: bool = False  # one of those that `vibe models` lists with --all only, until it is here
    alone: bool = False  # each question is read without what was said before it
    think: tuple[Text, Text] | None = None  # the tags around its reasoning; None: as its chat template has them
    mode: PassMode = "majority"  # of the reliability pass: what does not have evidence for more votes plainly
    verdicts: VerdictKind = "score"  # of its claims
    evidence: Text | None = None  # for mode, verdicts and likely: where it is measured, or who reports it
    reasoned_verdicts: bool = True  # whether it reasons about claims again where a vote is close
    likely: Annotated[float, Field(ge=0.5, le=1)] | None = None  # that a vote stays as it is, to end it; None: as usual
    closing: Text | Literal[""] = ""  # sentence with which reasoning is closed where tokens run out
    grace: Annotated[int, Field(ge=0, le=4096)] = 0  # tokens before the end, within which it is closed at a line's end
    prompts: Literal[1, 2] = 2  # version of the texts that it is asked for claims with: those that it was trained on
    files: tuple[ModelFile, ...] = ()

    @field_validator("typical_tokens")
    @classmethod
    def _in_order(cls, value: tuple[int, int]) -> tuple[int, int]:
        if value[0] > value[1]:
            raise ValueError("the smaller number comes first")
        return value


class _Registry(StrictModel):
    schema_: Annotated[int, Field(alias="schema")]
    models: dict[Name, ModelSpec]

    @model_validator(mode="before")
    @classmethod
    def _in_place(cls, value: dict[str, object]) -> dict[str, object]:
        """What stands in the wrong place is named first: what seems to be missing is there, too."""
        if wrong := next((name for name in value if name not in ("schema", "models")), None):
            raise ValueError(
                f"{wrong} is in the wrong place: schema comes first, an entry is [models.NAME], "
                "a file of it [[models.NAME.files]]"
            )
        return value

    @field_validator("schema_")
    @classmethod
    def _known(cls, value: int) -> int:
        if value != SCHEMA:
            raise ValueError(f"this version of vibe reads schema {SCHEMA}, not {value}")
        return value


def registry() -> dict[str, ModelSpec]:
    """All known models by name, the best first and the bundled one last. Raises ModelError naming file, line and key.

    An entry of the user's takes the place of ours of the same name, and comes before those of which there are `more`.
    """
    ours = toml.load(paths.models_toml(), _Registry, ModelError)
    theirs = toml.load(
        paths.config() / "models.toml",
        _Registry,
        ModelError,
        without=_Registry.model_validate({"schema": SCHEMA, "models": {}}),
    )
    known = ours.models | theirs.models
    return {name: known[name] for name in sorted(known, key=lambda name: (name == BUNDLED, known[name].more))}


def find(wanted: str, known: dict[str, ModelSpec]) -> tuple[str, str | None] | None:
    """NAME or NAME:QUANT taken apart, None if there is no such name. A quant is compared without regard to case."""
    name, _, quant = wanted.partition(":")
    return (name, quant or None) if name in known else None


def repository(wanted: str) -> tuple[str, str | None] | None:
    """ORG/REPO or ORG/REPO:QUANT taken apart, also behind the hub's address; None if it is neither."""
    name, _, quant = _HUB.sub("", wanted).partition(":")
    name = name.removesuffix("/").removesuffix("/tree/main")
    is_one = len(name) <= LONGEST_REPOSITORY and re.fullmatch(f"{_WORD}/{_WORD}", name)
    return (name, quant or None) if is_one else None


def is_name(text: str) -> bool:
    """Whether a text can stand where models.toml has a `Name`."""
    return len(text) <= LONGEST_NAME and re.fullmatch(_WORD, text) is not None
