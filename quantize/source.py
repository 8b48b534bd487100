"""The checkpoint's files: finds them, and reads safetensors headers with every bound checked.

Knows the safetensors format (https://huggingface.co/docs/safetensors) and the sharding index. Does not know what the
tensors mean (config.py) and reads no tensor data.
"""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vibethinker_local.gguf.reader import LFS_POINTER
from vibethinker_local.system.progress import Progress, run

from .errors import CheckpointError, RequestError

Show = Callable[[Progress], None]

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
SHARD = re.compile(r"(model.*)-\d+-of-(\d+)\.safetensors", re.ASCII)
ADAPTER = "adapter_*"  # of LoRA, as peft saves it: its configuration, and weights in one form or the other
# Read beside the shards, where they exist; with them they make up the source's fingerprint.
COMPANIONS = (
    "README.md",
    "chat_template.jinja",
    "chat_template.json",
    "config.json",
    "generation_config.json",
    INDEX,
    "tokenizer.json",
    "tokenizer_config.json",
)
ADDITIONAL = "additional_chat_templates"  # the folder of those that have names, as transformers saves them
SLOW_TOKENIZER = ("added_tokens.json", "merges.txt", "vocab.json")  # read where there is no tokenizer.json
HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors library
PIECE = 1 << 20  # bytes read at a time
WIDTHS = {"BF16": 2, "F16": 2, "F32": 4}  # bytes per weight


@dataclass(frozen=True)
class SourceTensor:
    """One tensor in a shard. `shape` is (rows, width) or (width,); `offset` is from the start of the file, in bytes."""

    name: str
    dtype: str  # a key of WIDTHS
    shape: tuple[int, ...]
    file: Path
    offset: int
    size: int

    @property
    def width(self) -> int:
        return self.shape[-1]

    @property
    def rows(self) -> int:
        return self.shape[0] if len(self.shape) == 2 else 1


@dataclass(frozen=True)
class Checkpoint:
    """A folder whose safetensors headers are sound. `files` are all that a build reads, sorted by name."""

    folder: Path
    files: tuple[Path, ...]
    tensors: dict[str, SourceTensor]


def locate(
    source: str, revision: str | None = None, parts: tuple[str, ...] | None = None, show: Show = lambda progress: None
) -> Path:
    """The folder of a checkpoint: a local one, or that of ORG/NAME on the Hugging Face hub, which is fetched.

    `parts` are patterns of the names that are needed, else a whole checkpoint's; `show` gets how far a download is.
    Raises UsageError or ModelError: RequestError for what is not there, CheckpointError without a hub.
    """
    folder = Path(source)
    try:
        is_folder, exists = folder.is_dir(), folder.exists()
    except OSError as error:
        raise RequestError(f"{source} cannot be a folder ({error.strerror}); check the path") from error
    if is_folder:
        if revision:
            raise RequestError(f"{source} is a folder here; --revision is for what the hub has")
        return folder
    if exists:
        raise RequestError(f"{source} is not a folder; give the one that holds config.json and the safetensors files")
    if HUB_ID.fullmatch(source):
        return _fetched(source, revision, parts, show)
    raise RequestError(f"there is no folder {source}; give a checkpoint's folder, or its name on the hub (ORG/NAME)")


def _fetched(repository: str, revision: str | None, parts: tuple[str, ...] | None, show: Show) -> Path:
    from vibethinker_local.models import download, hub  # the hub's client reads its variables when it is imported

    try:
        return run(download.fetch_checkpoint(repository, revision, parts or download.CHECKPOINT), show)
    except hub.Missing as error:
        raise RequestError(f"There is no folder {repository} here. {error}") from error
    except hub.Unreachable as error:
        raise CheckpointError(f"There is no folder {repository} here, and the hub cannot be asked. {error}") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from `path`. Raises CheckpointError if it is missing, unreadable or no object."""
    try:
        raw = path.read_bytes()
        value = json.loads(raw)
    except FileNotFoundError:
        raise CheckpointError(f"{path.name} is missing from {path.parent}; download the checkpoint again") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        _refuse_pointer(raw, path)
        raise CheckpointError(f"{path} is not valid JSON ({error}); download it again") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} does not hold a JSON object; download it again")
    return value


def _refuse_pointer(raw: bytes, path: Path) -> None:
    if raw.startswith(LFS_POINTER):
        raise CheckpointError(f"{path} only points to its content, by Git LFS; fetch that with `git lfs pull`")


def read_json_if_there(path: Path) -> dict[str, Any]:
    """As read_json, and an empty object for a file that is not there."""
    return read_json(path) if path.is_file() else {}


def check_has_weights(folder: Path) -> None:
    """Raises CheckpointError if nothing in the folder can be read as weights: its config.json may be missing, too."""
    if not _weight_map(folder):
        _shards_without_index(folder)


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read the headers of all shards. Raises CheckpointError if a shard or a tensor is missing, or a header unsound."""
    weight_map = _weight_map(folder)
    names = sorted(set(weight_map.values())) or _shards_without_index(folder)
    tensors: dict[str, SourceTensor] = {}
    for name in names:
        if not (folder / name).is_file():
            named = f", which {INDEX} names," if weight_map else ""
            raise CheckpointError(f"{name}{named} is missing from {folder}; download it again")
        for tensor in read_shard(folder / name):
            if tensor.name in tensors:
                raise CheckpointError(f"{tensor.name} is in both {tensors[tensor.name].file.name} and {name}")
            tensors[tensor.name] = tensor
    for tensor_name, file in weight_map.items():
        if tensor_name not in tensors or tensors[tensor_name].file.name != file:
            raise CheckpointError(f"{INDEX} says that {tensor_name} is in {file}, but it is not; download both again")
    beside = COMPANIONS if (folder / "tokenizer.json").is_file() else (*COMPANIONS, *SLOW_TOKENIZER)
    read = [*(folder / name for name in beside), *(folder / ADDITIONAL).glob("*.jinja")]
    companions = [path for path in read if path.is_file() and os.access(path, os.R_OK)]
    files = sorted([*companions, *(folder / name for name in names)], key=lambda path: path.name)
    return Checkpoint(folder, tuple(files), tensors)


