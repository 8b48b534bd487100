"""Decides before loading whether a model fits into memory, with which context, and for how many Sequences.

Computed from the file's header alone, for the way this engine sets up llama.cpp on a CPU: a KV cache in which each
Sequence has cells of its own; logits for as many tokens as there are Sequences; batches of 512 tokens with flash
attention, else scores over the cells for 256 to 64 at a time.

Each Sequence begins with few cells, so that memory is taken as it is used. What is decided here is how far that may go:
if not all can have their whole context at once, fewer run as they grow.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace

from vibethinker_local.errors import ModelError
from vibethinker_local.events import CacheType
from vibethinker_local.gguf.header import Header
from vibethinker_local.llama.attention import (
    BATCHES,
    BLOCK,
    VALUE_BYTES,
    VALUES,
    flash_attention,
    prompt_batch,
    whole_blocks,
)
from vibethinker_local.system.machine import Room, memory_size

FIRST = 2048  # cells of a Sequence, to begin with
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
    sequences: int  # running at once, at first
    first: int  # cells of each, at first
    cells: int  # of all together, at the most
    cache: CacheType
    need: Need
    reason: str

    @property
    def full(self) -> int:
        """How many Sequences can fill their context at once."""
        return self.cells // whole_blocks(self.context)


def need(
    header: Header,
    cells: int,
    sequences: int,
    cache: CacheType = "f16",
    *,
    context: int | None = None,
    grows: bool = False,
    threads: int = 1,
) -> Need:
    """The memory that a model needs for at most so many cells of so many Sequences; with a copy, if the cache `grows`.

    `context` is the most cells of one of them, by default its part. The compute buffer is the one that llama.cpp
    reserves (src/llama-context.cpp, graph_reserve, as of llama-cpp-python 0.3.36): the attention mask and the widest
    point of attention or of the feed-forward network, or the logits if they are larger. The buffer in which matrix
    products work is not reported by llama.cpp.
    """
    seen = whole_blocks(context or cells // sequences)  # cells that a token goes over at most
    cells = cells if context else seen * sequences
    flash = flash_attention(cache)

    def prompts(seen: int) -> tuple[int, int]:
        """Bytes of intermediate results and of work, for a batch of tokens that go over so many cells."""
        batch = min(max(prompt_batch(seen, flash=flash), sequences), cells)
        batch = -(-batch // sequences) * sequences  # it reserves as many tokens of each Sequence
        scores = 0 if flash else header.heads * batch * seen  # numbers
        mask = (2 if flash else 4) * batch * seen
        attention = 4 * (scores + 7 * batch * header.width)
        network = 4 * batch * (3 * header.feed_forward + 4 * header.width)
        return mask + max(attention, network), 2 * max(batch * header.feed_forward, scores)

    # A cache that grows has larger batches before.
    computes, works = zip(*map(prompts, (seen, *(min(seen, most) for most in BATCHES))), strict=True)
    row = 4 * header.vocabulary
    logits = max(sequences, 8) * (row + 8 * header.width)
    kv_cache = cells * header.kv_numbers * VALUE_BYTES[cache] // VALUES
    return Need(
        weights=header.weights,
        kv_cache=kv_cache,
        copy=kv_cache // 2 if grows else 0,
        compute=max(*computes, logits) + sequences * row,
        work=max(works),
        program=PROGRAM + PER_TOKEN * header.vocabulary,
        threads=threads,
    )


def plan(
    header: Header,
    room: Room,
    *,
    sequences: int,
    context: int | None = None,
    most: int = 32768,
    cache: CacheType = "f16",
    threads: int = 1,
) -> MemoryPlan:
    """The largest context, up to `most` tokens, that one of `sequences` can grow to; fewer if not even 8,192 do.

    A given `context` is taken as it is. Raises ModelError, with what to do about it, if not even one Sequence fits.
    """
    most = min(most, header.trained_context)
    least = context or min(LEAST_CONTEXT, most)

    def growing(tokens: int, count: int) -> tuple[int, int, Need] | None:
        """The cells that each begins with, the most of all together, and the need; None if that does not fit."""
        each = whole_blocks(tokens)

        def needed(cells: int) -> Need:
            return need(header, cells, count, cache, context=each, grows=first(cells) < each, threads=threads)

        def first(cells: int) -> int:
            return min(FIRST, each, cells // count // BLOCK * BLOCK)

        cells = each * count
        if not needed(cells).fits(room):
            sizes = range(max(each, BLOCK * count), cells, STEP)
            number = bisect_left(sizes, True, key=lambda cells: not needed(cells).fits(room))  # of those that fit
            if not number:
                return None
            cells = sizes[number - 1]
        return first(cells), cells, needed(cells)

    def at_once(tokens: int) -> tuple[int, int, Need] | None:
        """The same for one Sequence that has its whole context from the beginning, where no copy would fit."""
        each = whole_blocks(tokens)
        whole = need(header, each, 1, cache, threads=threads)
        return (each, each, whole) if whole.fits(room) else None

    def wanted(tokens: int, count: int) -> Need:
        return need(header, max(tokens, BLOCK * count), count, cache, context=tokens, threads=threads)

    contexts = [context] if context else list(_descending(most, least))
    fitting = (
        (tokens, count, *found)
        for count in range(sequences, 0, -1)
        for tokens in contexts
        if (found := growing(tokens, count) or (at_once(tokens) if count == 1 else None))
    )
    tokens, count, first, cells, needed = next(fitting, (0, 0, 0, 0, None))
    if needed is None:
        raise ModelError(
            f"The model does not fit into memory: for a context of {least:,} tokens it needs "
            f"{shortage(wanted(least, 1), room)}. Use a smaller quant, a shorter context (--ctx)"
            f"{', or --kv q8_0' if cache == 'f16' else ''}."
        )
    chosen = f"{tokens:,} tokens of context" + (f" for each of {count} Sequences" if count > 1 else "")
    if (full := cells // whole_blocks(tokens)) < count:
        chosen += f" ({full} at a time if all fill it)"
    if count < sequences:
        reason = f"{chosen}: {sequences} at once do not fit into {_limit(wanted(least, sequences), room)}."
    elif tokens < contexts[0]:
        reason = f"{chosen}: {most:,} do not fit into {_limit(wanted(most, count), room)}."
    else:
        reason = f"{chosen} fit into {_limit(needed, room)}."
    return MemoryPlan(tokens, count, first, cells, cache, needed, reason)


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
    return f"the {replace(room, address_space=None)}"
