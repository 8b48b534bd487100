"""The stylesheet: a rule for a class that has another name by now would silently style nothing."""

import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

from textual.widget import Widget

from vibethinker_local import tui


def test_every_selector_names_a_widget_that_exists() -> None:
    for module in walk_packages(tui.__path__, f"{tui.__name__}."):
        if "driver" not in module.name:  # of one platform
            import_module(module.name)
    known, found = set[str](), [Widget]
    while found:
        widget = found.pop()
        known.add(widget.__name__)
        found += widget.__subclasses__()
    css = re.sub(r"/\*.*?\*/|\{.*?\}", "", (Path(tui.__path__[0]) / "app.tcss").read_text(encoding="utf-8"), flags=re.S)
    assert not set(re.findall(r"(?<![\w.#:-])[A-Z]\w*", css)) - known