def _weight_map(folder: Path) -> dict[str, str]:
    """The shard of each tensor.

    Empty without an index, and where a checkpoint in one file was saved over a sharded one: transformers leaves the old
    index there.
    """
    if not (folder / INDEX).exists():
        return {}
    weight_map = read_json(folder / INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{folder / INDEX} has no weight_map; download it again")
    shards = {name: _shard_name(file, folder) for name, file in weight_map.items()}
    stale = (folder / SINGLE).is_file() and not any((folder / shard).is_file() for shard in shards.values())
    return {} if stale else shards


def _shards_without_index(folder: Path) -> list[str]:
    """The file that holds everything, else all that llama.cpp takes for a part (conversion/base.py).

    Raises CheckpointError if there is none, or if their names say that more belong to them.
    """
    if (folder / SINGLE).exists():
        return [SINGLE]
    names = sorted(path.name for path in folder.glob("model*.safetensors"))
    for prefix, count in {(match[1], match[2]) for name in names if (match := SHARD.fullmatch(name))}:
        for number in range(1, int(count) + 1):
            name = f"{prefix}-{number:0{len(count)}}-of-{count}.safetensors"
            if name not in names:
                raise CheckpointError(f"the shard {name} is missing from {folder}; download it again")
    if not names and any(folder.glob(ADAPTER)):
        raise CheckpointError(f"{folder} holds an adapter and no model; merge it into its base model, and build that")
    if not names:
        raise CheckpointError(f"{folder} holds neither {SINGLE} nor {INDEX}; only safetensors checkpoints can be read")
    return names


def _shard_name(value: object, folder: Path) -> str:
    # A name with a separator could lead out of the folder; one too long is an error to every question about it.
    sound = isinstance(value, str) and Path(value).name == value and "\\" not in value and len(value) < 200
    if not isinstance(value, str) or not sound or not value.endswith(".safetensors"):
        raise CheckpointError(f"{folder / INDEX} names the shard {value!r}, which is no file name of a shard")
    return value


def read_shard(path: Path) -> list[SourceTensor]:
    """The tensors of one safetensors file, in file order. Together they cover its data exactly, without holes."""
    try:
        file_size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(len(LFS_POINTER))
            _refuse_pointer(start, path)
            length = int.from_bytes(start[:8], "little")
            if file_size < 8 or length > min(MAX_HEADER, file_size - 8):
                raise CheckpointError(
                    f"{path} is truncated or no safetensors file: its header claims {length} of {file_size} bytes"
                )
            file.seek(8)
            raw = file.read(length)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror})") from error
    try:
        header = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"the header of {path} is not valid JSON ({error}); download it again") from error
    if not isinstance(header, dict):
        raise CheckpointError(f"the header of {path} is not a JSON object; download it again")
    data = 8 + length
    tensors = [_tensor(name, entry, path, data) for name, entry in header.items() if name != "__metadata__"]
    tensors.sort(key=lambda tensor: tensor.offset)
    end = data
    for tensor in tensors:
        if tensor.offset != end:
            raise CheckpointError(f"{tensor.name} in {path} overlaps its neighbour or leaves a hole; download it again")
        end += tensor.size
    if end != file_size:
        raise CheckpointError(f"{path} is truncated or damaged: {file_size} bytes instead of {end}; download it again")
    return tensors


def _tensor(name: str, entry: object, path: Path, data: int) -> SourceTensor:
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            pass
        case _:
            raise CheckpointError(f"{name} in {path} is not described as safetensors asks; download it again")
    if dtype not in WIDTHS:
        raise CheckpointError(f"{name} in {path} is {dtype}; only {', '.join(WIDTHS)} weights can be quantized")
    if not all(type(n) is int and 0 < n < 2**40 for n in shape) or len(shape) not in (1, 2):
        raise CheckpointError(f"{name} in {path} has the shape {shape}; one or two positive dimensions are expected")
    size = WIDTHS[dtype]
    for n in shape:
        size *= n
    if begin < 0 or end - begin != size:
        raise CheckpointError(f"{name} in {path} has the offsets {begin}..{end}, not {size} bytes; download it again")
    return SourceTensor(name, dtype, tuple(shape), path, data + begin, size)


def same_bytes(a: SourceTensor, b: SourceTensor) -> bool:
    """Whether two tensors hold the same bytes; reads both, in pieces."""
    if a.size != b.size or a.dtype != b.dtype:
        return False
    try:
        with a.file.open("rb") as left, b.file.open("rb") as right:
            left.seek(a.offset)
            right.seek(b.offset)
            for begin in range(0, a.size, PIECE):
                size = min(PIECE, a.size - begin)
                if left.read(size) != right.read(size):
                    return False
    except OSError as error:
        raise CheckpointError(f"{a.file} cannot be read ({error.strerror})") from error
    return True
