"""A GGUF model at work, for `quantize` alone: llama.cpp turns text into tokens, activations and logits.

All of it may take long and is for a thread of its own: when another sets `stop`, that one soon ends with Stopped.
Does not know what the results are for.
"""

import ctypes
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vibethinker_local.errors import EngineError, ModelError, UsageError
from vibethinker_local.llama import amx, kernels
from vibethinker_local.llama.kernels import Floats
from vibethinker_local.llama.library import library, listening, reason

BATCH = 128  # tokens in one call: their logits, 78 MB with Qwen2's vocabulary, are the largest thing beside the weights
CHECK_THREADS = 1  # a second for four tokens and 3 billion weights; more would wait for each other on a busy machine


class Stopped(Exception):
    """The work ended early, because it was asked to."""


@dataclass(frozen=True)
class Message:
    role: str
    content: str


@dataclass(frozen=True)
class Watch:
    """Nodes of the computation to be shown; `see` gets each one's name and values, and says whether to compute on."""

    names: frozenset[bytes]
    see: Callable[[bytes, Floats], bool]


class ObservedModel:
    """Made by `load`."""

    def __init__(self, handle: int, path: Path) -> None:
        self.handle = handle
        self._llama = library()
        self.path = path
        self._vocab = self._llama.llama_model_get_vocab(handle)
        self.vocabulary: int = self._llama.llama_vocab_n_tokens(self._vocab)
        adds_bos = self._llama.llama_vocab_get_add_bos(self._vocab)
        self.bos: int | None = self._llama.llama_vocab_bos(self._vocab) if adds_bos else None

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """`special`: whether what reads like a control token becomes one."""
        raw = text.encode()
        tokens = (self._llama.llama_token * (len(raw) + 2))()  # none is shorter than a byte
        count = self._llama.llama_tokenize(self._vocab, raw, len(raw), tokens, len(tokens), True, special)
        if count < 0:
            raise EngineError(f"llama.cpp cannot tokenize the text with {self.path}; please report this")
        return list(tokens[:count])

    def render(self, messages: Sequence[Message]) -> str:
        """A conversation in the chat template: as llama.cpp knows it, for the template itself is a foreign program.

        A system message that the template would add by itself is left out. Raises UsageError for a template that
        llama.cpp does not know.
        """
        llama = self._llama
        template = llama.llama_model_chat_template(self.handle, None)
        parts = [(m.role.encode(), m.content.encode()) for m in messages]
        chat = (llama.llama_chat_message * len(parts))(*(llama.llama_chat_message(*part) for part in parts))
        room = ctypes.create_string_buffer(1024 + 2 * sum(len(content) for _, content in parts))
        size = (
            self._llama.llama_chat_apply_template(template, chat, len(chat), False, room, len(room)) if template else -1
        )
        if not 0 <= size <= len(room):
            raise UsageError(f"the chat template of {self.path} is none that llama.cpp knows; give a text with --text")
        return room.raw[:size].decode()


@contextmanager
def load(path: Path, stop: threading.Event, *, in_place: bool = False) -> Iterator[ObservedModel]:
    """Raises ModelError if llama.cpp refuses the file. `in_place`: no copies of the weights, which stay mapped."""
    llama = library()
    amx.settle(llama)
    parameters = llama.llama_model_default_params()
    if in_place:
        parameters.n_gpu_layers = 0
        parameters.use_extra_bufts = False  # repacked weights: faster, but as large as the file once more
    go_on = llama.llama_progress_callback(lambda progress, user_data: not stop.is_set())
    parameters.progress_callback = go_on
    with listening() as log:
        handle = llama.llama_model_load_from_file(os.fsencode(path), parameters)
        why = reason(log)
    if not handle:
        if stop.is_set():
            raise Stopped
        raise ModelError(f"llama.cpp cannot load {path}: {why}")
    try:
        yield ObservedModel(handle, path)
    finally:
        llama.llama_model_free(handle)


class Context:
    """One sequence of tokens, computed piece by piece. Made by `context`."""

    def __init__(self, model: ObservedModel, handle: int, stop: threading.Event, failures: list[BaseException]) -> None:
        self.model = model
        self.handle = handle
        self._llama = library()
        self.stop = stop
        self._failures = failures
        self._batch = self._llama.llama_batch_init(BATCH, 0, 1)

    def clear(self) -> None:
        """Forget all tokens."""
        self._llama.llama_memory_clear(self._llama.llama_get_memory(self.handle), True)

    def decode(self, tokens: Sequence[int], position: int, *, outputs: bool) -> Floats:
        """Up to BATCH tokens that follow what was decoded before, the first at `position`.

        The logits after each token, shape (tokens, vocabulary), until the next call; without `outputs`, none.
        """
        batch = self._batch
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0] = token, position + i, 1, 0
            batch.logits[i] = outputs
        code = self._llama.llama_decode(self.handle, batch)
        if self._failures:
            raise self._failures.pop()
        if self.stop.is_set():
            raise Stopped
        if code != 0:
            raise EngineError(f"llama.cpp cannot compute with {self.model.path} (llama_decode gives {code})")
        shape = (len(tokens) if outputs else 0, self.model.vocabulary)
        if not outputs:
            return np.empty(shape, np.float32)
        return np.ctypeslib.as_array(self._llama.llama_get_logits(self.handle), shape=shape)

    def close(self) -> None:
        self._llama.llama_batch_free(self._batch)
        self._llama.llama_free(self.handle)


@contextmanager
def context(
    model: ObservedModel, size: int, threads: int, stop: threading.Event, watch: Watch | None = None
) -> Iterator[Context]:
    """Room for `size` tokens. Raises EngineError if there is not enough memory for it."""
    llama = library()
    parameters = llama.llama_context_default_params()
    parameters.n_ctx = size
    parameters.n_batch = parameters.n_ubatch = min(size, BATCH)
    parameters.n_threads = parameters.n_threads_batch = threads
    aborted = llama.ggml_abort_callback(lambda user_data: stop.is_set())
    parameters.abort_callback = aborted
    failures: list[BaseException] = []
    shown = _callback(watch, failures) if watch else None  # referenced for as long as llama.cpp may call it
    if shown:
        parameters.cb_eval = shown
    with listening() as log:
        handle = llama.llama_init_from_model(model.handle, parameters)
        why = reason(log)
    if not handle:
        raise EngineError(f"llama.cpp cannot make a context of {size} tokens for {model.path}: {why}")
    made = Context(model, handle, stop, failures)
    try:
        yield made
    finally:
        made.close()


def _callback(watch: Watch, failures: list[BaseException]) -> object:
    def shown(tensor: int, ask: bool, user_data: object) -> bool:
        try:
            name = kernels.tensor_name(tensor)
            return name in watch.names if ask else watch.see(name, kernels.read_floats(tensor))
        except BaseException as error:  # raised again by decode: none may pass through native frames
            failures.append(error)
            return False

    return library().ggml_backend_sched_eval_callback(shown)


def check_loads(path: Path, stop: threading.Event) -> None:
    """Load a model and evaluate the vocabulary's first four tokens. Does not copy the weights.

    Raises ModelError unless it loads and all logits are finite.
    """
    with load(path, stop, in_place=True) as model:
        try:
            with context(model, 32, CHECK_THREADS, stop) as made:
                logits = made.decode([i % model.vocabulary for i in range(4)], 0, outputs=True)
                finite = bool(np.isfinite(logits).all())
        except EngineError:
            finite = False
    if not finite:
        raise ModelError(f"{path} loads, but its logits are not finite numbers; build it again")
