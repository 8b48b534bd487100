"""What the command line takes is what the library takes, which names limits of its own (solving/limits.py)."""

from typing import Any

import typer

from vibethinker_local.cli.app import app
from vibethinker_local.reliability.plan import MOST_SAMPLES
from vibethinker_local.solving import limits


def test_python_and_the_command_line_have_the_same_limits() -> None:
    command: Any = typer.main.get_command(app)
    wanted: dict[str, tuple[float, float]] = {**limits.WHOLE, **limits.FRACTIONS, "samples": (1, MOST_SAMPLES)}
    wanted["ctx"] = wanted.pop("context")
    del wanted["think"]  # off, auto or a number
    options = {option.name: option for option in command.commands["solve"].params if option.name in wanted}
    assert options.keys() == wanted.keys()
    for name, (least, most) in wanted.items():
        assert (options[name].min, options[name].max or 2**63 - 1) == (least, most), name
