"""From a request to a job: everything that decides the bytes of the file, read and checked before any is written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vibethinker_local.llama.kernels import Floats
from vibethinker_local.models import cache

from . import vocab
from .card import Card, read_card
from .config import Qwen2Config, match_weights, read_config, redundant_output
from .errors import RequestError
from .header import SOURCE_SHA256, UNKNOWN_SHA256, Keys, Provenance
from .imatrix import Imatrix, check_belongs, read_imatrix
from .plan import FILE_TYPES, Override, QuantizationPlan, make_plan, parse_file_type, parse_override, parse_tensor_type
from .source import INDEX, SINGLE, Checkpoint, Show, check_has_weights, locate, open_checkpoint, same_bytes


@dataclass(frozen=True)
class Request:
    """What a user asks for, as given."""

    source: str
    file_type: str
    imatrix: Path | None = None
    embedding_type: str | None = None
    tensor_types: tuple[str, ...] = ()  # PATTERN=TYPE
    chat_template: Path | None = None
    name: str | None = None  # general.name; else the model card's or the folder's
    revision: str | None = None  # of a checkpoint on the hub


@dataclass(frozen=True)
class Job:
    checkpoint: Checkpoint
    config: Qwen2Config
    vocabulary: vocab.Vocabulary
    plan: QuantizationPlan
    imatrix: Imatrix | None
    card: Card
    warnings: tuple[str, ...]

    @property
    def keys(self) -> Keys:
        provenance = (
            *_origin(self.checkpoint.folder),
            *(self.imatrix.provenance if self.imatrix else ()),
            *_versions(),
            Provenance(SOURCE_SHA256, UNKNOWN_SHA256),
        )
        file_type = FILE_TYPES[self.plan.file_type]
        return Keys(self.card.metadata, self.config, self.vocabulary, file_type, provenance)

    @property
    def importance(self) -> dict[str, Floats]:
        return self.imatrix.importance if self.imatrix else {}


def prepare(request: Request, show: Show = lambda progress: None) -> Job:
    """Read and check what a build needs; `show` gets how far the download of a checkpoint is.

    Raises RequestError, CheckpointError or ModelError; then there is nothing to clean up.
    """
    file_type = parse_file_type(request.file_type)
    overrides = [parse_override(text) for text in request.tensor_types]
    if request.embedding_type:
        embedding = Override(re.compile(r"^token_embd\.weight$"), parse_tensor_type(request.embedding_type))
        overrides.insert(0, embedding)
    folder = locate(request.source, request.revision, show=show)
    check_has_weights(folder)
    config = read_config(folder)  # another architecture is refused by its name, before a tensor's shape is
    checkpoint = open_checkpoint(folder)
    weights = match_weights(config, checkpoint)
    imatrix = read_imatrix(request.imatrix) if request.imatrix else None
    plan = make_plan(config, weights, file_type, overrides=overrides, with_importance=imatrix is not None)
    if imatrix:
        check_belongs(imatrix, plan)
    template = _read_template(request.chat_template) if request.chat_template else None
    vocabulary = vocab.read_vocabulary(folder, config.vocabulary, template)
    card = read_card(folder, request.name, plan.weights)
    warnings = (*_weight_warnings(config, checkpoint), *card.warnings)
    if template is None and vocab.template_file(folder) not in (None, vocabulary.chat_templates["default"]):
        warnings += (
            "chat_template.jinja is not the template in tokenizer_config.json, which is taken, as llama.cpp's "
            "converter does; transformers takes the former: to have it, give it with --chat-template",
        )
    if vocabulary.particular:
        shown = ", ".join(vocabulary.particular[:3]) + (" …" if len(vocabulary.particular) > 3 else "")
        warnings += (f"around {shown} llama.cpp may cut text in another way: it has no {', '.join(vocab.BESIDE)}",)
    return Job(checkpoint, config, vocabulary, plan, imatrix, card, warnings)


def _read_template(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"the chat template {path} cannot be read as UTF-8 text ({error})") from error
    if not text.strip():
        raise RequestError(f"the chat template {path} is empty")
    return text


def _weight_warnings(config: Qwen2Config, checkpoint: Checkpoint) -> Iterator[str]:
    single = checkpoint.folder / SINGLE
    if single.is_file() and single not in checkpoint.files:
        yield (
            f"{SINGLE} is left out, as llama.cpp's converter does, for the index names other files; transformers takes "
            f"it: to have it, remove {INDEX}"
        )
    pair = redundant_output(config, checkpoint)
    if pair and not same_bytes(*pair):
        yield f"{pair[0].name} differs from {pair[1].name}, but config.json ties them: it was left out"


def _origin(folder: Path) -> tuple[Provenance, ...]:
    """Repository and revision, where the folder is a snapshot in the Hugging Face cache."""
    repository, commit = cache.origin(folder) or (None, None)
    if repository is None or commit is None:
        return ()
    return Provenance("quantize.source.repository", repository), Provenance("quantize.source.revision", commit)


def _versions() -> Iterator[Provenance]:
    for package in ("vibethinker-local", "llama-cpp-python"):
        try:
            yield Provenance(f"quantize.version.{package.replace('-', '_')}", version(package))
        except PackageNotFoundError:  # run from a source folder
            continue
