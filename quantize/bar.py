"""Progress on a terminal: one line on stderr with what is done, how fast, and how long the rest will take."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import progress
from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from vibethinker_local.system.progress import Progress


class _Count(progress.ProgressColumn):
    """`1.2 GB of 3.4 GB, 56 MB/s` or `512 of 6,144 tokens, 98/s`."""

    def render(self, task: progress.Task) -> Text:
        unit = task.fields["unit"]
        show, end = (decimal, "") if unit == "bytes" else ("{:,}".format, f" {unit}")
        total = f" of {show(int(task.total))}" if task.total else ""
        rate = f", {show(int(task.speed))}/s" if task.speed else ""
        return Text(f"{show(int(task.completed))}{total}{end}{rate}", no_wrap=True)


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """Shows the events that it is called with; silent where stderr is no terminal."""
    console = Console(stderr=True)
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=16),
        _Count(),
        progress.TimeRemainingColumn(),
    )
    terminal = console.is_terminal
    with progress.Progress(*columns, console=console, disable=not terminal, transient=True) as bars:
        tasks: dict[str, progress.TaskID] = {}

        def show(event: Progress) -> None:
            if event.stage not in tasks:
                for past in tasks.values():
                    bars.update(past, visible=False)
                tasks[event.stage] = bars.add_task(event.stage, total=None, unit=event.unit)
            bars.update(tasks[event.stage], completed=event.done, total=event.total or None)

        yield show
