"""A run of the solver on a thread of its own, and the feed through which the screen follows it.

The thread never waits for the screen: events gather in the feed, texts of one kind grown together, and the screen is
told once that there is something. It takes all there is when it gets to it, so a slow screen skips paints, not tokens.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

from vibethinker_local.events import Control, SolveEvent, Wrote


class Run:
    """Consumes an iterator of events on a daemon thread. `arrived` is called on that thread."""

    def __init__(self, begin: Callable[[Control], Iterator[SolveEvent]], arrived: Callable[[], object]) -> None:
        self.control = Control()
        self._begin, self._arrived = begin, arrived
        self._lock = threading.Lock()
        self._events: list[SolveEvent] = []
        self._told = False
        self._error: BaseException | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._follow, name="run", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def take(self) -> tuple[list[SolveEvent], bool, BaseException | None]:
        """The events since the last call, whether they were the last, and what the solver raised."""
        with self._lock:
            events, self._events, self._told = _joined(self._events), [], False
            return events, self._ended, self._error

    def stop(self, seconds: float) -> bool:
        """Ask it to stop and wait so long; whether it has."""
        self.control.stop = True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """End it for whoever takes its events, while its thread still waits to begin."""
        self.control.stop = True
        self._add(None)

    def _follow(self) -> None:
        try:
            for event in self._begin(self.control):
                self._add(event)
        except BaseException as error:  # nothing is swallowed: `take` hands it over
            self._error = error
        self._add(None)

    def _add(self, event: SolveEvent | None) -> None:
        with self._lock:
            if event is None:
                self._ended = True
            else:
                self._events.append(event)
            told, self._told = self._told, True
        if not told:
            self._arrived()


def _joined(events: list[SolveEvent]) -> list[SolveEvent]:
    """The same events, texts that follow each other on one side of the cut as one."""
    joined: list[list[SolveEvent]] = []
    for event in events:
        last = joined[-1][-1] if joined else None
        if (
            isinstance(event, Wrote)
            and isinstance(last, Wrote)
            and (last.index, last.reasoning) == (event.index, event.reasoning)
            and not event.retracts
        ):
            joined[-1].append(event)
        else:
            joined.append([event])
    return [_one(group) for group in joined]


def _one(group: list[SolveEvent]) -> SolveEvent:
    wrote = [event for event in group if isinstance(event, Wrote)]
    if len(wrote) < 2:
        return group[0]
    return replace(wrote[-1], text="".join(event.text for event in wrote), retracts=wrote[0].retracts)
