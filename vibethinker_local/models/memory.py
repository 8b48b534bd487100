"""Decides before loading whether a model fits into memory, with which context, and for how many Sequences.

Computed from the file's header alone, for the way this engine sets up llama.cpp on a CPU: a KV cache whose cells all
Sequences share (unified), or in which each has its own; logits for as many tokens as there are Sequences, and one more
for padding if they share; batches of 512 tokens with flash attention, else scores over the cells for 64 at a time.

With cells of their own, Sequences are decoded faster, since a token goes over fewer cells. So they have them where
there is memory for the whole context of each: to grow up to it, or else to take it at once, unless most of it would
stay empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from vibethinker_local.errors import ModelError
from vibethinker_local.events import CacheType
from vibethinker_local.gguf.header import Header
from vibethinker_local.llama.attention import BATCH, BATCH_WITHOUT_FLASH, flash_attention, whole_blocks
from vibethinker_local.system.machine import Room, memory_size

VALUES, VALUE_BYTES = 32, {"f16": 64, "q8_0": 34}  # bytes of so many keys or values

FIRST = 2048  # cells to begin with, of a Sequence that has its own
MOSTLY_IDLE = 3  # times the cells that are usually enough: more is not taken at once where less will do
LEAST_CONTEXT, STEP = 8192, 1024  # tokens: the least a Sequence gets by default, and the step by which that grows
PROGRAM = 100 << 20  # bytes; Python and the libraries, in the two processes
PER_TOKEN = 340  # bytes of llama.cpp's tables per token of the vocabulary
ADDRESSES = 288 << 20  # bytes of address space for the libraries, threads excluded
PER_THREAD = 80 << 20  # bytes of address space for a thread's stack and arena
SHARE = 0.9  # of the free memory may be filled; other programs are using the machine too


@dataclass(frozen=True)
class Need:
    """Bytes that a model needs to run."""

    weights: int
    kv_cache: int
    copy: int  # of what the KV cache holds, while that is enlarged
    compute: int  # intermediate results, and the logits
    work: int  # what is multiplied, converted to the format of the other side
    program: int
    threads: int

    @property
    def total(self) -> int:
        return self.weights + self.kv_cache + self.copy + self.compute + self.work + self.program

    @property
    def addresses(self) -> int:
        """Address space of the engine's process: llama.cpp maps the file, and copies the weights as it repacks them."""
        data = self.kv_cache + self.copy + self.compute + self.work
        return 2 * self.weights + data + ADDRESSES + self.threads * PER_THREAD

    def fits(self, room: Room) -> bool:
        return self.total <= SHARE * room.memory and (
            room.address_space is None or self.addresses <= room.address_space
        )

    def __str__(self) -> str:
        rest = self.total - self.weights - self.kv_cache
        parts = (("weights", self.weights), ("KV cache", self.kv_cache), ("the rest", rest))
        return f"{memory_size(self.total)} ({', '.join(f'{name} {memory_size(part)}' for name, part in parts)})"


@dataclass(frozen=True)
class MemoryPlan:
    """The context and the number of Sequences that a model is loaded with, and why."""

    context: int  # tokens that a Sequence may have
    sequences: int  # running at once
    cells: int  # of the KV cache, to begin with
    unified: bool  # the Sequences share them; else each has its part, which grows up to its context
    cache: CacheType
    need: Need
    reason: str


