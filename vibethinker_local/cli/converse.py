"""The chat as a command: what `vibe`, `vibe chat` and `vibe --continue` run."""

import gc
import os
import sys
from typing import NoReturn

from vibethinker_local.cli import process
from vibethinker_local.errors import UsageError


def at_once() -> NoReturn:
    """`vibe` and nothing else: the chat. Typer, which reads command lines, takes long to import."""
    from vibethinker_local.system import logs, terminal

    terminal.prepare_streams()
    try:
        logs.start(debug=False)
        converse()
    except Exception as error:
        sys.exit(process.complain_of(error))
    sys.exit(0)


def converse(
    question: str | None = None,
    model: str | None = None,
    ctx: int | None = None,
    threads: int | None = None,
    *,
    last: bool = False,
    opened: int | None = None,
) -> None:
    """Run the chat until the user leaves it. Raises UsageError without a terminal, or without such a conversation."""
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # the screen is painted on stderr
        raise UsageError("The chat needs a terminal, also for stderr; `vibe solve` works without one.")
    if os.environ.get("TERM") == "dumb":  # as in a shell within Emacs, which would show a screen's escape sequences
        raise UsageError("The chat needs a terminal with a screen, and TERM is dumb; `vibe solve` works without one.")
    gc.disable()  # nothing that is created while starting becomes garbage; the app enables it again
    from vibethinker_local.system import paths, settings
    from vibethinker_local.tui.actions import KEYS
    from vibethinker_local.tui.app import make_app
    from vibethinker_local.tui.solver import ChatSolver, Loading, ModelChoice
    from vibethinker_local.tui.store import Store
    from vibethinker_local.tui.themes import THEMES

    own = settings.load()
    settings.check_keys(own.keys, KEYS)
    settings.check_theme(own.theme, THEMES)

    def load(name: str | None, loading: Loading) -> ChatSolver:
        from vibethinker_local.events import Options
        from vibethinker_local.tui.local import LoadedModel

        options = Options(0, max_tokens=own.max_tokens, context=ctx or own.context, threads=threads or own.threads)
        return LoadedModel(name or model or own.model, options, loading)

    def models() -> list[ModelChoice]:
        from vibethinker_local.tui.local import choices

        return choices(model or own.model)

    store = Store(paths.data() / "conversations.db")
    if opened is not None and store.listed(opened) is None:
        raise UsageError(f"There is no conversation {opened}: f2 in the chat lists them all, with their numbers.")
    if last:
        opened = next((listed.id for listed in store.recent(1)), None)
    chatting = make_app(
        load,
        store,
        models=models,
        keys=own.keys,
        theme=own.theme,
        budget=own.budget,
        conversation=opened,
        question=question,
        rings=own.notify,
    )
    try:
        chatting.run()
    finally:
        chatting.session.close()
    if chatting.crash:
        raise chatting.crash
    if unkept := chatting.session.unkept:  # it was said once, perhaps long ago
        raise UsageError(unkept)
