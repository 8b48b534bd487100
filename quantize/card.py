"""What a checkpoint's authors say of it: the model card (front matter of README.md) and generation_config.json.

Nothing is computed with it, so nothing in it stops a build: what cannot be understood is left out, with a warning that
names the file and the line. Texts are taken as they are written, not as YAML types them: there, `no` is false, not
Norwegian, and `1.0` a number, not a version.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from gguf import Metadata, size_label

from vibethinker_local.models import cache

from .source import read_json

CARD, GENERATION = "README.md", "generation_config.json"
ENTRIES = {"base_model", "base_models", "base_model_sources", "datasets", "dataset", "dataset_sources"}
LISTS = {"tags", "pipeline_tag", "languages", "language"}
NAMES = {"name", "author", "version", "organization", "description", "finetune", "basename", "size_label"}
NAMES |= {"url", "doi", "uuid", "repo_url"}
TEXTS = NAMES | {f"model_{name}" for name in NAMES} | {"model_creator", "model_type", "license_name", "license_link"}
KNOWN = ENTRIES | LISTS | TEXTS | {"license"}
COUNTS = {"top_k": "sampling_top_k", "penalty_last_n": "sampling_penalty_last_n", "mirostat": "sampling_mirostat"}
NUMBERS = {
    "top_p": "sampling_top_p",
    "min_p": "sampling_min_p",
    "xtc_probability": "sampling_xtc_probability",
    "xtc_threshold": "sampling_xtc_threshold",
    "temperature": "sampling_temp",
    "penalty_repeat": "sampling_penalty_repeat",
    "repetition_penalty": "sampling_penalty_repeat",  # transformers' name; gguf 0.19.0 does not know it yet
    "mirostat_tau": "sampling_mirostat_tau",
    "mirostat_eta": "sampling_mirostat_eta",
}
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # six times as fast, where PyYAML was built with it
MAX_CARD = 1 << 20  # characters; some seconds
MAX_DEPTH = 200
FLOAT32_MAX = 3.4e38
INT32_MAX = 2**31 - 1


@dataclass(frozen=True)
class Card:
    """`metadata` as the converter would have it, name and size label included; `warnings` of what was left out."""

    metadata: Metadata
    warnings: tuple[str, ...]


def read_card(folder: Path, name: str | None, weights: int) -> Card:
    """`name` is the model's, if it was given; else the card's, or the folder's. `weights` is how many the model has."""
    warnings = _Warnings(folder)
    metadata = Metadata()
    for field_name, value in _sampling(folder, warnings).items():
        setattr(metadata, field_name, value)
    origin = read_json(folder / "config.json").get("_name_or_path")
    named = Path(_encodable(str(_named(folder))))
    try:
        Metadata.apply_metadata_heuristic(
            metadata,
            _front_matter(folder, warnings),
            {"_name_or_path": _encodable(origin)} if isinstance(origin, str) else {},
            named,
            weights,
        )
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        warnings.add(CARD, None, f"names in it cannot be understood ({error}); left out")
    metadata.name = name or metadata.name or named.name
    metadata.size_label = metadata.size_label or size_label(weights, weights, 0, 0)
    return Card(metadata, tuple(warnings.lines))


def _named(folder: Path) -> Path:
    """The path whose last part names the model: that of a snapshot in the hub's cache would be a commit."""
    origin = cache.origin(folder)
    if origin:
        return Path(origin[0])
    return folder if folder.name not in ("", "..") else folder.resolve()  # the folder that one stands in


@dataclass
class _Warnings:
    folder: Path
    lines: list[str] = field(default_factory=list)

    def add(self, file: str, line: int | None, what: str) -> None:
        place = f"{self.folder / file}, line {line}" if line else str(self.folder / file)
        self.lines.append(f"{place}: {what}")


def _encodable(text: str) -> str:
    """Without the halves of characters that a name of a file or JSON may hold, and UTF-8 may not."""
    return text.encode("utf-8", "replace").decode()


def _front_matter(folder: Path, warnings: _Warnings) -> dict[str, Any]:
    """The entries of the model card that say something about a model, as texts and lists of texts."""
    try:
        raw = (folder / CARD).read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        warnings.add(CARD, None, f"cannot be read ({error.strerror}); left out")
        return {}
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    lines = [line.rstrip() for line in re.split("\r\n|\r|\n", raw.decode(encoding, "replace"))]
    begin = next((i for i, line in enumerate(lines) if line), 0)
    if lines[begin] != "---":
        return {}
    if "---" not in lines[begin + 1 :]:
        warnings.add(CARD, begin + 1, "the front matter that begins here has no end; left out")
        return {}
    text = "\n".join(lines[begin + 1 : lines.index("---", begin + 1)])
    first = begin + 2  # the number of the text's first line in the file
    root = _compose(text.replace("\t", "  "), first, warnings)  # the converter replaces tabs too
    if isinstance(root, yaml.MappingNode):
        return _entries(root, first, warnings)
    if root is not None:
        warnings.add(CARD, first, "front matter without keys; left out")
    return {}


