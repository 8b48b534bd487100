"""How a KV cache is laid out, and which of llama.cpp's two ways to attend to it is used on a CPU."""

from vibethinker_local.events import CacheType

BLOCK = 256  # cells
BATCH = 512  # tokens of prompts at once, with flash attention
# Prompt tokens at once without flash attention, which keeps a score for every token and cell in memory; no slower.
BATCH_WITHOUT_FLASH = 64


def whole_blocks(cells: int) -> int:
    """As many cells as llama.cpp makes of these: whole blocks."""
    return -(-cells // BLOCK) * BLOCK


def flash_attention(cache: CacheType) -> bool:
    """Whether attention is better computed by llama.cpp's flash attention, on a CPU.

    That goes through a token's cells one by one; the other way is matrix products, which take a quarter to a tenth of
    the time for a cell (docs/results/2026-11-engine.md), but cannot multiply quantized values.
    """
    return cache != "f16"
