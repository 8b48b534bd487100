"""ggml's kernels for rows of weights, and llama.cpp's decision which type each tensor of a model gets.

Does not know checkpoints, or what a tensor is for.
"""

import ctypes
import functools
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType

from vibethinker_local.errors import EngineError, ModelError
from vibethinker_local.llama.library import ggml, library, listening, reason

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


_ToFloat = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


class _Traits(ctypes.Structure):
    """struct ggml_type_traits (ggml.h)."""

    _fields_ = (
        ("type_name", ctypes.c_char_p),
        ("blck_size", ctypes.c_int64),
        ("blck_size_interleave", ctypes.c_int64),
        ("type_size", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", _ToFloat),
        ("from_float_ref", ctypes.c_void_p),
    )


@functools.cache
def _base() -> Any:
    base = ggml("ggml-base")
    base.ggml_quantize_chunk.restype = ctypes.c_size_t
    base.ggml_quantize_chunk.argtypes = [
        *(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p),  # type, source, destination
        *(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p),  # start, rows, width, importance or NULL
    ]
    base.ggml_get_name.restype = ctypes.c_char_p
    base.ggml_get_name.argtypes = [ctypes.c_void_p]
    base.ggml_nelements.restype = ctypes.c_int64
    base.ggml_nelements.argtypes = [ctypes.c_void_p]
    base.ggml_nbytes.restype = ctypes.c_size_t
    base.ggml_nbytes.argtypes = [ctypes.c_void_p]
    base.ggml_backend_tensor_get.restype = None
    base.ggml_backend_tensor_get.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
    base.ggml_get_type_traits.restype = ctypes.POINTER(_Traits)
    base.ggml_get_type_traits.argtypes = [ctypes.c_int]
    return base


def row_size(type: GGMLQuantizationType, width: int) -> int:
    """Bytes of a row of `width` weights; `width` must be a multiple of the type's block."""
    block, size = GGML_QUANT_SIZES[type]
    return width // block * size


def fits(type: GGMLQuantizationType, width: int) -> bool:
    """Whether rows of `width` weights can have this type at all."""
    return width % GGML_QUANT_SIZES[type][0] == 0


def widen(source: Bytes, type: GGMLQuantizationType, out: Floats) -> None:
    """Weights of any type, as bytes, to float32; `out` has one element per weight. Releases the GIL.

    Raises ModelError for the few types that are not weights.
    """
    if type == GGMLQuantizationType.F32:
        out.reshape(-1).view(np.uint8)[:] = source
        return
    to_float = _base().ggml_get_type_traits(type).contents.to_float
    if not to_float:
        raise ModelError(f"{type.name} is not a type of weights; the file is broken or not a language model")
    to_float(source.ctypes.data, out.ctypes.data, out.size)


def quantize(weights: Floats, type: GGMLQuantizationType, importance: Floats | None, out: Bytes) -> None:
    """Rows of float32, shape (rows, width), to `type`; `importance` is (width,). Releases the GIL (ggml.c)."""
    rows, width = weights.shape
    pointer = importance.ctypes.data if importance is not None else None
    size = _base().ggml_quantize_chunk(type, weights.ctypes.data, out.ctypes.data, 0, rows, width, pointer)
    if size != out.nbytes:
        raise EngineError(f"ggml wrote {size} bytes of {type.name}, not {out.nbytes}; please report this")


def tensor_name(tensor: int) -> bytes:
    """The name of a node in a graph that llama.cpp computes; `tensor` is its address."""
    name: bytes = _base().ggml_get_name(tensor)
    return name


def read_floats(tensor: int) -> Floats:
    """The values of a float32 node, flat, wherever they lie. Only while llama.cpp shows that node."""
    values = np.empty(_base().ggml_nelements(tensor), np.float32)
    if values.nbytes != _base().ggml_nbytes(tensor):  # ggml would end the process
        raise EngineError("llama.cpp computes in another type than float32; install the pinned version of its bindings")
    _base().ggml_backend_tensor_get(tensor, values.ctypes.data, 0, values.nbytes)
    return values


@dataclass(frozen=True)
class TypeChoice:
    """The type llama.cpp gives a tensor: `wanted` by the mixture, `type` where the width forces another."""

    name: str
    wanted: GGMLQuantizationType
    type: GGMLQuantizationType


_LINE = re.compile(r"\[ *\d+/ *\d+\] (\S+) +- \[[^]]*\], type = +(\S+), size = .*MiB(?: -> .*MiB \((\S+)\))?\n")
_FALLBACK = re.compile(r"warning: (\S+) +- ncols .*\(required for type +(\S+)\)")


def choose_types(model: Path, file_type: LlamaFileType, *, with_importance: bool) -> list[TypeChoice]:
    """llama.cpp's own decision for every tensor of `model`, in its order of writing (src/llama-quant.cpp, dry_run).

    `model` needs a header only. Raises EngineError with llama.cpp's words if it refuses.
    """
    llama = library()
    parameters = llama.llama_model_quantize_default_params()
    parameters.ftype = file_type
    parameters.dry_run = True
    parameters.nthread = 1
    entries = (llama.llama_model_imatrix_data * 2)()
    one = (ctypes.c_float * 1)(1.0)
    if with_importance:  # only its presence counts in a dry run
        entries[0] = llama.llama_model_imatrix_data(b"present", one, 1)
        parameters.imatrix = entries
    with listening() as log:
        code = llama.llama_model_quantize(os.fsencode(model), b"", ctypes.byref(parameters))
        text, why = "".join(entry.text for entry in log), reason(log)
    if code != 0:
        raise EngineError(f"llama.cpp could not plan this model: {why}")
    wanted = {name: _type(type_name) for name, type_name in _FALLBACK.findall(text)}
    return [
        TypeChoice(name, wanted.get(name, chosen), chosen)
        for name, old, new in _LINE.findall(text)
        for chosen in [_type(new or old)]
    ]


def _type(name: str) -> GGMLQuantizationType:
    return GGMLQuantizationType[name.upper()]
