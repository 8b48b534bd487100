"""The chat's app, and `make_app`, which puts all of it together for the command and for tests."""

import asyncio
import gc
import os
import secrets
import signal
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import ClassVar

from textual import constants
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.events import Event, Key, Paste
from textual.screen import Screen
from textual.widgets import Input, TextArea

from vibethinker_local.errors import VibeError
from vibethinker_local.solving.follow import short
from vibethinker_local.system.terminal import printable, whole
from vibethinker_local.tui.actions import ACTIONS, EVERYWHERE, bindings, key_of
from vibethinker_local.tui.attachments import editable
from vibethinker_local.tui.screens.chat import SENT, Chat
from vibethinker_local.tui.session import Session
from vibethinker_local.tui.solver import Load, ModelChoice
from vibethinker_local.tui.store import Store
from vibethinker_local.tui.themes import DARK, LIGHT
from vibethinker_local.tui.widgets.prompt import Prompt

# Of garbage: with Python's own (700, 10, 10), keys wait for a look through all objects every two seconds of an answer.
COLLECT_AFTER = (10_000, 20, 50)
NOTICE = 80  # characters
TWICE_SECONDS = 2.0  # between two ctrl+c that quit


def make_app(
    load: Load,
    store: Store,
    *,
    models: Callable[[], Sequence[ModelChoice]] = tuple,
    keys: Mapping[str, str] | None = None,
    theme: str | None = None,
    budget: str = "standard",
    folder: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
    seeds: Callable[[], int] = lambda: secrets.randbelow(2**31),
    conversation: int | None = None,
    question: str | None = None,
    rings: bool = True,
) -> "ChatApp":
    """The chat. `load` gives a Solver, on another thread, when one is needed or before: of the `models` that there are,
    the one with a name, or with None the one to begin with. `keys` maps names of actions to keys; exports go into
    `folder`, else into the current one. It opens a conversation, and asks a question, if they are given. Close the
    app's session when it has run."""
    session = Session(load, store, clock, seeds, models)
    session.budget = budget
    if conversation is not None:
        session.open(conversation)
    app = ChatApp(session, keys or {}, theme or DARK.name, folder or _here(), question)
    app.rings = rings
    return app


def _here() -> Path:
    """The current folder, or the user's where that has been deleted."""
    try:
        return Path.cwd()
    except OSError:
        return Path.home()


def notice(text: str, terminal: str) -> str:
    """What has a terminal show a notification: OSC 9, or OSC 777 for those that know that one alone."""
    text = short(printable(text).replace(";", ","), NOTICE)
    return f"\x1b]777;notify;vibe;{text}\x07" if terminal.startswith(("rxvt", "foot")) else f"\x1b]9;{text}\x07"


def is_unprintable_text(typed: str) -> bool:
    """Whether a character that was typed is text although Python does not call it printable: the wide space of
    Japanese, a space that does not break, or what joins letters and emoji. Textual's fields would leave it out."""
    return len(typed) == 1 and typed != " " and unicodedata.category(typed) in ("Cf", "Zs")


