"""`vibe` and `vibe chat`."""

import gc
import sys

from vibethinker_local.cli.options import Context, Model, Threads
from vibethinker_local.errors import UsageError


def chat(
    model: Model = None,
    ctx: Context = None,
    threads: Threads = None,
) -> None:
    """Talk with the model in a full-screen chat. `vibe` alone does the same; f1 lists the keys.

    \b
    vibe chat -m vibethinker-3b:Q4_K_M
    """
    converse(model, ctx, threads)


def converse(model: str | None, ctx: int | None, threads: int | None) -> None:
    """Run the chat until the user leaves it. Raises UsageError without a terminal."""
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # the screen is painted on stderr
        raise UsageError("The chat needs a terminal, also for stderr; `vibe solve` works without one.")
    gc.disable()  # nothing that is created while starting becomes garbage; the app enables it again
    from vibethinker_local.system import paths, settings
    from vibethinker_local.tui.actions import KEYS
    from vibethinker_local.tui.app import make_app
    from vibethinker_local.tui.solver import ChatSolver
    from vibethinker_local.tui.store import Store

    own = settings.load()
    settings.check_keys(own.keys, KEYS)

    def load() -> ChatSolver:
        from vibethinker_local.events import Options
        from vibethinker_local.tui.local import Local

        options = Options(0, max_tokens=own.max_tokens, context=ctx or own.context, threads=threads or own.threads)
        return Local(model or own.model, options)

    store = Store(paths.data() / "conversations.db")
    chatting = make_app(load, store, keys=own.keys, theme=own.theme, budget=own.budget)
    try:
        chatting.run()
    finally:
        chatting.session.close()
    if chatting.crash:
        raise chatting.crash
