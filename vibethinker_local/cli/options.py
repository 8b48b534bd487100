"""Options that several commands share."""

from typing import Annotated

import typer

Model = Annotated[
    str | None, typer.Option("-m", "--model", help="A name in models.toml, a .gguf file, or a server's URL#MODEL.")
]
Context = Annotated[int | None, typer.Option(min=64, max=2**20, help="Tokens that the context holds.")]
Threads = Annotated[int | None, typer.Option(min=1, max=512, help="Default: the performance cores.")]
