"""Computes an importance matrix: llama.cpp reads a text, and the squares of what flows into each matrix are summed up.

Knows which nodes of llama.cpp's qwen2 graph (src/models/qwen2.cpp) go into which tensors. Does not write files.
"""

from collections.abc import Generator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vibethinker_local.gguf.reader import GgufFile
from vibethinker_local.llama.kernels import Floats
from vibethinker_local.llama.observed import BATCH, Watch, context, load
from vibethinker_local.system.progress import Progress

from .errors import MachineError, ModelError
from .gguf_file import read_gguf
from .imatrix import Activations
from .progress import Meter, follow
from .text import Cut, EvaluationText, cut
from .verify import check_keys

# Not the output matrix: llama-imatrix leaves it out, and a tied embedding is read by its rows as well.
INPUTS = {
    "attn_norm": ("attn_q", "attn_k", "attn_v"),
    "kqv_out": ("attn_output",),
    "ffn_norm": ("ffn_gate", "ffn_up"),
    "ffn_swiglu": ("ffn_down",),
}


class Node:
    """What flows through one node of the graph, in all layers' tensors that read it."""

    def __init__(self, width: int) -> None:
        self.squares: npt.NDArray[np.float64] = np.zeros(width)
        self.tokens = 0

    def add(self, values: Floats) -> None:
        rows = values.reshape(-1, self.squares.size)
        self.squares += np.square(rows).sum(axis=0)
        self.tokens += len(rows)


def collect(path: Path, text: EvaluationText, into: Cut, threads: int) -> Generator[Progress, None, Activations]:
    """Raises ModelError for a file that is no sound Qwen2 model, RequestError for too short a text."""
    file = read_gguf(path)
    check_keys(file)
    if (architecture := file.keys["general.architecture"]) != "qwen2":
        raise ModelError(f"{path} is a model of the kind {architecture}: importance matrices are of Qwen2 models only")
    return (yield from follow("importance", lambda meter: _collect(file, text, into, threads, meter), "tokens"))


def _collect(file: GgufFile, text: EvaluationText, into: Cut, threads: int, meter: Meter) -> Activations:
    nodes = _nodes(file)
    last = list(nodes)[-1]

    def see(name: bytes, values: Floats) -> bool:
        nodes[name].add(values)
        return name != last  # what is left to compute then, the logits among it, is of no use

    with load(file.path, meter.stop) as model:
        chunks = cut(text.tokens(model), into, model.bos)
        meter.total = len(chunks) * into.size
        with context(model, into.size, threads, meter.stop, Watch(frozenset(nodes), see)) as sequence:
            for chunk in chunks:
                sequence.clear()
                for begin in range(0, into.size, BATCH):
                    piece = chunk[begin : begin + BATCH]
                    sequence.decode(piece, begin, outputs=True)  # or the last layer would leave tokens out
                    meter.done += len(piece)
    _check(nodes, meter.total, file.path)
    tensors = {tensor: nodes[node] for node, tensors in _readers(file).items() for tensor in tensors}
    squares = {name: tensors[name].squares.astype(np.float32) for name in sorted(tensors)}
    return Activations(text.name, len(chunks), into.size, squares)


def _readers(file: GgufFile) -> dict[bytes, tuple[str, ...]]:
    """The tensors that read each node, in the order in which llama.cpp computes the nodes."""
    layers = file.keys["qwen2.block_count"]
    assert isinstance(layers, int)  # check_keys has seen it, and `collect` that there is one
    return {
        f"{node}-{layer}".encode(): tuple(f"blk.{layer}.{tensor}.weight" for tensor in tensors)
        for layer in range(layers)
        for node, tensors in INPUTS.items()
    }


def _nodes(file: GgufFile) -> dict[bytes, Node]:
    widths = {tensor.name: tensor.shape[-1] for tensor in file.tensors}
    missing = [name for names in _readers(file).values() for name in names if name not in widths]
    if missing:
        raise ModelError(f"{file.path} lacks {missing[0]}; build it again")
    return {node: Node(widths[tensors[0]]) for node, tensors in _readers(file).items()}


def _check(nodes: dict[bytes, Node], tokens: int, path: Path) -> None:
    for name, node in nodes.items():
        if node.tokens != tokens:
            raise MachineError(
                f"llama.cpp showed {node.tokens} of {tokens} tokens at {name.decode()}; please report this"
            )
        if not np.isfinite(node.squares).all():
            raise ModelError(f"{path} computes numbers that are not finite at {name.decode()}; build it again")
