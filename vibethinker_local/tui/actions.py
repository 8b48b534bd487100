"""Everything that can be done with a key, by its name behind a slash, or from the palette.

The one table behind bindings, slash commands, palette, help and docs/chat.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from textual.binding import Binding, BindingType


@dataclass(frozen=True)
class Action:
    """Something the user can do in the chat. `id` is its name in the settings' [keys] and the action's own."""

    id: str
    key: str  # "" for the palette alone
    title: str
    help: str
    slash: str = ""  # the name behind a slash at the start of the prompt
    takes_value: bool = False  # behind that name; the chat's `take_…` has it


ANSWERING = (
    Action(
        "reliability",
        "ctrl+r",
        "Reliability on or off",
        "Sample several solutions and let them vote, from now on.",
        "reliability",
    ),
    Action(
        "budget",
        "f4",
        "Change the budget",
        "How much the reliability pass may spend: quick, standard or deep.",
        "budget",
    ),
    Action(
        "think",
        "alt+t",
        "Think longer or not at all",
        "As long as the model does, 1,024 tokens, or not at all, from the next answer on.",
        "think",
    ),
    Action("stop", "escape", "Stop", "End the run; what has been written stays.", "stop"),
    Action("answer_now", "ctrl+g", "Answer now", "Close the reasoning and answer from what has been thought so far."),
    Action(
        "reasoning",
        "ctrl+o",
        "Open or fold the reasoning",
        "Show what the model thought before its last answer.",
        "reasoning",
    ),
    Action(
        "regenerate",
        "f5",
        "Regenerate",
        "Answer the last question once more; what is there stays. A vote that was cut off goes on.",
        "regenerate",
    ),
    Action(
        "go_on",
        "alt+c",
        "Continue",
        "Go on with an answer that was cut off: at its budget, or because you stopped it.",
        "continue",
    ),
    Action(
        "edit",
        "f6",
        "Edit a question",
        "The last one, and with the key again the one before; enter asks it as another version.",
        "edit",
    ),
)
MODEL = (
    Action(
        "model",
        "f10",
        "Change the model",
        "Those that are installed, and how fast they are; the conversation goes on with it.",
        "model",
        takes_value=True,
    ),
)
VERSIONS = (
    Action("older_version", "alt+left", "Previous version", "Show the earlier answer or question in this place."),
    Action("newer_version", "alt+right", "Next version", "Show the later one."),
)
CONVERSATIONS = (
    Action("new", "ctrl+n", "New conversation", "Leave this one as it is and begin another.", "new"),
    Action(
        "conversations", "f2", "Conversations", "List, search, open, rename, delete and export conversations.", "open"
    ),
    Action(
        "export",
        "f9",
        "Export as Markdown",
        "Write this conversation into the folder that vibe was started in.",
        "export",
    ),
    Action("export_json", "", "Export as JSON", "The same with everything that is known of each turn."),
    Action("rename", "", "Rename this conversation", "Give it another title.", "rename", takes_value=True),
)
TEXTS = (
    Action("attach", "f3", "Attach a file", "Put a text or code file before the question.", "attach", takes_value=True),
    Action("detach", "", "Remove the attachments", "Forget the files and pasted texts that are attached.", "detach"),
    Action(
        "copy_answer", "f7", "Copy the answer", "As the model wrote it, to the clipboard; works over SSH too.", "copy"
    ),
    Action("copy_code", "f8", "Copy a code block", "The one in the last answer, or one of them.", "code"),
    Action("copy_turn", "", "Copy the turn", "The last question and its answer."),
    Action("example", "", "Ask the example", "The problem that comes with the program.", "example"),
)
LOOK = (
    Action(
        "votes",
        "ctrl+t",
        "The votes",
        "Open their panel or go into it; enter opens a solution or a claim.",
        "votes",
    ),
    Action(
        "votes_up",
        "ctrl+up,alt+up",
        "Scroll the votes up",
        "A page up in the panel; while questions wait, takes them back into the prompt.",
    ),
    Action("votes_down", "ctrl+down,alt+down", "Scroll the votes down", "A page down in the panel."),
    Action("page_up", "pageup", "Scroll up", "A page up in the conversation, also while it is being written."),
    Action("page_down", "pagedown", "Scroll down", "A page down; at the end, what is written is followed again."),
    Action("bottom", "ctrl+end", "To the end", "Scroll to what is being written, and follow it."),
    Action("dark", "f12", "Dark or light theme", "Switch between the two.", "theme"),
    Action("palette", "ctrl+p", "Palette", "Every action, by name."),
    Action("help", "f1", "Help", "This page.", "help"),
    Action("suspend", "ctrl+z", "Suspend", "Back to the shell; `fg` goes on."),
    Action(
        "quit",
        "ctrl+q",
        "Quit",
        "Answers, waiting questions and the text in the prompt are saved, with what is attached.",
        "quit",
    ),
)
GROUPS = {"Answers": (*ANSWERING, *VERSIONS, *MODEL), "Conversations": CONVERSATIONS, "Text": TEXTS, "Look": LOOK}
ACTIONS = tuple(action for group in GROUPS.values() for action in group)
NAMED = {action.id: action for action in ACTIONS}
KEYS = {action.id: action.key for action in ACTIONS}
SLASHES = {action.slash: action for action in ACTIONS if action.slash}
VALUES = [name for name, action in SLASHES.items() if action.takes_value]
EVERYWHERE = ("palette", "quit", "dark", "suspend")  # also where another screen lies over the chat


PROMPT_KEYS = {
    "enter": "Send; while an answer is written, the question waits for its end.",
    "ctrl+j": "Begin a new line; shift+enter and alt+enter where the terminal tells them apart.",
    "up, down": "At the first and the last line: what was asked before.",
    "down, empty": "On the first screen: to the last five conversations, which enter opens.",
    "left, right, empty": "Previous and next version.",
    "@path tab": 'Name a file, which goes with the question; @"a path" may hold spaces.',
    "shift+tab": "To what is attached: enter opens it, backspace removes it.",
    "/": "Commands by name, which tab completes; they never go to the model. "
    f"These take a value, as in /attach notes.txt: {', '.join(f'/{name}' for name in VALUES)}.",
    "ctrl+a e k u w y": "As in readline: to the start, to the end, delete, yank; alt+d deletes a word.",
    "ctrl+c": "Copy what is selected; else stop what runs; twice: quit.",
    "ctrl+d, empty": "Quit.",
}


def slash_command(text: str) -> tuple[str, str] | None:
    """The name, perhaps only begun, and the value of a prompt that is a command; None for a question, or /usr/bin."""
    if found := re.fullmatch(r"/([a-zA-Z_-]*)(?:\s+([^\n]*?))?\s*", text):
        name, value = found[1].lower(), found[2] or ""
        if not value or name in SLASHES:
            return name, value
    return None


def slashes(begun: str) -> list[str]:
    """The names of slash commands that begin so, or the one that is called so."""
    return [begun] if begun in SLASHES else [name for name in SLASHES if name.startswith(begun)]


def table() -> str:
    """All of it as Markdown, for docs/chat.md."""
    rows = ["| key | `/` | what it does |", "| --- | --- | --- |"]
    for action in ACTIONS:
        keys = " ".join(f"`{key}`" for key in action.key.split(",")) if action.key else "palette"
        slash = f"`/{action.slash}`" if action.slash else ""
        rows.append(f"| {keys} | {slash} | **{action.title}.** {action.help} |")
    rows += [f"| `{key}` | | {text} |" for key, text in PROMPT_KEYS.items()]
    return "\n".join(rows) + "\n"


def bindings(*, everywhere: bool) -> list[BindingType]:
    """The bindings of the app, or of the chat's screen. They come before the prompt's own."""
    return [
        Binding(
            action.key,
            "command_palette" if action.id == "palette" else action.id,  # Textual's own
            action.title,
            tooltip=action.help,
            id=action.id,
            priority=True,
            show=False,
        )
        for action in ACTIONS
        if action.key and (action.id in EVERYWHERE) == everywhere
    ]


def key_of(action: Action, keys: Mapping[str, str]) -> str:
    """The key of an action as it is to be read, the user's own before the default."""
    key = keys.get(action.id, action.key)
    names = {"escape": "esc", "pageup": "page up", "pagedown": "page down"}
    return " or ".join(names.get(one, one) for one in key.split(",")) if key else ""
