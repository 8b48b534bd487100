"""Work that runs in a thread of its own, and the events that tell how far it is meanwhile."""

import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from vibethinker_local.system.progress import Progress

T = TypeVar("T")
TICK = 0.1  # seconds between two Progress events


class Meter:
    """What the work and the one who waits for it share: how far it is, and whether it should end."""

    def __init__(self) -> None:
        self.done = 0
        self.total = 0
        self.stop = threading.Event()


def follow(stage: str, work: Callable[[Meter], T], unit: str = "bytes") -> Generator[Progress, None, T]:
    """Run `work` in a thread, for native calls that take long: so the caller can be interrupted at any time.

    Raises what `work` raises. Closing the generator sets the meter's `stop` and waits until `work` has seen it.
    """
    meter = Meter()
    with ThreadPoolExecutor(1) as pool:
        try:
            future = pool.submit(work, meter)
            while not wait([future], TICK).done:
                yield Progress(stage, meter.done, meter.total, unit)
            return future.result()
        finally:
            meter.stop.set()