def _compose(text: str, first: int, warnings: _Warnings) -> yaml.Node | None:
    """The root of a YAML text. None for an empty one, and, with a warning, for one that is no YAML."""
    line = 0
    try:
        if len(text) > MAX_CARD or _is_deep(text):
            raise RecursionError
        root: yaml.Node | None = yaml.compose(text, Loader=LOADER)
        return root
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, reason = (min(mark.line, text.count("\n")) if mark else 0), error.problem
    except yaml.reader.ReaderError as error:
        line, reason = text.count("\n", 0, error.position), error.reason
    except RecursionError:
        reason = "too long, or nested too deeply"
    warnings.add(CARD, first + line, f"not YAML ({reason}); the front matter is left out")
    return None


def _is_deep(text: str) -> bool:
    """Whether a parser might need more stack than there is: libyaml has no limit of its own."""
    depth = deepest = 0
    for bracket in re.findall(r"[][{}]", text):
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest > MAX_DEPTH or re.search(rf"^[ ?:-]{{{MAX_DEPTH}}}", text, re.MULTILINE) is not None


def _entries(root: yaml.MappingNode, first: int, warnings: _Warnings) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in root.value:
        key = key_node.value
        if not isinstance(key, str) or key not in KNOWN:
            continue
        line = first + value_node.start_mark.line
        if _is_null(value_node):
            continue
        value: Any = None
        match value_node:
            case yaml.ScalarNode():
                value = _text(value_node, line, warnings)
            case yaml.SequenceNode() if key not in TEXTS:
                items = [_item(node, first, warnings, mappings=key in ENTRIES) for node in value_node.value]
                value = [item for item in items if item is not None]
            case _:
                warnings.add(CARD, line, f"{key} is no text; left out")
        if value is not None:
            found[key] = value
    return found


def _item(node: yaml.Node, first: int, warnings: _Warnings, *, mappings: bool) -> str | dict[str, str] | None:
    line = first + node.start_mark.line
    match node:
        case yaml.ScalarNode():
            return None if _is_null(node) else _text(node, line, warnings)
        case yaml.MappingNode() if mappings:
            texts = {k.value: _text(v, line, warnings) for k, v in node.value if isinstance(v, yaml.ScalarNode)}
            return {key: text for key, text in texts.items() if isinstance(key, str) and text is not None}
    warnings.add(CARD, line, "an item that is no text; left out")
    return None


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _text(node: yaml.ScalarNode, line: int, warnings: _Warnings) -> str | None:
    text: str = node.value
    if "\N{REPLACEMENT CHARACTER}" in text:
        warnings.add(CARD, line, "an entry that is not UTF-8; left out")
        return None
    if node.tag == "tag:yaml.org,2002:bool":
        warnings.add(CARD, line, f"to YAML, {text} is true or false; taken as the text that it is")
    return text


def _sampling(folder: Path, warnings: _Warnings) -> dict[str, int | float | str]:
    """The recommended sampling parameters, by their names in Metadata."""
    path = folder / GENERATION
    try:
        raw = path.read_bytes()
        config = json.loads(raw)
    except FileNotFoundError:
        return {}
    except OSError as error:
        warnings.add(GENERATION, None, f"cannot be read ({error.strerror}); left out")
        return {}
    except (ValueError, RecursionError) as error:
        at = error.lineno if isinstance(error, json.JSONDecodeError) else _line_of(error, raw)
        warnings.add(GENERATION, at, "not JSON; left out")
        return {}
    if not isinstance(config, dict):
        warnings.add(GENERATION, 1, "no JSON object; left out")
        return {}
    found: dict[str, int | float | str] = {}
    for key, field_name in {**COUNTS, **NUMBERS, "sequence": "sampling_sequence"}.items():
        given = config.get(key)
        if given is None or field_name in found:
            continue
        value = _parameter(key, given)
        if value is None:
            shown = repr(given) if len(repr(given)) < 50 else repr(given)[:50] + "…"
            warnings.add(GENERATION, _line_with(key, raw), f"{key} is {shown}, which is no value for it; left out")
        else:
            found[field_name] = value
    return found


def _parameter(key: str, given: object) -> int | float | str | None:
    if key == "sequence":
        return given if isinstance(given, str) and given == _encodable(given) else None
    if isinstance(given, bool) or not isinstance(given, int | float) or not abs(given) < FLOAT32_MAX:
        return None
    if key in NUMBERS:
        return float(given)
    return int(given) if given == int(given) and abs(given) <= INT32_MAX else None


def _line_of(error: BaseException, raw: bytes) -> int | None:
    return raw.count(b"\n", 0, error.start) + 1 if isinstance(error, UnicodeDecodeError) else None


def _line_with(key: str, raw: bytes) -> int | None:
    match = re.search(rf'"{key}"\s*:', raw.decode(json.detect_encoding(raw), "replace"))
    return match.string.count("\n", 0, match.start()) + 1 if match else None
