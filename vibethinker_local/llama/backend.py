"""The real backend: llama.cpp through llama-cpp-python's low-level API. Every return code is mapped here."""

import ctypes
import functools
import heapq
import operator
import os
import re
import sys
from collections.abc import Callable
from collections.abc import Sequence as Tokens
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibethinker_local.engine.backend import Logits, Slice, State
from vibethinker_local.engine.model_info import ModelInfo
from vibethinker_local.errors import EngineError, Interrupted, ModelError, NoRoom
from vibethinker_local.events import CacheType
from vibethinker_local.gguf import header as gguf_header
from vibethinker_local.gguf.chat import reasoning_tags
from vibethinker_local.llama import amx, state
from vibethinker_local.llama.attention import BATCH, VALUE_BYTES, VALUES, flash_attention, prompt_batch, whole_blocks
from vibethinker_local.llama.grammar import LlamaGrammar
from vibethinker_local.llama.library import library, listening, reason, supports_gpu

_NO_FLASH_ATTENTION = re.compile("Flash Attention.*(set to disabled|required)|requires Flash Attention")
NOT_CUT = (
    "its memory cannot be copied and cut back token by token, as with a running state (Mamba, RWKV, hybrids), "
    "so solutions could not share a prompt or be ended early. Give a model with attention only"
)
OTHER_KINDS = {
    "llama_model_has_encoder": "an encoder, or a model that needs one: give one that only continues a text",
    "llama_model_is_recurrent": "a recurrent model: " + NOT_CUT,
    "llama_model_is_hybrid": "partly a recurrent model: " + NOT_CUT,
    "llama_model_is_diffusion": "a diffusion model, which does not write token after token: give one that does",
}
_place = operator.attrgetter("place")
SAME = 0.5  # of the logits' standard deviation: rounding makes up to a tenth of it, a wrong cut more than one
_CACHE_TYPES = {"f16": 1, "q8_0": 8}  # ggml.h: enum ggml_type


