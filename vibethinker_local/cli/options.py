"""Options that several commands share."""

from typing import Annotated

import typer

from vibethinker_local.events import LEAST_CONTEXT, MOST_CONTEXT

Model = Annotated[
    str | None,
    typer.Option("-m", "--model", help="A name in models.toml, ORG/REPO, a .gguf file, or a server's URL#MODEL."),
]
LocalModel = Annotated[
    str | None, typer.Option("-m", "--model", help="A name in models.toml, ORG/REPO, or a .gguf file.")
]
Context = Annotated[
    int | None, typer.Option(min=LEAST_CONTEXT, max=MOST_CONTEXT, help="Size of the context in tokens.")
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, max=512, help="Default: the number `vibe bench` found fastest, else one per performance core."),
]
Temperature = Annotated[
    float | None,
    typer.Option(min=0.0, max=5.0, help="0: always the likeliest token. Default: the model's own."),
]
TopP = Annotated[
    float | None,
    typer.Option(min=0.01, max=1.0, help="Sample from the likeliest tokens that together have this probability."),
]
