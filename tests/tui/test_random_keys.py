"""Seeded random keys over all screens while answers stream: no crash, no question lost, the database whole."""

import random
from pathlib import Path

import pytest

from tests.tui.fakes import chatting, prompt, run
from tests.tui.program import Streaming
from vibethinker_local.tui.actions import ACTIONS, SLASHES
from vibethinker_local.tui.screens.conversations import Conversations
from vibethinker_local.tui.store import Store

ENDING = {"quit", "suspend"}  # tried elsewhere
KEYS = [key for action in ACTIONS if action.id not in ENDING for key in action.key.split(",") if key]
EDITING = ["enter", "tab", "shift+tab", "escape", "up", "down", "left", "right", "backspace", "delete", "home", "end"]
EDITING += [
    "ctrl+u",
    "ctrl+k",
    "ctrl+w",
    "ctrl+y",
    "ctrl+a",
    "ctrl+e",
    "ctrl+j",
    "alt+enter",
    "alt+d",
    "ctrl+underscore",
]
TYPED = ["a", "b", " ", "@", "/", "$", "x", "7", "?", "q", "k", "j"]
WORDS = [f"/{name}" for name, action in SLASHES.items() if action.id not in ENDING]


def keys(choice: random.Random, count: int) -> list[str]:
    """As a person might press them: words and commands now and then, keys of all kinds between."""
    found = list[str]()
    while len(found) < count:
        match choice.randrange(8):
            case 0:
                found += [*f"why {choice.randrange(999)}?", "enter"]
            case 1:
                found += ["ctrl+u", *choice.choice(WORDS), "enter"]
            case 2 | 3:
                found.append(choice.choice(KEYS))
            case 4 | 5:
                found.append(choice.choice(EDITING))
            case _:
                found.append(choice.choice(TYPED))
    return found[:count]


@pytest.mark.parametrize(
    ("seed", "count"),
    [(1, 40), *(pytest.param(seed, 100, marks=pytest.mark.slow) for seed in range(2, 202))],
)
def test_random_keys(tmp_path: Path, seed: int, count: int) -> None:
    choice = random.Random(seed)

    async def test() -> None:
        solver = Streaming()
        solver.thoughts, solver.rate = choice.randrange(300), 4000.0
        async with chatting(tmp_path, solver, size=choice.choice([(80, 24), (120, 40), (40, 12)])) as chat:
            for key in keys(choice, count):
                if key == "f8" and isinstance(chat.app.screen, Conversations):
                    continue  # which deletes a conversation, as it should
                await chat.pilot.press(key)
            sent, field = set(prompt(chat).asked), chat.app.chat
            waiting = [prompt(chat).text, field.composer._aside[0], *(one.question for one in chat.app.session.queue)]
            kept = {text for text, was_asked in chat.app.session.history() if was_asked}
            for question in sent:
                assert question.strip() in kept or any(question.strip() in text for text in waiting), question
        store = Store(tmp_path / "chat.db")
        assert store.is_sound()
        assert not store.take_notices()
        for listed in store.recent():
            assert all(turn.status != "writing" for turn in store.all_turns(listed.id))
        store.close()

    run(test)
