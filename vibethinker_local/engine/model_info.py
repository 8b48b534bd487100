"""What a model file says about itself."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ModelInfo:
    quant: str
    template: str | None
    trained_context: int  # positions
    parameters: int
    bytes: int
    ends: frozenset[int]  # tokens that end a reply
    controls: dict[str, int] = field(default_factory=dict)  # tokens that are no text, by their names
    think: tuple[str, str] | None = None  # what its template has before and behind reasoning
    bos: str = ""  # the name of the token that begins a text
    eos: str = ""
    adds_bos: bool = False  # whether a text is to begin with it
    notice: str | None = None  # what the user should know about how it was loaded
