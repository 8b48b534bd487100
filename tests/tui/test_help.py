"""The chat's help, palette, bindings and themes."""

import os
from collections.abc import Callable
from pathlib import Path

from tests.tui.fakes import chatting, prompt, run
from vibethinker_local.tui.actions import ACTIONS, EVERYWHERE, table
from vibethinker_local.tui.screens.conversations import Conversations
from vibethinker_local.tui.screens.help import Help


def test_the_palette_knows_of_themes(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("ctrl+p", *"theme")
            await chat.until(lambda: "Dark or light theme" in chat.shown)

    run(test)


def test_help_lists_every_action_with_its_own_key(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path, keys={"reliability": "ctrl+y", "help": "f11"}, size=(120, 80)) as chat:
            await chat.pilot.press("f11")
            assert isinstance(chat.app.screen, Help)
            for action in ACTIONS:
                assert f"{action.title}. " in chat.shown
            assert "ctrl+y" in chat.shown
            await chat.pilot.press("escape", "ctrl+y")
            assert chat.app.session.reliable
            await chat.pilot.press("ctrl+r")
            assert chat.app.session.reliable

    run(test)


def test_the_palette_has_every_action(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            titles = {command.title.split("  ")[0] for command in chat.app.get_system_commands(chat.app.screen)}
            assert titles == {action.title for action in ACTIONS if action.id != "palette"}
            for action in ACTIONS:
                where = chat.app if action.id in EVERYWHERE else chat.app.chat
                name = "command_palette" if action.id == "palette" else action.id
                assert callable(getattr(where, f"action_{name}"))
                assert hasattr(where, f"take_{name}") == action.takes_value
            await chat.pilot.press("ctrl+p", *"new conv")
            await chat.pilot.pause(0.3)
            assert "New conversation" in chat.shown
            await chat.pilot.press("escape")

    run(test)


def test_every_binding_has_an_id_and_a_tooltip() -> None:
    from vibethinker_local.tui.app import ChatApp
    from vibethinker_local.tui.screens.chat import Chat
    from vibethinker_local.tui.screens.dialogs import Ask, Pick

    for owner in (ChatApp, Chat, Conversations, Help, Ask, Pick):
        for binding in owner.BINDINGS:
            assert binding.system or (binding.id and binding.tooltip), binding  # type: ignore[union-attr]


def test_themes(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            await chat.pilot.press("f12")
            assert not chat.app.current_theme.dark
            await chat.pilot.press("f12")
            assert chat.app.current_theme.dark
        async with chatting(tmp_path, theme="no such theme") as chat:
            assert chat.app.theme == "vibe-dark"

    run(test)


def test_every_key_and_every_slash_does_what_its_row_says(tmp_path: Path) -> None:
    async def test() -> None:
        async with chatting(tmp_path) as chat:
            done: list[str] = []

            def note(name: str) -> Callable[[], None]:
                return lambda: done.append(name)

            for action in ACTIONS:
                where = chat.app if action.id in EVERYWHERE else chat.app.chat
                name = "command_palette" if action.id == "palette" else action.id
                setattr(where, f"action_{name}", note(action.id))
            for action in ACTIONS:
                for key in action.key.split(",") if action.key else ():
                    done.clear()
                    await chat.pilot.press(key)
                    assert done == [action.id], key
                if action.slash:
                    done.clear()
                    prompt(chat).text = f"/{action.slash}"
                    await chat.pilot.press("enter")
                    assert done == [action.id], action.slash
            assert not chat.solver.requests

    run(test)


def test_the_keys_in_the_documentation_are_those_of_the_table() -> None:
    path = Path(__file__).parents[2] / "docs" / "chat.md"
    text = path.read_text(encoding="utf-8")
    begin = text.index("\n", text.index("<!-- keys")) + 1
    end = text.index("<!-- end of keys")
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(text[:begin] + table() + text[end:], encoding="utf-8")
    else:
        assert text[begin:end] == table()
