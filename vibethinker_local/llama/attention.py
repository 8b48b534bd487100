"""How a KV cache is laid out, and which of llama.cpp's two ways to attend to it is used on a CPU."""

from vibethinker_local.events import CacheType

BLOCK = 256  # cells
VALUES, VALUE_BYTES = 32, {"f16": 64, "q8_0": 34}  # bytes of so many keys or values in the cache
BATCH = 512  # tokens of prompts at once, with flash attention
# Without it, a score is kept for every token and cell: the more cells a Sequence has, the fewer tokens at once.
BATCHES = {2048: 256, 4096: 128}  # by cells up to which
LEAST_BATCH = 64  # beyond them


def whole_blocks(cells: int) -> int:
    """As many cells as llama.cpp makes of these: whole blocks."""
    return -(-cells // BLOCK) * BLOCK


def prompt_batch(cells: int, *, flash: bool) -> int:
    """How many tokens of prompts are computed at once where a Sequence has so many cells.

    More are faster, 256 by 8% than 64 (docs/results/2026-11-engine.md), and give the same logits.
    """
    if flash:
        return BATCH
    return next((tokens for most, tokens in BATCHES.items() if cells <= most), LEAST_BATCH)


def flash_attention(cache: CacheType) -> bool:
    """Whether attention is better computed by llama.cpp's flash attention, on a CPU.

    That goes through a token's cells one by one; the other way is matrix products, which take a quarter to a tenth of
    the time for a cell (docs/results/2026-11-engine.md), but cannot multiply quantized values.
    """
    return cache != "f16"
