"""The commands, called inside the test's process, and builds run to their end."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypeVar

from typer.testing import CliRunner, Result

from quantize.build import Built, build
from quantize.cli import app
from quantize.job import Request, prepare

T = TypeVar("T")


def invoke(*arguments: object) -> Result:
    """Run a command."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def output(*arguments: object) -> dict[str, Any]:
    """The JSON of a command that must succeed."""
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.output
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def run(events: Generator[object, None, T]) -> T:
    """To the end; the result."""
    while True:
        try:
            next(events)
        except StopIteration as end:
            result: T = end.value
            return result


def run_build(out: Path, request: Request, threads: int = 2) -> Built:
    return run(build(prepare(request), out, threads))
