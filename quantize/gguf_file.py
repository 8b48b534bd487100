"""A GGUF file as llama.cpp writes it: more than the format asks for, so that nothing of a file is left unlooked at."""

from pathlib import Path

from gguf import GGMLQuantizationType

from vibethinker_local.gguf.reader import GgufFile, damaged, read

from .errors import ModelError

VERSION = 3
TYPES = frozenset(GGMLQuantizationType)


def read_gguf(path: Path) -> GgufFile:
    """Raises ModelError unless `path` is a whole model of version 3, whose tensors follow each other without holes."""
    file = read(path)
    if file.version != VERSION:
        raise ModelError(f"{path} is a GGUF file of version {file.version}: convert it again, to version {VERSION}.")
    parts = file.keys.get("split.count")
    if isinstance(parts, int) and parts > 1:
        raise ModelError(f"{path} is one of {parts} parts of a model: merge them first (llama-gguf-split --merge).")
    end = file.data  # where the next tensor must be; what fills up the last one, some programs leave out
    for tensor in file.tensors:
        if tensor.type not in TYPES:
            raise damaged(path, f"{tensor.name} is of the unknown type {tensor.type}")
        if tensor.offset != end:
            raise damaged(path, f"{tensor.name} is at the wrong place")
        end += -(-tensor.size // file.alignment) * file.alignment
    return file
