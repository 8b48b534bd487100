"""A GBNF grammar over llama.cpp's vocabulary. llama.cpp aborts the process when given a token that is not allowed."""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vibethinker_local.engine.backend import Logits

Tokens = NDArray[np.int64]
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class LlamaGrammar:
    def __init__(self, native: Any, vocab: Any, never: Tokens, source: str) -> None:
        """`never`: token ids that are never allowed. Raises ValueError if the source is not GBNF with a rule `root`."""
        self._native, self._never = native, never
        self._sampler = native.llama_sampler_init_grammar(vocab, source.encode(), b"root") if source.strip() else None
        if not self._sampler:
            raise ValueError("the grammar is not valid GBNF with a rule `root`")

    def allows(self, token: int) -> bool:
        return bool(self._apply(np.array([token]), np.zeros(1, np.float32))[0] > -np.inf) and token not in self._never

    def mask(self, logits: Logits) -> Logits:
        masked = self._apply(np.arange(len(logits)), logits)
        masked[self._never] = -np.inf
        return masked

    def accept(self, token: int) -> None:
        assert self.allows(token), "not allowed"
        self._native.llama_sampler_accept(self._sampler, token)

    def close(self) -> None:
        if self._sampler:
            self._native.llama_sampler_free(self._sampler)
        self._sampler = None

    def _apply(self, tokens: Tokens, logits: Logits) -> Logits:
        """The logits of these tokens, with -inf for those that the grammar does not allow."""
        candidates = np.zeros(len(tokens), _CANDIDATE)
        candidates["id"], candidates["logit"] = tokens, logits
        array = self._native.llama_token_data_array(
            data=candidates.ctypes.data_as(self._native.llama_token_data_p), size=len(tokens), selected=-1, sorted=False
        )
        self._native.llama_sampler_apply(self._sampler, ctypes.byref(array))
        masked: Logits = candidates["logit"].copy()
        return masked
