"""The sampling parameters of a Sequence. Defaults belong to the model (models.toml), so there are few here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SamplingParams:
    """Raises ValueError for a value out of range."""

    seed: int
    max_tokens: int  # generated tokens after which the Sequence ends with "length"
    reserve: int = 0  # further tokens that `force` may ask for
    temperature: float = 1.0  # 0: always the most likely token
    top_p: float = 1.0
    top_k: int = 0  # 0: off
    min_p: float = 0.0  # 0: off
    stop_ids: frozenset[int] = frozenset()
    stop_strings: tuple[str, ...] = ()
    grammar: str | None = None  # GBNF that the sampled text follows; such a Sequence cannot be forced
    typical: int | None = None  # usual total length in tokens, prompt included; the scheduler plans memory with it

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.reserve < 0:
            raise ValueError("max_tokens must be at least 1, and reserve not negative")
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature must be a finite number from 0, not {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}")
        if self.top_k < 0:
            raise ValueError(f"top_k must not be negative, not {self.top_k}")
        if not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p must be from 0 to 1, not {self.min_p}")
        if "" in self.stop_strings:
            raise ValueError("a stop string must not be empty")
        if self.grammar is not None and self.reserve:
            raise ValueError("a Sequence with a grammar cannot be forced: it takes no reserve")


SCORING = SamplingParams(seed=0, max_tokens=1)  # of a Sequence that samples nothing
