"""`vibe serve`: the model for other programs, by the OpenAI protocol."""

import os
import re
from typing import TYPE_CHECKING, Annotated

import typer

from vibethinker_local.cli.options import Context, LocalModel, Threads
from vibethinker_local.errors import UsageError, extra
from vibethinker_local.events import CacheType

if TYPE_CHECKING:
    from vibethinker_local.serve.server import Server

KEY = "VIBE_API_KEY"


def serve(
    model: LocalModel = None,
    host: Annotated[str, typer.Option(help="The address to listen on. Any but this machine's own needs a key.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 8080,
    api_key: Annotated[
        str | None, typer.Option(help=f"The key that clients send. Better in {KEY}: others cannot see it there.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(metavar="ORIGIN", help="Pages from there may ask, too. May be repeated.")
    ] = None,
    parallel: Annotated[int | None, typer.Option(min=1, max=256, help="Replies that are computed at once.")] = None,
    ctx: Context = None,
    kv: Annotated[CacheType, typer.Option("--kv", help="The KV cache: q8_0 takes half the memory.")] = "f16",
    threads: Threads = None,
) -> None:
    """Serve the model to editors, scripts and other chats, by the OpenAI protocol. Ctrl-C ends it.

    \b
    vibe serve
    vibe serve -m vibethinker-3b --port 8000
    """
    key = (os.environ.get(KEY) or None) if api_key is None else api_key
    host = host.strip("[]")  # as in an address, where IPv6 has them
    check(host, key, allow_origin or [])
    import asyncio
    from importlib.util import find_spec

    if find_spec("uvicorn") is None:
        raise UsageError(f"`vibe serve` needs the extra serve: {extra('serve')}.")
    from vibethinker_local.cli import render
    from vibethinker_local.events import Options
    from vibethinker_local.models.spec import BUNDLED
    from vibethinker_local.remote import address
    from vibethinker_local.runtime.model import AT_ONCE, at_once
    from vibethinker_local.serve import server
    from vibethinker_local.serve.safety import Guard
    from vibethinker_local.solving.solver import Solver
    from vibethinker_local.system import settings

    own = settings.load()
    options = Options(
        0, max_tokens=own.max_tokens, context=ctx or own.context, threads=threads or own.threads, cache=kv
    )
    say = render.Display().say
    wanted = model or own.model
    address.refuse(wanted, "`vibe serve` serves a model")
    listening = server.listen(host, port)
    with listening, Solver(wanted, options, say=say) as solver:
        if wanted is None and solver.chosen.name == BUNDLED:
            say(f"No larger model is installed: serving {BUNDLED}, for small arithmetic problems only.")
        loaded = solver.load(parallel or at_once(solver.chosen, AT_ONCE))
        for notice in solver.notices:
            say(notice)
        bound, where = listening.getsockname()[:2], f"[{host}]" if ":" in host else host
        url = f"http://{where}:{bound[1]}/v1"

        def ready(running: "Server") -> None:
            app, places = running.app, running.app.admission.places
            quant, context = loaded.backend.info.quant, loaded.context
            full = places if loaded.cells is None else loaded.cells // context
            fewer = f" ({full} at a time if all fill them)" if full < places else ""
            say(f"{app.name} {quant}: {places} at once, {context:,} tokens each{fewer}. Ctrl-C ends it.")
            render.print_line(url)

        finished = asyncio.run(server.serve(solver, listening, Guard(key, tuple(allow_origin or ())), ready))
    raise typer.Exit(0 if finished else 130)


def check(host: str, key: str | None, origins: list[str]) -> None:
    """Raises UsageError for a server that would be open to others, or a key that cannot be sent."""
    from vibethinker_local.serve.safety import is_loopback

    if key is not None and (not key.isascii() or not key.isprintable() or not key.strip() or key != key.strip()):
        raise UsageError(f"The API key ({KEY} or --api-key) has to be printable ASCII, without spaces around it.")
    if key is None and not is_loopback(host):
        raise UsageError(f"--host {host} lets other machines ask: give a key, in {KEY} or with --api-key.")
    for origin in origins:
        if origin == "null":  # of files, but also of frames that any page may have
            if key is None:
                raise UsageError(f"--allow-origin null lets every page ask: give a key, in {KEY} or with --api-key.")
        elif not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\sA-Z*?#@]+|file://", origin):
            raise UsageError(
                f"--allow-origin {origin} is no origin: write it as browsers do, https://chat.example or "
                "chrome-extension://ID, in small letters and without a path."
            )