class LlamaBackend:
    """One model, and one context whose KV cache has cells of its own for each of `places` streams.

    A GPU and a quantized cache take flash attention. Where it is not to be had, the cache is not quantized.
    """

    info: ModelInfo
    vocabulary: int

    def __init__(
        self,
        path: Path,
        *,
        cells: int,
        places: int = 1,
        threads: int,
        cache: CacheType = "f16",
        context: int | None = None,
        first: int | None = None,
        loading: Callable[[float], None] | None = None,
    ) -> None:
        """Load a model, onto the GPU if there is one that takes it. Raises ModelError if it cannot be used.

        `cells` is the most of all places together, `context` the most of each, by default its part of `cells`, and
        `first` what each has in the beginning, by default as many as it can have beside the others.
        """
        self._header = gguf_header.read(path)
        self._path, self._loading = path, loading
        self._native = library()
        finding = amx.settle(self._native)
        self._model = self._context = None
        self.batch, self.places, self.cells = BATCH, places, cells
        self.context = whole_blocks(context or cells // places)
        self.each = min(whole_blocks(first or cells // places), self.context)
        self._threads = threads
        self._interrupted = ctypes.create_string_buffer(2)
        gpu = supports_gpu()
        try:
            try:
                self._open(path, threads, cache, gpu=gpu)
            except ModelError as error:
                if not gpu:
                    raise
                self.close()
                self._open(path, threads, cache, gpu=False)
                self.info = replace(self.info, notice=f"Running on the CPU, because the GPU refused: {error}")
        except BaseException:
            self.close()
            raise
        if finding and finding.new and not finding.works:
            self.info = replace(self.info, notice=" ".join(filter(None, (self.info.notice, amx.NOTICE))))
        self.cells = max(self.cells, self.context, self.each * self.places)  # in whole blocks they may be more
        self._window = int(self._native.llama_model_n_swa(self._model))
        self._next_batch = _Batch(self._native)
        # The bytes of each token, cached: calling llama.cpp costs more than a lookup.
        self._pieces: dict[int, bytes] = {}
        for tag in self.info.think or ():  # control tokens have no text, but these have a meaning for the reader
            if tag in self.info.controls:
                self._pieces[self.info.controls[tag]] = tag.encode()

    def _open(self, path: Path, threads: int, cache: CacheType, *, gpu: bool) -> None:
        self._model, self._gpu = self._load(path, gpu=gpu), gpu
        self.threads = 1 if gpu else threads  # a GPU does not wait for cores that others use
        self._vocab = self._native.llama_model_get_vocab(self._model)
        self.vocabulary = int(self._native.llama_vocab_n_tokens(self._vocab))
        self.info = self._describe()
        self._cache, self._flash = cache, gpu or flash_attention(cache)
        if not self._attend():
            self._cache, self._flash = "f16", False
            self._attend()

    def try_out(self) -> None:
        """See that solutions can share a prompt and be cut back with this model. Raises ModelError.

        Two tokens are computed, and the second twice more: on a fork of the first, and after a cut.
        """
        path = self._path
        if not self._memory:
            raise ModelError(f"{path} has no KV cache: it is an encoder or an embedding model, which writes no text.")
        if not self.info.ends:
            raise ModelError(f"{path} names no token that ends a reply: use another file of this model.")
        length, token = 1, min(self.info.ends)
        fork = self.places - 1  # 0: there is no other place
        rows = [self.decode([Slice(0, 0, [token] * (length + 1), logits=True)])[0].copy()]
        if fork:
            self.copy(0, fork)
        places = {0, fork}
        for place in places:
            self.trim(place, length)
        if any(self._length(place) != length for place in places):
            raise ModelError(f"{path} cannot be used: {NOT_CUT}.")
        rows += self.decode([Slice(place, length, [token], logits=True) for place in sorted(places)])
        for place in places:
            self.trim(place, 0)
            if self._length(place):
                raise ModelError(f"{path} cannot be used: {NOT_CUT}.")
        if not np.isfinite(rows).all():
            raise ModelError(f"{path} is damaged: its logits are not finite numbers. Fetch or convert it again.")
        if max(float(np.abs(row - rows[0]).max()) for row in rows) > SAME * max(1e-3, float(np.std(rows[0]))):
            raise ModelError(f"{path} cannot be used: {NOT_CUT}.")

    def _load(self, path: Path, *, gpu: bool) -> Any:
        params = self._native.llama_model_default_params()
        params.n_gpu_layers = 999 if gpu else 0
        no_devices = (ctypes.c_void_p * 1)(None)
        if not gpu:
            params.devices = ctypes.addressof(no_devices)
        report = self._native.llama_progress_callback(self._report)
        params.progress_callback = report
        with listening() as lines:
            model = self._native.llama_model_load_from_file(os.fsencode(path), params)
        if not model:
            raise ModelError(f"{path} cannot be loaded: {reason(lines)}.")
        if found := next((what for test, what in OTHER_KINDS.items() if getattr(self._native, test)(model)), None):
            self._native.llama_model_free(model)
            raise ModelError(f"{path} is {found}.")
        return model

    def _report(self, share: float, _: object) -> bool:
        """Called by llama.cpp as it loads. True: it may go on."""
        if self._loading:
            self._loading(float(share))
        return True

    def _describe(self) -> ModelInfo:
        native, model = self._native, self._model
        template = native.llama_model_chat_template(model, None)
        controls = self._header.controls or self._scan_controls()

        def named(*names: str) -> set[int]:
            return {getattr(native, f"llama_vocab_{name}")(self._vocab) for name in names} - {-1}

        # llama.cpp also takes ordinary text for an end if it reads like one, such as </s> in Qwen2's vocabulary, and
        # tokens around code that is to be filled in.
        own = {token for token in controls if native.llama_vocab_is_eog(self._vocab, token)}
        ends = frozenset(own - named("fim_pad", "fim_rep", "fim_sep") | named("eos", "eot"))
        source = template.decode("utf-8", "replace") if template else None
        return ModelInfo(
            quant=quant(native, native.llama_model_ftype(model)),
            template=source,
            think=reasoning_tags(source or ""),
            trained_context=int(native.llama_model_n_ctx_train(model)),
            parameters=int(native.llama_model_n_params(model)),
            bytes=int(native.llama_model_size(model)),
            ends=ends,
            controls={self._name(token): token for token in controls},
            bos=self._name(native.llama_vocab_bos(self._vocab)),
            eos=self._name(native.llama_vocab_eos(self._vocab)),
            adds_bos=bool(native.llama_vocab_get_add_bos(self._vocab)),
        )

    def _scan_controls(self) -> tuple[int, ...]:
        """The control tokens by what llama.cpp says of each, for a file that gives no types."""
        is_control = functools.partial(self._native.llama_vocab_is_control, self._vocab)
        return tuple(token for token, found in enumerate(map(is_control, range(self.vocabulary))) if found)

    def _name(self, token: int) -> str:
        """A token as the vocabulary has it; empty for -1, which stands for none."""
        text = self._native.llama_vocab_get_text(self._vocab, token) if token >= 0 else None
        return text.decode("utf-8", "replace") if text else ""

    def _attend(self) -> bool:
        """Creates the context; False if it cannot have the flash attention that it is to have. Raises ModelError."""
        native = self._native
        params = native.llama_context_default_params()
        cells = params.n_ctx = self.each * self.places
        params.n_batch, params.n_ubatch = BATCH, max(prompt_batch(self.each, flash=self._flash), self.places)
        params.n_seq_max = self.places
        params.n_outputs_max = max(params.n_seq_max, 8)
        params.n_threads = params.n_threads_batch = self._threads
        params.kv_unified = False
        types = native.LLAMA_FLASH_ATTN_TYPE_DISABLED, native.LLAMA_FLASH_ATTN_TYPE_AUTO
        params.flash_attn_type = types[self._flash]
        params.type_k = params.type_v = _CACHE_TYPES[self._cache]
        params.swa_full = True  # else a sliding window's positions are gone once they have left it
        params.no_perf = True
        with listening() as lines:
            context = native.llama_init_from_model(self._model, params)
        if self._flash and any(_NO_FLASH_ATTENTION.search(line.text) for line in lines):
            if context:
                native.llama_free(context)
            return False
        if not context:
            raise ModelError(
                f"{self._path.name} does not run with a context of {cells} tokens: {reason(lines)}. "
                "Use a shorter context (--ctx) or a smaller quant."
            )
        native.llama_set_abort_callback(context, _is_set(native), ctypes.addressof(self._interrupted))
        self._context, self._memory = context, native.llama_get_memory(context)
        return True

    def arrange(self, kept: Tokens[int], places: int, each: int) -> list[bool]:
        self._check_room(kept, places, each)
        saved = [self._state(place) if self._length(place) else None for place in kept]
        self._native.llama_free(self._context)
        self._context = None
        self.places, self.each = places, each
        try:
            attends = self._attend()
        except ModelError as error:
            raise EngineError(f"The KV cache could not be laid out anew: {error}") from None
        if not attends:
            raise EngineError("The KV cache could not be laid out anew: flash attention, which it had, is refused.")
        return [contents is None or self.restore(place, contents) for place, contents in enumerate(saved)]

    def _check_room(self, kept: Tokens[int], places: int, each: int) -> None:
        """Raises NoRoom if a larger cache, and the copy of what it keeps, would take more memory than is free now.

        It was planned when the model was loaded, and other programs may have taken some since. For one place it is
        tried in any case.
        """
        more = places * each - self.places * self.each
        if more <= 0 or places == 1 or self._gpu:
            return
        values = (more + sum(map(self._length, kept))) * self._header.kv_numbers
        if values * VALUE_BYTES[self._cache] // VALUES > _free_memory():
            raise NoRoom(f"No memory for {places} places with {each} cells each.")

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The token ids of `text`. Control tokens are recognised only if `special`."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        ids = (self._native.llama_token * room)()
        count = self._native.llama_tokenize(self._vocab, data, len(data), ids, room, False, special)
        if count < 0:
            raise EngineError(f"llama.cpp could not tokenize {len(data)} bytes of text (code {count}).")
        return list(ids[:count])

    def piece(self, token: int) -> bytes:
        found = self._pieces.get(token)
        if found is None:
            size, room = -256, 0
            while size < -room:  # the buffer was too small, and so large it has to be
                buffer = ctypes.create_string_buffer(room := -size)
                size = self._native.llama_token_to_piece(self._vocab, token, buffer, room, 0, False)
            found = self._pieces[token] = buffer.raw[: max(0, size)]
        return found

    def decode(self, slices: Tokens[Slice], padding: int = 0) -> Logits:
        batch = self._next_batch
        pads = self._pads(slices, padding) if padding else []
        # Places in order, for llama.cpp; a merge keeps the slices in theirs, and so the rows of logits.
        rows = batch.fill([*heapq.merge(slices, sorted(pads, key=_place), key=_place)] if pads else slices)
        self._interrupted[0] = b"\0"
        with listening(quietly=True) as lines:  # no room, or interrupted: the two are usual, and errors to llama.cpp
            code = self._native.llama_decode(self._context, batch.native)
        for pad in pads:
            self.trim(pad.place, pad.start)
        if code == 1:
            raise NoRoom(f"No room in the KV cache for a batch of {batch.native.n_tokens} tokens.")
        if code == 2:
            for piece in slices:
                self.trim(piece.place, piece.start)
            raise Interrupted(f"A batch of {batch.native.n_tokens} tokens was not finished.")
        if code != 0:
            raise EngineError(
                f"llama.cpp could not compute a batch of {batch.native.n_tokens} tokens (code {code}): {reason(lines)}."
            )
        if rows == 0:
            return np.empty((0, self.vocabulary), np.float32)
        pointer = self._native.llama_get_logits(self._context)
        return np.ctypeslib.as_array(pointer, shape=(rows, self.vocabulary))

    def _pads(self, slices: Tokens[Slice], count: int) -> list[Slice]:
        """The tokens that pad a batch: one behind what each of `count` other places holds.

        llama.cpp computes only places that follow one another together, so gaps are filled first; and it goes over as
        many cells of each as the longest has.
        """
        taken = {piece.place for piece in slices}
        low, high, longest = min(taken), max(taken), max(piece.start for piece in slices)
        order = [*range(low, high), *range(high + 1, self.places), *reversed(range(low))]
        others = [(place, self._length(place)) for place in order if place not in taken]
        return [Slice(place, length, [0], logits=False) for place, length in others if length <= longest][:count]

    def use_threads(self, count: int) -> None:
        self._threads = count
        self._native.llama_set_n_threads(self._context, count, count)

    def interrupt(self) -> None:
        self._interrupted[0] = b"\1"

    def copy(self, source: int, target: int) -> None:
        # llama.cpp would copy all cells of a place, and at the next batch only.
        if not self.restore(target, self._state(source)):
            raise EngineError(f"{self._length(source)} tokens could not be copied in the KV cache.")

    def trim(self, place: int, length: int) -> None:
        self._native.llama_memory_seq_rm(self._memory, place, length, -1)

    def holds(self, place: int, length: int) -> bool:
        if not self._window:
            return True
        first = int(self._native.llama_memory_seq_pos_min(self._memory, place))
        return 0 <= first <= max(0, length - self._window)

    def save(self, place: int) -> State | None:
        if state.size(self._native, self._context, place) > _free_memory() // 2:
            return None
        return self._state(place)

    def _state(self, place: int) -> State:
        return state.save(self._native, self._context, place)

    def _length(self, place: int) -> int:
        """How many tokens a place holds."""
        return int(self._native.llama_memory_seq_pos_max(self._memory, place)) + 1

    def restore(self, place: int, saved: State) -> bool:
        if state.restore(self._native, self._context, place, saved):
            return True
        self.trim(place, 0)
        return False

    def grammar(self, source: str) -> LlamaGrammar:
        return LlamaGrammar(self._native, self._vocab, self._markers, source)

    @functools.cached_property
    def _markers(self) -> NDArray[np.int64]:
        """Control tokens other than end tokens, which a grammar would take for the text of their names."""
        return np.array([t for t in self.info.controls.values() if t not in self.info.ends], np.int64)

    def close(self) -> None:
        if self._context:
            self._native.llama_free(self._context)
        if self._model:
            self._native.llama_model_free(self._model)
        self._context = self._model = None


class _Batch:
    """A llama.cpp batch that points into NumPy arrays, which are faster to fill than its own structures."""

    def __init__(self, native: Any) -> None:
        self._tokens, self._positions, self._places = (np.zeros(BATCH, np.int32) for _ in range(3))
        self._wanted = np.zeros(BATCH, np.int8)
        self._one_place = np.ones(BATCH, np.int32)
        self._pointers = (ctypes.POINTER(ctypes.c_int32) * BATCH)()
        for i in range(BATCH):
            self._pointers[i] = ctypes.cast(self._places.ctypes.data + 4 * i, ctypes.POINTER(ctypes.c_int32))
        self.native = native.llama_batch(
            token=self._tokens.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            pos=self._positions.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            n_seq_id=self._one_place.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=self._pointers,
            logits=self._wanted.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def fill(self, slices: Tokens[Slice]) -> int:
        """Fill the batch; returns how many rows of logits it will give."""
        count = rows = 0
        for piece in slices:
            begin, count = count, count + len(piece.tokens)
            self._tokens[begin:count] = piece.tokens
            self._positions[begin:count] = np.arange(piece.start, piece.start + count - begin)
            self._places[begin:count] = piece.place
            self._wanted[begin:count] = 0
            if piece.logits:
                self._wanted[count - 1] = 1
                rows += 1
        self.native.n_tokens = count
        return rows


def _free_memory() -> int:
    """Bytes."""
    from vibethinker_local.system import machine  # a twentieth of a second that few starts need

    return machine.room().memory


def _is_set(native: Any) -> Any:
    """A callback that tells whether a byte is set. It runs after every graph node, so it is C's strlen."""
    c = ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)
    return ctypes.cast(c.strlen, native.ggml_abort_callback)


def quant(native: Any, file_type: int) -> str:
    """What a file type is called in the names of files: Q4_K_M. llama.cpp's own words for it are of many forms."""
    types: dict[int, str] = {value: name for name, value in vars(native).items() if name.startswith("LLAMA_FTYPE_")}
    name = types.get(file_type & ~native.LLAMA_FTYPE_GUESSED, "unknown")
    return name.removeprefix("LLAMA_FTYPE_").removeprefix("ALL_").removeprefix("MOSTLY_")
