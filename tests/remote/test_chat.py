"""The chat with a model on a server."""

from pathlib import Path

import pytest

from tests.remote.standin import StandIn
from tests.tui.fakes import chatting, run
from vibethinker_local.events import Options
from vibethinker_local.tui.local import LoadedModel


def test_a_conversation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIBE_HOME", str(tmp_path))

    async def test() -> None:
        with StandIn() as server:
            async with chatting(tmp_path, LoadedModel(server.url, Options(0))) as chat:  # type: ignore[arg-type]
                assert f"org/adder at {server.url}" in chat.shown
                await chat.ask("What is 17 + 25?")
                assert "The answer is 43." in chat.shown  # the seed is one that gets it wrong
                await chat.ask("And why?")
                prompt = server.replies()[-1]["prompt"]
                assert "<|assistant|>The answer is \\boxed{43}.<|end|>" in prompt
                assert "I add 17 and 25" not in prompt  # reasoning is not told again

    run(test)