def need(
    header: Header,
    cells: int,
    sequences: int,
    cache: CacheType = "f16",
    *,
    unified: bool = True,
    grows: bool = False,
    threads: int = 1,
) -> Need:
    """The memory that a model needs for this many cells and Sequences; at the most, if the KV cache `grows` to them.

    The compute buffer is the one that llama.cpp reserves (src/llama-context.cpp, graph_reserve, as of
    llama-cpp-python 0.3.36): the attention mask and the widest point of attention or of the feed-forward network, or
    the logits if they are larger. The buffer in which matrix products work is not reported by llama.cpp.
    """
    places = sequences + unified
    seen = whole_blocks(cells if unified else cells // sequences)  # cells that a token goes over at most
    cells = seen if unified else seen * sequences
    flash = flash_attention(cache, sequences, unified=unified)
    batch = min(BATCH if flash else max(BATCH_WITHOUT_FLASH, sequences), cells)
    batch = -(-batch // places) * places  # it reserves as many tokens of each Sequence
    scores = 0 if flash else header.heads * batch * seen  # numbers
    mask = (2 if flash else 4) * batch * seen
    attention = 4 * (scores + 7 * batch * header.width)
    network = 4 * batch * (3 * header.feed_forward + 4 * header.width)
    row = 4 * header.vocabulary
    kv_cache = cells * header.kv_numbers * VALUE_BYTES[cache] // VALUES
    return Need(
        weights=header.weights,
        kv_cache=kv_cache,
        copy=kv_cache // 2 if grows else 0,
        compute=max(mask + max(attention, network), max(places, 8) * row) + places * row,
        work=2 * max(batch * header.feed_forward, scores),
        program=PROGRAM + PER_TOKEN * header.vocabulary,
        threads=threads,
    )


def grown(tokens: int, context: int) -> int:
    """Cells of a Sequence that has its own, once it has so many tokens."""
    cells = min(FIRST, context)
    while cells < min(tokens, context):
        cells *= 2
    return min(cells, context)


def shared_cells(context: int, sequences: int, typical: int | None = None) -> int:
    """Cells of the KV cache for so many Sequences at once: of all, one may fill its context while others are typical.

    Where that is not enough, some wait for others. Without a typical number of tokens each has its whole context.
    """
    return context + (sequences - 1) * min(context, typical or context)


def plan(
    header: Header,
    room: Room,
    *,
    sequences: int,
    context: int | None = None,
    most: int = 32768,
    cache: CacheType = "f16",
    threads: int = 1,
    typical: int | None = None,
) -> MemoryPlan:
    """The largest context, up to `most` tokens, that fits for `sequences`; fewer if not even 8,192 do.

    A given `context` is taken as it is. `typical` is the number of tokens that a Sequence usually takes, prompt
    included (see `shared_cells`). Raises ModelError, with what to do about it, if not even one Sequence fits.
    """
    most = min(most, header.trained_context)
    least = context or min(LEAST_CONTEXT, most)

    def ways(tokens: int, count: int) -> Iterator[tuple[int, bool, Need]]:
        """The ways to have this context: the cells to begin with, whether they are shared, the need. Best first."""
        whole, shared = tokens * count, shared_cells(tokens, count, typical)
        # Cells that are there from the beginning are filled with zeros, which takes a second for each 400 MB.
        at_once = [(whole, False), (shared, True)]
        if whole > MOSTLY_IDLE * shared:
            at_once.reverse()
        for cells, unified in dict.fromkeys([(min(FIRST, tokens) * count, False), *at_once]):
            most, grows = (cells, False) if unified else (whole, cells < whole)
            yield cells, unified, need(header, most, count, cache, unified=unified, grows=grows, threads=threads)

    def wanted(tokens: int, count: int) -> Need:
        return min((each for _, _, each in ways(tokens, count)), key=lambda each: each.total)

    contexts = [context] if context else list(_descending(most, least))
    fitting = (
        (tokens, count, *way)
        for count in range(sequences, 0, -1)
        for tokens in contexts
        for way in ways(tokens, count)
        if way[-1].fits(room)
    )
    tokens, count, cells, unified, needed = next(fitting, (0, 0, 0, True, None))
    if needed is None:
        raise ModelError(
            f"The model does not fit into memory: for a context of {least:,} tokens it needs "
            f"{shortage(wanted(least, 1), room)}. Use a smaller quant, a shorter context (--ctx)"
            f"{', or --kv q8_0' if cache == 'f16' else ''}."
        )
    chosen = f"{tokens:,} tokens of context" + (f" for each of {count} Sequences" if count > 1 else "")
    if count < sequences:
        reason = f"{chosen}: {sequences} at once do not fit into {_limit(wanted(least, sequences), room)}."
    elif tokens < contexts[0]:
        reason = f"{chosen}: {most:,} do not fit into {_limit(wanted(most, count), room)}."
    else:
        reason = f"{chosen} fit into {_limit(needed, room)}."
    return MemoryPlan(tokens, count, cells, unified, cache, needed, reason)


def context(header: Header, room: Room, *, most: int) -> int:
    """The largest context, up to `most` tokens, that one Sequence can have; 0 if the model does not fit at all."""
    try:
        return plan(header, room, sequences=1, most=most).context
    except ModelError:
        return 0


def _descending(most: int, least: int) -> Iterator[int]:
    yield most
    yield from range((most - 1) // STEP * STEP, least, -STEP)
    if least < most:
        yield least


def shortage(wanted: Need, room: Room) -> str:
    if wanted.total > SHARE * room.memory:
        return f"{wanted}, and may fill {SHARE:.0%} of {_limit(wanted, room)}"
    allowed = memory_size(room.address_space or 0)
    return f"{memory_size(wanted.addresses)} of address space, and {allowed} are allowed (ulimit -v)"


def _limit(wanted: Need, room: Room) -> str:
    """What limits, or comes closest to limiting, this need: the free memory, or the address space."""
    if room.address_space is not None and wanted.total <= SHARE * room.memory:
        return f"the {memory_size(room.address_space)} of address space that a process may have (ulimit -v)"
    return f"the {memory_size(room.memory)} that {room.limit} has free"
