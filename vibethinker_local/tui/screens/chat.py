"""The chat: what keys and palette do, one method for each action of the table."""

import re

from vibethinker_local.errors import UsageError, VibeError
from vibethinker_local.system import paths
from vibethinker_local.tui.actions import bindings
from vibethinker_local.tui.attachments import read
from vibethinker_local.tui.export import Format, export_stored
from vibethinker_local.tui.screens.conversations import Conversations
from vibethinker_local.tui.screens.dialogs import Ask, Pick
from vibethinker_local.tui.screens.help import Help
from vibethinker_local.tui.screens.talk import Talk
from vibethinker_local.tui.session import BUDGETS
from vibethinker_local.tui.store import Turn
from vibethinker_local.tui.widgets.panel import VotesPanel
from vibethinker_local.tui.widgets.prompt import Prompt
from vibethinker_local.tui.widgets.transcript import Transcript

_CODE = re.compile(r"^(`{3,}|~{3,})[^\n]*\n(.*?)^\1[`~]*\s*$", re.DOTALL | re.MULTILINE)


class Chat(Talk):
    """The screen with everything that can be done on it."""

    BINDINGS = bindings(everywhere=False)

    # Answers

    def action_reliability(self) -> None:
        self.session.reliable = not self.session.reliable
        later = "From the next question on." if self.session.live else None
        self.say(later, self.cost() if self.session.reliable else None)
        self.show_status()

    def action_budget(self) -> None:
        at = BUDGETS.index(self.session.budget)
        self.session.budget = BUDGETS[(at + 1) % len(BUDGETS)]
        off = None if self.session.reliable else f"Budget of the reliability pass: {self.session.budget}."
        self.say(off, self.cost())
        self.show_status()

    def cost(self) -> str | None:
        """How long a vote would take, as far as that is known."""
        return self.session.solver.quote(self.session.budget) if self.session.solver else None

    def action_stop(self) -> None:
        if self.session.live:
            self.session.stop()
        elif self.editing is not None:
            self.edit(None)
        else:
            self.clear_selection()

    def action_answer_now(self) -> None:
        self.session.answer_now()

    async def action_reasoning(self) -> None:
        views = [view for view in self.query_one(Transcript).views if view.thinking.display]
        if views:
            await views[-1].thinking.toggle()

    async def action_regenerate(self) -> None:
        if turn := self.last_turn():
            await self.ask(turn.question, turn.attachments, len(self.session.turns) - 1)

    def action_edit(self) -> None:
        if self.last_turn():
            self.edit(len(self.session.turns) - 1)

    def last_turn(self) -> Turn | None:
        """The last turn, unless one is being written."""
        if self.session.live:
            self.say("An answer is being written: esc stops it.")
        elif not self.session.turns:
            self.say("There is no turn yet.")
        return self.session.turns[-1] if self.session.turns and not self.session.live else None

    def edit(self, place: int | None) -> None:
        """Begin to edit the question at a place, or leave it as it was."""
        self.editing = place
        turn = self.session.turns[place] if place is not None else None
        self.attachments = list(turn.attachments) if turn else []
        self.query_one(Prompt).set_text(turn.question if turn else "")
        self.query_one(Prompt).focus()
        self.show_attachments()

    # Conversations

    async def action_new(self) -> None:
        if not self.leave():
            return
        self.session.new()
        await self.show_conversation()

    def leave(self) -> bool:
        """Whether the conversation can be left: not while it is being written."""
        if self.session.live:
            self.say("An answer is being written: esc stops it first.")
        return self.session.live is None

    async def show_conversation(self) -> None:
        await self.query_one(Transcript).show(self.session.turns)
        self.set_class(False, "-votes")
        if self.editing is not None:
            self.edit(None)
        self.show_title()
        self.show_welcome()
        self.show_status()
        self.query_one(Prompt).focus()

    def action_conversations(self) -> None:
        async def chosen(conversation: int | None) -> None:
            if conversation is None:
                if self.session.conversation is not None and self.session.listed is None and not self.session.live:
                    await self.action_new()  # it was deleted
                self.show_title()
            elif conversation != self.session.conversation and self.leave():
                self.session.open(conversation)
                await self.show_conversation()

        self.app.push_screen(Conversations(self.session.store, self.session.conversation), chosen)

    def action_export(self) -> None:
        self.export("markdown")

    def action_export_json(self) -> None:
        self.export("json")

    def export(self, form: Format) -> None:
        if not (listed := self.session.listed):
            self.say("There is nothing to export yet.")
            return
        try:
            path = export_stored(self.session.store, listed, form, self.chat_app.folder)
        except VibeError as error:
            self.say(str(error), error=True)
        else:
            self.say(f"Written: {path}")

    def action_rename(self) -> None:
        if not (listed := self.session.listed):
            self.say("This conversation has not begun yet.")
            return

        def renamed(name: str | None) -> None:
            if name:
                try:
                    self.session.store.rename(listed.id, name)
                except UsageError as error:
                    self.say(str(error), error=True)
                self.show_title()

        self.app.push_screen(Ask("Rename", listed.title), renamed)

    # Text

    def action_attach(self) -> None:
        def given(path: str | None) -> None:
            if path is None:
                return
            try:
                self.attachments.append(read(path))
            except VibeError as error:
                self.say(str(error), error=True)
            self.show_attachments()

        self.app.push_screen(Ask("Attach a text or code file", hint="its path · enter attaches · esc cancels"), given)

    def action_detach(self) -> None:
        self.attachments = []
        self.show_attachments()

    def action_copy_answer(self) -> None:
        self.copy(self.session.turns[-1].answer if self.session.turns else "", "The answer")

    def action_copy_turn(self) -> None:
        turn = self.session.turns[-1] if self.session.turns else None
        self.copy(f"{turn.question}\n\n{turn.answer}" if turn else "", "The turn")

    def action_copy_code(self) -> None:
        answer = self.session.turns[-1].answer if self.session.turns else ""
        blocks = [block for _, block in _CODE.findall(answer)]
        if len(blocks) < 2:
            if answer and not blocks:
                self.say("There is no code block in the last answer.")
            else:
                self.copy("".join(blocks), "The code")
            return

        def picked(at: int | None) -> None:
            if at is not None:
                self.copy(blocks[at], "The code")

        self.app.push_screen(Pick("Copy which block?", [_first_line(block) for block in blocks]), picked)

    def copy(self, text: str, what: str) -> None:
        if not text:
            self.say("There is nothing to copy yet.")
            return
        self.app.copy_to_clipboard(text)
        self.say(f"{what} is on the clipboard.")

    async def action_example(self) -> None:
        if self.leave():
            await self.ask((paths.PACKAGE / "mini" / "example.txt").read_text(encoding="utf-8").strip())

    # Look

    def action_votes(self) -> None:
        if self.session.tally and self.session.tally.votes:
            self.toggle_class("-votes")
            self.call_after_refresh(self.show_votes)
        else:
            self.say("There is no vote to show: ctrl+r, then ask.")

    def action_votes_up(self) -> None:
        self.query_one(VotesPanel).scroll_page_up(animate=False)

    def action_votes_down(self) -> None:
        self.query_one(VotesPanel).scroll_page_down(animate=False)

    def action_page_up(self) -> None:
        self.query_one(Transcript).scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        transcript = self.query_one(Transcript)
        if transcript.scroll_y + transcript.size.height < transcript.max_scroll_y:
            transcript.scroll_page_down(animate=False)
        else:  # from the end on, a page down would stop following
            self.action_bottom()

    def action_bottom(self) -> None:
        self.query_one(Transcript).scroll_end(animate=False)

    def action_help(self) -> None:
        self.app.push_screen(Help(self.chat_app.keys))


def _first_line(block: str) -> str:
    lines = block.strip().splitlines() or [""]
    return f"{lines[0][:60]}  ({len(lines)} lines)"
