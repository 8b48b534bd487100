"""Where the chat scrolls, and where it stays, while an answer grows."""

from pathlib import Path

from tests.tui.fakes import Pause, ScriptedSolver, chatting, reply, run
from vibethinker_local.tui.widgets.transcript import Transcript

LONG = "\n\n".join(f"Line {n}." for n in range(60))


def test_scrolling_up_is_not_fought_and_a_badge_leads_back(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("hm", LONG, pause=pause, at=70)])) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            transcript = chat.app.chat.query_one(Transcript)
            assert transcript.scroll_y == transcript.max_scroll_y > 0
            await chat.pilot.press("pageup")
            await chat.pilot.pause()
            at = transcript.scroll_y
            assert at < transcript.max_scroll_y
            assert "more below" in chat.shown
            pause.go.set()
            await chat.until(lambda: not chat.app.session.live)
            assert transcript.scroll_y == at
            await chat.pilot.press("ctrl+end")
            await chat.pilot.pause(0.1)
            assert "Line 59." in chat.shown
            assert "more below" not in chat.shown
            await chat.pilot.press("pageup")
            await chat.pilot.pause(0.1)
            assert await chat.pilot.click("#badge")
            await chat.pilot.pause(0.1)
            assert "more below" not in chat.shown

    run(test)


def test_from_the_end_on_a_page_down_follows(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        async with chatting(tmp_path, ScriptedSolver([reply("hm", LONG, pause=pause, at=40)])) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            await chat.pilot.press("pageup")
            await chat.pilot.pause()
            assert "more below" in chat.shown
            for _ in range(3):
                await chat.pilot.press("pagedown")
                await chat.pilot.pause()
            pause.go.set()
            await chat.until(lambda: not chat.app.session.live)
            assert "Line 59." in chat.shown

    run(test)


def test_nothing_goes_blank_at_the_end(tmp_path: Path) -> None:
    async def test() -> None:
        pause = Pause()
        script = list(reply("hm", LONG))
        script.insert(-1, pause)
        async with chatting(tmp_path, ScriptedSolver([script])) as chat:
            await chat.ask("go", wait=False)
            await chat.reach(pause)
            seen: list[str] = []
            chat.app.screen.set_interval(0.002, lambda: None if chat.app._batch_count else seen.append(chat.shown))
            pause.go.set()
            await chat.until(lambda: not chat.app.session.live)
            await chat.pilot.pause(0.1)
            assert seen
            assert all("Line 59." in shown for shown in seen)

    run(test)
