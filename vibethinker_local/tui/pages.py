"""A text to be read in full."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FullPage:
    """As a model writes it, with its name."""

    title: str
    text: str
