"""Pictures of the chat with what a real model writes, for the documentation.

    python -m tests.measure.pictures docs/pictures -m FILE.gguf

Seeds are given, so that the same file on the same machine gives the same pictures but for the times in them.
"""

import argparse
import asyncio
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.tui.scenes import as_svg
from vibethinker_local.events import Options
from vibethinker_local.tui.app import make_app
from vibethinker_local.tui.local import LoadedModel
from vibethinker_local.tui.store import Store
from vibethinker_local.tui.widgets.prompt import Prompt

SEED = 5
PATIENCE = 900  # seconds for one answer


@dataclass(frozen=True)
class Picture:
    name: str
    question: str
    cells: tuple[int, int]
    keys: tuple[str, ...] = ()  # before the question


PICTURES = (
    Picture(
        "real-answer-110x38",
        "Derive the sum of the first n squares as a formula, check it for n = 3, and write a Python function for it.",
        (110, 38),
    ),
    Picture(
        "real-vote-120x40",
        "A bakery sold 4 dozen rolls in the morning and half as many in the afternoon. A quarter of all of them were "
        "rye rolls at 90 cents, the others cost 60 cents. How many euros did it take?",
        (120, 40),
        ("ctrl+r",),
    ),
)


async def draw(picture: Picture, local: LoadedModel, folder: Path) -> str:
    """The screen when the question is answered, as SVG."""
    store = Store(folder / f"{picture.name}.db")
    app = make_app(lambda name, loading: local, store, seeds=lambda: SEED, budget="quick", rings=False, folder=folder)
    app.measures_memory = False
    async with app.run_test(size=picture.cells) as pilot:
        async with asyncio.timeout(PATIENCE):
            while app.session.solver is None:
                await pilot.pause(0.1)
            await pilot.press(*picture.keys)
            app.chat.query_one(Prompt).insert(picture.question)
            await pilot.press("enter")
            while not app.session.turns:
                await pilot.pause(0.5)
        await pilot.pause(0.5)  # until all of it is shown
        app.chat.query_one(Prompt).cursor_blink = False
        return as_svg(app)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=Path)
    parser.add_argument("-m", "--model", required=True)
    arguments = parser.parse_args()
    for picture in PICTURES:  # each with a model of its own: the app closes it
        with (
            closing(LoadedModel(arguments.model, Options(0, context=4096))) as local,
            tempfile.TemporaryDirectory() as folder,
        ):
            drawn = asyncio.run(draw(picture, local, Path(folder)))
        (arguments.target / f"{picture.name}.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main()
