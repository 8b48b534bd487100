"""Q8_0 in numpy: the bytes of ggml's quantize_row_q8_0_ref (ggml-quants.c), which goes weight by weight, in less than
half its time. Blocks of 32 weights: a scale in float16, then 32 bytes.
"""

import numpy as np
from gguf import GGMLQuantizationType

from vibethinker_local.llama import kernels

BLOCK = 32
ALMOST_HALF = np.float32(0.5).view(np.uint32) - np.uint32(1)  # bits of the float below a half
MAGNITUDE, SIGN = np.uint32(0x7FFFFFFF), np.uint32(0x80000000)


def quantize(weights: kernels.Floats, out: kernels.Bytes) -> None:
    """Finite float32 weights, shape (rows, width), to `out`; `width` is a multiple of 32. Releases the GIL."""
    bits = weights.reshape(-1).view(np.uint32) & MAGNITUDE
    largest = bits  # of ever longer pieces: floats without sign are in the order of their bits
    for _ in range(BLOCK.bit_length() - 1):
        largest = np.maximum(largest[0::2], largest[1::2])
    scales = largest.view(np.float32) / np.float32(127)
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.where(scales > 0, 1 / scales, np.float32(0))
        packed = scales.astype("<f2")
    if not np.isfinite(inverse).all():  # weights so small that C leaves the result open
        kernels.quantize(weights, GGMLQuantizationType.Q8_0, None, out)
        return
    steps = bits.view(np.float32).reshape(-1, BLOCK)
    np.multiply(weights.reshape(-1, BLOCK), inverse[:, None], out=steps)
    # Halves are rounded away from zero: add what is almost a half, with the same sign, and cut off.
    steps += ((steps.view(np.uint32) & SIGN) | ALMOST_HALF).view(np.float32)
    blocks = out.reshape(len(scales), 2 + BLOCK)
    blocks[:, :2] = packed.view(np.uint8).reshape(-1, 2)
    np.copyto(blocks[:, 2:].view(np.int8), steps, casting="unsafe")