class ChatApp(App[None], inherit_bindings=False):
    """One screen; others lie over it for a moment."""

    CSS_PATH = "app.tcss"
    TITLE = "vibe"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(everywhere=True),
        Binding("ctrl+c", "interrupt", "Stop, then quit", show=False, priority=True, system=True),
    ]
    ENABLE_COMMAND_PALETTE = True
    rings = True  # when a long run has ended
    measures_memory = True  # off where the screen has to be the same every time

    def __init__(
        self, session: Session, keys: Mapping[str, str], theme: str, folder: Path, question: str | None = None
    ) -> None:
        super().__init__()
        self.session, self.keys, self.folder = session, keys, folder
        self._question = whole((question or "").strip())
        self.crash: Exception | None = None  # what ended the app
        self._action_keys = {key for action in ACTIONS for key in keys.get(action.id, action.key).split(",")} | {
            "ctrl+c"
        }
        self._interrupted = -TWICE_SECONDS  # when ctrl+c was pressed last
        for one in (DARK, LIGHT):
            self.register_theme(one)
        # Set without a watcher, which would parse all styles a second time before the first paint.
        self.set_reactive(App.theme, theme if theme in self.available_themes else DARK.name)
        self.stylesheet.set_variables(self.get_css_variables())
        self.set_keymap(dict(keys))

    def get_driver_class(self) -> type[Driver]:
        if sys.platform == "win32" or constants.DRIVER:
            return super().get_driver_class()
        from vibethinker_local.tui.driver import TerminalDriver

        return TerminalDriver

    def on_mount(self) -> None:
        self.push_screen(Chat(self.session, self.keys, self.folder, measures_memory=self.measures_memory))
        for name in ("SIGTERM", "SIGHUP"):  # the terminal is given back in order also then
            with suppress(AttributeError, NotImplementedError, RuntimeError, ValueError):
                asyncio.get_running_loop().add_signal_handler(getattr(signal, name), self.exit)
        self.call_after_refresh(self.load)
        if self._question:
            self.call_after_refresh(self.chat.on_prompt_sent, Prompt.Sent(self._question))

    def on_chat_done(self, event: Chat.Done) -> None:
        """Ring, and have the terminal say it, if it can."""
        if self.rings and self._driver:
            self.bell()
            self._driver.write(notice(f"vibe: {event.turn.question}", os.environ.get("TERM", "")))

    def on_chat_model_wanted(self) -> None:
        self.load()

    def load(self) -> None:
        """Load in the background what the first answer needs: what shows it, and the model."""
        threading.Thread(target=self._loading, name="load", daemon=True).start()

    def _loading(self) -> None:
        import_module("vibethinker_local.tui.widgets.turn")
        if not gc.isenabled():  # the start is over: what is there by now stays
            gc.freeze()
            gc.set_threshold(*COLLECT_AFTER)
            gc.enable()
        wanted = self.session.wanted
        try:
            self.session.loaded()
        except VibeError as error:
            self._later(self._show_model, str(error))
            if wanted in self.session.chosen:
                self.session.chosen.remove(wanted)
            if self.session.wanted != wanted:  # there is one before, or another one was chosen
                self._loading()
            return
        self._later(self._show_model)
        if not self.session.store.is_sound():
            self._later(self.session.store.renew)

    def _show_model(self, failure: str = "") -> None:
        self.chat.show_model(failure)  # which there may be no more by now

    def _later(self, do: Callable[..., object], *values: object) -> None:
        """Do something on the app's thread, if it is still there."""
        if self.is_running:
            self.call_later(do, *values)

    @property
    def chat(self) -> Chat:
        return next(screen for screen in self.screen_stack if isinstance(screen, Chat))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: every action, with its key in a column of its own."""
        widest = max(len(action.title) for action in ACTIONS)
        for action in ACTIONS:
            if action.id == "palette":
                continue
            key = key_of(action, self.keys)
            where = self if action.id in EVERYWHERE else self.chat
            title = f"{action.title:<{widest}}  {key}".rstrip()
            yield SystemCommand(title, action.help, getattr(where, f"action_{action.id}"))

    async def on_event(self, event: Event) -> None:
        if isinstance(event, Key) and event.key in self._action_keys and isinstance(self.screen, Chat):
            await self.screen.settle()
        if isinstance(event, Key) and is_unprintable_text(event.character or ""):
            event = Paste(event.character or "")
        if isinstance(event, Paste):
            event.text = editable(event.text)  # most terminals paste carriage returns
            self.app_focus = True  # a file dropped on a window that is not in front: a key, too, gives the focus back
        await super().on_event(event)

    def action_dark(self) -> None:
        self.theme = LIGHT.name if self.current_theme.dark else DARK.name

    def _handle_exception(self, error: Exception) -> None:
        """A bug ends the app and gives the terminal back; whoever ran it says so in a sentence."""
        self.crash = self.crash or error
        super()._handle_exception(error)
        self._exit_renderables.clear()

    def action_interrupt(self) -> None:
        """Copy what is selected; else stop what runs; twice, quit."""
        in_field = self.focused.selected_text if isinstance(self.focused, (TextArea, Input)) else ""
        if selected := in_field or self.screen.get_selected_text():
            self.copy_to_clipboard(selected)
            self.screen.clear_selection()
            self.chat.say(f"What is selected was {SENT}.")
        elif time.monotonic() - self._interrupted < TWICE_SECONDS:
            self.call_next(self.action_quit)
        else:
            self._interrupted = time.monotonic()
            self.chat.say("Stopped. ctrl+c once more quits." if self.session.live else "ctrl+c once more quits.")
            self.session.stop()

    def action_suspend(self) -> None:
        if sys.platform == "win32" or os.getsid(0) == os.getpgrp():  # no job of a shell: nobody could wake it
            self.chat.say("There is no shell to go back to.")
        else:
            self.action_suspend_process()

    async def action_quit(self) -> None:
        self.session.close()
        self.exit()
