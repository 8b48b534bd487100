"""Which of llama.cpp's two ways to attend is used on a CPU, and how many tokens of prompts go through it at once."""

from vibethinker_local.events import CacheType

BATCH = 512  # tokens of prompts at once, with flash attention
SCORED = 64  # the same without: their scores over all cells are in memory. It reads prompts as fast
FEW = 4  # places


def flash_attention(cache: CacheType, places: int) -> bool:
    """Whether attention is better computed by llama.cpp's flash attention, on a CPU.

    That goes through a token's own cells one by one; the other way, matrix products go over the cells of all places.
    For a cell they take a quarter to a tenth of the time (docs/results/2026-11-engine.md), so few places do with them.
    They cannot multiply quantized values.
    """
    return places > FEW or cache != "f16"
